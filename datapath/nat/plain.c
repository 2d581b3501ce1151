/*
 * Plain packets of established flows through the NAT, in three steps, so that
 * memory is waited for once a burst and not once a packet: keys and hashes
 * (plain_keys.h), bucket, session.
 */
#include "nat/plain_keys.h"

/* Where the headers of a plain packet are. */
#define L3 ETH_HEADER_LEN
#define L4 (ETH_HEADER_LEN + 20)

/* --- sessions ------------------------------------------------------------- */

INLINE void find_sessions(const struct nat *nat, struct work *w, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		w->guesses[i] =
			nat_bucket_guess(nat, w->buckets[i], w->tags[i]);
		__builtin_prefetch(w->guesses[i]); /* none: no harm */
	}
}

/* What of a session's two words is in a key. */
static const uint64_t mask_in[2] CACHE_ALIGNED = { UINT64_MAX, NAT_KEY_IN };
static const uint64_t mask_out[2] CACHE_ALIGNED = { ~0ull << 32, NAT_KEY_OUT };

INLINE bool has_key(const struct nat_session *s, const uint64_t key[2],
		    bool outbound)
{
	const void *mask = outbound ? mask_in : mask_out;
	__m128i differ = _mm_xor_si128(_mm_load_si128((const void *)s),
				       _mm_load_si128((const void *)key));

	differ = _mm_and_si128(differ, _mm_load_si128(mask));
	differ = _mm_cmpeq_epi8(differ, _mm_setzero_si128());
	return _mm_movemask_epi8(differ) == 0xffff;
}

/* Another with the same tag was in front of it, or its bucket was full. */
static __attribute__((noinline)) struct nat_session *search(
	const struct nat *nat, const uint64_t key[2], bool outbound)
{
	const struct nat_key in = { key[0], key[1] };
	const struct nat_key out = { key[0] >> 32, key[1] };

	/* the addresses behind a key are an IPv6 session's to compare */
	return outbound ? nat_find_in(nat, in, NULL)
			: nat_find_out(nat, out, NULL);
}

/* Not as nat_is_settled() says: whether it may go through the session. */
static __attribute__((noinline)) bool touch(struct nat *nat,
					    struct nat_thread *t,
					    struct nat_session *s,
					    unsigned flags, bool outbound)
{
	return !(atomic_load_explicit(&s->state, memory_order_relaxed) &
		 NAT_S_HAIRPIN) &&
	       nat_touch(nat, t, s, flags, outbound);
}

/* The checksum's change is that of the address and, by `hops`, of the TTL. */
INLINE void change_ip(uint8_t *ip, uint16_t delta, unsigned hops)
{
	uint16_t csum;

	csum = nat_csum_update(nat_load16(ip + 10), delta + 0xffffu - hops);
	memcpy(ip + 10, &csum, 2);
	ip[8] -= hops;
}

INLINE void translate(struct nat *nat, struct nat_thread *t,
		      const struct nat_session *s, struct packet *p,
		      uint32_t code, unsigned hops, bool outbound)
{
	uint8_t *ip = p->header + L3, *l4 = p->header + L4;
	uint16_t port = outbound ? s->ports >> 32 : s->ports;
	uint16_t l3_delta = outbound ? s->l3_delta : ~s->l3_delta;
	uint16_t l4_delta = outbound ? s->l4_delta : ~s->l4_delta;
	uint32_t address = outbound ? s->outside4 : (uint32_t)s->addrs;

	memcpy(ip + (outbound ? 12 : 16), &address, 4);
	change_ip(ip, l3_delta, hops);
	if (outbound && unlikely(!(ip[6] & 0x40))) {
		const struct nat_headers h = { .l3 = L3 };

		nat_renumber(nat, t, p, &h);
	}
	memcpy(l4 + (outbound ? 0 : 2), &port, 2);
	nat_l4_change(p, L4, code, l4 + (code == NAT_TCP ? 16 : 6), l3_delta,
		      l4_delta);
}

/* Through its session, if that is for it. */
INLINE bool go(struct nat *nat, struct nat_thread *t, struct nat_session *s,
	       struct packet *p, const unsigned code, uint64_t settled,
	       unsigned hops, bool outbound)
{
	unsigned flags = code == NAT_TCP ? p->header[L4 + 13] : 0;

	if (unlikely(!nat_is_settled(s, settled, flags)) &&
	    !touch(nat, t, s, flags, outbound))
		return false;
	translate(nat, t, s, p, code, hops, outbound);
	return true;
}

INLINE uint32_t use_sessions(struct nat *nat, struct nat_thread *t,
			     const struct nat_plain *plain,
			     const struct work *w, unsigned hops, bool outbound)
{
	const uint64_t settled = nat_settled(t);
	const unsigned n = plain->n;
	uint32_t left = 0;

	for (unsigned i = 0; i < n; i++) {
		struct nat_session *s = w->guesses[i];
		struct packet *p = plain->packets[i];
		bool done;

		if (unlikely(!s) || unlikely(!has_key(s, w->keys[i], outbound)))
			s = search(nat, w->keys[i], outbound);
		if (unlikely(!s))
			done = false;
		else if (plain->code[i] == NAT_TCP)
			done = go(nat, t, s, p, NAT_TCP, settled, hops,
				  outbound);
		else
			done = go(nat, t, s, p, NAT_UDP, settled, hops,
				  outbound);
		if (unlikely(!done))
			left |= 1u << i;
	}
	return left;
}

/* The steps behind the keys. */
INLINE uint32_t translate_all(struct nat *nat, struct nat_thread *t,
			      const struct nat_plain *plain, struct work *w,
			      unsigned hops, bool outbound)
{
	uint32_t left;

	find_sessions(nat, w, plain->n);
	left = use_sessions(nat, t, plain, w, hops, outbound);
	nat_count_n(outbound ? &t->counters.translated_out
			     : &t->counters.translated_in,
		    plain->n - __builtin_popcount(left));
	return left;
}

static AVX2 uint32_t out_avx2(struct nat *nat, struct nat_thread *t,
			      const struct nat_plain *plain, unsigned hops)
{
	struct work w;

	find_keys_avx2(&nat->in, plain, &w, true);
	return translate_all(nat, t, plain, &w, hops, true);
}

static AVX2 uint32_t in_avx2(struct nat *nat, struct nat_thread *t,
			     const struct nat_plain *plain, unsigned hops)
{
	struct work w;

	if (unlikely(!find_outside_avx2(nat, t, plain, &w)))
		find_outsides(nat, t, plain, &w);
	find_keys_avx2(&nat->out, plain, &w, false);
	return translate_all(nat, t, plain, &w, hops, false);
}

bool nat_plain_has_avx2(void)
{
	return __builtin_cpu_supports("avx2") &&
	       __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

uint32_t nat_plain_outbound(struct nat *nat, unsigned thread,
			    const struct nat_plain *plain, unsigned hops)
{
	struct nat_thread *t = &nat->threads[thread];
	struct work w;

	if (likely(nat->avx2))
		return out_avx2(nat, t, plain, hops);
	find_keys(&nat->in, plain, &w, true);
	return translate_all(nat, t, plain, &w, hops, true);
}

uint32_t nat_plain_inbound(struct nat *nat, unsigned thread,
			   const struct nat_plain *plain, unsigned hops)
{
	struct nat_thread *t = &nat->threads[thread];
	struct work w;

	if (likely(nat->avx2))
		return in_avx2(nat, t, plain, hops);
	find_outsides(nat, t, plain, &w);
	find_keys(&nat->out, plain, &w, false);
	return translate_all(nat, t, plain, &w, hops, false);
}
