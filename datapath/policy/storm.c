/*
 * Limits of storms as buckets of base/gcra.h: a word says when the bucket would
 * be full again.
 */
#include "policy/storm.h"

#include <stdlib.h>

#include "base/gcra.h"
#include "base/ticks.h"

/* Times are in so many parts of a tick. */
#define TIME_SHIFT 8
#define BURST_MIN  16
/* Segments of a packet. */
#define FRAMES_MAX 65536

struct bucket {
	_Atomic uint64_t full_at; /* since storm.since */
	_Atomic uint64_t cost;	  /* of a frame; 0: no limit */
	_Atomic uint64_t burst;
	/* Nobody can have taken out more; what seems so is of another time. */
	_Atomic uint64_t most;
} CACHE_ALIGNED;

struct storm {
	struct bucket buckets[N_STORM_KINDS];
	uint64_t since; /* ticks */
};

static inline uint64_t load(const _Atomic uint64_t *at)
{
	return atomic_load_explicit(at, memory_order_relaxed);
}

static inline void store(_Atomic uint64_t *at, uint64_t value)
{
	atomic_store_explicit(at, value, memory_order_relaxed);
}

/* Another rate or burst: what was owed at the old one is forgotten. */
static void configure(struct bucket *b, uint64_t cost, uint64_t frames)
{
	const unsigned __int128 max = UINT64_MAX / 4;
	uint64_t burst = MIN((unsigned __int128)cost * frames, max);

	if (load(&b->cost) == cost && load(&b->burst) == burst)
		return;
	store(&b->burst, burst);
	store(&b->most, burst + cost * FRAMES_MAX);
	store(&b->cost, cost);
	store(&b->full_at, 0);
}

void storm_configure(struct storm *storm, const struct storm_config *config)
{
	for (unsigned i = 0; i < N_STORM_KINDS; i++) {
		uint64_t rate = config->rate_pps[i], burst = config->burst;
		uint64_t cost = 0;

		if (!burst)
			burst = MAX(rate / 4, BURST_MIN);
		if (rate)
			cost = (ticks_per_second() << TIME_SHIFT) / rate;
		configure(&storm->buckets[i], cost, burst);
	}
}

struct storm *storm_create(const struct storm_config *config)
{
	struct storm *storm = xcalloc_aligned(1, sizeof(*storm));

	storm->since = ticks_now();
	storm_configure(storm, config);
	return storm;
}

struct storm *storm_copy(const struct storm *storm)
{
	struct storm *copy = xcalloc_aligned(1, sizeof(*copy));

	copy->since = storm->since;
	for (unsigned i = 0; i < N_STORM_KINDS; i++) {
		const struct bucket *from = &storm->buckets[i];

		store(&copy->buckets[i].full_at, load(&from->full_at));
		store(&copy->buckets[i].cost, load(&from->cost));
		store(&copy->buckets[i].burst, load(&from->burst));
		store(&copy->buckets[i].most, load(&from->most));
	}
	return copy;
}

void storm_destroy(struct storm *storm)
{
	free(storm);
}

bool storm_config_is_none(const struct storm_config *config)
{
	for (unsigned i = 0; i < N_STORM_KINDS; i++)
		if (config->rate_pps[i])
			return false;
	return true;
}

bool storm_limits(const struct storm *storm, enum storm_kind kind)
{
	return load(&storm->buckets[kind].cost);
}

static inline uint64_t time_of(const struct storm *storm, uint64_t ticks)
{
	return ticks > storm->since ? (ticks - storm->since) << TIME_SHIFT : 0;
}

/*
 * When it is full, and not before now. The clock goes round within a year.
 */
static inline uint64_t full_from(const struct bucket *b, uint64_t full_at,
				 uint64_t now)
{
	return full_at > now && full_at - now <= load(&b->most) ? full_at : now;
}

bool storm_would_take(const struct storm *storm, enum storm_kind kind,
		      uint64_t now_ticks)
{
	const struct bucket *b = &storm->buckets[kind];
	uint64_t now = time_of(storm, now_ticks), cost = load(&b->cost);
	uint64_t from = full_from(b, load(&b->full_at), now);

	/* Room for one at least, as far as the first is concerned. */
	return !cost || from == now || from - now + cost <= load(&b->burst);
}

bool storm_take(struct storm *storm, enum storm_kind kind, uint32_t frames,
		uint64_t now_ticks)
{
	struct bucket *b = &storm->buckets[kind];
	uint64_t cost = load(&b->cost), burst = load(&b->burst);

	if (!cost)
		return true;
	/* Room for one at least, as far as the first is concerned. */
	return gcra_take(&b->full_at, time_of(storm, now_ticks),
			 burst > cost ? burst - cost : 0, cost * frames,
			 load(&b->most));
}
