/*
 * Buckets by measured load. Once an interval the bytes of each bucket are
 * summed over the threads and smoothed: half of what it was and half of what
 * came. Then buckets go from the member with most to the one with least, as
 * long as it pays: as Open vSwitch has it, where the difference is more than
 * about 3 % and 1 Mbit/s; and a move has to make the difference smaller by as
 * much. A bucket that was moved stays for some intervals, so that a flow is
 * reordered once at most, unless its member goes down.
 *
 * With less than two members that take part there is nothing to move, and no
 * timer.
 */
#include "bond/bond_internal.h"

#include <inttypes.h>

#include "base/log.h"

LOG_MODULE(bond);

/* Intervals that a bucket stays after it was moved. */
#define HOLD_INTERVALS 4
/* 1 Mbit/s, in bytes a millisecond. */
#define PAYS_BYTES_MS 125
/* 1/32, about 3 %. */
#define PAYS_SHIFT 5

static uint64_t counted(const struct bond *bond, unsigned b)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < bond->n_loads; i++)
		sum += atomic_load_explicit(&bond->loads[i]->bytes[b],
					    memory_order_relaxed);
	return sum;
}

static void measure(struct bond *bond)
{
	for (unsigned b = 0; b < BOND_BUCKETS; b++) {
		struct bond_bucket *bucket = &bond->buckets[b];
		uint64_t sum = counted(bond, b);

		bucket->recent = sum - bucket->counted;
		bucket->counted = sum;
		bucket->smoothed = (bucket->smoothed + bucket->recent) / 2;
	}
}

/* The first interval of a new measurement begins: what was does not count. */
static void begin(struct bond *bond)
{
	for (unsigned b = 0; b < BOND_BUCKETS; b++) {
		struct bond_bucket *bucket = &bond->buckets[b];

		bucket->counted = counted(bond, b);
		bucket->recent = 0;
		bucket->smoothed = 0;
	}
}

bool bond_rebalances(const struct bond *bond)
{
	return bond_has_buckets(bond) && bond->policy != BOND_PORT_ID &&
	       bond->config.rebalance_ms;
}

void bond_rebalance_schedule(struct bond *bond, uint64_t now_ms)
{
	if (!bond_rebalances(bond) || bond_n_shares(bond) < 2) {
		bond->rebalance_at = BOND_NEVER;
		return;
	}
	if (bond->rebalance_at != BOND_NEVER)
		return;
	begin(bond);
	bond->rebalance_at = now_ms + bond->config.rebalance_ms;
}

void bond_rebalance_hold(struct bond *bond, unsigned bucket, uint64_t now_ms)
{
	/* Half an interval less: a timer may be late, and that adds up. */
	bond->buckets[bucket].held_until =
		now_ms + HOLD_INTERVALS * (uint64_t)bond->config.rebalance_ms -
		bond->config.rebalance_ms / 2;
}

struct loads {
	uint64_t bytes[BOND_MEMBERS_MAX];
	struct bond_member *most, *least;
};

static void sum_loads(const struct bond *bond, struct loads *l)
{
	memset(l, 0, sizeof(*l));
	for (unsigned b = 0; b < BOND_BUCKETS; b++) {
		const struct bond_bucket *bucket = &bond->buckets[b];

		if (bucket->member)
			l->bytes[bucket->member->index] += bucket->smoothed;
	}
	for (unsigned i = 0; i < bond->n_members; i++) {
		struct bond_member *m = bond->members[i];

		if (!m->shares)
			continue;
		if (!l->most || l->bytes[i] > l->bytes[l->most->index])
			l->most = m;
		if (!l->least || l->bytes[i] < l->bytes[l->least->index])
			l->least = m;
	}
}

/* The bucket whose move leaves the least difference, or -1: it does not pay. */
static int choose(const struct bond *bond, const struct loads *l,
		  uint64_t now_ms)
{
	uint64_t least = l->bytes[l->least->index];
	uint64_t over = l->bytes[l->most->index] - least;
	uint64_t pays =
		MAX(least >> PAYS_SHIFT,
		    PAYS_BYTES_MS * (uint64_t)bond->config.rebalance_ms);
	uint64_t best_gain = pays;
	int best = -1;

	if (over < pays)
		return -1;
	for (unsigned b = 0; b < BOND_BUCKETS; b++) {
		const struct bond_bucket *bucket = &bond->buckets[b];
		uint64_t load = bucket->smoothed, gain;

		if (bucket->member != l->most || now_ms < bucket->held_until ||
		    load >= over)
			continue;
		gain = 2 * MIN(load, over - load);
		if (gain > best_gain) {
			best_gain = gain;
			best = (int)b;
		}
	}
	return best;
}

void bond_rebalance_run(struct bond *bond, uint64_t now_ms)
{
	struct loads l;

	if (now_ms < bond->rebalance_at)
		return;
	bond->rebalance_at = now_ms + bond->config.rebalance_ms;
	measure(bond);
	/* Each bucket moves at most once, since it is held then. */
	for (unsigned n = 0; n < BOND_BUCKETS; n++) {
		int b;

		sum_loads(bond, &l);
		if (l.most == l.least)
			return;
		b = choose(bond, &l, now_ms);
		if (b < 0)
			return;
		log_info_limited("bond %s: shift %" PRIu64
				 " kB of load from %s to %s (now carrying "
				 "%" PRIu64 " kB and %" PRIu64 " kB)",
				 bond->name, bond->buckets[b].smoothed / 1000,
				 l.most->name, l.least->name,
				 l.bytes[l.most->index] / 1000,
				 l.bytes[l.least->index] / 1000);
		bond_move_bucket(bond, (unsigned)b, l.least);
		bond_rebalance_hold(bond, (unsigned)b, now_ms);
		bond_announce_bucket(bond, (unsigned)b, now_ms);
	}
}
