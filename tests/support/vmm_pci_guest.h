/*
 * A guest on the PCI bus, for tests of vmm/: configuration space by ECAM, and a
 * driver that finds and sets up a virtio device as Linux's virtio_pci_modern
 * does. Its rings are those of vmm_driver.h.
 */
#ifndef TESTS_SUPPORT_VMM_PCI_GUEST_H
#define TESTS_SUPPORT_VMM_PCI_GUEST_H

#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>

#include "tests/support/vmm_driver.h"
#include "tests/support/vmm_hypervisor.h"
#include "vmm/virtio/virtio_pci.h"

struct pci_guest {
	struct mock_hypervisor mock;
	struct bus *mmio, *pio;
	struct pci_bus *pci;
};

void pci_guest_init(struct pci_guest *guest);
void pci_guest_uninit(struct pci_guest *guest);

uint32_t pci_guest_read(struct pci_guest *guest, unsigned int slot,
			unsigned int at, unsigned int length);
void pci_guest_write(struct pci_guest *guest, unsigned int slot,
		     unsigned int at, unsigned int length, uint32_t value);
/* Memory and ports. */
uint64_t pci_guest_load(struct pci_guest *guest, uint64_t addr,
			unsigned int length);
void pci_guest_store(struct pci_guest *guest, uint64_t addr,
		     unsigned int length, uint64_t value);
uint32_t pci_guest_in(struct pci_guest *guest, uint16_t port,
		      unsigned int length);
void pci_guest_out(struct pci_guest *guest, uint16_t port, unsigned int length,
		   uint32_t value);

/* Where a card's capability is in its configuration space; 0: it has none.
 * `type`: of a vendor-specific one, cfg_type. */
unsigned int pci_guest_find(struct pci_guest *guest, unsigned int slot,
			    uint8_t id, uint8_t type);
/* Enables memory and bus mastering; returns the BAR's address. */
uint64_t pci_guest_enable(struct pci_guest *guest, unsigned int slot);
/* A vector's message: its data is `data`, it is not masked. MSI-X is on. */
void pci_guest_set_vector(struct pci_guest *guest, unsigned int slot,
			  unsigned int vector, uint32_t data);
void pci_guest_mask_vector(struct pci_guest *guest, unsigned int slot,
			   unsigned int vector, bool mask);

/* The structures of a virtio device, as found. */
struct virtio_guest {
	struct pci_guest *guest;
	unsigned int slot;
	uint64_t common, notify, isr, config;
	uint32_t notify_step;
};

void virtio_guest_find(struct virtio_guest *card, struct pci_guest *guest,
		       unsigned int slot);
uint8_t virtio_guest_status(struct virtio_guest *card);
void virtio_guest_set_status(struct virtio_guest *card, uint8_t status);
uint64_t virtio_guest_features(struct virtio_guest *card);
/*
 * Features, and all queues of `driver` on vector 1 + queue (vector 0 is the
 * configuration's), or, shared, all on vector 1. What interrupts has the data
 * `data` + vector. Up to FEATURES_OK and the queues; false: refused.
 */
bool virtio_guest_set_up(struct virtio_guest *card, struct vmm_driver *driver,
			 uint32_t data, bool shared);
/* A guest's write to the notification register: whether the guest was left
 * for it. */
bool virtio_guest_kick(struct virtio_guest *card, unsigned int queue);

#endif
