/*
 * Buckets as the generic cell rate algorithm has them (ITU-T I.371 annex A):
 * one word says when the bucket is full again if nothing more comes. What is
 * ahead of now is how much was taken out; more than the burst is debt.
 *
 * A thread works out what a burst of packets does to the word, and then puts it
 * in the place of the one that it read; if another thread was faster, it begins
 * again.
 */
#include "shape/policer.h"

#include <stdlib.h>

#include "base/ticks.h"
#include "shape/wire_bytes.h"

/* Times are kept in so many parts of a tick: a byte of a fast link is less. */
#define TIME_SHIFT 6
/* Costs are kept in so many parts of that. */
#define COST_SHIFT 20
/* Of one packet: a segment a byte, each with its headers. */
#define UNITS_MAX (16u << 20)

struct bucket {
	_Atomic uint64_t full_at; /* in parts of a tick since policer.since */
	_Atomic uint64_t cost;	  /* of a unit; 0: no limit */
	_Atomic uint64_t burst;	  /* parts of a tick */
	/* Nobody can have taken out more; what seems so is of another time. */
	_Atomic uint64_t most;
};

struct policer {
	struct bucket bytes, frames;
	uint64_t since; /* ticks */
	_Atomic uint64_t passed_frames, passed_bytes;
	_Atomic uint64_t dropped_frames, dropped_bytes;
} CACHE_ALIGNED;

static uint64_t parts_of(uint64_t cost, uint64_t units)
{
	const unsigned __int128 max = UINT64_MAX / 4;
	unsigned __int128 parts =
		((unsigned __int128)cost * units) >> COST_SHIFT;

	return MIN(parts, max);
}

/*
 * rate: units a second; burst: units. What was owed at another rate is
 * forgotten.
 */
static void configure(struct bucket *b, uint64_t rate, uint64_t burst)
{
	uint64_t cost = 0, parts;

	if (rate)
		cost = ((unsigned __int128)ticks_per_second()
			<< (TIME_SHIFT + COST_SHIFT)) /
		       rate;
	parts = parts_of(cost, burst);
	if (atomic_load_explicit(&b->cost, memory_order_relaxed) == cost &&
	    atomic_load_explicit(&b->burst, memory_order_relaxed) == parts)
		return;
	atomic_store_explicit(&b->burst, parts, memory_order_relaxed);
	atomic_store_explicit(&b->most, parts + parts_of(cost, UNITS_MAX),
			      memory_order_relaxed);
	atomic_store_explicit(&b->cost, cost, memory_order_relaxed);
	atomic_store_explicit(&b->full_at, 0, memory_order_relaxed);
}

void policer_configure(struct policer *p, const struct policer_config *c)
{
	uint64_t kb = c->burst_kb ? c->burst_kb : POLICER_BURST_KB;
	uint64_t kpkts = c->burst_kpkts ? c->burst_kpkts : POLICER_BURST_KPKTS;

	configure(&p->bytes, c->rate_kbps * 125, kb * 125);
	configure(&p->frames, c->rate_kpps * 1000, kpkts * 1000);
}

struct policer *policer_create(const struct policer_config *config)
{
	struct policer *p = xcalloc_aligned(1, sizeof(*p));

	p->since = ticks_now();
	policer_configure(p, config);
	return p;
}

static void copy_bucket(struct bucket *to, const struct bucket *from)
{
	to->full_at =
		atomic_load_explicit(&from->full_at, memory_order_relaxed);
	to->cost = atomic_load_explicit(&from->cost, memory_order_relaxed);
	to->burst = atomic_load_explicit(&from->burst, memory_order_relaxed);
	to->most = atomic_load_explicit(&from->most, memory_order_relaxed);
}

struct policer *policer_copy(const struct policer *policer)
{
	struct policer *p = xcalloc_aligned(1, sizeof(*p));

	p->since = policer->since;
	copy_bucket(&p->bytes, &policer->bytes);
	copy_bucket(&p->frames, &policer->frames);
	return p;
}

void policer_destroy(struct policer *policer)
{
	free(policer);
}

/* Sizes of a burst's packets. */
struct sizes {
	unsigned n;
	struct wire_size of[PACKET_BURST_MAX];
};

/* What a packet takes out, in parts of a tick. */
static uint64_t cost_of(const struct wire_size *size, bool frames,
			uint64_t cost)
{
	uint32_t units = frames ? size->frames : size->bytes;

	/* Rounded up: a burst of n is n, and not one more. */
	return ((unsigned __int128)cost * units + (1u << COST_SHIFT) - 1) >>
	       COST_SHIFT;
}

/*
 * Takes out what the packets need that have passed so far; those for which
 * there is nothing pass no more. Returns what was taken, in parts of a tick.
 */
static uint64_t take(struct bucket *b, const struct sizes *sizes, bool frames,
		     uint64_t now, bool pass[])
{
	uint64_t cost = atomic_load_explicit(&b->cost, memory_order_relaxed);
	uint64_t burst = atomic_load_explicit(&b->burst, memory_order_relaxed);
	uint64_t most = atomic_load_explicit(&b->most, memory_order_relaxed);
	uint64_t old = atomic_load_explicit(&b->full_at, memory_order_relaxed);
	bool keeps[PACKET_BURST_MAX];
	uint64_t full_at;

	if (!cost)
		return 0;
	do {
		/* The clock goes round within years. */
		full_at = old > now && old - now <= most ? old : now;
		for (unsigned i = 0; i < sizes->n; i++) {
			keeps[i] = pass[i] && full_at - now < MAX(burst, 1u);
			if (keeps[i])
				full_at += cost_of(&sizes->of[i], frames, cost);
		}
	} while (!atomic_compare_exchange_weak_explicit(
		&b->full_at, &old, full_at, memory_order_relaxed,
		memory_order_relaxed));
	memcpy(pass, keeps, sizes->n * sizeof(*pass));
	return cost;
}

/* What packets were given that another bucket refused goes back. */
static void give_back(struct bucket *b, uint64_t cost,
		      const struct sizes *sizes, const bool before[],
		      const bool pass[])
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < sizes->n; i++)
		if (before[i] && !pass[i])
			sum += cost_of(&sizes->of[i], true, cost);
	if (sum)
		atomic_fetch_sub_explicit(&b->full_at, sum,
					  memory_order_relaxed);
}

static void count(struct policer *p, const struct sizes *sizes,
		  const bool pass[])
{
	struct wire_size passed = { 0 }, dropped = { 0 };

	for (unsigned i = 0; i < sizes->n; i++) {
		struct wire_size *sum = pass[i] ? &passed : &dropped;

		sum->frames += sizes->of[i].frames;
		sum->bytes += sizes->of[i].bytes;
	}
	atomic_fetch_add_explicit(&p->passed_frames, passed.frames,
				  memory_order_relaxed);
	atomic_fetch_add_explicit(&p->passed_bytes, passed.bytes,
				  memory_order_relaxed);
	if (!dropped.frames)
		return;
	atomic_fetch_add_explicit(&p->dropped_frames, dropped.frames,
				  memory_order_relaxed);
	atomic_fetch_add_explicit(&p->dropped_bytes, dropped.bytes,
				  memory_order_relaxed);
}

void policer_take_at(struct policer *p, struct packet *const packets[],
		     unsigned n, bool pass[], uint64_t now)
{
	bool before[PACKET_BURST_MAX];
	struct sizes sizes = { .n = n };
	uint64_t cost;

	now = now > p->since ? (now - p->since) << TIME_SHIFT : 0;
	for (unsigned i = 0; i < n; i++) {
		sizes.of[i] = wire_size(packets[i]);
		pass[i] = true;
	}
	cost = take(&p->frames, &sizes, true, now, pass);
	memcpy(before, pass, n * sizeof(*pass));
	take(&p->bytes, &sizes, false, now, pass);
	if (cost)
		give_back(&p->frames, cost, &sizes, before, pass);
	count(p, &sizes, pass);
}

void policer_take(struct policer *p, struct packet *const packets[], unsigned n,
		  bool pass[])
{
	policer_take_at(p, packets, n, pass, ticks_now());
}

void policer_get_stats(const struct policer *p, struct policer_stats *stats)
{
	stats->passed_frames =
		atomic_load_explicit(&p->passed_frames, memory_order_relaxed);
	stats->passed_bytes =
		atomic_load_explicit(&p->passed_bytes, memory_order_relaxed);
	stats->dropped_frames =
		atomic_load_explicit(&p->dropped_frames, memory_order_relaxed);
	stats->dropped_bytes =
		atomic_load_explicit(&p->dropped_bytes, memory_order_relaxed);
}
