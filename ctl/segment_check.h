/*
 * Rows of Segment, Forward and their bridges that the commands have changed,
 * as plans (segment_rules.h).
 */
#ifndef CTL_SEGMENT_CHECK_H
#define CTL_SEGMENT_CHECK_H

#include "ctl/segment_read.h"

struct ctl;
struct view_row;

/* The Segment's row of a Bridge that has one, or NULL. */
struct view_row *segment_of_bridge(struct ctl *ctl, struct view_row *bridge);

/*
 * Looks at each Segment that the commands have changed, and each with a
 * changed Forward; ends the program with the reason when one cannot be, unless
 * that was so before, and warns of what has no effect. Those that can are
 * looked at again when vswd has carried them out (ctl_expect_row()).
 */
void segment_check(struct ctl *ctl);

#endif
