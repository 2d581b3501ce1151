/*
 * Frames from machines, on their way to libslirp. What it does not look at, it
 * need not be asked: addresses that lead to the host itself end here.
 */
#include <netinet/in.h>

#include "port/hostnet_headers.h"

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

/* A datagram to the gateway's address that answers one from there? */
static bool is_answer(struct hostnet_memory *memory,
		      const struct hostnet_packet *p)
{
	uint64_t tag = hostnet_peer_tag(memory, p->version, p->src, p->src_port,
					p->dst_port);
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

		inside = hostnet_inside4(net, dst);
		gateway = dst == net->ip4;
		outside = is_outside4(dst);
	} else {
		inside = hostnet_inside6(net, p->dst);
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
		return net->has_ip4 &&
		       hostnet_is_machine4(net, load_be32(p->src));
	return net->has_ip6 && hostnet_is_machine6(net, p->src);
}

bool hostnet_frame_in(const struct hostnet_net *net,
		      struct hostnet_memory *memory, uint8_t *frame,
		      uint32_t len, struct hostnet_packet *p,
		      enum drop_reason *reason)
{
	bool fragment = false;
	uint8_t proto = 0;

	*reason = DROP_NAT_MALFORMED;
	memset(p, 0, sizeof(*p));
	if (!hostnet_parse(frame, len, p, &proto, &fragment))
		return false;
	*reason = DROP_BAD_SOURCE;
	if (!is_from_machine(net, p))
		return false;
	*reason = DROP_NAT_FRAGMENT;
	if (fragment || !hostnet_classify(frame, proto, p, reason))
		return false;
	*reason = DROP_NO_DESTINATION;
	if (!may_pass(net, memory, p))
		return false;
	if (proto == IPPROTO_TCP && frame[p->l4 + 13] & TCP_SYN)
		hostnet_offer_most(net, memory, frame, p);
	if (p->version == 4 && proto == IPPROTO_TCP && net->dns &&
	    p->dst_port == PORT_DNS && load_be32(p->dst) == net->ip4)
		hostnet_set_address4(frame, p, L3 + 16,
				     hostnet_dns_address(net));
	return true;
}
