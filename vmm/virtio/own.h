/*
 * What the devices share whose back end is ours: kicks of the guest in the I/O
 * thread's event loop, their configuration, and pieces of buffers.
 *
 * The device is started and stopped by the control thread while the loop runs
 * in another one, so the loop must have locks: evthread_use_pthreads() before
 * it is made. Events are only freed by the end of the device, never by
 * deactivate(), which holds the lock that a running callback waits for.
 */
#ifndef VMM_VIRTIO_OWN_H
#define VMM_VIRTIO_OWN_H

#include <event2/buffer.h>
#include <event2/event.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>

#include "vmm/virtio/virtqueue.h"

/* What virtqueue.h can do. */
#define VIRTIO_OWN_FEATURES                                                    \
	(1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_F_RING_PACKED |           \
	 1ull << VIRTIO_RING_F_EVENT_IDX |                                     \
	 1ull << VIRTIO_RING_F_INDIRECT_DESC)

struct virtio_own {
	struct virtio_device device; /* first: virtio_own_of() */
	struct event_base *loop;
	bool running; /* between start and stop; under the lock */
	struct event *kicks[VIRTIO_MAX_QUEUES];
	/* The guest kicked this queue, or it was started. I/O thread, lock
	 * held. Kicks are as virtqueue_disable_kicks() and enable left them. */
	void (*kicked)(struct virtio_queue *queue);
};

/* What all devices of a kind are. */
struct virtio_own_kind {
	struct virtio_ops ops;
	uint16_t type;
	uint64_t features; /* beyond VIRTIO_OWN_FEATURES */
	uint32_t config_size;
	unsigned int n_queues;
	uint16_t queue_sizes[5];
	void (*kicked)(struct virtio_queue *queue);
};

static inline struct virtio_own *virtio_own_of(struct virtio_device *device)
{
	return (struct virtio_own *)device;
}

void virtio_own_init(struct virtio_own *own, const struct virtio_own_kind *kind,
		     struct event_base *loop, const struct guest_memory *memory,
		     void *config);
/* virtio_ops.activate: starts the enabled queues, each is kicked once. */
int virtio_own_start(struct virtio_device *device);
/* One queue, for devices whose other queues are somebody else's. */
int virtio_own_start_queue(struct virtio_queue *queue);
/* virtio_ops.deactivate: no handler runs from now on. */
void virtio_own_stop(struct virtio_device *device);
/* Frees what start made, and the device's common parts. Without the lock. */
void virtio_own_uninit(struct virtio_own *own);
/* virtio_ops.destroy of a device that has nothing else. */
void virtio_own_destroy(struct virtio_device *device);

/* As if the guest had kicked it: the loop comes back to it in its turn. */
void virtio_own_kick(struct virtio_queue *queue);
/*
 * Hands the queue's buffers, if it is in use, to `handle`, which returns how
 * many bytes it wrote to the one it is given, or -EAGAIN to leave it in the
 * ring; the rest then waits for virtio_own_kick(). After a ring's worth the
 * other events of the loop get their turn.
 */
void virtio_own_drain(struct virtio_queue *queue,
		      ssize_t (*handle)(struct virtio_queue *queue,
					const struct virtqueue_chain *chain));

/*
 * The pieces that hold `length` bytes (or what there is) after the first
 * `skip` ones. `to` has room for n and may be `from`. Returns their number.
 */
unsigned int iov_cut(struct iovec *to, const struct iovec *from, unsigned int n,
		     size_t skip, size_t length);
/* Sends what a socket takes at once. -errno when it takes nothing any more. */
int evbuffer_send(struct evbuffer *buffer, int fd);

#endif
