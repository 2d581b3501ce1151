/*
 * What devices ask of the hypervisor, behind function pointers so that device
 * models run without KVM in unit tests and fuzz targets. machine/kvm.c is the
 * real one. All functions may be called by any thread; 0 or -errno.
 */
#ifndef VMM_MACHINE_HYPERVISOR_H
#define VMM_MACHINE_HYPERVISOR_H

#include "base/util.h"

struct hypervisor;

struct hypervisor_ops {
	/* The message-signalled interrupt `gsi` goes to this address and data
	 * (of a guest: any values). */
	int (*route_msi)(struct hypervisor *, unsigned int gsi, uint64_t addr,
			 uint32_t data);
	/* Whether a write to the eventfd raises `gsi` without a thread of ours.
	 * What was written before connecting is raised on connecting. */
	int (*connect_irqfd)(struct hypervisor *, unsigned int gsi, int fd,
			     bool on);
	/* Whether a guest's write at `addr` (any value, any length) signals the
	 * eventfd instead of leaving the guest. */
	int (*connect_ioeventfd)(struct hypervisor *, uint64_t addr, int fd,
				 bool on);
	/* A level of one of the I/O APIC's pins (the chipset's interrupts). */
	int (*set_irq)(struct hypervisor *, unsigned int gsi, bool level);
};

struct hypervisor {
	const struct hypervisor_ops *ops;
};

/* GSIs of MSI vectors start behind the I/O APIC's 24 pins. */
enum { HYPERVISOR_FIRST_MSI_GSI = 24, HYPERVISOR_MAX_GSI = 1112 };

#endif
