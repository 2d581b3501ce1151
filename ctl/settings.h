/*
 * Settings in other_config, and in maps like it (lldp; options of a segment).
 * The schema takes any text there; what vswd would refuse, and only log, is
 * refused here before it is stored.
 */
#ifndef CTL_SETTINGS_H
#define CTL_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

/* A column, a map of strings, that has settings to check. */
bool settings_are_in(const char *table, const char *column);
/* The table whose settings those of `table` are: a group's are its ports'. */
const char *settings_table(const char *table);
/*
 * Ends the program with a message when table's column:key has a value that vswd
 * does not take. Keys that vswd does not know pass, but for a segment's
 * options: they may be some other program's.
 */
void settings_check(const char *table, const char *column, const char *key,
		    const char *value);

/* An address of one device as text: none of a group, and not zero. */
bool settings_is_address(const char *text);
/* The same, in lower case. */
bool settings_parse_address(char mac[18], const char *text);

/*
 * settings_hint.c: what a person may have meant. All return a text that the
 * caller frees, or NULL when there is nothing to say.
 */
struct ovsdb_table_schema;
/*
 * Why table's column:key has no effect: it is a column's name, or nearly one
 * that vswd knows.
 */
char *settings_doubt(const struct ovsdb_table_schema *table, const char *column,
		     const char *key);
/* "other_config:KEY" (or "options:KEY") for what was typed as a column. */
char *settings_find_key(const char *table, const char *name);
/* "COLUMN:KEY=VALUE" as an example of how a map column is set. */
char *settings_example(const char *table, const char *column);

/* All of them, for completion. */
struct setting_info {
	const char *table, *key; /* of another column: "COLUMN:KEY" */
	const char *words; /* the values, separated by spaces; NULL: any */
};
size_t settings_count(void);
void settings_get(size_t i, struct setting_info *info);

#endif
