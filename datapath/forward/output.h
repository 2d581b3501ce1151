/*
 * What sending to one port (output.c) and flooding (flood.c) have in common,
 * for each packet. Internal to both.
 */
#ifndef FORWARD_OUTPUT_H
#define FORWARD_OUTPUT_H

#include "forward/stage.h"

/* Gives the item that tag, 0: none; false: there is no room for it. */
bool output_retag(struct item *item, uint32_t tag);
/* Whether the customer's VLAN, inside of ours, is one of a dot1q-tunnel's. */
bool output_carries_customer(const struct fwd_port *out,
			     const struct item *item);
/* To a port that is_special(). */
void output_special(struct pipeline *pl, const struct fwd_port *out,
		    struct packet *const packets[], unsigned n);
/* flood.c: items [from, to), all of them to be flooded. */
void output_flood(struct pipeline *pl, struct stage *s, unsigned from,
		  unsigned to);

/* The tag that the packet has when it leaves by `out`. */
static inline uint32_t wanted_tag(const struct fwd_port *out,
				  const struct item *item)
{
	struct vlan_state vlan = item->vlan;

	if (unlikely(out->odd_tags) && out->as_primary)
		vlan.vid = fwd_bridge_fid(out->bridge, vlan.vid);
	if (vlan.vid && vlan.vid != out->untagged_vid)
		return TAG(vlan.prio | vlan.vid);
	if (unlikely(out->odd_tags) &&
	    (out->priority_tags == PRIORITY_TAGS_ALWAYS ||
	     (out->priority_tags && vlan.prio >> 13)))
		return TAG(vlan.prio);
	return 0;
}

/* Puts the packet into the shape for `out`; false: it cannot be sent there. */
static inline bool prepare(const struct pipeline *pl,
			   const struct fwd_port *out, struct item *item)
{
	uint32_t tag = wanted_tag(out, item);

	if (likely(tag == item->vlan.tag) || likely(output_retag(item, tag)))
		return true;
	drop_out(pl, out, item->packet, DROP_TOO_MANY_TAGS);
	return false;
}

/* A known station's port may have left the VLAN since it was learned. */
static inline bool is_member(const struct fwd_port *out,
			     const struct item *item)
{
	return vlan_set_has(&out->vlans, item->vlan.vid) &&
	       (likely(!out->filters_customers) ||
		output_carries_customer(out, item));
}

/* What most ports are not, in one test. */
static inline bool is_special(const struct fwd_port *out)
{
	return (uintptr_t)out->capture | (uintptr_t)out->patch_peer |
	       (uintptr_t)out->bond | (uintptr_t)out->gateway |
	       (uintptr_t)out->tunnel | (uintptr_t)out->underlay |
	       (uintptr_t)out->egress;
}

static inline void send_to_port(struct pipeline *pl, const struct fwd_port *out,
				struct packet *const packets[], unsigned n)
{
	pl->last_out = out;
	if (unlikely(is_special(out)))
		output_special(pl, out, packets, n);
	else
		port_send(out->port, packets, n, pl->thread);
}

#endif
