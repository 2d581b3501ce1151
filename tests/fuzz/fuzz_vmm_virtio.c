/*
 * A virtio device on the PCI bus, all of it at once: a guest's accesses to its
 * registers in any order, memory of any content, a back end that works on the
 * rings, resets, moves of the BAR, and saving and restoring in between. With 1
 * as the first byte the rest is text: a saved state, of anybody's making.
 *
 * Of each action: what (1 byte), how (1), where (2), value (8).
 */
#include <string.h>

#include "base/log.h"
#include "fuzz_input.h"
#include "tests/support/vmm_pci_guest.h"
#include "vmm/virtio/virtqueue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FEATURES                                                               \
	(VMM_FEATURE(VIRTIO_F_VERSION_1) | VMM_FEATURE(VIRTIO_F_RING_PACKED) | \
	 VMM_FEATURE(VIRTIO_RING_F_EVENT_IDX) |                                \
	 VMM_FEATURE(VIRTIO_RING_F_INDIRECT_DESC))

enum {
	MEMORY = 2 << 20,
	USED_MEMORY = 16384, /* of it, by inputs */
	CONFIG_SIZE = 13,
	SLOT = 1,
	MAX_ACTIONS = 200,
};

static struct pci_guest guest;
static struct guest_memory memory;
static struct virtio_device device;
static struct virtio_pci *transport;
static struct virtio_guest card;
static struct vmm_driver driver;
static bool active, destroyed;
static uint8_t config[CONFIG_SIZE];

static void config_write(struct virtio_device *d, uint32_t offset,
			 const void *data, uint32_t length)
{
	MUST(length && offset + length <= CONFIG_SIZE);
}

static int activate(struct virtio_device *d)
{
	MUST(!active && d->negotiated);
	for (unsigned int i = 0; i < d->n_queues; i++)
		if (d->queues[i].enabled)
			virtqueue_start(&d->queues[i]);
	active = true;
	return 0;
}

static void deactivate(struct virtio_device *d)
{
	MUST(active);
	active = false;
}

static void destroy(struct virtio_device *d)
{
	MUST(!active);
	destroyed = true;
	virtio_device_uninit(d);
}

static const struct virtio_ops ops = {
	.name = "fuzz",
	.config_write = config_write,
	.activate = activate,
	.deactivate = deactivate,
	.destroy = destroy,
};

static void on_wake(struct virtio_device *d)
{
	MUST(d->unsettled);
}

static void plug(void)
{
	static const uint16_t sizes[] = { 8, 1, 64 };

	memset(&device, 0, sizeof(device));
	virtio_device_init(&device, &ops, &memory, ARRAY_SIZE(sizes), sizes);
	device.type = 2;
	device.config = config;
	device.config_size = CONFIG_SIZE;
	device.offered = FEATURES;
	transport = virtio_pci_create(guest.pci, SLOT, false,
				      &guest.mock.hypervisor, &device, on_wake,
				      NULL);
	MUST(transport);
	virtio_guest_find(&card, &guest, SLOT);
}

/* The back end: all buffers of a queue, echoed. */
static void work(struct virtio_queue *queue)
{
	static struct virtqueue_chain chain;
	uint8_t bytes[256];

	pthread_mutex_lock(&device.lock);
	for (unsigned int n = 0; active && queue->enabled && n < 100 &&
				 virtqueue_pop(queue, &chain);
	     n++) {
		size_t length = virtqueue_read(&chain, n, bytes, sizeof(bytes));

		length = virtqueue_write(&chain, 0, bytes, length);
		virtqueue_push(queue, &chain, length);
	}
	if (active && queue->enabled)
		virtqueue_notify(queue);
	pthread_mutex_unlock(&device.lock);
}

/* As a driver that knows what it does, so that inputs get anywhere. */
static void set_up(uint64_t features)
{
	virtio_guest_set_status(&card, 0);
	virtio_device_settle(&device);
	vmm_driver_init(&driver, &device, &memory, 0x100, features & FEATURES);
	virtio_guest_find(&card, &guest, SLOT);
	if (!virtio_guest_set_up(&card, &driver, 0x40, features & 1))
		return;
	virtio_guest_set_status(&card, 15);
	virtio_device_settle(&device);
}

static void save_and_restore(void)
{
	json_t *state;

	virtio_device_settle(&device);
	pthread_mutex_lock(&device.lock);
	virtio_device_stop(&device);
	pthread_mutex_unlock(&device.lock);
	state = virtio_pci_save(transport);
	MUST(state);
	virtio_pci_destroy(transport);
	plug();
	MUST(!virtio_pci_restore(transport, state, NULL));
	json_decref(state);
}

static void act(const uint8_t **data, size_t *size)
{
	struct {
		uint8_t what, how, where[2], value[8];
	} in;
	unsigned int where, length;
	uint64_t value;

	fuzz_take(data, size, &in, sizeof(in));
	memcpy(&value, in.value, sizeof(value));
	where = in.where[0] | in.where[1] << 8;
	length = 1u << (in.how & 3);
	switch (in.what & 15) {
	case 0:
	case 1:
		pci_guest_store(&guest, card.common + where % 64, length,
				value);
		break;
	case 2:
		pci_guest_load(&guest, card.common + where % 64, length);
		break;
	case 3:
		pci_guest_store(&guest, card.common + where % 0x4000, length,
				value);
		break;
	case 4:
		pci_guest_load(&guest, card.common + where % 0x4000, length);
		break;
	case 5:
		pci_guest_write(&guest, SLOT, where & 255, MIN(length, 4u),
				value);
		break;
	case 6:
		pci_guest_read(&guest, SLOT, where & 255, MIN(length, 4u));
		break;
	case 7:
		memcpy(memory.base + where % (USED_MEMORY - 8), &value, 8);
		break;
	case 8:
	case 9:
		work(&device.queues[in.how % 3]);
		break;
	case 10:
		virtio_device_settle(&device);
		break;
	case 11:
		set_up(value);
		break;
	case 12:
		save_and_restore();
		break;
	case 13:
		pthread_mutex_lock(&device.lock);
		virtio_config_changed(&device);
		pthread_mutex_unlock(&device.lock);
		break;
	case 14:
		virtio_pci_reset(transport);
		if (in.how & 1)
			pci_bus_reset(guest.pci);
		break;
	default:
		virtio_guest_find(&card, &guest, SLOT);
	}
}

static void restore_text(const uint8_t *data, size_t size)
{
	json_t *state = json_loadb((const char *)data, size, 0, NULL);
	char *error = NULL;

	if (!state)
		return;
	if (virtio_pci_restore(transport, state, &error))
		MUST(error);
	free(error);
	json_decref(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t kind;

	log_set("off", NULL);
	if (!memory.base)
		MUST(!guest_memory_create(&memory, MEMORY, false, NULL));
	memset(memory.base, 0, USED_MEMORY);
	pci_guest_init(&guest);
	active = destroyed = false;
	plug();
	fuzz_take(&data, &size, &kind, 1);
	if (kind == 1)
		restore_text(data, size);
	else
		for (unsigned int i = 0; size && i < MAX_ACTIONS; i++)
			act(&data, &size);
	work(&device.queues[0]);
	virtio_pci_destroy(transport);
	MUST(destroyed && !guest.mock.n_irqfds && !guest.mock.n_ioeventfds);
	pci_guest_uninit(&guest);
	return 0;
}
