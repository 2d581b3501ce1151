/* Columns by name, with _uuid and _version. */
#include "ovsdb-lite/column.h"

#include <stdlib.h>
#include <string.h>

#define PSEUDO_TYPE                                                            \
	{                                                                      \
		.key = { .type = OVSDB_TYPE_UUID },                            \
		.value = { .type = OVSDB_TYPE_VOID }, .min = 1, .max = 1       \
	}

const struct ovsdb_column ovsdb_column_uuid = {
	.name = (char *)"_uuid",
	.type = PSEUDO_TYPE,
	.index = UINT_MAX,
	.ephemeral = true,
};

const struct ovsdb_column ovsdb_column_version = {
	.name = (char *)"_version",
	.type = PSEUDO_TYPE,
	.index = UINT_MAX,
	.ephemeral = true,
};

const struct ovsdb_column *ovsdb_column_find(
	const struct ovsdb_table_schema *table, const char *name)
{
	if (name[0] != '_')
		return ovsdb_table_schema_column(table, name);
	if (!strcmp(name, "_uuid"))
		return &ovsdb_column_uuid;
	if (!strcmp(name, "_version"))
		return &ovsdb_column_version;
	return NULL;
}

struct ovsdb_datum ovsdb_column_peek(const struct ovsdb_row *row,
				     const struct ovsdb_column *column,
				     union ovsdb_atom *atom)
{
	if (!ovsdb_column_is_pseudo(column))
		return row->columns[column->index];
	atom->uuid = column == &ovsdb_column_uuid ? row->uuid : row->version;
	return (struct ovsdb_datum){ .n = 1, .keys = atom };
}

void ovsdb_column_get(struct ovsdb_datum *datum, const struct ovsdb_row *row,
		      const struct ovsdb_column *column)
{
	union ovsdb_atom atom;

	if (!ovsdb_column_is_pseudo(column)) {
		ovsdb_datum_clone(datum, &row->columns[column->index]);
		return;
	}
	atom.uuid = column == &ovsdb_column_uuid ? row->uuid : row->version;
	ovsdb_datum_init_empty(datum);
	ovsdb_datum_insert(datum, &atom, NULL, false, &column->type);
}

static void add(struct ovsdb_columns *columns, const struct ovsdb_column *c)
{
	columns->columns[columns->n++] = c;
	columns->has_uuid |= c == &ovsdb_column_uuid;
}

static void all_columns(struct ovsdb_columns *columns,
			const struct ovsdb_table_schema *table)
{
	columns->columns = (const struct ovsdb_column **)xcalloc(
		table->n_columns + 2, sizeof(*columns->columns));
	add(columns, &ovsdb_column_uuid);
	add(columns, &ovsdb_column_version);
	for (size_t i = 0; i < table->n_columns; i++)
		add(columns, &table->columns[i]);
}

static bool contains(const struct ovsdb_columns *columns,
		     const struct ovsdb_column *column)
{
	for (size_t i = 0; i < columns->n; i++)
		if (columns->columns[i] == column)
			return true;
	return false;
}

json_t *ovsdb_columns_from_json(struct ovsdb_columns *columns,
				const struct ovsdb_table_schema *table,
				const json_t *json)
{
	json_t *name, *error = NULL;
	size_t i;

	*columns = (struct ovsdb_columns){ 0 };
	if (!json) {
		all_columns(columns, table);
		return NULL;
	}
	if (!json_is_array(json) ||
	    json_array_size(json) > table->n_columns + 2)
		return ovsdb_syntax_error(
			json, NULL,
			"an array of distinct column names is needed");
	columns->columns = (const struct ovsdb_column **)xcalloc(
		json_array_size(json), sizeof(*columns->columns));
	json_array_foreach((json_t *)json, i, name) {
		const struct ovsdb_column *column = NULL;

		if (json_is_string(name))
			column = ovsdb_column_find(table,
						   json_string_value(name));
		if (!column || contains(columns, column)) {
			error = ovsdb_syntax_error(
				json, NULL,
				"an array of distinct columns of table %s is "
				"needed",
				table->name);
			break;
		}
		add(columns, column);
	}
	if (error)
		ovsdb_columns_destroy(columns);
	return error;
}

void ovsdb_columns_destroy(struct ovsdb_columns *columns)
{
	free((void *)columns->columns);
	*columns = (struct ovsdb_columns){ 0 };
}
