/*
 * DHCP of ports whose guard allows what it leases (vswd/port_snoop.h): copies
 * of what a station asks, once the guard has let it in, and of what is
 * delivered to it. Nothing else is looked at beyond its UDP ports.
 */
#include "forward/policies.h"
#include "forward/punt.h"
#include "forward/stage.h"
#include "packet/parse.h"
#include "policy/guard.h"

#define PROTOCOL_UDP   17
#define IP6_HEADER_LEN 40

/* A datagram to DHCP's port of IPv4, or that of IPv6. */
static bool is_to(const struct packet *p, uint16_t port4, uint16_t port6)
{
	uint32_t at = packet_l2_len(p, FLOW_TAGS_MAX);
	const uint8_t *ip = p->header + at;

	if (at + IP6_HEADER_LEN + 4 > p->header_len)
		return false;
	switch (load_be16(ip - 2)) {
	case ETH_TYPE_IPV4:
		/* 60 bytes of options end behind what is private: no client
		 * sends them. */
		return ip[9] == PROTOCOL_UDP && ip[0] >> 4 == 4 &&
		       (ip[0] & 15) * 4 <= IP6_HEADER_LEN &&
		       load_be16(ip + (ip[0] & 15) * 4 + 2) == port4;
	case ETH_TYPE_IPV6:
		return ip[6] == PROTOCOL_UDP &&
		       load_be16(ip + IP6_HEADER_LEN + 2) == port6;
	default:
		return false;
	}
}

void snoop_asked(const struct stage *s)
{
	const struct fwd_port *in = s->in;

	if (!in->punt)
		return;
	for (unsigned i = 0; i < s->n_items; i++) {
		const struct packet *p = s->items[i].packet;

		if (unlikely(is_to(p, DHCP_SERVER_PORT, DHCPV6_SERVER_PORT)))
			(void)punt_packet(in->punt, p, PUNT_DHCP,
					  PUNT_DHCP_ASKED);
	}
}

/* A port whose station may not have any address is no server's. */
static bool is_trusted(const struct fwd_port *from)
{
	const struct fwd_ingress *in = from ? from->ingress : NULL;

	return !in || !in->guard || !in->guard->rules.allowed.guards_ips;
}

void snoop_answered(const struct pipeline *pl, const struct fwd_port *out,
		    struct packet *const packets[], unsigned n)
{
	if (!out->punt || !is_trusted(pl->stages[pl->depth]->as))
		return;
	for (unsigned i = 0; i < n; i++)
		if (unlikely(is_to(packets[i], DHCP_CLIENT_PORT,
				   DHCPV6_CLIENT_PORT)))
			(void)punt_packet(out->punt, packets[i], PUNT_DHCP,
					  PUNT_DHCP_ANSWERED);
}
