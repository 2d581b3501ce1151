/*
 * Which members take part and which of them is the active one.
 *
 * The order of preference: whom somebody has chosen by hand; without failback
 * whoever does it now; the primary; active before standby members; the lesser
 * rank; whoever does it now; the order of the configuration. What was chosen by
 * hand holds until that member goes down, against failback too: who chooses
 * knows better; and then it is forgotten.
 *
 * In active-backup the first takes part alone. Otherwise as many take part as
 * there are members of the role "active", so that a standby member stands in
 * for each active one that is down.
 */
#include "bond/bond_internal.h"

#include "base/log.h"

LOG_MODULE(bond);

struct bond_member *bond_restored(const struct bond *bond, uint64_t now_ms)
{
	if (!bond->restore_mac || now_ms >= bond->restore_until)
		return NULL;
	for (unsigned i = 0; i < bond->n_members; i++) {
		struct bond_member *m = bond->members[i];

		if (m->mac == bond->restore_mac && m->may_enable &&
		    bond_member_is_used(m) && !m->disabled_by_hand)
			return m;
	}
	return NULL;
}

/* The places are taken one by one: what holds for the place that is sought. */
struct place {
	const struct bond *bond;
	const struct bond_member *now; /* who has it, NULL: who shares */
};

static bool has_it(const struct place *p, const struct bond_member *m)
{
	return p->now ? m == p->now : m->shares;
}

static bool is_primary(const struct bond_member *m)
{
	const struct bond *bond = m->bond;

	return bond->config.primary && bond->policy == BOND_ACTIVE_BACKUP &&
	       !strcmp(bond->config.primary, m->name);
}

/* -1: a, 1: b, 0: either. */
static int prefer_if(bool a, bool b)
{
	return (int)b - (int)a;
}

/* Those that no list names are all the same. */
static unsigned rank_of(const struct bond_member *m)
{
	return MIN(m->rank, BOND_RANK_UNNAMED);
}

static bool is_better(const struct place *p, const struct bond_member *a,
		      const struct bond_member *b)
{
	const struct bond *bond = p->bond;
	int d = prefer_if(a == bond->by_hand, b == bond->by_hand);

	if (!d && !bond->config.failback)
		d = prefer_if(has_it(p, a), has_it(p, b));
	if (!d)
		d = prefer_if(is_primary(a), is_primary(b));
	if (!d)
		d = (a->role > b->role) - (a->role < b->role);
	if (!d)
		d = (rank_of(a) > rank_of(b)) - (rank_of(a) < rank_of(b));
	if (!d)
		d = prefer_if(has_it(p, a), has_it(p, b));
	if (!d)
		d = a->index < b->index ? -1 : 1;
	return d < 0;
}

/* The best of those that are enabled and not yet chosen. */
static struct bond_member *best_of(const struct place *p, const bool chosen[])
{
	struct bond_member *best = NULL;

	for (unsigned i = 0; i < p->bond->n_members; i++) {
		struct bond_member *m = p->bond->members[i];

		if (m->enabled && !chosen[i] &&
		    (!best || is_better(p, m, best)))
			best = m;
	}
	return best;
}

static unsigned n_places(const struct bond *bond)
{
	unsigned n = 0;

	if (bond->policy == BOND_ACTIVE_BACKUP)
		return 1;
	for (unsigned i = 0; i < bond->n_members; i++)
		n += bond->members[i]->role == BOND_ROLE_ACTIVE;
	return MAX(n, 1);
}

static void set_active(struct bond *bond, struct bond_member *m,
		       uint64_t now_ms)
{
	struct bond_member *old = bond->active;

	if (m == old)
		return;
	bond->active = m;
	bond->dirty = true;
	if (!m) {
		log_info_limited("bond %s: all members disabled", bond->name);
		return;
	}
	if (old)
		bond->n_failovers++;
	log_info_limited("bond %s: active member is now %s", bond->name,
			 m->name);
	if (bond->policy == BOND_ACTIVE_BACKUP)
		bond_announce_all(bond, now_ms);
}

void bond_update_active(struct bond *bond, uint64_t now_ms)
{
	struct bond_member *restored = bond_restored(bond, now_ms);
	bool chosen[BOND_MEMBERS_MAX] = { false };
	struct place p = { .bond = bond };
	struct bond_member *active;

	if (bond->by_hand && !bond->by_hand->enabled)
		bond->by_hand = NULL;
	p.now = restored && restored->enabled ? restored : bond->active;
	active = best_of(&p, chosen);
	if (active)
		chosen[active->index] = true;
	p.now = NULL;
	for (unsigned n = n_places(bond); n > 1; n--) {
		struct bond_member *m = best_of(&p, chosen);

		if (!m)
			break;
		chosen[m->index] = true;
	}
	for (unsigned i = 0; i < bond->n_members; i++) {
		struct bond_member *m = bond->members[i];

		if (m->shares == chosen[i])
			continue;
		m->shares = chosen[i];
		m->newcomer = chosen[i];
		bond->dirty = true;
		m->grace_until = m->shares ? 0 : now_ms + BOND_GRACE_MS;
	}
	set_active(bond, active, now_ms);
}
