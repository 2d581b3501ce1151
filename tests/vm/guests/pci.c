/* PCI functions: configuration by ports, BARs, MSI-X. */
#include "virtio.h"

enum {
	PORT_ADDRESS = 0xcf8,
	PORT_DATA = 0xcfc,
	WINDOW = 0xd0000000, /* for BARs without an address */
	CAP_MSIX = 0x11,
};

static void select(unsigned int slot, unsigned int offset)
{
	out32(PORT_ADDRESS, 1u << 31 | slot << 11 | (offset & 0xfc));
}

uint32_t pci_read(unsigned int slot, unsigned int offset, unsigned int length)
{
	uint16_t port = PORT_DATA + (offset & 3);

	select(slot, offset);
	return length == 1 ? in8(port) : length == 2 ? in16(port) : in32(port);
}

void pci_write(unsigned int slot, unsigned int offset, unsigned int length,
	       uint32_t value)
{
	uint16_t port = PORT_DATA + (offset & 3);

	select(slot, offset);
	if (length == 1)
		out8(port, (uint8_t)value);
	else if (length == 2)
		out16(port, (uint16_t)value);
	else
		out32(port, value);
}

unsigned int pci_capability(const struct pci_device *device, uint8_t id,
			    unsigned int after)
{
	unsigned int at = after ? pci_read(device->slot, after + 1, 1)
				: pci_read(device->slot, 0x34, 1);

	for (unsigned int i = 0; at && i < 48; i++) {
		if (pci_read(device->slot, at, 1) == id)
			return at;
		at = pci_read(device->slot, at + 1, 1);
	}
	CHECK(!at, "slot %u: the capabilities are a loop", device->slot);
	return 0;
}

static uint64_t open_bar(unsigned int slot, unsigned int bar, uint64_t *size)
{
	unsigned int offset = 0x10 + 4 * bar;
	uint32_t before = pci_read(slot, offset, 4), mask;

	CHECK(!(before & 1), "slot %u: BAR %u is of ports", slot, bar);
	pci_write(slot, offset, 4, 0xffffffff);
	mask = pci_read(slot, offset, 4) & ~0xfu;
	CHECK(mask, "slot %u has no BAR %u", slot, bar);
	*size = ~mask + 1;
	if (!(before & ~0xfu))
		before = WINDOW + (slot << 20);
	pci_write(slot, offset, 4, before);
	if ((before & 6) == 4)
		CHECK(!pci_read(slot, offset + 4, 4), "BAR %u is high", bar);
	return before & ~0xfu;
}

bool pci_open(struct pci_device *device, unsigned int slot)
{
	uint32_t ids = pci_read(slot, 0, 4);
	uint32_t table;
	uint64_t size;

	if (ids == 0xffffffff)
		return false;
	memset(device, 0, sizeof(*device));
	device->slot = slot;
	device->vendor = (uint16_t)ids;
	device->id = ids >> 16;
	device->msix = pci_capability(device, CAP_MSIX, 0);
	pci_write(slot, 4, 2, 0);
	if (device->msix) {
		table = pci_read(slot, device->msix + 4, 4);
		device->n_vectors =
			(pci_read(slot, device->msix + 2, 2) & 0x7ff) + 1;
		device->msix_table =
			open_bar(slot, table & 7, &size) + (table & ~7u);
		CHECK((table & ~7u) + 16 * device->n_vectors <= size,
		      "slot %u: the MSI-X table ends behind its BAR", slot);
		table = pci_read(slot, device->msix + 8, 4);
		device->msix_pending =
			open_bar(slot, table & 7, &size) + (table & ~7u);
	}
	pci_write(slot, 4, 2, 6); /* memory, bus master */
	return true;
}

void msix_set(const struct pci_device *device, unsigned int n, uint64_t addr,
	      uint32_t data, bool masked)
{
	uint64_t entry = device->msix_table + 16 * n;

	write_uint32_t(entry, (uint32_t)addr);
	write_uint32_t(entry + 4, addr >> 32);
	write_uint32_t(entry + 8, data);
	write_uint32_t(entry + 12, masked);
}

void msix_enable(const struct pci_device *device, bool on)
{
	pci_write(device->slot, device->msix + 2, 2, on ? 1 << 15 : 0);
}

uint64_t pci_bar(struct pci_device *device, unsigned int bar)
{
	device->bar = bar;
	pci_write(device->slot, 4, 2, 0);
	device->bar_addr = open_bar(device->slot, bar, &device->bar_size);
	pci_write(device->slot, 4, 2, 6);
	return device->bar_addr;
}
