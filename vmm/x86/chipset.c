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
	PM_STATUS = 0, /* the bytes of the PM block */
	PM_ENABLE = 2,
	PM_CONTROL = 4,
	PM_TIMER = 8,
	PM_SIZE = 12,
	GPE_STATUS = 0,
	GPE_ENABLE = 2,
	GPE_SIZE = 4,
	STATUS_POWER_BUTTON = 0x01, /* of the second byte */
	STATUS_BITS = 0x07,	    /* its buttons and RTC */
	CONTROL_SCI = 0x01,
	CONTROL_SLEEP = 0x20, /* of the second byte, as the type is */
	CONTROL_TYPE = 0x1c,
	SLEEP_TYPE_S5 = 5 << 2, /* as in x86/dsdt.asl */
	GPE_HOTPLUG = 0x02,	/* _E01 */
	PVPANIC_PANICKED = 1,
	TIMER_HZ = 3579545,
	NS_PER_S = 1000000000,
};

struct chipset {
	pthread_mutex_t lock;
	struct bus *pio;
	struct hypervisor *hypervisor;
	const struct chipset_ops *ops;
	void *aux;
	struct rtc *rtc;
	uint8_t pm[PM_TIMER], gpe[GPE_SIZE];
	uint32_t timer_base;
	bool sci;
};

static void update_sci(struct chipset *chipset)
{
	const uint8_t *pm = chipset->pm, *gpe = chipset->gpe;
	bool sci = (pm[PM_STATUS + 1] & pm[PM_ENABLE + 1] & STATUS_BITS) ||
		   (gpe[GPE_STATUS] & gpe[GPE_ENABLE]) ||
		   (gpe[GPE_STATUS + 1] & gpe[GPE_ENABLE + 1]);

	if (sci == chipset->sci)
		return;
	chipset->sci = sci;
	chipset->hypervisor->ops->set_irq(chipset->hypervisor, LAYOUT_IRQ_SCI,
					  sci);
}

static uint32_t timer_ticks(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * (uint64_t)TIMER_HZ +
	       now.tv_nsec * (uint64_t)TIMER_HZ / NS_PER_S;
}

/* Up to 8 bytes out of a block's. */
static uint64_t bytes_at(const uint8_t *block, uint64_t offset,
			 unsigned int length)
{
	uint64_t value = 0;

	memcpy(&value, block + offset, length);
	return value;
}

static uint64_t pm_read(void *aux, uint64_t offset, unsigned int length)
{
	struct chipset *chipset = aux;
	uint8_t block[PM_SIZE];
	uint32_t timer = timer_ticks();

	pthread_mutex_lock(&chipset->lock);
	timer += chipset->timer_base;
	memcpy(block, chipset->pm, PM_TIMER);
	pthread_mutex_unlock(&chipset->lock);
	block[PM_CONTROL] |= CONTROL_SCI;
	memcpy(block + PM_TIMER, &timer, sizeof(timer));
	return bytes_at(block, offset, length);
}

/* One byte; whether that powers the guest off. */
static bool pm_write_byte(struct chipset *chipset, uint64_t at, uint8_t value)
{
	switch (at) {
	case PM_STATUS:
	case PM_STATUS + 1:
		chipset->pm[at] &= ~value;
		return false;
	case PM_ENABLE:
	case PM_ENABLE + 1:
		chipset->pm[at] = value;
		return false;
	case PM_CONTROL + 1:
		chipset->pm[at] = value & CONTROL_TYPE;
		return value & CONTROL_SLEEP &&
		       (value & CONTROL_TYPE) == SLEEP_TYPE_S5;
	default:
		return false;
	}
}

static void pm_written(void *aux, uint64_t offset, unsigned int length,
		       uint64_t value)
{
	struct chipset *chipset = aux;
	bool off = false;

	pthread_mutex_lock(&chipset->lock);
	for (unsigned int i = 0; i < length; i++)
		off |= pm_write_byte(chipset, offset + i, value >> 8 * i);
	update_sci(chipset);
	pthread_mutex_unlock(&chipset->lock);
	if (off)
		chipset->ops->power_off(chipset->aux);
}

static uint64_t gpe_read(void *aux, uint64_t offset, unsigned int length)
{
	struct chipset *chipset = aux;
	uint64_t value;

	pthread_mutex_lock(&chipset->lock);
	value = bytes_at(chipset->gpe, offset, length);
	pthread_mutex_unlock(&chipset->lock);
	return value;
}

static void gpe_written(void *aux, uint64_t offset, unsigned int length,
			uint64_t value)
{
	struct chipset *chipset = aux;

	pthread_mutex_lock(&chipset->lock);
	for (unsigned int i = 0; i < length; i++, value >>= 8)
		if (offset + i < GPE_ENABLE)
			chipset->gpe[offset + i] &= ~value;
		else
			chipset->gpe[offset + i] = value;
	update_sci(chipset);
	pthread_mutex_unlock(&chipset->lock);
}

static uint64_t pvpanic_read(void *aux, uint64_t offset, unsigned int length)
{
	return PVPANIC_PANICKED;
}

static void pvpanic_written(void *aux, uint64_t offset, unsigned int length,
			    uint64_t value)
{
	struct chipset *chipset = aux;

	if (value & PVPANIC_PANICKED)
		chipset->ops->panicked(chipset->aux);
}

static void set_event(struct chipset *chipset, uint8_t *status, uint8_t bit)
{
	pthread_mutex_lock(&chipset->lock);
	*status |= bit;
	update_sci(chipset);
	pthread_mutex_unlock(&chipset->lock);
}

static void on_hotplug(void *aux)
{
	struct chipset *chipset = aux;

	set_event(chipset, &chipset->gpe[GPE_STATUS], GPE_HOTPLUG);
}

static void on_reset(void *aux)
{
	struct chipset *chipset = aux;

	chipset->ops->reset(chipset->aux);
}

void chipset_power_button(struct chipset *chipset)
{
	set_event(chipset, &chipset->pm[PM_STATUS + 1], STATUS_POWER_BUTTON);
}

struct chipset *chipset_create(struct bus *pio, struct hypervisor *hypervisor,
			       struct pci_bus *pci,
			       const struct chipset_ops *ops, void *aux)
{
	struct chipset *chipset = xcalloc(1, sizeof(*chipset));

	pthread_mutex_init(&chipset->lock, NULL);
	chipset->pio = pio;
	chipset->hypervisor = hypervisor;
	chipset->ops = ops;
	chipset->aux = aux;
	chipset->rtc = rtc_create(pio);
	chipset->timer_base = -timer_ticks();
	bus_add(pio, LAYOUT_PORT_PM, PM_SIZE,
		&(struct bus_device){ pm_read, pm_written, chipset });
	bus_add(pio, LAYOUT_PORT_GPE, GPE_SIZE,
		&(struct bus_device){ gpe_read, gpe_written, chipset });
	bus_add(pio, LAYOUT_PORT_PVPANIC, 1,
		&(struct bus_device){ pvpanic_read, pvpanic_written, chipset });
	pci_bus_on_hotplug(pci, on_hotplug, chipset);
	pci_bus_on_reset(pci, on_reset, chipset);
	return chipset;
}

void chipset_destroy(struct chipset *chipset)
{
	if (!chipset)
		return;
	bus_remove(chipset->pio, LAYOUT_PORT_PM);
	bus_remove(chipset->pio, LAYOUT_PORT_GPE);
	bus_remove(chipset->pio, LAYOUT_PORT_PVPANIC);
	rtc_destroy(chipset->rtc);
	pthread_mutex_destroy(&chipset->lock);
	free(chipset);
}

void chipset_reset(struct chipset *chipset)
{
	pthread_mutex_lock(&chipset->lock);
	memset(chipset->pm, 0, sizeof(chipset->pm));
	memset(chipset->gpe, 0, sizeof(chipset->gpe));
	update_sci(chipset);
	pthread_mutex_unlock(&chipset->lock);
}

json_t *chipset_save(struct chipset *chipset)
{
	json_t *state;

	pthread_mutex_lock(&chipset->lock);
	state = json_pack(
		"{sI sI sI so}", "pm", bytes_at(chipset->pm, 0, PM_TIMER),
		"gpe", bytes_at(chipset->gpe, 0, GPE_SIZE), "timer",
		(json_int_t)(uint32_t)(timer_ticks() + chipset->timer_base),
		"rtc", rtc_save(chipset->rtc));
	pthread_mutex_unlock(&chipset->lock);
	return state;
}

int chipset_restore(struct chipset *chipset, const json_t *state, char **errp)
{
	json_int_t pm, gpe, timer;
	const json_t *rtc;

	if (json_unpack((json_t *)state, "{sI sI sI so}", "pm", &pm, "gpe",
			&gpe, "timer", &timer, "rtc", &rtc))
		return set_error(errp, -EINVAL,
				 "the saved state of the chipset"
				 " is damaged");
	pthread_mutex_lock(&chipset->lock);
	memcpy(chipset->pm, &pm, PM_TIMER);
	memcpy(chipset->gpe, &gpe, GPE_SIZE);
	chipset->timer_base = timer - timer_ticks();
	update_sci(chipset);
	pthread_mutex_unlock(&chipset->lock);
	return rtc_restore(chipset->rtc, rtc, errp);
}
