/*
 * A CMOS real-time clock (Motorola's MC146818) at LAYOUT_PORT_RTC, with the
 * host's time in UTC, which a guest cannot change. No alarm, no periodic
 * interrupt, nothing to save: a driver sets the format that it wants at each
 * start. Accessed by vCPU threads.
 */
#ifndef VMM_X86_RTC_H
#define VMM_X86_RTC_H

#include "vmm/machine/bus.h"

struct rtc;

struct rtc *rtc_create(struct bus *pio);
void rtc_destroy(struct rtc *rtc);

#endif
