/*
 * Telling listeners what changed in the FDB.
 *
 * Whoever changes the table pushes a record into a ring, after the change, and
 * the control thread empties it. Records of one key, pushed by two workers, may
 * stand in the other order than the changes. So each is held against the table
 * before it is told, and left out when the table says otherwise: then another
 * change came later, whose own record is still to come or has been told
 * already. The record of the last change agrees with the table, so what is
 * told last is right.
 *
 * A record that finds the ring full sets `resync`, after its change too, and
 * the next drain drops what is queued and has the listeners read the table.
 *
 * A worker changes the table and then looks whether there are listeners; a
 * listener is first announced and then reads the table: both sequentially
 * consistent, so one of the two sees the other.
 */
#include "forward/fdb_table.h"

#define RING_RECORDS 8192u

struct record {
	fdb_key key;
	uint16_t port, old_port;
};

void fdb_tell_change(struct fdb *fdb, fdb_key key, uint16_t port,
		     uint16_t old_port)
{
	struct record record = { key, port, old_port };

	if (!atomic_load_explicit(&fdb->has_listeners, memory_order_seq_cst))
		return;
	if (!mpsc_ring_push(fdb->changes, &record))
		atomic_store_explicit(&fdb->resync, true, memory_order_release);
}

static void announce(struct fdb *fdb, bool has_listeners)
{
	if (has_listeners && !fdb->changes)
		fdb->changes =
			mpsc_ring_create(RING_RECORDS, sizeof(struct record));
	atomic_store_explicit(&fdb->has_listeners, has_listeners,
			      memory_order_seq_cst);
	if (has_listeners)
		atomic_store_explicit(&fdb->resync, true, memory_order_release);
}

void fdb_add_listener(struct fdb *fdb, struct fdb_listener *listener)
{
	listener->next = fdb->listeners;
	fdb->listeners = listener;
	announce(fdb, true);
}

void fdb_remove_listener(struct fdb *fdb, struct fdb_listener *listener)
{
	struct fdb_listener **p = &fdb->listeners;

	while (*p && *p != listener)
		p = &(*p)->next;
	if (*p)
		*p = listener->next;
	if (!fdb->listeners)
		announce(fdb, false);
}

void fdb_share_listeners(struct fdb *to, const struct fdb *from)
{
	to->listeners = from->listeners;
	if (to->listeners)
		announce(to, true);
}

static void tell(struct fdb *fdb, enum fdb_change change,
		 const struct record *record)
{
	struct fdb_listener *l, *next;

	for (l = fdb->listeners; l; l = next) {
		next = l->next; /* it may remove itself */
		l->change(l, change, record->key & 0xffffffffffffull,
			  record->key >> 48 & 0xfff, record->port,
			  record->old_port);
	}
}

static void tell_record(struct fdb *fdb, const struct record *record)
{
	uint64_t value = fdb_find_value(&fdb->table, record->key);

	if (fdb_value_port(value) != record->port)
		return;
	tell(fdb,
	     !record->port	 ? FDB_REMOVED
	     : !record->old_port ? FDB_ADDED
				 : FDB_CHANGED_PORT,
	     record);
}

void fdb_drain_changes(struct fdb *fdb)
{
	bool resync = atomic_exchange_explicit(&fdb->resync, false,
					       memory_order_acq_rel);
	struct record record;

	/* At most a ring full: workers may go on changing things. */
	for (uint32_t n = 0; fdb->changes && n < RING_RECORDS &&
			     mpsc_ring_pop(fdb->changes, &record);
	     n++)
		if (!resync)
			tell_record(fdb, &record);
	if (resync)
		tell(fdb, FDB_RESYNC, &(struct record){ 0 });
}
