/*
 * What is for the gateway itself: of frames to groups those that it has to see
 * (ARP that concerns it, neighbor discovery, DHCP), and of packets to its
 * addresses those that its sockets on the host get. All else to groups is the
 * segment's own business and no drop.
 *
 * Nothing here is believed; the control thread looks at it again.
 */
#include <netinet/in.h>
#include <string.h>

#include "packet/parse.h"
#include "router/internal.h"

#define ARP_LEN	       28
#define ARP_REQUEST    1
#define DNS_PORT       53
#define DHCP_SERVER    67
#define DHCP_CLIENT    68
#define DHCP6_CLIENT   546
#define DHCP6_SERVER   547
#define ICMP6_RS       133 /* to 137: neighbor discovery */
#define ICMP6_REDIRECT 137

/*
 * ARP to all: asks for one of ours, claims one of ours, or tells everybody
 * (RFC 5227): a reply, or a request of one's own address.
 */
static bool concerns_arp(const struct link *link, const struct packet *p)
{
	const uint8_t *arp = p->header + L3;
	uint32_t sender, target;

	if (p->header_len < L3 + ARP_LEN)
		return false;
	sender = load_be32(arp + 14);
	target = load_be32(arp + 24);
	return load_be16(arp + 6) != ARP_REQUEST || sender == target ||
	       router_is_own4(link, target) || router_is_own4(link, sender);
}

/* The destination port of a whole datagram, or of its first fragment; or 0. */
static uint16_t udp_port4(const struct packet *p)
{
	const uint8_t *ip = p->header + L3;
	unsigned l4 = L3 + (ip[0] & 15) * 4;

	if (p->header_len < L3 + IP4_HEADER_LEN || ip[0] >> 4 != 4 ||
	    ip[9] != IPPROTO_UDP || load_be16(ip + 6) & 0x1fff ||
	    p->header_len < l4 + 4)
		return 0;
	return load_be16(p->header + l4 + 2);
}

/* Of our addresses' groups for solicitations (RFC 4291 2.7.1), or to all. */
static bool is_our_group6(const struct link *link, const uint8_t *dst)
{
	static const uint8_t all[15] = { 0xff, 0x02 };
	static const uint8_t solicited[13] = { 0xff,
					       0x02, [11] = 1, [12] = 0xff };

	if (!memcmp(dst, all, 15))
		return dst[15] == 1 || dst[15] == 2; /* nodes, routers */
	if (memcmp(dst, solicited, 13))
		return false;
	for (unsigned i = 0; i < link->n_ip6; i++)
		if (!memcmp(link->ip6[i].ip + 13, dst + 13, 3))
			return true;
	return false;
}

static bool concerns_ip6(const struct burst *b, const struct packet *p)
{
	static const uint8_t dhcp[16] = { 0xff, 0x02, [13] = 1, [15] = 2 };
	const uint8_t *ip = p->header + L3, *l4 = ip + IP6_HEADER_LEN;
	uint16_t port;

	if (p->header_len < L3 + IP6_HEADER_LEN + 4)
		return false;
	if (ip[6] == IPPROTO_ICMPV6)
		return l4[0] >= ICMP6_RS && l4[0] <= ICMP6_REDIRECT &&
		       is_our_group6(&b->r->links[b->in], ip + 24);
	port = ip[6] == IPPROTO_UDP ? load_be16(l4 + 2) : 0;
	return port == DHCP6_SERVER && !memcmp(ip + 24, dhcp, 16);
}

static bool concerns(const struct burst *b, const struct packet *p)
{
	uint16_t port;

	switch (load_be16(p->header + 12)) {
	case ETH_TYPE_ARP:
		return concerns_arp(&b->r->links[b->in], p);
	case ETH_TYPE_IPV4:
		port = udp_port4(p);
		return port ==
		       (b->in == ROUTER_INSIDE ? DHCP_SERVER : DHCP_CLIENT);
	case ETH_TYPE_IPV6:
		return concerns_ip6(b, p);
	default:
		return false;
	}
}

void router_group(const struct burst *b, struct packet *p,
		  struct router_result *result)
{
	packet_pull(p, MIN(p->len, (uint32_t)PACKET_PULL));
	if (b->in != ROUTER_HOST && concerns(b, p))
		punt_local(b, result);
	else
		*result = (struct router_result){ .verdict = ROUTER_IGNORE };
}

bool router_is_uplinks(const struct burst *b, const struct packet *p)
{
	const struct link *link = &b->r->links[b->in];
	const uint8_t *ip = p->header + L3;

	if (ip[0] >> 4 == 6)
		return router_is_own6(link, ip + 24);
	return router_is_own4(link, load_be32(ip + 16)) ||
	       udp_port4(p) == DHCP_CLIENT;
}

static bool is_service(uint16_t port)
{
	return port == DNS_PORT || port == DHCP_SERVER ||
	       port == DHCP6_CLIENT || port == DHCP6_SERVER;
}

bool router_local_to_host(const struct burst *b, struct packet *p,
			  unsigned version)
{
	const struct router *r = b->r;
	const uint8_t *ip = p->header + L3, *l4;
	bool first = true;
	uint16_t port;
	uint8_t proto;

	if (b->in != ROUTER_INSIDE || !r->links[ROUTER_HOST].up)
		return false;
	if (version == 4) {
		proto = ip[9];
		first = !(load_be16(ip + 6) & 0x1fff);
		l4 = ip + (ip[0] & 15) * 4;
	} else {
		proto = ip[6];
		l4 = ip + IP6_HEADER_LEN;
	}
	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP)
		return false;
	if (!first)
		return r->local_to_host;
	if (!packet_pull(p, l4 + 4 - p->header))
		return false;
	port = load_be16(l4 + 2);
	/* The name service's socket there is one of IPv4: the rest is reset. */
	if (proto == IPPROTO_TCP && port == DNS_PORT && r->tcp_dns_to_host)
		return version == 4;
	return r->local_to_host && (proto == IPPROTO_TCP || !is_service(port));
}
