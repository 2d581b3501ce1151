/*
 * The VM's interrupt chips and timers, and the registers that its CPUs start
 * with.
 */
#include "vmm/x86/cpu_state.h"

#include <cpuid.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/host/config.h"
#include "vmm/x86/layout.h"

enum {
	MSR_MISC_ENABLE = 0x1a0,
	MSR_MTRR_DEFAULT = 0x2ff,
	CR0_PE = 1 << 0,
	CR0_ET = 1 << 4,
	CR4_PAE = 1 << 5,
	EFER_LME = 1 << 8,
	EFER_LMA = 1 << 10,
	SEGMENT_CODE = 0xb, /* read, execute, accessed */
	SEGMENT_DATA = 0x3, /* read, write, accessed */
	SEGMENT_TSS = 0xb,  /* busy */
};

#define CR0_PG (1u << 31)

/* What each vCPU was like when it was new, for a reset. */
static struct x86_cpu_state *power_on[VM_MAX_CPUS];

/* VMX, and SVM (Intel SDM volume 2, AMD APM volume 3, CPUID). */
bool x86_has_virtualisation(void)
{
	unsigned int a, b, c, d;

	return (__get_cpuid(1, &a, &b, &c, &d) && c & 1 << 5) ||
	       (__get_cpuid(0x80000001, &a, &b, &c, &d) && c & 1 << 2);
}

int x86_vm_init(int vm, char **errp)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
	uint64_t identity_map = LAYOUT_IDENTITY_MAP;

	if (ioctl(vm, KVM_SET_TSS_ADDR, LAYOUT_TSS) ||
	    ioctl(vm, KVM_SET_IDENTITY_MAP_ADDR, &identity_map) ||
	    ioctl(vm, KVM_CREATE_IRQCHIP) || ioctl(vm, KVM_CREATE_PIT2, &pit))
		return set_error(errp, -errno,
				 "KVM does not make interrupt chips: %s",
				 strerror(errno));
	return 0;
}

/*
 * What firmware does: caches on for all of memory, without which Linux does
 * without page attributes, and fast string operations.
 */
static int set_msrs(int vcpu, char **errp)
{
	struct { /* struct kvm_msrs */
		uint32_t n, pad;
		struct kvm_msr_entry entries[2];
	} msrs = {
		.n = 2,
		.entries = { { .index = MSR_MISC_ENABLE, .data = 1 },
			     { .index = MSR_MTRR_DEFAULT,
			       .data = 1 << 11 | 6 } },
	};

	if (ioctl(vcpu, KVM_SET_MSRS, &msrs) < 0)
		return set_error(errp, -errno, "KVM does not set MSRs: %s",
				 strerror(errno));
	return 0;
}

int x86_cpu_init(int kvm, int vcpu, unsigned int index, unsigned int cpus,
		 char **errp)
{
	int err = x86_set_cpuid(kvm, vcpu, index, cpus, errp);

	if (!err)
		err = x86_cpu_state_init(kvm, errp);
	if (!err)
		err = set_msrs(vcpu, errp);
	if (err)
		return err;
	free(power_on[index]);
	power_on[index] = x86_cpu_state_get(vcpu, errp);
	return power_on[index] ? 0 : -EIO;
}

int x86_cpu_reset(int vcpu, unsigned int index, char **errp)
{
	return x86_cpu_state_set(vcpu, power_on[index], errp);
}

static struct kvm_segment segment(uint16_t selector, uint8_t type)
{
	return (struct kvm_segment){ .limit = UINT32_MAX,
				     .selector = selector,
				     .type = type,
				     .present = 1,
				     .s = 1,
				     .g = 1,
				     .db = 1 };
}

static void enter_long_mode(struct kvm_sregs *sregs)
{
	sregs->cs.l = 1;
	sregs->cs.db = 0;
	sregs->cr0 = CR0_PE | CR0_ET | CR0_PG;
	sregs->cr3 = LAYOUT_PAGE_TABLES;
	sregs->cr4 = CR4_PAE;
	sregs->efer = EFER_LME | EFER_LMA;
}

int x86_cpu_set_entry(int vcpu, const struct boot_entry *entry, char **errp)
{
	struct kvm_regs regs = { .rip = entry->rip, .rflags = 2 };
	struct kvm_sregs sregs;

	if (ioctl(vcpu, KVM_GET_SREGS, &sregs))
		goto failed;
	sregs.cs = segment(0x10, SEGMENT_CODE);
	sregs.ds = segment(0x18, SEGMENT_DATA);
	sregs.es = sregs.fs = sregs.gs = sregs.ss = sregs.ds;
	sregs.tr = (struct kvm_segment){ .limit = 0x67,
					 .type = SEGMENT_TSS,
					 .present = 1 };
	sregs.gdt.base = LAYOUT_GDT;
	sregs.gdt.limit = 4 * 8 - 1;
	sregs.idt.limit = 0;
	sregs.cr0 = CR0_PE | CR0_ET;
	if (entry->mode == BOOT_PVH) {
		regs.rbx = entry->info;
	} else {
		regs.rsi = entry->info;
		enter_long_mode(&sregs);
	}
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) ||
	    ioctl(vcpu, KVM_SET_REGS, &regs))
		goto failed;
	return 0;
failed:
	return set_error(errp, -errno, "KVM does not set registers: %s",
			 strerror(errno));
}
