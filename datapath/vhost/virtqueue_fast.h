/*
 * What both kinds of rings do with the usual frame, the one that lies in one
 * buffer with its header. Every instruction here is there for each packet.
 */
#ifndef VHOST_VIRTQUEUE_FAST_H
#define VHOST_VIRTQUEUE_FAST_H

#include "packet/offload.h"
#include "vhost/virtqueue_internal.h"

/*
 * More than is ever written or read by the short way: the longest frame, what
 * its private header may have grown by, the net header.
 */
#define REACH (1u << 17)
_Static_assert(PACKET_LEN_MAX + sizeof(((struct packet *)0)->room) +
			       VIRTQUEUE_HEADER_MAX <=
		       REACH,
	       "the longest");

/*
 * The queue's window, cut such that what begins in it has REACH bytes: one
 * comparison is enough. Buffers at the end of a region take the long way.
 */
struct reach {
	uint64_t guest, size;
	uint8_t *host;
};

static inline struct reach reach_of(const struct virtqueue *vq)
{
	const struct vhost_window *w = &vq->window;

	return (struct reach){ w->guest, w->size > REACH ? w->size - REACH : 0,
			       w->host };
}

/* Asks for a line that is going to be written, from whoever has it. */
static inline void prefetch_write(const void *at)
{
#if defined(__x86_64__)
	/* The compiler would not, not knowing that it never does harm. */
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)at));
#else
	__builtin_prefetch(at, 1);
#endif
}

/* --- receiving ------------------------------------------------------------ */

typedef uint64_t words2 __attribute__((vector_size(16)));

_Static_assert(offsetof(struct packet, segments) ==
			       offsetof(struct packet, header) + 8 &&
		       offsetof(struct packet, offload) ==
			       offsetof(struct packet, state) + 8 &&
		       offsetof(struct packet, offload) + 16 ==
			       offsetof(struct packet, room),
	       "stored together");

/* What packet_init() writes that does not depend on the frame. */
struct packet_form {
	words2 pointers; /* header and segments */
	words2 state;	 /* state, and the offload's beginning */
	words2 zero;
};

static inline struct packet_form packet_form_of(const struct packet *p)
{
	struct packet_form form = {
		{ (uintptr_t)p->room + PACKET_HEADROOM,
		  (uintptr_t)&p->segment },
		{ PACKET_STATE_UNTOUCHED, 0 },
		{ 0, 0 },
	};

/* Else the compiler makes it anew for each packet. */
#if defined(__x86_64__)
	__asm__("" : "+x"(form.state), "+x"(form.zero));
#endif
	return form;
}

/* packet_init() in fewer stores. The form is made that of the next packet. */
static inline void init_packet(struct packet *p, struct packet_form *form,
			       const uint8_t *data, uint32_t len)
{
	memcpy((char *)p + offsetof(struct packet, header), &form->pointers,
	       sizeof(form->pointers));
	memcpy((char *)p + offsetof(struct packet, state), &form->state,
	       sizeof(form->state));
	memcpy((char *)p + offsetof(struct packet, offload), &form->zero,
	       sizeof(form->zero));
	p->segment.data = data;
	p->segment.len = len;
	p->len = len;
	form->pointers += (words2){ sizeof(*p), sizeof(*p) };
}

/* --- sending -------------------------------------------------------------- */

/* In place of a number of chains: this, or -drop_reason. */
#define SEND_BROKEN (-N_DROP_REASONS)

/* Flags of the offload and the kind of segmentation; 0: none of it. */
static inline uint32_t packet_offload_word(const struct packet *p)
{
	uint32_t word;

	memcpy(&word, &p->offload, sizeof(word));
	return word;
}

/*
 * Whether a packet with that word, not 0, can go the short way: only its
 * checksum is to be finished, or known to be right, as the guest has agreed to.
 */
static inline bool only_csum(const struct virtqueue *vq, const struct packet *p,
			     uint32_t word)
{
	static const struct packet_offload mask = { .csum_needed = true,
						    .csum_valid = true };
	const struct packet_offload *o = &p->offload;
	uint32_t allowed;

	memcpy(&allowed, &mask, sizeof(allowed));
	return (vq->agreed & OFFLOAD_CSUM) && !(word & ~allowed) &&
	       (!o->csum_needed ||
		o->csum_start + o->csum_offset + 2u <= p->len);
}

/*
 * Buffers of one descriptor each, for one packet: what merged buffers are.
 * They are used when nothing is left that needs a place.
 */
struct merge {
	struct packet_segment *pieces; /* in the scratch */
	unsigned n;
	uint64_t left; /* bytes that still need a place */
	struct vhost_window window;
};

static inline struct merge merge_begin(const struct virtqueue *vq,
				       const struct packet *p)
{
	return (struct merge){ .pieces = vq->scratch->pieces,
			       .left = vq->hdr_len + (uint64_t)p->len,
			       .window = vq->window };
}

/* Adds one. False: it is not in the window, or there are too many. */
static inline bool merge_add(struct merge *m, uint64_t guest, uint32_t len)
{
	uint64_t at = guest - m->window.guest;
	uint8_t *to;

	if (unlikely(at >= m->window.size || len > m->window.size - at) ||
	    unlikely(m->n == VIRTQUEUE_CHAIN_MAX))
		return false;
	to = m->window.host + at;
	prefetch_write(to);
	prefetch_write(to + CACHE_LINE);
	m->pieces[m->n].data = to;
	m->pieces[m->n++].len = len;
	m->left -= MIN(len, m->left);
	return true;
}

/* Copies the packet, with its header. */
static inline void merge_fill(const struct virtqueue *vq, const struct merge *m,
			      const struct packet *p,
			      uint8_t header[VIRTQUEUE_HEADER_MAX])
{
	uint16_t n = m->n;

	memcpy(header + VNET_HDR_LEN, &n, sizeof(n));
	virtqueue_scatter(m->pieces, m->n, p, header, vq->hdr_len);
}

/*
 * Whether a walk failed since the k chains before it had left no room: small
 * buffers merged for a long frame.
 */
static inline bool too_many(const struct virtqueue_chain *chain, unsigned k)
{
	return k && chain->n == VIRTQUEUE_CHAIN_MAX;
}

static inline void plan_init(struct virtqueue_plan *plan)
{
	plan->n = 0;
	plan->n_chains = 0;
	plan->sent = 0;
	plan->bytes = 0;
	plan->broken = false;
	plan->heads_end = 0;
}

/*
 * The next packet, that the short way is not for, was tried: k chains took it,
 * or k tells why none did. Whether more packets can be tried.
 */
static inline bool plan_tried(struct virtqueue_plan *plan,
			      const struct packet *p, int k,
			      _Atomic uint64_t *drops)
{
	if (k == -DROP_TX_FULL)
		return false;
	if (k == SEND_BROKEN) {
		plan->broken = true;
		return false;
	}
	plan->to[plan->n++] = NULL;
	if (k < 0) {
		virtqueue_count(&drops[-k], 1);
		return true;
	}
	plan->n_chains += k;
	plan->bytes += p->len;
	plan->sent++;
	return true;
}

/* Not all n packets were tried: no buffers are left, or one is broken. */
static inline void plan_cut_short(struct virtqueue *vq,
				  const struct virtqueue_plan *plan, unsigned n,
				  _Atomic uint64_t *drops)
{
	if (plan->broken)
		virtqueue_break(vq, vq->why);
	virtqueue_count(
		&drops[virtqueue_is_usable(vq) ? DROP_TX_FULL : DROP_TX_DOWN],
		n - plan->n);
}

#endif
