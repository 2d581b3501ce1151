/* Bursts of frames into the outer packets of one remote VTEP. */
#include "tunnel/tunnel_internal.h"

#include <errno.h>

#include "packet/parse.h"

static void fail(struct tunnel_out *out, struct packet *p,
		 enum drop_reason reason)
{
	out->failed[out->n_failed++] =
		(struct tunnel_failure){ .packet = p, .reason = reason };
}

static enum drop_reason reason_of(int error)
{
	switch (error) {
	case -EMSGSIZE:
		return DROP_TUNNEL_TOO_BIG;
	case -EINVAL:
		return DROP_RUNT;
	default:
		return DROP_TX_OFFLOAD;
	}
}

/* Whether its checksum may be where no private header reaches. */
static bool may_need_far(const struct packet *p)
{
	return p->offload.csum_needed &&
	       p->offload.csum_start + p->offload.csum_offset + 2u >
		       PACKET_PULL_MAX - PACKET_HEADROOM;
}

/*
 * The VNI, and the tag off that said it, which is in *tag then; of untagged
 * frames that of VLAN 0.
 */
static enum drop_reason take_vni(struct tunnel_way *w, struct packet *p,
				 uint32_t *tag)
{
	bool tagged;

	*tag = 0;
	if (!w->by_tag)
		return w->vni == VTEP_NO_VNI ? DROP_TUNNEL_NO_VNI
					     : N_DROP_REASONS;
	if (!w->t->table || !packet_pull(p, ETH_HEADER_LEN + VLAN_TAG_LEN))
		return DROP_TUNNEL_NO_VNI;
	tagged = eth_type_is_vlan(load_be16(p->header + 12));
	w->vni = vtep_table_vni(
		w->t->table, tagged ? VLAN_VID(load_be16(p->header + 14)) : 0);
	if (w->vni == VTEP_NO_VNI)
		return DROP_TUNNEL_NO_VNI;
	if (tagged) {
		*tag = load_be32(p->header + 12);
		packet_vlan_pop(p);
	}
	return N_DROP_REASONS;
}

/* There is room: it was taken from there. */
static void put_tag_back(struct packet *p, uint32_t tag)
{
	(void)!packet_vlan_push(p, tag >> 16, (uint16_t)tag);
}

static bool too_big(const struct tunnel_way *w, const struct packet *p)
{
	uint32_t len = p->len, max = w->e->mtu + ETH_HEADER_LEN;

	if (p->offload.gso)
		len = packet_gso_segment_len(p);
	/* The tag that says the VNI is taken off, any other is carried. */
	if (w->by_tag && packet_l2_len(p, 1) == ETH_HEADER_LEN + VLAN_TAG_LEN)
		max += VLAN_TAG_LEN;
	return w->e->mtu && len > max;
}

/* As vxlan_encap(). */
static int put_one(struct tunnel_way *w, const struct vxlan_flow *flow,
		   struct packet *p)
{
	struct tunnel_out *out = w->out;
	struct vxlan_room room = { .segments = out->pieces + out->n_pieces,
				   .max = TUNNEL_PIECES - out->n_pieces,
				   .ip_id = out->ip_id };
	struct packet *outer = &out->outer[out->n_outer];
	int r;

	if (out->n_outer == TUNNEL_PACKETS)
		return -ENOSPC;
	if (may_need_far(p) && out->n_far < TUNNEL_FAR)
		room.far = &out->far[out->n_far++];
	r = vxlan_encap(&w->e->outer, flow, w->vni, p, &room, outer);
	if (r)
		return r;
	out->ip_id = room.ip_id;
	out->n_pieces += outer->n_segments;
	out->list[out->n_outer++] = outer;
	return 0;
}

/* One datagram, which the inner frame's sender left to be fragmented. */
static int put_fragments(struct tunnel_way *w, const struct vxlan_flow *flow,
			 const struct packet *p)
{
	struct tunnel_segments *s = &w->out->segments;
	struct packet *segment;
	struct gso gso;
	int r = gso_start(&gso, p, !w->e->outer.leave_inner_csum);

	if (r)
		return -EBADMSG;
	while (s->n < TUNNEL_BATCHES) {
		struct gso_scratch *batch = &s->batches[s->n++];

		gso_scratch_clear(batch);
		while ((r = gso_next(&gso, batch, &segment)) > 0) {
			r = put_one(w, flow, segment);
			if (r)
				return r;
		}
		if (r != -ENOSPC)
			return r;
	}
	return r;
}

static int put(struct tunnel_way *w, struct packet *p)
{
	struct tunnel_out *out = w->out;
	unsigned n_outer = out->n_outer, n_pieces = out->n_pieces;
	unsigned n_batches = out->segments.n;
	struct vxlan_flow flow;
	int r;

	vxlan_flow_of(p, w->t->seed, &flow);
	if (!p->offload.gso)
		return put_one(w, &flow, p);
	if (p->offload.gso == PACKET_GSO_UFO)
		r = put_fragments(w, &flow, p);
	else
		r = tunnel_put_trains(out, &w->e->outer, &flow, w->vni, p);
	if (r) {
		out->n_outer = n_outer;
		out->n_pieces = n_pieces;
		out->segments.n = n_batches;
	}
	return r;
}

static bool has_segments(const struct tunnel_out *out, const struct packet *p)
{
	uint32_t n = p->len / MAX(p->offload.gso_size, 1) + 1;
	uint32_t pieces = 2 * n + p->n_segments;
	unsigned batches = n / GSO_BATCH + pieces / GSO_PIECES + 2;

	return !out->n_outer || (out->segments.n + batches <= TUNNEL_BATCHES &&
				 out->n_outer + n <= TUNNEL_PACKETS &&
				 out->n_pieces + pieces <= TUNNEL_PIECES &&
				 (out->n_far < TUNNEL_FAR || !may_need_far(p)));
}

/* Whether all is there that a packet may need; it always is for the first. */
static bool has_room(const struct tunnel_out *out, const struct packet *p)
{
	if (p->offload.gso)
		return has_segments(out, p);
	return out->n_outer < TUNNEL_PACKETS &&
	       TUNNEL_PIECES - out->n_pieces > p->n_segments &&
	       (out->n_far < TUNNEL_FAR || !may_need_far(p));
}

/* Whether it was taken, for good or bad. */
static bool encap_one(struct tunnel_way *w, struct packet *p)
{
	struct tunnel_out *out = w->out;
	struct packet *inner = p;
	enum drop_reason reason;
	uint32_t tag;
	int r;

	packet_pull_first(p);
	if (!has_room(out, p))
		return false;
	if (w->shared) {
		inner = &out->copies[out->n_copies++];
		packet_copy(inner, p);
	}
	/* With its tag on: whoever tells the sender needs it. */
	reason = too_big(w, inner) ? DROP_TUNNEL_TOO_BIG
				   : take_vni(w, inner, &tag);
	if (reason != N_DROP_REASONS) {
		fail(out, p, reason);
		return true;
	}
	r = put(w, inner);
	if (unlikely(r)) {
		/* As it came: it is counted, and may be told of. */
		if (tag && !w->shared)
			put_tag_back(inner, tag);
		fail(out, p, reason_of(r));
	}
	return true;
}

static enum drop_reason refused(const struct tunnel *t, uint32_t remote)
{
	if (remote >= t->n_remotes)
		return DROP_TUNNEL_NO_REMOTE;
	if (!t->remotes[remote].resolved)
		return DROP_TUNNEL_UNRESOLVED;
	return N_DROP_REASONS;
}

static void begin(struct tunnel_out *out)
{
	out->n_outer = out->n_failed = out->n_pieces = 0;
	out->n_copies = out->n_far = out->segments.n = 0;
}

/* vni: of all frames; by_tag: of none yet. */
__attribute__((always_inline)) static inline void encap_burst(
	const struct tunnel *t, uint32_t remote, uint32_t vni, bool by_tag,
	struct packet *const packets[], unsigned n, bool shared,
	struct tunnel_scratch *scratch, struct tunnel_sent *sent)
{
	struct tunnel_out *out = &scratch->out;
	enum drop_reason reason = refused(t, remote);
	struct tunnel_way w = { .t = t,
				.out = out,
				.shared = shared,
				.by_tag = by_tag,
				.vni = vni };
	unsigned i;

	n = MIN(n, (unsigned)PACKET_BURST_MAX);
	begin(out);
	if (reason == N_DROP_REASONS)
		w.e = &t->remotes[remote];
	for (i = 0; i < n; i++) {
		if (w.e && w.e->plain && scratch->avx2)
			i += tunnel_plain_encap(&w, packets + i, n - i);
		if (i == n)
			break;
		if (reason != N_DROP_REASONS)
			fail(out, packets[i], reason);
		else if (!encap_one(&w, packets[i]))
			break;
	}
	*sent = (struct tunnel_sent){ .n_taken = i,
				      .n_outer = out->n_outer,
				      .outer = out->list,
				      .n_failed = out->n_failed,
				      .failed = out->failed };
}

void tunnel_encap(const struct tunnel *t, uint32_t remote,
		  struct packet *const packets[], unsigned n, bool shared,
		  struct tunnel_scratch *scratch, struct tunnel_sent *sent)
{
	encap_burst(t, remote, t->vni, t->vni == VTEP_NO_VNI, packets, n,
		    shared, scratch, sent);
}

void tunnel_encap_vlan(const struct tunnel *t, uint32_t remote, uint16_t vid,
		       struct packet *const packets[], unsigned n, bool shared,
		       struct tunnel_scratch *scratch, struct tunnel_sent *sent)
{
	uint32_t vni = t->vni;

	if (vni == VTEP_NO_VNI && t->table)
		vni = vtep_table_vni(t->table, vid);
	encap_burst(t, remote, vni, false, packets, n, shared, scratch, sent);
}
