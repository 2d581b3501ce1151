/*
 * Makes the running switch what the configuration tree says.
 *
 * Deletions come before additions: what is no longer wanted, or must be opened
 * anew, is taken from the workers by a snapshot without it and closed; only
 * then is anything opened, since it may be the very device that was closed. A
 * change that only adds, or only removes, costs one snapshot.
 *
 * Ports whose configuration has not changed are not touched: their node of the
 * tree is the same object as before.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "port/vhost_user.h"
#include "vswd/acls.h"
#include "vswd/capture_session.h"
#include "vswd/discovery.h"
#include "vswd/events.h"
#include "vswd/fastpath.h"
#include "vswd/frames.h"
#include "vswd/overlay.h"
#include "vswd/port_snoop.h"
#include "vswd/segment.h"
#include "vswd/switch.h"
#include "vswd/vbond.h"

LOG_MODULE(bridge);

struct vswitch *vswitch_create(struct event_base *base)
{
	struct vswitch *vs = xcalloc(1, sizeof(*vs));
	struct timespec now;

	/* What is noted before the first vswitch_tick() is as old as that. */
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	vs->now_s = now.tv_sec;
	vs->base = base;
	hmap_init(&vs->vports);
	vs->doomed_end = &vs->doomed_ports;
	vs->log = events_create(base);
	vswitch_start_events(vs);
	vswitch_start_frames(vs);
	vswitch_start_discovery(vs);
	return vs;
}

/* --- what is wanted --------------------------------------------------------
 */

static void note_conflict(struct vswitch *vs, struct vport *v,
			  const struct bridge *b)
{
	char *text = xasprintf("interface %s is already in bridge %s; it "
			       "cannot be in bridge %s too",
			       v->interface->name, v->bridge->name, b->name);

	v->conflict_seen = true;
	if (v->conflict && !strcmp(v->conflict, text)) {
		free(text);
		return;
	}
	log_warn("%s", text);
	free(v->conflict);
	v->conflict = text;
	vport_mark_dirty(vs, v);
}

static void end_conflicts(struct vswitch *vs)
{
	struct hmap_node *node;

	for (node = hmap_next(&vs->vports, NULL); node;
	     node = hmap_next(&vs->vports, node)) {
		struct vport *v = CONTAINER_OF(node, struct vport, node);

		if (!v->conflict || v->conflict_seen)
			continue;
		free(v->conflict);
		v->conflict = NULL;
		vport_mark_dirty(vs, v);
	}
}

/* Those that are there already: they come first, whoever else wants them. */
static void keep_interface(struct vswitch *vs, struct bridge *b,
			   const struct cfg_port *config, size_t i)
{
	const struct cfg_interface *interface = &config->interfaces[i];
	struct vport *v = vswitch_find_vport(vs, interface->name);

	if (!v || v->seen || v->bridge != b ||
	    !uuid_equals(&v->interface->uuid, &interface->uuid) ||
	    !uuid_equals(&v->config->uuid, &config->uuid))
		return;
	v->seen = true;
	if (v->config != config)
		vport_configure(vs, v, config, i);
}

static void add_interface(struct vswitch *vs, struct bridge *b,
			  const struct cfg_port *config, size_t i)
{
	struct vport *v = vswitch_find_vport(vs, config->interfaces[i].name);

	if (v && v->seen) {
		if (v->bridge != b ||
		    !uuid_equals(&v->config->uuid, &config->uuid))
			note_conflict(vs, v, b);
		return;
	}
	if (v)
		vport_destroy(vs, v);
	vport_create(vs, b, config, i);
}

static int compare_ports(const void *a_, const void *b_)
{
	const struct cfg_port *const *a = a_, *const *b = b_;

	return strverscmp((*a)->name, (*b)->name);
}

static void keep_ports(struct vswitch *vs, struct bridge *b,
		       const struct cfg_bridge *config)
{
	for (size_t i = 0; i < config->n_ports; i++)
		if (config->ports[i]->bond)
			vbond_want(vs, b, config->ports[i]);
	for (size_t i = 0; i < config->n_ports; i++)
		for (size_t k = 0; k < config->ports[i]->n_interfaces; k++)
			keep_interface(vs, b, config->ports[i], k);
}

static bool has_new_interface(const struct vswitch *vs,
			      const struct cfg_port *config)
{
	for (size_t k = 0; k < config->n_interfaces; k++) {
		const struct vport *v =
			vswitch_find_vport(vs, config->interfaces[k].name);

		if (!v || !v->seen)
			return true;
	}
	return false;
}

/* The ports that have something to add, moved to the front; how many. */
static size_t find_new_ports(const struct vswitch *vs,
			     struct cfg_bridge *config)
{
	size_t n = 0;

	for (size_t i = 0; i < config->n_ports; i++) {
		struct cfg_port *port = config->ports[i];

		if (!has_new_interface(vs, port))
			continue;
		config->ports[i] = config->ports[n];
		config->ports[n++] = port;
	}
	return n;
}

static void add_ports(struct vswitch *vs, struct bridge *b,
		      struct cfg_bridge *config)
{
	size_t n_new = find_new_ports(vs, config);

	/* By name, so that numbers do not depend on the rows' UUIDs. */
	if (n_new)
		qsort(config->ports, n_new, sizeof(*config->ports),
		      compare_ports);
	for (size_t i = 0; i < config->n_ports; i++)
		for (size_t k = 0; k < config->ports[i]->n_interfaces; k++)
			add_interface(vs, b, config->ports[i], k);
}

/* The bridge of this row, made if it is new; bridges stay sorted. */
static struct bridge *want_bridge(struct vswitch *vs,
				  const struct cfg_bridge *config)
{
	struct bridge **p = &vs->bridges, *b;

	while (*p && strcmp((*p)->name, config->name) < 0)
		p = &(*p)->next;
	if (!*p || strcmp((*p)->name, config->name)) {
		b = bridge_create(vs, config);
		b->next = *p;
		*p = b;
	}
	(*p)->seen = true;
	return *p;
}

/* --- what is not -----------------------------------------------------------
 */

/* Names, each the list's. */
struct names {
	char **name;
	size_t n;
};

static void note_name(struct names *names, const struct vport *v)
{
	names->name =
		xrealloc(names->name, (names->n + 1) * sizeof(*names->name));
	names->name[names->n++] = xstrdup(v->interface->name);
}

/* Those that have not come back elsewhere. Frees the names. */
static void forget_vports(struct vswitch *vs, struct names *names)
{
	for (size_t i = 0; i < names->n; i++) {
		if (!vswitch_find_vport(vs, names->name[i]))
			vhost_user_forget(vs->run_dir, names->name[i]);
		free(names->name[i]);
	}
	free(names->name);
}

/* names: where to note which; or NULL. */
static void drop_unseen_vports(struct vswitch *vs, struct names *names)
{
	struct hmap_node *node, *next;

	for (node = hmap_next(&vs->vports, NULL); node; node = next) {
		struct vport *v = CONTAINER_OF(node, struct vport, node);

		next = hmap_next(&vs->vports, node);
		if (v->seen)
			continue;
		if (names)
			note_name(names, v);
		vport_destroy(vs, v);
	}
}

/* Their members are gone, or are ports of their own. */
static void drop_unseen_bonds(struct vswitch *vs)
{
	for (struct bridge *b = vs->bridges; b; b = b->next)
		for (struct vbond *vb = b->bonds, *next; vb; vb = next) {
			next = vb->next;
			if (!vb->seen)
				vbond_destroy(vb);
		}
}

static void drop_unseen_bridges(struct vswitch *vs)
{
	struct bridge **p = &vs->bridges, *b;

	while ((b = *p)) {
		if (b->seen) {
			p = &b->next;
			continue;
		}
		*p = b->next;
		b->next = vs->doomed_bridges;
		vs->doomed_bridges = b;
		vs->changed = true;
	}
}

/* --- carrying out ----------------------------------------------------------
 */

static bool anything_to_open(const struct vswitch *vs)
{
	struct hmap_node *node;

	for (node = hmap_next(&vs->vports, NULL); node;
	     node = hmap_next(&vs->vports, node))
		if (CONTAINER_OF(node, struct vport, node)->to_open)
			return true;
	return false;
}

/* The bridge's own port comes last: its address depends on the others'. */
static void open_ports(struct vswitch *vs, struct bridge *b)
{
	struct vport *local = NULL;

	for (size_t i = 0; i < b->n_vports; i++) {
		struct vport *v = b->vports[i];

		if (vport_is_local(v))
			local = v;
		else if (v->to_open)
			vport_open(vs, v);
	}
	if (local && local->to_open)
		vport_open(vs, local);
	if (local)
		vport_apply_mac(vs, local);
}

static void check_patches(struct vswitch *vs)
{
	struct hmap_node *node;

	for (node = hmap_next(&vs->vports, NULL); node;
	     node = hmap_next(&vs->vports, node))
		vport_check_patch(vs, CONTAINER_OF(node, struct vport, node));
}

void vswitch_commit(struct vswitch *vs)
{
	if (vs->doomed_ports && anything_to_open(vs))
		vswitch_publish(vs);
	for (struct bridge *b = vs->bridges; b; b = b->next)
		open_ports(vs, b);
	/* A port whose new address or MTU took a new start. */
	if (anything_to_open(vs)) {
		vswitch_publish(vs);
		for (struct bridge *b = vs->bridges; b; b = b->next)
			open_ports(vs, b);
	}
	vdiscovery_update(vs);
	overlays_reconcile(vs);
	bridges_apply_overlay_mtu(vs);
	if (!vs->changed)
		return;
	for (struct bridge *b = vs->bridges; b; b = b->next) {
		bridge_assign_ofports(vs, b);
		for (struct vbond *vb = b->bonds; vb; vb = vb->next)
			vbond_apply(vb);
	}
	check_patches(vs);
	vswitch_publish(vs);
}

static void forget_what_was_seen(struct vswitch *vs)
{
	struct hmap_node *node;

	for (struct bridge *b = vs->bridges; b; b = b->next) {
		b->seen = false;
		for (struct vbond *vb = b->bonds; vb; vb = vb->next)
			vb->seen = false;
	}
	for (node = hmap_next(&vs->vports, NULL); node;
	     node = hmap_next(&vs->vports, node)) {
		struct vport *v = CONTAINER_OF(node, struct vport, node);

		v->seen = false;
		v->conflict_seen = false;
	}
}

static void take_over(struct vswitch *vs, struct cfg_switch *config)
{
	struct names gone = { 0 };
	struct bridge *b;

	vs->settings = config->settings;
	vs->n_settings = config->n_settings;
	vfastpath_configure(vs, config);
	vswitch_configure_workers(vs, config);
	acls_reconcile(vs, config);
	segments_release(vs, config);
	for (size_t i = 0; i < config->n_bridges; i++)
		keep_ports(vs, want_bridge(vs, config->bridges[i]),
			   config->bridges[i]);
	drop_unseen_vports(vs, &gone);
	drop_unseen_bonds(vs);
	for (size_t i = 0; i < config->n_bridges; i++) {
		b = vswitch_find_bridge(vs, config->bridges[i]->name);
		add_ports(vs, b, config->bridges[i]);
		bridge_configure(vs, b, config->bridges[i]);
	}
	forget_vports(vs, &gone);
	config->n_bridges = 0; /* they are the bridges' now */
	vfastpath_follow(vs);
	segments_reconcile(vs);
}

void vswitch_reconcile(struct vswitch *vs, struct cfg_switch *config)
{
	forget_what_was_seen(vs);
	if (config) {
		take_over(vs, config);
	} else {
		vs->n_settings = 0;
		segments_release(vs, NULL);
		drop_unseen_vports(vs, NULL);
		drop_unseen_bonds(vs);
	}
	drop_unseen_bridges(vs);
	end_conflicts(vs);
	acls_check_ports(vs);
	cfg_switch_free(vs->config);
	vs->config = config;
	if (vs->pool)
		vswitch_commit(vs);
	if (config)
		vfastpath_configured(vs);
}

void vswitch_destroy(struct vswitch *vs)
{
	if (!vs)
		return;
	segments_end(vs);
	overlays_end(vs);
	port_snoops_stop(vs);
	vswitch_reconcile(vs, NULL);
	worker_pool_destroy(vs->pool);
	segments_published(vs);
	fwd_snapshot_destroy(vs->snapshot);
	capture_nodes_free(vs->snapshot_captures);
	acls_end(vs);
	hmap_destroy(&vs->vports);
	vswitch_stop_discovery(vs);
	vswitch_stop_frames(vs);
	port_snoops_free(vs);
	event_free(vs->events);
	events_destroy(vs->log);
	free(vs->numbering);
	free(vs);
}

/* --- the host's devices ----------------------------------------------------
 */

void vswitch_link_changed(struct vswitch *vs, const char *name, bool there)
{
	struct vport *v = vswitch_find_vport(vs, name);

	if (!v)
		return;
	if (v->port) {
		vport_update_status(vs, v);
	} else if (there ? v->wait_link : v->wait_gone) {
		v->wait_link = false;
		v->wait_gone = false;
		v->to_open = true;
	}
}
