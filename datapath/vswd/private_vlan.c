#include "vswd/private_vlan.h"

#include <string.h>

#include "vswd/config_segment.h"
#include "vswd/vbond.h"

/*
 * In an isolated segment everything is but the gateway, and the host where that
 * is what the machines are to reach.
 */
static bool is_isolated_by_segment(const struct vport *v)
{
	const struct cfg_segment *segment = v->bridge->config->segment;

	return segment && segment->isolated &&
	       strcmp(vport_type(v), "gateway") &&
	       !(segment->type == SEGMENT_HOST_ONLY && vport_is_local(v));
}

/* A number that ports of that community have, and no other of the bridge. */
static unsigned community_number(const struct bridge *b, const char *name)
{
	unsigned first = UINT16_MAX;

	/* The lowest FDB number of its ports: those are one port's each. */
	for (size_t i = 0; i < b->n_vports; i++) {
		const struct vport *v = b->vports[i];

		if (v->config->apart == CFG_COMMUNITY && v->number &&
		    !strcmp(v->config->community, name))
			first = MIN(first, v->number);
	}
	return first == UINT16_MAX ? FWD_ISOLATED : FWD_ISOLATED + first;
}

static uint16_t apart_of(const struct bridge *b, const struct cfg_port *config,
			 const struct vport *v)
{
	if (config->apart == CFG_ISOLATED || (v && is_isolated_by_segment(v)))
		return FWD_ISOLATED;
	if (config->apart == CFG_COMMUNITY)
		return community_number(b, config->community);
	return FWD_TOGETHER;
}

void private_vlan_begin(const struct bridge *b, struct fwd_bridge *fb)
{
	const struct private_vlans *all;

	if (!b->config)
		return;
	all = &b->config->private_vlans;
	for (size_t i = 0; i < all->n; i++)
		fwd_bridge_add_secondary(fb, all->vlans[i].primary,
					 all->vlans[i].secondary);
}

int private_vlan_fid(const struct bridge *b, int vlan)
{
	const struct private_vlans *all =
		b->config ? &b->config->private_vlans : NULL;

	for (size_t i = 0; all && i < all->n; i++)
		if (all->vlans[i].secondary == vlan)
			return all->vlans[i].primary;
	return vlan;
}

static uint16_t secondary_of(const struct bridge *b,
			     const struct cfg_port *config)
{
	if (!b->config || config->vlan.mode != VLAN_ACCESS)
		return 0;
	return private_vlans_find(&b->config->private_vlans, config->vlan.tag,
				  config->community ? config->community : "");
}

void private_vlan_attach(const struct bridge *b, struct fwd_port *port,
			 const struct cfg_port *config, const struct vport *v)
{
	uint16_t secondary;

	port->apart = apart_of(b, config, v);
	if (!port->bridge->primaries)
		return;
	switch (config->apart) {
	case CFG_ISOLATED:
	case CFG_COMMUNITY:
		secondary = secondary_of(b, config);
		if (secondary)
			fwd_port_make_host(port, secondary,
					   config->apart == CFG_COMMUNITY);
		break;
	case CFG_PROMISCUOUS:
		fwd_port_make_promiscuous(port);
		break;
	case CFG_TOGETHER:
		/* Trunks carry secondary VLANs as they are. */
		if (config->vlan.mode == VLAN_ACCESS)
			fwd_port_make_promiscuous(port);
		break;
	}
}

const char *private_vlan_fault(const struct vport *v)
{
	const struct cfg_bridge *bridge = v->bridge->config;
	const struct cfg_port *port = v->config;

	if (!bridge || !bridge->private_vlans.n ||
	    (port->apart != CFG_ISOLATED && port->apart != CFG_COMMUNITY))
		return NULL;
	if (port->vlan.mode != VLAN_ACCESS)
		return "the bridge has other_config:private-vlans, of which "
		       "only an access port can be a host: set its tag, and "
		       "clear its vlan_mode; it is set apart on this switch "
		       "alone";
	if (!secondary_of(v->bridge, port))
		return "other_config:private-vlans of the bridge has no "
		       "secondary VLAN for this port's tag and private-vlan: "
		       "it is set apart on this switch alone";
	return NULL;
}
