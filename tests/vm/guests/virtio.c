/* The PCI transport: finding the registers, negotiation, queues' set-up. */
#include "virtio.h"

enum {
	VENDOR = 0x1af4,
	FIRST_ID = 0x1040,
	CAP_VENDOR = 9,
	CFG_COMMON = 1,
	CFG_NOTIFY = 2,
	CFG_ISR = 3,
	CFG_DEVICE = 4,
	RESET_MS = 5000,
};

static void open_capability(struct virtio *device, unsigned int at)
{
	unsigned int slot = device->pci.slot;
	unsigned int kind = pci_read(slot, at + 3, 1);
	uint32_t offset = pci_read(slot, at + 8, 4);
	uint32_t length = pci_read(slot, at + 12, 4);
	uint64_t addr;

	if (kind < CFG_COMMON || kind > CFG_DEVICE)
		return;
	addr = pci_bar(&device->pci, pci_read(slot, at + 4, 1)) + offset;
	CHECK(offset + (uint64_t)length <= device->pci.bar_size,
	      "slot %u: registers %u end behind the BAR", slot, kind);
	if (kind == CFG_COMMON) {
		CHECK(length >= 56, "common configuration: %u bytes", length);
		device->common = addr;
	} else if (kind == CFG_NOTIFY) {
		device->notify = addr;
		device->notify_multiplier = pci_read(slot, at + 16, 4);
	} else if (kind == CFG_ISR) {
		device->isr = addr;
	} else {
		device->config = addr;
	}
}

bool virtio_open(struct virtio *device, unsigned int slot)
{
	unsigned int at = 0;

	memset(device, 0, sizeof(*device));
	if (!pci_open(&device->pci, slot) || device->pci.vendor != VENDOR)
		return false;
	/* 0x1000 and on are those that have an older interface, too. */
	if (device->pci.id >= FIRST_ID)
		device->type = device->pci.id - FIRST_ID;
	else
		device->type = pci_read(slot, 0x2e, 2);
	while ((at = pci_capability(&device->pci, CAP_VENDOR, at)))
		open_capability(device, at);
	CHECK(device->common && device->notify && device->isr,
	      "slot %u lacks registers", slot);
	return true;
}

bool virtio_find(struct virtio *device, unsigned int type, unsigned int nth)
{
	for (unsigned int slot = 0; slot < 32; slot++) {
		uint32_t ids = pci_read(slot, 0, 4);

		if ((ids & 0xffff) == VENDOR && virtio_open(device, slot) &&
		    device->type == type && nth-- == 0)
			return true;
	}
	return false;
}

void virtio_of_order(struct virtio *device, unsigned int type)
{
	uint64_t nth = number_argument("nth", 0);

	CHECK(virtio_find(device, type, (unsigned int)nth),
	      "there is no device %lu of type %u", nth, type);
}

uint8_t virtio_status(const struct virtio *device)
{
	return read_uint8_t(device->common + COMMON_STATUS);
}

static bool is_reset(void *device)
{
	return !virtio_status(device);
}

void virtio_reset(struct virtio *device)
{
	write_uint8_t(device->common + COMMON_STATUS, 0);
	CHECK(wait_for(is_reset, device, RESET_MS),
	      "the reset is not done after %u ms", RESET_MS);
	device->n_rings = 0;
}

static void set_status(struct virtio *device, uint8_t status)
{
	write_uint8_t(device->common + COMMON_STATUS, status);
}

static void want_flag(struct virtio *device, const char *flag, int feature,
		      uint64_t *wanted)
{
	*wanted &= ~(1ull << feature);
	if (!argument(flag) ||
	    (argument("if-offered") && !(device->offered >> feature & 1)))
		return;
	CHECK(device->offered >> feature & 1, "%s is not offered: %lx", flag,
	      device->offered);
	*wanted |= 1ull << feature;
}

void virtio_negotiate(struct virtio *device, uint64_t wanted)
{
	virtio_reset(device);
	set_status(device, STATUS_ACKNOWLEDGE);
	set_status(device, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	device->offered = 0;
	for (uint32_t i = 0; i < 2; i++) {
		write_uint32_t(device->common + COMMON_FEATURE_SELECT, i);
		device->offered |=
			(uint64_t)read_uint32_t(device->common + COMMON_FEATURE)
			<< 32 * i;
	}
	CHECK(device->offered >> VIRTIO_F_VERSION_1 & 1,
	      "VERSION_1 is not offered");
	want_flag(device, "packed", VIRTIO_F_PACKED, &wanted);
	want_flag(device, "event", VIRTIO_F_EVENT_IDX, &wanted);
	want_flag(device, "indirect", VIRTIO_F_INDIRECT, &wanted);
	device->features =
		device->offered & (wanted | 1ull << VIRTIO_F_VERSION_1);
	for (uint32_t i = 0; i < 2; i++) {
		write_uint32_t(device->common + COMMON_DRIVER_FEATURE_SELECT,
			       i);
		write_uint32_t(device->common + COMMON_DRIVER_FEATURE,
			       (uint32_t)(device->features >> 32 * i));
	}
	set_status(device,
		   STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
	CHECK(virtio_status(device) & STATUS_FEATURES_OK,
	      "features %lx were refused", device->features);
	if (device->pci.msix)
		msix_enable(&device->pci, true);
}

static void set_vector(struct virtio *device, unsigned int reg, unsigned int n,
		       unsigned int vector)
{
	msix_set(&device->pci, n, 0xfee00000, vector, false);
	write_uint16_t(device->common + reg, (uint16_t)n);
	CHECK(read_uint16_t(device->common + reg) == n,
	      "vector %u was not taken", n);
}

static void write_address(uint64_t at, const volatile void *place)
{
	write_uint32_t(at, (uint32_t)(uint64_t)place);
	write_uint32_t(at + 4, (uint64_t)place >> 32);
}

struct ring *virtio_ring(struct virtio *device, unsigned int index,
			 uint16_t size, uint16_t chain)
{
	struct ring *ring = &device->rings[device->n_rings];
	uint64_t common = device->common;
	uint16_t max, off;

	CHECK(device->n_rings++ < MAX_RINGS, "too many rings");
	CHECK(index < read_uint16_t(common + COMMON_NUM_QUEUES),
	      "there is no queue %u", index);
	write_uint16_t(common + COMMON_QUEUE_SELECT, (uint16_t)index);
	max = read_uint16_t(common + COMMON_QUEUE_SIZE);
	CHECK(max && max <= 1024, "queue %u has %u entries", index, max);
	memset(ring, 0, sizeof(*ring));
	ring->device = device;
	ring->index = (uint16_t)index;
	ring->size = size && size < max ? size : max;
	ring->chain = chain;
	write_uint16_t(common + COMMON_QUEUE_SIZE, ring->size);
	CHECK(read_uint16_t(common + COMMON_QUEUE_SIZE) == ring->size,
	      "queue %u: size %u was not taken", index, ring->size);
	off = read_uint16_t(common + COMMON_QUEUE_NOTIFY_OFF);
	ring->notify =
		device->notify + (uint64_t)off * device->notify_multiplier;
	ring->vector = VECTOR_FIRST + device->pci.slot * MAX_RINGS +
		       device->n_rings - 1;
	ring_init(ring);
	if (device->pci.n_vectors > device->n_rings)
		set_vector(device, COMMON_QUEUE_VECTOR, device->n_rings,
			   ring->vector);
	write_address(common + COMMON_QUEUE_DESC, ring->desc.split);
	write_address(common + COMMON_QUEUE_DRIVER, ring->avail);
	write_address(common + COMMON_QUEUE_DEVICE, ring->used);
	write_uint16_t(common + COMMON_QUEUE_ENABLE, 1);
	CHECK(read_uint16_t(common + COMMON_QUEUE_ENABLE) == 1,
	      "queue %u was not enabled", index);
	return ring;
}

void virtio_ready(struct virtio *device)
{
	if (device->pci.n_vectors)
		set_vector(device, COMMON_CONFIG_VECTOR, 0,
			   VECTOR_FIRST + device->pci.slot * MAX_RINGS +
				   MAX_RINGS - 1);
	set_status(device, STATUS_ACKNOWLEDGE | STATUS_DRIVER |
				   STATUS_FEATURES_OK | STATUS_DRIVER_OK);
	CHECK(!(virtio_status(device) & STATUS_NEEDS_RESET),
	      "it needs a reset at once");
}
