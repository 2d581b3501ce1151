/* Parses <monitor-requests> (RFC 7047 section 4.1.5): see monitor_spec.h. */
#include <stdlib.h>
#include <string.h>

#include "ovsdb-lite/monitor_spec.h"

static const struct {
	const char *name;
	unsigned int bit;
} selects[] = {
	{ "initial", SELECT_INITIAL },
	{ "insert", SELECT_INSERT },
	{ "delete", SELECT_DELETE },
	{ "modify", SELECT_MODIFY },
};

static json_t *parse_select(const char *table, const json_t *json,
			    unsigned int *select)
{
	const char *name;
	json_t *value;
	size_t i;

	*select = SELECT_ALL;
	if (!json)
		return NULL;
	if (!json_is_object(json))
		return ovsdb_syntax_error(json, NULL,
					  "Parsing table %s select failed: "
					  "Object expected.",
					  table);
	json_object_foreach((json_t *)json, name, value) {
		for (i = 0; i < ARRAY_SIZE(selects); i++)
			if (!strcmp(selects[i].name, name))
				break;
		if (i == ARRAY_SIZE(selects))
			return ovsdb_syntax_error(json, NULL,
						  "Parsing table %s select "
						  "failed: Member '%s' is "
						  "present but not allowed "
						  "here.",
						  table, name);
		if (!json_is_boolean(value))
			return ovsdb_syntax_error(json, NULL,
						  "Parsing table %s select "
						  "failed: Type mismatch for "
						  "member '%s'.",
						  table, name);
		if (json_is_false(value))
			*select &= ~selects[i].bit;
	}
	return NULL;
}

static bool has_column(const struct monitor_table *t,
		       const struct monitor_column *c)
{
	for (size_t i = 0; i < t->n_columns; i++)
		if (t->columns[i].kind == c->kind &&
		    t->columns[i].column == c->column)
			return true;
	return false;
}

/* Adds one column; columns has room for all that a table can have. */
static json_t *add_column(struct monitor_table *t, const json_t *columns,
			  const char *name, unsigned int select)
{
	struct monitor_column c = { .select = select };

	if (!strcmp(name, "_uuid")) {
		c.kind = COLUMN_UUID;
	} else if (!strcmp(name, "_version")) {
		c.kind = COLUMN_VERSION;
	} else {
		c.column = ovsdb_table_schema_column(t->schema, name);
		if (!c.column)
			return ovsdb_syntax_error(columns, NULL,
						  "%s is not a valid column "
						  "name",
						  name);
	}
	if (has_column(t, &c))
		return ovsdb_syntax_error(columns, NULL,
					  "column name mentioned more than "
					  "once");
	t->columns[t->n_columns++] = c;
	return NULL;
}

/* All but _uuid, when the request does not name any. */
static json_t *add_all_columns(struct monitor_table *t, unsigned int select)
{
	json_t *error = add_column(t, NULL, "_version", select);

	for (size_t i = 0; i < t->schema->n_columns && !error; i++)
		error = add_column(t, NULL, t->schema->columns[i].name, select);
	return error;
}

static json_t *parse_columns(struct monitor_table *t, const json_t *columns,
			     unsigned int select)
{
	json_t *name, *error;
	size_t i;

	if (!columns)
		return add_all_columns(t, select);
	if (!json_is_array(columns))
		return ovsdb_syntax_error(columns, NULL,
					  "array of column names expected");
	json_array_foreach((json_t *)columns, i, name) {
		if (!json_is_string(name))
			return ovsdb_syntax_error(columns, NULL,
						  "array of column names "
						  "expected");
		error = add_column(t, columns, json_string_value(name), select);
		if (error)
			return error;
	}
	return NULL;
}

static json_t *check_members(const struct monitor_table *t,
			     const json_t *request, bool may_have_where)
{
	const char *name;
	json_t *value;

	if (!json_is_object(request))
		return ovsdb_syntax_error(request, NULL,
					  "Parsing table %s failed: Object "
					  "expected.",
					  t->schema->name);
	json_object_foreach((json_t *)request, name, value) {
		if (!strcmp(name, "columns") || !strcmp(name, "select") ||
		    (may_have_where && !strcmp(name, "where")))
			continue;
		return ovsdb_syntax_error(request, NULL,
					  "Parsing table %s failed: Member "
					  "'%s' is present but not allowed "
					  "here.",
					  t->schema->name, name);
	}
	return NULL;
}

/* One <monitor-request>; its conditions are collected in `where`. */
static json_t *parse_request(struct monitor_table *t, const json_t *request,
			     bool may_have_where, json_t *where)
{
	json_t *conditions, *error;
	unsigned int select;

	error = check_members(t, request, may_have_where);
	if (error)
		return error;
	error = parse_select(t->schema->name,
			     json_object_get(request, "select"), &select);
	if (error)
		return error;
	conditions = json_object_get(request, "where");
	if (conditions && !json_is_array(conditions))
		return ovsdb_syntax_error(conditions, NULL,
					  "array of conditions expected");
	json_array_extend(where, conditions);
	t->select |= select;
	return parse_columns(t, json_object_get(request, "columns"), select);
}

static json_t *parse_table(struct monitor_table *t, const json_t *requests,
			   bool may_have_where)
{
	json_t *where = json_array(), *request, *error = NULL;
	size_t i;

	/* More than this many would name one of them twice. */
	t->columns = xcalloc(t->schema->n_columns + 2, sizeof(*t->columns));
	if (json_is_array(requests)) {
		json_array_foreach((json_t *)requests, i, request) {
			error = parse_request(t, request, may_have_where,
					      where);
			if (error)
				break;
		}
	} else {
		error = parse_request(t, requests, may_have_where, where);
	}
	if (!error)
		error = ovsdb_condition_from_json(&t->condition, t->schema,
						  where, NULL);
	json_decref(where);
	return error;
}

json_t *monitor_parse(struct monitor_spec *spec, struct ovsdb_db *db,
		      const json_t *requests)
{
	struct monitor_table *t;
	const char *name;
	json_t *value, *error = NULL;

	spec->tables =
		xcalloc(json_object_size(requests), sizeof(*spec->tables));
	json_object_foreach((json_t *)requests, name, value) {
		const struct ovsdb_table *table = ovsdb_db_table(db, name);

		if (!table)
			return ovsdb_syntax_error(NULL, NULL,
						  "no table named %s", name);
		t = &spec->tables[spec->n_tables++];
		t->table = table;
		t->schema = ovsdb_table_schema(table);
		error = parse_table(t, value, spec->version != MONITOR_V1);
		if (error)
			return error;
	}
	return NULL;
}

void monitor_tables_destroy(struct monitor_spec *spec)
{
	for (size_t i = 0; i < spec->n_tables; i++) {
		free(spec->tables[i].columns);
		ovsdb_condition_destroy(spec->tables[i].condition);
	}
	free(spec->tables);
}
