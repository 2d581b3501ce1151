/*
 * Decisions on all packets but plain ones, the general way: whatever a frame
 * is, where it goes, what the NAT says of it.
 */
#include <string.h>

#include "packet/csum.h"
#include "packet/parse.h"
#include "router/internal.h"

#define ICMP4_UNREACHABLE 3
#define ICMP6_UNREACHABLE 1
#define OPTION_LSRR	  131
#define OPTION_SSRR	  137

/* --- after the NAT ---------------------------------------------------------
 */

/* Where a packet goes that the NAT let pass; -1: nowhere, *result is set. */
static int side_after(const struct burst *b, const struct packet *p,
		      const struct nat_result *n, struct router_result *result)
{
	bool outbound = b->in == ROUTER_INSIDE;

	switch (n->verdict) {
	case NAT_FORWARD:
		return outbound ? ROUTER_OUTSIDE : ROUTER_INSIDE;
	case NAT_HAIRPIN:
		return ROUTER_INSIDE;
	case NAT_BYPASS:
		if (outbound)
			return ROUTER_OUTSIDE;
		if (router_is_uplinks(b, p))
			punt_local(b, result);
		else
			drop_it(result, DROP_ROUTE_NO_WAY);
		return -1;
	case NAT_LOCAL:
		punt_local(b, result);
		return -1;
	case NAT_HELD:
		*result = (struct router_result){ .verdict = ROUTER_HELD };
		return -1;
	case NAT_REJECT:
		router_refuse(b, p, n->reason, n->icmp_type, n->icmp_code, 0,
			      result);
		return -1;
	default:
		drop_it(result, n->reason);
		return -1;
	}
}

void router_finish_translated(struct burst *b, struct packet *p,
			      const struct nat_result *n,
			      struct router_result *result)
{
	int side = side_after(b, p, n, result);

	if (unlikely(side < 0))
		return;
	if (unlikely(packet_is_far(p)) && !router_settle(b->lane, p)) {
		drop_it(result, DROP_NAT_BUSY);
		return;
	}
	router_finish(b, p, side, false, result);
}

/*
 * One that may have to be refused for its TTL or its size, which is known when
 * it is known where it goes; its sender is to get it back as it was.
 */
static __attribute__((noinline)) void translate_carefully(
	struct burst *b, struct packet *p, struct router_result *result)
{
	struct nat_result n;
	struct packet was;
	enum fit fit;
	int side;

	packet_copy(&was, p);
	router_nat(b, &p, 1, &n);
	side = side_after(b, p, &n, result);
	if (side < 0)
		return;
	fit = router_fit(b, p, side, result);
	if (fit == FIT_REFUSED)
		packet_copy(p, &was);
	else if (packet_is_far(p) && !router_settle(b->lane, p))
		drop_it(result, DROP_NAT_BUSY);
	else
		router_finish(b, p, side, fit == FIT_CUT, result);
}

/* Whether nothing can be wrong with it but for what the NAT says. */
static inline bool fits_anywhere(const struct burst *b, const struct packet *p)
{
	enum router_side side =
		b->in == ROUTER_INSIDE ? ROUTER_OUTSIDE : ROUTER_INSIDE;
	uint32_t mtu = b->r->links[side].mtu;
	uint8_t ttl = p->header[L3 + (p->header[L3] >> 4 == 4 ? 8 : 7)];

	return likely(ttl > 1) &&
	       (likely(p->len <= mtu + L3) || nat_fits(p, mtu) == NAT_FITS);
}

static void translate(struct burst *b, struct packet *p,
		      struct router_result *result)
{
	if (unlikely(!fits_anywhere(b, p))) {
		translate_carefully(b, p, result);
		return;
	}
	b->packets[b->n_others] = p;
	b->results[b->n_others++] = result;
}

/* --- decisions -------------------------------------------------------------
 */

static void route(struct burst *b, struct packet *p, enum router_side side,
		  struct router_result *result)
{
	enum fit fit = router_fit(b, p, side, result);

	if (fit != FIT_REFUSED)
		router_finish(b, p, side, fit == FIT_CUT, result);
}

static void local(struct burst *b, struct packet *p, unsigned version,
		  struct router_result *result)
{
	if (router_local_to_host(b, p, version))
		route(b, p, ROUTER_HOST, result);
	else
		punt_local(b, result);
}

static void go(struct burst *b, struct packet *p, enum way way, bool natted,
	       struct router_result *result)
{
	if (likely(way == WAY_OUTSIDE && natted)) {
		translate(b, p, result);
		return;
	}
	switch (way) {
	case WAY_INSIDE:
		if (b->in == ROUTER_INSIDE && b->r->isolated) {
			drop_it(result, DROP_ISOLATED);
			break;
		}
		/* fall through */
	case WAY_OUTSIDE:
	case WAY_HOST:
		route(b, p, (enum router_side)way, result);
		break;
	case WAY_LOCAL:
		local(b, p, p->header[L3] >> 4, result);
		break;
	case WAY_MARTIAN:
		drop_it(result, DROP_ROUTE_MARTIAN);
		break;
	case WAY_NONE:
		router_refuse(b, p, DROP_ROUTE_NO_WAY,
			      p->header[L3] >> 4 == 4 ? ICMP4_UNREACHABLE
						      : ICMP6_UNREACHABLE,
			      0, 0, result);
		break;
	}
}

/* In an isolated segment: from an address that somebody else is known by. */
static bool is_anothers(const struct burst *b, const struct packet *p)
{
	struct neighbor_table *t = b->r->links[ROUTER_INSIDE].neighbors;
	const uint8_t *ip = p->header + L3;
	uint64_t mac;

	if (!t || b->in != ROUTER_INSIDE)
		return false;
	mac = ip[0] >> 4 == 4 ? neighbor_table_find4(t, load_be32(ip + 12))
			      : neighbor_table_find6(t, ip + 8);
	return mac && mac != load_mac(p->header + 6);
}

void router_decide4(struct burst *b, struct packet *p,
		    struct router_result *result)
{
	uint32_t src, dst;

	if (unlikely(b->r->isolated) && is_anothers(b, p)) {
		drop_it(result, DROP_ROUTE_SOURCE);
		return;
	}
	/* As they lie: only compared, unless they are others. */
	memcpy(&src, p->header + L3 + 12, 4);
	memcpy(&dst, p->header + L3 + 16, 4);
	if (unlikely(src != b->src)) {
		if (!router_source4(b->r, b->in, __builtin_bswap32(src))) {
			drop_it(result, DROP_ROUTE_SOURCE);
			return;
		}
		b->src = src;
	}
	if (b->in == ROUTER_OUTSIDE && b->r->nat) {
		translate(b, p, result);
		return;
	}
	if (unlikely(dst != b->dst)) {
		b->way = router_way4(b->r, b->in, __builtin_bswap32(dst));
		b->dst = dst;
	}
	go(b, p, b->way, b->r->nat, result);
}

static bool csum_is_right(const uint8_t *ip, unsigned header_len)
{
	return csum_fold(csum_add(0, ip, header_len)) == 0xffff;
}

/* Well formed, and without source routes (RFC 1812 5.3.13.4, RFC 7126). */
static bool is_good4(struct packet *p)
{
	const uint8_t *ip = p->header + L3;
	unsigned len, total;

	if (p->header_len < L3 + IP4_HEADER_LEN)
		return false;
	len = (ip[0] & 15) * 4;
	total = load_be16(ip + 2);
	if (ip[0] >> 4 != 4 || len < IP4_HEADER_LEN || total < len ||
	    L3 + total > p->len || !packet_pull(p, L3 + len))
		return false;
	ip = p->header + L3;
	if (!csum_is_right(ip, len))
		return false;
	for (unsigned at = IP4_HEADER_LEN; at < len && ip[at];) {
		unsigned n = ip[at] == 1 ? 1 : at + 1 < len ? ip[at + 1] : 0;

		if (ip[at] == OPTION_LSRR || ip[at] == OPTION_SSRR || !n ||
		    (n == 1 && ip[at] != 1) || at + n > len)
			return false;
		at += n;
	}
	return true;
}

static bool is_good6(const struct packet *p)
{
	const uint8_t *ip = p->header + L3;

	return p->header_len >= L3 + IP6_HEADER_LEN && ip[0] >> 4 == 6 &&
	       p->len >= L3 + IP6_HEADER_LEN + (uint32_t)load_be16(ip + 4);
}

/* Neighbor discovery that asks one station only still goes to a group. */
static void martian6(struct burst *b, struct packet *p,
		     struct router_result *result)
{
	if (p->header[L3 + 24] == 0xff)
		router_group(b, p, result);
	if (p->header[L3 + 24] != 0xff || result->verdict == ROUTER_IGNORE)
		drop_it(result, DROP_ROUTE_MARTIAN);
}

static void route6(struct burst *b, struct packet *p,
		   struct router_result *result)
{
	const uint8_t *ip = p->header + L3;
	bool natted = b->r->nat && b->r->nat6;
	enum way way = router_way6(b->r, b->in, ip + 24);

	if (way == WAY_MARTIAN) {
		martian6(b, p, result);
		return;
	}
	if ((!router_source6(b->r, b->in, ip + 8) &&
	     !(way == WAY_LOCAL && ip6_is_link_local(ip + 8))) ||
	    (b->r->isolated && is_anothers(b, p))) {
		drop_it(result, DROP_ROUTE_SOURCE);
		return;
	}
	/* Neighbor discovery and such of its own addresses is no flow. */
	if (b->in == ROUTER_OUTSIDE && natted &&
	    !(way == WAY_LOCAL && ip6_is_link_local(ip + 24)))
		translate(b, p, result);
	else
		go(b, p, way, natted, result);
}

/* All but plain packets. */
void router_decide(struct burst *b, struct packet *p,
		   struct router_result *result)
{
	const struct link *link = &b->r->links[b->in];

	if (p->header_len < ETH_HEADER_LEN) {
		drop_it(result, DROP_RUNT);
		return;
	}
	if (p->header[0] & 1) {
		router_group(b, p, result);
		return;
	}
	if (router_mac_word(p) != link->mac_word) {
		drop_it(result, DROP_ROUTE_OTHER);
		return;
	}
	packet_pull(p, MIN(p->len, (uint32_t)PACKET_PULL));
	switch (load_be16(p->header + 12)) {
	case ETH_TYPE_IPV4:
		if (is_good4(p))
			router_decide4(b, p, result);
		else
			drop_it(result, DROP_ROUTE_MALFORMED);
		break;
	case ETH_TYPE_IPV6:
		if (is_good6(p))
			route6(b, p, result);
		else
			drop_it(result, DROP_ROUTE_MALFORMED);
		break;
	case ETH_TYPE_ARP:
		if (b->in == ROUTER_HOST)
			*result =
				(struct router_result){ .verdict =
								ROUTER_IGNORE };
		else
			punt_local(b, result);
		break;
	default:
		drop_it(result, DROP_ROUTE_PROTOCOL);
	}
}

/* A fragment that was held by the NAT and goes on. */
static void finish_released(struct burst *b, const struct nat_released *f,
			    struct router_result *result)
{
	struct packet *p = f->packet;
	enum fit fit;
	int side;

	b->in = f->outbound ? ROUTER_INSIDE : ROUTER_OUTSIDE;
	side = side_after(b, p, &f->result, result);
	if (side < 0)
		return;
	fit = router_fit(b, p, side, result);
	/* As it is now its sender does not know it. */
	if (fit == FIT_REFUSED)
		drop_it(result, result->reason);
	else
		router_finish(b, p, side, fit == FIT_CUT, result);
}

unsigned router_take(const struct router *router, unsigned thread,
		     struct packet *packets[], struct router_result *results,
		     unsigned max)
{
	struct nat_released released[NAT_RELEASED_MAX];
	unsigned n = 0, kept = 0;
	struct burst b;

	if (router->nat)
		n = nat_take_released(router->nat, thread, released,
				      MIN(max, (unsigned)NAT_RELEASED_MAX));
	if (n)
		burst_begin(&b, router, ROUTER_INSIDE, thread);
	for (unsigned i = 0; i < n; i++) {
		packets[kept] = released[i].packet;
		finish_released(&b, &released[i], &results[kept]);
		if (results[kept].verdict != ROUTER_HELD)
			kept++;
	}
	if (kept)
		return kept;
	return router_take_fragments(&router->lanes[thread], packets, results,
				     max);
}
