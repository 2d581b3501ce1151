#include "vswd/db_remote_macs.h"

#include <stdlib.h>
#include <string.h>

struct copy {
	struct uuid uuid;
	struct db_row_copy *row;
};

struct db_remote_macs {
	size_t n;
	struct copy copies[];
};

const struct ovsdb_client_row **db_remote_macs_find(
	const struct db_columns *columns, const struct ovsdb_client *client,
	const struct ovsdb_client_row *interface, size_t *n)
{
	const struct ovsdb_datum *refs =
		db_get(columns, interface, DB_INTERFACE_REMOTE_MACS);
	const struct ovsdb_client_row **rows;

	*n = 0;
	if (!refs->n)
		return NULL;
	rows = xcalloc(refs->n, sizeof(struct ovsdb_client_row *));
	for (unsigned i = 0; i < refs->n; i++) {
		rows[*n] =
			ovsdb_client_find(client, db_table_name(DB_REMOTE_MAC),
					  &refs->keys[i].uuid);
		if (rows[*n])
			++*n;
	}
	return rows;
}

struct db_remote_macs *db_remote_macs_copy(
	const struct db_columns *columns,
	const struct ovsdb_client_row *const rows[], size_t n)
{
	struct db_remote_macs *all;

	if (!n)
		return NULL;
	all = xmalloc(sizeof(*all) + n * sizeof(all->copies[0]));
	all->n = n;
	for (size_t i = 0; i < n; i++)
		all->copies[i] = (struct copy){
			.uuid = rows[i]->uuid,
			.row = db_row_copy(columns, rows[i], DB_REMOTE_MAC),
		};
	return all;
}

void db_remote_macs_free(struct db_remote_macs *all)
{
	for (size_t i = 0; all && i < all->n; i++)
		db_row_copy_free(all->copies[i].row);
	free(all);
}

bool db_remote_macs_are_current(const struct db_remote_macs *all,
				const struct db_columns *columns,
				const struct ovsdb_client_row *const rows[],
				size_t n)
{
	if ((all ? all->n : 0) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!uuid_equals(&all->copies[i].uuid, &rows[i]->uuid) ||
		    !db_row_copy_equals(columns, all->copies[i].row, rows[i]))
			return false;
	return true;
}
