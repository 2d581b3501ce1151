/* What the settings of a segment say together (segment_rules.h). */
#include "ctl/segment_rules.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/segment_settings.h"
#include "ctl/settings.h"

#define MTU6_MIN 1280 /* RFC 8200 5 */

static bool is_type(const struct segment_plan *plan, const char *type)
{
	return !strcmp(plan->type, type);
}

const char *segment_plan_option(const struct segment_plan *plan,
				const char *key)
{
	for (size_t i = 0; i < plan->n_options; i++)
		if (!strcmp(plan->options[i].key, key))
			return plan->options[i].value;
	return NULL;
}

bool segment_plan_is_by_host(const struct segment_plan *plan)
{
	return is_type(plan, "nat") &&
	       (!plan->outside || !strcmp(plan->outside, "host"));
}

bool segment_lease_parse(const char *value, struct net_addr *ip,
			 const char **name)
{
	size_t n = strcspn(value, ",");
	char text[NET_TEXT_MAX];

	if (n >= sizeof(text))
		return false;
	memcpy(text, value, n);
	text[n] = '\0';
	*name = value[n] ? value + n + 1 : NULL;
	return net_addr_parse(ip, text, 4) &&
	       (!*name || net_is_label(*name, strlen(*name)));
}

/* --- what it may have at all ---------------------------------------------- */

static char *check_type(const struct segment_plan *plan)
{
	bool subnet = plan->subnet || plan->subnet6;

	if (is_type(plan, "bridged") && (subnet || plan->n_leases))
		return xasprintf("segment %s is bridged: addresses are those "
				 "of its LAN, it has no subnet and no leases "
				 "of its own",
				 plan->name);
	if (is_type(plan, "bridged") && plan->isolated)
		return xasprintf("segment %s is bridged and cannot be "
				 "isolated: its machines would lose the LAN, "
				 "which is a port of it as they are; a segment "
				 "of type nat can",
				 plan->name);
	if (!subnet && (is_type(plan, "nat") || is_type(plan, "host-only")))
		return xasprintf("segment %s is %s and needs a subnet, such "
				 "as 10.20.0.0/24",
				 plan->name, plan->type);
	if (plan->outside && !is_type(plan, "nat"))
		return xasprintf("segment %s is %s: outside=%s is for "
				 "segments of type nat only",
				 plan->name, plan->type, plan->outside);
	if (plan->outside && !strcmp(plan->outside, plan->name))
		return xasprintf("segment %s cannot be outside of itself; "
				 "outside is host, or another bridge",
				 plan->name);
	return NULL;
}

/* --- what has to be in the subnet ----------------------------------------- */

char *segment_refuse(const struct segment_plan *plan, const char *key,
		     const char *value, char *doubt)
{
	char *why = xasprintf("segment %s cannot have %s=%s: %s", plan->name,
			      key, value, doubt);

	free(doubt);
	return why;
}

/* NULL: each machine's address may be any of the range. */
static char *range_doubt(const struct segment_nets *nets,
			 const struct net_range *range)
{
	struct net_addr first, last;
	char buf[NET_TEXT_MAX];

	if (!nets->subnet.addr.version)
		return segment_nets_doubt(nets, &range->first);
	net_prefix_ends(&nets->subnet, &first, &last);
	for (unsigned i = 0; i < 2; i++) {
		const struct net_addr *a = i ? &range->last : &range->first;

		if (!net_prefix_has(&nets->subnet, a) ||
		    !net_addr_compare(a, &first) || !net_addr_compare(a, &last))
			return xasprintf("%s is no machine's address in the "
					 "subnet",
					 net_addr_text(a, buf));
	}
	return NULL;
}

static char *check_range(const struct segment_plan *plan,
			 const struct segment_nets *nets)
{
	const char *text = segment_plan_option(plan, "dhcp-range");
	struct net_range range;
	char *doubt;

	if (!text || !net_range_parse(&range, text, 4))
		return NULL; /* segment_settings.h tells it */
	doubt = range_doubt(nets, &range);
	return doubt ? segment_refuse(plan, "dhcp-range", text, doubt) : NULL;
}

/* It would be of no use to a client that cannot reach it. */
static char *check_router(const struct segment_plan *plan,
			  const struct segment_nets *nets)
{
	const char *text = segment_plan_option(plan, "router");
	char buf[NET_TEXT_MAX];
	struct net_addr addr;

	if (!text || !net_addr_parse(&addr, text, 4) ||
	    !nets->subnet.addr.version || net_prefix_has(&nets->subnet, &addr))
		return NULL;
	return segment_refuse(plan, "router", text,
			      xasprintf("%s is not in %s",
					net_addr_text(&addr, buf),
					plan->subnet));
}

static bool route_part(const char *text, void *arg)
{
	const struct segment_nets *nets = arg;
	const char *equals = strchr(text, '=');
	struct net_addr gateway;

	/* Its grammar is looked at elsewhere. */
	return !equals || !net_addr_parse(&gateway, equals + 1, 4) ||
	       net_prefix_has(&nets->subnet, &gateway);
}

static char *check_dhcp_routes(const struct segment_plan *plan,
			       struct segment_nets *nets)
{
	const char *text = segment_plan_option(plan, "routes");

	if (!text || !nets->subnet.addr.version ||
	    segment_list_each(text, route_part, nets))
		return NULL;
	return segment_refuse(
		plan, "routes", text,
		xasprintf("machines reach routers in %s only", plan->subnet));
}

/* Options of IPv6, and which of two say the same. */
static char *check_options(const struct segment_plan *plan)
{
	const char *ipv6 = segment_plan_option(plan, "ipv6");
	const char *mtu = segment_plan_option(plan, "mtu");
	const char *path = segment_plan_option(plan, "resolv-conf");

	if (ipv6 && !strcmp(ipv6, "routed") && segment_plan_is_by_host(plan))
		return segment_refuse(
			plan, "ipv6", ipv6,
			xstrdup("the host's sockets cannot route; give "
				"outside=BRIDGE, or ipv6=nat"));
	if (plan->subnet6 && mtu && strtol(mtu, NULL, 10) < MTU6_MIN)
		return segment_refuse(
			plan, "mtu", mtu,
			xasprintf("with IPv6 it is %d at least", MTU6_MIN));
	if (path && segment_plan_option(plan, "dns-forward"))
		return segment_refuse(
			plan, "resolv-conf", path,
			xstrdup("dns-forward says whom to ask, too; "
				"remove one"));
	return NULL;
}

/* --- static leases -------------------------------------------------------- */

/* Of the first n: has one this address or name? */
static const struct segment_pair *find_lease(const struct segment_plan *plan,
					     size_t n,
					     const struct net_addr *ip,
					     const char *name)
{
	for (size_t i = 0; i < n; i++) {
		const char *other_name;
		struct net_addr other;

		if (!segment_lease_parse(plan->leases[i].value, &other,
					 &other_name))
			continue;
		if (!net_addr_compare(ip, &other) ||
		    (name && other_name && !strcasecmp(name, other_name)))
			return &plan->leases[i];
	}
	return NULL;
}

static char *check_lease(const struct segment_plan *plan,
			 const struct segment_nets *nets, size_t i)
{
	const struct segment_pair *lease = &plan->leases[i], *other;
	const char *name = NULL;
	struct net_addr ip;
	char mac[18], *doubt = NULL;

	if (!settings_parse_address(mac, lease->key))
		doubt = xstrdup("the key is the MAC address of one device, "
				"such as 52:54:00:00:00:01");
	else if (!segment_lease_parse(lease->value, &ip, &name))
		doubt = xstrdup("the value is an IPv4 address, or "
				"ADDRESS,NAME with a name of letters, digits "
				"and dashes");
	else
		doubt = segment_nets_doubt(nets, &ip);
	if (!doubt) {
		other = find_lease(plan, i, &ip, name);
		if (other)
			doubt = xasprintf("%s has %s already", other->key,
					  other->value);
	}
	return doubt ? segment_refuse(plan, lease->key, lease->value, doubt)
		     : NULL;
}

static void check_leases(const struct segment_plan *plan,
			 const struct segment_nets *nets,
			 struct segment_reasons *reasons)
{
	for (size_t i = 0; i < plan->n_leases; i++)
		segment_reason(reasons, check_lease(plan, nets, i));
}

/* --- all of it ------------------------------------------------------------ */

void segment_reason(struct segment_reasons *reasons, char *why)
{
	if (!why)
		return;
	reasons->list = xrealloc(reasons->list,
				 (reasons->n + 1) * sizeof(*reasons->list));
	reasons->list[reasons->n++] = why;
}

static void free_reasons(struct segment_reasons *reasons)
{
	for (size_t i = 0; i < reasons->n; i++)
		free(reasons->list[i]);
	free(reasons->list);
}

static bool has_reason(const struct segment_reasons *reasons, const char *why)
{
	for (size_t i = 0; i < reasons->n; i++)
		if (!strcmp(reasons->list[i], why))
			return true;
	return false;
}

/* All that cannot be; behind a subnet that is none, nothing is looked at. */
static void find_reasons(const struct segment_plan *plan,
			 const struct segment_plan *others, size_t n_others,
			 struct segment_reasons *r)
{
	struct segment_nets nets;

	segment_reason(r, check_type(plan));
	if (!r->n)
		segment_reason(r, segment_nets_read(plan, &nets));
	if (r->n)
		return;
	segment_reason(r, segment_others_check(plan, others, n_others));
	segment_reason(r, check_range(plan, &nets));
	segment_reason(r, check_router(plan, &nets));
	segment_reason(r, check_dhcp_routes(plan, &nets));
	segment_reason(r, check_options(plan));
	segment_outside_check(plan, &nets, r);
	check_leases(plan, &nets, r);
	segment_forwards_check(plan, &nets, others, n_others, r);
}

char *segment_plan_check_change(const struct segment_plan *plan,
				const struct segment_plan *before,
				const struct segment_plan *others,
				size_t n_others)
{
	struct segment_reasons old = { 0 }, new = { 0 };
	char *why = NULL;

	find_reasons(plan, others, n_others, &new);
	if (before && new.n)
		find_reasons(before, others, n_others, &old);
	for (size_t i = 0; !why && i < new.n; i++)
		if (!has_reason(&old, new.list[i]))
			why = xstrdup(new.list[i]);
	free_reasons(&old);
	free_reasons(&new);
	return why;
}

char *segment_plan_check(const struct segment_plan *plan,
			 const struct segment_plan *others, size_t n_others)
{
	return segment_plan_check_change(plan, NULL, others, n_others);
}
