/*
 * Bursts from one port to one station, untagged and with nothing special about
 * them: what a guest sends to its gateway, or a flow in full swing. All that
 * ingress, lookup and output do for each packet is done here for the burst, but
 * for what depends on the packet itself.
 *
 * A burst that turns out to be another is left to them: that a packet has been
 * made private, or a sender learned, they find done.
 */
#include "forward/policies.h"
#include "forward/punt.h"
#include "forward/stage.h"
#include "policy/guard.h"

/* What a packet has to be like, and what it is added to. */
struct uniform {
	uint64_t dst; /* as it lies, in the upper 48 bits */
	fdb_key key;  /* without an address */
	uint32_t frame_max;
	uint64_t bytes;
	unsigned n_senders; /* the first items: those in a row, as one */
};

/* A MAC address as it lies, in the upper 48 bits. */
static inline uint64_t mac_word(const uint8_t *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word << 16;
}

static inline bool word_is_multicast(uint64_t word)
{
	return word >> 16 & 1;
}

/* A source address and a type, as they lie. */
static inline bool is_ordinary(uint64_t from)
{
	uint64_t src = from << 16;

	return src && !word_is_multicast(src) &&
	       !eth_type_is_vlan(__builtin_bswap16(from >> 48));
}

/*
 * Stands for the sender before the first: one of an ordinary address and a type
 * that is reserved. Whoever says that is not learned, and that is all.
 */
#define NOBODY 0xffff000000000002ull /* as it lies (little endian) */

/*
 * Nothing is imposed on what comes in but a guard, if anything; nor on what
 * comes in by this member of a bond.
 */
static inline bool is_free(const struct fwd_port *in)
{
	const struct fwd_ingress *i = in->as->ingress;

	if (likely(!i))
		return true;
	return (in == in->as || !in->ingress) &&
	       !((uintptr_t)i->mirrors | (uintptr_t)i->acl |
		 (uintptr_t)i->storm | (uintptr_t)i->policer |
		 (uintptr_t)i->marks | i->reserved | i->drops_unlearned);
}

/* Where the burst goes, if it may go there as it is, or NULL. */
static inline const struct fwd_port *port_of(const struct stage *s,
					     const struct uniform *u)
{
	const struct fwd_port *in = s->in, *as = s->as, *out;
	const struct fwd_bridge *bridge = in->bridge;
	const struct vlan_state vlan = { .vid = s->native_vid };
	unsigned to;

	if (unlikely((uintptr_t)in->capture | (uintptr_t)as->capture) ||
	    !is_free(in) ||
	    unlikely(in->is_tunnel || as->apart ||
		     s->native_vid == VLAN_VID_NONE || bridge->no_learn_vlans ||
		     word_is_multicast(u->dst) || fwd_port_filter(in)))
		return NULL;
	to = fdb_lookup(bridge->fdb, u->key | __builtin_bswap64(u->dst));
	out = to < bridge->n_numbers ? bridge->by_number[to] : NULL;
	if (!out || out == as || unlikely(is_split(as, out)))
		return NULL;
	return out->plain.word == vlan.word || overlay_takes_vlan(out, vlan.vid)
		       ? out
		       : NULL;
}

/* Good, and like what may follow; and its sender may be learned. */
static bool comes_to_know(const struct guard *guard, struct guard_memo *memo,
			  struct packet *p)
{
	return guard_judge_anew(guard, memo, p) < 0 &&
	       guard_knows(memo, p, false);
}

/*
 * The packets, as ingress admits them; false: one is not for that station, or
 * the guard (NULL: none) does not know at once that it is good.
 */
__attribute__((always_inline)) static inline bool take_packets(
	struct stage *s, struct uniform *u, struct packet *packets, unsigned n,
	const struct guard *guard)
{
	const struct fdb *fdb = s->in->bridge->fdb;
	const uint32_t frame_max = u->frame_max;
	const uint64_t dst = u->dst;
	struct item *sender = s->items;
	uint64_t last = NOBODY, bytes = 0;
	struct guard_memo memo;

	if (guard)
		memo = guard->seed;

	for (unsigned i = 0; i < n; i++) {
		struct packet *p = &packets[i];
		uint64_t from;

		packet_pull_first(p);
		if (unlikely(p->header_len < ETH_HEADER_LEN ||
			     p->len > frame_max || mac_word(p->header) != dst))
			return false;
		if (guard && unlikely(!guard_knows(&memo, p, false)) &&
		    !comes_to_know(guard, &memo, p))
			return false;
		bytes += p->len;
		s->sending[i] = p;
		memcpy(&from, p->header + 6, sizeof(from));
		if (from == last)
			continue;
		last = from;
		if (unlikely(!is_ordinary(from)))
			return false;
		sender->src = u->key | __builtin_bswap64(from << 16);
		sender->src_bucket = fdb_prefetch(fdb, sender->src);
		sender++;
	}
	u->bytes = bytes;
	u->n_senders = sender - s->items;
	return true;
}

static __attribute__((noinline)) bool take_guarded(struct stage *s,
						   struct uniform *u,
						   struct packet *packets,
						   unsigned n)
{
	return take_packets(s, u, packets, n, s->as->ingress->guard);
}

/*
 * The same of outer packets to an underlay's station, which are not made
 * private but as far as a tunnel does that: who may write them meanwhile could
 * have sent them so, as what decides here is read once.
 */
static __attribute__((noinline)) bool take_outer(struct stage *s,
						 struct uniform *u,
						 struct packet *packets,
						 unsigned n)
{
	const struct fdb *fdb = s->in->bridge->fdb;
	const uint32_t frame_max = u->frame_max;
	const uint64_t dst = u->dst;
	struct packet **sending = s->sending;
	struct item *sender = s->items;
	uint64_t last = NOBODY, bytes = 0;

	for (struct packet *p = packets, *end = p + n; p < end; p++) {
		const uint8_t *data = p->segment.data;
		uint64_t from;

		if (unlikely(p->state != PACKET_STATE_UNTOUCHED ||
			     p->segment.len < PACKET_PULL ||
			     p->len > frame_max || mac_word(data) != dst))
			return false;
		bytes += p->len;
		*sending++ = p;
		memcpy(&from, data + 6, sizeof(from));
		if (likely(from == last))
			continue;
		last = from;
		if (unlikely(!is_ordinary(from)))
			return false;
		sender->src = u->key | __builtin_bswap64(from << 16);
		sender->src_bucket = fdb_prefetch(fdb, sender->src);
		sender++;
	}
	u->bytes = bytes;
	u->n_senders = sender - s->items;
	return true;
}

static inline bool is_station(const struct fwd_port *out)
{
	return unlikely(out->underlay) && out->underlay->bridged &&
	       !out->capture && !out->egress;
}

static inline void learn_senders(const struct stage *s, unsigned n)
{
	const struct fwd_port *in = s->in;
	const struct fdb *fdb = in->bridge->fdb;
	fdb_fresh fresh = fdb_fresh_on(fdb, in->number);

	for (const struct item *i = s->items; i < s->items + n; i++)
		if (unlikely(!fdb_is_fresh_in(fdb, i->src_bucket, i->src,
					      fresh)) &&
		    in->learns)
			fdb_learn(in->bridge->fdb, i->src, in->number);
}

bool uniform_burst(struct pipeline *pl, struct stage *s, struct packet *packets,
		   unsigned n)
{
	const struct fwd_port *in = s->in, *out;
	struct port_counters *c = in->port->counters[pl->thread];
	struct uniform u;
	bool is_outer, is_guarded = in->as->ingress != NULL;

	u.dst = mac_word(at_hand(packets));
	u.key = fdb_make_key(
		0, fwd_bridge_fid(in->bridge, s->native_vid & VLAN_VID_MASK));
	u.frame_max = frame_max_of(in);
	out = port_of(s, &u);
	if (!out)
		return false;
	if (unlikely(in->punts & PUNT_ANSWERS) &&
	    protocol_has_answers(packets, n))
		return false;
	is_outer = is_station(out);
	if (unlikely(is_guarded) ? is_outer || !take_guarded(s, &u, packets, n)
	    : is_outer		 ? !take_outer(s, &u, packets, n)
				 : !take_packets(s, &u, packets, n, NULL))
		return false;
	counter_add(&c->rx_packets, n);
	counter_add(&c->rx_bytes, u.bytes);
	learn_senders(s, u.n_senders);
	if (is_outer)
		overlay_arrive_all(pl, out, s->sending, n, u.bytes);
	else if (unlikely(out->vni_by_vlan) &&
		 overlay_takes_vlan(out, s->native_vid))
		overlay_send_vlan(pl, out, s->native_vid, s->sending, n);
	else
		output_send(pl, out, s->sending, n);
	return true;
}
