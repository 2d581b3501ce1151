/*
 * Datums as sets: union, difference, and the differences that updates and
 * journals are made of. All of them walk two sorted arrays side by side.
 */
#include "ovsdb-lite/datum.h"

#include <stdlib.h>

#include "ovsdb-lite/datum_private.h"

void datum_builder_init(struct datum_builder *builder, unsigned int capacity,
			const struct ovsdb_type *type)
{
	*builder = (struct datum_builder){ .type = type };
	if (!capacity)
		return;
	builder->keys = atoms_alloc(capacity);
	if (ovsdb_type_is_map(type))
		builder->values = atoms_alloc(capacity);
}

void datum_builder_add(struct datum_builder *builder,
		       const struct ovsdb_datum *src, unsigned int i)
{
	ovsdb_atom_clone(&builder->keys[builder->n], &src->keys[i],
			 builder->type->key.type);
	if (builder->values)
		ovsdb_atom_clone(&builder->values[builder->n], &src->values[i],
				 builder->type->value.type);
	builder->n++;
}

void datum_builder_finish(struct datum_builder *builder,
			  struct ovsdb_datum *datum)
{
	ovsdb_datum_destroy(datum, builder->type);
	if (!builder->n) {
		atoms_put(builder->keys, 0, builder->type->key.type);
		atoms_put(builder->values, 0, builder->type->value.type);
		return;
	}
	*datum = (struct ovsdb_datum){ builder->n, builder->keys,
				       builder->values };
}

/*
 * How a's element i and b's element j stand to each other: negative when i
 * comes first or b has ended, positive when j does, 0 when the keys are equal.
 */
static int compare_at(const struct ovsdb_datum *a, unsigned int i,
		      const struct ovsdb_datum *b, unsigned int j,
		      enum ovsdb_atomic_type type)
{
	if (i >= a->n)
		return 1;
	if (j >= b->n)
		return -1;
	return ovsdb_atom_compare(&a->keys[i], &b->keys[j], type);
}

static bool values_equal(const struct ovsdb_datum *a, unsigned int i,
			 const struct ovsdb_datum *b, unsigned int j,
			 const struct ovsdb_type *type)
{
	return !ovsdb_type_is_map(type) ||
	       ovsdb_atom_equals(&a->values[i], &b->values[j],
				 type->value.type);
}

void ovsdb_datum_union(struct ovsdb_datum *a, const struct ovsdb_datum *b,
		       const struct ovsdb_type *type, bool replace)
{
	struct datum_builder builder;
	unsigned int i = 0, j = 0;

	if (!b->n)
		return;
	if (b->n == 1) {
		ovsdb_datum_insert(a, &b->keys[0],
				   b->values ? &b->values[0] : NULL, replace,
				   type);
		return;
	}
	datum_builder_init(&builder, a->n + b->n, type);
	while (i < a->n || j < b->n) {
		int cmp = compare_at(a, i, b, j, type->key.type);

		if (cmp > 0 || (!cmp && replace))
			datum_builder_add(&builder, b, j);
		else
			datum_builder_add(&builder, a, i);
		i += cmp <= 0;
		j += cmp >= 0;
	}
	datum_builder_finish(&builder, a);
}

void ovsdb_datum_subtract(struct ovsdb_datum *a, const struct ovsdb_type *type,
			  const struct ovsdb_datum *b,
			  const struct ovsdb_type *b_type)
{
	struct datum_builder builder;
	unsigned int i = 0, j = 0;

	if (!a->n || !b->n)
		return;
	if (b->n == 1) {
		int at = ovsdb_datum_find_key(a, &b->keys[0], type->key.type);

		if (at >= 0 && values_equal(a, (unsigned int)at, b, 0, b_type))
			ovsdb_datum_remove_at(a, (unsigned int)at, type);
		return;
	}
	datum_builder_init(&builder, a->n, type);
	while (i < a->n) {
		int cmp = compare_at(a, i, b, j, type->key.type);

		if (cmp < 0 || (!cmp && !values_equal(a, i, b, j, b_type)))
			datum_builder_add(&builder, a, i);
		i += cmp <= 0;
		j += cmp >= 0;
	}
	datum_builder_finish(&builder, a);
}

bool ovsdb_datum_diff(struct ovsdb_datum *diff, const struct ovsdb_datum *a,
		      const struct ovsdb_datum *b,
		      const struct ovsdb_type *type)
{
	struct datum_builder builder;
	unsigned int i = 0, j = 0;

	ovsdb_datum_init_empty(diff);
	if (ovsdb_datum_equals(a, b, type))
		return false;
	if (type->max == 1) {
		ovsdb_datum_clone(diff, b);
		return true;
	}
	datum_builder_init(&builder, a->n + b->n, type);
	while (i < a->n || j < b->n) {
		int cmp = compare_at(a, i, b, j, type->key.type);

		if (cmp < 0)
			datum_builder_add(&builder, a, i);
		else if (cmp > 0 || !values_equal(a, i, b, j, type))
			datum_builder_add(&builder, b, j);
		i += cmp <= 0;
		j += cmp >= 0;
	}
	datum_builder_finish(&builder, diff);
	return true;
}

static json_t *check_count(unsigned int n, const struct ovsdb_type *type)
{
	if (n >= type->min && n <= type->max)
		return NULL;
	return ovsdb_error("constraint violation",
			   "the difference leaves %u elements, not %u to %u", n,
			   type->min, type->max);
}

/* A difference of one element, applied in place. */
static json_t *apply_one(struct ovsdb_datum *a, const struct ovsdb_datum *diff,
			 const struct ovsdb_type *type)
{
	int at = ovsdb_datum_find_key(a, &diff->keys[0], type->key.type);
	bool remove =
		at >= 0 && values_equal(a, (unsigned int)at, diff, 0, type);
	json_t *error;

	error = check_count(remove ? a->n - 1 : a->n + (at < 0), type);
	if (error)
		return error;
	if (remove)
		ovsdb_datum_remove_at(a, (unsigned int)at, type);
	else
		ovsdb_datum_insert(a, &diff->keys[0],
				   diff->values ? &diff->values[0] : NULL, true,
				   type);
	return NULL;
}

json_t *ovsdb_datum_apply_diff(struct ovsdb_datum *a,
			       const struct ovsdb_datum *diff,
			       const struct ovsdb_type *type)
{
	struct datum_builder builder;
	struct ovsdb_datum result = { 0 };
	unsigned int i = 0, j = 0;
	json_t *error;

	if (type->max == 1) {
		error = check_count(diff->n, type);
		if (error)
			return error;
		ovsdb_datum_clone(&result, diff);
		ovsdb_datum_swap(a, &result);
		ovsdb_datum_destroy(&result, type);
		return NULL;
	}
	if (diff->n == 1)
		return apply_one(a, diff, type);
	datum_builder_init(&builder, a->n + diff->n, type);
	while (i < a->n || j < diff->n) {
		int cmp = compare_at(a, i, diff, j, type->key.type);

		if (cmp < 0)
			datum_builder_add(&builder, a, i);
		else if (cmp > 0 || !values_equal(a, i, diff, j, type))
			datum_builder_add(&builder, diff, j);
		i += cmp <= 0;
		j += cmp >= 0;
	}
	datum_builder_finish(&builder, &result);
	error = check_count(result.n, type);
	if (!error)
		ovsdb_datum_swap(a, &result);
	ovsdb_datum_destroy(&result, type);
	return error;
}
