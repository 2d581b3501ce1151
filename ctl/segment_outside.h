/* "outside=NAME" as people mean it: the host, a bridge, a port, a device. */
#ifndef CTL_SEGMENT_OUTSIDE_H
#define CTL_SEGMENT_OUTSIDE_H

#include "base/util.h"

struct ctl_command;
struct view_row;

/*
 * Sets the Segment's column outside, and options:outside-tag where the port or
 * fake bridge has a VLAN and no tag is given. A device of the host that is in
 * no bridge gets one, of which the command's output tells. Ends the program
 * with a message when there is nothing of that name, or the device cannot be
 * used.
 */
void segment_set_outside(struct ctl_command *cmd, struct view_row *segment,
			 const char *name);

/*
 * Whether the database, and so vswd, is in this network namespace, so that its
 * devices and routes can be looked at.
 */
bool segment_is_local(const struct ctl_command *cmd);
/* Ends the program when a device of this name is there already. */
void segment_check_new_device(const struct ctl_command *cmd, const char *name);
/* Ends the program when machines cannot be bridged to this device. */
void segment_check_device(const struct ctl_command *cmd, const char *device);

#endif
