/*
 * Eight packets at a time, by AVX2. Their header words are gathered, hashed
 * side by side, and, where there are two members, the packets sorted by a table
 * of permutations. What bond_hash.c does is the same for one packet, and is
 * what decides; here are its usual cases only.
 *
 * All packets of a burst lie in one array, and each has its header in itself;
 * so the low halves of their addresses lead to all of them.
 *
 * A group of eight is taken for what its first packet is: IPv4 or IPv6, with a
 * tag or without. For each shape there is a function, which goes on until a
 * group has misfits: these are hashed one by one, and what the next group is
 * taken for is looked at anew.
 *
 * The hashes are in bond_hash_lanes.h.
 */
#include "bond/bond_hash.h"

#include "packet/parse.h"

#if defined(__x86_64__)

#include "bond/bond_hash_lanes.h"

/* --- two members --------------------------------------------------------- */

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
		find_places(constants.first[set], set, 0);
		find_places(constants.last[set], set, 4);
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

/* The packets (bits) that are the second member's: see bond_table.second. */
INLINE size_t find_second(const struct bond_table *table, __m256i buckets)
{
	__m256i words = _mm256_permutevar8x32_epi32(
		_mm256_loadu_si256((const void *)table->second),
		_mm256_srli_epi32(buckets, 24));
	__m256i bits = _mm256_sllv_epi32(words, _mm256_srli_epi32(buckets, 27));

	return (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(bits));
}

/* In place: the compiler would rather subtract from a register that holds 4. */
INLINE int64_t negative(int64_t n)
{
	__asm__("neg %0" : "+r"(n) : : "cc");
	return n;
}

/* Each packet to one or the other, without a branch. */
INLINE void share_two(struct packet **end[2], struct packet *const packets[],
		      const struct constants *k, size_t set)
{
	__m256i first = _mm256_loadu_si256((const void *)packets);
	__m256i last = _mm256_loadu_si256((const void *)(packets + 4));
	int64_t n_first = __builtin_popcountll(set & FIRST_LANES);
	int64_t n = __builtin_popcountll(set);

	store_set(end[1], first, k->first[set]);
	store_set(end[1] + n_first, last, k->last[set]);
	end[1] += n;
	set ^= 0xff;
	n_first = negative(n_first);
	store_set(end[0], first, k->first[set]);
	store_set(end[0] + 4 + n_first, last, k->last[set]);
	end[0] += LANES + negative(n);
}

/* --- bursts -------------------------------------------------------------- */

/* Eight highest bytes, in the order of the packets. */
INLINE void note_buckets(const struct constants *k, uint8_t to[], __m256i v)
{
	__m256i bytes = _mm256_shuffle_epi8(v, CONSTANT(pick));
	int64_t all = _mm_cvtsi128_si64(
		_mm_unpacklo_epi16(_mm256_castsi256_si128(bytes),
				   _mm256_extracti128_si256(bytes, 1)));

	memcpy(to, &all, sizeof(all));
}

/* What was shared out to two members. */
static inline __attribute__((always_inline)) unsigned finish_two(
	const struct bond_table *table, unsigned n, struct bond_rows *rows,
	struct packet **first_end)
{
	unsigned first = first_end - rows->packets[0];
	struct bond_share *shares = rows->shares;

	shares[0] = (struct bond_share){ rows->packets[0], first,
					 table->members[0] };
	shares[1] = (struct bond_share){ rows->packets[1], n - first,
					 table->members[1] };
	if (likely(first && first != n))
		return 2;
	if (!first)
		shares[0] = shares[1];
	return 1;
}

/* What is left after the groups of one shape. */
static unsigned go_on(const struct bond_table *table,
		      struct packet *const packets[], unsigned n,
		      struct bond_rows *rows);

/*
 * Groups of one shape, from rows->done on, until one has misfits, whose lanes
 * are left in rows. What is not usual is left to go_on(), at the end only, lest
 * registers be saved.
 */
INLINE unsigned share_shape(const struct bond_table *table,
			    struct packet *const burst[], unsigned n,
			    struct bond_rows *rows, struct shape s, bool two)
{
	const struct constants *k = find_constants();
	struct packet *const *packets = burst + rows->done;
	struct packet *const *end = burst + (n & -LANES);
	struct packet **ends[2] = { rows->ends[0], rows->ends[1] };
	const char *base = base_of(*packets);
	const __m256i least = least_of(k, s);
	uint8_t *buckets = rows->buckets + rows->done;

	do {
		__m256i misfits;
		__m256i h = hash_group(table, k, base, load_pointers(packets),
				       least, s, &misfits);

		if (!s.is_slb &&
		    unlikely(!_mm256_testz_si256(misfits, misfits))) {
			_mm256_store_si256((void *)rows->lanes, h);
			_mm256_store_si256((void *)rows->misfits, misfits);
			break;
		}
		if (two)
			share_two(ends, packets, k, find_second(table, h));
		else
			note_buckets(k, buckets, h);
		packets += LANES;
		buckets += LANES;
	} while (packets != end);
	if (two && likely(packets == burst + n))
		return finish_two(table, n, rows, ends[0]);
	rows->done = packets - burst;
	if (!two)
		return 0;
	rows->ends[0] = ends[0];
	rows->ends[1] = ends[1];
	return go_on(table, burst, n, rows);
}

#define SHAPE(NAME, TWO, ...)                                                  \
	static AVX2 unsigned NAME(const struct bond_table *table,              \
				  struct packet *const packets[], unsigned n,  \
				  struct bond_rows *rows)                      \
	{                                                                      \
		return share_shape(table, packets, n, rows,                    \
				   (struct shape){ __VA_ARGS__ }, TWO);        \
	}
#define SHAPES(NAME, TWO, ...)                                                 \
	SHAPE(NAME##_4, TWO, __VA_ARGS__)                                      \
	SHAPE(NAME##_4_tag, TWO, .has_tag = true, __VA_ARGS__)                 \
	SHAPE(NAME##_6, TWO, .is_ip6 = true, __VA_ARGS__)                      \
	SHAPE(NAME##_6_tag, TWO, .is_ip6 = true, .has_tag = true, __VA_ARGS__)

SHAPE(share_slb, true, .is_slb = true)
SHAPES(share_l4, true, .has_ports = true)
SHAPES(share_ip, true, .has_ports = false)
SHAPE(note_slb, false, .is_slb = true)
SHAPES(note_l4, false, .has_ports = true)
SHAPES(note_ip, false, .has_ports = false)

#define FOUR(NAME)                                                             \
	{                                                                      \
		NAME##_4, NAME##_6, NAME##_4_tag, NAME##_6_tag                 \
	}
static bond_share_fn *const share_l4[] = FOUR(share_l4);
static bond_share_fn *const share_ip[] = FOUR(share_ip);
static bond_share_fn *const note_l4[] = FOUR(note_l4);
static bond_share_fn *const note_ip[] = FOUR(note_ip);

static inline unsigned find_shape(const struct packet *p)
{
	const uint8_t *type = p->header + 12;
	unsigned tagged = 0;

	if (likely(load_be16(type) == ETH_TYPE_IPV4))
		return 0;
	if (eth_type_is_vlan(load_be16(type))) {
		type += VLAN_TAG_LEN;
		tagged = 2;
	}
	return tagged + (load_be16(type) == ETH_TYPE_IPV6);
}

static inline bool are_near(struct packet *const packets[], unsigned n)
{
	return likely(n >= LANES) && likely(!far_apart(packets[0]));
}

/* The group of rows->done, its misfits one by one. */
static void note_misfits(const struct bond_table *table,
			 struct packet *const packets[], struct bond_rows *rows)
{
	uint8_t *buckets = rows->buckets + rows->done;

	packets += rows->done;
	for (unsigned i = 0; i < LANES; i++) {
		unsigned at = packet_of_lane[i];

		buckets[at] = rows->lanes[i] >> 24;
		if (rows->misfits[i])
			buckets[at] = bond_hash_packet(
				table->hash, table->basis, packets[at]);
	}
	rows->done += LANES;
}

unsigned bond_hash_note_avx2(const struct bond_table *table,
			     struct packet *const packets[], unsigned n,
			     struct bond_rows *rows)
{
	bond_share_fn *const *shapes =
		table->hash == BOND_HASH_L4 ? note_l4 : note_ip;

	rows->done = 0;
	if (!are_near(packets, n))
		return 0;
	if (table->hash == BOND_HASH_SLB)
		note_slb(table, packets, n, rows);
	while (rows->done + LANES <= n) {
		unsigned shape = find_shape(packets[rows->done]);

		shapes[shape](table, packets, n, rows);
		if (rows->done + LANES <= n)
			note_misfits(table, packets, rows);
	}
	return rows->done;
}

/* Packets [from, to), whose buckets have been noted. */
static void share_noted(const struct bond_table *table,
			struct packet *const packets[], unsigned from,
			unsigned to, struct bond_rows *rows)
{
	for (unsigned i = from; i < to; i++)
		*rows->ends[table->row[rows->buckets[i]]]++ = packets[i];
}

static __attribute__((noinline)) unsigned go_on(const struct bond_table *table,
						struct packet *const packets[],
						unsigned n,
						struct bond_rows *rows)
{
	bond_share_fn *const *shapes =
		table->hash == BOND_HASH_L4 ? share_l4 : share_ip;
	unsigned from = rows->done;

	if (from + LANES <= n && are_near(packets, n)) {
		note_misfits(table, packets, rows);
		share_noted(table, packets, from, rows->done, rows);
		from += LANES;
		if (from + LANES <= n)
			return shapes[find_shape(packets[from])](table, packets,
								 n, rows);
	}
	for (unsigned i = from; i < n; i++)
		rows->buckets[i] =
			bond_hash_packet(table->hash, table->basis, packets[i]);
	share_noted(table, packets, from, n, rows);
	return finish_two(table, n, rows, rows->ends[0]);
}

static inline unsigned share_flows(const struct bond_table *table,
				   struct packet *const packets[], unsigned n,
				   struct bond_rows *rows,
				   bond_share_fn *const shapes[])
{
	rows->done = 0;
	rows->ends[0] = rows->packets[0];
	rows->ends[1] = rows->packets[1];
	if (!are_near(packets, n))
		return go_on(table, packets, n, rows);
	return shapes[find_shape(packets[0])](table, packets, n, rows);
}

static unsigned two_by_slb(const struct bond_table *table,
			   struct packet *const packets[], unsigned n,
			   struct bond_rows *rows)
{
	rows->done = 0;
	rows->ends[0] = rows->packets[0];
	rows->ends[1] = rows->packets[1];
	if (!are_near(packets, n))
		return go_on(table, packets, n, rows);
	return share_slb(table, packets, n, rows);
}

static unsigned two_by_l4(const struct bond_table *table,
			  struct packet *const packets[], unsigned n,
			  struct bond_rows *rows)
{
	return share_flows(table, packets, n, rows, share_l4);
}

static unsigned two_by_ip(const struct bond_table *table,
			  struct packet *const packets[], unsigned n,
			  struct bond_rows *rows)
{
	return share_flows(table, packets, n, rows, share_ip);
}

bond_share_fn *bond_hash_find_two_avx2(enum bond_hash hash)
{
	switch (hash) {
	case BOND_HASH_SLB:
		return two_by_slb;
	case BOND_HASH_L4:
		return two_by_l4;
	default:
		return two_by_ip;
	}
}

bool bond_hash_has_avx2(void)
{
	return __builtin_cpu_supports("avx2") &&
	       __builtin_cpu_supports("popcnt");
}

#else

unsigned bond_hash_note_avx2(const struct bond_table *table,
			     struct packet *const packets[], unsigned n,
			     struct bond_rows *rows)
{
	return 0;
}

bond_share_fn *bond_hash_find_two_avx2(enum bond_hash hash)
{
	return NULL;
}

bool bond_hash_has_avx2(void)
{
	return false;
}

#endif
