/*
 * Conditions: the "where" of operations and monitors (RFC 7047 section 5.1).
 */
#ifndef OVSDB_LITE_CONDITION_H
#define OVSDB_LITE_CONDITION_H

#include "ovsdb-lite/column.h"
#include "ovsdb-lite/db.h"

struct ovsdb_condition; /* any number of clauses */

/*
 * Parses an array of clauses: [<column>, <function>, <value>], or the extension
 * of a bare true or false. Sets *condition and returns NULL, or sets it to NULL
 * and returns an RFC error object. symbols may be NULL.
 */
json_t *ovsdb_condition_from_json(struct ovsdb_condition **condition,
				  const struct ovsdb_table_schema *table,
				  const json_t *json,
				  struct ovsdb_symbols *symbols) MUST_CHECK;
void ovsdb_condition_destroy(struct ovsdb_condition *condition);
json_t *ovsdb_condition_to_json(const struct ovsdb_condition *condition);

/* All clauses hold, as an operation asks; of none: true. */
bool ovsdb_condition_all(const struct ovsdb_condition *condition,
			 const struct ovsdb_row *row);
/* A clause holds, as monitor_cond asks; of none: true. */
bool ovsdb_condition_any(const struct ovsdb_condition *condition,
			 const struct ovsdb_row *row);

/*
 * The rows of which all clauses hold, as a new array to free(): by UUID or by
 * an index where the clauses allow it, else by looking at the whole table.
 */
struct ovsdb_row **ovsdb_condition_find(const struct ovsdb_condition *condition,
					const struct ovsdb_table *table,
					size_t *n);

#endif
