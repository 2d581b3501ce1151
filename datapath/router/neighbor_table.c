/*
 * The table is two, one of each IP version: arrays of buckets of one cache line
 * that have a sequence number each (odd: being written). An entry that its
 * bucket has no room for goes to one of the next; a bucket counts those that
 * went past it, so that readers know when to look further.
 *
 * A reader that sees a number change looks again. All words are atomic, and
 * ordered as a sequence lock wants it: what a reader takes between two equal,
 * even numbers was there at once.
 */
#include "router/neighbor_table.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* Words that are loaded at once are no race, but a sanitizer takes it for one.
 */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define VECTORS_RACE 1
#endif
#endif
#ifndef VECTORS_RACE
#define VECTORS_RACE 0
#endif

#define SLOTS4	 4
#define SLOTS6	 2
#define PROBES	 16 /* buckets that are looked at, at most */
#define MAC_BITS 0xffffffffffffull
#define USED	 (1ull << 63) /* beside the MAC: since the last take */

struct bucket4 {
	_Atomic uint32_t seq;
	_Atomic uint32_t passed; /* entries that had no room here */
	_Atomic uint32_t ip[SLOTS4];
	_Atomic uint64_t mac[SLOTS4]; /* 0: the slot is free */
} CACHE_ALIGNED;

struct bucket6 {
	_Atomic uint32_t seq;
	_Atomic uint32_t passed;
	_Atomic uint64_t ip[SLOTS6][2];
	_Atomic uint64_t mac[SLOTS6];
} CACHE_ALIGNED;

struct neighbor_table {
	uint64_t odd[2];
	unsigned mask4, mask6; /* buckets less one */
	unsigned n, max;
	_Atomic uint32_t version; /* 1 and up */
	struct bucket4 *buckets4;
	struct bucket6 *buckets6;
};

/* Any seed, 0 too, makes numbers with bits everywhere (SplitMix64). */
static uint64_t scramble(uint64_t n)
{
	n = (n + 1) * 0x9e3779b97f4a7c15ull;
	n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9ull;
	n = (n ^ n >> 27) * 0x94d049bb133111ebull;
	return n ^ n >> 31;
}

struct neighbor_table *neighbor_table_create(unsigned max, uint64_t seed)
{
	struct neighbor_table *t = xcalloc(1, sizeof(*t));
	unsigned n = round_up_pow2(MAX(max, 16u));

	/* Half full at most: few entries have to go past their bucket. */
	for (unsigned i = 0; i < 2; i++)
		t->odd[i] = scramble(seed + i) | 1;
	t->max = max;
	atomic_init(&t->version, 1);
	t->mask4 = n * 2 / SLOTS4 - 1;
	t->mask6 = n * 2 / SLOTS6 - 1;
	t->buckets4 = xcalloc_aligned(t->mask4 + 1, sizeof(*t->buckets4));
	t->buckets6 = xcalloc_aligned(t->mask6 + 1, sizeof(*t->buckets6));
	return t;
}

void neighbor_table_destroy(struct neighbor_table *table)
{
	if (!table)
		return;
	free(table->buckets4);
	free(table->buckets6);
	free(table);
}

/*
 * Multiplication by random odd numbers, of which the upper bits are taken: any
 * two addresses meet by chance only (Dietzfelbinger's multiply-shift).
 */
static inline unsigned home4(const struct neighbor_table *t, uint32_t ip)
{
	return ip * t->odd[0] >> 32 & t->mask4;
}

static inline unsigned home6(const struct neighbor_table *t, const uint64_t *ip)
{
	uint64_t sum = (ip[0] ^ ip[0] >> 32) * t->odd[0] +
		       (ip[1] ^ ip[1] >> 32) * t->odd[1];

	return sum >> 32 & t->mask6;
}

#define load_acquire(at)     atomic_load_explicit(at, memory_order_acquire)
#define load_relaxed(at)     atomic_load_explicit(at, memory_order_relaxed)
#define store_release(at, v) atomic_store_explicit(at, v, memory_order_release)

/* --- workers -------------------------------------------------------------- */

/*
 * The line is written only by the first who uses the entry since the take. What
 * is there when that fails may be another's by now.
 */
static inline uint64_t use(_Atomic uint64_t *at, uint64_t mac)
{
	uint64_t found = mac;

	if (unlikely(!(mac & USED)))
		atomic_compare_exchange_strong_explicit(at, &found, mac | USED,
							memory_order_relaxed,
							memory_order_relaxed);
	return mac & MAC_BITS;
}

static __attribute__((noinline)) uint64_t search4(struct neighbor_table *table,
						  uint32_t ip)
{
	unsigned at = home4(table, ip), probes = 0;

	while (probes < PROBES) {
		struct bucket4 *b = &table->buckets4[at];
		uint32_t seq = load_acquire(&b->seq), passed;
		uint64_t mac = 0;
		unsigned i;

		for (i = 0; i < SLOTS4; i++) {
			if (load_acquire(&b->ip[i]) != ip)
				continue;
			mac = load_acquire(&b->mac[i]);
			if (mac)
				break;
		}
		passed = load_acquire(&b->passed);
		if (unlikely(seq & 1 || load_relaxed(&b->seq) != seq))
			continue;
		if (likely(mac))
			return use(&b->mac[i], mac);
		if (!passed)
			return 0;
		at = (at + 1) & table->mask4;
		probes++;
	}
	return 0;
}

/* The first slot that seems to be it, or SLOTS4. */
static inline unsigned guess4(const struct bucket4 *b, uint32_t ip)
{
#if defined(__SSE2__) && !VECTORS_RACE
	__m128i ips = _mm_loadu_si128((const void *)b->ip);
	unsigned set = _mm_movemask_ps(_mm_castsi128_ps(
		_mm_cmpeq_epi32(ips, _mm_set1_epi32((int)ip))));

	return __builtin_ctz(set | 1u << SLOTS4);
#else
	unsigned i = 0;

	while (i < SLOTS4 && load_acquire(&b->ip[i]) != ip)
		i++;
	return i;
#endif
}

/* Nearly always it is where it seems to be, whole, and in use already. */
uint64_t neighbor_table_find4(struct neighbor_table *table, uint32_t ip)
{
	struct bucket4 *b = &table->buckets4[home4(table, ip)];
	uint32_t seq = load_acquire(&b->seq);
	unsigned i = guess4(b, ip);
	uint64_t mac;

	if (unlikely(i == SLOTS4))
		return search4(table, ip);
	atomic_thread_fence(memory_order_acquire);
	mac = load_acquire(&b->mac[i]);
	if (unlikely(!(mac & USED) || seq & 1 || load_relaxed(&b->seq) != seq))
		return search4(table, ip);
	return mac & MAC_BITS;
}

uint64_t neighbor_table_find6(struct neighbor_table *table,
			      const uint8_t ip[16])
{
	unsigned at, probes = 0;
	uint64_t words[2];

	memcpy(words, ip, 16);
	at = home6(table, words);
	while (probes < PROBES) {
		struct bucket6 *b = &table->buckets6[at];
		uint32_t seq = load_acquire(&b->seq), passed;
		uint64_t mac = 0;
		unsigned i;

		for (i = 0; i < SLOTS6; i++) {
			if (load_acquire(&b->ip[i][0]) != words[0] ||
			    load_acquire(&b->ip[i][1]) != words[1])
				continue;
			mac = load_acquire(&b->mac[i]);
			if (mac)
				break;
		}
		passed = load_acquire(&b->passed);
		if (unlikely(seq & 1 || load_relaxed(&b->seq) != seq))
			continue;
		if (likely(mac))
			return use(&b->mac[i], mac);
		if (!passed)
			return 0;
		at = (at + 1) & table->mask6;
		probes++;
	}
	return 0;
}

uint32_t neighbor_table_version(const struct neighbor_table *table)
{
	return load_acquire(&table->version);
}

/* --- the control thread --------------------------------------------------- */

/* A slot of either table, as its writer sees it. */
struct slot {
	_Atomic uint32_t *seq;
	_Atomic uint32_t *ip4; /* or */
	_Atomic uint64_t *ip6; /* two */
	_Atomic uint64_t *mac;
};

/* Readers look again until it is written. */
static void write_slot(const struct slot *s, const uint64_t ip[2], uint64_t mac)
{
	uint32_t seq = load_relaxed(s->seq);

	atomic_store_explicit(s->seq, seq + 1, memory_order_relaxed);
	if (s->ip4) {
		store_release(s->ip4, (uint32_t)ip[0]);
	} else {
		store_release(&s->ip6[0], ip[0]);
		store_release(&s->ip6[1], ip[1]);
	}
	/* A reader may set its mark meanwhile: it does no harm. */
	store_release(s->mac, mac);
	store_release(s->seq, seq + 2);
}

static struct slot slot4(struct neighbor_table *t, unsigned at, unsigned i)
{
	struct bucket4 *b = &t->buckets4[at & t->mask4];

	return (struct slot){ .seq = &b->seq,
			      .ip4 = &b->ip[i],
			      .mac = &b->mac[i] };
}

static struct slot slot6(struct neighbor_table *t, unsigned at, unsigned i)
{
	struct bucket6 *b = &t->buckets6[at & t->mask6];

	return (struct slot){ .seq = &b->seq,
			      .ip6 = b->ip[i],
			      .mac = &b->mac[i] };
}

static bool slot_has(const struct slot *s, const uint64_t ip[2])
{
	if (s->ip4)
		return load_relaxed(s->ip4) == (uint32_t)ip[0];
	return load_relaxed(&s->ip6[0]) == ip[0] &&
	       load_relaxed(&s->ip6[1]) == ip[1];
}

/* Not 0, which those that remember nothing have. */
static void turn_version(struct neighbor_table *t)
{
	uint32_t version = load_relaxed(&t->version) + 1;

	store_release(&t->version, version + !version);
}

/* Where an address is to be. */
struct place {
	struct neighbor_table *t;
	bool v6;
	uint64_t ip[2];
	unsigned home;
};

static struct slot slot_of(const struct place *p, unsigned probe, unsigned i)
{
	return (p->v6 ? slot6 : slot4)(p->t, p->home + probe, i);
}

static void add_passed(const struct place *p, unsigned probes, uint32_t n)
{
	for (unsigned i = 0; i < probes; i++) {
		unsigned at = p->home + i;
		_Atomic uint32_t *passed =
			p->v6 ? &p->t->buckets6[at & p->t->mask6].passed
			      : &p->t->buckets4[at & p->t->mask4].passed;

		store_release(passed, load_relaxed(passed) + n);
	}
}

/* Its slot, or the first that is free (*found false); false: there is none. */
static bool find_slot(const struct place *p, struct slot *slot,
		      unsigned *probes, bool *found)
{
	bool any = false;

	*found = false;
	for (unsigned probe = 0; probe < PROBES; probe++)
		for (unsigned i = 0; i < (p->v6 ? SLOTS6 : SLOTS4); i++) {
			struct slot s = slot_of(p, probe, i);
			bool taken = load_relaxed(s.mac) != 0;

			if (taken && slot_has(&s, p->ip)) {
				*found = true;
			} else if (taken || any) {
				continue;
			}
			any = true;
			*slot = s;
			*probes = probe;
			if (*found)
				return true;
		}
	return any;
}

void neighbor_table_set(struct neighbor_table *table, const uint8_t *ip,
			unsigned ip_len, uint64_t mac)
{
	struct place place = { .t = table, .v6 = ip_len == 16 };
	unsigned probes = 0;
	struct slot slot = { 0 };
	uint32_t word;
	bool found;

	if (place.v6) {
		memcpy(place.ip, ip, 16);
		place.home = home6(table, place.ip);
	} else {
		memcpy(&word, ip, 4);
		place.ip[0] = __builtin_bswap32(word);
		place.home = home4(table, place.ip[0]);
	}
	mac &= MAC_BITS;
	if (!find_slot(&place, &slot, &probes, &found))
		return; /* as good as unknown: the control thread sends */
	if (!found) {
		if (!mac || table->n == table->max)
			return;
		table->n++;
		add_passed(&place, probes, 1);
	} else if ((load_relaxed(slot.mac) & MAC_BITS) == mac) {
		return;
	}
	write_slot(&slot, place.ip, mac);
	turn_version(table);
	if (!mac) {
		table->n--;
		add_passed(&place, probes, -1u);
	}
}

static void take_slot(const struct slot *s, unsigned ip_len,
		      void (*cb)(const uint8_t *, unsigned, void *), void *arg)
{
	uint8_t ip[16];
	uint64_t word;
	uint32_t ip4;

	if (!(load_relaxed(s->mac) & USED))
		return;
	atomic_fetch_and_explicit(s->mac, ~USED, memory_order_relaxed);
	if (!(load_relaxed(s->mac) & MAC_BITS))
		return;
	if (ip_len == 4) {
		ip4 = __builtin_bswap32(load_relaxed(s->ip4));
		memcpy(ip, &ip4, 4);
	} else {
		word = load_relaxed(&s->ip6[0]);
		memcpy(ip, &word, 8);
		word = load_relaxed(&s->ip6[1]);
		memcpy(ip + 8, &word, 8);
	}
	cb(ip, ip_len, arg);
}

void neighbor_table_take_used(struct neighbor_table *table,
			      void (*cb)(const uint8_t *ip, unsigned ip_len,
					 void *arg),
			      void *arg)
{
	for (unsigned at = 0; at <= table->mask4; at++)
		for (unsigned i = 0; i < SLOTS4; i++) {
			struct slot s = slot4(table, at, i);

			take_slot(&s, 4, cb, arg);
		}
	for (unsigned at = 0; at <= table->mask6; at++)
		for (unsigned i = 0; i < SLOTS6; i++) {
			struct slot s = slot6(table, at, i);

			take_slot(&s, 16, cb, arg);
		}
	turn_version(table);
}
