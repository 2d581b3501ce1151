/* Power management, events, reset, panic and the real-time clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/support/vmm_hypervisor.h"
#include "vmm/x86/chipset.h"
#include "vmm/x86/layout.h"

struct board {
	struct mock_hypervisor mock;
	struct bus *pio, *mmio;
	struct pci_bus *pci;
	struct chipset *chipset;
	unsigned int offs, resets, panics;
};

static void on_off(void *aux)
{
	((struct board *)aux)->offs++;
}

static void on_reset(void *aux)
{
	((struct board *)aux)->resets++;
}

static void on_panic(void *aux)
{
	((struct board *)aux)->panics++;
}

static const struct chipset_ops ops = { on_off, on_reset, on_panic };

static int set_up(void **state)
{
	struct board *board = xcalloc(1, sizeof(*board));

	mock_hypervisor_init(&board->mock);
	board->pio = bus_create();
	board->mmio = bus_create();
	board->pci = pci_bus_create(board->mmio, board->pio,
				    &board->mock.hypervisor);
	board->chipset = chipset_create(board->pio, &board->mock.hypervisor,
					board->pci, &ops, board);
	*state = board;
	return 0;
}

static int tear_down(void **state)
{
	struct board *board = *state;

	chipset_destroy(board->chipset);
	pci_bus_destroy(board->pci);
	bus_destroy(board->mmio);
	bus_destroy(board->pio);
	mock_hypervisor_uninit(&board->mock);
	free(board);
	return 0;
}

static void out(struct board *board, unsigned int port, unsigned int length,
		uint64_t value)
{
	assert_true(bus_write(board->pio, port, &value, length));
}

static uint64_t in(struct board *board, unsigned int port, unsigned int length)
{
	uint64_t value = 0;

	assert_true(bus_read(board->pio, port, &value, length));
	return value;
}

static bool sci(const struct board *board)
{
	return board->mock.levels[LAYOUT_IRQ_SCI];
}

static void the_button_interrupts(void **state)
{
	struct board *board = *state;

	assert_int_equal(in(board, LAYOUT_PORT_PM + 4, 2), 1);
	chipset_power_button(board->chipset);
	assert_false(sci(board));
	assert_int_equal(in(board, LAYOUT_PORT_PM, 2), 0x100);
	out(board, LAYOUT_PORT_PM + 2, 2, 0x100);
	assert_int_equal(in(board, LAYOUT_PORT_PM, 4), 0x01000100);
	assert_true(sci(board));
	out(board, LAYOUT_PORT_PM, 2, 0x100);
	assert_false(sci(board));
	assert_int_equal(in(board, LAYOUT_PORT_PM, 2), 0);
}

static void sleep_type_5_is_off(void **state)
{
	struct board *board = *state;

	out(board, LAYOUT_PORT_PM + 4, 2, 5 << 10);
	out(board, LAYOUT_PORT_PM + 4, 2, 1 << 13);
	out(board, LAYOUT_PORT_PM + 4, 2, 3 << 10 | 1 << 13);
	assert_int_equal(board->offs, 0);
	out(board, LAYOUT_PORT_PM + 4, 2, 5 << 10 | 1 << 13);
	assert_int_equal(board->offs, 1);
	out(board, LAYOUT_PORT_PM + 5, 1, 0x34);
	assert_int_equal(board->offs, 2);
}

static void the_reset_register_resets(void **state)
{
	struct board *board = *state;

	out(board, LAYOUT_PORT_RESET, 1, 2);
	assert_int_equal(board->resets, 0);
	out(board, LAYOUT_PORT_RESET, 1, 6);
	assert_int_equal(board->resets, 1);
}

static void a_panic_is_told(void **state)
{
	struct board *board = *state;

	assert_int_equal(in(board, LAYOUT_PORT_PVPANIC, 1), 1);
	out(board, LAYOUT_PORT_PVPANIC, 1, 2);
	assert_int_equal(board->panics, 0);
	out(board, LAYOUT_PORT_PVPANIC, 1, 1);
	assert_int_equal(board->panics, 1);
}

static const struct pci_function_ops card_ops;

static void a_card_is_an_event(void **state)
{
	struct board *board = *state;
	const struct pci_function_config config = { .vendor = 0x1af4 };
	struct pci_function *function;
	char *error = NULL;

	out(board, LAYOUT_PORT_GPE + 2, 2, 2);
	assert_int_equal(pci_add(board->pci, 3, true, &config, &card_ops, NULL,
				 &function, &error),
			 0);
	assert_true(sci(board));
	assert_int_equal(in(board, LAYOUT_PORT_GPE, 2), 2);
	assert_int_equal(in(board, LAYOUT_PORT_HOTPLUG, 4), 8);
	out(board, LAYOUT_PORT_GPE, 1, 2);
	assert_false(sci(board));
	pci_remove(function);
}

static void the_timer_runs(void **state)
{
	struct board *board = *state;
	uint32_t first = in(board, LAYOUT_PORT_PM + 8, 4), now = first;

	/* 3.58 MHz: it moves on while it is being looked at. */
	while (now == first)
		now = in(board, LAYOUT_PORT_PM + 8, 4);
	assert_true(now - first < UINT32_MAX / 2);
}

static uint8_t cmos(struct board *board, uint8_t reg)
{
	out(board, LAYOUT_PORT_RTC, 1, reg);
	return in(board, LAYOUT_PORT_RTC + 1, 1);
}

static void set_cmos(struct board *board, uint8_t reg, uint8_t value)
{
	out(board, LAYOUT_PORT_RTC, 1, reg);
	out(board, LAYOUT_PORT_RTC + 1, 1, value);
}

static int decimal(uint8_t bcd)
{
	assert_true((bcd & 0xf) <= 9 && bcd >> 4 <= 9);
	return (bcd >> 4) * 10 + (bcd & 0xf);
}

static time_t clock_of(struct board *board)
{
	struct tm tm;
	int second;

	do { /* until all of it was of one second */
		second = cmos(board, 0);
		tm = (struct tm){ .tm_sec = decimal(second),
				  .tm_min = decimal(cmos(board, 2)),
				  .tm_hour = decimal(cmos(board, 4)),
				  .tm_mday = decimal(cmos(board, 7)),
				  .tm_mon = decimal(cmos(board, 8)) - 1,
				  .tm_year = decimal(cmos(board, 9)) +
					     decimal(cmos(board, 0x32)) * 100 -
					     1900 };
	} while (cmos(board, 0) != second);
	return timegm(&tm);
}

static void the_clock_is_the_hosts(void **state)
{
	struct board *board = *state;
	time_t before = time(NULL), shown = clock_of(board);

	assert_int_equal(cmos(board, 0x0d), 0x80);
	assert_int_equal(cmos(board, 0x0b), 0x02);
	assert_true(shown >= before && shown <= time(NULL));
}

/* The hour that the clock shows in a format, once it is the same twice. */
static uint8_t hour_in(struct board *board, uint8_t format)
{
	set_cmos(board, 0x0b, format);
	assert_int_equal(cmos(board, 0x0b), format);
	return cmos(board, 4);
}

static void formats_of_the_clock(void **state)
{
	struct board *board = *state;
	uint8_t binary, half, bcd;

	do { /* until no hour ended in between */
		binary = hour_in(board, 0x06);
		half = hour_in(board, 0x00);
		bcd = hour_in(board, 0x02);
	} while (hour_in(board, 0x06) != binary);
	assert_int_equal(decimal(bcd), binary);
	assert_int_equal(half >> 7, binary >= 12);
	assert_int_equal(decimal(half & 0x7f) % 12, binary % 12);
}

static void state_is_kept(void **state)
{
	struct board *board = *state;
	char *error = NULL;
	json_t *saved;

	out(board, LAYOUT_PORT_PM + 2, 2, 0x120);
	out(board, LAYOUT_PORT_GPE + 2, 2, 0x8002);
	chipset_power_button(board->chipset);
	saved = chipset_save(board->chipset);
	chipset_reset(board->chipset);
	assert_false(sci(board));
	assert_int_equal(in(board, LAYOUT_PORT_PM, 4), 0);
	assert_int_equal(in(board, LAYOUT_PORT_GPE, 4), 0);
	assert_int_equal(chipset_restore(board->chipset, saved, &error), 0);
	assert_true(sci(board));
	assert_int_equal(in(board, LAYOUT_PORT_PM, 4), 0x01200100);
	assert_int_equal(in(board, LAYOUT_PORT_GPE + 2, 2), 0x8002);
	json_object_set_new(saved, "gpe", json_object());
	assert_true(chipset_restore(board->chipset, saved, &error) < 0);
	assert_non_null(strstr(error, "damaged"));
	free(error);
	json_decref(saved);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_button_interrupts),
		TEST(sleep_type_5_is_off),
		TEST(the_reset_register_resets),
		TEST(a_panic_is_told),
		TEST(a_card_is_an_event),
		TEST(the_timer_runs),
		TEST(the_clock_is_the_hosts),
		TEST(formats_of_the_clock),
		TEST(state_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
