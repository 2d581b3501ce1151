/*
 * Which way a destination is, which sources can be, and who the next hop is.
 *
 * Linear searches: a side has one or two networks, and a burst's packets mostly
 * have the destination of the one before (run.c). Special addresses: RFC 6890,
 * RFC 1812 5.3.7, RFC 4291 2.
 */
#include <string.h>

#include "router/internal.h"

static bool is_martian6(const uint8_t *ip)
{
	static const uint8_t zero[15],
		mapped[12] = { [10] = 0xff, [11] = 0xff };

	return ip[0] == 0xff || ip6_is_link_local(ip) ||
	       (!memcmp(ip, zero, 15) && ip[15] <= 1) ||
	       !memcmp(ip, mapped, 12);
}

static const struct net4 *find_net4(const struct link *link, uint32_t ip)
{
	for (unsigned i = 0; i < link->n_ip4; i++)
		if (!((ip ^ link->ip4[i].ip) & link->ip4[i].mask))
			return &link->ip4[i];
	return NULL;
}

/* The network's own address, or its broadcast's (RFC 3021: not of /31). */
static bool is_group_of(const struct net4 *net, uint32_t ip)
{
	uint32_t host = ip & ~net->mask;

	return net->mask < 0xfffffffe && (!host || host == ~net->mask);
}

static bool in_prefix6(const struct router_ip6 *net, const uint8_t *ip)
{
	unsigned bytes = net->prefix_len / 8, bits = net->prefix_len % 8;

	return !memcmp(net->ip, ip, bytes) &&
	       (!bits || !((net->ip[bytes] ^ ip[bytes]) >> (8 - bits)));
}

static bool on_link6(const struct link *link, const uint8_t *ip)
{
	for (unsigned i = 0; i < link->n_ip6; i++)
		if (in_prefix6(&link->ip6[i], ip))
			return true;
	return false;
}

bool router_is_own4(const struct link *link, uint32_t ip)
{
	for (unsigned i = 0; i < link->n_ip4; i++)
		if (link->ip4[i].ip == ip)
			return true;
	return false;
}

bool router_is_own6(const struct link *link, const uint8_t *ip)
{
	for (unsigned i = 0; i < link->n_ip6; i++)
		if (!memcmp(link->ip6[i].ip, ip, 16))
			return true;
	return false;
}

/* The link to what is neither ours nor inside, or NULL. */
static const struct link *link_out(const struct router *r, enum router_side in)
{
	if (in != ROUTER_INSIDE || r->way_out == ROUTER_INSIDE ||
	    !r->links[r->way_out].up)
		return NULL;
	return &r->links[r->way_out];
}

enum way router_way4(const struct router *r, enum router_side in, uint32_t dst)
{
	const struct link *out = link_out(r, in);
	const struct net4 *net;
	uint32_t hop;

	for (unsigned i = 0; i < ROUTER_N_SIDES; i++) {
		/* Outside addresses may be mappings': the NAT says. */
		if (i == ROUTER_OUTSIDE && r->nat && in == ROUTER_INSIDE)
			continue;
		if (router_is_own4(&r->links[i], dst))
			return WAY_LOCAL;
	}
	if (ip4_is_martian(dst))
		return WAY_MARTIAN;
	net = find_net4(&r->links[ROUTER_INSIDE], dst);
	if (net)
		return is_group_of(net, dst) ? WAY_MARTIAN : WAY_INSIDE;
	net = find_net4(&r->links[ROUTER_OUTSIDE], dst);
	if (net && is_group_of(net, dst))
		return WAY_MARTIAN;
	return out && router_hop4(out, dst, &hop) ? (enum way)r->way_out
						  : WAY_NONE;
}

enum way router_way6(const struct router *r, enum router_side in,
		     const uint8_t *dst)
{
	const struct link *out = link_out(r, in);
	uint8_t hop[16];

	for (unsigned i = 0; i < ROUTER_N_SIDES; i++) {
		/* A link-local address is one of its own link only. */
		if (i != in && ip6_is_link_local(dst))
			continue;
		if (i == ROUTER_OUTSIDE && r->nat && r->nat6 &&
		    in == ROUTER_INSIDE)
			continue;
		if (router_is_own6(&r->links[i], dst))
			return WAY_LOCAL;
	}
	if (is_martian6(dst))
		return WAY_MARTIAN;
	if (on_link6(&r->links[ROUTER_INSIDE], dst))
		return WAY_INSIDE;
	return out && router_hop6(out, dst, hop) ? (enum way)r->way_out
						 : WAY_NONE;
}

bool router_source4(const struct router *r, enum router_side in, uint32_t src)
{
	const struct net4 *net = find_net4(&r->links[ROUTER_INSIDE], src);

	switch (in) {
	case ROUTER_INSIDE:
		return net && net->ip != src && !is_group_of(net, src);
	case ROUTER_OUTSIDE:
		return !net && !ip4_is_martian(src);
	default:
		return true; /* our own sockets; the gateway's address, too */
	}
}

bool router_source6(const struct router *r, enum router_side in,
		    const uint8_t *src)
{
	const struct link *inside = &r->links[ROUTER_INSIDE];

	switch (in) {
	case ROUTER_INSIDE:
		return on_link6(inside, src) && !is_martian6(src) &&
		       !router_is_own6(inside, src);
	case ROUTER_OUTSIDE:
		return !is_martian6(src) && !on_link6(inside, src);
	default:
		return true;
	}
}

bool router_hop4(const struct link *link, uint32_t dst, uint32_t *hop)
{
	bool direct = link->fixed_mac || find_net4(link, dst);

	*hop = direct ? dst : link->gateway4;
	return *hop && (link->fixed_mac || link->neighbors);
}

bool router_hop6(const struct link *link, const uint8_t *dst, uint8_t hop[16])
{
	bool direct = link->fixed_mac || ip6_is_link_local(dst) ||
		      on_link6(link, dst);

	memcpy(hop, direct ? dst : link->gateway6, 16);
	return (direct || link->has_gateway6) &&
	       (link->fixed_mac || link->neighbors);
}
