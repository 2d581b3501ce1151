/*
 * The way through tunnels. What is sent to a VXLAN port, or to a remote VTEP of
 * one, gets its outer headers (tunnel/tunnel.h) and leaves by the underlay: by
 * the underlay's own port, or from a station into another bridge, as a gateway
 * would send it (gateway.c). What comes to an underlay loses them, and goes on
 * as if it had come in by its remote's port.
 *
 * A frame to all goes to each remote of its flood list (head-end replication,
 * RFC 8365 5.1.3): a burst for each, of other headers around the same bytes.
 *
 * Nothing enters a tunnel, or comes out of an underlay, on its way from that.
 */
#include <netinet/in.h>

#include "forward/stage.h"
#include "packet/csum.h"
#include "packet/parse.h"
#include "packet/vlan.h"
#include "tunnel/tunnel.h"

/* --- levels -------------------------------------------------------------- */

static bool is_inside(const struct pipeline *pl, const void *tunnel)
{
	for (unsigned i = 0; i < pl->n_inside; i++)
		if (pl->inside[i] == tunnel)
			return true;
	return pl->n_inside == TUNNEL_LEVELS_MAX;
}

/* Memory for a tunnel's bursts; a switch without tunnels has none. */
static inline struct tunnel_scratch *begin(struct pipeline *pl,
					   const void *tunnel)
{
	unsigned level = pl->n_inside++;

	pl->inside[level] = tunnel;
	if (unlikely(!pl->scratches[level]))
		pl->scratches[level] = tunnel_scratch_create();
	return pl->scratches[level];
}

static inline void end(struct pipeline *pl)
{
	pl->n_inside--;
}

void overlay_free_scratches(struct pipeline *pl)
{
	for (unsigned i = 0; i < TUNNEL_LEVELS_MAX; i++)
		tunnel_scratch_destroy(pl->scratches[i]);
}

static __attribute__((noinline)) void drop_all_out(
	const struct pipeline *pl, const struct fwd_port *out,
	struct packet *const packets[], unsigned n, enum drop_reason reason)
{
	for (unsigned i = 0; i < n; i++)
		drop_out(pl, out, packets[i], reason);
}

/* --- to the control thread ----------------------------------------------- */

/* By the port by which the packet came into the switch. */
static enum punt_result punt(const struct pipeline *pl, const struct packet *p,
			     enum punt_kind kind, uint32_t id,
			     const struct tunnel_note *note, bool of_link)
{
	const struct fwd_port *in = pl->stages[0]->in;
	uint64_t word = 0;

	if (!in || !in->punt)
		return PUNT_FULL;
	if (note)
		memcpy(&word, note, sizeof(word));
	return punt_to_overlay(in->punt, p, kind, of_link, id, word);
}

/* The VLAN of what leaves by `out` like this; 0: none. */
static uint16_t vid_of(const struct fwd_port *out, const struct packet *p)
{
	if (p->header_len >= ETH_HEADER_LEN + VLAN_TAG_LEN &&
	    eth_type_is_vlan(load_be16(p->header + 12)) &&
	    VLAN_VID(load_be16(p->header + 14)))
		return VLAN_VID(load_be16(p->header + 14));
	return out->untagged_vid == VLAN_VID_NONE ? 0 : out->untagged_vid;
}

/* Its sender may be told; nobody is of what goes to a group (RFC 1122 3.2.2).
 */
static void punt_too_big(const struct pipeline *pl, const struct fwd_port *out,
			 const struct packet *p)
{
	const struct fwd_tunnel *t = out->tunnel;
	uint32_t mtu = tunnel_mtu(t->tunnel, out->remote);
	const struct tunnel_note note = { .what = TUNNEL_TOO_BIG,
					  .mtu = MIN(mtu, UINT16_MAX),
					  .vid = vid_of(out, p) };

	if (!mac_is_multicast(load_mac(p->header)))
		(void)punt(pl, p, PUNT_TUNNEL, t->id, &note, false);
}

/* --- into the tunnel ----------------------------------------------------- */

static inline void send_outer(struct pipeline *pl, const struct fwd_underlay *u,
			      struct packet *const packets[], unsigned n)
{
	while (n) {
		unsigned some = MIN(n, PACKET_BURST_MAX);

		if (u->bridged)
			gateway_enter_one(pl, u->port, packets, some);
		else
			output_device(pl, u->port, packets, some);
		packets += some;
		n -= some;
	}
}

/* Packets of a burst that go to groups, looked for where there may be some. */
struct groups {
	bool looked;
	unsigned n_broadcast, n_multicast;
};

static void count_group(struct groups *g, const struct packet *p, int n)
{
	uint64_t mac = load_mac(p->header);

	if (mac == MAC_BROADCAST)
		g->n_broadcast += n;
	else if (mac_is_multicast(mac))
		g->n_multicast += n;
}

static __attribute__((noinline)) void count_groups(
	struct groups *g, struct packet *const packets[], unsigned n)
{
	g->looked = true;
	for (unsigned i = 0; i < n; i++)
		count_group(g, packets[i], 1);
}

/*
 * What was not encapsulated, and is no more in *g; returns its bytes. vid: it
 * has no tag that says its VLAN, and gets that now. 0: it has.
 */
static __attribute__((noinline)) uint64_t drop_failed(
	const struct pipeline *pl, const struct fwd_port *out, uint16_t vid,
	const struct tunnel_failure *failed, unsigned n, struct groups *g)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++) {
		bytes += failed[i].packet->len + (vid ? VLAN_TAG_LEN : 0);
		if (vid &&
		    !packet_vlan_push(failed[i].packet, out->tpid, vid)) {
			drop_out(pl, out, failed[i].packet, failed[i].reason);
			continue;
		}
		if (g->looked)
			count_group(g, failed[i].packet, -1);
		drop_out(pl, out, failed[i].packet, failed[i].reason);
		if (failed[i].reason == DROP_TUNNEL_TOO_BIG)
			punt_too_big(pl, out, failed[i].packet);
	}
	return bytes;
}

static inline uint64_t sum_bytes(struct packet *const packets[], unsigned n)
{
	uint64_t bytes = 0;

#pragma GCC unroll 4
	for (unsigned i = 0; i < n; i++)
		bytes += packets[i]->len;
	return bytes;
}

/*
 * To one remote; what goes in is counted at its port. vid: of the frames, as
 * the tag would say that they have not; 0: they have all.
 */
__attribute__((always_inline)) static inline void send_frames(
	struct pipeline *pl, const struct fwd_port *out, uint16_t vid,
	struct packet *const packets[], unsigned n, bool shared)
{
	const struct fwd_tunnel *t = out->tunnel;
	struct port_counters *c = out->port->counters[pl->thread];
	uint64_t bytes = sum_bytes(packets, n) + (vid ? n * VLAN_TAG_LEN : 0);
	unsigned n_sent = n;
	struct tunnel_scratch *scratch = begin(pl, t);
	struct groups groups = { 0 };
	struct tunnel_sent sent;

	/* What goes to groups is flooded, or its receiver is set by hand. */
	if (unlikely(shared || packets[0]->header[0] & 1))
		count_groups(&groups, packets, n);
	do {
		if (vid)
			tunnel_encap_vlan(t->tunnel, out->remote, vid, packets,
					  n, shared, scratch, &sent);
		else
			tunnel_encap(t->tunnel, out->remote, packets, n, shared,
				     scratch, &sent);
		if (unlikely(sent.n_failed)) {
			n_sent -= sent.n_failed;
			bytes -= drop_failed(pl, out, vid, sent.failed,
					     sent.n_failed, &groups);
		}
		send_outer(pl, t->underlay, sent.outer, sent.n_outer);
		packets += sent.n_taken;
		n -= sent.n_taken;
	} while (unlikely(n));
	end(pl);
	if (unlikely(groups.looked)) {
		counter_add(&c->tx_broadcast, groups.n_broadcast);
		counter_add(&c->tx_multicast, groups.n_multicast);
	}
	counter_add(&c->tx_packets, n_sent);
	counter_add(&c->tx_bytes, bytes);
}

static void send_to_remote(struct pipeline *pl, const struct fwd_port *out,
			   struct packet *const packets[], unsigned n,
			   bool shared)
{
	send_frames(pl, out, 0, packets, n, shared);
}

/*
 * Whether they may come into the underlay's bridge, as far as depth and copies
 * go. An underlay that sends by itself leads no deeper.
 */
static inline bool may_go(struct pipeline *pl, const struct fwd_port *out,
			  struct packet *const packets[], unsigned n)
{
	if (!out->tunnel->underlay->bridged ||
	    likely(pipeline_may_descend(pl, n)))
		return true;
	drop_all_out(pl, out, packets, n, DROP_PATCH_LOOP);
	return false;
}

/* There is no remote for them, as yet or as their VLAN is none of the map's. */
static __attribute__((noinline)) void drop_for_nobody(
	const struct pipeline *pl, const struct fwd_port *out,
	struct packet *const packets[], unsigned n)
{
	const struct tunnel *t = out->tunnel->tunnel;

	for (unsigned i = 0; i < n; i++)
		drop_out(pl, out, packets[i],
			 tunnel_has_vni(t, packets[i]) ? DROP_TUNNEL_NO_REMOTE
						       : DROP_TUNNEL_NO_VNI);
}

/* Packets of one flood list: to each remote of it but where they are from. */
static void replicate_to(struct pipeline *pl, const struct fwd_port *out,
			 const uint32_t list[], unsigned n_list,
			 struct packet *const packets[], unsigned n)
{
	const struct fwd_tunnel *t = out->tunnel;
	const struct fwd_port *from = pl->stages[pl->depth]->as;

	if (!n_list)
		drop_for_nobody(pl, out, packets, n);
	for (unsigned i = 0; i < n_list; i++) {
		const struct fwd_port *to =
			list[i] < t->n_remotes ? t->remotes[list[i]] : NULL;

		if (to && to != from && may_go(pl, to, packets, n))
			send_to_remote(pl, to, packets, n, true);
	}
}

static void replicate(struct pipeline *pl, const struct fwd_port *out,
		      struct packet *const packets[], unsigned n)
{
	const struct tunnel *t = out->tunnel->tunnel;
	const uint32_t *list, *next;
	unsigned n_list, n_next, from = 0;

	list = tunnel_flood_list(t, packets[0], &n_list);
	for (unsigned i = 1; i <= n; i++) {
		next = NULL;
		n_next = 0;
		if (i < n)
			next = tunnel_flood_list(t, packets[i], &n_next);
		if (i < n && next == list && n_next == n_list)
			continue;
		replicate_to(pl, out, list, n_list, packets + from, i - from);
		from = i;
		list = next;
		n_list = n_next;
	}
}

void overlay_send(struct pipeline *pl, const struct fwd_port *out,
		  struct packet *const packets[], unsigned n, bool shared)
{
	if (unlikely(is_inside(pl, out->tunnel))) {
		drop_all_out(pl, out, packets, n, DROP_TUNNEL_LOOP);
		return;
	}
	for (unsigned i = 0; unlikely(out->capture) && i < n; i++)
		capture_packet(out->capture, packets[i], CAPTURE_OUT);
	if (unlikely(out->remote == TUNNEL_NO_REMOTE))
		replicate(pl, out, packets, n);
	else if (may_go(pl, out, packets, n))
		send_to_remote(pl, out, packets, n, shared);
}

void overlay_send_vlan(struct pipeline *pl, const struct fwd_port *out,
		       uint16_t vid, struct packet *const packets[], unsigned n)
{
	if (unlikely(is_inside(pl, out->tunnel)))
		drop_all_out(pl, out, packets, n, DROP_TUNNEL_LOOP);
	else if (may_go(pl, out, packets, n))
		send_frames(pl, out, vid, packets, n, false);
}

/* --- out of the tunnel --------------------------------------------------- */

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
		(void)punt(pl, &headers, PUNT_TUNNEL, t->id, &note, false);
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
		result = punt(pl, p, PUNT_UNDERLAY, a->u->id, NULL,
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
	struct tunnel_scratch *scratch = begin(pl, a->u);
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
	end(pl);
}

void overlay_arrive(struct pipeline *pl, const struct fwd_port *out,
		    struct packet *const packets[], unsigned n, bool shared)
{
	struct arrival a = { out->underlay, shared, n, packets, 0 };

	if (unlikely(is_inside(pl, a.u))) {
		drop_all_out(pl, out, packets, n, DROP_TUNNEL_LOOP);
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

	if (unlikely(is_inside(pl, a.u) || !pipeline_may_descend(pl, n))) {
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
