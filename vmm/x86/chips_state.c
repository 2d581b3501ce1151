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

static bool all_chips(int vm, struct chips *chips, bool save)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(chips->irqchips); i++) {
		chips->irqchips[i].chip_id = i;
		if (ioctl(vm, save ? KVM_GET_IRQCHIP : KVM_SET_IRQCHIP,
			  &chips->irqchips[i]))
			return false;
	}
	return !ioctl(vm, save ? KVM_GET_PIT2 : KVM_SET_PIT2, &chips->pit) &&
	       !ioctl(vm, save ? KVM_GET_CLOCK : KVM_SET_CLOCK, &chips->clock);
}

json_t *x86_vm_save(int vm, char **errp)
{
	struct chips chips = { 0 };

	if (all_chips(vm, &chips, true))
		return snapshot_bytes(&chips, sizeof(chips));
	set_error(errp, -errno, "KVM does not tell its chips' state: %s",
		  strerror(errno));
	return NULL;
}

int x86_vm_restore(int vm, const json_t *state, char **errp)
{
	struct chips chips;

	if (snapshot_from_bytes(state, &chips, sizeof(chips)))
		return set_error(errp, -EINVAL,
				 "the saved state of KVM's chips is damaged");
	chips.clock = (struct kvm_clock_data){ .clock = chips.clock.clock };
	if (all_chips(vm, &chips, false))
		return 0;
	return set_error(errp, -errno, "KVM does not take its chips' state: %s",
			 strerror(errno));
}
