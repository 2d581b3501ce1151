/*
 * Output: each packet to one port, or to all ports of its VLAN, with the tag
 * that the port wants (IEEE 802.1Q clause 8.6.4 and 6.9.2).
 *
 * The burst is sorted by port, so that a port gets its packets in one piece.
 * Packets of one flow keep their order: before a packet is flooded, all that
 * came before it have been sent, and the other way round.
 */
#include "forward/stage.h"

/* The tag that the packet has when it leaves by `out`. */
static inline uint32_t wanted_tag(const struct fwd_port *out,
				  const struct item *item)
{
	if (item->vid && item->vid != out->untagged_vid)
		return TAG(item->prio | item->vid);
	if (unlikely(out->priority_tags) &&
	    (out->priority_tags == PRIORITY_TAGS_ALWAYS || item->prio >> 13))
		return TAG(item->prio);
	return 0;
}

static bool retag(struct item *item, uint32_t tag)
{
	if (tag && item->tag)
		packet_vlan_set(item->packet, item->tpid, tag);
	else if (tag) {
		if (!packet_vlan_push(item->packet, item->tpid, tag))
			return false;
	} else
		packet_vlan_pop(item->packet);
	item->tag = tag;
	return true;
}

/* Puts the packet into the shape for `out`; false: it cannot be sent there. */
static inline bool prepare(const struct pipeline *pl,
			   const struct fwd_port *out, struct item *item)
{
	uint32_t tag = wanted_tag(out, item);

	if (likely(tag == item->tag) || likely(retag(item, tag)))
		return true;
	port_drop(out->port, pl->thread, DROP_TOO_MANY_TAGS, 1);
	return false;
}

static inline void send_to_port(struct pipeline *pl, const struct fwd_port *out,
				struct packet *const packets[], unsigned n)
{
	if (unlikely(out->capture))
		for (unsigned i = 0; i < n; i++)
			capture_packet(out->capture, packets[i], CAPTURE_OUT);
	if (unlikely(out->patch_peer))
		pipeline_cross(pl, out, packets, n);
	else
		port_send(out->port, packets, n, pl->thread);
}

static void send_queue(struct pipeline *pl, struct stage *s,
		       struct out_queue *q)
{
	const struct fwd_port *out = q->port;
	unsigned n = 0;

	for (unsigned i = q->first;; i = s->items[i].next) {
		if (likely(prepare(pl, out, &s->items[i])))
			s->sending[n++] = s->items[i].packet;
		if (i == q->last)
			break;
	}
	q->port = NULL;
	if (likely(n))
		send_to_port(pl, out, s->sending, n);
}

static void send_all_queues(struct pipeline *pl, struct stage *s)
{
	for (unsigned i = 0; i < s->n_busy; i++) {
		struct out_queue *q = &s->queues[s->busy_queues[i]];

		if (q->port)
			send_queue(pl, s, q);
	}
	s->n_busy = 0;
}

static inline void enqueue(struct pipeline *pl, struct stage *s, unsigned i)
{
	const struct fwd_port *out = s->items[i].out;
	uint8_t at = out->slot;
	struct out_queue *q = &s->queues[at];

	if (likely(q->port == out)) {
		s->items[q->last].next = i;
		q->last = i;
		return;
	}
	if (unlikely(q->port))
		send_queue(pl, s, q); /* another port has this place */
	else
		s->busy_queues[s->n_busy++] = at;
	q->port = out;
	q->first = q->last = i;
}

static inline bool takes_flood(const struct fwd_port *out,
			       const struct stage *s)
{
	return out != s->in && out->floods;
}

/* Items [from, to) to one port; counts in *sent those that it may have. */
static void flood_port(struct pipeline *pl, struct stage *s,
		       const struct fwd_port *out, unsigned from, unsigned to,
		       uint8_t reached[])
{
	unsigned n = 0;

	for (unsigned i = from; i < to; i++) {
		struct item *item = &s->items[i];

		if (!vlan_set_has(&out->vlans, item->vid))
			continue;
		reached[i] = true;
		if (prepare(pl, out, item))
			s->sending[n++] = item->packet;
	}
	if (n)
		send_to_port(pl, out, s->sending, n);
}

/* Items [from, to), all of them to be flooded. */
static void flood(struct pipeline *pl, struct stage *s, unsigned from,
		  unsigned to)
{
	const struct fwd_bridge *bridge = s->in->bridge;
	uint8_t reached[PACKET_BURST_MAX] = { 0 };

	for (unsigned i = 0; i < bridge->n_ports; i++)
		if (takes_flood(bridge->ports[i], s))
			flood_port(pl, s, bridge->ports[i], from, to, reached);
	for (unsigned i = from; i < to; i++)
		if (unlikely(!reached[i]))
			drop(pl, s->in, s->items[i].packet,
			     DROP_NO_DESTINATION);
}

/* A known station whose port has left the VLAN since it was learned. */
static inline bool is_member(const struct item *item)
{
	return vlan_set_has(&item->out->vlans, item->vid);
}

void output_burst(struct pipeline *pl, struct stage *s)
{
	unsigned i = 0;

	while (i < s->n_items) {
		struct item *item = &s->items[i];
		unsigned from = i;

		if (likely(item->out)) {
			if (likely(is_member(item)))
				enqueue(pl, s, i);
			else
				drop(pl, s->in, item->packet,
				     DROP_VLAN_NOT_ALLOWED);
			i++;
			continue;
		}
		send_all_queues(pl, s);
		while (i < s->n_items && !s->items[i].out)
			i++;
		flood(pl, s, from, i);
	}
	send_all_queues(pl, s);
}
