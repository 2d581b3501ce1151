/*
 * The way from a gateway's router back into a bridge, or to the control thread.
 * What comes here is known to be well formed, untagged, to one station, and
 * from the gateway's own address, so it needs no admission and teaches nothing:
 * the stage is filled in as ingress and lookup would have done. What is imposed
 * on the gateway's port holds for what is routed, too.
 */
#include <netinet/icmp6.h>
#include <netinet/in.h>

#include "forward/punt.h"
#include "forward/stage.h"
#include "forward/trace.h"
#include "packet/csum.h"
#include "packet/parse.h"

static inline uint64_t mac_at(const uint8_t *h)
{
	uint64_t v;

	memcpy(&v, h, sizeof(v));
	return __builtin_bswap64(v) >> 16;
}

/* Of what it sends; without an address. */
static inline fdb_key native_key(const struct fwd_port *in)
{
	return fdb_make_key(
		0, fwd_bridge_fid(in->bridge, in->native_vid & VLAN_VID_MASK));
}

static void drop_all(const struct pipeline *pl, const struct fwd_port *in,
		     struct packet *const packets[], unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		drop(pl, in, packets[i], DROP_UNTAGGED_NOT_ALLOWED);
}

/*
 * The receivers, those in a row that are the same as one, as the first items of
 * the stage. Returns how many; *bytes: of all packets.
 */
static inline unsigned find_receivers(struct stage *s,
				      struct packet *const packets[],
				      unsigned n, uint64_t *bytes)
{
	const struct fdb *fdb = s->in->bridge->fdb;
	fdb_key key = native_key(s->in);
	struct item *item = s->items;
	uint64_t last = 0, sum = 0; /* nobody's */

	for (struct packet *const *p = packets; p < packets + n; p++) {
		uint64_t mac;

		memcpy(&mac, (*p)->header, sizeof(mac));
		mac <<= 16;
		sum += (*p)->len;
		if (mac == last)
			continue;
		last = mac;
		item->dst = key | __builtin_bswap64(mac);
		item->dst_bucket = fdb_prefetch(fdb, item->dst);
		item++;
	}
	*bytes = sum;
	return item - s->items;
}

/* The port of all receivers, if the packets may leave by it as they are. */
static inline const struct fwd_port *common_port(const struct stage *s,
						 unsigned n_receivers)
{
	const struct fwd_port *in = s->in, *out = NULL;
	const struct fwd_bridge *bridge = in->bridge;
	const struct vlan_state vlan = { .vid = in->native_vid };
	const struct item *item = s->items, *end = item + n_receivers;
	unsigned to;

	if (unlikely((uintptr_t)in->capture | (uintptr_t)in->ingress |
		     in->apart | bridge->no_learn_vlans))
		return NULL;
	to = fdb_lookup_in(bridge->fdb, item->dst_bucket, item->dst);
	while (++item < end)
		if (unlikely(fdb_lookup_in(bridge->fdb, item->dst_bucket,
					   item->dst) != to))
			return NULL;
	if (to < bridge->n_numbers)
		out = bridge->by_number[to];
	return out && out != in && out->plain.word == vlan.word ? out : NULL;
}

/* As ingress leaves them. */
static void fill_in(struct stage *s, struct packet *const packets[], unsigned n)
{
	const struct fwd_port *in = s->in;
	const struct vlan_state vlan = { .vid = in->native_vid };
	fdb_key key = native_key(in), src;

	src = key | mac_at(packets[0]->header + 6); /* one for all */
	for (unsigned i = 0; i < n; i++) {
		struct item *item = &s->items[i];
		struct packet *p = packets[i];

		item->packet = p;
		item->src = src;
		item->dst = key | mac_at(p->header);
		item->vlan.word = vlan.word;
		item->tpid = in->tpid;
		item->dst_bucket = fdb_prefetch(in->bridge->fdb, item->dst);
	}
	s->n_items = n;
	s->n_groups = 0;
}

/* The only receiver. */
static inline void find_receiver(struct stage *s, const struct packet *p)
{
	fdb_key key = native_key(s->in);
	struct item *item = s->items;

	item->dst = key | mac_at(p->header);
	item->dst_bucket = fdb_prefetch(s->in->bridge->fdb, item->dst);
}

static inline uint64_t sum_bytes(struct packet *const packets[], unsigned n)
{
	uint64_t bytes = 0;

#pragma GCC unroll 4
	for (unsigned i = 0; i < n; i++)
		bytes += packets[i]->len;
	return bytes;
}

/* one: all packets are for the receiver of the first. */
__attribute__((always_inline)) static inline uint64_t enter(
	struct pipeline *pl, const struct fwd_port *in,
	struct packet *const packets[], unsigned n, bool one)
{
	struct port_counters *c = in->port->counters[pl->thread];
	struct stage *s = pl->stages[++pl->depth];
	const struct fwd_port *out;
	unsigned n_receivers = 1;
	uint64_t bytes;

	s->in = s->as = in;
	for (unsigned i = 0; unlikely(in->bridge->n_mirrors) && i < n; i++)
		packets[i]->mirrored = 0;
	if (one) {
		find_receiver(s, packets[0]);
		bytes = sum_bytes(packets, n);
	} else {
		n_receivers = find_receivers(s, packets, n, &bytes);
	}
	if (unlikely(in->native_vid == VLAN_VID_NONE)) {
		drop_all(pl, in, packets, n);
		goto out;
	}
	counter_add(&c->rx_packets, n);
	counter_add(&c->rx_bytes, bytes);
	out = common_port(s, n_receivers);
	if (likely(out && !pl->trace)) {
		output_send(pl, out, packets, n);
	} else {
		fill_in(s, packets, n);
		if (unlikely(in->ingress != NULL)) {
			if (pl->trace)
				trace_policies_in(pl, s);
			policy_in_burst(pl, s);
		}
		lookup_routed(s);
		if (unlikely(in->ingress != NULL))
			policy_found_burst(pl, s);
		if (unlikely(pl->trace != NULL))
			trace_routed(pl, s);
		output_burst(pl, s);
		if (unlikely(pl->trace != NULL))
			trace_took(pl, s, TRACE_AT_OUTPUT);
	}
out:
	pl->depth--;
	return bytes;
}

uint64_t gateway_enter(struct pipeline *pl, const struct fwd_port *in,
		       struct packet *const packets[], unsigned n)
{
	return enter(pl, in, packets, n, false);
}

void gateway_enter_one(struct pipeline *pl, const struct fwd_port *in,
		       struct packet *const packets[], unsigned n)
{
	(void)enter(pl, in, packets, n, true);
}

/*
 * Frames to groups, ARP, neighbor discovery (RFC 4861: a hop limit of 255 tells
 * that nobody has forwarded it). They have a pace of their own: next hops stay
 * known whatever comes from beyond the link.
 */
bool gateway_is_of_link(const struct packet *p)
{
	const uint8_t *ip = p->header + ETH_HEADER_LEN;

	if (p->header[0] & 1 || load_be16(p->header + 12) == ETH_TYPE_ARP)
		return true;
	return load_be16(p->header + 12) == ETH_TYPE_IPV6 &&
	       p->header_len > ETH_HEADER_LEN + 40 && ip[6] == IPPROTO_ICMPV6 &&
	       ip[7] == 255 && ip[40] >= ND_ROUTER_SOLICIT &&
	       ip[40] <= ND_REDIRECT;
}

enum punt_result gateway_punt(const struct pipeline *pl, struct packet *p,
			      uint32_t id, uint64_t note, bool local)
{
	const struct fwd_port *in = pl->stages[0]->in;

	if (!in || !in->punt)
		return PUNT_FULL;
	/* Those who read it check it; one that is out of reach stays wrong. */
	if (p->offload.csum_needed)
		(void)!packet_finish_csum(p);
	return punt_to_gateway(in->punt, p,
			       local && gateway_is_of_link(p)
				       ? PUNT_GATEWAY_LINK
				       : PUNT_GATEWAY,
			       id, note);
}
