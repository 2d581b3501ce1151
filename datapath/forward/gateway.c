/*
 * The way from a gateway's router back into a bridge, or to the control thread.
 * What comes here is known to be well formed, untagged, to one station, and
 * from the gateway's own address, so it needs no admission and teaches nothing:
 * the stage is filled in as ingress and lookup would have done.
 */
#include <netinet/icmp6.h>
#include <netinet/in.h>

#include "forward/punt.h"
#include "forward/stage.h"
#include "packet/csum.h"
#include "packet/parse.h"

static inline uint64_t mac_at(const uint8_t *h)
{
	uint64_t v;

	memcpy(&v, h, sizeof(v));
	return __builtin_bswap64(v) >> 16;
}

static void drop_all(const struct pipeline *pl, const struct fwd_port *in,
		     struct packet *const packets[], unsigned n,
		     enum drop_reason reason)
{
	for (unsigned i = 0; i < n; i++)
		drop(pl, in, packets[i], reason);
}

/* Returns their bytes. */
static uint64_t fill_in(struct stage *s, const struct fwd_port *in,
			struct packet *const packets[], unsigned n)
{
	const struct vlan_state vlan = { .vid = in->native_vid };
	const struct fdb *fdb = in->bridge->fdb;
	fdb_key key = fdb_make_key(0, in->native_vid), last = 0, src;
	const struct fdb_bucket *bucket = NULL;
	uint64_t bytes = 0;

	src = key | mac_at(packets[0]->header + 6); /* one for all */

	for (unsigned i = 0; i < n; i++) {
		struct item *item = &s->items[i];
		struct packet *p = packets[i];

		item->packet = p;
		item->src = src;
		item->dst = key | mac_at(p->header);
		item->vlan.word = vlan.word;
		item->tpid = in->tpid;
		if (item->dst != last) {
			last = item->dst;
			bucket = fdb_prefetch(fdb, last);
		}
		item->dst_bucket = bucket;
		bytes += p->len;
	}
	return bytes;
}

void gateway_enter(struct pipeline *pl, const struct fwd_port *in,
		   struct packet *const packets[], unsigned n)
{
	struct port_counters *c = in->port->counters[pl->thread];
	struct stage *s;

	if (unlikely(in->native_vid == VLAN_VID_NONE)) {
		drop_all(pl, in, packets, n, DROP_UNTAGGED_NOT_ALLOWED);
		return;
	}
	s = pl->stages[++pl->depth];
	s->in = s->as = in;
	s->n_items = n;
	s->n_groups = 0;
	counter_add(&c->rx_bytes, fill_in(s, in, packets, n));
	counter_add(&c->rx_packets, n);
	lookup_routed(s);
	output_burst(pl, s);
	pl->depth--;
}

/*
 * Frames to groups, ARP, neighbor discovery (RFC 4861: a hop limit of 255 tells
 * that nobody has forwarded it). They have a pace of their own: next hops stay
 * known whatever comes from beyond the link.
 */
static bool is_of_link(const struct packet *p)
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
			       local && is_of_link(p) ? PUNT_GATEWAY_LINK
						      : PUNT_GATEWAY,
			       id, note);
}
