/*
 * Settings in other_config, and in maps like it (lldp). The schema takes any
 * text there; what vswd would refuse, and only log, is refused here before it
 * is stored.
 */
#ifndef CTL_SETTINGS_H
#define CTL_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

/* A column, a map of strings, that has settings to check. */
bool settings_are_in(const char *column);
/*
 * Ends the program with a message when table's column:key has a value that vswd
 * does not take. Keys that vswd does not know pass: they may be some other
 * program's.
 */
void settings_check(const char *table, const char *column, const char *key,
		    const char *value);

/* All of them, for completion. */
struct setting_info {
	const char *table, *key; /* of another column: "COLUMN:KEY" */
	const char *words; /* the values, separated by spaces; NULL: any */
};
size_t settings_count(void);
void settings_get(size_t i, struct setting_info *info);

#endif
