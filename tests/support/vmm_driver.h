/*
 * A guest's driver of a virtio device (virtio 1.2, 2.7 and 2.8), for tests and
 * fuzz targets of vmm/: split and packed rings in guest memory, set up and
 * kicked without a transport. What may be wrong is done by writing to
 * vmm_driver_at().
 *
 *	vmm_driver_init(&d, device, memory, 0x100000, features);
 *	vmm_driver_start(&d);                 (activates the device)
 *	id = vmm_ring_add(&d.rings[0], parts, 1, 1, false);
 *	vmm_ring_kick(&d.rings[0]);
 *	... the device works ...
 *	vmm_ring_used(&d.rings[0], &id, &length)
 */
#ifndef TESTS_SUPPORT_VMM_DRIVER_H
#define TESTS_SUPPORT_VMM_DRIVER_H

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "vmm/virtio/virtio.h"

#define VMM_FEATURE(bit) (1ull << (bit))

struct vmm_driver;

struct vmm_part {
	uint64_t addr; /* of the guest */
	uint32_t length;
};

struct vmm_ring {
	struct vmm_driver *driver;
	struct virtio_queue *queue;
	bool packed;
	uint16_t size;
	uint64_t desc, avail, used; /* guest addresses */
	/* Split: the index; packed: with wrap counter in the highest bit. */
	uint16_t next_avail, next_used;
	uint16_t n_free; /* descriptors */
	uint16_t free_ids[VIRTIO_MAX_QUEUE_SIZE], n_ids;
	uint16_t lengths[VIRTIO_MAX_QUEUE_SIZE]; /* of chains, by id */
};

struct vmm_driver {
	struct virtio_device *device;
	struct guest_memory *memory;
	uint64_t features;
	uint64_t next; /* free guest memory */
	struct vmm_ring rings[VIRTIO_MAX_QUEUES];
};

/*
 * Places a ring of its largest size for each queue of the device, from the
 * guest address `at` on. Makes kick_fd and call_fd of queues that have none.
 */
void vmm_driver_init(struct vmm_driver *driver, struct virtio_device *device,
		     struct guest_memory *memory, uint64_t at,
		     uint64_t features);
/* Closes the descriptors; the device is not used any more, or destroyed. */
void vmm_driver_uninit(struct vmm_driver *driver);
/* Negotiates, tells the device its rings, sets DRIVER_OK and settles. Returns
 * whether the device is active then. */
bool vmm_driver_start(struct vmm_driver *driver);
/* Writes status 0 and settles; empty rings again. */
void vmm_driver_reset(struct vmm_driver *driver);
/* Empty rings in memory, for a driver with a transport of its own. */
void vmm_ring_init(struct vmm_ring *ring, struct vmm_driver *driver,
		   unsigned int index, uint16_t size);

/* Guest memory: some of it, and a place of it. */
uint64_t vmm_driver_alloc(struct vmm_driver *driver, uint64_t length,
			  uint64_t align);
void *vmm_driver_at(const struct vmm_driver *driver, uint64_t addr);

/* Makes a buffer available: n_out parts the device reads, then n_in it writes.
 * Returns its id, or -1 when the ring is full. */
int vmm_ring_add(struct vmm_ring *ring, const struct vmm_part *parts,
		 unsigned int n_out, unsigned int n_in, bool indirect);
/* Whether the device wants a kick for what was added since `before`, a value
 * of ring->next_avail. */
bool vmm_ring_kick_wanted(const struct vmm_ring *ring, uint16_t before);
void vmm_ring_kick(struct vmm_ring *ring);
/* The next buffer given back; false: none. */
bool vmm_ring_used(struct vmm_ring *ring, unsigned int *id, uint32_t *length);
/* Interrupts: never, always, or once so many more buffers (split) or
 * descriptors (packed) were given back (event index). */
void vmm_ring_calls(struct vmm_ring *ring, bool wanted);
void vmm_ring_calls_after(struct vmm_ring *ring, uint16_t n);
/* Takes the interrupt, or the kick: whether there was one. */
bool vmm_ring_called(struct vmm_ring *ring);
bool vmm_ring_kicked(struct vmm_ring *ring);

#endif
