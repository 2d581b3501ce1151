/*
 * Rings that break the rules, one case each. Afterwards the queue is broken and
 * says why, its event was sent, it is left alone until it is started anew; the
 * other queue works, and no byte of the guest outside of rings has changed.
 */
#include "hostile_rings.h"

#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct bed bed;

static int error_fd;

static struct virtqueue *device_of(struct driver_queue *q)
{
	return q == bed.tx ? bed.from : bed.to;
}

/* A header and two more parts of a frame; of a buffer to receive in, three. */
static const struct driver_layout in_three = { .own_header = true,
					       .piece = 50 };

/* One good buffer, then one that is spoilt before it is published. */
static void give(struct driver_queue *q, const struct hostile_case *c)
{
	struct driver_layout layout = in_three;

	if (q == bed.tx)
		bed_put(&bed, &in_three, 1, 100);
	else
		driver_put_buffer(q, &in_three, 162);
	driver_publish(q);
	layout.indirect = c->features & INDIRECT && !c->from_chain;
	if (q == bed.tx)
		bed_put(&bed, &layout, 2, 100);
	else
		driver_put_buffer(q, &layout, 162);
	c->spoil(q);
	driver_publish(q);
}

static bool may_work(const struct driver_queue *q, const struct hostile_case *c)
{
	return c->may_work ||
	       (c->may_work_packed_tx && q->packed && q == bed.tx);
}

/* Lets the device meet it; whatever it receives or sends before is fine. */
static void meet(struct driver_queue *q, const struct hostile_case *c)
{
	unsigned n;

	for (unsigned i = 0; i < 4; i++) {
		if (q == bed.rx) {
			bed_send(&bed, 1, 100);
			continue;
		}
		n = virtqueue_receive(bed.from, bed.packets, 32, bed.drops);
		if (n) {
			assert_packet(&bed, 0, 1, 100);
			if (!may_work(q, c))
				assert_int_equal(n, 1);
			virtqueue_done(bed.from);
		}
	}
}

/* Everything of the guest but rings and the good buffer, summed up. */
static void save(const struct driver_queue *q, uint8_t *to)
{
	memcpy(to, bed.memory.ram, bed.memory.size);
	for (unsigned i = 0; i < 2; i++) {
		const struct driver_queue *r = i ? bed.rx : bed.tx;

		memset(to + (r->desc_at - GUEST_BASE), 0, HOSTILE_SIZE * 16);
		memset(to + (r->device_at - GUEST_BASE), 0,
		       r->packed ? 4 : 6 + HOSTILE_SIZE * 8);
	}
	/* both buffers of the spoilt queue, which are the device's */
	if (q == bed.rx)
		memset(to + (q->buffers_at - GUEST_BASE), 0,
		       2 * (2 * q->config.buffer_size + 64));
}

static void assert_left_alone(struct driver_queue *q,
			      const struct hostile_case *c)
{
	uint64_t events = 0;
	uint16_t before[2], after[2];

	assert_int_equal(read(error_fd, &events, sizeof(events)),
			 sizeof(events));
	assert_int_equal(events, 1);
	memcpy(before, guest_at(&bed.memory, q->device_at), 4);
	meet(q, c);
	memcpy(after, guest_at(&bed.memory, q->device_at), 4);
	assert_memory_equal(before, after, 4);
	assert_int_equal(read(error_fd, &events, sizeof(events)), -1);
	if (q == bed.rx) {
		bed_clear_drops(&bed);
		assert_false(bed_send(&bed, 1, 100));
		assert_int_equal(bed_drops(&bed), 1);
	}
}

/* Both ways through the queue that nobody has spoilt. */
static void assert_works(struct driver_queue *q)
{
	for (unsigned i = 0; i < 2 * HOSTILE_SIZE; i++) {
		if (q == bed.tx) {
			bed_put(&bed, NULL, i, 100);
			driver_publish(q);
			assert_int_equal(bed_receive(&bed, 32), 1);
			assert_packet(&bed, 0, i, 100);
			virtqueue_done(bed.from);
			assert_int_equal(driver_reclaim(q), 1);
		} else {
			driver_put_buffer(q, NULL, 300);
			driver_publish(q);
			assert_true(bed_send(&bed, i, 100));
			assert_taken(&bed, i, 100);
		}
	}
	assert_null(virtqueue_broken(device_of(q)));
}

/* The guest has reset its queue: all is well again. */
static void assert_starts_anew(struct driver_queue *q)
{
	struct driver_config config = q->config;
	struct driver_queue *fresh;

	stop_queue(device_of(q));
	fresh = driver_create(&bed.memory, &config);
	if (q == bed.tx)
		bed.tx = fresh;
	else
		bed.rx = fresh;
	driver_join(fresh, device_of(fresh));
	driver_destroy(q);
	assert_works(fresh);
}

static void spoil_one(uint64_t kind, const struct hostile_case *c, bool rx)
{
	struct bed_config config = { .features = kind | c->features,
				     .size = HOSTILE_SIZE,
				     .buffer = 2000 };
	struct driver_queue *q;
	struct virtqueue *vq;
	uint8_t *was, *is;

	bed_open(&bed, &config);
	bed.broken_on_purpose = true;
	q = rx ? bed.rx : bed.tx;
	vq = device_of(q);
	error_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	virtqueue_take(vq);
	virtqueue_set_error(vq, error_fd);
	virtqueue_release(vq);
	was = malloc(bed.memory.size);
	is = malloc(bed.memory.size);

	give(q, c);
	save(q, was);
	meet(q, c);
	save(q, is);
	if (memcmp(was, is, bed.memory.size))
		fail_msg("%s: wrote where nothing was to be written", c->name);
	if (virtqueue_broken(vq))
		assert_left_alone(q, c);
	else if (!may_work(q, c))
		fail_msg("%s, %s: not broken", c->name, rx ? "rx" : "tx");
	assert_works(rx ? bed.tx : bed.rx);
	assert_starts_anew(q);

	free(was);
	free(is);
	virtqueue_take(vq);
	virtqueue_set_error(vq, -1);
	virtqueue_release(vq);
	close(error_fd);
	bed_close(&bed);
}

struct hostile_test {
	const struct hostile_case *c;
	uint64_t kind;
};

static void hostile(void **state)
{
	const struct hostile_test *t = *state;

	spoil_one(t->kind, t->c, false);
	spoil_one(t->kind, t->c, true);
}

int main(void)
{
	static struct hostile_test states[2 * HOSTILE_CASES];
	static char names[2 * HOSTILE_CASES][64];
	static struct CMUnitTest tests[2 * HOSTILE_CASES];
	size_t n = 0;

	for (unsigned packed = 0; packed < 2; packed++)
		for (size_t i = 0; i < n_hostile_cases; i++) {
			if (hostile_cases[i].kinds ==
			    (packed ? SPLIT_ONLY : PACKED_ONLY))
				continue;
			states[n] =
				(struct hostile_test){ &hostile_cases[i],
						       packed ? PACKED : 0 };
			snprintf(names[n], sizeof(names[n]), "%s_%s",
				 packed ? "packed" : "split",
				 hostile_cases[i].name);
			tests[n] = (struct CMUnitTest){ names[n], hostile, NULL,
							NULL, &states[n] };
			n++;
		}
	return _cmocka_run_group_tests("hostile", tests, n, NULL, NULL);
}
