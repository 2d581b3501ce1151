/*
 * Frames through virtqueues, both ways, in every shape that a guest may choose;
 * split and packed.
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

static const struct driver_layout layouts[] = {
	{ 0 },
	{ .own_header = true },
	{ .own_header = true, .zeroes = true },
	{ .gap = 33, .piece = 5000 },
	{ .piece = 7, .gap = 3 },
	{ .piece = 7, .zeroes = true },
};

/* A layout as it is, or with larger pieces where the ring has no room. */
static struct driver_layout fit(const struct driver_layout *l, uint32_t len,
				bool indirect)
{
	struct driver_layout fitted = *l;

	if (l->piece)
		fitted.piece = MAX(l->piece, DIV_ROUND_UP(len + 12, 20));
	fitted.indirect = indirect;
	return fitted;
}

static void from_guest(uint64_t features)
{
	unsigned i = 0;

	for (size_t l = 0; l < ARRAY_SIZE(layouts); l++)
		for (size_t s = 0; s < N_LENGTHS; s++, i++) {
			uint32_t len = lengths[s];
			struct driver_layout layout = fit(
				&layouts[l], len, features & INDIRECT && i % 3);

			bed_put(&bed, &layout, i, len);
			driver_kick(bed.tx);
			assert_int_equal(bed_receive(&bed, 32), 1);
			assert_packet(&bed, 0, i, len);
			assert_false(driver_has_used(bed.tx));
			virtqueue_done(bed.from);
			assert_int_equal(driver_reclaim(bed.tx), 1);
		}
	assert_int_equal(bed_drops(&bed), 0);
}

static void to_guest(uint64_t features)
{
	uint32_t room = PACKET_LEN_MAX + 12;
	unsigned i = 0;
	uint64_t sum = 0;

	for (size_t l = 0; l < ARRAY_SIZE(layouts); l++)
		for (size_t s = 0; s < N_LENGTHS; s++, i++) {
			uint32_t len = lengths[s];
			struct driver_layout layout =
				fit(&layouts[l], room,
				    features & INDIRECT && i % 3);

			assert_int_equal(
				driver_put_buffer(bed.rx, &layout, room), 0);
			driver_kick(bed.rx);
			assert_true(bed_send(&bed, i, len));
			assert_taken(&bed, i, len);
			assert_int_equal(bed.frame.n_buffers, 1);
			sum += len;
		}
	assert_int_equal(bed.bytes, sum);
	assert_int_equal(bed_drops(&bed), 0);
}

static void each_combination(void **state)
{
	for (unsigned i = 0; i < N_COMBINATIONS; i++) {
		struct bed_config c = { .features =
						KIND(state) | combination(i) };

		bed_open(&bed, &c);
		from_guest(c.features);
		to_guest(c.features);
		bed_close(&bed);
	}
}

/* Buffers that cross regions, which lie apart here, in the middle of parts. */
static void crossing_regions(void **state)
{
	for (unsigned i = 0; i < N_COMBINATIONS; i++) {
		struct bed_config c = { .features =
						KIND(state) | combination(i),
					.regions = VHOST_REGIONS_MAX };

		bed_open(&bed, &c);
		from_guest(c.features);
		to_guest(c.features);
		bed_close(&bed);
	}
}

/* Bursts both ways, many times around the ring. */
static void bursts(uint64_t features, uint16_t size, uint32_t base)
{
	struct bed_config c = {
		.features = features, .size = size, .base = base, .buffer = 2000
	};
	struct driver_layout layout = { .own_header = true };
	struct packet *list[PACKET_BURST_MAX];
	unsigned sent = 0, got = 0, rounds = 0;
	uint32_t state = 5;

	bed_open(&bed, &c);
	for (unsigned i = 0; i < PACKET_BURST_MAX; i++)
		list[i] = &bed.packets[i];
	while (sent < 6u * size && rounds++ < 100u * size) {
		unsigned n = next_random(&state) % size + 1, first;

		layout.indirect = features & INDIRECT && rounds % 2;
		driver_put_buffers(bed.rx, &layout, 1600);
		driver_publish(bed.rx);
		while (n-- && bed.tx->n_free >= 2 && bed.rx->n_free < size)
			bed_put(&bed, &layout, sent, 14 + sent % 1500), sent++;
		driver_publish(bed.tx);
		first = got;
		n = bed_receive(&bed, 1 + rounds % 40);
		for (unsigned i = 0; i < n; i++, got++)
			assert_packet(&bed, i, got, 14 + got % 1500);
		if (n) {
			unsigned done = virtqueue_send(bed.to, list, n,
						       bed.drops, &bed.bytes);

			assert_int_equal(bed.drops[DROP_TX_FULL], n - done);
			bed_clear_drops(&bed);
			virtqueue_done(bed.from);
			assert_int_equal(driver_reclaim(bed.tx), n);
			for (unsigned i = 0; i < done; i++)
				assert_taken(&bed, first + i,
					     14 + (first + i) % 1500);
		}
	}
	assert_true(rounds < 100u * size);
	bed_close(&bed);
}

static void around_the_ring(void **state)
{
	for (unsigned i = 0; i < N_COMBINATIONS; i++) {
		uint64_t features = KIND(state) | combination(i);

		bursts(features, 64, 0);
		bursts(features, 256, 0);
		bursts(features, 4, 0);
		if (!KIND(state)) {
			bursts(features, 64, 65500);
			bursts(features, 1024, 65535);
		} else {
			/* no power of two; in the middle, either wrap */
			bursts(features, 7, 0);
			bursts(features, 100, 99 | 99 << 16);
			bursts(features, 100, 0x80638063);
		}
	}
}

static void smallest_rings(void **state)
{
	struct bed_config c = { .features = KIND(state), .size = 1 };

	for (unsigned i = 0; i < 2; i++, c.size++) {
		bed_open(&bed, &c);
		for (unsigned n = 0; n < 10; n++) {
			bed_put(&bed, NULL, n, 100);
			driver_kick(bed.tx);
			assert_int_equal(bed_receive(&bed, 32), 1);
			assert_packet(&bed, 0, n, 100);
			virtqueue_done(bed.from);
			assert_int_equal(driver_reclaim(bed.tx), 1);
			driver_put_buffers(bed.rx, NULL, 2000);
			driver_publish(bed.rx);
			assert_true(bed_send(&bed, n, 100));
			assert_taken(&bed, n, 100);
		}
		bed_close(&bed);
	}
}

static void largest_ring(void **state)
{
	struct bed_config c = { .features = KIND(state),
				.size = VIRTQUEUE_SIZE_MAX,
				.buffer = 200 };
	unsigned n, got = 0;

	bed_open(&bed, &c);
	for (n = 0; n < VIRTQUEUE_SIZE_MAX; n++)
		bed_put(&bed, NULL, n, 60);
	driver_publish(bed.tx);
	while ((n = bed_receive(&bed, PACKET_BURST_MAX))) {
		assert_packet(&bed, n - 1, got + n - 1, 60);
		virtqueue_done(bed.from);
		got += n;
	}
	assert_int_equal(got, VIRTQUEUE_SIZE_MAX);
	assert_true(driver_has_used(bed.tx));
	bed_close(&bed);
}

/* From one guest to another with an edited header, straight from its buffer. */
static void forwarded(void **state)
{
	struct driver_layout pieces = { .own_header = true, .piece = 90 };

	for (unsigned i = 0; i < N_COMBINATIONS; i++) {
		struct bed_config c = { .features =
						KIND(state) | combination(i),
					.buffer = 2000 };

		bed_open(&bed, &c);
		for (uint32_t len = 14; len <= 1514; len += 50) {
			struct packet *p = bed.packets;

			bed_put(&bed, &pieces, len, len);
			driver_put_buffer(bed.rx, &pieces, 1600);
			driver_publish(bed.tx);
			driver_publish(bed.rx);
			assert_int_equal(bed_receive(&bed, 32), 1);
			packet_pull_first(p);
			assert_true(packet_vlan_push(p, 0x8100, 5));
			assert_int_equal(virtqueue_send(bed.to, &p, 1,
							bed.drops, &bed.bytes),
					 1);
			virtqueue_done(bed.from);
			assert_int_equal(driver_reclaim(bed.tx), 1);
			assert_true(driver_take_frame(bed.rx, &bed.frame));
			assert_false(bed.frame.spilt);
			assert_int_equal(bed.frame.len, len + 4);
			assert_memory_equal(bed.frame.data + 16,
					    numbered_frame(len, len) + 12,
					    len - 12);
			assert_memory_equal(bed.frame.data,
					    numbered_frame(len, len), 12);
			assert_int_equal(load_be32(bed.frame.data + 12),
					 0x81000005);
		}
		bed_close(&bed);
	}
}

/* What was received can be read until it is done, and comes back in order. */
static void used_order(void **state)
{
	struct bed_config c = { .features = KIND(state), .buffer = 2000 };
	struct driver_used used;
	unsigned order[64];

	bed_open(&bed, &c);
	for (unsigned i = 0; i < 20; i++) {
		order[i] = bed.tx->free_slots[bed.tx->n_free_slots - 1];
		bed_put(&bed, NULL, i, 60);
	}
	driver_publish(bed.tx);
	for (unsigned i = 0; i < 20; i += 10) {
		assert_int_equal(bed_receive(&bed, 10), 10);
		assert_false(driver_has_used(bed.tx));
		virtqueue_done(bed.from);
		for (unsigned n = 0; n < 10; n++) {
			assert_true(driver_get(bed.tx, &used));
			assert_int_equal(used.token, order[i + n]);
			assert_int_equal(used.len, 0);
		}
		assert_false(driver_get(bed.tx, &used));
	}
	bed_close(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(each_combination), BOTH(crossing_regions),
		BOTH(around_the_ring),	BOTH(smallest_rings),
		BOTH(largest_ring),	BOTH(forwarded),
		BOTH(used_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
