/* Headers and addresses (hostnet_headers.h). */
#include "port/hostnet_headers.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

#include "packet/csum.h"
#include "packet/parse.h"

uint64_t hostnet_mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 29;
}

uint64_t hostnet_mix_bytes(uint64_t hash, const uint8_t *bytes, unsigned n)
{
	for (; n; n -= 4, bytes += 4)
		hash = hostnet_mix(hash, load_be32(bytes));
	return hash;
}

static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;

	return !memcmp(a, b, bytes) &&
	       (!rest || !((a[bytes] ^ b[bytes]) >> (8 - rest)));
}

bool hostnet_inside4(const struct hostnet_net *net, uint32_t ip)
{
	return !((ip ^ net->ip4) & net->mask4);
}

bool hostnet_inside6(const struct hostnet_net *net, const uint8_t *ip)
{
	return same_prefix(ip, net->ip6, net->prefix6);
}

/* A machine's address: in the network, neither the gateway nor for all. */
bool hostnet_is_machine4(const struct hostnet_net *net, uint32_t ip)
{
	return hostnet_inside4(net, ip) && ip != net->ip4 &&
	       ip != (net->ip4 & net->mask4) && ip != (net->ip4 | ~net->mask4);
}

bool hostnet_is_machine6(const struct hostnet_net *net, const uint8_t *ip)
{
	return hostnet_inside6(net, ip) && memcmp(ip, net->ip6, 16) &&
	       ip[0] != 0xff;
}

/* Stands for TCP port 53 of the gateway, which libslirp keeps to itself. */
uint32_t hostnet_dns_address(const struct hostnet_net *net)
{
	return net->ip4 & net->mask4;
}
/* Of a checksum over bytes whose sum was `before` and is `after` (RFC 1624). */
void hostnet_mend_csum(uint8_t *field, uint64_t before, uint64_t after)
{
	uint16_t old;

	memcpy(&old, field, sizeof(old));
	csum_store(field, (uint64_t)(uint16_t)~old +
				  (uint16_t)~csum_fold(before) +
				  csum_fold(after));
}

/* An address of a packet, at `at`; csum: where the transport's checksum is. */
void hostnet_set_address(uint8_t *frame, const struct hostnet_packet *p,
			 unsigned at, const uint8_t *ip, unsigned csum)
{
	unsigned n = address_len(p->version);
	uint64_t before = csum_add(0, frame + at, n);

	memcpy(frame + at, ip, n);
	if (p->version == 4)
		csum_ipv4_header(frame + L3, p->l4 - L3);
	hostnet_mend_csum(frame + p->l4 + csum, before,
			  csum_add(0, frame + at, n));
}

void hostnet_set_address4(uint8_t *frame, const struct hostnet_packet *p,
			  unsigned at, uint32_t ip)
{
	uint8_t bytes[4];

	store_be32(bytes, ip);
	hostnet_set_address(frame, p, at, bytes, TCP_CSUM);
}
static bool parse4(const uint8_t *frame, uint32_t len, struct hostnet_packet *p,
		   uint8_t *proto, bool *fragment)
{
	const uint8_t *ip = frame + L3;
	unsigned header_len, total;

	if (len < L3 + IP4_LEN || ip[0] >> 4 != 4)
		return false;
	header_len = (ip[0] & 15) * 4;
	total = load_be16(ip + 2);
	if (header_len < IP4_LEN || total < header_len || total > len - L3 ||
	    total > HOSTNET_IP_MAX)
		return false;
	p->version = 4;
	p->l4 = L3 + header_len;
	p->end = L3 + total;
	memcpy(p->src, ip + 12, 4);
	memcpy(p->dst, ip + 16, 4);
	*proto = ip[9];
	*fragment = load_be16(ip + 6) & 0x3fff;
	return true;
}

static bool parse6(const uint8_t *frame, uint32_t len, struct hostnet_packet *p,
		   uint8_t *proto, bool *fragment)
{
	const uint8_t *ip = frame + L3;
	unsigned total;

	if (len < L3 + IP6_LEN || ip[0] >> 4 != 6)
		return false;
	total = IP6_LEN + load_be16(ip + 4);
	if (total > len - L3 || total > HOSTNET_IP_MAX)
		return false;
	p->version = 6;
	p->l4 = L3 + IP6_LEN;
	p->end = L3 + total;
	memcpy(p->src, ip + 8, 16);
	memcpy(p->dst, ip + 24, 16);
	*proto = ip[6];
	*fragment = ip[6] == IPPROTO_FRAGMENT;
	return true;
}

static bool classify_tcp(const uint8_t *l4, uint32_t n,
			 struct hostnet_packet *p)
{
	uint8_t header_len;

	if (n < TCP_LEN)
		return false;
	header_len = (l4[12] >> 4) * 4;
	if (header_len < TCP_LEN || header_len > n)
		return false;
	p->kind = (l4[13] & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN
			  ? HOSTNET_TCP_NEW
			  : HOSTNET_TCP;
	return true;
}

/* Transport headers are whole. */
bool hostnet_classify(const uint8_t *frame, uint8_t proto,
		      struct hostnet_packet *p, enum drop_reason *reason)
{
	const uint8_t *l4 = frame + p->l4;
	uint32_t n = p->end - p->l4;
	bool echo = (p->version == 4 && proto == IPPROTO_ICMP) ||
		    (p->version == 6 && proto == IPPROTO_ICMPV6);

	*reason = DROP_NAT_MALFORMED;
	if (n < UDP_LEN)
		return false;
	p->src_port = load_be16(l4);
	p->dst_port = load_be16(l4 + 2);
	if (proto == IPPROTO_TCP)
		return classify_tcp(l4, n, p);
	if (proto == IPPROTO_UDP) {
		p->kind = HOSTNET_UDP;
		return load_be16(l4 + 4) >= UDP_LEN && load_be16(l4 + 4) <= n;
	}
	*reason = DROP_NAT_PROTOCOL;
	p->kind = HOSTNET_PING;
	p->src_port = load_be16(l4 + 4);
	p->dst_port = 0;
	return echo && l4[1] == 0 &&
	       l4[0] == (p->version == 4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST);
}
bool hostnet_parse(const uint8_t *frame, uint32_t len, struct hostnet_packet *p,
		   uint8_t *proto, bool *fragment)
{
	if (len < ETH_HEADER_LEN)
		return false;
	if (load_be16(frame + 12) == ETH_TYPE_IPV4)
		return parse4(frame, len, p, proto, fragment);
	return load_be16(frame + 12) == ETH_TYPE_IPV6 &&
	       parse6(frame, len, p, proto, fragment);
}

uint64_t hostnet_peer_tag(const struct hostnet_memory *memory, unsigned version,
			  const uint8_t *machine, uint16_t machine_port,
			  uint16_t gateway_port)
{
	uint64_t hash =
		hostnet_mix_bytes(memory->seed, machine, address_len(version));

	return hostnet_mix(hash, (uint64_t)machine_port << 16 | gateway_port) |
	       1;
}
