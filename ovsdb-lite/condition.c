/* Conditions: parsing, evaluating, finding rows. */
#include "ovsdb-lite/condition.h"

#include <stdlib.h>
#include <string.h>

#include "ovsdb-lite/table.h"

enum function {
	FN_FALSE,
	FN_TRUE,
	FN_LT,
	FN_LE,
	FN_EQ,
	FN_NE,
	FN_GE,
	FN_GT,
	FN_INCLUDES,
	FN_EXCLUDES,
	N_FUNCTIONS
};

static const char *const function_names[N_FUNCTIONS] = {
	[FN_FALSE] = "false",
	[FN_TRUE] = "true",
	[FN_LT] = "<",
	[FN_LE] = "<=",
	[FN_EQ] = "==",
	[FN_NE] = "!=",
	[FN_GE] = ">=",
	[FN_GT] = ">",
	[FN_INCLUDES] = "includes",
	[FN_EXCLUDES] = "excludes",
};

struct clause {
	enum function function;
	const struct ovsdb_column *column; /* NULL: a bare true or false */
	struct ovsdb_datum arg;
};

struct ovsdb_condition {
	size_t n;
	struct clause clauses[];
};

/* --- parsing ----------------------------------------------------------- */

static bool is_ordered(const struct ovsdb_type *type)
{
	return (ovsdb_type_is_scalar(type) ||
		ovsdb_type_is_optional_scalar(type)) &&
	       (type->key.type == OVSDB_TYPE_INTEGER ||
		type->key.type == OVSDB_TYPE_REAL);
}

static json_t *parse_arg(struct clause *clause, const json_t *json,
			 struct ovsdb_symbols *symbols)
{
	/* A shallow copy: only the numbers of elements are relaxed. */
	struct ovsdb_type type = clause->column->type;

	switch (clause->function) {
	case FN_LT:
	case FN_LE:
	case FN_GE:
	case FN_GT:
		if (!is_ordered(&type))
			return ovsdb_syntax_error(
				json, NULL,
				"\"%s\" does not apply to column %s: it needs "
				"an integer or a real",
				function_names[clause->function],
				clause->column->name);
		type.min = 1;
		break;
	case FN_EXCLUDES:
	case FN_INCLUDES:
		if (ovsdb_type_is_scalar(&type))
			break;
		type.min = 0;
		if (clause->function == FN_EXCLUDES)
			type.max = UINT_MAX;
		break;
	default:
		break;
	}
	return ovsdb_datum_from_json(&clause->arg, &type,
				     json_array_get(json, 2), symbols);
}

static json_t *parse_clause(struct clause *clause,
			    const struct ovsdb_table_schema *table,
			    const json_t *json, struct ovsdb_symbols *symbols)
{
	const char *column, *function;

	if (json_is_boolean(json)) {
		clause->function = json_is_true(json) ? FN_TRUE : FN_FALSE;
		return NULL;
	}
	column = json_string_value(json_array_get(json, 0));
	function = json_string_value(json_array_get(json, 1));
	if (json_array_size(json) != 3 || !column || !function)
		return ovsdb_syntax_error(
			json, NULL,
			"[<column>, <function>, <value>] is needed");
	clause->column = ovsdb_column_find(table, column);
	if (!clause->column)
		return ovsdb_syntax_error(json, "unknown column",
					  "table %s has no column %s",
					  table->name, column);
	for (int i = FN_LT; i < N_FUNCTIONS; i++) {
		if (!strcmp(function, function_names[i])) {
			clause->function = (enum function)i;
			return parse_arg(clause, json, symbols);
		}
	}
	return ovsdb_error("unknown function", "there is no function %s",
			   function);
}

json_t *ovsdb_condition_from_json(struct ovsdb_condition **conditionp,
				  const struct ovsdb_table_schema *table,
				  const json_t *json,
				  struct ovsdb_symbols *symbols)
{
	struct ovsdb_condition *condition;
	json_t *element;
	size_t i;

	*conditionp = NULL;
	if (!json_is_array(json))
		return ovsdb_syntax_error(json, NULL,
					  "a condition is an array");
	condition = xcalloc(1, sizeof(*condition) +
				       json_array_size(json) *
					       sizeof(condition->clauses[0]));
	json_array_foreach((json_t *)json, i, element) {
		json_t *error = parse_clause(&condition->clauses[i], table,
					     element, symbols);

		if (error) {
			ovsdb_condition_destroy(condition);
			return error;
		}
		condition->n++;
	}
	*conditionp = condition;
	return NULL;
}

void ovsdb_condition_destroy(struct ovsdb_condition *condition)
{
	if (!condition)
		return;
	for (size_t i = 0; i < condition->n; i++)
		if (condition->clauses[i].column)
			ovsdb_datum_destroy(
				&condition->clauses[i].arg,
				&condition->clauses[i].column->type);
	free(condition);
}

json_t *ovsdb_condition_to_json(const struct ovsdb_condition *condition)
{
	json_t *json = json_array();

	for (size_t i = 0; i < condition->n; i++) {
		const struct clause *c = &condition->clauses[i];
		json_t *clause;

		if (!c->column) {
			json_array_append_new(
				json, json_boolean(c->function == FN_TRUE));
			continue;
		}
		clause = json_array();
		json_array_append_new(clause, json_string(c->column->name));
		json_array_append_new(clause,
				      json_string(function_names[c->function]));
		json_array_append_new(
			clause, ovsdb_datum_to_json(&c->arg, &c->column->type));
		json_array_append_new(json, clause);
	}
	return json;
}

/* --- evaluating -------------------------------------------------------- */

/* An optional column without a value is neither below nor above anything. */
static bool ordered(const struct clause *c, const struct ovsdb_datum *datum)
{
	int cmp;

	if (!datum->n || !c->arg.n)
		return false;
	cmp = ovsdb_atom_compare(&datum->keys[0], &c->arg.keys[0],
				 c->column->type.key.type);
	switch (c->function) {
	case FN_LT:
		return cmp < 0;
	case FN_LE:
		return cmp <= 0;
	case FN_GE:
		return cmp >= 0;
	default:
		return cmp > 0;
	}
}

static bool clause_holds(const struct clause *c, const struct ovsdb_row *row)
{
	struct ovsdb_datum datum;
	union ovsdb_atom atom;

	if (!c->column)
		return c->function == FN_TRUE;
	datum = ovsdb_column_peek(row, c->column, &atom);
	switch (c->function) {
	case FN_EQ:
		return ovsdb_datum_equals(&datum, &c->arg, &c->column->type);
	case FN_NE:
		return !ovsdb_datum_equals(&datum, &c->arg, &c->column->type);
	case FN_INCLUDES:
		return ovsdb_datum_includes_all(&c->arg, &datum,
						&c->column->type);
	case FN_EXCLUDES:
		return ovsdb_datum_excludes_all(&c->arg, &datum,
						&c->column->type);
	default:
		return ordered(c, &datum);
	}
}

bool ovsdb_condition_all(const struct ovsdb_condition *condition,
			 const struct ovsdb_row *row)
{
	for (size_t i = 0; i < condition->n; i++)
		if (!clause_holds(&condition->clauses[i], row))
			return false;
	return true;
}

bool ovsdb_condition_any(const struct ovsdb_condition *condition,
			 const struct ovsdb_row *row)
{
	for (size_t i = 0; i < condition->n; i++)
		if (clause_holds(&condition->clauses[i], row))
			return true;
	return !condition->n;
}

/* --- finding ----------------------------------------------------------- */

struct found {
	struct ovsdb_row **rows;
	size_t n, allocated;
};

static void try_row(struct found *found,
		    const struct ovsdb_condition *condition,
		    struct ovsdb_row *row)
{
	if (!row || !ovsdb_condition_all(condition, row))
		return;
	if (found->n == found->allocated) {
		found->allocated = found->allocated * 2 + 4;
		found->rows = (struct ovsdb_row **)xrealloc(
			found->rows,
			found->allocated * sizeof(struct ovsdb_row *));
	}
	found->rows[found->n++] = row;
}

static const struct clause *equality(const struct ovsdb_condition *condition,
				     const struct ovsdb_column *column)
{
	for (size_t i = 0; i < condition->n; i++) {
		const struct clause *c = &condition->clauses[i];

		if (c->column != column)
			continue;
		if (c->function == FN_EQ)
			return c;
		/* Of a scalar, "includes" says the same. */
		if (c->function == FN_INCLUDES &&
		    ovsdb_type_is_scalar(&column->type))
			return c;
	}
	return NULL;
}

/* Sets *hash when each of the index's columns has an equality. */
static bool index_applies(const struct ovsdb_condition *condition,
			  const struct ovsdb_index *index, uint32_t *hash)
{
	*hash = 0;
	for (size_t i = 0; i < index->n_columns; i++) {
		const struct clause *c = equality(condition, index->columns[i]);

		if (!c)
			return false;
		*hash = ovsdb_datum_hash(&c->arg, &c->column->type, *hash);
	}
	return true;
}

static bool find_by_index(struct found *found,
			  const struct ovsdb_condition *condition,
			  const struct ovsdb_table *table)
{
	for (size_t i = 0; i < table->schema->n_indexes; i++) {
		struct hmap_node *node;
		uint32_t hash;

		if (!index_applies(condition, &table->schema->indexes[i],
				   &hash))
			continue;
		for (node = hmap_first(&table->indexes[i], hash); node;
		     node = hmap_same(node->next, hash))
			try_row(found, condition,
				CONTAINER_OF(node, struct index_node, node)
					->entry->row);
		return true;
	}
	return false;
}

struct ovsdb_row **ovsdb_condition_find(const struct ovsdb_condition *condition,
					const struct ovsdb_table *table,
					size_t *n)
{
	const struct clause *c = equality(condition, &ovsdb_column_uuid);
	struct found found = { 0 };
	const struct ovsdb_row *row = NULL;

	if (c) {
		struct ovsdb_entry *entry =
			table_find_entry(table, &c->arg.keys[0].uuid);

		if (entry)
			try_row(&found, condition, entry->row);
	} else if (!find_by_index(&found, condition, table)) {
		while ((row = ovsdb_table_next(table, row)))
			try_row(&found, condition, row->entry->row);
	}
	*n = found.n;
	return found.rows;
}
