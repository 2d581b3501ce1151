/* What the parts of "show" have in common. */
#ifndef CTL_SHOW_H
#define CTL_SHOW_H

#include <jansson.h>

struct ctl_command;
struct ovsdb_column;
struct view_row;

/* A column's value, unless it is the default and so says nothing. */
void show_value(struct ctl_command *cmd, struct view_row *row,
		const struct ovsdb_column *column, int depth, json_t *into);
/* "NAME: VALUE" */
void show_text(struct ctl_command *cmd, int depth, json_t *into,
	       const char *name, const char *value);

/* show_segment.c: the segment of a Bridge, if it has one. */
void show_segment(struct ctl_command *cmd, struct view_row *bridge, int depth,
		  json_t *into);

/* show_overlay.c: what is known to be behind an Interface of type vxlan. */
void show_remote_macs(struct ctl_command *cmd, struct view_row *iface,
		      int depth, json_t *into);

#endif
