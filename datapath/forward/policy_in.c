/*
 * What is imposed on a port's packets as they come in (fwd_ingress), in this
 * order: mirrors see them, guards and access lists judge them, limits of storms
 * and of the rate count what is left, and marks are put on what goes on. Once
 * receivers are looked up, what depends on them.
 */
#include "forward/filters.h"
#include "forward/mirror.h"
#include "forward/policies.h"
#include "forward/stage.h"
#include "policy/guard.h"
#include "shape/marking.h"
#include "shape/policer.h"

/* What is left out as the steps go on: items stay in their order. */
static inline void keep(struct item **kept, const struct item *item)
{
	if (unlikely(*kept != item))
		**kept = *item;
	(*kept)++;
}

static bool is_known(const struct guard_memo *memo, const struct item *item)
{
	return item->vlan.tag ? guard_knows(memo, item->packet, true)
			      : guard_knows(memo, item->packet, false);
}

/* Items from this one on. Returns whether any of all is left. */
static __attribute__((noinline)) bool guard_items(struct pipeline *pl,
						  struct stage *s,
						  const struct guard *guard,
						  struct item *from)
{
	struct guard_memo memo = guard->seed;
	const struct item *end = s->items + s->n_items;
	struct item *kept = from;

	for (struct item *item = from; item < end; item++) {
		int reason =
			is_known(&memo, item)
				? -1
				: guard_judge_anew(guard, &memo, item->packet);

		if (unlikely(reason >= 0))
			drop_violation(pl, s->in, item, reason);
		else
			keep(&kept, item);
	}
	s->n_items = kept - s->items;
	return s->n_items;
}

/* Of a port that lets nothing in. */
static void drop_all(const struct pipeline *pl, struct stage *s,
		     enum drop_reason reason)
{
	for (unsigned i = 0; i < s->n_items; i++)
		drop(pl, s->in, s->items[i].packet, reason);
	s->n_items = 0;
}

/*
 * The first item that is not known by the seed, or the end: packets of one kind
 * in a row take the fewest tests.
 */
__attribute__((always_inline)) static inline struct item *skip_known(
	const struct guard_memo *seed, struct item *item,
	const struct item *end, bool tagged)
{
	struct item *from;

	do {
		from = item;
		while (item < end &&
		       guard_knows_ip4(seed, item->packet, tagged))
			item++;
		while (item < end &&
		       guard_knows_ip6(seed, item->packet, tagged))
			item++;
	} while (unlikely(item < end) && item > from);
	while (item < end && guard_knows_mac(seed, item->packet))
		item++;
	return item;
}

static __attribute__((noinline)) struct item *skip_tagged(
	const struct guard_memo *seed, struct item *item,
	const struct item *end)
{
	return skip_known(seed, item, end, true);
}

static __attribute__((noinline)) struct item *skip_untagged(
	const struct guard_memo *seed, struct item *item,
	const struct item *end)
{
	return skip_known(seed, item, end, false);
}

/* The usual burst needs but a look at each. Returns whether any is left. */
static inline bool guard_burst(struct pipeline *pl, struct stage *s,
			       const struct guard *guard)
{
	const struct guard_memo *seed = &guard->seed;
	struct item *item = s->items;
	const struct item *end = item + s->n_items;

	item = unlikely(item->vlan.tag) ? skip_tagged(seed, item, end)
					: skip_untagged(seed, item, end);
	return item == end ? s->n_items : guard_items(pl, s, guard, item);
}

/* Items that keep the rate of the interface they came in by stay. */
static __attribute__((noinline)) void police(struct pipeline *pl,
					     struct stage *s)
{
	bool pass[PACKET_BURST_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < s->n_items; i++)
		s->sending[i] = s->items[i].packet;
	policer_take(s->in->ingress->policer, s->sending, s->n_items, pass);
	for (unsigned i = 0; i < s->n_items; i++) {
		if (!pass[i])
			drop(pl, s->in, s->items[i].packet, DROP_POLICED);
		else
			s->items[n++] = s->items[i];
	}
	s->n_items = n;
}

/* The tag itself is written where the packet leaves (output.c). */
static inline void mark(const struct fwd_ingress *ingress, struct item *item)
{
	if (ingress->mark_pcp >= 0)
		item->vlan.prio = (item->vlan.prio & VLAN_DEI) |
				  (uint16_t)ingress->mark_pcp << VLAN_PCP_SHIFT;
	if (ingress->mark_dscp >= 0)
		marking_set_dscp(item->packet, ingress->mark_dscp);
}

static __attribute__((noinline)) void mark_all(const struct fwd_ingress *in,
					       struct stage *s)
{
	for (unsigned i = 0; i < s->n_items; i++)
		mark(in, &s->items[i]);
}

void policy_in_burst(struct pipeline *pl, struct stage *s)
{
	const struct fwd_ingress *in = s->as->ingress;

	if (unlikely(in->mirrors))
		mirror_received(pl, s);
	if (unlikely(in->reserved)) {
		drop_all(pl, s, DROP_MIRROR_PORT);
		return;
	}
	if (in->guard && !guard_burst(pl, s, in->guard))
		return;
	if (unlikely(in->snoops))
		snoop_asked(s);
	if (in->acl || in->storm)
		filters_in_burst(pl, s);
	if (s->in->ingress && s->in->ingress->policer && s->n_items)
		police(pl, s);
	if (unlikely(in->marks))
		mark_all(in, s);
}

void policy_found_burst(struct pipeline *pl, struct stage *s)
{
	const struct fwd_ingress *in = s->as->ingress;

	if (in->storm || in->drops_unlearned)
		filters_found_burst(pl, s);
}

bool policy_learns(const struct fwd_ingress *ingress, const struct item *item)
{
	return !ingress->guard ||
	       guard_learns(ingress->guard, load_mac(item->packet->header + 6));
}
