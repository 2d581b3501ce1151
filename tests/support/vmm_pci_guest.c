/* A guest on the PCI bus (vmm_pci_guest.h). */
#include "vmm_pci_guest.h"

#include "vmm/x86/layout.h"

#define COMMON(FIELD) offsetof(struct virtio_pci_common_cfg, FIELD)

void pci_guest_init(struct pci_guest *guest)
{
	mock_hypervisor_init(&guest->mock);
	guest->mmio = bus_create();
	guest->pio = bus_create();
	guest->pci = pci_bus_create(guest->mmio, guest->pio,
				    &guest->mock.hypervisor);
}

void pci_guest_uninit(struct pci_guest *guest)
{
	pci_bus_destroy(guest->pci);
	bus_destroy(guest->mmio);
	bus_destroy(guest->pio);
	mock_hypervisor_uninit(&guest->mock);
}

uint64_t pci_guest_load(struct pci_guest *guest, uint64_t addr,
			unsigned int length)
{
	uint64_t value = 0;

	bus_read(guest->mmio, addr, &value, length);
	return value;
}

void pci_guest_store(struct pci_guest *guest, uint64_t addr,
		     unsigned int length, uint64_t value)
{
	bus_write(guest->mmio, addr, &value, length);
}

uint32_t pci_guest_in(struct pci_guest *guest, uint16_t port,
		      unsigned int length)
{
	uint32_t value = 0;

	bus_read(guest->pio, port, &value, length);
	return value;
}

void pci_guest_out(struct pci_guest *guest, uint16_t port, unsigned int length,
		   uint32_t value)
{
	bus_write(guest->pio, port, &value, length);
}

uint32_t pci_guest_read(struct pci_guest *guest, unsigned int slot,
			unsigned int at, unsigned int length)
{
	return pci_guest_load(guest, LAYOUT_ECAM + (slot << 15) + at, length);
}

void pci_guest_write(struct pci_guest *guest, unsigned int slot,
		     unsigned int at, unsigned int length, uint32_t value)
{
	pci_guest_store(guest, LAYOUT_ECAM + (slot << 15) + at, length, value);
}

unsigned int pci_guest_find(struct pci_guest *guest, unsigned int slot,
			    uint8_t id, uint8_t type)
{
	unsigned int at = pci_guest_read(guest, slot, PCI_CAPABILITY_LIST, 1);

	for (int hops = 0; at && hops < 48; hops++) {
		if (pci_guest_read(guest, slot, at, 1) == id &&
		    (id != PCI_CAP_ID_VNDR ||
		     pci_guest_read(guest, slot, at + 3, 1) == type))
			return at;
		at = pci_guest_read(guest, slot, at + 1, 1);
	}
	return 0;
}

uint64_t pci_guest_enable(struct pci_guest *guest, unsigned int slot)
{
	pci_guest_write(guest, slot, PCI_COMMAND, 2,
			PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	return pci_guest_read(guest, slot, PCI_BASE_ADDRESS_0, 4) & ~15u;
}

static uint64_t vector_at(struct pci_guest *guest, unsigned int slot,
			  unsigned int vector)
{
	unsigned int cap = pci_guest_find(guest, slot, PCI_CAP_ID_MSIX, 0);
	uint32_t table =
		pci_guest_read(guest, slot, cap + PCI_MSIX_TABLE, 4) & ~7u;

	pci_guest_write(guest, slot, cap + PCI_MSIX_FLAGS, 2,
			PCI_MSIX_FLAGS_ENABLE);
	return pci_guest_enable(guest, slot) + table +
	       vector * PCI_MSIX_ENTRY_SIZE;
}

void pci_guest_set_vector(struct pci_guest *guest, unsigned int slot,
			  unsigned int vector, uint32_t data)
{
	uint64_t at = vector_at(guest, slot, vector);

	pci_guest_store(guest, at + PCI_MSIX_ENTRY_LOWER_ADDR, 4, 0xfee00000);
	pci_guest_store(guest, at + PCI_MSIX_ENTRY_UPPER_ADDR, 4, 0);
	pci_guest_store(guest, at + PCI_MSIX_ENTRY_DATA, 4, data);
	pci_guest_store(guest, at + PCI_MSIX_ENTRY_VECTOR_CTRL, 4, 0);
}

void pci_guest_mask_vector(struct pci_guest *guest, unsigned int slot,
			   unsigned int vector, bool mask)
{
	pci_guest_store(guest,
			vector_at(guest, slot, vector) +
				PCI_MSIX_ENTRY_VECTOR_CTRL,
			4, mask);
}

/* --- virtio ----------------------------------------------------------------
 */

static uint64_t structure(struct virtio_guest *card, uint8_t type)
{
	unsigned int cap =
		pci_guest_find(card->guest, card->slot, PCI_CAP_ID_VNDR, type);

	return cap ? pci_guest_enable(card->guest, card->slot) +
			       pci_guest_read(card->guest, card->slot, cap + 8,
					      4)
		   : 0;
}

void virtio_guest_find(struct virtio_guest *card, struct pci_guest *guest,
		       unsigned int slot)
{
	unsigned int cap;

	card->guest = guest;
	card->slot = slot;
	card->common = structure(card, VIRTIO_PCI_CAP_COMMON_CFG);
	card->notify = structure(card, VIRTIO_PCI_CAP_NOTIFY_CFG);
	card->isr = structure(card, VIRTIO_PCI_CAP_ISR_CFG);
	card->config = structure(card, VIRTIO_PCI_CAP_DEVICE_CFG);
	cap = pci_guest_find(guest, slot, PCI_CAP_ID_VNDR,
			     VIRTIO_PCI_CAP_NOTIFY_CFG);
	card->notify_step = pci_guest_read(guest, slot, cap + 16, 4);
}

static void store(struct virtio_guest *card, unsigned int at,
		  unsigned int length, uint64_t value)
{
	pci_guest_store(card->guest, card->common + at, length, value);
}

static void store_addr(struct virtio_guest *card, unsigned int at,
		       uint64_t value)
{
	store(card, at, 4, (uint32_t)value);
	store(card, at + 4, 4, value >> 32);
}

uint8_t virtio_guest_status(struct virtio_guest *card)
{
	return pci_guest_load(card->guest, card->common + COMMON(device_status),
			      1);
}

void virtio_guest_set_status(struct virtio_guest *card, uint8_t status)
{
	store(card, COMMON(device_status), 1, status);
}

uint64_t virtio_guest_features(struct virtio_guest *card)
{
	uint64_t low;

	store(card, COMMON(device_feature_select), 4, 0);
	low = pci_guest_load(card->guest, card->common + COMMON(device_feature),
			     4);
	store(card, COMMON(device_feature_select), 4, 1);
	return low | pci_guest_load(card->guest,
				    card->common + COMMON(device_feature), 4)
			     << 32;
}

static void set_up_queue(struct virtio_guest *card, struct vmm_driver *driver,
			 unsigned int i, unsigned int vector)
{
	const struct vmm_ring *ring = &driver->rings[i];

	store(card, COMMON(queue_select), 2, i);
	store(card, COMMON(queue_size), 2, ring->size);
	store_addr(card, COMMON(queue_desc_lo), ring->desc);
	store_addr(card, COMMON(queue_avail_lo), ring->avail);
	store_addr(card, COMMON(queue_used_lo), ring->used);
	store(card, COMMON(queue_msix_vector), 2, vector);
	store(card, COMMON(queue_enable), 2, 1);
}

bool virtio_guest_set_up(struct virtio_guest *card, struct vmm_driver *driver,
			 uint32_t data, bool shared)
{
	unsigned int n = driver->device->n_queues;

	virtio_guest_set_status(card, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	virtio_guest_set_status(card, VIRTIO_CONFIG_S_ACKNOWLEDGE |
					      VIRTIO_CONFIG_S_DRIVER);
	for (unsigned int i = 0; i < 2; i++) {
		store(card, COMMON(guest_feature_select), 4, i);
		store(card, COMMON(guest_feature), 4,
		      (uint32_t)(driver->features >> 32 * i));
	}
	virtio_guest_set_status(card, VIRTIO_CONFIG_S_ACKNOWLEDGE |
					      VIRTIO_CONFIG_S_DRIVER |
					      VIRTIO_CONFIG_S_FEATURES_OK);
	if (!(virtio_guest_status(card) & VIRTIO_CONFIG_S_FEATURES_OK))
		return false;
	for (unsigned int v = 0; v <= (shared ? 1 : n); v++)
		pci_guest_set_vector(card->guest, card->slot, v, data + v);
	store(card, COMMON(msix_config), 2, 0);
	for (unsigned int i = 0; i < n; i++)
		set_up_queue(card, driver, i, shared ? 1 : 1 + i);
	return true;
}

bool virtio_guest_kick(struct virtio_guest *card, unsigned int queue)
{
	uint64_t at = card->notify + queue * card->notify_step;

	if (mock_notify(&card->guest->mock, at))
		return false;
	pci_guest_store(card->guest, at, 2, queue);
	return true;
}
