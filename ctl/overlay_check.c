/* Changed VXLAN ports, found in the view and looked at (overlay_check.h). */
#include "ctl/overlay_check.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/bridge.h"
#include "ctl/value.h"

const char *const overlay_columns[] = { "name", "type", "options", NULL };
const char *const remote_mac_columns[] = { "mac", "vlan",   "remote_ip",
					   "ips", "sticky", NULL };

static bool is_touched(const struct view_row *row)
{
	return !row->deleted && !strcmp(row->table, "Interface") &&
	       (view_is_changed(row, "type") ||
		view_is_changed(row, "options"));
}

/* A tag, which may not go with VNIs by VLANs. */
static bool is_touched_port(const struct view_row *row)
{
	return !row->deleted && !row->inserted && !strcmp(row->table, "Port") &&
	       (view_is_changed(row, "tag") ||
		view_is_changed(row, "vlan_mode"));
}

static bool is_touched_mac(const struct view_row *row)
{
	return !row->deleted && !strcmp(row->table, "Remote_MAC") &&
	       (row->inserted || json_object_size(row->set) ||
		json_array_size(row->mutated));
}

bool overlay_is_vxlan(struct view_row *iface)
{
	return !strcmp(view_get_string(iface, "type"), "vxlan");
}

void overlay_plan_read(struct view_row *iface, struct overlay_plan *plan)
{
	const json_t *options = view_get(iface, "options");
	json_t *pairs = value_sorted_pairs(options), *pair;
	struct overlay_pair *list;
	size_t i, n = 0;

	list = xcalloc(json_array_size(pairs) + 1, sizeof(*list));
	json_array_foreach(pairs, i, pair) {
		list[n].key = json_string_value(json_array_get(pair, 0));
		list[n++].value = json_string_value(json_array_get(pair, 1));
	}
	/* The strings are those of `options`, which has the pairs, too. */
	json_decref(pairs);
	*plan = (struct overlay_plan){
		.name = view_get_string(iface, "name"),
		.options = list,
		.n_options = n,
	};
}

/* --- ports ---------------------------------------------------------------- */

static void check_underlay(struct ctl *ctl, struct view_row *row,
			   const struct overlay_plan *plan)
{
	const char *underlay = overlay_plan_option(plan, "underlay");
	struct bridge bridge, own;
	struct view_row *port;

	if (!underlay)
		return;
	if (!bridge_find(ctl, underlay, &bridge) || bridge.port)
		ctl_fatal("VXLAN port %s has underlay=%s, and there is no such "
			  "bridge; make it (\"add-br %s\"), or give the "
			  "uplink's",
			  plan->name, underlay, underlay);
	port = iface_port(ctl, view_get_string(row, "name"));
	if (port && port_bridge(ctl, port, &own) && own.row == bridge.row)
		ctl_fatal("VXLAN port %s has underlay=%s, the bridge that it "
			  "is in; outer packets would be inner ones again: "
			  "give the uplink's",
			  plan->name, underlay);
}

/* VNIs by VLANs need the VLANs, which an access port has not. */
static void check_tag(struct ctl *ctl, const struct overlay_plan *plan)
{
	struct view_row *port = iface_port(ctl, plan->name);
	const char *key = overlay_plan_option(plan, "key"), *mode;
	bool map = overlay_plan_option(plan, "vni-map");
	json_int_t tag;

	if (!port || (!map && (!key || strcmp(key, "flow") != 0)))
		return;
	if (!view_get_integer(port, "tag", &tag))
		tag = 0;
	mode = view_get_string(port, "vlan_mode");
	if (strcmp(mode, "access") && strcmp(mode, "dot1q-tunnel") &&
	    (*mode || !tag))
		return;
	ctl_fatal("VXLAN port %s has VNIs by VLANs (%s), but tag %lld makes it "
		  "a port of one VLAN; give it no tag, or one VNI",
		  plan->name, map ? "vni-map" : "key=flow", (long long)tag);
}

/* A VXLAN port that can be, alone. */
struct peer {
	struct overlay_plan plan;
	bool touched;
};

/* One that cannot be is in nobody's way, nor is one that vswd has refused. */
static bool read_peer(struct view_row *row, struct peer *peer)
{
	json_int_t ofport;
	char *why;

	peer->touched = is_touched(row);
	if (!overlay_is_vxlan(row) ||
	    (!peer->touched && view_get_integer(row, "ofport", &ofport) &&
	     ofport < 0))
		return false;
	overlay_plan_read(row, &peer->plan);
	why = overlay_plan_check(&peer->plan);
	if (why)
		free((void *)peer->plan.options);
	free(why);
	return !why;
}

static struct peer *read_peers(struct ctl *ctl, size_t *n)
{
	static const char *const columns[] = { "name", "type", "options",
					       "ofport", NULL };
	struct view_row *row = NULL;
	struct peer *peers = NULL;

	*n = 0;
	view_fetch(ctl->view, "Interface",
		   view_where("type", "==", json_string("vxlan")), columns);
	while ((row = view_next(ctl->view, "Interface", row))) {
		peers = xrealloc(peers, (*n + 1) * sizeof(*peers));
		*n += read_peer(row, &peers[*n]);
	}
	return peers;
}

/* Each changed one with all that have not been compared with it. */
static void compare_peers(const struct peer *peers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *why =
			overlay_mirror_check(&peers[i].plan, &peers[i].plan);

		if (!peers[i].touched) {
			free(why);
			continue;
		}
		for (size_t k = 0; k < n && !why; k++)
			if (k != i && (k < i || !peers[k].touched))
				why = overlay_pair_check(&peers[i].plan,
							 &peers[k].plan);
		if (why)
			ctl_fatal_error(why);
	}
}

static void check_peers(struct ctl *ctl)
{
	size_t n;
	struct peer *peers = read_peers(ctl, &n);

	compare_peers(peers, n);
	for (size_t i = 0; i < n; i++)
		free((void *)peers[i].plan.options);
	free(peers);
}

/* False: it is no VXLAN port. */
static bool check_row(struct ctl *ctl, struct view_row *row)
{
	struct overlay_plan plan;
	char *why;

	if (!row->inserted)
		view_fetch(ctl->view, "Interface",
			   view_where("_uuid", "==", value_uuid(row->uuid)),
			   overlay_columns);
	if (!overlay_is_vxlan(row))
		return false;
	overlay_plan_read(row, &plan);
	why = overlay_plan_check(&plan);
	if (why)
		ctl_fatal_error(why);
	check_underlay(ctl, row, &plan);
	check_tag(ctl, &plan);
	/* Somebody else may change the other half meanwhile. */
	view_verify(row, "type");
	view_verify(row, "options");
	/* One that is there (its ofport) may carry nothing all the same. */
	ctl_expect_row(ctl, row, xasprintf("VXLAN port %s", plan.name),
		       xasprintf("del-port %s", plan.name));
	free((void *)plan.options);
	return true;
}

static void check_port(struct ctl *ctl, struct view_row *port)
{
	json_t *uuids = view_get_set(port, "interfaces"), *uuid;
	struct overlay_plan plan;
	struct view_row *row;
	size_t i;

	json_array_foreach(uuids, i, uuid) {
		row = view_by_uuid(ctl->view, "Interface",
				   json_string_value(json_array_get(uuid, 1)),
				   overlay_columns);
		if (!row || !overlay_is_vxlan(row))
			continue;
		overlay_plan_read(row, &plan);
		check_tag(ctl, &plan);
		free((void *)plan.options);
	}
	json_decref(uuids);
}

/* --- MACs ----------------------------------------------------------------- */

static void check_mac(struct ctl *ctl, struct view_row *row)
{
	struct view_row *iface =
		view_referrer(ctl->view, "Interface", "remote_macs", row->uuid,
			      overlay_columns);
	struct overlay_plan plan = { 0 };
	struct overlay_mac mac = { 0 };
	json_t *ips, *ip;
	const char **list;
	char *why;
	size_t i;

	if (!row->inserted)
		view_fetch(ctl->view, "Remote_MAC",
			   view_where("_uuid", "==", value_uuid(row->uuid)),
			   remote_mac_columns);
	ips = view_get_set(row, "ips");
	list = xcalloc(json_array_size(ips) + 1, sizeof(*list));
	json_array_foreach(ips, i, ip)
		list[mac.n_ips++] = json_string_value(ip);
	mac.ips = list;
	mac.mac = view_get_string(row, "mac");
	mac.remote = view_get_string(row, "remote_ip");
	if (iface)
		overlay_plan_read(iface, &plan);
	why = overlay_mac_check(&mac, iface ? &plan : NULL);
	if (why)
		ctl_fatal_error(why);
	ctl_expect_row(ctl, row, xasprintf("remote MAC %s", mac.mac),
		       xasprintf("del-remote-mac %s %s",
				 iface ? plan.name : "PORT", mac.mac));
	free((void *)plan.options);
	free(list);
	json_decref(ips);
}

void overlay_check(struct ctl *ctl)
{
	bool changed = false;

	/* Fetching adds rows at the end, which nobody has changed. */
	for (struct view_row *row = view_first(ctl->view); row;
	     row = row->next) {
		if (is_touched(row))
			changed |= check_row(ctl, row);
		else if (is_touched_port(row))
			check_port(ctl, row);
		else if (is_touched_mac(row))
			check_mac(ctl, row);
	}
	if (changed)
		check_peers(ctl);
}
