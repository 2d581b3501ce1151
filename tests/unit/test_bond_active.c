/* Which member is the active one; what members that change places accept. */
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

static void stays_without_failback(void **state)
{
	struct bond_status s;

	bond_fixture_configure(&f);
	fixture_links_up(&f);
	fixture_link(&f, 0, false);
	fixture_link(&f, 0, true);
	fixture_pass(&f, 5000);
	assert_int_equal(fixture_active(&f), 1);
	bond_get_status(f.bond, f.now, &s);
	assert_int_equal(s.n_failovers, 1);
	assert_ptr_equal(s.active, fixture_member(&f, 1));
}

static void primary_comes_back(void **state)
{
	f.config.primary = "c";
	f.config.failback = true;
	bond_fixture_configure(&f);
	fixture_links_up(&f);
	assert_int_equal(fixture_active(&f), 2);
	fixture_link(&f, 2, false);
	assert_int_equal(fixture_active(&f), 0);
	fixture_link(&f, 2, true);
	assert_int_equal(fixture_active(&f), 2);
}

static void primary_without_failback(void **state)
{
	f.config.primary = "c";
	bond_fixture_configure(&f);
	fixture_link(&f, 0, true);
	fixture_link(&f, 2, true);
	assert_int_equal(fixture_active(&f), 0);
	fixture_link(&f, 1, true);
	fixture_link(&f, 0, false);
	assert_int_equal(fixture_active(&f), 2);
}

static void by_hand_holds_until_down(void **state)
{
	f.config.primary = "a";
	f.config.failback = true;
	bond_fixture_configure(&f);
	fixture_links_up(&f);
	assert_int_equal(bond_set_active(f.bond, fixture_member(&f, 1), f.now),
			 0);
	assert_int_equal(fixture_active(&f), 1);
	fixture_link(&f, 0, false);
	fixture_link(&f, 0, true);
	assert_int_equal(fixture_active(&f), 1);
	fixture_link(&f, 1, false);
	assert_int_equal(fixture_active(&f), 0);
	fixture_link(&f, 1, true);
	assert_int_equal(fixture_active(&f), 0);
}

static void survives_a_restart(void **state)
{
	f.config.updelay_ms = 30000;
	bond_fixture_configure(&f);
	bond_restore_active(f.bond, fixture_mac(1), f.now);
	fixture_link(&f, 0, true);
	assert_int_equal(fixture_active(&f), 0); /* better than nothing */
	fixture_pass(&f, 100);
	fixture_link(&f, 1, true);
	assert_int_equal(fixture_active(&f), 1);
	assert_true(fixture_enabled(&f, 1));
	fixture_pass(&f, 100000);
	assert_int_equal(fixture_active(&f), 1);
}

static void too_late_after_a_restart(void **state)
{
	bond_fixture_configure(&f);
	bond_restore_active(f.bond, fixture_mac(1), f.now);
	fixture_link(&f, 0, true);
	fixture_pass(&f, BOND_SETTLE_MS);
	fixture_link(&f, 1, true);
	assert_int_equal(fixture_active(&f), 0);
}

static void restart_does_not_break_the_order(void **state)
{
	f.config.primary = "a";
	f.config.failback = true;
	bond_fixture_configure(&f);
	bond_restore_active(f.bond, fixture_mac(1), f.now);
	fixture_link(&f, 0, true);
	fixture_link(&f, 1, true);
	assert_int_equal(fixture_active(&f), 0);
}

/* The old one goes on receiving until neighbours have been told. */
static void failback_loses_nothing(void **state)
{
	const unsigned old = BOND_RX_NO_MULTICAST | BOND_RX_NO_MOVED;

	f.n_stations = 10;
	for (unsigned i = 0; i < 10; i++)
		f.stations[i].mac = 0x021111111100 + i;
	f.config.primary = "a";
	f.config.failback = true;
	bond_fixture_configure(&f);
	fixture_links_up(&f);
	fixture_link(&f, 0, false);
	fixture_pass(&f, 8000);
	assert_int_equal(fixture_filter(&f, 0), BOND_RX_NOTHING);
	assert_int_equal(fixture_filter(&f, 1), 0);
	f.no_tables = true;
	f.n_noted = 0;
	fixture_link(&f, 0, true);
	assert_int_equal(fixture_filter(&f, 0), BOND_RX_NO_MOVED);
	assert_int_equal(fixture_filter(&f, 1), old);
	assert_int_equal(fixture_filter(&f, 2), BOND_RX_NOTHING);
	/* Nothing is said while the old table is in force. */
	fixture_pass(&f, 50);
	assert_int_equal(f.n_noted, 0);
	f.no_tables = false;
	fixture_publish(&f);
	fixture_pass(&f, 149);
	assert_int_equal(f.n_noted, 10);
	assert_int_equal(fixture_filter(&f, 1), old);
	fixture_pass(&f, 1);
	assert_int_equal(fixture_filter(&f, 1), BOND_RX_NOTHING);
	assert_int_equal(fixture_filter(&f, 0), BOND_RX_NO_MOVED);
}

/* What was told by one member may come back late by the other. */
static void what_was_told_is_not_believed(void **state)
{
	f.n_stations = 10;
	for (unsigned i = 0; i < 10; i++)
		f.stations[i].mac = 0x021111111100 + i;
	bond_fixture_configure(&f);
	fixture_links_up(&f);
	assert_int_equal(fixture_filter(&f, 0), 0);
	fixture_link(&f, 0, false);
	assert_int_equal(fixture_filter(&f, 1), BOND_RX_NO_MOVED);
	fixture_pass(&f, 5999); /* two rounds, a second apart */
	assert_int_equal(f.n_noted, 20);
	assert_int_equal(fixture_filter(&f, 1), BOND_RX_NO_MOVED);
	fixture_pass(&f, 50);
	assert_int_equal(fixture_filter(&f, 1), 0);
	assert_true(bond_next_ms(f.bond) > f.now);
}

/* It takes a while to tell many. */
static void grace_lasts_until_all_are_told(void **state)
{
	f.n_stations = 1000;
	for (unsigned i = 0; i < f.n_stations; i++)
		f.stations[i].mac = 0x021111110000 + i;
	bond_fixture_configure(&f);
	fixture_links_up(&f);
	bond_set_active(f.bond, fixture_member(&f, 1), f.now);
	while (f.n_noted < 1000) {
		assert_int_equal(fixture_filter(&f, 0),
				 BOND_RX_NO_MULTICAST | BOND_RX_NO_MOVED);
		fixture_pass(&f, 10);
	}
	fixture_pass(&f, 80);
	assert_int_equal(fixture_filter(&f, 0),
			 BOND_RX_NO_MULTICAST | BOND_RX_NO_MOVED);
	fixture_pass(&f, 50);
	assert_int_equal(fixture_filter(&f, 0), BOND_RX_NOTHING);
}

static void down_ends_grace(void **state)
{
	bond_fixture_configure(&f);
	fixture_links_up(&f);
	bond_set_active(f.bond, fixture_member(&f, 1), f.now);
	fixture_link(&f, 0, false);
	assert_int_equal(fixture_filter(&f, 0), BOND_RX_NOTHING);
	fixture_link(&f, 0, true);
	assert_int_equal(fixture_filter(&f, 0), BOND_RX_NOTHING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(stays_without_failback, setup,
						teardown),
		cmocka_unit_test_setup_teardown(primary_comes_back, setup,
						teardown),
		cmocka_unit_test_setup_teardown(primary_without_failback, setup,
						teardown),
		cmocka_unit_test_setup_teardown(by_hand_holds_until_down, setup,
						teardown),
		cmocka_unit_test_setup_teardown(survives_a_restart, setup,
						teardown),
		cmocka_unit_test_setup_teardown(too_late_after_a_restart, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			restart_does_not_break_the_order, setup, teardown),
		cmocka_unit_test_setup_teardown(failback_loses_nothing, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_was_told_is_not_believed,
						setup, teardown),
		cmocka_unit_test_setup_teardown(grace_lasts_until_all_are_told,
						setup, teardown),
		cmocka_unit_test_setup_teardown(down_ends_grace, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
