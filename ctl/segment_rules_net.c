/* Subnets of a segment, and the addresses in them (segment_rules.h). */
#include <string.h>

#include "ctl/segment_rules.h"

#define LEN4_MIN	   8
#define LEN4_MAX	   30 /* a gateway and a machine */
#define LEN4_MAX_HOST_ONLY 29 /* and the host */
#define LEN6_MIN	   16
#define LEN6_MAX	   124
#define LEN6_RA		   64 /* what machines make addresses in (RFC 4862 5.5.3) */

/* Networks that no machine can be in. */
static const char *const never[] = { "0.0.0.0/8",      "127.0.0.0/8",
				     "169.254.0.0/16", "224.0.0.0/3",
				     "::/8",	       "fe80::/10",
				     "ff00::/8" };

static char *check_kind(const struct segment_plan *plan, const char *text,
			const struct net_prefix *prefix)
{
	struct net_prefix special;

	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		if (net_prefix_parse(&special, never[i], 0) &&
		    net_prefix_overlaps(prefix, &special))
			return xasprintf("segment %s cannot have subnet %s: "
					 "%s is for no machines' addresses; "
					 "take one of 10.0.0.0/8, "
					 "172.16.0.0/12, 192.168.0.0/16 or "
					 "fd00::/8",
					 plan->name, text, never[i]);
	return NULL;
}

static char *check_bits(const struct segment_plan *plan, const char *text,
			const struct net_prefix *prefix)
{
	bool v4 = prefix->addr.version == 4;
	unsigned min = v4 ? LEN4_MIN : LEN6_MIN;
	bool host = !strcmp(plan->type, "host-only");
	unsigned max = v4 ? host ? LEN4_MAX_HOST_ONLY : LEN4_MAX : LEN6_MAX;
	struct net_addr first, last;
	char buf[NET_TEXT_MAX];

	net_prefix_ends(prefix, &first, &last);
	if (!net_prefix_is_network(prefix))
		return xasprintf("segment %s cannot have subnet %s: it has "
				 "bits beyond its length; write %s/%u",
				 plan->name, text, net_addr_text(&first, buf),
				 prefix->len);
	if (prefix->len > max)
		return xasprintf("segment %s cannot have subnet %s: it is too "
				 "small for %sa gateway and a machine; its "
				 "length may be %u at most",
				 plan->name, text, host ? "the host, " : "",
				 max);
	if (prefix->len < min)
		return xasprintf("segment %s cannot have subnet %s: it is too "
				 "large; its length must be %u at least",
				 plan->name, text, min);
	return NULL;
}

static char *read_subnet(const struct segment_plan *plan, const char *text,
			 unsigned version, struct net_prefix *prefix)
{
	char *why;

	if (!text)
		return NULL;
	if (!net_prefix_parse(prefix, text, version)) {
		prefix->addr.version = 0;
		return xasprintf("segment %s cannot have subnet%s \"%s\"; it "
				 "is NETWORK/LENGTH, such as %s",
				 plan->name, version == 6 ? "6" : "", text,
				 version == 6 ? "fd00:20::/64"
					      : "10.20.0.0/24");
	}
	why = check_bits(plan, text, prefix);
	return why ? why : check_kind(plan, text, prefix);
}

/* The subnet's n-th address, from its end when n is negative. */
static struct net_addr nth(const struct net_prefix *prefix, int n)
{
	unsigned at = prefix->addr.version == 4 ? 3 : 15;
	struct net_addr first, last, a;

	net_prefix_ends(prefix, &first, &last);
	a = n < 0 ? last : first;
	/* A subnet has at least 4 addresses, so nothing is carried. */
	a.bytes[at] = (uint8_t)(a.bytes[at] + n);
	return a;
}

/* An address of the segment's own: as an option says, or the n-th. */
static char *read_own(const struct segment_plan *plan, const char *key,
		      const struct net_prefix *prefix, int n,
		      struct net_addr *addr)
{
	const char *text = segment_plan_option(plan, key);
	struct net_addr first, last;

	if (!prefix->addr.version)
		return text ? xasprintf("segment %s cannot have %s=%s: it has "
					"no subnet%s",
					plan->name, key, text,
					strchr(key, '6') ? "6" : "")
			    : NULL;
	*addr = nth(prefix, n);
	if (!text)
		return NULL;
	net_prefix_ends(prefix, &first, &last);
	if (!net_addr_parse(addr, text, prefix->addr.version) ||
	    !net_prefix_has(prefix, addr) || !net_addr_compare(addr, &first) ||
	    (addr->version == 4 && !net_addr_compare(addr, &last)))
		return xasprintf("segment %s cannot have %s=%s: it is no "
				 "address of a machine in %s",
				 plan->name, key, text,
				 prefix->addr.version == 4 ? plan->subnet
							   : plan->subnet6);
	return NULL;
}

static char *read_gateway(const struct segment_plan *plan,
			  struct segment_nets *nets)
{
	bool host_only = !strcmp(plan->type, "host-only");
	/* IPv4's last one is the broadcast address. */
	char *why = read_own(plan, "address", &nets->subnet, host_only ? -1 : 1,
			     &nets->gateway);

	if (!why)
		why = read_own(plan, "address6", &nets->subnet6,
			       host_only ? 2 : 1, &nets->gateway6);
	return why;
}

/* The first, unless the gateway has it. */
static char *read_host_address(const struct segment_plan *plan, const char *key,
			       const struct net_prefix *prefix,
			       const struct net_addr *gateway,
			       struct net_addr *host)
{
	struct net_addr first = { 0 };

	if (prefix->addr.version)
		first = nth(prefix, 1);
	return read_own(plan, key, prefix,
			net_addr_compare(&first, gateway) ? 1 : 2, host);
}

static char *read_host(const struct segment_plan *plan,
		       struct segment_nets *nets)
{
	char buf[NET_TEXT_MAX], *why;

	why = read_host_address(plan, "host-address", &nets->subnet,
				&nets->gateway, &nets->host);
	if (!why)
		why = read_host_address(plan, "host-address6", &nets->subnet6,
					&nets->gateway6, &nets->host6);
	if (why)
		return why;
	if (nets->host.version &&
	    !net_addr_compare(&nets->host, &nets->gateway))
		return xasprintf("segment %s: the host and the gateway cannot "
				 "both have %s; set address or host-address",
				 plan->name, net_addr_text(&nets->host, buf));
	if (nets->host6.version &&
	    !net_addr_compare(&nets->host6, &nets->gateway6))
		return xasprintf("segment %s: the host and the gateway cannot "
				 "both have %s; set address6 or host-address6",
				 plan->name, net_addr_text(&nets->host6, buf));
	return NULL;
}

/* Machines make their addresses of the prefix that is advertised. */
static char *check_ra(const struct segment_plan *plan,
		      const struct segment_nets *nets)
{
	const char *ra = segment_plan_option(plan, "ra");

	if (!nets->subnet6.addr.version || nets->subnet6.len == LEN6_RA ||
	    (ra && !strcmp(ra, "false")))
		return NULL;
	return xasprintf("segment %s cannot have subnet6 %s: machines make "
			 "addresses in a /64 only; give one, or ra=false and "
			 "set addresses by hand",
			 plan->name, plan->subnet6);
}

char *segment_nets_read(const struct segment_plan *plan,
			struct segment_nets *nets)
{
	char *why;

	memset(nets, 0, sizeof(*nets));
	why = read_subnet(plan, plan->subnet, 4, &nets->subnet);
	if (!why)
		why = read_subnet(plan, plan->subnet6, 6, &nets->subnet6);
	if (!why)
		why = check_ra(plan, nets);
	if (!why)
		why = read_gateway(plan, nets);
	if (!why && !strcmp(plan->type, "host-only"))
		why = read_host(plan, nets);
	return why;
}

char *segment_nets_doubt(const struct segment_nets *nets,
			 const struct net_addr *addr)
{
	bool v4 = addr->version == 4;
	const struct net_prefix *prefix = v4 ? &nets->subnet : &nets->subnet6;
	const struct net_addr *gateway = v4 ? &nets->gateway : &nets->gateway6;
	const struct net_addr *host = v4 ? &nets->host : &nets->host6;
	char buf[NET_TEXT_MAX], net[NET_TEXT_MAX];
	struct net_addr first, last;
	const char *what = NULL;

	net_addr_text(addr, buf);
	if (!prefix->addr.version)
		return xasprintf("%s is of no use: the segment has no %s "
				 "subnet",
				 buf, v4 ? "IPv4" : "IPv6");
	net_prefix_ends(prefix, &first, &last);
	if (!net_prefix_has(prefix, addr))
		return xasprintf("%s is not in %s/%u", buf,
				 net_addr_text(&first, net), prefix->len);
	if (!net_addr_compare(addr, gateway))
		what = "the gateway's own address";
	else if (host->version && !net_addr_compare(addr, host))
		what = "the host's own address";
	else if (!net_addr_compare(addr, &first))
		what = "the network's own address";
	else if (v4 && !net_addr_compare(addr, &last))
		what = "the broadcast address";
	return what ? xasprintf("%s is %s", buf, what) : NULL;
}
