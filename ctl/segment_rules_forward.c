/* Port forwards of a segment, beside its own and others' (segment_rules.h). */
#include <stdlib.h>
#include <string.h>

#include "ctl/forward_text.h"
#include "ctl/segment_rules.h"

#define PORT_MAX 65535

/* A forward as numbers. */
struct read {
	struct net_addr outside; /* version 0: any */
	struct net_addr inside;
};

char *segment_forward_text(const struct segment_forward *f)
{
	char *end =
		forward_end_text(f->outside_address ? f->outside_address : "",
				 f->outside_lo, f->outside_hi);
	char *text = xasprintf("%s %s", f->protocol, end);

	free(end);
	return text;
}

/* The reason, with the forward that it is about before it. */
static char *refuse(const struct segment_plan *plan,
		    const struct segment_forward *f, char *why)
{
	char *text = segment_forward_text(f);
	char *all = xasprintf("segment %s cannot forward %s: %s", plan->name,
			      text, why);

	free(text);
	free(why);
	return all;
}

static char *check_ports(const struct segment_forward *f)
{
	long n = f->outside_hi - f->outside_lo;
	long inside = f->inside_port ? f->inside_port : f->outside_lo;

	if (f->outside_lo < 1 || f->outside_hi > PORT_MAX)
		return xasprintf("ports are 1 to %d", PORT_MAX);
	if (n < 0)
		return xstrdup("the range of ports goes from a lower to a "
			       "higher one");
	if (inside < 1 || inside + n > PORT_MAX)
		return xasprintf("inside, its ports would be %ld to %ld; they "
				 "are %d at most",
				 inside, inside + n, PORT_MAX);
	return NULL;
}

static char *read_addresses(const struct segment_nets *nets,
			    const struct segment_forward *f, struct read *r)
{
	char *doubt, *why;

	memset(r, 0, sizeof(*r));
	if (!net_addr_parse(&r->inside, f->inside_address, 0))
		return xasprintf("\"%s\" is no address", f->inside_address);
	doubt = segment_nets_doubt(nets, &r->inside);
	if (doubt) {
		why = xasprintf("its machine's address %s", doubt);
		free(doubt);
		return why;
	}
	if (!f->outside_address)
		return NULL;
	if (!net_addr_parse(&r->outside, f->outside_address, 0))
		return xasprintf("\"%s\" is no address", f->outside_address);
	if (r->outside.version != r->inside.version)
		return xasprintf("%s and %s are not of one version of IP",
				 f->outside_address, f->inside_address);
	return NULL;
}

static bool is_in_pool(const char *list, const struct net_addr *addr)
{
	struct net_prefix prefix;
	struct net_range range;
	char *copy = xstrdup(list), *save = NULL, *part;
	bool found = false;

	for (part = strtok_r(copy, ", ", &save); part;
	     part = strtok_r(NULL, ", ", &save)) {
		if (net_prefix_parse(&prefix, part, addr->version))
			found |= !net_addr_compare(&prefix.addr, addr);
		else if (net_range_parse(&range, part, addr->version))
			found |= net_addr_compare(&range.first, addr) <= 0 &&
				 net_addr_compare(addr, &range.last) <= 0;
	}
	free(copy);
	return found;
}

/* "dhcp", "auto" and nothing are whatever the address will be. */
static char *check_outside(const struct segment_plan *plan,
			   const struct segment_forward *f,
			   const struct net_addr *outside)
{
	const char *key =
		outside->version == 6 ? "outside-address6" : "outside-address";
	const char *pool = segment_plan_option(plan, key);

	if (!outside->version || segment_plan_is_by_host(plan) || !pool ||
	    !strchr(pool, '/') || is_in_pool(pool, outside))
		return NULL;
	return xasprintf("%s is none of its %s=%s", f->outside_address, key,
			 pool);
}

/* Both would be asked for one packet. */
static bool collide(const struct segment_forward *a, const struct read *ra,
		    const struct segment_forward *b, const struct read *rb)
{
	return !strcmp(a->protocol, b->protocol) &&
	       ra->inside.version == rb->inside.version &&
	       a->outside_lo <= b->outside_hi &&
	       b->outside_lo <= a->outside_hi &&
	       (!ra->outside.version || !rb->outside.version ||
		!net_addr_compare(&ra->outside, &rb->outside));
}

/* Addresses only; what else is wrong with it is not asked here. */
static bool read_other(const struct segment_forward *f, struct read *r)
{
	memset(r, 0, sizeof(*r));
	return net_addr_parse(&r->inside, f->inside_address, 0) &&
	       (!f->outside_address ||
		net_addr_parse(&r->outside, f->outside_address, 0));
}

/* A forward of `of` on a port of f's; the first n only. */
static char *check_against(const struct segment_plan *of, size_t n,
			   const struct segment_forward *f,
			   const struct read *r)
{
	struct read other;
	char *text, *why;

	for (size_t i = 0; i < n; i++) {
		const struct segment_forward *g = &of->forwards[i];

		if (!read_other(g, &other) || !collide(f, r, g, &other))
			continue;
		text = segment_forward_text(g);
		why = xasprintf("segment %s forwards %s to %s already; take "
				"another port, or \"vsw-ctl del-forward %s "
				"%s\" first",
				of->name, text, g->inside_address, of->name,
				text);
		free(text);
		return why;
	}
	return NULL;
}

static char *check_one(const struct segment_plan *plan,
		       const struct segment_nets *nets, size_t i,
		       const struct segment_plan *others, size_t n_others)
{
	const struct segment_forward *f = &plan->forwards[i];
	struct read r;
	char *why = check_ports(f);

	if (!why)
		why = read_addresses(nets, f, &r);
	if (!why)
		why = check_outside(plan, f, &r.outside);
	if (!why)
		why = check_against(plan, i, f, &r);
	for (size_t o = 0;
	     !why && segment_plan_is_by_host(plan) && o < n_others; o++)
		if (segment_plan_is_by_host(&others[o]))
			why = check_against(&others[o], others[o].n_forwards, f,
					    &r);
	return why ? refuse(plan, f, why) : NULL;
}

void segment_forwards_check(const struct segment_plan *plan,
			    const struct segment_nets *nets,
			    const struct segment_plan *others, size_t n_others,
			    struct segment_reasons *reasons)
{
	if (plan->n_forwards && strcmp(plan->type, "nat")) {
		segment_reason(reasons, xasprintf("segment %s is %s: only "
						  "segments of type nat "
						  "forward ports",
						  plan->name, plan->type));
		return;
	}
	for (size_t i = 0; i < plan->n_forwards; i++)
		segment_reason(reasons,
			       check_one(plan, nets, i, others, n_others));
}
