/*
 * The real-time clock. While the guest has bit SET on, the registers hold what
 * it writes; taking the bit off makes that the time. The other bytes of CMOS
 * memory are memory.
 */
#include "vmm/x86/rtc.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vmm/machine/snapshot.h"
#include "vmm/x86/layout.h"

enum { CMOS_SIZE = 128, UPDATE_NS = 244000 };

/* Further than any year that the registers can tell. */
#define OFFSET_MAX_S (INT64_C(1) << 40)

enum {
	SECONDS = 0x00,
	MINUTES = 0x02,
	HOURS = 0x04,
	WEEKDAY = 0x06,
	DAY = 0x07,
	MONTH = 0x08,
	YEAR = 0x09,
	REG_A = 0x0a,
	REG_B = 0x0b,
	REG_C = 0x0c,
	REG_D = 0x0d,
	CENTURY = 0x32,
	A_UPDATING = 0x80,
	A_DIVIDER = 0x26, /* 32,768 Hz; 1,024 Hz periodic */
	B_24_HOURS = 0x02,
	B_BINARY = 0x04,
	B_SET = 0x80,
	B_INTERRUPTS = 0x70,
	D_VALID = 0x80,
	PM = 0x80,
};

struct rtc {
	pthread_mutex_t lock;
	struct bus *pio;
	uint8_t index;
	uint8_t cmos[CMOS_SIZE];
	int64_t offset_s; /* what the guest's clock is ahead of ours */
};

/* n from 0 to 99 */
static uint8_t encode(const struct rtc *rtc, unsigned int n)
{
	return rtc->cmos[REG_B] & B_BINARY ? n : n / 10 << 4 | n % 10;
}

static int decode(const struct rtc *rtc, uint8_t value)
{
	return rtc->cmos[REG_B] & B_BINARY ? value
					   : (value >> 4) * 10 + (value & 0xf);
}

static uint8_t encode_hour(const struct rtc *rtc, unsigned int hour)
{
	if (rtc->cmos[REG_B] & B_24_HOURS)
		return encode(rtc, hour);
	return encode(rtc, (hour + 11) % 12 + 1) | (hour >= 12 ? PM : 0);
}

static int decode_hour(const struct rtc *rtc, uint8_t value)
{
	if (rtc->cmos[REG_B] & B_24_HOURS)
		return decode(rtc, value);
	return decode(rtc, value & ~PM) % 12 + (value & PM ? 12 : 0);
}

/* The registers from the clock, unless the guest is setting it. */
static void update(struct rtc *rtc)
{
	struct timespec now;
	unsigned int year;
	struct tm tm;
	time_t t;

	clock_gettime(CLOCK_REALTIME, &now);
	t = now.tv_sec + rtc->offset_s;
	rtc->cmos[REG_A] &= ~A_UPDATING;
	if (rtc->cmos[REG_B] & B_SET || !gmtime_r(&t, &tm))
		return;
	if (now.tv_nsec >= 1000000000 - UPDATE_NS)
		rtc->cmos[REG_A] |= A_UPDATING;
	rtc->cmos[SECONDS] = encode(rtc, tm.tm_sec);
	rtc->cmos[MINUTES] = encode(rtc, tm.tm_min);
	rtc->cmos[HOURS] = encode_hour(rtc, tm.tm_hour);
	rtc->cmos[WEEKDAY] = encode(rtc, tm.tm_wday + 1);
	rtc->cmos[DAY] = encode(rtc, tm.tm_mday);
	rtc->cmos[MONTH] = encode(rtc, tm.tm_mon + 1);
	year = MAX(tm.tm_year + 1900, 0);
	rtc->cmos[YEAR] = encode(rtc, year % 100);
	rtc->cmos[CENTURY] = encode(rtc, year / 100 % 100);
}

/* The clock from the registers: any values. */
static void set_clock(struct rtc *rtc)
{
	struct tm tm = {
		.tm_sec = decode(rtc, rtc->cmos[SECONDS]),
		.tm_min = decode(rtc, rtc->cmos[MINUTES]),
		.tm_hour = decode_hour(rtc, rtc->cmos[HOURS]),
		.tm_mday = decode(rtc, rtc->cmos[DAY]),
		.tm_mon = decode(rtc, rtc->cmos[MONTH]) - 1,
		.tm_year = decode(rtc, rtc->cmos[CENTURY]) * 100 +
			   decode(rtc, rtc->cmos[YEAR]) - 1900,
	};

	rtc->offset_s = timegm(&tm) - time(NULL);
}

static uint8_t read_cmos(struct rtc *rtc)
{
	update(rtc);
	return rtc->cmos[rtc->index];
}

static void write_cmos(struct rtc *rtc, uint8_t value)
{
	uint8_t old = rtc->cmos[REG_B];

	switch (rtc->index) {
	case REG_A:
		rtc->cmos[REG_A] = value & ~A_UPDATING;
		break;
	case REG_B:
		if (~old & value & B_SET)
			update(rtc);
		rtc->cmos[REG_B] = value & ~B_INTERRUPTS;
		if (old & ~value & B_SET)
			set_clock(rtc);
		break;
	case REG_C:
	case REG_D:
		break;
	default:
		rtc->cmos[rtc->index] = value;
	}
}

static uint64_t bus_reads(void *aux, uint64_t offset, unsigned int length)
{
	struct rtc *rtc = aux;
	uint8_t value = UINT8_MAX;

	pthread_mutex_lock(&rtc->lock);
	if (offset)
		value = read_cmos(rtc);
	pthread_mutex_unlock(&rtc->lock);
	return value;
}

static void bus_written(void *aux, uint64_t offset, unsigned int length,
			uint64_t value)
{
	struct rtc *rtc = aux;

	pthread_mutex_lock(&rtc->lock);
	if (offset)
		write_cmos(rtc, value);
	else
		rtc->index = value & (CMOS_SIZE - 1);
	pthread_mutex_unlock(&rtc->lock);
}

struct rtc *rtc_create(struct bus *pio)
{
	struct rtc *rtc = xcalloc(1, sizeof(*rtc));
	struct bus_device device = { bus_reads, bus_written, rtc };

	pthread_mutex_init(&rtc->lock, NULL);
	rtc->pio = pio;
	rtc->cmos[REG_A] = A_DIVIDER;
	rtc->cmos[REG_B] = B_24_HOURS;
	rtc->cmos[REG_D] = D_VALID;
	bus_add(pio, LAYOUT_PORT_RTC, 2, &device);
	return rtc;
}

void rtc_destroy(struct rtc *rtc)
{
	bus_remove(rtc->pio, LAYOUT_PORT_RTC);
	pthread_mutex_destroy(&rtc->lock);
	free(rtc);
}

json_t *rtc_save(struct rtc *rtc)
{
	json_t *state;

	pthread_mutex_lock(&rtc->lock);
	state = json_pack("{si sI so}", "index", rtc->index, "offset_s",
			  (json_int_t)rtc->offset_s, "cmos",
			  snapshot_bytes(rtc->cmos, CMOS_SIZE));
	pthread_mutex_unlock(&rtc->lock);
	return state;
}

int rtc_restore(struct rtc *rtc, const json_t *state, char **errp)
{
	uint8_t cmos[CMOS_SIZE];
	const json_t *bytes;
	json_int_t offset_s;
	int index;

	if (json_unpack((json_t *)state, "{si sI so}", "index", &index,
			"offset_s", &offset_s, "cmos", &bytes) ||
	    snapshot_from_bytes(bytes, cmos, CMOS_SIZE) ||
	    offset_s < -OFFSET_MAX_S || offset_s > OFFSET_MAX_S)
		return set_error(errp, -EINVAL,
				 "the saved state of the "
				 "real-time clock is damaged");
	pthread_mutex_lock(&rtc->lock);
	rtc->index = index & (CMOS_SIZE - 1);
	rtc->offset_s = offset_s;
	memcpy(rtc->cmos, cmos, CMOS_SIZE);
	pthread_mutex_unlock(&rtc->lock);
	return 0;
}
