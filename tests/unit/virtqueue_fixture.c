/* A guest's pair of queues and the device that serves it. */
#include "virtqueue_fixture.h"

#include <stdio.h>

uint64_t kind_split = 0, kind_packed = PACKED;

static struct driver_queue *make_queue(struct bed *bed,
				       const struct bed_config *c,
				       bool from_guest)
{
	struct driver_config config = {
		.size = c->size ? c->size : 64,
		.features = c->features | DRIVER_MODERN,
		.from_guest = from_guest,
		.base = c->base,
		.buffer_size = c->buffer ? c->buffer : PACKET_LEN_MAX + 12,
	};

	return driver_create(&bed->memory, &config);
}

void bed_open(struct bed *bed, const struct bed_config *c)
{
	uint64_t size = c->size ? c->size : 64;
	uint64_t buffer = c->buffer ? c->buffer : PACKET_LEN_MAX + 12;
	uint64_t each = buffer * 2 + 64 + DRIVER_TABLE_MAX * 16 + 32;

	memset(bed, 0, sizeof(*bed));
	guest_memory_init(&bed->memory, 2 * size * each + (4 << 20),
			  c->regions ? c->regions : 3);
	bed->tx = make_queue(bed, c, true);
	bed->rx = make_queue(bed, c, false);
	bed->from = virtqueue_create("guest", 1);
	bed->to = virtqueue_create("guest", 0);
	driver_join(bed->tx, bed->from);
	driver_join(bed->rx, bed->to);
}

uint32_t stop_queue(struct virtqueue *vq)
{
	uint32_t base;

	virtqueue_take(vq);
	base = virtqueue_stop(vq);
	virtqueue_release(vq);
	return base;
}

void bed_close(struct bed *bed)
{
	if (!bed->broken_on_purpose) {
		const char *why[] = { bed->tx->error, bed->rx->error,
				      virtqueue_broken(bed->from),
				      virtqueue_broken(bed->to) };

		for (size_t i = 0; i < ARRAY_SIZE(why); i++)
			if (why[i])
				fail_msg("%s", why[i]);
	}
	stop_queue(bed->from);
	stop_queue(bed->to);
	virtqueue_destroy(bed->from);
	virtqueue_destroy(bed->to);
	driver_destroy(bed->tx);
	driver_destroy(bed->rx);
	guest_memory_fini(&bed->memory);
}

uint64_t combination(unsigned i)
{
	return (i & 1 ? MERGEABLE : 0) | (i & 2 ? INDIRECT : 0) |
	       (i & 4 ? EVENT_IDX : 0) | (i & 8 ? IN_ORDER : 0);
}

const uint8_t *numbered_frame(unsigned i, uint32_t len)
{
	static uint8_t random[2 * DRIVER_FRAME_MAX];
	static _Thread_local uint8_t frame[DRIVER_FRAME_MAX];

	if (!random[0]) {
		fill(random, sizeof(random), 77);
		random[0] = 1;
	}
	memcpy(frame, random + i * 13 % DRIVER_FRAME_MAX, len);
	frame[0] = 2;
	if (len >= 14) {
		frame[6] = 2;
		store_be32(frame + 8, i);
		store_be16(frame + 12, 0x88b5); /* of no protocol */
	}
	return frame;
}

void bed_put(struct bed *bed, const struct driver_layout *layout, unsigned i,
	     uint32_t len)
{
	assert_int_equal(driver_put_frame(bed->tx, layout, NULL,
					  numbered_frame(i, len), len),
			 0);
}

unsigned bed_receive(struct bed *bed, unsigned max)
{
	unsigned n = 0;

	for (unsigned tries = 0; tries < 4 && !n; tries++)
		n = virtqueue_receive(bed->from, bed->packets, max, bed->drops);
	return n;
}

void assert_packet(struct bed *bed, unsigned at, unsigned i, uint32_t len)
{
	static _Thread_local uint8_t got[DRIVER_FRAME_MAX];
	const struct packet *p = &bed->packets[at];

	assert_int_equal(p->len, len);
	assert_int_equal(packet_read(p, 0, got, len), len);
	assert_memory_equal(got, numbered_frame(i, len), len);
}

bool bed_send(struct bed *bed, unsigned i, uint32_t len)
{
	struct packet *p = &bed->packets[0];

	packet_init(p, numbered_frame(i, len), len);
	return virtqueue_send(bed->to, &p, 1, bed->drops, &bed->bytes);
}

void assert_taken(struct bed *bed, unsigned i, uint32_t len)
{
	if (!driver_take_frame(bed->rx, &bed->frame))
		fail_msg("no frame: %s",
			 bed->rx->error ? bed->rx->error : "nothing used");
	assert_int_equal(bed->frame.len, len);
	assert_memory_equal(bed->frame.data, numbered_frame(i, len), len);
	assert_false(bed->frame.spilt);
	for (unsigned b = 0; b < 10; b++)
		assert_int_equal(bed->frame.header[b], 0);
}

uint64_t bed_drops(const struct bed *bed)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < N_DROP_REASONS; i++)
		n += bed->drops[i];
	return n;
}

void bed_clear_drops(struct bed *bed)
{
	for (unsigned i = 0; i < N_DROP_REASONS; i++)
		bed->drops[i] = 0;
}
