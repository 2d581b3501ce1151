/*
 * A virtio device (virtio 1.2) as its transport and its back end see it:
 * feature negotiation, status, queues and their notifications. Split and
 * packed rings; no legacy interface.
 *
 * Threads: registers are accessed by vCPU threads, the status changes that
 * they ask for are carried out by the control thread (virtio_device_settle()),
 * rings of devices whose back end is ours are worked on by the I/O thread. All
 * of them hold the device's lock meanwhile. A guest that resets a device reads
 * a status other than 0 until the back end has let go of the rings (virtio
 * 1.2, 4.1.4.3.2).
 */
#ifndef VMM_VIRTIO_VIRTIO_H
#define VMM_VIRTIO_VIRTIO_H

#include <jansson.h>
#include <pthread.h>

#include "vmm/machine/memory.h"

enum {
	VIRTIO_MAX_QUEUES = 33, /* 16 pairs of virtio-net and its control */
	VIRTIO_MAX_QUEUE_SIZE = 1024,
	VIRTIO_NO_VECTOR = 0xffff,
};

struct virtio_device;

/* One ring, as the guest set it up. */
struct virtio_queue {
	struct virtio_device *device;
	uint16_t index; /* in the device */
	uint16_t size;	/* what the guest chose; at most max_size */
	uint16_t max_size;
	uint16_t vector;	    /* MSI-X, or VIRTIO_NO_VECTOR */
	uint16_t enabled;	    /* 0 or 1 */
	uint64_t desc, avail, used; /* guest addresses: descriptors, driver
				     * area, device area */
	int kick_fd; /* the guest writes (ioeventfd); made by the transport */
	int call_fd; /* interrupts (the vector's); -1: none. Not owned. */
	/* Where a back end is (virtqueue.h, or GET_VRING_BASE): split: next
	 * available index; packed: also wrap counters, as vhost-user's. */
	uint32_t base;
	bool broken; /* by the guest: virtqueue_break(); or not enabled */
	/* Private to virtqueue*.c. */
	const struct virtqueue_ring *ring;
	void *ring_desc, *ring_avail, *ring_used;
	uint16_t used_idx, signalled_used;
	bool signalled_valid;
};

struct virtio_ops {
	const char *name; /* "net" */
	/* Device-specific configuration: `length` bytes at offset, never past
	 * config_size. NULL: nothing is writable. */
	void (*config_write)(struct virtio_device *, uint32_t offset,
			     const void *data, uint32_t length);
	/* Control thread, lock held: the driver is ready: features and queues
	 * are final; connect back end and rings. -errno sets
	 * DEVICE_NEEDS_RESET. */
	int (*activate)(struct virtio_device *);
	/* Control thread, lock held: let go of all rings, with each queue's
	 * base up to date. On reset, before unplugging and before saving. */
	void (*deactivate)(struct virtio_device *);
	/* A queue's call_fd changed while active; may be NULL. */
	void (*call_changed)(struct virtio_device *, struct virtio_queue *);
	/* Ends the device; also before the first activation. */
	void (*destroy)(struct virtio_device *);
	/* What the device itself adds to a saved VM; may be NULL. */
	json_t *(*save)(struct virtio_device *);
	int (*restore)(struct virtio_device *, const json_t *, char **errp);
};

struct virtio_device {
	const struct virtio_ops *ops;
	uint16_t type; /* virtio 1.2, section 5 */
	void *config;  /* config_size bytes, as the guest reads them */
	uint32_t config_size;
	uint64_t offered;    /* features, VIRTIO_F_VERSION_1 included */
	uint64_t negotiated; /* 0 before FEATURES_OK */
	unsigned int n_queues;
	struct virtio_queue queues[VIRTIO_MAX_QUEUES];
	const struct guest_memory *memory;
	pthread_mutex_t lock;

	/* The transport's side. */
	uint8_t status;	       /* as the guest reads it */
	uint8_t wanted_status; /* as it last wrote it, when not settled */
	bool unsettled;
	bool active;
	uint8_t config_generation;
	void *transport;
	/* The control thread is to call virtio_device_settle(). */
	void (*wake)(struct virtio_device *);
	/* The configuration has changed: interrupt the guest. Lock held. */
	void (*config_changed)(struct virtio_device *);
	/* Statistics for `info`: by the back end, where it is ours. */
	_Atomic uint64_t n_interrupts, n_kicks, n_broken;
};

/*
 * Sets up what all devices have in common; `queue_sizes` has n_queues powers of
 * two. The caller then sets type, config_size and offered.
 */
void virtio_device_init(struct virtio_device *device,
			const struct virtio_ops *ops,
			const struct guest_memory *memory,
			unsigned int n_queues, const uint16_t *queue_sizes);
void virtio_device_uninit(struct virtio_device *device);

/*
 * Carries out what the guest's last status write asked for: activation, or
 * deactivation and reset. Control thread, without the lock.
 */
void virtio_device_settle(struct virtio_device *device);
static inline bool virtio_has(const struct virtio_device *device, int feature)
{
	return device->negotiated >> feature & 1;
}

/*
 * For the transport; lock held. The guest writes its features and FEATURES_OK:
 * whether it may have these. And any other status: 0 resets, now or, when a
 * back end has to let go first, in virtio_device_settle().
 */
bool virtio_device_negotiate(struct virtio_device *device, uint64_t features);
void virtio_device_want(struct virtio_device *device, uint8_t status);
/* Deactivates it, if it is active: before it is saved or unplugged. Control
 * thread, lock held. */
void virtio_device_stop(struct virtio_device *device);
/* Sets DEVICE_NEEDS_RESET and tells the guest. Lock held. */
void virtio_device_broken(struct virtio_device *device);

enum virtio_area { VIRTIO_AREA_DESC, VIRTIO_AREA_AVAIL, VIRTIO_AREA_USED };
/* A part of a queue's ring in our mapping; NULL when it is not memory, or not
 * aligned. All parts of enabled queues are valid in activate(). */
void *virtio_queue_area(const struct virtio_queue *queue,
			enum virtio_area area);
/* New configuration: bumps the generation and interrupts. Lock held. */
void virtio_config_changed(struct virtio_device *device);

#endif
