/*
 * Orders about cards that come and go (ACPI 6.4, 5.6; the registers are
 * vmm/x86/layout.h's) and the power button.
 */
#include "virtio.h"

enum {
	PORT_PM_STATUS = 0x600,
	PORT_PM_ENABLE = 0x602,
	PORT_GPE_STATUS = 0x610,
	PORT_GPE_ENABLE = 0x612,
	PORT_UP = 0x620,
	PORT_DOWN = 0x624,
	PORT_EJECT = 0x628,
	GPE_HOTPLUG = 1 << 1,
	POWER_BUTTON = 1 << 8,
	PIN_SCI = 9,
	WAIT_MS = 20000,
};

static bool sci_came(void *aux)
{
	return interrupts[VECTOR_SCI] != *(uint32_t *)aux;
}

/* Returns the slots that the register tells of, after the interrupt. */
static uint32_t wait_event(uint16_t port, const char *what)
{
	uint32_t before = interrupts[VECTOR_SCI], slots;

	out16(PORT_GPE_STATUS, 0xffff);
	out16(PORT_GPE_ENABLE, GPE_HOTPLUG);
	route_pin(PIN_SCI, VECTOR_SCI);
	print("waiting for a card to %s\n", what);
	CHECK(wait_for(sci_came, &before, WAIT_MS), "no interrupt");
	CHECK(in16(PORT_GPE_STATUS) & GPE_HOTPLUG, "another event: %x",
	      in16(PORT_GPE_STATUS));
	slots = in32(port);
	out32(port, slots); /* heard */
	out16(PORT_GPE_STATUS, GPE_HOTPLUG);
	return slots;
}

/* plug: waits for a card. */
static void run_plug(void)
{
	uint32_t slots = wait_event(PORT_UP, "come");
	static struct virtio card;
	unsigned int slot = (unsigned int)__builtin_ctz(slots | 1u << 31);

	CHECK(slots && !(slots & (slots - 1)), "slots %x", slots);
	CHECK(virtio_open(&card, slot), "slot %u is empty", slot);
	print("slot %u has a device of type %u\n", slot, card.type);
}

/* unplug[,refuse]: waits until a card is to go, and lets it. */
static void run_unplug(void)
{
	uint32_t slots = wait_event(PORT_DOWN, "go");
	unsigned int slot = (unsigned int)__builtin_ctz(slots | 1u << 31);

	CHECK(slots && !(slots & (slots - 1)), "slots %x", slots);
	CHECK(pci_read(slot, 0, 4) != 0xffffffff, "it has gone already");
	if (argument("refuse"))
		return;
	out32(PORT_EJECT, slots);
	for (unsigned int i = 0; i < 100; i++) {
		if (pci_read(slot, 0, 4) == 0xffffffff)
			return;
		wait_ms(50);
	}
	fail("slot %u was ejected and is still there", slot);
}

/* button: waits for the power button. */
static void run_button(void)
{
	uint32_t before = interrupts[VECTOR_SCI];

	out16(PORT_PM_STATUS, 0xffff);
	out16(PORT_PM_ENABLE, POWER_BUTTON);
	route_pin(PIN_SCI, VECTOR_SCI);
	print("waiting for the button\n");
	CHECK(wait_for(sci_came, &before, WAIT_MS), "no interrupt");
	CHECK(in16(PORT_PM_STATUS) & POWER_BUTTON, "another event");
	out16(PORT_PM_ENABLE, 0);
	out16(PORT_PM_STATUS, POWER_BUTTON);
	CHECK(!(in16(PORT_PM_STATUS) & POWER_BUTTON), "it stays");
}

const struct order orders_hotplug[] = {
	{ "plug", run_plug },
	{ "unplug", run_unplug },
	{ "button", run_button },
	{ NULL, NULL },
};
