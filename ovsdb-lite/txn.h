/*
 * A transaction: changes to the current view that are all kept or all undone.
 * One at a time on a database.
 */
#ifndef OVSDB_LITE_TXN_H
#define OVSDB_LITE_TXN_H

#include "ovsdb-lite/table.h"

struct txn {
	struct ovsdb_db *db;
	struct ovsdb_entry **entries; /* all that have in_txn */
	size_t n, allocated;
	struct ovsdb_entry **orphans; /* perhaps without a reference now */
	size_t n_orphans, allocated_orphans;
	size_t n_deleted; /* rows, so far */
	/*
	 * Its record need not be on disk before the reply: only for who says
	 * so, by "commit" with "durable": false.
	 */
	bool relaxed;
	char *comment; /* lines of "comment" operations, or NULL */
	size_t comment_len, comment_size;
};

void txn_begin(struct txn *txn, struct ovsdb_db *db);
/*
 * Exactly one of these ends it. Commit checks, writes and tells the listeners;
 * a failed one has undone everything and returns the RFC error.
 */
json_t *txn_commit(struct txn *txn) MUST_CHECK;
void txn_abort(struct txn *txn);

/* Makes the entry part of the transaction, not modified yet. */
void txn_touch(struct txn *txn, struct ovsdb_entry *entry);
/*
 * The entry's row to be written; call entry_reindex() after writing. The entry
 * must have a row.
 */
struct ovsdb_row *txn_modify(struct txn *txn, struct ovsdb_entry *entry);
/* A new row of defaults, not indexed yet. No entry may have this UUID. */
struct ovsdb_row *txn_insert(struct txn *txn, struct ovsdb_table *table,
			     const struct uuid *uuid);
void txn_delete(struct txn *txn, struct ovsdb_entry *entry);
void txn_add_comment(struct txn *txn, const char *text);

/*
 * The end of a commit but for the file and the listeners: for a database that
 * was read from its file.
 */
json_t *txn_commit_loaded(struct txn *txn) MUST_CHECK;

/* --- integrity.c ------------------------------------------------------- */

/* Finds what really changed: sets each entry's `changed`. False: nothing. */
bool txn_find_changes(struct txn *txn);
/* References, garbage collection, maxRows, indexes. An RFC error or NULL. */
json_t *txn_check(struct txn *txn) MUST_CHECK;
/* Counts the weak references of what was committed; cannot fail. */
void txn_link_weak_refs(struct txn *txn);

/* --- record.c ---------------------------------------------------------- */

/* The journal's record: NULL when no column of the file changed. */
json_t *txn_to_record(const struct txn *txn);

#endif
