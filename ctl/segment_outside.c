/* Where a NAT's outside is (segment_outside.h). */
#include "ctl/segment_outside.h"

#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "ctl/bridge.h"
#include "ctl/cmd.h"
#include "ctl/host_net.h"
#include "ctl/value.h"

#define BRIDGE_PREFIX "br-"

bool segment_is_local(const struct ctl_command *cmd)
{
	const char *db = cmd->ctl->options.db;

	return !strncmp(db, "unix:", 5) && host_net_is_of(db + 5);
}

void segment_check_new_device(const struct ctl_command *cmd, const char *name)
{
	char *why = segment_is_local(cmd) && host_net_has_device(name)
			    ? host_net_name_doubt("/sys", name)
			    : NULL;

	if (why)
		ctl_fatal_error(why);
}

void segment_check_device(const struct ctl_command *cmd, const char *device)
{
	char *why =
		segment_is_local(cmd)
			? host_net_device_doubt("/sys", device,
						ctl_has_option(cmd, "--force"))
			: NULL;

	if (why)
		ctl_fatal_error(why);
}

static void set_bridge(struct view_row *segment, const char *name,
		       json_int_t tag)
{
	char text[16];

	view_set_string(segment, "outside", name);
	if (!tag || view_get_key(segment, "options", "outside-tag"))
		return;
	snprintf(text, sizeof(text), "%lld", (long long)tag);
	view_set_key(segment, "options", "outside-tag", text);
}

/* A fake bridge is a VLAN of its parent. */
static bool set_existing_bridge(struct ctl *ctl, struct view_row *segment,
				const char *name)
{
	struct bridge bridge;

	if (!bridge_find(ctl, name, &bridge))
		return false;
	set_bridge(segment, view_get_string(bridge.row, "name"), bridge.vlan);
	return true;
}

/* The bridge of a port, in the VLAN that the port is in. */
static bool set_port(struct ctl *ctl, struct view_row *segment,
		     const char *name)
{
	struct view_row *port = port_find(ctl, name);
	struct bridge bridge;
	json_int_t tag = 0;

	if (!port)
		port = iface_port(ctl, name);
	if (!port || !port_bridge(ctl, port, &bridge))
		return false;
	view_get_integer(port, "tag", &tag);
	set_bridge(segment, view_get_string(bridge.row, "name"), tag);
	return true;
}

static void add_device_bridge(struct ctl_command *cmd, struct view_row *segment,
			      const char *device)
{
	char *name = xasprintf(BRIDGE_PREFIX "%s", device);
	struct view_row *bridge, *port, *iface;
	char *what;

	segment_check_device(cmd, device);
	if (strlen(name) >= IFNAMSIZ)
		ctl_fatal("the name of a bridge for %s, %s, would be too "
			  "long; make one of your own: \"vsw-ctl add-br "
			  "BRIDGE -- add-port BRIDGE %s\", and give "
			  "outside=BRIDGE",
			  device, name, device);
	what = xasprintf("cannot make bridge %s for %s", name, device);
	port_check_conflict(cmd->ctl, name, what);
	free(what);
	bridge = bridge_create(cmd->ctl, name, true);
	port = view_insert(cmd->ctl->view, "Port");
	iface = view_insert(cmd->ctl->view, "Interface");
	view_set_string(iface, "name", device);
	view_set_string(port, "name", device);
	view_mutate_uuid(port, "interfaces", "insert", iface->uuid);
	view_mutate_uuid(bridge, "ports", "insert", port->uuid);
	/* The view keeps the names. */
	ctl_expect_iface(cmd->ctl, iface, view_get_string(bridge, "name"),
			 view_get_string(port, "name"));
	view_set_string(segment, "outside", name);
	fprintf(cmd->out,
		"bridge %s was added with port %s (\"vsw-ctl del-br %s\" "
		"removes it)\n",
		name, device, name);
	free(name);
}

static void __attribute__((noreturn))
no_outside(struct ctl *ctl, const char *name, bool is_local)
{
	struct view_row *row = NULL;
	struct suggestion s;
	char hint[256];

	if (!is_local)
		ctl_fatal("no bridge or port named %s for outside=%s; the "
			  "devices of vswd's network cannot be seen from "
			  "here: \"vsw-ctl add-br BRIDGE -- add-port BRIDGE "
			  "%s\", and give outside=BRIDGE",
			  name, name, name);
	suggestion_init(&s, name);
	suggestion_offer(&s, "host");
	view_fetch(ctl->view, "Bridge", json_array(),
		   (const char *const[]){ "name", NULL });
	while ((row = view_next(ctl->view, "Bridge", row)))
		suggestion_offer(&s, view_get_string(row, "name"));
	ctl_fatal("no bridge, port or network device named %s for outside=%s; "
		  "outside is host or one of these%s",
		  name, name, suggestion_phrase(&s, hint, sizeof(hint)));
}

void segment_set_outside(struct ctl_command *cmd, struct view_row *segment,
			 const char *name)
{
	const char *type = view_get_string(segment, "type");
	bool is_local;

	if (*name && strcmp(type, "nat"))
		ctl_fatal("segment %s is %s: outside=%s is for segments of "
			  "type nat only",
			  view_get_string(segment, "name"), type, name);
	if (!*name || !strcmp(name, "host")) {
		view_set(segment, "outside", value_set());
		return;
	}
	if (set_existing_bridge(cmd->ctl, segment, name) ||
	    set_port(cmd->ctl, segment, name))
		return;
	is_local = segment_is_local(cmd);
	if (!is_local || !host_net_has_device(name))
		no_outside(cmd->ctl, name, is_local);
	add_device_bridge(cmd, segment, name);
}
