/*
 * ICMP errors about packets that are not carried on: RFC 792, RFC 1812 4.3.2,
 * RFC 4443. An error quotes the packet that it is about, as much as fits. There
 * is none about errors, parts of a datagram but the first, and frames or
 * packets to groups; and only so many a second, for each port and in total.
 *
 * For a segment's gateway (segment_error.c) and for overlays (overlay_mtu.c).
 */
#ifndef VSWD_ICMP_ERROR_H
#define VSWD_ICMP_ERROR_H

#include "gateway/client.h"
#include "packet/packet.h"
#include "vswd/token_bucket.h"

/* RFC 792, RFC 4443 */
#define ICMP4_UNREACHABLE 3
#define ICMP4_FRAG_NEEDED 4 /* its code */
#define ICMP6_UNREACHABLE 1
#define ICMP6_TOO_BIG	  2

#define ICMP_ERROR_L2_MAX (ETH_HEADER_LEN + 2 * VLAN_TAG_LEN)
/* RFC 4443 2.4 (c): no more than IPv6's least MTU. */
#define ICMP_ERROR_MAX (ICMP_ERROR_L2_MAX + 1280)

struct icmp_error {
	struct ip_address from; /* of the version of what it is about */
	uint8_t type, code;
	uint32_t mtu; /* said where the type has such a field */
};

/*
 * The error about a frame whose IP packet begins at l2_len (14 to
 * ICMP_ERROR_L2_MAX) into room (ICMP_ERROR_MAX bytes): its length, 0 when there
 * is to be none. The frame may be cut short behind its headers. The Ethernet
 * header is the frame's own, tags included, with MACs exchanged.
 */
size_t icmp_error_build(const struct icmp_error *e, const uint8_t *frame,
			size_t len, size_t l2_len, uint8_t *room);

#define ICMP_ERROR_PORTS 256 /* ports share one, by their number */

/* RFC 1812 4.3.2.8, RFC 4443 2.4 (f). Begins as zeros. */
struct icmp_error_limits {
	struct token_bucket total, ports[ICMP_ERROR_PORTS];
};

/* May one more be sent because of that port? Then it counts as sent. */
bool icmp_error_allowed(struct icmp_error_limits *limits, uint32_t port,
			uint64_t now_ms);

#endif
