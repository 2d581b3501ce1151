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

/*
 * The sender is new, has moved, or has not been heard in this second. By a
 * bond's member none moves that does not say so: the filter let this frame in
 * (filter.c), but since then another worker may have heard its sender behind
 * us.
 */
static void learn(const struct fwd_port *in, const struct item *item)
{
	const struct fdb *fdb = in->bridge->fdb;

	if (!in->learns || unlikely(in->bridge->traced))
		return;
	if (unlikely(in->as->ingress != NULL) &&
	    !policy_learns(in->as->ingress, item))
		return;
	if (unlikely(in->as->apart) &&
	    is_of_one_apart(in->as, fdb_lookup(fdb, item->src)))
		return;
	if (in->bridge->no_learn_vlans && is_flood_vlan(in->bridge, item))
		return;
	if (unlikely(fwd_port_filter(in) & FWD_FILTER_MOVED) &&
	    !protocol_is_announcement(item))
		fdb_learn_unmoved(in->bridge->fdb, item->src, in->number);
	else
		fdb_learn(in->bridge->fdb, item->src, in->number);
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
	const struct fwd_bridge *bridge = in->bridge;
	struct fwd_port *const *by_number = bridge->by_number;
	unsigned n_numbers = bridge->n_numbers;
	const struct fdb *fdb = bridge->fdb;
	const struct item *end = s->items + s->n_items;
	fdb_fresh fresh = fdb_fresh_on(fdb, in->number);

	for (struct item *item = s->items; item < end; item++) {
		unsigned to;

		if (unlikely(!fdb_is_fresh_in(fdb, item->src_bucket, item->src,
					      fresh)))
			learn(in, item);
		to = fdb_lookup_in(fdb, item->dst_bucket, item->dst);
		/*
		 * FDB_NONE is the number of no port, and so is one that the
		 * snapshot does not have; groups are not learned: they flood.
		 */
		item->out = likely(to < n_numbers) ? by_number[to] : NULL;
	}
	if (unlikely(bridge->no_learn_vlans))
		flood_some_vlans(s);
}

void lookup_routed(struct stage *s)
{
	const struct fwd_bridge *bridge = s->in->bridge;
	const struct item *end = s->items + s->n_items;
	const struct fwd_port *out = NULL;
	fdb_key last = 0; /* nobody's */
	unsigned to;

	for (struct item *item = s->items; item < end; item++) {
		if (item->dst != last) {
			last = item->dst;
			to = fdb_lookup_in(bridge->fdb, item->dst_bucket, last);
			out = to < bridge->n_numbers ? bridge->by_number[to]
						     : NULL;
		}
		item->out = out;
	}
	if (unlikely(bridge->no_learn_vlans))
		flood_some_vlans(s);
}
