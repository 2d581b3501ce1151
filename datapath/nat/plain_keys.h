/*
 * The keys of plain packets' sessions, their hashes, buckets and tags: of eight
 * packets at a time by AVX2, or of one. For plain.c alone, which puts it all
 * into one function for each way.
 */
#ifndef NAT_PLAIN_KEYS_H
#define NAT_PLAIN_KEYS_H

#include <immintrin.h>

#include "nat/plain.h"
#include "nat/way.h"

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

#endif
