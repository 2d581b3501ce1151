/*
 * What a bond tells: the table for the packets' way, and for people who has
 * which state and why.
 */
#include "bond/bond_internal.h"

#include <stdlib.h>

static enum bond_hash hash_of(enum bond_policy policy)
{
	static const enum bond_hash hashes[] = {
		[BOND_ACTIVE_BACKUP] = BOND_HASH_NONE,
		[BOND_BALANCE_SLB] = BOND_HASH_SLB,
		[BOND_BALANCE_TCP] = BOND_HASH_L4,
		[BOND_PORT_ID] = BOND_HASH_PORT,
		[BOND_IP_HASH] = BOND_HASH_IP,
	};

	return hashes[policy];
}

struct bond_table *bond_make_table(const struct bond *bond)
{
	struct bond_table *t = xcalloc(1, sizeof(*t));

	t->hash = hash_of(bond->policy);
	t->basis = bond->config.hash_basis;
	t->active =
		bond->active ? (uint8_t)bond->active->index : BOND_NO_MEMBER;
	for (unsigned b = 0; b < BOND_BUCKETS; b++) {
		const struct bond_member *m = bond->buckets[b].member;

		t->member[b] = m ? (uint8_t)m->index : t->active;
	}
	bond_table_finish(t);
	/* What nobody looks at is not counted. */
	if (bond_has_buckets(bond) && bond->config.rebalance_ms) {
		t->loads = bond->loads;
		t->n_loads = bond->n_loads;
	}
	bond_announce_table_made(bond);
	return t;
}

bool bond_wants_beacons(const struct bond *bond)
{
	return bond->config.detect == BOND_DETECT_BEACON;
}

uint64_t bond_identity(const struct bond *bond)
{
	return bond->identity;
}

bool bond_wants_addresses(const struct bond *bond)
{
	return bond_announces(bond);
}

const char *bond_member_name(const struct bond_member *member)
{
	return member->name;
}

struct lacp *bond_lacp(const struct bond *bond)
{
	return bond->config.lacp.mode == LACP_OFF ? NULL : bond->lacp;
}

void bond_get_status(const struct bond *bond, uint64_t now_ms,
		     struct bond_status *status)
{
	const struct bond_config *c = &bond->config;

	*status = (struct bond_status){
		.policy = c->policy,
		.fallen_back = bond->fallen_back,
		.updelay_ms = c->updelay_ms,
		.downdelay_ms = c->downdelay_ms,
		.hash_basis = c->hash_basis,
		.rebalances = bond_has_buckets(bond) && c->rebalance_ms,
		.lacp = c->lacp.mode == LACP_OFF ? LACP_DISABLED
						 : lacp_get_status(bond->lacp),
		.lacp_fallback_ab = c->lacp_fallback_ab,
		.primary = c->primary,
		.active = bond->active,
		.n_failovers = bond->n_failovers,
		.n_announced = bond_announced(bond),
		.n_foreign_beacons = bond->n_foreign_beacons,
	};
	if (!status->rebalances)
		return;
	if (bond->rebalance_at == BOND_NEVER)
		status->next_rebalance_ms = c->rebalance_ms;
	else if (bond->rebalance_at > now_ms)
		status->next_rebalance_ms = bond->rebalance_at - now_ms;
}

static const char *why_not(const struct bond_member *m)
{
	if (m->enabled)
		return NULL;
	if (!bond_member_is_used(m))
		return "bond-unused-members names it";
	if (m->disabled_by_hand)
		return "disabled by hand";
	if (!m->link)
		return "link is down";
	if (m->alone)
		return "no other member hears its beacons, or it none";
	if (!m->may_enable && !m->bond->negotiated)
		return "no LACP partner answers";
	if (!m->may_enable)
		return "LACP does not let it carry traffic";
	return "updelay runs";
}

void bond_get_member_status(const struct bond_member *m, uint64_t now_ms,
			    struct bond_member_status *status)
{
	const struct bond *bond = m->bond;
	uint64_t left = 0;

	if (m->delay_expires != BOND_NEVER && m->delay_expires > now_ms)
		left = m->delay_expires - now_ms;
	*status = (struct bond_member_status){
		.name = m->name,
		.mac = m->mac,
		.link_up = m->link,
		.may_enable = m->may_enable,
		.enabled = m->enabled,
		.active = m == bond->active,
		.disabled_by_hand = m->disabled_by_hand,
		.role = m->role,
		.updelay_left_ms = m->enabled ? 0 : left,
		.downdelay_left_ms = m->enabled ? left : 0,
		.beacons_heard = bond_beacon_heard(m, now_ms),
		.why_not = why_not(m),
		.lacp = bond->config.lacp.mode == LACP_OFF ? NULL : m->lacp,
	};
}

void bond_get_bucket_status(const struct bond *bond, unsigned bucket,
			    struct bond_bucket_status *status)
{
	*status = (struct bond_bucket_status){ 0 };
	if (bucket >= BOND_BUCKETS)
		return;
	status->member = bond->buckets[bucket].member;
	status->bytes_recently = bond->buckets[bucket].recent;
}
