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

/* Either of DHCP's two ports, of which a is the lower one. */
static inline bool inspect_is_dhcp_port(uint16_t port, uint16_t a)
{
	return (uint16_t)(port - a) <= 1;
}

/*
 * An IPv4 packet of which inspect_packet() would say -1, and which snooping
 * does not look at: TCP without options in front of it, and UDP of ports that
 * DHCP does not use, both whole. ip: 24 bytes.
 */
static inline bool inspect_is_plain4(const uint8_t *ip)
{
	/* Version and header's length; more fragments, and this one's place */
	const uint64_t mask = 0xff3f0000000000ff; /* little endian */
	uint64_t first;

	memcpy(&first, ip, sizeof(first));
	if (unlikely((first & mask) != 0x45))
		return false;
	if (ip[9] == 6)
		return true;
	return ip[9] == 17 &&
	       !inspect_is_dhcp_port(load_be16(ip + 20), DHCP_SERVER_PORT) &&
	       !inspect_is_dhcp_port(load_be16(ip + 22), DHCP_SERVER_PORT);
}

/* The same of IPv6; ip: 44 bytes. */
static inline bool inspect_is_plain6(const uint8_t *ip)
{
	if (ip[6] == 6)
		return true;
	return ip[6] == 17 &&
	       !inspect_is_dhcp_port(load_be16(ip + 40), DHCPV6_CLIENT_PORT) &&
	       !inspect_is_dhcp_port(load_be16(ip + 42), DHCPV6_CLIENT_PORT);
}

#endif
