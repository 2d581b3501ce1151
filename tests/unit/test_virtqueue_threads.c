/*
 * Queues that several threads use: workers that send to the same guest, and the
 * control thread that stops queues and replaces memory under running workers.
 * Meant for ThreadSanitizer, and right without it, too.
 */
#include "virtqueue_fixture.h"

#include <pthread.h>
#include <sched.h>

#define FRAME	60
#define SENDERS 2
#define OFFERED 8000 /* frames by each sender */
#define CHANGES 150  /* of memory, while frames go through */

static struct bed bed;
static _Atomic bool stop;

struct sender {
	pthread_t thread;
	unsigned id;
	unsigned sent, offered;
	_Atomic uint64_t drops[N_DROP_REASONS];
};

static void *send_frames(void *arg)
{
	struct sender *s = arg;
	uint64_t bytes = 0;

	while (s->offered < OFFERED) {
		struct packet packets[8];
		struct packet *list[8];
		uint8_t frames[8][FRAME];
		unsigned sent;

		for (unsigned i = 0; i < 8; i++) {
			unsigned number = s->id << 24 | (s->offered + i);

			memcpy(frames[i], numbered_frame(number, FRAME), FRAME);
			list[i] = &packets[i];
			packet_init(list[i], frames[i], FRAME);
		}
		sent = virtqueue_send(bed.to, list, 8, s->drops, &bytes);
		s->sent += sent;
		s->offered += 8;
		if (sent < 8)
			sched_yield();
	}
	assert_int_equal(bytes, (uint64_t)s->sent * FRAME);
	return NULL;
}

/* The guest: takes what is there, each frame whole and after its elders. */
static unsigned take_frames(unsigned last[SENDERS])
{
	unsigned n = 0;

	while (driver_take_frame(bed.rx, &bed.frame)) {
		uint32_t number = load_be32(bed.frame.data + 8);
		unsigned id = number >> 24;

		assert_int_equal(bed.frame.len, FRAME);
		assert_true(id < SENDERS);
		assert_memory_equal(bed.frame.data,
				    numbered_frame(number, FRAME), FRAME);
		assert_false(bed.frame.spilt);
		number = (number & 0xffffff) + 1;
		assert_true(number > last[id]);
		last[id] = number;
		n++;
	}
	assert_null(bed.rx->error);
	return n;
}

static void two_senders(void **state)
{
	struct bed_config c = { .features = KIND(state), .buffer = 256 };
	struct sender senders[SENDERS] = { { 0 } };
	unsigned last[SENDERS] = { 0 }, taken = 0, sent = 0;

	numbered_frame(0, FRAME);
	bed_open(&bed, &c);
	driver_put_buffers(bed.rx, NULL, 128);
	driver_publish(bed.rx);
	for (unsigned i = 0; i < SENDERS; i++) {
		senders[i].id = i;
		pthread_create(&senders[i].thread, NULL, send_frames,
			       &senders[i]);
	}
	for (unsigned idle = 0; idle < 20000;) {
		unsigned n = take_frames(last);

		taken += n;
		idle = n ? 0 : idle + 1;
		if (n) {
			driver_put_buffers(bed.rx, NULL, 128);
			driver_publish(bed.rx);
		} else {
			sched_yield();
		}
	}
	for (unsigned i = 0; i < SENDERS; i++) {
		uint64_t dropped;

		pthread_join(senders[i].thread, NULL);
		dropped = senders[i].drops[DROP_TX_FULL] +
			  senders[i].drops[DROP_TX_BUSY];
		assert_int_equal(senders[i].sent + dropped, senders[i].offered);
		sent += senders[i].sent;
	}
	assert_int_equal(taken + take_frames(last), sent);
	bed_close(&bed);
}

/* A worker: what the guest sends goes back to it. */
static void *echo(void *arg)
{
	unsigned *dropped = arg;
	struct packet *packets, *list[32];
	uint64_t bytes = 0;

	packets = xcalloc_aligned(32, sizeof(*packets));
	for (unsigned i = 0; i < 32; i++)
		list[i] = &packets[i];
	while (!stop) {
		unsigned n =
			virtqueue_receive(bed.from, packets, 32, bed.drops);

		if (!n) {
			sched_yield();
			continue;
		}
		for (unsigned i = 0; i < n; i++)
			packet_pull_first(&packets[i]);
		*dropped +=
			n - virtqueue_send(bed.to, list, n, bed.drops, &bytes);
		virtqueue_done(bed.from);
	}
	free(packets);
	return NULL;
}

struct guest {
	unsigned put, reclaimed;
	_Atomic unsigned taken; /* looked at while it runs */
};

/* The guest: sends and takes back; each frame comes at most once, in order. */
static void *guest_main(void *arg)
{
	struct guest *g = arg;
	unsigned last[SENDERS] = { 0 };

	while (!stop || g->reclaimed < g->put) {
		const uint8_t *frame = numbered_frame(g->put, FRAME);

		if (!stop &&
		    !driver_put_frame(bed.tx, NULL, NULL, frame, FRAME)) {
			g->put = (g->put + 1) & 0xffffff;
			driver_publish(bed.tx);
		}
		driver_put_buffers(bed.rx, NULL, 128);
		driver_publish(bed.rx);
		g->reclaimed += driver_reclaim(bed.tx);
		g->taken += take_frames(last);
		assert_null(bed.tx->error);
		sched_yield();
		if (stop) /* what is left stays with the device */
			break;
	}
	g->taken += take_frames(last);
	return NULL;
}

static void renew(const struct driver_queue *q, struct virtqueue *vq,
		  struct virtqueue_setup *setup)
{
	const struct guest_memory *m = &bed.memory;
	char *error = NULL;

	setup->desc = guest_seen_at(m, q->desc_at);
	setup->driver = guest_seen_at(m, q->driver_at);
	setup->device = guest_seen_at(m, q->device_at);
	virtqueue_set_memory(vq, m->view);
	if (virtqueue_start(vq, setup, &error))
		fail_msg("%s", error);
}

/* Both queues stopped, all memory mapped elsewhere, both started again. */
static void replace_memory(struct virtqueue_setup *from,
			   struct virtqueue_setup *to)
{
	struct guest_view old;

	virtqueue_take(bed.from);
	virtqueue_take(bed.to);
	from->base = virtqueue_stop(bed.from);
	to->base = virtqueue_stop(bed.to);
	old = guest_memory_remap(&bed.memory);
	renew(bed.tx, bed.from, from);
	renew(bed.rx, bed.to, to);
	virtqueue_release(bed.from);
	virtqueue_release(bed.to);
	/* nobody has an address of it any more */
	guest_view_drop(old);
}

static void memory_replaced(void **state)
{
	struct bed_config c = { .features = KIND(state), .buffer = 256 };
	struct virtqueue_setup from, to;
	struct guest guest = { 0 };
	unsigned dropped = 0;
	pthread_t worker, driver;

	numbered_frame(0, FRAME);
	bed_open(&bed, &c);
	driver_setup(bed.tx, &from);
	driver_setup(bed.rx, &to);
	stop = false;
	pthread_create(&worker, NULL, echo, &dropped);
	pthread_create(&driver, NULL, guest_main, &guest);
	/* And until something came through, however the threads get to run. */
	for (unsigned i = 0; i < CHANGES || !guest.taken; i++) {
		replace_memory(&from, &to);
		assert_null(virtqueue_broken(bed.from));
		assert_null(virtqueue_broken(bed.to));
		for (unsigned n = 0; n < 20; n++)
			sched_yield();
	}
	stop = true;
	pthread_join(driver, NULL);
	pthread_join(worker, NULL);
	guest.reclaimed += driver_reclaim(bed.tx);
	while (driver_take_frame(bed.rx, &bed.frame))
		guest.taken++;
	assert_int_equal(guest.reclaimed, guest.taken + dropped);
	assert_true(guest.taken > 0);
	bed_close(&bed);
}

/* A guest that changes descriptors while they are read: no harm is done. */
static void *flip(void *arg)
{
	volatile uint64_t *word = arg;
	uint64_t was = *word;

	for (unsigned i = 0; !stop; i++)
		*word = i % 3 == 0 ? was : i % 3 == 1 ? UINT64_MAX - 5 : 0;
	*word = was;
	return NULL;
}

static void descriptors_change(void **state)
{
	for (unsigned what = 0; what < 4; what++) {
		struct bed_config c = { .features = KIND(state),
					.size = 16,
					.buffer = 2000 };
		bool rx = what & 1;
		struct driver_queue *q;
		pthread_t guest;
		uint8_t *word;

		bed_open(&bed, &c);
		bed.broken_on_purpose = true;
		q = rx ? bed.rx : bed.tx;
		if (rx)
			driver_put_buffer(q, NULL, 2000);
		else
			bed_put(&bed, NULL, 1, 1000);
		word = guest_at(&bed.memory, q->desc_at);
		if (!q->packed)
			word += (q->avail->ring[0]) * 16;
		if (what & 2)
			word += 8;
		driver_publish(q);
		stop = false;
		pthread_create(&guest, NULL, flip, word);
		for (unsigned i = 0; i < 2000; i++) {
			struct virtqueue_setup setup;
			char *error = NULL;

			if (rx)
				bed_send(&bed, 1, 1000);
			else if (bed_receive(&bed, 32)) {
				uint8_t byte;

				packet_read(bed.packets, bed.packets->len - 1,
					    &byte, 1);
				virtqueue_done(bed.from);
			}
			/* the same buffer again */
			driver_setup(q, &setup);
			virtqueue_take(rx ? bed.to : bed.from);
			if (!q->packed)
				q->used->idx = q->config.base;
			if (virtqueue_start(rx ? bed.to : bed.from, &setup,
					    &error))
				fail_msg("%s", error);
			virtqueue_release(rx ? bed.to : bed.from);
		}
		stop = true;
		pthread_join(guest, NULL);
		bed_close(&bed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(two_senders),
		BOTH(memory_replaced),
		BOTH(descriptors_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
