/*
 * Limits of storms: how many broadcast, multicast and unknown unicast frames a
 * second a port lets in. One a port, shared by all threads that receive from
 * it, without a lock; it is asked about such frames only.
 *
 * A GSO packet counts as the frames that it stands for. It passes as a whole
 * while anything is left, and what it took too much has to fill up first.
 */
#ifndef POLICY_STORM_H
#define POLICY_STORM_H

#include <stdatomic.h>

#include "base/util.h"

enum storm_kind {
	STORM_BROADCAST,
	STORM_MULTICAST,
	STORM_UNKNOWN, /* unicast to a station that is not known */
	N_STORM_KINDS
};

#define STORM_RATE_MAX 100000000 /* frames/s: more than any link has */

struct storm_config {
	uint32_t rate_pps[N_STORM_KINDS]; /* 0: no limit */
	/* Frames of a kind that may come at once; 0: a quarter of a second's */
	uint32_t burst;
};

struct storm;

/* Control thread, after ticks_init(). Never NULL. */
struct storm *storm_create(const struct storm_config *config);
/* One with the same limits and fillings, to try out what would pass. free(). */
struct storm *storm_copy(const struct storm *storm);
void storm_destroy(struct storm *storm); /* accepts NULL */
/* Control thread, while workers use it. */
void storm_configure(struct storm *storm, const struct storm_config *config);
bool storm_config_is_none(const struct storm_config *config);

/* Any thread: whether the kind has a limit, and a packet is to be asked for. */
bool storm_limits(const struct storm *storm, enum storm_kind kind);
/* Any thread: may a packet of so many frames come in now (base/ticks.h)? */
bool storm_take(struct storm *storm, enum storm_kind kind, uint32_t frames,
		uint64_t now_ticks);
/* The same, with nothing taken. */
bool storm_would_take(const struct storm *storm, enum storm_kind kind,
		      uint64_t now_ticks);

#endif
