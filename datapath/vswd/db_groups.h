/*
 * Port groups: rows of table Port_Group by their names, and what a port's rows
 * say with its group's defaults filled in, so that whoever reads them need not
 * know of groups. Control thread.
 */
#ifndef VSWD_DB_GROUPS_H
#define VSWD_DB_GROUPS_H

#include "ovsdb-lite/client.h"
#include "vswd/columns.h"

struct db_groups; /* an index of names */

struct db_groups *db_groups_create(void);
void db_groups_destroy(struct db_groups *groups); /* accepts NULL */
/* The replica may have changed: names are looked up anew. */
void db_groups_forget(struct db_groups *groups);
/* NULL: there is none of that name. */
const struct ovsdb_client_row *db_groups_find(struct db_groups *groups,
					      const struct db_columns *columns,
					      const struct ovsdb_client *client,
					      const char *name);

/*
 * A row as it would be if it said itself what its group says and it does not:
 * an empty column is the group's, of other_config each key that is not there,
 * of policing rates and bursts those that are 0 or not there, and `protected`
 * is true when either is. Keys of access lists, storm limits, shaping, marks
 * and teaming that are empty or "none" are not there, so that a port can do
 * without what its group has. Valid until the replica changes; freed with
 * db_merged_free(). Without either it is the row itself.
 */
const struct ovsdb_client_row *db_merge_port(
	const struct db_columns *columns, const struct ovsdb_client_row *port,
	const struct ovsdb_client_row *group);
const struct ovsdb_client_row *db_merge_interface(
	const struct db_columns *columns,
	const struct ovsdb_client_row *interface,
	const struct ovsdb_client_row *group);
/* Of `row`, as it was before merging: frees nothing when both are the same. */
void db_merged_free(const struct ovsdb_client_row *merged,
		    const struct ovsdb_client_row *row);

#endif
