/* Split rings (virtio 1.2, 2.7). queue->base: the next available index. */
#include "vmm/virtio/virtqueue_ring.h"

static bool has_event_idx(const struct virtio_queue *queue)
{
	return virtio_has(queue->device, VIRTIO_RING_F_EVENT_IDX);
}

void virtqueue_split_start(struct virtio_queue *queue)
{
	struct vring_used *used = queue->ring_used;

	queue->base = (uint16_t)queue->base;
	queue->used_idx = __atomic_load_n(&used->idx, __ATOMIC_RELAXED);
}

bool virtqueue_split_available(struct virtio_queue *queue)
{
	struct vring_avail *avail = queue->ring_avail;

	return __atomic_load_n(&avail->idx, __ATOMIC_ACQUIRE) !=
	       (uint16_t)queue->base;
}

/* An indirect table instead of the ring's: how long it is; 0 with the queue
 * broken. */
static uint32_t enter_table(struct virtio_queue *queue,
			    const struct vring_desc *desc,
			    const struct vring_desc **table)
{
	if (!virtio_has(queue->device, VIRTIO_RING_F_INDIRECT_DESC) ||
	    desc->flags & VRING_DESC_F_NEXT || !desc->len ||
	    desc->len % sizeof(*desc)) {
		virtqueue_break(queue, "a bad indirect descriptor");
		return 0;
	}
	*table = guest_memory_at(queue->device->memory, desc->addr, desc->len);
	if (!*table) {
		virtqueue_break(queue, "an indirect table is not memory");
		return 0;
	}
	return desc->len / sizeof(*desc);
}

static bool walk(struct virtio_queue *queue, uint16_t head,
		 struct virtqueue_chain *chain)
{
	const struct vring_desc *table = queue->ring_desc;
	uint32_t length = queue->size, next = head, hops = 0;
	struct vring_desc desc;
	bool indirect = false;

	for (;;) {
		/* A table may be all of memory; a chain is not longer than
		 * the longest ring. */
		if (next >= length ||
		    hops++ >= MIN(length, VIRTIO_MAX_QUEUE_SIZE)) {
			virtqueue_break(queue, "a chain out of its table");
			return false;
		}
		virtqueue_copy_in(&desc, &table[next], sizeof(desc));
		if (desc.flags & VRING_DESC_F_INDIRECT) {
			if (indirect) {
				virtqueue_break(queue, "a table in a table");
				return false;
			}
			length = enter_table(queue, &desc, &table);
			if (!length)
				return false;
			indirect = true;
			next = hops = 0;
			continue;
		}
		if (!virtqueue_add_segment(queue, chain, &desc))
			return false;
		if (!(desc.flags & VRING_DESC_F_NEXT))
			return true;
		next = desc.next;
	}
}

bool virtqueue_split_pop(struct virtio_queue *queue,
			 struct virtqueue_chain *chain)
{
	struct vring_avail *avail = queue->ring_avail;
	uint16_t idx = __atomic_load_n(&avail->idx, __ATOMIC_ACQUIRE);
	uint16_t next = queue->base;

	if (idx == next)
		return false;
	if ((uint16_t)(idx - next) > queue->size ||
	    (uint16_t)(next - queue->used_idx) >= queue->size) {
		virtqueue_break(queue, "more buffers than the ring holds");
		return false;
	}
	chain->id = __atomic_load_n(&avail->ring[next & (queue->size - 1)],
				    __ATOMIC_RELAXED);
	if (!walk(queue, chain->id, chain))
		return false;
	queue->base = (uint16_t)(next + 1);
	return true;
}

void virtqueue_split_push(struct virtio_queue *queue,
			  const struct virtqueue_chain *chain, uint32_t written)
{
	struct vring_used *used = queue->ring_used;

	used->ring[queue->used_idx & (queue->size - 1)] =
		(struct vring_used_elem){ chain->id, written };
	queue->used_idx++;
	__atomic_store_n(&used->idx, queue->used_idx, __ATOMIC_RELEASE);
}

bool virtqueue_split_wants_call(struct virtio_queue *queue)
{
	struct vring_avail *avail = queue->ring_avail;

	if (has_event_idx(queue))
		return virtqueue_passed(
			__atomic_load_n(&avail->ring[queue->size],
					__ATOMIC_RELAXED),
			queue->used_idx, queue->signalled_used);
	return !(__atomic_load_n(&avail->flags, __ATOMIC_RELAXED) &
		 VRING_AVAIL_F_NO_INTERRUPT);
}

void virtqueue_split_kicks(struct virtio_queue *queue, bool wanted)
{
	struct vring_used *used = queue->ring_used;

	if (!has_event_idx(queue))
		__atomic_store_n(&used->flags,
				 wanted ? 0 : VRING_USED_F_NO_NOTIFY,
				 __ATOMIC_RELAXED);
	else if (wanted) /* and not before this index was passed again */
		__atomic_store_n((uint16_t *)&used->ring[queue->size],
				 (uint16_t)queue->base, __ATOMIC_RELAXED);
}
