/*
 * An overlay and FRR: its networks, one for each VNI, and what the switch tells
 * them of its own stations (overlay_evpn_internal.h, overlay.h).
 */
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vswd/net_text.h"
#include "vswd/overlay_evpn_internal.h"

LOG_MODULE(evpn);

#define FRR_DIRECTORY	  "/run/frr"
#define FRR_DIRECTORY_MAX 95 /* and a socket's name fits a sockaddr_un */

static struct evpn_ip to_evpn(const struct ip_address *ip)
{
	struct evpn_ip to = { .len = ip->len };

	memcpy(to.bytes, ip->bytes, ip->len);
	return to;
}

/* --- what the switch says --------------------------------------------------
 */

static struct evpn_network *find_network(const struct overlay_evpn *evpn,
					 uint16_t vid)
{
	return vid <= VTEP_VLAN_MAX ? evpn->by_vid[vid] : NULL;
}

static void take_early_pairs(struct evpn_network *n, uint64_t mac)
{
	for (unsigned i = 0; n->n_early && i < EVPN_N_EARLY; i++) {
		struct evpn_early_pair *pair = &n->early[i];

		if (pair->mac != mac)
			continue;
		(void)!evpn_mirror_local_ip(n->mirror, mac, &pair->ip);
		pair->mac = 0;
	}
}

void overlay_evpn_station(struct overlay_evpn *evpn, uint16_t vid, uint64_t mac,
			  bool local)
{
	struct evpn_network *n = find_network(evpn, vid);

	if (!n || !n->mirror)
		return;
	if (!local)
		evpn_mirror_local_gone(n->mirror, mac);
	else if (evpn_mirror_local(n->mirror, mac) == -ENOSPC)
		log_warn_limited("VNI %u: more than %u MACs: one that is local "
				 "is not announced",
				 n->vni, EVPN_MACS_MAX);
	else
		take_early_pairs(n, mac);
	evpn_host_wake(n);
}

/* The port that the FDB has it on is one of this host, and no tunnel. */
static bool is_local(const struct overlay *o, uint16_t port)
{
	const struct vport *v = bridge_find_number(o->v->bridge, port);

	return v && !v->overlay;
}

/*
 * A pair often comes before the FDB's news of its MAC, above all when a machine
 * has just moved here: so the FDB itself is asked.
 */
void overlay_evpn_pair(struct overlay_evpn *evpn, uint16_t vid, uint64_t mac,
		       const struct ip_address *ip)
{
	struct evpn_network *n = find_network(evpn, vid);
	const struct overlay *o = evpn->overlay;
	struct evpn_ip own = to_evpn(ip);
	int fid = overlay_fid(o, vid);
	unsigned port;

	if (!n || !n->mirror || fid < 0)
		return;
	port = fdb_lookup(o->v->bridge->fdb, fdb_make_key(mac, fid));
	if (is_local(o, port))
		overlay_evpn_station(evpn, vid, mac, true);
	if (!evpn_mirror_local_ip(n->mirror, mac, &own))
		evpn_host_wake(n);
	else if (port == FDB_NONE)
		n->early[n->n_early++ % EVPN_N_EARLY] =
			(struct evpn_early_pair){ mac, own };
}

struct reading {
	struct overlay_evpn *evpn;
	struct evpn_network *only; /* or NULL: all */
};

static bool read_entry(const struct fdb_entry *e, void *arg)
{
	const struct reading *reading = arg;
	const struct overlay *o = reading->evpn->overlay;
	int vid = overlay_vid(o, e->fid);

	if (vid >= 0 && (!reading->only || reading->only->vid == vid) &&
	    is_local(o, e->port))
		overlay_evpn_station(reading->evpn, vid, e->mac, true);
	return true;
}

/* Of one network, or of all (NULL). */
static void read_stations(struct overlay_evpn *evpn, struct evpn_network *only)
{
	struct reading reading = { evpn, only };

	for (struct evpn_network *n = evpn->networks; n; n = n->next)
		if (n->mirror && (!only || n == only))
			evpn_mirror_local_begin(n->mirror);
	fdb_for_each(evpn->overlay->v->bridge->fdb, read_entry, &reading);
	for (struct evpn_network *n = evpn->networks; n; n = n->next)
		if (n->mirror && (!only || n == only)) {
			evpn_mirror_local_end(n->mirror);
			evpn_host_wake(n);
		}
}

void overlay_evpn_resync(struct overlay_evpn *evpn)
{
	read_stations(evpn, NULL);
}

/* --- what is wrong ---------------------------------------------------------
 */

static char *describe_fault(const struct overlay_evpn *evpn)
{
	if (evpn->error)
		return xstrdup(evpn->error);
	if (evpn->host->error)
		return xstrdup(evpn->host->error);
	for (const struct evpn_network *n = evpn->networks; n; n = n->next)
		if (n->error)
			return xasprintf("EVPN of VNI %u: %s", n->vni,
					 n->error);
	/* That FRR is gone is no fault of the configuration: see its state. */
	return NULL;
}

const char *overlay_evpn_error(const struct overlay_evpn *evpn)
{
	/* A cache of what is returned, no state. */
	struct overlay_evpn *own = (struct overlay_evpn *)evpn;

	free(own->text);
	own->text = describe_fault(evpn);
	return own->text;
}

void overlay_evpn_error_changed(struct overlay_evpn *evpn)
{
	const char *error = overlay_evpn_error(evpn);

	if (error)
		log_warn("interface %s: %s", evpn->overlay->v->interface->name,
			 error);
	vport_mark_dirty(evpn->overlay->vs, evpn->overlay->v);
	overlay_changed(evpn->overlay);
}

/* --- networks --------------------------------------------------------------
 */

void evpn_network_ready(struct evpn_network *n, uint64_t now)
{
	struct overlay_evpn *evpn = n->evpn;
	const struct evpn_mirror_config config = {
		.bridge = n->links[EVPN_BRIDGE].ifindex,
		.member = n->links[EVPN_MEMBER].ifindex,
		.vxlan = n->links[EVPN_VXLAN].ifindex,
		.local = to_evpn(&evpn->local),
		.macs_max = EVPN_MACS_MAX,
		.ips_max = EVPN_IPS_MAX,
		.vteps_max = OVERLAY_REMOTES_MAX,
		.ips_a_mac_max = EVPN_IPS_A_MAC,
		.withdraw_ms = EVPN_WITHDRAW_MS,
		.hold_ms = evpn->hold_s * 1000,
		.retry_ms = EVPN_RETRY_MS,
		.keep_ms = EVPN_KEEP_MS,
		.tell = evpn_take_news,
		.arg = n,
	};

	n->due_ms = 0;
	if (n->mirror) {
		evpn_mirror_rebind(n->mirror, config.bridge, config.member,
				   config.vxlan, now);
		return;
	}
	n->mirror = evpn_mirror_create(&config);
	n->fresh = true;
	read_stations(evpn, n);
}

static void end_network(struct evpn_network *n)
{
	if (n->mirror) {
		evpn_mirror_forget(n->mirror);
		evpn_mirror_destroy(n->mirror);
	}
	evpn_devices_remove(n);
	evpn_host_remove(n);
	free(n->error);
	free(n);
}

static void refuse(struct overlay_evpn *evpn, char *error)
{
	free(evpn->error);
	evpn->error = error;
}

static void add_network(struct overlay_evpn *evpn, uint16_t vid, uint32_t vni)
{
	struct evpn_network *n;
	int error;

	if (evpn->by_vid[vid])
		return;
	n = xcalloc(1, sizeof(*n));
	n->evpn = evpn;
	n->vni = vni;
	n->vid = vid;
	n->fixed = !evpn->overlay->config->map;
	n->flush_ms = UINT64_MAX;
	n->zebra_ends = evpn_frr_zebra_ends(evpn->frr);
	for (unsigned i = 0; i < EVPN_N_DEVICES; i++)
		n->links[i].network = n;
	error = evpn_host_add(evpn->host, n);
	if (error) {
		refuse(evpn, error == -EEXIST
				     ? xasprintf("VNI %u is another overlay's "
						 "of this switch, and FRR's "
						 "only once",
						 vni)
				     : xasprintf("VNI %u is left out: the "
						 "switch has %u with evpn",
						 vni, EVPN_NETWORKS_MAX));
		free(n);
		return;
	}
	evpn_devices_name(n);
	n->next = evpn->networks;
	evpn->networks = n;
	evpn->by_vid[vid] = n;
}

/* The VNI that a VLAN (fixed: 0) is to have, or VTEP_NO_VNI. */
static uint32_t wanted_vni(const struct overlay_evpn *evpn, uint16_t vid)
{
	const struct cfg_overlay *c = evpn->overlay->config;

	if (c->map)
		return vtep_map_vni(c->map, vid);
	return vid ? VTEP_NO_VNI : c->vni;
}

/* All of them, or those that the configuration has no more. */
static void end_networks(struct overlay_evpn *evpn, bool all)
{
	struct evpn_network **at = &evpn->networks, *n;

	while ((n = *at)) {
		if (!all && n->vni == wanted_vni(evpn, n->vid) &&
		    n->fixed == !evpn->overlay->config->map) {
			at = &n->next;
			continue;
		}
		*at = n->next;
		evpn->by_vid[n->vid] = NULL;
		end_network(n);
	}
}

static const char *frr_directory(const struct overlay *o)
{
	const char *dir = cfg_interface_option(o->v->interface, "evpn-frr-dir");

	return dir && dir[0] ? dir : FRR_DIRECTORY;
}

/* Why this overlay cannot be one of FRR's; NULL: it can. */
static char *refusal(const struct overlay *o)
{
	const struct cfg_overlay *c = o->config;
	const char *dir = frr_directory(o);
	unsigned n = 0;

	if (c->local.len != 4)
		return xstrdup("evpn needs an IPv4 address as local_ip: FRR "
			       "has VTEPs of no other kind");
	if (dir[0] != '/' || strlen(dir) > FRR_DIRECTORY_MAX)
		return xasprintf("evpn-frr-dir \"%s\" is not the full path "
				 "of a directory, of at most %u bytes",
				 dir, FRR_DIRECTORY_MAX);
	if (c->map ? vtep_map_vlan(c->map, 0) != VTEP_NO_VLAN : !c->vni)
		return xstrdup("evpn with VNI 0, which FRR does not take; set "
			       "options:key, or another vni-map");
	for (unsigned vid = 0; c->map && vid <= VTEP_VLAN_MAX; vid++)
		n += vtep_map_vni(c->map, vid) != VTEP_NO_VNI;
	if (n > EVPN_NETWORKS_MAX)
		return xasprintf("evpn with %u VNIs: at most %u; name those "
				 "that are needed in vni-map",
				 n, EVPN_NETWORKS_MAX);
	return NULL;
}

static void configure_networks(struct overlay_evpn *evpn)
{
	bool refused = evpn->error;

	/* First: a VNI may be another VLAN's now. */
	end_networks(evpn, refused);
	for (unsigned vid = 0; !refused && vid <= VTEP_VLAN_MAX; vid++) {
		uint32_t vni = wanted_vni(evpn, vid);

		if (vni != VTEP_NO_VNI)
			add_network(evpn, vid, vni);
	}
}

/* --- life ------------------------------------------------------------------
 */

static void follow_directory(struct overlay_evpn *evpn)
{
	const char *dir = frr_directory(evpn->overlay);
	struct evpn_frr *old = evpn->frr;

	if (!strcmp(evpn_frr_directory(old), dir))
		return;
	evpn->frr = evpn_frr_get(evpn->host, dir);
	evpn_frr_put(old);
	for (struct evpn_network *n = evpn->networks; n; n = n->next) {
		n->zebra_ends = evpn_frr_zebra_ends(evpn->frr);
		evpn_host_wake(n);
	}
}

/* Nothing is made anew: what is held must outlive that. */
static void set_hold(struct overlay_evpn *evpn, uint32_t hold_s)
{
	evpn->hold_s = hold_s;
	for (struct evpn_network *n = evpn->networks; n; n = n->next) {
		if (n->mirror)
			evpn_mirror_set_hold(n->mirror, hold_s * 1000,
					     evpn_clock_ms());
		evpn_host_wake(n);
	}
}

void overlay_evpn_configure(struct overlay_evpn *evpn)
{
	const struct cfg_overlay *c = evpn->overlay->config;

	follow_directory(evpn);
	/* Devices and mirrors are made with it. */
	if (!ip_address_equal(&evpn->local, &c->local))
		end_networks(evpn, true);
	evpn->local = c->local;
	if (evpn->hold_s != c->hold_s)
		set_hold(evpn, c->hold_s);
	refuse(evpn, refusal(evpn->overlay));
	configure_networks(evpn);
	vport_mark_dirty(evpn->overlay->vs, evpn->overlay->v);
}

struct overlay_evpn *overlay_evpn_create(struct overlay *o)
{
	struct overlay_evpn *evpn = xcalloc(1, sizeof(*evpn));

	evpn->overlay = o;
	evpn->host = evpn_host_get(o->vs);
	evpn->frr = evpn_frr_get(evpn->host, frr_directory(o));
	evpn->local = o->config->local;
	evpn->hold_s = o->config->hold_s;
	overlay_evpn_configure(evpn);
	return evpn;
}

void overlay_evpn_destroy(struct overlay_evpn *evpn)
{
	if (!evpn)
		return;
	end_networks(evpn, true);
	tdestroy(evpn->vteps, free);
	evpn_frr_put(evpn->frr);
	evpn_host_put(evpn->host);
	free(evpn->error);
	free(evpn->text);
	free(evpn);
}
