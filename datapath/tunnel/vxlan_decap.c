/*
 * Outer headers of VXLAN, checked and taken off. All decisions are made on the
 * outer packet's private bytes, and on the inner's once it has its own.
 */
#include "tunnel/vxlan_internal.h"

#include <netinet/in.h>

#include "packet/cursor.h"
#include "packet/parse.h"

#define OUTER_TAGS_MAX 2

const char *vxlan_fault_name(enum vxlan_fault fault)
{
	static const char *const names[] = {
#define X(id, name) name,
		VXLAN_FAULTS(X)
#undef X
	};

	return (unsigned)fault < N_VXLAN_FAULTS ? names[fault] : "unknown";
}

static enum vxlan_fault parse_ipv4(struct packet *p, struct vxlan_layout *l,
				   struct vxlan_info *info)
{
	const uint8_t *ip = p->header + l->l3;
	uint32_t header_len, total;

	if (ip[0] >> 4 != 4)
		return VXLAN_MALFORMED;
	if (ip[9] != IPPROTO_UDP)
		return VXLAN_NOT_VXLAN;
	header_len = (ip[0] & 15) * 4;
	total = load_be16(ip + 2);
	if (header_len < IPV4_LEN || total < header_len + UDP_LEN ||
	    total > p->len - l->l3)
		return VXLAN_MALFORMED;
	l->udp = l->l3 + header_len;
	l->end = l->l3 + total;
	if (!packet_pull(p, l->udp + UDP_LEN))
		return VXLAN_MALFORMED;
	ip = p->header + l->l3;
	if (csum_fold(csum_add(0, ip, header_len)) != 0xffff)
		return VXLAN_IP_CSUM;
	info->ip_version = 4;
	info->tos = ip[1];
	memcpy(info->src_ip, ip + 12, 4);
	memcpy(info->dst_ip, ip + 16, 4);
	/* more fragments, offset: only the first has ports to look at */
	return load_be16(ip + 6) & 0x3fff ? VXLAN_FRAGMENT : VXLAN_OK;
}

static enum vxlan_fault parse_ipv6(struct packet *p, struct vxlan_layout *l,
				   struct vxlan_info *info)
{
	const uint8_t *ip;
	uint32_t payload;

	if (!packet_pull(p, l->l3 + IPV6_LEN + UDP_LEN))
		return VXLAN_MALFORMED;
	ip = p->header + l->l3;
	if (ip[0] >> 4 != 6)
		return VXLAN_MALFORMED;
	if (ip[6] == IPPROTO_FRAGMENT)
		return VXLAN_FRAGMENT;
	if (ip[6] != IPPROTO_UDP)
		return VXLAN_NOT_VXLAN;
	payload = load_be16(ip + 4);
	if (payload < UDP_LEN || payload > p->len - l->l3 - IPV6_LEN)
		return VXLAN_MALFORMED;
	l->udp = l->l3 + IPV6_LEN;
	l->end = l->udp + payload;
	info->ip_version = 6;
	info->tos = load_be16(ip) >> 4 & 0xff;
	memcpy(info->src_ip, ip + 8, 16);
	memcpy(info->dst_ip, ip + 24, 16);
	return VXLAN_OK;
}

static enum vxlan_fault parse_ip(struct packet *p, struct vxlan_layout *l,
				 struct vxlan_info *info)
{
	uint16_t type;

	/* In one copy: headers and what the inner frame begins with. */
	packet_pull(p, PACKET_PULL_MAX);
	if (p->header_len < ETH_HEADER_LEN)
		return VXLAN_NOT_VXLAN;
	l->l3 = packet_l2_len(p, OUTER_TAGS_MAX);
	if (l->l3 > p->header_len)
		return VXLAN_NOT_VXLAN;
	type = load_be16(p->header + l->l3 - 2);
	if (type != ETH_TYPE_IPV4 && type != ETH_TYPE_IPV6)
		return VXLAN_NOT_VXLAN;
	if (p->header_len < l->l3 + IPV4_LEN)
		return VXLAN_MALFORMED;
	return type == ETH_TYPE_IPV4 ? parse_ipv4(p, l, info)
				     : parse_ipv6(p, l, info);
}

/* The sum of the datagram, without what lies behind it. */
static uint64_t sum_datagram(const struct packet *p,
			     const struct vxlan_layout *l)
{
	uint32_t left = l->end - l->udp, n;
	struct csum sum = { 0 };
	const uint8_t *data;
	struct cursor c;

	cursor_init(&c, p);
	if (!cursor_skip(&c, l->udp))
		return 0;
	for (; left && (n = cursor_take(&c, left, &data)); left -= n)
		csum_piece(&sum, data, n);
	return sum.sum;
}

static enum vxlan_fault check_udp_csum(const struct vxlan_decap_rules *rules,
				       const struct packet *p,
				       const struct vxlan_layout *l,
				       uint8_t ip_version)
{
	const uint8_t *ip = p->header + l->l3;
	uint32_t len = l->end - l->udp;
	uint64_t pseudo;

	if (rules->csum == VXLAN_CSUM_IGNORE)
		return VXLAN_OK;
	if (!load_be16(p->header + l->udp + UDP_CSUM_OFFSET)) {
		if (rules->csum == VXLAN_CSUM_REQUIRE ||
		    (ip_version == 6 && !rules->zero_csum6))
			return VXLAN_UDP_CSUM;
		return VXLAN_OK;
	}
	/*
	 * Vouched for; or not on the wire yet: the field is the sum of what is
	 * to be finished, the outer checksum or the inner one beneath it.
	 */
	if (p->offload.csum_valid || p->offload.csum_needed)
		return VXLAN_OK;
	pseudo = ip_version == 4 ? csum_pseudo4(ip, IPPROTO_UDP, len)
				 : csum_pseudo6(ip, IPPROTO_UDP, len);
	return csum_fold(csum_combine(pseudo, sum_datagram(p, l))) == 0xffff
		       ? VXLAN_OK
		       : VXLAN_UDP_CSUM;
}

static enum vxlan_fault parse_udp(const struct vxlan_decap_rules *rules,
				  const struct packet *p,
				  struct vxlan_layout *l,
				  struct vxlan_info *info)
{
	const uint8_t *udp = p->header + l->udp;
	uint16_t port = rules->udp_port ? rules->udp_port : VXLAN_UDP_PORT;
	uint32_t len = load_be16(udp + 4);

	if (load_be16(udp + 2) != port)
		return VXLAN_NOT_VXLAN;
	/* What IP has behind the datagram is nobody's (RFC 768). */
	if (len < UDP_LEN + VXLAN_HEADER_LEN || len > l->end - l->udp)
		return VXLAN_MALFORMED;
	l->end = l->udp + len;
	l->vxlan = l->udp + UDP_LEN;
	info->src_port = load_be16(udp);
	return check_udp_csum(rules, p, l, info->ip_version);
}

enum vxlan_fault vxlan_parse(const struct vxlan_decap_rules *rules,
			     const uint8_t *h, struct vxlan_info *info)
{
	if (!(h[0] & VXLAN_FLAG_VNI))
		return VXLAN_FLAGS;
	if (rules->refuse_reserved &&
	    (load_be32(h) != (uint32_t)VXLAN_FLAG_VNI << 24 || h[7]))
		return VXLAN_FLAGS;
	info->vni = load_be32(h + 4) >> 8;
	return VXLAN_OK;
}

/*
 * Leaves `keep` bytes of the segments, which are at least as many. One segment
 * is the packet's own already.
 */
static bool trim(struct packet *p, uint32_t keep, struct vxlan_room *room)
{
	unsigned n = 0;

	if (p->segments == &p->segment) {
		p->segment.len = keep;
		return true;
	}
	for (; keep && n < p->n_segments; n++) {
		if (n == room->max)
			return false;
		room->segments[n] = p->segments[n];
		room->segments[n].len = MIN(keep, p->segments[n].len);
		keep -= room->segments[n].len;
	}
	p->segments = room->segments;
	p->n_segments = n;
	return true;
}

/*
 * Behind the outer's headers there are private bytes, at least an Ethernet
 * header; they become the inner's, which has replaced as many bytes of the
 * segments as the outer had.
 */
static bool take_inner(const struct packet *outer, uint32_t at, uint32_t end,
		       struct vxlan_room *room, struct packet *inner)
{
	uint32_t len = end - at;
	uint32_t private = MIN(outer->header_len - at, len);

	/* In one piece, and nobody has changed it: as if it had come alone. */
	if (likely(outer->n_segments == 1 &&
		   outer->header_len == outer->pulled &&
		   outer->segments->len >= end)) {
		packet_init(inner, outer->segments->data + at, len);
		return packet_pull_first(inner) || len < PACKET_PULL;
	}
	packet_init(inner, NULL, len);
	inner->header_len = private;
	inner->pulled = outer->pulled;
	inner->n_segments = outer->n_segments;
	memcpy(inner->header, outer->header + at, private);
	if (outer->n_segments == 1)
		inner->segment = outer->segments[0];
	else
		inner->segments = outer->segments;
	if (end == outer->len)
		return true;
	return trim(inner, inner->pulled + len - private, room);
}

/*
 * A checksum that the outer packet leaves to us is that of the outer datagram,
 * which nobody needs any more, or lies in the inner frame. There it may not be
 * in what is decided on: the rule of offload.h.
 */
static bool take_offload(const struct packet_offload *o, uint32_t udp,
			 uint32_t at, struct packet *inner)
{
	uint32_t start, l3;
	uint16_t type;

	if (!o->csum_needed ||
	    (o->csum_start == udp && o->csum_offset == UDP_CSUM_OFFSET))
		return true;
	if (o->csum_start < at)
		return false;
	packet_pull(inner, PACKET_PULL);
	start = o->csum_start - at;
	l3 = packet_l2_len(inner, FLOW_TAGS_MAX);
	if (l3 > inner->header_len)
		return false;
	type = load_be16(inner->header + l3 - 2);
	if (type == ETH_TYPE_IPV4)
		l3 += IPV4_LEN;
	else if (type == ETH_TYPE_IPV6)
		l3 += IPV6_LEN;
	if (start < l3 || start + o->csum_offset + 2u > inner->len)
		return false;
	inner->offload.csum_needed = true;
	inner->offload.csum_start = start;
	inner->offload.csum_offset = o->csum_offset;
	return true;
}

/* From the VXLAN header at l->vxlan on, l->udp known or 0. */
static enum vxlan_fault decap(const struct vxlan_decap_rules *rules,
			      struct packet *outer,
			      const struct vxlan_layout *l,
			      struct vxlan_room *room, struct packet *inner,
			      struct vxlan_info *info)
{
	uint32_t at = l->vxlan + VXLAN_HEADER_LEN;
	enum vxlan_fault fault;

	if (!packet_pull(outer, at))
		return VXLAN_MALFORMED;
	fault = vxlan_parse(rules, outer->header + l->vxlan, info);
	if (fault)
		return fault;
	if (l->end < at + ETH_HEADER_LEN)
		return VXLAN_RUNT;
	if (outer->offload.gso)
		return VXLAN_OFFLOAD;
	if (!packet_pull(outer, at + ETH_HEADER_LEN))
		return VXLAN_MALFORMED;
	if (!rules->keep_tag &&
	    eth_type_is_vlan(load_be16(outer->header + at + 12)))
		return VXLAN_TAG;
	if (!take_inner(outer, at, l->end, room, inner))
		return VXLAN_ROOM;
	if (!take_offload(&outer->offload, l->udp, at, inner))
		return VXLAN_OFFLOAD;
	return vxlan_take_ecn(inner, info);
}

enum vxlan_fault vxlan_parse_outer(const struct vxlan_decap_rules *rules,
				   struct packet *outer, struct vxlan_layout *l,
				   struct vxlan_info *info)
{
	enum vxlan_fault fault;

	memset(info, 0, sizeof(*info));
	fault = parse_ip(outer, l, info);
	return fault ? fault : parse_udp(rules, outer, l, info);
}

enum vxlan_fault vxlan_decap(const struct vxlan_decap_rules *rules,
			     struct packet *outer, struct vxlan_room *room,
			     struct packet *inner, struct vxlan_info *info)
{
	struct vxlan_layout l = { 0 };
	enum vxlan_fault fault = vxlan_parse_outer(rules, outer, &l, info);

	return fault ? fault : decap(rules, outer, &l, room, inner, info);
}

enum vxlan_fault vxlan_decap_payload(const struct vxlan_decap_rules *rules,
				     struct packet *payload, uint8_t tos,
				     struct vxlan_room *room,
				     struct packet *inner,
				     struct vxlan_info *info)
{
	const struct vxlan_layout l = { .end = payload->len };

	memset(info, 0, sizeof(*info));
	info->tos = tos;
	return decap(rules, payload, &l, room, inner, info);
}
