/*
 * The rows that a port's node of the configuration tree is made of: its own,
 * its interfaces', and those of other tables that it depends on. Copies of
 * them tell whether one has changed. A part of db_view.c; control thread.
 */
#ifndef VSWD_DB_PORT_H
#define VSWD_DB_PORT_H

#include "ovsdb-lite/client.h"
#include "vswd/columns.h"

struct db_groups; /* db_groups.h */

/*
 * All of a port's rows in one array, in the order of the members below. Rows
 * that are referred to and not there are left out, but for queues.
 */
struct db_port_rows {
	const struct ovsdb_client_row **rows;
	size_t n, room;

	const struct ovsdb_client_row *port;
	const struct ovsdb_client_row *const *interfaces; /* by name */
	size_t n_interfaces;
	const struct ovsdb_client_row *const *macs; /* of its only interface */
	size_t n_macs;
	/* other_config:port-group; NULL: none, or there is none of that name.
	 */
	const struct ovsdb_client_row *group;
	/* Of the port, or else of its group; NULL: none. */
	const struct ovsdb_client_row *qos;
	/*
	 * As many as QoS:queues has, in the order of its keys; NULL for one
	 * that is not there.
	 */
	const struct ovsdb_client_row *const *queues;
	size_t n_queues;
};

/*
 * Finds the rows of a port. `rows` is zero before the first call and keeps its
 * memory for the next; what it points to is valid until the replica changes.
 */
void db_port_rows_find(struct db_port_rows *rows,
		       const struct db_columns *columns,
		       const struct ovsdb_client *client,
		       struct db_groups *groups,
		       const struct ovsdb_client_row *port);
void db_port_rows_fini(struct db_port_rows *rows);

struct db_port_copies; /* of all of these rows */

struct db_port_copies *db_port_copies(const struct db_columns *columns,
				      const struct db_port_rows *rows);
void db_port_copies_free(struct db_port_copies *copies); /* accepts NULL */
/* Of these very rows, as they are now? */
bool db_port_copies_are_current(const struct db_port_copies *copies,
				const struct db_columns *columns,
				const struct db_port_rows *rows);

#endif
