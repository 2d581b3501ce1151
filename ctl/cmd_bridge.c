/* Commands on bridges: add-br, del-br, list-br and what asks about one. */
#include "ctl/cmd.h"

#include <net/if.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/bridge.h"
#include "ctl/value.h"

static bool wants_json(const struct ctl_command *cmd)
{
	return cmd->ctl->options.style.format == TABLE_JSON;
}

static void want_bridge(struct ctl_command *cmd)
{
	bridge_want(cmd->ctl, cmd->argv[1]);
}

static void want_new_bridge(struct ctl_command *cmd)
{
	port_want(cmd->ctl, cmd->argv[1]);
	if (cmd->argc > 2)
		bridge_want(cmd->ctl, cmd->argv[2]);
}

static json_int_t parse_vlan(const char *text)
{
	char *end;
	long vlan = strtol(text, &end, 10);

	if (end == text || *end || vlan < 0 || vlan > 4095)
		ctl_fatal("add-br: the VLAN must be a number between 0 and "
			  "4095, not \"%s\"",
			  text);
	return vlan;
}

/* --may-exist: the bridge is there; is it the one that is wanted? */
static void check_same_bridge(struct ctl_command *cmd,
			      const struct bridge *bridge, json_int_t vlan)
{
	const char *name = cmd->argv[1];

	if (cmd->argc == 2) {
		if (bridge->port)
			ctl_fatal("\"--may-exist add-br %s\" but %s is a VLAN "
				  "bridge for VLAN %lld of %s",
				  name, name, (long long)bridge->vlan,
				  view_get_string(bridge->row, "name"));
		return;
	}
	if (!bridge->port)
		ctl_fatal("\"--may-exist add-br %s %s %lld\" but %s is not a "
			  "VLAN bridge",
			  name, cmd->argv[2], (long long)vlan, name);
	if (strcmp(view_get_string(bridge->row, "name"), cmd->argv[2]))
		ctl_fatal("\"--may-exist add-br %s %s %lld\" but %s has the "
			  "wrong parent %s",
			  name, cmd->argv[2], (long long)vlan, name,
			  view_get_string(bridge->row, "name"));
	if (bridge->vlan != vlan)
		ctl_fatal("\"--may-exist add-br %s %s %lld\" but %s is a VLAN "
			  "bridge for the wrong VLAN %lld",
			  name, cmd->argv[2], (long long)vlan, name,
			  (long long)bridge->vlan);
}

/* Its own port is a network device: the kernel's rules for names hold. */
void bridge_check_name(const char *name)
{
	if (!*name)
		ctl_fatal("bridge name must not be empty string");
	if (strchr(name, '/'))
		ctl_fatal("bridge name %s must not contain a slash", name);
	if (strlen(name) >= IFNAMSIZ || strpbrk(name, " \t\r\n\v\f%:"))
		ctl_fatal("bridge name \"%s\" cannot be that of a network "
			  "device: it must have 1 to %d characters, and no "
			  "white space, \"%%\" or \":\"",
			  name, IFNAMSIZ - 1);
}

/* The Port and the internal Interface that a bridge has of its own. */
static struct view_row *insert_local_port(struct ctl *ctl, const char *name,
					  const char *bridge)
{
	struct view_row *iface = view_insert(ctl->view, "Interface");
	struct view_row *port = view_insert(ctl->view, "Port");

	view_set_string(iface, "name", name);
	view_set_string(iface, "type", "internal");
	view_set_string(port, "name", name);
	view_mutate_uuid(port, "interfaces", "insert", iface->uuid);
	ctl_expect_iface(ctl, iface, bridge, name);
	return port;
}

struct view_row *bridge_create(struct ctl *ctl, const char *name, bool local)
{
	struct view_row *bridge = view_insert(ctl->view, "Bridge");

	view_set_string(bridge, "name", name);
	if (local)
		view_mutate_uuid(bridge, "ports", "insert",
				 insert_local_port(ctl, name, name)->uuid);
	view_mutate_uuid(view_root(ctl->view), "bridges", "insert",
			 bridge->uuid);
	return bridge;
}

static void add_fake_bridge(struct ctl *ctl, const char *name,
			    const char *parent_name, json_int_t vlan)
{
	struct bridge parent, child;
	struct view_row *port;

	if (!bridge_find(ctl, parent_name, &parent))
		ctl_fatal("parent bridge %s does not exist", parent_name);
	if (parent.port)
		ctl_fatal("cannot create bridge %s: its parent %s is a fake "
			  "bridge itself",
			  name, parent_name);
	if (bridge_find_child(ctl, parent.row, vlan, &child))
		ctl_fatal("bridge %s already has a child VLAN bridge %s on "
			  "VLAN %lld",
			  parent_name, child.name, (long long)vlan);
	port = insert_local_port(ctl, name, parent_name);
	view_set(port, "fake_bridge", json_true());
	view_set(port, "tag", json_integer(vlan));
	view_mutate_uuid(parent.row, "ports", "insert", port->uuid);
}

static void add_br(struct ctl_command *cmd)
{
	const char *name = cmd->argv[1];
	struct bridge bridge;
	json_int_t vlan = 0;
	char *what;

	if (cmd->argc == 3)
		ctl_fatal("'add-br' command takes exactly 1 or 3 arguments: "
			  "add-br BRIDGE [PARENT VLAN]");
	bridge_check_name(name);
	if (cmd->argc > 3)
		vlan = parse_vlan(cmd->argv[3]);
	if (ctl_has_option(cmd, "--may-exist") &&
	    bridge_find(cmd->ctl, name, &bridge)) {
		check_same_bridge(cmd, &bridge, vlan);
		return;
	}
	what = xasprintf("cannot create a bridge named %s", name);
	port_check_conflict(cmd->ctl, name, what);
	free(what);
	if (cmd->argc > 3)
		add_fake_bridge(cmd->ctl, name, cmd->argv[2], vlan);
	else
		bridge_create(cmd->ctl, name, true);
}

static void forget_port(struct ctl *ctl, struct view_row *port)
{
	json_t *uuids = view_get_set(port, "interfaces"), *u;
	size_t i;

	json_array_foreach(uuids, i, u) {
		view_delete_uuid(ctl->view, "Interface",
				 json_string_value(json_array_get(u, 1)));
	}
	json_decref(uuids);
	view_delete(port, false);
}

void port_delete(struct ctl *ctl, struct view_row *bridge,
		 struct view_row *port)
{
	view_mutate_uuid(bridge, "ports", "delete", port->uuid);
	forget_port(ctl, port);
}

void bridge_delete(struct ctl *ctl, struct view_row *bridge)
{
	json_t *uuids, *u;
	size_t i;

	view_want(ctl->view, "Port", json_array(),
		  (const char *const[]){ "name", "tag", "fake_bridge",
					 "interfaces", NULL });
	uuids = view_get_set(bridge, "ports");
	json_array_foreach(uuids, i, u) {
		struct view_row *port = view_by_uuid(
			ctl->view, "Port",
			json_string_value(json_array_get(u, 1)), NULL);

		if (port)
			forget_port(ctl, port);
	}
	json_decref(uuids);
	view_mutate_uuid(view_root(ctl->view), "bridges", "delete",
			 bridge->uuid);
	view_delete(bridge, false);
}

static void del_br(struct ctl_command *cmd)
{
	struct view_row **ports;
	struct bridge bridge;
	size_t n;

	if (!bridge_find(cmd->ctl, cmd->argv[1], &bridge)) {
		if (ctl_has_option(cmd, "--if-exists"))
			return;
		no_such(cmd->ctl, "Bridge", "bridge", cmd->argv[1]);
	}
	if (!bridge.port) {
		bridge_delete(cmd->ctl, bridge.row);
		return;
	}
	ports = bridge_ports(cmd->ctl, &bridge, &n);
	for (size_t i = 0; i < n; i++)
		port_delete(cmd->ctl, bridge.row, ports[i]);
	free(ports);
	port_delete(cmd->ctl, bridge.row, bridge.port);
}

static void list_br(struct ctl_command *cmd)
{
	bool real = ctl_has_option(cmd, "--real");
	bool fake = ctl_has_option(cmd, "--fake");
	struct bridge *list;
	const char **names;
	size_t n, shown = 0;

	list = bridge_list(cmd->ctl, &n);
	names = xcalloc(n, sizeof(*names));
	for (size_t i = 0; i < n; i++)
		if (list[i].port ? fake || !real : real || !fake)
			names[shown++] = list[i].name;
	output_names(cmd, names, shown);
	free(names);
	free(list);
}

static void br_exists(struct ctl_command *cmd)
{
	struct bridge bridge;

	/* As ovs-vsctl: scripts tell "no" from "failed" by the 2. */
	if (!bridge_find(cmd->ctl, cmd->argv[1], &bridge))
		cmd->ctl->exit_status = 2;
	if (wants_json(cmd))
		cmd->json = json_boolean(!cmd->ctl->exit_status);
}

static void br_to_vlan(struct ctl_command *cmd)
{
	struct bridge bridge = bridge_get(cmd->ctl, cmd->argv[1]);

	if (wants_json(cmd))
		cmd->json = json_integer(bridge.vlan);
	else
		fprintf(cmd->out, "%lld\n", (long long)bridge.vlan);
}

static void br_to_parent(struct ctl_command *cmd)
{
	struct bridge bridge = bridge_get(cmd->ctl, cmd->argv[1]);

	output_string(cmd, view_get_string(bridge.row, "name"));
}

/* A fake bridge keeps its external IDs in its Port, with this prefix. */
#define FAKE_PREFIX "fake-bridge-"

static void br_set_external_id(struct ctl_command *cmd)
{
	struct bridge bridge = bridge_get(cmd->ctl, cmd->argv[1]);
	const char *value = cmd->argc > 3 ? cmd->argv[3] : NULL;
	char *key =
		xasprintf("%s%s", bridge.port ? FAKE_PREFIX : "", cmd->argv[2]);

	view_set_key(bridge.port ? bridge.port : bridge.row, "external_ids",
		     key, value);
	free(key);
}

static void print_ids(struct ctl_command *cmd, const json_t *pairs, size_t skip)
{
	json_t *pair;
	size_t i;

	json_array_foreach(pairs, i, pair) {
		const char *key = json_string_value(json_array_get(pair, 0));
		json_t *value = json_array_get(pair, 1);

		if (strncmp(key, FAKE_PREFIX, skip))
			continue;
		if (cmd->json)
			json_object_set(cmd->json, key + skip, value);
		else
			fprintf(cmd->out, "%s=%s\n", key + skip,
				json_string_value(value));
	}
}

static void br_get_external_id(struct ctl_command *cmd)
{
	struct bridge bridge = bridge_get(cmd->ctl, cmd->argv[1]);
	struct view_row *row = bridge.port ? bridge.port : bridge.row;
	json_t *pairs;

	if (cmd->argc > 2) {
		char *key = xasprintf("%s%s", bridge.port ? FAKE_PREFIX : "",
				      cmd->argv[2]);
		const char *value = view_get_key(row, "external_ids", key);

		if (value || wants_json(cmd))
			output_string(cmd, value ? value : "");
		free(key);
		return;
	}
	pairs = value_sorted_pairs(view_get(row, "external_ids"));
	if (wants_json(cmd))
		cmd->json = json_object();
	print_ids(cmd, pairs, bridge.port ? strlen(FAKE_PREFIX) : 0);
	json_decref(pairs);
}

const struct ctl_command_class bridge_commands[] = {
	{ "add-br", "BRIDGE [PARENT VLAN]", 1, 3, "--may-exist",
	  "create a bridge, or a fake bridge for VLAN of PARENT",
	  want_new_bridge, add_br, NULL },
	{ "del-br", "BRIDGE", 1, 1, "--if-exists",
	  "delete a bridge and all of its ports", want_bridge, del_br, NULL },
	{ "list-br", "", 0, 0, "--real --fake", "print all bridges' names",
	  NULL, list_br, NULL },
	{ "br-exists", "BRIDGE", 1, 1, "", "exit with 2 if there is no BRIDGE",
	  want_bridge, br_exists, NULL },
	{ "br-to-vlan", "BRIDGE", 1, 1, "", "print a fake bridge's VLAN, or 0",
	  want_bridge, br_to_vlan, NULL },
	{ "br-to-parent", "BRIDGE", 1, 1, "",
	  "print a fake bridge's parent, or the bridge itself", want_bridge,
	  br_to_parent, NULL },
	{ "br-set-external-id", "BRIDGE KEY [VALUE]", 2, 3, "",
	  "set or remove an external ID of a bridge", want_bridge,
	  br_set_external_id, NULL },
	{ "br-get-external-id", "BRIDGE [KEY]", 1, 2, "",
	  "print a bridge's external IDs", want_bridge, br_get_external_id,
	  NULL },
};
const size_t n_bridge_commands = ARRAY_SIZE(bridge_commands);
