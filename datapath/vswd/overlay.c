/*
 * The life of overlays: each open port of type vxlan has one, made and ended
 * with it, and configured anew when its row says something else. What workers
 * do with packets is a struct tunnel, which belongs to a snapshot and is made
 * with it (overlay_snapshot.c).
 */
#include "vswd/overlay.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "vswd/config_check_overlays.h"
#include "vswd/net_text.h"

LOG_MODULE(overlay);

/* Seconds between looks whether a remote's address has become the host's. */
#define SELF_S 10

/* --- what is wrong ---------------------------------------------------------
 */

/* Takes over the text. */
static void set_fault(struct overlay *o, char **fault, char *error)
{
	if (error ? *fault && !strcmp(error, *fault) : !*fault) {
		free(error);
		return;
	}
	if (error)
		log_warn_limited("bridge %s: interface %s: %s",
				 o->v->bridge->name, o->v->interface->name,
				 error);
	free(*fault);
	*fault = error;
	vport_mark_dirty(o->vs, o->v);
}

void overlay_set_error(struct overlay *o, char *error)
{
	set_fault(o, &o->error, error);
}

const char *overlay_fault(const struct overlay *o)
{
	if (o->underlay_error)
		return o->underlay_error;
	if (o->self_error)
		return o->self_error;
	if (o->error)
		return o->error;
	return o->evpn ? overlay_evpn_error(o->evpn) : NULL;
}

/* --- life ------------------------------------------------------------------
 */

struct overlay *overlay_find(const struct vswitch *vs, uint32_t id)
{
	struct overlay *o = vs->overlays;

	while (o && o->id != id)
		o = o->next;
	return o;
}

void overlay_changed(struct overlay *o)
{
	vswitch_commit_soon(o->vs);
}

static struct overlay *create(struct vport *v)
{
	struct overlay *o = xcalloc(1, sizeof(*o));

	o->vs = v->vs;
	o->v = v;
	o->id = ++o->vs->last_segment_id;
	hmap_init(&o->by_ip);
	hmap_init(&o->macs);
	hmap_init(&o->pairs);
	if (getrandom(&o->seed, sizeof(o->seed), 0) != sizeof(o->seed)) {
		log_emer("no random numbers: %m");
		abort();
	}
	o->next = o->vs->overlays;
	o->vs->overlays = o;
	v->overlay = o;
	return o;
}

static void end_evpn(struct overlay *o)
{
	if (o->evpn)
		overlay_evpn_destroy(o->evpn);
	o->evpn = NULL;
}

/* What only this thread knows ends now, the rest with the snapshot. */
static void end(struct overlay *o)
{
	struct overlay **p = &o->vs->overlays;

	while (*p != o)
		p = &(*p)->next;
	*p = o->next;
	o->v->overlay = NULL;
	end_evpn(o);
	overlay_mtu_end(o);
	overlay_macs_clear(o);
	overlay_pairs_clear(o);
	overlay_remotes_clear(o);
	vtep_map_free(o->map);
	hmap_destroy(&o->by_ip);
	hmap_destroy(&o->macs);
	hmap_destroy(&o->pairs);
	cfg_port_unref(o->port_config);
	free(o->by_index);
	free(o->error);
	free(o->underlay_error);
	free(o->self_error);
	free(o);
}

void overlays_port_gone(struct vswitch *vs, struct vport *v)
{
	if (v->overlay)
		end(v->overlay);
	underlays_port_gone(vs, v);
}

void overlays_end(struct vswitch *vs)
{
	while (vs->overlays)
		end(vs->overlays);
	underlays_reconcile(vs);
}

void overlays_set_threads(struct vswitch *vs, unsigned n)
{
	for (struct overlay *o = vs->overlays; o; o = o->next)
		for (struct overlay_remote *r = o->remotes; r; r = r->next)
			if (r->port != o->v->port)
				port_set_threads(r->port, n);
}

/* --- the configuration -----------------------------------------------------
 */

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* With another of these nothing that is known of remotes is worth anything. */
static bool is_other(const struct cfg_overlay *a, const struct cfg_overlay *b)
{
	return a->single != b->single || a->vni != b->vni ||
	       !a->map != !b->map || a->dst_port != b->dst_port ||
	       a->ip_version != b->ip_version ||
	       !ip_address_equal(&a->local, &b->local) ||
	       !same_text(a->underlay, b->underlay) ||
	       !same_text(a->underlay_port, b->underlay_port);
}

static void configure_evpn(struct overlay *o)
{
	if (!o->config->evpn)
		end_evpn(o);
	else if (o->evpn)
		overlay_evpn_configure(o->evpn);
	else
		o->evpn = overlay_evpn_create(o);
}

/* Learned VTEPs are for those who want to learn. */
static void forget_learned(struct overlay *o)
{
	struct overlay_remote *r, *next;

	for (r = o->remotes; r; r = next) {
		next = r->next;
		overlay_remote_drop(o, r, VTEP_LEARNED);
	}
	overlay_flush(o, -1);
}

static void configure(struct overlay *o, const struct cfg_overlay *old)
{
	bool learned = old && old->learning && !o->config->learning;

	overlay_set_error(o, NULL);
	o->underlay = underlay_get(o->vs, o->config);
	overlay_map_configure(o);
	overlay_remotes_configure(o);
	overlay_pairs_configure(o);
	overlay_macs_configure(o);
	if (learned)
		forget_learned(o);
	configure_evpn(o);
	overlay_mtu_refresh(o);
	vport_mark_dirty(o->vs, o->v);
	o->vs->changed = true;
}

static void take_config(struct overlay *o)
{
	const struct cfg_overlay *old = o->config;
	struct cfg_port *held = o->port_config;

	if (held == o->v->config)
		return;
	o->port_config = cfg_port_ref(o->v->config);
	o->config = o->v->interface->overlay;
	if (!old || !cfg_overlay_equals(old, o->config))
		configure(o, old);
	for (struct overlay_remote *r = o->remotes; r; r = r->next)
		fdb_set_port_limit(o->v->bridge->fdb, r->number,
				   o->v->config->mac_limit);
	cfg_port_unref(held);
}

static void reconcile_port(struct vport *v)
{
	const struct cfg_overlay *c = v->interface->overlay;
	struct overlay *o = v->overlay;
	bool other_vlans = o && !cfg_vlan_equals(o->port_config, v->config);

	/* With a map a VLAN more or less is none of the others' concern. */
	if (o && (is_other(o->config, c) || (other_vlans && !c->map))) {
		end(o);
		o = NULL;
	} else if (other_vlans) {
		overlay_flush(o, -1);
	}
	take_config(o ? o : create(v));
}

void overlays_reconcile(struct vswitch *vs)
{
	struct hmap_node *node;

	for (node = hmap_next(&vs->vports, NULL); node;
	     node = hmap_next(&vs->vports, node)) {
		struct vport *v = CONTAINER_OF(node, struct vport, node);

		if (v->port && v->interface->overlay)
			reconcile_port(v);
	}
	underlays_reconcile(vs);
	for (struct overlay *o = vs->overlays; o; o = o->next)
		set_fault(o, &o->underlay_error, underlay_fault(o->underlay));
}

/* The configuration was checked for it; addresses come later as well. */
static char *self_fault(const struct overlay *o, const struct ip_address *own,
			size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (overlay_remote_find(o, &own[i]))
			return xasprintf("remote %s is an address of this "
					 "host now; a VTEP is not its own "
					 "remote: set it to the other host's, "
					 "or take the address from this one",
					 ip_text(&own[i]).text);
	return NULL;
}

static void look_for_selves(struct vswitch *vs)
{
	struct ip_address *own = NULL;
	size_t n = 0;

	if (vs->now_s % SELF_S || !vs->overlays)
		return;
	own = config_own_addresses(&n);
	for (struct overlay *o = vs->overlays; o; o = o->next)
		if (!o->config->local.len && !o->underlay->station)
			set_fault(o, &o->self_error, self_fault(o, own, n));
	free(own);
}

void overlays_tick(struct vswitch *vs)
{
	look_for_selves(vs);
	for (struct overlay *o = vs->overlays; o; o = o->next) {
		overlay_learn_tick(o);
		overlay_pairs_tick(o);
		overlay_mtu_tick(o);
	}
	underlays_tick(vs);
}

/* --- VLANs -----------------------------------------------------------------
 */

/* The filtering id of frames without a tag. */
static int native_fid(const struct vport *v)
{
	const struct vlan_config *vlan = &v->config->vlan;

	return vlan->mode == VLAN_TRUNK ? 0 : vlan->tag;
}

int overlay_fid(const struct overlay *o, uint16_t vid)
{
	if (!o->config->map)
		return vid ? -1 : native_fid(o->v);
	return vtep_map_vni(o->config->map, vid) == VTEP_NO_VNI ? -1 : vid;
}

int overlay_vid(const struct overlay *o, uint16_t fid)
{
	if (!o->config->map)
		return fid == native_fid(o->v) ? 0 : -1;
	return vtep_map_vni(o->config->map, fid) == VTEP_NO_VNI ? -1 : fid;
}
