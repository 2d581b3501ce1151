/*
 * Two vCPUs that access all of a virtio card's registers at once, an I/O thread
 * that works on its rings, and a control thread that activates, resets, moves
 * and unplugs it: for the thread sanitizer, and for what never returns.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "base/log.h"
#include "tests/support/vmm_pci_guest.h"
#include "vmm/virtio/virtqueue.h"

#define COMMON(FIELD) offsetof(struct virtio_pci_common_cfg, FIELD)

enum { MEMORY = 2 << 20, RINGS = 0x10000, SLOT = 4, CARDS = 100 };

static struct pci_guest guest;
static struct guest_memory memory;
static struct virtio_device device;
static struct vmm_driver layout; /* where rings are: never changes */
static _Atomic unsigned int n_gone, n_active, n_activations;
static _Atomic bool running;
static uint8_t config[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };

static int activate(struct virtio_device *d)
{
	n_active++;
	n_activations++;
	for (unsigned int i = 0; i < d->n_queues; i++)
		if (d->queues[i].enabled)
			virtqueue_start(&d->queues[i]);
	return 0;
}

static void deactivate(struct virtio_device *d)
{
	n_active--;
}

static void destroy(struct virtio_device *d)
{
}

static const struct virtio_ops ops = {
	.name = "test",
	.activate = activate,
	.deactivate = deactivate,
	.destroy = destroy,
};

static void on_wake(struct virtio_device *d)
{
}

static struct virtio_pci *plug(bool hot)
{
	struct virtio_pci *transport;

	transport =
		virtio_pci_create(guest.pci, SLOT, hot, &guest.mock.hypervisor,
				  &device, on_wake, NULL);
	assert_non_null(transport);
	return transport;
}

/* The BAR's structures are where they are in the first card, in each card. */
static void poke_registers(struct virtio_guest *card, unsigned int i)
{
	static const uint8_t statuses[] = { 1, 3, 11, 15, 15, 0 };
	uint64_t bar = i & 64 ? 0xd0000000 : 0xc4000000;

	pci_guest_write(&guest, SLOT, PCI_BASE_ADDRESS_0, 4, bar);
	pci_guest_write(&guest, SLOT, PCI_COMMAND, 2,
			i % 50 ? PCI_COMMAND_MEMORY : 0);
	card->common = bar;
	card->notify = bar + 0x1000;
	for (unsigned int k = 0; k < 56; k += 4)
		pci_guest_load(&guest, bar + k, 4);
	pci_guest_load(&guest, bar + 0x400, 4);
	if (i % 7 == 0)
		virtio_guest_set_up(card, &layout, 0x40, i & 1);
	else
		virtio_guest_set_status(card, statuses[i % 6]);
	pci_guest_store(&guest, bar + 0x2000 + 12, 4, i & 1);
	pci_guest_store(&guest, bar + 0x2000 + 8, 4, i);
	pci_guest_load(&guest, bar + 0x3000, 8);
	pci_guest_store(&guest, card->notify, 2, 0);
	pci_guest_store(&guest, bar + COMMON(queue_msix_vector), 2, i % 4);
	pci_guest_out(&guest, 0xcf8, 4, 0x80002000 | i % 60);
	pci_guest_in(&guest, 0xcfc, 4);
	pci_guest_in(&guest, 0x620, 4);
	pci_guest_out(&guest, 0x628, 4, 1u << SLOT);
	mock_notify(&guest.mock, card->notify);
}

static void *vcpu(void *arg)
{
	struct virtio_guest card = { .guest = &guest,
				     .slot = SLOT,
				     .notify_step = 4 };

	for (unsigned int i = 0; running; i++)
		poke_registers(&card, i * 3 + (arg ? 1 : 0));
	return NULL;
}

static void *io(void *arg)
{
	static struct virtqueue_chain chain;

	while (running) {
		pthread_mutex_lock(&device.lock);
		for (unsigned int i = 0; device.active && i < device.n_queues;
		     i++) {
			struct virtio_queue *queue = &device.queues[i];

			if (!queue->enabled)
				continue;
			while (virtqueue_pop(queue, &chain))
				virtqueue_push(queue, &chain, 0);
			virtqueue_notify(queue);
		}
		if (device.active)
			virtio_config_changed(&device);
		pthread_mutex_unlock(&device.lock);
		sched_yield();
	}
	return NULL;
}

static void on_gone(void *aux, struct pci_function *function)
{
	n_gone++;
}

/* As the control thread: one life of a card. */
static void live(unsigned int i)
{
	struct virtio_pci *transport = plug(i & 1);

	for (unsigned int turn = 0; turn < 100; turn++) {
		virtio_device_settle(&device);
		if (turn % 10 == 9)
			virtio_pci_reset(transport);
		if (turn % 40 == 39)
			pci_bus_reset(guest.pci);
		if (turn % 50 == 20) {
			json_t *state = virtio_pci_save(transport);

			assert_non_null(state);
			json_decref(state);
		}
		sched_yield();
	}
	if (i & 2)
		pci_request_eject(virtio_pci_function(transport), on_gone,
				  NULL);
	sched_yield();
	virtio_pci_destroy(transport);
	assert_int_equal(n_active, 0);
}

static void test_threads(void **state)
{
	static const uint16_t sizes[] = { 8, 16 };
	pthread_t vcpus[2], io_thread;

	pci_guest_init(&guest);
	assert_int_equal(guest_memory_create(&memory, MEMORY, false, NULL), 0);
	virtio_device_init(&device, &ops, &memory, 2, sizes);
	device.type = 1;
	device.config = config;
	device.config_size = sizeof(config);
	device.offered = VMM_FEATURE(VIRTIO_F_VERSION_1);
	layout.device = &device;
	layout.memory = &memory;
	layout.features = device.offered;
	layout.next = RINGS;
	for (unsigned int i = 0; i < 2; i++)
		vmm_ring_init(&layout.rings[i], &layout, i, sizes[i]);
	running = true;
	pthread_create(&io_thread, NULL, io, NULL);
	for (size_t i = 0; i < 2; i++)
		pthread_create(&vcpus[i], NULL, vcpu, i ? &guest : NULL);
	/* and on, until everything happened that is to happen */
	for (unsigned int i = 0; i < CARDS || n_activations < 10 || !n_gone;
	     i++)
		live(i);
	running = false;
	for (size_t i = 0; i < 2; i++)
		pthread_join(vcpus[i], NULL);
	pthread_join(io_thread, NULL);
	assert_int_equal(guest.mock.n_ioeventfds, 0);
	assert_int_equal(guest.mock.n_irqfds, 0);
	virtio_device_uninit(&device);
	pci_guest_uninit(&guest);
	guest_memory_destroy(&memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads),
	};

	log_set("off", NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
