/*
 * What a port's other_config says with its group's defaults filled in, as vswd
 * merges them (vswd/db_groups.h): for rules about settings of which one may be
 * the port's own and another its group's.
 */
#ifndef CTL_EFFECTIVE_H
#define CTL_EFFECTIVE_H

#include "ctl/ctl.h"

struct view_row;

/*
 * The value of a key of other_config, of a Port's own or of its group, or NULL;
 * borrowed until either row changes. Of a Port_Group: what it says.
 */
const char *effective_get(struct ctl *ctl, struct view_row *row,
			  const char *key);
/* " of its group" when the value is that of the port's group, or "". */
const char *effective_origin(struct view_row *row, const char *key);
/* Whether the value means that there is none: "", "none". */
bool effective_is_none(const char *value);

/*
 * Calls check for each Port whose row or whose group's row is one that the
 * commands have changed, in that column or in other_config; perhaps more than
 * once. Its columns are fetched.
 */
void effective_each_port(struct ctl *ctl, const char *column,
			 void (*check)(struct ctl *ctl, struct view_row *port));

#endif
