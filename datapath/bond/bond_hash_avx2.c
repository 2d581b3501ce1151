/*
 * Eight packets at a time. Their header words are gathered, hashed side by
 * side, and looked up among the buckets' members.
 *
 * All packets of a burst lie in one array, and each has its header in itself;
 * so 32-bit offsets from the first one lead to all of them.
 *
 * A group of eight is taken for what its first packet is: IPv4 or IPv6, with a
 * tag or without. Those that are something else are hashed one by one
 * afterwards, and what the next group is taken for is looked at anew.
 */
#include "bond/bond_hash.h"

#include "packet/parse.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <netinet/in.h>

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
static const struct constants {
	uint32_t mix[8], turn[8], type4_mask[8], type4[8], proto4_mask[8];
	uint32_t type6_mask[8], type6[8], proto6_mask[8], tcp[8], udp[8];
	uint32_t pick[8], half[8], vlan[8], svlan[8], vid[8];
} CACHE_ALIGNED constants = {
	.mix = EIGHT(BOND_MIX_WORD),
	/* bytes of each word turned around */
	.turn = { 0x00010203, 0x04050607, 0x08090a0b, 0x0c0d0e0f, 0x00010203,
		  0x04050607, 0x08090a0b, 0x0c0d0e0f },
	/* type, version and length; no fragment, protocol */
	.type4_mask = EIGHT(0x00ffffff),
	.type4 = EIGHT(0x00450008),
	.proto4_mask = EIGHT(0xff00ff3f),
	/* type and version; next header */
	.type6_mask = EIGHT(0x00f0ffff),
	.type6 = EIGHT(0x0060dd86),
	.proto6_mask = EIGHT(0x00ff0000),
	.tcp = EIGHT((uint32_t)IPPROTO_TCP << 24),
	.udp = EIGHT((uint32_t)IPPROTO_UDP << 24),
	/* the lowest byte of each word to the front */
	.pick = EIGHT(0x0c080400),
	.half = EIGHT(0xffff),
	.vlan = EIGHT(0x0081),
	.svlan = EIGHT(0xa888),
	.vid = EIGHT(0xff0f),
};

#define CONSTANT(name) _mm256_load_si256((const void *)c->k->name)

struct burst {
	const struct bond_table *table;
	struct packet *const *packets;
	unsigned n;
	struct bond_rows *rows;
	uint8_t *buckets;
};

/* What is the same for all groups. */
struct common {
	const struct constants *k;
	__m256i base;		/* the low half of the first packet's address */
	__m256i basis;		/* of the hash */
	__m256i ports;		/* ~0: they are hashed; 0: not */
	struct packet **end[2]; /* of two members' rows, if there are two */
};

/*
 * The low halves of eight pointers, less that of the base: in lanes in an order
 * of their own, which all of a group's vectors have.
 */
static const uint8_t packet_of_lane[LANES] = { 0, 1, 4, 5, 2, 3, 6, 7 };
#define FIRST_LANES 0x33 /* of packets 0 to 3 */

INLINE __m256i load_offsets(struct packet *const packets[], __m256i base)
{
	__m256i low = _mm256_loadu_si256((const void *)packets);
	__m256i high = _mm256_loadu_si256((const void *)(packets + 4));
	__m256 halves = _mm256_shuffle_ps(_mm256_castsi256_ps(low),
					  _mm256_castsi256_ps(high), 0x88);

	return _mm256_sub_epi32(_mm256_castps_si256(halves), base);
}

INLINE __m256i gather(const void *base, unsigned at, __m256i offsets)
{
	return _mm256_i32gather_epi32(
		(const int *)(const void *)((const char *)base + at), offsets,
		1);
}

INLINE __m256i multiply(const struct common *c, __m256i h, __m256i word)
{
	return _mm256_mullo_epi32(_mm256_xor_si256(h, word), CONSTANT(mix));
}

INLINE __m256i mix(const struct common *c, __m256i h, __m256i word)
{
	return _mm256_shuffle_epi8(multiply(c, h, word), CONSTANT(turn));
}

/* The bucket. */
INLINE __m256i mix_last(const struct common *c, __m256i h, __m256i word)
{
	return _mm256_srli_epi32(multiply(c, h, word), 24);
}

/* The lowest byte of each lane. */
INLINE void store_bytes(const struct common *c, uint8_t to[], __m256i v)
{
	__m256i bytes = _mm256_shuffle_epi8(v, CONSTANT(pick));
	int64_t all = _mm_cvtsi128_si64(
		_mm_unpacklo_epi16(_mm256_castsi256_si128(bytes),
				   _mm256_extracti128_si256(bytes, 1)));

	memcpy(to, &all, sizeof(all));
}

/* Where the headers are, from the first packet on. */
INLINE __m256i load_headers(const struct burst *b, const struct common *c,
			    __m256i packets)
{
	__m256i low =
		gather(b->packets[0], offsetof(struct packet, header), packets);

	return _mm256_sub_epi32(low, c->base);
}

/* --- members' rows ------------------------------------------------------ */

/*
 * For each set of a group's packets: the places of the first four and of the
 * last four, those of the set first, as indices of 32-bit halves of pointers.
 */
static struct {
	uint8_t first[256][8], last[256][8];
} places;

/* Of packets [from, from + 4). */
static void find_places(uint8_t order[8], unsigned set, unsigned from)
{
	unsigned n = 0;

	for (unsigned want = 1; want < 2; want--)
		for (unsigned lane = 0; lane < LANES; lane++) {
			unsigned at = packet_of_lane[lane] - from;

			if (at >= 4 || (set >> lane & 1) != want)
				continue;
			order[n++] = 2 * at;
			order[n++] = 2 * at + 1;
		}
}

static __attribute__((constructor)) void find_all_places(void)
{
	for (unsigned set = 0; set < 256; set++) {
		find_places(places.first[set], set, 0);
		find_places(places.last[set], set, 4);
	}
}

/* Those of four pointers that are in a set to a row's end. */
INLINE void store_set(struct packet **end, __m256i pointers,
		      const uint8_t order[8])
{
	__m256i o = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)order));

	_mm256_storeu_si256((void *)end,
			    _mm256_permutevar8x32_epi32(pointers, o));
}

/* Two members: each packet to one or the other (a bit set) without a branch. */
INLINE void share_two(struct common *c, struct packet *const packets[],
		      size_t set)
{
	__m256i first = _mm256_loadu_si256((const void *)packets);
	__m256i last = _mm256_loadu_si256((const void *)(packets + 4));
	int64_t n_first = __builtin_popcountll(set & FIRST_LANES);
	int64_t n = __builtin_popcountll(set);

	store_set(c->end[1], first, places.first[set]);
	store_set(c->end[1] + n_first, last, places.last[set]);
	c->end[1] += n;
	set ^= 0xff;
	store_set(c->end[0], first, places.first[set]);
	store_set(c->end[0] + 4 - n_first, last, places.last[set]);
	c->end[0] += LANES - n;
}

static void share_many(const struct burst *b, struct packet *const packets[],
		       const uint8_t buckets[])
{
	for (unsigned i = 0; i < LANES; i++) {
		unsigned row = bond_row_of(b->table->member[buckets[i]]);

		*b->rows->ends[row]++ = packets[i];
	}
}

/* Four bytes are read where a bucket's is the last. */
_Static_assert(offsetof(struct bond_table, which) >= 3, "readable");

/* A group, of which all buckets are known. */
INLINE void share_group(const struct burst *b, struct common *c, unsigned at,
			__m256i buckets, bool two)
{
	uint8_t bytes[LANES];

	if (b->buckets)
		store_bytes(c, b->buckets + at, buckets);
	if (two) {
		__m256i which = gather(b->table->which - 3, 0, buckets);

		share_two(c, b->packets + at,
			  (unsigned)_mm256_movemask_ps(
				  _mm256_castsi256_ps(which)));
		return;
	}
	store_bytes(c, bytes, buckets);
	share_many(b, b->packets + at, bytes);
}

/* --- source address and VLAN -------------------------------------------- */

INLINE __m256i is_vlan(const struct common *c, __m256i type)
{
	return _mm256_or_si256(_mm256_cmpeq_epi32(type, CONSTANT(vlan)),
			       _mm256_cmpeq_epi32(type, CONSTANT(svlan)));
}

INLINE __m256i hash_slb(const struct burst *b, const struct common *c,
			unsigned at)
{
	__m256i packets = load_offsets(b->packets + at, c->base);
	__m256i headers = load_headers(b, c, packets);
	__m256i mac = gather(b->packets[0], 6, headers);
	__m256i rest = gather(b->packets[0], 10, headers);
	__m256i tci = gather(b->packets[0], 14, headers);
	__m256i vid;

	/* rest: the address's end and the type. */
	tci = _mm256_and_si256(tci, is_vlan(c, _mm256_srli_epi32(rest, 16)));
	vid = _mm256_slli_epi32(_mm256_and_si256(tci, CONSTANT(vid)), 16);
	rest = _mm256_blend_epi16(rest, vid, 0xaa);
	return mix_last(c, mix(c, c->basis, mac), rest);
}

INLINE unsigned share_slb(const struct burst *b, struct common *c, bool two)
{
	unsigned at = 0;

	for (; at + LANES <= b->n; at += LANES)
		share_group(b, c, at, hash_slb(b, c, at), two);
	return at;
}

/* --- flows -------------------------------------------------------------- */

/* What the frames of a group are taken for. */
struct shape {
	bool is_ip6;
	bool has_tag;
};

/* Whether n bytes of header are there; `pulled` beside it is less than 2^15. */
INLINE __m256i has_bytes(const struct burst *b, __m256i packets, unsigned n)
{
	__m256i len = gather(b->packets[0], offsetof(struct packet, header_len),
			     packets);

	return _mm256_cmpgt_epi16(
		len, _mm256_set1_epi32((int)(0x80000000u | (n - 1))));
}

/* Which packets of a group have the shape, and what is to be hashed. */
struct group {
	__m256i headers, fits, proto;
};

/* The words are compared as they lie in the header, in little endian. */
INLINE struct group look_at_group(const struct burst *b, const struct common *c,
				  unsigned at, struct shape s)
{
	const unsigned l3 = s.has_tag ? 18 : 14;
	const void *base = b->packets[0];
	__m256i packets = load_offsets(b->packets + at, c->base);
	struct group g = { .headers = load_headers(b, c, packets) };
	__m256i type = gather(base, l3 - 2, g.headers);
	__m256i rest = gather(base, s.is_ip6 ? l3 + 4 : l3 + 6, g.headers);

	g.fits = has_bytes(b, packets, l3 + (s.is_ip6 ? 44 : 24));
	if (s.has_tag)
		g.fits = _mm256_and_si256(
			g.fits,
			is_vlan(c, _mm256_and_si256(gather(base, 12, g.headers),
						    CONSTANT(half))));
	if (s.is_ip6) {
		type = _mm256_and_si256(type, CONSTANT(type6_mask));
		type = _mm256_cmpeq_epi32(type, CONSTANT(type6));
		rest = _mm256_and_si256(rest, CONSTANT(proto6_mask));
		g.proto = _mm256_slli_epi32(rest, 8);
	} else {
		type = _mm256_and_si256(type, CONSTANT(type4_mask));
		type = _mm256_cmpeq_epi32(type, CONSTANT(type4));
		g.proto = _mm256_and_si256(rest, CONSTANT(proto4_mask));
	}
	rest = _mm256_or_si256(_mm256_cmpeq_epi32(g.proto, CONSTANT(tcp)),
			       _mm256_cmpeq_epi32(g.proto, CONSTANT(udp)));
	g.fits = _mm256_and_si256(g.fits, _mm256_and_si256(type, rest));
	return g;
}

INLINE __m256i hash_group(const struct burst *b, const struct common *c,
			  const struct group *g, struct shape s)
{
	const unsigned l3 = s.has_tag ? 18 : 14;
	const unsigned ports_at = l3 + (s.is_ip6 ? 40 : 20);
	const void *base = b->packets[0];
	__m256i ports, h = c->basis;

	for (unsigned at = l3 + (s.is_ip6 ? 8 : 12); at < ports_at; at += 4)
		h = mix(c, h, gather(base, at, g->headers));
	ports = _mm256_xor_si256(gather(base, ports_at, g->headers), g->proto);
	return mix_last(c, h, _mm256_and_si256(ports, c->ports));
}

/* Those that do not fit are hashed one by one. */
static AVX2 __attribute__((noinline)) __m256i hash_misfits(
	const struct burst *b, unsigned at, __m256i buckets, __m256i fits)
{
	uint32_t lanes[LANES], fit[LANES];

	_mm256_storeu_si256((void *)lanes, buckets);
	_mm256_storeu_si256((void *)fit, fits);
	for (unsigned i = 0; i < LANES; i++)
		if (fit[i] != UINT32_MAX)
			lanes[i] = bond_hash_packet(
				b->table->hash, b->table->basis,
				b->packets[at + packet_of_lane[i]]);
	return _mm256_loadu_si256((const void *)lanes);
}

/* Groups of one shape from packet `at` on, until one has misfits. */
INLINE unsigned share_shape(const struct burst *b, struct common *c,
			    unsigned at, struct shape s, bool two)
{
	for (; at + LANES <= b->n; at += LANES) {
		struct group g = look_at_group(b, c, at, s);
		__m256i buckets = hash_group(b, c, &g, s);

		if (unlikely(!_mm256_testc_si256(g.fits,
						 _mm256_set1_epi32(-1)))) {
			buckets = hash_misfits(b, at, buckets, g.fits);
			share_group(b, c, at, buckets, two);
			return at + LANES;
		}
		share_group(b, c, at, buckets, two);
	}
	return at;
}

/* The groups from `at` on, as what its first packet is. */
INLINE unsigned share_some(const struct burst *b, struct common *c, unsigned at,
			   bool two)
{
	const struct packet *p = b->packets[at];
	unsigned type_at = 12;

	if (eth_type_is_vlan(load_be16(p->header + 12)))
		type_at += VLAN_TAG_LEN;
	if (load_be16(p->header + type_at) != ETH_TYPE_IPV6) {
		if (type_at == 12)
			return share_shape(b, c, at,
					   (struct shape){ false, false }, two);
		return share_shape(b, c, at, (struct shape){ false, true },
				   two);
	}
	if (type_at == 12)
		return share_shape(b, c, at, (struct shape){ true, false },
				   two);
	return share_shape(b, c, at, (struct shape){ true, true }, two);
}

INLINE unsigned share(const struct burst *b, struct common *c, bool two)
{
	unsigned at = 0;

	if (b->table->hash == BOND_HASH_SLB)
		return share_slb(b, c, two);
	while (at + LANES <= b->n)
		at = share_some(b, c, at, two);
	return at;
}

INLINE struct common make_common(const struct burst *b)
{
	struct common c = {
		.k = &constants,
		.base = _mm256_set1_epi32((int)(uintptr_t)b->packets[0]),
		.basis = _mm256_set1_epi32((int)b->table->basis),
		.ports = _mm256_set1_epi32(-(b->table->hash == BOND_HASH_L4)),
	};

	__asm__("" : "+r"(c.k));
	return c;
}

static AVX2 __attribute__((noinline)) unsigned share_any(const struct burst *b)
{
	struct common c = make_common(b);

	return share(b, &c, false);
}

AVX2 unsigned bond_hash_share_avx2(const struct bond_table *table,
				   struct packet *const packets[], unsigned n,
				   struct bond_rows *rows, uint8_t buckets[])
{
	const struct burst b = { table, packets, n, rows, buckets };
	struct common c;
	unsigned done;

	if (!table->has_two)
		return share_any(&b);
	c = make_common(&b);
	c.end[0] = rows->ends[0];
	c.end[1] = rows->ends[1];
	done = share(&b, &c, true);
	rows->ends[0] = c.end[0];
	rows->ends[1] = c.end[1];
	return done;
}

bool bond_hash_has_avx2(void)
{
	return __builtin_cpu_supports("avx2") &&
	       __builtin_cpu_supports("popcnt");
}

#else

unsigned bond_hash_share_avx2(const struct bond_table *table,
			      struct packet *const packets[], unsigned n,
			      struct bond_rows *rows, uint8_t buckets[])
{
	return 0; /* never called */
}

bool bond_hash_has_avx2(void)
{
	return false;
}

#endif
