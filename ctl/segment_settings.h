/*
 * The settings of a segment: the keys of Segment:options, and what values they
 * take. What they say together is looked at by segment_rules.h.
 */
#ifndef CTL_SEGMENT_SETTINGS_H
#define CTL_SEGMENT_SETTINGS_H

#include "base/util.h"

struct setting_info;
struct suggestion;

/*
 * NULL, or why Segment:options may not have this key or value, in one line;
 * freed by the caller.
 */
char *segment_setting_check(const char *key, const char *value);
bool segment_setting_is_known(const char *key);
/* Offers the keys as what may have been meant. */
void segment_settings_suggest(struct suggestion *s);

/* For completion: keys as "options:KEY". */
size_t segment_settings_count(void);
void segment_settings_get(size_t i, struct setting_info *info);

/*
 * Calls for each part of a list with commas; false as soon as it says so, or
 * when a part is empty.
 */
bool segment_list_each(const char *list,
		       bool (*part)(const char *text, void *arg), void *arg);

#endif
