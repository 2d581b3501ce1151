/*
 * 802.1Q tags in the private header (IEEE 802.1Q clause 9). All of these keep
 * len, the checksum's position and the private part right. One thread.
 */
#ifndef PACKET_VLAN_H
#define PACKET_VLAN_H

#include "packet/packet.h"

#define ETH_TYPE_VLAN  0x8100 /* C-tag */
#define ETH_TYPE_SVLAN 0x88a8 /* S-tag */
#define VLAN_VID(tci)  ((tci)&0xfff)
#define VLAN_PCP(tci)  ((tci) >> 13)
#define VLAN_PCP_SHIFT 13
#define VLAN_DEI       0x1000
#define VLAN_VID_MASK  0x0fff
#define VLAN_N	       4096

/* Host byte order. */
static inline bool eth_type_is_vlan(uint16_t type)
{
	return type == ETH_TYPE_VLAN || type == ETH_TYPE_SVLAN;
}

/*
 * The private header must hold the two addresses (a pull of 14 or more). False
 * when there is no room for one more tag.
 */
static inline MUST_CHECK bool packet_vlan_push(struct packet *p, uint16_t tpid,
					       uint16_t tci)
{
	uint8_t *h = p->header - VLAN_TAG_LEN;

	if (unlikely(h < p->room))
		return false;
	memmove(h, p->header, 12);
	store_be16(h + 12, tpid);
	store_be16(h + 14, tci);
	p->header = h;
	p->header_len += VLAN_TAG_LEN;
	p->len += VLAN_TAG_LEN;
	p->offload.csum_start += VLAN_TAG_LEN;
	return true;
}

/* A tag must be there, in the private header (a pull of 18 or more). */
static inline void packet_vlan_pop(struct packet *p)
{
	uint8_t *h = p->header + VLAN_TAG_LEN;

	memmove(h, p->header, 12);
	p->header = h;
	p->header_len -= VLAN_TAG_LEN;
	p->len -= VLAN_TAG_LEN;
	p->offload.csum_start -= VLAN_TAG_LEN;
}

/* Rewrites the outer tag that is there. */
static inline void packet_vlan_set(struct packet *p, uint16_t tpid,
				   uint16_t tci)
{
	store_be16(p->header + 12, tpid);
	store_be16(p->header + 14, tci);
}

#endif
