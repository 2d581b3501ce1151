/*
 * A policer: what comes faster than a rate, in bytes or frames, is dropped;
 * some may come at once (a token bucket). One a port, shared by all threads
 * that receive from it, without a lock.
 *
 * A GSO packet counts as the frames that it stands for (shape/wire_bytes.h). It
 * passes as a whole or not at all: whole while the bucket is not in debt, and
 * its debt is paid off before the next passes. So packets larger than the burst
 * pass, too, and the rate is kept all the same.
 */
#ifndef SHAPE_POLICER_H
#define SHAPE_POLICER_H

#include <stdatomic.h>

#include "packet/packet.h"

/* Both limits hold; a rate of 0 is none. A burst of 0 is the default. */
struct policer_config {
	uint64_t rate_kbps;   /* 1000 bit/s, of frames without FCS */
	uint64_t burst_kb;    /* 1000 bit */
	uint64_t rate_kpps;   /* 1000 frames/s */
	uint64_t burst_kpkts; /* 1000 frames */
};

/* Open vSwitch's (tc's police). */
#define POLICER_BURST_KB    8000
#define POLICER_BURST_KPKTS 16

struct policer;

/* Control thread, after ticks_init(). With the bucket full. Never NULL. */
struct policer *policer_create(const struct policer_config *config);
/* One with the same rates and filling, to try out what would pass. free(). */
struct policer *policer_copy(const struct policer *policer);
void policer_destroy(struct policer *policer); /* accepts NULL */
/* Control thread, while workers use it; the bucket keeps its filling. */
void policer_configure(struct policer *policer,
		       const struct policer_config *config);

/*
 * Any thread. Of n packets (at most PACKET_BURST_MAX) in their order: pass[i]
 * tells whether packet i keeps the rate. Packets were pulled.
 */
void policer_take(struct policer *policer, struct packet *const packets[],
		  unsigned n, bool pass[]);

/* Control thread: what passed and what did not, since it was made. */
struct policer_stats {
	uint64_t passed_frames, passed_bytes, dropped_frames, dropped_bytes;
};
void policer_get_stats(const struct policer *policer,
		       struct policer_stats *stats);

/*
 * The same by a clock of the caller's, in ticks (base/ticks.h) from any time
 * that is not behind an earlier one's; for tests and for tracing.
 */
void policer_take_at(struct policer *policer, struct packet *const packets[],
		     unsigned n, bool pass[], uint64_t now);

#endif
