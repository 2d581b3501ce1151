/* The PCI bus: configuration space, BARs, MSI-X, hot-plug (vmm/pci/pci.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "tests/support/vmm_pci_guest.h"
#include "vmm/x86/layout.h"

enum { BAR_SIZE = 0x4000, TABLE = 0x2000, N_VECTORS = 5, EJECT = 8 };

static struct pci_guest guest;
static struct pci_function *card;
static uint64_t last_write, mapped_at;
static unsigned int n_gone, n_notified, n_resets, n_cap_reads, n_cap_writes;

static uint64_t bar_read(void *aux, uint64_t offset, unsigned int length)
{
	return offset * 0x0101010101010101;
}

static void bar_write(void *aux, uint64_t offset, unsigned int length,
		      uint64_t value)
{
	last_write = offset << 32 | value;
}

static void bar_mapped(void *aux, uint64_t addr)
{
	mapped_at = addr;
}

static void cap_access(void *aux, uint8_t *body, unsigned int offset,
		       unsigned int length, bool write)
{
	if (write)
		n_cap_writes++;
	else
		body[7] = ++n_cap_reads;
}

static const struct pci_function_ops ops = {
	.bar_read = bar_read,
	.bar_write = bar_write,
	.bar_mapped = bar_mapped,
	.cap_access = cap_access,
};

static const uint8_t cap_data[8] = { 0, 0, 8, 1, 2, 3, 4, 5 };
static const uint8_t cap_writable[8] = { 0, 0, 0, 0, 0, 0xf0, 0, 0 };
static const struct pci_capability capabilities[] = {
	{ cap_data, cap_writable, 8 },
	{ cap_data, NULL, 8 },
};
static const struct pci_function_config config = {
	.vendor = 0x1af4,
	.device = 0x1041,
	.subsystem_vendor = 0x1111,
	.subsystem = 0x2222,
	.class_revision = 0x02000001,
	.bar_size = BAR_SIZE,
	.msix_offset = TABLE,
	.n_vectors = N_VECTORS,
	.capabilities = capabilities,
	.n_capabilities = 2,
};

static struct pci_function *add(int slot, bool hot)
{
	struct pci_function *function;

	assert_int_equal(pci_add(guest.pci, slot, hot, &config, &ops, NULL,
				 &function, NULL),
			 0);
	return function;
}

static void on_notify(void *aux)
{
	n_notified++;
}

static void on_reset(void *aux)
{
	n_resets++;
}

static void on_gone(void *aux, struct pci_function *function)
{
	assert_ptr_equal(aux, &guest);
	n_gone++;
}

static int setup(void **state)
{
	pci_guest_init(&guest);
	pci_bus_on_hotplug(guest.pci, on_notify, NULL);
	pci_bus_on_reset(guest.pci, on_reset, NULL);
	n_notified = n_resets = n_gone = n_cap_reads = n_cap_writes = 0;
	mapped_at = 0;
	card = add(3, false);
	return 0;
}

static int teardown(void **state)
{
	pci_guest_uninit(&guest);
	assert_int_equal(guest.mock.n_irqfds, 0);
	return 0;
}

static uint32_t conf(unsigned int at, unsigned int length)
{
	return pci_guest_read(&guest, 3, at, length);
}

static void test_config_space(void **state)
{
	unsigned int cap;

	assert_int_equal(conf(0, 4), 0x10411af4);
	assert_int_equal(conf(PCI_CLASS_REVISION, 4), 0x02000001);
	assert_int_equal(conf(PCI_SUBSYSTEM_VENDOR_ID, 4), 0x22221111);
	assert_int_equal(conf(PCI_DEVICE_ID + 1, 1), 0x10);
	assert_int_equal(conf(PCI_INTERRUPT_PIN, 1), 0);
	/* read only */
	pci_guest_write(&guest, 3, 0, 4, 0);
	pci_guest_write(&guest, 3, PCI_STATUS, 2, 0xffff);
	assert_int_equal(conf(0, 4), 0x10411af4);
	assert_int_equal(conf(PCI_STATUS, 2), PCI_STATUS_CAP_LIST);
	pci_guest_write(&guest, 3, PCI_COMMAND, 2, 0xffff);
	assert_int_equal(conf(PCI_COMMAND, 2), 0x406);
	/* nobody there: other slots, functions, buses, beyond the end */
	assert_int_equal(pci_guest_read(&guest, 4, 0, 4), 0xffffffff);
	assert_int_equal(pci_guest_load(&guest, LAYOUT_ECAM + 0x19000, 4),
			 0xffffffff);
	assert_int_equal(conf(256, 4), 0xffffffff);
	assert_int_equal(conf(254, 4), 0xffffffff);
	pci_guest_write(&guest, 4, 0, 4, 1);
	/* a host bridge */
	assert_int_equal(pci_guest_read(&guest, 0, PCI_CLASS_DEVICE, 2), 0x600);
	/* capabilities */
	cap = pci_guest_find(&guest, 3, PCI_CAP_ID_MSIX, 0);
	assert_int_equal(conf(cap + PCI_MSIX_FLAGS, 2), N_VECTORS - 1);
	assert_int_equal(conf(cap + PCI_MSIX_TABLE, 4), TABLE);
	assert_int_equal(conf(cap + PCI_MSIX_PBA, 4), TABLE + 0x1000);
	cap = pci_guest_find(&guest, 3, PCI_CAP_ID_VNDR, 1);
	assert_int_equal(conf(cap + 2, 1), 8);
	pci_guest_write(&guest, 3, cap + 5, 1, 0xff);
	assert_int_equal(n_cap_writes, 1);
	assert_int_equal(conf(cap + 5, 1), 0xf3);
	n_cap_reads = 40;
	assert_int_equal(conf(cap + 7, 1), 41);
}

/* Mechanism #1, and the register that lies within its ports. */
static void test_ports(void **state)
{
	pci_guest_out(&guest, 0xcf8, 4, 0x80000000 | 3 << 11 | 8);
	assert_int_equal(pci_guest_in(&guest, 0xcf8, 4), 0x80001808);
	assert_int_equal(pci_guest_in(&guest, 0xcfc, 4), 0x02000001);
	assert_int_equal(pci_guest_in(&guest, 0xcff, 1), 2);
	assert_int_equal(pci_guest_in(&guest, 0xcfe, 2), 0x0200);
	pci_guest_out(&guest, 0xcf8, 4, 0x80000000 | 3 << 11 | PCI_COMMAND);
	pci_guest_out(&guest, 0xcfc, 2, PCI_COMMAND_MEMORY);
	assert_int_equal(mapped_at, LAYOUT_PCI_WINDOW + (3 << 24));
	pci_guest_out(&guest, 0xcf8, 4, 0x80010000 | 3 << 11);
	assert_int_equal(pci_guest_in(&guest, 0xcfc, 4), 0xffffffff);
	pci_guest_out(&guest, 0xcf8, 4, 3 << 11);
	assert_int_equal(pci_guest_in(&guest, 0xcfc, 4), 0xffffffff);
	pci_guest_out(&guest, 0xcf8, 1, 0);
	assert_int_equal(pci_guest_in(&guest, 0xcf8, 4), 3 << 11);
	assert_int_equal(n_resets, 0);
	pci_guest_out(&guest, 0xcf9, 1, 2);
	assert_int_equal(n_resets, 0);
	pci_guest_out(&guest, 0xcf9, 1, 6);
	assert_int_equal(n_resets, 1);
}

static void test_bar(void **state)
{
	uint64_t at = LAYOUT_PCI_WINDOW + (3 << 24);

	assert_int_equal(mapped_at, 0);
	assert_int_equal(pci_guest_load(&guest, at + 4, 4), 0xffffffff);
	/* its size, with memory off as Linux does it, and on */
	for (unsigned int on = 0; on <= PCI_COMMAND_MEMORY;
	     on += PCI_COMMAND_MEMORY) {
		pci_guest_write(&guest, 3, PCI_COMMAND, 2, on);
		pci_guest_write(&guest, 3, PCI_BASE_ADDRESS_0, 4, 0xffffffff);
		assert_int_equal(conf(PCI_BASE_ADDRESS_0, 4), 0xffffc000);
		pci_guest_write(&guest, 3, PCI_BASE_ADDRESS_1, 4, 0xffffffff);
		assert_int_equal(conf(PCI_BASE_ADDRESS_1, 4), 0);
		assert_int_equal(mapped_at, 0);
		pci_guest_write(&guest, 3, PCI_BASE_ADDRESS_0, 4, at);
	}
	assert_int_equal(mapped_at, at);
	assert_int_equal(pci_guest_load(&guest, at + 4, 4), 0x04040404);
	pci_guest_store(&guest, at + 8, 4, 77);
	assert_int_equal(last_write, 8ull << 32 | 77);
	/* moved */
	at = LAYOUT_PCI_WINDOW_END - BAR_SIZE;
	pci_guest_write(&guest, 3, PCI_BASE_ADDRESS_0, 4, at);
	assert_int_equal(mapped_at, at);
	assert_int_equal(pci_guest_load(&guest, at + 4, 4), 0x04040404);
	/* out of the window */
	pci_guest_write(&guest, 3, PCI_BASE_ADDRESS_0, 4,
			LAYOUT_PCI_WINDOW_END);
	assert_int_equal(mapped_at, 0);
	pci_guest_write(&guest, 3, PCI_BASE_ADDRESS_0, 4, 0);
	assert_int_equal(mapped_at, 0);
	pci_guest_write(&guest, 3, PCI_BASE_ADDRESS_0, 4, at);
	assert_int_equal(mapped_at, at);
	pci_guest_write(&guest, 3, PCI_COMMAND, 1, 0);
	assert_int_equal(mapped_at, 0);
}

/* The one that was there first has the place. */
static void test_overlapping_bars(void **state)
{
	uint64_t at = pci_guest_enable(&guest, 3);

	add(5, false);
	pci_guest_enable(&guest, 5);
	pci_guest_write(&guest, 5, PCI_BASE_ADDRESS_0, 4, at);
	assert_int_equal(mapped_at, 0); /* the last call: the second's */
	assert_int_equal(pci_guest_load(&guest, at + 4, 4), 0x04040404);
	pci_guest_write(&guest, 3, PCI_COMMAND, 2, 0);
	pci_guest_enable(&guest, 5);
	assert_int_equal(mapped_at, at);
}

static void signal_vector(unsigned int vector)
{
	uint64_t one = 1;

	assert_int_equal(write(pci_vector_fd(card, vector), &one, 8), 8);
}

static uint64_t pending(void)
{
	return pci_guest_load(&guest,
			      pci_guest_enable(&guest, 3) + TABLE + 0x1000, 8);
}

static void test_msix(void **state)
{
	uint64_t table = pci_guest_enable(&guest, 3) + TABLE;
	unsigned int cap = pci_guest_find(&guest, 3, PCI_CAP_ID_MSIX, 0);
	unsigned int flags = cap + PCI_MSIX_FLAGS;

	assert_int_equal(pci_vector_fd(card, N_VECTORS), -1);
	assert_int_equal(pci_vector_fd(card, 0xffff), -1);
	/* masked at first */
	assert_int_equal(pci_guest_load(&guest, table + 12, 4), 1);
	signal_vector(0);
	assert_int_equal(guest.mock.n_irqfds, 0);
	assert_int_equal(pending(), 1);
	/* as Linux: all masked, enabled, entries, unmasked */
	pci_guest_write(&guest, 3, flags, 2,
			PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	for (unsigned int i = 0; i < N_VECTORS; i++) {
		pci_guest_store(&guest, table + 16 * i, 4, 0xfee01000);
		pci_guest_store(&guest, table + 16 * i + 4, 4, 0);
		pci_guest_store(&guest, table + 16 * i + 8, 4, 0x40 + i);
	}
	pci_guest_store(&guest, table + 12, 4, 0);
	assert_int_equal(guest.mock.n_irqfds, 0);
	pci_guest_write(&guest, 3, flags, 2, PCI_MSIX_FLAGS_ENABLE);
	assert_int_equal(guest.mock.n_irqfds, 1);
	assert_int_equal(mock_take_interrupts(&guest.mock, 0x40), 1);
	assert_int_equal(pending(), 0);
	signal_vector(0);
	assert_int_equal(mock_take_interrupts(&guest.mock, 0x40), 1);
	/* one that is masked waits */
	signal_vector(4);
	assert_int_equal(mock_take_interrupts(&guest.mock, 0x44), 0);
	assert_int_equal(pending(), 1 << 4);
	pci_guest_store(&guest, table + 4 * 16 + 8, 8, 0x66);
	assert_int_equal(mock_take_interrupts(&guest.mock, 0x66), 1);
	assert_int_equal(pci_guest_load(&guest, table + 4 * 16, 8), 0xfee01000);
	/* another message while it is not masked */
	pci_guest_store(&guest, table + 4 * 16 + 8, 4, 0x77);
	signal_vector(4);
	assert_int_equal(mock_take_interrupts(&guest.mock, 0x77), 1);
	/* masked and unmasked with the same message: no new route */
	pci_guest_write(&guest, 3, flags, 2,
			PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	assert_int_equal(guest.mock.n_irqfds, 0);
	guest.mock.n_routes = 0;
	pci_guest_write(&guest, 3, flags, 2, PCI_MSIX_FLAGS_ENABLE);
	assert_int_equal(guest.mock.n_irqfds, 2);
	assert_int_equal(guest.mock.n_routes, 0);
	/* accesses that are not allowed */
	pci_guest_store(&guest, table + 1, 4, 7);
	pci_guest_store(&guest, table, 2, 7);
	pci_guest_store(&guest, table + N_VECTORS * 16, 4, 7);
	pci_guest_store(&guest, table + 0x1000, 8, 7);
	assert_int_equal(pci_guest_load(&guest, table, 4), 0xfee01000);
	assert_int_equal(pci_guest_load(&guest, table + N_VECTORS * 16, 4), 0);
	assert_int_equal(pci_guest_load(&guest, table + 2, 2), 0);
	/* a hypervisor that refuses */
	guest.mock.fail = -22;
	pci_guest_store(&guest, table + 8, 4, 0x99);
	guest.mock.fail = 0;
	pci_guest_store(&guest, table + 8, 4, 0x98);
	signal_vector(0);
	assert_int_equal(mock_take_interrupts(&guest.mock, 0x98), 1);
}

static void test_hotplug(void **state)
{
	struct pci_function *hot = add(7, true), *other;
	uint16_t port = LAYOUT_PORT_HOTPLUG;

	assert_int_equal(n_notified, 1);
	assert_int_equal(pci_guest_in(&guest, port, 4), 1 << 7);
	assert_int_equal(pci_guest_in(&guest, port, 4), 1 << 7);
	pci_guest_out(&guest, port, 4, 1 << 7);
	assert_int_equal(pci_guest_in(&guest, port, 4), 0);
	assert_int_equal(pci_guest_in(&guest, port + 4, 4), 0);
	assert_int_equal(pci_guest_read(&guest, 7, 0, 2), 0x1af4);
	/* its BAR is the guest's to place */
	assert_int_equal(pci_guest_read(&guest, 7, PCI_BASE_ADDRESS_0, 4), 0);
	pci_guest_write(&guest, 7, PCI_BASE_ADDRESS_0, 4, 0xd0000000);
	pci_guest_enable(&guest, 7);
	assert_int_equal(mapped_at, 0xd0000000);
	/* ejected unasked: nothing */
	pci_guest_out(&guest, port + EJECT, 4, 0xffffffff);
	assert_int_equal(pci_guest_read(&guest, 7, 0, 2), 0x1af4);
	pci_request_eject(hot, on_gone, &guest);
	assert_int_equal(n_notified, 2);
	assert_int_equal(pci_guest_in(&guest, port + 4, 4), 1 << 7);
	pci_guest_out(&guest, port + 4, 4, 1 << 7);
	assert_int_equal(pci_guest_in(&guest, port + 4, 4), 0);
	assert_int_equal(n_gone, 0);
	pci_guest_out(&guest, port + EJECT, 4, 1 << 7);
	pci_guest_out(&guest, port + EJECT, 4, 1 << 7);
	assert_int_equal(n_gone, 1);
	assert_int_equal(mapped_at, 0);
	assert_int_equal(pci_guest_read(&guest, 7, 0, 4), 0xffffffff);
	pci_guest_enable(&guest, 7);
	assert_int_equal(mapped_at, 0);
	assert_int_equal(
		pci_add(guest.pci, 7, true, &config, &ops, NULL, &other, NULL),
		-16);
	pci_remove(hot);
	hot = add(7, true);
	/* a guest that is reset has let go */
	pci_request_eject(hot, on_gone, &guest);
	pci_bus_reset(guest.pci);
	assert_int_equal(n_gone, 2);
	assert_int_equal(pci_guest_in(&guest, port, 4), 0);
	pci_remove(hot);
	assert_int_equal(pci_guest_read(&guest, 7, 0, 4), 0xffffffff);
	/* strange accesses */
	pci_guest_out(&guest, port + EJECT, 1, 0xff);
	assert_int_equal(pci_guest_in(&guest, port + 1, 1), 0);
	assert_int_equal(pci_guest_in(&guest, port + EJECT, 4), 0);
}

static void test_full(void **state)
{
	struct pci_function *function, *functions[PCI_SLOTS];
	char *error = NULL;
	unsigned int n = 0;

	while (!pci_add(guest.pci, -1, false, &config, &ops, NULL, &function,
			&error))
		functions[n++] = function;
	assert_int_equal(n, PCI_SLOTS - 2);
	assert_non_null(error);
	while (n)
		pci_remove(functions[--n]);
	free(error);
}

static void test_reset(void **state)
{
	uint64_t table = pci_guest_enable(&guest, 3) + TABLE;
	struct pci_function *hot = add(7, true);

	pci_guest_set_vector(&guest, 3, 1, 0x41);
	pci_guest_mask_vector(&guest, 3, 2, true);
	signal_vector(2);
	pci_guest_write(&guest, 3, PCI_BASE_ADDRESS_0, 4, 0xd0000000);
	pci_bus_reset(guest.pci);
	assert_int_equal(mapped_at, 0);
	assert_int_equal(guest.mock.n_irqfds, 0);
	assert_int_equal(conf(PCI_COMMAND, 2), 0);
	assert_int_equal(pci_guest_enable(&guest, 3) + TABLE, table);
	assert_int_equal(pending(), 0);
	assert_int_equal(pci_guest_load(&guest, table + 16 + 8, 8), 1ull << 32);
	/* There at its start, for the guest's next kernel. */
	assert_int_not_equal(pci_guest_read(&guest, 7, PCI_BASE_ADDRESS_0, 4),
			     0);
	pci_remove(hot);
}

static void test_saved(void **state)
{
	struct pci_function_config other = config;
	json_t *saved, *bus;
	char *error = NULL;

	pci_guest_enable(&guest, 3);
	pci_guest_set_vector(&guest, 3, 1, 0x41);
	pci_guest_set_vector(&guest, 3, 2, 0x42);
	pci_guest_mask_vector(&guest, 3, 2, true);
	signal_vector(2);
	pci_guest_write(&guest, 3, PCI_BASE_ADDRESS_0, 4, 0xd0000000);
	pci_guest_out(&guest, 0xcf8, 4, 0x80001808);
	pci_request_eject(card, on_gone, &guest);
	saved = pci_function_save(card);
	bus = pci_bus_save(guest.pci);
	assert_non_null(saved);
	teardown(state);
	setup(state);
	assert_int_equal(pci_bus_restore(guest.pci, bus, NULL), 0);
	assert_int_equal(pci_function_restore(card, saved, NULL), 0);
	assert_int_equal(mapped_at, 0xd0000000);
	assert_int_equal(pci_guest_in(&guest, 0xcfc, 4), 0x02000001);
	assert_int_equal(pci_guest_in(&guest, LAYOUT_PORT_HOTPLUG + 4, 4),
			 1 << 3);
	signal_vector(1);
	assert_int_equal(mock_take_interrupts(&guest.mock, 0x41), 1);
	assert_int_equal(pending(), 1 << 2);
	pci_guest_mask_vector(&guest, 3, 2, false);
	assert_int_equal(mock_take_interrupts(&guest.mock, 0x42), 1);
	/* Not of this card, or not whole. */
	pci_remove(card);
	other.device++;
	assert_int_equal(
		pci_add(guest.pci, 3, false, &other, &ops, NULL, &card, NULL),
		0);
	assert_int_equal(pci_function_restore(card, saved, &error), -22);
	assert_non_null(error);
	json_object_del(saved, "msix");
	assert_int_equal(pci_function_restore(card, saved, &error), -22);
	json_object_clear(saved);
	assert_int_equal(pci_function_restore(card, saved, &error), -22);
	assert_int_equal(pci_function_restore(card, NULL, &error), -22);
	assert_int_equal(pci_bus_restore(guest.pci, saved, &error), -22);
	free(error);
	json_decref(saved);
	json_decref(bus);
}

int main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_config_space), TEST(test_ports),
		TEST(test_bar),		 TEST(test_overlapping_bars),
		TEST(test_msix),	 TEST(test_hotplug),
		TEST(test_full),	 TEST(test_reset),
		TEST(test_saved),
	};

	log_set("off", NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
