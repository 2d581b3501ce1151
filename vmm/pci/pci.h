/*
 * PCI: bus 0 with 32 slots of one function each, all express-less endpoints
 * that interrupt by MSI-X alone. Configuration space is reached by ECAM (MCFG)
 * and by ports 0xcf8/0xcfc.
 *
 * A function has one 32-bit memory BAR, which holds its registers and its
 * MSI-X table. Nothing a guest writes is trusted: BARs outside of the window
 * are not mapped, MSI-X entries may hold anything.
 */
#ifndef VMM_PCI_PCI_H
#define VMM_PCI_PCI_H

#include <jansson.h>

#include "vmm/machine/bus.h"
#include "vmm/machine/hypervisor.h"

enum { PCI_SLOTS = 32, PCI_CONFIG_SIZE = 4096, PCI_MAX_VECTORS = 34 };

struct pci_bus;
struct pci_function;

/* A device model behind a function. Called by any vCPU thread. */
struct pci_function_ops {
	/* In the BAR below the MSI-X table. */
	uint64_t (*bar_read)(void *aux, uint64_t offset, unsigned int length);
	void (*bar_write)(void *aux, uint64_t offset, unsigned int length,
			  uint64_t value);
	/* The BAR is decoded at this address from now on, or, with 0, is not:
	 * where ioeventfds are connected. */
	void (*bar_mapped)(void *aux, uint64_t addr);
	/* The vendor-specific capability with writable bytes (one at most) is
	 * about to be read,
	 * or was written: `body` is all of it, in the configuration space, and
	 * may be changed. (virtio's VIRTIO_PCI_CAP_PCI_CFG.) May be NULL. */
	void (*cap_access)(void *aux, uint8_t *body, unsigned int offset,
			   unsigned int length, bool write);
};

/* Vendor-specific capabilities, in the order in which they are to be found.
 * Their first two bytes are set here. */
struct pci_capability {
	const void *data;
	const void *writable; /* bits; NULL: none */
	uint8_t length;	      /* a multiple of 4 */
};

struct pci_function_config {
	uint16_t vendor, device;
	uint16_t subsystem_vendor, subsystem;
	uint32_t class_revision; /* class << 8 | revision */
	uint32_t bar_size;	 /* a power of two; 0: none */
	uint32_t msix_offset;	 /* of the table in the BAR, page-aligned; its
				  * pending bits are a page later */
	unsigned int n_vectors;	 /* at most PCI_MAX_VECTORS; 0: no MSI-X */
	const struct pci_capability *capabilities;
	unsigned int n_capabilities;
};

struct pci_bus *pci_bus_create(struct bus *mmio, struct bus *pio,
			       struct hypervisor *hypervisor);
void pci_bus_destroy(struct pci_bus *bus);
/*
 * ACPI's view of the slots, at LAYOUT_PORT_HOTPLUG, a bit a slot:
 *   +0 cards that came (Notify 1), +4 cards that are to be ejected (Notify 3):
 *   ones written to these clear; +8 ones written eject (_EJ0).
 * `notify` is called when a bit is set, so that a GPE is raised.
 */
void pci_bus_on_hotplug(struct pci_bus *bus, void (*notify)(void *aux),
			void *aux);
/* LAYOUT_PORT_RESET lies within the ports of mechanism #1: `reset` is called in
 * a vCPU thread when a guest writes a byte with bit 2 set there. */
void pci_bus_on_reset(struct pci_bus *bus, void (*reset)(void *aux), void *aux);

/*
 * Plugs a function into a slot (-1: the first free one). When the guest runs
 * (`hot`), it is told; otherwise the BAR gets its address here. Control thread.
 * *function is set before the guest can reach the function. Returns -errno with
 * a message when there is no slot or no interrupt left.
 */
int pci_add(struct pci_bus *bus, int slot, bool hot,
	    const struct pci_function_config *config,
	    const struct pci_function_ops *ops, void *aux,
	    struct pci_function **function, char **errp);
unsigned int pci_slot(const struct pci_function *function);
/*
 * Asks the guest to let go. `gone` is called when it has: in a vCPU thread (the
 * guest ejected the slot), or by pci_bus_reset(); pci_remove() is then to be
 * called in the control thread. From `gone` on, the guest sees an empty slot.
 */
void pci_request_eject(struct pci_function *function,
		       void (*gone)(void *aux, struct pci_function *),
		       void *aux);
/* Unplugs at once and frees. Control thread. */
void pci_remove(struct pci_function *function);

/*
 * The eventfd of an MSI-X vector: whoever writes to it interrupts the guest, or
 * leaves the vector pending while it is masked. -1 for a vector that the
 * function does not have (VIRTIO_MSI_NO_VECTOR). Owned by the function.
 */
int pci_vector_fd(struct pci_function *function, unsigned int vector);

/* Saving and restoring: configuration space, BAR, MSI-X table. restore: 0 or
 * -EINVAL with a message; call before the device's own. */
json_t *pci_function_save(struct pci_function *function);
int pci_function_restore(struct pci_function *function, const json_t *state,
			 char **errp);
/* The guest was reset: every function as it was when it was plugged in, with
 * its BAR at an address. Control thread. */
void pci_bus_reset(struct pci_bus *bus);
/* What is not of a function: the address register and the slots' bits. */
json_t *pci_bus_save(struct pci_bus *bus);
int pci_bus_restore(struct pci_bus *bus, const json_t *state, char **errp);

#endif
