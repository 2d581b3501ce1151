/*
 * A virtio device on the PCI bus (vmm/virtio/virtio_pci.h), driven as Linux's
 * virtio_pci_modern does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "base/log.h"
#include "tests/support/vmm_pci_guest.h"
#include "vmm/machine/snapshot.h"
#include "vmm/virtio/virtio_pci_internal.h"
#include "vmm/virtio/virtqueue.h"

#define COMMON(FIELD) offsetof(struct virtio_pci_common_cfg, FIELD)
#define OFFERED                                                                \
	(VMM_FEATURE(VIRTIO_F_VERSION_1) | VMM_FEATURE(VIRTIO_F_RING_PACKED) | \
	 VMM_FEATURE(VIRTIO_RING_F_EVENT_IDX) | VMM_FEATURE(5))

enum {
	MEMORY = 2 << 20,
	RINGS = 0x10000,
	N_QUEUES = 3,
	CONFIG_SIZE = 20,
	SLOT = 4,
	DATA = 0x40,
};

static struct pci_guest guest;
static struct guest_memory memory;
static struct virtio_device device;
static struct virtio_pci *transport;
static struct vmm_driver driver;
static struct virtio_guest card;
static uint8_t config[CONFIG_SIZE];
static unsigned int n_woken, n_active, n_calls_changed, n_destroyed;

static void config_write(struct virtio_device *d, uint32_t offset,
			 const void *data, uint32_t length)
{
	assert_true(offset + length <= CONFIG_SIZE);
	memcpy(config + offset, data, length);
}

static int activate(struct virtio_device *d)
{
	n_active++;
	for (unsigned int i = 0; i < N_QUEUES; i++)
		if (d->queues[i].enabled)
			virtqueue_start(&d->queues[i]);
	return 0;
}

static void deactivate(struct virtio_device *d)
{
	n_active--;
}

static void call_changed(struct virtio_device *d, struct virtio_queue *queue)
{
	n_calls_changed++;
}

static void destroy(struct virtio_device *d)
{
	n_destroyed++;
	virtio_device_uninit(d);
}

static json_t *save(struct virtio_device *d)
{
	return json_integer(77);
}

static int restore(struct virtio_device *d, const json_t *state, char **errp)
{
	return json_integer_value(state) == 77
		       ? 0
		       : set_error(errp, -22, "not of this device");
}

static const struct virtio_ops ops = {
	.name = "test",
	.config_write = config_write,
	.activate = activate,
	.deactivate = deactivate,
	.call_changed = call_changed,
	.destroy = destroy,
	.save = save,
	.restore = restore,
};

static void on_wake(struct virtio_device *d)
{
	n_woken++;
}

static void plug(void)
{
	static const uint16_t sizes[N_QUEUES] = { 8, 16, 256 };

	memset(&device, 0, sizeof(device));
	virtio_device_init(&device, &ops, &memory, N_QUEUES, sizes);
	device.type = 1;
	device.config = config;
	device.config_size = CONFIG_SIZE;
	device.offered = OFFERED;
	for (unsigned int i = 0; i < CONFIG_SIZE; i++)
		config[i] = i;
	n_woken = n_active = n_calls_changed = n_destroyed = 0;
	transport = virtio_pci_create(guest.pci, SLOT, false,
				      &guest.mock.hypervisor, &device, on_wake,
				      NULL);
	assert_non_null(transport);
	virtio_guest_find(&card, &guest, SLOT);
}

static int setup(void **state)
{
	pci_guest_init(&guest);
	if (guest_memory_create(&memory, MEMORY, false, NULL))
		return -1;
	plug();
	return 0;
}

static int teardown(void **state)
{
	if (transport)
		virtio_pci_destroy(transport);
	transport = NULL;
	assert_int_equal(n_destroyed, 1);
	assert_int_equal(n_active, 0);
	assert_int_equal(guest.mock.n_ioeventfds, 0);
	assert_int_equal(guest.mock.n_irqfds, 0);
	pci_guest_uninit(&guest);
	guest_memory_destroy(&memory);
	return 0;
}

static uint32_t load(unsigned int at, unsigned int length)
{
	return pci_guest_load(&guest, card.common + at, length);
}

static void store(unsigned int at, unsigned int length, uint32_t value)
{
	pci_guest_store(&guest, card.common + at, length, value);
}

static void start_with(uint64_t features, bool shared)
{
	vmm_driver_init(&driver, &device, &memory, RINGS, features);
	assert_int_equal(virtio_guest_features(&card), OFFERED);
	assert_true(virtio_guest_set_up(&card, &driver, DATA, shared));
	virtio_guest_set_status(&card, 15);
	assert_int_equal(n_woken, 1);
	virtio_device_settle(&device);
	assert_int_equal(n_active, 1);
	assert_int_equal(virtio_guest_status(&card), 15);
}

static void reset(void)
{
	virtio_guest_set_status(&card, 0);
	assert_int_not_equal(virtio_guest_status(&card), 0);
	virtio_device_settle(&device);
	assert_int_equal(virtio_guest_status(&card), 0);
	assert_int_equal(n_active, 0);
	n_woken = 0;
}

/* One buffer there and back, with kick and interrupt. */
static void echo(unsigned int queue, uint32_t data)
{
	struct vmm_ring *ring = &driver.rings[queue];
	struct vmm_part parts[] = { { 0x1000, 10 }, { 0x2000, 20 } };
	struct virtqueue_chain chain;
	uint32_t length;
	unsigned int id;
	int added = vmm_ring_add(ring, parts, 1, 1, false);

	assert_true(added >= 0);
	assert_false(virtio_guest_kick(&card, queue));
	assert_true(vmm_ring_kicked(ring));
	assert_true(virtqueue_pop(&device.queues[queue], &chain));
	assert_int_equal(chain.out_length, 10);
	virtqueue_push(&device.queues[queue], &chain, 20);
	virtqueue_notify(&device.queues[queue]);
	assert_int_equal(mock_take_interrupts(&guest.mock, data), 1);
	assert_true(vmm_ring_used(ring, &id, &length));
	assert_int_equal(id, added);
	assert_int_equal(length, 20);
}

static void test_ids(void **state)
{
	assert_int_equal(pci_guest_read(&guest, SLOT, 0, 4), 0x10411af4);
	assert_int_equal(pci_guest_read(&guest, SLOT, PCI_CLASS_DEVICE, 2),
			 0x0200);
	assert_true(pci_guest_read(&guest, SLOT, PCI_REVISION_ID, 1) >= 1);
	assert_true(pci_guest_read(&guest, SLOT, PCI_SUBSYSTEM_ID, 2) >= 0x40);
	assert_int_not_equal(card.common, 0);
	assert_int_not_equal(card.notify, 0);
	assert_int_not_equal(card.isr, 0);
	assert_int_not_equal(card.config, 0);
	assert_int_equal(guest.mock.n_ioeventfds, N_QUEUES);
}

static void test_driver(void **state)
{
	static const uint64_t features[] = {
		0,
		VMM_FEATURE(VIRTIO_RING_F_EVENT_IDX),
		VMM_FEATURE(VIRTIO_F_RING_PACKED),
		VMM_FEATURE(VIRTIO_F_RING_PACKED) |
			VMM_FEATURE(VIRTIO_RING_F_EVENT_IDX),
	};

	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		start_with(features[i], false);
		for (unsigned int turn = 0; turn < 600; turn++) {
			if (features[i] & VMM_FEATURE(VIRTIO_RING_F_EVENT_IDX))
				vmm_ring_calls(&driver.rings[turn % 3], true);
			echo(turn % 3, DATA + 1 + turn % 3);
		}
		reset();
	}
}

static void test_shared_vector(void **state)
{
	start_with(0, true);
	echo(0, DATA + 1);
	echo(2, DATA + 1);
	reset();
}

/* Masked: the interrupt waits; the queue goes on with another vector. */
static void test_vectors(void **state)
{
	struct vmm_part part = { 0x1000, 4 };
	struct virtqueue_chain chain;

	start_with(0, false);
	pci_guest_mask_vector(&guest, SLOT, 1, true);
	vmm_ring_add(&driver.rings[0], &part, 1, 0, false);
	assert_true(virtqueue_pop(&device.queues[0], &chain));
	virtqueue_push(&device.queues[0], &chain, 0);
	virtqueue_notify(&device.queues[0]);
	assert_int_equal(mock_take_interrupts(&guest.mock, DATA + 1), 0);
	pci_guest_mask_vector(&guest, SLOT, 1, false);
	assert_int_equal(mock_take_interrupts(&guest.mock, DATA + 1), 1);
	store(COMMON(queue_select), 2, 0);
	store(COMMON(queue_msix_vector), 2, 2);
	assert_int_equal(n_calls_changed, 1);
	assert_int_equal(load(COMMON(queue_msix_vector), 2), 2);
	store(COMMON(queue_msix_vector), 2, N_QUEUES + 1);
	assert_int_equal(load(COMMON(queue_msix_vector), 2),
			 VIRTIO_MSI_NO_VECTOR);
	assert_int_equal(device.queues[0].call_fd, -1);
	store(COMMON(msix_config), 2, 1000);
	assert_int_equal(load(COMMON(msix_config), 2), VIRTIO_MSI_NO_VECTOR);
	reset();
}

static void test_negotiation(void **state)
{
	vmm_driver_init(&driver, &device, &memory, RINGS, VMM_FEATURE(6));
	assert_false(virtio_guest_set_up(&card, &driver, DATA, false));
	assert_int_equal(device.negotiated, 0);
	vmm_driver_init(&driver, &device, &memory, RINGS, 0);
	driver.features = 0; /* a legacy driver */
	assert_false(virtio_guest_set_up(&card, &driver, DATA, false));
	virtio_guest_set_status(&card, 0);
	assert_int_equal(virtio_guest_status(&card), 0);
	start_with(0, false);
	/* They do not change any more. */
	store(COMMON(guest_feature_select), 4, 0);
	store(COMMON(guest_feature), 4, VMM_FEATURE(5));
	virtio_guest_set_status(&card, 15);
	assert_int_equal(device.negotiated, VMM_FEATURE(VIRTIO_F_VERSION_1));
	reset();
}

/* Registers are what they are for, or not written. */
static void test_hostile_registers(void **state)
{
	uint64_t desc;

	store(COMMON(queue_desc_lo), 4, 0x1000); /* before FEATURES_OK */
	assert_int_equal(load(COMMON(queue_desc_lo), 4), 0);
	start_with(0, false);
	desc = device.queues[0].desc;
	store(COMMON(queue_select), 2, 0);
	store(COMMON(queue_desc_lo), 4, 0x1000);
	store(COMMON(queue_desc_hi), 4, 0x1000);
	store(COMMON(queue_size), 2, 4);
	store(COMMON(queue_enable), 2, 0);
	assert_int_equal(device.queues[0].desc, desc);
	assert_int_equal(device.queues[0].size, 8);
	assert_true(device.queues[0].enabled);
	/* no such queue */
	store(COMMON(queue_select), 2, 3);
	assert_int_equal(load(COMMON(queue_size), 2), 0);
	assert_int_equal(load(COMMON(queue_msix_vector), 2), 0xffff);
	store(COMMON(queue_size), 2, 3);
	store(COMMON(queue_msix_vector), 2, 1);
	/* sizes that registers do not have, and places where there are none */
	store(COMMON(queue_select), 4, 1);
	store(COMMON(queue_select), 1, 1);
	assert_int_equal(load(COMMON(queue_select), 2), 3);
	store(COMMON(num_queues), 2, 9);
	assert_int_equal(load(COMMON(num_queues), 2), N_QUEUES);
	store(sizeof(struct virtio_pci_common_cfg), 4, 9);
	assert_int_equal(load(sizeof(struct virtio_pci_common_cfg), 4), 0);
	assert_int_equal(pci_guest_load(&guest, card.config + 16, 4),
			 0x13121110);
	assert_int_equal(pci_guest_load(&guest, card.config + 16, 8), 0);
	pci_guest_store(&guest, card.config + 16, 8, 0);
	assert_int_equal(config[16], 16);
	pci_guest_store(&guest, card.config + 16, 1, 0);
	assert_int_equal(config[16], 0);
	/* a kick for a queue that is not there */
	pci_guest_store(&guest, card.notify + 4 * N_QUEUES, 4, 0);
	/* DRIVER_OK taken back is not done */
	virtio_guest_set_status(&card, 11);
	assert_int_equal(virtio_guest_status(&card), 15);
	/* while it is reset, nothing else counts */
	virtio_guest_set_status(&card, 0);
	virtio_guest_set_status(&card, 15);
	virtio_guest_set_status(&card, 128);
	virtio_device_settle(&device);
	assert_int_equal(virtio_guest_status(&card), 0);
	n_woken = 0;
	/* a ring that is not memory */
	vmm_driver_init(&driver, &device, &memory, RINGS, 0);
	driver.rings[2].used = 0xfffffffffffffff0;
	assert_true(virtio_guest_set_up(&card, &driver, DATA, false));
	virtio_guest_set_status(&card, 15);
	virtio_device_settle(&device);
	assert_int_equal(n_active, 0);
	assert_int_equal(virtio_guest_status(&card), 15 | 64);
	assert_int_equal(mock_take_interrupts(&guest.mock, DATA), 1);
	virtio_guest_set_status(&card, 0);
	assert_int_equal(virtio_guest_status(&card), 0);
}

static void change_config(void)
{
	pthread_mutex_lock(&device.lock);
	virtio_config_changed(&device);
	pthread_mutex_unlock(&device.lock);
}

static void test_config_changed(void **state)
{
	uint8_t generation = load(COMMON(config_generation), 1);

	change_config(); /* nobody listens */
	start_with(0, false);
	assert_int_equal(load(COMMON(config_generation), 1),
			 (uint8_t)(generation + 1));
	assert_int_equal(pci_guest_load(&guest, card.isr, 1), 0);
	change_config();
	assert_int_equal(mock_take_interrupts(&guest.mock, DATA), 1);
	assert_int_equal(pci_guest_load(&guest, card.isr, 1), 2);
	assert_int_equal(pci_guest_load(&guest, card.isr, 1), 0);
	reset();
}

/* A driver that cannot map the BAR (4.1.4.9). */
static void test_config_access(void **state)
{
	unsigned int cap = pci_guest_find(&guest, SLOT, PCI_CAP_ID_VNDR,
					  VIRTIO_PCI_CAP_PCI_CFG);
	uint32_t offset = card.common & 0x3fff;
	struct vmm_ring *ring;

	start_with(0, false);
	ring = &driver.rings[1];
	pci_guest_write(&guest, SLOT, cap + 4, 1, 0);
	pci_guest_write(&guest, SLOT, cap + 8, 4, offset + COMMON(num_queues));
	pci_guest_write(&guest, SLOT, cap + 12, 4, 2);
	assert_int_equal(pci_guest_read(&guest, SLOT, cap + 16, 2), N_QUEUES);
	pci_guest_write(&guest, SLOT, cap + 8, 4,
			(card.notify & 0x3fff) + card.notify_step);
	pci_guest_write(&guest, SLOT, cap + 16, 4, 1);
	assert_true(vmm_ring_kicked(ring));
	assert_int_equal(device.n_kicks, 1);
	/* what is not allowed */
	for (unsigned int length = 0; length < 10; length++) {
		pci_guest_write(&guest, SLOT, cap + 12, 4, length);
		pci_guest_write(&guest, SLOT, cap + 8, 4, 0xfffffff0);
		pci_guest_write(&guest, SLOT, cap + 16, 4, 1);
		pci_guest_read(&guest, SLOT, cap + 16, 4);
		pci_guest_write(&guest, SLOT, cap + 8, 4, 3);
		pci_guest_write(&guest, SLOT, cap + 16, 4, 1);
		pci_guest_read(&guest, SLOT, cap + 16, 4);
		pci_guest_write(&guest, SLOT, cap + 4, 1, length & 1);
	}
	reset();
}

/* The BAR moves under a device at work: notifications go with it. */
static void test_moved(void **state)
{
	start_with(0, false);
	pci_guest_write(&guest, SLOT, PCI_BASE_ADDRESS_0, 4, 0xd0000000);
	assert_int_equal(guest.mock.n_ioeventfds, N_QUEUES);
	assert_false(mock_notify(&guest.mock, card.notify));
	virtio_guest_find(&card, &guest, SLOT);
	echo(0, DATA + 1);
	pci_guest_write(&guest, SLOT, PCI_COMMAND, 2, 0);
	assert_int_equal(guest.mock.n_ioeventfds, 0);
	pci_guest_enable(&guest, SLOT);
	reset();
}

static json_t *stop_and_save(void)
{
	json_t *saved;

	pthread_mutex_lock(&device.lock);
	virtio_device_stop(&device);
	pthread_mutex_unlock(&device.lock);
	saved = virtio_pci_save(transport);
	assert_non_null(saved);
	virtio_pci_destroy(transport);
	return saved;
}

static void test_saved(void **state)
{
	uint64_t packed = VMM_FEATURE(VIRTIO_F_RING_PACKED);

	for (unsigned int i = 0; i < 2; i++) {
		json_t *saved;

		start_with(i ? packed : 0, false);
		for (unsigned int turn = 0; turn < 29; turn++)
			echo(turn % 2, DATA + 1 + turn % 2);
		saved = stop_and_save();
		plug();
		assert_int_equal(virtio_pci_restore(transport, saved, NULL), 0);
		assert_int_equal(n_active, 1);
		assert_int_equal(virtio_guest_status(&card), 15);
		/* a kick may have been lost, as far as the device knows */
		for (unsigned int q = 0; q < N_QUEUES; q++)
			assert_true(vmm_ring_kicked(&driver.rings[q]));
		for (unsigned int turn = 0; turn < 29; turn++)
			echo(turn % 3, DATA + 1 + turn % 3);
		json_decref(saved);
		reset();
	}
}

static void check_refused(const json_t *saved)
{
	char *error = NULL;

	plug();
	assert_int_equal(virtio_pci_restore(transport, saved, &error), -22);
	assert_non_null(error);
	free(error);
	assert_int_equal(n_active, 0);
	virtio_pci_destroy(transport);
}

static void test_saved_hostile(void **state)
{
	static const char *const keys[] = { "registers", "pci", "device" };
	size_t length = offsetof(struct virtio_pci_saved, queues[N_QUEUES]);
	struct virtio_pci_saved good, bad;
	json_t *saved, *copy;

	start_with(0, false);
	saved = stop_and_save();
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		copy = json_deep_copy(saved);
		json_object_del(copy, keys[i]);
		check_refused(copy);
		json_decref(copy);
	}
#define CHANGE(field, value)                                                   \
	(bad.field = (value),                                                  \
	 json_object_set_new(saved, "registers",                               \
			     snapshot_bytes(&bad, length)))
	assert_int_equal(
		snapshot_from_bytes(json_object_get(saved, "registers"), &good,
				    length),
		0);
	bad = good;
	CHANGE(negotiated, UINT64_MAX);
	check_refused(saved);
	/* at work, but with features that could be negotiated once more */
	bad = good;
	CHANGE(status, 7);
	check_refused(saved);
	bad = good;
	CHANGE(queues[0].size, 9);
	check_refused(saved);
	CHANGE(queues[0].size, 0xffff);
	check_refused(saved);
	json_object_set_new(saved, "registers",
			    snapshot_bytes(&good, length - 1));
	check_refused(saved);
	/* What only hurts the guest is its own: it is told. */
	bad = good;
	CHANGE(queues[0].desc, -16);
	CHANGE(queues[0].vector, 12345);
	plug();
	assert_int_equal(virtio_pci_restore(transport, saved, NULL), 0);
	assert_int_equal(n_active, 0);
	assert_int_equal(virtio_guest_status(&card), 15 | 64);
	json_decref(saved);
}

/* Reset by the monitor, and unplugged while it works. */
static void test_machine_reset(void **state)
{
	start_with(0, false);
	virtio_pci_reset(transport);
	pci_bus_reset(guest.pci);
	assert_int_equal(n_active, 0);
	virtio_guest_find(&card, &guest, SLOT);
	assert_int_equal(virtio_guest_status(&card), 0);
	assert_int_equal(load(COMMON(msix_config), 2), VIRTIO_MSI_NO_VECTOR);
	n_woken = 0;
	start_with(0, false);
	echo(0, DATA + 1);
}

int main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_ids),
		TEST(test_driver),
		TEST(test_shared_vector),
		TEST(test_vectors),
		TEST(test_negotiation),
		TEST(test_hostile_registers),
		TEST(test_config_changed),
		TEST(test_config_access),
		TEST(test_moved),
		TEST(test_saved),
		TEST(test_saved_hostile),
		TEST(test_machine_reset),
	};

	log_set("off", NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
