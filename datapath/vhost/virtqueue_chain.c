/*
 * Chains of descriptors (virtio 1.2, 2.7.5 and 2.8.8), read once each into
 * scratch->buffers. Nothing is translated here but indirect tables.
 *
 * Every loop counts what it has read: a chain may not be longer than the ring,
 * or its table, and no chain has more than VIRTQUEUE_CHAIN_MAX buffers.
 */
#include "vhost/virtqueue_internal.h"

/* Neither again nor in parts, whatever the compiler would like. */
static inline void read_desc(void *to, const void *from)
{
	memcpy(to, from, sizeof(struct vring_desc));
	__asm__ volatile("" : : : "memory");
}

static bool fail(struct virtqueue *vq, const char *why)
{
	vq->why = why;
	return false;
}

static bool add(struct virtqueue *vq, struct virtqueue_chain *chain,
		uint64_t guest, uint32_t len, uint16_t flags)
{
	if (!(flags & VRING_DESC_F_WRITE) != vq->from_guest)
		return fail(vq, vq->from_guest
					? "a writable buffer to transmit from"
					: "a read-only buffer to receive into");
	if (chain->n == VIRTQUEUE_CHAIN_MAX)
		return fail(vq, "a chain of too many descriptors");
	vq->scratch->buffers[chain->n++] =
		(struct virtqueue_buffer){ guest, len };
	chain->len += len;
	return true;
}

/* How many descriptors the table that d leads to has; 0: it is none. */
static unsigned table_size(struct virtqueue *vq, uint32_t len)
{
	if (!len || len % sizeof(struct vring_desc)) {
		vq->why = "an indirect table of an impossible length";
		return 0;
	}
	return len / sizeof(struct vring_desc);
}

/* A table may cross regions of memory, but none of its descriptors may. */
static bool read_indirect(struct virtqueue *vq, void *to, uint64_t table,
			  unsigned i)
{
	uint64_t at = table + (uint64_t)i * sizeof(struct vring_desc);
	const void *from = NULL;

	if (at >= table)
		from = vhost_translate(&vq->table_window, vq->memory, at,
				       sizeof(struct vring_desc));
	if (!from)
		return fail(vq, "an indirect table outside its memory");
	read_desc(to, from);
	return true;
}

static bool walk_split_table(struct virtqueue *vq, uint64_t table, uint32_t len,
			     struct virtqueue_chain *chain)
{
	unsigned n = table_size(vq, len), i = 0;
	struct vring_desc d;

	for (unsigned hops = 0; hops < n; hops++) {
		if (!read_indirect(vq, &d, table, i))
			return false;
		if (d.flags & VRING_DESC_F_INDIRECT)
			return fail(vq, "an indirect table in another");
		if (!add(vq, chain, d.addr, d.len, d.flags))
			return false;
		if (!(d.flags & VRING_DESC_F_NEXT))
			return true;
		i = d.next;
		if (i >= n)
			return fail(vq, "a chain that leaves its table");
	}
	return n ? fail(vq, "a chain without an end") : false;
}

bool virtqueue_walk_split(struct virtqueue *vq, uint16_t head,
			  struct virtqueue_chain *chain)
{
	unsigned i = head;
	struct vring_desc d;

	for (unsigned hops = 0; hops < vq->size; hops++) {
		if (i >= vq->size)
			return fail(vq, "a descriptor number past the ring");
		read_desc(&d, &vq->desc[i]);
		if (d.flags & VRING_DESC_F_INDIRECT) {
			if (d.flags & VRING_DESC_F_NEXT)
				return fail(vq, "an indirect descriptor with a "
						"next one");
			return walk_split_table(vq, d.addr, d.len, chain);
		}
		if (!add(vq, chain, d.addr, d.len, d.flags))
			return false;
		if (!(d.flags & VRING_DESC_F_NEXT))
			return true;
		i = d.next;
	}
	return fail(vq, "a chain without an end");
}

/*
 * All of the table, in its order; flags other than the direction mean nothing.
 * DPDK's driver (22.11) leaves some buffers of what it transmits marked as
 * writable, the header among them. They are only read, as all others.
 */
static bool walk_packed_table(struct virtqueue *vq, uint64_t table,
			      uint32_t len, struct virtqueue_chain *chain)
{
	unsigned n = table_size(vq, len);
	struct vring_packed_desc d;

	for (unsigned i = 0; i < n; i++) {
		if (!read_indirect(vq, &d, table, i))
			return false;
		if (d.flags & VRING_DESC_F_INDIRECT)
			return fail(vq, "an indirect table in another");
		if (vq->from_guest)
			d.flags &= ~VRING_DESC_F_WRITE;
		if (!add(vq, chain, d.addr, d.len, d.flags))
			return false;
	}
	return n;
}

/* The caller has seen, by an acquiring load, that the first is available. */
bool virtqueue_walk_packed(struct virtqueue *vq, uint16_t place,
			   struct virtqueue_chain *chain, uint16_t *n_places,
			   uint16_t *id)
{
	struct vring_packed_desc d;
	bool ok;

	for (unsigned hops = 1; hops <= vq->size; hops++) {
		read_desc(&d, &vq->packed_desc[place]);
		if (d.flags & VRING_DESC_F_INDIRECT) {
			if (d.flags & VRING_DESC_F_NEXT)
				return fail(vq, "an indirect descriptor with a "
						"next one");
			ok = walk_packed_table(vq, d.addr, d.len, chain);
		} else {
			ok = add(vq, chain, d.addr, d.len, d.flags);
		}
		if (!ok)
			return false;
		if (!(d.flags & VRING_DESC_F_NEXT)) {
			*n_places = hops;
			*id = d.id;
			return true;
		}
		if (++place == vq->size)
			place = 0;
	}
	return fail(vq, "a chain without an end");
}
