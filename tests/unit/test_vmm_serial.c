/* The serial port's registers, its interrupt, and a socket at its other end. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/vmm_hypervisor.h"
#include "vmm/x86/layout.h"
#include "vmm/x86/serial.h"

struct port {
	struct mock_hypervisor mock;
	struct bus *pio;
	struct event_base *loop;
	struct serial *serial;
	int far; /* the other end */
};

static int set_up(void **state)
{
	static struct port port;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends))
		return -1;
	mock_hypervisor_init(&port.mock);
	port.pio = bus_create();
	port.loop = event_base_new();
	port.serial = serial_create(port.pio, &port.mock.hypervisor, port.loop,
				    ends[0]);
	port.far = ends[1];
	*state = &port;
	return 0;
}

static int tear_down(void **state)
{
	struct port *port = *state;

	serial_destroy(port->serial);
	event_base_free(port->loop);
	bus_destroy(port->pio);
	mock_hypervisor_uninit(&port->mock);
	close(port->far);
	return 0;
}

static void out(struct port *port, unsigned int reg, uint8_t value)
{
	assert_true(bus_write(port->pio, LAYOUT_PORT_SERIAL + reg, &value, 1));
}

static uint8_t in(struct port *port, unsigned int reg)
{
	uint8_t value;

	assert_true(bus_read(port->pio, LAYOUT_PORT_SERIAL + reg, &value, 1));
	return value;
}

/* The I/O thread's turn. */
static void turn(struct port *port)
{
	for (int i = 0; i < 3; i++)
		event_base_loop(port->loop, EVLOOP_NONBLOCK);
}

static bool irq(const struct port *port)
{
	return port->mock.levels[LAYOUT_IRQ_SERIAL];
}

static void output_arrives(void **state)
{
	struct port *port = *state;
	char got[10];

	for (const char *c = "hello"; *c; c++) {
		assert_int_equal(in(port, 5) & 0x60, 0x60);
		out(port, 0, *c);
	}
	turn(port);
	assert_int_equal(read(port->far, got, sizeof(got)), 5);
	assert_memory_equal(got, "hello", 5);
}

static void input_interrupts(void **state)
{
	struct port *port = *state;

	assert_int_equal(write(port->far, "ab", 2), 2);
	turn(port);
	assert_false(irq(port));
	out(port, 1, 1);
	assert_true(irq(port));
	assert_int_equal(in(port, 2), 0x04);
	assert_int_equal(in(port, 5) & 1, 1);
	assert_int_equal(in(port, 0), 'a');
	assert_false(irq(port)); /* one without a FIFO */
	turn(port);
	assert_true(irq(port));
	assert_int_equal(in(port, 0), 'b');
	assert_int_equal(in(port, 2), 0x01);
	assert_int_equal(in(port, 5) & 1, 0);
}

static void a_fifo_fills_and_the_rest_waits(void **state)
{
	struct port *port = *state;
	char text[64];
	unsigned int n = 0;

	for (unsigned int i = 0; i < sizeof(text); i++)
		text[i] = 'A' + i;
	out(port, 2, 0xc1); /* FIFOs, 14 bytes */
	out(port, 1, 1);
	assert_int_equal(write(port->far, text, 3), 3);
	turn(port);
	assert_int_equal(in(port, 2), 0xcc); /* below the level: time-out */
	assert_int_equal(write(port->far, text + 3, 61), 61);
	turn(port);
	assert_int_equal(in(port, 2), 0xc4);
	while (in(port, 5) & 1) {
		assert_int_equal(in(port, 0), (uint8_t)text[n]);
		n++;
		turn(port);
	}
	assert_int_equal(n, sizeof(text));
	assert_false(irq(port));
}

static void an_empty_transmitter_interrupts(void **state)
{
	struct port *port = *state;

	out(port, 1, 2);
	assert_true(irq(port));
	assert_int_equal(in(port, 2), 0x02);
	assert_false(irq(port));
	assert_int_equal(in(port, 2), 0x01);
	out(port, 0, 'x');
	assert_true(irq(port));
	out(port, 1, 0);
	assert_false(irq(port));
}

static void the_divisor_is_behind_its_latch(void **state)
{
	struct port *port = *state;

	out(port, 1, 5);
	out(port, 3, 0x83);
	out(port, 0, 0x34);
	out(port, 1, 0x12);
	assert_int_equal(in(port, 0), 0x34);
	assert_int_equal(in(port, 1), 0x12);
	out(port, 3, 3);
	assert_int_equal(in(port, 1), 5);
	out(port, 7, 0x5a);
	assert_int_equal(in(port, 7), 0x5a);
}

/* As Linux looks for the chip. */
static void a_loop_comes_back(void **state)
{
	struct port *port = *state;
	char c;

	out(port, 4, 0x1a);
	assert_int_equal(in(port, 6) & 0xf0, 0x90);
	out(port, 0, 'l');
	assert_int_equal(in(port, 0), 'l');
	out(port, 4, 0);
	assert_int_equal(in(port, 6), 0xb0);
	turn(port);
	assert_int_equal(read(port->far, &c, 1), -1);
}

static void what_nobody_reads_is_dropped(void **state)
{
	struct port *port = *state;
	char got[4096];
	json_t *saved;
	uint64_t n = 0;
	ssize_t part;

	for (int i = 0; i < 2000000; i++) {
		out(port, 0, 'x');
		if (i % 1000 == 0)
			turn(port);
	}
	saved = serial_save(port->serial);
	do {
		turn(port);
		part = read(port->far, got, sizeof(got));
		n += part > 0 ? part : 0;
	} while (part > 0);
	assert_int_equal(
		n + json_integer_value(json_object_get(saved, "dropped")),
		2000000);
	json_decref(saved);
}

static void an_end_that_closes_is_borne(void **state)
{
	struct port *port = *state;

	close(port->far);
	turn(port);
	for (int i = 0; i < 100; i++)
		out(port, 0, 'x');
	turn(port);
	assert_int_equal(in(port, 5), 0x60);
	port->far = dup(0);
}

static void state_is_kept(void **state)
{
	struct port *port = *state;
	char *error = NULL;
	json_t *saved;

	out(port, 2, 0x41);
	out(port, 1, 3);
	out(port, 7, 0x77);
	assert_int_equal(write(port->far, "abc", 3), 3);
	turn(port);
	saved = serial_save(port->serial);
	serial_reset(port->serial);
	assert_false(irq(port));
	assert_int_equal(in(port, 7), 0);
	assert_int_equal(serial_restore(port->serial, saved, &error), 0);
	assert_true(irq(port));
	assert_int_equal(in(port, 7), 0x77);
	assert_int_equal(in(port, 0), 'a');
	assert_int_equal(in(port, 0), 'b');
	assert_int_equal(in(port, 0), 'c');
	json_object_del(saved, "registers");
	assert_true(serial_restore(port->serial, saved, &error) < 0);
	free(error);
	json_decref(saved);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(output_arrives),
		TEST(input_interrupts),
		TEST(a_fifo_fills_and_the_rest_waits),
		TEST(an_empty_transmitter_interrupts),
		TEST(the_divisor_is_behind_its_latch),
		TEST(a_loop_comes_back),
		TEST(what_nobody_reads_is_dropped),
		TEST(an_end_that_closes_is_borne),
		TEST(state_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
