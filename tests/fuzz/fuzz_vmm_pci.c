/*
 * The PCI bus: a guest's accesses of any kind to configuration space, ports,
 * BARs and hot-plug registers, and cards that come and go meanwhile. What was
 * connected to the hypervisor is disconnected in the end, and what was saved
 * can be restored and is then the same.
 *
 * Of each action the first byte says what, the next how many bytes; then an
 * address or offset (4 bytes) and a value (8 bytes).
 */
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "fuzz_input.h"
#include "tests/support/vmm_pci_guest.h"
#include "vmm/x86/layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BAR_SIZE = 0x4000, TABLE = 0x2000, MAX_ACTIONS = 256 };

static struct pci_guest guest;
static struct pci_function *functions[PCI_SLOTS];
static bool gone[PCI_SLOTS];
static uint64_t mapped[PCI_SLOTS];
static bool has_table[PCI_SLOTS]; /* of MSI-X, at TABLE of its BAR */

/* Of the BAR, what is the device's own; aux: its place in mapped[]. */
static uint64_t own_size(const uint64_t *aux)
{
	return has_table[aux - mapped] ? TABLE : BAR_SIZE;
}

static uint64_t bar_read(void *aux, uint64_t offset, unsigned int length)
{
	MUST(offset + length <= own_size(aux));
	return 0;
}

static void bar_write(void *aux, uint64_t offset, unsigned int length,
		      uint64_t value)
{
	MUST(offset + length <= own_size(aux));
}

static void bar_mapped(void *aux, uint64_t addr)
{
	uint64_t *at = aux;

	MUST(!addr || (addr >= LAYOUT_PCI_WINDOW &&
		       addr + BAR_SIZE <= LAYOUT_PCI_WINDOW_END));
	MUST(!addr || !*at);
	*at = addr;
}

static void cap_access(void *aux, uint8_t *body, unsigned int offset,
		       unsigned int length, bool write)
{
	MUST(length && offset + length <= 8);
}

static const struct pci_function_ops ops = {
	.bar_read = bar_read,
	.bar_write = bar_write,
	.bar_mapped = bar_mapped,
	.cap_access = cap_access,
};

static void add(unsigned int slot, unsigned int n_vectors, bool hot)
{
	static const uint8_t cap[8] = { 0, 0, 8 }, writable[8] = { [4] = 0xff };
	static const struct pci_capability capabilities[] = { { cap, writable,
								8 } };
	const struct pci_function_config config = {
		.vendor = 1,
		.device = 2,
		.bar_size = BAR_SIZE,
		.msix_offset = TABLE,
		.n_vectors = n_vectors,
		.capabilities = capabilities,
		.n_capabilities = 1,
	};
	struct pci_function *function;

	if (pci_add(guest.pci, (int)slot, hot, &config, &ops, &mapped[slot],
		    &function, NULL))
		return;
	functions[slot] = function;
	has_table[slot] = n_vectors > 0;
	gone[slot] = false;
}

static void on_gone(void *aux, struct pci_function *function)
{
	bool *flag = aux;

	MUST(!*flag);
	*flag = true;
}

static void save_and_restore(struct pci_function *function)
{
	json_t *state = pci_function_save(function), *again;

	MUST(state && !pci_function_restore(function, state, NULL));
	again = pci_function_save(function);
	MUST(json_equal(state, again));
	json_decref(state);
	json_decref(again);
}

static void signal_vector(struct pci_function *function, unsigned int vector)
{
	int fd = pci_vector_fd(function, vector);
	uint64_t one = 1;

	if (fd >= 0)
		MUST(write(fd, &one, sizeof(one)) > 0);
}

static void card_action(uint8_t what, unsigned int slot, uint64_t value)
{
	struct pci_function *function = functions[slot];

	if (!function) {
		add(slot, value % (PCI_MAX_VECTORS + 1), what & 8);
		return;
	}
	switch (what & 7) {
	case 0:
		pci_remove(function);
		MUST(!mapped[slot]);
		functions[slot] = NULL;
		break;
	case 1:
		if (!gone[slot])
			pci_request_eject(function, on_gone, &gone[slot]);
		break;
	case 2:
		if (!gone[slot])
			save_and_restore(function);
		break;
	case 3:
		pci_bus_reset(guest.pci);
		break;
	default:
		signal_vector(function, value & 0xffff);
	}
}

static void act(const uint8_t **data, size_t *size)
{
	static const uint8_t lengths[] = { 4, 2, 1, 8, 3, 4, 4, 4 };
	struct {
		uint8_t what, how, addr[4], value[8];
	} in;
	unsigned int length;
	uint64_t addr, value;

	fuzz_take(data, size, &in, sizeof(in));
	memcpy(&value, in.value, sizeof(value));
	addr = in.addr[0] | in.addr[1] << 8 | in.addr[2] << 16;
	length = lengths[in.how & 7];
	switch (in.what & 7) {
	case 0: /* a register of a slot of few */
		addr = LAYOUT_ECAM | (in.addr[1] & 3) << 15 | in.addr[0];
		break;
	case 1:
		addr = LAYOUT_ECAM + addr % (1 << 20);
		break;
	case 2: /* where BARs are at first */
		addr = LAYOUT_PCI_WINDOW + ((in.addr[2] & 3) << 24) +
		       (addr & 0x7fff);
		break;
	case 3: /* where one is now */
		addr = mapped[in.addr[2] & 3] + (addr & (BAR_SIZE - 1));
		break;
	case 4:
		addr = LAYOUT_PORT_PCI + in.addr[0] % 8;
		break;
	case 5:
		addr = LAYOUT_PORT_HOTPLUG + in.addr[0] % 12;
		break;
	default:
		card_action(in.how, 1 + (in.addr[0] & 3), value);
		return;
	}
	if ((in.what & 7) >= 4 && in.what & 8)
		pci_guest_in(&guest, addr, MIN(length, 4u));
	else if ((in.what & 7) >= 4)
		pci_guest_out(&guest, addr, MIN(length, 4u), value);
	else if (in.what & 8)
		pci_guest_load(&guest, addr, length);
	else
		pci_guest_store(&guest, addr, length, value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	log_set("off", NULL);
	pci_guest_init(&guest);
	add(1, 3, false);
	add(2, 1, false);
	for (unsigned int i = 0; size && i < MAX_ACTIONS; i++)
		act(&data, &size);
	for (unsigned int i = 0; i < PCI_SLOTS; i++)
		if (functions[i]) {
			pci_remove(functions[i]);
			functions[i] = NULL;
			MUST(!mapped[i]);
		}
	MUST(!guest.mock.n_irqfds);
	pci_guest_uninit(&guest);
	return 0;
}
