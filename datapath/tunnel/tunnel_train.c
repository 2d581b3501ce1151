/*
 * A large frame as trains: its segments (gso.h), each behind a VXLAN header, as
 * the payload of a few large UDP packets that the stage behind cuts (USO).
 */
#include "tunnel/tunnel_internal.h"

#include <errno.h>

#define SEGMENTS_MAX 64 /* UDP_MAX_SEGMENTS of older kernels */

/* One outer packet that is being made. */
struct train {
	const struct vxlan_outer *o;
	const struct vxlan_flow *flow;
	struct tunnel_out *out;
	uint32_t vni;
	struct packet *outer; /* NULL: none is open */
	uint32_t n, n_max;    /* datagrams */
	uint32_t size;	      /* of the first; the payload of UDP */
};

static bool train_open(struct train *t, const struct packet *segment)
{
	struct tunnel_out *out = t->out;
	uint32_t room = UINT16_MAX - UDP_LEN;

	if (t->o->ip_version == 4)
		room -= IPV4_LEN;
	t->size = VXLAN_HEADER_LEN + segment->len;
	if (out->n_outer == TUNNEL_PACKETS || t->size > room)
		return false;
	t->n = 0;
	t->n_max = MIN(room / t->size, (uint32_t)SEGMENTS_MAX);
	t->outer = &out->outer[out->n_outer];
	out->list[out->n_outer++] = t->outer;
	packet_init(t->outer, NULL, t->o->len - VXLAN_HEADER_LEN);
	memcpy(t->outer->header, t->o->header, sizeof(t->o->header));
	t->outer->header_len = t->outer->len;
	t->outer->segments = out->pieces + out->n_pieces;
	t->outer->n_segments = 0;
	return true;
}

/* The VXLAN header goes in front of the headers that the segment has. */
static bool train_add(struct train *t, struct packet *segment)
{
	uint8_t *vxlan = segment->header - VXLAN_HEADER_LEN;
	struct tunnel_out *out = t->out;
	struct packet_segment *to = out->pieces + out->n_pieces;
	unsigned n = 1 + segment->n_segments;

	if (TUNNEL_PIECES - out->n_pieces < n)
		return false;
	store_be32(vxlan, (uint32_t)VXLAN_FLAG_VNI << 24);
	store_be32(vxlan + 4, t->vni << 8);
	to[0].data = vxlan;
	to[0].len = VXLAN_HEADER_LEN + segment->header_len;
	memcpy(to + 1, segment->segments, (n - 1) * sizeof(*to));
	out->n_pieces += n;
	t->outer->n_segments += n;
	t->outer->len += VXLAN_HEADER_LEN + segment->len;
	t->n++;
	return true;
}

static void train_close(struct train *t)
{
	struct packet_offload *o = &t->outer->offload;
	const struct vxlan_outer *outer = t->o;
	struct vxlan_outer left;

	if (t->n == 1) {
		vxlan_fill(outer, t->flow, t->outer, &t->out->ip_id);
		t->outer = NULL;
		return;
	}
	/* A train's checksum is always left, were it not to be there. */
	left = *outer;
	left.udp_csum = VXLAN_CSUM_LEFT;
	vxlan_fill(&left, t->flow, t->outer, &t->out->ip_id);
	if (outer->ip_version == 4 && !outer->dont_fragment)
		t->out->ip_id += t->n - 1;
	o->csum_optional = outer->udp_csum == VXLAN_CSUM_ZERO;
	o->gso = PACKET_GSO_UDP;
	o->gso_size = t->size;
	t->outer = NULL;
}

static int put_segment(struct train *t, struct packet *segment)
{
	if (!t->outer && !train_open(t, segment))
		return -EMSGSIZE;
	if (!train_add(t, segment))
		return -ENOSPC;
	if (t->n == t->n_max)
		train_close(t);
	return 0;
}

int tunnel_put_trains(struct tunnel_out *out, const struct vxlan_outer *o,
		      const struct vxlan_flow *flow, uint32_t vni,
		      const struct packet *p)
{
	struct tunnel_segments *s = &out->segments;
	struct train t = { .o = o, .flow = flow, .out = out, .vni = vni };
	struct packet *segment;
	struct gso gso;
	int r = gso_start(&gso, p, true);

	if (r)
		return -EBADMSG;
	while (s->n < TUNNEL_BATCHES) {
		struct gso_scratch *batch = &s->batches[s->n++];

		gso_scratch_clear(batch);
		while ((r = gso_next(&gso, batch, &segment)) > 0) {
			r = put_segment(&t, segment);
			if (r)
				return r;
		}
		if (r != -ENOSPC)
			break;
	}
	if (!r && t.outer)
		train_close(&t);
	return r;
}
