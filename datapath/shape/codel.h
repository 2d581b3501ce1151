/*
 * CoDel (RFC 8289): drops, or marks, when for an interval no packet has left
 * a queue within the target delay, and then at a pace that grows until they do.
 * A queue is judged by its shortest delay, so that bursts pass.
 *
 * Knows no queue and no clock. One thread.
 */
#ifndef SHAPE_CODEL_H
#define SHAPE_CODEL_H

#include <math.h>

#include "base/util.h"

#define CODEL_TARGET_NS	  5000000ull
#define CODEL_INTERVAL_NS 100000000ull

struct codel_params {
	uint64_t target_ns, interval_ns;
	uint32_t mtu; /* bytes that may wait in any case */
};

struct codel {
	uint64_t first_above_ns; /* since when it would be time; 0: it is not */
	uint64_t drop_next_ns;
	uint32_t count, last_count;
	bool dropping;
};

/* RFC 8289 5.5: control_law() */
static inline uint64_t codel_next(const struct codel_params *params,
				  uint64_t from_ns, uint32_t count)
{
	return from_ns + (uint64_t)((double)params->interval_ns / sqrt(count));
}

/* Whether all have waited too long for an interval (dodequeue()). */
static inline bool codel_is_late(struct codel *c,
				 const struct codel_params *params,
				 uint64_t delay_ns, uint32_t backlog,
				 uint64_t now_ns)
{
	if (delay_ns < params->target_ns || backlog <= params->mtu) {
		c->first_above_ns = 0;
		return false;
	}
	if (!c->first_above_ns) {
		c->first_above_ns = now_ns + params->interval_ns;
		return false;
	}
	return now_ns >= c->first_above_ns;
}

static inline void codel_begin(struct codel *c,
			       const struct codel_params *params,
			       uint64_t now_ns)
{
	uint32_t delta = c->count - c->last_count;

	/* It was dropping lately: goes on at about the same pace. */
	c->dropping = true;
	c->count =
		delta > 1 && now_ns - c->drop_next_ns < 16 * params->interval_ns
			? delta
			: 1;
	c->drop_next_ns = codel_next(params, now_ns, c->count);
	c->last_count = c->count;
}

/*
 * A packet has waited so long, and that many bytes are in the queue, it
 * included. True: it is to be dropped, or marked; after a drop the next one
 * is asked about, with the same time.
 */
static inline bool codel_drops(struct codel *c,
			       const struct codel_params *params,
			       uint64_t delay_ns, uint32_t backlog,
			       uint64_t now_ns)
{
	bool late = codel_is_late(c, params, delay_ns, backlog, now_ns);

	if (!c->dropping) {
		if (!late)
			return false;
		codel_begin(c, params, now_ns);
		return true;
	}
	if (!late) {
		c->dropping = false;
		return false;
	}
	if (now_ns < c->drop_next_ns)
		return false;
	c->count++;
	c->drop_next_ns = codel_next(params, c->drop_next_ns, c->count);
	return true;
}

/* The queue is empty. */
static inline void codel_empty(struct codel *c)
{
	c->first_above_ns = 0;
	c->dropping = false;
}

#endif
