/*
 * What each member accepts, so that nothing comes in twice and nothing that we
 * sent comes back:
 *
 *  - With a partner that knows of the bond (LACP negotiated, ip-hash) all
 *    members that may collect accept everything: the partner sends each frame
 *    by one of them, and returns none.
 *  - Otherwise the network takes the members for separate ports. What it floods
 *    comes by all of them, so groups are accepted on the active member alone;
 *    and it floods our own frames to our other members, so frames of stations
 *    that are known behind another port are not believed.
 *  - Members that do not take part accept nothing. Only one that did until now
 *    and still could goes on receiving what is sent to it alone until the
 *    network has learned: so a change of members that are up loses nothing.
 *    Meanwhile what was sent by the one may come back by the other.
 *  - So may, later than that where a switch is slow, what told the network of
 *    a change, when the active member changes back: were it believed, the
 *    station would be known behind the bond and cut off until it speaks.
 */
#include "bond/bond_internal.h"

static bool partner_knows(const struct bond *bond)
{
	return bond->negotiated || bond->policy == BOND_IP_HASH;
}

static bool in_grace(const struct bond_member *m)
{
	return m->enabled && !m->shares && m->grace_until;
}

static bool anyone_in_grace(const struct bond *bond)
{
	for (unsigned i = 0; i < bond->n_members; i++) {
		if (in_grace(bond->members[i]))
			return true;
	}
	return false;
}

static void end_grace(struct bond_member *m, uint64_t now_ms)
{
	if (!in_grace(m)) {
		m->grace_until = 0;
		return;
	}
	if (bond_announce_pending(m->bond)) {
		m->grace_until =
			MAX(m->grace_until, now_ms + BOND_GRACE_TOLD_MS);
		return;
	}
	if (now_ms >= m->grace_until)
		m->grace_until = 0;
}

/* What was told may be on its way back; with buckets that is so at any time. */
static void end_echo(struct bond *bond, uint64_t now_ms)
{
	if (bond_has_buckets(bond) || now_ms >= bond->echo_until)
		bond->echo_until = 0;
	if (bond_announcing(bond) && !bond_has_buckets(bond))
		bond->echo_until = now_ms + BOND_ECHO_MS;
}

static unsigned filter_of(const struct bond_member *m)
{
	const struct bond *bond = m->bond;
	unsigned filter = 0;

	if (bond->negotiated) /* collecting comes before distributing */
		return m->may_collect ? 0 : BOND_RX_NOTHING;
	if (!m->enabled)
		return BOND_RX_NOTHING;
	if (partner_knows(bond))
		return 0;
	if (!m->shares && !m->grace_until)
		return BOND_RX_NOTHING;
	if (m != bond->active)
		filter |= BOND_RX_NO_MULTICAST;
	if (bond_has_buckets(bond) || anyone_in_grace(bond) || bond->echo_until)
		filter |= BOND_RX_NO_MOVED;
	return filter;
}

void bond_update_filters(struct bond *bond, uint64_t now_ms)
{
	for (unsigned i = 0; i < bond->n_members; i++)
		end_grace(bond->members[i], now_ms);
	end_echo(bond, now_ms);
	for (unsigned i = 0; i < bond->n_members; i++) {
		struct bond_member *m = bond->members[i];
		unsigned filter = filter_of(m);

		if (filter != m->filter)
			bond->dirty = true;
		m->filter = filter;
	}
}

uint64_t bond_filters_next_ms(const struct bond *bond)
{
	uint64_t next = BOND_NEVER;

	/* While they are being told, what tells them runs anyway. */
	if (bond_announce_pending(bond))
		return BOND_NEVER;
	if (bond->echo_until)
		next = bond->echo_until;
	for (unsigned i = 0; i < bond->n_members; i++) {
		if (in_grace(bond->members[i]))
			next = MIN(next, bond->members[i]->grace_until);
	}
	return next;
}

unsigned bond_member_filter(const struct bond_member *member)
{
	return member->filter;
}
