#include "vswd/columns.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

LOG_MODULE(config);

struct column_info {
	enum db_table table;
	const char *name;
	enum ovsdb_atomic_type key, value;
};

static const struct column_info infos[N_DB_COLUMNS] = {
#define X(TABLE, ID, NAME, KEY, VALUE)                                         \
	[DB_##TABLE##_##ID] = { DB_##TABLE, NAME, OVSDB_TYPE_##KEY,            \
				OVSDB_TYPE_##VALUE },
	DB_COLUMNS(X)
#undef X
};

static const char *const table_names[N_DB_TABLES] = {
	[DB_SWITCH] = "Open_vSwitch",
	[DB_BRIDGE] = "Bridge",
	[DB_PORT] = "Port",
	[DB_INTERFACE] = "Interface",
	[DB_SEGMENT] = "Segment",
	[DB_FORWARD] = "Forward",
	[DB_LEASE] = "Lease",
	[DB_REMOTE_MAC] = "Remote_MAC",
	[DB_MIRROR] = "Mirror",
	[DB_QOS] = "QoS",
	[DB_QUEUE] = "Queue",
	[DB_ACL] = "ACL",
	[DB_PORT_GROUP] = "Port_Group",
};

struct db_columns {
	json_t *json; /* the schema's: names it as long as we hold it */
	int index[N_DB_COLUMNS]; /* -1: not there */
};

static const struct ovsdb_datum empty;

const char *db_table_name(enum db_table table)
{
	return table_names[table];
}

/* What vswd writes itself: hearing of it is no reason to reconcile again. */
static bool is_ours(enum db_column column)
{
	return column == DB_SWITCH_CUR_CFG || column == DB_INTERFACE_OFPORT ||
	       column == DB_PORT_BOND_ACTIVE_SLAVE ||
	       column == DB_SEGMENT_LEASES || infos[column].table == DB_LEASE;
}

/* Returns how many. */
static size_t list_columns(enum db_table table, bool ours, const char *names[])
{
	size_t n = 0;

	for (int c = 0; c < N_DB_COLUMNS; c++)
		if (infos[c].table == table && is_ours(c) == ours)
			names[n++] = infos[c].name;
	names[n] = NULL;
	return n;
}

void db_columns_monitor(struct ovsdb_client *client)
{
	const char *names[N_DB_COLUMNS + 1];

	for (int t = 0; t < N_DB_TABLES; t++) {
		if (list_columns(t, false, names))
			ovsdb_client_monitor(client, table_names[t], names);
		if (list_columns(t, true, names))
			ovsdb_client_monitor_quietly(client, table_names[t],
						     names);
	}
}

static int find_column(const struct ovsdb_schema *schema,
		       const struct column_info *info)
{
	const struct ovsdb_table_schema *table =
		ovsdb_schema_table(schema, table_names[info->table]);
	const struct ovsdb_column *column =
		table ? ovsdb_table_schema_column(table, info->name) : NULL;

	if (!table)
		return -1; /* ovsdb_client has said so */
	if (!column) {
		log_info("the database has no column %s:%s",
			 table_names[info->table], info->name);
		return -1;
	}
	if (column->type.key.type != info->key ||
	    column->type.value.type != info->value) {
		log_warn("column %s:%s of the database has another type than "
			 "expected; it is not used",
			 table_names[info->table], info->name);
		return -1;
	}
	return column->index;
}

struct db_columns *db_columns_create(const struct ovsdb_schema *schema)
{
	struct db_columns *columns = xcalloc(1, sizeof(*columns));

	columns->json = json_incref(schema->json);
	for (int c = 0; c < N_DB_COLUMNS; c++)
		columns->index[c] = find_column(schema, &infos[c]);
	return columns;
}

void db_columns_destroy(struct db_columns *columns)
{
	if (!columns)
		return;
	json_decref(columns->json);
	free(columns);
}

bool db_columns_fit(const struct db_columns *columns,
		    const struct ovsdb_schema *schema)
{
	return columns && columns->json == schema->json;
}

int db_column_index(const struct db_columns *columns, enum db_column column)
{
	return columns->index[column];
}

/* Only the atoms' types matter for the life of a datum. */
void db_column_type(enum db_column column, struct ovsdb_type *type)
{
	ovsdb_type_init_scalar(type, infos[column].key);
	ovsdb_base_type_init(&type->value, infos[column].value);
	type->min = 0;
	type->max = UINT_MAX;
}

const struct ovsdb_datum *db_get(const struct db_columns *columns,
				 const struct ovsdb_client_row *row,
				 enum db_column column)
{
	int i = columns->index[column];

	return i < 0 || !row->columns[i] ? &empty : row->columns[i];
}

const char *db_get_string(const struct db_columns *columns,
			  const struct ovsdb_client_row *row,
			  enum db_column column, const char *fallback)
{
	const struct ovsdb_datum *datum = db_get(columns, row, column);

	return datum->n ? ovsdb_atom_string(&datum->keys[0]) : fallback;
}

int64_t db_get_integer(const struct db_columns *columns,
		       const struct ovsdb_client_row *row,
		       enum db_column column, int64_t fallback)
{
	const struct ovsdb_datum *datum = db_get(columns, row, column);

	return datum->n ? datum->keys[0].integer : fallback;
}

bool db_get_boolean(const struct db_columns *columns,
		    const struct ovsdb_client_row *row, enum db_column column,
		    bool fallback)
{
	const struct ovsdb_datum *datum = db_get(columns, row, column);

	return datum->n ? datum->keys[0].boolean : fallback;
}

/* --- copies ----------------------------------------------------------------
 */

struct db_row_copy {
	enum db_table table;
	uint64_t version; /* the row's, when it was last found to be equal */
	struct ovsdb_datum data[N_DB_COLUMNS]; /* those of the table */
};

static bool is_copied(enum db_column column, enum db_table table)
{
	return infos[column].table == table && !is_ours(column) &&
	       column != DB_SWITCH_NEXT_CFG && column != DB_SWITCH_BRIDGES &&
	       column != DB_BRIDGE_PORTS && column != DB_BRIDGE_SEGMENT &&
	       column != DB_SEGMENT_FORWARDS &&
	       column != DB_INTERFACE_REMOTE_MACS;
}

struct db_row_copy *db_row_copy(const struct db_columns *columns,
				const struct ovsdb_client_row *row,
				enum db_table table)
{
	struct db_row_copy *copy = xcalloc(1, sizeof(*copy));

	copy->table = table;
	copy->version = row->version;
	for (int c = 0; c < N_DB_COLUMNS; c++)
		if (is_copied(c, table))
			ovsdb_datum_clone(&copy->data[c],
					  db_get(columns, row, c));
	return copy;
}

void db_row_copy_free(struct db_row_copy *copy)
{
	if (!copy)
		return;
	for (int c = 0; c < N_DB_COLUMNS; c++) {
		struct ovsdb_type type;

		if (!is_copied(c, copy->table))
			continue;
		db_column_type(c, &type);
		ovsdb_datum_destroy(&copy->data[c], &type);
	}
	free(copy);
}

bool db_row_copy_equals(const struct db_columns *columns,
			struct db_row_copy *copy,
			const struct ovsdb_client_row *row)
{
	if (copy->version == row->version)
		return true;
	for (int c = 0; c < N_DB_COLUMNS; c++) {
		const struct ovsdb_datum *a = &copy->data[c], *b;

		if (!is_copied(c, copy->table))
			continue;
		b = db_get(columns, row, c);
		/* Clones share their arrays: the same ones mean no change. */
		if (a->n != b->n || a->keys != b->keys ||
		    a->values != b->values)
			return false;
	}
	copy->version = row->version;
	return true;
}
