/*
 * Ports and port groups whose settings contradict each other, groups that are
 * not there, and groups that are still referred to (as bond_check.h).
 */
#ifndef CTL_GROUP_CHECK_H
#define CTL_GROUP_CHECK_H

#include "ctl/ctl.h"

struct view_row;

/* Of table Port, as far as groups are concerned. */
extern const char *const group_port_columns[];

/* The Port_Group of that name; NULL: none. */
struct view_row *group_find(struct ctl *ctl, const char *name);
/* The name of the group that a Port is to be in, or NULL. */
const char *group_of_port(struct view_row *port);

/*
 * Looks at each Port and Port_Group that the commands have changed; ends the
 * program with the reason when one cannot be.
 */
void group_check(struct ctl *ctl);

#endif
