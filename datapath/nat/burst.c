/*
 * Bursts through the NAT, in three steps, so that memory is waited for once a
 * burst and not once a packet: headers and hash, bucket, session.
 */
#include <netinet/in.h>

#include "nat/way.h"
#include "packet/parse.h"

#define CHUNK 32

struct work {
	struct nat_headers h;
	struct nat_key key;
	uint64_t hash;
	struct nat_session *guess;
	struct nat_bucket *bucket;
	int oidx;    /* inbound */
	bool plain;  /* a whole packet of a flow */
	bool simple; /* as parse_plain() knows it */
};

/* Where the headers of a plain packet are. */
#define L3 ETH_HEADER_LEN
#define L4 (ETH_HEADER_LEN + 20)

/*
 * The usual packet: untagged IPv4 without options, not a fragment, TCP or UDP.
 * Says no to all others, which nat_headers_parse() looks at.
 */
static inline bool parse_plain(struct packet *p, struct nat_headers *h)
{
	/* ethertype, version and header length; the byte between is the TOS */
	const uint32_t type_len = 0x00450008;
	const uint16_t fragment = 0xff3f;
	const uint8_t *ip;
	uint32_t word, total;
	uint8_t proto;
	bool tcp;

	if (unlikely(!packet_pull_first(p) || p->header_len < L4 + 20))
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
	h->all = 4 << 8 | (tcp ? NAT_TCP : NAT_UDP) << 16;
	h->tcp_flags = tcp ? p->header[L4 + 13] : 0;
	h->l3 = L3;
	h->l4 = L4;
	memcpy(&h->sport, p->header + L4, 4);
	return true;
}

static inline void look(struct packet *p, struct work *w)
{
	w->guess = NULL;
	w->plain = w->simple = true;
	if (likely(parse_plain(p, &w->h)))
		return;
	nat_headers_parse(p, &w->h);
	w->plain = w->h.look == NAT_LOOK_FLOW && !w->h.fragment;
	w->simple = false;
}

__attribute__((always_inline)) static inline void prefetch_bucket(
	struct work *w, const struct nat_hash *hash)
{
	w->hash = nat_hash_of(hash, w->key);
	w->bucket = nat_bucket(hash, w->hash);
	__builtin_prefetch(w->bucket);
}

__attribute__((always_inline)) static inline void prefetch_session(
	const struct nat *nat, struct work *w)
{
	if (unlikely(!w->plain))
		return;
	w->guess = nat_bucket_guess(nat, w->bucket, nat_tag(w->hash));
	if (likely(w->guess))
		__builtin_prefetch(w->guess);
}

/* The key of a simple packet is in it as it is. */
static inline void key_out(const struct nat *nat, const struct packet *p,
			   struct work *w)
{
	uint32_t ports;

	if (unlikely(!w->simple)) {
		w->key = nat_flow_in(nat, p, &w->h);
		return;
	}
	memcpy(&w->key.addrs, p->header + L3 + 12, 8);
	memcpy(&ports, &w->h.sport, 4);
	w->key.ports = ports | (uint64_t)w->h.code << 48;
}

static inline void key_in(const struct nat *nat, struct nat_thread *t,
			  const struct packet *p, struct work *w)
{
	uint64_t addrs;
	uint32_t ports;

	if (unlikely(!w->simple)) {
		const uint8_t *dst = nat_dst(p, &w->h);

		w->oidx = nat_find_outside(nat, t->view, w->h.version, dst,
					   nat_word(nat, w->h.version, dst));
		w->key = nat_flow_out(nat, p, &w->h, MAX(w->oidx, 0));
		return;
	}
	memcpy(&addrs, p->header + L3 + 12, 8);
	if (unlikely(addrs >> 32 != t->last_word || t->last_outside < 0)) {
		t->last_word = addrs >> 32;
		t->last_outside = nat_find_outside(
			nat, t->view, 4, p->header + L3 + 16, t->last_word);
	}
	w->oidx = t->last_outside;
	memcpy(&ports, &w->h.sport, 4);
	w->key.addrs = (uint32_t)addrs;
	w->key.ports = (uint64_t)ports << 16 |
		       (uint64_t)NAT_KIND(w->h.code, MAX(w->oidx, 0)) << 48;
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

/* What is no plain flow. */
static __attribute__((noinline)) void special(
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

static void chunk_out(struct nat *nat, struct nat_thread *t,
		      struct packet *const packets[], unsigned n,
		      struct nat_result *results)
{
	struct work work[CHUNK];
	uint64_t translated = 0;

	for (unsigned i = 0; i < n; i++) {
		look(packets[i], &work[i]);
		if (unlikely(!work[i].plain))
			continue;
		key_out(nat, packets[i], &work[i]);
		prefetch_bucket(&work[i], &nat->in);
	}
	for (unsigned i = 0; i < n; i++)
		prefetch_session(nat, &work[i]);
	for (unsigned i = 0; i < n; i++) {
		struct work *w = &work[i];
		struct nat_session *s = w->guess;

		if (likely(s && w->simple && nat_session_is_in(s, w->key) &&
			   nat_use_plain(t, s, w->h.tcp_flags))) {
			nat_translate_out4(nat, t, s, packets[i], &w->h, L3,
					   L4);
			results[i] = (struct nat_result){ 0 };
			translated++;
		} else if (w->plain) {
			nat_outbound_one(nat, t, packets[i], &w->h,
					 &results[i]);
		} else {
			special(nat, t, packets[i], &w->h, true, &results[i]);
		}
	}
	nat_count_n(&t->counters.translated_out, translated);
}

static void chunk_in(struct nat *nat, struct nat_thread *t,
		     struct packet *const packets[], unsigned n,
		     struct nat_result *results)
{
	struct work work[CHUNK];
	uint64_t translated = 0;

	for (unsigned i = 0; i < n; i++) {
		look(packets[i], &work[i]);
		if (unlikely(!work[i].plain))
			continue;
		key_in(nat, t, packets[i], &work[i]);
		prefetch_bucket(&work[i], &nat->out);
	}
	for (unsigned i = 0; i < n; i++)
		prefetch_session(nat, &work[i]);
	for (unsigned i = 0; i < n; i++) {
		struct work *w = &work[i];
		struct nat_session *s = w->guess;

		if (likely(s && w->simple && w->oidx >= 0 &&
			   nat_session_is_out(s, w->key) &&
			   nat_use_plain(t, s, w->h.tcp_flags))) {
			nat_translate_in4(s, packets[i], &w->h, L3, L4);
			results[i] = (struct nat_result){ 0 };
			translated++;
		} else if (w->plain) {
			nat_inbound_one(nat, t, packets[i], &w->h, false,
					&results[i]);
		} else {
			special(nat, t, packets[i], &w->h, false, &results[i]);
		}
	}
	nat_count_n(&t->counters.translated_in, translated);
}

void nat_outbound(struct nat *nat, unsigned thread,
		  struct packet *const packets[], unsigned n,
		  struct nat_result *results)
{
	struct nat_thread *t = &nat->threads[thread];

	for (unsigned i = 0; i < n; i += CHUNK)
		chunk_out(nat, t, packets + i, MIN(n - i, CHUNK), results + i);
}

void nat_inbound(struct nat *nat, unsigned thread,
		 struct packet *const packets[], unsigned n,
		 struct nat_result *results)
{
	struct nat_thread *t = &nat->threads[thread];

	for (unsigned i = 0; i < n; i += CHUNK)
		chunk_in(nat, t, packets + i, MIN(n - i, CHUNK), results + i);
}
