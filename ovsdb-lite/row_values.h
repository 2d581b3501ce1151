/*
 * A <row> (RFC 7047 section 5.1) as an operation gives it, before it is in a
 * table.
 */
#ifndef OVSDB_LITE_ROW_VALUES_H
#define OVSDB_LITE_ROW_VALUES_H

#include "ovsdb-lite/column.h"
#include "ovsdb-lite/table.h"

/*
 * A <row> that was read: a datum a column of the table, the default where the
 * row has none; which it had; and the values of _uuid and _version.
 */
struct row_values {
	const struct ovsdb_table *table;
	struct ovsdb_datum *columns;
	bool *seen;
	struct ovsdb_datum pseudo[2];
};

/* The defaults, until a row is parsed into it. */
void row_values_init(struct row_values *values,
		     const struct ovsdb_table *table);
void row_values_destroy(struct row_values *values);

/* An RFC error object or NULL. */
json_t *row_values_parse(struct row_values *values, const json_t *json,
			 struct ovsdb_symbols *symbols) MUST_CHECK;

/* The value of a column, _uuid and _version too. */
struct ovsdb_datum *row_values_column(struct row_values *values,
				      const struct ovsdb_column *column);

#endif
