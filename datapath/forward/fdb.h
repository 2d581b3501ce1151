/*
 * The FDB (filtering database, IEEE 802.1Q clause 8.8): on which port of a
 * bridge a station was last heard, for each filtering id.
 *
 * One table a bridge, shared by all workers. Key and value are a 64-bit word
 * each; four entries fill a cache line, the bucket. A key has a primary bucket
 * and, for the rare case that it is full, seven more, by a hash that is seeded
 * at random. Readers take no lock and write nothing. Writers claim
 * and change entries with compare-and-swap, so no thread ever waits for
 * another: a worker preempted in the middle of a write delays nobody.
 *
 * An entry is written when it is learned, when its station moves, and once an
 * age tick (a second) as long as it is heard.
 *
 * Entries are learned; or static, which a person or the switch itself has put:
 * these neither age nor move; or controlled, which a control plane has put, of
 * stations that it knows to be behind some port: these do not age, and one
 * moves, as a learned one then, when its station is heard elsewhere, unless it
 * is sticky.
 *
 * A full table: the port that holds most gives way, an old entry of it first;
 * when nothing can give way, the station stays unknown and its frames flood.
 * Nothing gives way that belongs to a port that holds fewer than the
 * newcomer's.
 *
 * Changes (learned, moved, aged, flushed) are told to listeners through a ring
 * that the control thread drains; when it overflows, listeners are told to
 * read the whole table anew.
 *
 * How it is done: fdb_inline.h (slots, readers), fdb_table.c (writers),
 * fdb_learn.c (double entries, limits), fdb_controlled.c (what a control plane
 * says), fdb_listen.c (the order of changes).
 */
#ifndef FORWARD_FDB_H
#define FORWARD_FDB_H

#include <stdatomic.h>

#include "base/util.h"

#define FDB_SIZE_DEFAULT 8192
#define FDB_SIZE_MAX	 4194304
#define FDB_AGE_DEFAULT	 300 /* seconds */
#define FDB_PORT_MAX	 65535

struct fastpath;       /* fastpath/fastpath.h */
struct fastpath_table; /* likewise */
struct fdb;

/* MAC in the low 48 bits as load_mac() gives it; fid is 12 bits. Never 0. */
typedef uint64_t fdb_key;
static inline fdb_key fdb_make_key(uint64_t mac, uint16_t fid)
{
	return mac | (uint64_t)fid << 48 | 1ull << 63;
}

struct fdb_config {
	/* Learned ones, 1 to FDB_SIZE_MAX; static ones come on top. */
	uint32_t max_entries;
	uint32_t age_s; /* 0: never */
	uint64_t seed;	/* 0: random; a test gives its own */
	/*
	 * Controlled ones, on top too; so many that both together are no more
	 * than FDB_SIZE_MAX. fdb_resize_controlled() makes room for more.
	 */
	uint32_t max_controlled;
	/*
	 * Where the table is to be, for the kernel to read it, too; NULL, or
	 * when there is no room for it there: in memory of our own.
	 */
	struct fastpath *fastpath;
};

/* What lookups return: the port, or FDB_NONE. */
#define FDB_NONE 0u

struct fdb_entry {
	uint64_t mac;
	uint16_t fid;
	uint16_t port;
	bool is_static, is_controlled; /* neither: learned */
	bool is_sticky;		       /* controlled, and does not move */
	/* Since it was last heard, or put if later; 0 when static. */
	uint32_t age_s;
};

enum fdb_learn_result {
	FDB_REFRESHED, /* known there; its time was brought up to date */
	FDB_LEARNED,
	FDB_MOVED,
	FDB_ELSEWHERE,	/* known on another port, from where it does not move */
	FDB_IS_STATIC,	/* static or sticky, on another port: not moved */
	FDB_PORT_FULL,	/* the port's own limit */
	FDB_TABLE_FULL, /* and nothing could give way, or no room was near */
};

/* Control thread. The table as the kernel knows it; NULL: it does not. */
struct fastpath_table *fdb_fastpath_table(const struct fdb *fdb);
/* Control thread. Never NULL. */
struct fdb *fdb_create(const struct fdb_config *config);
void fdb_destroy(struct fdb *fdb); /* when no snapshot in force has it */
/*
 * A table of another size with the same content, settings, listeners and
 * counters; then publish it and destroy the old one. If it is smaller, entries
 * give way as they do in a full table. What workers learn in the old table
 * meanwhile is learned anew with the next frame; listeners are told
 * FDB_RESYNC. Only the new table may be given a listener from then on.
 *
 * The first changes the room for learned entries, the second that for
 * controlled ones. None of these gives way: there is always room for those that
 * are there. Learned ones that do not fit within FDB_SIZE_MAX beside them lose
 * their room.
 */
struct fdb *fdb_resize(const struct fdb *fdb, uint32_t max_entries);
struct fdb *fdb_resize_controlled(const struct fdb *fdb,
				  uint32_t max_controlled);
/*
 * The same in that memory of the kernel's, NULL: in our own; as fdb_resize().
 */
struct fdb *fdb_move(const struct fdb *fdb, struct fastpath *fastpath);
void fdb_set_age(struct fdb *fdb, uint32_t age_s);
/*
 * Most entries that the port may have learned; 0: no limit of its own. Those
 * that it has beyond a lower limit stay until they age. A port at its limit
 * draws no other port's station to itself either.
 */
void fdb_set_port_limit(struct fdb *fdb, uint16_t port, uint32_t limit);
/*
 * Whether, at its limit, one that it learned long ago gives way to one that is
 * new. (At times a new one has to be heard more than once: looking for an old
 * one is bounded.)
 */
void fdb_set_port_evicts(struct fdb *fdb, uint16_t port, bool evicts);

/*
 * Time in seconds, of any epoch but never back: called by the control thread at
 * least once a second. Ages what is over, a part of the table a call, so that
 * the whole table has passed within a tenth of the age time. An entry goes when
 * it was last heard more than the age time ago.
 */
void fdb_tick(struct fdb *fdb, uint32_t now_s);

struct fdb_bucket;
/*
 * Worker. Brings the key's primary bucket into the cache and says where it is;
 * a burst's keys are all prefetched before the first is looked up.
 */
static inline const struct fdb_bucket *fdb_prefetch(const struct fdb *fdb,
						    fdb_key key);
/*
 * Worker. The port number, or FDB_NONE. The second form takes the bucket that
 * fdb_prefetch() said.
 */
static inline unsigned fdb_lookup(const struct fdb *fdb, fdb_key key);
static inline unsigned fdb_lookup_in(const struct fdb *fdb,
				     const struct fdb_bucket *bucket,
				     fdb_key key);
/*
 * Worker. True when key is known on port and its time is of this tick (or it
 * is static there): then there is nothing to learn. Inline, no write. For a
 * burst, fdb_fresh_on() says once what such an entry is like.
 */
typedef uint64_t fdb_fresh;
static inline fdb_fresh fdb_fresh_on(const struct fdb *fdb, uint16_t port);
static inline bool fdb_is_fresh(const struct fdb *fdb, fdb_key key,
				uint16_t port);
static inline bool fdb_is_fresh_in(const struct fdb *fdb,
				   const struct fdb_bucket *bucket, fdb_key key,
				   fdb_fresh fresh);
/* Worker. Called when it is not fresh. port is not 0. Never waits. */
enum fdb_learn_result fdb_learn(struct fdb *fdb, fdb_key key, uint16_t port);
/* The same, but a key that is known on another port stays there. */
enum fdb_learn_result fdb_learn_unmoved(struct fdb *fdb, fdb_key key,
					uint16_t port);

/*
 * Control thread; workers may learn meanwhile, here and below. Replaces what is
 * known of key. -ENOSPC when static entries have filled their part of the
 * table, which is a quarter of its slots, at least 256.
 */
int fdb_add_static(struct fdb *fdb, fdb_key key, uint16_t port);
/* Removes it, whatever it is. -ENOENT when it is not there. */
int fdb_delete(struct fdb *fdb, fdb_key key);
/*
 * A control plane says that key is on port. Replaces what is known of key: a
 * learned entry, or a controlled one of another port. -EEXIST: a static entry,
 * which stays. -ENOSPC: max_controlled are there (ask for more by
 * fdb_resize_controlled()), or no room is near.
 */
int fdb_add_controlled(struct fdb *fdb, fdb_key key, uint16_t port,
		       bool sticky);
/*
 * And does not say so any more. -ENOENT: it was not there, or has been moved or
 * replaced: what is there now stays.
 */
int fdb_delete_controlled(struct fdb *fdb, fdb_key key, uint16_t port);
/* Learned entries of one port (or 0: any) and one fid (or -1: any). */
unsigned fdb_flush(struct fdb *fdb, uint16_t port, int fid);
/*
 * The same, static and controlled ones too: a port that is gone; after the
 * grace period of the snapshot that had it, or a worker may learn on it again.
 */
unsigned fdb_purge_port(struct fdb *fdb, uint16_t port);
/* Any thread. What is known of one station; false: nothing. */
bool fdb_get(const struct fdb *fdb, fdb_key key, struct fdb_entry *entry);
/* Any thread. As fdb_set_port_limit() has set it; 0: none. */
uint32_t fdb_port_limit(const struct fdb *fdb, uint16_t port);
/* Calls back for each entry, in no order, until it returns false. */
void fdb_for_each(const struct fdb *fdb,
		  bool (*cb)(const struct fdb_entry *, void *aux), void *aux);

/*
 * Worker. The station has announced itself at a port where that is to be
 * believed; for some seconds, announcements of it elsewhere are not. Notes are
 * few, may be lost, and do not survive fdb_resize().
 */
#define FDB_ANNOUNCED_S 5
void fdb_note_announced(struct fdb *fdb, fdb_key key);
bool fdb_is_announced(const struct fdb *fdb, fdb_key key);

struct fdb_stats {
	/* entries: learned ones that are there now. */
	uint32_t entries, static_entries, max_entries;
	uint32_t controlled_entries, max_controlled;
	/* Since the start. refused: both kinds of full. */
	uint64_t learned, moved, aged, evicted, refused, flushed;
};
/* Control thread. */
void fdb_get_stats(const struct fdb *fdb, struct fdb_stats *stats);
/* Any thread. Learned ones. */
uint32_t fdb_port_entries(const struct fdb *fdb, uint16_t port);
/* Any thread. It has learned as many as its own limit allows. */
bool fdb_port_is_full(const struct fdb *fdb, uint16_t port);
uint32_t fdb_port_controlled(const struct fdb *fdb, uint16_t port);

enum fdb_change { FDB_ADDED, FDB_CHANGED_PORT, FDB_REMOVED, FDB_RESYNC };

struct fdb_listener {
	/*
	 * port is the new one (0: removed), old_port that before (0: none).
	 * Changes that others have overtaken are left out, so what is told
	 * last is so, but old_port need not be what was told before, and the
	 * same may be told twice. FDB_RESYNC has no address: read the table
	 * with fdb_for_each(). It comes first of all to a new listener.
	 */
	void (*change)(struct fdb_listener *, enum fdb_change, uint64_t mac,
		       uint16_t fid, uint16_t port, uint16_t old_port);
	struct fdb_listener *next;
};
/* Control thread. Changes are told by fdb_drain_changes(). */
void fdb_add_listener(struct fdb *fdb, struct fdb_listener *listener);
void fdb_remove_listener(struct fdb *fdb, struct fdb_listener *listener);
void fdb_drain_changes(struct fdb *fdb);

#include "forward/fdb_inline.h"

#endif
