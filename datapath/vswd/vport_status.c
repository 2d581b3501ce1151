/*
 * What a port's device is like, followed: link, address, whether it is there;
 * and whether a patch port has its peer.
 */
#include <string.h>

#include "base/log.h"
#include "vswd/event_sources.h"
#include "vswd/switch.h"
#include "vswd/vbond.h"

LOG_MODULE(bridge);

static void link_went_down(struct vport *v)
{
	unsigned n = 0;

	/* Stations behind a bond are reached by its other members. */
	if (v->number && !(v->bond && vbond_has_other_link(v)))
		n = fdb_flush(v->bridge->fdb, v->number, -1);
	log_info_limited(
		"bridge %s: interface %s: link down; %u addresses flushed",
		v->bridge->name, v->interface->name, n);
}

static bool same_status(const struct port_status *a,
			const struct port_status *b)
{
	return a->present == b->present && a->admin_up == b->admin_up &&
	       a->link_up == b->link_up && a->mac == b->mac &&
	       a->mtu == b->mtu && a->ifindex == b->ifindex &&
	       a->link_resets == b->link_resets &&
	       a->speed_bps == b->speed_bps &&
	       a->full_duplex == b->full_duplex &&
	       !strcmp(a->driver, b->driver);
}

/* A device of ours is made anew; one of the host's we wait for. */
static void device_vanished(struct vswitch *vs, struct vport *v)
{
	bool host_s = vport_is_host_device(v);

	vport_close(vs, v);
	v->wait_link = host_s;
	v->to_open = !host_s;
	vport_set_error(v, "network device %s is gone; %s", v->interface->name,
			host_s ? "it is used again when it comes back"
			       : "it is made anew");
}

static void take_status(struct vswitch *vs, struct vport *v,
			const struct port_status *now)
{
	if (v->status.link_up && !now->link_up)
		link_went_down(v);
	else if (now->link_up && !v->status.link_up)
		log_info_limited("bridge %s: interface %s: link up",
				 v->bridge->name, v->interface->name);
	if (v->status.link_up != now->link_up)
		event_link(v, now->link_up);
	v->status = *now;
	if (!now->present)
		device_vanished(vs, v);
	else
		vbond_member_changed(v);
}

void vport_update_status(struct vswitch *vs, struct vport *v)
{
	struct port_status now;

	if (!v->port)
		return;
	port_get_status(v->port, &now);
	if (same_status(&now, &v->status))
		return;
	vport_mark_dirty(vs, v);
	take_status(vs, v, &now);
}

void vport_take_status(struct vswitch *vs, struct vport *v)
{
	struct port_status now;

	if (!v->port)
		return;
	port_get_status(v->port, &now);
	take_status(vs, v, &now);
}

/* --- patch ports -----------------------------------------------------------
 */

struct vport *vport_patch_peer(const struct vswitch *vs, const struct vport *v)
{
	const char *peer = cfg_interface_option(v->interface, "peer"), *back;
	struct vport *p;

	if (!v->port || strcmp(vport_type(v), "patch") || !peer)
		return NULL;
	p = vswitch_find_vport(vs, peer);
	if (!p || !p->port || strcmp(vport_type(p), "patch") ||
	    p->bridge == v->bridge)
		return NULL;
	back = cfg_interface_option(p->interface, "peer");
	return back && !strcmp(back, v->interface->name) ? p : NULL;
}

void vport_check_patch(struct vswitch *vs, struct vport *v)
{
	const char *peer = cfg_interface_option(v->interface, "peer");
	struct vport *p;
	bool had_error = v->error;

	if (!v->port || strcmp(vport_type(v), "patch"))
		return;
	p = peer ? vswitch_find_vport(vs, peer) : NULL;
	if (vport_patch_peer(vs, v))
		vport_set_error(v, NULL);
	else if (p && p->bridge == v->bridge)
		vport_set_error(v, "patch peer '%s' is on the same bridge",
				peer);
	else if (p)
		vport_set_error(v,
				"port '%s' is no patch port whose peer is "
				"'%s'",
				peer, v->interface->name);
	else
		vport_set_error(v, "No usable peer '%s' exists", peer);
	if (had_error || v->error)
		vport_mark_dirty(vs, v);
}
