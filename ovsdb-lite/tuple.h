/*
 * Sets of tuples: the values of some columns of some rows, each once. What
 * "select" returns and "wait" compares.
 */
#ifndef OVSDB_LITE_TUPLE_H
#define OVSDB_LITE_TUPLE_H

#include "ovsdb-lite/column.h"

struct tuple_set;

/* columns must outlive the set. */
struct tuple_set *tuple_set_create(const struct ovsdb_columns *columns);
void tuple_set_destroy(struct tuple_set *set);

/* Adds a row's values, unless they are there already. */
void tuple_set_add_row(struct tuple_set *set, const struct ovsdb_row *row);
/* Adds these values, one a column; takes them over in any case. */
void tuple_set_add(struct tuple_set *set, struct ovsdb_datum *values);
bool tuple_set_equals(const struct tuple_set *a, const struct tuple_set *b);

/* Sorts by those columns of the set that `by` names, in `by`'s order. */
void tuple_set_sort(struct tuple_set *set, const struct ovsdb_columns *by);
/* An array of <row> objects: a new reference. */
json_t *tuple_set_to_json(const struct tuple_set *set);

#endif
