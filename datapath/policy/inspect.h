/*
 * What a station says about addresses and services rather than to somebody:
 * ARP (RFC 826, 5227), neighbour discovery (RFC 4861), router advertisements
 * and redirects (RFC 6105, 7113), DHCP of servers (RFC 2131, 8415, 7610).
 * Pure decoders of the frame's private bytes; nothing is remembered.
 *
 * A frame whose headers cannot be seen in whole is not given the benefit of
 * the doubt where it could be one of these (DROP_UNINSPECTED): a guest could
 * change the bytes that are not private after they were looked at.
 */
#ifndef POLICY_INSPECT_H
#define POLICY_INSPECT_H

#include "packet/drop.h"
#include "packet/parse.h"
#include "policy/allowed.h"

#define DHCP_SERVER_PORT   67
#define DHCP_CLIENT_PORT   68
#define DHCPV6_CLIENT_PORT 546
#define DHCPV6_SERVER_PORT 547

/* What is imposed on one port. Immutable. */
struct inspect_rules {
	struct allowed allowed;
	bool dhcp_guard;   /* nothing that DHCP servers say */
	bool router_guard; /* nothing that routers say */
};

/* Where the network header is, in the private header. */
struct inspect_place {
	uint16_t type; /* ETH_TYPE_, behind all tags and LLC and SNAP */
	uint16_t at;
};

/*
 * Makes as much of the frame private as there is room for, and finds its
 * network header: behind any tags, and where an 802.2 LLC and SNAP header says
 * so, as receivers do that believe both. What has none has type 0. -1, or the
 * reason to drop it: DROP_UNINSPECTED, more tags than are looked through.
 */
int inspect_locate(struct packet *p, struct inspect_place *place);

/*
 * Judges a packet by its place: -1, or why it is to be dropped. Everything of a
 * port with rules is to be shown to it, but for what inspect_is_plain4() and
 * inspect_is_plain6() tell. The source addresses of IP packets that are none of
 * the above are not its business. Any worker.
 */
int inspect_packet(const struct inspect_rules *rules, const struct packet *p,
		   const struct inspect_place *place);

/* Whole, and without options. ip: 8 bytes. */
static inline bool inspect_is_simple4(const uint8_t *ip)
{
	/* Version and header's length; more fragments, and this one's place */
	const uint64_t mask = 0xff3f0000000000ff; /* little endian */
	uint64_t first;

	memcpy(&first, ip, sizeof(first));
	return (first & mask) == 0x45;
}

static inline bool inspect_is_dhcp_port(const uint8_t *port)
{
	return unlikely(!port[0]) &&
	       (port[1] == DHCP_SERVER_PORT || port[1] == DHCP_CLIENT_PORT);
}

/* A UDP header of DHCP's. 4 bytes. */
static inline bool inspect_is_dhcp(const uint8_t *udp)
{
	return inspect_is_dhcp_port(udp) || inspect_is_dhcp_port(udp + 2);
}

/*
 * An IPv4 packet of which inspect_packet() would say -1, and which snooping
 * does not look at: whole TCP without options in front of it, and such UDP of
 * ports that DHCP does not use. ip: 24 bytes.
 */
static inline bool inspect_is_plain4(const uint8_t *ip)
{
	return inspect_is_simple4(ip) &&
	       (ip[9] == 6 || (ip[9] == 17 && !inspect_is_dhcp(ip + 20)));
}

static inline bool inspect_is_dhcpv6_port(const uint8_t *port)
{
	return unlikely(port[0] == DHCPV6_SERVER_PORT >> 8) &&
	       (port[1] == (DHCPV6_SERVER_PORT & 0xff) ||
		port[1] == (DHCPV6_CLIENT_PORT & 0xff));
}

/* The same of IPv6; ip: 44 bytes. */
static inline bool inspect_is_plain6(const uint8_t *ip)
{
	return ip[6] == 6 || (ip[6] == 17 && !inspect_is_dhcpv6_port(ip + 40) &&
			      !inspect_is_dhcpv6_port(ip + 42));
}

#endif
