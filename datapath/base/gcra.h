/*
 * The generic cell rate algorithm (ITU-T I.371 annex A) for several threads,
 * without a lock: a token bucket as one word, which says when the next is due
 * if they came evenly. What that is ahead of now has been taken out.
 */
#ifndef BASE_GCRA_H
#define BASE_GCRA_H

#include <stdatomic.h>

#include "base/util.h"

/*
 * May something come now? Then the next is due `cost` later. Times are of any
 * one unit. early: by how much it may come before it is due. ahead_max: due
 * times farther ahead than that mean that the clock has been set back, and
 * count as now. Any thread.
 */
static inline bool gcra_take(_Atomic uint64_t *due, uint64_t now,
			     uint64_t early, uint64_t cost, uint64_t ahead_max)
{
	uint64_t old = atomic_load_explicit(due, memory_order_relaxed), from;

	do {
		from = MAX(old, now);
		if (unlikely(from - now > ahead_max))
			from = now;
		if (from - now > early)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(due, &old, from + cost,
							memory_order_relaxed,
							memory_order_relaxed));
	return true;
}

#endif
