/* A <row> as an operation gives it. */
#include "ovsdb-lite/row_values.h"

#include <stdlib.h>

void row_values_init(struct row_values *values, const struct ovsdb_table *table)
{
	size_t n = table->schema->n_columns;

	*values = (struct row_values){ .table = table };
	values->columns = xcalloc(n, sizeof(*values->columns));
	values->seen = xcalloc(n, sizeof(*values->seen));
	for (size_t i = 0; i < n; i++)
		ovsdb_datum_clone(&values->columns[i], &table->defaults[i]);
	ovsdb_datum_init_default(&values->pseudo[0], &ovsdb_column_uuid.type);
	ovsdb_datum_init_default(&values->pseudo[1], &ovsdb_column_uuid.type);
}

void row_values_destroy(struct row_values *values)
{
	const struct ovsdb_table_schema *schema = values->table->schema;

	for (size_t i = 0; i < schema->n_columns; i++)
		ovsdb_datum_destroy(&values->columns[i],
				    &schema->columns[i].type);
	ovsdb_datum_destroy(&values->pseudo[0], &ovsdb_column_uuid.type);
	ovsdb_datum_destroy(&values->pseudo[1], &ovsdb_column_uuid.type);
	free(values->columns);
	free(values->seen);
}

struct ovsdb_datum *row_values_column(struct row_values *values,
				      const struct ovsdb_column *column)
{
	if (ovsdb_column_is_pseudo(column))
		return &values->pseudo[column == &ovsdb_column_version];
	return &values->columns[column->index];
}

json_t *row_values_parse(struct row_values *values, const json_t *json,
			 struct ovsdb_symbols *symbols)
{
	const struct ovsdb_table_schema *schema = values->table->schema;
	const char *name;
	json_t *member;

	if (!json_is_object(json))
		return ovsdb_syntax_error(json, NULL, "a row is an object");
	json_object_foreach((json_t *)json, name, member) {
		const struct ovsdb_column *column =
			ovsdb_column_find(schema, name);
		struct ovsdb_datum datum;
		json_t *error;

		if (!column)
			return ovsdb_syntax_error(json, "unknown column",
						  "table %s has no column %s",
						  schema->name, name);
		error = ovsdb_datum_from_json(&datum, &column->type, member,
					      symbols);
		if (error)
			return error;
		ovsdb_datum_swap(row_values_column(values, column), &datum);
		ovsdb_datum_destroy(&datum, &column->type);
		if (!ovsdb_column_is_pseudo(column))
			values->seen[column->index] = true;
	}
	return NULL;
}
