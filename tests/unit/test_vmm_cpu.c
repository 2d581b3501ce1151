/*
 * vCPUs of the real KVM: the state that they start with, saving and restoring,
 * reset, CPUID. Skipped where there is no /dev/kvm.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/x86/cpu.h"
#include "vmm/x86/layout.h"

enum { CPUS = 3, MEMORY = 2 << 20, CODE = 0x100000, PORT = 0x77 };

struct vm {
	int vm, cpus[CPUS];
	struct kvm_run *run;
	size_t run_size;
	uint8_t *memory;
};

static int kvm;

static struct vm vm_create(void)
{
	struct vm vm = { .vm = ioctl(kvm, KVM_CREATE_VM, 0) };
	struct kvm_userspace_memory_region region = { .memory_size = MEMORY };
	char *error = NULL;

	vm.memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	region.userspace_addr = (uintptr_t)vm.memory;
	assert_int_equal(ioctl(vm.vm, KVM_SET_USER_MEMORY_REGION, &region), 0);
	assert_int_equal(x86_vm_init(vm.vm, &error), 0);
	for (unsigned int i = 0; i < CPUS; i++) {
		vm.cpus[i] = ioctl(vm.vm, KVM_CREATE_VCPU, i);
		assert_int_equal(x86_cpu_init(kvm, vm.cpus[i], i, CPUS, &error),
				 0);
	}
	vm.run_size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	vm.run = mmap(NULL, vm.run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		      vm.cpus[0], 0);
	return vm;
}

static void vm_destroy(struct vm *vm)
{
	munmap(vm->run, vm->run_size);
	munmap(vm->memory, MEMORY);
	for (unsigned int i = 0; i < CPUS; i++)
		close(vm->cpus[i]);
	close(vm->vm);
}

/* 32-bit code, which needs no page tables: out PORT, bl; inc eax; again. */
static void enter(struct vm *vm)
{
	static const uint8_t code[] = {
		0x88, 0xd8, 0xe6, PORT, 0x43, 0xeb, 0xf9
	};
	const struct boot_entry entry = { BOOT_PVH, CODE, 0x7000 };
	char *error = NULL;

	memcpy(vm->memory + CODE, code, sizeof(code));
	assert_int_equal(x86_cpu_set_entry(vm->cpus[0], &entry, &error), 0);
}

/* Runs to the next byte that the code puts out. */
static uint8_t step(struct vm *vm)
{
	int n;

	do
		n = ioctl(vm->cpus[0], KVM_RUN, 0);
	while (n < 0 && errno == EINTR);
	assert_int_equal(n, 0);
	assert_int_equal(vm->run->exit_reason, KVM_EXIT_IO);
	assert_int_equal(vm->run->io.port, PORT);
	return ((uint8_t *)vm->run)[vm->run->io.data_offset];
}

/* Completes the instruction that left the guest. */
static void settle(struct vm *vm)
{
	vm->run->immediate_exit = 1;
	assert_int_equal(ioctl(vm->cpus[0], KVM_RUN, 0), -1);
	vm->run->immediate_exit = 0;
}

static void a_guest_goes_on_elsewhere(void **state)
{
	struct vm one = vm_create(), two = vm_create();
	char *error = NULL;
	json_t *cpu, *chips;

	enter(&one);
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(step(&one), i);
	settle(&one);
	cpu = x86_cpu_save(one.cpus[0], &error);
	chips = x86_vm_save(one.vm, &error);
	assert_non_null(cpu);
	assert_non_null(chips);
	memcpy(two.memory, one.memory, MEMORY);
	assert_int_equal(x86_vm_restore(two.vm, chips, &error), 0);
	assert_int_equal(x86_cpu_restore(two.cpus[0], cpu, &error), 0);
	for (unsigned int i = 5; i < 10; i++)
		assert_int_equal(step(&two), i);
	json_decref(cpu);
	json_decref(chips);
	vm_destroy(&one);
	vm_destroy(&two);
}

static void a_reset_makes_it_new(void **state)
{
	struct vm vm = vm_create();
	struct kvm_regs regs, first;
	struct kvm_sregs sregs, first_sregs;
	char *error = NULL;

	assert_int_equal(ioctl(vm.cpus[0], KVM_GET_REGS, &first), 0);
	assert_int_equal(ioctl(vm.cpus[0], KVM_GET_SREGS, &first_sregs), 0);
	for (unsigned int i = 0; i < 2; i++) {
		enter(&vm);
		assert_int_equal(step(&vm), 0);
		assert_int_equal(step(&vm), 1);
		settle(&vm);
		for (unsigned int c = 0; c < CPUS; c++)
			assert_int_equal(x86_cpu_reset(vm.cpus[c], c, &error),
					 0);
		assert_int_equal(ioctl(vm.cpus[0], KVM_GET_REGS, &regs), 0);
		assert_int_equal(ioctl(vm.cpus[0], KVM_GET_SREGS, &sregs), 0);
		assert_memory_equal(&regs, &first, sizeof(regs));
		assert_memory_equal(&sregs, &first_sregs, sizeof(sregs));
	}
	vm_destroy(&vm);
}

static void damaged_state_is_refused(void **state)
{
	struct vm vm = vm_create();
	char *error = NULL;
	json_t *saved = x86_cpu_save(vm.cpus[0], &error);
	json_t *bad = json_string("AAAA");

	assert_int_equal(x86_cpu_restore(vm.cpus[0], bad, &error), -EINVAL);
	assert_int_equal(x86_cpu_restore(vm.cpus[0], NULL, &error), -EINVAL);
	assert_int_equal(x86_vm_restore(vm.vm, bad, &error), -EINVAL);
	assert_int_equal(x86_cpu_restore(vm.cpus[0], saved, &error), 0);
	json_decref(bad);
	json_decref(saved);
	free(error);
	vm_destroy(&vm);
}

static const struct kvm_cpuid_entry2 *leaf(const struct kvm_cpuid2 *cpuid,
					   uint32_t function, uint32_t index)
{
	for (unsigned int i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == function &&
		    cpuid->entries[i].index == index)
			return &cpuid->entries[i];
	fail_msg("no leaf 0x%x", function);
	return NULL;
}

static void each_cpu_knows_its_place(void **state)
{
	struct vm vm = vm_create();
	struct kvm_cpuid2 *cpuid =
		xcalloc(1, sizeof(*cpuid) + 300 * sizeof(cpuid->entries[0]));

	for (unsigned int i = 0; i < CPUS; i++) {
		cpuid->nent = 300;
		assert_int_equal(ioctl(vm.cpus[i], KVM_GET_CPUID2, cpuid), 0);
		assert_int_equal(leaf(cpuid, 1, 0)->ebx >> 24, i);
		assert_int_equal(leaf(cpuid, 1, 0)->ebx >> 16 & 0xff, CPUS);
		assert_true(leaf(cpuid, 1, 0)->ecx >> 31);
		assert_false(leaf(cpuid, 1, 0)->ecx >> 5 & 1);
		assert_false(leaf(cpuid, 0x80000001, 0)->ecx >> 2 & 1);
		assert_int_equal(leaf(cpuid, 0xb, 0)->ebx, 1);
		assert_int_equal(leaf(cpuid, 0xb, 1)->eax, 2);
		assert_int_equal(leaf(cpuid, 0xb, 1)->ebx, CPUS);
		assert_int_equal(leaf(cpuid, 0xb, 1)->edx, i);
		assert_memory_equal(&leaf(cpuid, 0x40000000, 0)->ebx, "KVMK",
				    4);
	}
	free(cpuid);
	vm_destroy(&vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_guest_goes_on_elsewhere),
		cmocka_unit_test(a_reset_makes_it_new),
		cmocka_unit_test(damaged_state_is_refused),
		cmocka_unit_test(each_cpu_knows_its_place),
	};

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0) {
		print_message("skipped: /dev/kvm cannot be opened\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
