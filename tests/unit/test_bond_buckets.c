/* Who has which bucket when members come and go; moving them by hand. */
#include "bond_fixture.h"

static struct bond_fixture f;

static int setup(void **state)
{
	bond_fixture_start(&f, 4);
	f.config.policy = BOND_BALANCE_SLB;
	bond_fixture_configure(&f);
	fixture_links_up(&f);
	return 0;
}

static int teardown(void **state)
{
	bond_fixture_stop(&f);
	return 0;
}

static void expect_even(unsigned n)
{
	for (unsigned i = 0; i < 4; i++) {
		unsigned has = fixture_buckets(&f, i);

		if (fixture_enabled(&f, i))
			assert_in_range(has, BOND_BUCKETS / n,
					BOND_BUCKETS / n + 1);
		else
			assert_int_equal(has, 0);
	}
}

static void spread_at_the_start(void **state)
{
	expect_even(4);
	assert_int_equal(f.table->hash, BOND_HASH_SLB);
	assert_int_equal(f.table->n_loads, 2);
}

static void only_those_of_who_is_down_move(void **state)
{
	struct bond_table before = *f.table;

	fixture_link(&f, 2, false);
	expect_even(3);
	for (unsigned b = 0; b < BOND_BUCKETS; b++) {
		if (before.member[b] != 2)
			assert_int_equal(before.member[b], f.table->member[b]);
	}
}

static void who_returns_gets_its_share(void **state)
{
	struct bond_table before;
	unsigned n_moved = 0;

	fixture_link(&f, 2, false);
	before = *f.table;
	fixture_link(&f, 2, true);
	expect_even(4);
	for (unsigned b = 0; b < BOND_BUCKETS; b++) {
		if (before.member[b] == f.table->member[b])
			continue;
		assert_int_equal(f.table->member[b], 2);
		n_moved++;
	}
	assert_int_equal(n_moved, BOND_BUCKETS / 4);
}

static void none_is_left_when_all_are_down(void **state)
{
	struct bond_bucket_status s;

	for (unsigned i = 0; i < 4; i++)
		fixture_link(&f, i, false);
	for (unsigned b = 0; b < BOND_BUCKETS; b++)
		assert_int_equal(f.table->member[b], BOND_NO_MEMBER);
	bond_get_bucket_status(f.bond, 0, &s);
	assert_null(s.member);
	fixture_link(&f, 3, true);
	assert_int_equal(fixture_buckets(&f, 3), BOND_BUCKETS);
}

static void filters_of_slb(void **state)
{
	assert_int_equal(fixture_filter(&f, 0), BOND_RX_NO_MOVED);
	for (unsigned i = 1; i < 4; i++)
		assert_int_equal(fixture_filter(&f, i),
				 BOND_RX_NO_MULTICAST | BOND_RX_NO_MOVED);
	fixture_link(&f, 0, false);
	assert_int_equal(fixture_filter(&f, 1), BOND_RX_NO_MOVED);
	f.config.policy = BOND_IP_HASH;
	bond_fixture_configure(&f);
	assert_int_equal(fixture_filter(&f, 0), BOND_RX_NOTHING);
	for (unsigned i = 1; i < 4; i++)
		assert_int_equal(fixture_filter(&f, i), 0);
	assert_int_equal(f.table->hash, BOND_HASH_IP);
}

static void migrate(void **state)
{
	struct bond_bucket_status s;

	assert_int_equal(bond_migrate(f.bond, 7, fixture_member(&f, 3), f.now),
			 0);
	assert_int_equal(f.table->member[7], 3);
	bond_get_bucket_status(f.bond, 7, &s);
	assert_ptr_equal(s.member, fixture_member(&f, 3));
	/* Another member's return does not undo it. */
	fixture_link(&f, 1, false);
	fixture_link(&f, 1, true);
	assert_int_equal(f.table->member[7], 3);
	fixture_link(&f, 2, false);
	assert_int_equal(bond_migrate(f.bond, 7, fixture_member(&f, 2), f.now),
			 -EINVAL);
	assert_int_equal(
		bond_migrate(f.bond, 256, fixture_member(&f, 3), f.now),
		-EINVAL);
	f.config.policy = BOND_ACTIVE_BACKUP;
	bond_fixture_configure(&f);
	assert_int_equal(bond_migrate(f.bond, 7, fixture_member(&f, 3), f.now),
			 -EOPNOTSUPP);
	assert_int_equal(f.table->hash, BOND_HASH_NONE);
}

/* Who gave all its buckets away by hand is not given others for that. */
static void hands_are_not_undone(void **state)
{
	for (unsigned b = 0; b < BOND_BUCKETS; b++)
		bond_migrate(f.bond, b, fixture_member(&f, 0), f.now);
	assert_int_equal(fixture_buckets(&f, 0), BOND_BUCKETS);
	fixture_pass(&f, 100000);
	bond_fixture_configure(&f);
	assert_int_equal(fixture_buckets(&f, 0), BOND_BUCKETS);
}

static void more_threads(void **state)
{
	const struct bond_table old = *f.table;

	bond_set_threads(f.bond, 8);
	fixture_publish(&f);
	assert_int_equal(f.table->n_loads, 8);
	/* Who still has the old table counts where it is seen. */
	assert_ptr_equal(old.loads[1], f.table->loads[1]);
	bond_set_threads(f.bond, 1);
	assert_non_null(f.table->loads[7]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(spread_at_the_start, setup,
						teardown),
		cmocka_unit_test_setup_teardown(only_those_of_who_is_down_move,
						setup, teardown),
		cmocka_unit_test_setup_teardown(who_returns_gets_its_share,
						setup, teardown),
		cmocka_unit_test_setup_teardown(none_is_left_when_all_are_down,
						setup, teardown),
		cmocka_unit_test_setup_teardown(filters_of_slb, setup,
						teardown),
		cmocka_unit_test_setup_teardown(migrate, setup, teardown),
		cmocka_unit_test_setup_teardown(hands_are_not_undone, setup,
						teardown),
		cmocka_unit_test_setup_teardown(more_threads, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
