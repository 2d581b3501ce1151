/*
 * A device that ends in the middle of a burst, and another that goes on with
 * the same rings and the same in-flight region.
 */
#include "virtqueue_fixture.h"

static struct bed bed;
static _Alignas(8) uint8_t region[4096];

/* Offsets in the region of a packed ring. */
#define USED_IDX     16
#define OLD_USED_IDX 18
#define OLD_WRAP     21

/* Another device for a queue, started as a front end would. */
static void replace(struct virtqueue **vqp, const struct driver_queue *driver,
		    uint32_t base)
{
	struct virtqueue_setup setup;
	struct virtqueue *was = *vqp, *vq;

	driver_setup(driver, &setup);
	setup.inflight = region;
	setup.base = base;
	vq = *vqp = virtqueue_create("guest", setup.from_guest);
	virtqueue_take(vq);
	virtqueue_set_memory(vq, bed.memory.view);
	assert_int_equal(virtqueue_start(vq, &setup, NULL), 0);
	virtqueue_enable(vq, true);
	virtqueue_release(vq);
	virtqueue_destroy(was);
}

static void take_over(uint32_t base)
{
	replace(&bed.from, bed.tx, base);
}

static void open_bed(uint64_t features)
{
	struct bed_config c = { .features = features, .buffer = 2000 };

	memset(region, 0, sizeof(region));
	bed_open(&bed, &c);
	take_over(features & PACKED ? 0x80008000 : 0);
}

/* What was taken and not given back is taken again, once. */
static void taken_again(void **state)
{
	for (unsigned i = 0; i < N_COMBINATIONS; i++) {
		open_bed(KIND(state) | combination(i));
		for (unsigned n = 0; n < 20; n++)
			bed_put(&bed, NULL, n, 60);
		driver_publish(bed.tx);
		assert_int_equal(bed_receive(&bed, 5), 5);
		virtqueue_done(bed.from);
		assert_int_equal(bed_receive(&bed, 5), 5);
		/* it crashes; the front end remembers nothing of use */
		take_over(KIND(state) ? 0x80008000 : 0);
		assert_int_equal(bed_receive(&bed, 32), 15);
		assert_packet(&bed, 0, 5, 60);
		assert_packet(&bed, 14, 19, 60);
		virtqueue_done(bed.from);
		assert_int_equal(driver_reclaim(bed.tx), 20);
		bed_close(&bed);
	}
}

/* A burst of three of which only the last `written` had been given back. */
static void half_given_back(uint64_t features, unsigned written)
{
	struct vring_packed_desc was[3];

	open_bed(features);
	for (unsigned n = 0; n < 4; n++)
		bed_put(&bed, NULL, n, 60);
	driver_publish(bed.tx);
	memcpy(was, bed.tx->ring, sizeof(was));
	assert_int_equal(bed_receive(&bed, 3), 3);
	virtqueue_done(bed.from);
	memcpy(bed.tx->ring, was, (3 - written) * sizeof(was[0]));
	region[OLD_USED_IDX] = 0;
	region[OLD_WRAP] = 1;
	assert_int_equal(region[USED_IDX], 3);
	take_over(0x80008000);
	assert_int_equal(region[OLD_USED_IDX], 3);
	assert_int_equal(driver_reclaim(bed.tx), 3);
	assert_int_equal(bed_receive(&bed, 32), 1);
	assert_packet(&bed, 0, 3, 60);
	virtqueue_done(bed.from);
	assert_int_equal(driver_reclaim(bed.tx), 1);
	bed_close(&bed);
}

static void given_back_in_part(void **state)
{
	for (unsigned written = 0; written <= 3; written++)
		half_given_back(PACKED, written);
	half_given_back(PACKED | IN_ORDER, 0);
}

static void send_three(void)
{
	struct packet *list[3];

	for (unsigned i = 0; i < 3; i++) {
		list[i] = &bed.packets[i];
		packet_init(list[i], bed.memory.ram, 500);
	}
	assert_int_equal(virtqueue_send(bed.to, list, 3, bed.drops, &bed.bytes),
			 3);
}

/*
 * Three frames of two merged buffers each, of which only the last `written`
 * buffers had been marked: the guest sees all frames or none, and never a
 * frame's end as a frame.
 */
static void frames_in_part(unsigned written)
{
	struct bed_config c = { .features = PACKED | MERGEABLE, .buffer = 300 };
	struct vring_packed_desc was[6];
	struct driver_used used;

	memset(region, 0, sizeof(region));
	bed_open(&bed, &c);
	replace(&bed.to, bed.rx, 0x80008000);
	for (unsigned i = 0; i < 8; i++)
		driver_put_buffer(bed.rx, NULL, 300);
	driver_publish(bed.rx);
	memcpy(was, bed.rx->ring, sizeof(was));
	send_three();
	memcpy(bed.rx->ring, was, (6 - written) * sizeof(was[0]));
	region[OLD_USED_IDX] = 0;
	region[OLD_WRAP] = 1;
	replace(&bed.to, bed.rx, 0x80008000);
	for (unsigned i = 0; i < 6; i++) {
		assert_true(driver_get(bed.rx, &used));
		assert_int_equal(used.len, written < 6 ? 0 : i & 1 ? 212 : 300);
	}
	assert_false(driver_get(bed.rx, &used));
	assert_true(bed_send(&bed, 1, 200));
	assert_taken(&bed, 1, 200);
	bed_close(&bed);
}

static void received_in_part(void **state)
{
	for (unsigned written = 0; written <= 6; written++)
		frames_in_part(written);
}

/* What another back end left in flight comes first, in its order. */
static void left_by_another(void **state)
{
	struct {
		uint8_t inflight, padding[5];
		uint16_t next;
		uint64_t counter;
	} *entries = (void *)(region + 16);
	const uint16_t *heads;

	open_bed(0);
	for (unsigned n = 0; n < 6; n++)
		bed_put(&bed, NULL, n, 60);
	driver_publish(bed.tx);
	/* it had taken four, and given back the first two of them */
	heads = bed.tx->avail->ring;
	bed.tx->used->ring[0].id = heads[1];
	bed.tx->used->ring[1].id = heads[2];
	bed.tx->used->idx = 2;
	entries[heads[0]].inflight = entries[heads[3]].inflight = 1;
	entries[heads[0]].counter = 100;
	entries[heads[3]].counter = 103;
	((uint16_t *)region)[7] = 2; /* used_idx */
	take_over(0);
	assert_int_equal(bed_receive(&bed, 32), 2);
	assert_packet(&bed, 0, 0, 60);
	assert_packet(&bed, 1, 3, 60);
	virtqueue_done(bed.from);
	assert_int_equal(entries[heads[3]].inflight, 0);
	assert_int_equal(bed_receive(&bed, 32), 2);
	assert_packet(&bed, 0, 4, 60);
	virtqueue_done(bed.from);
	assert_int_equal(driver_reclaim(bed.tx), 6);
	bed_close(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(taken_again),
		cmocka_unit_test(given_back_in_part),
		cmocka_unit_test(received_in_part),
		cmocka_unit_test(left_by_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
