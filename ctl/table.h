/*
 * Tables for reading: what list and find print, in the formats of ovs-vsctl
 * (table, list, csv, html, json).
 */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include <jansson.h>
#include <stdio.h>

#include "base/util.h"

enum table_format {
	TABLE_TABLE,
	TABLE_LIST,
	TABLE_CSV,
	TABLE_HTML,
	TABLE_JSON
};

/* How a cell that holds a database value is written. */
enum table_data { TABLE_DATA_STRING, TABLE_DATA_BARE, TABLE_DATA_JSON };

struct table_style {
	enum table_format format;
	enum table_data data;
	bool headings;
	bool pretty;		/* indent JSON */
	unsigned int max_width; /* of a column of "table"; 0: no limit */
};

struct table;

/* List format, strings, headings: the defaults. */
void table_style_init(struct table_style *style);
/* By name. Return 0, or -EINVAL with a message that lists the names. */
int table_format_parse(const char *name, enum table_format *format,
		       char **errp);
int table_data_parse(const char *name, enum table_data *data, char **errp);

struct table *table_create(void);
void table_destroy(struct table *table); /* accepts NULL */
/* All columns come before the first row. */
void table_add_column(struct table *table, const char *heading);
void table_add_row(struct table *table);
/* The next cell of the last row: takes over text and json (text's twin). */
void table_add_cell(struct table *table, char *text, json_t *json);

/*
 * Prints. *first is true before the first table of an output and keeps track of
 * the blank lines between tables.
 */
void table_print(const struct table *table, const struct table_style *style,
		 bool *first, FILE *stream);

/* Prints JSON and a newline, indented when `pretty`. */
void json_print(const json_t *json, bool pretty, FILE *stream);

#endif
