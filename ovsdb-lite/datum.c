/*
 * Datums: their shared arrays, comparing, finding, and changing one element.
 *
 * An array of atoms has its count of users in front of it. Who is about to
 * change a datum makes sure first, by own(), that it is the array's only user.
 */
#include "ovsdb-lite/datum.h"

#include <stdlib.h>
#include <string.h>

#include "ovsdb-lite/datum_private.h"
#include "ovsdb-lite/hash.h"

void ovsdb_datum_init_empty(struct ovsdb_datum *datum)
{
	*datum = (struct ovsdb_datum){ 0 };
}

void ovsdb_datum_init_default(struct ovsdb_datum *datum,
			      const struct ovsdb_type *type)
{
	union ovsdb_atom *keys, *values = NULL;

	ovsdb_datum_init_empty(datum);
	if (!type->min)
		return;
	keys = atoms_alloc(1);
	ovsdb_atom_init_default(&keys[0], type->key.type);
	if (ovsdb_type_is_map(type)) {
		values = atoms_alloc(1);
		ovsdb_atom_init_default(&values[0], type->value.type);
	}
	*datum = (struct ovsdb_datum){ 1, keys, values };
}

union ovsdb_atom *atoms_alloc(unsigned int capacity)
{
	struct atoms *block;

	block = xmalloc(sizeof(*block) +
			(size_t)capacity * sizeof(union ovsdb_atom));
	block->references = 1;
	block->capacity = capacity;
	return block->atoms;
}

static void atoms_get(const union ovsdb_atom *atoms)
{
	if (atoms)
		atoms_block(atoms)->references++;
}

void atoms_put(const union ovsdb_atom *atoms, unsigned int n,
	       enum ovsdb_atomic_type type)
{
	struct atoms *block;

	if (!atoms)
		return;
	block = atoms_block(atoms);
	if (--block->references)
		return;
	if (type == OVSDB_TYPE_STRING)
		for (unsigned int i = 0; i < n; i++)
			ovsdb_atom_destroy(&block->atoms[i], type);
	free(block);
}

void ovsdb_datum_clone(struct ovsdb_datum *dst, const struct ovsdb_datum *src)
{
	*dst = *src;
	atoms_get(dst->keys);
	atoms_get(dst->values);
}

void ovsdb_datum_destroy(struct ovsdb_datum *datum,
			 const struct ovsdb_type *type)
{
	atoms_put(datum->keys, datum->n, type->key.type);
	atoms_put(datum->values, datum->n, type->value.type);
	ovsdb_datum_init_empty(datum);
}

void ovsdb_datum_swap(struct ovsdb_datum *a, struct ovsdb_datum *b)
{
	struct ovsdb_datum tmp = *a;

	*a = *b;
	*b = tmp;
}

/* --- comparing and finding --------------------------------------------- */

static int compare_atoms(const union ovsdb_atom *a, const union ovsdb_atom *b,
			 unsigned int n, enum ovsdb_atomic_type type)
{
	if (a == b)
		return 0;
	for (unsigned int i = 0; i < n; i++) {
		int cmp = ovsdb_atom_compare(&a[i], &b[i], type);

		if (cmp)
			return cmp;
	}
	return 0;
}

int ovsdb_datum_compare(const struct ovsdb_datum *a,
			const struct ovsdb_datum *b,
			const struct ovsdb_type *type)
{
	int cmp;

	if (a->n != b->n)
		return a->n < b->n ? -1 : 1;
	cmp = compare_atoms(a->keys, b->keys, a->n, type->key.type);
	if (!cmp && ovsdb_type_is_map(type))
		cmp = compare_atoms(a->values, b->values, a->n,
				    type->value.type);
	return cmp;
}

bool ovsdb_datum_equals(const struct ovsdb_datum *a,
			const struct ovsdb_datum *b,
			const struct ovsdb_type *type)
{
	return !ovsdb_datum_compare(a, b, type);
}

uint32_t ovsdb_datum_hash(const struct ovsdb_datum *datum,
			  const struct ovsdb_type *type, uint32_t basis)
{
	basis = hash_add(basis, datum->n);
	for (unsigned int i = 0; i < datum->n; i++) {
		basis = ovsdb_atom_hash(&datum->keys[i], type->key.type, basis);
		if (ovsdb_type_is_map(type))
			basis = ovsdb_atom_hash(&datum->values[i],
						type->value.type, basis);
	}
	return basis;
}

bool ovsdb_datum_is_default(const struct ovsdb_datum *datum,
			    const struct ovsdb_type *type)
{
	union ovsdb_atom atom;

	if (datum->n != type->min)
		return false;
	if (!datum->n)
		return true;
	/* Default atoms own nothing: nothing to destroy. */
	ovsdb_atom_init_default(&atom, type->key.type);
	if (!ovsdb_atom_equals(&datum->keys[0], &atom, type->key.type))
		return false;
	if (!ovsdb_type_is_map(type))
		return true;
	ovsdb_atom_init_default(&atom, type->value.type);
	return ovsdb_atom_equals(&datum->values[0], &atom, type->value.type);
}

unsigned int datum_lower_bound(const struct ovsdb_datum *datum,
			       const union ovsdb_atom *key,
			       enum ovsdb_atomic_type type)
{
	unsigned int low = 0, high = datum->n;

	while (low < high) {
		unsigned int middle = low + (high - low) / 2;

		if (ovsdb_atom_compare(&datum->keys[middle], key, type) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int ovsdb_datum_find_key(const struct ovsdb_datum *datum,
			 const union ovsdb_atom *key,
			 enum ovsdb_atomic_type type)
{
	unsigned int i = datum_lower_bound(datum, key, type);

	if (i < datum->n && ovsdb_atom_equals(&datum->keys[i], key, type))
		return (int)i;
	return -1;
}

const char *ovsdb_datum_get_string(const struct ovsdb_datum *datum,
				   const char *key)
{
	unsigned int low = 0, high = datum->n;

	while (low < high) {
		unsigned int middle = low + (high - low) / 2;
		int cmp = strcmp(ovsdb_atom_string(&datum->keys[middle]), key);

		if (!cmp)
			return ovsdb_atom_string(&datum->values[middle]);
		if (cmp < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* Is a's element i (for a map: the pair) in b? */
static bool contains(const struct ovsdb_datum *b, const struct ovsdb_datum *a,
		     unsigned int i, const struct ovsdb_type *type)
{
	int j = ovsdb_datum_find_key(b, &a->keys[i], type->key.type);

	if (j < 0)
		return false;
	return !ovsdb_type_is_map(type) ||
	       ovsdb_atom_equals(&a->values[i], &b->values[j],
				 type->value.type);
}

bool ovsdb_datum_includes_all(const struct ovsdb_datum *a,
			      const struct ovsdb_datum *b,
			      const struct ovsdb_type *type)
{
	if (a->n > b->n)
		return false;
	for (unsigned int i = 0; i < a->n; i++)
		if (!contains(b, a, i, type))
			return false;
	return true;
}

bool ovsdb_datum_excludes_all(const struct ovsdb_datum *a,
			      const struct ovsdb_datum *b,
			      const struct ovsdb_type *type)
{
	for (unsigned int i = 0; i < a->n; i++)
		if (contains(b, a, i, type))
			return false;
	return true;
}

/* --- changing one element ---------------------------------------------- */

/* The array for this datum alone, with room for `capacity` atoms. */
static union ovsdb_atom *own(const union ovsdb_atom *atoms, unsigned int n,
			     unsigned int capacity, enum ovsdb_atomic_type type)
{
	struct atoms *block;
	union ovsdb_atom *copy;

	if (atoms && atoms_block(atoms)->references == 1) {
		block = atoms_block(atoms);
		if (block->capacity >= capacity)
			return block->atoms;
		capacity = MAX(capacity, n + n / 2);
		block = xrealloc(block,
				 sizeof(*block) +
					 (size_t)capacity *
						 sizeof(union ovsdb_atom));
		block->capacity = capacity;
		return block->atoms;
	}
	copy = atoms_alloc(MAX(capacity, n));
	for (unsigned int i = 0; i < n; i++)
		ovsdb_atom_clone(&copy[i], &atoms[i], type);
	atoms_put(atoms, n, type);
	return copy;
}

union ovsdb_atom *datum_own_keys(struct ovsdb_datum *datum,
				 unsigned int capacity,
				 const struct ovsdb_type *type)
{
	union ovsdb_atom *keys =
		own(datum->keys, datum->n, capacity, type->key.type);

	datum->keys = keys;
	return keys;
}

static union ovsdb_atom *own_values(struct ovsdb_datum *datum,
				    unsigned int capacity,
				    const struct ovsdb_type *type)
{
	union ovsdb_atom *values =
		own(datum->values, datum->n, capacity, type->value.type);

	datum->values = values;
	return values;
}

static void open_gap(union ovsdb_atom *atoms, unsigned int i, unsigned int n)
{
	memmove(&atoms[i + 1], &atoms[i], (n - i) * sizeof(*atoms));
}

bool ovsdb_datum_insert(struct ovsdb_datum *datum, const union ovsdb_atom *key,
			const union ovsdb_atom *value, bool replace,
			const struct ovsdb_type *type)
{
	unsigned int i = datum_lower_bound(datum, key, type->key.type);
	union ovsdb_atom *keys, *values;
	union ovsdb_atom old;

	if (i < datum->n &&
	    ovsdb_atom_equals(&datum->keys[i], key, type->key.type)) {
		if (!replace || !ovsdb_type_is_map(type))
			return false;
		values = own_values(datum, datum->n, type);
		old = values[i];
		ovsdb_atom_clone(&values[i], value, type->value.type);
		ovsdb_atom_destroy(&old, type->value.type);
		return false;
	}
	keys = datum_own_keys(datum, datum->n + 1, type);
	open_gap(keys, i, datum->n);
	ovsdb_atom_clone(&keys[i], key, type->key.type);
	if (ovsdb_type_is_map(type)) {
		values = own_values(datum, datum->n + 1, type);
		open_gap(values, i, datum->n);
		ovsdb_atom_clone(&values[i], value, type->value.type);
	}
	datum->n++;
	return true;
}

static void close_gap(union ovsdb_atom *atoms, unsigned int i, unsigned int n,
		      enum ovsdb_atomic_type type)
{
	ovsdb_atom_destroy(&atoms[i], type);
	memmove(&atoms[i], &atoms[i + 1], (n - i - 1) * sizeof(*atoms));
}

void ovsdb_datum_remove_at(struct ovsdb_datum *datum, unsigned int i,
			   const struct ovsdb_type *type)
{
	if (datum->n == 1) {
		ovsdb_datum_destroy(datum, type);
		return;
	}
	close_gap(datum_own_keys(datum, datum->n, type), i, datum->n,
		  type->key.type);
	if (ovsdb_type_is_map(type))
		close_gap(own_values(datum, datum->n, type), i, datum->n,
			  type->value.type);
	datum->n--;
}
