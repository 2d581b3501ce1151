/*
 * The packet's part of an access list: its fields lead to rows, a set of rules
 * each; those that are in all of them fit, and the first of these that does not
 * just count decides. A thousand rules are sixteen words: AVX2 has them all in
 * four registers.
 */
#include "policy/acl_usual.h"
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

__attribute__((always_inline)) static inline const uint64_t *row_of(
	const struct acl *acl, unsigned class)
{
	return acl->rows + ((size_t) class << acl->row_shift);
}

/* Rows of what lists seldom ask for, behind n others; returns how many. */
static __attribute__((noinline)) unsigned collect_more(
	const struct acl *acl, const struct acl_key *key,
	const uint64_t *rows[ACL_DIMS_MAX], unsigned n)
{
	const bool is_later =
		key->ip_version && key->fragment == FLOW_FRAG_LATER;
	const unsigned fields = acl->fields;

	if (fields & ACL_TCP_FLAGS)
		rows[n++] =
			row_of(acl, key->has_flags ? acl->flags[key->tcp_flags]
				    : is_later	   ? acl->flags_later
						   : acl->flags_none);
	if (fields & ACL_FRAGMENT)
		rows[n++] = row_of(acl, key->ip_version
						? acl->fragment[key->fragment]
						: acl->fragment_none);
	if (fields & ACL_VLAN)
		rows[n++] = row_of(acl, map_find(acl, &acl->vlan, key->vlan));
	for (unsigned i = 0; i < acl->n_macs; i++)
		rows[n++] = row_of(acl, mac_find(&acl->macs[i], key));
	return n;
}

/* All but those. */
__attribute__((always_inline)) static inline unsigned collect(
	const struct acl *acl, const struct acl_key *key,
	const uint64_t *rows[ACL_DIMS_MAX])
{
	const bool is_later =
		key->ip_version && key->fragment == FLOW_FRAG_LATER;
	const unsigned fields = acl->fields;
	const uint64_t **row = rows;

	if (fields & ACL_SRC)
		*row++ = row_of(acl, address_find(acl, &acl->src,
						  key->ip_version, key->src));
	if (fields & ACL_DST)
		*row++ = row_of(acl, address_find(acl, &acl->dst,
						  key->ip_version, key->dst));
	if (acl->by_kind)
		*row++ = row_of(acl, kind_find(acl, key));
	if (fields & ACL_DPORT)
		*row++ = row_of(acl, l4_find(acl, &acl->dport, key->has_dport,
					     is_later, key->dport));
	if (fields & ACL_SPORT)
		*row++ = row_of(acl, l4_find(acl, &acl->sport, key->has_sport,
					     is_later, key->sport));
	return row - rows;
}

/* No rule asks for anything: there is one row, of all of them. */
static inline unsigned or_all(const struct acl *acl,
			      const uint64_t *rows[ACL_DIMS_MAX], unsigned n)
{
	if (unlikely(!n))
		rows[n++] = row_of(acl, 0);
	return n;
}

unsigned acl_collect(const struct acl *acl, const struct acl_key *key,
		     const uint64_t *rows[ACL_DIMS_MAX])
{
	unsigned n = collect(acl, key, rows);

	if (acl->by_more)
		n = collect_more(acl, key, rows, n);
	return or_all(acl, rows, n);
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
WITH_AVX2 static __attribute__((noinline)) int take_block(
	const struct acl *acl, __m256i block, unsigned first,
	_Atomic uint64_t *hits)
{
	uint64_t words[4];
	int rule = -1;

	_mm256_storeu_si256((__m256i *)words, block);
	for (unsigned w = 0; w < 4 && rule < 0; w++)
		rule = take_word(acl, words[w], first + w * 64, hits);
	return rule;
}

/* The same of the strip at `first`, in four blocks. */
WITH_AVX2 static __attribute__((noinline)) int take_strip(
	const struct acl *acl, __m256i a, __m256i b, __m256i c, __m256i d,
	unsigned first, _Atomic uint64_t *hits)
{
	int rule = -1;

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

WITH_AVX2 __attribute__((always_inline)) static inline int first_of_strip(
	const struct acl *acl, const uint64_t *const rows[], unsigned n,
	unsigned at, _Atomic uint64_t *hits)
{
	const uint64_t *const *end = rows + n;
	const __m256i *row = (const __m256i *)(*rows + at);
	__m256i a = row[0], b = row[1], c = row[2], d = row[3], any;

	while (++rows < end) {
		row = (const __m256i *)(*rows + at);
		a = _mm256_and_si256(a, row[0]);
		b = _mm256_and_si256(b, row[1]);
		c = _mm256_and_si256(c, row[2]);
		d = _mm256_and_si256(d, row[3]);
	}
	any = _mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d));
	if (_mm256_testz_si256(any, any))
		return -1;
	return take_strip(acl, a, b, c, d, at * 64, hits);
}

WITH_AVX2 static __attribute__((noinline)) int first_of_strips(
	const struct acl *acl, const uint64_t *const rows[], unsigned n,
	_Atomic uint64_t *hits)
{
	unsigned words = 1u << acl->row_shift;
	int rule = -1;

	for (unsigned at = 0; at < words && rule < 0; at += ACL_STRIP)
		rule = first_of_strip(acl, rows, n, at, hits);
	return rule;
}

WITH_AVX2 static inline int first_of_block(const struct acl *acl,
					   const uint64_t *const rows[],
					   unsigned n, _Atomic uint64_t *hits)
{
	const uint64_t *const *end = rows + n;
	__m256i a = *(const __m256i *)*rows;

	while (++rows < end)
		a = _mm256_and_si256(a, *(const __m256i *)*rows);
	return _mm256_testz_si256(a, a) ? -1 : take_block(acl, a, 0, hits);
}

WITH_AVX2 int acl_first_avx2(const struct acl *acl,
			     const uint64_t *const rows[], unsigned n,
			     _Atomic uint64_t *hits)
{
	if (acl->row_shift < ACL_STRIP_SHIFT)
		return first_of_block(acl, rows, n, hits);
	if (unlikely(acl->row_shift > ACL_STRIP_SHIFT))
		return first_of_strips(acl, rows, n, hits);
	return first_of_strip(acl, rows, n, 0, hits);
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

/* hits: may be NULL; *decided: the rule, or how many there are. */
__attribute__((always_inline)) static inline enum acl_verdict conclude(
	const struct acl *acl, const uint64_t *const rows[], unsigned n,
	_Atomic uint64_t *hits, unsigned *decided)
{
	int rule = likely(acl->has_avx2) ? acl_first_avx2(acl, rows, n, hits)
					 : acl_first_plain(acl, rows, n, hits);

	if (rule >= 0) {
		*decided = rule;
		return acl->actions[rule] == ACL_RULE_ALLOW ? ACL_ALLOWED
							    : ACL_DENIED;
	}
	*decided = acl->n_rules;
	if (hits)
		counter_add(&hits[acl->n_rules], 1);
	return acl->allow_by_default ? ACL_ALLOWED : ACL_DENIED;
}

static __attribute__((noinline)) enum acl_verdict judge_any(
	const struct acl *acl, struct packet *p, uint16_t vid,
	_Atomic uint64_t *hits, unsigned *decided)
{
	const uint64_t *rows[ACL_DIMS_MAX];
	struct acl_key key;

	key.vlan = vid;
	if (likely(acl_key_fill(acl, p, &key)))
		return conclude(acl, rows, acl_collect(acl, &key, rows), hits,
				decided);
	*decided = acl->n_rules;
	if (hits)
		counter_add(&hits[acl->n_rules + 1], 1);
	return ACL_UNREADABLE;
}

/* The same of a key that was filled but for what lists seldom ask for. */
static __attribute__((noinline)) enum acl_verdict judge_more(
	const struct acl *acl, const struct packet *p, uint16_t vid,
	struct acl_key key, _Atomic uint64_t *hits, unsigned *decided)
{
	const uint64_t *rows[ACL_DIMS_MAX];

	key.vlan = vid;
	key.dst_mac = load_mac(p->header);
	key.src_mac = load_mac(p->header + 6);
	return conclude(acl, rows, acl_collect(acl, &key, rows), hits, decided);
}

__attribute__((always_inline)) static inline enum acl_verdict judge(
	const struct acl *acl, struct packet *p, uint16_t vid,
	_Atomic uint64_t *hits, unsigned *decided)
{
	const uint64_t *rows[ACL_DIMS_MAX];
	const uint8_t *ip = p->header + ETH_HEADER_LEN;
	struct acl_key key;
	uint16_t type;
	unsigned n;

	if (unlikely(p->header_len < PACKET_PULL))
		return judge_any(acl, p, vid, hits, decided);
	type = load_be16(ip - 2);
	if (eth_type_is_vlan(type)) {
		ip += VLAN_TAG_LEN;
		type = load_be16(ip - 2);
	}
	/* Each with what is known of its key by now. */
	if (type == ETH_TYPE_IPV4 && likely(acl_take_ip4(p, &key, ip))) {
		if (acl->by_more)
			return judge_more(acl, p, vid, key, hits, decided);
		n = collect(acl, &key, rows);
	} else if (type == ETH_TYPE_IPV6 && likely(acl_take_ip6(p, &key, ip))) {
		if (acl->by_more)
			return judge_more(acl, p, vid, key, hits, decided);
		n = collect(acl, &key, rows);
	} else {
		return judge_any(acl, p, vid, hits, decided);
	}
	return conclude(acl, rows, or_all(acl, rows, n), hits, decided);
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
