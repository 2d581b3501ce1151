/* Values of columns in the JSON form of RFC 7047 section 5.1. */
#ifndef CTL_VALUE_H
#define CTL_VALUE_H

#include <jansson.h>

#include "base/util.h"

bool value_is_map(const json_t *value);
json_t *value_set(void); /* ["set",[]] */
json_t *value_uuid(const char *uuid);

/*
 * The elements of a set, the pairs of a map, or the atom itself, as an array
 * (a new reference, not to be changed). NULL has none.
 */
json_t *value_elements(const json_t *value);
/* The pairs of a map with string keys, sorted by key (a new reference). */
json_t *value_sorted_pairs(const json_t *value);
/* Whether a set (or atom) has the element. */
bool value_contains(const json_t *value, const json_t *element);
/* Whether any key or value in it is this UUID. */
bool value_refers(const json_t *value, const char *uuid);
/* Equal as sets or maps: order does not matter. */
bool value_equals(const json_t *a, const json_t *b);

/*
 * What "insert" or "delete" makes of a value (section 5.1, <mutation>): a new
 * reference. value NULL is empty.
 */
json_t *value_mutate(const json_t *value, const char *mutator,
		     const json_t *argument);

#endif
