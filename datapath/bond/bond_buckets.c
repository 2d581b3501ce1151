/*
 * Which member has which bucket. When a member goes down its buckets go to the
 * others, those of the others stay; when one returns it is given a fair share,
 * taken from those who have most. A bucket moves at most once for each.
 */
#include "bond/bond_internal.h"

bool bond_has_buckets(const struct bond *bond)
{
	return bond->policy != BOND_ACTIVE_BACKUP;
}

unsigned bond_n_shares(const struct bond *bond)
{
	unsigned n = 0;

	for (unsigned i = 0; i < bond->n_members; i++)
		n += bond->members[i]->shares;
	return n;
}

void bond_move_bucket(struct bond *bond, unsigned bucket,
		      struct bond_member *to)
{
	bond->buckets[bucket].member = to;
	bond->dirty = true;
}

/* By member: how many buckets it has. */
struct holdings {
	unsigned n[BOND_MEMBERS_MAX];
};

/* Of those who take part, or only of those who have just come. */
static struct bond_member *poorest(const struct bond *bond,
				   const struct holdings *h, bool newcomers)
{
	struct bond_member *best = NULL;

	for (unsigned i = 0; i < bond->n_members; i++) {
		struct bond_member *m = bond->members[i];

		if (!m->shares || (newcomers && !m->newcomer))
			continue;
		if (!best || h->n[i] < h->n[best->index])
			best = m;
	}
	return best;
}

static struct bond_member *richest(const struct bond *bond,
				   const struct holdings *h)
{
	struct bond_member *best = NULL;

	for (unsigned i = 0; i < bond->n_members; i++) {
		struct bond_member *m = bond->members[i];

		if (m->shares && (!best || h->n[i] > h->n[best->index]))
			best = m;
	}
	return best;
}

/* Buckets that nobody has, or nobody who takes part. */
static void give_orphans(struct bond *bond, struct holdings *h, bool moved[],
			 uint64_t now_ms)
{
	for (unsigned b = 0; b < BOND_BUCKETS; b++) {
		struct bond_member *m = bond->buckets[b].member;

		if (m && m->shares)
			continue;
		m = poorest(bond, h, false);
		if (m == bond->buckets[b].member)
			continue;
		bond_move_bucket(bond, b, m);
		if (!m)
			continue;
		h->n[m->index]++;
		moved[b] = true;
		bond_announce_bucket(bond, b, now_ms);
	}
}

/* One of a member's buckets, not one that has just come; the oldest there. */
static int bucket_to_give(const struct bond *bond, const struct bond_member *m,
			  const bool moved[])
{
	int best = -1;

	for (unsigned b = 0; b < BOND_BUCKETS; b++) {
		if (bond->buckets[b].member != m || moved[b])
			continue;
		if (best < 0 || bond->buckets[b].held_until <
					bond->buckets[best].held_until)
			best = (int)b;
	}
	return best;
}

/* Members that have just come get their share. */
static void give_shares(struct bond *bond, struct holdings *h, bool moved[],
			uint64_t now_ms)
{
	unsigned share = BOND_BUCKETS / MAX(bond_n_shares(bond), 1);

	for (;;) {
		struct bond_member *to = poorest(bond, h, true);
		struct bond_member *from = richest(bond, h);
		int b;

		if (!to || h->n[to->index] >= share)
			return;
		b = bucket_to_give(bond, from, moved);
		if (b < 0)
			return;
		moved[b] = true;
		h->n[from->index]--;
		h->n[to->index]++;
		bond_move_bucket(bond, (unsigned)b, to);
		bond_rebalance_hold(bond, (unsigned)b, now_ms);
		bond_announce_bucket(bond, (unsigned)b, now_ms);
	}
}

static void forget_all(struct bond *bond)
{
	for (unsigned b = 0; b < BOND_BUCKETS; b++)
		bond->buckets[b].member = NULL;
}

void bond_update_buckets(struct bond *bond, uint64_t now_ms)
{
	bool moved[BOND_BUCKETS] = { false };
	struct holdings h = { { 0 } };

	if (!bond_has_buckets(bond)) {
		forget_all(bond);
		return;
	}
	for (unsigned b = 0; b < BOND_BUCKETS; b++) {
		struct bond_member *m = bond->buckets[b].member;

		if (m && m->shares)
			h.n[m->index]++;
	}
	give_orphans(bond, &h, moved, now_ms);
	give_shares(bond, &h, moved, now_ms);
	for (unsigned i = 0; i < bond->n_members; i++)
		bond->members[i]->newcomer = false;
}
