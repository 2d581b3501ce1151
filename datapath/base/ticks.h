/*
 * Time for the packet's way: a counter that is read in a few nanoseconds,
 * without a system call. It is the processor's time-stamp counter where that
 * runs at one speed on all cores (the invariant TSC), and nanoseconds of
 * CLOCK_MONOTONIC elsewhere; differences of two readings mean something, a
 * reading alone does not.
 */
#ifndef BASE_TICKS_H
#define BASE_TICKS_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

/* Set once by ticks_init(); read by everyone afterwards. */
extern bool ticks_are_cycles;

/*
 * Measures the counter's speed, once, which takes about a millisecond. Before
 * any other thread uses ticks; further calls do nothing.
 */
void ticks_init(void);
/* Nanoseconds, when the counter cannot be used. */
uint64_t ticks_from_clock(void);

static inline uint64_t ticks_now(void)
{
#if defined(__x86_64__)
	if (__builtin_expect(ticks_are_cycles, 1))
		return __rdtsc();
#endif
	return ticks_from_clock();
}

/* Any thread, after ticks_init(). */
uint64_t ticks_per_second(void);
uint64_t ticks_from_us(uint64_t us);
uint64_t ticks_to_ns(uint64_t ticks);

#endif
