/*
 * A bond's life, its configuration, and the events that it is told of. What
 * follows from an event is bond_update(); see bond_internal.h for who does
 * what.
 */
#include "bond/bond_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

/* Open vSwitch's least interval. */
#define REBALANCE_MS_MIN 1000

static void make_identity(struct bond *bond)
{
	/* FNV-1a of the name: two bonds differ, were there no random bytes */
	uint64_t hash = 0xcbf29ce484222325ull, random = 0;

	for (const char *s = bond->name; *s; s++)
		hash = (hash ^ (uint8_t)*s) * 0x100000001b3ull;
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = (uintptr_t)bond;
	bond->identity = hash ^ random;
}

struct bond *bond_create(const char *name, unsigned n_threads,
			 const struct bond_ops *ops, void *ops_arg,
			 uint64_t now_ms)
{
	struct bond *bond = xcalloc(1, sizeof(*bond));

	bond->name = xstrdup(name);
	bond->ops = ops;
	bond->ops_arg = ops_arg;
	bond->config.policy = BOND_ACTIVE_BACKUP;
	bond->lacp = lacp_create(&bond_lacp_ops, bond);
	bond->rebalance_at = BOND_NEVER;
	bond->beacon_at = BOND_NEVER;
	bond->judge_at = BOND_NEVER;
	bond->announcer = bond_announcer_create();
	bond->addresses = bond_addresses_create();
	make_identity(bond);
	bond_set_threads(bond, n_threads);
	return bond;
}

static void free_member(struct bond_member *m)
{
	free(m->name);
	free(m);
}

void bond_destroy(struct bond *bond)
{
	if (!bond)
		return;
	lacp_destroy(bond->lacp);
	for (unsigned i = 0; i < bond->n_members; i++)
		free_member(bond->members[i]);
	for (unsigned i = 0; i < bond->n_loads; i++)
		free(bond->loads[i]);
	free(bond->loads);
	for (unsigned i = 0; i < bond->n_retired; i++)
		free(bond->retired[i]);
	free(bond->retired);
	bond_announcer_destroy(bond->announcer);
	bond_addresses_destroy(bond->addresses);
	free((char *)bond->config.primary);
	free(bond->name);
	free(bond);
}

const char *bond_name(const struct bond *bond)
{
	return bond->name;
}

/*
 * Only ever more: tables that were made before refer to the old array, and what
 * a thread that is gone has counted still counts.
 */
void bond_set_threads(struct bond *bond, unsigned n_threads)
{
	struct bond_load **loads;

	if (n_threads <= bond->n_loads)
		return;
	loads = xcalloc(n_threads, sizeof(*loads));
	for (unsigned i = 0; i < n_threads; i++)
		loads[i] = i < bond->n_loads
				   ? bond->loads[i]
				   : xcalloc_aligned(1, sizeof(**loads));
	if (bond->loads) {
		bond->retired =
			xrealloc(bond->retired, (bond->n_retired + 1) *
							sizeof(*bond->retired));
		bond->retired[bond->n_retired++] = bond->loads;
	}
	bond->loads = loads;
	bond->n_loads = n_threads;
}

/* --- conclusions ------------------------------------------------------- */

/* Which rules hold: the configured ones, or active-backup for want of LACP. */
static void update_policy(struct bond *bond, uint64_t now_ms)
{
	const struct bond_config *c = &bond->config;
	bool lacp = c->lacp.mode != LACP_OFF;
	bool negotiated =
		lacp && lacp_get_status(bond->lacp) == LACP_NEGOTIATED;
	bool fallen_back = lacp && !negotiated && c->lacp_fallback_ab;
	enum bond_policy policy = fallen_back ? BOND_ACTIVE_BACKUP : c->policy;

	if (negotiated == bond->negotiated && policy == bond->policy &&
	    fallen_back == bond->fallen_back)
		return;
	bond->negotiated = negotiated;
	bond->fallen_back = fallen_back;
	bond->policy = policy;
	bond->dirty = true;
	bond_announce_all(bond, now_ms);
}

void bond_update(struct bond *bond, uint64_t now_ms)
{
	update_policy(bond, now_ms);
	bond_update_members(bond, now_ms);
	bond_update_active(bond, now_ms);
	bond_update_buckets(bond, now_ms);
	bond_rebalance_schedule(bond, now_ms);
	bond_update_filters(bond, now_ms);
	bond_lacp_send_held(bond);
	if (bond->dirty) {
		bond->dirty = false;
		bond->ops->changed(bond->ops_arg);
	}
}

/* --- configuration ----------------------------------------------------- */

static void forget_member(struct bond *bond, struct bond_member *m,
			  uint64_t now_ms)
{
	for (unsigned b = 0; b < BOND_BUCKETS; b++) {
		if (bond->buckets[b].member == m)
			bond->buckets[b].member = NULL;
	}
	if (bond->active == m)
		bond->active = NULL;
	if (bond->by_hand == m)
		bond->by_hand = NULL;
	lacp_remove_port(m->lacp, now_ms);
	free_member(m);
}

static struct bond_member *create_member(struct bond *bond,
					 const struct bond_member_config *c,
					 uint64_t now_ms)
{
	struct bond_member *m = xcalloc(1, sizeof(*m));

	m->bond = bond;
	m->name = xstrdup(c->name);
	m->delay_expires = BOND_NEVER;
	m->filter = BOND_RX_NOTHING;
	m->lacp = lacp_add_port(bond->lacp, &c->lacp, m, now_ms);
	return m;
}

static bool configure_members(struct bond *bond, const struct bond_config *c,
			      uint64_t now_ms)
{
	struct bond_member *members[BOND_MEMBERS_MAX];
	bool same = c->n_members == bond->n_members;

	for (unsigned i = 0; i < c->n_members; i++) {
		const struct bond_member_config *mc = &c->members[i];
		struct bond_member *m = bond_find_member(bond, mc->name);

		same &= m && m->index == i && m->role == mc->role;
		if (!m)
			m = create_member(bond, mc, now_ms);
		else
			bond->members[m->index] = NULL;
		members[i] = m;
		m->role = mc->role;
		m->rank = mc->rank;
		lacp_configure_port(m->lacp, &mc->lacp, now_ms);
	}
	for (unsigned i = 0; i < bond->n_members; i++) {
		if (bond->members[i])
			forget_member(bond, bond->members[i], now_ms);
	}
	for (unsigned i = 0; i < c->n_members; i++) {
		members[i]->index = i;
		bond->members[i] = members[i];
	}
	bond->n_members = c->n_members;
	for (unsigned i = 0; !same && i < bond->n_members; i++)
		bond_member_tell_lacp(bond->members[i], now_ms);
	return !same;
}

static void take_config(struct bond *bond, const struct bond_config *c)
{
	free((char *)bond->config.primary);
	bond->config = *c;
	bond->config.primary = c->primary ? xstrdup(c->primary) : NULL;
	bond->config.members = NULL;
	bond->config.n_members = 0;
	if (c->rebalance_ms)
		bond->config.rebalance_ms =
			MAX(c->rebalance_ms, REBALANCE_MS_MIN);
}

char *bond_configure(struct bond *bond, const struct bond_config *config,
		     uint64_t now_ms)
{
	struct bond_config old = bond->config;
	char *error = bond_config_check(config);
	bool members_changed;

	if (error)
		return error;
	take_config(bond, config);
	lacp_configure(bond->lacp, &config->lacp, now_ms);
	members_changed = configure_members(bond, config, now_ms);
	if (members_changed || old.detect != config->detect ||
	    old.beacon_ms != config->beacon_ms)
		bond_beacon_restart(bond, now_ms);
	if (members_changed || old.hash_basis != config->hash_basis ||
	    !old.rebalance_ms != !config->rebalance_ms)
		bond->dirty = true;
	if (old.policy != config->policy ||
	    old.hash_basis != config->hash_basis)
		bond_announce_all(bond, now_ms);
	if (old.rebalance_ms != bond->config.rebalance_ms)
		bond->rebalance_at = BOND_NEVER;
	bond_update(bond, now_ms);
	return NULL;
}

struct bond_member *bond_find_member(const struct bond *bond, const char *name)
{
	for (unsigned i = 0; i < bond->n_members; i++) {
		struct bond_member *m = bond->members[i];

		if (m && !strcmp(m->name, name))
			return m;
	}
	return NULL;
}

struct bond_member *bond_member_at(const struct bond *bond, unsigned i)
{
	return i < bond->n_members ? bond->members[i] : NULL;
}

unsigned bond_n_members(const struct bond *bond)
{
	return bond->n_members;
}

/* --- events ------------------------------------------------------------ */

void bond_member_set_link(struct bond_member *m, bool up, uint64_t mac,
			  uint64_t speed_bps, bool full_duplex, uint64_t now_ms)
{
	bool changed = m->link != up;

	if (!changed && m->mac == mac && m->speed_bps == speed_bps &&
	    m->full_duplex == full_duplex)
		return;
	m->bond->dirty |= m->mac != mac; /* the active one is known by it */
	m->link = up;
	m->mac = mac;
	m->speed_bps = speed_bps;
	m->full_duplex = full_duplex;
	if (changed)
		bond_beacon_link(m, now_ms);
	bond_member_tell_lacp(m, now_ms);
	bond_update(m->bond, now_ms);
}

void bond_member_leaves(struct bond_member *m, uint64_t now_ms)
{
	lacp_port_leave(m->lacp, now_ms);
	bond_update(m->bond, now_ms);
}

void bond_restore_active(struct bond *bond, uint64_t mac, uint64_t now_ms)
{
	bond->restore_mac = mac;
	bond->restore_until = now_ms + BOND_SETTLE_MS;
}

void bond_receive_slow(struct bond_member *m, const void *frame, size_t len,
		       uint64_t now_ms)
{
	lacp_receive(m->lacp, frame, len, now_ms);
	bond_update(m->bond, now_ms);
}

void bond_learn_address(struct bond *bond, uint64_t mac, uint16_t vid,
			const uint8_t *ip, unsigned ip_len, uint64_t now_ms)
{
	bond_addresses_learn(bond->addresses, mac, vid, ip, ip_len, now_ms);
}

void bond_disown_address(struct bond *bond, uint64_t mac, uint16_t vid,
			 const uint8_t *ip, unsigned ip_len)
{
	bond_addresses_disown(bond->addresses, mac, vid, ip, ip_len);
}

void bond_rename_station(struct bond *bond, uint64_t from, uint64_t to)
{
	bond_addresses_rename(bond->addresses, from, to);
}

void bond_run(struct bond *bond, uint64_t now_ms)
{
	lacp_run(bond->lacp, now_ms);
	bond_beacon_run(bond, now_ms);
	bond_update(bond, now_ms);
	bond_rebalance_run(bond, now_ms);
	bond_announce_run(bond, now_ms);
	bond_update(bond, now_ms);
}

uint64_t bond_next_ms(const struct bond *bond)
{
	uint64_t next = lacp_next_ms(bond->lacp);

	next = MIN(next, bond_members_next_ms(bond));
	next = MIN(next, bond_filters_next_ms(bond));
	next = MIN(next, bond_announce_next_ms(bond));
	next = MIN(next, bond->rebalance_at);
	next = MIN(next, bond->judge_at);
	return MIN(next, bond->beacon_at);
}

/* --- by hand ----------------------------------------------------------- */

int bond_set_active(struct bond *bond, struct bond_member *m, uint64_t now_ms)
{
	if (!m->enabled)
		return -EINVAL;
	bond->by_hand = m;
	bond_update(bond, now_ms);
	return 0;
}

void bond_member_enable(struct bond_member *m, bool enable, uint64_t now_ms)
{
	if (m->disabled_by_hand == !enable)
		return;
	m->disabled_by_hand = !enable;
	m->bond->dirty = true;
	if (enable && bond_member_has_link(m))
		m->delay_expires = now_ms; /* who says so need not wait */
	bond_member_tell_lacp(m, now_ms);
	bond_update(m->bond, now_ms);
}

int bond_migrate(struct bond *bond, unsigned bucket, struct bond_member *m,
		 uint64_t now_ms)
{
	if (!bond_has_buckets(bond))
		return -EOPNOTSUPP;
	if (bucket >= BOND_BUCKETS || !m->shares)
		return -EINVAL;
	bond_rebalance_hold(bond, bucket, now_ms);
	if (bond->buckets[bucket].member == m)
		return 0;
	bond_move_bucket(bond, bucket, m);
	bond_announce_bucket(bond, bucket, now_ms);
	bond_update(bond, now_ms);
	return 0;
}
