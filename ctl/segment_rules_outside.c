/* Addresses that a NAT has outside, and the gateway there (segment_rules.h). */
#include <stdlib.h>
#include <string.h>

#include "ctl/segment_rules.h"
#include "ctl/segment_settings.h"

/* The gateway would be on one network with both feet (RFC 4787 REQ-7). */
static char *check_outside_net(const struct segment_plan *plan,
			       const struct segment_nets *nets, const char *key)
{
	const char *text = segment_plan_option(plan, key);
	char part[NET_TEXT_MAX];
	struct net_prefix net;
	size_t n = text ? strcspn(text, ", ") : 0;

	if (!n || n >= sizeof(part))
		return NULL;
	memcpy(part, text, n);
	part[n] = '\0';
	if (!net_prefix_parse(&net, part, 0) ||
	    !(net_prefix_overlaps(&net, &nets->subnet) ||
	      net_prefix_overlaps(&net, &nets->subnet6)))
		return NULL;
	return segment_refuse(
		plan, key, text,
		xstrdup("that is the segment's own subnet; inside and "
			"outside are two networks"));
}

/* What addresses outside say of the gateway there. */
struct link {
	struct net_addr gateway;
	bool has, is_own;
};

static bool address_part(const char *text, void *arg)
{
	struct link *l = arg;
	struct net_prefix net;
	struct net_range range;

	if (net_prefix_parse(&net, text, l->gateway.version)) {
		l->has |= net_prefix_has(&net, &l->gateway);
		l->is_own |= !net_addr_compare(&net.addr, &l->gateway);
	} else if (net_range_parse(&range, text, l->gateway.version)) {
		l->is_own |= net_addr_compare(&range.first, &l->gateway) <= 0 &&
			     net_addr_compare(&l->gateway, &range.last) <= 0;
	}
	return true;
}

static bool is_link_local(const struct net_addr *addr)
{
	struct net_prefix net;

	return net_prefix_parse(&net, "fe80::/10", 6) &&
	       net_prefix_has(&net, addr);
}

static char *check_gateway(const struct segment_plan *plan, const char *key,
			   const char *address_key)
{
	const char *text = segment_plan_option(plan, key);
	const char *addresses = segment_plan_option(plan, address_key);
	struct link link = { .has = false };

	if (!text || segment_plan_is_by_host(plan))
		return NULL;
	/* With addresses by DHCP and the like, the gateway comes so, too. */
	if (!addresses || !strchr(addresses, '/'))
		return segment_refuse(
			plan, key, text,
			xasprintf("its address outside comes by itself, and "
				  "the gateway with it; set "
				  "%s=ADDRESS/LENGTH, too, or \"%s=\"",
				  address_key, key));
	if (!net_addr_parse(&link.gateway, text, 0))
		return NULL; /* segment_settings.h tells it */
	segment_list_each(addresses, address_part, &link);
	if (link.is_own)
		return segment_refuse(plan, key, text,
				      xasprintf("that is its own: %s=%s",
						address_key, addresses));
	if (!link.has && !is_link_local(&link.gateway))
		return segment_refuse(plan, key, text,
				      xasprintf("it cannot be reached from "
						"%s=%s; set both of one "
						"network",
						address_key, addresses));
	return NULL;
}

void segment_outside_check(const struct segment_plan *plan,
			   const struct segment_nets *nets,
			   struct segment_reasons *reasons)
{
	segment_reason(reasons, check_gateway(plan, "outside-gateway",
					      "outside-address"));
	segment_reason(reasons, check_gateway(plan, "outside-gateway6",
					      "outside-address6"));
	segment_reason(reasons,
		       check_outside_net(plan, nets, "outside-address"));
	segment_reason(reasons,
		       check_outside_net(plan, nets, "outside-address6"));
}
