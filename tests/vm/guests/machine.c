/* The machine without its PCI devices: vmm/x86/layout.h says where it is. */
#include "guest.h"

enum {
	PORT_SERIAL = 0x3f8,
	PORT_PM_CONTROL = 0x604,
	PORT_PM_TIMER = 0x608,
	PORT_RESET = 0xcf9,
	LAPIC = 0xfee00000,
	LAPIC_EOI = LAPIC + 0xb0,
	LAPIC_SPURIOUS = LAPIC + 0xf0,
	LAPIC_TIMER = LAPIC + 0x320,
	LAPIC_TIMER_INITIAL = LAPIC + 0x380,
	LAPIC_TIMER_DIVIDE = LAPIC + 0x3e0,
	IOAPIC = 0xfec00000,
	SLEEP_S5 = 5,
	TICK = 1000000, /* of the APIC's timer: a few milliseconds */
};

#define LAPIC_REG(r) ((uint64_t)(uint32_t)(r))

volatile uint32_t interrupts[256];

struct frame {
	uint64_t vector, error, rip, cs, flags, rsp, ss;
};

struct gate {
	uint16_t low, selector, flags, middle;
	uint32_t high, zero;
};

static struct gate idt[256] __attribute__((aligned(16)));

extern const char vectors[];

void serial_putc(char c)
{
	for (unsigned int i = 0; i < 100000; i++) {
		if (in8(PORT_SERIAL + 5) & 0x20)
			break;
	}
	out8(PORT_SERIAL, c);
}

int serial_getc(void)
{
	return in8(PORT_SERIAL + 5) & 1 ? in8(PORT_SERIAL) : -1;
}

uint64_t microseconds(void)
{
	static uint64_t ticks;
	static uint32_t last;
	uint32_t now = in32(PORT_PM_TIMER) & 0xffffff;

	ticks += (now - last) & 0xffffff;
	last = now;
	return ticks * 1000000 / 3579545;
}

void power_off(void)
{
	/* QEMU's S5 is type 0. */
	out16(PORT_PM_CONTROL, SLEEP_S5 << 10 | 1 << 13);
	out16(PORT_PM_CONTROL, 0 << 10 | 1 << 13);
	for (;;)
		__asm__ volatile("cli; hlt");
}

void reset_machine(void)
{
	out8(PORT_RESET, 6);
}

void interrupt(struct frame *frame);

void interrupt(struct frame *frame)
{
	interrupts[frame->vector & 255]++;
	if (frame->vector < 32)
		fail("exception %lu (%lx) at %lx", frame->vector, frame->error,
		     frame->rip);
	write_uint32_t(LAPIC_REG(LAPIC_EOI), 0);
}

void machine_init(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) pointer = { sizeof(idt) - 1, (uint64_t)idt };

	for (unsigned int i = 0; i < 256; i++) {
		uint64_t at = (uint64_t)vectors + i * 16;

		idt[i] = (struct gate){ .low = at,
					.selector = 8,
					.flags = 0x8e00,
					.middle = at >> 16,
					.high = at >> 32 };
	}
	__asm__ volatile("lidt %0" ::"m"(pointer));
	out8(PORT_SERIAL + 1, 0);
	out8(PORT_SERIAL + 2, 1); /* FIFO */
	/* The old interrupt chips are silent. */
	out8(0x21, 0xff);
	out8(0xa1, 0xff);
	write_uint32_t(LAPIC_REG(LAPIC_SPURIOUS), 0x1ff);
	write_uint32_t(LAPIC_REG(LAPIC_TIMER_DIVIDE), 3);
	write_uint32_t(LAPIC_REG(LAPIC_TIMER), VECTOR_TIMER);
	microseconds();
}

bool wait_for(bool (*condition)(void *aux), void *aux, unsigned int ms)
{
	uint64_t end = microseconds() + ms * 1000ull;

	for (;;) {
		bool done;

		__asm__ volatile("cli" ::: "memory");
		done = condition && condition(aux);
		if (done || microseconds() > end) {
			__asm__ volatile("sti; nop" ::: "memory");
			return done;
		}
		write_uint32_t(LAPIC_REG(LAPIC_TIMER_INITIAL), TICK);
		__asm__ volatile("sti; hlt" ::: "memory");
	}
}

void wait_ms(unsigned int ms)
{
	wait_for(NULL, NULL, ms);
}

void route_pin(unsigned int pin, unsigned int vector)
{
	write_uint32_t(LAPIC_REG(IOAPIC), 0x10 + 2 * pin);
	write_uint32_t(LAPIC_REG(IOAPIC) + 0x10, vector | 1 << 15);
	write_uint32_t(LAPIC_REG(IOAPIC), 0x11 + 2 * pin);
	write_uint32_t(LAPIC_REG(IOAPIC) + 0x10, 0);
}
