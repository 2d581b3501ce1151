/*
 * What a list asks of a packet: from where it lies for the usual ones, by
 * flow_parse() for all others; and whether that could be read at all.
 */
#include <netinet/in.h>

#include "packet/parse.h"
#include "policy/acl_internal.h"

#define TCP_HEADER_LEN	20
#define TCP_FLAGS_AT	13
#define IPV4_HEADER_LEN 20
#define IPV6_HEADER_LEN 40

/* The header behind IP's; false: there is more to it. */
static inline bool take_l4(struct acl_key *key, const uint8_t *l4,
			   const uint8_t *end)
{
	switch (key->proto) {
	case IPPROTO_TCP:
		if (unlikely(l4 + TCP_HEADER_LEN > end))
			return false;
		key->tcp_flags = l4[TCP_FLAGS_AT];
		key->has_flags = true;
		break;
	case IPPROTO_UDP:
		break;
	default:
		return false;
	}
	key->sport = load_be16(l4);
	key->dport = load_be16(l4 + 2);
	key->has_sport = key->has_dport = true;
	return true;
}

/* TCP and UDP without options, in IP without options or fragments. */
static inline bool take_usual(const struct packet *p, struct acl_key *key)
{
	const uint8_t *h = p->header, *end = h + p->header_len, *l3 = h;
	uint16_t type;

	if (unlikely(p->header_len < PACKET_PULL))
		return false;
	type = load_be16(l3 + ETH_HEADER_LEN - 2);
	l3 += ETH_HEADER_LEN;
	if (eth_type_is_vlan(type)) {
		type = load_be16(l3 + 2);
		l3 += VLAN_TAG_LEN;
	}
	key->ethertype = type;
	key->fragment = FLOW_FRAG_NONE;
	key->has_proto = true;
	if (type == ETH_TYPE_IPV4) {
		/* Neither options nor a fragment. */
		if (unlikely(l3[0] != 0x45 || load_be16(l3 + 6) & 0x3fff))
			return false;
		key->ip_version = 4;
		key->proto = l3[9];
		key->src = l3 + 12;
		key->dst = l3 + 16;
		return take_l4(key, l3 + IPV4_HEADER_LEN, end);
	}
	if (type == ETH_TYPE_IPV6) {
		if (unlikely(l3[0] >> 4 != 6))
			return false;
		key->ip_version = 6;
		key->proto = l3[6];
		key->src = l3 + 8;
		key->dst = l3 + 24;
		return take_l4(key, l3 + IPV6_HEADER_LEN, end);
	}
	return false;
}

static bool has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP ||
	       proto == IPPROTO_UDPLITE || proto == IPPROTO_SCTP ||
	       proto == IPPROTO_DCCP;
}

static bool is_icmp(const struct flow_key *flow)
{
	return flow->ip_proto == IPPROTO_ICMP ||
	       flow->ip_proto == IPPROTO_ICMPV6;
}

/* How much of its upper header is looked at. */
static uint32_t wanted_l4(const struct flow_key *flow)
{
	if (flow->ip_proto == IPPROTO_TCP)
		return TCP_HEADER_LEN;
	if (has_ports(flow->ip_proto))
		return 4;
	return is_icmp(flow) ? 2 : 0;
}

/* RFC 3128: a fragment that begins within the TCP header. */
static bool writes_over(const struct packet *p, const struct flow_key *flow)
{
	return flow->ip_version == 4 && flow->ip_proto == IPPROTO_TCP &&
	       (load_be16(p->header + flow->l3 + 6) & 0x1fff) == 1;
}

/* Where the IP packet ends by its own word: what follows is padding. */
static uint32_t ip_end(const struct packet *p, const struct flow_key *flow)
{
	const uint8_t *ip = p->header + flow->l3;
	uint16_t len = load_be16(ip + (flow->ip_version == 4 ? 2 : 4));

	if (!len) /* longer than it can say */
		return p->len;
	return flow->l3 + len + (flow->ip_version == 4 ? 0 : IPV6_HEADER_LEN);
}

/* All that is there of the first fragment's, or the packet's, upper header. */
static bool is_whole(const struct packet *p, const struct flow_key *flow)
{
	uint32_t end;

	if (!flow->l4)
		return false;
	if (flow->fragment == FLOW_FRAG_LATER)
		return !writes_over(p, flow);
	end = p->header_len;
	if (flow->fragment == FLOW_FRAG_FIRST)
		end = MIN(end, ip_end(p, flow));
	return flow->l4 + wanted_l4(flow) <= end;
}

/* whole: is_whole() */
static void take_flow(const struct flow_key *flow, bool whole,
		      struct acl_key *key)
{
	bool has_l4 = whole && flow->fragment != FLOW_FRAG_LATER;

	memcpy(key->addresses, flow->src_ip, 16);
	memcpy(key->addresses + 16, flow->dst_ip, 16);
	key->src = key->addresses;
	key->dst = key->addresses + 16;
	key->ethertype = flow->ethertype;
	key->ip_version = flow->ip_version;
	key->fragment = flow->fragment;
	key->proto = flow->ip_proto;
	key->has_proto = flow->ip_version == 4 || flow->l4;
	key->sport = flow->src_port;
	key->dport = flow->dst_port;
	key->has_dport = has_l4 && flow->has_ports;
	key->has_sport = key->has_dport || (has_l4 && is_icmp(flow));
	key->tcp_flags = flow->tcp_flags;
	key->has_flags = has_l4 && flow->ip_proto == IPPROTO_TCP;
}

/* As acl_key_fill(), of whatever it is. */
static __attribute__((noinline)) bool take_any(const struct acl *acl,
					       struct packet *p,
					       struct acl_key *key)
{
	struct flow_key flow;
	bool is_ip, whole;

	flow_parse_packet(p, &flow);
	is_ip = flow.ethertype == ETH_TYPE_IPV4 ||
		flow.ethertype == ETH_TYPE_IPV6;
	whole = is_ip && is_whole(p, &flow);
	if (is_ip && !whole && p->header_len < p->len &&
	    p->header_len < PACKET_PULL_MAX) {
		packet_pull(p, PACKET_PULL_MAX);
		flow_parse_packet(p, &flow);
		whole = is_whole(p, &flow);
	}
	take_flow(&flow, whole, key);
	if (!is_ip)
		return true;
	if (acl->wants_l4)
		return whole;
	return !acl->wants_ip || flow.ip_version;
}

bool acl_key_fill(const struct acl *acl, struct packet *p, struct acl_key *key)
{
	key->dst_mac = load_mac(p->header);
	key->src_mac = load_mac(p->header + 6);
	key->has_flags = key->has_sport = key->has_dport = false;
	if (likely(take_usual(p, key)))
		return true;
	return take_any(acl, p, key);
}
