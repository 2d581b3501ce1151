/*
 * The packet's part of an access list: its fields lead to rows, a set of rules
 * each; those that are in all of them fit, and the first of these that does not
 * just count decides. A thousand rules are sixteen words: AVX2 has them all in
 * four registers.
 */
#include "packet/parse.h"
#include "policy/acl_internal.h"
#include "port/port.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* --- from fields to rows ------------------------------------------------- */

static inline uint16_t map_find(const struct acl *acl,
				const struct acl_map *map, uint16_t value)
{
	return acl->pages[map->pages[value >> 8]][value & 255];
}

static inline uint16_t l4_find(const struct acl *acl,
			       const struct acl_l4_map *map, bool has,
			       bool is_later, uint16_t value)
{
	if (likely(has))
		return map_find(acl, &map->map, value);
	return is_later ? map->later : map->none;
}

/* The same as acl_trie_find() of 4 bytes. */
static inline uint16_t find4(const struct acl *acl, uint16_t entry,
			     const uint8_t *address)
{
	uint32_t a;

	memcpy(&a, address, sizeof(a));
	while (entry & ACL_NODE) {
		const struct acl_node *node = &acl->nodes[entry & ~ACL_NODE];

		if ((a ^ (uint32_t)node->prefix[0]) & (uint32_t)node->mask[0])
			return node->miss;
		entry = node->entries[a >> 8 * node->at & 255];
	}
	return entry;
}

static inline uint16_t address_find(const struct acl *acl,
				    const struct acl_addresses *addresses,
				    unsigned version, const uint8_t *address)
{
	if (version == 4)
		return find4(acl, addresses->root4, address);
	if (version == 6)
		return acl_trie_find(acl->nodes, addresses->root6, address);
	return addresses->none;
}

static inline uint16_t kind_find(const struct acl *acl,
				 const struct acl_key *key)
{
	if (key->ip_version == 4)
		return acl->kind4[key->proto];
	if (key->ip_version == 6 && key->has_proto)
		return acl->kind6[key->proto];
	return map_find(acl, &acl->type, key->ethertype);
}

static inline uint16_t mac_find(const struct acl_macs *macs,
				const struct acl_key *key)
{
	uint64_t mac =
		(macs->is_src ? key->src_mac : key->dst_mac) & macs->mask;
	unsigned last = (1u << (64 - macs->shift)) - 1;
	unsigned at = mac * ACL_MAC_HASH >> macs->shift;

	for (;; at = (at + 1) & last) {
		if (macs->keys[at] == mac)
			return macs->classes[at];
		if (macs->keys[at] == ACL_MAC_FREE)
			return macs->none;
	}
}

__attribute__((always_inline)) static inline unsigned collect(
	const struct acl *acl, const struct acl_key *key,
	const uint64_t *rows[ACL_DIMS_MAX])
{
	const bool is_later =
		key->ip_version && key->fragment == FLOW_FRAG_LATER;
	const unsigned fields = acl->fields, shift = acl->row_shift;
	const uint64_t *all = acl->rows;
	unsigned n = 0;

#define ROW(CLASS) rows[n++] = all + ((size_t)(CLASS) << shift)
	if (fields & ACL_SRC)
		ROW(address_find(acl, &acl->src, key->ip_version, key->src));
	if (fields & ACL_DST)
		ROW(address_find(acl, &acl->dst, key->ip_version, key->dst));
	if (acl->by_kind)
		ROW(kind_find(acl, key));
	if (fields & ACL_DPORT)
		ROW(l4_find(acl, &acl->dport, key->has_dport, is_later,
			    key->dport));
	if (fields & ACL_SPORT)
		ROW(l4_find(acl, &acl->sport, key->has_sport, is_later,
			    key->sport));
	if (fields & ACL_TCP_FLAGS)
		ROW(key->has_flags ? acl->flags[key->tcp_flags]
		    : is_later	   ? acl->flags_later
				   : acl->flags_none);
	if (fields & ACL_FRAGMENT)
		ROW(key->ip_version ? acl->fragment[key->fragment]
				    : acl->fragment_none);
	if (fields & ACL_VLAN)
		ROW(map_find(acl, &acl->vlan, key->vlan));
	for (unsigned i = 0; i < acl->n_macs; i++)
		ROW(mac_find(&acl->macs[i], key));
	/* No rule asks for anything: there is one row, of all of them. */
	if (!n)
		ROW(0);
#undef ROW
	return n;
}

unsigned acl_collect(const struct acl *acl, const struct acl_key *key,
		     const uint64_t *rows[ACL_DIMS_MAX])
{
	return collect(acl, key, rows);
}

/* --- from rows to a rule ------------------------------------------------- */

/* The first of a word's rules that does not just count, or -1. */
static inline int take_word(const struct acl *acl, uint64_t word,
			    unsigned first, _Atomic uint64_t *hits)
{
	for (; word; word &= word - 1) {
		unsigned rule = first + __builtin_ctzll(word);

		if (hits)
			counter_add(&hits[rule], 1);
		if (acl->actions[rule] != ACL_RULE_COUNT)
			return rule;
	}
	return -1;
}

int acl_first_plain(const struct acl *acl, const uint64_t *const rows[],
		    unsigned n, _Atomic uint64_t *hits)
{
	for (unsigned w = 0; w < 1u << acl->row_shift; w++) {
		uint64_t word = rows[0][w];
		int rule;

		for (unsigned i = 1; i < n && word; i++)
			word &= rows[i][w];
		rule = take_word(acl, word, w * 64, hits);
		if (rule >= 0)
			return rule;
	}
	return -1;
}

#if defined(__x86_64__)

#define WITH_AVX2 __attribute__((target("avx2,bmi")))

bool acl_has_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
}

/* The four words at `first`, as take_word(). */
WITH_AVX2 static inline int take_block(const struct acl *acl, __m256i block,
				       unsigned first, _Atomic uint64_t *hits)
{
	uint64_t words[4];
	int rule = -1;

	_mm256_storeu_si256((__m256i *)words, block);
	for (unsigned w = 0; w < 4 && rule < 0; w++)
		rule = take_word(acl, words[w], first + w * 64, hits);
	return rule;
}

WITH_AVX2 static int first_of_block(const struct acl *acl,
				    const uint64_t *const rows[], unsigned n,
				    _Atomic uint64_t *hits)
{
	__m256i a = _mm256_load_si256((const __m256i *)rows[0]);

	for (unsigned i = 1; i < n; i++)
		a = _mm256_and_si256(a, *(const __m256i *)rows[i]);
	return _mm256_testz_si256(a, a) ? -1 : take_block(acl, a, 0, hits);
}

WITH_AVX2 static inline int first_of_strip(const struct acl *acl,
					   const uint64_t *const rows[],
					   unsigned n, unsigned at,
					   _Atomic uint64_t *hits)
{
	const __m256i *row = (const __m256i *)(rows[0] + at);
	__m256i a = row[0], b = row[1], c = row[2], d = row[3];
	unsigned first = at * 64;
	int rule = -1;

	for (unsigned i = 1; i < n; i++) {
		row = (const __m256i *)(rows[i] + at);
		a = _mm256_and_si256(a, row[0]);
		b = _mm256_and_si256(b, row[1]);
		c = _mm256_and_si256(c, row[2]);
		d = _mm256_and_si256(d, row[3]);
	}
	if (!_mm256_testz_si256(a, a))
		rule = take_block(acl, a, first, hits);
	if (rule < 0 && !_mm256_testz_si256(b, b))
		rule = take_block(acl, b, first + 256, hits);
	if (rule < 0 && !_mm256_testz_si256(c, c))
		rule = take_block(acl, c, first + 512, hits);
	if (rule < 0 && !_mm256_testz_si256(d, d))
		rule = take_block(acl, d, first + 768, hits);
	return rule;
}

WITH_AVX2 int acl_first_avx2(const struct acl *acl,
			     const uint64_t *const rows[], unsigned n,
			     _Atomic uint64_t *hits)
{
	unsigned words = 1u << acl->row_shift;
	int rule = -1;

	if (words < ACL_STRIP)
		return first_of_block(acl, rows, n, hits);
	for (unsigned at = 0; at < words && rule < 0; at += ACL_STRIP)
		rule = first_of_strip(acl, rows, n, at, hits);
	return rule;
}

#else

bool acl_has_avx2(void)
{
	return false;
}

int acl_first_avx2(const struct acl *acl, const uint64_t *const rows[],
		   unsigned n, _Atomic uint64_t *hits)
{
	return acl_first_plain(acl, rows, n, hits);
}

#endif

/* --- a packet ------------------------------------------------------------ */

/* hits: may be NULL. */
static inline enum acl_verdict judge(const struct acl *acl, struct packet *p,
				     uint16_t vid, _Atomic uint64_t *hits,
				     unsigned *decided)
{
	const uint64_t *rows[ACL_DIMS_MAX];
	struct acl_key key;
	unsigned n;
	int rule;

	*decided = acl->n_rules;
	key.vlan = vid;
	if (unlikely(!acl_key_fill(acl, p, &key))) {
		if (hits)
			counter_add(&hits[acl->n_rules + 1], 1);
		return ACL_UNREADABLE;
	}
	n = collect(acl, &key, rows);
	rule = likely(acl->has_avx2) ? acl_first_avx2(acl, rows, n, hits)
				     : acl_first_plain(acl, rows, n, hits);
	if (rule >= 0) {
		*decided = rule;
		return acl->actions[rule] == ACL_RULE_ALLOW ? ACL_ALLOWED
							    : ACL_DENIED;
	}
	if (hits)
		counter_add(&hits[acl->n_rules], 1);
	return acl->allow_by_default ? ACL_ALLOWED : ACL_DENIED;
}

enum acl_verdict acl_judge(const struct acl *acl, struct packet *p,
			   uint16_t vid, unsigned thread)
{
	unsigned decided;

	return judge(acl, p, vid, acl->hits + thread * acl->hits_stride,
		     &decided);
}

enum acl_verdict acl_explain(const struct acl *acl, struct packet *p,
			     uint16_t vid, unsigned *rule)
{
	return judge(acl, p, vid, NULL, rule);
}

unsigned acl_n_rules(const struct acl *acl)
{
	return acl->n_rules;
}

const struct acl_rule *acl_rule_at(const struct acl *acl, unsigned i)
{
	return &acl->rules[i];
}

bool acl_allows_by_default(const struct acl *acl)
{
	return acl->allow_by_default;
}

uint64_t acl_hits(const struct acl *acl, unsigned i)
{
	uint64_t sum = 0;

	for (unsigned t = 0; t < acl->n_threads; t++)
		sum += atomic_load_explicit(
			&acl->hits[t * acl->hits_stride + i],
			memory_order_relaxed);
	return sum;
}
