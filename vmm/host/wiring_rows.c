/*
 * The rows of a VM's ports. A port is added on condition that the configuration
 * still has the number that it had when it was read ("wait"). So of two who
 * choose a name or an address at once one has to choose again.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "vmm/host/wiring_private.h"

#define ROOT "Open_vSwitch"

void wiring_rows_monitor(struct ovsdb_client *client)
{
	static const char *const root[] = { "next_cfg", "cur_cfg", NULL };
	static const char *const bridge[] = { "name", "ports", NULL };
	static const char *const port[] = { "name", "interfaces",
					    "external_ids", NULL };
	static const char *const interface[] = { "name",       "mac",
						 "mac_in_use", "external_ids",
						 "error",      "status",
						 "link_state", NULL };
	static const char *const numbers[] = { "statistics", NULL };

	ovsdb_client_monitor(client, ROOT, root);
	ovsdb_client_monitor(client, "Bridge", bridge);
	ovsdb_client_monitor(client, "Port", port);
	ovsdb_client_monitor(client, "Interface", interface);
	ovsdb_client_monitor_quietly(client, "Interface", numbers);
}

/* --- reading -------------------------------------------------------------- */

static const struct ovsdb_client_row *next(const struct wiring *w,
					   const char *table,
					   const struct ovsdb_client_row *row)
{
	return ovsdb_client_next(w->client, table, row);
}

/* An optional or plain string; "" when there is none. */
static const char *text(const struct ovsdb_client_row *row, const char *column)
{
	const struct ovsdb_datum *d = ovsdb_client_column(row, column);

	return d && d->n ? ovsdb_atom_string(&d->keys[0]) : "";
}

static int64_t number(const struct ovsdb_client_row *row, const char *column)
{
	const struct ovsdb_datum *d =
		row ? ovsdb_client_column(row, column) : NULL;

	return d && d->n ? d->keys[0].integer : 0;
}

static const char *external_id(const struct ovsdb_client_row *row,
			       const char *key)
{
	const struct ovsdb_datum *d = ovsdb_client_column(row, "external_ids");
	const char *value = d ? ovsdb_datum_get_string(d, key) : NULL;

	return value ? value : "";
}

static bool refers(const struct ovsdb_client_row *row, const char *column,
		   const struct uuid *uuid)
{
	const struct ovsdb_datum *d = ovsdb_client_column(row, column);
	union ovsdb_atom key = { .uuid = *uuid };

	return d && ovsdb_datum_find_key(d, &key, OVSDB_TYPE_UUID) >= 0;
}

static const struct ovsdb_client_row *find(const struct wiring *w,
					   const char *table, const char *name)
{
	const struct ovsdb_client_row *row = NULL;

	while ((row = next(w, table, row)) && strcmp(text(row, "name"), name))
		;
	return row;
}

static bool is_ours(const struct wiring *w, const struct ovsdb_client_row *port)
{
	return !strcmp(external_id(port, "vm-id"), w->vm_uuid);
}

static char *interface_id(const struct wiring *w, const struct vm_net *net)
{
	return xasprintf("%s-%s", w->vm_uuid, net->id);
}

/* Left behind by the same card. */
static bool is_stale(const struct wiring *w,
		     const struct ovsdb_client_row *port,
		     const struct vm_net *net)
{
	char *id = interface_id(w, net);
	bool stale = !strcmp(external_id(port, "iface-id"), id);

	free(id);
	return stale;
}

/* --- choosing ------------------------------------------------------------- */

static bool same_mac(const char *a, const char *b)
{
	return *a && !strcasecmp(a, b);
}

/* The port that uses the address, on a bridge (NULL: any), but the card's. */
static const struct ovsdb_client_row *mac_user(
	const struct wiring *w, const struct ovsdb_client_row *bridge,
	const struct vm_net *net, const char *mac)
{
	const struct ovsdb_client_row *port = NULL, *i;

	while ((port = next(w, "Port", port))) {
		if ((bridge && !refers(bridge, "ports", &port->uuid)) ||
		    is_stale(w, port, net))
			continue;
		for (i = NULL; (i = next(w, "Interface", i));)
			if (refers(port, "interfaces", &i->uuid) &&
			    (same_mac(external_id(i, "attached-mac"), mac) ||
			     same_mac(text(i, "mac_in_use"), mac) ||
			     same_mac(text(i, "mac"), mac)))
				return port;
	}
	return NULL;
}

static char *mac_text(const uint8_t mac[6])
{
	return xasprintf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
			 mac[2], mac[3], mac[4], mac[5]);
}

/* net->mac as text; one of 08:00:27 is chosen when there is none. */
static int choose_mac(const struct wiring *w,
		      const struct ovsdb_client_row *bridge, struct vm_net *net,
		      char **macp, char **errp)
{
	static const uint8_t none[6];
	bool choose = !memcmp(net->mac, none, sizeof(none));
	const struct ovsdb_client_row *user;
	char *mac;

	for (;;) {
		memcpy(net->mac, choose ? "\x08\x00\x27" : (char *)net->mac, 3);
		if (choose && getrandom(net->mac + 3, 3, 0) != 3)
			return set_error(errp, -errno, "no random numbers");
		mac = mac_text(net->mac);
		user = mac_user(w, choose ? NULL : bridge, net, mac);
		if (!choose || !user)
			break;
		free(mac);
	}
	*macp = mac;
	if (!user)
		return 0;
	set_error(errp, -EEXIST, "%s: port %s of bridge %s has the address %s",
		  net->id, text(user, "name"), net->bridge, mac);
	free(mac);
	return -EEXIST;
}

static bool is_free(const struct wiring *w, const struct vm_net *net,
		    const char *name)
{
	const struct ovsdb_client_row *port = find(w, "Port", name);

	if (port ? !is_stale(w, port, net) : find(w, "Interface", name) != NULL)
		return false;
	return net->kind != VM_NET_TAP || !if_nametoindex(name);
}

/* "vm1-net0"; of a tap what fits into 15 characters; "...~2" when taken. */
static void choose_port(const struct wiring *w, struct vm_net *net)
{
	int limit = net->kind == VM_NET_TAP ? IFNAMSIZ - 1 : INT16_MAX;
	char suffix[32];

	for (unsigned int i = 1;; i++) {
		int room;

		snprintf(suffix, sizeof(suffix), i > 1 ? "-%s~%u" : "-%s",
			 net->id, i);
		room = limit - (int)strlen(suffix);
		free(net->port);
		net->port =
			xasprintf("%.*s%s", MAX(room, 0), w->vm_name, suffix);
		if (is_free(w, net, net->port))
			return;
	}
}

/* --- writing -------------------------------------------------------------- */

static json_t *where(const struct ovsdb_client_row *row)
{
	char uuid[UUID_LEN + 1];

	return json_pack("[[s, s, [s, s]]]", "_uuid", "==", "uuid",
			 uuid_format(&row->uuid, uuid));
}

/* mutator "insert" or "delete": with a value, which is taken over. */
static void add_mutation(json_t *ops, const struct ovsdb_client_row *row,
			 const char *column, const char *mutator, json_t *with)
{
	json_array_append_new(
		ops, json_pack("{s:s, s:s, s:o, s:[[s, s, o]]}", "op", "mutate",
			       "table", row->table->name, "where", where(row),
			       "mutations", column, mutator, with));
}

/* The last of a transaction: there is something for vswd to do. */
static void add_next_cfg(const struct wiring *w, json_t *ops)
{
	json_t *last = json_pack(
		"[{s:s, s:s, s:[], s:[[s, s, i]]}, {s:s, s:s+}]", "op",
		"mutate", "table", ROOT, "where", "mutations", "next_cfg",
		"+=", 1, "op", "comment", "comment", "vsw-vmm ", w->vm_name);

	json_array_extend(ops, last);
	json_decref(last);
}

static void add_removal(const struct wiring *w, json_t *ops,
			const struct ovsdb_client_row *port)
{
	const struct ovsdb_client_row *bridge = NULL;
	char uuid[UUID_LEN + 1];

	while ((bridge = next(w, "Bridge", bridge)))
		if (refers(bridge, "ports", &port->uuid))
			add_mutation(ops, bridge, "ports", "delete",
				     json_pack("[s, s]", "uuid",
					       uuid_format(&port->uuid, uuid)));
}

static json_t *external_ids(const struct wiring *w, const struct vm_net *net,
			    const char *mac)
{
	char *id = interface_id(w, net);
	json_t *ids = json_pack("[s, [[ss], [ss], [ss], [ss]]]", "map",
				"iface-id", id, "attached-mac", mac, "vm-id",
				w->vm_uuid, "vm-name", w->vm_name);

	free(id);
	return ids;
}

static json_t *number_or_none(uint64_t n)
{
	return n ? json_integer((json_int_t)n) : NULL;
}

static json_t *interface_row(const struct wiring *w, const struct vm_net *net,
			     const char *socket, const char *mac)
{
	const char *type = net->kind == VM_NET_TAP ? ""
			   : net->client	   ? "vhostuser"
						   : "vhostuserclient";
	char queues[16], owner[16];
	json_t *options;

	snprintf(queues, sizeof(queues), "%u", net->queues);
	snprintf(owner, sizeof(owner), "%u", geteuid());
	options = json_pack("[[ss]]", *type ? "queues" : "n_rxq", queues);
	if (*type && !net->client)
		json_array_append_new(
			options,
			json_pack("[ss]", "vhost-server-path", socket));
	else if (*type && geteuid())
		json_array_append_new(options,
				      json_pack("[ss]", "socket-owner", owner));
	return json_pack("{ss ss s[so] so so* so*}", "name", net->port, "type",
			 type, "options", "map", options, "external_ids",
			 external_ids(w, net, mac), "mtu_request",
			 number_or_none(net->mtu), "ingress_policing_rate",
			 number_or_none(net->rate_kbps));
}

/* "10,20" as a set; NULL: none. */
static json_t *trunks(const char *p)
{
	json_t *vlans = json_array();
	char *end;

	for (; p && *p >= '0' && *p <= '9'; p = end + strspn(end, ","))
		json_array_append_new(vlans, json_integer(strtol(p, &end, 10)));
	return json_pack("[s, o]", "set", vlans);
}

static json_t *port_row(const struct wiring *w, const struct vm_net *net,
			const char *mac)
{
	return json_pack("{s:s, s:[s, s], s:o, s:o, s:o*, s:s*}", "name",
			 net->port, "interfaces", "named-uuid", "interface",
			 "external_ids", external_ids(w, net, mac), "trunks",
			 trunks(net->trunks), "tag",
			 net->tag < 0 ? NULL : json_integer(net->tag),
			 "vlan_mode", net->vlan_mode);
}

json_t *wiring_rows_add(struct wiring *w, struct vm_net *net,
			const char *socket, char **errp)
{
	const struct ovsdb_client_row *bridge = find(w, "Bridge", net->bridge),
				      *port = NULL;
	const struct ovsdb_client_row *root = next(w, ROOT, NULL);
	json_t *ops, *rows;
	char *mac = NULL;

	if (!root)
		return set_error(errp, -ENOENT,
				 "the database %s is empty; is "
				 "it vswd's?",
				 w->db),
		       NULL;
	if (!bridge)
		return set_error(errp, -ENOENT,
				 "there is no bridge or segment %s; \"vsw-ctl "
				 "list-br\" lists those that there are",
				 net->bridge),
		       NULL;
	if (choose_mac(w, bridge, net, &mac, errp))
		return NULL;
	choose_port(w, net);
	w->number = number(root, "next_cfg");
	ops = json_pack("[{s:s, s:i, s:s, s:[], s:[s], s:s, s:[{s:I}]}]", "op",
			"wait", "timeout", 0, "table", ROOT, "where", "columns",
			"next_cfg", "until", "==", "rows", "next_cfg",
			(json_int_t)w->number);
	while ((port = next(w, "Port", port)))
		if (is_stale(w, port, net))
			add_removal(w, ops, port);
	rows = json_pack("[{s:s, s:s, s:s, s:o}, {s:s, s:s, s:s, s:o}]", "op",
			 "insert", "table", "Interface", "uuid-name",
			 "interface", "row", interface_row(w, net, socket, mac),
			 "op", "insert", "table", "Port", "uuid-name", "port",
			 "row", port_row(w, net, mac));
	json_array_extend(ops, rows);
	json_decref(rows);
	add_mutation(ops, bridge, "ports", "insert",
		     json_pack("[s, s]", "named-uuid", "port"));
	add_next_cfg(w, ops);
	free(mac);
	return ops;
}

json_t *wiring_rows_remove(struct wiring *w, const char *name)
{
	const struct ovsdb_client_row *port = NULL;
	json_t *ops = json_array();

	while ((port = next(w, "Port", port)))
		if (is_ours(w, port) &&
		    (!name || !strcmp(text(port, "name"), name)))
			add_removal(w, ops, port);
	if (json_array_size(ops)) {
		add_next_cfg(w, ops);
		return ops;
	}
	json_decref(ops);
	return NULL;
}

/* --- what came of it ------------------------------------------------------ */

bool wiring_rows_reached(const struct wiring *w)
{
	return number(next(w, ROOT, NULL), "cur_cfg") > w->number;
}

const char *wiring_rows_error(const struct wiring *w, const char *port)
{
	const struct ovsdb_client_row *row = find(w, "Interface", port);

	return row && *text(row, "error") ? text(row, "error") : NULL;
}

char *wiring_client_socket(const struct wiring *w, const char *port)
{
	const struct ovsdb_client_row *row = find(w, "Interface", port);
	const struct ovsdb_datum *status =
		row ? ovsdb_client_column(row, "status") : NULL;
	const char *path =
		status ? ovsdb_datum_get_string(status, "socket") : NULL;

	return path ? xstrdup(path) : NULL;
}

json_t *wiring_port_info(const struct wiring *w, const char *port)
{
	const struct ovsdb_client_row *row = find(w, "Interface", port);
	const struct ovsdb_datum *numbers;
	json_t *info;

	if (!row)
		return NULL;
	info = json_pack("{s:s, s:s, s:{}}", "link", text(row, "link_state"),
			 "error", text(row, "error"), "statistics");
	numbers = ovsdb_client_column(row, "statistics");
	for (unsigned int i = 0; numbers && i < numbers->n; i++)
		json_object_set_new(json_object_get(info, "statistics"),
				    ovsdb_atom_string(&numbers->keys[i]),
				    json_integer(numbers->values[i].integer));
	return info;
}
