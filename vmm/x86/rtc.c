/* The real-time clock: every read works out the register from the time now. */
#include "vmm/x86/rtc.h"

#include <stdlib.h>
#include <time.h>

#include "vmm/x86/layout.h"

enum {
	A_UPDATING = 0x80, /* for the last 244 us of a second */
	A_DIVIDER = 0x26,  /* 32,768 Hz; 1,024 Hz periodic */
	B_24_HOURS = 0x02,
	B_BINARY = 0x04,
	B_KEPT = 0x86, /* and SET, which holds nothing up */
	D_VALID = 0x80,
	PM = 0x80,
	UPDATE_FROM_NS = 1000000000 - 244000,
};

struct rtc {
	struct bus *pio;
	_Atomic uint8_t index, format; /* register B */
};

/* n from 0 to 99 */
static uint8_t encode(uint8_t format, unsigned int n)
{
	return format & B_BINARY ? n : n / 10 << 4 | n % 10;
}

static uint8_t encode_hour(uint8_t format, unsigned int hour)
{
	if (format & B_24_HOURS)
		return encode(format, hour);
	return encode(format, (hour + 11) % 12 + 1) | (hour >= 12 ? PM : 0);
}

static uint8_t value_of(unsigned int index, uint8_t format)
{
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	switch (index) {
	case 0x00:
		return encode(format, tm.tm_sec);
	case 0x02:
		return encode(format, tm.tm_min);
	case 0x04:
		return encode_hour(format, tm.tm_hour);
	case 0x06:
		return encode(format, tm.tm_wday + 1);
	case 0x07:
		return encode(format, tm.tm_mday);
	case 0x08:
		return encode(format, tm.tm_mon + 1);
	case 0x09:
		return encode(format, tm.tm_year % 100);
	case 0x0a:
		return A_DIVIDER |
		       (now.tv_nsec >= UPDATE_FROM_NS ? A_UPDATING : 0);
	case 0x0b:
		return format;
	case 0x0d:
		return D_VALID;
	case 0x32: /* FADT's CENTURY */
		return encode(format, (tm.tm_year + 1900) / 100);
	default:
		return 0;
	}
}

static uint64_t bus_reads(void *aux, uint64_t offset, unsigned int length)
{
	struct rtc *rtc = aux;

	return offset ? value_of(rtc->index, rtc->format) : UINT64_MAX;
}

static void bus_written(void *aux, uint64_t offset, unsigned int length,
			uint64_t value)
{
	struct rtc *rtc = aux;

	if (!offset)
		rtc->index = value & 0x7f;
	else if (rtc->index == 0x0b)
		rtc->format = value & B_KEPT;
}

struct rtc *rtc_create(struct bus *pio)
{
	struct rtc *rtc = xcalloc(1, sizeof(*rtc));

	rtc->pio = pio;
	rtc->format = B_24_HOURS;
	bus_add(pio, LAYOUT_PORT_RTC, 2,
		&(struct bus_device){ bus_reads, bus_written, rtc });
	return rtc;
}

void rtc_destroy(struct rtc *rtc)
{
	bus_remove(rtc->pio, LAYOUT_PORT_RTC);
	free(rtc);
}
