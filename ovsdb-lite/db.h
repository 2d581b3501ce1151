/*
 * One database in memory: schema, tables, rows; transactions on it (RFC 7047
 * section 4.1.3 and 5.2), and those who want to hear of each change.
 *
 * Everything here belongs to one thread, the database thread (the control
 * thread of a program that has only one). Lower files: schema.h (types, tables,
 * columns), datum.h (values). Higher: journal.h (the file), server.h (the
 * wire), client.h (a client's replica).
 */
#ifndef OVSDB_LITE_DB_H
#define OVSDB_LITE_DB_H

#include <jansson.h>

#include "ovsdb-lite/datum.h"
#include "ovsdb-lite/schema.h"

struct ovsdb_db;
struct ovsdb_table;

/*
 * A committed row is immutable: a transaction makes a new version. `columns`
 * has one datum for each column of the table's schema, in the schema's order;
 * _uuid and _version are the members above it.
 */
struct ovsdb_row {
	struct uuid uuid;
	struct uuid version;
	struct ovsdb_table *table;
	struct ovsdb_datum *columns;
	struct ovsdb_entry *entry; /* the database's own: see table.h */
};

/* One row's change in a commit: old NULL for an insert, new for a delete. */
struct ovsdb_change {
	const struct ovsdb_table *table;
	const struct ovsdb_row *old;
	const struct ovsdb_row *new;
	const unsigned long *changed; /* bit a column index; all set when
					 inserted or deleted */
};

/*
 * Called after a commit is stored and before its reply is returned, so that
 * the update notification leaves before the reply. The changes live until the
 * call returns.
 */
struct ovsdb_listener {
	void (*commit)(struct ovsdb_listener *, struct ovsdb_db *,
		       const struct ovsdb_change *changes, size_t n);
	struct ovsdb_listener *next;
};

/*
 * What makes a commit durable; journal.c is one. Gets the transaction in the
 * ovsdb(5) record format, and whether it must be on disk when the call returns;
 * if not, it must be safe from the process's death, and comes to the disk with
 * the next that must, never after it. Returns 0 or -errno with a message: the
 * commit then fails with "I/O error" and nothing has changed.
 */
struct ovsdb_storage {
	int (*append)(struct ovsdb_storage *, const json_t *record,
		      bool durable, char **errp);
};

/* Who runs a transaction: its locks, for the "assert" operation. */
struct ovsdb_session {
	bool (*has_lock)(const struct ovsdb_session *, const char *lock);
	bool read_only;
};

/* Takes the schema. storage may be NULL: kept in memory only. */
struct ovsdb_db *ovsdb_db_create(struct ovsdb_schema *schema,
				 struct ovsdb_storage *storage);
void ovsdb_db_destroy(struct ovsdb_db *db); /* accepts NULL */
/* From the next commit on; NULL: in memory only. */
void ovsdb_db_set_storage(struct ovsdb_db *db, struct ovsdb_storage *storage);
const struct ovsdb_schema *ovsdb_db_schema(const struct ovsdb_db *db);
void ovsdb_db_add_listener(struct ovsdb_db *db, struct ovsdb_listener *l);
void ovsdb_db_remove_listener(struct ovsdb_db *db, struct ovsdb_listener *l);

struct ovsdb_table *ovsdb_db_table(const struct ovsdb_db *db, const char *name);
const struct ovsdb_table_schema *ovsdb_table_schema(
	const struct ovsdb_table *table);
size_t ovsdb_table_count(const struct ovsdb_table *table);
/* Iterates: NULL starts; NULL ends. The table must not change meanwhile. */
const struct ovsdb_row *ovsdb_table_next(const struct ovsdb_table *table,
					 const struct ovsdb_row *row);
const struct ovsdb_row *ovsdb_table_find(const struct ovsdb_table *table,
					 const struct uuid *uuid);

/*
 * Runs one "transact": params is the RFC's whole array, the database's name
 * first. Returns the reply's result as a new reference and sets *waiting to
 * false; or NULL with *waiting true when a "wait" operation is not fulfilled
 * yet: nothing has changed, and the caller tries again after the next commit,
 * with the time that has passed, until *timeout_ms (UINT32_MAX: none) is over.
 * A params that is no transact at all gives a result of NULL with *waiting
 * false and *error an RFC error object (the JSON-RPC "error" member).
 */
json_t *ovsdb_db_transact(struct ovsdb_db *db,
			  const struct ovsdb_session *session,
			  const json_t *params, uint32_t elapsed_ms,
			  bool *waiting, uint32_t *timeout_ms, json_t **error);

/*
 * Applies one record of a journal (no constraint is relaxed by this but
 * deferred ones: call ovsdb_db_check when all are applied). 0 or -errno.
 */
int ovsdb_db_replay(struct ovsdb_db *db, const json_t *record, char **errp);
int ovsdb_db_check(struct ovsdb_db *db, char **errp);
/* The whole content as one record, for compaction. New reference. */
json_t *ovsdb_db_snapshot(const struct ovsdb_db *db);

#endif
