/*
 * Bursts through the NAT: plain packets together (plain.c), all others, and
 * those that open a flow, one by one.
 */
#include <netinet/in.h>

#include "nat/plain.h"
#include "nat/way.h"
#include "packet/parse.h"

/* Where the headers of a plain packet are. */
#define L3 ETH_HEADER_LEN
#define L4 (ETH_HEADER_LEN + 20)

/* Adds the packet, if it is a plain one. */
static inline bool add_plain(struct nat_plain *plain, struct packet *p)
{
	/* ethertype, version and header length; the byte between is the TOS */
	const uint32_t type_len = 0x00450008;
	const uint16_t fragment = 0xff3f;
	unsigned at = plain->n;
	const uint8_t *ip;
	uint32_t word, total;
	uint8_t proto;
	bool tcp;

	if (unlikely(!packet_pull_first(p) || p->header_len < NAT_PLAIN_HEADER))
		return false;
	ip = p->header + L3;
	memcpy(&word, ip - 2, 4);
	proto = ip[9];
	tcp = proto == IPPROTO_TCP;
	if (unlikely((word & 0x00ffffff) != type_len ||
		     nat_load16(ip + 6) & fragment ||
		     (!tcp && proto != IPPROTO_UDP)))
		return false;
	total = load_be16(ip + 2);
	if (unlikely(L3 + total > p->len || total < (tcp ? 40u : 28u)))
		return false;
	memcpy(&plain->src[at], ip + 12, 4);
	memcpy(&plain->dst[at], ip + 16, 4);
	memcpy(&plain->ports[at], p->header + L4, 4);
	plain->code[at] = tcp ? NAT_TCP : NAT_UDP;
	plain->packets[at] = p;
	plain->n = at + 1;
	return true;
}

void nat_hairpin(struct nat *nat, struct nat_thread *t, struct packet *p,
		 struct nat_result *result)
{
	struct nat_headers h;

	nat_headers_parse(p, &h);
	if (h.look == NAT_LOOK_ERROR)
		nat_error_inbound(nat, t, p, &h, result);
	else
		nat_inbound_one(nat, t, p, &h, true, result);
	if (result->verdict == NAT_FORWARD) {
		result->verdict = NAT_HAIRPIN;
		nat_count(&t->counters.hairpinned);
	} else if (result->verdict != NAT_DROP) {
		/* half translated: there is nobody to be told */
		enum drop_reason reason = result->verdict == NAT_REJECT
						  ? result->reason
						  : DROP_NAT_UNSOLICITED;

		if (result->verdict == NAT_REJECT)
			*result = (struct nat_result){ .verdict = NAT_DROP,
						       .reason = reason };
		else
			nat_drop(t, result, reason);
	}
}

static void forward_out(struct nat *nat, struct nat_thread *t,
			struct nat_session *s, struct packet *p,
			const struct nat_headers *h, struct nat_result *result)
{
	nat_translate_out(nat, t, s, p, h);
	*result = (struct nat_result){ .verdict = NAT_FORWARD };
	nat_count(&t->counters.translated_out);
	if (unlikely(atomic_load_explicit(&s->state, memory_order_relaxed) &
		     NAT_S_HAIRPIN))
		nat_hairpin(nat, t, p, result);
}

void nat_outbound_one(struct nat *nat, struct nat_thread *t, struct packet *p,
		      const struct nat_headers *h, struct nat_result *result)
{
	struct nat_ends ends = { .inside = nat_src(p, h),
				 .remote = nat_dst(p, h) };
	struct nat_session *s = nat_find_in(nat, nat_flow_in(nat, p, h), &ends);

	if (!s || !nat_touch(nat, t, s, h->tcp_flags, true)) {
		s = nat_open_outbound(nat, t, p, h, result);
		if (!s)
			return;
		/* another worker's, which it opened just now */
		if (!nat_touch(nat, t, s, h->tcp_flags, true)) {
			nat_drop(t, result, DROP_NAT_BUSY);
			return;
		}
	}
	forward_out(nat, t, s, p, h, result);
}

void nat_inbound_one(struct nat *nat, struct nat_thread *t, struct packet *p,
		     const struct nat_headers *h, bool hairpin,
		     struct nat_result *result)
{
	struct nat_ends ends = { .outside = nat_dst(p, h),
				 .remote = nat_src(p, h) };
	const uint8_t *dst = nat_dst(p, h);
	int oidx = nat_find_outside(nat, t->view, h->version, dst,
				    nat_word(nat, h->version, dst));
	struct nat_session *s;

	if (oidx < 0) {
		*result = (struct nat_result){ .verdict = NAT_BYPASS };
		return;
	}
	s = h->query ? NULL
		     : nat_find_out(nat, nat_flow_out(nat, p, h, oidx), &ends);
	if (!s || !nat_touch(nat, t, s, h->tcp_flags, false)) {
		s = nat_open_inbound(nat, t, p, h, oidx, hairpin, result);
		if (!s)
			return;
		if (!nat_touch(nat, t, s, h->tcp_flags, false)) {
			nat_drop(t, result, DROP_NAT_UNSOLICITED);
			return;
		}
	}
	nat_translate_in(nat, s, p, h);
	*result = (struct nat_result){ .verdict = NAT_FORWARD };
	nat_count(&t->counters.translated_in);
}

/* Any packet. */
static __attribute__((noinline)) void general(
	struct nat *nat, struct nat_thread *t, struct packet *p,
	const struct nat_headers *h, bool outbound, struct nat_result *result)
{
	struct nat_datagram_key key;
	bool ours = outbound;

	memset(result, 0, sizeof(*result));
	if (h->look == NAT_LOOK_MALFORMED) {
		nat_drop(t, result, DROP_NAT_MALFORMED);
		return;
	}
	if (!outbound && h->version) {
		const uint8_t *dst = nat_dst(p, h);

		ours = nat_find_outside(nat, t->view, h->version, dst,
					nat_word(nat, h->version, dst)) >= 0;
	}
	if (!ours) {
		result->verdict = h->version ? NAT_BYPASS : NAT_LOCAL;
	} else if (h->look == NAT_LOOK_LATER) {
		nat_fragment_later(nat, t, p, h, outbound, result);
	} else if (h->look == NAT_LOOK_OTHER ||
		   (h->look == NAT_LOOK_PROTOCOL && !outbound)) {
		result->verdict = NAT_LOCAL;
	} else if (h->look == NAT_LOOK_PROTOCOL) {
		nat_reject(t, result, h, DROP_NAT_PROTOCOL,
			   NAT_UNREACH_PROTOCOL);
	} else if (h->look == NAT_LOOK_ERROR) {
		(outbound ? nat_error_outbound : nat_error_inbound)(nat, t, p,
								    h, result);
	} else {
		if (h->fragment)
			nat_datagram_key(&key, p, h, outbound);
		if (outbound)
			nat_outbound_one(nat, t, p, h, result);
		else
			nat_inbound_one(nat, t, p, h, false, result);
		if (h->fragment)
			nat_fragment_first(nat, t, p, h, &key, result);
	}
}

/* At most NAT_PLAIN_MAX packets. */
static void chunk(struct nat *nat, unsigned thread,
		  struct packet *const packets[], unsigned n, bool outbound,
		  struct nat_result *results)
{
	struct nat_thread *t = &nat->threads[thread];
	uint8_t index[NAT_PLAIN_MAX] = { 0 }; /* of the plain in packets */
	struct nat_plain plain;
	struct nat_headers h;
	uint32_t others = 0, left;

	plain.n = 0;
	for (unsigned i = 0; i < n; i++) {
		index[plain.n] = i;
		results[i] = (struct nat_result){ .verdict = NAT_FORWARD };
		if (unlikely(!add_plain(&plain, packets[i])))
			others |= 1u << i;
	}
	left = (outbound ? nat_plain_outbound : nat_plain_inbound)(nat, thread,
								   &plain, 0);
	for (; unlikely(left); left &= left - 1)
		others |= 1u << index[__builtin_ctz(left)];
	for (; unlikely(others); others &= others - 1) {
		unsigned i = __builtin_ctz(others);

		nat_headers_parse(packets[i], &h);
		general(nat, t, packets[i], &h, outbound, &results[i]);
	}
}

static void run(struct nat *nat, unsigned thread,
		struct packet *const packets[], unsigned n, bool outbound,
		struct nat_result *results)
{
	for (unsigned i = 0; i < n; i += NAT_PLAIN_MAX)
		chunk(nat, thread, packets + i,
		      MIN(n - i, (unsigned)NAT_PLAIN_MAX), outbound,
		      results + i);
}

void nat_outbound(struct nat *nat, unsigned thread,
		  struct packet *const packets[], unsigned n,
		  struct nat_result *results)
{
	run(nat, thread, packets, n, true, results);
}

void nat_inbound(struct nat *nat, unsigned thread,
		 struct packet *const packets[], unsigned n,
		 struct nat_result *results)
{
	run(nat, thread, packets, n, false, results);
}
