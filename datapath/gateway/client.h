/*
 * Who speaks to the gateway of a segment, and addresses as its services pass
 * them. A client is told by its MAC; what a client can invent (MACs, addresses,
 * names) is bounded by the port that it came in by, which it cannot choose.
 */
#ifndef GATEWAY_CLIENT_H
#define GATEWAY_CLIENT_H

#include <string.h>

#include "base/util.h"

struct gateway_client {
	uint64_t mac;  /* the frame's source */
	uint32_t port; /* of the bridge; any number that stays the port's */
};

struct ip_address {
	uint8_t len; /* 4 or 16; 0: none */
	uint8_t bytes[16];
};

static inline struct ip_address ip_address_of(const uint8_t *bytes,
					      unsigned len)
{
	struct ip_address ip = { .len = len };

	memcpy(ip.bytes, bytes, len);
	return ip;
}

static inline struct ip_address ip_address_v4(uint32_t ip4)
{
	struct ip_address ip = {
		.len = 4, .bytes = { ip4 >> 24, ip4 >> 16, ip4 >> 8, ip4 }
	};

	return ip;
}

static inline uint32_t ip_address_to_v4(const struct ip_address *ip)
{
	return (uint32_t)ip->bytes[0] << 24 | ip->bytes[1] << 16 |
	       ip->bytes[2] << 8 | ip->bytes[3];
}

static inline bool ip_address_equal(const struct ip_address *a,
				    const struct ip_address *b)
{
	return a->len == b->len && !memcmp(a->bytes, b->bytes, a->len);
}

/* The mask of an IPv4 prefix; len from 0 to 32. */
static inline uint32_t ip4_mask(unsigned len)
{
	return len ? ~0u << (32 - len) : 0;
}

static inline bool ip6_in_prefix(const uint8_t *ip, const uint8_t *prefix,
				 unsigned len)
{
	unsigned whole = len / 8, rest = len % 8;

	return !memcmp(ip, prefix, whole) &&
	       (!rest || !((ip[whole] ^ prefix[whole]) >> (8 - rest)));
}

#endif
