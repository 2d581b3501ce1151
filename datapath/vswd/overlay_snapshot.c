/*
 * Overlays as a snapshot has them: of each underlay that is open a demux, of
 * each of its VXLAN ports a tunnel with all its remotes. Made anew for every
 * snapshot, as they belong to it.
 *
 * An index of nobody's is filled with headers that lead nowhere: who has what
 * index stays so while remotes come and go.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vswd/net_text.h"
#include "vswd/overlay.h"

LOG_MODULE(overlay);

#define UNFINISHED_MTU 1280 /* while no MTU is known; IPv6's least */

/* A demux under construction. */
struct building {
	struct tunnel_demux_config demux;
	struct tunnel_network *networks;
	struct tunnel_peer *peers;
	uint8_t (*locals)[16];
	uint32_t max_networks, max_peers;
};

/* --- one remote ------------------------------------------------------------
 */

static void fill_outer(const struct overlay *o, const struct overlay_remote *r,
		       struct vxlan_outer_config *outer)
{
	const struct cfg_overlay *c = o->config;
	const struct underlay_station *station = o->underlay->station;

	*outer = (struct vxlan_outer_config){
		.form = VXLAN_FRAME,
		.ip_version = c->ip_version,
		.dst_port = c->dst_port,
		/* Of a socket the kernel makes checksums (vxlan_port.h). */
		.udp_csum =
			station && c->csum ? VXLAN_CSUM_LEFT : VXLAN_CSUM_ZERO,
		.dont_fragment = c->dont_fragment,
		.ttl = r->is_group ? c->group_ttl : c->ttl,
		.inherit_ttl = c->inherit_ttl,
		.tos = c->tos,
		.inherit_tos = c->inherit_tos,
	};
	memcpy(outer->src_ip, c->local.bytes, c->local.len);
	memcpy(outer->dst_ip, r->ip.bytes, r->ip.len);
	if (!station)
		return;
	outer->src_mac = underlay_station_mac(station);
	outer->dst_mac = r->next_hop;
}

static void fill_remote(const struct overlay *o, const struct overlay_remote *r,
			struct tunnel_remote *to)
{
	uint32_t mtu = o->config->mtu;

	fill_outer(o, r, &to->outer);
	to->resolved = r->resolved;
	to->mtu = r->mtu && (!mtu || r->mtu < mtu) ? r->mtu : mtu;
}

/* Leads nowhere. */
static void fill_hole(const struct overlay *o, struct tunnel_remote *to)
{
	fill_outer(o, o->remotes, &to->outer);
	to->resolved = false;
}

/* --- one VXLAN port --------------------------------------------------------
 */

static struct tunnel *make_tunnel(struct overlay *o)
{
	struct tunnel_remote *remotes =
		xcalloc(MAX(o->n_indices, 1), sizeof(*remotes));
	const struct tunnel_config config = {
		.vni = o->config->map ? VTEP_NO_VNI : o->config->vni,
		.map = o->map,
		.remotes = remotes,
		.n_remotes = o->n_indices,
		.seed = o->seed,
	};
	struct tunnel *tunnel = NULL;
	char *error = NULL;

	for (uint32_t i = 0; i < o->n_indices; i++)
		if (o->by_index[i])
			fill_remote(o, o->by_index[i], &remotes[i]);
		else
			fill_hole(o, &remotes[i]);
	if (tunnel_create(&config, &tunnel, &error))
		overlay_set_error(o, error);
	free(remotes);
	return tunnel;
}

static void add_remotes(struct overlay *o)
{
	struct fwd_tunnel *t = o->fwd;

	for (struct overlay_remote *r = o->remotes; r; r = r->next) {
		struct fwd_port *p;

		if (r->port == o->v->port)
			continue;
		p = fwd_tunnel_add_remote(t, r->index, r->port, r->number);
		p->learns &= o->config->learning;
		p->ofport = t->port->ofport;
	}
}

static void attach(struct overlay *o, struct fwd_snapshot *snapshot,
		   struct tunnel *tunnel)
{
	const struct cfg_overlay *c = o->config;
	struct fwd_port *p = o->v->fwd;

	o->fwd = fwd_port_make_tunnel(snapshot, p, o->underlay->fwd, tunnel,
				      o->n_indices, c->single);
	o->fwd->suppress = o->suppress;
	o->fwd->id = o->id;
	o->fwd->split_horizon = c->split_horizon;
	add_remotes(o);
	/* Of several remotes each learns by its own number. */
	p->learns &= c->single && c->learning;
}

/* --- one underlay ----------------------------------------------------------
 */

static void add_network(struct building *w, const struct tunnel_network *n)
{
	if (w->demux.n_networks == w->max_networks) {
		w->max_networks = MAX(16, 2 * w->max_networks);
		w->networks =
			xrealloc(w->networks, w->max_networks * sizeof(*n));
	}
	w->networks[w->demux.n_networks++] = *n;
}

static void add_peer(struct building *w, uint32_t tunnel,
		     const struct overlay_remote *r)
{
	struct tunnel_peer *p;

	if (w->demux.n_peers == w->max_peers) {
		w->max_peers = MAX(16, 2 * w->max_peers);
		w->peers = xrealloc(w->peers, w->max_peers * sizeof(*p));
	}
	p = &w->peers[w->demux.n_peers++];
	*p = (struct tunnel_peer){ .tunnel = tunnel, .remote = r->index };
	memcpy(p->ip, r->ip.bytes, r->ip.len);
}

static void add_local(struct building *w, const struct ip_address *ip)
{
	for (unsigned i = 0; i < w->demux.n_locals; i++)
		if (!memcmp(w->locals[i], ip->bytes, ip->len))
			return;
	w->locals = xrealloc(w->locals,
			     (w->demux.n_locals + 1) * sizeof(*w->locals));
	memset(w->locals[w->demux.n_locals], 0, 16);
	memcpy(w->locals[w->demux.n_locals++], ip->bytes, ip->len);
}

static void add_networks(struct building *w, const struct overlay *o,
			 uint32_t tunnel)
{
	const struct cfg_overlay *c = o->config;
	struct tunnel_network n = {
		.tunnel = tunnel,
		.vni = c->vni,
		.keep_tag = true,
		/* A controller may tell of a remote later than that sends. */
		.takes_unknown = !c->single && (c->learning || c->evpn),
		.unfinished_mtu = o->underlay->station ? 0
				  : o->mtu	       ? o->mtu
						       : UNFINISHED_MTU,
	};

	if (!c->map) {
		add_network(w, &n);
		return;
	}
	n.keep_tag = false;
	for (unsigned vlan = 0; vlan <= VTEP_VLAN_MAX; vlan++) {
		n.vni = vtep_map_vni(c->map, vlan);
		n.vid = vlan;
		if (n.vni != VTEP_NO_VNI)
			add_network(w, &n);
	}
}

static void add_overlay(struct building *w, const struct overlay *o,
			uint32_t tunnel)
{
	const struct cfg_overlay *c = o->config;

	w->demux.rules.udp_port = c->dst_port;
	w->demux.rules.refuse_reserved |= c->refuse_reserved;
	w->demux.ip_version = c->ip_version;
	if (c->local.len) {
		add_local(w, &c->local);
		if (c->group.len)
			add_local(w, &c->group);
	}
	add_networks(w, o, tunnel);
	for (const struct overlay_remote *r = o->remotes; r; r = r->next)
		if (!r->is_group)
			add_peer(w, tunnel, r);
}

static void add_underlay(struct underlay *u, struct fwd_snapshot *snapshot,
			 struct building *w)
{
	struct tunnel_demux *demux;

	w->demux.networks = w->networks;
	w->demux.peers = w->peers;
	w->demux.locals = (const uint8_t(*)[16])w->locals;
	w->demux.vid_beside = true;
	w->demux.rules.zero_csum6 = true; /* RFC 6935, as VTEPs send */
	if (u->station)
		w->demux.local_mac = underlay_station_mac(u->station);
	demux = tunnel_demux_create(&w->demux);
	u->fwd = fwd_snapshot_add_underlay(snapshot, u->v->fwd, demux,
					   u->station);
	u->fwd->id = u->id;
	free(w->networks);
	free(w->peers);
	free(w->locals);
}

/* Those of the underlay that can be, in the order of the demux's indices. */
static void attach_underlay(struct underlay *u, struct fwd_snapshot *snapshot)
{
	struct building w = { .demux.ip_version = 4 };
	struct tunnel **tunnels = NULL;
	struct overlay **overlays = NULL;
	uint32_t n = 0;

	for (struct overlay *o = u->vs->overlays; o; o = o->next) {
		struct tunnel *tunnel = NULL;

		if (o->underlay == u && o->v->fwd)
			tunnel = make_tunnel(o);
		if (!tunnel)
			continue;
		tunnels = xrealloc(tunnels, (n + 1) * sizeof(tunnel));
		overlays = xrealloc(overlays, (n + 1) * sizeof(o));
		tunnels[n] = tunnel;
		overlays[n] = o;
		add_overlay(&w, o, n++);
	}
	add_underlay(u, snapshot, &w);
	for (uint32_t i = 0; i < n; i++)
		attach(overlays[i], snapshot, tunnels[i]);
	free(tunnels);
	free(overlays);
}

void overlays_attach(struct vswitch *vs, struct fwd_snapshot *snapshot)
{
	for (struct overlay *o = vs->overlays; o; o = o->next)
		o->fwd = NULL;
	for (struct underlay *u = vs->underlays; u; u = u->next) {
		u->fwd = NULL;
		if (u->v && u->v->fwd)
			attach_underlay(u, snapshot);
	}
}
