/*
 * Learning and lookup (IEEE 802.1Q clauses 8.7 and 8.8): where each packet's
 * sender is, and where its receiver was last heard.
 */
#include "forward/stage.h"

/* Bridges with flood_vlans: neither learned from nor looked up. */
static bool is_flood_vlan(const struct fwd_bridge *bridge,
			  const struct item *item)
{
	return vlan_set_has(&bridge->flood_vlans, item->vlan.vid);
}

static inline void learn(const struct fwd_port *in, const struct item *item)
{
	struct fdb *fdb = in->bridge->fdb;

	if (likely(fdb_is_fresh(fdb, item->src, in->number)) || !in->learns)
		return;
	if (in->bridge->no_learn_vlans && is_flood_vlan(in->bridge, item))
		return;
	fdb_learn(fdb, item->src, in->number);
}

/* The port of a station, or NULL when the frame has to be flooded. */
static inline const struct fwd_port *find(const struct fwd_bridge *bridge,
					  const struct item *item)
{
	unsigned number;

	if (unlikely(mac_is_multicast(item->dst)))
		return NULL;
	number = fdb_lookup(bridge->fdb, item->dst);
	/* A number that no port has any more; that of FDB_NONE none ever has.
	 */
	if (unlikely(number >= bridge->n_numbers))
		return NULL;
	return bridge->by_number[number];
}

static void flood_some_vlans(struct stage *s)
{
	for (unsigned i = 0; i < s->n_items; i++)
		if (is_flood_vlan(s->in->bridge, &s->items[i]))
			s->items[i].out = NULL;
}

void lookup_burst(struct stage *s)
{
	const struct fwd_port *in = s->in;

	for (unsigned i = 0; i < s->n_items; i++) {
		struct item *item = &s->items[i];

		learn(in, item);
		item->out = find(in->bridge, item);
	}
	if (unlikely(in->bridge->no_learn_vlans))
		flood_some_vlans(s);
}
