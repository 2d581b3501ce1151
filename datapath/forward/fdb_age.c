/*
 * Ageing and flushing: walks over the table that remove what is over. Control
 * thread; workers learn meanwhile, and an entry that one of them has written
 * since it was read here stays (fdb_table.c).
 */
#include "forward/fdb_table.h"

static void count_more(_Atomic(uint64_t) *counter, unsigned n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static unsigned age_bucket(struct fdb *fdb, struct fdb_bucket *bucket,
			   uint32_t now)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FDB_BUCKET_SLOTS; i++) {
		struct fdb_slot slot;

		if (fdb_read_slot(bucket, i, &slot) &&
		    !(slot.value & FDB_VALUE_KIND) &&
		    now - fdb_value_tick(slot.value) > fdb->age_s)
			n += fdb_remove_slot(fdb, &slot);
	}
	return n;
}

/* So many buckets that the table is through in a tenth of the age time. */
static void age(struct fdb *fdb, uint32_t now, uint32_t elapsed_s)
{
	uint64_t n_buckets = fdb_n_buckets(&fdb->table);
	uint64_t share = DIV_ROUND_UP(n_buckets * 10 * elapsed_s, fdb->age_s);
	unsigned n = 0;

	for (share = MIN(share, n_buckets); share; share--) {
		n += age_bucket(fdb, &fdb->table.buckets[fdb->age_bucket], now);
		fdb->age_bucket = (fdb->age_bucket + 1) & (n_buckets - 1);
	}
	if (n)
		count_more(&fdb->aged, n);
}

void fdb_tick(struct fdb *fdb, uint32_t now_s)
{
	uint32_t now, elapsed_s;

	if (!fdb->time_is_set) {
		fdb->time_is_set = true;
		fdb->epoch_s = now_s;
	}
	now = now_s - fdb->epoch_s;
	elapsed_s = now - fdb_now(fdb);
	if ((int32_t)elapsed_s <= 0)
		return;
	fdb_set_fresh(fdb, (uint64_t)now << FDB_TICK_SHIFT | FDB_VALUE_LIVE);
	if (fdb->age_s)
		age(fdb, now, elapsed_s);
}

static bool matches(const struct fdb_slot *slot, uint16_t port, int fid,
		    bool any_kind)
{
	return (!port || fdb_value_port(slot->value) == port) &&
	       (fid < 0 || (int)(slot->key >> 48 & 0xfff) == fid) &&
	       (any_kind || !(slot->value & FDB_VALUE_KIND));
}

static unsigned flush(struct fdb *fdb, uint16_t port, int fid, bool any_kind)
{
	uint64_t n_buckets = fdb_n_buckets(&fdb->table);
	unsigned n = 0;

	for (uint64_t at = 0; at < n_buckets * FDB_BUCKET_SLOTS; at++) {
		struct fdb_bucket *b;
		struct fdb_slot slot;

		b = &fdb->table.buckets[at / FDB_BUCKET_SLOTS];
		/* Refreshed meanwhile: it goes all the same. */
		while (fdb_read_slot(b, at % FDB_BUCKET_SLOTS, &slot) &&
		       matches(&slot, port, fid, any_kind))
			if (fdb_remove_slot(fdb, &slot)) {
				n++;
				break;
			}
	}
	count_more(&fdb->flushed, n);
	return n;
}

unsigned fdb_flush(struct fdb *fdb, uint16_t port, int fid)
{
	/* Counted before they are live: so there is none. */
	if (port && !fdb_port_entries(fdb, port))
		return 0;
	return flush(fdb, port, fid, false);
}

unsigned fdb_purge_port(struct fdb *fdb, uint16_t port)
{
	if (!fdb_port_entries(fdb, port) && !fdb_port_controlled(fdb, port) &&
	    !fdb->ports[port].n_static)
		return 0;
	return flush(fdb, port, -1, true);
}
