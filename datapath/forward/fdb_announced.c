/*
 * Stations that have announced themselves lately at a port of the bridge that
 * is no bond: a small table, by hash, of who and when. A bucket's oldest note
 * gives way when all are in use; what is lost then is only the proof that a
 * frame is a reflection.
 */
#include "forward/fdb_table.h"

#define WAYS FDB_ANNOUNCED_WAYS

/* A note: the upper half says who, the lower when (seconds). 0: none. */
static uint32_t tag_of(const struct fdb *fdb, fdb_key key, unsigned *bucket)
{
	uint64_t hash = fdb_hash(&fdb->table, key) * 0x9e3779b97f4a7c15u;

	*bucket = hash & (FDB_ANNOUNCED_SLOTS / WAYS - 1);
	return hash >> 32 | 1;
}

static uint32_t age_of(const struct fdb *fdb, uint64_t note)
{
	return note ? fdb_now(fdb) - (uint32_t)note : UINT32_MAX;
}

void fdb_note_announced(struct fdb *fdb, fdb_key key)
{
	unsigned bucket, oldest;
	uint64_t tag = tag_of(fdb, key, &bucket), old, seen;
	_Atomic(uint64_t) *notes = fdb->announced + bucket * WAYS;

	do {
		old = atomic_load_explicit(&notes[0], memory_order_relaxed);
		oldest = 0;
		for (unsigned i = 0; i < WAYS; i++) {
			seen = atomic_load_explicit(&notes[i],
						    memory_order_relaxed);
			if (seen >> 32 != tag &&
			    age_of(fdb, seen) <= age_of(fdb, old))
				continue;
			oldest = i;
			old = seen;
			if (seen >> 32 == tag)
				break;
		}
	} while (!atomic_compare_exchange_weak_explicit(
		&notes[oldest], &old, tag << 32 | fdb_now(fdb),
		memory_order_relaxed, memory_order_relaxed));
}

bool fdb_is_announced(const struct fdb *fdb, fdb_key key)
{
	unsigned bucket;
	uint32_t tag = tag_of(fdb, key, &bucket);
	const _Atomic(uint64_t) *notes = fdb->announced + bucket * WAYS;

	for (unsigned i = 0; i < WAYS; i++) {
		uint64_t note =
			atomic_load_explicit(&notes[i], memory_order_relaxed);

		if (note >> 32 == tag)
			return age_of(fdb, note) <= FDB_ANNOUNCED_S;
	}
	return false;
}
