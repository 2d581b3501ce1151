/*
 * Where a queue goes on when it is started, also after a crash, and what is
 * kept for that in the in-flight region (vhost-user, "Inflight I/O tracking").
 *
 * Bursts are given back whole and in the order in which they were taken. So
 * what a crashed run had taken and not given back is what lies in the ring from
 * the used index on: of a split ring the heads in the available ring, which the
 * driver does not overwrite before, of a packed ring the descriptors. Nothing
 * has to be kept of each buffer, and the region's entries stay as they are; it
 * is for the index, which of a packed ring is nowhere else.
 *
 * A packed ring is overwritten when a burst is given back, from its last buffer
 * to its first. used_idx is moved before that and old_used_idx after it; when
 * they differ at a start, the buffers in between were all done with, and those
 * that are not marked used yet are.
 *
 * Entries of a split ring that another back end has left in flight are taken
 * first, in their order, and cleared when they are given back.
 */
#include "vhost/virtqueue_internal.h"

#include <stdlib.h>

struct split_entry {
	uint8_t inflight;
	uint8_t padding[5];
	uint16_t next;
	uint64_t counter;
};

struct split_region {
	uint64_t features;
	uint16_t version; /* 0: nothing in it yet */
	uint16_t desc_num;
	uint16_t last_batch_head;
	uint16_t used_idx;
	struct split_entry desc[];
};

struct packed_entry {
	uint8_t inflight;
	uint8_t padding;
	uint16_t next, last, num;
	uint64_t counter;
	uint16_t id, flags;
	uint32_t len;
	uint64_t addr;
};

struct packed_region {
	uint64_t features;
	uint16_t version;
	uint16_t desc_num;
	uint16_t free_head, old_free_head;
	uint16_t used_idx, old_used_idx;
	uint8_t used_wrap_counter, old_used_wrap_counter;
	uint8_t padding[7];
	struct packed_entry desc[];
};

_Static_assert(sizeof(struct split_region) == 16 &&
		       sizeof(struct split_entry) == 16,
	       "as other back ends have it");
_Static_assert(sizeof(struct packed_region) ==
		       sizeof(((struct virtqueue_kept *)0)->region),
	       "without its entries");
_Static_assert(sizeof(struct packed_entry) == 32, "as other back ends have it");

/*
 * A crash leaves what was stored, in the order in which it was. The region is
 * the front end's: what is read of it is read once, too.
 */
static inline void in_this_order(void)
{
	__asm__ volatile("" : : : "memory");
}

/* --- split ---------------------------------------------------------------- */

struct waiting {
	uint64_t counter;
	uint16_t head;
};

static int by_counter(const void *a, const void *b)
{
	const struct waiting *x = a, *y = b;

	return x->counter < y->counter ? -1 : x->counter > y->counter;
}

/* What the last run gave back without having had the time to say so. */
static void clear_last_batch(struct split_region *r, uint16_t used,
			     uint16_t size)
{
	uint16_t n = used - r->used_idx, at = r->last_batch_head;

	in_this_order();
	if (n > size)
		return;
	for (; n && at < size; n--) {
		r->desc[at].inflight = 0;
		at = r->desc[at].next;
		in_this_order();
	}
}

static unsigned find_waiting(const struct split_region *r, uint16_t size,
			     uint16_t *found)
{
	struct waiting *list = xcalloc(size, sizeof(*list));
	unsigned n = 0;

	for (unsigned i = 0; i < size; i++) {
		if (r->desc[i].inflight != 1)
			continue;
		list[n].head = i;
		list[n++].counter = r->desc[i].counter;
	}
	qsort(list, n, sizeof(*list), by_counter);
	for (unsigned i = 0; i < n; i++)
		found[i] = list[i].head;
	free(list);
	return n;
}

static void resume_split(struct virtqueue *vq)
{
	struct split_region *r = vq->inflight;

	vq->used_next = __atomic_load_n(&vq->used->idx, __ATOMIC_RELAXED);
	if (r && r->version == 1 && r->desc_num == vq->size) {
		clear_last_batch(r, vq->used_next, vq->size);
		vq->n_resumed = find_waiting(r, vq->size, vq->scratch->places);
	} else if (r) {
		memset(r, 0, sizeof(*r) + vq->size * sizeof(r->desc[0]));
		r->desc_num = vq->size;
		in_this_order();
		r->version = 1;
	}
	if (r)
		r->used_idx = vq->used_next;
	vq->next = vq->seen = vq->used_next + vq->n_resumed;
}

void virtqueue_inflight_split(struct virtqueue *vq, uint16_t used)
{
	struct split_region *r = vq->inflight;

	r->used_idx = used;
}

void virtqueue_inflight_resumed(struct virtqueue *vq, uint16_t head)
{
	struct split_region *r = vq->inflight;

	if (r)
		r->desc[head].inflight = 0;
}

/* --- packed --------------------------------------------------------------- */

#define AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED  (1u << VRING_PACKED_DESC_F_USED)

static bool is_available(const struct virtqueue *vq, unsigned place, bool wrap)
{
	uint16_t flags = __atomic_load_n(&vq->packed_desc[place].flags,
					 __ATOMIC_ACQUIRE);

	return (flags & (AVAIL | USED)) == (wrap ? AVAIL : USED);
}

/* Steps over the buffer at *place; its id. */
static uint16_t skip_buffer(const struct virtqueue *vq, unsigned *place,
			    bool *wrap, unsigned *left)
{
	const struct vring_packed_desc *d;

	do {
		d = &vq->packed_desc[*place];
		if (++*place == vq->size) {
			*place = 0;
			*wrap = !*wrap;
		}
	} while (--*left && d->flags & VRING_DESC_F_NEXT);
	return d->id;
}

static void mark_used(struct virtqueue *vq, unsigned place, bool wrap,
		      uint16_t id)
{
	struct vring_packed_desc *d = &vq->packed_desc[place];

	d->id = id;
	d->len = 0; /* what was in it, nobody knows any more */
	__atomic_store_n(&d->flags, wrap ? AVAIL | USED : 0, __ATOMIC_RELEASE);
	virtqueue_log_used(vq, 16ull * place, 16);
}

/*
 * From place on lies what the last run marked used of a burst of which the
 * guest has seen nothing yet, since the first was not. It may belong to merged
 * frames whose beginnings are lost: there is nothing in it any more.
 */
static void empty_rest(struct virtqueue *vq, unsigned place, bool wrap,
		       unsigned left)
{
	struct vring_packed_desc *d;

	while (left-- && (place != vq->used_next || wrap != vq->used_wrap)) {
		d = &vq->packed_desc[place];
		if ((d->flags & (AVAIL | USED)) == (wrap ? AVAIL | USED : 0)) {
			d->len = 0;
			virtqueue_log_used(vq, 16ull * place, 16);
		}
		if (++place == vq->size) {
			place = 0;
			wrap = !wrap;
		}
	}
}

/* Gives back what lies from `place` on and is not used yet. */
static void finish_burst(struct virtqueue *vq, unsigned place, bool wrap)
{
	uint16_t *places = vq->scratch->places;
	uint64_t *ids = vq->scratch->words;
	unsigned n = 0, left = vq->size, start = place;
	bool start_wrap = wrap;

	while (left && (place != vq->used_next || wrap != vq->used_wrap) &&
	       is_available(vq, place, wrap)) {
		places[n] = place;
		ids[n] = wrap ? 1u << 16 : 0;
		ids[n++] |= skip_buffer(vq, &place, &wrap, &left);
	}
	if (n && !vq->from_guest)
		empty_rest(vq, place, wrap, left);
	if (n && vq->in_order && vq->from_guest)
		mark_used(vq, start, start_wrap, ids[n - 1]);
	else
		while (n--)
			mark_used(vq, places[n], ids[n] >> 16, ids[n]);
}

static void init_packed(struct packed_region *r, const struct virtqueue *vq)
{
	unsigned n = vq->kept ? 0 : vq->size; /* no entries are kept */

	r->version = 0;
	in_this_order();
	memset(r, 0, sizeof(*r) + n * sizeof(r->desc[0]));
	r->desc_num = vq->size;
	for (unsigned i = 0; i < n; i++)
		r->desc[i].next = i + 1;
	if (vq->kept)
		vq->kept->mark = 0;
	r->used_idx = r->old_used_idx = vq->used_next;
	r->used_wrap_counter = r->old_used_wrap_counter = vq->used_wrap;
	in_this_order();
	r->version = 1;
}

static bool believe(const struct virtqueue *vq, const struct packed_region *was,
		    uint32_t base)
{
	struct virtqueue_place next = { was->used_idx,
					was->used_wrap_counter & 1 };
	struct virtqueue_place done = { was->old_used_idx,
					was->old_used_wrap_counter & 1 };

	return was->version == 1 && was->desc_num == vq->size &&
	       next.place < vq->size && done.place < vq->size &&
	       (!vq->kept || virtqueue_kept_holds(vq, next, done, base));
}

/* From what was written, wherever the last run ended. */
static void go_on(struct virtqueue *vq, const struct packed_region *was)
{
	uint16_t place = was->old_used_idx;
	bool wrap = was->old_used_wrap_counter & 1;
	uint32_t mark = 0;

	vq->used_next = was->used_idx;
	vq->used_wrap = was->used_wrap_counter & 1;
	if (place != vq->used_next || wrap != vq->used_wrap)
		mark = virtqueue_mark(place, wrap);
	finish_burst(vq, place, wrap);
	virtqueue_inflight_end(vq, mark);
}

/*
 * Front ends that know of one index only tell the available one, and nothing
 * but a crash makes the two differ.
 */
static void resume_packed(struct virtqueue *vq, uint32_t base)
{
	struct packed_region *r = vq->inflight, was = { 0 };
	bool resumed;

	vq->used_next = base & 0x7fff;
	vq->used_wrap = base >> 15 & 1;
	if (r)
		memcpy(&was, r, sizeof(was));
	in_this_order();
	resumed = believe(vq, &was, base);
	if (resumed)
		go_on(vq, &was);
	else if (r)
		init_packed(r, vq);
	virtqueue_kept_report(vq, resumed, base);
	vq->next = vq->used_next;
	vq->wrap = vq->used_wrap;
}

/*
 * Places and wrap counters, told together: a crash between the stores would
 * leave a place with the other lap's counter.
 */
static void tell_places(struct packed_region *r, uint16_t next, bool wrap,
			uint16_t old, bool old_wrap)
{
	uint64_t word = next | (uint64_t)old << 16 | (wrap ? 1ull << 32 : 0) |
			(old_wrap ? 1ull << 40 : 0);

	_Static_assert(offsetof(struct packed_region, used_idx) == 16 &&
			       offsetof(struct packed_region, padding) == 22,
		       "one word");
	__atomic_store_n((uint64_t *)&r->used_idx, word, __ATOMIC_RELAXED);
	in_this_order();
}

void virtqueue_inflight_begin(struct virtqueue *vq, uint16_t next, bool wrap)
{
	tell_places(vq->inflight, next, wrap, vq->used_next, vq->used_wrap);
}

void virtqueue_inflight_end(struct virtqueue *vq, uint32_t mark)
{
	in_this_order();
	if (vq->kept && mark)
		vq->kept->mark = mark;
	in_this_order();
	tell_places(vq->inflight, vq->used_next, vq->used_wrap, vq->used_next,
		    vq->used_wrap);
}

void virtqueue_resume(struct virtqueue *vq, uint32_t base)
{
	if (vq->packed)
		resume_packed(vq, base);
	else
		resume_split(vq);
}
