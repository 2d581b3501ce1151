/*
 * Settings in other_config. The schema takes any text there; what vswd would
 * refuse, and only log, is refused here before it is stored.
 */
#ifndef CTL_SETTINGS_H
#define CTL_SETTINGS_H

#include <stddef.h>

/*
 * Ends the program with a message when table's other_config:key has a value
 * that vswd does not take. Keys that vswd does not know pass: they may be some
 * other program's.
 */
void settings_check(const char *table, const char *key, const char *value);

/* All of them, for completion. */
struct setting_info {
	const char *table, *key;
	const char *words; /* the values, separated by spaces; NULL: any */
};
size_t settings_count(void);
void settings_get(size_t i, struct setting_info *info);

#endif
