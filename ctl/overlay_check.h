/*
 * Rows of VXLAN ports that the commands have changed, as plans
 * (overlay_rules.h).
 */
#ifndef CTL_OVERLAY_CHECK_H
#define CTL_OVERLAY_CHECK_H

#include "ctl/overlay_rules.h"

struct ctl;
struct view_row;

/* What is fetched of an Interface; NULL-terminated. */
extern const char *const overlay_columns[];
extern const char *const remote_mac_columns[];

bool overlay_is_vxlan(struct view_row *iface);
/* The row keeps the strings; free() plan->options. */
void overlay_plan_read(struct view_row *iface, struct overlay_plan *plan);

/*
 * Looks at each Interface of type vxlan and each Remote_MAC that the commands
 * have changed; ends the program with the reason when one cannot be. Those that
 * can are looked at again when vswd has carried them out (ctl_expect_row()).
 */
void overlay_check(struct ctl *ctl);

#endif
