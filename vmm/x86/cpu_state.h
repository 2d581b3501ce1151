/* Between cpu.c, cpuid.c and cpu_state.c. */
#ifndef VMM_X86_CPU_STATE_H
#define VMM_X86_CPU_STATE_H

#include <linux/kvm.h>

#include "vmm/x86/cpu.h"

int x86_set_cpuid(int kvm, int vcpu, unsigned int index, unsigned int cpus,
		  char **errp);

/* Before any of the others. */
int x86_cpu_state_init(int kvm, char **errp);

/* All that a vCPU is, as KVM gives it; one block, free() frees it. */
struct x86_cpu_state;
struct x86_cpu_state *x86_cpu_state_get(int vcpu, char **errp);
int x86_cpu_state_set(int vcpu, const struct x86_cpu_state *state, char **errp);

#endif
