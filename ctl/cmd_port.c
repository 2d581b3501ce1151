/* Commands on ports, bonds and interfaces. */
#include "ctl/cmd.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/bridge.h"
#include "ctl/record.h"
#include "ctl/value.h"

static void want_bridge(struct ctl_command *cmd)
{
	bridge_want(cmd->ctl, cmd->argv[1]);
}

static void want_port(struct ctl_command *cmd)
{
	port_want(cmd->ctl, cmd->argv[cmd->argc - 1]);
	if (cmd->argc > 2)
		bridge_want(cmd->ctl, cmd->argv[1]);
}

static void want_new_port(struct ctl_command *cmd)
{
	bridge_want(cmd->ctl, cmd->argv[1]);
	port_want(cmd->ctl, cmd->argv[2]);
	for (int i = 3; i < cmd->argc && !strchr(cmd->argv[i], '='); i++)
		port_want(cmd->ctl, cmd->argv[i]);
}

static char *join(char *const words[], size_t n, const char *separator)
{
	char *text = xstrdup("");

	for (size_t i = 0; i < n; i++) {
		char *more =
			xasprintf("%s%s%s", text, i ? separator : "", words[i]);

		free(text);
		text = more;
	}
	return text;
}

/* --may-exist: the port is there; is it the one that is wanted? */
static void check_same_port(struct ctl_command *cmd, struct view_row *port,
			    const struct port_spec *spec)
{
	char *line = join(cmd->argv, cmd->argc, " "), *list;
	struct bridge bridge;
	const char **names;
	bool same;
	size_t n;

	if (port_bridge(cmd->ctl, port, &bridge) &&
	    strcmp(bridge.name, spec->bridge))
		ctl_fatal("\"--may-exist %s\" but %s is actually attached to "
			  "bridge %s",
			  line, spec->name, bridge.name);
	names = port_ifaces(cmd->ctl, port, &n);
	same = n == spec->n_ifaces;
	qsort(spec->ifaces, spec->n_ifaces, sizeof(*spec->ifaces),
	      compare_names);
	for (size_t i = 0; same && i < n; i++)
		same = !strcmp(names[i], spec->ifaces[i]);
	list = join((char *const *)names, n, ", ");
	if (!same)
		ctl_fatal("\"--may-exist %s\" but %s actually has interface(s) "
			  "%s",
			  line, spec->name, list);
	free(list);
	free(line);
	free(names);
}

static void check_names(struct ctl *ctl, const struct port_spec *spec)
{
	char *what = xasprintf("cannot create a port named %s", spec->name);

	if (!*spec->name)
		ctl_fatal("port name must not be empty string");
	port_check_conflict(ctl, spec->name, what);
	free(what);
	for (size_t i = 0; i < spec->n_ifaces; i++) {
		if (!*spec->ifaces[i])
			ctl_fatal("interface name must not be empty string");
		for (size_t j = 0; j < i; j++)
			if (!strcmp(spec->ifaces[i], spec->ifaces[j]))
				ctl_fatal("cannot create port %s with "
					  "interface %s twice",
					  spec->name, spec->ifaces[i]);
		if (!strcmp(spec->ifaces[i], spec->name))
			continue;
		what = xasprintf("cannot create an interface named %s",
				 spec->ifaces[i]);
		port_check_conflict(ctl, spec->ifaces[i], what);
		free(what);
	}
}

static void create_port(struct ctl_command *cmd, const struct port_spec *spec)
{
	struct bridge bridge = bridge_get(cmd->ctl, spec->bridge);
	struct view_row *port = view_insert(cmd->ctl->view, "Port");

	for (size_t i = 0; i < spec->n_ifaces; i++) {
		struct view_row *iface =
			view_insert(cmd->ctl->view, "Interface");

		view_set_string(iface, "name", spec->ifaces[i]);
		view_mutate_uuid(port, "interfaces", "insert", iface->uuid);
		ctl_expect_iface(cmd->ctl, iface, spec->bridge, spec->name);
	}
	view_set_string(port, "name", spec->name);
	if (spec->fake_iface)
		view_set(port, "bond_fake_iface", json_true());
	if (bridge.port)
		view_set(port, "tag", json_integer(bridge.vlan));
	for (size_t i = 0; i < spec->n_settings; i++)
		record_set(cmd->ctl, port, spec->settings[i]);
	view_mutate_uuid(bridge.row, "ports", "insert", port->uuid);
}

static void add(struct ctl_command *cmd, const struct port_spec *spec)
{
	struct view_row *port = NULL;

	if (ctl_has_option(cmd, "--may-exist"))
		port = port_find(cmd->ctl, spec->name);
	if (port) {
		check_same_port(cmd, port, spec);
		return;
	}
	check_names(cmd->ctl, spec);
	create_port(cmd, spec);
}

static void add_port(struct ctl_command *cmd)
{
	struct port_spec spec = {
		.bridge = cmd->argv[1],
		.name = cmd->argv[2],
		.ifaces = &cmd->argv[2],
		.n_ifaces = 1,
		.settings = &cmd->argv[3],
		.n_settings = cmd->argc - 3,
	};

	add(cmd, &spec);
}

static void add_bond(struct ctl_command *cmd)
{
	struct port_spec spec = {
		.bridge = cmd->argv[1],
		.name = cmd->argv[2],
		.fake_iface = ctl_has_option(cmd, "--fake-iface"),
	};
	int i = 3;

	while (i < cmd->argc && !strchr(cmd->argv[i], '='))
		i++;
	spec.n_ifaces = i - 3;
	spec.settings = &cmd->argv[i];
	spec.n_settings = cmd->argc - i;
	if (spec.n_ifaces < 2)
		ctl_fatal("add-bond requires at least 2 interfaces, but only "
			  "%zu %s specified",
			  spec.n_ifaces, spec.n_ifaces == 1 ? "was" : "were");
	/* A copy: check_same_port() sorts it. */
	spec.ifaces = xcalloc(spec.n_ifaces, sizeof(*spec.ifaces));
	memcpy(spec.ifaces, &cmd->argv[3],
	       spec.n_ifaces * sizeof(*spec.ifaces));
	add(cmd, &spec);
	free(spec.ifaces);
}

static struct view_row *get_port(struct ctl *ctl, const char *name)
{
	struct view_row *port = port_find(ctl, name);

	if (!port)
		no_such(ctl, "Port", "port", name);
	return port;
}

static void add_bond_iface(struct ctl_command *cmd)
{
	struct view_row *port, *owner, *iface;
	const char *name = cmd->argv[2];
	struct bridge bridge;
	char *what;

	port_want(cmd->ctl, name);
	port = get_port(cmd->ctl, cmd->argv[1]);
	owner = iface_port(cmd->ctl, name);
	if (owner == port && ctl_has_option(cmd, "--may-exist"))
		return;
	what = xasprintf("cannot add interface %s to port %s", name,
			 cmd->argv[1]);
	port_check_conflict(cmd->ctl, name, what);
	free(what);
	iface = view_insert(cmd->ctl->view, "Interface");
	view_set_string(iface, "name", name);
	view_mutate_uuid(port, "interfaces", "insert", iface->uuid);
	if (port_bridge(cmd->ctl, port, &bridge))
		ctl_expect_iface(cmd->ctl, iface, bridge.name, cmd->argv[1]);
}

static void del_bond_iface(struct ctl_command *cmd)
{
	const char *name = cmd->argv[cmd->argc - 1];
	struct view_row *port, *iface;
	const char **names;
	size_t n;

	port_want(cmd->ctl, name);
	port = iface_port(cmd->ctl, name);
	if (!port) {
		if (ctl_has_option(cmd, "--if-exists"))
			return;
		no_such(cmd->ctl, "Interface", "interface", name);
	}
	if (cmd->argc > 2 && get_port(cmd->ctl, cmd->argv[1]) != port)
		ctl_fatal("port %s does not have an interface %s (it is of "
			  "port %s)",
			  cmd->argv[1], name, view_get_string(port, "name"));
	names = port_ifaces(cmd->ctl, port, &n);
	free(names);
	if (n < 2)
		ctl_fatal("cannot delete the only interface of port %s; "
			  "\"del-port %s\" deletes the port",
			  view_get_string(port, "name"),
			  view_get_string(port, "name"));
	view_verify(port, "interfaces");
	iface = view_by_name(cmd->ctl->view, "Interface", "name", name, NULL);
	view_mutate_uuid(port, "interfaces", "delete", iface->uuid);
	view_delete(iface, false);
}

/* "del-port BRIDGE PORT": PORT is on another bridge; says which. */
static void wrong_bridge(struct ctl_command *cmd, const struct bridge *wanted,
			 const struct bridge *actual)
{
	const char *name = cmd->argv[2];

	if (actual->row != wanted->row)
		ctl_fatal("bridge %s does not have a port %s (bridge %s does)",
			  wanted->name, name, actual->name);
	if (actual->port)
		ctl_fatal("bridge %s does not have a port %s (although its "
			  "child bridge %s does)",
			  wanted->name, name, actual->name);
	ctl_fatal("bridge %s does not have a port %s (although its parent "
		  "bridge %s does)",
		  wanted->name, name, actual->name);
}

static void del_port(struct ctl_command *cmd)
{
	const char *name = cmd->argv[cmd->argc - 1];
	bool with_iface = ctl_has_option(cmd, "--with-iface");
	struct view_row *port = port_find(cmd->ctl, name);
	struct bridge wanted, actual;

	if (!port && with_iface)
		port = iface_port(cmd->ctl, name);
	if (cmd->argc > 2)
		wanted = bridge_get(cmd->ctl, cmd->argv[1]);
	if (!port || !port_bridge(cmd->ctl, port, &actual)) {
		if (ctl_has_option(cmd, "--if-exists"))
			return;
		no_such(cmd->ctl, "Port",
			with_iface ? "port or interface" : "port", name);
	}
	if (!strcmp(name, actual.name))
		ctl_fatal("cannot delete port %s because it is the local port "
			  "of bridge %s; \"del-br %s\" deletes the bridge",
			  name, actual.name, actual.name);
	if (cmd->argc > 2 && strcmp(wanted.name, actual.name))
		wrong_bridge(cmd, &wanted, &actual);
	port_delete(cmd->ctl, actual.row, port);
}

static void list_ports(struct ctl_command *cmd)
{
	struct bridge bridge = bridge_get(cmd->ctl, cmd->argv[1]);
	struct view_row **ports;
	const char **names;
	size_t n;

	ports = bridge_ports(cmd->ctl, &bridge, &n);
	names = xcalloc(n, sizeof(*names));
	for (size_t i = 0; i < n; i++)
		names[i] = view_get_string(ports[i], "name");
	output_names(cmd, names, n);
	free(names);
	free(ports);
}

static void list_ifaces(struct ctl_command *cmd)
{
	struct bridge bridge = bridge_get(cmd->ctl, cmd->argv[1]);
	const char **all = NULL;
	struct view_row **ports;
	size_t n_ports, n, total = 0;

	view_want(cmd->ctl->view, "Interface", json_array(),
		  (const char *const[]){ "name", NULL });
	ports = bridge_ports(cmd->ctl, &bridge, &n_ports);
	for (size_t i = 0; i < n_ports; i++) {
		const char **names = port_ifaces(cmd->ctl, ports[i], &n);

		all = xrealloc(all, (total + n + 1) * sizeof(*all));
		memcpy(all + total, names, n * sizeof(*all));
		total += n;
		free(names);
	}
	output_names(cmd, all, total);
	free(all);
	free(ports);
}

static void port_to_br(struct ctl_command *cmd)
{
	struct view_row *port = get_port(cmd->ctl, cmd->argv[1]);
	struct bridge bridge;

	if (!port_bridge(cmd->ctl, port, &bridge))
		ctl_fatal("port %s is on no bridge", cmd->argv[1]);
	output_string(cmd, bridge.name);
}

static void iface_to_br(struct ctl_command *cmd)
{
	struct view_row *port;
	struct bridge bridge;

	port_want(cmd->ctl, cmd->argv[1]);
	port = iface_port(cmd->ctl, cmd->argv[1]);
	if (!port || !port_bridge(cmd->ctl, port, &bridge))
		no_such(cmd->ctl, "Interface", "interface", cmd->argv[1]);
	output_string(cmd, bridge.name);
}

const struct ctl_command_class port_commands[] = {
	{ "list-ports", "BRIDGE", 1, 1, "", "print the ports of a bridge",
	  want_bridge, list_ports, NULL },
	{ "add-port", "BRIDGE PORT [COLUMN[:KEY]=VALUE]...", 2, INT_MAX,
	  "--may-exist", "add network device PORT to BRIDGE", want_new_port,
	  add_port, NULL },
	{ "del-port", "[BRIDGE] PORT", 1, 2, "--if-exists --with-iface",
	  "delete PORT (which may be a bond)", want_port, del_port, NULL },
	{ "port-to-br", "PORT", 1, 1, "", "print the bridge that PORT is on",
	  want_port, port_to_br, NULL },
	{ "add-bond", "BRIDGE PORT IFACE... [COLUMN[:KEY]=VALUE]...", 2,
	  INT_MAX, "--may-exist --fake-iface",
	  "add bond PORT of two or more IFACEs to BRIDGE", want_new_port,
	  add_bond, NULL },
	{ "add-bond-iface", "BOND IFACE", 2, 2, "--may-exist",
	  "add IFACE to a bond (or make PORT one)", want_port, add_bond_iface,
	  NULL },
	{ "del-bond-iface", "[BOND] IFACE", 1, 2, "--if-exists",
	  "take IFACE out of its bond", want_port, del_bond_iface, NULL },
	{ "list-ifaces", "BRIDGE", 1, 1, "", "print the interfaces of a bridge",
	  want_bridge, list_ifaces, NULL },
	{ "iface-to-br", "IFACE", 1, 1, "", "print the bridge that IFACE is on",
	  want_port, iface_to_br, NULL },
};
const size_t n_port_commands = ARRAY_SIZE(port_commands);
