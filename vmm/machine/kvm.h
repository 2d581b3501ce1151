/*
 * The virtual machine as KVM has it: its descriptor, memory slots, interrupt
 * routes. Set up by the control thread; the hypervisor's functions by any.
 */
#ifndef VMM_MACHINE_KVM_H
#define VMM_MACHINE_KVM_H

#include "vmm/machine/hypervisor.h"
#include "vmm/machine/memory.h"

struct kvm {
	struct hypervisor hypervisor;
	int kvm; /* /dev/kvm; not owned */
	int vm;
	struct kvm_routes *routes;
};

/*
 * Makes a VM on the open /dev/kvm with interrupt chips and this memory, without
 * vCPUs. Returns 0, or -errno with a message: no KVM of the kind we need.
 */
int kvm_create(struct kvm *kvm, int kvm_fd, const struct guest_memory *memory,
	       char **errp);
void kvm_destroy(struct kvm *kvm);

#endif
