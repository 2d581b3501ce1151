/*
 * Controlled entries: stations that a control plane knows to be behind a port.
 * The control thread alone makes and removes them; but a worker that hears such
 * a station elsewhere makes a learned entry of it (fdb_learn.c), unless it is
 * sticky, so their counts are changed by all.
 *
 * While their stations are heard they are written once a tick like learned
 * ones, for the sake of the readers' fast way alone (fdb_is_fresh_in()).
 */
#include "forward/fdb_table.h"

#include <errno.h>

#define relaxed memory_order_relaxed

static void take_room(struct fdb *fdb, uint16_t port)
{
	atomic_fetch_add_explicit(&fdb->controlled, 1, relaxed);
	atomic_fetch_add_explicit(&fdb->ports[port].controlled, 1, relaxed);
}

/* Nobody else takes room, so what is seen here stays. */
static bool has_room(const struct fdb *fdb)
{
	return atomic_load_explicit(&fdb->controlled, relaxed) <
	       fdb->max_controlled;
}

/* The entry that is to be replaced; 1: none, or -EEXIST: one is static. */
static int find_replaceable(const struct fdb *fdb, fdb_key key,
			    struct fdb_slot *first)
{
	struct fdb_search search;
	struct fdb_slot slot;
	int result = 1;

	fdb_search_start(&fdb->table, &search, key);
	while (fdb_search_next(&fdb->table, &search, &slot)) {
		if (fdb_value_is_static(slot.value))
			return -EEXIST;
		if (result)
			*first = slot;
		result = 0;
	}
	return result;
}

/* -EAGAIN: the entry has changed since it was read. */
static int replace(struct fdb *fdb, struct fdb_slot *slot, uint64_t fields)
{
	uint16_t port = fdb_value_port(fields);
	uint64_t old = slot->value;

	if (!(old & FDB_VALUE_CONTROLLED) && !has_room(fdb))
		return -ENOSPC;
	take_room(fdb, port);
	if (!fdb_update_slot(slot, fields)) {
		fdb_account_removed(fdb, fields);
		return -EAGAIN;
	}
	fdb_account_removed(fdb, old);
	if (fdb_value_port(old) != port)
		fdb_tell_change(fdb, slot->key, port, fdb_value_port(old));
	return 0;
}

static int insert(struct fdb *fdb, fdb_key key, uint64_t fields,
		  struct fdb_slot *slot)
{
	uint16_t port = fdb_value_port(fields);

	if (!has_room(fdb))
		return -ENOSPC;
	if (!fdb_claim_free(&fdb->table, key, slot) &&
	    !fdb_claim_from(fdb, key, 0, slot))
		return -ENOSPC;
	take_room(fdb, port);
	fdb_publish_slot(&fdb->table, slot, fields);
	fdb_tell_change(fdb, key, port, 0);
	return 0;
}

int fdb_put_controlled(struct fdb *fdb, fdb_key key, uint16_t port, bool sticky,
		       uint32_t tick)
{
	uint64_t fields = (uint64_t)tick << FDB_TICK_SHIFT | port |
			  FDB_VALUE_CONTROLLED |
			  (sticky ? FDB_VALUE_STATIC : 0);
	struct fdb_slot slot;
	int error;

	do {
		error = find_replaceable(fdb, key, &slot);
		if (error < 0)
			return error;
		error = error ? insert(fdb, key, fields, &slot)
			      : replace(fdb, &slot, fields);
	} while (error == -EAGAIN);
	if (!error)
		fdb_remove_others(fdb, &slot);
	return error;
}

int fdb_add_controlled(struct fdb *fdb, fdb_key key, uint16_t port, bool sticky)
{
	return fdb_put_controlled(fdb, key, port, sticky, fdb_now(fdb));
}

int fdb_delete_controlled(struct fdb *fdb, fdb_key key, uint16_t port)
{
	struct fdb_search search;
	struct fdb_slot slot;
	int result = -ENOENT;

	fdb_search_start(&fdb->table, &search, key);
	while (fdb_search_next(&fdb->table, &search, &slot))
		while (slot.key == key && slot.value & FDB_VALUE_CONTROLLED &&
		       fdb_value_port(slot.value) == port) {
			if (fdb_remove_slot(fdb, &slot)) {
				result = 0;
				break;
			}
			/* Refreshed, moved, or gone meanwhile. */
			if (!fdb_read_slot(slot.bucket, slot.i, &slot))
				break;
		}
	return result;
}
