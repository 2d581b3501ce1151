/* The decoder of parse.h; one function a header. */
#include "packet/parse.h"

#include <netinet/in.h>

#include "packet/reader.h"

static bool parse_ethernet(struct reader *r, struct flow_key *key)
{
	key->dst_mac = reader_mac(r);
	key->src_mac = reader_mac(r);
	key->ethertype = reader_be16(r);
	while (key->n_tags < FLOW_TAGS_MAX &&
	       eth_type_is_vlan(key->ethertype)) {
		key->tpid[key->n_tags] = key->ethertype;
		key->tci[key->n_tags++] = reader_be16(r);
		key->ethertype = reader_be16(r);
	}
	return !r->failed;
}

/* Behind the header with its options; false when there is no way on. */
static bool parse_ipv4(struct reader *r, struct flow_key *key)
{
	const uint8_t *ip = reader_take(r, 20);
	unsigned header_len, fragment;

	if (!ip || ip[0] >> 4 != 4 || (ip[0] & 15) < 5)
		return false;
	header_len = (ip[0] & 15) * 4;
	key->ip_version = 4;
	key->ip_tos = ip[1];
	key->ip_ttl = ip[8];
	key->ip_proto = ip[9];
	memcpy(key->src_ip, ip + 12, 4);
	memcpy(key->dst_ip, ip + 16, 4);
	fragment = load_be16(ip + 6) & 0x3fff; /* more fragments, offset */
	if (fragment)
		key->fragment =
			fragment & 0x1fff ? FLOW_FRAG_LATER : FLOW_FRAG_FIRST;
	return reader_skip(r, header_len - 20);
}

/* The extension headers that say where the next one starts (RFC 7045). */
static bool skip_extension(struct reader *r, struct flow_key *key)
{
	const uint8_t *ext = reader_take(r, 8);
	size_t len;

	if (!ext)
		return false;
	len = 8 + ext[1] * 8;
	if (key->ip_proto == IPPROTO_AH) {
		len = (ext[1] + 2) * 4;
		if (len < 8)
			return false;
	} else if (key->ip_proto == IPPROTO_FRAGMENT) {
		len = 8;
		key->fragment = load_be16(ext + 2) & 0xfff8 ? FLOW_FRAG_LATER
							    : FLOW_FRAG_FIRST;
	}
	key->ip_proto = ext[0];
	return reader_skip(r, len - 8);
}

static bool is_extension(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_FRAGMENT:
	case IPPROTO_DSTOPTS:
	case IPPROTO_AH:
	case IPPROTO_MH:
	case 139: /* HIP */
	case 140: /* Shim6 */
		return true;
	default:
		return false;
	}
}

static bool parse_ipv6(struct reader *r, struct flow_key *key)
{
	const uint8_t *ip = reader_take(r, 40);
	unsigned n = 0;

	if (!ip || ip[0] >> 4 != 6)
		return false;
	key->ip_version = 6;
	key->ip_tos = load_be16(ip) >> 4;
	key->ip_proto = ip[6];
	key->ip_ttl = ip[7];
	memcpy(key->src_ip, ip + 8, 16);
	memcpy(key->dst_ip, ip + 24, 16);
	while (is_extension(key->ip_proto)) {
		/* What follows in a later fragment is the middle of data. */
		if (key->fragment == FLOW_FRAG_LATER || n++ == FLOW_IP6_EXT_MAX)
			return false;
		if (!skip_extension(r, key))
			return false;
	}
	return true;
}

static void parse_ports(struct reader *r, struct flow_key *key)
{
	const uint8_t *l4;

	switch (key->ip_proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
		l4 = reader_take(r, 4);
		if (!l4)
			return;
		key->src_port = load_be16(l4);
		key->dst_port = load_be16(l4 + 2);
		key->has_ports = true;
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		key->src_port = reader_be16(r);
		return;
	default:
		return;
	}
	if (key->ip_proto == IPPROTO_TCP) {
		l4 = reader_take(r, 16);
		key->tcp_flags = l4 ? l4[9] : 0;
	}
}

bool flow_parse(const void *frame, size_t n, struct flow_key *key)
{
	struct reader r;
	bool more;

	memset(key, 0, sizeof(*key));
	reader_init(&r, frame, MIN(n, (size_t)UINT16_MAX));
	if (!parse_ethernet(&r, key)) {
		memset(key, 0, sizeof(*key));
		return false;
	}
	key->l3 = r.at - (const uint8_t *)frame;
	if (key->ethertype == ETH_TYPE_IPV4)
		more = parse_ipv4(&r, key);
	else if (key->ethertype == ETH_TYPE_IPV6)
		more = parse_ipv6(&r, key);
	else
		return true;
	if (!more)
		return true;
	key->l4 = r.at - (const uint8_t *)frame;
	if (key->fragment != FLOW_FRAG_LATER)
		parse_ports(&r, key);
	return true;
}
