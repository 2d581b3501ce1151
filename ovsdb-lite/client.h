/*
 * The client library: a connection to any OVSDB server, a replica of the
 * columns that its user asked for, and transactions. It connects again by
 * itself (with back-off) and then brings the replica up to date; it uses
 * monitor_cond_since, monitor_cond or monitor, whichever the server has.
 *
 * vswd's reconciler is a user of this. A client belongs to the thread that
 * runs its event_base.
 */
#ifndef OVSDB_LITE_CLIENT_H
#define OVSDB_LITE_CLIENT_H

#include <event2/event.h>
#include <jansson.h>

#include "ovsdb-lite/datum.h"
#include "ovsdb-lite/schema.h"

struct ovsdb_client;

/* A row of the replica. Columns that were not asked for are NULL. */
struct ovsdb_client_row {
	struct uuid uuid;
	const struct ovsdb_table_schema *table;
	struct ovsdb_datum **columns; /* by column index of the schema */
	/* Another one with every update of the row; unique in the replica. */
	uint64_t version;
};

struct ovsdb_client_ops {
	/*
	 * The replica has changed: after the first dump, after every update,
	 * and after a reconnection that changed anything. Everything in one
	 * server transaction arrives in one call.
	 */
	void (*changed)(struct ovsdb_client *, void *aux);
	/* Up, or down and why; the replica keeps its last content while down.
	 */
	void (*connection)(struct ovsdb_client *, bool up, const char *why,
			   void *aux);
	/* The lock asked for was gained or lost. */
	void (*lock)(struct ovsdb_client *, bool held, void *aux);
};

struct ovsdb_client *ovsdb_client_create(struct event_base *base,
					 const char *remote,
					 const char *database,
					 const struct ovsdb_client_ops *ops,
					 void *aux);
void ovsdb_client_destroy(struct ovsdb_client *client);

/*
 * What to replicate, before the first event loop turn: a NULL-terminated list
 * of column names. A table or column that the server's schema lacks is left
 * out, with a log message.
 */
void ovsdb_client_monitor(struct ovsdb_client *client, const char *table,
			  const char *const columns[]);
/* Keeps asking for the lock (RFC 7047 section 4.1.8). */
void ovsdb_client_set_lock(struct ovsdb_client *client, const char *lock);

/* NULL until the first connection. */
const struct ovsdb_schema *ovsdb_client_schema(const struct ovsdb_client *);

/* Iterates over a table of the replica: NULL starts, NULL ends. */
const struct ovsdb_client_row *ovsdb_client_next(
	const struct ovsdb_client *client, const char *table,
	const struct ovsdb_client_row *row);
const struct ovsdb_client_row *ovsdb_client_find(
	const struct ovsdb_client *client, const char *table,
	const struct uuid *uuid);
/* NULL when the column is not replicated. */
const struct ovsdb_datum *ovsdb_client_column(
	const struct ovsdb_client_row *row, const char *column);

/*
 * Sends a transaction: operations is the array of operations without the
 * database's name; the reference is taken over. done (may be NULL) gets the
 * result array, or a NULL result with an error text when it could not be
 * carried out: any operation failed, or the connection was lost. Updates that
 * the transaction caused have reached the replica by then. Returns 0, or
 * -ENOTCONN at once without a call of done.
 */
typedef void ovsdb_client_done(struct ovsdb_client *, json_t *result,
			       const char *error, void *aux);
int ovsdb_client_transact(struct ovsdb_client *client, json_t *operations,
			  ovsdb_client_done *done, void *aux);

#endif
