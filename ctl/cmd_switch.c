/* Commands on the switch as a whole: init, show, emer-reset. */
#include "ctl/cmd.h"

#include <string.h>

#include "ctl/value.h"
#include "ctl/view.h"

static void cmd_init(struct ctl_command *cmd)
{
	/* Any command sets the database up. */
	view_root(cmd->ctl->view);
}

static json_t *empty_map(void)
{
	return json_pack("[s, []]", "map");
}

static void reset_bridge(struct view_row *bridge)
{
	static const char *const columns[] = { "controller", "fail_mode",
					       "mirrors",    "netflow",
					       "sflow",	     "ipfix",
					       "flood_vlans" };
	const char *hwaddr = view_get_key(bridge, "other_config", "hwaddr");

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		view_set(bridge, columns[i], value_set());
	view_set(bridge, "other_config",
		 hwaddr ? json_pack("[s, [[s, s]]]", "map", "hwaddr", hwaddr)
			: empty_map());
}

static void want_all(struct ctl *ctl)
{
	view_want(ctl->view, "Bridge", json_array(),
		  (const char *const[]){ "controller", "fail_mode", "mirrors",
					 "netflow", "sflow", "ipfix",
					 "flood_vlans", "other_config", NULL });
	view_want(ctl->view, "Port", json_array(),
		  (const char *const[]){ "other_config", NULL });
	view_want(ctl->view, "Interface", json_array(),
		  (const char *const[]){ "ingress_policing_rate",
					 "ingress_policing_burst", NULL });
	view_want(ctl->view, "Flow_Sample_Collector_Set", json_array(),
		  (const char *const[]){ "id", NULL });
	view_flush(ctl->view);
}

static void cmd_emer_reset(struct ctl_command *cmd)
{
	struct view *view = cmd->ctl->view;
	struct view_row *root = view_root(view), *row = NULL;

	want_all(cmd->ctl);
	while ((row = view_next(view, "Bridge", row)))
		reset_bridge(row);
	while ((row = view_next(view, "Port", row)))
		view_set(row, "other_config", empty_map());
	while ((row = view_next(view, "Interface", row))) {
		view_set(row, "ingress_policing_rate", json_integer(0));
		view_set(row, "ingress_policing_burst", json_integer(0));
	}
	while ((row = view_next(view, "Flow_Sample_Collector_Set", row)))
		view_delete(row, true);
	view_set(root, "manager_options", value_set());
	view_set(root, "ssl", value_set());
}

const struct ctl_command_class switch_commands[] = {
	{ "init", "", 0, 0, "", "set up the database if it is empty", NULL,
	  cmd_init, NULL },
	{ "show", "", 0, 0, "", "print an overview of the configuration",
	  cmd_show_prefetch, cmd_show, NULL },
	{ "emer-reset", "", 0, 0, "",
	  "remove controllers, managers, SSL, mirrors and other_config", NULL,
	  cmd_emer_reset, NULL },
};
const size_t n_switch_commands = ARRAY_SIZE(switch_commands);
