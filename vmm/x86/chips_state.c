/*
 * The chips that KVM emulates for a whole VM, saved and restored: interrupt
 * controllers, timer, and the clock that guests with kvm-clock read. It goes on
 * where it stopped: to the guest no time has passed.
 */
#include "vmm/x86/cpu.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/machine/snapshot.h"

struct chips {
	struct kvm_irqchip irqchips[3]; /* two PICs, the I/O APIC */
	struct kvm_pit_state2 pit;
	struct kvm_clock_data clock;
};

json_t *x86_vm_save(int vm, char **errp)
{
	struct chips chips = { 0 };
	bool ok = true;

	for (unsigned int i = 0; i < ARRAY_SIZE(chips.irqchips); i++) {
		chips.irqchips[i].chip_id = i;
		ok = ok && !ioctl(vm, KVM_GET_IRQCHIP, &chips.irqchips[i]);
	}
	ok = ok && !ioctl(vm, KVM_GET_PIT2, &chips.pit) &&
	     !ioctl(vm, KVM_GET_CLOCK, &chips.clock);
	if (!ok) {
		set_error(errp, -errno,
			  "KVM does not tell the state of the "
			  "interrupt chips and timers: %s",
			  strerror(errno));
		return NULL;
	}
	return json_pack("{so so sI}", "irqchips",
			 snapshot_bytes(chips.irqchips, sizeof(chips.irqchips)),
			 "pit", snapshot_bytes(&chips.pit, sizeof(chips.pit)),
			 "clock", (json_int_t)chips.clock.clock);
}

int x86_vm_restore(int vm, const json_t *state, char **errp)
{
	struct chips chips = { 0 };
	const json_t *irqchips, *pit;
	json_int_t clock;
	bool ok = true;

	if (json_unpack((json_t *)state, "{so so sI}", "irqchips", &irqchips,
			"pit", &pit, "clock", &clock) ||
	    snapshot_from_bytes(irqchips, chips.irqchips,
				sizeof(chips.irqchips)) ||
	    snapshot_from_bytes(pit, &chips.pit, sizeof(chips.pit)))
		return set_error(errp, -EINVAL,
				 "the saved state of the "
				 "interrupt chips and timers is damaged");
	chips.clock.clock = clock;
	for (unsigned int i = 0; i < ARRAY_SIZE(chips.irqchips); i++) {
		chips.irqchips[i].chip_id = i;
		ok = ok && !ioctl(vm, KVM_SET_IRQCHIP, &chips.irqchips[i]);
	}
	ok = ok && !ioctl(vm, KVM_SET_PIT2, &chips.pit) &&
	     !ioctl(vm, KVM_SET_CLOCK, &chips.clock);
	if (!ok)
		return set_error(errp, -errno,
				 "KVM does not take the state of "
				 "the interrupt chips and timers: %s",
				 strerror(errno));
	return 0;
}
