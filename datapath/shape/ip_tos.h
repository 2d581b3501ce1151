/*
 * The byte of an IP header that has the DSCP (RFC 2474) and the ECN field
 * (RFC 3168): the TOS byte of IPv4, the traffic class of IPv6. Only the private
 * header is looked at and changed; a pull of PACKET_PULL is enough. One thread.
 */
#ifndef SHAPE_IP_TOS_H
#define SHAPE_IP_TOS_H

#include "packet/csum.h"
#include "packet/parse.h"

#define IP_TOS_DSCP_MASK 0xfc
#define IP_TOS_ECN_MASK	 0x03
#define IP_TOS_ECN_CE	 0x03

/* The IP header within the private bytes, the version in *version; or NULL. */
static inline uint8_t *ip_header_of(const struct packet *p, unsigned *version)
{
	uint32_t at = packet_l2_len(p, FLOW_TAGS_MAX);
	uint16_t type;

	if (at + 20 > p->header_len)
		return NULL;
	type = load_be16(p->header + at - 2);
	*version = p->header[at] >> 4;
	if ((type == ETH_TYPE_IPV4 && *version == 4) ||
	    (type == ETH_TYPE_IPV6 && *version == 6))
		return p->header + at;
	return NULL;
}

/* False: it is no IP packet. */
static inline bool ip_tos_get(const struct packet *p, uint8_t *tos)
{
	unsigned version;
	const uint8_t *ip = ip_header_of(p, &version);

	if (!ip)
		return false;
	*tos = version == 4 ? ip[1] : (uint8_t)(load_be16(ip) >> 4);
	return true;
}

/* RFC 1624: a 16-bit word of an IPv4 header is another. */
static inline void ip_csum_update(uint8_t *ip, uint16_t old, uint16_t new)
{
	uint32_t sum = (uint16_t)~load_be16(ip + 10) + (uint16_t)~old + new;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	store_be16(ip + 10, ~sum);
}

/*
 * Sets the bits of `mask` to those of `tos`, and keeps IPv4's checksum right.
 * False: it is no IP packet.
 */
static inline bool ip_tos_set(struct packet *p, uint8_t mask, uint8_t tos)
{
	unsigned version;
	uint8_t *ip = ip_header_of(p, &version);
	unsigned shift = version == 4 ? 0 : 4;
	uint16_t old, new;

	if (!ip)
		return false;
	old = load_be16(ip);
	new = (old & ~(mask << shift)) | (tos & mask) << shift;
	if (new == old)
		return true;
	store_be16(ip, new);
	if (version == 4)
		ip_csum_update(ip, old, new);
	return true;
}

#endif
