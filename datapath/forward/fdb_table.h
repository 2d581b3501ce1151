/*
 * Inside of the FDB: slots, counts and changes, for fdb*.c alone. The theory
 * of slots and versions is in fdb_inline.h, that of writers in fdb_table.c.
 */
#ifndef FORWARD_FDB_TABLE_H
#define FORWARD_FDB_TABLE_H

#include "base/mpsc_ring.h"
#include "forward/fdb.h"

#define FDB_ANNOUNCED_SLOTS 2048
#define FDB_ANNOUNCED_WAYS  8

struct fdb_port {
	_Atomic(uint32_t) learned; /* entries, and those about to be */
	_Atomic(uint32_t) limit;   /* 0: none */
	uint32_t n_static;	   /* control thread */
	_Atomic(uint32_t) controlled;
	_Atomic(uint32_t) cursor; /* fdb_port.c; bucket to look at next */
	_Atomic(bool) evicts;
};

struct fdb {
	struct fdb_table table; /* first: the inline functions rely on it */

	/* Control thread writes, rarely. */
	uint32_t max_entries;
	uint32_t max_controlled;
	uint32_t age_s;
	uint64_t configured_seed;
	size_t table_bytes;
	struct fastpath *fastpath;	  /* where it was to be, or NULL */
	struct fastpath_table *in_kernel; /* whose memory it is, or NULL */
	struct fdb_port *ports;		  /* by port number */
	uint32_t n_static;
	bool time_is_set;
	uint32_t epoch_s;    /* what fdb_tick() called tick 0 */
	uint64_t age_bucket; /* where the next walk goes on */
	struct fdb_listener *listeners;
	struct mpsc_ring *changes;   /* from the first listener on */
	_Atomic(bool) has_listeners; /* set after `changes` */

	/* Workers write, as they learn; one line for all of it. */
	CACHE_ALIGNED _Atomic(uint32_t) entries;
	_Atomic(uint32_t) controlled;
	_Atomic(uint32_t) sample_cursor;
	_Atomic(uint64_t) learned, moved, evicted, refused;
	_Atomic(bool) resync;
	/* Control thread writes. */
	CACHE_ALIGNED _Atomic(uint64_t) aged, flushed;
	/* fdb_announced.c */
	_Atomic(uint64_t) announced[FDB_ANNOUNCED_SLOTS];
};

/* A live entry as it was read: key and value belong together. */
struct fdb_slot {
	struct fdb_bucket *bucket;
	unsigned i;
	fdb_key key;
	uint64_t value;
};

static inline uint16_t fdb_value_port(uint64_t value)
{
	return value & FDB_VALUE_PORT;
}

static inline bool fdb_value_is_static(uint64_t value)
{
	return (value & FDB_VALUE_KIND) == FDB_VALUE_STATIC;
}

static inline uint32_t fdb_value_tick(uint64_t value)
{
	return value >> FDB_TICK_SHIFT;
}

static inline uint32_t fdb_now(const struct fdb *fdb)
{
	return fdb_value_tick(
		atomic_load_explicit(&fdb->table.fresh, memory_order_relaxed));
}

static inline uint64_t fdb_n_buckets(const struct fdb_table *t)
{
	return t->offset_mask / sizeof(struct fdb_bucket) + 1;
}

/* The nth bucket of the hash; 0 is the primary one. All are different. */
static inline struct fdb_bucket *fdb_probe(const struct fdb_table *t,
					   uint64_t hash, unsigned n)
{
	uint64_t step = (hash >> 20 | 1) * sizeof(struct fdb_bucket);

	return fdb_primary(t, hash + n * step);
}

/* fdb.c: control thread. Workers' time, and the kernel's. */
void fdb_set_fresh(struct fdb *fdb, uint64_t fresh);

/* fdb_table.c: any thread. */

/* Reads slot i of the bucket; false when it is not live. */
bool fdb_read_slot(struct fdb_bucket *bucket, unsigned i,
		   struct fdb_slot *slot);
/* Each live entry of the key: more than one for moments only (fdb_learn.c). */
struct fdb_search {
	fdb_key key;
	uint64_t hash;
	unsigned probe, i; /* where to go on */
};
void fdb_search_start(const struct fdb_table *t, struct fdb_search *search,
		      fdb_key key);
bool fdb_search_next(const struct fdb_table *t, struct fdb_search *search,
		     struct fdb_slot *slot);
/* The first of them. */
bool fdb_find_slot(const struct fdb_table *t, fdb_key key,
		   struct fdb_slot *slot);
/*
 * Replaces the kind, port and tick of a live slot, unless it has changed
 * since it was read.
 */
bool fdb_update_slot(struct fdb_slot *slot, uint64_t fields);
/*
 * Frees a slot, unless it has changed since it was read. The caller accounts
 * for it.
 */
bool fdb_free_slot(const struct fdb_table *t, struct fdb_slot *slot);
/* Claims a free slot for key; false when its buckets are full. */
bool fdb_claim_free(const struct fdb_table *t, fdb_key key,
		    struct fdb_slot *slot);
/* Claims the very slot that a live entry has; the rest as fdb_free_slot(). */
bool fdb_claim_live(const struct fdb_table *t, struct fdb_slot *slot,
		    fdb_key key);
/* Brings a claimed slot to life. */
void fdb_publish_slot(const struct fdb_table *t, struct fdb_slot *slot,
		      uint64_t fields);

/* fdb_learn.c */

/* An entry learned at that tick, as fdb_learn() does when key is unknown. */
enum fdb_learn_result fdb_insert(struct fdb *fdb, fdb_key key, uint16_t port,
				 uint32_t tick);
/*
 * Claims a slot for key from a learned entry that gives way to one of port,
 * for which room has been taken; port 0: to any. False when none does.
 */
bool fdb_claim_from(struct fdb *fdb, fdb_key key, uint16_t port,
		    struct fdb_slot *slot);
/* Removes learned entries of key until it has one; after one was published. */
void fdb_settle(struct fdb *fdb, fdb_key key);
/*
 * What the counts must know of an entry, of that value, that is no more. Static
 * ones: control thread.
 */
void fdb_account_removed(struct fdb *fdb, uint64_t value);
/*
 * Frees an entry, accounts for it and tells; false when it has changed since
 * it was read. Static ones: control thread.
 */
bool fdb_remove_slot(struct fdb *fdb, struct fdb_slot *slot);

/*
 * fdb_port.c: a learned entry of the port gives way to one that is new there.
 * False: none was found where was looked; another time it is looked elsewhere.
 */
bool fdb_evict_own(struct fdb *fdb, uint16_t port);

/* fdb_static.c: control thread. */

/*
 * All entries of keep's key but the one in that slot, which was just made
 * static or controlled: a worker may have entered the key elsewhere.
 */
void fdb_remove_others(struct fdb *fdb, const struct fdb_slot *keep);

/* fdb_controlled.c: control thread. As fdb_add_controlled() with a time. */
int fdb_put_controlled(struct fdb *fdb, fdb_key key, uint16_t port, bool sticky,
		       uint32_t tick);

/* fdb_listen.c: any thread. After the change was made. Port 0: none. */
void fdb_tell_change(struct fdb *fdb, fdb_key key, uint16_t port,
		     uint16_t old_port);
/* Control thread. The listeners of one table become the other's too. */
void fdb_share_listeners(struct fdb *to, const struct fdb *from);

#endif
