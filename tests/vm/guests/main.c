/*
 * The orders on the kernel command line, one after the other: words of the form
 * "name,key=value,flag". Each says "ok NAME" on the serial port, or "FAIL NAME:
 * why" and is the last. Then the machine is powered off.
 */
#include "guest.h"

const char *order_begin(const char *text, size_t length);
void guest_main(int by, uint64_t info);
static void run_shell(void);

static const struct order orders_main[] = {
	{ "shell", run_shell },
	{ NULL, NULL },
};

static const struct order *const tables[] = {
	orders_main, orders_basic,   orders_devices, orders_blk,
	orders_net,  orders_hotplug, orders_hostile,
};

static bool equal(const char *a, const char *b)
{
	return starts_with(a, b) && strlen(a) == strlen(b);
}

static void run_order(const char *text, size_t length)
{
	const char *name = order_begin(text, length);

	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
		for (const struct order *o = tables[t]; o->name; o++) {
			if (!equal(name, o->name))
				continue;
			o->run();
			print("ok %s\n", o->name);
			return;
		}
	}
	fail("unknown order");
}

static void run_line(const char *line)
{
	while (*line) {
		size_t length = 0;

		while (*line == ' ')
			line++;
		while (line[length] && line[length] != ' ')
			length++;
		if (length)
			run_order(line, length);
		line += length;
	}
}

static bool has_input(void *aux)
{
	return in8(0x3f8 + 5) & 1;
}

/* More orders, a line each, from the serial port; an empty line ends it. */
static void run_shell(void)
{
	char line[256];

	for (;;) {
		size_t n = 0;
		int c = 0;

		print("> ");
		while (c != '\n') {
			while (!wait_for(has_input, NULL, 60000))
				;
			c = serial_getc();
			if (c >= ' ' && n < sizeof(line) - 1)
				line[n++] = (char)c;
		}
		line[n] = '\0';
		if (!n)
			return;
		run_line(line);
	}
}

void guest_main(int by, uint64_t info)
{
	machine_init();
	print("\nguest started\n");
	boot_read(by, info);
	run_line(boot.command_line);
	print("done\n");
	power_off();
}
