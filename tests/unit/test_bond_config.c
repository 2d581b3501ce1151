/* Settings that contradict each other are refused; both are named. */
#include "bond_fixture.h"

static struct bond_fixture f;

static int setup(void **state)
{
	bond_fixture_start(&f, 3);
	return 0;
}

static int teardown(void **state)
{
	bond_fixture_stop(&f);
	return 0;
}

/* One line, which has both in it. */
static void expect_refused(const char *a, const char *b)
{
	char *error = bond_config_check(&f.config);
	char *again;

	assert_non_null(error);
	if (!strstr(error, a) || !strstr(error, b) || strchr(error, '\n'))
		fail_msg("%s", error);
	again = bond_configure(f.bond, &f.config, f.now);
	assert_string_equal(again, error);
	free(again);
	free(error);
}

static void expect_accepted(void)
{
	char *error = bond_config_check(&f.config);

	if (error)
		fail_msg("%s", error);
}

static void balance_tcp_and_lacp(void **state)
{
	f.config.policy = BOND_BALANCE_TCP;
	expect_refused("balance-tcp", "lacp");
	f.config.lacp.mode = LACP_PASSIVE;
	expect_accepted();
	f.config.policy = BOND_PORT_ID;
	expect_accepted();
	f.config.policy = BOND_IP_HASH;
	expect_accepted();
	f.config.policy = BOND_ACTIVE_BACKUP;
	expect_accepted();
	f.config.lacp.mode = LACP_OFF;
	f.config.lacp_fallback_ab = true;
	expect_accepted(); /* as Open vSwitch, which does not look at it */
}

static void beacons(void **state)
{
	f.config.detect = BOND_DETECT_BEACON;
	expect_accepted();
	f.config.n_members = 2;
	expect_refused("beacon", "three interfaces");
	f.config.n_members = 3;
	f.members[0].role = BOND_ROLE_UNUSED;
	expect_refused("beacon", "has 2");
	f.members[0].role = BOND_ROLE_STANDBY;
	expect_accepted();
	f.config.lacp.mode = LACP_ACTIVE;
	expect_refused("beacon", "lacp=active");
	f.config.lacp.mode = LACP_OFF;
	f.config.policy = BOND_IP_HASH;
	expect_refused("beacon", "ip-hash");
	f.config.policy = BOND_PORT_ID;
	f.config.beacon_ms = 0;
	expect_refused("beacon", "bond-beacon-interval");
}

static void primary(void **state)
{
	f.config.primary = "x";
	expect_accepted(); /* it may become a member */
	f.config.primary = "b";
	expect_accepted();
	f.config.policy = BOND_BALANCE_SLB;
	expect_refused("bond-primary=b", "bond_mode=balance-slb");
	f.config.policy = BOND_BALANCE_TCP;
	f.config.lacp.mode = LACP_ACTIVE;
	expect_refused("bond-primary=b", "bond_mode=balance-tcp");
	f.config.lacp_fallback_ab = true;
	expect_accepted(); /* for when it falls back */
	f.config.policy = BOND_ACTIVE_BACKUP;
	f.config.lacp.mode = LACP_OFF;
	f.members[0].rank = 0;
	expect_refused("bond-primary=b", "bond-active-members");
	f.members[1].rank = 0;
	expect_accepted();
	f.members[0].rank = BOND_RANK_UNNAMED;
	f.members[1].rank = BOND_RANK_UNNAMED + 1;
	expect_accepted(); /* no list names either */
	f.members[1].role = BOND_ROLE_STANDBY;
	expect_refused("bond-primary=b", "bond-standby-members");
	f.members[1].role = BOND_ROLE_UNUSED;
	expect_refused("bond-primary=b", "bond-unused-members");
}

static void members(void **state)
{
	struct bond_member_config many[BOND_MEMBERS_MAX + 1] = { 0 };

	f.members[2].name = "a";
	expect_refused("member a", "twice");
	f.members[2].role = BOND_ROLE_STANDBY;
	expect_refused("bond-active-members", "bond-standby-members");
	f.members[2].name = "c";
	expect_accepted();
	for (unsigned i = 0; i < 3; i++)
		f.members[i].role = BOND_ROLE_UNUSED;
	expect_refused("bond-unused-members", "all");
	f.members[0].role = BOND_ROLE_ACTIVE;
	f.members[0].lacp.id = f.members[1].lacp.id;
	expect_accepted();
	f.config.lacp.mode = LACP_ACTIVE;
	expect_refused("members a and b", "lacp-port-id=2");
	f.config.members = many;
	f.config.n_members = ARRAY_SIZE(many);
	expect_refused("33 members", "32");
	f.config.n_members = 0;
	expect_accepted();
}

/* What is refused changes nothing. */
static void goes_on_as_before(void **state)
{
	unsigned n;

	bond_fixture_configure(&f);
	fixture_links_up(&f);
	n = f.n_changed;
	f.config.n_members = 1;
	f.config.detect = BOND_DETECT_BEACON;
	expect_refused("beacon", "has 1");
	assert_int_equal(f.n_changed, n);
	assert_int_equal(bond_n_members(f.bond), 3);
	assert_true(fixture_enabled(&f, 2));
	assert_false(bond_wants_beacons(f.bond));
}

static void status(void **state)
{
	struct bond_status s;

	f.config.updelay_ms = 7;
	f.config.downdelay_ms = 8;
	f.config.hash_basis = 9;
	f.config.primary = "b";
	bond_fixture_configure(&f);
	fixture_links_up(&f);
	bond_get_status(f.bond, f.now, &s);
	assert_int_equal(s.policy, BOND_ACTIVE_BACKUP);
	assert_int_equal(s.updelay_ms, 7);
	assert_int_equal(s.downdelay_ms, 8);
	assert_int_equal(s.hash_basis, 9);
	assert_int_equal(f.table->basis, 9);
	assert_string_equal(s.primary, "b");
	assert_int_equal(s.lacp, LACP_DISABLED);
	assert_false(s.fallen_back || s.rebalances);
	assert_null(bond_lacp(f.bond));
	assert_string_equal(bond_name(f.bond), "bond0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(balance_tcp_and_lacp, setup,
						teardown),
		cmocka_unit_test_setup_teardown(beacons, setup, teardown),
		cmocka_unit_test_setup_teardown(primary, setup, teardown),
		cmocka_unit_test_setup_teardown(members, setup, teardown),
		cmocka_unit_test_setup_teardown(goes_on_as_before, setup,
						teardown),
		cmocka_unit_test_setup_teardown(status, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
