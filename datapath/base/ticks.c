/*
 * The time-stamp counter's speed, measured against CLOCK_MONOTONIC. How long
 * the thread sleeps between the two readings does not matter; that nothing
 * comes between the two clocks of one reading does, so the best of a few is
 * taken.
 */
#include "base/ticks.h"

#include <time.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define NS_PER_S 1000000000u

bool ticks_are_cycles;
static uint64_t per_second;

uint64_t ticks_from_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

#if defined(__x86_64__)

#define READINGS 8

/* CPUID 8000_0007h, EDX bit 8: one speed in all power states. */
static bool has_invariant_tsc(void)
{
	unsigned a, b, c, d;

	return __get_cpuid(0x80000007, &a, &b, &c, &d) && d >> 8 & 1;
}

struct reading {
	uint64_t cycles, ns;
};

static struct reading read_both(void)
{
	struct reading best = { 0 };
	uint64_t narrowest = UINT64_MAX;

	for (int i = 0; i < READINGS; i++) {
		uint64_t before = __rdtsc();
		uint64_t ns = ticks_from_clock();
		uint64_t width = __rdtsc() - before;

		if (width < narrowest) {
			narrowest = width;
			best = (struct reading){ before + width / 2, ns };
		}
	}
	return best;
}

static uint64_t measure(void)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	struct reading from = read_both(), to;

	nanosleep(&pause, NULL);
	to = read_both();
	if (to.ns <= from.ns || to.cycles <= from.cycles)
		return 0;
	return (unsigned __int128)(to.cycles - from.cycles) * NS_PER_S /
	       (to.ns - from.ns);
}

#else

static bool has_invariant_tsc(void)
{
	return false;
}

static uint64_t measure(void)
{
	return 0;
}

#endif

void ticks_init(void)
{
	if (per_second)
		return;
	per_second = has_invariant_tsc() ? measure() : 0;
	ticks_are_cycles = per_second != 0;
	if (!per_second)
		per_second = NS_PER_S;
}

uint64_t ticks_per_second(void)
{
	return per_second;
}

uint64_t ticks_from_us(uint64_t us)
{
	return (unsigned __int128)us * per_second / 1000000;
}

uint64_t ticks_to_ns(uint64_t ticks)
{
	return (unsigned __int128)ticks * NS_PER_S / per_second;
}
