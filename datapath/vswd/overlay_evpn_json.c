/* EVPN as vtep/show has it. */
#include "vswd/overlay_evpn_internal.h"

static const char *state_word(enum evpn_frr_state state)
{
	static const char *const words[] = {
		[EVPN_FRR_UNKNOWN] = "unknown",
		[EVPN_FRR_GONE] = "gone",
		[EVPN_FRR_PRESENT] = "present",
	};

	return words[state];
}

static void set_count(json_t *json, const char *key, uint64_t n)
{
	json_object_set_new(json, key, json_integer(n));
}

static void set_counters(json_t *json, const struct evpn_mirror *m)
{
	const struct evpn_mirror_counters *c = evpn_mirror_counters(m);

	json_object_set_new(json, "synchronized",
			    json_boolean(evpn_mirror_synced(m)));
	set_count(json, "macs", c->macs);
	set_count(json, "ips", c->ips);
	set_count(json, "vteps", c->vteps);
	set_count(json, "moves", c->moves);
	set_count(json, "displaced", c->displaced);
	set_count(json, "held", c->held);
	set_count(json, "own-vtep", c->own_vtep);
	set_count(json, "unsupported", c->unsupported);
	set_count(json, "refused", c->refused);
	set_count(json, "resyncs", c->resyncs);
	set_count(json, "overruns", c->overruns);
	set_count(json, "not-fitting",
		  c->mac_limit + c->ip_limit + c->vtep_limit);
}

static json_t *network_to_json(const struct evpn_network *n)
{
	json_t *json = json_object();

	set_count(json, "vni", n->vni);
	if (n->vid)
		set_count(json, "vlan", n->vid);
	json_object_set_new(json, "bridge",
			    json_string(n->links[EVPN_BRIDGE].name));
	json_object_set_new(json, "vxlan",
			    json_string(n->links[EVPN_VXLAN].name));
	if (n->error)
		json_object_set_new(json, "error", json_string(n->error));
	if (n->mirror)
		set_counters(json, n->mirror);
	return json;
}

json_t *overlay_evpn_to_json(const struct overlay_evpn *evpn)
{
	enum evpn_frr_state state = evpn_frr_state(evpn->frr);
	const char *error = overlay_evpn_error(evpn);
	json_t *json = json_object(), *networks = json_array();

	json_object_set_new(json, "frr", json_string(state_word(state)));
	json_object_set_new(json, "frr-dir",
			    json_string(evpn_frr_directory(evpn->frr)));
	set_count(json, "hold-s", evpn->hold_s);
	if (error)
		json_object_set_new(json, "error", json_string(error));
	for (const struct evpn_network *n = evpn->networks; n; n = n->next)
		json_array_append_new(networks, network_to_json(n));
	json_object_set_new(json, "networks", networks);
	return json;
}
