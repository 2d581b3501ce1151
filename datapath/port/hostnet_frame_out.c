/*
 * Packets from libslirp, on their way to machines: large ones leave as what is
 * still to be segmented (GSO), or to be cut into IP fragments.
 */
#include <netinet/in.h>

#include "packet/csum.h"
#include "packet/gso.h"
#include "port/hostnet_headers.h"
#include "port/hostnet_port.h"

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
	const uint8_t *tcp = frame + p->l4;
	unsigned header_len = (tcp[12] >> 4) * 4;
	uint16_t size;

	if (p->version == 4 && net->dns &&
	    load_be32(p->src) == hostnet_dns_address(net)) {
		hostnet_set_address4(frame, p, L3 + 12, net->ip4);
		store_be32(p->src, net->ip4);
	}
	if (tcp[13] & TCP_SYN) {
		hostnet_offer_mtu(net, frame, p);
		return true;
	}
	if (p->end <= p->l4 + header_len + MSS_DEFAULT4)
		return true;
	size = hostnet_segment_size(net, memory, p);
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
			hostnet_set_address(frame, p, L3 + 12, ip4, UDP_CSUM);
		return p->src[0] == 127 || !memcmp(p->src, ip4, 4);
	}
	if (!memcmp(p->src, loopback6, 16)) {
		hostnet_set_address(frame, p, L3 + 8, net->ip6, UDP_CSUM);
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
		tag = hostnet_peer_tag(memory, p->version, p->dst, p->dst_port,
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

static bool is_for_machine(const struct hostnet_net *net,
			   const struct hostnet_packet *p)
{
	if (p->version == 4)
		return hostnet_is_machine4(net, load_be32(p->dst));
	return hostnet_is_machine6(net, p->dst);
}

bool hostnet_frame_out(const struct hostnet_net *net,
		       struct hostnet_memory *memory, uint8_t *frame,
		       uint32_t len, struct packet_offload *o)
{
	struct hostnet_packet p = { 0 };
	enum drop_reason reason;
	bool fragment = false;
	uint8_t proto = 0;

	memset(o, 0, sizeof(*o));
	if (!hostnet_parse(frame, len, &p, &proto, &fragment) || p.end != len ||
	    !is_for_machine(net, &p))
		return false;
	store_be16(frame, net->router_mac >> 32);
	store_be32(frame + 2, net->router_mac);
	store_be16(frame + 6, HOSTNET_MAC >> 32);
	store_be32(frame + 8, (uint32_t)HOSTNET_MAC);
	if (fragment)
		return len - L3 <= net->mtu;
	o->csum_valid = true; /* libslirp's own work */
	if (proto == IPPROTO_TCP)
		return hostnet_classify(frame, proto, &p, &reason) &&
		       finish_tcp(net, memory, frame, &p, o);
	if (proto == IPPROTO_UDP) {
		if (!hostnet_classify(frame, proto, &p, &reason))
			return false;
		finish_udp(net, memory, frame, &p, o);
		return true;
	}
	o->csum_valid = false;
	return len - L3 <= net->mtu;
}
