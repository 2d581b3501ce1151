/* A device of vmm/virtio for tests. */
#include "vmm_device_fixture.h"

#include <event2/thread.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

void device_fixture_init(struct device_fixture *f)
{
	memset(f, 0, sizeof *f);
	evthread_use_pthreads();
	assert_int_equal(
		guest_memory_create(&f->memory, DEVICE_MEMORY, false, NULL), 0);
	f->loop = event_base_new();
}

void device_fixture_start(struct device_fixture *f,
			  struct virtio_device *device, uint64_t features)
{
	assert_non_null(device);
	f->device = device;
	vmm_driver_init(&f->driver, device, &f->memory, DEVICE_RINGS, features);
	assert_true(vmm_driver_start(&f->driver));
	device_run(f);
}

void device_fixture_uninit(struct device_fixture *f)
{
	if (f->device) {
		vmm_driver_reset(&f->driver);
		vmm_driver_uninit(&f->driver);
		f->device->ops->destroy(f->device);
	}
	event_base_free(f->loop);
	guest_memory_destroy(&f->memory);
}

void device_run(struct device_fixture *f)
{
	for (int i = 0; i < 8; i++)
		event_base_loop(f->loop, EVLOOP_NONBLOCK);
}

uint64_t device_bytes(struct device_fixture *f, const void *data, size_t length)
{
	uint64_t addr = vmm_driver_alloc(&f->driver, length, 16);

	if (data)
		memcpy(vmm_driver_at(&f->driver, addr), data, length);
	else
		memset(vmm_driver_at(&f->driver, addr), 0, length);
	return addr;
}

static void give(struct device_fixture *f, unsigned int queue, uint64_t addr,
		 size_t length, bool in)
{
	struct vmm_part part = { addr, length };

	assert_true(vmm_ring_add(&f->driver.rings[queue], &part, !in, in,
				 false) >= 0);
	vmm_ring_kick(&f->driver.rings[queue]);
	device_run(f);
}

void device_send(struct device_fixture *f, unsigned int queue, const void *data,
		 size_t length)
{
	give(f, queue, device_bytes(f, data, length), length, false);
}

uint64_t device_offer(struct device_fixture *f, unsigned int queue,
		      size_t length)
{
	uint64_t addr = device_bytes(f, NULL, length);

	give(f, queue, addr, length, true);
	return addr;
}

bool device_is_used(struct device_fixture *f, unsigned int queue,
		    uint32_t *length)
{
	unsigned int id;

	device_run(f);
	return vmm_ring_used(&f->driver.rings[queue], &id, length);
}

uint32_t device_wait_used(struct device_fixture *f, unsigned int queue)
{
	struct pollfd call = { f->device->queues[queue].call_fd, POLLIN, 0 };
	uint32_t length = 0;

	for (int i = 0; i < 1000; i++) {
		if (device_is_used(f, queue, &length))
			return length;
		poll(&call, 1, 10);
		vmm_ring_called(&f->driver.rings[queue]);
	}
	fail_msg("the device gives no buffer back");
	return 0;
}
