/*
 * A bond through random days: links flap, hands and configurations change,
 * load comes and goes, time passes by much or little. What must hold at any
 * moment is checked after each step. The same for each seed.
 */
#include "bond_fixture.h"

#define N_STEPS 20000
#define N_SEEDS 4

static struct bond_fixture f;
static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 32) * n >> 32;
}

/* --- what must hold ------------------------------------------------------ */

struct seen {
	unsigned n_enabled, n_active, n_groups;
};

static struct seen look(void)
{
	struct seen seen = { 0 };

	for (unsigned i = 0; i < bond_n_members(f.bond); i++) {
		struct bond_member *m = bond_member_at(f.bond, i);
		unsigned filter = bond_member_filter(m);
		struct bond_member_status s;

		bond_get_member_status(m, f.now, &s);
		seen.n_enabled += s.enabled;
		seen.n_active += s.active;
		seen.n_groups +=
			!(filter & (BOND_RX_NOTHING | BOND_RX_NO_MULTICAST));
		assert_true(!s.active || s.enabled);
		assert_true(!s.enabled == !!s.why_not);
		assert_true(!s.enabled || s.role != BOND_ROLE_UNUSED);
		assert_false(s.enabled && s.disabled_by_hand);
		assert_true(s.enabled || filter == BOND_RX_NOTHING);
		if (!f.config.downdelay_ms)
			assert_true(!s.enabled || s.link_up);
		if (s.active)
			assert_int_equal(i, fixture_active(&f));
	}
	return seen;
}

static bool is_enabled_at(unsigned i)
{
	struct bond_member_status s;

	bond_get_member_status(bond_member_at(f.bond, i), f.now, &s);
	return s.enabled;
}

/* The table that is in force says the same as the bond. */
static void check_table(const struct seen *seen)
{
	struct bond_table *now = bond_make_table(f.bond);

	assert_memory_equal(now->member, f.table->member, BOND_BUCKETS);
	assert_int_equal(now->active, f.table->active);
	assert_int_equal(now->hash, f.table->hash);
	assert_int_equal(now->basis, f.table->basis);
	/* It is finished, without which nothing is shared out by it. */
	for (unsigned b = 0; b < BOND_BUCKETS; b++)
		assert_int_equal(now->members[now->row[b]], now->member[b]);
	free(now);
	assert_true((fixture_active(&f) < 0) == !seen->n_enabled);
	for (unsigned b = 0; b < BOND_BUCKETS; b++) {
		if (f.table->member[b] == BOND_NO_MEMBER)
			assert_int_equal(seen->n_enabled, 0);
		else
			assert_true(is_enabled_at(f.table->member[b]));
	}
}

static void check(void)
{
	struct seen seen = look();
	struct bond_status s;

	assert_int_equal(seen.n_active, seen.n_enabled ? 1 : 0);
	bond_get_status(f.bond, f.now, &s);
	assert_true(!s.active == !seen.n_enabled);
	if (s.policy != BOND_IP_HASH || s.fallen_back)
		assert_in_range(seen.n_groups, 0, 1);
	assert_true(s.next_rebalance_ms <= MAX(f.config.rebalance_ms, 1000));
	if (s.lacp != LACP_DISABLED && !s.fallen_back)
		assert_int_equal(seen.n_enabled, 0); /* nobody answers */
	check_table(&seen);
}

/* --- what happens -------------------------------------------------------- */

static void random_config(void)
{
	struct bond_config old = f.config;
	struct bond_member_config old_members[BOND_MEMBERS_MAX];
	char *error;

	memcpy(old_members, f.members, sizeof(old_members));
	f.config.policy = (enum bond_policy)random_below(5);
	f.config.detect =
		random_below(4) ? BOND_DETECT_CARRIER : BOND_DETECT_BEACON;
	f.config.updelay_ms = random_below(2) * random_below(2000);
	f.config.downdelay_ms = random_below(2) * random_below(500);
	f.config.rebalance_ms = random_below(2) * random_below(20000);
	f.config.hash_basis = random_below(3);
	f.config.failback = random_below(2);
	f.config.lacp.mode = random_below(4) ? LACP_OFF : LACP_ACTIVE;
	f.config.lacp_fallback_ab = random_below(2);
	f.config.primary = random_below(4) ? NULL : f.members[0].name;
	f.config.n_members = 2 + random_below(6);
	for (unsigned i = 0; i < 8; i++) {
		f.members[i].role = random_below(5)
					    ? BOND_ROLE_ACTIVE
					    : (enum bond_role)random_below(3);
		f.members[i].rank =
			random_below(2) ? random_below(4) : BOND_RANK_UNNAMED;
	}
	error = bond_configure(f.bond, &f.config, f.now);
	if (!error)
		return;
	free(error);
	f.config = old;
	memcpy(f.members, old_members, sizeof(old_members));
}

static struct bond_member *any_member(void)
{
	return bond_member_at(f.bond, random_below(bond_n_members(f.bond)));
}

static void random_link(void)
{
	unsigned i = random_below(bond_n_members(f.bond));

	bond_member_set_link(bond_member_at(f.bond, i), random_below(3),
			     fixture_mac(i), 1000000000, true, f.now);
}

static void random_load(void)
{
	for (unsigned n = random_below(20); f.table->loads && n; n--)
		fixture_load(&f, random_below(BOND_BUCKETS),
			     random_below(1000000000));
}

static void random_beacon(void)
{
	f.hub = random_below(4);
	f.deaf = random_below(2) * random_below(256);
	f.mute = random_below(2) * random_below(256);
}

static void random_hand(void)
{
	struct bond_member *m = any_member();
	struct bond_member_status s;
	int error;

	switch (random_below(3)) {
	case 0:
		bond_get_member_status(m, f.now, &s);
		error = bond_set_active(f.bond, m, f.now);
		assert_int_equal(error, s.enabled ? 0 : -EINVAL);
		bond_get_member_status(m, f.now, &s);
		assert_true(error || s.active);
		break;
	case 1:
		bond_member_enable(m, random_below(4), f.now);
		break;
	default:
		bond_migrate(f.bond, random_below(BOND_BUCKETS), m, f.now);
		break;
	}
}

static void step(void)
{
	static const uint64_t times[] = { 1, 10, 100, 1000, 20000 };

	switch (random_below(20)) {
	case 0:
		random_config();
		break;
	case 1 ... 7:
		random_link();
		break;
	case 8 ... 10:
		random_hand();
		break;
	case 11:
		random_beacon();
		break;
	case 12:
		random_load();
		break;
	case 13:
		bond_restore_active(f.bond, fixture_mac(random_below(8)),
				    f.now);
		break;
	default:
		fixture_pass(&f, random_below(times[random_below(5)]) + 1);
		break;
	}
}

static void random_days(void **state)
{
	for (unsigned seed = 1; seed <= N_SEEDS; seed++) {
		random_state = seed * 0x9e3779b97f4a7c15;
		bond_fixture_start(&f, 8);
		f.config.n_members = 4;
		f.n_stations = 50;
		for (unsigned i = 0; i < f.n_stations; i++)
			f.stations[i].mac = 0x020000000100 + i;
		bond_fixture_configure(&f);
		for (unsigned i = 0; i < N_STEPS; i++) {
			step();
			check();
			if (f.n_noted > NOTED_MAX / 2)
				f.n_noted = 0;
		}
		bond_fixture_stop(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_days),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
