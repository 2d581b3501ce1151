/*
 * What both kinds of rings do to send: a burst is planned, which asks for the
 * buffers' lines, then copied.
 *
 * Copying a frame into a guest's buffer is done in as few moves as there can be
 * for the usual one: the private header's 64 bytes, then the rest from where it
 * lies. Never a byte more than the frame has. What lies in guests' memory is
 * moved as memmove() does, since a guest may have its buffers overlap.
 */
#ifndef VHOST_VIRTQUEUE_COPY_H
#define VHOST_VIRTQUEUE_COPY_H

#include "packet/cursor.h"
#include "vhost/virtqueue_internal.h"

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

/* The longest that is written or read by the short way. */
#define REACH (PACKET_LEN_MAX + VIRTQUEUE_HEADER_MAX)

/* The part of the window where REACH bytes can be had without another look. */
static inline uint64_t reach_of(const struct vhost_window *w)
{
	return w->size > REACH ? w->size - REACH : 0;
}

/* In place of a number of chains: this, or -drop_reason. */
#define SEND_BROKEN (-N_DROP_REASONS)

/* A burst on its way out. */
struct plan {
	unsigned n; /* packets that were looked at */
	unsigned n_chains;
	unsigned sent;
	uint64_t bytes;
	bool broken;
	uint8_t *to[PACKET_BURST_MAX]; /* NULL: was not for the short way */
};

static inline void plan_init(struct plan *plan)
{
	plan->sent = 0;
	plan->bytes = 0;
	plan->broken = false;
}

static inline __attribute__((always_inline)) void copy_plan(
	const struct plan *plan, struct packet *const packets[],
	uint8_t hdr_len)
{
	for (unsigned i = 0; i < plan->n; i++) {
		uint8_t *to = plan->to[i];

		if (unlikely(!to))
			continue;
		put_plain_header(to, hdr_len);
		copy_frame(to + hdr_len, packets[i]);
	}
}

/*
 * A packet that the short way is not for was tried: k chains took it, or tells
 * why none did. Whether more packets can be tried.
 */
static inline bool plan_slow(struct plan *plan, const struct packet *p, int k,
			     _Atomic uint64_t *drops)
{
	plan->to[plan->n] = NULL;
	if (k == -DROP_TX_FULL)
		return false;
	if (k == SEND_BROKEN) {
		plan->broken = true;
		return false;
	}
	plan->n++;
	if (k < 0) {
		virtqueue_count(&drops[-k], 1);
		return true;
	}
	plan->n_chains += k;
	plan->bytes += p->len;
	plan->sent++;
	return true;
}

/* Not all n packets were looked at: no buffers are left, or one is broken. */
static inline void plan_cut_short(struct virtqueue *vq, const struct plan *plan,
				  unsigned n, _Atomic uint64_t *drops)
{
	if (plan->broken)
		virtqueue_break(vq, vq->why);
	virtqueue_count(
		&drops[virtqueue_is_usable(vq) ? DROP_TX_FULL : DROP_TX_DOWN],
		n - plan->n);
}

#endif
