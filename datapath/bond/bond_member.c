/*
 * Which members are enabled: by their links, by what LACP says, and after the
 * delays, as Open vSwitch has them. A link that comes back within downdelay was
 * never down; a link that is up waits for updelay, unless there is no other.
 *
 * With LACP the two delays do not count: the partner has its own idea of when a
 * link may be used, and to send on a link that it has left, or not to receive
 * on one that it has taken, loses frames. They do once the bond has fallen back
 * to active-backup.
 */
#include "bond/bond_internal.h"

#include <inttypes.h>

#include "base/log.h"

LOG_MODULE(bond);

bool bond_delays(const struct bond *bond)
{
	return bond->config.lacp.mode == LACP_OFF || bond->fallen_back;
}

bool bond_member_is_used(const struct bond_member *m)
{
	return m->role != BOND_ROLE_UNUSED;
}

bool bond_member_has_link(const struct bond_member *m)
{
	return m->link && !m->alone;
}

/* The link first: one that left and is closed by now does not begin anew. */
void bond_member_tell_lacp(struct bond_member *m, uint64_t now_ms)
{
	lacp_port_set_link(m->lacp, m->link, m->mac, m->speed_bps,
			   m->full_duplex, now_ms);
	lacp_port_set_usable(m->lacp,
			     bond_member_is_used(m) && !m->disabled_by_hand,
			     now_ms);
}

static bool lacp_lets(const struct bond_member *m)
{
	if (bond_delays(m->bond)) /* there is no LACP, or no partner */
		return true;
	return m->bond->negotiated && lacp_port_may_collect(m->lacp) &&
	       lacp_port_may_distribute(m->lacp);
}

static void set_enabled(struct bond_member *m, bool enable)
{
	m->delay_expires = BOND_NEVER;
	if (enable == m->enabled)
		return;
	m->enabled = enable;
	m->bond->dirty = true;
	log_info_limited("bond %s: member %s: %s", m->bond->name, m->name,
			 enable ? "enabled" : "disabled");
}

static void start_delay(struct bond_member *m, bool up, uint64_t now_ms)
{
	const struct bond *bond = m->bond;
	uint32_t delay =
		up ? bond->config.updelay_ms : bond->config.downdelay_ms;

	m->delay_expires = now_ms + delay;
	if (delay)
		log_info_limited("bond %s: member %s: will be %s if it stays "
				 "%s for %" PRIu32 " ms",
				 bond->name, m->name,
				 up ? "enabled" : "disabled",
				 up ? "up" : "down", delay);
}

/* A delay that is now configured to be shorter ends earlier. */
static void clamp_delay(struct bond_member *m, bool up, uint64_t now_ms)
{
	const struct bond_config *c = &m->bond->config;
	uint64_t latest = now_ms + (up ? c->updelay_ms : c->downdelay_ms);

	if (m->delay_expires > latest)
		m->delay_expires = latest;
}

static bool another_is_enabled(const struct bond_member *m)
{
	const struct bond *bond = m->bond;

	for (unsigned i = 0; i < bond->n_members; i++) {
		if (bond->members[i] != m && bond->members[i]->enabled)
			return true;
	}
	return false;
}

/* By what LACP says; whoever joins others waits for its partner. */
static void follow_lacp(struct bond_member *m, bool up, uint64_t now_ms)
{
	if (up && !m->enabled && another_is_enabled(m)) {
		if (m->delay_expires == BOND_NEVER)
			m->delay_expires = now_ms + BOND_JOIN_MS;
		if (now_ms < m->delay_expires)
			return;
	}
	set_enabled(m, up);
}

static void update_member(struct bond_member *m, uint64_t now_ms)
{
	bool in_use = bond_member_is_used(m) && !m->disabled_by_hand;
	bool up = bond_member_has_link(m) && lacp_lets(m);
	bool was = m->may_enable;

	m->may_enable = up;
	m->may_collect = in_use && m->link && m->bond->negotiated &&
			 lacp_port_may_collect(m->lacp);
	if (was != up) {
		m->bond->dirty = true;
		log_info_limited("bond %s: member %s: link state %s",
				 m->bond->name, m->name, up ? "up" : "down");
	}
	if (!in_use || !bond_delays(m->bond)) {
		follow_lacp(m, in_use && up, now_ms);
		return;
	}
	if (up == m->enabled) {
		if (m->delay_expires != BOND_NEVER)
			log_info_limited("bond %s: member %s: will not be %s",
					 m->bond->name, m->name,
					 up ? "disabled" : "enabled");
		m->delay_expires = BOND_NEVER;
		return;
	}
	if (m->delay_expires == BOND_NEVER)
		start_delay(m, up, now_ms);
	else
		clamp_delay(m, up, now_ms);
	if (now_ms >= m->delay_expires)
		set_enabled(m, up);
}

static void skip_updelay(struct bond_member *m, uint64_t now_ms,
			 const char *why)
{
	log_info_limited("bond %s: member %s: skipping remaining %" PRIu64
			 " ms of updelay (%s)",
			 m->bond->name, m->name, m->delay_expires - now_ms,
			 why);
	set_enabled(m, true);
}

/* Nothing is enabled: what waits for its updelay need not wait any longer. */
static void enable_one(struct bond *bond, uint64_t now_ms)
{
	struct bond_member *best = NULL;

	for (unsigned i = 0; i < bond->n_members; i++) {
		struct bond_member *m = bond->members[i];

		if (m->enabled)
			return;
		if (m->delay_expires == BOND_NEVER)
			continue;
		if (!best || m->delay_expires < best->delay_expires)
			best = m;
	}
	if (best)
		skip_updelay(best, now_ms, "no other member is enabled");
}

void bond_update_members(struct bond *bond, uint64_t now_ms)
{
	struct bond_member *restored;

	for (unsigned i = 0; i < bond->n_members; i++)
		update_member(bond->members[i], now_ms);
	enable_one(bond, now_ms);
	restored = bond_restored(bond, now_ms);
	if (restored && !restored->enabled &&
	    restored->delay_expires != BOND_NEVER)
		skip_updelay(restored, now_ms,
			     "it was active before the restart");
}

uint64_t bond_members_next_ms(const struct bond *bond)
{
	uint64_t next = BOND_NEVER;

	for (unsigned i = 0; i < bond->n_members; i++)
		next = MIN(next, bond->members[i]->delay_expires);
	return next;
}
