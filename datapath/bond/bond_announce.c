/*
 * Telling the network where stations are now. A switch upstream knows them by
 * what they send, so after a change frames for them go to the member that was,
 * until they happen to send. So we send for them: a gratuitous ARP or an
 * unsolicited neighbour advertisement for each address that is known, else a
 * RARP frame.
 *
 * A bridge may have many stations, so frames are paced, and a few stations are
 * held at a time: those with the least keys above the last one that was done,
 * so that the others are found by asking again, in any order and while stations
 * come and go. All is done twice, since networks lose frames, above all in the
 * moment of a change. A change meanwhile starts over and adds what it concerns.
 *
 * A frame goes by the member that the published table gives it, so nothing is
 * said before a table was made of the change.
 */
#include "bond/bond_internal.h"

#include <stdlib.h>

#include "packet/neighbor.h"

#define STATIONS_MAX  512 /* held at a time */
#define BURST	      64  /* frames that may be sent at once, ... */
#define FRAMES_PER_MS 1	  /* ... and then so many */
#define PACE_MS	      10  /* it runs so often */
#define ROUNDS	      2
#define AGAIN_MS      1000 /* the second round after the first began */
#define TABLE_MS      2	   /* how often to look for a new table, ... */
#define TABLE_MAX_MS  1000 /* ... and for how long */

struct bond_announcer {
	unsigned round; /* 0: nothing to do; 1 and 2 */
	bool stale;	/* no table was made since the last change */
	uint64_t stale_until;
	uint64_t due;	/* the next frames, or the next round */
	uint64_t again; /* when the second round may begin */
	bool all;	/* stations, whatever their bucket */
	bool changed[BOND_BUCKETS];
	uint64_t tokens, filled; /* frames that may be sent; since when */

	/* by key (MAC and VLAN) */
	uint64_t last;		     /* done up to here */
	bool any;		     /* last is valid */
	uint64_t keys[STATIONS_MAX]; /* a heap while collecting, then sorted */
	unsigned n_keys, at;
	bool more; /* there are some beyond these */

	/* the station at hand: what is left to say of it */
	struct bond_address ips[BOND_STATION_IP4 + BOND_STATION_IP6];
	unsigned n_ips;

	uint64_t n_sent;
};

struct bond_announcer *bond_announcer_create(void)
{
	struct bond_announcer *a = xcalloc(1, sizeof(*a));

	a->tokens = BURST;
	return a;
}

void bond_announcer_destroy(struct bond_announcer *a)
{
	free(a);
}

bool bond_announces(const struct bond *bond)
{
	return !bond->negotiated && (bond->policy == BOND_ACTIVE_BACKUP ||
				     bond->policy == BOND_BALANCE_SLB ||
				     bond->policy == BOND_PORT_ID);
}

static void start_round(struct bond_announcer *a, unsigned round,
			uint64_t now_ms)
{
	a->round = round;
	a->due = now_ms;
	a->any = false;
	a->n_keys = a->at = a->n_ips = 0;
	a->more = true;
	a->again = now_ms + AGAIN_MS;
}

/* What the second round of an earlier change is for, this does. */
static void start(struct bond *bond, uint64_t now_ms)
{
	struct bond_announcer *a = bond->announcer;

	start_round(a, 1, now_ms);
	a->stale = true;
	a->stale_until = now_ms + TABLE_MAX_MS;
}

void bond_announce_table_made(const struct bond *bond)
{
	bond->announcer->stale = false;
}

static void stop(struct bond_announcer *a)
{
	a->round = 0;
	a->all = false;
	memset(a->changed, 0, sizeof(a->changed));
}

void bond_announce_all(struct bond *bond, uint64_t now_ms)
{
	bond->announcer->all = true;
	start(bond, now_ms);
}

void bond_announce_bucket(struct bond *bond, unsigned bucket, uint64_t now_ms)
{
	/* Which bucket a station has by its port is not known here. */
	if (bond->policy == BOND_PORT_ID)
		bond->announcer->all = true;
	bond->announcer->changed[bucket] = true;
	start(bond, now_ms);
}

/* --- the stations, some at a time -------------------------------------- */

static void sift_down(uint64_t *heap, unsigned n, unsigned i)
{
	for (;;) {
		unsigned big = i;

		for (unsigned c = 2 * i + 1; c <= 2 * i + 2 && c < n; c++) {
			if (heap[c] > heap[big])
				big = c;
		}
		if (big == i)
			return;
		uint64_t t = heap[i];

		heap[i] = heap[big];
		heap[big] = t;
		i = big;
	}
}

static void sift_up(uint64_t *heap, unsigned i)
{
	while (i && heap[(i - 1) / 2] < heap[i]) {
		uint64_t t = heap[i];

		heap[i] = heap[(i - 1) / 2];
		heap[(i - 1) / 2] = t;
		i = (i - 1) / 2;
	}
}

/* It may leave without its tag, which makes it another bucket. */
static bool concerns(const struct bond *bond, uint64_t mac, uint16_t vid)
{
	const struct bond_announcer *a = bond->announcer;
	uint32_t basis = bond->config.hash_basis;

	return a->all || a->changed[bond_hash_slb(mac, vid, basis)] ||
	       a->changed[bond_hash_slb(mac, 0, basis)];
}

/* Keeps the least keys: the root is the greatest, and goes for a lesser. */
static void station_cb(void *arg, uint64_t mac, uint16_t vid)
{
	struct bond *bond = arg;
	struct bond_announcer *a = bond->announcer;
	uint64_t key = mac << 12 | (vid & 0xfff);

	if ((a->any && key <= a->last) || mac_is_multicast(mac) || !mac ||
	    !concerns(bond, mac, vid))
		return;
	if (a->n_keys < STATIONS_MAX) {
		a->keys[a->n_keys] = key;
		sift_up(a->keys, a->n_keys++);
		return;
	}
	a->more = true;
	if (key < a->keys[0]) {
		a->keys[0] = key;
		sift_down(a->keys, a->n_keys, 0);
	}
}

static int compare_keys(const void *x, const void *y)
{
	uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

	return (a > b) - (a < b);
}

static void collect(struct bond *bond)
{
	struct bond_announcer *a = bond->announcer;

	a->n_keys = a->at = 0;
	a->more = false;
	bond->ops->stations(station_cb, bond, bond->ops_arg);
	qsort(a->keys, a->n_keys, sizeof(a->keys[0]), compare_keys);
}

/* --- frames ------------------------------------------------------------ */

static void look_up(struct bond *bond, uint64_t mac, uint16_t vid,
		    uint64_t now_ms)
{
	struct bond_announcer *a = bond->announcer;

	a->n_ips =
		bond_addresses_find(bond->addresses, mac, vid, now_ms, a->ips);
	if (!a->n_ips)
		a->ips[a->n_ips++].ip_len = 0; /* RARP */
}

/* One frame; false when this round has no more. */
static bool announce_one(struct bond *bond, uint64_t now_ms)
{
	struct bond_announcer *a = bond->announcer;
	uint8_t frame[NEIGHBOR_FRAME_MAX];
	const struct bond_address *ip;
	uint64_t mac;
	uint16_t vid;
	size_t len;

	if (!a->n_ips && a->at == a->n_keys) {
		if (!a->more)
			return false;
		collect(bond);
		if (!a->n_keys)
			return false;
	}
	mac = a->keys[a->at] >> 12;
	vid = a->keys[a->at] & 0xfff;
	if (!a->n_ips)
		look_up(bond, mac, vid, now_ms);
	ip = &a->ips[--a->n_ips];
	len = neighbor_announce(mac, ip->ip_len ? ip->ip : NULL, ip->ip_len,
				frame);
	if (!a->n_ips) {
		a->last = a->keys[a->at++];
		a->any = true;
	}
	a->n_sent++;
	bond->ops->announce(frame, len, vid, bond->ops_arg);
	return true;
}

static void fill(struct bond_announcer *a, uint64_t now_ms)
{
	uint64_t n = (now_ms - a->filled) * FRAMES_PER_MS;

	a->filled = now_ms;
	a->tokens = MIN(a->tokens + MIN(n, BURST), BURST);
}

static void end_round(struct bond_announcer *a, uint64_t now_ms)
{
	if (a->round == ROUNDS) {
		stop(a);
		return;
	}
	a->round++;
	a->due = MAX(a->again, now_ms + PACE_MS);
	a->any = false;
	a->n_keys = a->at = 0;
	a->more = true;
}

void bond_announce_run(struct bond *bond, uint64_t now_ms)
{
	struct bond_announcer *a = bond->announcer;

	if (!a->round || now_ms < a->due)
		return;
	/* There is nobody to tell by, or no need: a later change tells. */
	if (!bond_announces(bond) || !bond->active) {
		stop(a);
		return;
	}
	if (a->stale && now_ms < a->stale_until) {
		a->due = now_ms + TABLE_MS;
		a->again = a->due + AGAIN_MS;
		return;
	}
	fill(a, now_ms);
	for (; a->tokens; a->tokens--) {
		if (!announce_one(bond, now_ms)) {
			end_round(a, now_ms);
			return;
		}
	}
	a->due = now_ms + PACE_MS;
}

uint64_t bond_announce_next_ms(const struct bond *bond)
{
	return bond->announcer->round ? bond->announcer->due : BOND_NEVER;
}

bool bond_announce_pending(const struct bond *bond)
{
	return bond->announcer->round == 1;
}

bool bond_announcing(const struct bond *bond)
{
	return bond->announcer->round;
}

uint64_t bond_announced(const struct bond *bond)
{
	return bond->announcer->n_sent;
}
