/*
 * Plain packets, what most are: untagged IPv4 without options, no fragment, TCP
 * or UDP, of the length that it says, with its headers private. Who knows that
 * of them hands over what names their flows, side by side, so that no header is
 * looked at twice and eight are hashed at once. For nat/ and router/.
 */
#ifndef NAT_PLAIN_H
#define NAT_PLAIN_H

#include "nat/nat.h"

#define NAT_PLAIN_MAX	 32
#define NAT_PLAIN_LANES	 8 /* that may be written behind the last one */
#define NAT_PLAIN_HEADER (ETH_HEADER_LEN + 40) /* private bytes, at least */

struct nat_plain {
	unsigned n;
	/* As they lie: the addresses, and both ports. code: NAT_TCP, NAT_UDP */
	uint32_t src[NAT_PLAIN_MAX + NAT_PLAIN_LANES];
	uint32_t dst[NAT_PLAIN_MAX + NAT_PLAIN_LANES];
	uint32_t ports[NAT_PLAIN_MAX + NAT_PLAIN_LANES];
	uint32_t code[NAT_PLAIN_MAX + NAT_PLAIN_LANES];
	struct packet *packets[NAT_PLAIN_MAX];
};

/* Whether this machine has the instructions that eight at once want. */
bool nat_plain_has_avx2(void);

/*
 * Translates those that are of established flows, and takes `hops` (0 or 1; the
 * TTL is greater) off them. Returns the set of the others, which are as they
 * were and want nat_outbound(), or nat_inbound(). A worker, between nat_enter()
 * and nat_leave().
 */
uint32_t nat_plain_outbound(struct nat *nat, unsigned thread,
			    const struct nat_plain *plain, unsigned hops);
uint32_t nat_plain_inbound(struct nat *nat, unsigned thread,
			   const struct nat_plain *plain, unsigned hops);

#endif
