/*
 * Settings that contradict each other. Each is told in one line that names both
 * and says what to do.
 */
#include "bond/bond_internal.h"

static const char *policy_setting(enum bond_policy policy)
{
	static const char *const names[] = {
		[BOND_ACTIVE_BACKUP] = "bond_mode=active-backup",
		[BOND_BALANCE_SLB] = "bond_mode=balance-slb",
		[BOND_BALANCE_TCP] = "bond_mode=balance-tcp",
		[BOND_PORT_ID] = "other_config:bond-policy=port-id",
		[BOND_IP_HASH] = "other_config:bond-policy=ip-hash",
	};

	return names[policy];
}

static const char *lacp_setting(enum lacp_mode mode)
{
	return mode == LACP_ACTIVE    ? "lacp=active"
	       : mode == LACP_PASSIVE ? "lacp=passive"
				      : "lacp=off";
}

static const char *role_setting(enum bond_role role)
{
	static const char *const names[] = {
		[BOND_ROLE_ACTIVE] = "bond-active-members",
		[BOND_ROLE_STANDBY] = "bond-standby-members",
		[BOND_ROLE_UNUSED] = "bond-unused-members",
	};

	return names[role];
}

static unsigned n_used(const struct bond_config *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->n_members; i++)
		n += c->members[i].role != BOND_ROLE_UNUSED;
	return n;
}

static char *check_pair(const struct bond_config *c,
			const struct bond_member_config *a,
			const struct bond_member_config *b)
{
	if (!strcmp(a->name, b->name) && a->role != b->role)
		return xasprintf("member %s is in other_config:%s and in "
				 "other_config:%s: name it in one of them",
				 a->name, role_setting(a->role),
				 role_setting(b->role));
	if (!strcmp(a->name, b->name))
		return xasprintf("member %s is named twice: name it once",
				 a->name);
	if (c->lacp.mode != LACP_OFF && a->lacp.id && a->lacp.id == b->lacp.id)
		return xasprintf("members %s and %s both have "
				 "other_config:lacp-port-id=%u: give each its "
				 "own",
				 a->name, b->name, a->lacp.id);
	return NULL;
}

static char *check_members(const struct bond_config *c)
{
	if (c->n_members > BOND_MEMBERS_MAX)
		return xasprintf("it has %u members, and a bond may have at "
				 "most %d: remove some",
				 c->n_members, BOND_MEMBERS_MAX);
	for (unsigned i = 0; i < c->n_members; i++) {
		for (unsigned k = 0; k < i; k++) {
			char *error =
				check_pair(c, &c->members[k], &c->members[i]);

			if (error)
				return error;
		}
	}
	if (c->n_members && !n_used(c))
		return xasprintf("other_config:bond-unused-members names all "
				 "members, so that none is left to carry "
				 "traffic: leave at least one out");
	return NULL;
}

static char *check_primary(const struct bond_config *c)
{
	const struct bond_member_config *primary = NULL;

	if (!c->primary)
		return NULL;
	if (c->policy != BOND_ACTIVE_BACKUP &&
	    (c->lacp.mode == LACP_OFF || !c->lacp_fallback_ab))
		return xasprintf("other_config:bond-primary=%s is for "
				 "bond_mode=active-backup, and this is %s: "
				 "remove one of them",
				 c->primary, policy_setting(c->policy));
	for (unsigned i = 0; i < c->n_members; i++) {
		if (!strcmp(c->members[i].name, c->primary))
			primary = &c->members[i];
	}
	/* It may become one: a bond works without. */
	if (!primary)
		return NULL;
	if (primary->role != BOND_ROLE_ACTIVE)
		return xasprintf("other_config:bond-primary=%s, and "
				 "other_config:%s names it too: remove it from "
				 "one of them",
				 c->primary, role_setting(primary->role));
	for (unsigned i = 0; i < c->n_members; i++) {
		const struct bond_member_config *m = &c->members[i];

		if (m->role == BOND_ROLE_ACTIVE &&
		    m->rank < BOND_RANK_UNNAMED && m->rank < primary->rank)
			return xasprintf("other_config:bond-primary=%s, and "
					 "other_config:bond-active-members "
					 "prefers %s: remove one of them",
					 c->primary, m->name);
	}
	return NULL;
}

static char *check_beacons(const struct bond_config *c)
{
	static const char beacon[] = "other_config:bond-detect-mode=beacon";

	if (c->detect != BOND_DETECT_BEACON)
		return NULL;
	if (c->lacp.mode != LACP_OFF)
		return xasprintf("%s and %s: a partner that speaks LACP does "
				 "not send beacons back; use LACP or beacons",
				 beacon, lacp_setting(c->lacp.mode));
	if (c->policy == BOND_IP_HASH)
		return xasprintf("%s and %s: the partner of an etherchannel "
				 "does not send beacons back; use "
				 "bond-detect-mode=carrier",
				 beacon, policy_setting(c->policy));
	if (c->n_members && n_used(c) < 3)
		return xasprintf("%s needs three interfaces that are used, and "
				 "the port has %u: of two that do not hear "
				 "each other nobody knows which is broken; add "
				 "one or use bond-detect-mode=carrier",
				 beacon, n_used(c));
	if (!c->beacon_ms)
		return xasprintf("%s and other_config:bond-beacon-interval=0: "
				 "beacons need an interval, for example 1000",
				 beacon);
	return NULL;
}

char *bond_config_check(const struct bond_config *config)
{
	char *error;

	if (config->policy == BOND_BALANCE_TCP && config->lacp.mode == LACP_OFF)
		return xasprintf("bond_mode=balance-tcp needs a partner that "
				 "knows of the bond, and lacp is off: set "
				 "lacp=active or another bond_mode");
	error = check_members(config);
	if (!error)
		error = check_primary(config);
	if (!error)
		error = check_beacons(config);
	return error;
}
