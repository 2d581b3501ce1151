/* KEY=VALUE of add-segment and set-segment. */
#ifndef CTL_SEGMENT_SET_H
#define CTL_SEGMENT_SET_H

struct ctl_command;
struct view_row;

/*
 * Carries out settings on a Segment: subnet, subnet6, outside, isolated, or a
 * key of its options. An empty value takes a setting away. Ends the program
 * with a message at a key or value that is none.
 */
void segment_set_all(struct ctl_command *cmd, struct view_row *row,
		     char *const settings[], int n);

/*
 * Ends the program when the Segment's column, a subnet, overlaps a route of the
 * host's and the segment's packets go by the host.
 */
void segment_check_routes(struct ctl_command *cmd, struct view_row *row,
			  const char *column);

#endif
