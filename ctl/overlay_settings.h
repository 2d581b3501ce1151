/*
 * The options of interfaces of type vxlan: which there are, and what values
 * they take. What they say together is looked at by overlay_rules.h.
 */
#ifndef CTL_OVERLAY_SETTINGS_H
#define CTL_OVERLAY_SETTINGS_H

#include "base/net_text.h"

struct setting_info;
struct suggestion;

/*
 * NULL, or why options may not have this key or value, in one line; freed by
 * the caller. name: what the key was called by the person, such as "vni".
 */
char *overlay_setting_check(const char *key, const char *name,
			    const char *value);
bool overlay_setting_is_known(const char *key);
/* One of Open vSwitch's that is not known: overlay_setting_check() says why. */
bool overlay_setting_is_foreign(const char *key);
/* Offers the keys as what may have been meant. */
void overlay_settings_suggest(struct suggestion *s);

/* For completion: keys as "options:KEY" of table "vxlan". */
size_t overlay_settings_count(void);
void overlay_settings_get(size_t i, struct setting_info *info);

/* NULL, or why the text is no address that a VTEP can have. */
const char *overlay_address_fault(const char *text);
/* An address that a VTEP can have; false: it is none. */
bool overlay_address_parse(struct net_addr *addr, const char *text);
/* The next of a list with commas, without spaces around it; NULL: no more. */
const char *overlay_list_next(const char **rest, char part[NET_TEXT_MAX]);

#endif
