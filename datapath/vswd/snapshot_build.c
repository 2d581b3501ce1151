/*
 * From the running switch to the workers' snapshot: every port that is open,
 * with what its row says of VLANs. Building and publishing are one step, after
 * which whatever only the old snapshot had is closed and freed.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vswd/acls.h"
#include "vswd/capture_session.h"
#include "vswd/fastpath.h"
#include "vswd/frames.h"
#include "vswd/mirror.h"
#include "vswd/overlay.h"
#include "vswd/port_policy.h"
#include "vswd/port_snoop.h"
#include "vswd/private_vlan.h"
#include "vswd/segment.h"
#include "vswd/switch.h"
#include "vswd/vbond.h"

LOG_MODULE(bridge);

struct building {
	struct vswitch *vs;
	struct fwd_snapshot *snapshot;
	struct capture_node *captures;
	/* patch ports, to be joined in the end */
	struct vport **patches;
	struct fwd_port **patch_ports;
	size_t n_patches;
};

static void remember_patch(struct building *w, struct vport *v,
			   struct fwd_port *p)
{
	size_t n = w->n_patches + 1;

	w->patches = xrealloc(w->patches, n * sizeof(*w->patches));
	w->patch_ports = xrealloc(w->patch_ports, n * sizeof(*w->patch_ports));
	w->patches[n - 1] = v;
	w->patch_ports[n - 1] = p;
	w->n_patches = n;
}

/* What a port of its own and a bond's member have alike. */
static void fill_port(struct building *w, struct vport *v, struct fwd_port *p)
{
	v->fwd = p;
	p->ofport = v->ofport;
	p->pins = &v->interface->worker_affinity;
	p->capture = (struct capture *)capture_sessions_attach(w->vs, v,
							       &w->captures);
	frames_attach(w->vs, v, p);
}

static void add_port(struct building *w, struct fwd_bridge *fb, struct vport *v)
{
	struct fwd_port *p =
		fwd_bridge_add_port(fb, v->port, v->number, &v->config->vlan);

	fill_port(w, v, p);
	private_vlan_attach(v->bridge, p, v->config, v);
	port_policy_attach(w->vs, p, v->config, &v->policy);
	port_snoop_attach(w->vs, v, p);
	if (p->ingress || p->egress || p->apart)
		frames_want_violations(w->vs, v, p);
	if (!strcmp(vport_type(v), "patch"))
		remember_patch(w, v, p);
	else if (!strcmp(vport_type(v), "gateway"))
		segments_attach(w->vs, w->snapshot, v, p);
}

_Static_assert((int)FWD_FILTER_ALL == BOND_RX_NOTHING &&
		       (int)FWD_FILTER_MULTICAST == BOND_RX_NO_MULTICAST &&
		       (int)FWD_FILTER_MOVED == BOND_RX_NO_MOVED,
	       "a bond's filters are the pipeline's");

/* Members in the order of the bond's table, open or not. */
static void add_bond(struct building *w, struct fwd_bridge *fb,
		     struct vbond *vb)
{
	const struct vport *first = vbond_first_member(vb);

	vb->fwd = fwd_bridge_add_port(fb, vb->port, vb->number,
				      &vb->config->vlan);
	vb->fwd->ofport = first ? first->ofport : 0;
	private_vlan_attach(vb->bridge, vb->fwd, vb->config, first);
	port_policy_attach(w->vs, vb->fwd, vb->config, &vb->policy);
	fwd_port_make_bond(vb->fwd, bond_make_table(vb->bond));
	vb->fwd->bond->stops_slow = fb->forward_bpdu && bond_lacp(vb->bond);
	for (unsigned i = 0; i < bond_n_members(vb->bond); i++) {
		const struct bond_member *m = bond_member_at(vb->bond, i);
		struct vport *v = vbond_find_vport(vb, m);
		struct fwd_port *p = fwd_bond_add_member(
			vb->fwd, v ? v->port : NULL, bond_member_filter(m));

		if (v && p)
			fill_port(w, v, p);
		if (v && p &&
		    (vb->fwd->ingress || vb->fwd->egress || vb->fwd->apart))
			frames_want_violations(w->vs, v, p);
		if (v && p)
			port_policy_attach_member(w->vs, p, v->interface,
						  &v->policy);
	}
}

static void add_bridge(struct building *w, struct bridge *b)
{
	struct fwd_bridge *fb =
		fwd_snapshot_add_bridge(w->snapshot, b->name, b->fdb);

	if (b->config) {
		fb->forward_bpdu = b->config->forward_bpdu;
		fb->no_learn_vlans = b->config->has_flood_vlans;
		fb->flood_vlans = b->config->flood_vlans;
	}
	private_vlan_begin(b, fb);
	for (size_t i = 0; i < b->n_vports; i++) {
		struct vport *v = b->vports[i];

		v->fwd = NULL;
		if (v->port && !v->bond)
			add_port(w, fb, v);
	}
	for (struct vbond *vb = b->bonds; vb; vb = vb->next) {
		vb->fwd = NULL;
		if (vb->applied && vb->number)
			add_bond(w, fb, vb);
	}
	mirrors_attach(b, fb);
	teaming_attach(b);
}

static void join_patches(struct building *w)
{
	for (size_t i = 0; i < w->n_patches; i++) {
		struct vport *peer = vport_patch_peer(w->vs, w->patches[i]);

		for (size_t k = i + 1; peer && k < w->n_patches; k++)
			if (w->patches[k] == peer)
				fwd_port_connect(w->patch_ports[i],
						 w->patch_ports[k]);
	}
	free(w->patches);
	free(w->patch_ports);
}

struct doomed_port *vswitch_doom(struct vswitch *vs, struct bridge *bridge)
{
	struct doomed_port *d = xcalloc(1, sizeof(*d));

	d->bridge = bridge;
	*vs->doomed_end = d;
	vs->doomed_end = &d->next;
	vs->changed = true;
	return d;
}

static void settle_number(const struct vswitch *vs, const struct doomed_port *d)
{
	struct fdb *fdb = d->bridge->fdb;

	if (!d->number || d->fate == NUMBER_KEPT)
		return;
	/* The kernel goes on forwarding by what is in there. */
	if (vfastpath_is_kept(vs))
		return;
	if (d->fate == NUMBER_FLUSHED) {
		fdb_flush(fdb, d->number, -1);
		return;
	}
	/* Thousands of VTEPs may go at once: a search for each is too much. */
	if (!d->no_static || fdb_port_entries(fdb, d->number) ||
	    fdb_port_controlled(fdb, d->number))
		fdb_purge_port(fdb, d->number);
	fdb_set_port_limit(fdb, d->number, 0);
	bridge_free_number(d->bridge, d->number);
}

static void free_doomed(struct vswitch *vs)
{
	struct doomed_port *d;
	struct bridge *b;

	while ((d = vs->doomed_ports)) {
		vs->doomed_ports = d->next;
		settle_number(vs, d);
		port_close(d->port);
		bond_destroy(d->bond);
		frames_tap_free(d->tap);
		suppress_destroy(d->suppress);
		port_policy_free(d->policy);
		free(d);
	}
	vs->doomed_end = &vs->doomed_ports;
	for (size_t i = 0; i < vs->n_doomed_fdbs; i++)
		fdb_destroy(vs->doomed_fdbs[i]);
	free(vs->doomed_fdbs);
	vs->doomed_fdbs = NULL;
	vs->n_doomed_fdbs = 0;
	while ((b = vs->doomed_bridges)) {
		vs->doomed_bridges = b->next;
		bridge_destroy(b);
	}
}

/* Only now, when nothing is learned by the old VLAN settings any more. */
static void flush_changed(struct vswitch *vs)
{
	struct hmap_node *node;

	if (!vs->to_flush)
		return;
	vs->to_flush = false;
	for (node = hmap_next(&vs->vports, NULL); node;
	     node = hmap_next(&vs->vports, node)) {
		struct vport *v = CONTAINER_OF(node, struct vport, node);
		unsigned n;

		if (!v->to_flush)
			continue;
		v->to_flush = false;
		for (size_t i = 0; v->bond && i < v->bond->n_members; i++)
			v->bond->members[i]->to_flush = false;
		n = fdb_flush(v->bridge->fdb, v->number, -1);
		if (v->overlay)
			n += overlay_flush(v->overlay, -1);
		log_info("bridge %s: port %s: settings changed; %u "
			 "addresses flushed",
			 v->bridge->name, v->config->name, n);
	}
}

/* No worker uses what a port's queues were before. */
static void tell_settled(struct vswitch *vs)
{
	struct hmap_node *node;

	for (node = hmap_next(&vs->vports, NULL); node;
	     node = hmap_next(&vs->vports, node)) {
		struct port *port =
			CONTAINER_OF(node, struct vport, node)->port;

		if (port && port->class->settled)
			port->class->settled(port);
	}
}

void vswitch_publish(struct vswitch *vs)
{
	struct fwd_snapshot *old = vs->snapshot;
	struct capture_node *old_captures = vs->snapshot_captures;
	struct building w = { .vs = vs };

	w.snapshot = fwd_snapshot_create(++vs->generation);
	for (struct bridge *b = vs->bridges; b; b = b->next)
		add_bridge(&w, b);
	join_patches(&w);
	overlays_attach(vs, w.snapshot);
	fwd_snapshot_finish(w.snapshot, old, worker_pool_count(vs->pool));
	fwd_snapshot_loosen(old, w.snapshot);
	worker_pool_publish(vs->pool, w.snapshot);
	frames_forget(vs);
	vfastpath_publish(vs);
	vs->snapshot = w.snapshot;
	vs->snapshot_captures = w.captures;
	vs->changed = false;
	vs->commit_soon = false;
	fwd_snapshot_destroy(old);
	capture_nodes_free(old_captures);
	free_doomed(vs);
	acls_published(vs);
	segments_published(vs);
	mirrors_published(vs);
	tell_settled(vs);
	flush_changed(vs);
	capture_sessions_reap(vs);
	for (struct bridge *b = vs->bridges; b; b = b->next)
		for (struct vbond *vb = b->bonds; vb; vb = vb->next)
			vbond_published(vb);
}
