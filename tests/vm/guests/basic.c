/* Orders about the machine itself. */
#include "guest.h"

static void run_info(void)
{
	print("booted by %s\n",
	      boot.by == BOOTED_BY_PVH ? "PVH" : "boot protocol");
	print("command line: %s\n", boot.command_line);
	for (unsigned int i = 0; i < boot.n_memory; i++)
		print("memory %lx-%lx type %u\n", boot.memory[i].addr,
		      boot.memory[i].addr + boot.memory[i].size,
		      boot.memory[i].type);
	if (boot.initrd_size)
		print("initrd %lu bytes\n", boot.initrd_size);
	print("rsdp %lx\n", boot.rsdp);
}

static void run_reset(void)
{
	reset_machine();
	wait_ms(5000);
	fail("still here");
}

static void run_panic(void)
{
	out8(0x505, 1);
}

static void run_spin(void)
{
	for (;;)
		__asm__ volatile("pause");
}

static void run_wait(void)
{
	uint64_t start = microseconds();

	wait_ms(number_argument("ms", 100));
	CHECK(interrupts[VECTOR_TIMER], "no timer interrupt");
	print("waited %lu us\n", microseconds() - start);
}

const struct order orders_basic[] = {
	{ "info", run_info }, { "reset", run_reset }, { "panic", run_panic },
	{ "spin", run_spin }, { "wait", run_wait },   { NULL, NULL },
};
