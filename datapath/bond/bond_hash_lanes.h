/*
 * The hashes of bond_hash.h for eight packets at a time, by AVX2: constants,
 * header words that are gathered, and what is made of them. For
 * bond_hash_avx2.c alone, in which it is all put into one function for each
 * shape of frames: instructions count here, so what does not change lies in
 * memory, ready to be an operand.
 */
#ifndef BOND_BOND_HASH_LANES_H
#define BOND_BOND_HASH_LANES_H

#include <immintrin.h>
#include <netinet/in.h>

#include "bond/bond_hash.h"

#define AVX2   __attribute__((target("avx2,popcnt")))
#define INLINE __attribute__((always_inline)) static inline AVX2
#define LANES  8u

/*
 * Constants in memory, by a pointer that the compiler cannot see through: it
 * would make them anew for each group, by three instructions each.
 */
#define EIGHT(x)                                                               \
	{                                                                      \
		x, x, x, x, x, x, x, x                                         \
	}
#define TWICE(a, b, c, d)                                                      \
	{                                                                      \
		a, b, c, d, a, b, c, d                                         \
	}
static struct constants {
	uint32_t mix[8], turn[8], halves[8], pairs[8];
	uint32_t type4_mask[8], type4[8], proto4_mask[8], len4[8], len4_tag[8];
	uint32_t type6_mask[8], type6[8], proto6_mask[8], len6[8], len6_tag[8];
	uint32_t tcp[8], udp[8], pick[8], half[8], vlan[8], svlan[8], vid[8];
	/*
	 * For each set of a group's packets: the places of the first four and
	 * of the last four, those of the set first, as indices of 32-bit halves
	 * of pointers. Filled in by find_all_places().
	 */
	uint8_t first[256][8], last[256][8];
} CACHE_ALIGNED constants = {
	.mix = EIGHT(BOND_MIX_WORD),
	/* as bond_turn(), bond_swap_halves(), bond_swap_pairs() */
	.turn = TWICE(0x00010203, 0x04050607, 0x08090a0b, 0x0c0d0e0f),
	.halves = TWICE(0x01000302, 0x05040706, 0x09080b0a, 0x0d0c0f0e),
	.pairs = TWICE(0x02030001, 0x06070405, 0x0a0b0809, 0x0e0f0c0d),
	/* type, version, IHL; no fragment, protocol; least header_len */
	.type4_mask = EIGHT(0x00ffffff),
	.type4 = EIGHT(0x00450008),
	.proto4_mask = EIGHT(0xff00ff3f),
	.len4 = EIGHT(38),
	.len4_tag = EIGHT(42),
	/* type and version; next header; least header_len */
	.type6_mask = EIGHT(0x00f0ffff),
	.type6 = EIGHT(0x0060dd86),
	.proto6_mask = EIGHT(0xff000000),
	.len6 = EIGHT(58),
	.len6_tag = EIGHT(62),
	.tcp = EIGHT((uint32_t)IPPROTO_TCP << 24),
	.udp = EIGHT((uint32_t)IPPROTO_UDP << 24),
	/* the highest byte of each word to the front */
	.pick = EIGHT(0x0f0b0703),
	.half = EIGHT(0xffff),
	.vlan = EIGHT(0x0081),
	.svlan = EIGHT(0xa888),
	.vid = EIGHT(0xff0f),
};

#define CONSTANT(name) _mm256_load_si256((const void *)k->name)

INLINE const struct constants *find_constants(void)
{
	const struct constants *k = &constants;

	__asm__("" : "+r"(k));
	return k;
}

/* --- packets ------------------------------------------------------------ */

/*
 * What the low half of an address, as a signed number, is to be added to. That
 * it is the same for a whole array, far_apart() makes sure.
 */
INLINE const char *base_of(const struct packet *p)
{
	uintptr_t at = (uintptr_t)p;

	return (const char *)(at - (uintptr_t)(intptr_t)(int32_t)at);
}

#define REACH ((PACKET_BURST_MAX + 1) * (uint32_t)sizeof(struct packet))

/* Whether addresses of p's array may differ in the sign of their low half. */
static inline bool far_apart(const struct packet *p)
{
	uint32_t low = (uint32_t)(uintptr_t)p;

	return (int32_t)((low + REACH) ^ (low - REACH)) < 0;
}

/*
 * The low halves of eight pointers: in lanes in an order of their own, which
 * all of a group's vectors have.
 */
static const uint8_t packet_of_lane[LANES] = { 0, 1, 4, 5, 2, 3, 6, 7 };
#define FIRST_LANES 0x33 /* of packets 0 to 3 */

INLINE __m256i load_pointers(struct packet *const packets[])
{
	__m256i low = _mm256_loadu_si256((const void *)packets);
	__m256i high = _mm256_loadu_si256((const void *)(packets + 4));

	return _mm256_castps_si256(_mm256_shuffle_ps(
		_mm256_castsi256_ps(low), _mm256_castsi256_ps(high), 0x88));
}

/* The compiler is kept from holding each base + at in a register of its own. */
INLINE __m256i gather(const char *base, unsigned at, __m256i pointers)
{
	__asm__("" : "+r"(base));
	return _mm256_i32gather_epi32((const int *)(const void *)(base + at),
				      pointers, 1);
}

/* --- hashes -------------------------------------------------------------- */

INLINE __m256i multiply(const struct constants *k, __m256i h)
{
	return _mm256_mullo_epi32(h, CONSTANT(mix));
}

INLINE __m256i turn(const struct constants *k, __m256i h)
{
	return _mm256_shuffle_epi8(h, CONSTANT(turn));
}

/* The first word. */
INLINE __m256i multiply_first(const struct bond_table *table, __m256i word)
{
	return _mm256_mullo_epi32(
		word, _mm256_loadu_si256((const void *)table->factor_lanes));
}

INLINE __m256i is_vlan(const struct constants *k, __m256i type)
{
	return _mm256_or_si256(_mm256_cmpeq_epi32(type, CONSTANT(vlan)),
			       _mm256_cmpeq_epi32(type, CONSTANT(svlan)));
}

/* Eight buckets, each the highest byte of its lane. */
INLINE __m256i hash_slb(const struct bond_table *table,
			const struct constants *k, const char *base,
			__m256i packets)
{
	__m256i headers =
		gather(base, offsetof(struct packet, header), packets);
	__m256i mac = gather(base, 6, headers);
	__m256i rest = gather(base, 10, headers);
	__m256i tci = gather(base, 14, headers);
	__m256i vid;

	/* rest: the address's end and the type. */
	tci = _mm256_and_si256(tci, is_vlan(k, _mm256_srli_epi32(rest, 16)));
	vid = _mm256_slli_epi32(_mm256_and_si256(tci, CONSTANT(vid)), 16);
	rest = _mm256_blend_epi16(rest, vid, 0xaa);
	mac = turn(k, multiply_first(table, mac));
	return multiply(k, _mm256_xor_si256(mac, rest));
}

/* What the frames of a group are taken for, and what is hashed of them. */
struct shape {
	bool is_slb;
	bool has_ports; /* they are hashed */
	bool is_ip6;
	bool has_tag;
};

/* The header_len that the shape needs, ports included. */
INLINE __m256i least_of(const struct constants *k, struct shape s)
{
	if (s.is_ip6)
		return s.has_tag ? CONSTANT(len6_tag) : CONSTANT(len6);
	return s.has_tag ? CONSTANT(len4_tag) : CONSTANT(len4);
}

/*
 * Lanes are 0 where the packet has a header that is not cut short, of the type
 * and version. Words are compared as they lie in the header, in little endian.
 */
INLINE __m256i find_others(const struct constants *k, const char *base,
			   __m256i packets, __m256i headers, __m256i least,
			   struct shape s)
{
	const unsigned l3 = s.has_tag ? 18 : 14;
	__m256i type = gather(base, l3 - 2, headers);
	__m256i len =
		gather(base, offsetof(struct packet, header_len), packets);

	if (s.is_ip6) {
		type = _mm256_xor_si256(type, CONSTANT(type6));
		type = _mm256_and_si256(type, CONSTANT(type6_mask));
	} else {
		type = _mm256_xor_si256(type, CONSTANT(type4));
		type = _mm256_and_si256(type, CONSTANT(type4_mask));
	}
	/* `pulled` is beside header_len: nothing is left of 0 less it. */
	return _mm256_or_si256(type, _mm256_subs_epu16(least, len));
}

/* The same: where there is no tag. */
INLINE __m256i find_untagged(const struct constants *k, const char *base,
			     __m256i headers)
{
	__m256i tpid =
		_mm256_and_si256(gather(base, 12, headers), CONSTANT(half));

	return _mm256_min_epu32(_mm256_xor_si256(tpid, CONSTANT(vlan)),
				_mm256_xor_si256(tpid, CONSTANT(svlan)));
}

/* The same: what has no ports. Sets the protocol as it is to be hashed. */
INLINE __m256i find_portless(const struct constants *k, const char *base,
			     __m256i headers, struct shape s, __m256i *proto)
{
	const unsigned l3 = s.has_tag ? 18 : 14;
	__m256i p = gather(base, s.is_ip6 ? l3 + 3 : l3 + 6, headers);

	if (s.is_ip6)
		p = _mm256_and_si256(p, CONSTANT(proto6_mask));
	else
		p = _mm256_and_si256(p, CONSTANT(proto4_mask));
	*proto = p;
	return _mm256_min_epu32(_mm256_xor_si256(p, CONSTANT(tcp)),
				_mm256_xor_si256(p, CONSTANT(udp)));
}

/* As fold_half() of bond_hash.c: half of both addresses of IPv6. */
INLINE __m256i fold(const struct constants *k, const char *base, unsigned at,
		    __m256i headers)
{
	__m256i s0 = gather(base, at, headers);
	__m256i s1 = gather(base, at + 4, headers);
	__m256i d0 = gather(base, at + 16, headers);
	__m256i d1 = gather(base, at + 20, headers);

	s0 = _mm256_shuffle_epi8(s0, CONSTANT(halves));
	d0 = _mm256_shuffle_epi8(d0, CONSTANT(pairs));
	d1 = _mm256_shuffle_epi8(d1, CONSTANT(turn));
	return _mm256_xor_si256(_mm256_xor_si256(s0, s1),
				_mm256_xor_si256(d0, d1));
}

/* Multiplied, and not turned yet: an IP hash ends here. */
INLINE __m256i hash_addresses(const struct bond_table *table,
			      const struct constants *k, const char *base,
			      __m256i headers, struct shape s)
{
	const unsigned l3 = s.has_tag ? 18 : 14;
	__m256i h, src, dst;

	if (s.is_ip6) {
		h = fold(k, base, l3 + 8, headers);
		h = turn(k, multiply_first(table, h));
		return multiply(k, _mm256_xor_si256(
					   h, fold(k, base, l3 + 16, headers)));
	}
	src = gather(base, l3 + 12, headers);
	dst = turn(k, gather(base, l3 + 16, headers));
	return multiply_first(table, _mm256_xor_si256(src, dst));
}

/* Sets misfits, whose lanes are not right yet. */
INLINE __m256i hash_group(const struct bond_table *table,
			  const struct constants *k, const char *base,
			  __m256i packets, __m256i least, struct shape s,
			  __m256i *misfits)
{
	__m256i headers, h, proto, ports;

	if (s.is_slb) {
		*misfits = _mm256_setzero_si256();
		return hash_slb(table, k, base, packets);
	}
	headers = gather(base, offsetof(struct packet, header), packets);
	*misfits = find_others(k, base, packets, headers, least, s);
	if (s.has_tag)
		*misfits = _mm256_or_si256(*misfits,
					   find_untagged(k, base, headers));
	h = hash_addresses(table, k, base, headers, s);
	if (!s.has_ports)
		return h;
	*misfits = _mm256_or_si256(*misfits,
				   find_portless(k, base, headers, s, &proto));
	ports = gather(base, (s.is_ip6 ? 54 : 34) + 4 * s.has_tag, headers);
	ports = _mm256_xor_si256(ports, proto);
	return multiply(k, _mm256_xor_si256(turn(k, h), ports));
}

#endif
