/*
 * All of a vCPU, for saving, restoring and for a reset, which brings back what
 * a vCPU was like when it was new.
 *
 * The order of reading and writing follows KVM's dependencies: the run state
 * first, since reading it takes in pending INITs; the APIC after the registers
 * that hold its base and before the MSRs, which hold its deadline; events last.
 */
#include "vmm/x86/cpu_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/machine/snapshot.h"

enum { MSRS_MAX = 512 };

struct x86_cpu_state {
	struct kvm_mp_state mp_state;
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	/* Enough while no component is asked for that a process has to be
	 * granted first (AMX). */
	struct kvm_xsave xsave;
	struct kvm_xcrs xcrs;
	struct kvm_debugregs debugregs;
	struct kvm_lapic_state lapic;
	struct kvm_vcpu_events events;
	long tsc_khz;
	unsigned int n_msrs;
	struct kvm_msr_entry msrs[MSRS_MAX];
};

/* What one request reads and another writes, in the order of both. */
static const struct part {
	const char *name;
	unsigned long get, set;
	size_t offset, size;
	bool after_msrs;
} parts[] = {
#define PART(name, member, after)                                              \
	{                                                                      \
#member, KVM_GET_##name, KVM_SET_##name,                       \
			offsetof(struct x86_cpu_state, member),                \
			sizeof(((struct x86_cpu_state *)0)->member), after     \
	}
	PART(MP_STATE, mp_state, false), PART(REGS, regs, false),
	PART(SREGS, sregs, false),	 PART(XSAVE, xsave, false),
	PART(XCRS, xcrs, false),	 PART(DEBUGREGS, debugregs, false),
	PART(LAPIC, lapic, false),	 PART(VCPU_EVENTS, events, true),
#undef PART
};

/* Those that KVM says are part of the state; the same for all vCPUs. */
static struct { /* struct kvm_msr_list */
	uint32_t n, indices[MSRS_MAX];
} msr_list;

int x86_cpu_state_init(int kvm, char **errp)
{
	msr_list.n = MSRS_MAX;
	if (ioctl(kvm, KVM_GET_MSR_INDEX_LIST, &msr_list))
		return set_error(errp, -errno,
				 "KVM does not tell its list of "
				 "MSRs: %s",
				 strerror(errno));
	return 0;
}

static int one_msr(int vcpu, unsigned long request, struct kvm_msr_entry *entry)
{
	struct { /* struct kvm_msrs */
		uint32_t n, pad;
		struct kvm_msr_entry entry;
	} msrs = { .n = 1, .entry = *entry };
	int n = ioctl(vcpu, request, &msrs);

	*entry = msrs.entry;
	return n;
}

/* Reading Hyper-V's would bring a Hyper-V context into being. */
static bool is_hyperv(uint32_t msr)
{
	return msr >= 0x40000000 && msr < 0x40000200;
}

/* One by one, since one that cannot be read ends a request for many. */
static void get_msrs(int vcpu, struct x86_cpu_state *state)
{
	for (unsigned int i = 0; i < msr_list.n; i++) {
		struct kvm_msr_entry entry = { .index = msr_list.indices[i] };

		if (!is_hyperv(entry.index) &&
		    one_msr(vcpu, KVM_GET_MSRS, &entry) == 1)
			state->msrs[state->n_msrs++] = entry;
	}
}

/* One that may not be written is fine while it is as it should be. */
static int set_msrs(int vcpu, const struct x86_cpu_state *state, char **errp)
{
	for (unsigned int i = 0; i < state->n_msrs; i++) {
		struct kvm_msr_entry entry = state->msrs[i];

		if (one_msr(vcpu, KVM_SET_MSRS, &entry) == 1)
			continue;
		if (one_msr(vcpu, KVM_GET_MSRS, &entry) != 1 ||
		    entry.data != state->msrs[i].data)
			return set_error(errp, -EINVAL,
					 "the MSR 0x%x of a "
					 "vCPU cannot be set: was it saved on "
					 "another kind of CPU?",
					 entry.index);
	}
	return 0;
}

struct x86_cpu_state *x86_cpu_state_get(int vcpu, char **errp)
{
	struct x86_cpu_state *state = xcalloc(1, sizeof(*state));

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (!ioctl(vcpu, parts[i].get, (char *)state + parts[i].offset))
			continue;
		set_error(errp, -errno, "KVM does not tell a vCPU's %s: %s",
			  parts[i].name, strerror(errno));
		free(state);
		return NULL;
	}
	state->tsc_khz = ioctl(vcpu, KVM_GET_TSC_KHZ);
	get_msrs(vcpu, state);
	return state;
}

static int set_parts(int vcpu, const struct x86_cpu_state *state,
		     bool after_msrs, char **errp)
{
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (parts[i].after_msrs == after_msrs &&
		    ioctl(vcpu, parts[i].set,
			  (const char *)state + parts[i].offset))
			return set_error(errp, -errno,
					 "KVM does not take a "
					 "vCPU's %s: %s",
					 parts[i].name, strerror(errno));
	return 0;
}

int x86_cpu_state_set(int vcpu, const struct x86_cpu_state *state, char **errp)
{
	int err = 0;

	if (state->tsc_khz > 0 &&
	    ioctl(vcpu, KVM_GET_TSC_KHZ) != state->tsc_khz &&
	    ioctl(vcpu, KVM_SET_TSC_KHZ, state->tsc_khz))
		err = set_error(errp, -errno,
				"this CPU's time stamp counter "
				"cannot run at the %ld kHz of the one that the "
				"guest was saved on",
				state->tsc_khz);
	if (!err)
		err = set_parts(vcpu, state, false, errp);
	if (!err)
		err = set_msrs(vcpu, state, errp);
	if (!err)
		err = set_parts(vcpu, state, true, errp);
	return err;
}

json_t *x86_cpu_save(int vcpu, char **errp)
{
	struct x86_cpu_state *state = x86_cpu_state_get(vcpu, errp);
	json_t *json = state ? snapshot_bytes(state, sizeof(*state)) : NULL;

	free(state);
	return json;
}

int x86_cpu_restore(int vcpu, const json_t *json, char **errp)
{
	struct x86_cpu_state *state = xcalloc(1, sizeof(*state));
	int err;

	if (snapshot_from_bytes(json, state, sizeof(*state)) ||
	    state->n_msrs > MSRS_MAX)
		err = set_error(errp, -EINVAL,
				"the saved state of a vCPU is damaged");
	else
		err = x86_cpu_state_set(vcpu, state, errp);
	/* A guest with kvm-clock is not to think that this CPU hung. */
	if (!err)
		ioctl(vcpu, KVM_KVMCLOCK_CTRL);
	free(state);
	return err;
}
