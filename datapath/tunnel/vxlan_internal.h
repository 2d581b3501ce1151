/* What the files of VXLAN share. */
#ifndef TUNNEL_VXLAN_INTERNAL_H
#define TUNNEL_VXLAN_INTERNAL_H

#include "tunnel/vxlan.h"

#define IPV4_LEN	20u
#define IPV6_LEN	40u
#define UDP_LEN		8u
#define UDP_CSUM_OFFSET 6u
#define VXLAN_FLAG_VNI	0x08

/* Dynamic ports, RFC 6335 section 6. */
#define VXLAN_PORT_FIRST 49152u
#define VXLAN_PORT_MASK	 0x3fffu

/* Of the hash of flows: any odd numbers of many bits. */
#define VXLAN_MIX_ETHERNET 0x9e3779b97f4a7c15ull
#define VXLAN_MIX_TAG	   0xff51afd7ed558ccdull
#define VXLAN_MIX_IP	   0xc4ceb9fe1a85ec53ull
#define VXLAN_MIX_LAST	   0xd6e8feb86659fd93ull

/* Both halves of a product, which all bits of both go into. */
static inline uint64_t vxlan_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t vxlan_word(const uint8_t *from)
{
	uint64_t word;

	memcpy(&word, from, sizeof(word));
	return word;
}

/* The first eight bytes, and those from the source address to the type. */
static inline uint64_t vxlan_hash_ethernet(uint64_t first, uint64_t second,
					   uint64_t seed)
{
	return vxlan_mix(first ^ seed, second ^ VXLAN_MIX_ETHERNET);
}

/* Addresses; and protocol and ports, as they lie, with what there is more. */
static inline uint64_t vxlan_hash_ip(uint64_t h, uint64_t addresses,
				     uint64_t transport)
{
	return vxlan_mix(h ^ addresses, transport ^ VXLAN_MIX_IP);
}

static inline uint16_t vxlan_source_port(uint64_t hash)
{
	return VXLAN_PORT_FIRST | (hash & VXLAN_PORT_MASK);
}

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
