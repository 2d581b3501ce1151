/*
 * ICMP errors that come to a VTEP about outer packets of its own: too big for a
 * link on the way (RFC 1191, RFC 8201), or nobody to take them. Anybody can
 * send such errors, so only what quotes a packet that we may have sent counts,
 * as RFC 5927 advises; what of it is ours, the caller compares.
 */
#ifndef TUNNEL_VXLAN_ICMP_H
#define TUNNEL_VXLAN_ICMP_H

#include <stddef.h>

#include "base/util.h"

/* RFC 1122 3.3.3; hardly a link takes less. */
#define VXLAN_PATH_MTU_MIN4 576
#define VXLAN_PATH_MTU_MIN6 1280 /* RFC 8200 5 */
/*
 * Of an error that quotes too little to name a VNI. What it has of ours is two
 * addresses, a well-known port and one of 16384: whoever knows two VTEPs needs
 * few tries, and RFC 5927 (4, 7.2) and RFC 8900 (3.7, 4.6) advise to take less
 * of who proves less. So it may not take from the overlay what IPv6 needs
 * inside: 1280, and 50 or 70 bytes around it. Routers quote more (RFC 1812
 * 4.3.2.3, RFC 4443 2.4 c), so a path that really is smaller makes itself known
 * by those.
 */
#define VXLAN_PATH_MTU_BLIND4 (1280 + 50)
#define VXLAN_PATH_MTU_BLIND6 (1280 + 70)

struct vxlan_icmp {
	uint8_t ip_version;
	uint8_t type, code;
	bool too_big;	/* else: unreachable */
	uint8_t to[16]; /* whom the error was sent to; IPv4: the first four */
	/* The quoted packet's */
	uint8_t src_ip[16], dst_ip[16];
	uint16_t src_port, dst_port;
	uint32_t packet_len; /* of its IP packet */
	bool has_vni;	     /* as much was quoted */
	uint32_t vni;
	uint32_t mtu; /* as the router says; 0: it does not (before RFC 1191) */
};

/*
 * Decodes an untagged frame. True when it is an error (IPv4: type 3, IPv6: 1
 * and 2) whose checksums are right, about a UDP packet, not a later fragment,
 * that is VXLAN as far as it is quoted. Any thread.
 */
bool vxlan_icmp_parse(struct vxlan_icmp *icmp, const void *frame, size_t len);

/*
 * The path's MTU that a too_big tells of; 0: what it says cannot be (RFC 8201
 * 4: less than IPv6's least; RFC 5927 7.2: as much as the packet that did not
 * fit), or is not believed (less than VXLAN_PATH_MTU_BLIND, and no VNI). IPv4
 * without an MTU: the next lower plateau (RFC 1191 7.1), and nothing below
 * VXLAN_PATH_MTU_MIN4.
 */
uint32_t vxlan_icmp_mtu(const struct vxlan_icmp *icmp);

#endif
