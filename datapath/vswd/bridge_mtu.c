/*
 * A bridge with overlays: what their tunnels take is what its machines are to
 * send. Segments say so by DHCP and router advertisements, and devices that are
 * ours and have the host on their other end get it as their MTU, unless their
 * row says another. A guest behind vhost-user has its MTU from its own monitor
 * or by DHCP: it hears of it when what it sends is too big (overlay_mtu.c).
 */
#include <string.h>

#include "vswd/overlay.h"
#include "vswd/segment.h"

/* --- devices ---------------------------------------------------------------
 */

static bool follows(const struct vport *v)
{
	return !v->config->made_up && (!strcmp(vport_type(v), "internal") ||
				       !strcmp(vport_type(v), "tap"));
}

uint32_t vport_wanted_mtu(struct vport *v)
{
	uint32_t mtu = 0;

	if (v->interface->mtu_request || !follows(v))
		return v->interface->mtu_request;
	mtu = bridge_overlay_mtu(v->vs, v->bridge);
	if (!mtu && !v->overlay_mtu)
		return 0;
	v->overlay_mtu = mtu;
	/* Without overlays it is again what it was made with. */
	return mtu ? mtu : PORT_MTU_DEFAULT;
}

/* --- segments --------------------------------------------------------------
 */

/* With the option advertisements have an MTU of their own. */
uint32_t segment_mtu(const struct segment *seg)
{
	const struct cfg_segment *c = seg->config;
	uint32_t mtu = bridge_overlay_mtu(seg->vs, seg->bridge);

	return mtu && !c->ra.mtu ? mtu : c->mtu;
}

static void segment_mtu_changed(struct segment *seg)
{
	if (!seg->services)
		return;
	segment_services_configure(seg->services);
	if (seg->dns)
		segment_dns_configure(seg->dns);
	segment_arm(seg);
	segment_changed(seg);
}

/* --- bridges ---------------------------------------------------------------
 */

static void apply(struct vswitch *vs, struct bridge *b, uint32_t mtu)
{
	struct segment *seg = segment_find(vs, b->name);

	for (size_t i = 0; i < b->n_vports; i++) {
		struct vport *v = b->vports[i];

		if (v->port && !v->interface->mtu_request && follows(v) &&
		    v->overlay_mtu != mtu)
			vport_reconfigure(vs, v);
	}
	if (seg)
		segment_mtu_changed(seg);
}

void bridges_apply_overlay_mtu(struct vswitch *vs)
{
	for (struct bridge *b = vs->bridges; b; b = b->next) {
		uint32_t mtu = bridge_overlay_mtu(vs, b);

		if (mtu == b->overlay_mtu)
			continue;
		b->overlay_mtu = mtu;
		apply(vs, b, mtu);
	}
}
