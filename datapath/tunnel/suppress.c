/*
 * Buckets of one cache line: two entries and a sequence number (odd: being
 * written). An entry that its bucket has no room for goes to one of the next; a
 * bucket counts those that went past it, so that readers know when to look
 * further. At most half of the slots are taken.
 *
 * A reader that sees a number change looks again. All words are atomic: what a
 * reader takes between two equal, even numbers was there at once.
 */
#include "tunnel/suppress.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "packet/vlan.h"
#include "tunnel/suppress_question.h"

#define SLOTS  2
#define PROBES 16 /* buckets that are looked at, at most */
/* A writer that is put aside in the middle is not waited for. */
#define LOOKS_MAX 64

/*
 * An entry's third word, beside the address:
 *
 *	63     62 61     60  59      48 47  0
 *	| live  | router | v6 | VLAN   | MAC |
 */
#define MAC_BITS   0xffffffffffffull
#define VLAN_SHIFT 48
#define IS_V6	   (1ull << 60)
#define IS_ROUTER  (1ull << 61)
#define IS_LIVE	   (1ull << 62)
#define KEY_BITS   (IS_V6 | (uint64_t)VLAN_VID_MASK << VLAN_SHIFT)

struct bucket {
	_Atomic uint32_t seq;
	_Atomic uint32_t passed; /* entries that had no room here */
	struct {
		_Atomic uint64_t ip[2], word; /* 0: free */
	} slots[SLOTS];
} CACHE_ALIGNED;

struct suppress_table {
	uint64_t odd[3];
	unsigned mask; /* buckets less one */
	unsigned max;
	_Atomic unsigned n;
	struct bucket *buckets;
};

/* What is looked for; IPv4 has its four bytes in ip[0]. */
struct key {
	uint64_t ip[2];
	uint64_t bits; /* of the word, in KEY_BITS */
};

#define load_acquire(at)     atomic_load_explicit(at, memory_order_acquire)
#define load_relaxed(at)     atomic_load_explicit(at, memory_order_relaxed)
#define store_relaxed(at, v) atomic_store_explicit(at, v, memory_order_relaxed)
#define store_release(at, v) atomic_store_explicit(at, v, memory_order_release)

/* Any seed, 0 too, makes numbers with bits everywhere (SplitMix64). */
static uint64_t scramble(uint64_t n)
{
	n = (n + 1) * 0x9e3779b97f4a7c15ull;
	n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9ull;
	n = (n ^ n >> 27) * 0x94d049bb133111ebull;
	return n ^ n >> 31;
}

static size_t bytes_of(const struct suppress_table *t)
{
	return (t->mask + 1) * sizeof(*t->buckets);
}

/*
 * Zeros, which take no memory before they are written: there is one table for
 * each VXLAN port, and most have few entries of all that there may be.
 */
static struct bucket *map_buckets(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		fprintf(stderr, "out of memory: ARP table of %zu bytes\n",
			bytes);
		abort();
	}
	madvise(p, bytes, MADV_NOHUGEPAGE);
	return p;
}

struct suppress_table *suppress_create(unsigned max, uint64_t seed)
{
	struct suppress_table *t = xcalloc(1, sizeof(*t));
	unsigned n = round_up_pow2(MAX(max, 16u));

	for (unsigned i = 0; i < ARRAY_SIZE(t->odd); i++)
		t->odd[i] = scramble(seed + i) | 1;
	t->max = max;
	t->mask = n - 1;
	t->buckets = map_buckets(bytes_of(t));
	return t;
}

void suppress_destroy(struct suppress_table *table)
{
	if (!table)
		return;
	munmap(table->buckets, bytes_of(table));
	free(table);
}

unsigned suppress_count(const struct suppress_table *table)
{
	return load_relaxed(&table->n);
}

static struct key key_of(uint16_t vid, const uint8_t *ip, unsigned len)
{
	struct key key = { .bits = (uint64_t)VLAN_VID(vid) << VLAN_SHIFT };

	memcpy(key.ip, ip, len);
	if (len == 16)
		key.bits |= IS_V6;
	return key;
}

/* Sums of products by random odd numbers, whose upper bits are taken. */
static unsigned home_of(const struct suppress_table *t, const struct key *key)
{
	uint64_t sum = (key->ip[0] ^ key->ip[0] >> 32) * t->odd[0] +
		       (key->ip[1] ^ key->ip[1] >> 32) * t->odd[1] +
		       (key->bits >> 32) * t->odd[2];

	return sum >> 32 & t->mask;
}

static uint64_t look_into(const struct bucket *b, const struct key *key)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		uint64_t word = load_acquire(&b->slots[i].word);

		if (word & IS_LIVE && (word & KEY_BITS) == key->bits &&
		    load_acquire(&b->slots[i].ip[0]) == key->ip[0] &&
		    load_acquire(&b->slots[i].ip[1]) == key->ip[1])
			return word;
	}
	return 0;
}

/* The entry's word, 0: there is none. */
static uint64_t find(const struct suppress_table *t, const struct key *key)
{
	unsigned at = home_of(t, key), probes = 0, looks = 0;

	while (probes < PROBES && looks++ < LOOKS_MAX) {
		const struct bucket *b = &t->buckets[at];
		uint32_t seq = load_acquire(&b->seq), passed;
		uint64_t word = look_into(b, key);

		passed = load_acquire(&b->passed);
		if (unlikely(seq & 1 || load_relaxed(&b->seq) != seq))
			continue;
		if (word)
			return word;
		if (!passed)
			return 0;
		at = (at + 1) & t->mask;
		probes++;
	}
	return 0;
}

/* --- the control thread --------------------------------------------------- */

/* Readers look again until it is written. */
static void write_slot(struct bucket *b, unsigned i, const struct key *key,
		       uint64_t word)
{
	uint32_t seq = load_relaxed(&b->seq);

	store_relaxed(&b->seq, seq + 1);
	store_release(&b->slots[i].ip[0], key->ip[0]);
	store_release(&b->slots[i].ip[1], key->ip[1]);
	store_release(&b->slots[i].word, word);
	store_release(&b->seq, seq + 2);
}

static void add_passed(struct suppress_table *t, unsigned home, unsigned probes,
		       uint32_t n)
{
	for (unsigned i = 0; i < probes; i++) {
		struct bucket *b = &t->buckets[(home + i) & t->mask];

		store_release(&b->passed, load_relaxed(&b->passed) + n);
	}
}

/* Where the entry is, or (*found false) the first place that is free. */
static struct bucket *find_place(const struct suppress_table *t,
				 const struct key *key, unsigned *probesp,
				 unsigned *slotp, bool *found)
{
	unsigned home = home_of(t, key);
	struct bucket *place = NULL;

	*found = false;
	for (unsigned probe = 0; probe < PROBES; probe++) {
		struct bucket *b = &t->buckets[(home + probe) & t->mask];

		for (unsigned i = 0; i < SLOTS; i++) {
			uint64_t word = load_relaxed(&b->slots[i].word);

			*found = word && (word & KEY_BITS) == key->bits &&
				 load_relaxed(&b->slots[i].ip[0]) ==
					 key->ip[0] &&
				 load_relaxed(&b->slots[i].ip[1]) == key->ip[1];
			if (!*found && (word || place))
				continue;
			place = b;
			*probesp = probe;
			*slotp = i;
			if (*found)
				return place;
		}
	}
	return place;
}

int suppress_set(struct suppress_table *table, uint16_t vid, const uint8_t *ip,
		 unsigned len, uint64_t mac)
{
	struct key key = key_of(vid, ip, len);
	unsigned probes = 0, slot = 0, home = home_of(table, &key);
	unsigned n = load_relaxed(&table->n);
	struct bucket *b;
	uint64_t word = 0;
	bool found;

	b = find_place(table, &key, &probes, &slot, &found);
	if (mac & MAC_BITS)
		word = IS_LIVE | key.bits | (mac & MAC_BITS) |
		       (mac & SUPPRESS_ROUTER ? IS_ROUTER : 0);
	if (!found) {
		if (!word)
			return 0;
		if (!b || n >= table->max)
			return -ENOSPC;
		add_passed(table, home, probes, 1);
		store_relaxed(&table->n, n + 1);
	}
	write_slot(b, slot, &key, word);
	if (!word) {
		add_passed(table, home, probes, -1u);
		store_relaxed(&table->n, n - 1);
	}
	return 0;
}

/* --- workers -------------------------------------------------------------- */

unsigned suppress_answer(const struct suppress_table *table, uint16_t vid,
			 struct packet *packet,
			 uint8_t room[SUPPRESS_FRAME_MAX])
{
	struct suppress_question question;
	uint64_t word, mac;
	struct key key;

	if (!load_relaxed(&table->n) || !suppress_parse(packet, &question))
		return 0;
	key = key_of(vid, question.target, question.ip_len);
	word = find(table, &key);
	mac = word & MAC_BITS;
	/* A station that asks for its own address has a reason to. */
	if (!mac || mac == question.mac)
		return 0;
	return suppress_write(&question, mac, word & IS_ROUTER, room);
}
