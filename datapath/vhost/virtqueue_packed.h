/*
 * What receiving from a packed ring and sending to one share: descriptors read
 * and written as one word, a cursor that goes round, and giving a burst back.
 * Only for virtqueue_packed.c, whose beginning tells how it is done, and
 * virtqueue_packed_send.c.
 */
#ifndef VHOST_VIRTQUEUE_PACKED_H
#define VHOST_VIRTQUEUE_PACKED_H

#include "vhost/virtqueue_fast.h"

#define AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED  (1u << VRING_PACKED_DESC_F_USED)

#if defined(__SANITIZE_THREAD__)
#define ONE_ACCESS 0
#elif defined(__has_feature)
#define ONE_ACCESS !__has_feature(thread_sanitizer)
#else
#define ONE_ACCESS 1
#endif

/*
 * Length, id and flags of a descriptor, read once, together. A thread sanitizer
 * only knows that flags order the rest when they are accessed as the driver
 * accesses them.
 */
static inline uint64_t load_rest(const struct vring_packed_desc *d)
{
	uint64_t flags;

	if (ONE_ACCESS)
		return __atomic_load_n((const uint64_t *)&d->len,
				       __ATOMIC_ACQUIRE);
	flags = __atomic_load_n(&d->flags, __ATOMIC_ACQUIRE);
	return flags << 48 | (uint64_t)d->id << 32 | d->len;
}

/* The word that load_rest() would read. */
static inline void store_used(struct vring_packed_desc *d, uint64_t word)
{
	if (ONE_ACCESS) {
		__atomic_store_n((uint64_t *)&d->len, word, __ATOMIC_RELEASE);
		return;
	}
	d->len = word;
	d->id = word >> 32;
	__atomic_store_n(&d->flags, word >> 48, __ATOMIC_RELEASE);
}

#define ID_MASK (0xffffull << 32)

/* Of a descriptor that is available in this lap. */
static inline unsigned available_flags(bool wrap)
{
	return wrap ? AVAIL : USED;
}

/* Of one that is used, from the side's other end. */
static inline uint64_t used_flags(const struct virtqueue *vq, bool wrap)
{
	uint64_t flags = wrap ? AVAIL | USED : 0;

	if (!vq->from_guest)
		flags |= VRING_DESC_F_WRITE;
	return flags << 48;
}

/* --- where in the ring ---------------------------------------------------- */

/* A place that goes round; kept apart from the queue while a burst is read. */
struct cursor_packed {
	unsigned place, size;
	bool wrap;
	unsigned left; /* places that are not in this burst */
};

static inline struct cursor_packed begin(const struct virtqueue *vq)
{
	return (struct cursor_packed){ vq->next, vq->size, vq->wrap, vq->size };
}

static inline void step(struct cursor_packed *c, unsigned n)
{
	c->place += n;
	c->left -= n;
	if (unlikely(c->place >= c->size)) {
		c->place -= c->size;
		c->wrap = !c->wrap;
	}
}

/* Whether there is one, by its flags. */
static inline bool at_available(const struct cursor_packed *c, uint64_t rest)
{
	return (rest >> 48 & (AVAIL | USED)) == available_flags(c->wrap);
}

/* The flags that are to tell a whole buffer that is available, in their place.
 */
#define SIMPLE_MASK                                                            \
	((uint64_t)(AVAIL | USED | VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT | \
		    VRING_DESC_F_WRITE)                                        \
	 << 48)

static inline uint64_t simple_flags(bool wrap, unsigned direction)
{
	return (uint64_t)(available_flags(wrap) | direction) << 48;
}

/* How many places there are before the next wrap, at most max. */
static inline unsigned straight(const struct cursor_packed *c, unsigned max)
{
	return MIN(MIN(c->size - c->place, c->left), max);
}

static inline uint16_t place_of(const struct virtqueue *vq, uint16_t start,
				unsigned i)
{
	unsigned place = start + i;

	if (!vq->in_line)
		return vq->scratch->places[i];
	return place < vq->size ? place : place - vq->size;
}

/* Buffer number i has other than one place: from now on places are kept. */
static __attribute__((noinline, unused)) void out_of_line(struct virtqueue *vq,
							  unsigned i)
{
	for (unsigned k = 0; k < i; k++)
		vq->scratch->places[k] = place_of(vq, vq->used_next, k);
	vq->in_line = false;
}

/* n buffers of one place each, the first being number i, are at c. */
static inline void keep_places(struct virtqueue *vq,
			       const struct cursor_packed *c, unsigned i,
			       unsigned n)
{
	if (likely(vq->in_line))
		return;
	for (unsigned k = 0; k < n; k++)
		vq->scratch->places[i + k] = c->place + k;
}

/* A chain, as number i of the burst; nothing is written to it yet. */
static inline bool walk(struct virtqueue *vq, struct cursor_packed *c,
			struct virtqueue_chain *chain, unsigned i)
{
	uint16_t n_places, id;

	if (!virtqueue_walk_packed(vq, c->place, chain, &n_places, &id))
		return false;
	if (n_places > c->left) {
		vq->why = "more available than the ring has";
		return false;
	}
	if (vq->in_line && n_places != 1)
		out_of_line(vq, i);
	keep_places(vq, c, i, 1);
	vq->scratch->words[i] = (uint64_t)id << 32 | used_flags(vq, c->wrap);
	step(c, n_places);
	return true;
}

/* --- giving back ---------------------------------------------------------- */

static inline void log_burst(const struct virtqueue *vq, unsigned n,
			     bool as_one, uint16_t start)
{
	if (as_one)
		virtqueue_log_used(vq, 16ull * start, 16);
	for (unsigned i = 0; i < n; i++)
		virtqueue_log_used(vq, 16ull * place_of(vq, start, i), 16);
}

/* From the last to the first. */
static inline void store_words(struct vring_packed_desc *ring,
			       const uint64_t *words, unsigned n)
{
	while (n--)
		store_used(&ring[n], words[n]);
}

/* Gives n buffers back, the first of them at start. */
static inline void store_burst(struct virtqueue *vq, unsigned n, uint16_t start)
{
	const uint16_t *places = vq->scratch->places;
	const uint64_t *words = vq->scratch->words;
	struct vring_packed_desc *ring = vq->packed_desc;
	unsigned first = MIN(n, (unsigned)vq->size - start);

	if (likely(vq->in_line)) {
		store_words(ring, words + first, n - first);
		store_words(ring + start, words, first);
		return;
	}
	while (n--)
		store_used(&ring[places[n]], words[n]);
}

/*
 * n buffers, in the scratch; those behind them begin at `next`. As one: the
 * last of them stands for all.
 */
static inline void publish(struct virtqueue *vq, unsigned n, uint16_t next,
			   bool wrap, bool as_one)
{
	const uint64_t *words = vq->scratch->words;
	uint16_t start = vq->used_next, n_places;
	bool start_wrap = vq->used_wrap;
	uint32_t mark = virtqueue_mark(start, start_wrap);

	if (vq->inflight)
		virtqueue_inflight_begin(vq, next, wrap);
	if (as_one) {
		store_used(&vq->packed_desc[start],
			   (words[n - 1] & ID_MASK) |
				   used_flags(vq, start_wrap));
		n = 0;
	} else {
		mark = virtqueue_mark(place_of(vq, start, n - 1),
				      words[n - 1] >> 63);
	}
	store_burst(vq, n, start);
	n_places = next - start;
	if (wrap != start_wrap)
		n_places += vq->size;
	vq->used_next = next;
	vq->used_wrap = wrap;
	if (vq->inflight)
		virtqueue_inflight_end(vq, mark);
	if (unlikely(vq->log))
		log_burst(vq, n, as_one, start);
	virtqueue_notify_packed(vq, start, start_wrap, n_places);
}

#endif
