/* Commands on rows of table Remote_MAC: MACs behind VXLAN ports. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctl/bridge.h"
#include "ctl/cmd.h"
#include "ctl/listing.h"
#include "ctl/overlay_check.h"
#include "ctl/settings.h"
#include "ctl/value.h"

void want_remote_macs(struct ctl_command *cmd)
{
	view_want(cmd->ctl->view, "Remote_MAC", json_array(),
		  remote_mac_columns);
	view_want(cmd->ctl->view, "Interface",
		  view_where("type", "==", json_string("vxlan")),
		  (const char *const[]){ "name", "type", "options",
					 "remote_macs", NULL });
	if (cmd->argc > 1)
		port_want(cmd->ctl, cmd->argv[1]);
}

/* --- whose ---------------------------------------------------------------- */

static bool is_in_bridge(struct ctl *ctl, struct view_row *iface,
			 const struct bridge *bridge)
{
	struct view_row *port = iface_port(ctl, view_get_string(iface, "name"));
	struct bridge own;

	return port && port_bridge(ctl, port, &own) && own.row == bridge->row;
}

/* The next VXLAN port, of that name or in that bridge; NULL name: any. */
static struct view_row *next_vxlan(struct ctl *ctl, const char *name,
				   struct view_row *row)
{
	struct bridge bridge;
	bool in = name && bridge_find(ctl, name, &bridge);

	while ((row = view_next(ctl->view, "Interface", row))) {
		if (!overlay_is_vxlan(row))
			continue;
		if (!name || (in ? is_in_bridge(ctl, row, &bridge)
				 : !strcmp(view_get_string(row, "name"), name)))
			return row;
	}
	return NULL;
}

static void __attribute__((noreturn))
no_vxlan(struct ctl *ctl, const char *name)
{
	struct bridge bridge;

	if (bridge_find(ctl, name, &bridge))
		ctl_fatal("bridge %s has no VXLAN port; \"add-vtep %s PORT\" "
			  "makes one",
			  name, name);
	if (port_find(ctl, name))
		ctl_fatal("port %s is no VXLAN port", name);
	no_such(ctl, "Port", "bridge or port", name);
}

/* The only one of a bridge, or that of the name. */
static struct view_row *get_vxlan(struct ctl *ctl, const char *name)
{
	struct view_row *row = next_vxlan(ctl, name, NULL), *other;

	if (!row)
		no_vxlan(ctl, name);
	other = next_vxlan(ctl, name, row);
	if (other)
		ctl_fatal("bridge %s has several VXLAN ports, %s and %s among "
			  "them; name the port",
			  name, view_get_string(row, "name"),
			  view_get_string(other, "name"));
	return row;
}

/* --- rows ----------------------------------------------------------------- */

static long vlan_of(struct view_row *row)
{
	json_int_t vlan;

	return view_get_integer(row, "vlan", &vlan) ? (long)vlan : -1;
}

static int compare_rows(const void *a_, const void *b_)
{
	struct view_row *a = *(struct view_row *const *)a_;
	struct view_row *b = *(struct view_row *const *)b_;
	long vlan_a = vlan_of(a), vlan_b = vlan_of(b);

	if (vlan_a != vlan_b)
		return vlan_a < vlan_b ? -1 : 1;
	return strcasecmp(view_get_string(a, "mac"), view_get_string(b, "mac"));
}

struct view_row **remote_macs_of(struct view_row *iface, size_t *n)
{
	json_t *uuids = view_get_set(iface, "remote_macs"), *u;
	struct view_row **rows =
		xcalloc(json_array_size(uuids) + 1, sizeof(struct view_row *));
	size_t i;

	*n = 0;
	json_array_foreach(uuids, i, u) {
		struct view_row *row = view_by_uuid(
			iface->view, "Remote_MAC",
			json_string_value(json_array_get(u, 1)), NULL);

		if (row)
			rows[(*n)++] = row;
	}
	json_decref(uuids);
	if (*n)
		qsort(rows, *n, sizeof(*rows), compare_rows);
	return rows;
}

/* vlan -2: any. NULL: there is none. */
static struct view_row *find_mac(struct ctl *ctl, struct view_row *iface,
				 const char *mac, long vlan)
{
	struct view_row **rows, *found = NULL;
	size_t n;

	rows = remote_macs_of(iface, &n);
	for (size_t i = 0; i < n; i++) {
		if (strcasecmp(view_get_string(rows[i], "mac"), mac) ||
		    (vlan != -2 && vlan_of(rows[i]) != vlan))
			continue;
		if (found)
			ctl_fatal("VXLAN port %s has %s in several VLANs; say "
				  "which: vlan=N",
				  view_get_string(iface, "name"), mac);
		found = rows[i];
	}
	free(rows);
	return found;
}

/* --- words ---------------------------------------------------------------- */

struct words {
	long vlan; /* -1: none */
	bool sticky;
	json_t *ips; /* a set's elements */
};

static long parse_vlan(const char *text)
{
	char *end;
	long vlan = strtol(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || vlan > 4094)
		ctl_fatal("a remote MAC's vlan cannot be \"%s\"; it is a VLAN "
			  "from 0 (untagged) to 4094",
			  text);
	return vlan;
}

static void take_ips(struct words *w, const char *text)
{
	char *copy = xstrdup(text), *save, *ip;

	for (ip = strtok_r(copy, ", ", &save); ip;
	     ip = strtok_r(NULL, ", ", &save))
		json_array_append_new(w->ips, json_string(ip));
	free(copy);
}

static void take_word(struct words *w, const char *word)
{
	if (!strncmp(word, "vlan=", 5))
		w->vlan = parse_vlan(word + 5);
	else if (!strncmp(word, "ip=", 3))
		take_ips(w, word + 3);
	else if (!strncmp(word, "ips=", 4))
		take_ips(w, word + 4);
	else if (!strcmp(word, "sticky=true"))
		w->sticky = true;
	else if (strcmp(word, "sticky=false") != 0)
		ctl_fatal("a remote MAC has no \"%s\"; it has vlan=N, ip=IP "
			  "and sticky=true",
			  word);
}

/* --- commands ------------------------------------------------------------- */

void add_remote_mac(struct ctl_command *cmd)
{
	struct view_row *iface = get_vxlan(cmd->ctl, cmd->argv[1]), *row;
	struct words w = { .vlan = -1, .ips = json_array() };
	char mac[18];

	if (!settings_parse_address(mac, cmd->argv[2]))
		ctl_fatal("a remote MAC cannot be \"%s\"; it is the MAC "
			  "address of one device, such as 02:00:00:00:00:01",
			  cmd->argv[2]);
	for (int i = 4; i < cmd->argc; i++)
		take_word(&w, cmd->argv[i]);
	row = find_mac(cmd->ctl, iface, mac, w.vlan);
	if (row && !ctl_has_option(cmd, "--may-exist"))
		ctl_fatal("VXLAN port %s has %s already, at %s; "
			  "\"--may-exist add-remote-mac\" changes it",
			  view_get_string(iface, "name"), mac,
			  view_get_string(row, "remote_ip"));
	if (!row) {
		row = view_insert(cmd->ctl->view, "Remote_MAC");
		view_set_string(row, "mac", mac);
		view_mutate_uuid(iface, "remote_macs", "insert", row->uuid);
		if (w.vlan >= 0)
			view_set(row, "vlan", json_integer(w.vlan));
	}
	view_set_string(row, "remote_ip", cmd->argv[3]);
	view_set(row, "sticky", json_boolean(w.sticky));
	view_set(row, "ips", json_pack("[s,o]", "set", w.ips));
}

void del_remote_mac(struct ctl_command *cmd)
{
	bool may_lack = ctl_has_option(cmd, "--if-exists");
	struct words w = { .vlan = -2, .ips = NULL };
	struct view_row *iface, *row;

	if (cmd->argc > 3) {
		if (strncmp(cmd->argv[3], "vlan=", 5) != 0)
			ctl_fatal("del-remote-mac takes vlan=N, not \"%s\"",
				  cmd->argv[3]);
		w.vlan = parse_vlan(cmd->argv[3] + 5);
	}
	if (may_lack && !next_vxlan(cmd->ctl, cmd->argv[1], NULL))
		return;
	iface = get_vxlan(cmd->ctl, cmd->argv[1]);
	row = find_mac(cmd->ctl, iface, cmd->argv[2], w.vlan);
	if (!row && may_lack)
		return;
	if (!row)
		ctl_fatal("VXLAN port %s has no remote MAC %s (\"vsw-ctl "
			  "list-remote-macs %s\" lists what it has)",
			  view_get_string(iface, "name"), cmd->argv[2],
			  view_get_string(iface, "name"));
	view_mutate_uuid(iface, "remote_macs", "delete", row->uuid);
	view_delete(row, false);
}

static json_t *ips_text(struct view_row *row)
{
	json_t *ips = view_get_set(row, "ips"), *ip, *value;
	char *text = xstrdup(""), *more;
	size_t i;

	json_array_foreach(ips, i, ip) {
		more = xasprintf("%s%s%s", text, i ? "," : "",
				 json_string_value(ip));
		free(text);
		text = more;
	}
	value = i ? json_string(text) : NULL;
	free(text);
	json_decref(ips);
	return value;
}

static void list_one(struct ctl_command *cmd, struct view_row *iface,
		     struct view_row *row)
{
	const char *error = view_get_string(row, "error");
	long vlan = vlan_of(row);

	listing_row(cmd);
	listing_cell(cmd, "port", json_string(view_get_string(iface, "name")));
	listing_cell(cmd, "mac", json_string(view_get_string(row, "mac")));
	listing_cell(cmd, "vlan", vlan >= 0 ? json_integer(vlan) : NULL);
	listing_cell(cmd, "remote",
		     json_string(view_get_string(row, "remote_ip")));
	listing_cell(cmd, "ips", ips_text(row));
	listing_cell(cmd, "sticky",
		     view_get_bool(row, "sticky") ? json_true() : NULL);
	listing_cell(cmd, "error", *error ? json_string(error) : NULL);
}

static int compare_ifaces(const void *a, const void *b)
{
	return strverscmp(
		view_get_string(*(struct view_row *const *)a, "name"),
		view_get_string(*(struct view_row *const *)b, "name"));
}

void list_remote_macs(struct ctl_command *cmd)
{
	const char *name = cmd->argc > 1 ? cmd->argv[1] : NULL;
	struct view_row *iface = NULL, **ifaces = NULL, **rows;
	size_t n_ifaces = 0, n;

	listing_begin(cmd,
		      (const char *const[]){ "port", "mac", "vlan", "remote",
					     "ips", "sticky", "error", NULL });
	view_want(cmd->ctl->view, "Remote_MAC", json_array(),
		  (const char *const[]){ "error", NULL });
	while ((iface = next_vxlan(cmd->ctl, name, iface))) {
		ifaces = xrealloc(ifaces,
				  (n_ifaces + 1) * sizeof(struct view_row *));
		ifaces[n_ifaces++] = iface;
	}
	if (name && !n_ifaces)
		no_vxlan(cmd->ctl, name);
	if (n_ifaces)
		qsort(ifaces, n_ifaces, sizeof(*ifaces), compare_ifaces);
	for (size_t k = 0; k < n_ifaces; k++) {
		rows = remote_macs_of(ifaces[k], &n);
		for (size_t i = 0; i < n; i++)
			list_one(cmd, ifaces[k], rows[i]);
		free(rows);
	}
	free(ifaces);
}
