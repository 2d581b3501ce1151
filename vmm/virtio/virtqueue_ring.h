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
/* The table that an indirect descriptor (a private copy) names; its entries are
 * of 16 bytes in both kinds of ring. Returns their number; 0: the queue is
 * broken. */
uint32_t virtqueue_enter_table(struct virtio_queue *queue,
			       const struct vring_desc *desc,
			       const void **table);

/* What the kinds of ring do for virtqueue.h; none is called for a broken queue.
 */
struct virtqueue_ring {
	void (*start)(struct virtio_queue *queue);
	bool (*available)(struct virtio_queue *queue);
	bool (*pop)(struct virtio_queue *queue, struct virtqueue_chain *chain);
	void (*unpop)(struct virtio_queue *queue,
		      const struct virtqueue_chain *chain);
	void (*push)(struct virtio_queue *queue,
		     const struct virtqueue_chain *chain, uint32_t written);
	bool (*wants_call)(struct virtio_queue *queue);
	void (*kicks)(struct virtio_queue *queue, bool wanted);
};
extern const struct virtqueue_ring virtqueue_split, virtqueue_packed;

#endif
