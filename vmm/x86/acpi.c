/* Writing the ACPI tables one behind the other, from LAYOUT_ACPI on. */
#include "vmm/x86/acpi.h"

#include <string.h>

#include "vmm/x86/layout.h"

/* Made by iasl of x86/dsdt.asl. */
#include <vmm/x86/dsdt.hex>

enum {
	HEADER_SIZE = 36,
	RSDP_SIZE = 36,
	RSDP_CHECKED = 20, /* what its first checksum is of */
	FACS_SIZE = 64,	   /* and its alignment */
	FADT_SIZE = 276,
	AREA_SIZE = LAYOUT_KERNEL - LAYOUT_ACPI,
};

/* FADT (5.2.9): what is not zero, beside the addresses of other tables. */
static const struct {
	uint8_t offset, size;
	uint32_t value;
} fixed[] = {
	{ 46, 2, LAYOUT_IRQ_SCI },
	{ 56, 4, LAYOUT_PORT_PM },     /* PM1a events */
	{ 64, 4, LAYOUT_PORT_PM + 4 }, /* PM1a control */
	{ 76, 4, LAYOUT_PORT_PM + 8 }, /* timer */
	{ 80, 4, LAYOUT_PORT_GPE },
	{ 88, 4, 4 | 2 << 8 | 4u << 24 }, /* the lengths: events, control, */
	{ 92, 1, 4 },			  /* timer, GPE0 */
	{ 96, 4, 0x0fff0fff },		  /* latencies: neither C2 nor C3 */
	{ 108, 1, 0x32 },		  /* century: x86/rtc.c */
	/* COM1 is there; neither VGA nor 8042; no ASPM. */
	{ 109, 2, 1 << 0 | 1 << 2 | 1 << 4 },
	/* WBINVD; C1; no sleep button; no RTC event; 32 bits of timer; reset
	 * register. The power button is a fixed one. */
	{ 112, 4, 1 << 0 | 1 << 2 | 1 << 5 | 1 << 6 | 1 << 8 | 1 << 10 },
	{ 116, 4, 1 | 8 << 8 | 1 << 24 }, /* reset: a port, 8 bits, a byte */
	{ 120, 4, LAYOUT_PORT_RESET },
	{ 128, 1, 6 },
	{ 131, 1, 4 }, /* the minor version */
};

enum { FADT_FACS = 36, FADT_DSDT = 40, FADT_X_DSDT = 140 };

/* MADT (5.2.12) */
enum {
	MADT_LAPIC = 0,
	MADT_IOAPIC = 1,
	MADT_OVERRIDE = 2,
	MADT_LAPIC_NMI = 4,
	HIGH_LEVEL = 0xd, /* active high, by level */
};

/* Where the next bytes go; a table is open from begin() to end(). */
struct writer {
	uint8_t *area;
	uint32_t at, table;
};

static void put(struct writer *w, uint64_t value, unsigned int size)
{
	memcpy(w->area + w->at, &value, size);
	w->at += size;
}

static void put_at(struct writer *w, unsigned int offset, uint64_t value,
		   unsigned int size)
{
	memcpy(w->area + w->table + offset, &value, size);
}

static uint8_t checksum(const uint8_t *data, uint32_t size)
{
	uint8_t sum = 0;

	while (size--)
		sum -= *data++;
	return sum;
}

/* The header (5.2.6), without length and checksum. */
static void begin(struct writer *w, const char *signature, uint8_t revision)
{
	w->at = (w->at + 15) & ~15u;
	w->table = w->at;
	memcpy(w->area + w->at, signature, 4);
	put_at(w, 8, revision, 1);
	memcpy(w->area + w->at + 10, "VSW   VSWVMM  ", 14);
	put_at(w, 24, 1, 4);
	memcpy(w->area + w->at + 28, "VSW ", 4);
	put_at(w, 32, 1, 4);
	w->at += HEADER_SIZE;
}

/* Returns the table's address. */
static uint64_t end(struct writer *w)
{
	put_at(w, 4, w->at - w->table, 4);
	put_at(w, 9, checksum(w->area + w->table, w->at - w->table), 1);
	return LAYOUT_ACPI + w->table;
}

static uint64_t write_facs(struct writer *w)
{
	w->at = (w->at + FACS_SIZE - 1) & ~(FACS_SIZE - 1u);
	w->table = w->at;
	memcpy(w->area + w->at, "FACS", 4);
	put_at(w, 4, FACS_SIZE, 4);
	put_at(w, 32, 2, 1); /* version */
	w->at += FACS_SIZE;
	return LAYOUT_ACPI + w->table;
}

static uint64_t write_dsdt(struct writer *w)
{
	w->at = w->table = (w->at + 15) & ~15u;
	memcpy(w->area + w->at, dsdt_aml_code, sizeof(dsdt_aml_code));
	w->at += sizeof(dsdt_aml_code);
	return LAYOUT_ACPI + w->table;
}

static uint64_t write_fadt(struct writer *w, uint64_t facs, uint64_t dsdt)
{
	begin(w, "FACP", 6);
	w->at = w->table + FADT_SIZE;
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		put_at(w, fixed[i].offset, fixed[i].value, fixed[i].size);
	put_at(w, FADT_FACS, facs, 4);
	put_at(w, FADT_DSDT, dsdt, 4);
	put_at(w, FADT_X_DSDT, dsdt, 8);
	return end(w);
}

static uint64_t write_madt(struct writer *w, unsigned int cpus)
{
	begin(w, "APIC", 5);
	put(w, LAYOUT_LAPIC, 4);
	put(w, 1, 4); /* there are 8259s, too */
	for (unsigned int i = 0; i < cpus; i++) {
		put(w, MADT_LAPIC | 8 << 8, 2);
		put(w, i | i << 8, 2); /* processor, APIC */
		put(w, 1, 4);	       /* enabled */
	}
	put(w, MADT_IOAPIC | 12 << 8, 2);
	put(w, 0, 2);
	put(w, LAYOUT_IOAPIC, 4);
	put(w, 0, 4); /* its first GSI */
	put(w, MADT_OVERRIDE | 10 << 8, 2);
	put(w, 0 | LAYOUT_IRQ_SCI << 8, 2); /* ISA, interrupt */
	put(w, LAYOUT_IRQ_SCI, 4);
	put(w, HIGH_LEVEL, 2);
	put(w, MADT_LAPIC_NMI | 6 << 8, 2);
	put(w, 0xff, 1); /* all processors */
	put(w, 0, 2);
	put(w, 1, 1); /* LINT1 */
	return end(w);
}

static uint64_t write_mcfg(struct writer *w)
{
	begin(w, "MCFG", 1);
	put(w, 0, 8);
	put(w, LAYOUT_ECAM, 8);
	put(w, 0, 8); /* segment 0, bus 0 to 0 */
	return end(w);
}

static void write_rsdp(uint8_t *rsdp, uint64_t xsdt)
{
	static const char signature[] = "RSD PTR ", maker[] = "VSW   ";

	memcpy(rsdp, signature, sizeof(signature) - 1);
	memcpy(rsdp + 9, maker, sizeof(maker) - 1);
	rsdp[15] = 2;
	rsdp[20] = RSDP_SIZE;
	memcpy(rsdp + 24, &xsdt, 8);
	rsdp[8] = checksum(rsdp, RSDP_CHECKED);
	rsdp[32] = checksum(rsdp, RSDP_SIZE);
}

uint64_t acpi_write_tables(struct guest_memory *memory, unsigned int cpus)
{
	struct writer w = {
		.area = guest_memory_at(memory, LAYOUT_ACPI, AREA_SIZE),
		.at = RSDP_SIZE,
	};
	uint64_t facs, fadt, madt, mcfg;

	memset(w.area, 0, AREA_SIZE);
	facs = write_facs(&w);
	fadt = write_fadt(&w, facs, write_dsdt(&w));
	madt = write_madt(&w, cpus);
	mcfg = write_mcfg(&w);
	begin(&w, "XSDT", 1);
	put(&w, fadt, 8);
	put(&w, madt, 8);
	put(&w, mcfg, 8);
	write_rsdp(w.area, end(&w));
	return LAYOUT_ACPI;
}
