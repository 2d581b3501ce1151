/*
 * A guest that tests its monitor: freestanding, drives the devices itself, and
 * does what its kernel command line says (main.c). What it finds it says on the
 * serial port.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest_defs.h"

/* lib.c: memory, text, the order's arguments. */
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
bool starts_with(const char *text, const char *start);
/* %s %c %u %x %lu %lx, %02x-like widths. */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Zeroed, never given back. */
void *allocate(size_t size, size_t align);
uint64_t parse_number(const char *text);
/* Of the order "name,key=value,flag": the value, "" for a flag, or NULL. */
const char *argument(const char *key);
uint64_t number_argument(const char *key, uint64_t otherwise);
/* Fails the order that runs; printed with what it was. */
_Noreturn void fail(const char *format, ...)
	__attribute__((format(printf, 1, 2)));
#define CHECK(condition, ...)                                                  \
	do {                                                                   \
		if (!(condition))                                              \
			fail(__VA_ARGS__);                                     \
	} while (0)

/* machine.c: ports, serial, time, interrupts, power. */
static inline void out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port) : "memory");
}
static inline void out16(uint16_t port, uint16_t value)
{
	__asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port) : "memory");
}
static inline void out32(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port) : "memory");
}
static inline uint8_t in8(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}
static inline uint16_t in16(uint16_t port)
{
	uint16_t value;

	__asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}
static inline uint32_t in32(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}
#define MMIO(type)                                                             \
	static inline type read_##type(uint64_t addr)                          \
	{                                                                      \
		type value;                                                    \
		__asm__ volatile("mov %1, %0"                                  \
				 : "=r"(value)                                 \
				 : "m"(*(volatile type *)addr)                 \
				 : "memory");                                  \
		return value;                                                  \
	}                                                                      \
	static inline void write_##type(uint64_t addr, type value)             \
	{                                                                      \
		__asm__ volatile("mov %1, %0"                                  \
				 : "=m"(*(volatile type *)addr)                \
				 : "r"(value)                                  \
				 : "memory");                                  \
	}
MMIO(uint8_t)
MMIO(uint16_t)
MMIO(uint32_t)
MMIO(uint64_t)
#undef MMIO

void machine_init(void);
void serial_putc(char c);
/* -1: nothing has come. */
int serial_getc(void);
/* Of the ACPI timer, since the start. */
uint64_t microseconds(void);
_Noreturn void power_off(void);
void reset_machine(void);
/* Interrupts by vector: VECTOR_FIRST + n, for MSI; their counts. */
enum { VECTOR_TIMER = 0x30, VECTOR_SCI = 0x31, VECTOR_FIRST = 0x40 };
extern volatile uint32_t interrupts[256];
/*
 * Waits, asleep, until the condition holds; false when it did not within so
 * many milliseconds.
 */
bool wait_for(bool (*condition)(void *aux), void *aux, unsigned int ms);
void wait_ms(unsigned int ms);
/* Routes a pin of the I/O APIC to a vector; level-triggered, active low. */
void route_pin(unsigned int pin, unsigned int vector);

/* What the boot told. */
struct boot_info {
	int by;
	const char *command_line;
	uint64_t rsdp;
	uint64_t initrd, initrd_size;
	unsigned int n_memory;
	struct {
		uint64_t addr, size;
		uint32_t type;
	} memory[16];
};
extern struct boot_info boot;
void boot_read(int by, uint64_t info);

/* The orders. */
struct order {
	const char *name;
	void (*run)(void);
};
extern const struct order orders_basic[], orders_devices[], orders_blk[],
	orders_net[], orders_hotplug[], orders_hostile[];

#endif
