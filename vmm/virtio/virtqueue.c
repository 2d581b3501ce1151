/*
 * The device's side of a ring (virtqueue.h): what split and packed rings share.
 * Every word of the guest is copied once, and only the copy is checked and
 * used.
 */
#include "vmm/virtio/virtqueue_ring.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

LOG_MODULE(virtqueue);

static bool is_packed(const struct virtio_queue *queue)
{
	return virtio_has(queue->device, VIRTIO_F_RING_PACKED);
}

void virtqueue_start(struct virtio_queue *queue)
{
	const struct guest_memory *memory = queue->device->memory;

	queue->ring_desc =
		guest_memory_at(memory, queue->desc,
				virtio_queue_area(queue, VIRTIO_AREA_DESC));
	queue->ring_avail =
		guest_memory_at(memory, queue->avail,
				virtio_queue_area(queue, VIRTIO_AREA_AVAIL));
	queue->ring_used =
		guest_memory_at(memory, queue->used,
				virtio_queue_area(queue, VIRTIO_AREA_USED));
	queue->signalled_valid = false;
	if (!queue->ring_desc || !queue->ring_avail || !queue->ring_used) {
		virtqueue_break(queue, "the ring is not memory");
		return;
	}
	if (is_packed(queue))
		virtqueue_packed_start(queue);
	else
		virtqueue_split_start(queue);
	queue->signalled_used = queue->used_idx;
	if (!queue->broken)
		virtqueue_enable_kicks(queue);
}

bool virtqueue_pop(struct virtio_queue *queue, struct virtqueue_chain *chain)
{
	if (queue->broken)
		return false;
	chain->n_descriptors = 0;
	chain->n_out = chain->n_in = 0;
	chain->out_length = chain->in_length = 0;
	return is_packed(queue) ? virtqueue_packed_pop(queue, chain)
				: virtqueue_split_pop(queue, chain);
}

void virtqueue_unpop(struct virtio_queue *queue,
		     const struct virtqueue_chain *chain)
{
	if (is_packed(queue))
		virtqueue_packed_unpop(queue, chain);
	else
		queue->base = (uint16_t)(queue->base - 1);
}

void virtqueue_push(struct virtio_queue *queue,
		    const struct virtqueue_chain *chain, uint32_t written)
{
	if (queue->broken)
		return;
	if (is_packed(queue))
		virtqueue_packed_push(queue, chain, written);
	else
		virtqueue_split_push(queue, chain, written);
}

void virtqueue_notify(struct virtio_queue *queue)
{
	uint64_t one = 1;
	bool wanted;

	if (queue->broken || queue->used_idx == queue->signalled_used)
		return;
	/* What was pushed is seen before we look whether the guest waits. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	wanted = is_packed(queue) ? virtqueue_packed_wants_call(queue)
				  : virtqueue_split_wants_call(queue);
	wanted |= !queue->signalled_valid;
	queue->signalled_used = queue->used_idx;
	queue->signalled_valid = true;
	if (!wanted || queue->call_fd < 0)
		return;
	queue->device->n_interrupts++;
	if (write(queue->call_fd, &one, sizeof(one)) < 0)
		log_warn_limited("%s: queue %u: interrupt: %s",
				 queue->device->ops->name, queue->index,
				 strerror(errno));
}

void virtqueue_disable_kicks(struct virtio_queue *queue)
{
	if (queue->broken)
		return;
	if (is_packed(queue))
		virtqueue_packed_kicks(queue, false);
	else
		virtqueue_split_kicks(queue, false);
}

bool virtqueue_enable_kicks(struct virtio_queue *queue)
{
	if (queue->broken)
		return false;
	if (is_packed(queue))
		virtqueue_packed_kicks(queue, true);
	else
		virtqueue_split_kicks(queue, true);
	/* The guest looks after it made a buffer available; we, after this. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return is_packed(queue) ? virtqueue_packed_available(queue)
				: virtqueue_split_available(queue);
}

void virtqueue_break(struct virtio_queue *queue, const char *why)
{
	if (queue->broken)
		return;
	queue->broken = true;
	log_warn_limited("%s: queue %u is broken by the guest: %s",
			 queue->device->ops->name, queue->index, why);
	virtio_device_broken(queue->device);
}

bool virtqueue_add_segment(struct virtio_queue *queue,
			   struct virtqueue_chain *chain,
			   const struct vring_desc *desc)
{
	bool in = desc->flags & VRING_DESC_F_WRITE;
	struct iovec *to = in ? chain->in : chain->out;
	unsigned int *n = in ? &chain->n_in : &chain->n_out;
	void *at =
		guest_memory_at(queue->device->memory, desc->addr, desc->len);

	if (!at) {
		virtqueue_break(queue, "a buffer is not memory");
		return false;
	}
	if (!in && chain->n_in) {
		virtqueue_break(queue, "a readable part follows a writable");
		return false;
	}
	if (!desc->len)
		return true;
	if (*n == VIRTQUEUE_MAX_SEGMENTS) {
		virtqueue_break(queue, "a buffer has too many parts");
		return false;
	}
	to[(*n)++] = (struct iovec){ at, desc->len };
	*(in ? &chain->in_length : &chain->out_length) += desc->len;
	return true;
}

/* Where the copying of one direction is done. */
static size_t copy(const struct iovec *iov, unsigned int n, size_t offset,
		   void *data, size_t length, bool to_guest)
{
	size_t done = 0;

	for (unsigned int i = 0; i < n && done < length; i++) {
		size_t part;
		void *at;

		if (offset >= iov[i].iov_len) {
			offset -= iov[i].iov_len;
			continue;
		}
		part = MIN(iov[i].iov_len - offset, length - done);
		at = (uint8_t *)iov[i].iov_base + offset;
		if (to_guest)
			memcpy(at, (uint8_t *)data + done, part);
		else
			memcpy((uint8_t *)data + done, at, part);
		done += part;
		offset = 0;
	}
	return done;
}

size_t virtqueue_read(const struct virtqueue_chain *chain, size_t offset,
		      void *data, size_t length)
{
	return copy(chain->out, chain->n_out, offset, data, length, false);
}

size_t virtqueue_write(const struct virtqueue_chain *chain, size_t offset,
		       const void *data, size_t length)
{
	return copy(chain->in, chain->n_in, offset, (void *)data, length, true);
}
