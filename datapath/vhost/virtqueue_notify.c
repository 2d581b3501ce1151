/*
 * Notifications (virtio 1.2, 2.7.7, 2.7.10 and 2.8.10). While a queue is polled
 * the driver is asked for none: by a flag or, with event indices, by leaving
 * the index where it was. What is seldom needed is a system call; the driver
 * is asked after every burst whether it wants one, behind a full barrier, since
 * it may just be about to sleep.
 */
#include "vhost/virtqueue_internal.h"

#include "vhost/event.h"

static inline uint16_t read16(const void *shared)
{
	return __atomic_load_n((const uint16_t *)shared, __ATOMIC_RELAXED);
}

static inline void write16(void *shared, uint16_t v)
{
	__atomic_store_n((uint16_t *)shared, v, __ATOMIC_RELAXED);
}

/* Where the device tells which available index it wants to hear of. */
static void *avail_event(struct virtqueue *vq)
{
	return &vq->used->ring[vq->size];
}

static void want_split(struct virtqueue *vq, bool want)
{
	if (vq->event_idx) {
		/* The farthest away that an index can be: one kick in 65536. */
		write16(avail_event(vq), want ? vq->next : vq->next - 1);
		virtqueue_log_used(vq, 4 + 8ull * vq->size, 2);
	} else {
		write16(&vq->used->flags, want ? 0 : VRING_USED_F_NO_NOTIFY);
		virtqueue_log_used(vq, 0, 2);
	}
}

static void want_packed(struct virtqueue *vq, bool want)
{
	struct vring_packed_desc_event *event = vq->device_event;
	uint16_t flags = VRING_PACKED_EVENT_FLAG_DISABLE;

	if (want && vq->event_idx) {
		write16(&event->off_wrap,
			vq->next | vq->wrap << VRING_PACKED_EVENT_F_WRAP_CTR);
		flags = VRING_PACKED_EVENT_FLAG_DESC;
	} else if (want) {
		flags = VRING_PACKED_EVENT_FLAG_ENABLE;
	}
	__atomic_store_n(&event->flags, flags, __ATOMIC_RELEASE);
}

void virtqueue_want_kick(struct virtqueue *vq, bool want)
{
	vq->armed = want;
	if (vq->packed)
		want_packed(vq, want);
	else
		want_split(vq, want);
}

/* The counter is emptied, or the descriptor would stay readable. */
static void drain(struct virtqueue *vq)
{
	uint64_t kicks = 0;

	if (vq->kick_fd < 0)
		return;
	switch (vhost_event_take(vq->kick_fd, &kicks)) {
	case VHOST_EVENT_DONE:
		virtqueue_count(&vq->kicks, kicks);
		break;
	case VHOST_EVENT_STUCK:
		virtqueue_break(vq, "its kick descriptor block");
		break;
	default:
		break;
	}
}

bool virtqueue_arm(struct virtqueue *vq)
{
	bool work = false;

	if (!virtqueue_try_take(vq))
		return false;
	drain(vq);
	if (virtqueue_is_usable(vq)) {
		virtqueue_want_kick(vq, true);
		/* The driver looks for the request behind its own barrier. */
		atomic_thread_fence(memory_order_seq_cst);
		work = vq->packed ? virtqueue_has_work_packed(vq)
				  : virtqueue_has_work_split(vq);
	}
	virtqueue_give(vq);
	return !work;
}

static void call(struct virtqueue *vq)
{
	switch (vhost_event_signal(vq->call_fd)) {
	case VHOST_EVENT_DONE:
		virtqueue_count(&vq->notifications, 1);
		break;
	case VHOST_EVENT_STUCK:
		virtqueue_break(vq, "its call descriptor block");
		break;
	default: /* a full counter is a notification that is still there */
		break;
	}
}

void virtqueue_notify_split(struct virtqueue *vq, uint16_t old, uint16_t new)
{
	bool wanted;

	if (vq->call_fd < 0)
		return;
	atomic_thread_fence(memory_order_seq_cst);
	if (vq->event_idx)
		wanted = vring_need_event(read16(&vq->avail->ring[vq->size]),
					  new, old);
	else
		wanted = !(read16(&vq->avail->flags) &
			   VRING_AVAIL_F_NO_INTERRUPT);
	if (unlikely(wanted))
		call(vq);
}

/* Whether the place that the driver waits for is among the n from old on. */
static bool passed(const struct virtqueue *vq, uint16_t event, uint16_t old,
		   bool old_wrap, uint16_t n)
{
	unsigned at = event & 0x7fff;
	bool wrap = event >> VRING_PACKED_EVENT_F_WRAP_CTR;

	if (wrap != old_wrap)
		at += vq->size;
	return at >= old && at - old < n;
}

void virtqueue_notify_packed(struct virtqueue *vq, uint16_t old, bool old_wrap,
			     uint16_t n)
{
	uint16_t flags, event;

	if (vq->call_fd < 0)
		return;
	atomic_thread_fence(memory_order_seq_cst);
	flags = __atomic_load_n(&vq->driver_event->flags, __ATOMIC_ACQUIRE) & 3;
	if (likely(flags == VRING_PACKED_EVENT_FLAG_DISABLE))
		return;
	if (flags == VRING_PACKED_EVENT_FLAG_DESC && vq->event_idx) {
		event = read16(&vq->driver_event->off_wrap);
		if (!passed(vq, event, old, old_wrap, n))
			return;
	}
	call(vq);
}
