/*
 * IP addresses of stations, as they said them, so that neighbours can be told
 * of a change in the way that makes them update what they know. A cache: what
 * is missing costs nothing but a RARP frame instead.
 *
 * Strangers fill it, so it is bounded: so many addresses a station and in all;
 * the one unheard for longest makes room. Where an entry lies in the hash
 * depends on a random number, so that nobody makes one chain long.
 *
 * An address has one owner in a VLAN, whoever said it last: it moves from one
 * station to another when a virtual router fails over (RFC 5798) or a guest is
 * replaced, and to announce it for the former owner would break it for all.
 */
#include "bond/bond_internal.h"

#include <stdlib.h>
#include <sys/random.h>

#define ADDRESSES_MAX 16384
#define CHAINS	      4096 /* a power of two */
#define FORGET_MS     (60 * 60 * 1000ull)

struct address {
	struct address *next;	       /* in its chain, by station */
	struct address *next_same;     /* in its chain, by address */
	struct address *older, *newer; /* by when it was last heard */
	uint64_t heard_ms;
	uint64_t key;
	uint8_t ip[16];
	uint8_t ip_len;
};

struct bond_addresses {
	struct address *chains[CHAINS]; /* by station: MAC and VLAN */
	struct address *owners[CHAINS]; /* by address and VLAN */
	struct address *oldest, *newest;
	unsigned n;
	uint64_t seed;
};

struct bond_addresses *bond_addresses_create(void)
{
	struct bond_addresses *t = xcalloc(1, sizeof(*t));

	if (getrandom(&t->seed, sizeof(t->seed), GRND_NONBLOCK) !=
	    sizeof(t->seed))
		t->seed = (uintptr_t)t;
	return t;
}

void bond_addresses_destroy(struct bond_addresses *t)
{
	if (!t)
		return;
	while (t->oldest) {
		struct address *a = t->oldest;

		t->oldest = a->newer;
		free(a);
	}
	free(t);
}

static uint64_t key_of(uint64_t mac, uint16_t vid)
{
	return mac << 12 | (vid & 0xfff);
}

static unsigned mix(const struct bond_addresses *t, uint64_t key)
{
	uint64_t h = (key ^ t->seed) * 0x9e3779b97f4a7c15ull;

	h = (h ^ h >> 32 ^ t->seed) * 0xd6e8feb86659fd93ull;
	return h >> 52 & (CHAINS - 1);
}

static unsigned chain_of(const struct bond_addresses *t, uint64_t key)
{
	return mix(t, key);
}

static uint16_t vid_of(uint64_t key)
{
	return key & 0xfff;
}

static unsigned owner_chain_of(const struct bond_addresses *t, uint16_t vid,
			       const uint8_t *ip, unsigned ip_len)
{
	uint64_t high = 0, low = load_be32(ip);

	if (ip_len == 16) {
		high = low << 32 | load_be32(ip + 4);
		low = (uint64_t)load_be32(ip + 8) << 32 | load_be32(ip + 12);
	}
	/* The seed comes in between, or one could be chosen by the other. */
	high = (high ^ t->seed) * 0xd6e8feb86659fd93ull;
	return mix(t, low ^ high ^ high >> 29 ^ (uint64_t)vid << 44);
}

static void unlink_age(struct bond_addresses *t, struct address *a)
{
	*(a->older ? &a->older->newer : &t->oldest) = a->newer;
	*(a->newer ? &a->newer->older : &t->newest) = a->older;
}

static void link_newest(struct bond_addresses *t, struct address *a)
{
	a->newer = NULL;
	a->older = t->newest;
	*(t->newest ? &t->newest->newer : &t->oldest) = a;
	t->newest = a;
}

static void unlink_station(struct bond_addresses *t, struct address *a)
{
	struct address **p = &t->chains[chain_of(t, a->key)];

	while (*p != a)
		p = &(*p)->next;
	*p = a->next;
}

static void link_station(struct bond_addresses *t, struct address *a)
{
	struct address **chain = &t->chains[chain_of(t, a->key)];

	a->next = *chain;
	*chain = a;
}

static void unlink_owner(struct bond_addresses *t, struct address *a)
{
	unsigned chain = owner_chain_of(t, vid_of(a->key), a->ip, a->ip_len);
	struct address **p = &t->owners[chain];

	while (*p != a)
		p = &(*p)->next_same;
	*p = a->next_same;
}

static void forget(struct bond_addresses *t, struct address *a)
{
	unlink_station(t, a);
	unlink_owner(t, a);
	unlink_age(t, a);
	t->n--;
	free(a);
}

/* There is one at most: whoever says it takes it from the one before. */
static void take_from_others(struct bond_addresses *t, uint64_t key,
			     const uint8_t *ip, unsigned ip_len)
{
	uint16_t vid = vid_of(key);
	struct address *a = t->owners[owner_chain_of(t, vid, ip, ip_len)];

	for (; a; a = a->next_same) {
		if (vid_of(a->key) != vid || a->ip_len != ip_len ||
		    memcmp(a->ip, ip, ip_len))
			continue;
		if (a->key != key)
			forget(t, a);
		return;
	}
}

/* For one more; what nobody has heard of for long goes anyway. */
static void make_room(struct bond_addresses *t, uint64_t now_ms)
{
	struct address *a = t->oldest, *newer;

	for (; a && (t->n >= ADDRESSES_MAX || now_ms - a->heard_ms > FORGET_MS);
	     a = newer) {
		newer = a->newer;
		forget(t, a);
	}
}

/* The same address, or else the oldest of the station if it has too many. */
static struct address *find_or_oldest(struct address *chain, uint64_t key,
				      const uint8_t *ip, unsigned ip_len,
				      bool *same)
{
	unsigned max = ip_len == 4 ? BOND_STATION_IP4 : BOND_STATION_IP6;
	struct address *oldest = NULL;
	unsigned n = 0;

	*same = false;
	for (struct address *a = chain; a; a = a->next) {
		if (a->key != key || a->ip_len != ip_len)
			continue;
		if (!memcmp(a->ip, ip, ip_len)) {
			*same = true;
			return a;
		}
		n++;
		if (!oldest || a->heard_ms < oldest->heard_ms)
			oldest = a;
	}
	return n >= max ? oldest : NULL;
}

void bond_addresses_disown(struct bond_addresses *t, uint64_t mac, uint16_t vid,
			   const uint8_t *ip, unsigned ip_len)
{
	if (ip_len == 4 || ip_len == 16)
		take_from_others(t, key_of(mac, vid), ip, ip_len);
}

static struct address *add(struct bond_addresses *t, uint64_t key,
			   const uint8_t *ip, unsigned ip_len)
{
	struct address **owner =
		&t->owners[owner_chain_of(t, vid_of(key), ip, ip_len)];
	struct address *a = xcalloc(1, sizeof(*a));

	a->key = key;
	a->ip_len = (uint8_t)ip_len;
	memcpy(a->ip, ip, ip_len);
	link_station(t, a);
	a->next_same = *owner;
	*owner = a;
	t->n++;
	return a;
}

void bond_addresses_learn(struct bond_addresses *t, uint64_t mac, uint16_t vid,
			  const uint8_t *ip, unsigned ip_len, uint64_t now_ms)
{
	uint64_t key = key_of(mac, vid);
	struct address *a;
	bool same;

	if (ip_len != 4 && ip_len != 16)
		return;
	take_from_others(t, key, ip, ip_len);
	a = find_or_oldest(t->chains[chain_of(t, key)], key, ip, ip_len, &same);
	if (same) {
		unlink_age(t, a);
	} else {
		if (a)
			forget(t, a);
		make_room(t, now_ms);
		a = add(t, key, ip, ip_len);
	}
	a->heard_ms = now_ms;
	link_newest(t, a);
}

unsigned bond_addresses_find(
	const struct bond_addresses *t, uint64_t mac, uint16_t vid,
	uint64_t now_ms,
	struct bond_address found[BOND_STATION_IP4 + BOND_STATION_IP6])
{
	uint64_t key = key_of(mac, vid);
	unsigned n = 0;

	for (const struct address *a = t->chains[chain_of(t, key)]; a;
	     a = a->next) {
		if (a->key != key || now_ms - a->heard_ms > FORGET_MS ||
		    n == BOND_STATION_IP4 + BOND_STATION_IP6)
			continue;
		memcpy(found[n].ip, a->ip, sizeof(a->ip));
		found[n++].ip_len = a->ip_len;
	}
	return n;
}

void bond_addresses_rename(struct bond_addresses *t, uint64_t from, uint64_t to)
{
	for (struct address *a = t->oldest; a; a = a->newer) {
		if (a->key >> 12 != from)
			continue;
		unlink_station(t, a);
		a->key = key_of(to, vid_of(a->key));
		link_station(t, a);
	}
}
