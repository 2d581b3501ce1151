/* A segment among others: subnets, and whose outside is whose. */
#include <string.h>

#include "ctl/segment_rules.h"

static char *check_overlap(const struct segment_plan *plan, const char *mine,
			   const struct segment_plan *other, const char *theirs)
{
	struct net_prefix a, b;

	if (!mine || !theirs || !net_prefix_parse(&a, mine, 0) ||
	    !net_prefix_parse(&b, theirs, 0) || !net_prefix_overlaps(&a, &b))
		return NULL;
	return xasprintf("segment %s cannot have subnet %s: segment %s has "
			 "%s; take another",
			 plan->name, mine, other->name, theirs);
}

/* The segment that is outside of that one; NULL: none of these. */
static const struct segment_plan *find_outside(
	const struct segment_plan *plan, const struct segment_plan *others,
	size_t n_others)
{
	for (size_t i = 0; !segment_plan_is_by_host(plan) && i < n_others; i++)
		if (plan->outside && !strcmp(others[i].name, plan->outside))
			return &others[i];
	return NULL;
}

/* One segment may be outside of another, but packets must not go round. */
static char *check_way_out(const struct segment_plan *plan,
			   const struct segment_plan *others, size_t n_others)
{
	const struct segment_plan *p = plan;

	/* The others may go round without this one: vswd tells of those. */
	for (size_t i = 0; p && i < n_others; i++) {
		p = find_outside(p, others, n_others);
		if (p && p->outside && !segment_plan_is_by_host(p) &&
		    !strcmp(p->outside, plan->name))
			return xasprintf("segment %s cannot have outside=%s: "
					 "from there the way out leads back "
					 "to %s, as the outside of segment "
					 "%s; one's outside has to be host, "
					 "or another bridge",
					 plan->name, plan->outside, plan->name,
					 p->name);
	}
	return NULL;
}

char *segment_others_check(const struct segment_plan *plan,
			   const struct segment_plan *others, size_t n_others)
{
	char *why = check_way_out(plan, others, n_others);

	for (size_t i = 0; !why && i < n_others; i++) {
		why = check_overlap(plan, plan->subnet, &others[i],
				    others[i].subnet);
		if (!why)
			why = check_overlap(plan, plan->subnet6, &others[i],
					    others[i].subnet6);
	}
	return why;
}
