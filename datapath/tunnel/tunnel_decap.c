/* Received outer packets into runs of inner frames. */
#include "tunnel/tunnel_internal.h"

#include <errno.h>

#include "packet/vlan.h"

static const uint8_t reasons[N_VXLAN_FAULTS] = {
	[VXLAN_MALFORMED] = DROP_VXLAN_MALFORMED,
	[VXLAN_IP_CSUM] = DROP_VXLAN_CHECKSUM,
	[VXLAN_FLAGS] = DROP_VXLAN_FLAGS,
	[VXLAN_RUNT] = DROP_VXLAN_MALFORMED,
	[VXLAN_FRAGMENT] = DROP_VXLAN_FRAGMENT,
	[VXLAN_UDP_CSUM] = DROP_VXLAN_CHECKSUM,
	[VXLAN_TAG] = DROP_VXLAN_TAG,
	[VXLAN_ECN] = DROP_VXLAN_ECN,
	[VXLAN_OFFLOAD] = DROP_BAD_OFFLOAD,
	[VXLAN_ROOM] = DROP_VXLAN_MALFORMED,
};
_Static_assert(N_DROP_REASONS <= UINT8_MAX, "they fit");

static void fail(struct tunnel_in *in, struct packet *p,
		 enum drop_reason reason)
{
	in->failed[in->n_failed++] =
		(struct tunnel_failure){ .packet = p, .reason = reason };
}

static bool is_local(const struct tunnel_demux *d, const uint8_t ip[16])
{
	for (unsigned i = 0; i < d->n_locals; i++)
		if (!memcmp(d->locals[i], ip, 16))
			return true;
	return false;
}

/* Of its Ethernet header alone. */
static bool is_for_us(const struct tunnel_demux *d, struct packet *p)
{
	uint64_t mac;

	packet_pull_first(p);
	if (!d->local_mac || p->header_len < ETH_HEADER_LEN)
		return true;
	mac = load_mac(p->header);
	return mac == d->local_mac || mac_is_multicast(mac);
}

/* The run that the next inner frame belongs to. */
static void join_run(struct tunnel_in *in, const struct vxlan_info *info,
		     const struct tunnel_owner *owner)
{
	struct tunnel_run *run = &in->runs[in->n_runs - 1];

	if (in->n_runs && run->tunnel == owner->tunnel &&
	    run->remote == owner->remote &&
	    (run->remote != TUNNEL_NO_REMOTE ||
	     (run->vni == info->vni && !memcmp(run->ip, info->src_ip, 16)))) {
		run->n++;
		return;
	}
	run = &in->runs[in->n_runs++];
	*run = (struct tunnel_run){ .tunnel = owner->tunnel,
				    .remote = owner->remote,
				    .first = &in->inner[in->n_inner],
				    .n = 1,
				    .vni = info->vni };
	memcpy(run->ip, info->src_ip, 16);
}

/* Everything that is right by itself: is it also for us, and whose? */
static enum drop_reason accept(const struct tunnel_demux *d,
			       const struct vxlan_info *info,
			       struct packet *inner, struct tunnel_owner *owner)
{
	enum drop_reason reason;

	if (d->n_locals && is_local(d, info->src_ip))
		return DROP_VXLAN_SELF;
	reason = tunnel_demux_find(d, info, owner);
	if (reason != N_DROP_REASONS)
		return reason;
	if (!owner->keep_tag && eth_type_is_vlan(load_be16(inner->header + 12)))
		return DROP_VXLAN_TAG;
	if (owner->vid && !packet_vlan_push(inner, ETH_TYPE_VLAN, owner->vid))
		return DROP_VXLAN_MALFORMED;
	return N_DROP_REASONS;
}

static void take_one(const struct tunnel_demux *d, struct packet *p,
		     struct tunnel_in *in)
{
	struct vxlan_room room = { .segments = in->pieces + in->n_pieces,
				   .max = TUNNEL_PIECES - in->n_pieces };
	struct packet *inner = &in->inner[in->n_inner];
	struct tunnel_owner owner;
	struct vxlan_info info;
	enum vxlan_fault fault;
	enum drop_reason reason;

	fault = vxlan_decap(&d->rules, p, &room, inner, &info);
	if (fault == VXLAN_NOT_VXLAN ||
	    (info.ip_version && info.ip_version != d->ip_version) ||
	    (info.ip_version && d->n_locals && !is_local(d, info.dst_ip))) {
		in->others[in->n_others++] = p;
		return;
	}
	reason = fault ? reasons[fault] : accept(d, &info, inner, &owner);
	if (reason != N_DROP_REASONS) {
		fail(in, p, reason);
		return;
	}
	if (inner->segments == room.segments)
		in->n_pieces += inner->n_segments;
	join_run(in, &info, &owner);
	in->n_inner++;
}

/* A train: each of its datagrams, whose checksums the train's stands for. */
static void take_train(const struct tunnel_demux *d, struct packet *p,
		       struct tunnel_in *in)
{
	struct tunnel_segments *s = &in->segments;
	struct packet *segment;
	struct gso gso;
	int r = gso_start(&gso, p, false);

	while (!r && s->n < TUNNEL_BATCHES) {
		struct gso_scratch *batch = &s->batches[s->n++];

		gso_scratch_clear(batch);
		while ((r = gso_next(&gso, batch, &segment)) > 0)
			take_one(d, segment, in);
		if (!r)
			return;
		if (r == -ENOSPC)
			r = 0;
	}
	fail(in, p, DROP_BAD_OFFLOAD);
}

/* Whether it may be a train of ours; what becomes of it is seen later. */
static bool is_train(const struct packet *p)
{
	return p->offload.gso == PACKET_GSO_UDP;
}

/* There always is for the first. */
static bool has_room(const struct tunnel_in *in, const struct packet *p)
{
	unsigned results = in->n_inner + in->n_failed + in->n_others;

	if (is_train(p))
		return !in->segments.n && results < PACKET_BURST_MAX;
	return results < TUNNEL_PACKETS &&
	       TUNNEL_PIECES - in->n_pieces >= p->n_segments;
}

void tunnel_decap(const struct tunnel_demux *d, struct packet *const packets[],
		  unsigned n, bool shared, struct tunnel_scratch *scratch,
		  struct tunnel_received *received)
{
	struct tunnel_in *in = &scratch->in;
	unsigned i;

	in->n_inner = in->n_runs = in->n_failed = 0;
	in->n_others = in->n_pieces = in->segments.n = 0;
	for (i = 0; i < n; i++) {
		struct packet *p = packets[i];

		if (i && !has_room(in, p))
			break;
		if (!is_for_us(d, p))
			fail(in, p, DROP_ROUTE_OTHER);
		else if (is_train(p))
			take_train(d, p, in);
		else
			take_one(d, p, in);
	}
	*received = (struct tunnel_received){ .n_taken = i,
					      .n_runs = in->n_runs,
					      .runs = in->runs,
					      .n_failed = in->n_failed,
					      .failed = in->failed,
					      .n_others = in->n_others,
					      .others = in->others };
}
