/*
 * What a guest's CPUID says: all that KVM supports, less nested
 * virtualisation and what else only hosts have, with one package of as many
 * cores as there are vCPUs (Intel SDM volume 2, CPUID; AMD APM volume 3,
 * appendix E).
 */
#include "vmm/x86/cpu_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

enum { LEAVES_MAX = 256, TOPOLOGY_LEAVES = 3 };

enum {
	LEVEL_SMT = 1,
	LEVEL_CORE = 2,
};

/* Bits that hold the numbers below n. */
static uint32_t bits_for(unsigned int n)
{
	return n > 1 ? 32 - __builtin_clz(n - 1) : 0;
}

static void set_bits(uint32_t *reg, unsigned int low, unsigned int n,
		     uint32_t value)
{
	uint32_t mask = ((1u << n) - 1) << low;

	*reg = (*reg & ~mask) | (value << low & mask);
}

/* How many vCPUs share a cache: all of them the third level's. */
static void set_cache_sharing(struct kvm_cpuid_entry2 *leaf, unsigned int cpus)
{
	unsigned int level = leaf->eax >> 5 & 7;

	if (leaf->eax & 0x1f)
		set_bits(&leaf->eax, 14, 12, level >= 3 ? cpus - 1 : 0);
}

static void adapt(struct kvm_cpuid_entry2 *leaf, unsigned int index,
		  unsigned int cpus, bool deadline_timer)
{
	switch (leaf->function) {
	case 1:
		set_bits(&leaf->ebx, 16, 8, cpus);
		set_bits(&leaf->ebx, 24, 8, index);
		leaf->ecx |= 1u << 31;	 /* under a hypervisor */
		leaf->ecx &= ~(1u << 5); /* VMX */
		if (deadline_timer)
			leaf->ecx |= 1u << 24;
		set_bits(&leaf->edx, 28, 1, cpus > 1);
		break;
	case 4:
		set_cache_sharing(leaf, cpus);
		if (leaf->eax & 0x1f)
			set_bits(&leaf->eax, 26, 6, cpus - 1);
		break;
	case 0x80000001:
		leaf->ecx &= ~(1u << 2); /* SVM */
		break;
	case 0x80000008:
		set_bits(&leaf->ecx, 0, 8, cpus - 1);
		set_bits(&leaf->ecx, 12, 4, bits_for(cpus));
		break;
	case 0x8000001d:
		set_cache_sharing(leaf, cpus);
		break;
	case 0x8000001e:
		leaf->eax = index;
		leaf->ebx = index; /* the core; one thread */
		leaf->ecx = 0;
		break;
	case 0x12:	 /* SGX */
	case 0x8000000a: /* SVM */
	case 0x8000001f: /* SEV */
		leaf->eax = leaf->ebx = leaf->ecx = leaf->edx = 0;
		break;
	}
}

/* Leaves of the host's topology, for which ours is put in place. */
static bool is_topology(uint32_t function)
{
	return function == 0xb || function == 0x1f || function == 0x80000026;
}

static void add_topology(struct kvm_cpuid2 *cpuid, unsigned int index,
			 unsigned int cpus)
{
	static const uint32_t levels[TOPOLOGY_LEAVES] = { LEVEL_SMT, LEVEL_CORE,
							  0 };
	uint32_t shifts[TOPOLOGY_LEAVES] = { 0, bits_for(cpus), 0 };
	uint32_t counts[TOPOLOGY_LEAVES] = { 1, cpus, 0 };

	for (unsigned int i = 0; i < TOPOLOGY_LEAVES; i++)
		cpuid->entries[cpuid->nent++] = (struct kvm_cpuid_entry2){
			.function = 0xb,
			.index = i,
			.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
			.eax = shifts[i],
			.ebx = counts[i],
			.ecx = levels[i] << 8 | i,
			.edx = index,
		};
}

int x86_set_cpuid(int kvm, int vcpu, unsigned int index, unsigned int cpus,
		  char **errp)
{
	struct kvm_cpuid2 *cpuid =
		xcalloc(1, sizeof(*cpuid) + (LEAVES_MAX + TOPOLOGY_LEAVES) *
						    sizeof(cpuid->entries[0]));
	bool timer =
		ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0;
	unsigned int kept = 0;
	int err = 0;

	cpuid->nent = LEAVES_MAX;
	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid))
		err = set_error(errp, -errno, "KVM does not tell its CPUID: %s",
				strerror(errno));
	for (unsigned int i = 0; !err && i < cpuid->nent; i++) {
		if (is_topology(cpuid->entries[i].function))
			continue;
		cpuid->entries[kept] = cpuid->entries[i];
		adapt(&cpuid->entries[kept++], index, cpus, timer);
	}
	cpuid->nent = kept;
	add_topology(cpuid, index, cpus);
	if (!err && ioctl(vcpu, KVM_SET_CPUID2, cpuid))
		err = set_error(errp, -errno,
				"KVM does not take the CPUID of "
				"CPU %u: %s",
				index, strerror(errno));
	free(cpuid);
	return err;
}
