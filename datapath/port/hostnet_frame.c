/*
 * libslirp takes the MSS that a machine offers as the size of what it sends,
 * and its own if_mtu as what it may get. So a SYN to it offers the largest, and
 * what it then sends in pieces of 32 KB leaves as packets that are still to be
 * segmented to the machine's real MSS (GSO). What it does not look at, it need
 * not be asked: addresses that lead to the host itself end here.
 */
#include "port/hostnet_frame.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

#include "packet/csum.h"
#include "packet/gso.h"
#include "packet/parse.h"
#include "port/hostnet_port.h"

#define L3	       ETH_HEADER_LEN
#define IP4_LEN	       20
#define IP6_LEN	       40
#define TCP_LEN	       20
#define UDP_LEN	       8
#define TCP_CSUM       16
#define UDP_CSUM       6
#define TCP_SYN	       0x02
#define TCP_ACK	       0x10
#define TCP_RST	       0x04
#define MSS_DEFAULT4   536 /* RFC 9293 3.7.1 */
#define MSS_DEFAULT6   1220
#define PORT_DNS       53
#define PEER_SECONDS   300
#define OPTION_END     0
#define OPTION_NOP     1
#define OPTION_MSS     2
#define OPTION_MSS_LEN 4

/* --- addresses ------------------------------------------------------------ */

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 29;
}

static uint64_t mix_bytes(uint64_t hash, const uint8_t *bytes, unsigned n)
{
	for (; n; n -= 4, bytes += 4)
		hash = mix(hash, load_be32(bytes));
	return hash;
}

static unsigned address_len(unsigned version)
{
	return version == 4 ? 4 : 16;
}

static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;

	return !memcmp(a, b, bytes) &&
	       (!rest || !((a[bytes] ^ b[bytes]) >> (8 - rest)));
}

static bool inside4(const struct hostnet_net *net, uint32_t ip)
{
	return !((ip ^ net->ip4) & net->mask4);
}

static bool inside6(const struct hostnet_net *net, const uint8_t *ip)
{
	return same_prefix(ip, net->ip6, net->prefix6);
}

/* A machine's address: in the network, neither the gateway nor for all. */
static bool is_machine4(const struct hostnet_net *net, uint32_t ip)
{
	return inside4(net, ip) && ip != net->ip4 &&
	       ip != (net->ip4 & net->mask4) && ip != (net->ip4 | ~net->mask4);
}

static bool is_machine6(const struct hostnet_net *net, const uint8_t *ip)
{
	return inside6(net, ip) && memcmp(ip, net->ip6, 16) && ip[0] != 0xff;
}

/* What a machine may send to beyond its own network (RFC 6890). */
static bool is_outside4(uint32_t ip)
{
	return ip >> 24 && ip >> 24 != 127 && ip >> 24 < 224;
}

static bool is_outside6(const uint8_t *ip)
{
	static const uint8_t zeros[10];

	if (ip[0] == 0xff || (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80))
		return false;
	/* ::, ::1, and IPv4 addresses mapped or compatible */
	return memcmp(ip, zeros, 10) != 0;
}

/* Stands for TCP port 53 of the gateway, which libslirp keeps to itself. */
static uint32_t dns_address(const struct hostnet_net *net)
{
	return net->ip4 & net->mask4;
}

/* --- checksums ------------------------------------------------------------ */

/* Of a checksum over bytes whose sum was `before` and is `after` (RFC 1624). */
static void mend_csum(uint8_t *field, uint64_t before, uint64_t after)
{
	uint16_t old;

	memcpy(&old, field, sizeof(old));
	csum_store(field, (uint64_t)(uint16_t)~old +
				  (uint16_t)~csum_fold(before) +
				  csum_fold(after));
}

/* An address of a packet, at `at`; csum: where the transport's checksum is. */
static void set_address(uint8_t *frame, const struct hostnet_packet *p,
			unsigned at, const uint8_t *ip, unsigned csum)
{
	unsigned n = address_len(p->version);
	uint64_t before = csum_add(0, frame + at, n);

	memcpy(frame + at, ip, n);
	if (p->version == 4)
		csum_ipv4_header(frame + L3, p->l4 - L3);
	mend_csum(frame + p->l4 + csum, before, csum_add(0, frame + at, n));
}

static void set_address4(uint8_t *frame, const struct hostnet_packet *p,
			 unsigned at, uint32_t ip)
{
	uint8_t bytes[4];

	store_be32(bytes, ip);
	set_address(frame, p, at, bytes, TCP_CSUM);
}

/* --- segment sizes -------------------------------------------------------- */

/* The value of the MSS option of a whole TCP header; NULL: it has none. */
static uint8_t *find_mss(uint8_t *tcp, unsigned header_len)
{
	unsigned at = TCP_LEN;

	while (at < header_len && tcp[at] != OPTION_END) {
		unsigned len = 1;

		if (tcp[at] != OPTION_NOP) {
			if (at + 1 >= header_len || tcp[at + 1] < 2)
				return NULL;
			len = tcp[at + 1];
		}
		if (at + len > header_len)
			return NULL;
		if (tcp[at] == OPTION_MSS && len == OPTION_MSS_LEN)
			return tcp + at + 2;
		at += len;
	}
	return NULL;
}

static void set_mss(uint8_t *tcp, unsigned header_len, uint8_t *value,
		    uint16_t mss)
{
	uint64_t before = csum_add(0, tcp, header_len);

	store_be16(value, mss);
	mend_csum(tcp + 16, before, csum_add(0, tcp, header_len));
}

static uint16_t mss_of_mtu(const struct hostnet_net *net, unsigned version)
{
	return net->mtu - TCP_LEN - (version == 4 ? IP4_LEN : IP6_LEN);
}

static uint64_t connection_tag(const struct hostnet_memory *memory,
			       unsigned version, const uint8_t *machine,
			       uint16_t machine_port, const uint8_t *peer,
			       uint16_t peer_port)
{
	unsigned n = address_len(version);
	uint64_t hash = mix_bytes(memory->seed, machine, n);

	hash = mix_bytes(hash, peer, n);
	return mix(hash, (uint64_t)machine_port << 16 | peer_port);
}

/*
 * Sizes as the MTU has them are not kept; where two connections meet in one
 * place, the older one's segments become as long as the MTU allows.
 */
static void remember_mss(const struct hostnet_net *net,
			 struct hostnet_memory *memory,
			 const struct hostnet_packet *p, uint16_t mss)
{
	uint64_t tag = connection_tag(memory, p->version, p->src, p->src_port,
				      p->dst, p->dst_port);
	uint32_t place = tag % HOSTNET_SIZES;

	if (mss < mss_of_mtu(net, p->version)) {
		memory->sizes[place].tag = tag >> 32;
		memory->sizes[place].size = MAX(mss, 48);
	} else if (memory->sizes[place].tag == tag >> 32) {
		memory->sizes[place].size = 0;
	}
}

static uint16_t recall_mss(const struct hostnet_net *net,
			   const struct hostnet_memory *memory,
			   unsigned version, uint64_t tag)
{
	uint32_t place = tag % HOSTNET_SIZES;

	if (memory->sizes[place].size && memory->sizes[place].tag == tag >> 32)
		return memory->sizes[place].size;
	return mss_of_mtu(net, version);
}

/* A SYN to libslirp. */
static void offer_most(const struct hostnet_net *net,
		       struct hostnet_memory *memory, uint8_t *frame,
		       const struct hostnet_packet *p)
{
	uint8_t *tcp = frame + p->l4;
	unsigned header_len = (tcp[12] >> 4) * 4;
	uint8_t *value = find_mss(tcp, header_len);
	uint16_t mss = p->version == 4 ? MSS_DEFAULT4 : MSS_DEFAULT6;

	if (value) {
		mss = load_be16(value);
		set_mss(tcp, header_len, value,
			HOSTNET_IP_MAX - TCP_LEN -
				(p->version == 4 ? IP4_LEN : IP6_LEN));
	}
	remember_mss(net, memory, p, mss);
}

/* --- from machines -------------------------------------------------------- */

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
static bool classify(const uint8_t *frame, uint8_t proto,
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

static uint64_t peer_tag(const struct hostnet_memory *memory, unsigned version,
			 const uint8_t *machine, uint16_t machine_port,
			 uint16_t gateway_port)
{
	uint64_t hash = mix_bytes(memory->seed, machine, address_len(version));

	return mix(hash, (uint64_t)machine_port << 16 | gateway_port) | 1;
}

/* A datagram to the gateway's address that answers one from there? */
static bool is_answer(struct hostnet_memory *memory,
		      const struct hostnet_packet *p)
{
	uint64_t tag =
		peer_tag(memory, p->version, p->src, p->src_port, p->dst_port);
	uint32_t place = tag / 2 % HOSTNET_PEERS;

	if (memory->peers[place].tag != tag ||
	    memory->peers[place].until_s < memory->now_s)
		return false;
	memory->peers[place].until_s = memory->now_s + PEER_SECONDS;
	return true;
}

/*
 * To the gateway's own address, which libslirp takes for the host's loopback.
 * Connections that began on the other side, by a forward, are only answered.
 */
static bool may_reach_gateway(const struct hostnet_net *net,
			      struct hostnet_memory *memory,
			      const struct hostnet_packet *p)
{
	switch (p->kind) {
	case HOSTNET_TCP_NEW:
	case HOSTNET_TCP:
		if (p->dst_port == PORT_DNS && net->dns)
			return p->version == 4;
		return p->kind == HOSTNET_TCP || net->host_loopback;
	case HOSTNET_UDP:
		/* libslirp has services of its own there */
		if (p->dst_port == 67 || p->dst_port == 69 ||
		    p->dst_port == 547)
			return false;
		return net->host_loopback || is_answer(memory, p);
	default:
		return false; /* the gateway answers pings itself */
	}
}

static bool may_pass(const struct hostnet_net *net,
		     struct hostnet_memory *memory,
		     const struct hostnet_packet *p)
{
	bool inside, gateway, outside;

	if (p->version == 4) {
		uint32_t dst = load_be32(p->dst);

		inside = inside4(net, dst);
		gateway = dst == net->ip4;
		outside = is_outside4(dst);
	} else {
		inside = inside6(net, p->dst);
		gateway = !memcmp(p->dst, net->ip6, 16);
		outside = is_outside6(p->dst);
	}
	if (inside)
		return gateway && may_reach_gateway(net, memory, p);
	return outside && net->way_out;
}

static bool is_from_machine(const struct hostnet_net *net,
			    const struct hostnet_packet *p)
{
	if (p->version == 4)
		return net->has_ip4 && is_machine4(net, load_be32(p->src));
	return net->has_ip6 && is_machine6(net, p->src);
}

bool hostnet_frame_in(const struct hostnet_net *net,
		      struct hostnet_memory *memory, uint8_t *frame,
		      uint32_t len, struct hostnet_packet *p,
		      enum drop_reason *reason)
{
	bool fragment = false, parsed = false;
	uint8_t proto = 0;

	*reason = DROP_NAT_MALFORMED;
	memset(p, 0, sizeof(*p));
	if (len < ETH_HEADER_LEN)
		return false;
	if (load_be16(frame + 12) == ETH_TYPE_IPV4)
		parsed = parse4(frame, len, p, &proto, &fragment);
	else if (load_be16(frame + 12) == ETH_TYPE_IPV6)
		parsed = parse6(frame, len, p, &proto, &fragment);
	if (!parsed)
		return false;
	*reason = DROP_NAT_FRAGMENT;
	if (fragment)
		return false;
	*reason = DROP_BAD_SOURCE;
	if (!is_from_machine(net, p) || !classify(frame, proto, p, reason))
		return false;
	*reason = DROP_NO_DESTINATION;
	if (!may_pass(net, memory, p))
		return false;
	if (proto == IPPROTO_TCP && frame[p->l4 + 13] & TCP_SYN)
		offer_most(net, memory, frame, p);
	if (p->version == 4 && proto == IPPROTO_TCP && net->dns &&
	    p->dst_port == PORT_DNS && load_be32(p->dst) == net->ip4)
		set_address4(frame, p, L3 + 16, dns_address(net));
	return true;
}

/* --- to machines ---------------------------------------------------------- */

static void seed_csum(uint8_t *frame, unsigned version, uint8_t proto,
		      unsigned l4, unsigned field, uint32_t end,
		      struct packet_offload *o)
{
	const uint8_t *ip = frame + L3;
	uint16_t seed =
		csum_fold(version == 4 ? csum_pseudo4(ip, proto, end - l4)
				       : csum_pseudo6(ip, proto, end - l4));

	memcpy(frame + l4 + field, &seed, sizeof(seed));
	o->csum_valid = false;
	o->csum_needed = true;
	o->csum_start = l4;
	o->csum_offset = field;
}

/* The packet is from its peer to the machine: dst is the machine. */
static bool finish_tcp(const struct hostnet_net *net,
		       const struct hostnet_memory *memory, uint8_t *frame,
		       struct hostnet_packet *p, struct packet_offload *o)
{
	uint8_t *tcp = frame + p->l4;
	uint16_t most = mss_of_mtu(net, p->version);
	unsigned header_len = (tcp[12] >> 4) * 4;
	uint8_t *value;
	uint16_t size;

	if (p->version == 4 && net->dns &&
	    load_be32(p->src) == dns_address(net)) {
		set_address4(frame, p, L3 + 12, net->ip4);
		store_be32(p->src, net->ip4);
	}
	if (tcp[13] & TCP_SYN) {
		value = find_mss(tcp, header_len);
		if (value && load_be16(value) > most)
			set_mss(tcp, header_len, value, most);
		return true;
	}
	if (p->end <= p->l4 + header_len + MSS_DEFAULT4)
		return true;
	size = recall_mss(net, memory, p->version,
			  connection_tag(memory, p->version, p->dst,
					 p->dst_port, p->src, p->src_port));
	/* Options count against a size that has none in mind (RFC 6691). */
	size -= MIN(header_len - TCP_LEN, size / 2u);
	if (p->end <= p->l4 + header_len + size)
		return true;
	seed_csum(frame, p->version, IPPROTO_TCP, p->l4, TCP_CSUM, p->end, o);
	o->gso = p->version == 4 ? PACKET_GSO_TCP4 : PACKET_GSO_TCP6;
	o->gso_size = size;
	return p->end - p->l4 <= size * (uint32_t)GSO_SEGMENTS_MAX;
}

/*
 * A program of the host that uses a forward is seen as the gateway. libslirp
 * says so itself until somebody else has used the same forward.
 */
static bool is_from_gateway(const struct hostnet_net *net, uint8_t *frame,
			    const struct hostnet_packet *p)
{
	static const uint8_t loopback6[16] = { [15] = 1 };
	uint8_t ip4[4];

	if (p->version == 4) {
		store_be32(ip4, net->ip4);
		if (p->src[0] == 127)
			set_address(frame, p, L3 + 12, ip4, UDP_CSUM);
		return p->src[0] == 127 || !memcmp(p->src, ip4, 4);
	}
	if (!memcmp(p->src, loopback6, 16)) {
		set_address(frame, p, L3 + 8, net->ip6, UDP_CSUM);
		return true;
	}
	return !memcmp(p->src, net->ip6, 16);
}

static void finish_udp(const struct hostnet_net *net,
		       struct hostnet_memory *memory, uint8_t *frame,
		       const struct hostnet_packet *p, struct packet_offload *o)
{
	bool gateway = is_from_gateway(net, frame, p);
	uint64_t tag;
	unsigned header_len = p->l4 - L3;

	if (gateway) {
		tag = peer_tag(memory, p->version, p->dst, p->dst_port,
			       p->src_port);
		memory->peers[tag / 2 % HOSTNET_PEERS].tag = tag;
		memory->peers[tag / 2 % HOSTNET_PEERS].until_s =
			memory->now_s + PEER_SECONDS;
	}
	if (p->end - L3 <= net->mtu)
		return;
	if (p->version == 6)
		header_len += GSO_FRAGMENT_LEN;
	seed_csum(frame, p->version, IPPROTO_UDP, p->l4, UDP_CSUM, p->end, o);
	o->gso = PACKET_GSO_UFO;
	o->gso_size = (net->mtu - header_len) & ~7u;
}

bool hostnet_frame_out(const struct hostnet_net *net,
		       struct hostnet_memory *memory, uint8_t *frame,
		       uint32_t len, struct packet_offload *o)
{
	bool fragment = false, parsed = false;
	struct hostnet_packet p = { 0 };
	enum drop_reason reason;
	uint8_t proto = 0;

	memset(o, 0, sizeof(*o));
	if (len < ETH_HEADER_LEN)
		return false;
	if (load_be16(frame + 12) == ETH_TYPE_IPV4)
		parsed = parse4(frame, len, &p, &proto, &fragment) &&
			 is_machine4(net, load_be32(p.dst));
	else if (load_be16(frame + 12) == ETH_TYPE_IPV6)
		parsed = parse6(frame, len, &p, &proto, &fragment) &&
			 is_machine6(net, p.dst);
	if (!parsed || p.end != len)
		return false;
	store_be16(frame, net->router_mac >> 32);
	store_be32(frame + 2, net->router_mac);
	store_be16(frame + 6, HOSTNET_MAC >> 32);
	store_be32(frame + 8, (uint32_t)HOSTNET_MAC);
	if (fragment)
		return len - L3 <= net->mtu;
	o->csum_valid = true; /* libslirp's own work */
	if (proto == IPPROTO_TCP)
		return classify(frame, proto, &p, &reason) &&
		       finish_tcp(net, memory, frame, &p, o);
	if (proto == IPPROTO_UDP) {
		if (!classify(frame, proto, &p, &reason))
			return false;
		finish_udp(net, memory, frame, &p, o);
		return true;
	}
	o->csum_valid = false;
	return len - L3 <= net->mtu;
}

/* RFC 9293 3.10.7.1: to a SYN that carries no ACK. */
uint32_t hostnet_frame_reset(const uint8_t *frame,
			     const struct hostnet_packet *p,
			     uint8_t reset[HOSTNET_RESET_MAX])
{
	unsigned n = address_len(p->version), at = p->version == 4 ? 12 : 8;
	uint32_t header_len = (frame[p->l4 + 12] >> 4) * 4;
	uint32_t data = p->end - p->l4 - header_len;
	uint8_t *ip = reset + L3, *tcp;
	uint64_t sum;

	memset(reset, 0, HOSTNET_RESET_MAX);
	memcpy(reset + 12, frame + 12, 2);
	memcpy(ip + at, p->dst, n);
	memcpy(ip + at + n, p->src, n);
	tcp = ip + at + 2 * n;
	store_be16(tcp, p->dst_port);
	store_be16(tcp + 2, p->src_port);
	store_be32(tcp + 8, load_be32(frame + p->l4 + 4) + 1 + data);
	tcp[12] = TCP_LEN / 4 << 4;
	tcp[13] = TCP_RST | TCP_ACK;
	if (p->version == 4) {
		ip[0] = 0x45;
		store_be16(ip + 2, IP4_LEN + TCP_LEN);
		ip[8] = 64;
		ip[9] = IPPROTO_TCP;
		csum_ipv4_header(ip, IP4_LEN);
		sum = csum_pseudo4(ip, IPPROTO_TCP, TCP_LEN);
	} else {
		ip[0] = 0x60;
		store_be16(ip + 4, TCP_LEN);
		ip[6] = IPPROTO_TCP;
		ip[7] = 64;
		sum = csum_pseudo6(ip, IPPROTO_TCP, TCP_LEN);
	}
	csum_store(tcp + TCP_CSUM, csum_add(sum, tcp, TCP_LEN));
	return tcp + TCP_LEN - reset;
}

/* --- libslirp asks for MAC addresses -------------------------------------- */

static void put_mac(uint8_t *to, uint64_t mac)
{
	store_be16(to, mac >> 32);
	store_be32(to + 2, mac);
}

static uint32_t answer_arp(const struct hostnet_net *net, const uint8_t *frame,
			   uint8_t *answer)
{
	const uint8_t *asked = frame + 14;

	if (load_be16(asked + 6) != 1)
		return 0;
	memcpy(answer, frame + 6, 6);
	put_mac(answer + 6, net->router_mac);
	store_be16(answer + 12, ETH_TYPE_ARP);
	memcpy(answer + 14, asked, 6);
	store_be16(answer + 20, 2);
	put_mac(answer + 22, net->router_mac);
	memcpy(answer + 28, asked + 24, 4);
	memcpy(answer + 32, asked + 8, 10);
	return 42;
}

/* RFC 4861 4.4: advertised, from the address itself, solicited. */
static uint32_t answer_nd(const struct hostnet_net *net, const uint8_t *frame,
			  uint8_t *answer)
{
	const uint8_t *ip = frame + L3, *target = ip + IP6_LEN + 8;
	uint8_t *to = answer + L3, *icmp = to + IP6_LEN;
	uint64_t sum;

	memset(answer, 0, HOSTNET_ANSWER_MAX);
	memcpy(answer, frame + 6, 6);
	put_mac(answer + 6, net->router_mac);
	store_be16(answer + 12, ETH_TYPE_IPV6);
	to[0] = 0x60;
	store_be16(to + 4, 32);
	to[6] = IPPROTO_ICMPV6;
	to[7] = 255;
	memcpy(to + 8, target, 16);
	memcpy(to + 24, ip + 8, 16);
	icmp[0] = ND_NEIGHBOR_ADVERT;
	icmp[4] = 0x60; /* solicited, override */
	memcpy(icmp + 8, target, 16);
	icmp[24] = ND_OPT_TARGET_LINKADDR;
	icmp[25] = 1;
	put_mac(icmp + 26, net->router_mac);
	sum = csum_pseudo6(to, IPPROTO_ICMPV6, 32);
	csum_store(icmp + 2, csum_add(sum, icmp, 32));
	return L3 + IP6_LEN + 32;
}

uint32_t hostnet_frame_answer(const struct hostnet_net *net,
			      const uint8_t *frame, uint32_t len,
			      uint8_t answer[HOSTNET_ANSWER_MAX])
{
	if (len >= 42 && load_be16(frame + 12) == ETH_TYPE_ARP)
		return answer_arp(net, frame, answer);
	if (len >= L3 + IP6_LEN + 24 &&
	    load_be16(frame + 12) == ETH_TYPE_IPV6 &&
	    frame[L3 + 6] == IPPROTO_ICMPV6 &&
	    frame[L3 + IP6_LEN] == ND_NEIGHBOR_SOLICIT)
		return answer_nd(net, frame, answer);
	return 0;
}
