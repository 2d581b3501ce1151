/* Bridges, ports and interfaces, real and fake, found in the view. */
#include "ctl/bridge.h"

#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "ctl/value.h"

static const char *const name_columns[] = { "name", NULL };
static const char *const port_columns[] = { "name", "tag", "fake_bridge",
					    "interfaces", NULL };

static void want_name(struct ctl *ctl, const char *table, const char *name,
		      const char *const columns[])
{
	view_want(ctl->view, table, view_where("name", "==", json_string(name)),
		  columns);
}

void bridge_want(struct ctl *ctl, const char *name)
{
	want_name(ctl, "Bridge", name, name_columns);
	want_name(ctl, "Port", name, port_columns);
}

void port_want(struct ctl *ctl, const char *name)
{
	bridge_want(ctl, name);
	want_name(ctl, "Interface", name, name_columns);
}

static struct view_row *find_port_row(struct ctl *ctl, const char *name)
{
	return view_by_name(ctl->view, "Port", "name", name, port_columns);
}

static struct view_row *real_bridge_of(struct ctl *ctl, struct view_row *port)
{
	return view_referrer(ctl->view, "Bridge", "ports", port->uuid,
			     name_columns);
}

static struct bridge real_bridge(struct view_row *row)
{
	return (struct bridge){ .row = row,
				.name = view_get_string(row, "name") };
}

static bool fake_bridge(struct ctl *ctl, struct view_row *port,
			struct bridge *bridge)
{
	*bridge = (struct bridge){ .row = real_bridge_of(ctl, port),
				   .port = port,
				   .name = view_get_string(port, "name") };
	view_get_integer(port, "tag", &bridge->vlan);
	return bridge->row;
}

bool bridge_find(struct ctl *ctl, const char *name, struct bridge *bridge)
{
	struct view_row *row;

	bridge_want(ctl, name);
	row = view_by_name(ctl->view, "Bridge", "name", name, name_columns);
	if (row) {
		*bridge = real_bridge(row);
		return true;
	}
	row = find_port_row(ctl, name);
	return row && view_get_bool(row, "fake_bridge") &&
	       fake_bridge(ctl, row, bridge);
}

void no_such(struct ctl *ctl, const char *table, const char *what,
	     const char *name)
{
	struct view_row *row = NULL;
	struct suggestion s;
	char hint[256];

	suggestion_init(&s, name);
	view_fetch(ctl->view, table, json_array(), name_columns);
	while ((row = view_next(ctl->view, table, row)))
		suggestion_offer(&s, view_get_string(row, "name"));
	ctl_fatal("no %s named %s%s", what, name,
		  suggestion_phrase(&s, hint, sizeof(hint)));
}

struct bridge bridge_get(struct ctl *ctl, const char *name)
{
	struct bridge bridge;

	if (!bridge_find(ctl, name, &bridge))
		no_such(ctl, "Bridge", "bridge", name);
	return bridge;
}

struct bridge bridge_get_real(struct ctl *ctl, const char *name)
{
	struct bridge bridge = bridge_get(ctl, name);

	if (bridge.port)
		ctl_fatal("%s is a fake bridge (VLAN %lld of %s); this command "
			  "needs a real one",
			  name, (long long)bridge.vlan,
			  view_get_string(bridge.row, "name"));
	return bridge;
}

/* Calls for the Ports that are fake bridges: NULL starts, NULL ends. */
static struct view_row *next_fake(struct ctl *ctl, struct view_row *port)
{
	if (!port)
		view_fetch(ctl->view, "Port",
			   view_where("fake_bridge", "==", json_true()),
			   port_columns);
	while ((port = view_next(ctl->view, "Port", port)))
		if (json_is_true(view_peek(port, "fake_bridge")))
			return port;
	return NULL;
}

static int compare_bridges(const void *a, const void *b)
{
	return strcmp(((const struct bridge *)a)->name,
		      ((const struct bridge *)b)->name);
}

struct bridge *bridge_list(struct ctl *ctl, size_t *n)
{
	struct view_row *row = NULL;
	struct bridge *list = NULL, fake;

	*n = 0;
	view_want(ctl->view, "Bridge", json_array(), name_columns);
	view_fetch(ctl->view, "Port",
		   view_where("fake_bridge", "==", json_true()), port_columns);
	while ((row = view_next(ctl->view, "Bridge", row))) {
		list = xrealloc(list, (*n + 1) * sizeof(*list));
		list[(*n)++] = real_bridge(row);
	}
	while ((row = next_fake(ctl, row))) {
		if (!fake_bridge(ctl, row, &fake))
			continue;
		list = xrealloc(list, (*n + 1) * sizeof(*list));
		list[(*n)++] = fake;
	}
	if (*n)
		qsort(list, *n, sizeof(*list), compare_bridges);
	return list;
}

bool bridge_find_child(struct ctl *ctl, struct view_row *row, json_int_t vlan,
		       struct bridge *child)
{
	struct view_row *port = NULL;

	while ((port = next_fake(ctl, port)))
		if (fake_bridge(ctl, port, child) && child->row == row &&
		    child->vlan == vlan)
			return true;
	return false;
}

bool port_bridge(struct ctl *ctl, struct view_row *port, struct bridge *bridge)
{
	struct view_row *row = real_bridge_of(ctl, port);
	json_int_t vlan;

	if (!row)
		return false;
	if (view_get_integer(port, "tag", &vlan) &&
	    !view_get_bool(port, "fake_bridge") &&
	    bridge_find_child(ctl, row, vlan, bridge))
		return true;
	*bridge = real_bridge(row);
	return true;
}

/* Whether a Port of bridge->row is the bridge's, and no bridge's own. */
static bool belongs(struct ctl *ctl, const struct bridge *bridge,
		    struct view_row *port)
{
	struct bridge child;
	json_int_t vlan;
	bool tagged;

	if (view_get_bool(port, "fake_bridge") ||
	    !strcmp(view_get_string(port, "name"),
		    view_get_string(bridge->row, "name")))
		return false;
	tagged = view_get_integer(port, "tag", &vlan);
	if (bridge->port)
		return tagged && vlan == bridge->vlan;
	return !tagged || !bridge_find_child(ctl, bridge->row, vlan, &child);
}

struct view_row **bridge_ports(struct ctl *ctl, const struct bridge *bridge,
			       size_t *n)
{
	struct view_row **ports;
	json_t *uuids, *u;
	size_t i;

	view_want(ctl->view, "Port", json_array(), port_columns);
	uuids = view_get_set(bridge->row, "ports");
	ports = xcalloc(json_array_size(uuids), sizeof(*ports));
	*n = 0;
	json_array_foreach(uuids, i, u) {
		const char *uuid = json_string_value(json_array_get(u, 1));
		struct view_row *port =
			view_by_uuid(ctl->view, "Port", uuid, port_columns);

		if (port && belongs(ctl, bridge, port))
			ports[(*n)++] = port;
	}
	json_decref(uuids);
	return ports;
}

struct view_row *port_find(struct ctl *ctl, const char *name)
{
	struct view_row *port;

	port_want(ctl, name);
	port = find_port_row(ctl, name);
	return port && !view_get_bool(port, "fake_bridge") ? port : NULL;
}

struct view_row *iface_port(struct ctl *ctl, const char *name)
{
	struct view_row *iface = view_by_name(ctl->view, "Interface", "name",
					      name, name_columns);

	return iface ? view_referrer(ctl->view, "Port", "interfaces",
				     iface->uuid, port_columns)
		     : NULL;
}

int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **port_ifaces(struct ctl *ctl, struct view_row *port, size_t *n)
{
	json_t *uuids = view_get_set(port, "interfaces"), *u;
	const char **names = xcalloc(json_array_size(uuids), sizeof(*names));
	size_t i;

	*n = 0;
	json_array_foreach(uuids, i, u) {
		struct view_row *iface = view_by_uuid(
			ctl->view, "Interface",
			json_string_value(json_array_get(u, 1)), name_columns);

		if (iface)
			names[(*n)++] = view_get_string(iface, "name");
	}
	json_decref(uuids);
	qsort(names, *n, sizeof(*names), compare_names);
	return names;
}

void bridge_check_conflict(struct ctl *ctl, const char *name, const char *what)
{
	struct bridge bridge;

	if (bridge_find(ctl, name, &bridge))
		ctl_fatal("%s because a bridge named %s already exists", what,
			  name);
}

void port_check_conflict(struct ctl *ctl, const char *name, const char *what)
{
	struct view_row *port;
	struct bridge bridge;
	const char *kind;

	port_want(ctl, name);
	bridge_check_conflict(ctl, name, what);
	port = find_port_row(ctl, name);
	kind = port ? "a port" : "an interface";
	if (!port)
		port = iface_port(ctl, name);
	if (port && port_bridge(ctl, port, &bridge))
		ctl_fatal("%s because %s named %s already exists on bridge %s",
			  what, kind, name, bridge.name);
}

void output_names(struct ctl_command *cmd, const char **names, size_t n)
{
	if (n)
		qsort(names, n, sizeof(*names), compare_names);
	if (cmd->ctl->options.style.format == TABLE_JSON)
		cmd->json = json_array();
	for (size_t i = 0; i < n; i++) {
		if (cmd->json)
			json_array_append_new(cmd->json, json_string(names[i]));
		else
			fprintf(cmd->out, "%s\n", names[i]);
	}
}

void output_string(struct ctl_command *cmd, const char *text)
{
	if (cmd->ctl->options.style.format == TABLE_JSON)
		cmd->json = json_string(text);
	else
		fprintf(cmd->out, "%s\n", text);
}
