/*
 * The vCPUs of a VM: a thread each, which runs the guest and carries its
 * accesses to the buses. They are made paused.
 */
#ifndef VMM_MACHINE_VCPU_H
#define VMM_MACHINE_VCPU_H

#include "vmm/machine/bus.h"
#include "vmm/machine/kvm.h"

struct vcpus;

struct vcpu_ops {
	/* A triple fault, which asks for a reset. In the vCPU's thread, as
	 * the next; all vCPUs have been told to pause. */
	void (*fault)(void *aux);
	/* The guest cannot go on, for this reason. */
	void (*crashed)(void *aux, const char *why);
};

/* Makes `n` vCPUs with CPUID set up. Returns NULL with a message. */
struct vcpus *vcpus_create(struct kvm *kvm, unsigned int n, struct bus *mmio,
			   struct bus *pio, const struct vcpu_ops *ops,
			   void *aux, char **errp);
/* Ends the threads. */
void vcpus_destroy(struct vcpus *vcpus);
/* Starts the threads, which wait for vcpus_resume(). 0, or -errno. */
int vcpus_start(struct vcpus *vcpus, char **errp);

void vcpus_resume(struct vcpus *vcpus);
/* From any thread, a vCPU's included: they are to stop soon. */
void vcpus_request_pause(struct vcpus *vcpus);
/* The same; returns when they have, with every access carried out. Not in a
 * vCPU's thread. */
void vcpus_pause(struct vcpus *vcpus);

/* KVM's descriptor; to be used while they are paused. */
int vcpus_fd(const struct vcpus *vcpus, unsigned int index);
/* How often the guest was left for an access to one of the buses. */
uint64_t vcpus_exits(const struct vcpus *vcpus);

#endif
