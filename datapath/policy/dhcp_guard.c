/*
 * What only DHCP servers and relays say: replies (RFC 2131 2), and the
 * messages from servers of DHCPv6 (RFC 8415 7.3), to clients and to relays
 * (RFC 7610). By whichever port a reply was sent, a client takes it at its own.
 */
#include "policy/inspect_internal.h"

#define BOOTREQUEST 1

enum dhcpv6_type {
	DHCPV6_ADVERTISE = 2,
	DHCPV6_REPLY = 7,
	DHCPV6_RECONFIGURE = 10,
	DHCPV6_RELAY_REPL = 13,
};

struct ports {
	uint16_t from, to;
};

static struct ports read_ports(struct reader *udp)
{
	struct ports ports = { .from = reader_be16(udp) };

	ports.to = reader_be16(udp);
	return ports;
}

/* The payload's first byte, behind length and checksum. */
static uint8_t read_type(struct reader *udp)
{
	reader_skip(udp, 4);
	return reader_u8(udp);
}

int dhcp_guard4(struct reader udp)
{
	struct ports ports = read_ports(&udp);

	if (udp.failed)
		return -1; /* all of it: no receiver takes it */
	/* A relay takes replies at the port where it takes requests. */
	if (ports.from != DHCP_SERVER_PORT && ports.to != DHCP_CLIENT_PORT &&
	    ports.to != DHCP_SERVER_PORT)
		return -1;
	return read_type(&udp) == BOOTREQUEST ? -1 : DROP_DHCP_SERVER;
}

int dhcp_guard6(struct reader udp)
{
	struct ports ports = read_ports(&udp);

	if (udp.failed)
		return -1; /* all of it: no receiver takes it */
	if (ports.from != DHCPV6_SERVER_PORT &&
	    ports.to != DHCPV6_CLIENT_PORT && ports.to != DHCPV6_SERVER_PORT)
		return -1;
	switch (read_type(&udp)) {
	case DHCPV6_ADVERTISE:
	case DHCPV6_REPLY:
	case DHCPV6_RECONFIGURE:
	case DHCPV6_RELAY_REPL:
		return DROP_DHCP_SERVER;
	default:
		return udp.failed ? DROP_UNINSPECTED : -1;
	}
}
