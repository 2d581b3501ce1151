/* All commands, in the groups that the help shows. */
#include <string.h>

#include "ctl/cmd.h"

#define N_GROUPS 12

static const struct ctl_command_group *all_groups(void)
{
	/* Filled at first use: sizes of other files' tables are no constants.
	 */
	static struct ctl_command_group groups[N_GROUPS];

	if (!groups[0].n) {
		const struct ctl_command_group list[N_GROUPS] = {
			{ "Switch", switch_commands, n_switch_commands },
			{ "Bridges", bridge_commands, n_bridge_commands },
			{ "Ports, bonds and interfaces (a bond is one port of "
			  "several interfaces)",
			  port_commands, n_port_commands },
			{ "Port groups (settings that many ports refer to)",
			  group_commands, n_group_commands },
			{ "Segments (a bridge with a gateway: NAT, DHCP, DNS)",
			  segment_commands, n_segment_commands },
			{ "Port forwards and leases of a segment",
			  forward_commands, n_forward_commands },
			{ "VXLAN ports (overlays) and MACs behind them",
			  overlay_commands, n_overlay_commands },
			{ "Mirrors (copies of packets, to a port or a VLAN)",
			  mirror_commands, n_mirror_commands },
			{ "Access lists of ports", acl_commands,
			  n_acl_commands },
			{ "Controllers, managers and SSL", remote_commands,
			  n_remote_commands },
			{ "Records of any table (TABLE and COLUMN may be cut "
			  "short)",
			  record_commands, n_record_commands },
			{ "Conntrack zones and Auto-Attach", zone_commands,
			  n_zone_commands },
		};

		memcpy(groups, list, sizeof(groups));
	}
	return groups;
}

const struct ctl_command_group *ctl_command_groups(size_t *n)
{
	*n = N_GROUPS;
	return all_groups();
}

const struct ctl_command_class *ctl_find_command(const char *name)
{
	const struct ctl_command_group *groups = all_groups();

	for (size_t g = 0; g < N_GROUPS; g++)
		for (size_t i = 0; i < groups[g].n; i++)
			if (!strcmp(groups[g].classes[i].name, name))
				return &groups[g].classes[i];
	return NULL;
}
