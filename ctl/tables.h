/*
 * The tables of the built-in schema, each parsed only when it is asked for:
 * parsing all of them would take longer than most commands do otherwise.
 */
#ifndef CTL_TABLES_H
#define CTL_TABLES_H

#include "ovsdb-lite/schema.h"

struct tables;

/*
 * text is a <database-schema> (RFC 7047 section 3.2) of n bytes, which must
 * outlive the result. NULL with a message when it is none.
 */
struct tables *tables_create(const char *text, size_t n, char **errp);
void tables_destroy(struct tables *tables); /* accepts NULL */

size_t tables_count(const struct tables *tables);
const char *tables_name(const struct tables *tables, size_t i);
/*
 * The table at position i; NULL with a message when its text is wrong. Tables
 * that its columns refer to have their names only.
 */
const struct ovsdb_table_schema *tables_get(struct tables *tables, size_t i,
					    char **errp);

#endif
