/* The operations of a transaction. */
#include "ovsdb-lite/operation.h"

#include <stdlib.h>
#include <string.h>

#include "ovsdb-lite/column.h"
#include "ovsdb-lite/condition.h"
#include "ovsdb-lite/mutation.h"
#include "ovsdb-lite/row_values.h"
#include "ovsdb-lite/tuple.h"

/* --- members that several have ----------------------------------------- */

static struct ovsdb_table *parse_table(struct execution *x,
				       struct parser *parser)
{
	json_t *name = parser_member(parser, "table", PARSE_ID);
	struct ovsdb_table *table;

	if (!name)
		return NULL;
	table = ovsdb_db_table(x->db, json_string_value(name));
	if (!table && !parser->error)
		parser->error = ovsdb_syntax_error(parser->object, NULL,
						   "there is no table %s",
						   json_string_value(name));
	return table;
}

/* The rows that "where" chooses, in a new array. */
static json_t *find_rows(struct execution *x, const struct ovsdb_table *table,
			 const json_t *where, struct ovsdb_row ***rows,
			 size_t *n)
{
	struct ovsdb_condition *condition;
	json_t *error;

	*rows = NULL;
	*n = 0;
	error = ovsdb_condition_from_json(&condition, table->schema, where,
					  x->symbols);
	if (error)
		return error;
	*rows = ovsdb_condition_find(condition, table, n);
	ovsdb_condition_destroy(condition);
	return NULL;
}

/* --- insert ------------------------------------------------------------ */

static json_t *insert_uuid(struct execution *x, struct ovsdb_table *table,
			   const json_t *name, const json_t *wanted,
			   struct uuid *uuid)
{
	struct ovsdb_symbol *symbol;

	if (wanted && !uuid_from_string(uuid, json_string_value(wanted)))
		return ovsdb_syntax_error(wanted, NULL, "not a UUID");
	if (!wanted)
		uuid_generate(uuid);
	if (name) {
		symbol = ovsdb_symbols_get(x->symbols, json_string_value(name));
		if (symbol->created)
			return ovsdb_syntax_error(name, "duplicate uuid-name",
						  "an earlier insert has this "
						  "uuid-name");
		if (wanted && symbol->referenced)
			return ovsdb_syntax_error(
				name, NULL,
				"a row with a \"uuid\" of its own may be named "
				"only after its insert");
		if (wanted)
			symbol->uuid = *uuid;
		*uuid = symbol->uuid;
		symbol->created = true;
	}
	if (table_find_entry(table, uuid))
		return ovsdb_syntax_error(wanted, "duplicate uuid",
					  "a row of this UUID is there, or was "
					  "before this transaction");
	return NULL;
}

static json_t *do_insert(struct execution *x, struct parser *parser,
			 json_t *result)
{
	struct ovsdb_table *table = parse_table(x, parser);
	json_t *wanted =
		parser_member(parser, "uuid", PARSE_STRING | PARSE_OPTIONAL);
	json_t *name =
		parser_member(parser, "uuid-name", PARSE_ID | PARSE_OPTIONAL);
	json_t *json = parser_member(parser, "row", PARSE_OBJECT);
	json_t *error = parser_finish(parser, true);
	union ovsdb_atom atom;
	struct row_values values;
	struct ovsdb_row *row;
	struct uuid uuid;

	if (error)
		return error;
	row_values_init(&values, table);
	error = insert_uuid(x, table, name, wanted, &uuid);
	if (!error)
		error = row_values_parse(&values, json, x->symbols);
	if (!error) {
		row = txn_insert(x->txn, table, &uuid);
		for (size_t i = 0; i < table->schema->n_columns; i++)
			ovsdb_datum_swap(&row->columns[i], &values.columns[i]);
		entry_reindex(row->entry);
		atom.uuid = uuid;
		json_object_set_new(result, "uuid",
				    ovsdb_atom_to_json(&atom, OVSDB_TYPE_UUID));
	}
	row_values_destroy(&values);
	return error;
}

/* --- select ------------------------------------------------------------ */

static json_t *select_rows(struct execution *x, const struct ovsdb_table *table,
			   const json_t *where,
			   const struct ovsdb_columns *columns,
			   const struct ovsdb_columns *sort, json_t *result)
{
	struct ovsdb_row **rows;
	struct tuple_set *set;
	json_t *error;
	size_t n;

	error = find_rows(x, table, where, &rows, &n);
	if (error)
		return error;
	set = tuple_set_create(columns);
	for (size_t i = 0; i < n; i++)
		tuple_set_add_row(set, rows[i]);
	free(rows);
	tuple_set_sort(set, sort);
	json_object_set_new(result, "rows", tuple_set_to_json(set));
	tuple_set_destroy(set);
	return NULL;
}

static json_t *do_select(struct execution *x, struct parser *parser,
			 json_t *result)
{
	struct ovsdb_table *table = parse_table(x, parser);
	json_t *where = parser_member(parser, "where", PARSE_ARRAY);
	json_t *names =
		parser_member(parser, "columns", PARSE_ARRAY | PARSE_OPTIONAL);
	json_t *order =
		parser_member(parser, "sort", PARSE_ARRAY | PARSE_OPTIONAL);
	json_t *error = parser_finish(parser, true);
	struct ovsdb_columns columns, sort = { 0 };

	if (error)
		return error;
	error = ovsdb_columns_from_json(&columns, table->schema, names);
	if (!error && order)
		error = ovsdb_columns_from_json(&sort, table->schema, order);
	if (!error)
		error = select_rows(x, table, where, &columns, &sort, result);
	ovsdb_columns_destroy(&columns);
	ovsdb_columns_destroy(&sort);
	return error;
}

/* --- update, mutate, delete -------------------------------------------- */

static json_t *check_update(const struct row_values *values, const json_t *row,
			    const struct parser *parser)
{
	const struct ovsdb_table_schema *schema = values->table->schema;
	const char *name;
	json_t *member;

	json_object_foreach((json_t *)row, name, member) {
		const struct ovsdb_column *column =
			ovsdb_column_find(schema, name);

		if (!column->is_mutable)
			return ovsdb_syntax_error(
				parser->object, "constraint violation",
				"column %s of table %s is immutable", name,
				schema->name);
	}
	return NULL;
}

static void update_row(struct execution *x, struct ovsdb_row *old,
		       const struct row_values *values)
{
	const struct ovsdb_table_schema *schema = old->table->schema;
	struct ovsdb_row *row = txn_modify(x->txn, old->entry);

	for (size_t i = 0; i < schema->n_columns; i++) {
		if (!values->seen[i])
			continue;
		ovsdb_datum_destroy(&row->columns[i], &schema->columns[i].type);
		ovsdb_datum_clone(&row->columns[i], &values->columns[i]);
	}
	entry_reindex(row->entry);
}

static json_t *do_update(struct execution *x, struct parser *parser,
			 json_t *result)
{
	struct ovsdb_table *table = parse_table(x, parser);
	json_t *where = parser_member(parser, "where", PARSE_ARRAY);
	json_t *json = parser_member(parser, "row", PARSE_OBJECT);
	json_t *error = parser_finish(parser, true);
	struct row_values values;
	struct ovsdb_row **rows = NULL;
	size_t n = 0;

	if (error)
		return error;
	row_values_init(&values, table);
	error = row_values_parse(&values, json, x->symbols);
	if (!error)
		error = check_update(&values, json, parser);
	if (!error)
		error = find_rows(x, table, where, &rows, &n);
	for (size_t i = 0; !error && i < n; i++)
		update_row(x, rows[i], &values);
	if (!error)
		json_object_set_new(result, "count",
				    json_integer((json_int_t)n));
	free(rows);
	row_values_destroy(&values);
	return error;
}

static json_t *do_mutate(struct execution *x, struct parser *parser,
			 json_t *result)
{
	struct ovsdb_table *table = parse_table(x, parser);
	json_t *where = parser_member(parser, "where", PARSE_ARRAY);
	json_t *json = parser_member(parser, "mutations", PARSE_ARRAY);
	json_t *error = parser_finish(parser, true);
	struct ovsdb_mutations *mutations;
	struct ovsdb_row **rows;
	size_t n;

	if (error)
		return error;
	error = ovsdb_mutations_from_json(&mutations, table->schema, json,
					  x->symbols);
	if (error)
		return error;
	error = find_rows(x, table, where, &rows, &n);
	for (size_t i = 0; !error && i < n; i++) {
		struct ovsdb_row *row = txn_modify(x->txn, rows[i]->entry);

		error = ovsdb_mutations_apply(mutations, row->columns);
		entry_reindex(row->entry);
	}
	if (!error)
		json_object_set_new(result, "count",
				    json_integer((json_int_t)n));
	free(rows);
	ovsdb_mutations_destroy(mutations);
	return error;
}

static json_t *do_delete(struct execution *x, struct parser *parser,
			 json_t *result)
{
	struct ovsdb_table *table = parse_table(x, parser);
	json_t *where = parser_member(parser, "where", PARSE_ARRAY);
	json_t *error = parser_finish(parser, true);
	struct ovsdb_row **rows;
	size_t n;

	if (error)
		return error;
	error = find_rows(x, table, where, &rows, &n);
	if (error)
		return error;
	for (size_t i = 0; i < n; i++)
		txn_delete(x->txn, rows[i]->entry);
	free(rows);
	json_object_set_new(result, "count", json_integer((json_int_t)n));
	return NULL;
}

/* --- wait -------------------------------------------------------------- */

static json_t *expected_rows(struct execution *x, struct tuple_set *set,
			     const struct ovsdb_table *table,
			     const struct ovsdb_columns *columns,
			     const json_t *rows)
{
	struct ovsdb_datum *tuple = xcalloc(columns->n, sizeof(*tuple));
	json_t *row, *error = NULL;
	size_t i;

	json_array_foreach((json_t *)rows, i, row) {
		struct row_values values;

		row_values_init(&values, table);
		error = row_values_parse(&values, row, x->symbols);
		for (size_t j = 0; !error && j < columns->n; j++)
			ovsdb_datum_clone(
				&tuple[j],
				row_values_column(&values,
						  columns->columns[j]));
		row_values_destroy(&values);
		if (error)
			break;
		tuple_set_add(set, tuple);
	}
	free(tuple);
	return error;
}

/* Compares; sets *equal. */
static json_t *compare_rows(struct execution *x,
			    const struct ovsdb_table *table,
			    const struct ovsdb_columns *columns,
			    const json_t *where, const json_t *rows,
			    bool *equal)
{
	struct tuple_set *expected = tuple_set_create(columns);
	struct tuple_set *actual = tuple_set_create(columns);
	struct ovsdb_row **found = NULL;
	json_t *error;
	size_t n = 0;

	error = find_rows(x, table, where, &found, &n);
	if (!error)
		error = expected_rows(x, expected, table, columns, rows);
	for (size_t i = 0; !error && i < n; i++)
		tuple_set_add_row(actual, found[i]);
	*equal = !error && tuple_set_equals(expected, actual);
	free(found);
	tuple_set_destroy(expected);
	tuple_set_destroy(actual);
	return error;
}

static json_t *parse_timeout(const json_t *json, uint32_t *timeout_ms)
{
	json_int_t ms;

	*timeout_ms = UINT32_MAX;
	if (!json)
		return NULL;
	ms = (json_int_t)json_number_value(json);
	if (json_number_value(json) < 0)
		return ovsdb_syntax_error(json, NULL,
					  "a timeout is not negative");
	if (json_number_value(json) < UINT32_MAX)
		*timeout_ms = (uint32_t)ms;
	return NULL;
}

static json_t *do_wait(struct execution *x, struct parser *parser,
		       json_t *result)
{
	struct ovsdb_table *table = parse_table(x, parser);
	json_t *timeout =
		parser_member(parser, "timeout", PARSE_NUMBER | PARSE_OPTIONAL);
	json_t *where = parser_member(parser, "where", PARSE_ARRAY);
	json_t *names =
		parser_member(parser, "columns", PARSE_ARRAY | PARSE_OPTIONAL);
	json_t *until = parser_member(parser, "until", PARSE_STRING);
	json_t *rows = parser_member(parser, "rows", PARSE_ARRAY);
	json_t *error = parser_finish(parser, true);
	struct ovsdb_columns columns;
	uint32_t timeout_ms;
	bool equal, negate;

	if (error)
		return error;
	negate = !strcmp(json_string_value(until), "!=");
	if (!negate && strcmp(json_string_value(until), "=="))
		return ovsdb_syntax_error(until, NULL,
					  "\"until\" is \"==\" or \"!=\"");
	error = parse_timeout(timeout, &timeout_ms);
	if (!error)
		error = ovsdb_columns_from_json(&columns, table->schema, names);
	if (error)
		return error;
	error = compare_rows(x, table, &columns, where, rows, &equal);
	ovsdb_columns_destroy(&columns);
	if (error || equal != negate)
		return error;
	if (x->elapsed_ms >= timeout_ms)
		return ovsdb_error("timed out",
				   "the rows waited for did not come");
	x->waiting = true;
	x->timeout_ms = timeout_ms;
	return ovsdb_error("waiting", NULL);
}

/* --- the rest ---------------------------------------------------------- */

static json_t *do_commit(struct execution *x, struct parser *parser,
			 json_t *result)
{
	json_t *durable = parser_member(parser, "durable", PARSE_BOOLEAN);

	x->txn->relaxed = json_is_false(durable);
	return parser_finish(parser, true);
}

static json_t *do_abort(struct execution *x, struct parser *parser,
			json_t *result)
{
	json_t *error = parser_finish(parser, true);

	return error ? error : ovsdb_error("aborted", "as requested");
}

static json_t *do_comment(struct execution *x, struct parser *parser,
			  json_t *result)
{
	json_t *comment = parser_member(parser, "comment", PARSE_STRING);
	json_t *error = parser_finish(parser, true);

	if (!error)
		txn_add_comment(x->txn, json_string_value(comment));
	return error;
}

static json_t *do_assert(struct execution *x, struct parser *parser,
			 json_t *result)
{
	json_t *lock = parser_member(parser, "lock", PARSE_STRING);
	json_t *error = parser_finish(parser, true);

	if (error)
		return error;
	if (x->session && x->session->has_lock &&
	    x->session->has_lock(x->session, json_string_value(lock)))
		return NULL;
	return ovsdb_error("not owner", "this session does not hold lock %s",
			   json_string_value(lock));
}

static const struct operation operations[] = {
	{ "abort", false, do_abort },	  { "assert", false, do_assert },
	{ "comment", false, do_comment }, { "commit", false, do_commit },
	{ "delete", true, do_delete },	  { "insert", true, do_insert },
	{ "mutate", true, do_mutate },	  { "select", false, do_select },
	{ "update", true, do_update },	  { "wait", false, do_wait },
};

const struct operation *operation_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
		if (!strcmp(name, operations[i].name))
			return &operations[i];
	return NULL;
}
