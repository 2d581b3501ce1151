/*
 * A guest that accesses the ports of chipset, clock and serial port in any way,
 * while bytes arrive on the serial line, the power button is pressed and the
 * guest is reset, saved and restored. What must hold: a saved state is taken
 * back, and the interrupts' levels are as before.
 */
#include <event2/event.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz_input.h"
#include "tests/support/vmm_hypervisor.h"
#include "vmm/x86/chipset.h"
#include "vmm/x86/layout.h"
#include "vmm/x86/serial.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
	uint16_t first, n;
} ports[] = {
	{ LAYOUT_PORT_SERIAL, 8 },   { LAYOUT_PORT_RTC, 2 },
	{ LAYOUT_PORT_PM, 12 },	     { LAYOUT_PORT_GPE, 4 },
	{ LAYOUT_PORT_HOTPLUG, 12 }, { LAYOUT_PORT_PCI, 8 },
	{ LAYOUT_PORT_PVPANIC, 1 },  { LAYOUT_PORT_SERIAL, 8 },
};

static struct mock_hypervisor mock;
static struct bus *pio, *mmio;
static struct pci_bus *pci;
static struct chipset *chipset;
static struct serial *serial;
static struct event_base *loop;
static int far;

static void ignore(void *aux)
{
}

static const struct chipset_ops ops = { ignore, ignore, ignore };

static void set_up(void)
{
	int ends[2];

	MUST(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends));
	far = ends[1];
	mock_hypervisor_init(&mock);
	pio = bus_create();
	mmio = bus_create();
	if (!loop)
		loop = event_base_new();
	pci = pci_bus_create(mmio, pio, &mock.hypervisor);
	chipset = chipset_create(pio, &mock.hypervisor, pci, &ops, NULL);
	serial = serial_create(pio, &mock.hypervisor, loop, ends[0]);
}

static void tear_down(void)
{
	serial_destroy(serial);
	chipset_destroy(chipset);
	pci_bus_destroy(pci);
	bus_destroy(pio);
	bus_destroy(mmio);
	mock_hypervisor_uninit(&mock);
	close(far);
}

static void save_and_restore(void)
{
	bool sci = mock.levels[LAYOUT_IRQ_SCI];
	bool irq = mock.levels[LAYOUT_IRQ_SERIAL];
	json_t *one = chipset_save(chipset), *two = serial_save(serial);
	char *error = NULL;

	MUST(one && two);
	chipset_reset(chipset);
	serial_reset(serial);
	MUST(!mock.levels[LAYOUT_IRQ_SCI] && !mock.levels[LAYOUT_IRQ_SERIAL]);
	MUST(!chipset_restore(chipset, one, &error));
	MUST(!serial_restore(serial, two, &error));
	MUST(mock.levels[LAYOUT_IRQ_SCI] == sci);
	MUST(mock.levels[LAYOUT_IRQ_SERIAL] == irq);
	json_decref(one);
	json_decref(two);
}

static void access_port(uint8_t where, uint8_t how, uint64_t value)
{
	unsigned int which = where % ARRAY_SIZE(ports);
	unsigned int length = 1u << (how & 3);
	uint16_t port = ports[which].first +
			(where / ARRAY_SIZE(ports)) % ports[which].n;

	if (how & 4)
		bus_read(pio, port, &value, length);
	else
		bus_write(pio, port, &value, length);
}

static void happen(uint8_t what, uint64_t value)
{
	char bytes[1000];

	switch (what & 7) {
	case 0:
		event_base_loop(loop, EVLOOP_NONBLOCK);
		break;
	case 1:
		chipset_power_button(chipset);
		break;
	case 2:
		save_and_restore();
		break;
	case 3:
		if (send(far, &value, sizeof(value), MSG_NOSIGNAL) < 0)
			break;
		break;
	case 4:
		if (recv(far, bytes, sizeof(bytes), 0) < 0)
			break;
		break;
	case 5:
		chipset_reset(chipset);
		serial_reset(serial);
		break;
	case 6:
		if (!(value & 0xff))
			shutdown(far, SHUT_WR);
		break;
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct {
		uint8_t where, how;
		uint16_t value;
	} step;

	set_up();
	while (size) {
		fuzz_take(&data, &size, &step, sizeof(step));
		if (step.how & 8)
			happen(step.where, step.value);
		else
			access_port(step.where, step.how,
				    step.value * UINT64_C(0x1000100010001));
	}
	event_base_loop(loop, EVLOOP_NONBLOCK);
	tear_down();
	return 0;
}
