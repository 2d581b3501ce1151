/*
 * Configuration space (PCI 3.0, 6.1): what a guest may write is a mask of bits,
 * and a few of the registers do something. It is reached by ECAM and by ports
 * 0xcf8 and 0xcfc.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "vmm/pci/pci_internal.h"
#include "vmm/x86/layout.h"

LOG_MODULE(pci);

enum {
	ECAM_SIZE = 1 << 20, /* a bus */
	/* Where a card's BAR is at first: cards do not know of each other. */
	BAR_SPACE = (LAYOUT_PCI_WINDOW_END - LAYOUT_PCI_WINDOW) / PCI_SLOTS,
	PENDING_OFFSET = 0x1000, /* behind the MSI-X table */
};

static uint32_t get32(const uint8_t *config, unsigned int at)
{
	uint32_t value;

	memcpy(&value, config + at, sizeof(value));
	return le32toh(value);
}

static void set16(uint8_t *config, unsigned int at, uint16_t value)
{
	memcpy(config + at, &(uint16_t){ htole16(value) }, sizeof(value));
}

static void set32(uint8_t *config, unsigned int at, uint32_t value)
{
	memcpy(config + at, &(uint32_t){ htole32(value) }, sizeof(value));
}

/* --- the BAR --- */

/* Begins in the device's registers and ends in the MSI-X table: for neither. */
static bool is_across(const struct pci_function *function, uint64_t offset,
		      unsigned int length)
{
	return function->msix_control && offset < function->msix_offset &&
	       length > function->msix_offset - offset;
}

static uint64_t bar_read(void *aux, uint64_t offset, unsigned int length)
{
	struct pci_function *function = aux;

	if (is_across(function, offset, length))
		return UINT64_MAX;
	if (function->msix_control && offset >= function->msix_offset)
		return msix_read(&function->msix,
				 offset - function->msix_offset, length);
	return function->ops->bar_read(function->aux, offset, length);
}

static void bar_write(void *aux, uint64_t offset, unsigned int length,
		      uint64_t value)
{
	struct pci_function *function = aux;

	if (is_across(function, offset, length))
		return;
	if (function->msix_control && offset >= function->msix_offset)
		msix_write(&function->msix, offset - function->msix_offset,
			   length, value);
	else
		function->ops->bar_write(function->aux, offset, length, value);
}

void pci_config_unmap(struct pci_function *function)
{
	if (!function->mapped)
		return;
	function->ops->bar_mapped(function->aux, 0);
	bus_remove(function->bus->mmio, function->mapped);
	function->mapped = 0;
}

/* Where the guest wants the BAR, if that is possible. */
static uint32_t wanted_address(const struct pci_function *function)
{
	uint32_t addr = get32(function->config, PCI_BASE_ADDRESS_0);

	if (!function->bar_size || function->ejected ||
	    !(function->config[PCI_COMMAND] & PCI_COMMAND_MEMORY) ||
	    addr < LAYOUT_PCI_WINDOW ||
	    addr > LAYOUT_PCI_WINDOW_END - function->bar_size)
		return 0;
	return addr;
}

static void map(struct pci_function *function)
{
	const struct bus_device device = { bar_read, bar_write, function };
	uint32_t addr = wanted_address(function);

	if (addr == function->mapped)
		return;
	pci_config_unmap(function);
	/* Two at one place: the first has it. */
	if (!addr ||
	    bus_add(function->bus->mmio, addr, function->bar_size, &device))
		return;
	function->mapped = addr;
	function->ops->bar_mapped(function->aux, addr);
}

/* --- setting up ------------------------------------------------------------
 */

/* At `at`; linked to what was the last one. Returns where the next one is. */
static unsigned int add_capability(struct pci_function *function,
				   unsigned int at, uint8_t id,
				   const struct pci_capability *capability)
{
	uint8_t last = function->last_capability, *config = function->config;

	memcpy(config + at, capability->data, capability->length);
	config[at + PCI_CAP_LIST_ID] = id;
	config[at + PCI_CAP_LIST_NEXT] = 0;
	config[last ? last + PCI_CAP_LIST_NEXT : PCI_CAPABILITY_LIST] = at;
	function->last_capability = at;
	if (!capability->writable)
		return at + capability->length;
	memcpy(function->writable + at, capability->writable,
	       capability->length);
	if (id == PCI_CAP_ID_VNDR && function->ops->cap_access)
		function->window = at;
	return at + capability->length;
}

static unsigned int add_msix(struct pci_function *function, unsigned int at)
{
	uint8_t data[PCI_CAP_MSIX_SIZEOF] = { 0 }, writable[12] = { 0 };
	const struct pci_capability capability = { data, writable, 12 };

	set16(data, PCI_MSIX_FLAGS, function->msix.n - 1);
	set32(data, PCI_MSIX_TABLE, function->msix_offset);
	set32(data, PCI_MSIX_PBA, function->msix_offset + PENDING_OFFSET);
	set16(writable, PCI_MSIX_FLAGS,
	      PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	function->msix_control = at + PCI_MSIX_FLAGS + 1;
	return add_capability(function, at, PCI_CAP_ID_MSIX, &capability);
}

void pci_config_init(struct pci_function *function,
		     const struct pci_function_config *config)
{
	unsigned int at = PCI_STD_HEADER_SIZEOF;
	uint8_t *space = function->config;

	function->bar_size = config->bar_size;
	function->msix_offset = config->msix_offset;
	set16(space, PCI_VENDOR_ID, config->vendor);
	set16(space, PCI_DEVICE_ID, config->device);
	set32(space, PCI_CLASS_REVISION, config->class_revision);
	set16(space, PCI_SUBSYSTEM_VENDOR_ID, config->subsystem_vendor);
	set16(space, PCI_SUBSYSTEM_ID, config->subsystem);
	set16(function->writable, PCI_COMMAND,
	      PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
		      PCI_COMMAND_INTX_DISABLE);
	function->writable[PCI_INTERRUPT_LINE] = 0xff;
	if (config->bar_size)
		set32(function->writable, PCI_BASE_ADDRESS_0,
		      ~(config->bar_size - 1));
	if (config->n_vectors)
		at = add_msix(function, at);
	for (unsigned int i = 0; i < config->n_capabilities; i++)
		at = add_capability(function, at, PCI_CAP_ID_VNDR,
				    &config->capabilities[i]);
	if (function->last_capability)
		set16(space, PCI_STATUS, PCI_STATUS_CAP_LIST);
}

void pci_config_apply(struct pci_function *function)
{
	map(function);
	if (function->msix_control)
		msix_set_on(&function->msix,
			    (function->config[function->msix_control] &
			     (PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL) >>
				     8) == PCI_MSIX_FLAGS_ENABLE >> 8);
}

void pci_config_reset(struct pci_function *function, bool assign_bar)
{
	for (unsigned int i = 0; i < CONFIG_SIZE; i++)
		function->config[i] &= ~function->writable[i];
	if (assign_bar && function->bar_size)
		set32(function->config, PCI_BASE_ADDRESS_0,
		      LAYOUT_PCI_WINDOW + function->slot * BAR_SPACE);
	pci_config_apply(function);
	msix_reset(&function->msix);
}

/* --- a guest's accesses ----------------------------------------------------
 */

/* Tells the device of an access to its window. */
static void access_window(struct pci_function *function, unsigned int at,
			  unsigned int length, bool write)
{
	unsigned int start = function->window;
	uint8_t *body = function->config + start;

	if (start && at >= start && at + length <= start + body[2])
		function->ops->cap_access(function->aux, body, at - start,
					  length, write);
}

static void write_config(struct pci_function *function, unsigned int at,
			 unsigned int length, uint64_t value)
{
	for (unsigned int i = 0; i < length; i++) {
		uint8_t mask = function->writable[at + i];
		uint8_t *byte = &function->config[at + i];

		*byte = (*byte & ~mask) | ((value >> 8 * i) & mask);
	}
	if (at <= PCI_BASE_ADDRESS_0 + 3)
		map(function);
	else if (function->msix_control >= at &&
		 function->msix_control < at + length)
		pci_config_apply(function);
	else
		access_window(function, at, length, true);
}

/* The function and register at an address of ECAM; NULL: nothing there. */
static struct pci_function *find(struct pci_bus *bus, uint64_t addr,
				 unsigned int length)
{
	struct pci_function *function = bus->slots[addr >> 15 & 31];
	unsigned int at = addr & (PCI_CONFIG_SIZE - 1);

	if (addr >> 12 & 7 || !function || function->ejected ||
	    at + length > CONFIG_SIZE)
		return NULL;
	return function;
}

static uint64_t ecam_read(void *aux, uint64_t offset, unsigned int length)
{
	unsigned int at = offset & (PCI_CONFIG_SIZE - 1);
	struct pci_bus *bus = aux;
	struct pci_function *function;
	uint64_t value = UINT64_MAX;

	pthread_mutex_lock(&bus->lock);
	function = find(bus, offset, length);
	if (function) {
		access_window(function, at, length, false);
		value = 0;
		memcpy(&value, function->config + at, length);
		value = le64toh(value);
	}
	pthread_mutex_unlock(&bus->lock);
	return value;
}

static void ecam_write(void *aux, uint64_t offset, unsigned int length,
		       uint64_t value)
{
	struct pci_bus *bus = aux;
	struct pci_function *function;

	pthread_mutex_lock(&bus->lock);
	function = find(bus, offset, length);
	if (function)
		write_config(function, offset & (PCI_CONFIG_SIZE - 1), length,
			     value);
	pthread_mutex_unlock(&bus->lock);
}

/* The address register (PCI 3.0, 3.2.2.3.2) as an offset of ECAM; false: it
 * selects nothing here. */
static bool selected(struct pci_bus *bus, uint64_t port, uint64_t *offset)
{
	uint32_t address = bus->address;

	*offset = (address & 0xff00) << 4 | (address & 0xfc) | (port & 3);
	return port >= 4 && address >> 31 && !(address >> 16 & 0xff);
}

static uint64_t port_read(void *aux, uint64_t port, unsigned int length)
{
	struct pci_bus *bus = aux;
	uint64_t offset;

	if (!port && length == 4)
		return bus->address;
	return selected(bus, port, &offset) ? ecam_read(bus, offset, length)
					    : UINT64_MAX;
}

static void port_write(void *aux, uint64_t port, unsigned int length,
		       uint64_t value)
{
	const uint64_t reset_cpu = 4;
	struct pci_bus *bus = aux;
	uint64_t offset;

	if (!port && length == 4) {
		bus->address = value;
	} else if (port == LAYOUT_PORT_RESET - LAYOUT_PORT_PCI) {
		if (length == 1 && value & reset_cpu && bus->reset)
			bus->reset(bus->reset_aux);
	} else if (selected(bus, port, &offset)) {
		ecam_write(bus, offset, length, value);
	}
}

int pci_config_add_ports(struct pci_bus *bus)
{
	const struct bus_device ecam = { ecam_read, ecam_write, bus };
	const struct bus_device ports = { port_read, port_write, bus };
	int error = bus_add(bus->mmio, LAYOUT_ECAM, ECAM_SIZE, &ecam);

	return error ? error : bus_add(bus->pio, LAYOUT_PORT_PCI, 8, &ports);
}

void pci_config_remove_ports(struct pci_bus *bus)
{
	bus_remove(bus->mmio, LAYOUT_ECAM);
	bus_remove(bus->pio, LAYOUT_PORT_PCI);
}
