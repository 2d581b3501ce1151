/*
 * Outer headers of VXLAN around an inner frame: the template of vxlan_outer.c
 * with this packet's lengths, port, marks and checksums.
 */
#include "tunnel/vxlan_internal.h"

#include <errno.h>
#include <netinet/in.h>

#include "packet/cursor.h"

/*
 * Has the inner checksum finished where it must be. *innerp becomes the copy
 * when that has to be made one.
 */
static bool settle_csum(const struct vxlan_outer *o, struct packet **innerp,
			struct csum_far *far)
{
	struct packet *inner = *innerp;
	uint32_t end = inner->offload.csum_start + inner->offload.csum_offset +
		       o->len + 2u;

	if (!inner->offload.csum_needed)
		return true;
	if (o->leave_inner_csum && end <= CSUM_END_MAX)
		return true;
	if (packet_finish_csum(inner))
		return true;
	if (!far || !packet_finish_csum_far(inner, far))
		return false;
	*innerp = &far->packet;
	return true;
}

static bool borrow(struct packet *outer, const struct packet *inner,
		   const struct vxlan_room *room)
{
	struct cursor c;
	unsigned n = 0;

	cursor_init(&c, inner);
	while ((room->segments[n].len =
			cursor_take(&c, UINT32_MAX, &room->segments[n].data)))
		if (++n == room->max)
			break;
	if (n == room->max) {
		const uint8_t *more;

		if (cursor_take(&c, 1, &more))
			return false;
	}
	outer->segments = room->segments;
	outer->n_segments = n;
	return true;
}

static void fill_ip(const struct vxlan_outer *o, const struct vxlan_flow *flow,
		    uint8_t *ip, uint32_t udp_len, uint16_t *ip_id)
{
	uint8_t tos = vxlan_outer_tos(o, flow);

	if (o->ip_version == 4) {
		ip[1] = tos;
		store_be16(ip + 2, IPV4_LEN + udp_len);
		if (!o->dont_fragment)
			store_be16(ip + 4, (*ip_id)++);
		ip[8] = vxlan_outer_ttl(o, flow);
		csum_ipv4_header(ip, IPV4_LEN);
		return;
	}
	store_be32(ip, 6u << 28 | (uint32_t)tos << 20 | flow->label);
	store_be16(ip + 4, udp_len);
	ip[7] = vxlan_outer_ttl(o, flow);
}

/* The checksum covers all that follows, which is in its place by now. */
static void fill_udp_csum(const struct vxlan_outer *o, struct packet *outer,
			  uint32_t udp_len)
{
	const uint8_t *ip = outer->header + o->l3;
	uint8_t *field = outer->header + o->udp + UDP_CSUM_OFFSET;
	uint64_t sum;
	uint16_t seed;

	sum = o->ip_version == 4 ? csum_pseudo4(ip, IPPROTO_UDP, udp_len)
				 : csum_pseudo6(ip, IPPROTO_UDP, udp_len);
	if (o->udp_csum == VXLAN_CSUM_FULL) {
		csum_store(field,
			   csum_combine(sum, csum_packet(outer, o->udp)));
		return;
	}
	seed = csum_fold(sum);
	memcpy(field, &seed, sizeof(seed));
	outer->offload.csum_needed = true;
	outer->offload.csum_start = o->udp;
	outer->offload.csum_offset = UDP_CSUM_OFFSET;
}

void vxlan_fill(const struct vxlan_outer *o, const struct vxlan_flow *flow,
		struct packet *outer, uint16_t *ip_id)
{
	uint32_t udp_len = outer->len - o->udp;
	uint8_t *h = outer->header;

	fill_ip(o, flow, h + o->l3, udp_len, ip_id);
	store_be16(h + o->udp, flow->src_port);
	store_be16(h + o->udp + 4, udp_len);
	if (o->udp_csum != VXLAN_CSUM_ZERO)
		fill_udp_csum(o, outer, udp_len);
}

/* Of the IP packet; a socket's UDP payload has the same limit to spare. */
static bool fits(const struct vxlan_outer *o, uint32_t inner_len)
{
	uint32_t in_front = VXLAN_HEADER_LEN + UDP_LEN + IPV4_LEN;

	if (o->form == VXLAN_FRAME && o->ip_version == 6)
		in_front -= IPV4_LEN; /* its length leaves out the header */
	return inner_len <= UINT16_MAX - in_front;
}

int vxlan_encap(const struct vxlan_outer *o, const struct vxlan_flow *flow,
		uint32_t vni, struct packet *inner, struct vxlan_room *room,
		struct packet *outer)
{
	if (!packet_pull(inner, ETH_HEADER_LEN))
		return -EINVAL;
	if (inner->offload.gso)
		return -EOPNOTSUPP;
	if (!fits(o, inner->len))
		return -EMSGSIZE;
	if (!room->max)
		return -ENOSPC;
	if (!settle_csum(o, &inner, room->far))
		return -EBADMSG;
	packet_init(outer, NULL, o->len + inner->len);
	if (!borrow(outer, inner, room))
		return -ENOSPC;
	memcpy(outer->header, o->header, sizeof(o->header));
	outer->header_len = o->len;
	store_be32(outer->header + o->len - 4, vni << 8);
	if (inner->offload.csum_needed) {
		outer->offload.csum_needed = true;
		outer->offload.csum_start = inner->offload.csum_start + o->len;
		outer->offload.csum_offset = inner->offload.csum_offset;
	}
	if (o->form == VXLAN_FRAME)
		vxlan_fill(o, flow, outer, &room->ip_id);
	return 0;
}

int vxlan_segment_start(struct vxlan_segments *s, const struct vxlan_outer *o,
			const struct vxlan_flow *flow, uint32_t vni,
			uint16_t ip_id, const struct packet *inner)
{
	s->o = o;
	s->flow = *flow;
	s->vni = vni;
	s->room = (struct vxlan_room){ .ip_id = ip_id };
	vxlan_segments_clear(s);
	return gso_start(&s->gso, inner, !o->leave_inner_csum);
}

int vxlan_segment_next(struct vxlan_segments *s, struct packet **outerp)
{
	struct packet *segment, *outer;
	int r = gso_next(&s->gso, &s->inner, &segment);

	if (r <= 0)
		return r;
	/* As many as there are segments, and one piece more each. */
	outer = &s->outer[s->inner.n_packets - 1];
	s->room.segments = s->pieces + s->n_pieces;
	s->room.max = ARRAY_SIZE(s->pieces) - s->n_pieces;
	r = vxlan_encap(s->o, &s->flow, s->vni, segment, &s->room, outer);
	if (r)
		return r;
	s->n_pieces += outer->n_segments;
	*outerp = outer;
	return 1;
}

void vxlan_segments_clear(struct vxlan_segments *s)
{
	gso_scratch_clear(&s->inner);
	s->n_pieces = 0;
}
