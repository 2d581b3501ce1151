/* See uplink_bridge.h. */
#include "vswd/uplink_bridge.h"

#include <string.h>

static bool leads_somewhere(const struct vport *v)
{
	return v->port && !v->config->made_up && !vport_is_local(v);
}

static bool is_uplink(const struct vport *v)
{
	return vport_is_host_device(v) || !strcmp(vport_type(v), "afxdp") ||
	       !strcmp(vport_type(v), "dpdk");
}

static uint32_t smallest(const struct bridge *b, bool uplinks_only)
{
	uint32_t mtu = 0;

	for (size_t i = 0; i < b->n_vports; i++) {
		const struct vport *v = b->vports[i];

		if (!leads_somewhere(v) || !v->status.mtu ||
		    (uplinks_only && !is_uplink(v)))
			continue;
		mtu = mtu ? MIN(mtu, v->status.mtu) : v->status.mtu;
	}
	return mtu;
}

uint32_t bridge_ports_mtu(const struct bridge *b)
{
	return smallest(b, false);
}

uint32_t bridge_uplinks_mtu(const struct bridge *b)
{
	uint32_t mtu = smallest(b, true);

	return mtu ? mtu : smallest(b, false);
}

unsigned bridge_count_links(const struct bridge *b)
{
	unsigned n = 0;

	for (size_t i = 0; i < b->n_vports; i++)
		n += leads_somewhere(b->vports[i]) &&
		     b->vports[i]->status.link_up;
	return n;
}
