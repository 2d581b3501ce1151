#include "forward/filters.h"

#include "base/ticks.h"
#include "forward/trace.h"
#include "policy/acl.h"
#include "policy/storm.h"
#include "shape/wire_bytes.h"

static const enum drop_reason storm_reasons[N_STORM_KINDS] = {
	[STORM_BROADCAST] = DROP_STORM_BROADCAST,
	[STORM_MULTICAST] = DROP_STORM_MULTICAST,
	[STORM_UNKNOWN] = DROP_STORM_UNKNOWN,
};

static int take(struct storm *storm, enum storm_kind kind,
		const struct packet *p)
{
	if (!storm_limits(storm, kind) ||
	    storm_take(storm, kind, wire_size(p).frames, ticks_now()))
		return -1;
	return storm_reasons[kind];
}

/* A frame to a group: of the limits, that which it comes under. */
static int judge_group(struct storm *storm, const struct packet *p)
{
	bool all = load_mac(p->header) == MAC_BROADCAST;

	return take(storm, all ? STORM_BROADCAST : STORM_MULTICAST, p);
}

static inline bool acl_lets(struct pipeline *pl, const struct acl *acl,
			    const struct fwd_port *port, bool leaves,
			    struct packet *p, uint16_t vid)
{
	if (unlikely(pl->trace != NULL))
		return trace_acl(pl, acl, port, leaves, p, vid);
	return acl_judge(acl, p, vid, pl->thread) == ACL_ALLOWED;
}

/* A drop reason, or -1: it goes on. */
static int judge(struct pipeline *pl, const struct stage *s,
		 const struct fwd_ingress *ingress, const struct item *item)
{
	struct packet *p = item->packet;

	if (ingress->acl &&
	    !acl_lets(pl, ingress->acl, s->as, false, p, item->vlan.vid))
		return DROP_ACL_IN;
	if (ingress->storm && p->header[0] & 1)
		return judge_group(ingress->storm, p);
	return -1;
}

/* Whether its sender was to be learned, and was not for the port's limit. */
static bool is_over_limit(const struct fwd_port *in, const struct item *item)
{
	const struct fdb *fdb = in->bridge->fdb;

	if (!in->learns || !fdb_port_is_full(fdb, in->number))
		return false;
	if (in->bridge->no_learn_vlans &&
	    vlan_set_has(&in->bridge->flood_vlans, item->vlan.vid))
		return false;
	return fdb_lookup(fdb, item->src) != in->number;
}

static int judge_found(const struct stage *s, const struct fwd_ingress *ingress,
		       const struct item *item)
{
	const struct packet *p = item->packet;

	if (ingress->drops_unlearned && is_over_limit(s->in, item))
		return DROP_MAC_LIMIT;
	if (ingress->storm && !item->out && !(p->header[0] & 1))
		return take(ingress->storm, STORM_UNKNOWN, p);
	return -1;
}

void filters_in_burst(struct pipeline *pl, struct stage *s)
{
	const struct fwd_ingress *ingress = s->as->ingress;
	unsigned n = 0;

	for (unsigned i = 0; i < s->n_items; i++) {
		int reason = judge(pl, s, ingress, &s->items[i]);

		if (unlikely(reason >= 0))
			drop_violation(pl, s->in, &s->items[i], reason);
		else if (likely(n++ == i))
			continue;
		else
			s->items[n - 1] = s->items[i];
	}
	s->n_items = n;
}

void filters_found_burst(struct pipeline *pl, struct stage *s)
{
	const struct fwd_ingress *ingress = s->as->ingress;
	unsigned n = 0;

	for (unsigned i = 0; i < s->n_items; i++) {
		int reason = judge_found(s, ingress, &s->items[i]);

		if (unlikely(reason >= 0))
			drop_violation(pl, s->in, &s->items[i], reason);
		else if (likely(n++ == i))
			continue;
		else
			s->items[n - 1] = s->items[i];
	}
	s->n_items = n;
}

uint16_t filters_vid_out(const struct fwd_port *out, const struct packet *p)
{
	uint16_t vid = 0;

	if (eth_type_is_vlan(load_be16(p->header + 12)))
		vid = load_be16(p->header + 14) & VLAN_VID_MASK;
	/* A tag that is the customer's own business is none of ours. */
	if (vid && vlan_set_has(&out->vlans, vid))
		return vid;
	return out->untagged_vid == VLAN_VID_NONE ? 0 : out->untagged_vid;
}

unsigned filters_out(struct pipeline *pl, const struct fwd_port *out,
		     struct packet *const packets[], unsigned n,
		     struct packet *kept[])
{
	const struct acl *acl = out->egress->acl;
	unsigned n_kept = 0;

	for (unsigned i = 0; i < n; i++) {
		struct packet *p = packets[i];
		uint16_t vid = filters_vid_out(out, p);

		if (acl_lets(pl, acl, out, true, p, vid))
			kept[n_kept++] = p;
		else
			drop_violation_out(pl, out, p, vid, DROP_ACL_OUT);
	}
	return n_kept;
}
