/*
 * Rows of Segment, Forward and their bridges that the commands have changed,
 * as plans (segment_rules.h).
 */
#ifndef CTL_SEGMENT_CHECK_H
#define CTL_SEGMENT_CHECK_H

struct ctl;
struct view_row;

/* What is fetched of the tables' rows; NULL-terminated. */
extern const char *const segment_columns[];
extern const char *const forward_columns[];

struct segment_forward;
/* The row keeps the strings. */
void segment_read_forward(struct view_row *row,
			  struct segment_forward *forward);

/* The Segment's row of a Bridge that has one, or NULL. */
struct view_row *segment_of_bridge(struct ctl *ctl, struct view_row *bridge);

/*
 * Looks at each Segment that the commands have changed, and each with a
 * changed Forward; ends the program with the reason when one cannot be, and
 * warns of what has no effect. Those that can are looked at again when vswd
 * has carried them out (ctl_expect_row()).
 */
void segment_check(struct ctl *ctl);

#endif
