/*
 * What of a vCPU is particular to x86: CPUID, the registers it starts with, and
 * its whole state for saving. `vcpu` is KVM's descriptor; the calling thread is
 * the vCPU's, or it does not run.
 */
#ifndef VMM_X86_CPU_H
#define VMM_X86_CPU_H

#include <jansson.h>

#include "vmm/x86/boot.h"

/* Whether the host's processor has what an unmodified kernel needs. */
bool x86_has_virtualisation(void);
/* irqchip, PIT, TSS and identity map; before the first vCPU. */
int x86_vm_init(int vm, char **errp);
/* CPUID and MSRs, for CPU `index` of `cpus`. One thread at a time. */
int x86_cpu_init(int kvm, int vcpu, unsigned int index, unsigned int cpus,
		 char **errp);
/* Registers of the boot CPU for this entry; the others wait for INIT. */
int x86_cpu_set_entry(int vcpu, const struct boot_entry *entry, char **errp);
/* As after power-on, for the reset of a guest. */
int x86_cpu_reset(int vcpu, unsigned int index, char **errp);

json_t *x86_cpu_save(int vcpu, char **errp);
int x86_cpu_restore(int vcpu, const json_t *state, char **errp);
/* The interrupt chips, PIT and clock. For the reset of a guest, what was saved
 * before it first ran is restored. */
json_t *x86_vm_save(int vm, char **errp);
int x86_vm_restore(int vm, const json_t *state, char **errp);

#endif
