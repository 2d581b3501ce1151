/* EVPN as vtep/show has it. */
#include <stdlib.h>
#include <time.h>

#include "vswd/overlay_evpn_internal.h"

const char *overlay_evpn_state(const struct overlay_evpn *evpn)
{
	static const char *const words[] = {
		[EVPN_FRR_UNKNOWN] = "unknown",
		[EVPN_FRR_GONE] = "gone",
		[EVPN_FRR_PRESENT] = "present",
	};

	return words[evpn_frr_state(evpn->frr)];
}

uint64_t evpn_held_until(const struct overlay_evpn *evpn)
{
	uint64_t until = 0;

	for (const struct evpn_network *n = evpn->networks; n; n = n->next)
		if (n->mirror)
			until = MAX(until, evpn_mirror_held_until(n->mirror));
	return until;
}

char *evpn_describe_gone(const struct evpn_absence *absence)
{
	struct tm tm = { 0 };
	time_t until;

	if (absence->left_s) {
		until = absence->clock_s + absence->left_s;
		/* In UTC, as the log has it. */
		gmtime_r(&until, &tm);
		return xasprintf("FRR is gone (no %s answers in %s); what it "
				 "had said is held for %u s more (until "
				 "%02d:%02d:%02d UTC), or until vswd ends",
				 absence->missing, absence->directory,
				 absence->left_s, tm.tm_hour, tm.tm_min,
				 tm.tm_sec);
	}
	if (!absence->seen)
		return xasprintf("FRR is not seen yet (no %s answers in %s); "
				 "nothing is known from it: start it, or set "
				 "evpn-frr-dir to where its sockets are",
				 absence->missing, absence->directory);
	return xasprintf("FRR is gone (no %s answers in %s), and nothing that "
			 "it had said is held: remote VTEPs and MACs are "
			 "forgotten until it is back",
			 absence->missing, absence->directory);
}

char *evpn_describe(const struct overlay_evpn *evpn)
{
	const char *dir = evpn_frr_directory(evpn->frr);
	uint64_t now = evpn_clock_ms(), until;
	struct evpn_absence absence = { 0 };

	switch (evpn_frr_state(evpn->frr)) {
	case EVPN_FRR_PRESENT:
		return xasprintf("FRR is there (%s)", dir);
	case EVPN_FRR_GONE:
		until = evpn_held_until(evpn);
		absence.missing = evpn_frr_missing(evpn->frr);
		absence.directory = dir;
		absence.seen = evpn_frr_seen(evpn->frr);
		absence.clock_s = time(NULL);
		if (until > now)
			absence.left_s = MAX((until - now) / 1000, 1);
		return evpn_describe_gone(&absence);
	case EVPN_FRR_UNKNOWN:
		break;
	}
	return xasprintf("no directory %s: whether FRR is there cannot be "
			 "told; set evpn-frr-dir",
			 dir);
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
	set_count(json, "own_vtep", c->own_vtep);
	set_count(json, "unsupported", c->unsupported);
	set_count(json, "refused", c->refused);
	set_count(json, "resyncs", c->resyncs);
	set_count(json, "overruns", c->overruns);
	set_count(json, "not_fitting",
		  c->mac_limit + c->ip_limit + c->vtep_limit);
}

static json_t *network_to_json(const struct evpn_network *n)
{
	json_t *json = json_object();

	set_count(json, "vni", n->vni);
	if (!n->fixed)
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
	const char *error = overlay_evpn_error(evpn);
	json_t *json = json_object(), *networks = json_array();
	char *text = evpn_describe(evpn);

	json_object_set_new(json, "state", json_string(text));
	free(text);
	json_object_set_new(json, "frr", json_string(overlay_evpn_state(evpn)));
	json_object_set_new(json, "frr_dir",
			    json_string(evpn_frr_directory(evpn->frr)));
	set_count(json, "hold_s", evpn->hold_s);
	if (error)
		json_object_set_new(json, "error", json_string(error));
	for (const struct evpn_network *n = evpn->networks; n; n = n->next)
		json_array_append_new(networks, network_to_json(n));
	json_object_set_new(json, "networks", networks);
	return json;
}
