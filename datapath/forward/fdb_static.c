/*
 * Static entries and what a person removes. The control thread alone makes and
 * removes static entries; workers, which learn meanwhile, leave them alone.
 */
#include "forward/fdb_table.h"

#include <errno.h>

/*
 * A worker may just have entered the key elsewhere, and a copy that it is
 * about to remove may even be what was made static here. All others go.
 */
void fdb_remove_others(struct fdb *fdb, const struct fdb_slot *keep)
{
	struct fdb_search search;
	struct fdb_slot slot;

	fdb_search_start(&fdb->table, &search, keep->key);
	while (fdb_search_next(&fdb->table, &search, &slot))
		while (slot.bucket != keep->bucket || slot.i != keep->i) {
			if (fdb_remove_slot(fdb, &slot) ||
			    !fdb_read_slot(slot.bucket, slot.i, &slot) ||
			    slot.key != keep->key)
				break;
		}
}

static bool make_static(struct fdb *fdb, struct fdb_slot *slot, uint16_t port)
{
	uint64_t old = slot->value;

	if (!fdb_update_slot(slot, FDB_VALUE_STATIC | port))
		return false;
	fdb_account_removed(fdb, old);
	if (fdb_value_port(old) != port)
		fdb_tell_change(fdb, slot->key, port, fdb_value_port(old));
	return true;
}

static int insert_static(struct fdb *fdb, fdb_key key, uint16_t port,
			 struct fdb_slot *slot)
{
	uint64_t n_slots = fdb_n_buckets(&fdb->table) * FDB_BUCKET_SLOTS;

	/* Room of their own, so that the table is never more than 3/4 full. */
	if (fdb->n_static >= n_slots / 4)
		return -ENOSPC;
	if (!fdb_claim_free(&fdb->table, key, slot) &&
	    !fdb_claim_from(fdb, key, 0, slot))
		return -ENOSPC;
	fdb_publish_slot(&fdb->table, slot, FDB_VALUE_STATIC | port);
	fdb_tell_change(fdb, key, port, 0);
	return 0;
}

int fdb_add_static(struct fdb *fdb, fdb_key key, uint16_t port)
{
	struct fdb_slot slot;

	for (;;) {
		int error;

		if (fdb_find_slot(&fdb->table, key, &slot)) {
			if (!make_static(fdb, &slot, port))
				continue; /* written meanwhile: look again */
			break;
		}
		error = insert_static(fdb, key, port, &slot);
		if (error)
			return error;
		break;
	}
	fdb->n_static++;
	fdb->ports[port].n_static++;
	fdb_remove_others(fdb, &slot);
	return 0;
}

int fdb_delete(struct fdb *fdb, fdb_key key)
{
	struct fdb_slot slot;
	bool found = false;

	while (fdb_find_slot(&fdb->table, key, &slot))
		found |= fdb_remove_slot(fdb, &slot);
	return found ? 0 : -ENOENT;
}
