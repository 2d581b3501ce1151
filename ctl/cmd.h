/* The command tables, one a file, which commands.c puts together. */
#ifndef CTL_CMD_H
#define CTL_CMD_H

#include "ctl/ctl.h"

struct view_row;

extern const struct ctl_command_class switch_commands[];
extern const size_t n_switch_commands;
extern const struct ctl_command_class bridge_commands[];
extern const size_t n_bridge_commands;
extern const struct ctl_command_class port_commands[];
extern const size_t n_port_commands;
extern const struct ctl_command_class remote_commands[];
extern const size_t n_remote_commands;
extern const struct ctl_command_class zone_commands[];
extern const size_t n_zone_commands;
extern const struct ctl_command_class record_commands[];
extern const size_t n_record_commands;

extern const struct ctl_command_class segment_commands[];
extern const size_t n_segment_commands;
extern const struct ctl_command_class forward_commands[];
extern const size_t n_forward_commands;
extern const struct ctl_command_class group_commands[];
extern const size_t n_group_commands;
extern const struct ctl_command_class mirror_commands[];
extern const size_t n_mirror_commands;
extern const struct ctl_command_class overlay_commands[];
extern const size_t n_overlay_commands;
extern const struct ctl_command_class acl_commands[];
extern const size_t n_acl_commands;

/* The Segment of the bridge of that name, and the bridge; NULL: none. */
struct view_row *segment_find(struct ctl *ctl, const char *name,
			      struct view_row **bridge);
/* Ends the program with a message when there is none. */
struct view_row *segment_get(struct ctl *ctl, const char *name);
/* Ends the program with a message when no bridge may have this name. */
void bridge_check_name(const char *name);
/* A Bridge; `local`: with a port of its own, a device of the host. */
struct view_row *bridge_create(struct ctl *ctl, const char *name, bool local);
/* Takes a Bridge (no fake one) away, and its Ports with it. */
void bridge_delete(struct ctl *ctl, struct view_row *bridge);
/* Takes a Port off its Bridge, and its Interfaces with it. */
void port_delete(struct ctl *ctl, struct view_row *bridge,
		 struct view_row *port);

/* A Segment's Forwards, sorted; free() the array. */
struct view_row **segment_forwards(struct view_row *segment, size_t *n);
/* Queues what all commands on segments need. */
void segment_want(struct ctl_command *cmd);

/* The Remote_MACs of an Interface, by VLAN and MAC; free() the array. */
struct view_row **remote_macs_of(struct view_row *iface, size_t *n);

/* Parts of command tables that have files of their own. */
void add_remote_mac(struct ctl_command *cmd);
void del_remote_mac(struct ctl_command *cmd);
void list_remote_macs(struct ctl_command *cmd);
void want_remote_macs(struct ctl_command *cmd);
void add_static_lease(struct ctl_command *cmd);
void del_static_lease(struct ctl_command *cmd);
void list_leases(struct ctl_command *cmd);
void want_leases(struct ctl_command *cmd);
void cmd_show(struct ctl_command *cmd);
void cmd_show_prefetch(struct ctl_command *cmd);
void cmd_list(struct ctl_command *cmd);
void cmd_find(struct ctl_command *cmd);
void cmd_wait_until(struct ctl_command *cmd);

#endif
