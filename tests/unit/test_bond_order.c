/* An explicit order: active, standby and unused members, and failback. */
#include "bond_fixture.h"

static struct bond_fixture f;

/* a and b active, in the order b, a; c and d standby, in the order d, c. */
static int setup(void **state)
{
	bond_fixture_start(&f, 5);
	f.members[0].rank = 1;
	f.members[1].rank = 0;
	f.members[2].role = BOND_ROLE_STANDBY;
	f.members[2].rank = 1;
	f.members[3].role = BOND_ROLE_STANDBY;
	f.members[3].rank = 0;
	f.members[4].role = BOND_ROLE_UNUSED;
	f.config.failback = true;
	return 0;
}

static int teardown(void **state)
{
	bond_fixture_stop(&f);
	return 0;
}

static void one_after_the_other(void **state)
{
	static const unsigned order[] = { 1, 0, 3, 2 };

	bond_fixture_configure(&f);
	fixture_links_up(&f);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(fixture_active(&f), order[i]);
		fixture_link(&f, order[i], false);
	}
	assert_int_equal(fixture_active(&f), -1);
	for (int i = 3; i >= 0; i--) {
		fixture_link(&f, order[i], true);
		assert_int_equal(fixture_active(&f), order[i]);
	}
}

static void stays_with_what_works(void **state)
{
	f.config.failback = false;
	bond_fixture_configure(&f);
	fixture_links_up(&f);
	bond_set_active(f.bond, fixture_member(&f, 1), f.now);
	fixture_link(&f, 1, false);
	assert_int_equal(fixture_active(&f), 0);
	fixture_link(&f, 0, false);
	assert_int_equal(fixture_active(&f), 3);
	fixture_link(&f, 0, true);
	fixture_link(&f, 1, true);
	assert_int_equal(fixture_active(&f), 3);
	fixture_link(&f, 3, false);
	assert_int_equal(fixture_active(&f), 1);
}

static void expect_shares(const char *who)
{
	unsigned n = (unsigned)strlen(who);

	for (unsigned i = 0; i < f.config.n_members; i++) {
		unsigned has = fixture_buckets(&f, i);

		if (strchr(who, 'a' + (int)i))
			assert_in_range(has, BOND_BUCKETS / n,
					BOND_BUCKETS / n + 1);
		else
			assert_int_equal(has, 0);
	}
}

/* A standby member stands in for each active one that is down. */
static void balancing_stands_in(void **state)
{
	f.config.policy = BOND_PORT_ID;
	bond_fixture_configure(&f);
	fixture_links_up(&f);
	expect_shares("ab");
	assert_int_equal(fixture_active(&f), 1);
	assert_int_equal(fixture_filter(&f, 3), BOND_RX_NOTHING);
	fixture_link(&f, 0, false);
	expect_shares("bd");
	assert_int_equal(fixture_filter(&f, 3),
			 BOND_RX_NO_MULTICAST | BOND_RX_NO_MOVED);
	fixture_link(&f, 1, false);
	expect_shares("cd");
	assert_int_equal(fixture_active(&f), 3);
	assert_int_equal(fixture_filter(&f, 3), BOND_RX_NO_MOVED);
	fixture_link(&f, 3, false);
	expect_shares("c");
	fixture_link(&f, 0, true);
	expect_shares("ac");
	assert_int_equal(fixture_active(&f), 0);
	fixture_link(&f, 1, true);
	expect_shares("ab");
	/* The one that stood in is still sent to for a moment. */
	assert_int_equal(fixture_filter(&f, 2),
			 BOND_RX_NO_MULTICAST | BOND_RX_NO_MOVED);
	fixture_pass(&f, 1000);
	assert_int_equal(fixture_filter(&f, 2), BOND_RX_NOTHING);
}

static void balancing_without_failback(void **state)
{
	f.config.policy = BOND_PORT_ID;
	f.config.failback = false;
	bond_fixture_configure(&f);
	fixture_links_up(&f);
	expect_shares("ab");
	fixture_link(&f, 0, false);
	expect_shares("bd");
	fixture_link(&f, 0, true);
	expect_shares("bd");
	fixture_link(&f, 3, false);
	expect_shares("ab");
}

/* A choice by hand takes part, whatever its role. */
static void by_hand_takes_part(void **state)
{
	f.config.policy = BOND_BALANCE_SLB;
	bond_fixture_configure(&f);
	fixture_links_up(&f);
	assert_int_equal(bond_set_active(f.bond, fixture_member(&f, 2), f.now),
			 0);
	assert_int_equal(fixture_active(&f), 2);
	expect_shares("bc");
	assert_int_equal(bond_set_active(f.bond, fixture_member(&f, 4), f.now),
			 -EINVAL);
}

static void a_new_order_counts_at_once(void **state)
{
	bond_fixture_configure(&f);
	fixture_links_up(&f);
	f.members[0].rank = 0;
	f.members[1].rank = 1;
	bond_fixture_configure(&f);
	assert_int_equal(fixture_active(&f), 0);
	f.members[0].role = BOND_ROLE_UNUSED;
	bond_fixture_configure(&f);
	assert_int_equal(fixture_active(&f), 1);
	assert_false(fixture_enabled(&f, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_after_the_other, setup,
						teardown),
		cmocka_unit_test_setup_teardown(stays_with_what_works, setup,
						teardown),
		cmocka_unit_test_setup_teardown(balancing_stands_in, setup,
						teardown),
		cmocka_unit_test_setup_teardown(balancing_without_failback,
						setup, teardown),
		cmocka_unit_test_setup_teardown(by_hand_takes_part, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_new_order_counts_at_once,
						setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
