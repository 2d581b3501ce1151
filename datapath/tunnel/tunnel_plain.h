/*
 * The usual packet in a few steps: an inner frame of TCP or UDP, no fragment
 * and no IPv4 options, nothing left to offload; outer headers without a UDP
 * checksum, or with one that another stage makes, or has looked at. Anything
 * that is not just so goes the way of vxlan.h, which does the same. For
 * tunnel_plain_*.c alone.
 *
 * Loads and stores of 32 bytes want AVX2; machines without it do without this.
 */
#ifndef TUNNEL_TUNNEL_PLAIN_H
#define TUNNEL_TUNNEL_PLAIN_H

#include <immintrin.h>
#include <netinet/in.h>

#include "packet/parse.h"
#include "tunnel/tunnel_internal.h"

#define AVX2   __attribute__((target("avx2,bmi,bmi2")))
#define INLINE __attribute__((always_inline)) static inline AVX2

/* Where the headers are that follow an outer IP header of a version. */
#define UDP_AT(version)                                                        \
	(ETH_HEADER_LEN + ((version) == 4 ? IPV4_LEN : IPV6_LEN))
#define VXLAN_AT(version)  (UDP_AT(version) + UDP_LEN)
#define OUTER_LEN(version) (VXLAN_AT(version) + VXLAN_HEADER_LEN)

/* As they lie in memory (little endian). */
#define TYPE_IPV4  0x450008u /* and 20 bytes of header */
#define TYPE_IPV6  0x60dd86u
#define TYPE_VLAN  0x0081u
#define TYPE_SVLAN 0xa888u

/* header_len and pulled 64, one segment, no tag beside it */
#define STATE_PULLED (PACKET_STATE_UNTOUCHED | PACKET_PULL << 16 | PACKET_PULL)

INLINE uint16_t word16(const uint8_t *from)
{
	uint16_t v;

	memcpy(&v, from, sizeof(v));
	return v;
}

INLINE uint32_t word32(const uint8_t *from)
{
	uint32_t v;

	memcpy(&v, from, sizeof(v));
	return v;
}

INLINE uint64_t word64(const uint8_t *from)
{
	uint64_t v;

	memcpy(&v, from, sizeof(v));
	return v;
}

INLINE void put16(uint8_t *to, uint16_t v)
{
	memcpy(to, &v, sizeof(v));
}

INLINE void put32(uint8_t *to, uint32_t v)
{
	memcpy(to, &v, sizeof(v));
}

INLINE void put64(uint8_t *to, uint64_t v)
{
	memcpy(to, &v, sizeof(v));
}

INLINE __m256i load32(const uint8_t *from)
{
	return _mm256_loadu_si256((const __m256i *)from);
}

INLINE void put256(uint8_t *to, __m256i v)
{
	_mm256_storeu_si256((__m256i *)to, v);
}

INLINE __m128i load16(const uint8_t *from)
{
	return _mm_loadu_si128((const __m128i *)from);
}

INLINE void put128(uint8_t *to, __m128i v)
{
	_mm_storeu_si128((__m128i *)to, v);
}

/* Whether a and b are the same where the mask has ones. */
INLINE bool same64(__m256i a_low, __m256i a_high, const __m256i b[2],
		   const __m256i mask[2])
{
	__m256i low = _mm256_and_si256(_mm256_xor_si256(a_low, b[0]), mask[0]);
	__m256i high =
		_mm256_and_si256(_mm256_xor_si256(a_high, b[1]), mask[1]);

	low = _mm256_or_si256(low, high);
	return _mm256_testz_si256(low, low);
}

#endif
