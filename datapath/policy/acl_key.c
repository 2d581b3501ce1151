/*
 * What a list asks of a packet that is not one of the usual (acl_usual.h), by
 * flow_parse(); and whether that could be read at all.
 */
#include "policy/acl_usual.h"

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

bool acl_key_fill(const struct acl *acl, struct packet *p, struct acl_key *key)
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
	key->dst_mac = load_mac(p->header);
	key->src_mac = load_mac(p->header + 6);
	take_flow(&flow, whole, key);
	if (!is_ip)
		return true;
	if (acl->wants_l4)
		return whole;
	return !acl->wants_ip || flow.ip_version;
}
