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

enum { PCI_SLOTS = 32, PCI_CONFIG_SIZE = 4096, PCI_MAX_VECTORS = 64 };

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
	/* A capability of type vendor-specific was accessed (virtio's
	 * VIRTIO_PCI_CAP_PCI_CFG); may be NULL. Offset within it. */
	uint32_t (*cap_read)(void *aux, unsigned int cap, unsigned int offset,
			     unsigned int length);
	void (*cap_write)(void *aux, unsigned int cap, unsigned int offset,
			  unsigned int length, uint32_t value);
};

struct pci_function_config {
	uint16_t vendor, device;
	uint16_t subsystem_vendor, subsystem;
	uint32_t class_revision; /* class << 8 | revision */
	uint32_t bar_size;	 /* a power of two; 0: none */
	uint32_t msix_offset;	 /* of the table in the BAR, page-aligned; its
				  * pending bits are a page later */
	unsigned int n_vectors;	 /* 0: no MSI-X */
};

struct pci_bus *pci_bus_create(struct bus *mmio, struct bus *pio,
			       struct hypervisor *hypervisor);
void pci_bus_destroy(struct pci_bus *bus);
/* ACPI's view of the slots: two bit masks and the register that ejects
 * (x86/hotplug). Sets the bits and calls `notify` so that a GPE is raised. */
void pci_bus_on_hotplug(struct pci_bus *bus, void (*notify)(void *aux),
			void *aux);
/* LAYOUT_PORT_RESET lies within the ports of mechanism #1: `reset` is called in
 * a vCPU thread when a guest writes a byte with bit 2 set there. */
void pci_bus_on_reset(struct pci_bus *bus, void (*reset)(void *aux), void *aux);

/*
 * Plugs a function into a slot (-1: the first free one). When the guest runs
 * (`hot`), it is told; otherwise the BAR gets its address here. Control thread.
 * Returns NULL with a message when no slot is free.
 */
struct pci_function *pci_add(struct pci_bus *bus, int slot, bool hot,
			     const struct pci_function_config *config,
			     const struct pci_function_ops *ops, void *aux,
			     char **errp);
/* A vendor-specific capability (without its first two bytes); before the guest
 * sees the function. Returns its number, for cap_read and cap_write. */
unsigned int pci_add_capability(struct pci_function *function, const void *data,
				unsigned int length);
unsigned int pci_slot(const struct pci_function *function);
/*
 * Asks the guest to let go. `gone` is called in a vCPU thread when it has (the
 * guest ejected the slot); pci_remove() is then to be called in the control
 * thread.
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
/* The guest was reset: every function as it was when it was plugged in. */
void pci_bus_reset(struct pci_bus *bus);

#endif
