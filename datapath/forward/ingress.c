/*
 * Ingress: from a received frame to one that is known to be well formed, to
 * belong to a VLAN, and to be allowed in by this port (IEEE 802.1Q clause 8.6.2
 * and 6.9).
 */
#include "forward/stage.h"

/* 01:80:c2:00:00:00 to 0f (IEEE 802.1Q table 8-1) without the last 4 bits. */
#define LINK_LOCAL_TOP (0x0180c2000000ull >> 4)
#define VID_RESERVED   0xfff
/* Beyond its tags' reach a frame of this many tags is not looked at. */
#define TAGS_MAX 4

/* Bits of a burst that its counters want, summed up once. */
struct tally {
	uint64_t bytes;
	unsigned multicast, broadcast;
};

/* The two addresses need no alignment; the frame has 14 bytes at least. */
static inline uint64_t mac_at(const uint8_t *h)
{
	uint64_t v;

	memcpy(&v, h, sizeof(v));
	return __builtin_bswap64(v) >> 16;
}

/* Tags in a row, the outer one included, as far as they are in the header. */
static unsigned count_tags(const struct packet *p)
{
	unsigned n = 0, at = 12;

	while (at + VLAN_TAG_LEN + 2 <= p->header_len &&
	       eth_type_is_vlan(load_be16(p->header + at))) {
		at += VLAN_TAG_LEN;
		n++;
	}
	return n;
}

/* A tagged frame on a port that believes tags. */
__attribute__((always_inline)) static inline int classify_tagged(
	const struct fwd_port *in, struct item *item)
{
	const struct packet *p = item->packet;
	uint16_t tci, vid;

	if (unlikely(p->header_len < ETH_HEADER_LEN + VLAN_TAG_LEN))
		return DROP_BAD_VLAN;
	tci = load_be16(p->header + 14);
	vid = VLAN_VID(tci);
	if (unlikely(vid == VID_RESERVED))
		return DROP_BAD_VLAN;
	if (unlikely(eth_type_is_vlan(load_be16(p->header + 16))) &&
	    count_tags(p) > TAGS_MAX)
		return DROP_TOO_MANY_TAGS;
	if (unlikely(vid && !in->accepts_tagged))
		return DROP_TAG_NOT_ALLOWED;
	if (unlikely(!vid)) {
		vid = in->native_vid;
		if (vid == VLAN_VID_NONE)
			return DROP_UNTAGGED_NOT_ALLOWED;
	} else if (unlikely(!vlan_set_has(&in->vlans, vid))) {
		return DROP_VLAN_NOT_ALLOWED;
	}
	item->vlan.tag = TAG(tci);
	item->vlan.vid = vid;
	item->vlan.prio = tci & ~VLAN_VID_MASK;
	item->tpid = load_be16(p->header + 12);
	return -1;
}

/* On a dot1q-tunnel port the customer's tag is payload, but may be filtered. */
static int classify_tunnel(const struct fwd_port *in, struct item *item)
{
	const struct packet *p = item->packet;
	uint16_t tci = 0;

	if (eth_type_is_vlan(load_be16(p->header + 12))) {
		if (p->header_len < ETH_HEADER_LEN + VLAN_TAG_LEN)
			return DROP_BAD_VLAN;
		if (count_tags(p) >= TAGS_MAX)
			return DROP_TOO_MANY_TAGS;
		tci = load_be16(p->header + 14);
	}
	if (!vlan_set_has(&in->cvlans, VLAN_VID(tci)))
		return DROP_VLAN_NOT_ALLOWED;
	item->vlan.prio = tci & ~VLAN_VID_MASK;
	return -1;
}

/* What does not depend on the packet. */
struct admission {
	const struct fwd_port *in;
	uint32_t frame_max; /* without tags */
	bool takes_untagged;
	uint16_t tpid;
	struct vlan_state untagged;
	fdb_key untagged_key; /* without an address */
};

static struct admission admission_of(const struct stage *s)
{
	const struct fwd_port *in = s->in;

	return (struct admission){
		.in = in,
		.frame_max = frame_max_of(in),
		.takes_untagged =
			!in->is_tunnel && s->native_vid != VLAN_VID_NONE,
		.tpid = in->tpid,
		.untagged = { .vid = s->native_vid },
		.untagged_key = fdb_make_key(0, s->native_vid & VLAN_VID_MASK),
	};
}

/* What is not just an untagged frame on a port that takes such. */
__attribute__((always_inline)) static inline int classify_special(
	const struct admission *a, struct item *item, uint16_t type)
{
	if (a->in->is_tunnel)
		return classify_tunnel(a->in, item);
	if (eth_type_is_vlan(type))
		return classify_tagged(a->in, item);
	return DROP_UNTAGGED_NOT_ALLOWED;
}

/*
 * The VLAN that the packet belongs to. An untagged one has that of the port,
 * which is a member of it by construction (snapshot.c).
 */
static inline int classify(const struct admission *a, struct item *item,
			   fdb_key *key)
{
	uint16_t type = load_be16(item->packet->header + 12);
	int reason;

	item->vlan.word = a->untagged.word;
	item->tpid = a->tpid;
	*key = a->untagged_key;
	if (likely(a->takes_untagged && !eth_type_is_vlan(type)))
		return -1;
	reason = classify_special(a, item, type);
	*key = fdb_make_key(0, item->vlan.vid);
	return reason;
}

/* Tags come on top of the MTU, and what is cut up later may be longer. */
static bool is_giant(const struct admission *a, const struct packet *p)
{
	return p->offload.gso == PACKET_GSO_NONE &&
	       p->len > a->frame_max + count_tags(p) * VLAN_TAG_LEN;
}

/* What has a multicast address: counted, and the reserved ones stopped. */
static int admit_multicast(const struct fwd_port *in, const struct packet *p,
			   uint64_t dst, struct tally *tally)
{
	if (dst == MAC_BROADCAST)
		tally->broadcast++;
	else
		tally->multicast++;
	if (in->punts) {
		int reason = protocol_punt(in, p, dst);

		if (reason >= 0)
			return reason;
	}
	if (dst >> 4 == LINK_LOCAL_TOP && !in->bridge->forward_bpdu)
		return DROP_LINK_LOCAL;
	return -1;
}

/* Returns a drop reason, or -1 when the packet may go on. */
static inline int admit(const struct admission *a, struct item *item,
			struct tally *tally)
{
	struct packet *p = item->packet;
	uint64_t dst, src;
	fdb_key key;
	int reason;

	packet_pull_first(p);
	tally->bytes += p->len;
	if (unlikely(p->header_len < ETH_HEADER_LEN))
		return DROP_RUNT;
	if (unlikely(p->len > a->frame_max) && is_giant(a, p))
		return DROP_GIANT;
	dst = mac_at(p->header);
	src = mac_at(p->header + 6);
	if (unlikely(!src || mac_is_multicast(src)))
		return DROP_BAD_SOURCE;
	if (unlikely(mac_is_multicast(dst))) {
		reason = admit_multicast(a->in, p, dst, tally);
		if (reason >= 0)
			return reason;
	}
	reason = classify(a, item, &key);
	if (unlikely(reason >= 0))
		return reason;
	item->src = key | src;
	item->dst = key | dst;
	return -1;
}

static void count_received(const struct pipeline *pl, const struct fwd_port *in,
			   unsigned n, const struct tally *tally)
{
	struct port_counters *c = in->port->counters[pl->thread];

	counter_add(&c->rx_packets, n);
	counter_add(&c->rx_bytes, tally->bytes);
	if (tally->multicast)
		counter_add(&c->rx_multicast, tally->multicast);
	if (tally->broadcast)
		counter_add(&c->rx_broadcast, tally->broadcast);
}

/* Stations of a private VLAN are known by its primary. */
static __attribute__((noinline)) void use_primaries(
	const struct fwd_bridge *bridge, struct item *item,
	const struct item *end)
{
	for (; item < end; item++) {
		fdb_key fid =
			fdb_make_key(0, fwd_bridge_fid(bridge, item->vlan.vid));

		item->src = fid | load_mac(item->packet->header + 6);
		item->dst = fid | load_mac(item->packet->header);
		item->src_bucket = fdb_prefetch(bridge->fdb, item->src);
		item->dst_bucket = fdb_prefetch(bridge->fdb, item->dst);
	}
}

void ingress_burst(struct pipeline *pl, struct stage *s, struct packet *packets,
		   unsigned n)
{
	const struct fwd_port *in = s->in;
	const struct fdb *fdb = in->bridge->fdb;
	const struct admission a = admission_of(s);
	struct tally tally = { 0 };
	struct item *item = s->items;

	for (unsigned i = 0; i < n; i++) {
		int reason;

		item->packet = &packets[i];
		reason = admit(&a, item, &tally);
		if (unlikely(reason >= 0)) {
			if (reason != INGRESS_PUNTED)
				drop(pl, in, item->packet, reason);
			continue;
		}
		item->src_bucket = fdb_prefetch(fdb, item->src);
		item->dst_bucket = fdb_prefetch(fdb, item->dst);
		item++;
	}
	if (unlikely(in->bridge->primaries != NULL))
		use_primaries(in->bridge, s->items, item);
	s->n_items = item - s->items;
	s->n_groups = tally.multicast + tally.broadcast;
	count_received(pl, in, n, &tally);
}
