/*
 * Stations that have announced themselves lately at a port of the bridge that
 * is no bond: a small table, by hash, of who and when. A newer one takes the
 * place of an older one with the same hash; what is lost then is only the proof
 * that a frame is a reflection.
 */
#include "forward/fdb_table.h"

/* The upper half says who, the lower when (seconds). */
static uint32_t tag_of(const struct fdb *fdb, fdb_key key, unsigned *slot)
{
	uint64_t hash = fdb_hash(&fdb->table, key) * 0x9e3779b97f4a7c15u;

	*slot = hash & (FDB_ANNOUNCED_SLOTS - 1);
	return hash >> 32;
}

void fdb_note_announced(struct fdb *fdb, fdb_key key)
{
	unsigned slot;
	uint64_t tag = tag_of(fdb, key, &slot);

	atomic_store_explicit(&fdb->announced[slot], tag << 32 | fdb_now(fdb),
			      memory_order_relaxed);
}

bool fdb_is_announced(const struct fdb *fdb, fdb_key key)
{
	unsigned slot;
	uint32_t tag = tag_of(fdb, key, &slot);
	uint64_t word = atomic_load_explicit(&fdb->announced[slot],
					     memory_order_relaxed);

	return word >> 32 == tag &&
	       fdb_now(fdb) - (uint32_t)word <= FDB_ANNOUNCED_S;
}
