/*
 * Values: an atom, and a datum, which is a column's whole value: a sorted set
 * of distinct keys, for a map with a value to each.
 *
 * The arrays of a datum are shared between its clones and copied when one of
 * them is about to change: a row's new version costs a pointer a column, not a
 * copy. Never write through keys or values; use the functions below. So a
 * datum and its clones belong to one thread (the counts are not atomic).
 */
#ifndef OVSDB_LITE_DATUM_H
#define OVSDB_LITE_DATUM_H

#include <jansson.h>

#include "ovsdb-lite/error.h"
#include "ovsdb-lite/type.h"
#include "ovsdb-lite/uuid.h"

struct ovsdb_symbols; /* names of rows to be: see below */
struct ovsdb_string;  /* a counted string */

union ovsdb_atom {
	int64_t integer;
	double real;
	bool boolean;
	struct ovsdb_string *string; /* read with ovsdb_atom_string() */
	struct uuid uuid;
};

struct ovsdb_datum {
	unsigned int n;
	const union ovsdb_atom *keys;	/* NULL when n is 0 */
	const union ovsdb_atom *values; /* NULL when n is 0 or not a map */
};

/* --- atoms ------------------------------------------------------------- */

/* 0, 0.0, false, "", or the zero UUID. */
void ovsdb_atom_init_default(union ovsdb_atom *atom,
			     enum ovsdb_atomic_type type);
void ovsdb_atom_init_string(union ovsdb_atom *atom, const char *text);
void ovsdb_atom_clone(union ovsdb_atom *dst, const union ovsdb_atom *src,
		      enum ovsdb_atomic_type type);
void ovsdb_atom_destroy(union ovsdb_atom *atom, enum ovsdb_atomic_type type);

/* The text of a string atom: UTF-8, lives as long as the atom. */
const char *ovsdb_atom_string(const union ovsdb_atom *atom);

/* Negative, 0 or positive: a total order. Strings compare as bytes. */
int ovsdb_atom_compare(const union ovsdb_atom *a, const union ovsdb_atom *b,
		       enum ovsdb_atomic_type type);
bool ovsdb_atom_equals(const union ovsdb_atom *a, const union ovsdb_atom *b,
		       enum ovsdb_atomic_type type);
uint32_t ovsdb_atom_hash(const union ovsdb_atom *atom,
			 enum ovsdb_atomic_type type, uint32_t basis);

/*
 * Parses an <atom> and checks it against base. symbols may be NULL: then a
 * "named-uuid" is a syntax error. An RFC error object or NULL.
 */
json_t *ovsdb_atom_from_json(union ovsdb_atom *atom,
			     const struct ovsdb_base_type *base,
			     const json_t *json,
			     struct ovsdb_symbols *symbols) MUST_CHECK;
json_t *ovsdb_atom_to_json(const union ovsdb_atom *atom,
			   enum ovsdb_atomic_type type);

/*
 * Parses what a person types: a number, true/false (also yes/no, on/off, 1/0),
 * a string bare or in double quotes with JSON's escapes, a UUID, or with
 * symbols "@name" for a row to be. Checks it against base. Returns 0, or
 * -EINVAL with a message that says what would be right.
 */
int ovsdb_atom_from_string(union ovsdb_atom *atom,
			   const struct ovsdb_base_type *base, const char *s,
			   struct ovsdb_symbols *symbols, char **errp);
/*
 * The same back: a string is quoted only when it would not be read back as
 * itself bare. The caller frees the result.
 */
char *ovsdb_atom_to_string(const union ovsdb_atom *atom,
			   enum ovsdb_atomic_type type);

/* Checks enumeration, range and length: a "constraint violation" or NULL. */
json_t *ovsdb_atom_check(const union ovsdb_atom *atom,
			 const struct ovsdb_base_type *base) MUST_CHECK;

/* --- datums: life ------------------------------------------------------ */

void ovsdb_datum_init_empty(struct ovsdb_datum *datum);
/* The default of RFC 7047 section 5.2.1: empty, or one default atom. */
void ovsdb_datum_init_default(struct ovsdb_datum *datum,
			      const struct ovsdb_type *type);
/* O(1). dst must not be an initialized datum (that would leak). */
void ovsdb_datum_clone(struct ovsdb_datum *dst, const struct ovsdb_datum *src);
/* Leaves the datum empty and initialized. */
void ovsdb_datum_destroy(struct ovsdb_datum *datum,
			 const struct ovsdb_type *type);
void ovsdb_datum_swap(struct ovsdb_datum *a, struct ovsdb_datum *b);

/* --- datums: comparing and finding ------------------------------------- */

/* A total order; clones compare in O(1). */
int ovsdb_datum_compare(const struct ovsdb_datum *a,
			const struct ovsdb_datum *b,
			const struct ovsdb_type *type);
bool ovsdb_datum_equals(const struct ovsdb_datum *a,
			const struct ovsdb_datum *b,
			const struct ovsdb_type *type);
uint32_t ovsdb_datum_hash(const struct ovsdb_datum *datum,
			  const struct ovsdb_type *type, uint32_t basis);
bool ovsdb_datum_is_default(const struct ovsdb_datum *datum,
			    const struct ovsdb_type *type);

/* The key's position, or -1; O(log n). type is the key's. */
int ovsdb_datum_find_key(const struct ovsdb_datum *datum,
			 const union ovsdb_atom *key,
			 enum ovsdb_atomic_type type);
/*
 * The value of a key in a map from string to string, or NULL: what other_config
 * and its like are read with.
 */
const char *ovsdb_datum_get_string(const struct ovsdb_datum *datum,
				   const char *key);

/* a's elements (for maps: pairs) are all in b. */
bool ovsdb_datum_includes_all(const struct ovsdb_datum *a,
			      const struct ovsdb_datum *b,
			      const struct ovsdb_type *type);
/* None of a's elements (pairs) is in b. */
bool ovsdb_datum_excludes_all(const struct ovsdb_datum *a,
			      const struct ovsdb_datum *b,
			      const struct ovsdb_type *type);

/* --- datums: changing -------------------------------------------------- */

/*
 * Puts in one element, cloning the atoms (value NULL for a set). Returns false
 * when the key is there: then a map's value is replaced only with `replace`.
 */
bool ovsdb_datum_insert(struct ovsdb_datum *datum, const union ovsdb_atom *key,
			const union ovsdb_atom *value, bool replace,
			const struct ovsdb_type *type);
/* Takes out the element at position i. */
void ovsdb_datum_remove_at(struct ovsdb_datum *datum, unsigned int i,
			   const struct ovsdb_type *type);
/*
 * Adds b's elements; of a key that is in both, a map keeps its own value, or
 * takes b's with `replace`. O(|a| + |b|) for a large b, O(log) and a memmove
 * for one element. No constraint is checked here.
 */
void ovsdb_datum_union(struct ovsdb_datum *a, const struct ovsdb_datum *b,
		       const struct ovsdb_type *type, bool replace);
/*
 * Takes out of a what is in b. b_type may differ from type, a map, in being a
 * set of its keys: then the pairs of those keys are taken out whatever their
 * values; with a map b, only pairs that are equal are.
 */
void ovsdb_datum_subtract(struct ovsdb_datum *a, const struct ovsdb_type *type,
			  const struct ovsdb_datum *b,
			  const struct ovsdb_type *b_type);

/*
 * The difference as monitor_cond's "modify" and journals with "_is_diff" have
 * it: for a set, the elements in one but not in both; for a map, the pairs
 * whose key is in one only or whose value differs (b's value then); for a type
 * of at most one element, b itself. diff is initialized by this. Returns false,
 * with diff empty, when a and b are equal.
 */
bool ovsdb_datum_diff(struct ovsdb_datum *diff, const struct ovsdb_datum *a,
		      const struct ovsdb_datum *b,
		      const struct ovsdb_type *type);
/*
 * Turns a into b. A "constraint violation" when the result has a number of
 * elements that type does not allow (a is then unchanged), or NULL.
 */
json_t *ovsdb_datum_apply_diff(struct ovsdb_datum *a,
			       const struct ovsdb_datum *diff,
			       const struct ovsdb_type *type) MUST_CHECK;

/* --- datums: texts ----------------------------------------------------- */

/*
 * Parses a <value> and checks it against type. An RFC error object, with
 * *datum empty, or NULL. symbols as in ovsdb_atom_from_json().
 */
json_t *ovsdb_datum_from_json(struct ovsdb_datum *datum,
			      const struct ovsdb_type *type, const json_t *json,
			      struct ovsdb_symbols *symbols) MUST_CHECK;
/*
 * The same for a difference: the number of elements is not checked, nor are the
 * constraints of elements that may be about to be taken out.
 */
json_t *ovsdb_datum_diff_from_json(struct ovsdb_datum *datum,
				   const struct ovsdb_type *type,
				   const json_t *json) MUST_CHECK;
/* A set of exactly one element becomes a bare atom. */
json_t *ovsdb_datum_to_json(const struct ovsdb_datum *datum,
			    const struct ovsdb_type *type);

/*
 * Parses what a person types, as in ovs-vsctl: "1", "[1, 2]" or "1,2", "{}",
 * "{a=1, b=2}" or "a=1,b=2". Returns 0, or -EINVAL with a message.
 */
int ovsdb_datum_from_string(struct ovsdb_datum *datum,
			    const struct ovsdb_type *type, const char *s,
			    struct ovsdb_symbols *symbols, char **errp);
/* "[1, 2]", "{a=1}", a bare atom for a scalar; the caller frees it. */
char *ovsdb_datum_to_string(const struct ovsdb_datum *datum,
			    const struct ovsdb_type *type);

/* Checks each element and their number: a "constraint violation" or NULL. */
json_t *ovsdb_datum_check(const struct ovsdb_datum *datum,
			  const struct ovsdb_type *type) MUST_CHECK;

/* --- symbols ----------------------------------------------------------- */

/*
 * The rows that a transaction (or a command line) names before they are there:
 * "named-uuid" and "@name". A name gets its UUID when first seen.
 */
struct ovsdb_symbol {
	char *name;
	struct uuid uuid;
	bool created;	 /* an insert has this uuid-name; its maker sets it */
	bool referenced; /* a value has named it */
};

struct ovsdb_symbols *ovsdb_symbols_create(void);
void ovsdb_symbols_destroy(struct ovsdb_symbols *symbols); /* accepts NULL */
/* Finds or makes; the symbol lives as long as the table. */
struct ovsdb_symbol *ovsdb_symbols_get(struct ovsdb_symbols *symbols,
				       const char *name);
/* NULL when there is none. */
struct ovsdb_symbol *ovsdb_symbols_find(const struct ovsdb_symbols *symbols,
					const char *name);
/* In the order of making: i from 0; NULL ends. */
struct ovsdb_symbol *ovsdb_symbols_at(const struct ovsdb_symbols *symbols,
				      size_t i);
/*
 * As ovsdb_datum_to_json(), but the UUID of a symbol is written as
 * ["named-uuid", name]: for a client that sends the inserts of those rows.
 */
json_t *ovsdb_datum_to_json_named(const struct ovsdb_datum *datum,
				  const struct ovsdb_type *type,
				  const struct ovsdb_symbols *symbols);

#endif
