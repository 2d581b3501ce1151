/*
 * The device's side of a ring (virtqueue.h): what split and packed rings share.
 * Every word of the guest is copied once, and only the copy is checked and
 * used.
 */
#include "vmm/virtio/virtqueue_ring.h"

#include <string.h>
#include <sys/eventfd.h>

#include "base/log.h"

LOG_MODULE(virtqueue);

void virtqueue_start(struct virtio_queue *queue)
{
	queue->ring_desc = virtio_queue_area(queue, VIRTIO_AREA_DESC);
	queue->ring_avail = virtio_queue_area(queue, VIRTIO_AREA_AVAIL);
	queue->ring_used = virtio_queue_area(queue, VIRTIO_AREA_USED);
	queue->ring = virtio_has(queue->device, VIRTIO_F_RING_PACKED)
			      ? &virtqueue_packed
			      : &virtqueue_split;
	queue->signalled_valid = false;
	if (!queue->ring_desc || !queue->ring_avail || !queue->ring_used) {
		virtqueue_break(queue, "the ring is not memory");
		return;
	}
	queue->ring->start(queue);
	queue->signalled_used = queue->used_idx;
	virtqueue_enable_kicks(queue);
}

bool virtqueue_pop(struct virtio_queue *queue, struct virtqueue_chain *chain)
{
	if (queue->broken)
		return false;
	chain->n_descriptors = 0;
	chain->n_out = chain->n_in = 0;
	chain->out_length = chain->in_length = 0;
	return queue->ring->pop(queue, chain);
}

void virtqueue_unpop(struct virtio_queue *queue,
		     const struct virtqueue_chain *chain)
{
	if (!queue->broken)
		queue->ring->unpop(queue, chain);
}

void virtqueue_push(struct virtio_queue *queue,
		    const struct virtqueue_chain *chain, uint32_t written)
{
	if (!queue->broken)
		queue->ring->push(queue, chain, written);
}

void virtqueue_notify(struct virtio_queue *queue)
{
	bool wanted;

	if (queue->broken || queue->used_idx == queue->signalled_used)
		return;
	/* What was pushed is seen before we look whether the guest waits. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	wanted = queue->ring->wants_call(queue) || !queue->signalled_valid;
	queue->signalled_used = queue->used_idx;
	queue->signalled_valid = true;
	if (!wanted || queue->call_fd < 0)
		return;
	queue->device->n_interrupts++;
	eventfd_write(queue->call_fd, 1);
}

void virtqueue_disable_kicks(struct virtio_queue *queue)
{
	if (!queue->broken)
		queue->ring->kicks(queue, false);
}

bool virtqueue_enable_kicks(struct virtio_queue *queue)
{
	if (queue->broken)
		return false;
	queue->ring->kicks(queue, true);
	/* The guest looks after it made a buffer available; we, after this. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return queue->ring->available(queue);
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

uint32_t virtqueue_enter_table(struct virtio_queue *queue,
			       const struct vring_desc *desc,
			       const void **table)
{
	if (!virtio_has(queue->device, VIRTIO_RING_F_INDIRECT_DESC) ||
	    desc->flags & VRING_DESC_F_NEXT || !desc->len ||
	    desc->len % sizeof(*desc) ||
	    desc->len / sizeof(*desc) > VIRTIO_MAX_QUEUE_SIZE) {
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
