/* Which members are enabled: links, updelay and downdelay, hands. */
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

static void down_without_delay(void **state)
{
	bond_fixture_configure(&f);
	assert_int_equal(fixture_active(&f), -1);
	fixture_links_up(&f);
	assert_int_equal(fixture_active(&f), 0);
	fixture_link(&f, 0, false);
	assert_false(fixture_enabled(&f, 0));
	assert_int_equal(fixture_active(&f), 1);
	assert_int_equal(fixture_filter(&f, 0), BOND_RX_NOTHING);
	assert_int_equal(fixture_filter(&f, 1), BOND_RX_NO_MOVED);
	fixture_pass(&f, 8000);
	assert_int_equal(fixture_filter(&f, 1), 0);
}

static void back_within_downdelay(void **state)
{
	unsigned n;

	f.config.downdelay_ms = 200;
	bond_fixture_configure(&f);
	fixture_links_up(&f);
	n = f.n_changed;
	fixture_link(&f, 0, false);
	fixture_pass(&f, 199);
	assert_true(fixture_enabled(&f, 0));
	fixture_link(&f, 0, true);
	fixture_pass(&f, 1000);
	assert_true(fixture_enabled(&f, 0));
	assert_int_equal(fixture_active(&f), 0);
	assert_true(f.n_changed > n); /* its link was shown to be down */
	assert_int_equal(f.n_noted, 0);
	fixture_link(&f, 0, false);
	fixture_pass(&f, 200);
	assert_false(fixture_enabled(&f, 0));
	assert_int_equal(fixture_active(&f), 1);
}

static void updelay(void **state)
{
	struct bond_member_status s;

	f.config.updelay_ms = 500;
	bond_fixture_configure(&f);
	/* The first does not wait, the others do. */
	fixture_link(&f, 1, true);
	assert_true(fixture_enabled(&f, 1));
	fixture_link(&f, 0, true);
	assert_false(fixture_enabled(&f, 0));
	fixture_pass(&f, 100);
	bond_get_member_status(fixture_member(&f, 0), f.now, &s);
	assert_int_equal(s.updelay_left_ms, 400);
	assert_true(s.may_enable);
	assert_string_equal(s.why_not, "updelay runs");
	/* A flap begins anew. */
	fixture_link(&f, 0, false);
	fixture_link(&f, 0, true);
	fixture_pass(&f, 499);
	assert_false(fixture_enabled(&f, 0));
	fixture_pass(&f, 1);
	assert_true(fixture_enabled(&f, 0));
}

static void updelay_is_skipped_for_the_last(void **state)
{
	f.config.updelay_ms = 60000;
	bond_fixture_configure(&f);
	fixture_link(&f, 0, true);
	fixture_pass(&f, 100);
	fixture_link(&f, 1, true);
	fixture_pass(&f, 100);
	fixture_link(&f, 2, true);
	fixture_link(&f, 0, false);
	assert_int_equal(fixture_active(&f), 1); /* it waited for longest */
	assert_false(fixture_enabled(&f, 2));
}

static void shorter_delays_count_at_once(void **state)
{
	f.config.updelay_ms = 60000;
	bond_fixture_configure(&f);
	fixture_link(&f, 0, true);
	fixture_link(&f, 1, true);
	fixture_pass(&f, 1000);
	f.config.updelay_ms = 100;
	bond_fixture_configure(&f);
	fixture_pass(&f, 100);
	assert_true(fixture_enabled(&f, 1));
}

static void by_hand(void **state)
{
	struct bond_member_status s;

	f.config.updelay_ms = f.config.downdelay_ms = 5000;
	bond_fixture_configure(&f);
	fixture_links_up(&f);
	bond_member_enable(fixture_member(&f, 0), false, f.now);
	assert_false(fixture_enabled(&f, 0));
	assert_int_equal(fixture_active(&f), 1);
	fixture_pass(&f, 100000);
	bond_get_member_status(fixture_member(&f, 0), f.now, &s);
	assert_true(s.disabled_by_hand && s.link_up && !s.enabled);
	assert_string_equal(s.why_not, "disabled by hand");
	assert_int_equal(bond_set_active(f.bond, fixture_member(&f, 0), f.now),
			 -EINVAL);
	bond_member_enable(fixture_member(&f, 0), true, f.now);
	assert_true(fixture_enabled(&f, 0));
}

static void unused_never_takes_part(void **state)
{
	f.members[1].role = BOND_ROLE_UNUSED;
	bond_fixture_configure(&f);
	fixture_links_up(&f);
	fixture_link(&f, 0, false);
	fixture_link(&f, 2, false);
	assert_int_equal(fixture_active(&f), -1);
	assert_int_equal(fixture_filter(&f, 1), BOND_RX_NOTHING);
	f.members[1].role = BOND_ROLE_STANDBY;
	bond_fixture_configure(&f);
	assert_int_equal(fixture_active(&f), 1);
}

static void members_come_and_go(void **state)
{
	struct bond_member *a, *c;

	f.config.n_members = 2;
	bond_fixture_configure(&f);
	fixture_links_up(&f);
	a = fixture_member(&f, 0);
	f.config.n_members = 3;
	bond_fixture_configure(&f);
	assert_ptr_equal(a, fixture_member(&f, 0));
	assert_false(fixture_enabled(&f, 2));
	fixture_link(&f, 2, true);
	c = fixture_member(&f, 2);
	/* The active one is taken out; the others move up. */
	f.config.members = f.members + 1;
	f.config.n_members = 2;
	bond_fixture_configure(&f);
	assert_null(fixture_member(&f, 0));
	assert_ptr_equal(bond_member_at(f.bond, 1), c);
	assert_int_equal(fixture_active(&f), 0);
	assert_string_equal(bond_member_name(bond_member_at(f.bond, 0)), "b");
	f.config.n_members = 0;
	bond_fixture_configure(&f);
	assert_int_equal(fixture_active(&f), -1);
}

static void idle_bonds_sleep(void **state)
{
	bond_fixture_configure(&f);
	fixture_links_up(&f);
	assert_true(bond_next_ms(f.bond) == UINT64_MAX);
	f.n_changed = 0;
	bond_fixture_configure(&f);
	fixture_link(&f, 0, true);
	assert_int_equal(f.n_changed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(down_without_delay, setup,
						teardown),
		cmocka_unit_test_setup_teardown(back_within_downdelay, setup,
						teardown),
		cmocka_unit_test_setup_teardown(updelay, setup, teardown),
		cmocka_unit_test_setup_teardown(updelay_is_skipped_for_the_last,
						setup, teardown),
		cmocka_unit_test_setup_teardown(shorter_delays_count_at_once,
						setup, teardown),
		cmocka_unit_test_setup_teardown(by_hand, setup, teardown),
		cmocka_unit_test_setup_teardown(unused_never_takes_part, setup,
						teardown),
		cmocka_unit_test_setup_teardown(members_come_and_go, setup,
						teardown),
		cmocka_unit_test_setup_teardown(idle_bonds_sleep, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
