/*
 * A burst through the router. Plain packets (nat/plain.h) that are to be
 * translated, what most are, are looked at here in few steps, eight at once if
 * the machine can, and go through the NAT together; all others take the general
 * way (decide.c).
 */
#include <netinet/in.h>
#include <string.h>

#include "packet/csum.h"
#include "router/finish.h"
#include "router/lanes.h"

/* A header of 20 bytes. */
static inline bool csum_is_right20(const uint8_t *ip)
{
	uint64_t a, b;
	uint32_t c, sum;

	memcpy(&a, ip, 8);
	memcpy(&b, ip + 8, 8);
	memcpy(&c, ip + 16, 4);
	a = csum_combine(csum_combine(a, b), c);
	/* Halves add up with their carry on top: all ones, or it is wrong. */
	sum = a;
	if (__builtin_add_overflow(sum, (uint32_t)(a >> 32), &sum))
		sum++;
	return (sum + (sum << 16 | sum >> 16)) >> 16 == 0xffff;
}

static inline bool is_good_plain4(const struct link *link,
				  const struct packet *p)
{
	/* ethertype, version and header length; the byte behind is the TOS */
	const uint32_t type_len = 0x00450008;
	uint32_t word, total;

	if (unlikely(p->header_len < L3 + IP4_HEADER_LEN ||
		     router_mac_word(p) != link->mac_word))
		return false;
	memcpy(&word, p->header + 12, 4);
	total = load_be16(p->header + L3 + 2);
	return (word & 0x00ffffff) == type_len && total >= IP4_HEADER_LEN &&
	       L3 + total <= p->len && csum_is_right20(p->header + L3);
}

/*
 * Whether a source is one of the segment's, and a destination outside, without
 * a doubt: those that this says no to are looked at again.
 */
static inline bool is_usual_out(const struct quick *q, const uint8_t *ip)
{
	uint32_t src = load_be32(ip + 12), dst = load_be32(ip + 16);

	return src - q->first < q->n_hosts && src != q->inside.ip &&
	       ((dst ^ q->inside.ip) & q->inside.mask) &&
	       ((dst ^ q->outside.ip) & q->outside.mask) &&
	       !ip4_is_martian(dst);
}

/* What comes in is the NAT's to know, if it does not claim to be from inside.
 */
static inline bool is_usual_in(const struct quick *q, const uint8_t *ip)
{
	uint32_t src = load_be32(ip + 12);

	return ((src ^ q->inside.ip) & q->inside.mask) && !ip4_is_martian(src);
}

static inline bool is_usual(const struct burst *b, const struct quick *q,
			    const struct packet *p)
{
	const uint8_t *ip = p->header + L3;

	return ip[8] > 1 && likely(p->len <= q->frame_max) &&
	       likely(b->in == ROUTER_INSIDE ? is_usual_out(q, ip)
					     : is_usual_in(q, ip));
}

/* Adds IPv4 with a good header, if it is plain. */
static inline bool add_plain(struct nat_plain *plain, struct packet *p)
{
	const uint8_t *ip = p->header + L3;
	bool tcp = ip[9] == IPPROTO_TCP;
	unsigned at = plain->n;

	if (unlikely(p->header_len < NAT_PLAIN_HEADER ||
		     (load_be16(ip + 6) & IP4_FRAGMENT) ||
		     (!tcp && ip[9] != IPPROTO_UDP) ||
		     load_be16(ip + 2) < (tcp ? 40 : 28)))
		return false;
	memcpy(&plain->src[at], ip + 12, 4);
	memcpy(&plain->dst[at], ip + 16, 4);
	memcpy(&plain->ports[at], ip + 20, 4);
	plain->code[at] = tcp ? NAT_TCP : NAT_UDP;
	plain->packets[at] = p;
	plain->n = at + 1;
	return true;
}

/* --- behind the NAT ------------------------------------------------------- */

/*
 * The burst's packets do not all leave by one side, so each gets a result: that
 * of the usual one, which those that are not replace.
 */
static __attribute__((noinline)) void write_results(struct burst *b)
{
	if (b->wrote_results)
		return;
	b->wrote_results = true;
	for (unsigned i = 0; i < b->n_results; i++)
		b->all_results[i] = b->usual;
}

/* Not of a flow that the NAT knows, or nothing that it can do at once. */
static void leave_to_others(struct burst *b, unsigned at)
{
	write_results(b);
	b->packets[b->n_others] = b->plain.packets[at];
	b->results[b->n_others++] = &b->all_results[b->index[at]];
}

/* Its TTL is done: next hop and Ethernet addresses. */
static inline void finish(struct burst *b, const struct link *link, unsigned at)
{
	struct packet *p = b->plain.packets[at];
	uint32_t hop = load_be32(p->header + L3 + 16);
	const struct net4 *net = link->ip4;
	uint64_t mac;

	if (unlikely((hop ^ net->ip) & net->mask))
		hop = link->gateway4;
	mac = router_mac_of(b, link, b->usual.side, hop);
	if (likely(mac)) {
		write_macs(p, macs_of(link, mac));
		return;
	}
	write_results(b);
	router_write_link(b, p, b->usual.side, 0,
			  &b->all_results[b->index[at]]);
}

/* All outside are behind one next hop: struct quick has left out the others. */
static inline bool finish_out(struct burst *b, const struct link *link)
{
	uint64_t mac = router_mac_of(b, link, ROUTER_OUTSIDE, link->gateway4);
	const struct macs macs = macs_of(link, mac);
	const unsigned n = b->plain.n;

	if (unlikely(!mac))
		return false;
	for (unsigned i = 0; i < n; i++)
		write_macs(b->plain.packets[i], macs);
	return true;
}

static inline struct hop *hop_of(struct lane *lane, uint32_t ip)
{
	return &lane->hops[ip * 0x9e3779b1u >> (32 - LANE_HOP_BITS)];
}

/* Its next hop is remembered. */
static __attribute__((noinline)) void finish_first(struct burst *b,
						   const struct link *link,
						   unsigned at, uint64_t key)
{
	const uint8_t *header = b->plain.packets[at]->header;
	struct hop *hop = hop_of(b->lane, (uint32_t)key);

	finish(b, link, at);
	memcpy(&hop->macs.first, header, 8);
	memcpy(&hop->macs.rest, header + 8, 4);
	hop->key = load_mac(header) ? key : 0;
}

static inline void finish_in(struct burst *b, const struct link *link)
{
	uint64_t version = neighbor_table_version(link->neighbors);
	struct lane *lane = b->lane;
	const unsigned n = b->plain.n;

	for (unsigned i = 0; i < n; i++) {
		struct packet *p = b->plain.packets[i];
		const struct hop *hop;
		uint32_t ip;

		memcpy(&ip, p->header + L3 + 16, 4);
		hop = hop_of(lane, ip);
		if (likely(hop->key == (version << 32 | ip)))
			write_macs(p, hop->macs);
		else
			finish_first(b, link, i, version << 32 | ip);
	}
}

/* Some are left, or cannot be sent yet. */
static __attribute__((noinline)) void finish_some(struct burst *b,
						  const struct link *link,
						  uint32_t left)
{
	for (unsigned i = 0; i < b->plain.n; i++) {
		if (left >> i & 1)
			leave_to_others(b, i);
		else
			finish(b, link, i);
	}
}

/* What has been gathered goes through the NAT. */
static void translate_plain(struct burst *b)
{
	bool out = b->in == ROUTER_INSIDE;
	const struct link *link = &b->r->links[b->usual.side];
	uint32_t left = (out ? nat_plain_outbound : nat_plain_inbound)(
		b->r->nat, b->thread, &b->plain, 1);

	if (unlikely(left) || (out && unlikely(!finish_out(b, link))))
		finish_some(b, link, left);
	else if (!out)
		finish_in(b, link);
	b->plain.n = 0;
}

static __attribute__((noinline)) void translate_others(struct burst *b)
{
	struct nat_result said[PACKET_BURST_MAX];

	router_nat(b, b->packets, b->n_others, said);
	for (unsigned i = 0; i < b->n_others; i++)
		router_finish_translated(b, b->packets[i], &said[i],
					 b->results[i]);
}

/* --- the burst ------------------------------------------------------------ */

static inline void take_one(struct burst *b, const struct quick *q,
			    struct packet *p, unsigned at)
{
	bool good = is_good_plain4(&b->r->links[b->in], p);

	if (unlikely(b->plain.n == NAT_PLAIN_MAX))
		translate_plain(b);
	b->index[b->plain.n] = at;
	if (likely(good && q->usable && is_usual(b, q, p) &&
		   add_plain(&b->plain, p)))
		return;
	write_results(b);
	if (good)
		router_decide4(b, p, &b->all_results[at]);
	else
		router_decide(b, p, &b->all_results[at]);
}

static AVX2 void run_lanes(struct burst *b, const struct quick *q,
			   struct packet *const packets[], unsigned n)
{
	const struct link *link = &b->r->links[b->in];
	uint64_t index; /* eight */
	unsigned at = 0;

	for (; n - at >= LANES; at += LANES) {
		if (b->plain.n > NAT_PLAIN_MAX - LANES)
			translate_plain(b);
		index = 0x0706050403020100ull + at * 0x0101010101010101ull;
		memcpy(&b->index[b->plain.n], &index, sizeof(index));
		if (likely(add_eight(link, q, b->in, packets + at, &b->plain)))
			continue;
		for (unsigned i = 0; i < LANES; i++)
			take_one(b, q, packets[at + i], at + i);
	}
	for (; at < n; at++)
		take_one(b, q, packets[at], at);
}

bool router_run(const struct router *router, enum router_side in,
		unsigned thread, struct packet *const packets[], unsigned n,
		struct router_result *results)
{
	const struct quick *q = &router->quick[in];
	struct burst b;

	burst_begin(&b, router, in, thread);
	b.usual = (struct router_result){ .verdict = ROUTER_SEND,
					  .side = in == ROUTER_INSIDE
							  ? ROUTER_OUTSIDE
							  : ROUTER_INSIDE };
	b.all_results = results;
	b.n_results = n;
	if (likely(q->usable && router->has_lanes))
		run_lanes(&b, q, packets, n);
	else
		for (unsigned i = 0; i < n; i++)
			take_one(&b, q, packets[i], i);
	if (likely(b.plain.n))
		translate_plain(&b);
	if (unlikely(b.n_others))
		translate_others(&b);
	results[0] = b.wrote_results ? results[0] : b.usual;
	return !b.wrote_results;
}
