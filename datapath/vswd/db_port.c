/* Rows of one port (db_port.h). */
#include "vswd/db_port.h"

#include <stdlib.h>
#include <string.h>

#include "vswd/db_groups.h"

/* --- finding ---------------------------------------------------------------
 */

static void append(struct db_port_rows *rows,
		   const struct ovsdb_client_row *row)
{
	if (rows->n == rows->room) {
		rows->room = MAX(2 * rows->room, 8);
		rows->rows =
			xrealloc(rows->rows, rows->room * sizeof(*rows->rows));
	}
	rows->rows[rows->n++] = row;
}

/* The rows that a column refers to; returns how many are there. */
static size_t append_refs(struct db_port_rows *rows,
			  const struct ovsdb_client *client,
			  enum db_table table, const struct ovsdb_datum *refs)
{
	size_t before = rows->n;

	for (unsigned i = 0; i < refs->n; i++) {
		const struct ovsdb_client_row *row = ovsdb_client_find(
			client, db_table_name(table), &refs->keys[i].uuid);

		if (row)
			append(rows, row);
	}
	return rows->n - before;
}

static int compare_names(const void *a_, const void *b_, void *columns)
{
	const struct ovsdb_client_row *const *a = a_, *const *b = b_;

	return strverscmp(db_get_string(columns, *a, DB_INTERFACE_NAME, ""),
			  db_get_string(columns, *b, DB_INTERFACE_NAME, ""));
}

/*
 * By name, eth2 before eth10: a bond's members get their OpenFlow numbers, and
 * so LACP's port numbers, in the order in which people see them.
 */
static void find_interfaces(struct db_port_rows *rows,
			    const struct db_columns *columns,
			    const struct ovsdb_client *client)
{
	size_t first = rows->n;

	rows->n_interfaces =
		append_refs(rows, client, DB_INTERFACE,
			    db_get(columns, rows->port, DB_PORT_INTERFACES));
	qsort_r(rows->rows + first, rows->n_interfaces, sizeof(*rows->rows),
		compare_names, (void *)columns);
	if (rows->n_interfaces == 1)
		rows->n_macs = append_refs(rows, client, DB_REMOTE_MAC,
					   db_get(columns, rows->rows[first],
						  DB_INTERFACE_REMOTE_MACS));
}

static void find_qos(struct db_port_rows *rows,
		     const struct db_columns *columns,
		     const struct ovsdb_client *client)
{
	const struct ovsdb_datum *refs =
		db_get(columns, rows->port, DB_PORT_QOS);

	if (!refs->n && rows->group)
		refs = db_get(columns, rows->group, DB_PORT_GROUP_QOS);
	if (!refs->n)
		return;
	rows->qos = ovsdb_client_find(client, db_table_name(DB_QOS),
				      &refs->keys[0].uuid);
	if (!rows->qos)
		return;
	append(rows, rows->qos);
	refs = db_get(columns, rows->qos, DB_QOS_QUEUES);
	rows->n_queues = refs->n;
	for (unsigned i = 0; i < refs->n; i++)
		append(rows, ovsdb_client_find(client, db_table_name(DB_QUEUE),
					       &refs->values[i].uuid));
}

void db_port_rows_find(struct db_port_rows *rows,
		       const struct db_columns *columns,
		       const struct ovsdb_client *client,
		       struct db_groups *groups,
		       const struct ovsdb_client_row *port)
{
	const char *group;

	*rows = (struct db_port_rows){ .rows = rows->rows,
				       .room = rows->room,
				       .port = port };
	append(rows, port);
	find_interfaces(rows, columns, client);
	group = ovsdb_datum_get_string(
		db_get(columns, port, DB_PORT_OTHER_CONFIG), "port-group");
	if (group)
		rows->group = db_groups_find(groups, columns, client, group);
	if (rows->group)
		append(rows, rows->group);
	find_qos(rows, columns, client);
	/* The array stays where it is from here on. */
	rows->interfaces = rows->rows + 1;
	rows->macs = rows->interfaces + rows->n_interfaces;
	rows->queues = rows->rows + rows->n - rows->n_queues;
}

void db_port_rows_fini(struct db_port_rows *rows)
{
	free(rows->rows);
	*rows = (struct db_port_rows){ 0 };
}

/* --- copies ----------------------------------------------------------------
 */

struct copy {
	struct uuid uuid;
	struct db_row_copy *row; /* NULL: it was not there */
};

struct db_port_copies {
	size_t n;
	struct copy copies[];
};

/* The table of the row at that place. */
static enum db_table table_at(const struct db_port_rows *rows, size_t i)
{
	if (!i)
		return DB_PORT;
	if (i <= rows->n_interfaces)
		return DB_INTERFACE;
	if (i <= rows->n_interfaces + rows->n_macs)
		return DB_REMOTE_MAC;
	if (rows->rows[i] == rows->group)
		return DB_PORT_GROUP;
	return rows->rows[i] == rows->qos ? DB_QOS : DB_QUEUE;
}

struct db_port_copies *db_port_copies(const struct db_columns *columns,
				      const struct db_port_rows *rows)
{
	struct db_port_copies *all =
		xcalloc(1, sizeof(*all) + rows->n * sizeof(all->copies[0]));

	all->n = rows->n;
	for (size_t i = 0; i < rows->n; i++) {
		if (!rows->rows[i])
			continue;
		all->copies[i].uuid = rows->rows[i]->uuid;
		all->copies[i].row =
			db_row_copy(columns, rows->rows[i], table_at(rows, i));
	}
	return all;
}

void db_port_copies_free(struct db_port_copies *all)
{
	for (size_t i = 0; all && i < all->n; i++)
		db_row_copy_free(all->copies[i].row);
	free(all);
}

/* A row's UUID is of no other table's, so that same UUIDs are the same rows. */
static bool is_current(const struct copy *copy,
		       const struct db_columns *columns,
		       const struct ovsdb_client_row *row)
{
	if (!copy->row || !row)
		return !copy->row && !row;
	return uuid_equals(&copy->uuid, &row->uuid) &&
	       db_row_copy_equals(columns, copy->row, row);
}

bool db_port_copies_are_current(const struct db_port_copies *all,
				const struct db_columns *columns,
				const struct db_port_rows *rows)
{
	if (all->n != rows->n)
		return false;
	for (size_t i = 0; i < rows->n; i++)
		if (!is_current(&all->copies[i], columns, rows->rows[i]))
			return false;
	return true;
}
