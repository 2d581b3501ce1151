/*
 * A device of vmm/virtio whose back end is ours, with guest memory, an event
 * loop and a driver, for tests that are the guest.
 */
#ifndef TESTS_UNIT_VMM_DEVICE_FIXTURE_H
#define TESTS_UNIT_VMM_DEVICE_FIXTURE_H

#include <event2/event.h>

#include "tests/support/vmm_driver.h"
#include "vmm/virtio/devices.h"

enum { DEVICE_MEMORY = 8 << 20, DEVICE_RINGS = 0x100000 };

struct device_fixture {
	struct guest_memory memory;
	struct event_base *loop;
	struct virtio_device *device;
	struct vmm_driver driver;
};

/* Memory and loop; the test then makes a device with them. */
void device_fixture_init(struct device_fixture *f);
/* Starts the driver of the device with the features, too. */
void device_fixture_start(struct device_fixture *f,
			  struct virtio_device *device, uint64_t features);
/* Resets and destroys the device, frees the rest. */
void device_fixture_uninit(struct device_fixture *f);

/* Carries out what is to be done in the loop, without waiting. */
void device_run(struct device_fixture *f);
/* Guest memory with these bytes; NULL: zeroes. */
uint64_t device_bytes(struct device_fixture *f, const void *data,
		      size_t length);
/* A buffer of one part that the device reads, or writes; kicked, and run. */
void device_send(struct device_fixture *f, unsigned int queue, const void *data,
		 size_t length);
uint64_t device_offer(struct device_fixture *f, unsigned int queue,
		      size_t length);
/* The next buffer that comes back; waits for it, fails when none comes. */
uint32_t device_wait_used(struct device_fixture *f, unsigned int queue);
bool device_is_used(struct device_fixture *f, unsigned int queue,
		    uint32_t *length);

#endif
