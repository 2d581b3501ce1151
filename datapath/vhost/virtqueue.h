/*
 * A virtqueue seen from the device (virtio 1.2, 2.7 split and 2.8 packed), with
 * the frames of a network card in it (5.1.6). The guest's transmit queues are
 * received from, its receive queues sent to.
 *
 * A queue is used by one thread at a time, who has taken it: a worker for a
 * burst, the control thread to start, stop or change it. Taking is a try and
 * never waits for the control thread; a queue that cannot be had is treated as
 * one that has nothing, or takes nothing, at the moment. While a burst that was
 * received is out, its queue stays taken, so that what it lent stays mapped.
 *
 * Everything in the rings is the guest's and believed in nothing: each
 * descriptor is read once, into private memory, and checked there. A ring that
 * breaks a rule is broken: it is not touched again until it is started anew,
 * and says why. Nothing else is.
 */
#ifndef VHOST_VIRTQUEUE_H
#define VHOST_VIRTQUEUE_H

#include "packet/drop.h"
#include "vhost/dirty_log.h"
#include "vhost/memory.h"

#define VIRTQUEUE_SIZE_MAX 32768
/* Descriptors in a chain, an indirect table's included. */
#define VIRTQUEUE_CHAIN_MAX 1024

/*
 * What is kept of a packed ring where it outlives this process, when the front
 * end keeps no in-flight region: one cache line (virtqueue_kept.c). Zeros:
 * nothing.
 */
struct virtqueue_kept {
	uint64_t region[4]; /* as an in-flight region begins */
	/*
	 * The last place that a buffer was given back in: bits 0 to 14, its
	 * wrap counter in 15; 31: there is one.
	 */
	uint32_t mark;
	uint32_t unused[7];
};

/* What a queue is started with; pointers were checked to be mapped whole. */
struct virtqueue_setup {
	uint16_t size;	     /* split: a power of two; packed: above 0 */
	uint64_t features;   /* negotiated, VIRTIO_F_* and VIRTIO_NET_F_* */
	bool from_guest;     /* the guest transmits in it: we receive */
	void *desc;	     /* descriptor table, or descriptor ring */
	void *driver;	     /* available ring, or driver event suppression */
	void *device;	     /* used ring, or device event suppression */
	uint64_t used_guest; /* guest-physical, of what `device` or, packed,
			      * `desc` is: for the dirty log */
	/*
	 * Where to go on, as VHOST_USER_SET_VRING_BASE has it: split: the next
	 * available index; packed: bits 0 to 14 the next available place, 15
	 * its wrap counter, 16 to 30 and 31 the same of the used.
	 */
	uint32_t base;
	/* In-flight region of this queue, or NULL; vhost-user, "Inflight". */
	void *inflight;
	/* Packed, without such a region; or NULL. Believed if it fits the ring.
	 */
	struct virtqueue_kept *kept;
};

/*
 * A queue's state. The owner (session.h) makes it with virtqueue_init() and
 * fills the rest while it is taken; what is under `ring` is virtqueue_*.c's.
 */
struct virtqueue;

/* name, for messages, and index live as long as the queue. */
struct virtqueue *virtqueue_create(const char *name, unsigned index);
void virtqueue_destroy(struct virtqueue *vq);

/* Control thread: takes it, however long a worker's burst lasts. */
void virtqueue_take(struct virtqueue *vq);
void virtqueue_release(struct virtqueue *vq);

/*
 * Control thread, the queue taken. Start clears `broken`; -EINVAL with a
 * message when the set-up contradicts itself. Stop returns the base to go on
 * from: everything before it was given back. A stopped queue receives and sends
 * nothing.
 */
int virtqueue_start(struct virtqueue *vq, const struct virtqueue_setup *setup,
		    char **errp);
uint32_t virtqueue_stop(struct virtqueue *vq);
bool virtqueue_is_started(const struct virtqueue *vq);
/* Control thread, the queue taken. SET_VRING_ENABLE: as if the ring was empty
 */
void virtqueue_enable(struct virtqueue *vq, bool enable);
/* The memory, the log (NULL: none) and descriptors are the caller's. -1: none
 */
void virtqueue_set_memory(struct virtqueue *vq,
			  const struct vhost_memory *memory);
void virtqueue_set_log(struct virtqueue *vq, const struct vhost_log *log);
void virtqueue_set_kick(struct virtqueue *vq, int fd);
void virtqueue_set_call(struct virtqueue *vq, int fd);
/* To be told that the queue broke. */
void virtqueue_set_error(struct virtqueue *vq, int fd);

/* What was kept is not to be believed any more; its queue is stopped. */
void virtqueue_kept_clear(struct virtqueue_kept *kept);

/* Any thread: why the queue is broken; NULL: it is not. Static strings. */
const char *virtqueue_broken(const struct virtqueue *vq);

/*
 * A worker. Receives up to max (at most PACKET_BURST_MAX) frames; when there
 * are any, the queue stays taken until virtqueue_done(), which gives all of
 * them back to the guest at once. Offload headers are checked (offload.h); what
 * is dropped here is counted in drops[], of the calling thread.
 */
unsigned virtqueue_receive(struct virtqueue *vq, struct packet *packets,
			   unsigned max, _Atomic uint64_t *drops);
void virtqueue_done(struct virtqueue *vq);

/*
 * A worker, before it sleeps on the kick descriptor: drains it and asks for
 * notifications. False: there is work already, or the queue could not be had;
 * poll on. Receiving takes the request back.
 */
bool virtqueue_arm(struct virtqueue *vq);

/*
 * Any thread that forwards. Sends n packets, each copied into the guest's
 * buffers with a header made anew, and notifies the guest once if it wants
 * that. Returns how many were sent, adds their lengths to *bytes; the others
 * are counted in drops[]: TX_DOWN (not started), TX_BUSY (taken), TX_FULL (no
 * buffers), TX_TOO_BIG (no buffer of that size), TX_OFFLOAD.
 */
unsigned virtqueue_send(struct virtqueue *vq, struct packet *const packets[],
			unsigned n, _Atomic uint64_t *drops, uint64_t *bytes);

/*
 * Any thread that forwards, when nothing has come for a moment: brings what the
 * next packet sent will need into the cache. Nothing is changed.
 */
void virtqueue_warm(struct virtqueue *vq);

/* Of a queue that the calling control thread need not have taken. */
struct virtqueue_info {
	bool started, enabled;
	uint16_t size;
	bool packed;
	uint64_t notifications; /* sent to the guest */
	uint64_t kicks;		/* taken from it */
};
void virtqueue_get_info(const struct virtqueue *vq,
			struct virtqueue_info *info);

#endif
