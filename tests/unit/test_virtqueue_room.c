/*
 * Too much and too little room: merged buffers, rings that are full, buffers
 * that are too small, frames that are too long or none at all.
 */
#include "virtqueue_fixture.h"

#include "packet/vlan.h"

static struct bed bed;

static const uint32_t lengths[] = { 14,	  15,
				    59,	  60,
				    64,	  65,
				    127,  128,
				    129,  255,
				    256,  257,
				    511,  512,
				    1499, 1514,
				    1518, 2047,
				    4084, 4096,
				    9014, PACKET_LEN_MAX,
				    65535 };
#define N_LENGTHS ARRAY_SIZE(lengths)

/* A frame over as many buffers as it needs, no more. */
static void mergeable(void **state)
{
	for (unsigned i = 0; i < N_COMBINATIONS; i++) {
		struct bed_config c = { .features = KIND(state) | MERGEABLE |
						    combination(i),
					.size = 128,
					.buffer = 1526 };
		struct driver_layout layout = { .own_header = i & 2 };

		bed_open(&bed, &c);
		for (unsigned n = 0; n < N_LENGTHS; n++) {
			uint32_t len = lengths[n];

			driver_put_buffers(bed.rx, &layout, 1526);
			driver_publish(bed.rx);
			assert_true(bed_send(&bed, n, len));
			if (c.features & IN_ORDER && len > 1514)
				assert_false(bed.rx->error);
			assert_taken(&bed, n, len);
			assert_int_equal(bed.frame.n_buffers,
					 DIV_ROUND_UP(len + 12, 1526));
			assert_false(driver_has_used(bed.rx));
		}
		bed_close(&bed);
	}
}

/* Several merged frames in a burst, until the ring has no more. */
static void mergeable_burst(void **state)
{
	struct bed_config c = { .features = KIND(state) | MERGEABLE,
				.size = 64,
				.buffer = 256 };
	struct packet *list[40];
	unsigned n;

	bed_open(&bed, &c);
	driver_put_buffers(bed.rx, NULL, 256);
	driver_publish(bed.rx);
	for (unsigned i = 0; i < 40; i++) {
		list[i] = &bed.packets[i];
		packet_init(list[i], bed.memory.ram, 500);
	}
	/* Two buffers each; then there is one frame of one more buffer. */
	n = virtqueue_send(bed.to, list, 40, bed.drops, &bed.bytes);
	assert_int_equal(n, 32);
	assert_int_equal(bed.drops[DROP_TX_FULL], 8);
	assert_int_equal(bed_drops(&bed), 8);
	assert_int_equal(bed.bytes, 32 * 500);
	for (unsigned i = 0; i < n; i++) {
		assert_true(driver_take_frame(bed.rx, &bed.frame));
		assert_int_equal(bed.frame.len, 500);
		assert_int_equal(bed.frame.n_buffers, 2);
	}
	/* Too few for a frame: none of them is used up. */
	for (unsigned i = 0; i < 3; i++)
		driver_put_buffer(bed.rx, NULL, 256);
	driver_publish(bed.rx);
	assert_false(bed_send(&bed, 1, 1400));
	assert_false(driver_has_used(bed.rx));
	assert_true(bed_send(&bed, 2, 700));
	assert_taken(&bed, 2, 700);
	bed_close(&bed);
}

/*
 * One packet that is dropped, one that takes two buffers, and behind them as
 * many buffers as packets were taken again: each gets its own.
 */
static void dropped_then_merged(void **state)
{
	static const uint32_t sizes[] = { 60, 300, 61, 62, 300, 63 };
	struct bed_config c = { .features = KIND(state) | MERGEABLE,
				.size = 64,
				.buffer = 256 };
	struct packet *list[ARRAY_SIZE(sizes)];

	bed_open(&bed, &c);
	driver_put_buffers(bed.rx, NULL, 256);
	driver_publish(bed.rx);
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		list[i] = &bed.packets[i];
		packet_init(list[i], bed.memory.ram, sizes[i]);
	}
	/* What the guest has not agreed to. */
	list[0]->offload.csum_needed = true;
	list[0]->offload.csum_start = 34;
	list[0]->offload.csum_offset = 6;
	assert_int_equal(virtqueue_send(bed.to, list, ARRAY_SIZE(sizes),
					bed.drops, &bed.bytes),
			 ARRAY_SIZE(sizes) - 1);
	assert_int_equal(bed.drops[DROP_TX_OFFLOAD], 1);
	for (unsigned i = 1; i < ARRAY_SIZE(sizes); i++) {
		assert_true(driver_take_frame(bed.rx, &bed.frame));
		assert_int_equal(bed.frame.len, sizes[i]);
	}
	bed_close(&bed);
}

/* No buffers: dropped and counted; they come: it goes on. */
static void full(void **state)
{
	struct bed_config c = { .features = KIND(state), .buffer = 2000 };

	bed_open(&bed, &c);
	assert_false(bed_send(&bed, 0, 60));
	assert_int_equal(bed.drops[DROP_TX_FULL], 1);
	for (unsigned round = 0; round < 5; round++) {
		driver_put_buffers(bed.rx, NULL, 1600);
		driver_publish(bed.rx);
		bed_clear_drops(&bed);
		for (unsigned i = 0; i < 64; i++)
			assert_true(bed_send(&bed, i, 60 + i));
		assert_false(bed_send(&bed, 0, 60));
		assert_int_equal(bed.drops[DROP_TX_FULL], 1);
		for (unsigned i = 0; i < 64; i++)
			assert_taken(&bed, i, 60 + i);
	}
	assert_int_equal(bed_drops(&bed), 1);
	bed_close(&bed);
}

/* Without mergeable buffers, a frame longer than its buffer is dropped. */
static void too_small(void **state)
{
	struct bed_config c = { .features = KIND(state), .buffer = 2000 };

	bed_open(&bed, &c);
	driver_put_buffers(bed.rx, NULL, 112);
	driver_publish(bed.rx);
	assert_true(bed_send(&bed, 1, 100));
	assert_taken(&bed, 1, 100);
	assert_false(bed_send(&bed, 2, 101));
	assert_int_equal(bed.drops[DROP_TX_TOO_BIG], 1);
	assert_int_equal(bed_drops(&bed), 1);
	/* the next one fits again */
	assert_true(bed_send(&bed, 3, 100));
	assert_taken(&bed, 3, 100);
	bed_close(&bed);
}

/* Buffers without even room for the header: no frame, nothing broken else. */
static void tiny_buffers(void **state)
{
	struct bed_config c = { .features = KIND(state) | MERGEABLE,
				.buffer = 2000 };

	bed_open(&bed, &c);
	for (unsigned i = 0; i < 16; i++)
		driver_put_buffer(bed.rx, NULL, 13);
	driver_publish(bed.rx);
	if (bed_send(&bed, 2, 20))
		assert_taken(&bed, 2, 20);
	bed_close(&bed);
	/* A frame over more of them than a chain may have descriptors. */
	c.size = 4096;
	bed_open(&bed, &c);
	driver_put_buffers(bed.rx, NULL, 32);
	driver_publish(bed.rx);
	if (bed_send(&bed, 2, 60000))
		assert_taken(&bed, 2, 60000);
	assert_true(bed_send(&bed, 3, 100));
	assert_taken(&bed, 3, 100);
	bed_close(&bed);
}

/* A chain with no frame in it is dropped and given back. */
static void no_frame(void **state)
{
	struct bed_config c = { .features = KIND(state), .buffer = 2000 };
	struct driver_used used;

	bed_open(&bed, &c);
	bed_put(&bed, NULL, 1, 60);
	for (uint32_t len = 1; len <= 12; len++) {
		struct driver_part part = { bed.tx->buffers_at, len, false };

		assert_int_equal(driver_add(bed.tx, &part, 1, false, 63), 0);
	}
	bed_put(&bed, NULL, 2, 60);
	driver_publish(bed.tx);
	assert_int_equal(bed_receive(&bed, 32), 2);
	assert_packet(&bed, 0, 1, 60);
	assert_packet(&bed, 1, 2, 60);
	virtqueue_done(bed.from);
	assert_int_equal(bed.drops[DROP_RUNT], 12);
	assert_int_equal(bed_drops(&bed), 12);
	for (unsigned i = 0; i < 14; i++)
		assert_true(driver_get(bed.tx, &used));
	/* Only such: nothing is received, and they come back all the same. */
	for (unsigned i = 0; i < 5; i++) {
		struct driver_part part = { bed.tx->buffers_at, 12, false };

		assert_int_equal(driver_add(bed.tx, &part, 1, false, 63), 0);
	}
	driver_publish(bed.tx);
	assert_int_equal(bed_receive(&bed, 32), 0);
	for (unsigned i = 0; i < 5; i++)
		assert_true(driver_get(bed.tx, &used));
	assert_false(driver_get(bed.tx, &used));
	bed_close(&bed);
}

/* Longer than any frame can be: dropped, given back, nothing broken. */
static void too_long(void **state)
{
	struct bed_config c = { .features = KIND(state),
				.buffer = PACKET_LEN_MAX + 100 };

	bed_open(&bed, &c);
	bed_put(&bed, NULL, 1, PACKET_LEN_MAX + 1);
	bed_put(&bed, NULL, 2, 60);
	driver_publish(bed.tx);
	assert_int_equal(bed_receive(&bed, 32), 1);
	assert_packet(&bed, 0, 2, 60);
	virtqueue_done(bed.from);
	assert_int_equal(bed_drops(&bed), 1);
	assert_int_equal(driver_reclaim(bed.tx), 2);
	bed_close(&bed);
}

/*
 * The longest frame, which got tags on its way, into a buffer that says it is
 * long enough but ends behind the memory: the shortest way is too short there.
 */
static void longest_frame_at_the_end(void **state)
{
	struct bed_config c = { .features = KIND(state), .regions = 1 };
	struct packet *p = bed.packets;

	for (int32_t beyond = -1; beyond <= 8; beyond++) {
		uint32_t need = PACKET_LEN_MAX + 8 + 12;
		struct driver_part part = { .len = need, .write = true };

		bed_open(&bed, &c);
		bed.broken_on_purpose = beyond > 0;
		/* so that the device has found the region */
		driver_put_buffer(bed.rx, NULL, 2000);
		driver_publish(bed.rx);
		assert_true(bed_send(&bed, 0, 60));
		part.guest = guest_end(&bed.memory) - need + beyond;
		assert_int_equal(driver_add(bed.rx, &part, 1, false, 0), 0);
		driver_publish(bed.rx);
		packet_init(p, numbered_frame(1, PACKET_LEN_MAX),
			    PACKET_LEN_MAX);
		packet_pull_first(p);
		assert_true(packet_vlan_push(p, 0x8100, 5));
		assert_true(packet_vlan_push(p, 0x88a8, 5));
		assert_int_equal(
			virtqueue_send(bed.to, &p, 1, bed.drops, &bed.bytes),
			beyond <= 0);
		assert_int_equal(virtqueue_broken(bed.to) != NULL, beyond > 0);
		bed_close(&bed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(mergeable),
		BOTH(mergeable_burst),
		BOTH(full),
		BOTH(too_small),
		BOTH(tiny_buffers),
		BOTH(no_frame),
		BOTH(too_long),
		BOTH(longest_frame_at_the_end),
		BOTH(dropped_then_merged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
