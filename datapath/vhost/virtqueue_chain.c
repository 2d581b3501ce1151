/*
 * Chains of descriptors (virtio 1.2, 2.7.5 and 2.8.8), read once each into
 * scratch->buffers. Nothing is translated here but indirect tables.
 *
 * Every loop counts what it has read: a chain may not be longer than the ring,
 * or its table, and no chain has more than VIRTQUEUE_CHAIN_MAX buffers.
 */
#include "vhost/virtqueue_internal.h"

/*
 * A descriptor, read once: neither again nor in parts, whatever the compiler
 * would like.
 */
struct words {
	uint64_t guest;
	uint64_t rest; /* split: length, flags, next; packed: id, flags */
};

static inline struct words read_desc(const void *from)
{
	struct words d;

	memcpy(&d.guest, from, sizeof(d.guest));
	memcpy(&d.rest, (const uint8_t *)from + sizeof(d.guest),
	       sizeof(d.rest));
	__asm__ volatile("" : "+r"(d.guest), "+r"(d.rest) : : "memory");
	return d;
}

static bool fail(struct virtqueue *vq, const char *why)
{
	vq->why = why;
	return false;
}

/* The flag that all buffers must have, or none. */
static inline uint16_t direction(const struct virtqueue *vq)
{
	return vq->from_guest ? 0 : VRING_DESC_F_WRITE;
}

static inline bool add(struct virtqueue *vq, struct virtqueue_chain *chain,
		       struct words d, uint16_t flags)
{
	uint32_t len = d.rest;

	if (unlikely((flags & VRING_DESC_F_WRITE) != direction(vq)))
		return fail(vq, vq->from_guest
					? "a writable buffer to transmit from"
					: "a read-only buffer to receive into");
	if (unlikely(chain->n == VIRTQUEUE_CHAIN_MAX))
		return fail(vq, "a chain of too many descriptors");
	vq->scratch->buffers[chain->n++] =
		(struct virtqueue_buffer){ d.guest, len };
	chain->len += len;
	return true;
}

/* An indirect table. */
struct table {
	uint64_t guest;
	unsigned n;	     /* descriptors in it */
	const uint8_t *host; /* NULL: not all in one piece */
};

static bool open_table(struct virtqueue *vq, struct words d, struct table *t)
{
	uint32_t len = d.rest;

	if (!vq->indirect)
		return fail(vq, "an indirect table, which was not negotiated");
	if (!len || len % sizeof(struct vring_desc))
		return fail(vq, "an indirect table of an impossible length");
	t->n = len / sizeof(struct vring_desc);
	t->guest = d.guest;
	t->host = vhost_translate(&vq->table_window, vq->memory, d.guest, len);
	return true;
}

/* A table may cross regions of memory, but none of its descriptors may. */
static __attribute__((noinline)) const uint8_t *find_desc(struct virtqueue *vq,
							  const struct table *t,
							  unsigned i)
{
	uint64_t at = t->guest + (uint64_t)i * sizeof(struct vring_desc);

	if (at < t->guest)
		return NULL;
	return vhost_translate(&vq->table_window, vq->memory, at,
			       sizeof(struct vring_desc));
}

static inline bool read_indirect(struct virtqueue *vq, const struct table *t,
				 unsigned i, struct words *d)
{
	const uint8_t *from;

	if (likely(t->host))
		from = t->host + i * sizeof(struct vring_desc);
	else
		from = find_desc(vq, t, i);
	if (unlikely(!from))
		return fail(vq, "an indirect table outside its memory");
	*d = read_desc(from);
	return true;
}

static inline uint16_t split_flags(struct words d)
{
	return d.rest >> 32;
}

static inline uint16_t packed_flags(struct words d)
{
	return d.rest >> 48;
}

static bool walk_split_table(struct virtqueue *vq, struct words table,
			     struct virtqueue_chain *chain)
{
	unsigned i = 0;
	struct table t;
	struct words d;

	if (!open_table(vq, table, &t))
		return false;
	for (unsigned hops = 0; hops < t.n; hops++) {
		if (!read_indirect(vq, &t, i, &d))
			return false;
		if (unlikely(split_flags(d) & VRING_DESC_F_INDIRECT))
			return fail(vq, "an indirect table in another");
		if (!add(vq, chain, d, split_flags(d)))
			return false;
		if (!(split_flags(d) & VRING_DESC_F_NEXT))
			return true;
		i = d.rest >> 48;
		if (unlikely(i >= t.n))
			return fail(vq, "a chain that leaves its table");
	}
	return fail(vq, "a chain without an end");
}

bool virtqueue_walk_split(struct virtqueue *vq, uint16_t head,
			  struct virtqueue_chain *chain)
{
	unsigned i = head;
	struct words d;

	for (unsigned hops = 0; hops < vq->size; hops++) {
		if (unlikely(i >= vq->size))
			return fail(vq, "a descriptor number past the ring");
		d = read_desc(&vq->desc[i]);
		if (split_flags(d) & VRING_DESC_F_INDIRECT) {
			if (split_flags(d) & VRING_DESC_F_NEXT)
				return fail(vq, "an indirect descriptor with a "
						"next one");
			return walk_split_table(vq, d, chain);
		}
		if (!add(vq, chain, d, split_flags(d)))
			return false;
		if (!(split_flags(d) & VRING_DESC_F_NEXT))
			return true;
		i = d.rest >> 48;
	}
	return fail(vq, "a chain without an end");
}

/*
 * All of the table, in its order; flags other than the direction mean nothing.
 * DPDK's driver (22.11) leaves some buffers of what it transmits marked as
 * writable, the header among them. They are only read, as all others.
 */
static bool walk_packed_table(struct virtqueue *vq, struct words table,
			      struct virtqueue_chain *chain)
{
	struct table t;
	struct words d;
	uint16_t flags;

	if (!open_table(vq, table, &t))
		return false;
	for (unsigned i = 0; i < t.n; i++) {
		if (!read_indirect(vq, &t, i, &d))
			return false;
		if (unlikely(packed_flags(d) & VRING_DESC_F_INDIRECT))
			return fail(vq, "an indirect table in another");
		flags = packed_flags(d);
		if (vq->from_guest)
			flags &= ~VRING_DESC_F_WRITE;
		if (!add(vq, chain, d, flags))
			return false;
	}
	return true;
}

/* The caller has seen, by an acquiring load, that the first is available. */
bool virtqueue_walk_packed(struct virtqueue *vq, uint16_t place,
			   struct virtqueue_chain *chain, uint16_t *n_places,
			   uint16_t *id)
{
	struct words d;
	bool ok;

	for (unsigned hops = 1; hops <= vq->size; hops++) {
		d = read_desc(&vq->packed_desc[place]);
		if (packed_flags(d) & VRING_DESC_F_INDIRECT) {
			if (packed_flags(d) & VRING_DESC_F_NEXT)
				return fail(vq, "an indirect descriptor with a "
						"next one");
			ok = walk_packed_table(vq, d, chain);
		} else {
			ok = add(vq, chain, d, packed_flags(d));
		}
		if (!ok)
			return false;
		if (!(packed_flags(d) & VRING_DESC_F_NEXT)) {
			*n_places = hops;
			*id = d.rest >> 32;
			return true;
		}
		if (++place == vq->size)
			place = 0;
	}
	return fail(vq, "a chain without an end");
}
