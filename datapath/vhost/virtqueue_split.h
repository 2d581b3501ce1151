/*
 * What receiving from a split ring and sending to one share: taking heads from
 * the available ring, writing used entries, publishing them. Only for
 * virtqueue_split.c, whose beginning tells how it is done, and
 * virtqueue_split_send.c.
 */
#ifndef VHOST_VIRTQUEUE_SPLIT_H
#define VHOST_VIRTQUEUE_SPLIT_H

#include "vhost/virtqueue_fast.h"

static inline uint16_t available_index(const struct virtqueue *vq)
{
	return __atomic_load_n(&vq->avail->idx, __ATOMIC_ACQUIRE);
}

/* --- heads ---------------------------------------------------------------- */

/* How many heads there are to take, at most max. Breaks the queue. */
static inline unsigned look(struct virtqueue *vq, unsigned max)
{
	uint16_t n = vq->seen - vq->next;

	if (unlikely(vq->n_resumed))
		return MIN((unsigned)(vq->n_resumed - vq->resumed_next), max);
	if (n < max) {
		vq->seen = available_index(vq);
		n = vq->seen - vq->next;
		if (unlikely(n > vq->size)) {
			virtqueue_break(vq, "more available than the ring has");
			return 0;
		}
	}
	return MIN(n, max);
}

static inline uint16_t head_at(const struct virtqueue *vq, unsigned i)
{
	if (unlikely(vq->n_resumed))
		return vq->scratch->places[vq->resumed_next + i];
	return __atomic_load_n(
		&vq->avail->ring[(vq->next + i) & (vq->size - 1)],
		__ATOMIC_RELAXED);
}

/*
 * n heads from the ring, each read once. Their descriptors are asked for, that
 * mostly lie four in a line, one after the other.
 */
static inline void read_heads(uint16_t *to, const uint16_t *from, unsigned n,
			      const struct vring_desc *desc)
{
	unsigned i = 0;

	for (; i + 8 <= n; i += 8) {
		memcpy(to + i, from + i, 8 * sizeof(*to));
		__asm__ volatile("" : : : "memory"); /* no second look */
		__builtin_prefetch(&desc[to[i]]);
		__builtin_prefetch(&desc[to[i + 4]]);
	}
	for (; i < n; i++) {
		to[i] = __atomic_load_n(from + i, __ATOMIC_RELAXED);
		__builtin_prefetch(&desc[to[i]]);
	}
}

/*
 * The heads of n chains, from number `from` on. The used entries that will be
 * written are asked for, too.
 */
static inline void take_heads(struct virtqueue *vq, uint16_t *heads,
			      unsigned from, unsigned n)
{
	unsigned mask = vq->size - 1, at = (vq->next + from) & mask;
	unsigned used = (vq->used_next + from) & mask;
	unsigned first = MIN(n, vq->size - at);
	const uint16_t *ring = vq->avail->ring;

	if (unlikely(vq->n_resumed)) {
		for (unsigned i = 0; i < n; i++)
			heads[i] = head_at(vq, from + i);
		return;
	}
	read_heads(heads, ring + at, first, vq->desc);
	if (unlikely(first < n))
		read_heads(heads + first, ring, n - first, vq->desc);
	prefetch_write(&vq->used->idx);
	/* Those past a wrap come as they may. */
	for (unsigned i = 0; i < n; i += 8)
		prefetch_write(&vq->used->ring[used + i]);
}

static inline void heads_taken(struct virtqueue *vq, unsigned n)
{
	if (unlikely(vq->n_resumed))
		vq->resumed_next += n;
	else
		vq->next += n;
}

/* --- used entries --------------------------------------------------------- */

static inline void set_used(struct virtqueue *vq, unsigned i, uint16_t head,
			    uint32_t len)
{
	uint64_t entry = head | (uint64_t)len << 32;

	memcpy(&vq->used->ring[(vq->used_next + i) & (vq->size - 1)], &entry,
	       sizeof(entry));
}

/* What else there is to do when n entries were published, at times. */
void virtqueue_published_split(struct virtqueue *vq, unsigned n);

/* n entries are written. */
static inline void publish(struct virtqueue *vq, unsigned n)
{
	uint16_t old = vq->used_next;

	vq->used_next = old + n;
	__atomic_store_n(&vq->used->idx, vq->used_next, __ATOMIC_RELEASE);
	if (unlikely((vq->log != NULL) | (vq->inflight != NULL) |
		     vq->n_resumed))
		virtqueue_published_split(vq, n);
	virtqueue_notify_split(vq, old, vq->used_next);
}

#endif
