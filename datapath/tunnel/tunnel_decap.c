/* Received outer packets into runs of inner frames. */
#include "tunnel/tunnel_internal.h"

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

enum drop_reason tunnel_reason(enum vxlan_fault fault)
{
	return reasons[fault];
}

void tunnel_fail(struct tunnel_in *in, struct packet *p,
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

	/* As many as will be looked at, in one copy. */
	packet_pull(p, PACKET_PULL_MAX);
	if (!d->local_mac || p->header_len < ETH_HEADER_LEN)
		return true;
	mac = load_mac(p->header);
	return mac == d->local_mac || mac_is_multicast(mac);
}

bool tunnel_goes_on(const struct tunnel_in *in, const struct vxlan_info *info,
		    const struct tunnel_owner *owner)
{
	const struct tunnel_run *run;

	if (!in->n_runs)
		return false;
	run = &in->runs[in->n_runs - 1];
	return run->tunnel == owner->tunnel && run->remote == owner->remote &&
	       run->vid == owner->beside &&
	       (run->remote != TUNNEL_NO_REMOTE ||
		(run->vni == info->vni && !memcmp(run->ip, info->src_ip, 16)));
}

void tunnel_begin_run(struct tunnel_in *in, const struct vxlan_info *info,
		      const struct tunnel_owner *owner)
{
	struct tunnel_run *run;

	/* One that began with a frame that was refused after all. */
	if (in->n_runs && !in->runs[in->n_runs - 1].n)
		in->n_runs--;
	run = &in->runs[in->n_runs++];
	*run = (struct tunnel_run){ .tunnel = owner->tunnel,
				    .remote = owner->remote,
				    .first = &in->inner[in->n_inner],
				    .vid = owner->beside,
				    .vni = info->vni };
	memcpy(run->ip, info->src_ip, 16);
}

enum drop_reason tunnel_find_owner(const struct tunnel_demux *d,
				   struct tunnel_in *in,
				   const struct vxlan_info *info,
				   struct tunnel_owner *owner)
{
	struct tunnel_found *f = &in->found;

	if (f->vni != info->vni || memcmp(f->ip, info->src_ip, 16) != 0) {
		f->vni = info->vni;
		memcpy(f->ip, info->src_ip, 16);
		f->reason = d->n_locals && is_local(d, info->src_ip)
				    ? DROP_VXLAN_SELF
				    : tunnel_demux_find(d, info, &f->owner);
	}
	*owner = f->owner;
	return f->reason;
}

__attribute__((always_inline)) static inline enum drop_reason accept_as(
	struct tunnel_in *in, const struct vxlan_info *info,
	const struct tunnel_owner *owner)
{
	struct packet *inner = &in->inner[in->n_inner];

	if (owner->unfinished_mtu)
		tunnel_take_unfinished(inner, owner->unfinished_mtu);
	if (!tunnel_goes_on(in, info, owner)) {
		coalesce_end(&in->coalesce);
		tunnel_begin_run(in, info, owner);
	}
	/* One remote's may differ. */
	if (info->vni != in->vni)
		coalesce_end(&in->coalesce);
	in->vni = info->vni;
	if (coalesce_add(&in->coalesce, inner))
		return N_DROP_REASONS;
	if (owner->vid && !packet_vlan_push(inner, ETH_TYPE_VLAN, owner->vid))
		return DROP_VXLAN_MALFORMED;
	in->runs[in->n_runs - 1].n++;
	in->n_inner++;
	return N_DROP_REASONS;
}

/* Of tags of its own, where they are kept: the network's is in front of them.
 */
static __attribute__((noinline)) enum drop_reason accept_tagged(
	struct tunnel_in *in, const struct vxlan_info *info,
	const struct tunnel_owner *owner)
{
	struct tunnel_owner o = *owner;

	if (!owner->keep_tag)
		return DROP_VXLAN_TAG;
	o.vid |= o.beside;
	o.beside = 0;
	return accept_as(in, info, &o);
}

enum drop_reason tunnel_accept(struct tunnel_in *in,
			       const struct vxlan_info *info,
			       const struct tunnel_owner *owner)
{
	const struct packet *inner = &in->inner[in->n_inner];

	if (unlikely(eth_type_is_vlan(load_be16(inner->header + 12))))
		return accept_tagged(in, info, owner);
	return accept_as(in, info, owner);
}

bool tunnel_is_other(const struct tunnel_demux *d, enum vxlan_fault fault,
		     const struct vxlan_info *info)
{
	if (fault == VXLAN_NOT_VXLAN)
		return true;
	return info->ip_version &&
	       (info->ip_version != d->ip_version ||
		(d->n_locals && !is_local(d, info->dst_ip)));
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
	if (tunnel_is_other(d, fault, &info)) {
		in->others[in->n_others++] = p;
		return;
	}
	if (fault) {
		tunnel_fail(in, p, tunnel_reason(fault));
		return;
	}
	if (inner->segments == room.segments)
		in->n_pieces += inner->n_segments;
	reason = tunnel_find_owner(d, in, &info, &owner);
	if (reason == N_DROP_REASONS)
		reason = tunnel_accept(in, &info, &owner);
	if (reason != N_DROP_REASONS)
		tunnel_fail(in, p, reason);
}

/* Whether it may be a train of ours; what becomes of it is seen later. */
static bool is_train(const struct packet *p)
{
	return p->offload.gso == PACKET_GSO_UDP;
}

/* There always is for the first. */
static bool has_room(const struct tunnel_in *in, const struct packet *p)
{
	unsigned results = in->n_inner + in->n_failed + in->n_others, n = 1;

	if (is_train(p))
		n = p->len / MAX(p->offload.gso_size, 1) + 1;
	return results + n <= TUNNEL_PACKETS &&
	       in->n_pieces + n + p->n_segments <= TUNNEL_PIECES;
}

void tunnel_decap(const struct tunnel_demux *d, struct packet *const packets[],
		  unsigned n, bool shared, struct tunnel_scratch *scratch,
		  struct tunnel_received *received)
{
	struct tunnel_in *in = &scratch->in;
	unsigned i;

	in->n_inner = in->n_runs = in->n_failed = 0;
	in->n_others = in->n_pieces = 0;
	in->found.vni = VTEP_NO_VNI;
	coalesce_init(&in->coalesce, in->joined, TUNNEL_PIECES);
	for (i = 0; i < n; i++) {
		struct packet *p;

		if (d->plain && scratch->avx2)
			i += tunnel_plain_decap(d, in, packets + i, n - i);
		if (i == n)
			break;
		p = packets[i];
		if (i && !has_room(in, p))
			break;
		if (!is_for_us(d, p))
			tunnel_fail(in, p, DROP_ROUTE_OTHER);
		else if (is_train(p))
			tunnel_take_train(d, p, in);
		else
			take_one(d, p, in);
	}
	coalesce_end(&in->coalesce);
	if (in->n_runs && !in->runs[in->n_runs - 1].n)
		in->n_runs--;
	*received = (struct tunnel_received){ .n_taken = i,
					      .n_runs = in->n_runs,
					      .runs = in->runs,
					      .n_failed = in->n_failed,
					      .failed = in->failed,
					      .n_others = in->n_others,
					      .others = in->others };
}
