/* A router's making, and what surrounds a burst; router.h says what it is. */
#include "router/router.h"

#include <stdlib.h>

#include "port/port.h"
#include "router/internal.h"

static uint32_t mask_of(uint8_t prefix_len)
{
	return prefix_len ? ~0u << (32 - MIN(prefix_len, 32)) : 0;
}

static size_t link_size(const struct router_link *link)
{
	return link->n_ip4 * sizeof(struct net4) +
	       link->n_ip6 * sizeof(struct router_ip6);
}

/* Copies the addresses to *at, and moves that behind them. */
static void make_link(struct link *to, const struct router_link *from,
		      uint8_t **at)
{
	struct net4 *ip4 = (struct net4 *)*at;
	struct router_ip6 *ip6;

	to->up = from->up;
	to->mac = from->mac;
	to->mac_word = __builtin_bswap64(from->mac) >> 16;
	to->fixed_mac = from->fixed_mac;
	to->neighbors = from->neighbors;
	to->mtu = from->mtu;
	to->gateway4 = from->gateway4;
	memcpy(to->gateway6, from->gateway6, 16);
	for (unsigned i = 0; i < 16; i++)
		to->has_gateway6 |= from->gateway6[i];
	for (unsigned i = 0; i < from->n_ip4; i++)
		ip4[i] = (struct net4){ from->ip4[i].ip,
					mask_of(from->ip4[i].prefix_len) };
	ip6 = (struct router_ip6 *)(ip4 + from->n_ip4);
	if (from->n_ip6)
		memcpy(ip6, from->ip6, from->n_ip6 * sizeof(*ip6));
	to->ip4 = ip4;
	to->n_ip4 = from->n_ip4;
	to->ip6 = ip6;
	to->n_ip6 = from->n_ip6;
	*at = (uint8_t *)(ip6 + from->n_ip6);
}

/* Whether all networks of the link are in its first. */
static bool has_one_net(const struct link *link)
{
	const struct net4 *first = link->ip4;

	if (!link->n_ip4 || first->mask >= 0xfffffffe)
		return false;
	for (unsigned i = 1; i < link->n_ip4; i++)
		if (link->ip4[i].mask < first->mask ||
		    (link->ip4[i].ip ^ first->ip) & first->mask)
			return false;
	return true;
}

static bool are_in(const struct link *link, const struct net4 *net)
{
	for (unsigned i = 0; i < link->n_ip4; i++)
		if ((link->ip4[i].ip ^ net->ip) & net->mask)
			return false;
	return true;
}

static void make_quick(struct router *r)
{
	const struct link *in = &r->links[ROUTER_INSIDE];
	const struct link *out = &r->links[ROUTER_OUTSIDE];
	struct quick q = { 0 };

	if (!r->nat || !in->up || !out->up || r->way_out != ROUTER_OUTSIDE ||
	    !out->gateway4 || !in->neighbors || !out->neighbors ||
	    in->n_ip4 != 1 || !has_one_net(in) || !has_one_net(out) ||
	    !are_in(&r->links[ROUTER_HOST], in->ip4))
		return;
	q.usable = true;
	q.inside = in->ip4[0];
	q.outside = out->ip4[0];
	q.first = (q.inside.ip & q.inside.mask) + 1;
	q.n_hosts = ~q.inside.mask - 1;
	q.frame_max = out->mtu + L3;
	/* There, whose address a packet is from is looked at, too. */
	if (!r->isolated)
		r->quick[ROUTER_INSIDE] = q;
	q.frame_max = in->mtu + L3;
	r->quick[ROUTER_OUTSIDE] = q;
}

/*
 * The threads' scratch memory is behind all else. A piece of this size comes
 * as pages of zeros, which cost nothing until a thread has something to cut.
 */
struct router *router_create(const struct router_config *config)
{
	size_t size = sizeof(struct router), links_size = 0, lanes_at;
	struct router *r;
	uint8_t *at;

	/* IPv4 addresses first: what has to be aligned stays so. */
	for (unsigned i = 0; i < ROUTER_N_SIDES; i++)
		links_size += (link_size(&config->links[i]) + 7) & ~(size_t)7;
	size += links_size + CACHE_LINE;
	r = xcalloc(1, size + PORT_THREADS_MAX * sizeof(struct lane));
	r->id = config->id;
	r->way_out = config->way_out;
	r->nat = config->nat;
	r->nat6 = config->nat6;
	r->tcp_dns_to_host = config->tcp_dns_to_host;
	r->local_to_host = config->local_to_host;
	r->isolated = config->isolated;
	r->has_lanes = nat_plain_has_avx2();
	at = (uint8_t *)(r + 1);
	for (unsigned i = 0; i < ROUTER_N_SIDES; i++) {
		uint8_t *next = at;

		make_link(&r->links[i], &config->links[i], &next);
		at += (link_size(&config->links[i]) + 7) & ~(size_t)7;
	}
	make_quick(r);
	lanes_at =
		((uintptr_t)at + CACHE_LINE - 1) & ~(uintptr_t)(CACHE_LINE - 1);
	r->lanes = (struct lane *)lanes_at;
	return r;
}

struct router *router_copy(const struct router *router, struct nat *nat)
{
	const size_t lanes_at =
		(sizeof(*router) + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
	uint8_t *piece = xcalloc_aligned(1, lanes_at + sizeof(struct lane));
	struct router *copy = (struct router *)(void *)piece;

	*copy = *router;
	copy->nat = nat;
	copy->lanes = (struct lane *)(void *)(piece + lanes_at);
	return copy;
}

struct nat *router_get_nat(const struct router *router)
{
	return router->nat;
}

uint32_t router_id(const struct router *router)
{
	return router->id;
}

void router_enter(const struct router *router, unsigned thread, uint64_t now_ms)
{
	if (router->nat)
		nat_enter(router->nat, thread, now_ms);
}

void router_leave(const struct router *router, unsigned thread)
{
	lane_clear(&router->lanes[thread]);
	if (router->nat)
		nat_leave(router->nat, thread);
}

bool router_find_way(const struct router *router, const uint8_t *ip,
		     unsigned ip_len, enum router_side *side,
		     uint8_t next_hop[16])
{
	const struct link *link;
	uint32_t hop;
	enum way way;

	way = ip_len == 4 ? router_way4(router, ROUTER_INSIDE, load_be32(ip))
			  : router_way6(router, ROUTER_INSIDE, ip);
	if (way > WAY_HOST)
		return false;
	*side = (enum router_side)way;
	link = &router->links[way];
	if (ip_len != 4)
		return router_hop6(link, ip, next_hop);
	if (!router_hop4(link, load_be32(ip), &hop))
		return false;
	store_be32(next_hop, hop);
	return true;
}
