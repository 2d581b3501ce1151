/*
 * A token bucket for one thread: so many bits a second, a burst at once. It may
 * be overdrawn by the packet that empties it, and gives nothing more until that
 * is paid back; so a packet larger than the burst passes, and what passes in a
 * long time is the rate to the bit.
 *
 * Tokens are billionths of a bit: rate times nanoseconds, without rounding.
 */
#ifndef SHAPE_RATE_H
#define SHAPE_RATE_H

#include "base/util.h"

#define RATE_BPS_MAX	1000000000000ull /* 1 Tbit/s */
#define RATE_BURST_MAX	(256u << 20)	 /* bytes: tokens fit into 63 bits */
#define RATE_BYTE	8000000000ll	 /* tokens */
#define RATE_NS_PER_S	1000000000ull
#define RATE_NS_PER_MS	1000000ull
#define RATE_FRAME_SIZE 1514

struct rate {
	uint64_t bps; /* 0: no limit */
	int64_t tokens, max;
	int64_t late;	/* beyond max, when it is the sender who was late */
	uint64_t at_ns; /* when tokens were so many */
};

/* What passes at the rate in that time. */
static inline uint64_t rate_bytes_in(uint64_t bps, uint64_t ns)
{
	return (unsigned __int128)bps * ns / RATE_BYTE;
}

/* A machine may be so busy that its threads wait for as long. */
#define RATE_LATE_NS (50 * RATE_NS_PER_MS)

/* Full from the beginning. bps: to RATE_BPS_MAX; 0: no limit. */
static inline void rate_init(struct rate *r, uint64_t bps, uint64_t burst_bytes)
{
	r->bps = bps;
	r->max =
		(int64_t)MIN(burst_bytes, (uint64_t)RATE_BURST_MAX) * RATE_BYTE;
	r->tokens = r->max;
	r->late = (int64_t)MIN(rate_bytes_in(bps, RATE_LATE_NS),
			       (uint64_t)RATE_BURST_MAX) *
		  RATE_BYTE;
	r->at_ns = 0;
}

/*
 * Time is never taken back: `now` may be a little earlier than at_ns. pressed:
 * something has waited all the time, so that what was not taken is lost by
 * being late, and may be made up for, up to RATE_LATE_NS.
 */
static inline void rate_refill(struct rate *r, uint64_t now_ns, bool pressed)
{
	int64_t max = r->max + (pressed ? r->late : 0);
	uint64_t room, ns;

	if (!r->bps || now_ns <= r->at_ns)
		return;
	ns = now_ns - r->at_ns;
	room = max > r->tokens ? max - r->tokens : 0;
	r->at_ns = now_ns;
	if (ns > room / r->bps)
		r->tokens = max;
	else
		r->tokens += ns * r->bps;
}

/* Whether a packet may pass, as of the last refill. */
static inline bool rate_has(const struct rate *r)
{
	return r->tokens >= 0;
}

static inline void rate_take(struct rate *r, uint32_t bytes)
{
	if (r->bps)
		r->tokens -= bytes * RATE_BYTE;
}

/* Nanoseconds from the last refill until one may pass. */
static inline uint64_t rate_wait_ns(const struct rate *r)
{
	return rate_has(r) ? 0 : DIV_ROUND_UP((uint64_t)-r->tokens, r->bps);
}

#endif
