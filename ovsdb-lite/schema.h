/*
 * A database schema (RFC 7047 section 3.2): tables, columns, indexes.
 *
 * A schema does not change after parsing, so that any thread may read it while
 * its owner keeps it.
 */
#ifndef OVSDB_LITE_SCHEMA_H
#define OVSDB_LITE_SCHEMA_H

#include <jansson.h>

#include "ovsdb-lite/error.h"
#include "ovsdb-lite/type.h"

/* What a schema may have: caps on a stranger's file. */
#define OVSDB_MAX_TABLES  4096
#define OVSDB_MAX_COLUMNS 4096 /* in one table */

struct ovsdb_column {
	char *name;
	struct ovsdb_type type;
	unsigned int index; /* in the table's columns[] and a row's datums */
	bool ephemeral;	    /* effective: not in the journal */
	bool is_mutable;    /* "mutable", a reserved word of other languages */
};

/* Columns whose values together are unique in the table. */
struct ovsdb_index {
	size_t n_columns;
	const struct ovsdb_column **columns;
};

struct ovsdb_table_schema {
	char *name;
	struct ovsdb_column *columns; /* sorted by name, so by index */
	size_t n_columns;
	struct ovsdb_index *indexes;
	size_t n_indexes;
	unsigned int index;    /* in the schema's tables[] */
	unsigned int max_rows; /* UINT_MAX: no limit */
	/*
	 * Effective: when no table of the schema says "isRoot", every one is
	 * (the RFC's rule for old schemas).
	 */
	bool is_root;
};

struct ovsdb_schema {
	char *name;
	char *version; /* "x.y.z", or NULL when the schema gives none */
	char *cksum;   /* NULL when the schema gives none */
	struct ovsdb_table_schema *tables; /* sorted by name */
	size_t n_tables;
	json_t *json; /* what was parsed; get_schema serves it unchanged */
};

/*
 * Parses a <database-schema>, in which every refTable must exist. Sets *schema
 * to a new schema and returns NULL; or sets it to NULL and returns an RFC
 * error object. Unknown members are errors, as in ovsdb-server. The schema
 * keeps a reference to the JSON, which nobody may change any more.
 */
json_t *ovsdb_schema_from_json(struct ovsdb_schema **schema,
			       const json_t *json) MUST_CHECK;
/* A copy that shares nothing with it. */
struct ovsdb_schema *ovsdb_schema_clone(const struct ovsdb_schema *schema);
void ovsdb_schema_destroy(struct ovsdb_schema *schema); /* accepts NULL */

/* The <database-schema>: a new reference. */
json_t *ovsdb_schema_to_json(const struct ovsdb_schema *schema);
/* Made afresh from the parsed form; equal to it in meaning. */
json_t *ovsdb_table_schema_to_json(const struct ovsdb_table_schema *table,
				   bool default_is_root);
json_t *ovsdb_column_to_json(const struct ovsdb_column *column);

/* NULL when there is none of that name. */
const struct ovsdb_table_schema *ovsdb_schema_table(
	const struct ovsdb_schema *schema, const char *name);
const struct ovsdb_column *ovsdb_table_schema_column(
	const struct ovsdb_table_schema *table, const char *name);

/*
 * Reads a schema from a file. Returns 0, or -errno with a message that names
 * the file.
 */
int ovsdb_schema_load(struct ovsdb_schema **schema, const char *path,
		      char **errp);

/* An <id>: a letter or '_', then letters, digits and '_'. */
bool ovsdb_is_id(const char *s);
/* "x.y.z" of decimal numbers. */
bool ovsdb_is_version(const char *s);

/* The text of the Open_vSwitch schema that this program carries. */
const char *ovsdb_vswitch_schema(size_t *len);

#endif
