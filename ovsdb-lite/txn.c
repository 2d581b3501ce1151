/* Transactions: beginning, changing, committing, undoing. */
#include "ovsdb-lite/txn.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

LOG_MODULE(ovsdb);

void txn_begin(struct txn *txn, struct ovsdb_db *db)
{
	*txn = (struct txn){ .db = db };
}

void txn_touch(struct txn *txn, struct ovsdb_entry *entry)
{
	if (entry->in_txn)
		return;
	if (txn->n == txn->allocated) {
		txn->allocated = txn->allocated * 2 + 16;
		txn->entries = (struct ovsdb_entry **)xrealloc(
			txn->entries,
			txn->allocated * sizeof(struct ovsdb_entry *));
	}
	txn->entries[txn->n++] = entry;
	entry->in_txn = true;
	entry->weak_done = false;
	entry->old = entry->row;
	entry->old_refs = entry->n_refs;
}

struct ovsdb_row *txn_modify(struct txn *txn, struct ovsdb_entry *entry)
{
	txn_touch(txn, entry);
	if (entry->row == entry->old)
		entry->row = row_create(entry, entry->old->columns);
	return entry->row;
}

struct ovsdb_row *txn_insert(struct txn *txn, struct ovsdb_table *table,
			     const struct uuid *uuid)
{
	struct ovsdb_entry *entry = table_add_entry(table, uuid);

	txn_touch(txn, entry);
	entry->row = row_create(entry, table->defaults);
	table->n_rows++;
	return entry->row;
}

void txn_delete(struct txn *txn, struct ovsdb_entry *entry)
{
	txn_touch(txn, entry);
	if (entry->row != entry->old)
		row_destroy(entry->row);
	entry->row = NULL;
	entry->table->n_rows--;
	txn->n_deleted++;
	entry_reindex(entry);
}

void txn_add_comment(struct txn *txn, const char *text)
{
	size_t len = strlen(text), need = txn->comment_len + len + 2;

	if (need > txn->comment_size) {
		txn->comment_size = need * 2;
		txn->comment = xrealloc(txn->comment, txn->comment_size);
	}
	if (txn->comment_len)
		txn->comment[txn->comment_len++] = '\n';
	memcpy(txn->comment + txn->comment_len, text, len + 1);
	txn->comment_len += len;
}

/* --- ends -------------------------------------------------------------- */

static void forget(struct txn *txn)
{
	free((void *)txn->entries);
	free((void *)txn->orphans);
	free(txn->comment);
}

static void leave(struct ovsdb_entry *entry)
{
	free(entry->changed);
	entry->changed = NULL;
	entry->old = NULL;
	entry->in_txn = false;
}

static void undo(struct ovsdb_entry *entry)
{
	struct ovsdb_row *old = entry->old;

	if (entry->row != old) {
		entry->table->n_rows += (old != NULL);
		entry->table->n_rows -= (entry->row != NULL);
		row_destroy(entry->row);
		entry->row = old;
		entry_reindex(entry);
	}
	entry->n_refs = entry->old_refs;
	leave(entry);
	if (!old)
		table_drop_entry(entry);
}

void txn_abort(struct txn *txn)
{
	for (size_t i = 0; i < txn->n; i++)
		undo(txn->entries[i]);
	forget(txn);
}

static void keep(struct ovsdb_entry *entry)
{
	if (entry->row != entry->old)
		row_destroy(entry->old);
	leave(entry);
	if (!entry->row)
		table_drop_entry(entry);
}

static void finish(struct txn *txn)
{
	txn_link_weak_refs(txn);
	for (size_t i = 0; i < txn->n; i++)
		keep(txn->entries[i]);
	forget(txn);
}

static void notify(struct txn *txn)
{
	struct ovsdb_change *changes = xcalloc(txn->n, sizeof(*changes));
	struct ovsdb_listener *l, *next;
	size_t n = 0;

	for (size_t i = 0; i < txn->n; i++) {
		const struct ovsdb_entry *entry = txn->entries[i];

		if (entry->changed)
			changes[n++] = (struct ovsdb_change){
				.table = entry->table,
				.old = entry->old,
				.new = entry->row,
				.changed = entry->changed,
			};
	}
	for (l = txn->db->listeners; l; l = next) {
		next = l->next;
		l->commit(l, txn->db, changes, n);
	}
	free(changes);
}

static json_t *write_out(struct txn *txn)
{
	struct ovsdb_storage *storage = txn->db->storage;
	json_t *record, *error;
	char *why = NULL;
	int err;

	if (!storage)
		return NULL;
	record = txn_to_record(txn);
	if (!record)
		return NULL;
	err = storage->append(storage, record, !txn->relaxed, &why);
	json_decref(record);
	if (!err)
		return NULL;
	log_err_limited("a transaction could not be written: %s",
			why ? why : strerror(-err));
	error = ovsdb_error("I/O error", "%s", why ? why : strerror(-err));
	free(why);
	return error;
}

json_t *txn_commit(struct txn *txn)
{
	json_t *error;

	if (!txn_find_changes(txn)) {
		txn_abort(txn);
		return NULL;
	}
	error = txn_check(txn);
	if (!error && txn_find_changes(txn))
		error = write_out(txn);
	if (error) {
		txn_abort(txn);
		return error;
	}
	notify(txn);
	finish(txn);
	return NULL;
}

json_t *txn_commit_loaded(struct txn *txn)
{
	json_t *error;

	txn_find_changes(txn);
	error = txn_check(txn);
	if (error) {
		txn_abort(txn);
		return error;
	}
	finish(txn);
	return NULL;
}
