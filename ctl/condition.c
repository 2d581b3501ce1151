/*
 * Conditions. The plain operators order two values as sets: fewer elements come
 * first, then the first element that differs decides. The operators in braces
 * compare them as sets: subset, superset.
 */
#include "ctl/condition.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum relation {
	REL_EQ,
	REL_NE,
	REL_LT,
	REL_GT,
	REL_LE,
	REL_GE,
	REL_SET_EQ,
	REL_SET_NE,
	REL_SUBSET,
	REL_PROPER_SUBSET,
	REL_SUPERSET,
	REL_PROPER_SUPERSET,
	REL_DISJOINT
};

/* Longer ones first: "<=" begins with "<". */
static const char *const operators[] = { "{not-in}", "{in}", "{<=}", "{>=}",
					 "{!=}",     "{=}",  "{<}",  "{>}",
					 "!=",	     "<=",   ">=",   "=",
					 "<",	     ">",    NULL };
static const enum relation relations[] = { REL_DISJOINT,
					   REL_SUBSET,
					   REL_SUBSET,
					   REL_SUPERSET,
					   REL_SET_NE,
					   REL_SET_EQ,
					   REL_PROPER_SUBSET,
					   REL_PROPER_SUPERSET,
					   REL_NE,
					   REL_LE,
					   REL_GE,
					   REL_EQ,
					   REL_LT,
					   REL_GT };
_Static_assert(ARRAY_SIZE(operators) == ARRAY_SIZE(relations) + 1,
	       "each operator has its relation");

struct condition {
	const struct ovsdb_column *column;
	enum relation relation;
	bool has_key;
	union ovsdb_atom key;
	struct ovsdb_type type; /* of value; borrows the column's parts */
	struct ovsdb_datum value;
};

static enum relation relation_of(const char *operator)
{
	size_t i = 0;

	while (strcmp(operators[i], operator))
		i++;
	return relations[i];
}

static bool on_sets(enum relation relation)
{
	return relation >= REL_SET_EQ;
}

struct condition *condition_parse(struct ctl *ctl,
				  const struct ovsdb_table_schema *table,
				  const char *argument)
{
	struct condition *c = xcalloc(1, sizeof(*c));
	struct record_argument parts;

	record_split(table, argument, operators, true, &parts);
	c->column = parts.column;
	c->relation = relation_of(parts.operator);
	c->type = c->column->type;
	if (parts.key) {
		if (!ovsdb_type_is_map(&c->type))
			ctl_fatal("cannot specify key to search for non-map "
				  "column %s",
				  c->column->name);
		c->has_key = true;
		record_parse_atom(ctl, &c->key, &c->type.key, c->column,
				  parts.key);
		c->type.key = c->type.value;
		c->type.min = c->type.max = 1;
		memset(&c->type.value, 0, sizeof(c->type.value));
		c->type.value.type = OVSDB_TYPE_VOID;
	}
	if (on_sets(c->relation)) {
		c->type.min = 0;
		c->type.max = UINT_MAX;
	}
	record_parse(ctl, &c->value, &c->type, c->column, parts.value);
	free(parts.key);
	return c;
}

void condition_destroy(struct condition *c)
{
	if (c->has_key)
		ovsdb_atom_destroy(&c->key, c->column->type.key.type);
	ovsdb_datum_destroy(&c->value, &c->type);
	free(c);
}

const struct ovsdb_column *condition_column(const struct condition *c)
{
	return c->column;
}

static int compare(const struct ovsdb_datum *a, const struct ovsdb_datum *b,
		   const struct ovsdb_type *type)
{
	int order;

	if (a->n != b->n)
		return a->n < b->n ? -1 : 1;
	for (unsigned int i = 0; i < a->n; i++) {
		order = ovsdb_atom_compare(&a->keys[i], &b->keys[i],
					   type->key.type);
		if (order)
			return order;
	}
	for (unsigned int i = 0; ovsdb_type_is_map(type) && i < a->n; i++) {
		order = ovsdb_atom_compare(&a->values[i], &b->values[i],
					   type->value.type);
		if (order)
			return order;
	}
	return 0;
}

static bool relation_holds(enum relation relation, const struct ovsdb_datum *a,
			   const struct ovsdb_datum *b,
			   const struct ovsdb_type *type)
{
	switch (relation) {
	case REL_EQ:
	case REL_SET_EQ:
		return !compare(a, b, type);
	case REL_NE:
	case REL_SET_NE:
		return compare(a, b, type);
	case REL_LT:
		return compare(a, b, type) < 0;
	case REL_GT:
		return compare(a, b, type) > 0;
	case REL_LE:
		return compare(a, b, type) <= 0;
	case REL_GE:
		return compare(a, b, type) >= 0;
	case REL_SUBSET:
		return ovsdb_datum_includes_all(a, b, type);
	case REL_PROPER_SUBSET:
		return a->n < b->n && ovsdb_datum_includes_all(a, b, type);
	case REL_SUPERSET:
		return ovsdb_datum_includes_all(b, a, type);
	case REL_PROPER_SUPERSET:
		return a->n > b->n && ovsdb_datum_includes_all(b, a, type);
	case REL_DISJOINT:
		return ovsdb_datum_excludes_all(a, b, type);
	}
	return false;
}

bool condition_holds(const struct condition *c, struct view_row *row)
{
	const struct ovsdb_type *type = &c->column->type;
	struct ovsdb_datum datum, value;
	bool holds;
	int at;

	record_datum(row, c->column, &datum);
	if (c->has_key) {
		at = ovsdb_datum_find_key(&datum, &c->key, type->key.type);
		ovsdb_datum_init_empty(&value);
		if (at >= 0)
			ovsdb_datum_insert(&value, &datum.values[at], NULL,
					   false, &c->type);
		/* Without the key only the set operators have an answer. */
		holds = (at >= 0 || on_sets(c->relation)) &&
			relation_holds(c->relation, &value, &c->value,
				       &c->type);
		ovsdb_datum_destroy(&value, &c->type);
	} else {
		holds = relation_holds(c->relation, &datum, &c->value, type);
	}
	ovsdb_datum_destroy(&datum, type);
	return holds;
}
