/* Datums from and to JSON (RFC 7047 section 5.1, <value>). */
#include "ovsdb-lite/datum.h"

#include <stdlib.h>
#include <string.h>

#include "ovsdb-lite/datum_private.h"

struct pair {
	union ovsdb_atom key, value;
};

static int compare_pairs(const void *a, const void *b, void *type)
{
	return ovsdb_atom_compare(&((const struct pair *)a)->key,
				  &((const struct pair *)b)->key,
				  *(const enum ovsdb_atomic_type *)type);
}

static int compare_keys(const void *a, const void *b, void *type)
{
	return ovsdb_atom_compare(a, b, *(const enum ovsdb_atomic_type *)type);
}

static void sort_pairs(union ovsdb_atom *keys, union ovsdb_atom *values,
		       unsigned int n, enum ovsdb_atomic_type type)
{
	struct pair *pairs = xmalloc(n * sizeof(*pairs));

	for (unsigned int i = 0; i < n; i++)
		pairs[i] = (struct pair){ keys[i], values[i] };
	qsort_r(pairs, n, sizeof(*pairs), compare_pairs, &type);
	for (unsigned int i = 0; i < n; i++) {
		keys[i] = pairs[i].key;
		values[i] = pairs[i].value;
	}
	free(pairs);
}

/* The first i with keys[i] not above keys[i - 1], or n. */
static unsigned int first_disorder(const struct ovsdb_datum *datum,
				   enum ovsdb_atomic_type type)
{
	unsigned int i;

	for (i = 1; i < datum->n; i++)
		if (ovsdb_atom_compare(&datum->keys[i - 1], &datum->keys[i],
				       type) >= 0)
			break;
	return MIN(i, datum->n);
}

bool datum_sort(struct ovsdb_datum *datum, const struct ovsdb_type *type)
{
	enum ovsdb_atomic_type key_type = type->key.type;
	union ovsdb_atom *keys = (union ovsdb_atom *)datum->keys;

	if (first_disorder(datum, key_type) >= datum->n)
		return true;
	if (ovsdb_type_is_map(type))
		sort_pairs(keys, (union ovsdb_atom *)datum->values, datum->n,
			   key_type);
	else
		qsort_r(keys, datum->n, sizeof(*keys), compare_keys, &key_type);
	return first_disorder(datum, key_type) >= datum->n;
}

static json_t *check_count(size_t n, const struct ovsdb_type *type,
			   const json_t *json)
{
	const char *kind = ovsdb_type_is_map(type) ? "map" : "set";

	if (n >= type->min && n <= type->max)
		return NULL;
	if (type->max == UINT_MAX)
		return ovsdb_syntax_error(json, NULL,
					  "a %s of %u or more is needed, this "
					  "one has %zu elements",
					  kind, type->min, n);
	return ovsdb_syntax_error(
		json, NULL,
		"a %s of %u to %u is needed, this one has %zu "
		"elements",
		kind, type->min, type->max, n);
}

static json_t *add_element(struct datum_builder *builder,
			   const struct ovsdb_type *type, const json_t *json,
			   struct ovsdb_symbols *symbols)
{
	union ovsdb_atom *key = &builder->keys[builder->n];
	json_t *error;

	if (!ovsdb_type_is_map(type)) {
		error = ovsdb_atom_from_json(key, &type->key, json, symbols);
		builder->n += !error;
		return error;
	}
	if (json_array_size(json) != 2)
		return ovsdb_syntax_error(json, NULL,
					  "[<key>, <value>] is needed");
	error = ovsdb_atom_from_json(key, &type->key, json_array_get(json, 0),
				     symbols);
	if (error)
		return error;
	error = ovsdb_atom_from_json(&builder->values[builder->n], &type->value,
				     json_array_get(json, 1), symbols);
	if (error)
		ovsdb_atom_destroy(key, type->key.type);
	builder->n += !error;
	return error;
}

static json_t *build(struct datum_builder *builder,
		     const struct ovsdb_type *type, const json_t *json,
		     const json_t *elements, struct ovsdb_symbols *symbols)
{
	json_t *element, *error;
	size_t i;

	if (!elements)
		return add_element(builder, type, json, symbols);
	json_array_foreach((json_t *)elements, i, element) {
		error = add_element(builder, type, element, symbols);
		if (error)
			return error;
	}
	return NULL;
}

/*
 * Finds the elements of ["set", [...]] or ["map", [...]]: NULL for a bare atom.
 */
static json_t *find_elements(const json_t **elements,
			     const struct ovsdb_type *type, const json_t *json)
{
	const char *kind = json_string_value(json_array_get(json, 0));
	bool map = ovsdb_type_is_map(type);

	*elements = NULL;
	if (!map && (!kind || strcmp(kind, "set")))
		return NULL;
	*elements = json_array_get(json, 1);
	if (json_array_size(json) != 2 || !kind ||
	    strcmp(kind, map ? "map" : "set") || !json_is_array(*elements))
		return ovsdb_syntax_error(json, NULL,
					  "[\"%s\", [...]] is needed",
					  map ? "map" : "set");
	if (json_array_size(*elements) >= UINT_MAX / 2)
		return ovsdb_syntax_error(NULL, NULL, "too many elements");
	return NULL;
}

json_t *ovsdb_datum_from_json(struct ovsdb_datum *datum,
			      const struct ovsdb_type *type, const json_t *json,
			      struct ovsdb_symbols *symbols)
{
	struct datum_builder builder;
	const json_t *elements;
	json_t *error;
	size_t n;

	ovsdb_datum_init_empty(datum);
	error = find_elements(&elements, type, json);
	n = elements ? json_array_size(elements) : 1;
	if (!error)
		error = check_count(n, type, json);
	if (error)
		return error;
	datum_builder_init(&builder, (unsigned int)n, type);
	error = build(&builder, type, json, elements, symbols);
	datum_builder_finish(&builder, datum);
	if (!error && !datum_sort(datum, type))
		error = ovsdb_error("ovsdb error",
				    ovsdb_type_is_map(type)
					    ? "a map has a key twice"
					    : "a set has an element twice");
	if (error)
		ovsdb_datum_destroy(datum, type);
	return error;
}

json_t *ovsdb_datum_diff_from_json(struct ovsdb_datum *datum,
				   const struct ovsdb_type *type,
				   const json_t *json)
{
	struct ovsdb_type free_type;

	ovsdb_base_type_init(&free_type.key, type->key.type);
	ovsdb_base_type_init(&free_type.value, type->value.type);
	free_type.min = 0;
	free_type.max = UINT_MAX;
	return ovsdb_datum_from_json(datum, &free_type, json, NULL);
}

static json_t *atom_to_json(const union ovsdb_atom *atom,
			    enum ovsdb_atomic_type type,
			    const struct ovsdb_symbols *symbols)
{
	if (symbols && type == OVSDB_TYPE_UUID) {
		struct ovsdb_symbol *symbol;

		for (size_t i = 0; (symbol = ovsdb_symbols_at(symbols, i)); i++)
			if (uuid_equals(&symbol->uuid, &atom->uuid))
				return json_pack("[ss]", "named-uuid",
						 symbol->name);
	}
	return ovsdb_atom_to_json(atom, type);
}

static json_t *element_to_json(const struct ovsdb_datum *datum, unsigned int i,
			       const struct ovsdb_type *type,
			       const struct ovsdb_symbols *symbols)
{
	json_t *key = atom_to_json(&datum->keys[i], type->key.type, symbols);
	json_t *pair;

	if (!ovsdb_type_is_map(type))
		return key;
	pair = json_array();
	json_array_append_new(pair, key);
	json_array_append_new(pair, atom_to_json(&datum->values[i],
						 type->value.type, symbols));
	return pair;
}

json_t *ovsdb_datum_to_json_named(const struct ovsdb_datum *datum,
				  const struct ovsdb_type *type,
				  const struct ovsdb_symbols *symbols)
{
	bool map = ovsdb_type_is_map(type);
	json_t *elements, *json;

	if (datum->n == 1 && !map)
		return atom_to_json(&datum->keys[0], type->key.type, symbols);
	elements = json_array();
	for (unsigned int i = 0; i < datum->n; i++)
		json_array_append_new(elements,
				      element_to_json(datum, i, type, symbols));
	json = json_array();
	json_array_append_new(json, json_string_nocheck(map ? "map" : "set"));
	json_array_append_new(json, elements);
	return json;
}

json_t *ovsdb_datum_to_json(const struct ovsdb_datum *datum,
			    const struct ovsdb_type *type)
{
	return ovsdb_datum_to_json_named(datum, type, NULL);
}

static json_t *check_atoms(const union ovsdb_atom *atoms, unsigned int n,
			   const struct ovsdb_base_type *base)
{
	for (unsigned int i = 0; i < n; i++) {
		json_t *error = ovsdb_atom_check(&atoms[i], base);

		if (error)
			return error;
	}
	return NULL;
}

json_t *ovsdb_datum_check(const struct ovsdb_datum *datum,
			  const struct ovsdb_type *type)
{
	json_t *error;

	if (datum->n < type->min || datum->n > type->max)
		return ovsdb_error("constraint violation",
				   "%u elements where %u to %u are allowed",
				   datum->n, type->min, type->max);
	error = check_atoms(datum->keys, datum->n, &type->key);
	if (!error && ovsdb_type_is_map(type))
		error = check_atoms(datum->values, datum->n, &type->value);
	return error;
}
