/*
 * Cards that come and go while the guest runs, told by ACPI: the registers that
 * the DSDT's methods read and write (pci.h), and both sides of an ejection.
 */
#include "vmm/pci/pci_internal.h"

#include "vmm/x86/layout.h"

enum { PORT_UP = 0, PORT_DOWN = 4, PORT_EJECT = 8, N_PORTS = 12 };

static _Atomic uint32_t *bits_at(struct pci_bus *bus, uint64_t offset)
{
	return offset == PORT_UP     ? &bus->up
	       : offset == PORT_DOWN ? &bus->down
				     : NULL;
}

static uint64_t read_port(void *aux, uint64_t offset, unsigned int length)
{
	const _Atomic uint32_t *bits = bits_at(aux, offset);

	return bits && length == 4 ? *bits : 0;
}

/* Only who was asked to goes: nobody waits for another to be gone. */
static void eject(struct pci_bus *bus, unsigned int slot)
{
	void (*gone)(void *aux, struct pci_function *) = NULL;
	struct pci_function *function;
	void *aux = NULL;

	pthread_mutex_lock(&bus->lock);
	function = bus->slots[slot];
	if (function && function->gone && !function->ejected) {
		gone = function->gone;
		aux = function->gone_aux;
		function->ejected = true;
		pci_config_unmap(function);
	}
	pthread_mutex_unlock(&bus->lock);
	if (gone)
		gone(aux, function);
}

static void write_port(void *aux, uint64_t offset, unsigned int length,
		       uint64_t value)
{
	struct pci_bus *bus = aux;
	_Atomic uint32_t *bits = bits_at(bus, offset);

	if (length != 4)
		return;
	if (bits)
		*bits &= ~(uint32_t)value;
	for (unsigned int slot = 0; slot < PCI_SLOTS; slot++)
		if (offset == PORT_EJECT && value >> slot & 1)
			eject(bus, slot);
}

int pci_hotplug_add_ports(struct pci_bus *bus)
{
	const struct bus_device ports = { read_port, write_port, bus };

	return bus_add(bus->pio, LAYOUT_PORT_HOTPLUG, N_PORTS, &ports);
}

void pci_hotplug_remove_ports(struct pci_bus *bus)
{
	bus_remove(bus->pio, LAYOUT_PORT_HOTPLUG);
}

void pci_bus_on_hotplug(struct pci_bus *bus, void (*notify)(void *aux),
			void *aux)
{
	bus->notify = notify;
	bus->notify_aux = aux;
}

void pci_hotplug_tell(struct pci_bus *bus, _Atomic uint32_t *bits,
		      unsigned int slot)
{
	*bits |= 1u << slot;
	if (bus->notify)
		bus->notify(bus->notify_aux);
}

void pci_request_eject(struct pci_function *function,
		       void (*gone)(void *aux, struct pci_function *),
		       void *aux)
{
	struct pci_bus *bus = function->bus;

	pthread_mutex_lock(&bus->lock);
	function->gone = gone;
	function->gone_aux = aux;
	pthread_mutex_unlock(&bus->lock);
	pci_hotplug_tell(bus, &bus->down, function->slot);
}

void pci_hotplug_reset(struct pci_bus *bus)
{
	for (unsigned int slot = 0; slot < PCI_SLOTS; slot++)
		eject(bus, slot);
	bus->up = bus->down = 0;
}
