/* Split rings (virtio 1.2, 2.7). queue->base: the next available index. */
#include "vmm/virtio/virtqueue_ring.h"

static bool has_event_idx(const struct virtio_queue *queue)
{
	return virtio_has(queue->device, VIRTIO_RING_F_EVENT_IDX);
}

static void split_start(struct virtio_queue *queue)
{
	struct vring_used *used = queue->ring_used;

	queue->base = (uint16_t)queue->base;
	queue->used_idx = __atomic_load_n(&used->idx, __ATOMIC_RELAXED);
}

static bool split_available(struct virtio_queue *queue)
{
	struct vring_avail *avail = queue->ring_avail;

	return __atomic_load_n(&avail->idx, __ATOMIC_ACQUIRE) !=
	       (uint16_t)queue->base;
}

static bool walk(struct virtio_queue *queue, uint16_t head,
		 struct virtqueue_chain *chain)
{
	const void *table = queue->ring_desc;
	uint32_t length = queue->size, next = head, hops = 0;
	struct vring_desc desc;
	bool indirect = false;

	for (;;) {
		if (next >= length || hops++ >= length) {
			virtqueue_break(queue, "a chain out of its table");
			return false;
		}
		virtqueue_copy_in(&desc,
				  (const struct vring_desc *)table + next,
				  sizeof(desc));
		if (desc.flags & VRING_DESC_F_INDIRECT) {
			if (indirect) {
				virtqueue_break(queue, "a table in a table");
				return false;
			}
			length = virtqueue_enter_table(queue, &desc, &table);
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

static bool split_pop(struct virtio_queue *queue, struct virtqueue_chain *chain)
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

static void split_unpop(struct virtio_queue *queue,
			const struct virtqueue_chain *chain)
{
	queue->base = (uint16_t)(queue->base - 1);
}

static void split_push(struct virtio_queue *queue,
		       const struct virtqueue_chain *chain, uint32_t written)
{
	struct vring_used *used = queue->ring_used;

	used->ring[queue->used_idx & (queue->size - 1)] =
		(struct vring_used_elem){ chain->id, written };
	queue->used_idx++;
	__atomic_store_n(&used->idx, queue->used_idx, __ATOMIC_RELEASE);
}

static bool split_wants_call(struct virtio_queue *queue)
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

static void split_kicks(struct virtio_queue *queue, bool wanted)
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

const struct virtqueue_ring virtqueue_split = {
	split_start, split_available,  split_pop,   split_unpop,
	split_push,  split_wants_call, split_kicks,
};
