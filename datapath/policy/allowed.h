/*
 * The addresses that the station behind a port may use as its own: MACs and
 * IPv4 and IPv6 prefixes that the configuration names, and addresses that a
 * DHCP server has leased to it. Immutable, but for the leases, which the
 * control thread replaces as a whole. Any thread may ask.
 */
#ifndef POLICY_ALLOWED_H
#define POLICY_ALLOWED_H

#include <stdatomic.h>

#include "base/util.h"
#include "packet/packet.h"

/* Host byte order; an address without host bits. */
struct allowed_ip4 {
	uint32_t address, mask;
};

/* As the address lies in a packet, in two words. */
struct allowed_ip6 {
	uint64_t address[2], mask[2];
};

struct allowed_ips {
	unsigned n_ip4, n_ip6;
	struct allowed_ip4 *ip4;
	struct allowed_ip6 *ip6;
};

struct allowed {
	bool guards_macs; /* only those below; else any */
	bool guards_ips;  /* the same of both IPv4 and IPv6 */
	unsigned n_macs;
	uint64_t *macs; /* as load_mac() */
	struct allowed_ips ips;
	/*
	 * What DHCP has leased to it: a list that a worker may read until its
	 * next quiescent point. NULL: DHCP allows nothing.
	 */
	const struct allowed_ips *_Atomic *leased;
};

/* Both network byte order; bits: 0 to 32, 0 to 128. */
struct allowed_ip4 allowed_prefix4(const uint8_t ip[4], unsigned bits);
struct allowed_ip6 allowed_prefix6(const uint8_t ip[16], unsigned bits);

/* Whether the MAC is one of those that are named. */
bool allowed_names_mac(const struct allowed *a, uint64_t mac);
/* Whether it may call the MAC its own. */
bool allowed_mac(const struct allowed *a, uint64_t mac);
/*
 * Whether it may call the address its own; host byte order. 0.0.0.0 is
 * nobody's: who may say it depends on what he says (RFC 5227, RFC 2131).
 */
bool allowed_ip4(const struct allowed *a, uint32_t ip);
/*
 * The same of IPv6; the link-local addresses that stations make of their MACs
 * (RFC 4291, appendix A) are allowed with the MACs that are named; if none is,
 * with any. "::" is nobody's.
 */
bool allowed_ip6(const struct allowed *a, const uint8_t ip[16]);

#endif
