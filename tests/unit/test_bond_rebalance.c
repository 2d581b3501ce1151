/* Buckets move by measured load, if it pays, and not too often. */
#include "bond_fixture.h"

#define MBIT_S 125000ull /* bytes a second */

static struct bond_fixture f;

static int setup(void **state)
{
	bond_fixture_start(&f, 2);
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

/* The nth bucket of a member. */
static unsigned bucket_of(unsigned member, unsigned n)
{
	for (unsigned b = 0; b < BOND_BUCKETS; b++) {
		if (f.table->member[b] == member && !n--)
			return b;
	}
	fail();
	return 0;
}

/* Each of the buckets carries so much, for a while. */
static void carry(const unsigned *buckets, const unsigned *mbits, unsigned n,
		  unsigned intervals)
{
	while (intervals--) {
		for (unsigned i = 0; i < n; i++)
			fixture_load(&f, buckets[i],
				     mbits[i] * MBIT_S * f.config.rebalance_ms /
					     1000);
		fixture_pass(&f, f.config.rebalance_ms);
	}
}

static void evens_out(void **state)
{
	const unsigned b[] = { bucket_of(0, 0), bucket_of(0, 1),
			       bucket_of(0, 2), bucket_of(0, 3) };
	const unsigned mbits[] = { 100, 100, 100, 100 };
	struct bond_bucket_status s;
	unsigned on_second = 0;

	carry(b, mbits, 4, 1);
	for (unsigned i = 0; i < 4; i++)
		on_second += f.table->member[b[i]] == 1;
	assert_int_equal(on_second, 2);
	bond_get_bucket_status(f.bond, b[0], &s);
	assert_int_equal(s.bytes_recently, 1000 * MBIT_S);
	assert_int_equal(fixture_buckets(&f, 1), 130);
}

/* A port stays with its member, whatever it sends. */
static void port_id_stays(void **state)
{
	struct bond_status s;

	f.config.policy = BOND_PORT_ID;
	bond_fixture_configure(&f);
	fixture_pass(&f, 5000);
	bond_get_status(f.bond, f.now, &s);
	assert_false(s.rebalances);
	assert_null(f.table->loads);
	assert_true(bond_next_ms(f.bond) == UINT64_MAX);
}

static void one_flow_stays(void **state)
{
	const unsigned b[] = { bucket_of(0, 0) };
	const unsigned mbits[] = { 5000 };

	carry(b, mbits, 1, 10);
	assert_int_equal(f.table->member[b[0]], 0);
}

static void little_does_not_pay(void **state)
{
	/* 0.8 Mbit/s apart; and then 2 % of much. */
	const unsigned a = bucket_of(0, 0), b = bucket_of(0, 1),
		       c = bucket_of(1, 0);
	const unsigned much[] = { a, b, c };
	const unsigned mbits[] = { 10000, 200, 10000 };

	fixture_load(&f, a, 400000);
	fixture_load(&f, b, 400000);
	fixture_pass(&f, 10000);
	assert_int_equal(fixture_buckets(&f, 0), 128);
	carry(much, mbits, 3, 6);
	assert_int_equal(fixture_buckets(&f, 0), 128);
}

/* What was moved stays, though the load turns; and then may move again. */
static void not_twice_in_a_row(void **state)
{
	const unsigned a = bucket_of(0, 0), b = bucket_of(0, 1);
	const unsigned buckets[] = { a, b };
	const unsigned mbits[] = { 100, 100 };
	const unsigned other = bucket_of(1, 0);
	unsigned moved, kept;

	carry(buckets, mbits, 2, 1);
	moved = f.table->member[a] == 1 ? a : b;
	kept = a + b - moved;
	assert_int_equal(f.table->member[moved], 1);
	for (unsigned i = 0; i < 3; i++) {
		fixture_load(&f, other, 10000 * MBIT_S);
		fixture_load(&f, kept, 1000 * MBIT_S);
		fixture_load(&f, moved, 1000 * MBIT_S);
		fixture_pass(&f, 10000);
		assert_int_equal(f.table->member[moved], 1);
	}
	fixture_load(&f, other, 10000 * MBIT_S);
	fixture_load(&f, kept, 1000 * MBIT_S);
	fixture_load(&f, moved, 1000 * MBIT_S);
	fixture_pass(&f, 10000);
	assert_int_equal(f.table->member[moved], 0);
}

static void a_failure_does_not_wait(void **state)
{
	const unsigned a = bucket_of(0, 0), b = bucket_of(0, 1);
	const unsigned buckets[] = { a, b };
	const unsigned mbits[] = { 100, 100 };

	carry(buckets, mbits, 2, 1);
	fixture_link(&f, 1, false);
	assert_int_equal(fixture_buckets(&f, 0), BOND_BUCKETS);
}

static void each_move_is_the_only_one(void **state)
{
	uint8_t last[BOND_BUCKETS];
	unsigned moves[BOND_BUCKETS] = { 0 };

	memcpy(last, f.table->member, sizeof(last));
	for (unsigned i = 0; i < 20; i++) {
		for (unsigned b = 0; b < BOND_BUCKETS; b++)
			fixture_load(&f, b,
				     (b * 7919 + i * 104729) % 1000 * MBIT_S);
		fixture_pass(&f, 10000);
		for (unsigned b = 0; b < BOND_BUCKETS; b++)
			moves[b] += f.table->member[b] != last[b];
		memcpy(last, f.table->member, sizeof(last));
	}
	for (unsigned b = 0; b < BOND_BUCKETS; b++)
		assert_in_range(moves[b], 0, 5);
}

static void interval_and_status(void **state)
{
	struct bond_status s;

	bond_get_status(f.bond, f.now, &s);
	assert_true(s.rebalances);
	assert_in_range(s.next_rebalance_ms, 1, 10000);
	fixture_pass(&f, s.next_rebalance_ms - 1);
	bond_get_status(f.bond, f.now, &s);
	assert_int_equal(s.next_rebalance_ms, 1);
	/* The least is a second; a single member needs no timer. */
	f.config.rebalance_ms = 10;
	bond_fixture_configure(&f);
	assert_int_equal(bond_next_ms(f.bond) - f.now, 1000);
	fixture_link(&f, 1, false);
	fixture_pass(&f, 5000);
	assert_true(bond_next_ms(f.bond) == UINT64_MAX);
}

static void off(void **state)
{
	struct bond_status s;

	f.config.rebalance_ms = 0;
	bond_fixture_configure(&f);
	fixture_pass(&f, 5000);
	assert_true(bond_next_ms(f.bond) == UINT64_MAX);
	assert_null(f.table->loads);
	bond_get_status(f.bond, f.now, &s);
	assert_false(s.rebalances);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(evens_out, setup, teardown),
		cmocka_unit_test_setup_teardown(port_id_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(one_flow_stays, setup,
						teardown),
		cmocka_unit_test_setup_teardown(little_does_not_pay, setup,
						teardown),
		cmocka_unit_test_setup_teardown(not_twice_in_a_row, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_failure_does_not_wait, setup,
						teardown),
		cmocka_unit_test_setup_teardown(each_move_is_the_only_one,
						setup, teardown),
		cmocka_unit_test_setup_teardown(interval_and_status, setup,
						teardown),
		cmocka_unit_test_setup_teardown(off, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
