/*
 * Addresses, networks and ranges as people write them in a segment's settings:
 * vsw-ctl and vswd read them alike. Addresses of both versions are 16 bytes,
 * IPv4's in the first four; a version is 4 or 6. What a parser fails at is
 * undefined afterwards.
 */
#ifndef BASE_NET_TEXT_H
#define BASE_NET_TEXT_H

#include "base/util.h"

#define NET_TEXT_MAX 64 /* of a range of IPv6 addresses less than that */

struct net_addr {
	unsigned version; /* 4 or 6; 0: none */
	uint8_t bytes[16];
};

struct net_prefix {
	struct net_addr addr; /* bits beyond the length are as they came */
	unsigned len;
};

struct net_range {
	struct net_addr first, last; /* of one version, in order */
};

/* False: it is none. version 0: either. */
bool net_addr_parse(struct net_addr *addr, const char *text, unsigned version);
/* "ADDRESS/LENGTH", of which host bits may be set. */
bool net_prefix_parse(struct net_prefix *prefix, const char *text,
		      unsigned version);
/* "FIRST-LAST", or one address. */
bool net_range_parse(struct net_range *range, const char *text,
		     unsigned version);
/* Lives in buf, and is returned. */
const char *net_addr_text(const struct net_addr *addr, char buf[NET_TEXT_MAX]);

/* As memcmp(); an IPv4 address comes before one of IPv6. */
int net_addr_compare(const struct net_addr *a, const struct net_addr *b);
bool net_prefix_has(const struct net_prefix *prefix,
		    const struct net_addr *addr);
/* One is in the other, or they are the same. */
bool net_prefix_overlaps(const struct net_prefix *a,
			 const struct net_prefix *b);
/* The bits beyond the length are 0. */
bool net_prefix_is_network(const struct net_prefix *prefix);
/* The network's own address and, in IPv4, the broadcast address. */
void net_prefix_ends(const struct net_prefix *prefix, struct net_addr *first,
		     struct net_addr *last);

/* A label of a domain name (RFC 1123 2.1): letters, digits, '-' inside. */
bool net_is_label(const char *text, size_t n);

#endif
