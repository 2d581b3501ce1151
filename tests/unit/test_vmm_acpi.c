/* The ACPI tables: sums, references, and that iasl can read them. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "scratch.h"
#include "vmm/x86/acpi.h"
#include "vmm/x86/layout.h"

enum { MEMORY = 2 << 20, CPUS = 64, HEADER = 36 };

static struct guest_memory memory;
static uint64_t rsdp;

static int set_up(void **state)
{
	char *error = NULL;

	if (guest_memory_create(&memory, MEMORY, false, &error))
		return -1;
	rsdp = acpi_write_tables(&memory, CPUS);
	return 0;
}

static int tear_down(void **state)
{
	guest_memory_destroy(&memory);
	return 0;
}

static const uint8_t *at(uint64_t addr, uint64_t length)
{
	const uint8_t *p = guest_memory_at(&memory, addr, length);

	assert_non_null(p);
	assert_true(addr >= LAYOUT_ACPI && addr + length <= LAYOUT_KERNEL);
	return p;
}

static uint64_t number(const uint8_t *p, unsigned int size)
{
	uint64_t value = 0;

	memcpy(&value, p, size);
	return value;
}

static void check_sum(const uint8_t *data, uint64_t length)
{
	uint8_t sum = 0;

	while (length--)
		sum += *data++;
	assert_int_equal(sum, 0);
}

static const uint8_t *table_at(uint64_t addr, const char *signature)
{
	uint64_t length = number(at(addr, HEADER) + 4, 4);
	const uint8_t *table = at(addr, length);

	assert_memory_equal(table, signature, 4);
	check_sum(table, length);
	return table;
}

/* The table of this signature in the XSDT. */
static const uint8_t *table(const char *signature)
{
	const uint8_t *xsdt = table_at(number(at(rsdp, 36) + 24, 8), "XSDT");

	for (unsigned int i = HEADER; i < number(xsdt + 4, 4); i += 8) {
		uint64_t addr = number(xsdt + i, 8);

		if (!memcmp(at(addr, 4), signature, 4))
			return table_at(addr, signature);
	}
	fail_msg("no %s", signature);
	return NULL;
}

static void the_root_is_found(void **state)
{
	const uint8_t *root = at(rsdp, 36);

	assert_int_equal(rsdp % 16, 0);
	assert_memory_equal(root, "RSD PTR ", 8);
	check_sum(root, 20);
	check_sum(root, 36);
	assert_int_equal(root[15], 2);
}

static void the_fixed_table_has_our_ports(void **state)
{
	const uint8_t *fadt = table("FACP");
	uint64_t facs = number(fadt + 36, 4);

	assert_int_equal(number(fadt + 4, 4), 276);
	assert_int_equal(facs % 64, 0);
	assert_memory_equal(at(facs, 64), "FACS", 4);
	table_at(number(fadt + 40, 4), "DSDT");
	assert_int_equal(number(fadt + 40, 4), number(fadt + 140, 8));
	assert_int_equal(number(fadt + 46, 2), LAYOUT_IRQ_SCI);
	assert_int_equal(number(fadt + 56, 4), LAYOUT_PORT_PM);
	assert_int_equal(number(fadt + 64, 4), LAYOUT_PORT_PM + 4);
	assert_int_equal(number(fadt + 76, 4), LAYOUT_PORT_PM + 8);
	assert_int_equal(number(fadt + 80, 4), LAYOUT_PORT_GPE);
	assert_int_equal(number(fadt + 120, 8), LAYOUT_PORT_RESET);
	assert_int_equal(fadt[128], 6);
}

static void every_processor_is_there(void **state)
{
	const uint8_t *madt = table("APIC"), *p = madt + 44;
	const uint8_t *end = madt + number(madt + 4, 4);
	unsigned int cpus = 0, ioapics = 0;

	assert_int_equal(number(madt + 36, 4), LAYOUT_LAPIC);
	for (; p < end; p += p[1]) {
		assert_true(p[1] >= 2 && p + p[1] <= end);
		if (p[0] == 0) {
			assert_int_equal(p[3], cpus++);
			assert_int_equal(number(p + 4, 4), 1);
		} else if (p[0] == 1) {
			assert_int_equal(number(p + 4, 4), LAYOUT_IOAPIC);
			ioapics++;
		} else if (p[0] == 2) {
			assert_int_equal(p[3], LAYOUT_IRQ_SCI);
		}
	}
	assert_int_equal(cpus, CPUS);
	assert_int_equal(ioapics, 1);
}

static void configuration_space_is_told(void **state)
{
	const uint8_t *mcfg = table("MCFG");

	assert_int_equal(number(mcfg + 4, 4), 60);
	assert_int_equal(number(mcfg + 44, 8), LAYOUT_ECAM);
}

/* iasl ends with an error at a table that it cannot take apart. */
static void check_by_iasl(const char *dir, const uint8_t *bytes)
{
	size_t length = number(bytes + 4, 4);
	char path[100], command[300];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%.4s.aml", dir, (const char *)bytes);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	fclose(file);
	snprintf(command, sizeof(command),
		 "cd %s && iasl -d %s >log 2>&1 && ! grep -i error log", dir,
		 path);
	assert_int_equal(system(command), 0);
}

static void iasl_takes_them_apart(void **state)
{
	char dir[SCRATCH_SIZE], command[100];
	const uint8_t *fadt = table("FACP");

	if (system("iasl -v >/dev/null 2>&1"))
		skip();
	scratch_make(dir);
	check_by_iasl(dir, fadt);
	check_by_iasl(dir, table_at(number(fadt + 40, 4), "DSDT"));
	check_by_iasl(dir, table("APIC"));
	check_by_iasl(dir, table("MCFG"));
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_root_is_found),
		cmocka_unit_test(the_fixed_table_has_our_ports),
		cmocka_unit_test(every_processor_is_there),
		cmocka_unit_test(configuration_space_is_told),
		cmocka_unit_test(iasl_takes_them_apart),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
