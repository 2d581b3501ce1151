/* What a port may have learned, and what it has. */
#include "forward/fdb_table.h"

#define relaxed memory_order_relaxed

/* Where one of its own is looked for: buckets, and entries to choose from. */
#define OWN_BUCKETS_MAX 256
#define OWN_ENTRIES	4

void fdb_set_port_limit(struct fdb *fdb, uint16_t port, uint32_t limit)
{
	atomic_store_explicit(&fdb->ports[port].limit, limit, relaxed);
}

void fdb_set_port_evicts(struct fdb *fdb, uint16_t port, bool evicts)
{
	atomic_store_explicit(&fdb->ports[port].evicts, evicts, relaxed);
}

uint32_t fdb_port_limit(const struct fdb *fdb, uint16_t port)
{
	return atomic_load_explicit(&fdb->ports[port].limit, relaxed);
}

uint32_t fdb_port_entries(const struct fdb *fdb, uint16_t port)
{
	return atomic_load_explicit(&fdb->ports[port].learned, relaxed);
}

bool fdb_port_is_full(const struct fdb *fdb, uint16_t port)
{
	uint32_t limit = atomic_load_explicit(&fdb->ports[port].limit, relaxed);

	return limit && fdb_port_entries(fdb, port) >= limit;
}

uint32_t fdb_port_controlled(const struct fdb *fdb, uint16_t port)
{
	return atomic_load_explicit(&fdb->ports[port].controlled, relaxed);
}

static bool is_learned_at(uint64_t value, uint16_t port)
{
	return (value & (FDB_VALUE_LIVE | FDB_VALUE_KIND)) == FDB_VALUE_LIVE &&
	       fdb_value_port(value) == port;
}

bool fdb_evict_own(struct fdb *fdb, uint16_t port)
{
	const struct fdb_table *t = &fdb->table;
	uint64_t n_buckets = fdb_n_buckets(t);
	unsigned n = MIN(n_buckets, OWN_BUCKETS_MAX), seen = 0;
	uint64_t at = atomic_load_explicit(&fdb->ports[port].cursor, relaxed);
	struct fdb_slot slot, oldest = { 0 };
	uint32_t now = fdb_now(fdb);

	for (; n-- && seen < OWN_ENTRIES; at++) {
		struct fdb_bucket *b =
			fdb_primary(t, at * sizeof(struct fdb_bucket));

		for (unsigned i = 0; i < FDB_BUCKET_SLOTS; i++) {
			uint64_t value =
				atomic_load_explicit(&b->value[i], relaxed);

			if (!is_learned_at(value, port) ||
			    !fdb_read_slot(b, i, &slot) ||
			    !is_learned_at(slot.value, port))
				continue;
			if (!seen++ ||
			    now - fdb_value_tick(slot.value) >
				    now - fdb_value_tick(oldest.value))
				oldest = slot;
		}
	}
	atomic_store_explicit(&fdb->ports[port].cursor, at, relaxed);
	if (!seen || !fdb_remove_slot(fdb, &oldest))
		return false;
	atomic_fetch_add_explicit(&fdb->evicted, 1, relaxed);
	return true;
}
