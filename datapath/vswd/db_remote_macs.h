/*
 * Rows of table Remote_MAC of one VXLAN port: finding them, and copies that
 * tell whether one has changed. A part of db_view.c.
 */
#ifndef VSWD_DB_REMOTE_MACS_H
#define VSWD_DB_REMOTE_MACS_H

#include "ovsdb-lite/client.h"
#include "vswd/columns.h"

/* The rows that the interface refers to and that are there; *n of them, the
 * array is the caller's. NULL: none. */
const struct ovsdb_client_row **db_remote_macs_find(
	const struct db_columns *columns, const struct ovsdb_client *client,
	const struct ovsdb_client_row *interface, size_t *n);

struct db_remote_macs; /* copies */

/* NULL: of none. */
struct db_remote_macs *db_remote_macs_copy(
	const struct db_columns *columns,
	const struct ovsdb_client_row *const rows[], size_t n);
void db_remote_macs_free(struct db_remote_macs *copies); /* accepts NULL */
/* Of these very rows, as they are now? */
bool db_remote_macs_are_current(const struct db_remote_macs *copies,
				const struct db_columns *columns,
				const struct ovsdb_client_row *const rows[],
				size_t n);

#endif
