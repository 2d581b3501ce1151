/*
 * ACPI's fixed hardware (ACPI 6.4, 4.8): power management and general-purpose
 * events, whose status bits are cleared by writing ones; and QEMU's panic
 * device (docs/specs/pvpanic). There is no system management mode: SCI_EN is
 * always on, and the timer raises no interrupt.
 */
#include "vmm/x86/chipset.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vmm/x86/layout.h"
#include "vmm/x86/rtc.h"

enum {
	BUTTON_POWER = 1 << 8, /* of PM1's status */
	GPE_HOTPLUG = 1 << 1,  /* _E01 */
	CONTROL_SCI = 1,
	CONTROL_TYPE = 7 << 10,
	CONTROL_SLEEP = 1 << 13,
	TYPE_S5 = 5 << 10, /* as in x86/dsdt.asl */
	PANICKED = 1,
	TIMER_HZ = 3579545,
	NS_PER_S = 1000000000,
};

/* Two registers: of what happened, and of what interrupts. */
struct events {
	struct chipset *chipset;
	uint16_t registers[2];
};

struct chipset {
	pthread_mutex_t lock;
	struct bus *pio;
	struct hypervisor *hypervisor;
	const struct chipset_ops *ops;
	void *aux;
	struct rtc *rtc;
	struct events pm, gpe;
	uint16_t control;
	uint32_t timer_base;
	bool sci;
};

static void update_sci(struct chipset *chipset)
{
	const uint16_t *pm = chipset->pm.registers;
	const uint16_t *gpe = chipset->gpe.registers;
	bool sci = (pm[0] & pm[1]) || (gpe[0] & gpe[1]);

	if (sci == chipset->sci)
		return;
	chipset->sci = sci;
	chipset->hypervisor->ops->set_irq(chipset->hypervisor, LAYOUT_IRQ_SCI,
					  sci);
}

static uint64_t events_read(void *aux, uint64_t offset, unsigned int length)
{
	struct events *events = aux;
	uint64_t value = 0;

	pthread_mutex_lock(&events->chipset->lock);
	memcpy(&value, (uint8_t *)events->registers + offset, length);
	pthread_mutex_unlock(&events->chipset->lock);
	return value;
}

/* Bytes of one register or both. */
static void events_written(void *aux, uint64_t offset, unsigned int length,
			   uint64_t value)
{
	struct events *events = aux;
	uint16_t written[2] = { 0 };

	pthread_mutex_lock(&events->chipset->lock);
	written[1] = events->registers[1];
	memcpy((uint8_t *)written + offset, &value, length);
	events->registers[0] &= ~written[0];
	/* Linux wants to read back even those that never happen. */
	events->registers[1] = written[1];
	update_sci(events->chipset);
	pthread_mutex_unlock(&events->chipset->lock);
}

static void happened(struct events *events, uint16_t bit)
{
	pthread_mutex_lock(&events->chipset->lock);
	events->registers[0] |= bit;
	update_sci(events->chipset);
	pthread_mutex_unlock(&events->chipset->lock);
}

static uint64_t control_read(void *aux, uint64_t offset, unsigned int length)
{
	struct chipset *chipset = aux;

	return (chipset->control | CONTROL_SCI) >> 8 * offset;
}

static void control_written(void *aux, uint64_t offset, unsigned int length,
			    uint64_t value)
{
	struct chipset *chipset = aux;

	value <<= 8 * offset;
	if (offset + length < 2)
		return; /* the lower byte: SCI_EN and what is not here */
	chipset->control = value & CONTROL_TYPE;
	if (value & CONTROL_SLEEP && (value & CONTROL_TYPE) == TYPE_S5)
		chipset->ops->power_off(chipset->aux);
}

static uint32_t timer_ticks(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * (uint64_t)TIMER_HZ +
	       now.tv_nsec * (uint64_t)TIMER_HZ / NS_PER_S;
}

static uint64_t timer_read(void *aux, uint64_t offset, unsigned int length)
{
	struct chipset *chipset = aux;

	return (chipset->timer_base + timer_ticks()) >> 8 * offset;
}

static uint64_t panic_read(void *aux, uint64_t offset, unsigned int length)
{
	return PANICKED;
}

static void panic_written(void *aux, uint64_t offset, unsigned int length,
			  uint64_t value)
{
	struct chipset *chipset = aux;

	if (value & PANICKED)
		chipset->ops->panicked(chipset->aux);
}

static void ignore(void *aux, uint64_t offset, unsigned int length,
		   uint64_t value)
{
}

static void set_registers(struct chipset *chipset, const int pm[2],
			  const int gpe[2])
{
	pthread_mutex_lock(&chipset->lock);
	for (unsigned int i = 0; i < 2; i++) {
		chipset->pm.registers[i] = pm[i];
		chipset->gpe.registers[i] = gpe[i];
	}
	chipset->control = 0;
	update_sci(chipset);
	pthread_mutex_unlock(&chipset->lock);
}

static void on_hotplug(void *aux)
{
	happened(&((struct chipset *)aux)->gpe, GPE_HOTPLUG);
}

static void on_reset(void *aux)
{
	struct chipset *chipset = aux;

	chipset->ops->reset(chipset->aux);
}

void chipset_power_button(struct chipset *chipset)
{
	happened(&chipset->pm, BUTTON_POWER);
}

static const struct {
	uint16_t port, size;
	struct bus_device device; /* without its aux */
} ranges[] = {
	{ LAYOUT_PORT_PM, 4, { events_read, events_written, NULL } },
	{ LAYOUT_PORT_GPE, 4, { events_read, events_written, NULL } },
	{ LAYOUT_PORT_PM + 4, 2, { control_read, control_written, NULL } },
	{ LAYOUT_PORT_PM + 8, 4, { timer_read, ignore, NULL } },
	{ LAYOUT_PORT_PVPANIC, 1, { panic_read, panic_written, NULL } },
};

struct chipset *chipset_create(struct bus *pio, struct hypervisor *hypervisor,
			       struct pci_bus *pci,
			       const struct chipset_ops *ops, void *aux)
{
	struct chipset *chipset = xcalloc(1, sizeof(*chipset));
	void *auxes[ARRAY_SIZE(ranges)] = { &chipset->pm, &chipset->gpe,
					    chipset, chipset, chipset };

	pthread_mutex_init(&chipset->lock, NULL);
	chipset->pio = pio;
	chipset->hypervisor = hypervisor;
	chipset->ops = ops;
	chipset->aux = aux;
	chipset->pm = (struct events){ chipset, { 0 } };
	chipset->gpe = (struct events){ chipset, { 0 } };
	chipset->rtc = rtc_create(pio);
	chipset->timer_base = -timer_ticks();
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		struct bus_device device = ranges[i].device;

		device.aux = auxes[i];
		bus_add(pio, ranges[i].port, ranges[i].size, &device);
	}
	pci_bus_on_hotplug(pci, on_hotplug, chipset);
	pci_bus_on_reset(pci, on_reset, chipset);
	return chipset;
}

void chipset_destroy(struct chipset *chipset)
{
	if (!chipset)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		bus_remove(chipset->pio, ranges[i].port);
	rtc_destroy(chipset->rtc);
	pthread_mutex_destroy(&chipset->lock);
	free(chipset);
}

void chipset_reset(struct chipset *chipset)
{
	static const int zeroes[2];

	set_registers(chipset, zeroes, zeroes);
}

json_t *chipset_save(struct chipset *chipset)
{
	const uint16_t *pm = chipset->pm.registers;
	const uint16_t *gpe = chipset->gpe.registers;

	return json_pack(
		"{s[ii] s[ii] sI}", "pm", pm[0], pm[1], "gpe", gpe[0], gpe[1],
		"timer",
		(json_int_t)(uint32_t)(timer_ticks() + chipset->timer_base));
}

int chipset_restore(struct chipset *chipset, const json_t *state, char **errp)
{
	int pm[2], gpe[2];
	json_int_t timer;

	if (json_unpack((json_t *)state, "{s[ii] s[ii] sI}", "pm", &pm[0],
			&pm[1], "gpe", &gpe[0], &gpe[1], "timer", &timer))
		return set_error(errp, -EINVAL,
				 "the saved state of the chipset is damaged");
	chipset->timer_base = timer - timer_ticks();
	set_registers(chipset, pm, gpe);
	return 0;
}
