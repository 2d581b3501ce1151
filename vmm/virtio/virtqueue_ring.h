/*
 * What virtqueue.c and its two kinds of ring share. The rings' places are known
 * to be memory of the sizes and alignments that the kind wants.
 */
#ifndef VMM_VIRTIO_VIRTQUEUE_RING_H
#define VMM_VIRTIO_VIRTQUEUE_RING_H

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "vmm/virtio/virtqueue.h"

/* Copies words of the guest once: what is used later is this copy. */
static inline void virtqueue_copy_in(void *to, const void *from, size_t length)
{
	memcpy(to, from, length);
	__asm__ volatile("" ::: "memory");
}

/* virtio 1.2, 2.7.10: whether `event` was passed by going from old to new. */
static inline bool virtqueue_passed(uint16_t event, uint16_t new_idx,
				    uint16_t old_idx)
{
	return (uint16_t)(new_idx - event - 1) < (uint16_t)(new_idx - old_idx);
}

/* Checks a descriptor (a private copy) and adds it to the chain. False: the
 * queue is broken. */
bool virtqueue_add_segment(struct virtio_queue *queue,
			   struct virtqueue_chain *chain,
			   const struct vring_desc *desc);

void virtqueue_split_start(struct virtio_queue *queue);
bool virtqueue_split_available(struct virtio_queue *queue);
bool virtqueue_split_pop(struct virtio_queue *queue,
			 struct virtqueue_chain *chain);
void virtqueue_split_push(struct virtio_queue *queue,
			  const struct virtqueue_chain *chain,
			  uint32_t written);
bool virtqueue_split_wants_call(struct virtio_queue *queue);
void virtqueue_split_kicks(struct virtio_queue *queue, bool wanted);

void virtqueue_packed_start(struct virtio_queue *queue);
bool virtqueue_packed_available(struct virtio_queue *queue);
bool virtqueue_packed_pop(struct virtio_queue *queue,
			  struct virtqueue_chain *chain);
void virtqueue_packed_unpop(struct virtio_queue *queue,
			    const struct virtqueue_chain *chain);
void virtqueue_packed_push(struct virtio_queue *queue,
			   const struct virtqueue_chain *chain,
			   uint32_t written);
bool virtqueue_packed_wants_call(struct virtio_queue *queue);
void virtqueue_packed_kicks(struct virtio_queue *queue, bool wanted);

#endif
