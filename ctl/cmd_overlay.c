/*
 * Commands on VXLAN ports: add-vtep, add-remote, del-remote. Those on MACs
 * behind them are in cmd_remote_mac.c.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "ctl/bridge.h"
#include "ctl/cmd.h"
#include "ctl/overlay_check.h"
#include "ctl/overlay_settings.h"
#include "ctl/value.h"

/* add-vtep's words for options that have other names. */
static const struct {
	const char *word, *option;
} words[] = {
	{ "vni", "key" },
	{ "local", "local_ip" },
	{ "remote", "remotes" },
};

static void want_new(struct ctl_command *cmd)
{
	bridge_want(cmd->ctl, cmd->argv[1]);
	port_want(cmd->ctl, cmd->argv[2]);
}

static void want_port(struct ctl_command *cmd)
{
	port_want(cmd->ctl, cmd->argv[1]);
}

/* --- add-vtep ------------------------------------------------------------- */

static const char *option_of(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(words[i].word, word))
			return words[i].option;
	return word;
}

static void __attribute__((noreturn)) no_such_key(const char *key)
{
	struct suggestion s;
	char hint[128];

	suggestion_init(&s, key);
	suggestion_offer(&s, "tag");
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		suggestion_offer(&s, words[i].word);
	overlay_settings_suggest(&s);
	ctl_fatal("add-vtep has no setting \"%s\"%s (vswd(8) lists them)", key,
		  suggestion_phrase(&s, hint, sizeof(hint)));
}

/* remote=A remote=B, and remotes=A,B: they go together. */
static void add_remotes(struct view_row *iface, const char *list)
{
	const char *former = view_get_key(iface, "options", "remotes");
	char *all = former ? xasprintf("%s,%s", former, list) : xstrdup(list);

	view_set_key(iface, "options", "remotes", all);
	free(all);
}

static void set_tag(struct view_row *port, const char *value)
{
	char *end;
	long tag = strtol(value, &end, 10);

	if (!*value || *end || tag < 1 || tag > 4094)
		ctl_fatal("a port's tag cannot be \"%s\"; it is a VLAN from 1 "
			  "to 4094",
			  value);
	view_set(port, "tag", json_integer(tag));
}

static void __attribute__((noreturn)) no_setting(const char *word)
{
	ctl_fatal("add-vtep: \"%s\" is no setting; settings are KEY=VALUE, "
		  "such as vni=5001 or remote=192.0.2.7",
		  word);
}

static void check_key(const char *key, const char *option, const char *value)
{
	char *why;

	if (!strcmp(key, "remote_ip"))
		ctl_fatal("add-vtep makes a VTEP with any number of remotes: "
			  "remote=%s; one with remote_ip, for one remote, is "
			  "made by \"add-port BRIDGE PORT -- set Interface "
			  "PORT type=vxlan options:remote_ip=...\"",
			  value);
	if (!overlay_setting_is_known(option) &&
	    !overlay_setting_is_foreign(option))
		no_such_key(key);
	why = overlay_setting_check(option, key, value);
	if (why)
		ctl_fatal_error(why);
}

static void set_one(struct view_row *port, struct view_row *iface,
		    const char *setting)
{
	const char *equals = strchr(setting, '='), *option;
	char *key;

	if (!equals)
		no_setting(setting);
	key = strndup(setting, (size_t)(equals - setting));
	option = option_of(key);
	if (!strcmp(key, "tag")) {
		set_tag(port, equals + 1);
	} else {
		check_key(key, option, equals + 1);
		if (!strcmp(option, "remotes"))
			add_remotes(iface, equals + 1);
		else
			view_set_key(iface, "options", option, equals + 1);
	}
	free(key);
}

/* Whether two settings are for one option. */
static bool same_option(const char *a, const char *b)
{
	char *key_a = strndup(a, strcspn(a, "="));
	char *key_b = strndup(b, strcspn(b, "="));
	bool same = !strcmp(option_of(key_a), option_of(key_b)) &&
		    strcmp(option_of(key_a), "remotes") != 0;

	free(key_a);
	free(key_b);
	return same;
}

/* The last one would win, and nobody could tell which was meant. */
static void check_settings_twice(const struct ctl_command *cmd)
{
	for (int i = 3; i < cmd->argc; i++)
		for (int j = 3; j < i; j++)
			if (same_option(cmd->argv[i], cmd->argv[j]))
				ctl_fatal("add-vtep: %s and %s are the same "
					  "setting twice; give one of them",
					  cmd->argv[j], cmd->argv[i]);
}

/* A map says VNIs by VLANs, which key=flow is. */
static void complete(struct ctl_command *cmd, struct view_row *iface)
{
	bool map = view_get_key(iface, "options", "vni-map");

	if (map && !view_get_key(iface, "options", "key"))
		view_set_key(iface, "options", "key", "flow");
	if (!view_get_key(iface, "options", "key"))
		ctl_fatal("add-vtep %s %s needs vni=N, or vni-map=VLAN=VNI,... "
			  "for VNIs by VLANs",
			  cmd->argv[1], cmd->argv[2]);
}

static void create(struct ctl_command *cmd, const struct bridge *bridge)
{
	struct view *view = cmd->ctl->view;
	const char *name = cmd->argv[2];
	struct view_row *port = view_insert(view, "Port");
	struct view_row *iface = view_insert(view, "Interface");

	view_set_string(port, "name", name);
	view_set_string(iface, "name", name);
	view_set_string(iface, "type", "vxlan");
	view_set_key(iface, "options", "remote_ip", "flow");
	view_mutate_uuid(port, "interfaces", "insert", iface->uuid);
	if (bridge->port)
		view_set(port, "tag", json_integer(bridge->vlan));
	view_mutate_uuid(bridge->row, "ports", "insert", port->uuid);
	check_settings_twice(cmd);
	for (int i = 3; i < cmd->argc; i++)
		set_one(port, iface, cmd->argv[i]);
	complete(cmd, iface);
	ctl_expect_iface(cmd->ctl, iface, cmd->argv[1], name);
}

static struct view_row *find_iface(struct ctl *ctl, const char *name)
{
	return view_by_name(ctl->view, "Interface", "name", name,
			    overlay_columns);
}

/* --may-exist: it is there; is it a VXLAN port of that bridge? */
static void check_same(struct ctl_command *cmd, struct view_row *port)
{
	struct view_row *iface = find_iface(cmd->ctl, cmd->argv[2]);
	struct bridge bridge;

	if (!iface || !overlay_is_vxlan(iface))
		ctl_fatal("\"--may-exist add-vtep %s %s\" but %s is no VXLAN "
			  "port",
			  cmd->argv[1], cmd->argv[2], cmd->argv[2]);
	if (port_bridge(cmd->ctl, port, &bridge) &&
	    strcmp(bridge.name, cmd->argv[1]))
		ctl_fatal("\"--may-exist add-vtep %s %s\" but %s is actually "
			  "attached to bridge %s",
			  cmd->argv[1], cmd->argv[2], cmd->argv[2],
			  bridge.name);
}

static void add_vtep(struct ctl_command *cmd)
{
	struct bridge bridge = bridge_get(cmd->ctl, cmd->argv[1]);
	struct view_row *port = NULL;
	char *what;

	if (ctl_has_option(cmd, "--may-exist"))
		port = port_find(cmd->ctl, cmd->argv[2]);
	if (port) {
		check_same(cmd, port);
		return;
	}
	what = xasprintf("cannot create a port named %s", cmd->argv[2]);
	port_check_conflict(cmd->ctl, cmd->argv[2], what);
	free(what);
	create(cmd, &bridge);
}

/* --- add-remote, del-remote ----------------------------------------------- */

/* A VXLAN port with several remotes. */
static struct view_row *get_multipoint(struct ctl *ctl, const char *name)
{
	struct view_row *iface = find_iface(ctl, name);
	const char *remote;

	if (!iface)
		no_such(ctl, "Interface", "port", name);
	if (!overlay_is_vxlan(iface))
		ctl_fatal("port %s is no VXLAN port; \"add-vtep\" makes one",
			  name);
	remote = view_get_key(iface, "options", "remote_ip");
	if (remote && strcmp(remote, "flow"))
		ctl_fatal("VXLAN port %s has one remote only, %s; to have "
			  "several: \"vsw-ctl set Interface %s "
			  "options:remote_ip=flow options:remotes=%s\"",
			  name, remote, name, remote);
	return iface;
}

/* Addresses that are written in different ways are the same. */
static bool same_address(const char *a, const char *b)
{
	struct net_addr x, y;

	if (!net_addr_parse(&x, a, 0) || !net_addr_parse(&y, b, 0))
		return !strcmp(a, b);
	return !net_addr_compare(&x, &y);
}

/* The list without the address; *found: it was in it. The caller's. */
static char *list_without(const char *list, const char *address, bool *found)
{
	char part[NET_TEXT_MAX], *others = NULL, *more;

	*found = false;
	while (overlay_list_next(&list, part)) {
		if (same_address(part, address)) {
			*found = true;
			continue;
		}
		more = others ? xasprintf("%s,%s", others, part)
			      : xstrdup(part);
		free(others);
		others = more;
	}
	return others;
}

static void add_remote(struct ctl_command *cmd)
{
	struct view_row *iface = get_multipoint(cmd->ctl, cmd->argv[1]);
	const char *list = view_get_key(iface, "options", "remotes");
	char *others;
	const char *fault = overlay_address_fault(cmd->argv[2]);
	bool found;

	if (fault)
		ctl_fatal("VXLAN port %s cannot have remote \"%s\": %s",
			  cmd->argv[1], cmd->argv[2], fault);
	others = list_without(list, cmd->argv[2], &found);
	free(others);
	if (found && ctl_has_option(cmd, "--may-exist"))
		return;
	if (found)
		ctl_fatal("VXLAN port %s has remote %s already", cmd->argv[1],
			  cmd->argv[2]);
	add_remotes(iface, cmd->argv[2]);
}

static void del_remote(struct ctl_command *cmd)
{
	struct view_row *iface = find_iface(cmd->ctl, cmd->argv[1]);
	char *others;
	bool found;

	if (!iface && ctl_has_option(cmd, "--if-exists"))
		return;
	iface = get_multipoint(cmd->ctl, cmd->argv[1]);
	others = list_without(view_get_key(iface, "options", "remotes"),
			      cmd->argv[2], &found);
	if (!found && !ctl_has_option(cmd, "--if-exists"))
		ctl_fatal("VXLAN port %s has no remote %s (\"vsw-ctl get "
			  "Interface %s options:remotes\" prints what it has)",
			  cmd->argv[1], cmd->argv[2], cmd->argv[1]);
	if (found)
		view_set_key(iface, "options", "remotes", others);
	free(others);
}

const struct ctl_command_class overlay_commands[] = {
	{ "add-vtep", "BRIDGE VTEP [KEY=VALUE]...", 2, INT_MAX, "--may-exist",
	  "add a VXLAN port: vni=N or vni-map=VLAN=VNI,..., remote=IP (any "
	  "number), local=IP, group=IP, underlay=BRIDGE, evpn=true, and other "
	  "options of type vxlan",
	  want_new, add_vtep, NULL },
	{ "add-remote", "VTEP IP", 2, 2, "--may-exist",
	  "flood to another remote VTEP, too", want_port, add_remote, NULL },
	{ "del-remote", "VTEP IP", 2, 2, "--if-exists", "flood to it no more",
	  want_port, del_remote, NULL },
	{ "add-remote-mac", "BRIDGE|VTEP MAC IP [KEY=VALUE]...", 3, INT_MAX,
	  "--may-exist",
	  "say behind which remote VTEP a MAC is: vlan=N, ip=IP of that "
	  "machine (any number; for answers to ARP), sticky=true; "
	  "--may-exist: or change it",
	  want_remote_macs, add_remote_mac, NULL },
	{ "del-remote-mac", "BRIDGE|VTEP MAC [vlan=N]", 2, 3, "--if-exists",
	  "say so no more", want_remote_macs, del_remote_mac, NULL },
	{ "list-remote-macs", "[BRIDGE|VTEP]", 0, 1, "",
	  "print the MACs that were added so", want_remote_macs,
	  list_remote_macs, NULL },
};
const size_t n_overlay_commands = ARRAY_SIZE(overlay_commands);
