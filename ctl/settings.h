/*
 * Settings in other_config. The schema takes any text there; what vswd would
 * refuse, and only log, is refused here before it is stored.
 */
#ifndef CTL_SETTINGS_H
#define CTL_SETTINGS_H

/*
 * Ends the program with a message when table's other_config:key has a value
 * that vswd does not take. Keys that vswd does not know pass: they may be some
 * other program's.
 */
void settings_check(const char *table, const char *key, const char *value);

#endif
