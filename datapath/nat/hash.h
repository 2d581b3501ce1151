/*
 * The two hashes of sessions. A bucket is a cache line: 16 bits of the hash
 * for each of 8 slots, compared 4 at a time, and the sessions' numbers. An
 * entry lies in the first of its buckets that had a free slot; `passed` counts
 * those that lie in a later one, so a search for what is not there nearly
 * always ends in its first bucket.
 *
 * Readers take no lock: an entry that they find is believed only after the
 * session's own key was compared.
 */
#ifndef NAT_HASH_H
#define NAT_HASH_H

#include "nat/table.h"

/* Lanes of 64 bits are loaded at once by SSE2; a sanitizer wants to see it. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NAT_SCALAR 1
#endif
#endif
#ifndef NAT_SCALAR
#define NAT_SCALAR 0
#endif
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

struct nat_key {
	uint64_t addrs, ports; /* masked */
};

#define NAT_STIR_1 0x9e3779b1u
#define NAT_STIR_2 0x85ebca77u
#define NAT_STIR_3 0xc2b2ae3du
#define NAT_STIR_4 0x27d4eb2fu

static inline uint64_t nat_stir(uint64_t h, uint32_t low, uint32_t high)
{
	h = (uint32_t)h * (uint64_t)low + (h >> 32) * high;
	return h ^ h >> 32;
}

/*
 * Products of keyed sums of words (the NH of RFC 4418, 5.2): two keys have the
 * same one with a chance of 2^-32, whoever chose them. Of what differs between
 * a host's flows it is linear, so it is stirred, or consecutive ports would be
 * in a few buckets. All of 32 bits times 32, for eight at once (plain.c).
 */
static inline uint64_t nat_hash_of(const struct nat_hash *hash,
				   struct nat_key key)
{
	uint32_t a = key.addrs + hash->seed[0];
	uint32_t b = (key.addrs >> 32) + (hash->seed[0] >> 32);
	uint32_t c = key.ports + hash->seed[1];
	uint32_t d = (key.ports >> 32) + (hash->seed[1] >> 32);
	uint64_t h = (uint64_t)a * b + (uint64_t)c * d;

	h = nat_stir(h ^ h >> 32, NAT_STIR_1, NAT_STIR_2);
	return nat_stir(h, NAT_STIR_3, NAT_STIR_4);
}

static inline struct nat_bucket *nat_bucket(const struct nat_hash *hash,
					    uint64_t h)
{
	return hash->buckets + ((h >> 32) * hash->n >> 32);
}

static inline struct nat_bucket *nat_bucket_n(const struct nat_hash *hash,
					      uint64_t h, unsigned probe)
{
	uint32_t at = (h >> 32) * hash->n >> 32;
	uint32_t step = 1 + (h >> 16 & hash->step_mask);

	if (likely(!probe))
		return hash->buckets + at;
	return hash->buckets + (at + (uint64_t)probe * step) % hash->n;
}

static inline uint64_t nat_tag(uint64_t h)
{
	uint64_t tag = h & 0xffff;

	return tag + !tag;
}

#define NAT_LANES 0x0001000100010001ull

/* The top bit of each lane that may equal; may claim too much, never less. */
static inline uint64_t nat_match(uint64_t tags, uint64_t tag)
{
	uint64_t x = tags ^ tag * NAT_LANES;

	return (x - NAT_LANES) & ~x & (NAT_LANES << 15);
}

static inline bool nat_session_is_in(const struct nat_session *s,
				     struct nat_key key)
{
	return s->addrs == key.addrs && (s->ports & NAT_KEY_IN) == key.ports;
}

static inline bool nat_session_is_out(const struct nat_session *s,
				      struct nat_key key)
{
	return s->addrs >> 32 == key.addrs &&
	       (s->ports & NAT_KEY_OUT) == key.ports;
}

static inline struct nat_key nat_key_in(const struct nat_session *s)
{
	return (struct nat_key){ s->addrs, s->ports & NAT_KEY_IN };
}

static inline struct nat_key nat_key_out(const struct nat_session *s)
{
	return (struct nat_key){ s->addrs >> 32, s->ports & NAT_KEY_OUT };
}

/* The first entry of the bucket that may be it, or NULL. */
static inline struct nat_session *nat_bucket_guess(const struct nat *nat,
						   struct nat_bucket *b,
						   uint64_t tag)
{
	uint64_t match;
	uint32_t id;

#if defined(__SSE2__) && !NAT_SCALAR
	__m128i tags = _mm_load_si128((const __m128i *)(const void *)b->tags);
	unsigned mask = _mm_movemask_epi8(
		_mm_cmpeq_epi16(tags, _mm_set1_epi16((int16_t)tag)));

	if (!mask)
		return NULL;
	id = atomic_load_explicit(&b->ids[__builtin_ctz(mask) >> 1],
				  memory_order_acquire);
	return id ? nat_session_at(nat, id - 1) : NULL;
#endif
	for (unsigned half = 0; half < 2; half++) {
		match = nat_match(atomic_load_explicit(&b->tags[half],
						       memory_order_acquire),
				  tag);
		if (!match)
			continue;
		id = atomic_load_explicit(
			&b->ids[half * 4 + (__builtin_ctzll(match) >> 4)],
			memory_order_acquire);
		if (id)
			return nat_session_at(nat, id - 1);
	}
	return NULL;
}

/* Goes through all entries of a hash value, live or ending. */
struct nat_search {
	const struct nat_hash *hash;
	uint64_t h;
	unsigned probe, slot;
};

static inline void nat_search_init(struct nat_search *search,
				   const struct nat_hash *hash, uint64_t h)
{
	*search = (struct nat_search){ .hash = hash, .h = h };
}

/* The next one's number, or NAT_NONE. */
uint32_t nat_search_next(struct nat_search *search);

/* Any thread; -ENOSPC when all of its buckets are full. */
int nat_hash_insert(struct nat_hash *hash, uint64_t h, uint32_t id) MUST_CHECK;
/* Who has the mapping's lock; the entry is there. */
void nat_hash_remove(struct nat_hash *hash, uint64_t h, uint32_t id);
/* The entry names another session from now on. */
void nat_hash_replace(struct nat_hash *hash, uint64_t h, uint32_t id,
		      uint32_t by);

#endif
