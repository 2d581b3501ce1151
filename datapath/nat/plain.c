/*
 * Plain packets of established flows through the NAT, in three steps, so that
 * memory is waited for once a burst and not once a packet: keys and hashes,
 * bucket, session.
 */
#include <immintrin.h>

#include "nat/plain.h"
#include "nat/way.h"

/* Where the headers of a plain packet are. */
#define L3 ETH_HEADER_LEN
#define L4 (ETH_HEADER_LEN + 20)

#define INLINE __attribute__((always_inline)) static inline
#define AVX2   __attribute__((target("avx2,bmi,bmi2")))

struct work {
	/* The two words of each key, each where a session has it. */
	uint64_t keys[NAT_PLAIN_MAX][2] CACHE_ALIGNED;
	struct nat_bucket *buckets[NAT_PLAIN_MAX];
	uint32_t tags[NAT_PLAIN_MAX];
	struct nat_session *guesses[NAT_PLAIN_MAX];
	/* Inbound: of the outside addresses that they are to. */
	uint32_t outsides[NAT_PLAIN_MAX + NAT_PLAIN_LANES];
};

/* What of a session's two words is in a key. */
static const uint64_t mask_in[2] CACHE_ALIGNED = { UINT64_MAX, NAT_KEY_IN };
static const uint64_t mask_out[2] CACHE_ALIGNED = { ~0ull << 32, NAT_KEY_OUT };

/* The number of no outside address, which no session has. */
#define STRANGER 0x1fff

static void find_outside(const struct nat *nat, struct nat_thread *t,
			 const uint32_t *dst)
{
	t->last_word = *dst;
	t->last_outside =
		nat_find_outside(nat, t->view, 4, (const uint8_t *)dst, *dst);
}

/* The outside addresses, which are looked for where they change. */
static void find_outsides(const struct nat *nat, struct nat_thread *t,
			  const struct nat_plain *plain, struct work *w)
{
	for (unsigned i = 0; i < plain->n; i++) {
		if (unlikely(plain->dst[i] != t->last_word ||
			     t->last_outside < 0))
			find_outside(nat, t, &plain->dst[i]);
		w->outsides[i] = likely(t->last_outside >= 0) ? t->last_outside
							      : STRANGER;
	}
}

/* --- one packet's key and hash --------------------------------------------
 */

INLINE void find_keys(const struct nat_hash *hash,
		      const struct nat_plain *plain, struct work *w,
		      bool outbound)
{
	for (unsigned i = 0; i < plain->n; i++) {
		uint64_t kind = (uint64_t)plain->code[i] << 48, h;
		struct nat_key key;

		if (outbound) {
			key.addrs = plain->src[i] | (uint64_t)plain->dst[i]
							    << 32;
			key.ports = plain->ports[i] | kind;
			w->keys[i][0] = key.addrs;
		} else {
			kind |= (uint64_t)w->outsides[i] << 51;
			key.addrs = plain->src[i];
			key.ports = (uint64_t)plain->ports[i] << 16 | kind;
			w->keys[i][0] = key.addrs << 32;
		}
		w->keys[i][1] = key.ports;
		h = nat_hash_of(hash, key);
		w->tags[i] = nat_tag(h);
		w->buckets[i] = nat_bucket(hash, h);
		__builtin_prefetch(w->buckets[i]);
	}
}

/* --- eight, by AVX2 ------------------------------------------------------- */

#define BUCKET_SHIFT 6
_Static_assert(sizeof(struct nat_bucket) == 1 << BUCKET_SHIFT, "a shift");

#define INLINE_AVX2 __attribute__((always_inline)) static inline AVX2

/* Eight words of 32 bits, or four of 64. */
INLINE_AVX2 __m256i load(const uint32_t *words)
{
	return _mm256_loadu_si256((const void *)words);
}

INLINE_AVX2 __m256i eight(uint64_t word)
{
	return _mm256_set1_epi32((int)(uint32_t)word);
}

/* One round of nat_hash_of() on four. */
INLINE_AVX2 __m256i stir(__m256i h, uint32_t low, uint32_t high)
{
	__m256i top = _mm256_srli_epi64(h, 32);

	h = _mm256_add_epi64(_mm256_mul_epu32(h, eight(low)),
			     _mm256_mul_epu32(top, eight(high)));
	return _mm256_xor_si256(h, _mm256_srli_epi64(h, 32));
}

/* The words of a key, the keyed sums of nat_hash_of() already. */
struct sums {
	__m256i a, b, c, d;
};

INLINE_AVX2 __m256i hash_four(struct sums s)
{
	__m256i h = _mm256_add_epi64(_mm256_mul_epu32(s.a, s.b),
				     _mm256_mul_epu32(s.c, s.d));

	h = _mm256_xor_si256(h, _mm256_srli_epi64(h, 32));
	h = stir(h, NAT_STIR_1, NAT_STIR_2);
	return stir(h, NAT_STIR_3, NAT_STIR_4);
}

INLINE_AVX2 struct sums shift_down(struct sums s)
{
	return (struct sums){ _mm256_srli_epi64(s.a, 32),
			      _mm256_srli_epi64(s.b, 32),
			      _mm256_srli_epi64(s.c, 32),
			      _mm256_srli_epi64(s.d, 32) };
}

/* Four hashes' buckets, from `at` on each second one. */
INLINE_AVX2 void place_four(const struct nat_hash *hash, struct work *w,
			    unsigned at, __m256i h)
{
	__m256i n = eight(hash->n);
	__m256i base = _mm256_set1_epi64x((intptr_t)hash->buckets);
	uint64_t places[4];

	h = _mm256_mul_epu32(_mm256_srli_epi64(h, 32), n);
	h = _mm256_slli_epi64(_mm256_srli_epi64(h, 32), BUCKET_SHIFT);
	_mm256_storeu_si256((void *)places, _mm256_add_epi64(base, h));
#pragma GCC unroll 4
	for (unsigned i = 0; i < 4; i++) {
		w->buckets[at + 2 * i] = (struct nat_bucket *)places[i];
		__builtin_prefetch(w->buckets[at + 2 * i]);
	}
}

/* Bucket and tag of eight hashes: those of even and of odd numbers. */
INLINE_AVX2 void place_eight(const struct nat_hash *hash, struct work *w,
			     unsigned at, __m256i even, __m256i odd)
{
	__m256i tag =
		_mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);

	tag = _mm256_and_si256(tag, eight(0xffff));
	tag = _mm256_max_epu32(tag, eight(1));
	_mm256_storeu_si256((void *)&w->tags[at], tag);
	place_four(hash, w, at, even);
	place_four(hash, w, at + 1, odd);
}

/* Keys of which each vector has a word of 32 bits, from the lowest. */
INLINE_AVX2 void store_keys(struct work *w, unsigned at, __m256i k0, __m256i k1,
			    __m256i k2, __m256i k3)
{
	__m256i a = _mm256_unpacklo_epi32(k0, k1); /* 0 1, 4 5 */
	__m256i b = _mm256_unpackhi_epi32(k0, k1); /* 2 3, 6 7 */
	__m256i c = _mm256_unpacklo_epi32(k2, k3);
	__m256i d = _mm256_unpackhi_epi32(k2, k3);
	const __m256i rows[] = { _mm256_unpacklo_epi64(a, c),
				 _mm256_unpackhi_epi64(a, c),
				 _mm256_unpacklo_epi64(b, d),
				 _mm256_unpackhi_epi64(b, d) };

#pragma GCC unroll 4
	for (unsigned i = 0; i < 4; i++) {
		_mm_store_si128((void *)w->keys[at + i],
				_mm256_castsi256_si128(rows[i]));
		_mm_store_si128((void *)w->keys[at + 4 + i],
				_mm256_extracti128_si256(rows[i], 1));
	}
}

INLINE_AVX2 void find_eight(const struct nat_hash *hash,
			    const struct nat_plain *plain, struct work *w,
			    unsigned at, bool outbound)
{
	__m256i src = load(&plain->src[at]), dst = load(&plain->dst[at]);
	__m256i ports = load(&plain->ports[at]);
	__m256i kind = _mm256_slli_epi32(load(&plain->code[at]), 16);
	__m256i zero = _mm256_setzero_si256();
	__m256i a = src, b = outbound ? dst : zero, c = ports, d = kind;
	struct sums s;

	if (!outbound) {
		kind = _mm256_or_si256(
			kind, _mm256_slli_epi32(load(&w->outsides[at]), 19));
		c = _mm256_slli_epi32(ports, 16);
		d = _mm256_or_si256(_mm256_srli_epi32(ports, 16), kind);
	}
	store_keys(w, at, outbound ? src : zero, outbound ? dst : src, c, d);
	s.a = _mm256_add_epi32(a, eight(hash->seed[0]));
	s.b = _mm256_add_epi32(b, eight(hash->seed[0] >> 32));
	s.c = _mm256_add_epi32(c, eight(hash->seed[1]));
	s.d = _mm256_add_epi32(d, eight(hash->seed[1] >> 32));
	place_eight(hash, w, at, hash_four(s), hash_four(shift_down(s)));
}

/* The same where there is but one; false: look for each. */
INLINE_AVX2 bool find_outside_avx2(const struct nat *nat, struct nat_thread *t,
				   const struct nat_plain *plain,
				   struct work *w)
{
	__m256i first = eight(plain->dst[0]), differ = _mm256_setzero_si256();
	unsigned at = 0;

	if (unlikely(!plain->n || plain->n % NAT_PLAIN_LANES))
		return false;
	if (t->last_outside < 0 || plain->dst[0] != t->last_word)
		find_outside(nat, t, &plain->dst[0]);
	if (unlikely(t->last_outside < 0))
		return false;
	for (; at < plain->n; at += NAT_PLAIN_LANES) {
		differ = _mm256_or_si256(
			differ, _mm256_xor_si256(first, load(&plain->dst[at])));
		_mm256_storeu_si256((void *)&w->outsides[at],
				    eight(t->last_outside));
	}
	return _mm256_testz_si256(differ, differ);
}

INLINE_AVX2 void find_keys_avx2(const struct nat_hash *hash,
				const struct nat_plain *plain, struct work *w,
				bool outbound)
{
	for (unsigned at = 0; at < plain->n; at += NAT_PLAIN_LANES)
		find_eight(hash, plain, w, at, outbound);
}

/* --- sessions ------------------------------------------------------------- */

INLINE void find_sessions(const struct nat *nat, struct work *w, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		w->guesses[i] =
			nat_bucket_guess(nat, w->buckets[i], w->tags[i]);
		__builtin_prefetch(w->guesses[i]); /* none: no harm */
	}
}

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
