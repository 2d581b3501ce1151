/*
 * A CMOS real-time clock (Motorola's MC146818) at LAYOUT_PORT_RTC, with the
 * host's time in UTC and what the guest set it to counted from there. No alarm,
 * no periodic interrupt. Accessed by vCPU threads; a lock of its own.
 */
#ifndef VMM_X86_RTC_H
#define VMM_X86_RTC_H

#include <jansson.h>

#include "vmm/machine/bus.h"

struct rtc;

struct rtc *rtc_create(struct bus *pio);
void rtc_destroy(struct rtc *rtc);
json_t *rtc_save(struct rtc *rtc);
int rtc_restore(struct rtc *rtc, const json_t *state, char **errp);

#endif
