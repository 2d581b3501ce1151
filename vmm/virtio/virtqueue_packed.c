/*
 * Packed rings (virtio 1.2, 2.8). A position is an index with its wrap counter
 * as highest bit; queue->base holds that of the next available descriptor, and
 * in its upper half that of the next used one (queue->used_idx).
 */
#include "vmm/virtio/virtqueue_ring.h"

#define WRAP  0x8000u
#define AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED  (1u << VRING_PACKED_DESC_F_USED)

static uint16_t forward(const struct virtio_queue *queue, uint16_t position,
			uint16_t n)
{
	uint16_t index = (position & ~WRAP) + n;

	if (index < queue->size)
		return (position & WRAP) | index;
	return (~position & WRAP) | (index - queue->size);
}

static void set_positions(struct virtio_queue *queue, uint16_t next,
			  uint16_t used)
{
	queue->used_idx = used;
	queue->base = next | (uint32_t)used << 16;
}

/* How many descriptors are popped and not given back. */
static unsigned int in_flight(const struct virtio_queue *queue)
{
	unsigned int next = queue->base & 0xffff & ~WRAP;
	unsigned int used = queue->used_idx & ~WRAP;

	return (queue->base ^ queue->used_idx) & WRAP
		       ? queue->size + next - used
		       : next - used;
}

static void packed_start(struct virtio_queue *queue)
{
	queue->used_idx = queue->base >> 16;
	if ((queue->base & ~WRAP & 0xffff) >= queue->size ||
	    (queue->used_idx & ~WRAP) >= queue->size ||
	    in_flight(queue) > queue->size)
		virtqueue_break(queue, "it went on behind its end");
}

static bool packed_available(struct virtio_queue *queue)
{
	const struct vring_packed_desc *ring = queue->ring_desc;
	uint16_t flags = __atomic_load_n(&ring[queue->base & 0x7fff].flags,
					 __ATOMIC_ACQUIRE);
	bool wrap = queue->base & WRAP;

	return !!(flags & AVAIL) == wrap && !!(flags & USED) != wrap;
}

/* In both kinds of ring these flags are the same. */
static struct vring_desc as_split(const struct vring_packed_desc *desc,
				  uint16_t flags)
{
	return (struct vring_desc){ desc->addr, desc->len, desc->flags & flags,
				    0 };
}

static bool walk_table(struct virtio_queue *queue,
		       const struct vring_desc *desc,
		       struct virtqueue_chain *chain)
{
	struct vring_packed_desc copy;
	struct vring_desc part;
	const void *table;
	uint32_t n = virtqueue_enter_table(queue, desc, &table);

	for (uint32_t i = 0; i < n; i++) {
		virtqueue_copy_in(&copy,
				  (const struct vring_packed_desc *)table + i,
				  sizeof(copy));
		part = as_split(&copy, VRING_DESC_F_WRITE);
		if (!virtqueue_add_segment(queue, chain, &part))
			return false;
	}
	return n;
}

static bool packed_pop(struct virtio_queue *queue,
		       struct virtqueue_chain *chain)
{
	const struct vring_packed_desc *ring = queue->ring_desc;
	uint16_t position = queue->base;
	unsigned int held = in_flight(queue);
	struct vring_packed_desc desc;
	struct vring_desc part;

	if (!packed_available(queue))
		return false;
	do {
		if (held + ++chain->n_descriptors > queue->size) {
			virtqueue_break(queue, "more than the ring holds");
			return false;
		}
		virtqueue_copy_in(&desc, &ring[position & ~WRAP], sizeof(desc));
		position = forward(queue, position, 1);
		part = as_split(&desc, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT);
		if (desc.flags & VRING_DESC_F_INDIRECT) {
			if (chain->n_descriptors > 1) {
				virtqueue_break(queue, "a table in a chain");
				return false;
			}
			if (!walk_table(queue, &part, chain))
				return false;
			break;
		}
		if (!virtqueue_add_segment(queue, chain, &part))
			return false;
	} while (desc.flags & VRING_DESC_F_NEXT);
	chain->id = desc.id;
	set_positions(queue, position, queue->used_idx);
	return true;
}

static void packed_unpop(struct virtio_queue *queue,
			 const struct virtqueue_chain *chain)
{
	/* Once round the ring is the other wrap counter, and forward. */
	uint16_t position = (queue->base & 0xffff) ^ WRAP;

	set_positions(
		queue,
		forward(queue, position, queue->size - chain->n_descriptors),
		queue->used_idx);
}

static void packed_push(struct virtio_queue *queue,
			const struct virtqueue_chain *chain, uint32_t written)
{
	struct vring_packed_desc *ring = queue->ring_desc;
	struct vring_packed_desc *desc = &ring[queue->used_idx & ~WRAP];
	uint16_t flags = queue->used_idx & WRAP ? AVAIL | USED : 0;

	desc->id = chain->id;
	desc->len = written;
	__atomic_store_n(&desc->flags,
			 flags | (written ? VRING_DESC_F_WRITE : 0),
			 __ATOMIC_RELEASE);
	set_positions(queue, queue->base,
		      forward(queue, queue->used_idx, chain->n_descriptors));
}

static bool packed_wants_call(struct virtio_queue *queue)
{
	struct vring_packed_desc_event event;
	uint16_t old, now, at;

	virtqueue_copy_in(&event, queue->ring_avail, sizeof(event));
	if (event.flags == VRING_PACKED_EVENT_FLAG_DISABLE)
		return false;
	if (event.flags != VRING_PACKED_EVENT_FLAG_DESC ||
	    !virtio_has(queue->device, VIRTIO_RING_F_EVENT_IDX))
		return true;
	/* On one line: what is behind the ring's last turn lies below it. */
	now = queue->used_idx & ~WRAP;
	old = queue->signalled_used & ~WRAP;
	at = event.off_wrap & ~WRAP;
	if ((queue->signalled_used ^ queue->used_idx) & WRAP)
		old -= queue->size;
	if ((event.off_wrap ^ queue->used_idx) & WRAP)
		at -= queue->size;
	return virtqueue_passed(at, now, old);
}

static void packed_kicks(struct virtio_queue *queue, bool wanted)
{
	struct vring_packed_desc_event *event = queue->ring_used;
	uint16_t flags = VRING_PACKED_EVENT_FLAG_DISABLE;

	if (wanted && virtio_has(queue->device, VIRTIO_RING_F_EVENT_IDX)) {
		__atomic_store_n(&event->off_wrap, (uint16_t)queue->base,
				 __ATOMIC_RELAXED);
		flags = VRING_PACKED_EVENT_FLAG_DESC;
	} else if (wanted) {
		flags = VRING_PACKED_EVENT_FLAG_ENABLE;
	}
	__atomic_store_n(&event->flags, flags, __ATOMIC_RELEASE);
}

const struct virtqueue_ring virtqueue_packed = {
	packed_start, packed_available,	 packed_pop,   packed_unpop,
	packed_push,  packed_wants_call, packed_kicks,
};
