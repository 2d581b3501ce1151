/*
 * Checking and rebuilding of virtio_net_hdr (offload.h).
 *
 * Checks are made on the private header, after the tag beside the frame was put
 * into it, so that offsets mean the same as everywhere later. A checksum may
 * not be asked for where the switch, or a filter behind it, decides on what it
 * reads: not within the Ethernet header with its tags, nor the IP header.
 *
 * Some headers that are not quite right come from honest senders, and are put
 * right instead of refused:
 *  - a GSO type on a packet of one segment: an ordinary packet;
 *  - a GSO type without NEEDS_CSUM: the segments need theirs anyway;
 *  - NEEDS_CSUM on SCTP (a veth device leaves it to the next one): this means
 *    its CRC, which no receiver of a virtio header would compute.
 */
#include "packet/offload.h"

#include <endian.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>

#include "packet/crc32c.h"
#include "packet/csum.h"
#include "packet/gso.h"
#include "packet/parse.h"

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

#define SCTP_CSUM_OFFSET 8

_Static_assert(sizeof(struct virtio_net_hdr) == VNET_HDR_LEN, "fixed");

static const struct {
	uint8_t vnet;
	uint8_t gso;
	unsigned needs;
} kinds[] = {
	{ VIRTIO_NET_HDR_GSO_TCPV4, PACKET_GSO_TCP4, OFFLOAD_TSO4 },
	{ VIRTIO_NET_HDR_GSO_TCPV6, PACKET_GSO_TCP6, OFFLOAD_TSO6 },
	{ VIRTIO_NET_HDR_GSO_UDP_L4, PACKET_GSO_UDP, OFFLOAD_USO },
	{ VIRTIO_NET_HDR_GSO_UDP, PACKET_GSO_UFO, OFFLOAD_UFO },
};

/* The type of segmentation, when it is one that was agreed on. */
static bool receive_gso(struct packet_offload *o,
			const struct virtio_net_hdr *vnet, unsigned agreed)
{
	bool ecn = vnet->gso_type & VIRTIO_NET_HDR_GSO_ECN;
	uint8_t type = vnet->gso_type & ~VIRTIO_NET_HDR_GSO_ECN;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (kinds[i].vnet != type || !(agreed & kinds[i].needs))
			continue;
		if (ecn && (kinds[i].gso == PACKET_GSO_UDP ||
			    kinds[i].gso == PACKET_GSO_UFO ||
			    !(agreed & OFFLOAD_TSO_ECN)))
			return false;
		o->gso = kinds[i].gso;
		o->gso_ecn = ecn;
		o->gso_size = le16toh(vnet->gso_size);
		return o->gso_size >= gso_size_min(o->gso);
	}
	return false;
}

/* Where no checksum may be written: up to the transport header, at least. */
static uint32_t first_csum_start(const struct packet *p)
{
	uint32_t l3 = packet_l2_len(p, FLOW_TAGS_MAX);

	if (l3 > p->header_len)
		return UINT32_MAX;
	switch (load_be16(p->header + l3 - 2)) {
	case ETH_TYPE_IPV4:
		return l3 + 20;
	case ETH_TYPE_IPV6:
		return l3 + 40;
	default:
		return l3;
	}
}

static bool is_sctp(const struct packet *p)
{
	struct flow_key key;

	return p->offload.csum_offset == SCTP_CSUM_OFFSET &&
	       flow_parse_packet(p, &key) && key.ip_proto == IPPROTO_SCTP &&
	       key.l4 == p->offload.csum_start;
}

static bool check_csum(struct packet *p)
{
	uint32_t start = p->offload.csum_start;
	uint32_t end = start + p->offload.csum_offset + 2;

	if (end > p->len || end > CSUM_END_MAX || start < first_csum_start(p))
		return false;
	if (unlikely(is_sctp(p))) {
		p->offload.csum_needed = false;
		return packet_finish_crc32c(p, start);
	}
	return true;
}

/* Asks for the checksum that a segmented packet needs, and seeds its field. */
static bool add_csum(struct packet *p, const struct gso_layout *l)
{
	uint32_t field = l->l4 + l->csum_offset;
	const uint8_t *ip = p->header + l->l3;
	uint16_t seed;

	if (field + 2 > p->header_len)
		return false;
	seed = csum_fold(
		l->ip_version == 4
			? csum_pseudo4(ip, l->ip_proto, p->len - l->l4)
			: csum_pseudo6(ip, l->ip_proto, p->len - l->l4));
	memcpy(p->header + field, &seed, sizeof(seed));
	p->offload.csum_start = l->l4;
	p->offload.csum_offset = l->csum_offset;
	p->offload.csum_needed = true;
	p->offload.csum_valid = false;
	return true;
}

static bool check_gso(struct packet *p)
{
	struct packet_offload *o = &p->offload;
	struct gso_layout l;
	uint32_t payload;

	if (!gso_layout_packet(p, o->gso, &l))
		return false;
	if (!o->csum_needed) {
		if (!add_csum(p, &l))
			return false;
	} else if (o->csum_start != l.l4 || o->csum_offset != l.csum_offset) {
		return false;
	}
	payload = p->len - l.payload;
	if (payload <= o->gso_size) {
		o->gso = PACKET_GSO_NONE;
		o->gso_ecn = false;
		o->gso_size = 0;
	}
	return !o->gso || gso_fits(&l, p->len, o->gso_size);
}

bool offload_receive_slow(struct packet *p, const void *header, unsigned agreed)
{
	struct packet_offload *o = &p->offload;
	struct virtio_net_hdr vnet;

	memcpy(&vnet, header, sizeof(vnet));
	if (le16toh(vnet.hdr_len) > p->len)
		return false;
	if (vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		if (!(agreed & OFFLOAD_CSUM))
			return false;
		o->csum_needed = true;
		o->csum_start = le16toh(vnet.csum_start);
		o->csum_offset = le16toh(vnet.csum_offset);
		/* So that no tag in front of it makes it wrap around. */
		if (o->csum_start > CSUM_END_MAX)
			return false;
	} else if (vnet.flags & VIRTIO_NET_HDR_F_DATA_VALID) {
		o->csum_valid = agreed & OFFLOAD_TRUSTED;
	}
	if (vnet.gso_type != VIRTIO_NET_HDR_GSO_NONE &&
	    !receive_gso(o, &vnet, agreed))
		return false;
	if (!o->csum_needed && !o->gso)
		return true;
	packet_pull(p, o->gso ? PACKET_PULL_MAX : PACKET_PULL);
	if (o->csum_needed && !check_csum(p))
		return false;
	return !o->gso || check_gso(p);
}

/* The first transport byte behind an IP header of the usual length; else 0. */
static inline uint32_t plain_l4(const struct packet *p)
{
	switch (load_be16(p->header + 12)) {
	case ETH_TYPE_IPV4:
		return ETH_HEADER_LEN + 20;
	case ETH_TYPE_IPV6:
		return ETH_HEADER_LEN + 40;
	default:
		return 0;
	}
}

/*
 * Whether all that is asked for is a checksum within an untagged IP packet, and
 * not that of SCTP; if so it is taken over.
 */
static inline bool take_plain_csum(struct packet *p,
				   const struct virtio_net_hdr *vnet,
				   unsigned agreed)
{
	uint32_t start = le16toh(vnet->csum_start);
	uint32_t offset = le16toh(vnet->csum_offset);
	uint32_t end = start + offset + 2, first;

	if (vnet->flags != VIRTIO_NET_HDR_F_NEEDS_CSUM || vnet->gso_type ||
	    !(agreed & OFFLOAD_CSUM) || p->vlan_beside ||
	    le16toh(vnet->hdr_len) > p->len || end > p->len ||
	    end > CSUM_END_MAX || offset == SCTP_CSUM_OFFSET)
		return false;
	packet_pull_first(p);
	if (p->header_len < ETH_HEADER_LEN)
		return false;
	first = plain_l4(p);
	if (!first || start < first)
		return false;
	p->offload.csum_needed = true;
	p->offload.csum_start = start;
	p->offload.csum_offset = offset;
	return true;
}

bool offload_receive_asked(struct packet *p, const void *header,
			   unsigned agreed)
{
	struct virtio_net_hdr vnet;

	memcpy(&vnet, header, sizeof(vnet));
	if (likely(take_plain_csum(p, &vnet, agreed)))
		return true;
	return offload_receive_slow(p, header, agreed);
}

static bool send_gso(const struct packet *p, struct virtio_net_hdr *vnet)
{
	const struct packet_offload *o = &p->offload;
	uint32_t hdr_len = packet_gso_header_len(p);

	if (!o->csum_needed || !o->gso_size || !hdr_len || hdr_len > p->len)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].gso == o->gso)
			vnet->gso_type = kinds[i].vnet;
	if (o->gso_ecn)
		vnet->gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	vnet->gso_size = htole16(o->gso_size);
	vnet->hdr_len = htole16(hdr_len);
	return vnet->gso_type & ~VIRTIO_NET_HDR_GSO_ECN;
}

bool offload_send_slow(const struct packet *p, void *header)
{
	const struct packet_offload *o = &p->offload;
	struct virtio_net_hdr vnet = { 0 };

	if (o->csum_needed) {
		if (o->csum_start + o->csum_offset + 2u > p->len)
			return false;
		vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		vnet.csum_start = htole16(o->csum_start);
		vnet.csum_offset = htole16(o->csum_offset);
	} else if (o->csum_valid) {
		vnet.flags = VIRTIO_NET_HDR_F_DATA_VALID;
	}
	if (o->gso && !send_gso(p, &vnet))
		return false;
	memcpy(header, &vnet, sizeof(vnet));
	return true;
}
