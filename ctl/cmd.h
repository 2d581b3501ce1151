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

/* Takes a Port off its Bridge, and its Interfaces with it. */
void port_delete(struct ctl *ctl, struct view_row *bridge,
		 struct view_row *port);

/* Parts of command tables that have files of their own. */
void cmd_show(struct ctl_command *cmd);
void cmd_show_prefetch(struct ctl_command *cmd);
void cmd_list(struct ctl_command *cmd);
void cmd_find(struct ctl_command *cmd);
void cmd_wait_until(struct ctl_command *cmd);

#endif
