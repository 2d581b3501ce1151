/*
 * The device's side of a split or packed ring (virtio 1.2, 2.7 and 2.8), for
 * back ends of our own. Descriptors are read once into private memory and
 * checked; a guest that breaks the rules breaks its queue (queue->broken, a
 * log line, DEVICE_NEEDS_RESET) and nothing else. The device's lock is held.
 */
#ifndef VMM_VIRTIO_VIRTQUEUE_H
#define VMM_VIRTIO_VIRTQUEUE_H

#include <sys/uio.h>

#include "vmm/virtio/virtio.h"

enum { VIRTQUEUE_MAX_SEGMENTS = 256 };

/* One buffer of the guest: what the device may read, then what it may write,
 * as places in our mapping of its memory. */
struct virtqueue_chain {
	uint16_t id;		/* to give it back with */
	uint16_t n_descriptors; /* of a packed ring, to skip */
	unsigned int n_out, n_in;
	struct iovec out[VIRTQUEUE_MAX_SEGMENTS]; /* device reads */
	struct iovec in[VIRTQUEUE_MAX_SEGMENTS];  /* device writes */
	size_t out_length, in_length;
};

/* From queue->base on, in activate() and for enabled queues. Kicks are wanted
 * then, and buffers may be there already. */
void virtqueue_start(struct virtio_queue *queue);
/* Takes the next buffer. False when there is none, or the queue is broken. */
bool virtqueue_pop(struct virtio_queue *queue, struct virtqueue_chain *chain);
/* Puts the buffer popped last back, as if never taken. */
void virtqueue_unpop(struct virtio_queue *queue,
		     const struct virtqueue_chain *chain);
/* Gives a buffer back with `written` bytes of its in-part filled. */
void virtqueue_push(struct virtio_queue *queue,
		    const struct virtqueue_chain *chain, uint32_t written);
/* Interrupts the guest if it wants to know of what was pushed. */
void virtqueue_notify(struct virtio_queue *queue);
/* Whether kicks are wanted. enable returns whether buffers are there already,
 * so that the caller goes on. */
void virtqueue_disable_kicks(struct virtio_queue *queue);
bool virtqueue_enable_kicks(struct virtio_queue *queue);
/* Marks it broken for this reason. */
void virtqueue_break(struct virtio_queue *queue, const char *why);

/* Copies between a chain and private memory, from `offset` on; return what
 * there was to copy. */
size_t virtqueue_read(const struct virtqueue_chain *chain, size_t offset,
		      void *data, size_t length);
size_t virtqueue_write(const struct virtqueue_chain *chain, size_t offset,
		       const void *data, size_t length);

#endif
