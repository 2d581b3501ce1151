/* What the files of datums share: the arrays behind them. */
#ifndef OVSDB_LITE_DATUM_PRIVATE_H
#define OVSDB_LITE_DATUM_PRIVATE_H

#include "ovsdb-lite/datum.h"

struct atoms {
	uint32_t references;
	uint32_t capacity;
	union ovsdb_atom atoms[];
};

static inline struct atoms *atoms_block(const union ovsdb_atom *atoms)
{
	return (struct atoms *)((char *)atoms - offsetof(struct atoms, atoms));
}

/* A new array, uninitialized, of one user. */
union ovsdb_atom *atoms_alloc(unsigned int capacity);
/* One user less; NULL is allowed. */
void atoms_put(const union ovsdb_atom *atoms, unsigned int n,
	       enum ovsdb_atomic_type type);

/* The position of the first key that is not below `key`. */
unsigned int datum_lower_bound(const struct ovsdb_datum *datum,
			       const union ovsdb_atom *key,
			       enum ovsdb_atomic_type type);

/* The keys, writable, for this datum alone. */
union ovsdb_atom *datum_own_keys(struct ovsdb_datum *datum,
				 unsigned int capacity,
				 const struct ovsdb_type *type);

/*
 * Sorts the elements of a datum whose arrays it owns. False when a key occurs
 * twice.
 */
bool datum_sort(struct ovsdb_datum *datum, const struct ovsdb_type *type);

/* Fills new arrays element by element, in order. */
struct datum_builder {
	union ovsdb_atom *keys, *values;
	unsigned int n;
	const struct ovsdb_type *type;
};

void datum_builder_init(struct datum_builder *builder, unsigned int capacity,
			const struct ovsdb_type *type);
/* Clones element i of src. */
void datum_builder_add(struct datum_builder *builder,
		       const struct ovsdb_datum *src, unsigned int i);
/* Destroys what *datum was and makes it what was built. */
void datum_builder_finish(struct datum_builder *builder,
			  struct ovsdb_datum *datum);

#endif
