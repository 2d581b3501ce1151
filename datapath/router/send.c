/*
 * The last steps of a packet that leaves: whether it may (TTL, MTU), its next
 * hop, its new Ethernet header.
 */
#include <netinet/in.h>

#include "packet/csum.h"
#include "packet/gso.h"
#include "packet/parse.h"
#include "router/finish.h"

#define ICMP4_UNREACHABLE   3
#define ICMP4_FRAG_NEEDED   4
#define ICMP4_TIME_EXCEEDED 11
#define ICMP6_TOO_BIG	    2
#define ICMP6_TIME_EXCEEDED 3
#define SEGMENT_MIN	    128 /* payload; less is no way to send */

/* An error, or a fragment but the first (RFC 1812 4.3.2.7, RFC 4443 2.4 e). */
static bool is_unanswered(const struct packet *p)
{
	const uint8_t *ip = p->header + L3;
	unsigned l4;

	if (ip[0] >> 4 == 6)
		return ip[6] == IPPROTO_ICMPV6 &&
		       p->header_len > L3 + IP6_HEADER_LEN &&
		       ip[IP6_HEADER_LEN] < 128;
	if (load_be16(ip + 6) & 0x1fff)
		return true;
	l4 = (ip[0] & 15) * 4;
	if (ip[9] != IPPROTO_ICMP || p->header_len <= L3 + l4)
		return false;
	switch (ip[l4]) {
	case 3:
	case 4:
	case 5:
	case 11:
	case 12:
		return true;
	default:
		return false;
	}
}

void router_refuse(const struct burst *b, const struct packet *p,
		   enum drop_reason reason, uint8_t type, uint8_t code,
		   uint16_t mtu, struct router_result *result)
{
	if (is_unanswered(p)) {
		drop_it(result, reason);
		return;
	}
	*result = (struct router_result){
		.verdict = ROUTER_PUNT,
		.reason = reason,
		.note = { .what = ROUTER_ERROR,
			  .in = b->in,
			  .side = b->in,
			  .icmp_type = type,
			  .icmp_code = code,
			  .mtu = mtu },
	};
}

static bool is_v4(const struct packet *p)
{
	return p->header[L3] >> 4 == 4;
}

/* Segments that are to be cut later may as well be cut smaller. */
static bool shrink(struct packet *p, uint32_t mtu)
{
	uint32_t headers, size;

	if (!is_v4(p) || p->offload.gso == PACKET_GSO_UDP)
		return false;
	if (p->offload.gso == PACKET_GSO_UFO)
		headers = (p->header[L3] & 15) * 4;
	else
		headers = packet_gso_header_len(p) - L3;
	if (mtu < headers + SEGMENT_MIN)
		return false;
	size = mtu - headers;
	if (p->offload.gso == PACKET_GSO_UFO)
		size &= ~7u;
	p->offload.gso_size = MIN(size, UINT16_MAX);
	return true;
}

enum fit router_fit(const struct burst *b, struct packet *p,
		    enum router_side side, struct router_result *result)
{
	uint32_t mtu = b->r->links[side].mtu;
	bool v4 = is_v4(p);

	if (unlikely(p->header[L3 + (v4 ? 8 : 7)] <= 1)) {
		router_refuse(b, p, DROP_ROUTE_TTL,
			      v4 ? ICMP4_TIME_EXCEEDED : ICMP6_TIME_EXCEEDED, 0,
			      0, result);
		return FIT_REFUSED;
	}
	if (likely(p->len <= mtu + L3))
		return FIT;
	switch (nat_fits(p, mtu)) {
	case NAT_FITS:
		return FIT;
	case NAT_MUST_FRAGMENT:
		if (p->offload.gso == PACKET_GSO_NONE)
			return FIT_CUT;
		if (shrink(p, mtu))
			return FIT;
		break;
	case NAT_TOO_BIG:
		break;
	}
	router_refuse(b, p, DROP_ROUTE_TOO_BIG,
		      v4 ? ICMP4_UNREACHABLE : ICMP6_TOO_BIG,
		      v4 ? ICMP4_FRAG_NEEDED : 0, MIN(mtu, UINT16_MAX), result);
	return FIT_REFUSED;
}

void router_finish4(struct burst *b, struct packet *p, enum router_side side,
		    bool cut, struct router_result *result)
{
	const struct link *link = &b->r->links[side];
	uint8_t *ip = p->header + L3;
	uint64_t mac = link->fixed_mac;
	uint32_t hop;

	if (!mac) {
		if (unlikely(!router_hop4(link, load_be32(ip + 16), &hop))) {
			drop_it(result, DROP_ROUTE_NO_WAY);
			return;
		}
		mac = router_mac_of(b, link, side, hop);
	}
	router_decrement4(ip);
	router_write_link(b, p, side, mac, result);
	if (unlikely(cut) && result->verdict == ROUTER_SEND)
		router_cut(b, p, side, result);
}

void router_finish6(struct burst *b, struct packet *p, enum router_side side,
		    struct router_result *result)
{
	const struct link *link = &b->r->links[side];
	uint8_t *ip = p->header + L3, hop[16];
	uint64_t mac = link->fixed_mac;

	if (!mac) {
		if (unlikely(!router_hop6(link, ip + 24, hop))) {
			drop_it(result, DROP_ROUTE_NO_WAY);
			return;
		}
		mac = neighbor_table_find6(link->neighbors, hop);
	}
	ip[7]--;
	router_write_link(b, p, side, mac, result);
}

void router_finish(struct burst *b, struct packet *p, enum router_side side,
		   bool cut, struct router_result *result)
{
	if (is_v4(p))
		router_finish4(b, p, side, cut, result);
	else
		router_finish6(b, p, side, result);
}
