/* Sets of tuples. */
#include "ovsdb-lite/tuple.h"

#include <stdlib.h>

#include "ovsdb-lite/hmap.h"

struct tuple {
	struct hmap_node node;
	struct ovsdb_datum values[];
};

struct tuple_set {
	const struct ovsdb_columns *columns;
	struct hmap by_value;
	struct tuple **tuples; /* in the order of adding */
	size_t n, allocated;
};

struct tuple_set *tuple_set_create(const struct ovsdb_columns *columns)
{
	struct tuple_set *set = xcalloc(1, sizeof(*set));

	set->columns = columns;
	hmap_init(&set->by_value);
	return set;
}

static void values_destroy(const struct ovsdb_columns *columns,
			   struct ovsdb_datum *values)
{
	for (size_t i = 0; i < columns->n; i++)
		ovsdb_datum_destroy(&values[i], &columns->columns[i]->type);
}

void tuple_set_destroy(struct tuple_set *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->n; i++) {
		values_destroy(set->columns, set->tuples[i]->values);
		free(set->tuples[i]);
	}
	free(set->tuples);
	hmap_destroy(&set->by_value);
	free(set);
}

static uint32_t values_hash(const struct ovsdb_columns *columns,
			    const struct ovsdb_datum *values)
{
	uint32_t hash = 0;

	for (size_t i = 0; i < columns->n; i++)
		hash = ovsdb_datum_hash(&values[i], &columns->columns[i]->type,
					hash);
	return hash;
}

static bool values_equal(const struct ovsdb_columns *columns,
			 const struct ovsdb_datum *a,
			 const struct ovsdb_datum *b)
{
	for (size_t i = 0; i < columns->n; i++)
		if (!ovsdb_datum_equals(&a[i], &b[i],
					&columns->columns[i]->type))
			return false;
	return true;
}

static bool has(const struct tuple_set *set, const struct ovsdb_datum *values,
		uint32_t hash)
{
	struct hmap_node *node;

	for (node = hmap_first(&set->by_value, hash); node;
	     node = hmap_same(node->next, hash))
		if (values_equal(
			    set->columns, values,
			    CONTAINER_OF(node, struct tuple, node)->values))
			return true;
	return false;
}

void tuple_set_add(struct tuple_set *set, struct ovsdb_datum *values)
{
	size_t n = set->columns->n;
	uint32_t hash = values_hash(set->columns, values);
	struct tuple *tuple;

	if (has(set, values, hash)) {
		values_destroy(set->columns, values);
		return;
	}
	if (set->n == set->allocated) {
		set->allocated = set->allocated * 2 + 8;
		set->tuples = xrealloc(set->tuples,
				       set->allocated * sizeof(struct tuple *));
	}
	tuple = xmalloc(sizeof(*tuple) + n * sizeof(tuple->values[0]));
	for (size_t i = 0; i < n; i++)
		tuple->values[i] = values[i];
	set->tuples[set->n++] = tuple;
	hmap_insert(&set->by_value, &tuple->node, hash);
}

void tuple_set_add_row(struct tuple_set *set, const struct ovsdb_row *row)
{
	size_t n = set->columns->n;
	struct ovsdb_datum *values = xcalloc(n, sizeof(*values));

	for (size_t i = 0; i < n; i++)
		ovsdb_column_get(&values[i], row, set->columns->columns[i]);
	tuple_set_add(set, values);
	free(values);
}

bool tuple_set_equals(const struct tuple_set *a, const struct tuple_set *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!has(b, a->tuples[i]->values, a->tuples[i]->node.hash))
			return false;
	return true;
}

/* --- sorting ----------------------------------------------------------- */

struct order {
	const struct tuple_set *set;
	const struct ovsdb_columns *by;
};

static int compare_tuples(const void *a_, const void *b_, void *order_)
{
	const struct tuple *a = *(struct tuple *const *)a_;
	const struct tuple *b = *(struct tuple *const *)b_;
	const struct order *order = order_;
	const struct ovsdb_columns *columns = order->set->columns;

	for (size_t i = 0; i < order->by->n; i++) {
		for (size_t j = 0; j < columns->n; j++) {
			const struct ovsdb_column *c = columns->columns[j];
			int cmp;

			if (c != order->by->columns[i])
				continue;
			cmp = ovsdb_datum_compare(&a->values[j], &b->values[j],
						  &c->type);
			if (cmp)
				return cmp;
		}
	}
	return 0;
}

void tuple_set_sort(struct tuple_set *set, const struct ovsdb_columns *by)
{
	struct order order = { set, by };

	if (set->n)
		qsort_r(set->tuples, set->n, sizeof(*set->tuples),
			compare_tuples, &order);
}

json_t *tuple_set_to_json(const struct tuple_set *set)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < set->n; i++) {
		json_t *row = json_object();

		for (size_t j = 0; j < set->columns->n; j++) {
			const struct ovsdb_column *c = set->columns->columns[j];

			json_object_set_new_nocheck(
				row, c->name,
				ovsdb_datum_to_json(&set->tuples[i]->values[j],
						    &c->type));
		}
		json_array_append_new(rows, row);
	}
	return rows;
}
