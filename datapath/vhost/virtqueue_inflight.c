/*
 * Where a queue goes on when it is started (virtqueue_internal.h).
 *
 * Bursts are given back whole and in order, so everything from the used index
 * on is still to be done, whatever became of who did what is before it. That
 * index is in the guest's memory: it is right also after a crash, when the
 * base that a front end remembers is not.
 */
#include "vhost/virtqueue_internal.h"

void virtqueue_resume(struct virtqueue *vq, uint32_t base)
{
	if (vq->packed) {
		vq->used_next = base >> 16 & 0x7fff;
		vq->used_wrap = base >> 31;
	} else {
		vq->used_next =
			__atomic_load_n(&vq->used->idx, __ATOMIC_RELAXED);
	}
	vq->next = vq->seen = vq->used_next;
	vq->wrap = vq->used_wrap;
}

void virtqueue_inflight_split(struct virtqueue *vq, uint16_t used)
{
}

void virtqueue_inflight_resumed(struct virtqueue *vq, uint16_t head)
{
}
