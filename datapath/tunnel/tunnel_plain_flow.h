/*
 * Which flow a plain inner frame is of, and where the flow's other frames are
 * the same. For tunnel_plain_out.c alone.
 */
#ifndef TUNNEL_TUNNEL_PLAIN_FLOW_H
#define TUNNEL_TUNNEL_PLAIN_FLOW_H

#include "tunnel/tunnel_plain.h"

/* Ones where a flow's frames are the same: not the length, the IPv4
 * identification and checksum, nor what is behind the ports. */
static const uint8_t mask4[64] CACHE_ALIGNED = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0,	  0,	0,    0,
	0xff, 0xff, 0,	  0xff, 0,    0,    0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
};
static const uint8_t mask6[64] CACHE_ALIGNED = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0,    0,    0,	  0,	0xff, 0,    0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
};

/* What an inner frame says: its flow's hash, and its TOS. */
struct seen {
	uint64_t hash;
	uint32_t tos;
	const uint8_t *mask; /* of the flow, ... */
	int n;		     /* of so many bytes */
};

INLINE bool has_ports(uint32_t proto)
{
	return proto == IPPROTO_UDP || proto == IPPROTO_TCP;
}

/* As vxlan_flow_of(). n bytes are private from the type on, maybe none. */
INLINE bool see(const uint8_t *h, const uint8_t *type, int n, uint64_t seed,
		struct seen *seen)
{
	uint64_t first = vxlan_word(h), second = vxlan_word(h + 6), hash;
	uint32_t word = word32(type), proto;

	if (type != h + 12)
		second = second << 16 >> 16 | (uint64_t)word << 48;
	hash = vxlan_hash_ethernet(first, second, seed);
	if (likely((word & 0xffffff) == TYPE_IPV4)) {
		uint32_t flags_proto = word32(type + 8);

		proto = flags_proto >> 24;
		if (unlikely(n < 26 || flags_proto & 0xff3f ||
			     !has_ports(proto)))
			return false;
		seen->mask = mask4;
		seen->n = 38;
		seen->tos = word >> 24;
		seen->hash = vxlan_hash_ip(hash, vxlan_word(type + 14),
					   (uint64_t)proto << 32 |
						   word32(type + 22));
		return true;
	}
	proto = type[8];
	if ((word & 0xf0ffff) != TYPE_IPV6 || n < 46 || !has_ports(proto))
		return false;
	seen->mask = mask6;
	seen->n = 58;
	seen->tos = __builtin_bswap32(word) >> 4 & 0xff;
	hash = vxlan_hash_ip(hash, vxlan_word(type + 10),
			     vxlan_word(type + 18));
	seen->hash =
		vxlan_hash_ip(hash, vxlan_word(type + 26),
			      vxlan_word(type + 34) ^ ((uint64_t)proto << 32 |
						       word32(type + 42)));
	return true;
}

#endif
