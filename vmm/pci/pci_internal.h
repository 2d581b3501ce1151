/*
 * What the files of pci/ share.
 *
 * Locks: bus->lock guards the slots, configuration spaces and BARs; msix->lock
 * its vectors, and is taken below it. The handlers of a BAR take msix->lock
 * alone: moving a BAR, with bus->lock held, waits until they have returned.
 */
#ifndef VMM_PCI_PCI_INTERNAL_H
#define VMM_PCI_PCI_INTERNAL_H

#include <linux/pci_regs.h>
#include <pthread.h>

#include "vmm/pci/pci.h"

struct msix_vector {
	uint32_t entry[4]; /* of the table: address, its upper half, data,
			    * control */
	uint32_t
		route[3]; /* the first three as KVM knows them; 0: not at all */
	bool connected;
	unsigned int gsi;
	int fd;
};

struct msix {
	pthread_mutex_t lock;
	struct hypervisor *hypervisor;
	unsigned int n;
	bool on; /* enabled, and not masked as a whole */
	struct msix_vector *vectors;
};

enum { CONFIG_SIZE = PCI_STD_HEADER_SIZEOF + 192 };

struct pci_function {
	struct pci_bus *bus;
	unsigned int slot;
	const struct pci_function_ops *ops;
	void *aux;
	uint32_t bar_size, msix_offset;
	uint8_t config[CONFIG_SIZE];
	uint8_t writable[CONFIG_SIZE];
	uint8_t last_capability; /* where it begins; 0: none */
	uint8_t window;		 /* the one of ops->cap_access(); 0: none */
	uint8_t msix_control;	 /* where it is; 0: no MSI-X */
	uint32_t mapped;	 /* the BAR's address; 0: not decoded */
	bool ejected;
	void (*gone)(void *aux, struct pci_function *function);
	void *gone_aux;
	struct msix msix;
};

struct pci_bus {
	pthread_mutex_t lock;
	struct bus *mmio, *pio;
	struct hypervisor *hypervisor;
	struct pci_function *slots[PCI_SLOTS];
	/* Without the lock: */
	_Atomic uint32_t address;  /* written to port 0xcf8 */
	_Atomic uint32_t up, down; /* slots to tell the guest of */
	void (*notify)(void *aux);
	void *notify_aux;
	void (*reset)(void *aux);
	void *reset_aux;
};

/* config.c. With bus->lock. */
void pci_config_init(struct pci_function *function,
		     const struct pci_function_config *config);
/* As after power-on, with the BAR at an address or none. */
void pci_config_reset(struct pci_function *function, bool assign_bar);
/* After the configuration changed otherwise than by a guest's write. */
void pci_config_apply(struct pci_function *function);
void pci_config_unmap(struct pci_function *function);
int pci_config_add_ports(struct pci_bus *bus);
void pci_config_remove_ports(struct pci_bus *bus);

/* hotplug.c */
int pci_hotplug_add_ports(struct pci_bus *bus);
void pci_hotplug_remove_ports(struct pci_bus *bus);
/* Sets a slot's bit of bus->up or down and notifies. */
void pci_hotplug_tell(struct pci_bus *bus, _Atomic uint32_t *bits,
		      unsigned int slot);
/* Cards that were to go are gone. Without bus->lock. */
void pci_hotplug_reset(struct pci_bus *bus);

/* msix.c. GSIs are those of the slot. */
int msix_init(struct msix *msix, struct hypervisor *hypervisor,
	      unsigned int slot, unsigned int n, char **errp);
void msix_uninit(struct msix *msix);
/* As after power-on: masked, nothing pending. */
void msix_reset(struct msix *msix);
void msix_set_on(struct msix *msix, bool on);
/* Offsets from the table's begin; the pending bits are a page behind. */
uint64_t msix_read(struct msix *msix, uint64_t offset, unsigned int length);
void msix_write(struct msix *msix, uint64_t offset, unsigned int length,
		uint64_t value);
json_t *msix_save(struct msix *msix);
int msix_restore(struct msix *msix, const json_t *state, char **errp);

#endif
