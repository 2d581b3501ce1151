/*
 * A burst through the router. Plain packets (IPv4 without options, to our MAC)
 * that are to be translated, what most are, are looked at here in few steps,
 * and go through the NAT together; all others take the general way (decide.c).
 */
#include <string.h>

#include "packet/csum.h"
#include "router/finish.h"

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

static inline bool is_plain4(const struct link *link, const struct packet *p)
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

static inline void translated(struct burst *b, struct packet *p,
			      enum router_side side, const struct nat_result *n,
			      struct router_result *result)
{
	if (likely(n->verdict == NAT_FORWARD && !packet_is_far(p)))
		router_finish_plain(b, p, side, result);
	else
		router_finish_translated(b, p, n, result);
}

static void translate_plain(struct burst *b, struct router_result *results)
{
	enum router_side side =
		b->in == ROUTER_INSIDE ? ROUTER_OUTSIDE : ROUTER_INSIDE;
	struct nat_result said[PACKET_BURST_MAX];

	router_nat(b, b->plain, b->n, said);
	for (unsigned i = 0; i < b->n; i++)
		translated(b, b->plain[i], side, &said[i],
			   &results[b->index[i]]);
}

static __attribute__((noinline)) void translate_others(struct burst *b)
{
	struct nat_result said[PACKET_BURST_MAX];

	router_nat(b, b->packets, b->n_others, said);
	for (unsigned i = 0; i < b->n_others; i++)
		router_finish_translated(b, b->packets[i], &said[i],
					 b->results[i]);
}

static inline bool is_usual(const struct burst *b, const struct quick *q,
			    const struct packet *p)
{
	const uint8_t *ip = p->header + L3;

	return ip[8] > 1 && likely(p->len <= q->frame_max) &&
	       likely(b->in == ROUTER_INSIDE ? is_usual_out(q, ip)
					     : is_usual_in(q, ip));
}

void router_run(const struct router *router, enum router_side in,
		unsigned thread, struct packet *const packets[], unsigned n,
		struct router_result *results)
{
	const struct link *link = &router->links[in];
	const struct quick *q = &router->quick[in];
	struct burst b;

	burst_begin(&b, router, in, thread);
	for (unsigned i = 0; i < n; i++) {
		struct packet *p = packets[i];

		if (unlikely(!is_plain4(link, p))) {
			router_decide(&b, p, &results[i]);
		} else if (likely(q->usable && is_usual(&b, q, p))) {
			b.index[b.n] = i;
			b.plain[b.n++] = p;
		} else {
			router_decide4(&b, p, &results[i]);
		}
	}
	if (b.n)
		translate_plain(&b, results);
	if (unlikely(b.n_others))
		translate_others(&b);
}
