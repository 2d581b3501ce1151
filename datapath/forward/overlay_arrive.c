/*
 * The way out of a tunnel. What comes to an underlay loses its outer headers
 * (tunnel/tunnel.h), and goes on as if it had come in by its remote's port.
 * What is none of VXLAN's, and where an unknown remote is, the control thread
 * hears.
 */
#include <netinet/in.h>

#include "forward/overlay_internal.h"
#include "packet/csum.h"
#include "packet/parse.h"

/* Outer packets, as they came to an underlay. */
struct arrival {
	const struct fwd_underlay *u;
	bool flooded; /* others got them, too */
	unsigned n;
	struct packet *const *packets;
	unsigned n_searched; /* of these, for unknown remotes */
};

#define OUTER_HEADERS_MAX (ETH_HEADER_LEN + 2 * VLAN_TAG_LEN + 40 + 16)

/* Where the IP source address is in n bytes of an outer frame, or NULL. */
static const uint8_t *source_of(const uint8_t *frame, uint32_t n, unsigned *len)
{
	unsigned at = 12;

	while (at + VLAN_TAG_LEN + 2 <= n &&
	       eth_type_is_vlan(load_be16(frame + at)))
		at += VLAN_TAG_LEN;
	if (n < at + 2 + 40)
		return NULL;
	switch (load_be16(frame + at)) {
	case ETH_TYPE_IPV4:
		*len = 4;
		return frame + at + 2 + 12;
	case ETH_TYPE_IPV6:
		*len = 16;
		return frame + at + 2 + 8;
	default:
		return NULL;
	}
}

/*
 * An unknown remote: the headers of the first of its packets, which may not be
 * private. Runs are in the order of packets, so each is looked at once.
 */
static __attribute__((noinline)) void punt_new_remote(
	const struct pipeline *pl, struct arrival *a,
	const struct fwd_tunnel *t, const struct tunnel_run *run)
{
	const struct tunnel_note note = { .what = TUNNEL_NEW_REMOTE,
					  .vni = run->vni };
	uint8_t frame[OUTER_HEADERS_MAX];
	struct packet headers;

	while (a->n_searched < a->n) {
		const struct packet *p = a->packets[a->n_searched++];
		uint32_t n = packet_read(p, 0, frame, sizeof(frame));
		unsigned len = 0;
		const uint8_t *ip = source_of(frame, n, &len);

		if (!ip || memcmp(ip, run->ip, len) != 0)
			continue;
		packet_init(&headers, frame, n);
		(void)overlay_punt(pl, &headers, PUNT_TUNNEL, t->id, &note,
				   false);
		return;
	}
}

static void drop_outer(const struct pipeline *pl, const struct arrival *a,
		       const struct packet *p, enum drop_reason reason)
{
	if (a->u->bridged)
		drop_out(pl, a->u->port, p, reason);
	else
		drop(pl, a->u->port, p, reason);
}

static __attribute__((noinline)) void drop_bad(
	const struct pipeline *pl, const struct arrival *a,
	const struct tunnel_failure *failed, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		/* Whose station is not known: that goes to all. */
		if (!a->flooded || failed[i].reason != DROP_ROUTE_OTHER)
			drop_outer(pl, a, failed[i].packet, failed[i].reason);
	}
}

/* What a station on a link has to hear of what goes to groups there. */
static bool concerns_station(const struct packet *p)
{
	const uint8_t *ip = p->header + ETH_HEADER_LEN;

	if (p->header_len < ETH_HEADER_LEN + 20)
		return false;
	switch (load_be16(p->header + 12)) {
	case ETH_TYPE_ARP:
		return true;
	case ETH_TYPE_IPV4:
		return ip[9] == IPPROTO_ICMP || ip[9] == IPPROTO_IGMP;
	case ETH_TYPE_IPV6: /* MLD is behind hop-by-hop options */
		return ip[6] == IPPROTO_ICMPV6 || ip[6] == IPPROTO_HOPOPTS;
	default:
		return false;
	}
}

static __attribute__((noinline)) void punt_others(const struct pipeline *pl,
						  const struct arrival *a,
						  struct packet *const others[],
						  unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct packet *p = others[i];
		enum punt_result result;

		if (!a->u->bridged) {
			drop_outer(pl, a, p, DROP_VXLAN_MALFORMED);
			continue;
		}
		if (p->header[0] & 1 && !concerns_station(p))
			continue;
		if (p->offload.csum_needed && !p->offload.gso)
			(void)!packet_finish_csum(p);
		result = overlay_punt(pl, p, PUNT_UNDERLAY, a->u->id, NULL,
				      gateway_is_of_link(p));
		if (result != PUNT_DONE)
			drop_outer(pl, a, p,
				   result == PUNT_LIMITED ? DROP_PUNT_LIMITED
							  : DROP_PUNT_FULL);
	}
}

/* The port by which a run comes into its overlay's bridge. */
static inline const struct fwd_port *port_of(const struct pipeline *pl,
					     struct arrival *a,
					     const struct tunnel_run *run)
{
	const struct fwd_tunnel *t = a->u->tunnels[run->tunnel];
	const struct fwd_port *in = NULL;

	if (likely(run->remote < t->n_remotes))
		in = t->remotes[run->remote];
	if (likely(in))
		return in;
	punt_new_remote(pl, a, t, run);
	return t->port;
}

/*
 * Whether untagged frames may be told to be of a VLAN, with nobody that looks
 * for the tag: no capture, nor what takes frames without tags from a link.
 */
static inline bool takes_vlan(const struct fwd_port *in, uint16_t vid)
{
	return in->accepts_tagged && !in->is_tunnel && !in->capture &&
	       !(in->punts & ~(1u << PUNT_NEIGHBOR)) &&
	       vlan_set_has(&in->vlans, vid);
}

/* They get their tags after all. */
static __attribute__((noinline)) void forward_tagged(struct pipeline *pl,
						     const struct fwd_port *in,
						     uint16_t vid,
						     struct packet *packets,
						     unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (likely(packet_vlan_push(&packets[i], ETH_TYPE_VLAN, vid)))
			continue;
		drop(pl, in, &packets[i], DROP_TOO_MANY_TAGS);
		if (i)
			pipeline_forward(pl, in, packets, i);
		packets += i + 1;
		n -= i + 1;
		i = -1;
	}
	if (n)
		pipeline_forward(pl, in, packets, n);
}

/* Counted as if they had them. */
static inline void forward_vlan(struct pipeline *pl, const struct fwd_port *in,
				uint16_t vid, struct packet *packets,
				unsigned n)
{
	struct port_counters *c = in->port->counters[pl->thread];

	if (unlikely(!takes_vlan(in, vid))) {
		forward_tagged(pl, in, vid, packets, n);
		return;
	}
	counter_add(&c->rx_bytes, n * VLAN_TAG_LEN);
	pipeline_forward_vlan(pl, in, vid, packets, n);
}

static inline void forward_run(struct pipeline *pl, struct arrival *a,
			       const struct tunnel_run *run)
{
	const struct fwd_port *in = port_of(pl, a, run);
	struct packet *packets = run->first;
	unsigned n = run->n;

	while (n) {
		unsigned some = MIN(n, PACKET_BURST_MAX);

		if (run->vid)
			forward_vlan(pl, in, run->vid, packets, some);
		else
			pipeline_forward(pl, in, packets, some);
		packets += some;
		n -= some;
	}
}

static void unpack(struct pipeline *pl, struct arrival *a)
{
	struct tunnel_scratch *scratch = overlay_begin(pl, a->u);
	struct tunnel_received r;

	pl->depth++;
	do {
		tunnel_decap(a->u->demux, a->packets, a->n, a->flooded, scratch,
			     &r);
		a->n_searched = 0;
		if (unlikely(r.n_failed))
			drop_bad(pl, a, r.failed, r.n_failed);
		if (unlikely(r.n_others))
			punt_others(pl, a, r.others, r.n_others);
		for (unsigned i = 0; i < r.n_runs; i++)
			forward_run(pl, a, &r.runs[i]);
		a->packets += r.n_taken;
		a->n -= r.n_taken;
	} while (unlikely(a->n));
	pl->depth--;
	overlay_end(pl);
}

void overlay_arrive(struct pipeline *pl, const struct fwd_port *out,
		    struct packet *const packets[], unsigned n, bool shared)
{
	struct arrival a = { out->underlay, shared, n, packets, 0 };

	if (unlikely(overlay_is_inside(pl, a.u))) {
		overlay_drop_all(pl, out, packets, n, DROP_TUNNEL_LOOP);
		return;
	}
	if (unlikely(!pipeline_descend(pl, out, packets, n)))
		return;
	pipeline_count_sent(out, pl->thread, packets, n);
	unpack(pl, &a);
}

void overlay_arrive_all(struct pipeline *pl, const struct fwd_port *out,
			struct packet *const packets[], unsigned n,
			uint64_t bytes)
{
	struct port_counters *c = out->port->counters[pl->thread];
	struct arrival a = { out->underlay, false, n, packets, 0 };

	if (unlikely(overlay_is_inside(pl, a.u) ||
		     !pipeline_may_descend(pl, n))) {
		overlay_arrive(pl, out, packets, n, false);
		return;
	}
	counter_add(&c->tx_packets, n);
	counter_add(&c->tx_bytes, bytes);
	unpack(pl, &a);
}

void overlay_receive(struct pipeline *pl, const struct fwd_port *in,
		     struct packet *packets, unsigned n)
{
	struct port_counters *c = in->port->counters[pl->thread];
	struct stage *s = pl->stages[0];
	struct arrival a = { in->underlay, false, n, s->sending, 0 };
	uint64_t bytes = 0;

	s->in = s->as = in;
	for (unsigned i = 0; i < n; i++) {
		bytes += packets[i].len;
		s->sending[i] = &packets[i];
		if (unlikely(in->capture))
			capture_packet(in->capture, &packets[i], CAPTURE_IN);
	}
	counter_add(&c->rx_packets, n);
	counter_add(&c->rx_bytes, bytes);
	pl->copies_left = n * PATCH_COPIES_MAX;
	if (likely(n))
		unpack(pl, &a);
}
