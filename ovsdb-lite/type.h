/*
 * The types of columns (RFC 7047 section 3.2): an atomic type, a base type
 * (an atomic type and its constraints), and a column's type: a scalar, an
 * optional scalar, a set or a map of base types.
 *
 * A type belongs to its schema and does not change after parsing, so that any
 * thread may read it.
 */
#ifndef OVSDB_LITE_TYPE_H
#define OVSDB_LITE_TYPE_H

#include <jansson.h>
#include <limits.h>

#include "base/util.h"

struct ovsdb_datum;
struct ovsdb_table_schema;

enum ovsdb_atomic_type {
	OVSDB_TYPE_VOID, /* no value: the column is not a map */
	OVSDB_TYPE_INTEGER,
	OVSDB_TYPE_REAL,
	OVSDB_TYPE_BOOLEAN,
	OVSDB_TYPE_STRING,
	OVSDB_TYPE_UUID,
	OVSDB_N_TYPES
};

struct ovsdb_base_type {
	enum ovsdb_atomic_type type;
	struct ovsdb_datum *enumeration; /* a set of type; NULL: any value */
	union {
		struct {
			int64_t min, max; /* INT64_MIN, INT64_MAX: none */
		} integer;
		struct {
			double min, max; /* -DBL_MAX, DBL_MAX: none */
		} real;
		struct {
			/* in Unicode characters; 0, UINT_MAX: none */
			unsigned int min_len, max_len;
		} string;
		struct {
			char *ref_table_name; /* NULL: a plain UUID */
			/* set once the whole schema was parsed */
			const struct ovsdb_table_schema *ref_table;
			bool weak;
		} uuid;
	};
};

struct ovsdb_type {
	struct ovsdb_base_type key;
	struct ovsdb_base_type value; /* type VOID: not a map */
	unsigned int min;	      /* 0 or 1 */
	unsigned int max;	      /* UINT_MAX: "unlimited" */
};

/* "integer" and so on. */
const char *ovsdb_atomic_type_name(enum ovsdb_atomic_type type);
/* Sets *type; false when name is no atomic type's. */
bool ovsdb_atomic_type_from_name(const char *name,
				 enum ovsdb_atomic_type *type);

void ovsdb_base_type_init(struct ovsdb_base_type *base,
			  enum ovsdb_atomic_type type);
void ovsdb_base_type_clone(struct ovsdb_base_type *dst,
			   const struct ovsdb_base_type *src);
void ovsdb_base_type_destroy(struct ovsdb_base_type *base);
/* An RFC error object, with *base nothing to destroy, or NULL. */
json_t *ovsdb_base_type_from_json(struct ovsdb_base_type *base,
				  const json_t *json) MUST_CHECK;
json_t *ovsdb_base_type_to_json(const struct ovsdb_base_type *base);

/* A required scalar of an unconstrained atomic type. */
void ovsdb_type_init_scalar(struct ovsdb_type *type,
			    enum ovsdb_atomic_type atomic);
void ovsdb_type_clone(struct ovsdb_type *dst, const struct ovsdb_type *src);
void ovsdb_type_destroy(struct ovsdb_type *type);
/* An RFC error object, with *type nothing to destroy, or NULL. */
json_t *ovsdb_type_from_json(struct ovsdb_type *type,
			     const json_t *json) MUST_CHECK;
json_t *ovsdb_type_to_json(const struct ovsdb_type *type);

static inline bool ovsdb_type_is_scalar(const struct ovsdb_type *type)
{
	return type->value.type == OVSDB_TYPE_VOID && type->min == 1 &&
	       type->max == 1;
}

static inline bool ovsdb_type_is_optional_scalar(const struct ovsdb_type *type)
{
	return type->value.type == OVSDB_TYPE_VOID && type->min == 0 &&
	       type->max == 1;
}

static inline bool ovsdb_type_is_map(const struct ovsdb_type *type)
{
	return type->value.type != OVSDB_TYPE_VOID;
}

/* Anything that is neither a map nor a scalar: also an optional scalar. */
static inline bool ovsdb_type_is_set(const struct ovsdb_type *type)
{
	return type->value.type == OVSDB_TYPE_VOID &&
	       (type->min != 1 || type->max != 1);
}

static inline bool ovsdb_base_type_is_strong_ref(
	const struct ovsdb_base_type *base)
{
	return base->type == OVSDB_TYPE_UUID && base->uuid.ref_table_name &&
	       !base->uuid.weak;
}

static inline bool ovsdb_base_type_is_weak_ref(
	const struct ovsdb_base_type *base)
{
	return base->type == OVSDB_TYPE_UUID && base->uuid.ref_table_name &&
	       base->uuid.weak;
}

#endif
