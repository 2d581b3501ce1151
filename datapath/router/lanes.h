/*
 * Eight packets looked at together, by AVX2: whether all are plain
 * (nat/plain.h) and what struct quick says is usual, without a doubt. What
 * is_usual() of run.c says of one packet. For run.c alone.
 */
#ifndef ROUTER_LANES_H
#define ROUTER_LANES_H

#include <immintrin.h>
#include <netinet/in.h>

#include "nat/plain.h"
#include "router/internal.h"

#define AVX2   __attribute__((target("avx2,bmi,bmi2")))
#define INLINE __attribute__((always_inline)) static inline AVX2
#define LANES  NAT_PLAIN_LANES

/* Words 0 to 3 of 16 bytes of each packet: lane i is packet i's. */
struct columns {
	__m256i w[4];
};

INLINE __m256i eight(uint32_t word)
{
	return _mm256_set1_epi32((int)word);
}

INLINE __m256i two_rows(const void *low, const void *high)
{
	return _mm256_inserti128_si256(
		_mm256_castsi128_si256(_mm_loadu_si128(low)),
		_mm_loadu_si128(high), 1);
}

INLINE struct columns turn(const uint8_t *const at[], unsigned offset)
{
	__m256i a = two_rows(at[0] + offset, at[4] + offset);
	__m256i b = two_rows(at[1] + offset, at[5] + offset);
	__m256i c = two_rows(at[2] + offset, at[6] + offset);
	__m256i d = two_rows(at[3] + offset, at[7] + offset);
	__m256i ab = _mm256_unpacklo_epi32(a, b);
	__m256i cd = _mm256_unpacklo_epi32(c, d);
	__m256i ab2 = _mm256_unpackhi_epi32(a, b);
	__m256i cd2 = _mm256_unpackhi_epi32(c, d);

	return (struct columns){ {
		_mm256_unpacklo_epi64(ab, cd),
		_mm256_unpackhi_epi64(ab, cd),
		_mm256_unpacklo_epi64(ab2, cd2),
		_mm256_unpackhi_epi64(ab2, cd2),
	} };
}

/* In each 32 bits the bytes the other way round. */
INLINE __m256i swap(__m256i words)
{
	return _mm256_shuffle_epi8(
		words, _mm256_broadcastsi128_si256(_mm_set_epi64x(
			       0x0c0d0e0f08090a0b, 0x0405060700010203)));
}

/* Unsigned, a <= b. */
INLINE __m256i at_most(__m256i a, __m256i b)
{
	return _mm256_cmpeq_epi32(_mm256_min_epu32(a, b), a);
}

/* Lanes that are 0: a != b of the bits of the mask. */
INLINE __m256i equal(__m256i a, uint32_t b, uint32_t mask)
{
	return _mm256_cmpeq_epi32(_mm256_and_si256(a, eight(mask)),
				  eight(b & mask));
}

/* As ip4_is_martian(). */
INLINE __m256i is_martian(__m256i ip)
{
	__m256i beyond = at_most(eight(0xdf000000),
				 _mm256_sub_epi32(ip, eight(0x01000000)));

	return _mm256_or_si256(
		beyond, _mm256_or_si256(equal(ip, 0x7f000000, 0xff000000),
					equal(ip, 0xa9fe0000, 0xffff0000)));
}

INLINE __m256i is_odd_source(const struct quick *q, enum router_side in,
			     __m256i src, __m256i dst)
{
	__m256i hosts;

	if (in != ROUTER_INSIDE)
		return _mm256_or_si256(is_martian(src), equal(src, q->inside.ip,
							      q->inside.mask));
	hosts = at_most(_mm256_sub_epi32(src, eight(q->first)),
			eight(q->n_hosts - 1));
	src = _mm256_or_si256(
		equal(src, q->inside.ip, UINT32_MAX),
		_mm256_or_si256(equal(dst, q->inside.ip, q->inside.mask),
				equal(dst, q->outside.ip, q->outside.mask)));
	return _mm256_or_si256(_mm256_or_si256(src, is_martian(dst)),
			       _mm256_xor_si256(hosts, eight(UINT32_MAX)));
}

/* Lanes that are 0: the header's sum is right. */
INLINE __m256i sum_is_wrong(const struct columns *ip, __m256i dst)
{
	__m256i half = eight(0xffff);
	__m256i sum = _mm256_add_epi32(_mm256_and_si256(dst, half),
				       _mm256_srli_epi32(dst, 16));

#pragma GCC unroll 4
	for (unsigned i = 0; i < 4; i++) {
		sum = _mm256_add_epi32(sum, _mm256_and_si256(ip->w[i], half));
		sum = _mm256_add_epi32(sum, _mm256_srli_epi32(ip->w[i], 16));
	}
	/* Ten halves, not all 0: one fold makes 0xffff of those that are right
	 */
	sum = _mm256_add_epi32(_mm256_and_si256(sum, half),
			       _mm256_srli_epi32(sum, 16));
	return _mm256_xor_si256(sum, half);
}

/* Lanes that are 0: it goes to us, as IPv4 without options. */
INLINE __m128i is_other_frame(const struct link *link,
			      const uint8_t *const headers[])
{
	const __m128i want = _mm_set_epi64x(0x0045000800000000, link->mac_word);
	const __m128i mask = _mm_set_epi64x(0x00ffffff00000000, 0xffffffffffff);
	__m128i differ = _mm_setzero_si128();

#pragma GCC unroll 8
	for (unsigned i = 0; i < LANES; i++)
		differ = _mm_or_si128(
			differ,
			_mm_xor_si128(want, _mm_loadu_si128(
						    (const void *)headers[i])));
	return _mm_and_si128(differ, mask);
}

/* What lies beside each other in struct packet, and is looked at at once. */
#define LENGTHS offsetof(struct packet, len)
_Static_assert(offsetof(struct packet, header_len) == LENGTHS + 8, "word 2");

/* Lanes that are 0: the lengths are right, and it fits on the other side. */
INLINE __m256i is_odd_length(const struct quick *q,
			     struct packet *const packets[], __m256i total,
			     __m256i tcp)
{
	struct columns lengths = turn((const uint8_t *const *)packets, LENGTHS);
	__m256i len = lengths.w[0];
	__m256i header_len = _mm256_and_si256(lengths.w[2], eight(0xffff));
	__m256i least = _mm256_add_epi32(eight(28),
					 _mm256_and_si256(tcp, eight(40 - 28)));

	return _mm256_or_si256(
		_mm256_or_si256(
			_mm256_cmpgt_epi32(eight(NAT_PLAIN_HEADER), header_len),
			_mm256_cmpgt_epi32(least, total)),
		_mm256_or_si256(
			_mm256_cmpgt_epi32(len, eight(q->frame_max)),
			_mm256_cmpgt_epi32(_mm256_add_epi32(total, eight(L3)),
					   len)));
}

/*
 * Adds eight packets of a burst, if all are usual; false: nothing is done. Each
 * has PACKET_PULL bytes of room behind its header, be they filled or not.
 */
INLINE bool add_eight(const struct link *link, const struct quick *q,
		      enum router_side in, struct packet *const packets[],
		      struct nat_plain *plain)
{
	const uint8_t *headers[LANES];
	struct columns ip, rest;
	__m256i odd, proto, tcp, udp, total;
	unsigned at = plain->n;

#pragma GCC unroll 8
	for (unsigned i = 0; i < LANES; i++)
		headers[i] = packets[i]->header;
	if (unlikely(!_mm_testz_si128(is_other_frame(link, headers),
				      _mm_set1_epi8(-1))))
		return false;
	ip = turn(headers, L3);
	rest = turn(headers, L3 + 16); /* the destination, and the ports */
	proto = _mm256_and_si256(ip.w[2], eight(0xff00));
	tcp = _mm256_cmpeq_epi32(proto, eight(IPPROTO_TCP << 8));
	udp = _mm256_cmpeq_epi32(proto, eight(IPPROTO_UDP << 8));
	total = _mm256_and_si256(swap(ip.w[0]), eight(0xffff));
	odd = _mm256_or_si256(sum_is_wrong(&ip, rest.w[0]),
			      is_odd_length(q, packets, total, tcp));
	odd = _mm256_or_si256(
		odd, is_odd_source(q, in, swap(ip.w[3]), swap(rest.w[0])));
	/* More fragments, or an offset. */
	odd = _mm256_or_si256(odd,
			      _mm256_and_si256(ip.w[1], eight(0xff3f0000)));
	odd = _mm256_or_si256(odd,
			      _mm256_andnot_si256(_mm256_or_si256(tcp, udp),
						  eight(UINT32_MAX)));
	/* The last hop. */
	odd = _mm256_or_si256(
		odd, _mm256_cmpgt_epi32(
			     eight(2), _mm256_and_si256(ip.w[2], eight(0xff))));
	if (unlikely(!_mm256_testz_si256(odd, odd)))
		return false;
	_mm256_storeu_si256((void *)&plain->src[at], ip.w[3]);
	_mm256_storeu_si256((void *)&plain->dst[at], rest.w[0]);
	_mm256_storeu_si256((void *)&plain->ports[at], rest.w[1]);
	_mm256_storeu_si256((void *)&plain->code[at],
			    _mm256_srli_epi32(udp, 31));
	memcpy(&plain->packets[at], packets, LANES * sizeof(*packets));
	plain->n = at + LANES;
	return true;
}

#endif
