/*
 * What a PC has besides CPUs and PCI: ACPI power management (PM1, PM timer,
 * GPE0 with the hot-plug registers), the reset register, a CMOS real-time
 * clock, pvpanic. Registers as x86/layout.h places them. vCPU threads access
 * them; the control thread presses the power button.
 */
#ifndef VMM_X86_CHIPSET_H
#define VMM_X86_CHIPSET_H

#include "vmm/machine/bus.h"
#include "vmm/machine/hypervisor.h"
#include "vmm/pci/pci.h"

/* Called in vCPU threads. */
struct chipset_ops {
	void (*power_off)(void *aux); /* S5 */
	void (*reset)(void *aux);
	void (*panicked)(void *aux);
};

struct chipset;

struct chipset *chipset_create(struct bus *pio, struct hypervisor *hypervisor,
			       struct pci_bus *pci,
			       const struct chipset_ops *ops, void *aux);
void chipset_destroy(struct chipset *chipset);
void chipset_power_button(struct chipset *chipset);
void chipset_reset(struct chipset *chipset);
json_t *chipset_save(struct chipset *chipset);
int chipset_restore(struct chipset *chipset, const json_t *state, char **errp);

#endif
