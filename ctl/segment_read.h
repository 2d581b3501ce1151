/*
 * Rows of Segment and Forward as plans (segment_rules.h), under the changes
 * that the commands have made and without them.
 */
#ifndef CTL_SEGMENT_READ_H
#define CTL_SEGMENT_READ_H

#include "base/util.h"

struct ctl;
struct segment_forward;
struct segment_plan;
struct view_row;

/* What is fetched of the tables' rows; NULL-terminated. */
extern const char *const segment_columns[];
extern const char *const forward_columns[];

/*
 * Whether something was added to a column (NULL: any) of a row, or a setting
 * taken away, on which another may have rested. Forwards, leases and the like
 * that are taken away make nothing wrong that was right.
 */
bool segment_row_has_more(const struct view_row *row, const char *column);
/* Not deleted, and inserted, set, or with more than before. */
bool segment_row_is_changed(const struct view_row *row);

/* The row keeps the strings. */
void segment_read_forward(struct view_row *row,
			  struct segment_forward *forward);
/*
 * The rows keep the strings; segment_plan_free() frees the rest. What is new
 * stands last in its list, so that a message is about the new one of two.
 */
void segment_plan_read(struct ctl *ctl, struct view_row *row,
		       struct segment_plan *plan);
/* As it was before the commands; false: it was not there. */
bool segment_plan_read_before(struct ctl *ctl, struct view_row *row,
			      struct segment_plan *plan);
void segment_plan_free(struct segment_plan *plan);

#endif
