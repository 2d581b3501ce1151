/*
 * Learning and lookup (IEEE 802.1Q clauses 8.7 and 8.8): where each packet's
 * sender is, and where its receiver was last heard.
 */
#include "forward/stage.h"

static inline bool is_flood_vlan(const struct fwd_bridge *bridge, uint16_t vid)
{
	return unlikely(bridge->no_learn_vlans) &&
	       vlan_set_has(&bridge->flood_vlans, vid);
}

void learn_burst(struct stage *s)
{
	const struct fwd_port *in = s->in;
	const struct fwd_bridge *bridge = in->bridge;

	if (!in->learns)
		return;
	for (unsigned i = 0; i < s->n_items; i++) {
		const struct item *item = &s->items[i];

		if (likely(fdb_is_fresh(bridge->fdb, item->src, in->number)))
			continue;
		if (!is_flood_vlan(bridge, item->vid))
			fdb_learn(bridge->fdb, item->src, in->number);
	}
}

/* The port of a station, or NULL when the frame has to be flooded. */
static inline const struct fwd_port *find_output(
	const struct fwd_bridge *bridge, const struct item *item)
{
	unsigned number;

	if (unlikely(mac_is_multicast(item->dst)))
		return NULL;
	number = fdb_lookup(bridge->fdb, item->dst);
	if (unlikely(number == FDB_NONE || number >= bridge->n_numbers))
		return NULL;
	if (is_flood_vlan(bridge, item->vid))
		return NULL;
	return bridge->by_number[number];
}

void lookup_burst(struct pipeline *pl, struct stage *s)
{
	const struct fwd_port *in = s->in;
	unsigned kept = 0;

	for (unsigned i = 0; i < s->n_items; i++) {
		struct item *item = &s->items[i];

		item->out = find_output(in->bridge, item);
		if (unlikely(item->out == in)) {
			drop(pl, in, item->packet, DROP_SAME_PORT);
			continue;
		}
		if (unlikely(in->capture))
			capture_packet(in->capture, item->packet, CAPTURE_IN);
		if (unlikely(kept != i))
			s->items[kept] = *item;
		kept++;
	}
	s->n_items = kept;
}
