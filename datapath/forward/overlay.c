/*
 * The way into a tunnel. What is sent to a VXLAN port, or to a remote VTEP of
 * one, gets its outer headers (tunnel/tunnel.h) and leaves by the underlay: by
 * the underlay's own port, or from a station into another bridge, as a gateway
 * would send it (gateway.c). The way out is overlay_arrive.c's.
 *
 * A frame to all goes to each remote of its flood list (head-end replication,
 * RFC 8365 5.1.3): a burst for each, of other headers around the same bytes.
 *
 * Nothing enters a tunnel, or comes out of an underlay, on its way from that.
 */
#include "forward/overlay_internal.h"
#include "forward/trace.h"
#include "packet/vlan.h"

void overlay_free_scratches(struct pipeline *pl)
{
	for (unsigned i = 0; i < TUNNEL_LEVELS_MAX; i++)
		tunnel_scratch_destroy(pl->scratches[i]);
}

void overlay_drop_all(const struct pipeline *pl, const struct fwd_port *out,
		      struct packet *const packets[], unsigned n,
		      enum drop_reason reason)
{
	for (unsigned i = 0; i < n; i++)
		drop_out(pl, out, packets[i], reason);
}

enum punt_result overlay_punt(const struct pipeline *pl, const struct packet *p,
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
		(void)overlay_punt(pl, p, PUNT_TUNNEL, t->id, &note, false);
}

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
	struct tunnel_scratch *scratch = overlay_begin(pl, t);
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
	overlay_end(pl);
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
	overlay_drop_all(pl, out, packets, n, DROP_PATCH_LOOP);
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
	if (unlikely(pl->trace != NULL))
		trace_special(pl, out, "tunnel", n);
	if (unlikely(overlay_is_inside(pl, out->tunnel))) {
		overlay_drop_all(pl, out, packets, n, DROP_TUNNEL_LOOP);
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
	if (unlikely(pl->trace != NULL))
		trace_special(pl, out, "tunnel", n);
	if (unlikely(overlay_is_inside(pl, out->tunnel)))
		overlay_drop_all(pl, out, packets, n, DROP_TUNNEL_LOOP);
	else if (may_go(pl, out, packets, n))
		send_frames(pl, out, vid, packets, n, false);
}
