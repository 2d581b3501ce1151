/*
 * ARP and neighbor suppression: a question for a station that is known to be
 * behind a tunnel is answered here, before it is flooded (RFC 7432 clause 10).
 */
#include "forward/stage.h"
#include "tunnel/suppress.h"
#include "tunnel/tunnel.h"

/*
 * A frame that has a customer's tag (within ours, or where it has none of ours)
 * asks in the customer's VLAN, of which nothing is known.
 */
static bool is_customers(const struct item *item)
{
	const struct packet *p = item->packet;
	unsigned at = item->vlan.tag ? 12 + VLAN_TAG_LEN : 12;

	return p->header_len < at + 2 ||
	       eth_type_is_vlan(load_be16(p->header + at));
}

/* The answer leaves by the port that the question came from. */
static bool answer(struct pipeline *pl, const struct stage *s,
		   const struct fwd_tunnel *t, const struct item *question)
{
	uint16_t vid = question->vlan.vid;
	struct item item = { .vlan = { .vid = vid }, .tpid = question->tpid };
	uint8_t room[SUPPRESS_FRAME_MAX];
	struct packet p;
	unsigned len;

	if (is_customers(question))
		return false;
	len = suppress_answer(t->suppress,
			      tunnel_is_by_vlan(t->tunnel) ? vid : 0,
			      question->packet, room);
	if (!len)
		return false;
	packet_init(&p, room, len);
	packet_pull_first(&p);
	p.mirrored = 0;
	item.packet = &p;
	output_emit(pl, s->as, &item);
	return true;
}

static bool suppresses(const struct stage *s, const struct fwd_port *out)
{
	return out->tunnel && out->tunnel->suppress && out->floods &&
	       !fwd_are_apart(s->as, out);
}

void overlay_suppress(struct pipeline *pl, const struct stage *s, unsigned from,
		      unsigned to, bool answered[])
{
	const struct fwd_bridge *bridge = s->as->bridge;

	/* Remote stations ask their own switches. */
	if (s->as->tunnel)
		return;
	for (unsigned k = 0; k < bridge->n_ports; k++) {
		const struct fwd_port *out = bridge->ports[k];

		if (!suppresses(s, out))
			continue;
		for (unsigned i = from; i < to; i++)
			if (!answered[i] &&
			    vlan_set_has(&out->vlans, s->items[i].vlan.vid))
				answered[i] = answer(pl, s, out->tunnel,
						     &s->items[i]);
	}
}
