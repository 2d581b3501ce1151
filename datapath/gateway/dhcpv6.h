/*
 * The stateless DHCPv6 server of a segment (RFC 8415 6.1): it answers
 * Information-request with resolvers and the domain, gives out no addresses and
 * keeps no state, so nothing that strangers send can fill anything.
 */
#ifndef GATEWAY_DHCPV6_H
#define GATEWAY_DHCPV6_H

#include "base/util.h"

#define DHCPV6_SERVER_PORT 547
#define DHCPV6_CLIENT_PORT 546
#define DHCPV6_DNS_MAX	   3
#define DHCPV6_REPLY_MAX   1024

struct dhcpv6_config {
	uint64_t mac; /* makes the server's DUID (DUID-LL) */
	uint8_t dns[DHCPV6_DNS_MAX][16];
	unsigned n_dns;
	const char *domain; /* option 24; NULL: none */
	uint32_t refresh_s; /* asked again after (RFC 8415 21.23); 0: a day */
};

/*
 * The payload of a datagram to port 547, any bytes; multicast: it came to
 * ff02::1:2. Returns the length of an answer to the sender's address and port,
 * from port 547; 0: there is none.
 */
size_t dhcpv6_answer(const struct dhcpv6_config *config, const void *message,
		     size_t len, bool multicast,
		     uint8_t reply[DHCPV6_REPLY_MAX]);

#endif
