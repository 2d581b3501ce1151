/*
 * References between rows: strong ones are counted in the row referred to, weak
 * ones linked to it. integrity.c says when.
 */
#ifndef OVSDB_LITE_REFS_H
#define OVSDB_LITE_REFS_H

#include "ovsdb-lite/txn.h"

/* Called for an element that came (delta 1) or went (-1). */
typedef json_t *refs_element_fn(struct txn *txn, struct ovsdb_entry *entry,
				const struct ovsdb_column *column,
				const struct ovsdb_datum *datum, unsigned int i,
				int delta);

/*
 * Walks the differences between two versions of a row, either of which may be
 * NULL, in all columns with weak, or else strong, references.
 */
json_t *refs_walk(struct txn *txn, struct ovsdb_entry *entry,
		  const struct ovsdb_row *old, const struct ovsdb_row *new,
		  bool weak, refs_element_fn *fn) MUST_CHECK;

/* Counts the strong references of one element; fails only with delta 1. */
refs_element_fn refs_count_element;

/* Counts those that came and went; an RFC error for one to no row. */
json_t *refs_count_strong(struct txn *txn) MUST_CHECK;
/* Deletes rows that nothing refers to and that are in no root table. */
void refs_collect_garbage(struct txn *txn);
/* An RFC error when something refers to a row that was deleted. */
json_t *refs_check_deleted(const struct txn *txn) MUST_CHECK;
/*
 * Takes out weak references to rows that are not there. An RFC error when a
 * column that may not be empty became it.
 */
json_t *refs_drop_dangling(struct txn *txn) MUST_CHECK;

#endif
