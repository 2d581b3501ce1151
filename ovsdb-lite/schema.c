/* Database schemas: parsing, printing, looking up. */
#include "ovsdb-lite/schema.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ovsdb-lite/parse.h"

bool ovsdb_is_id(const char *s)
{
	if (*s >= '0' && *s <= '9')
		return false;
	if (!*s)
		return false;
	for (; *s; s++)
		if (!(*s == '_' || (*s >= '0' && *s <= '9') ||
		      (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z')))
			return false;
	return true;
}

bool ovsdb_is_version(const char *s)
{
	for (int i = 0; i < 3; i++) {
		size_t digits = strspn(s, "0123456789");

		if (!digits || digits > 9)
			return false;
		s += digits;
		if (i < 2 && *s++ != '.')
			return false;
	}
	return !*s;
}

/* --- columns ----------------------------------------------------------- */

static bool refers_strongly(const struct ovsdb_type *type)
{
	return ovsdb_base_type_is_strong_ref(&type->key) ||
	       ovsdb_base_type_is_strong_ref(&type->value);
}

static json_t *column_from_json(struct ovsdb_column *column, const char *name,
				const json_t *json)
{
	json_t *type, *ephemeral, *mut, *error;
	struct parser parser;

	if (!ovsdb_is_id(name) || name[0] == '_')
		return ovsdb_syntax_error(
			json, NULL,
			"\"%s\" cannot be a column's name: it must be letters, "
			"digits and '_' and not begin with '_' or a digit",
			name);
	parser_init(&parser, json, "column");
	type = parser_member(&parser, "type", PARSE_STRING | PARSE_OBJECT);
	ephemeral = parser_member(&parser, "ephemeral",
				  PARSE_BOOLEAN | PARSE_OPTIONAL);
	mut = parser_member(&parser, "mutable", PARSE_BOOLEAN | PARSE_OPTIONAL);
	error = parser_finish(&parser, true);
	if (!error)
		error = ovsdb_type_from_json(&column->type, type);
	if (error)
		return error;
	column->name = xstrdup(name);
	column->is_mutable = !mut || json_is_true(mut);
	column->ephemeral = json_is_true(ephemeral);
	return NULL;
}

json_t *ovsdb_column_to_json(const struct ovsdb_column *column)
{
	json_t *json = json_object();

	json_object_set_new(json, "type", ovsdb_type_to_json(&column->type));
	if (!column->is_mutable)
		json_object_set_new(json, "mutable", json_false());
	if (column->ephemeral)
		json_object_set_new(json, "ephemeral", json_true());
	return json;
}

static int compare_columns(const void *a, const void *b)
{
	return strcmp(((const struct ovsdb_column *)a)->name,
		      ((const struct ovsdb_column *)b)->name);
}

static json_t *columns_from_json(struct ovsdb_table_schema *table,
				 const json_t *json)
{
	size_t n = json_object_size(json);
	const char *name;
	json_t *member;

	if (n > OVSDB_MAX_COLUMNS)
		return ovsdb_syntax_error(NULL, NULL,
					  "table \"%s\": too many columns",
					  table->name);
	table->columns = xcalloc(n, sizeof(*table->columns));
	json_object_foreach((json_t *)json, name, member) {
		json_t *error = column_from_json(
			&table->columns[table->n_columns], name, member);

		if (error)
			return error;
		table->n_columns++;
	}
	qsort(table->columns, n, sizeof(*table->columns), compare_columns);
	for (size_t i = 0; i < n; i++)
		table->columns[i].index = (unsigned int)i;
	return NULL;
}

const struct ovsdb_column *ovsdb_table_schema_column(
	const struct ovsdb_table_schema *table, const char *name)
{
	size_t low = 0, high = table->n_columns;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int cmp = strcmp(table->columns[middle].name, name);

		if (!cmp)
			return &table->columns[middle];
		if (cmp < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* --- indexes ----------------------------------------------------------- */

static bool has_column(const struct ovsdb_index *index,
		       const struct ovsdb_column *column)
{
	for (size_t i = 0; i < index->n_columns; i++)
		if (index->columns[i] == column)
			return true;
	return false;
}

static json_t *index_from_json(struct ovsdb_index *index,
			       const struct ovsdb_table_schema *table,
			       const json_t *json)
{
	json_t *name;
	size_t i;

	if (!json_array_size(json))
		return ovsdb_syntax_error(json, NULL,
					  "an index is an array of columns");
	index->columns = (const struct ovsdb_column **)xcalloc(
		json_array_size(json), sizeof(*index->columns));
	json_array_foreach((json_t *)json, i, name) {
		const struct ovsdb_column *column = NULL;

		if (json_is_string(name))
			column = ovsdb_table_schema_column(
				table, json_string_value(name));
		if (!column || has_column(index, column))
			return ovsdb_syntax_error(
				json, NULL,
				"an index has distinct columns of table \"%s\"",
				table->name);
		if (column->ephemeral)
			return ovsdb_syntax_error(
				json, NULL,
				"ephemeral column \"%s\" cannot be indexed",
				column->name);
		index->columns[index->n_columns++] = column;
	}
	return NULL;
}

static json_t *indexes_from_json(struct ovsdb_table_schema *table,
				 const json_t *json)
{
	json_t *member;
	size_t i;

	table->indexes =
		xcalloc(json_array_size(json), sizeof(*table->indexes));
	json_array_foreach((json_t *)json, i, member) {
		json_t *error = index_from_json(
			&table->indexes[table->n_indexes++], table, member);

		if (error)
			return error;
	}
	return NULL;
}

static json_t *index_to_json(const struct ovsdb_index *index)
{
	json_t *json = json_array();

	for (size_t i = 0; i < index->n_columns; i++)
		json_array_append_new(json,
				      json_string(index->columns[i]->name));
	return json;
}

/* --- tables ------------------------------------------------------------ */

static void table_destroy(struct ovsdb_table_schema *table)
{
	for (size_t i = 0; i < table->n_columns; i++) {
		free(table->columns[i].name);
		ovsdb_type_destroy(&table->columns[i].type);
	}
	for (size_t i = 0; i < table->n_indexes; i++)
		free((void *)table->indexes[i].columns);
	free(table->columns);
	free(table->indexes);
	free(table->name);
}

static json_t *check_max_rows(struct ovsdb_table_schema *table,
			      const json_t *json)
{
	table->max_rows = UINT_MAX;
	if (!json)
		return NULL;
	if (json_integer_value(json) < 1 || json_integer_value(json) > UINT_MAX)
		return ovsdb_syntax_error(json, NULL,
					  "maxRows must be at least 1");
	table->max_rows = (unsigned int)json_integer_value(json);
	return NULL;
}

static json_t *table_from_json(struct ovsdb_table_schema *table,
			       const char *name, const json_t *json)
{
	json_t *columns, *max_rows, *is_root, *indexes, *error;
	struct parser parser;

	table->name = xstrdup(name);
	if (!ovsdb_is_id(name) || name[0] == '_')
		return ovsdb_syntax_error(
			NULL, NULL,
			"\"%s\" cannot be a table's name: it must be letters, "
			"digits and '_' and not begin with '_' or a digit",
			name);
	parser_init(&parser, json, "table schema");
	columns = parser_member(&parser, "columns", PARSE_OBJECT);
	max_rows = parser_member(&parser, "maxRows",
				 PARSE_INTEGER | PARSE_OPTIONAL);
	is_root = parser_member(&parser, "isRoot",
				PARSE_BOOLEAN | PARSE_OPTIONAL);
	indexes =
		parser_member(&parser, "indexes", PARSE_ARRAY | PARSE_OPTIONAL);
	error = parser_finish(&parser, true);
	if (!error && !json_object_size(columns))
		error = ovsdb_syntax_error(json, NULL,
					   "table \"%s\" has no column", name);
	if (!error)
		error = check_max_rows(table, max_rows);
	if (!error)
		error = columns_from_json(table, columns);
	if (!error)
		error = indexes_from_json(table, indexes);
	table->is_root = json_is_true(is_root);
	return error;
}

json_t *ovsdb_table_schema_to_json(const struct ovsdb_table_schema *table,
				   bool default_is_root)
{
	json_t *json = json_object(), *columns = json_object(), *indexes;

	for (size_t i = 0; i < table->n_columns; i++)
		json_object_set_new(columns, table->columns[i].name,
				    ovsdb_column_to_json(&table->columns[i]));
	json_object_set_new(json, "columns", columns);
	if (table->max_rows != UINT_MAX)
		json_object_set_new(json, "maxRows",
				    json_integer(table->max_rows));
	if (table->is_root != default_is_root)
		json_object_set_new(json, "isRoot",
				    json_boolean(table->is_root));
	if (table->n_indexes) {
		indexes = json_array();
		for (size_t i = 0; i < table->n_indexes; i++)
			json_array_append_new(
				indexes, index_to_json(&table->indexes[i]));
		json_object_set_new(json, "indexes", indexes);
	}
	return json;
}

/* --- the whole --------------------------------------------------------- */

static int compare_tables(const void *a, const void *b)
{
	return strcmp(((const struct ovsdb_table_schema *)a)->name,
		      ((const struct ovsdb_table_schema *)b)->name);
}

static json_t *tables_from_json(struct ovsdb_schema *schema, const json_t *json)
{
	size_t n = json_object_size(json);
	const char *name;
	json_t *member;

	if (n > OVSDB_MAX_TABLES)
		return ovsdb_syntax_error(NULL, NULL, "too many tables");
	schema->tables = xcalloc(n, sizeof(*schema->tables));
	json_object_foreach((json_t *)json, name, member) {
		json_t *error = table_from_json(
			&schema->tables[schema->n_tables++], name, member);

		if (error)
			return error;
	}
	return NULL;
}

static json_t *resolve_base(struct ovsdb_base_type *base,
			    const struct ovsdb_schema *schema,
			    const char *column)
{
	if (base->type != OVSDB_TYPE_UUID || !base->uuid.ref_table_name)
		return NULL;
	base->uuid.ref_table =
		ovsdb_schema_table(schema, base->uuid.ref_table_name);
	if (base->uuid.ref_table)
		return NULL;
	return ovsdb_syntax_error(NULL, NULL,
				  "column \"%s\" refers to table \"%s\", which "
				  "is not there",
				  column, base->uuid.ref_table_name);
}

static json_t *resolve_column(struct ovsdb_column *column,
			      const struct ovsdb_schema *schema)
{
	json_t *error = resolve_base(&column->type.key, schema, column->name);

	if (!error)
		error = resolve_base(&column->type.value, schema, column->name);
	return error;
}

/*
 * Orders the tables and ties references to them. A strong reference in an
 * ephemeral column would be lost in a restart, and the row with it, so such a
 * column is kept in the file after all, as ovsdb-server does.
 */
static json_t *resolve(struct ovsdb_schema *schema)
{
	bool any_root = false;

	if (schema->n_tables)
		qsort(schema->tables, schema->n_tables, sizeof(*schema->tables),
		      compare_tables);
	for (size_t i = 0; i < schema->n_tables; i++) {
		struct ovsdb_table_schema *table = &schema->tables[i];

		table->index = (unsigned int)i;
		any_root |= table->is_root;
		for (size_t j = 0; j < table->n_columns; j++) {
			struct ovsdb_column *column = &table->columns[j];
			json_t *error = resolve_column(column, schema);

			if (error)
				return error;
			if (refers_strongly(&column->type))
				column->ephemeral = false;
		}
	}
	for (size_t i = 0; !any_root && i < schema->n_tables; i++)
		schema->tables[i].is_root = true;
	return NULL;
}

static json_t *parse(struct ovsdb_schema *schema, const json_t *json)
{
	json_t *name, *version, *cksum, *tables, *error;
	struct parser parser;

	parser_init(&parser, json, "database schema");
	name = parser_member(&parser, "name", PARSE_ID);
	version = parser_member(&parser, "version",
				PARSE_STRING | PARSE_OPTIONAL);
	cksum = parser_member(&parser, "cksum", PARSE_STRING | PARSE_OPTIONAL);
	tables = parser_member(&parser, "tables", PARSE_OBJECT);
	/* Written by some tools for a person; carries no meaning. */
	parser_member(&parser, "$schema", PARSE_STRING | PARSE_OPTIONAL);
	error = parser_finish(&parser, true);
	if (error)
		return error;
	if (version && !ovsdb_is_version(json_string_value(version)))
		return ovsdb_syntax_error(version, NULL,
					  "a version has the form x.y.z");
	schema->name = xstrdup(json_string_value(name));
	if (version)
		schema->version = xstrdup(json_string_value(version));
	if (cksum)
		schema->cksum = xstrdup(json_string_value(cksum));
	error = tables_from_json(schema, tables);
	return error ? error : resolve(schema);
}

json_t *ovsdb_schema_from_json(struct ovsdb_schema **schemap,
			       const json_t *json)
{
	struct ovsdb_schema *schema = xcalloc(1, sizeof(*schema));
	json_t *error = parse(schema, json);

	*schemap = NULL;
	if (error) {
		ovsdb_schema_destroy(schema);
		return error;
	}
	schema->json = json_incref((json_t *)json);
	*schemap = schema;
	return NULL;
}

struct ovsdb_schema *ovsdb_schema_clone(const struct ovsdb_schema *schema)
{
	struct ovsdb_schema *clone;
	json_t *json = json_deep_copy(schema->json);
	json_t *error = ovsdb_schema_from_json(&clone, json);

	/* It was parsed before, so this cannot fail. */
	json_decref(error);
	json_decref(json);
	return clone;
}

void ovsdb_schema_destroy(struct ovsdb_schema *schema)
{
	if (!schema)
		return;
	for (size_t i = 0; i < schema->n_tables; i++)
		table_destroy(&schema->tables[i]);
	free(schema->tables);
	free(schema->name);
	free(schema->version);
	free(schema->cksum);
	json_decref(schema->json);
	free(schema);
}

json_t *ovsdb_schema_to_json(const struct ovsdb_schema *schema)
{
	return json_incref(schema->json);
}

const struct ovsdb_table_schema *ovsdb_schema_table(
	const struct ovsdb_schema *schema, const char *name)
{
	size_t low = 0, high = schema->n_tables;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int cmp = strcmp(schema->tables[middle].name, name);

		if (!cmp)
			return &schema->tables[middle];
		if (cmp < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

int ovsdb_schema_load(struct ovsdb_schema **schema, const char *path,
		      char **errp)
{
	json_error_t where;
	json_t *json, *error;
	char *text;

	*schema = NULL;
	errno = 0;
	json = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
	if (!json)
		return set_error(errp, errno ? -errno : -EINVAL,
				 "%s: line %d: %s: not a schema file", path,
				 where.line, where.text);
	error = ovsdb_schema_from_json(schema, json);
	json_decref(json);
	if (!error)
		return 0;
	text = ovsdb_error_to_string(error);
	set_error(errp, -EINVAL, "%s: not a schema file: %s", path, text);
	free(text);
	return -EINVAL;
}
