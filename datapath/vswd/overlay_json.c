/* What vtep/show and Interface:status tell of an overlay. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vswd/net_text.h"
#include "vswd/overlay.h"
#include "vswd/status.h"

static void set_text(json_t *json, const char *key, const char *text)
{
	json_t *value = text ? json_string(text) : NULL;

	if (value)
		json_object_set_new(json, key, value);
}

static void set_ip(json_t *json, const char *key, const struct ip_address *ip)
{
	if (ip->len)
		set_text(json, key, ip_text(ip).text);
}

static void set_number(json_t *json, const char *key, uint64_t n)
{
	json_object_set_new(json, key, json_integer(n));
}

/* --- stations behind remotes -----------------------------------------------
 */

struct counting {
	const struct overlay *o;
	uint64_t *n; /* by the remote's index */
};

static bool count_entry(const struct fdb_entry *entry, void *aux)
{
	struct counting *c = aux;
	const struct overlay_remote *r =
		bridge_remote_by_number(c->o->v->bridge, entry->port);

	if (r && r->overlay == c->o)
		c->n[r->index]++;
	return true;
}

/* The caller's. */
static uint64_t *count_macs(const struct overlay *o)
{
	struct counting c = { o, xcalloc(MAX(o->n_indices, 1), sizeof(*c.n)) };

	fdb_for_each(o->v->bridge->fdb, count_entry, &c);
	return c.n;
}

/* --- remotes ---------------------------------------------------------------
 */

/* By remote_ip, remotes or group; else rows of Remote_MAC alone name it. */
static bool is_listed(const struct overlay_remote *r)
{
	const struct cfg_overlay *c = r->overlay->config;

	for (size_t i = 0; i < c->n_remotes; i++)
		if (ip_address_equal(&c->remotes[i], &r->ip))
			return true;
	return r->is_group;
}

static json_t *origins_json(const struct overlay_remote *r)
{
	unsigned origins = r->origins;
	json_t *json = json_array();

	/* "mac": it gets what is for those stations, and no floods. */
	if (origins & VTEP_STATIC)
		json_array_append_new(
			json, json_string(is_listed(r) ? "static" : "mac"));
	if (origins & VTEP_LEARNED)
		json_array_append_new(json, json_string("learned"));
	if (origins & VTEP_CONTROLLER)
		json_array_append_new(json, json_string("controller"));
	return json;
}

static void set_counters(json_t *json, const struct overlay_remote *r)
{
	struct port_counters c;
	uint64_t drops = 0;

	port_get_counters(r->port, &c);
	for (int i = 0; i < N_DROP_REASONS; i++)
		drops += c.drops[i];
	set_number(json, "rx_packets", c.rx_packets);
	set_number(json, "rx_bytes", c.rx_bytes);
	set_number(json, "tx_packets", c.tx_packets);
	set_number(json, "tx_bytes", c.tx_bytes);
	set_number(json, "drops", drops);
}

static json_t *remote_json(const struct overlay_remote *r, uint64_t n_macs)
{
	json_t *json = json_object();
	char mac[MAC_STRING_SIZE];

	set_ip(json, "address", &r->ip);
	if (r->is_group)
		json_object_set_new(json, "group", json_true());
	json_object_set_new(json, "origins", origins_json(r));
	json_object_set_new(json, "reached", json_boolean(r->resolved));
	if (r->next_hop)
		set_text(json, "next_hop", mac_format(r->next_hop, mac));
	if (r->mtu)
		set_number(json, "mtu", r->mtu);
	set_number(json, "macs", n_macs);
	set_counters(json, r);
	return json;
}

static int compare_remotes(const void *a_, const void *b_)
{
	const struct overlay_remote *const *a = a_, *const *b = b_;

	if ((*a)->ip.len != (*b)->ip.len)
		return (int)(*a)->ip.len - (int)(*b)->ip.len;
	return memcmp((*a)->ip.bytes, (*b)->ip.bytes, (*a)->ip.len);
}

static json_t *remotes_json(const struct overlay *o)
{
	const struct overlay_remote **list =
		xcalloc(MAX(o->n_remotes, 1), sizeof(struct overlay_remote *));
	uint64_t *n_macs = count_macs(o);
	json_t *json = json_array();
	size_t n = 0;

	for (const struct overlay_remote *r = o->remotes; r; r = r->next)
		list[n++] = r;
	qsort(list, n, sizeof(struct overlay_remote *), compare_remotes);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			json, remote_json(list[i], n_macs[list[i]->index]));
	free(n_macs);
	free(list);
	return json;
}

/* --- networks --------------------------------------------------------------
 */

static json_t *networks_json(const struct overlay *o)
{
	struct vtep_table *table = vtep_table_new(o->map);
	json_t *json = json_array();

	for (unsigned vlan = 0; vlan <= VTEP_VLAN_MAX; vlan++) {
		uint32_t vni = vtep_map_vni(o->map, vlan);
		json_t *row;
		unsigned n;

		if (vni == VTEP_NO_VNI)
			continue;
		vtep_table_flood(table, vlan, &n);
		row = json_pack("{s:i, s:i}", "vni", (int)vni, "floods_to",
				(int)n);
		if (o->config->map)
			set_number(row, "vlan", vlan);
		json_array_append_new(json, row);
	}
	free(table);
	return json;
}

static json_t *underlay_json(const struct overlay *o)
{
	const struct underlay *u = o->underlay;
	json_t *json = json_object();

	set_text(json, "port", u->name);
	set_text(json, "bridge", o->config->underlay);
	set_number(json, "udp_port", o->config->dst_port);
	if (u->station)
		json_object_update_new(json,
				       underlay_station_to_json(u->station));
	return json;
}

json_t *overlay_to_json(const struct overlay *o)
{
	json_t *json = json_object();

	set_text(json, "bridge", o->v->bridge->name);
	set_text(json, "port", o->v->interface->name);
	set_number(json, "ofport", o->v->ofport);
	set_text(json, "error", overlay_fault(o));
	set_ip(json, "local", &o->config->local);
	set_ip(json, "group", &o->config->group);
	json_object_set_new(json, "point_to_point",
			    json_boolean(o->config->single));
	json_object_set_new(json, "learning",
			    json_boolean(o->config->learning));
	json_object_set_new(json, "underlay", underlay_json(o));
	if (o->mtu)
		set_number(json, "mtu", o->mtu);
	json_object_set_new(json, "networks", networks_json(o));
	json_object_set_new(json, "remotes", remotes_json(o));
	set_number(json, "remotes_refused", o->remote_refused);
	set_number(json, "macs_refused", o->mac_refused);
	if (o->suppress) {
		set_number(json, "suppressed_addresses",
			   suppress_count(o->suppress));
		json_object_set_new(json, "answers", overlay_pairs_to_json(o));
	}
	if (o->evpn)
		json_object_set_new(json, "evpn",
				    overlay_evpn_to_json(o->evpn));
	return json;
}

/* --- Interface:status ------------------------------------------------------
 */

void overlay_describe(const struct overlay *o,
		      void (*add)(void *arg, const char *key,
				  const char *value),
		      void *arg)
{
	unsigned n_unreached = 0;
	char text[16];

	for (const struct overlay_remote *r = o->remotes; r; r = r->next)
		n_unreached += !r->resolved;
	snprintf(text, sizeof(text), "%u", o->n_remotes);
	add(arg, "vtep_count", text);
	snprintf(text, sizeof(text), "%u", n_unreached);
	add(arg, "vteps_unreached", text);
	add(arg, "underlay", o->underlay->name);
	if (o->evpn)
		add(arg, "evpn_frr", overlay_evpn_state(o->evpn));
	if (!o->mtu)
		return;
	snprintf(text, sizeof(text), "%u", o->mtu);
	add(arg, "overlay_mtu", text);
}
