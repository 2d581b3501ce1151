/*
 * Columns as operations name them: those of the schema, and _uuid and _version,
 * which every row has (RFC 7047 section 3.2) and none may write.
 */
#ifndef OVSDB_LITE_COLUMN_H
#define OVSDB_LITE_COLUMN_H

#include "ovsdb-lite/db.h"

extern const struct ovsdb_column ovsdb_column_uuid;
extern const struct ovsdb_column ovsdb_column_version;

static inline bool ovsdb_column_is_pseudo(const struct ovsdb_column *column)
{
	return column == &ovsdb_column_uuid || column == &ovsdb_column_version;
}

/* A column of the table, _uuid and _version included; NULL: none. */
const struct ovsdb_column *ovsdb_column_find(
	const struct ovsdb_table_schema *table, const char *name);

/*
 * A row's value, to look at only: it is neither to be cloned nor destroyed and
 * lives as long as row and *atom, which is used for _uuid and _version.
 */
struct ovsdb_datum ovsdb_column_peek(const struct ovsdb_row *row,
				     const struct ovsdb_column *column,
				     union ovsdb_atom *atom);

/* A row's value of its own: destroy it. */
void ovsdb_column_get(struct ovsdb_datum *datum, const struct ovsdb_row *row,
		      const struct ovsdb_column *column);

/* A list of columns. */
struct ovsdb_columns {
	const struct ovsdb_column **columns;
	size_t n;
	bool has_uuid;
};

/*
 * Parses an array of distinct column names; NULL stands for all of the table,
 * _uuid and _version too. An RFC error object or NULL.
 */
json_t *ovsdb_columns_from_json(struct ovsdb_columns *columns,
				const struct ovsdb_table_schema *table,
				const json_t *json) MUST_CHECK;
void ovsdb_columns_destroy(struct ovsdb_columns *columns);

#endif
