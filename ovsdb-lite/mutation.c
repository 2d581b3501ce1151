/* Mutations: parsing and applying. */
#include "ovsdb-lite/mutation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ovsdb-lite/column.h"
#include "ovsdb-lite/datum_private.h"

enum mutator { M_ADD, M_SUB, M_MUL, M_DIV, M_MOD, M_INSERT, M_DELETE };

static const char *const mutator_names[] = {
	[M_ADD] = "+=",	       [M_SUB] = "-=", [M_MUL] = "*=",
	[M_DIV] = "/=",	       [M_MOD] = "%=", [M_INSERT] = "insert",
	[M_DELETE] = "delete",
};

struct mutation {
	enum mutator mutator;
	const struct ovsdb_column *column;
	struct ovsdb_type type; /* of arg; a shallow copy of the column's */
	struct ovsdb_datum arg;
};

struct ovsdb_mutations {
	size_t n;
	struct mutation mutations[];
};

/* --- parsing ----------------------------------------------------------- */

static json_t *mismatch(const struct mutation *m, const json_t *json)
{
	return ovsdb_syntax_error(json, NULL,
				  "\"%s\" does not apply to column %s of this "
				  "type",
				  mutator_names[m->mutator], m->column->name);
}

static json_t *parse_number(struct mutation *m, const json_t *json)
{
	enum ovsdb_atomic_type type = m->type.key.type;

	if (ovsdb_type_is_map(&m->type) ||
	    (type != OVSDB_TYPE_INTEGER && type != OVSDB_TYPE_REAL) ||
	    (type == OVSDB_TYPE_REAL && m->mutator == M_MOD))
		return mismatch(m, json);
	/* The result is checked against the column's range, not this. */
	ovsdb_type_init_scalar(&m->type, type);
	return ovsdb_datum_from_json(&m->arg, &m->type, json_array_get(json, 2),
				     NULL);
}

static json_t *parse_elements(struct mutation *m, const json_t *json,
			      struct ovsdb_symbols *symbols)
{
	const json_t *value = json_array_get(json, 2);
	json_t *error;

	if (ovsdb_type_is_scalar(&m->type))
		return mismatch(m, json);
	m->type.min = 0;
	if (m->mutator == M_DELETE)
		m->type.max = UINT_MAX;
	error = ovsdb_datum_from_json(&m->arg, &m->type, value, symbols);
	if (error && m->mutator == M_DELETE && ovsdb_type_is_map(&m->type)) {
		/* Not pairs, then perhaps keys alone. */
		json_decref(error);
		ovsdb_base_type_init(&m->type.value, OVSDB_TYPE_VOID);
		error = ovsdb_datum_from_json(&m->arg, &m->type, value,
					      symbols);
	}
	return error;
}

static json_t *parse_mutation(struct mutation *m,
			      const struct ovsdb_table_schema *table,
			      const json_t *json, struct ovsdb_symbols *symbols)
{
	const char *column = json_string_value(json_array_get(json, 0));
	const char *mutator = json_string_value(json_array_get(json, 1));

	if (json_array_size(json) != 3 || !column || !mutator)
		return ovsdb_syntax_error(
			json, NULL, "[<column>, <mutator>, <value>] is needed");
	m->column = ovsdb_column_find(table, column);
	if (!m->column)
		return ovsdb_syntax_error(json, "unknown column",
					  "table %s has no column %s",
					  table->name, column);
	if (!m->column->is_mutable)
		return ovsdb_syntax_error(json, "constraint violation",
					  "column %s of table %s is immutable",
					  column, table->name);
	m->type = m->column->type;
	for (int i = M_ADD; i <= M_DELETE; i++) {
		if (!strcmp(mutator, mutator_names[i])) {
			m->mutator = (enum mutator)i;
			return i < M_INSERT ? parse_number(m, json)
					    : parse_elements(m, json, symbols);
		}
	}
	return ovsdb_error("unknown mutator", "there is no mutator %s",
			   mutator);
}

json_t *ovsdb_mutations_from_json(struct ovsdb_mutations **mutationsp,
				  const struct ovsdb_table_schema *table,
				  const json_t *json,
				  struct ovsdb_symbols *symbols)
{
	struct ovsdb_mutations *mutations;
	json_t *element;
	size_t i;

	*mutationsp = NULL;
	mutations = xcalloc(1, sizeof(*mutations) +
				       json_array_size(json) *
					       sizeof(struct mutation));
	json_array_foreach((json_t *)json, i, element) {
		json_t *error = parse_mutation(&mutations->mutations[i], table,
					       element, symbols);

		if (error) {
			ovsdb_mutations_destroy(mutations);
			return error;
		}
		mutations->n++;
	}
	*mutationsp = mutations;
	return NULL;
}

void ovsdb_mutations_destroy(struct ovsdb_mutations *mutations)
{
	if (!mutations)
		return;
	for (size_t i = 0; i < mutations->n; i++)
		ovsdb_datum_destroy(&mutations->mutations[i].arg,
				    &mutations->mutations[i].type);
	free(mutations);
}

/* --- arithmetic -------------------------------------------------------- */

static json_t *out_of_range(enum mutator mutator)
{
	return ovsdb_error("range error",
			   "the result of \"%s\" is out of range",
			   mutator_names[mutator]);
}

static json_t *integer_arithmetic(int64_t *x, int64_t y, enum mutator mutator)
{
	bool overflow = false;

	switch (mutator) {
	case M_ADD:
		overflow = __builtin_add_overflow(*x, y, x);
		break;
	case M_SUB:
		overflow = __builtin_sub_overflow(*x, y, x);
		break;
	case M_MUL:
		overflow = __builtin_mul_overflow(*x, y, x);
		break;
	default:
		if (!y)
			return ovsdb_error("domain error", "division by zero");
		/* The one quotient that does not fit; its remainder is 0. */
		if (*x == INT64_MIN && y == -1) {
			overflow = mutator == M_DIV;
			*x = 0;
		} else {
			*x = mutator == M_DIV ? *x / y : *x % y;
		}
		break;
	}
	return overflow ? out_of_range(mutator) : NULL;
}

static json_t *real_arithmetic(double *x, double y, enum mutator mutator)
{
	switch (mutator) {
	case M_ADD:
		*x += y;
		break;
	case M_SUB:
		*x -= y;
		break;
	case M_MUL:
		*x *= y;
		break;
	default:
		if (y == 0)
			return ovsdb_error("domain error", "division by zero");
		*x /= y;
		break;
	}
	return isfinite(*x) ? NULL : out_of_range(mutator);
}

static json_t *apply_number(const struct mutation *m, struct ovsdb_datum *datum)
{
	const struct ovsdb_type *type = &m->column->type;
	union ovsdb_atom *keys;

	if (!datum->n)
		return NULL;
	keys = datum_own_keys(datum, datum->n, type);
	for (unsigned int i = 0; i < datum->n; i++) {
		json_t *error;

		if (type->key.type == OVSDB_TYPE_INTEGER)
			error = integer_arithmetic(&keys[i].integer,
						   m->arg.keys[0].integer,
						   m->mutator);
		else
			error = real_arithmetic(
				&keys[i].real, m->arg.keys[0].real, m->mutator);
		if (!error)
			error = ovsdb_atom_check(&keys[i], &type->key);
		if (error)
			return error;
	}
	if (datum_sort(datum, type))
		return NULL;
	return ovsdb_error("constraint violation",
			   "the result of \"%s\" has an element twice",
			   mutator_names[m->mutator]);
}

/* --- applying ---------------------------------------------------------- */

static json_t *apply(const struct mutation *m, struct ovsdb_datum *datum)
{
	const struct ovsdb_type *type = &m->column->type;

	if (m->mutator < M_INSERT)
		return apply_number(m, datum);
	if (m->mutator == M_INSERT)
		ovsdb_datum_union(datum, &m->arg, type, false);
	else
		ovsdb_datum_subtract(datum, type, &m->arg, &m->type);
	if (datum->n >= type->min && datum->n <= type->max)
		return NULL;
	return ovsdb_error("constraint violation",
			   "column %s would have %u elements, not %u to %u",
			   m->column->name, datum->n, type->min, type->max);
}

json_t *ovsdb_mutations_apply(const struct ovsdb_mutations *mutations,
			      struct ovsdb_datum *columns)
{
	for (size_t i = 0; i < mutations->n; i++) {
		const struct mutation *m = &mutations->mutations[i];
		json_t *error = apply(m, &columns[m->column->index]);

		if (error)
			return error;
	}
	return NULL;
}
