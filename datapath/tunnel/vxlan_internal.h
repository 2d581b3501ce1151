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
 * Carries the ECN mark of the outer header, info->tos, over to the inner IP
 * header, if there is one (RFC 6040 4.2). Pulls. VXLAN_OK or VXLAN_ECN.
 */
enum vxlan_fault vxlan_take_ecn(struct packet *inner,
				struct vxlan_info *info) MUST_CHECK;

#endif
