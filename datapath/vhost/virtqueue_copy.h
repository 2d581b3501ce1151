/*
 * Copying a frame into a guest's buffer, in as few moves as there can be for
 * the usual one: the private header's 64 bytes, then the rest from where it
 * lies. Never a byte more than the frame has. What lies in guests' memory is
 * moved as memmove() does, since a guest may have its buffers overlap.
 */
#ifndef VHOST_VIRTQUEUE_COPY_H
#define VHOST_VIRTQUEUE_COPY_H

#include "packet/cursor.h"

/* One segment, and the first PACKET_PULL bytes are private. */
#define PACKET_STATE_PULLED                                                    \
	(PACKET_STATE_UNTOUCHED | PACKET_PULL << 16 | PACKET_PULL)

/* All offload that there is, as one word: 0 is none, csum_valid apart. */
static inline uint32_t packet_offload_word(const struct packet *p)
{
	uint32_t word;

	memcpy(&word, &p->offload, sizeof(word));
	return word;
}

/* Any frame; `to` has p->len bytes. */
static __attribute__((noinline, unused)) void copy_frame_slow(
	uint8_t *to, const struct packet *p)
{
	uint32_t n = p->header_len;
	const uint8_t *data;
	struct cursor c;

	if (n == p->len && n >= 32 && n <= 64) {
		memcpy(to, p->header, 32);
		memcpy(to + n - 32, p->header + n - 32, 32);
		return;
	}
	cursor_init(&c, p);
	while ((n = cursor_take(&c, UINT32_MAX, &data))) {
		memmove(to, data, n);
		to += n;
	}
}

static inline __attribute__((always_inline)) void copy_frame(
	uint8_t *to, const struct packet *p)
{
	if (unlikely(p->state != PACKET_STATE_PULLED)) {
		copy_frame_slow(to, p);
		return;
	}
	memcpy(to, p->header, PACKET_PULL);
	if (p->len > PACKET_PULL)
		memmove(to + PACKET_PULL, p->segment.data + PACKET_PULL,
			p->len - PACKET_PULL);
}

/* The header of a frame with no offload, in one buffer. */
static inline void put_plain_header(uint8_t *to, uint8_t hdr_len)
{
	static const uint16_t one = 1;

	memset(to, 0, 10);
	if (likely(hdr_len == 12))
		memcpy(to + 10, &one, 2);
}

#endif
