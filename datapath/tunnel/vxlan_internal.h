/* What the files of VXLAN share. */
#ifndef TUNNEL_VXLAN_INTERNAL_H
#define TUNNEL_VXLAN_INTERNAL_H

#include "tunnel/vxlan.h"

#define IPV4_LEN	20u
#define IPV6_LEN	40u
#define UDP_LEN		8u
#define UDP_CSUM_OFFSET 6u
#define VXLAN_FLAG_VNI	0x08

/*
 * Lengths, port, marks and checksums of a template that is outer's private
 * header, with all that follows in its place. *ip_id as in struct vxlan_room.
 */
void vxlan_fill(const struct vxlan_outer *o, const struct vxlan_flow *flow,
		struct packet *outer, uint16_t *ip_id);

/* Where things are in an outer frame, from its first byte. */
struct vxlan_layout {
	uint32_t l3, udp, vxlan;
	uint32_t end; /* of the UDP datagram */
};

/* The headers in front of VXLAN's; what vxlan_decap() says of them. Pulls. */
enum vxlan_fault vxlan_parse_outer(const struct vxlan_decap_rules *rules,
				   struct packet *outer, struct vxlan_layout *l,
				   struct vxlan_info *info) MUST_CHECK;

/* VXLAN_HEADER_LEN bytes at h: VXLAN_OK and info->vni, or VXLAN_FLAGS. */
enum vxlan_fault vxlan_parse(const struct vxlan_decap_rules *rules,
			     const uint8_t *h,
			     struct vxlan_info *info) MUST_CHECK;

/*
 * Carries the ECN mark of the outer header, info->tos, over to the inner IP
 * header, if there is one (RFC 6040 4.2). Pulls. VXLAN_OK or VXLAN_ECN.
 */
enum vxlan_fault vxlan_take_ecn(struct packet *inner,
				struct vxlan_info *info) MUST_CHECK;

#endif
