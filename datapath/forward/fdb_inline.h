/*
 * The FDB's table as readers see it, and the readers' way through it.
 *
 * A slot of a bucket is a key and a value. The value says what the slot is:
 *
 *	63      32 31     25 24        20 19  18  17  16 15   0
 *	| tick    | version | passed by | C | S | B | L | port |
 *
 * L: live, the key beside it is known on port. B: busy, a writer that has
 * claimed the slot is about to write the key. Neither: free; what stands in
 * the key is a left-over. S: it is not moved. C: a control plane has put it.
 * Neither: learned; S alone: static; both: controlled and sticky. The tick is
 * the second in which the station was last heard. The version counts how often
 * the slot was claimed.
 *
 * A key has FDB_PROBES buckets, tried in turn: an entry lies in the first that
 * had a free slot. "Passed by", in the first slot of a bucket only, counts the
 * entries that found the bucket full and lie in a later one of theirs; a
 * search goes on to the next bucket only where it is not 0. So nearly every
 * search, also one that finds nothing, reads one cache line. (At 50 % load 4 %
 * of the entries lie in a later bucket.) 31 stays 31 for good.
 *
 * What a reader may conclude. A slot gets another key only by the steps
 *
 *	value: live, version n   ->  free or busy     (compare-and-swap)
 *	value: free              ->  busy, n + 1      (compare-and-swap)
 *	key:   stored by the one writer that claimed it (release)
 *	value: busy, n + 1       ->  live, n + 1      (compare-and-swap)
 *
 * The reader loads the value, live at version n (acquire: so the key it loads
 * next is that of version n or a later one), then the key (acquire), then the
 * value again. Were the key of a later version, the value would have been
 * written before it, and the second load could not return the first one's
 * value. So value and key belong together. This fails only when the slot is
 * claimed 128 times between the two loads of the value, for another station on
 * the same port in the same second at the end, and that a key of this name
 * passes through in between; what it would cost is one frame sent to the port
 * where its station was a moment ago.
 */
#ifndef FORWARD_FDB_INLINE_H
#define FORWARD_FDB_INLINE_H

#define FDB_BUCKET_SLOTS 4
#define FDB_PROBES	 12

#define FDB_VALUE_PORT	     0xffffull
#define FDB_VALUE_LIVE	     (1ull << 16)
#define FDB_VALUE_BUSY	     (1ull << 17)
#define FDB_VALUE_STATIC     (1ull << 18)
#define FDB_VALUE_CONTROLLED (1ull << 19)
#define FDB_PASSED_SHIFT     20
#define FDB_PASSED_MAX	     31ull
#define FDB_VALUE_PASSED     (FDB_PASSED_MAX << FDB_PASSED_SHIFT)
#define FDB_VERSION_SHIFT    25
#define FDB_VALUE_VERSION    (0x7full << FDB_VERSION_SHIFT)
#define FDB_TICK_SHIFT	     32
#define FDB_VALUE_TICK	     (0xffffffffull << FDB_TICK_SHIFT)
/* What an entry is, if any of it: none that ages or gives way. */
#define FDB_VALUE_KIND (FDB_VALUE_STATIC | FDB_VALUE_CONTROLLED)

struct fdb_bucket {
	_Atomic(uint64_t) key[FDB_BUCKET_SLOTS];
	_Atomic(uint64_t) value[FDB_BUCKET_SLOTS];
} CACHE_ALIGNED;

/* What readers need; struct fdb begins with it. Written at creation only. */
struct fdb_table {
	struct fdb_bucket *buckets;
	uint64_t offset_mask; /* (number of buckets - 1) * sizeof(bucket) */
	uint64_t seed[3];
	_Atomic(uint64_t) fresh; /* tick and live bit; written every second */
} CACHE_ALIGNED;

/*
 * Seeded, since strangers choose addresses. A product folded on itself alone
 * would leave some seeds with which addresses in a row, or that differ in
 * their high bytes only, crowd in a part of the table; the second product's
 * upper half spreads those as well as random ones (test_fdb_full.c).
 */
static inline uint64_t fdb_hash(const struct fdb_table *t, fdb_key key)
{
	unsigned __int128 product =
		(unsigned __int128)(key ^ t->seed[0]) * t->seed[1];
	uint64_t folded = (uint64_t)product ^ (uint64_t)(product >> 64);

	return folded * t->seed[2] >> 26;
}

static inline struct fdb_bucket *fdb_primary(const struct fdb_table *t,
					     uint64_t hash)
{
	return (struct fdb_bucket *)(void *)((char *)t->buckets +
					     (hash & t->offset_mask));
}

/* The rare ways of the two inline functions below (fdb_table.c). */
uint64_t fdb_find_value(const struct fdb_table *t, fdb_key key);
bool fdb_value_is_fresh(const struct fdb_table *t, uint64_t value,
			uint16_t port);

/*
 * Always inline: gcc takes a function that does nothing but prefetch for one
 * without effect, and leaves out calls of it that it has not inlined early.
 */
__attribute__((always_inline)) static inline const struct fdb_bucket *
fdb_prefetch(const struct fdb *fdb, fdb_key key)
{
	const struct fdb_table *t = (const struct fdb_table *)(const void *)fdb;
	const struct fdb_bucket *b = fdb_primary(t, fdb_hash(t, key));

	__builtin_prefetch(b);
	return b;
}

static inline fdb_fresh fdb_fresh_on(const struct fdb *fdb, uint16_t port)
{
	const struct fdb_table *t = (const struct fdb_table *)(const void *)fdb;

	return port | atomic_load_explicit(&t->fresh, memory_order_relaxed);
}

static inline bool fdb_is_passed(const struct fdb_bucket *b)
{
	return atomic_load_explicit(&b->value[0], memory_order_relaxed) &
	       FDB_VALUE_PASSED;
}

/*
 * The slots are tried in turn, by branches. A match without branches was
 * measured: 20 instructions more for both searches of a frame, but no wrongly
 * predicted branch, which are 12 ns a frame when it is one of very many
 * stations at random. Few stations, which are predicted, are what is common.
 */
static inline unsigned fdb_lookup_in(const struct fdb *fdb,
				     const struct fdb_bucket *b, fdb_key key)
{
	const struct fdb_table *t = (const struct fdb_table *)(const void *)fdb;

#pragma GCC unroll 4
	for (int i = 0; i < FDB_BUCKET_SLOTS; i++) {
		uint64_t v = atomic_load_explicit(&b->value[i],
						  memory_order_acquire);

		if (atomic_load_explicit(&b->key[i], memory_order_acquire) !=
		    key)
			continue;
		if (likely(v & FDB_VALUE_LIVE &&
			   atomic_load_explicit(&b->value[i],
						memory_order_relaxed) == v))
			return v & FDB_VALUE_PORT;
		/* A left-over, or written this moment. */
		return fdb_find_value(t, key) & FDB_VALUE_PORT;
	}
	if (likely(!fdb_is_passed(b)))
		return FDB_NONE;
	return fdb_find_value(t, key) & FDB_VALUE_PORT;
}

/*
 * Does not read the value again. If another station takes the slot this very
 * moment, on the same port, one refresh is left out, and the next frame makes
 * up for it.
 */
static inline bool fdb_is_fresh_in(const struct fdb *fdb,
				   const struct fdb_bucket *b, fdb_key key,
				   fdb_fresh fresh)
{
	const struct fdb_table *t = (const struct fdb_table *)(const void *)fdb;
	const uint64_t mask = FDB_VALUE_TICK | FDB_VALUE_LIVE | FDB_VALUE_PORT;

#pragma GCC unroll 4
	for (int i = 0; i < FDB_BUCKET_SLOTS; i++) {
		if (atomic_load_explicit(&b->key[i], memory_order_relaxed) !=
		    key)
			continue;
		if (likely((atomic_load_explicit(&b->value[i],
						 memory_order_relaxed) &
			    mask) == fresh))
			return true;
		return fdb_value_is_fresh(t, fdb_find_value(t, key),
					  fresh & FDB_VALUE_PORT);
	}
	if (likely(!fdb_is_passed(b)))
		return false;
	return fdb_value_is_fresh(t, fdb_find_value(t, key),
				  fresh & FDB_VALUE_PORT);
}

static inline unsigned fdb_lookup(const struct fdb *fdb, fdb_key key)
{
	return fdb_lookup_in(fdb, fdb_prefetch(fdb, key), key);
}

static inline bool fdb_is_fresh(const struct fdb *fdb, fdb_key key,
				uint16_t port)
{
	return fdb_is_fresh_in(fdb, fdb_prefetch(fdb, key), key,
			       fdb_fresh_on(fdb, port));
}

#endif
