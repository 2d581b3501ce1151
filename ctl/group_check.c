#include "ctl/group_check.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/bridge.h"
#include "ctl/effective.h"
#include "ctl/value.h"
#include "ctl/view.h"

const char *const group_port_columns[] = {
	"name", "vlan_mode", "tag", "trunks", "cvlans", "other_config", NULL
};

static const char *const checked_columns[] = { "name", "interfaces",
					       "protected", "other_config",
					       NULL };

struct view_row *group_find(struct ctl *ctl, const char *name)
{
	return view_by_name(ctl->view, "Port_Group", "name", name, NULL);
}

const char *group_of_port(struct view_row *port)
{
	return view_get_key(port, "other_config", "port-group");
}

static bool is_touched(const struct view_row *row)
{
	return view_is_changed(row, "protected") ||
	       view_is_changed(row, "other_config") ||
	       view_is_changed(row, "interfaces");
}

/* --- the rules -------------------------------------------------------------
 */

/* What a row says of itself alone; what: "port" or "port group". */
static void check_apart(struct view_row *row, const char *what)
{
	const char *private_vlan =
		view_get_key(row, "other_config", "private-vlan");

	if (!view_get_bool(row, "protected") || !private_vlan ||
	    !strcmp(private_vlan, "isolated"))
		return;
	ctl_fatal("%s %s has both protected=true and "
		  "other_config:private-vlan=%s, which contradict each other: "
		  "a protected port is isolated; set protected=false, or take "
		  "private-vlan away",
		  what, view_get_string(row, "name"), private_vlan);
}

static void check_order(struct ctl *ctl, struct view_row *port)
{
	const char *order = view_get_key(port, "other_config", "teaming-order");
	size_t n;

	if (!order || effective_is_none(order))
		return;
	free(port_ifaces(ctl, port, &n));
	if (n > 1)
		ctl_fatal("port %s is a bond and has "
			  "other_config:teaming-order=%s, which is for the "
			  "ports whose frames leave by a bond; a bond has "
			  "other_config:bond-active-members",
			  view_get_string(port, "name"), order);
}

static void check_group_is_there(struct ctl *ctl, struct view_row *port)
{
	const char *group = group_of_port(port);

	if (!group || !view_is_changed(port, "other_config") ||
	    group_find(ctl, group))
		return;
	ctl_fatal("port %s cannot be in port group %s, which there is not; "
		  "\"add-group %s\" makes it",
		  view_get_string(port, "name"), group, group);
}

static void check_port(struct ctl *ctl, struct view_row *port)
{
	if (!port->inserted)
		view_fetch(ctl->view, "Port",
			   view_where("_uuid", "==", value_uuid(port->uuid)),
			   checked_columns);
	check_apart(port, "port");
	check_order(ctl, port);
	check_group_is_there(ctl, port);
}

/* Of a group that goes: the first port that is in it, and how many are. */
static void check_unused(struct ctl *ctl, struct view_row *group)
{
	const char *name = view_get_string(group, "name"), *first = NULL;
	struct view_row *port = NULL;
	unsigned n = 0;

	view_fetch(ctl->view, "Port",
		   view_where("other_config", "includes",
			      json_pack("[s, [[s, s]]]", "map", "port-group",
					name)),
		   group_port_columns);
	while ((port = view_next(ctl->view, "Port", port))) {
		const char *of = group_of_port(port);

		if (!of || strcmp(of, name))
			continue;
		first = first ? first : view_get_string(port, "name");
		n++;
	}
	if (!n || group_find(ctl, name))
		return;
	ctl_fatal("cannot delete port group %s: %u port%s, %s %s, refer%s to "
		  "it by other_config:port-group",
		  name, n, n > 1 ? "s" : "", n > 1 ? "among them" : "namely",
		  first, n > 1 ? "" : "s");
}

void group_check(struct ctl *ctl)
{
	/* Fetching adds rows at the end, which nobody has changed. */
	for (struct view_row *row = view_first(ctl->view); row;
	     row = row->next) {
		if (!strcmp(row->table, "Port_Group") && row->deleted)
			check_unused(ctl, row);
		else if (row->deleted || !is_touched(row))
			continue;
		else if (!strcmp(row->table, "Port_Group"))
			check_apart(row, "port group");
		else if (!strcmp(row->table, "Port"))
			check_port(ctl, row);
	}
}
