/*
 * Private VLANs of a snapshot (RFC 5517), and which member of a bond a port's
 * frames leave by.
 *
 * A frame of a private VLAN has the VLAN id of its sender's kind: the primary's
 * from a promiscuous port, a secondary's from a host. By that it is told who
 * may have it, here and, as a trunk carries it as it is, on other switches.
 * All share one set of addresses, so that answers find their way.
 */
#include <stdlib.h>

#include "forward/snapshot.h"

void fwd_bridge_add_secondary(struct fwd_bridge *bridge, uint16_t primary,
			      uint16_t secondary)
{
	if (!bridge->primaries) {
		bridge->primaries = xcalloc(VLAN_N, sizeof(uint16_t));
		for (unsigned vid = 0; vid < VLAN_N; vid++)
			bridge->primaries[vid] = vid;
	}
	bridge->primaries[secondary % VLAN_N] = primary % VLAN_N;
}

void fwd_port_make_host(struct fwd_port *port, uint16_t secondary,
			bool community)
{
	port->native_vid = secondary;
	port->as_primary = port->odd_tags = true;
	if (community)
		vlan_set_add(&port->vlans, secondary);
}

void fwd_port_make_promiscuous(struct fwd_port *port)
{
	const uint16_t *primaries = port->bridge->primaries;

	for (unsigned vid = 0; primaries && vid < VLAN_N; vid++) {
		if (primaries[vid] == vid ||
		    !vlan_set_has(&port->vlans, primaries[vid]))
			continue;
		vlan_set_add(&port->vlans, vid);
		port->as_primary = port->odd_tags = true;
	}
}

void fwd_bond_choose(struct fwd_port *bond, uint16_t number, uint8_t member)
{
	struct fwd_bond *b = bond->bond;

	if (!b->chosen) {
		b->n_chosen = bond->bridge->n_numbers;
		b->chosen = xmalloc(b->n_chosen);
		memset(b->chosen, FWD_MEMBER_ANY, b->n_chosen);
	}
	if (number < b->n_chosen)
		b->chosen[number] = member;
}
