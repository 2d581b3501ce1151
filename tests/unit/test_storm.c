/* Limits of storms by a virtual clock, and shared by threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <pthread.h>

#include <cmocka.h>

#include "base/ticks.h"
#include "policy/storm.h"

static int setup(void **state)
{
	ticks_init();
	return 0;
}

static void rate_is_kept(void **state)
{
	const struct storm_config config = { .rate_pps = { 1000 },
					     .burst = 10 };
	struct storm *storm = storm_create(&config);
	uint64_t start = ticks_now(), second = ticks_per_second();
	unsigned passed = 0;

	/* 4,000 a second for two seconds. */
	for (unsigned i = 0; i < 8000; i++)
		passed += storm_take(storm, STORM_BROADCAST, 1,
				     start + second * i / 4000);
	assert_in_range(passed, 2000, 2020);
	assert_false(storm_limits(storm, STORM_MULTICAST));
	assert_true(storm_take(storm, STORM_MULTICAST, 1, start));
	storm_destroy(storm);
}

static void segments_count_one_by_one(void **state)
{
	const struct storm_config config = { .rate_pps = { 0, 0, 1000 },
					     .burst = 10 };
	struct storm *storm = storm_create(&config);
	uint64_t now = ticks_now() + ticks_per_second();

	assert_true(storm_take(storm, STORM_UNKNOWN, 40, now));
	assert_false(storm_would_take(storm, STORM_UNKNOWN, now));
	/* 40 of 1,000 a second are paid off after 30 to 40 ms. */
	now += ticks_per_second() / 1000 * 29;
	assert_false(storm_take(storm, STORM_UNKNOWN, 1, now));
	now += ticks_per_second() / 1000 * 3;
	assert_true(storm_take(storm, STORM_UNKNOWN, 1, now));
	storm_destroy(storm);
}

/* Debts of another rate would last as long as they took to make. */
static void another_rate_begins_anew(void **state)
{
	const struct storm_config slow = { .rate_pps = { 1 }, .burst = 1000 };
	const struct storm_config fast = { .rate_pps = { 1000 }, .burst = 10 };
	struct storm *storm = storm_create(&slow);
	uint64_t now = ticks_now() + ticks_per_second();

	assert_true(storm_take(storm, STORM_BROADCAST, 999, now));
	storm_configure(storm, &slow); /* no other */
	assert_true(storm_take(storm, STORM_BROADCAST, 1, now));
	assert_false(storm_take(storm, STORM_BROADCAST, 1, now));
	storm_configure(storm, &fast);
	assert_true(storm_take(storm, STORM_BROADCAST, 1, now));
	storm_destroy(storm);
}

/* Parts of ticks go round after so many days; frames go on passing. */
static void clock_goes_round(void **state)
{
	const struct storm_config config = { .rate_pps = { 1000 },
					     .burst = 10 };
	struct storm *storm = storm_create(&config);
	uint64_t day = ticks_per_second() * 86400, now = ticks_now();

	for (unsigned i = 0; i < 4000; i++, now += day)
		assert_true(storm_take(storm, STORM_BROADCAST, 1, now));
	storm_destroy(storm);
}

/* The longest burst of the lowest rate is more than there are ticks. */
static void extremes_are_kept(void **state)
{
	const struct storm_config slow = { .rate_pps = { 1 },
					   .burst = STORM_RATE_MAX };
	const struct storm_config fast = { .rate_pps = { STORM_RATE_MAX },
					   .burst = 1 };
	struct storm *storm = storm_create(&slow);
	uint64_t now = ticks_now() + ticks_per_second();

	for (unsigned i = 0; i < 100; i++)
		assert_true(storm_take(storm, STORM_BROADCAST, 65535, now));
	storm_configure(storm, &fast);
	assert_true(storm_take(storm, STORM_BROADCAST, 1, now));
	assert_false(storm_take(storm, STORM_BROADCAST, 1, now));
	storm_destroy(storm);
}

struct shared {
	struct storm *storm;
	uint64_t now;
	_Atomic unsigned passed;
};

static void *take_many(void *shared_)
{
	struct shared *shared = shared_;

	for (unsigned i = 0; i < 10000; i++)
		if (storm_take(shared->storm, STORM_BROADCAST, 1, shared->now))
			shared->passed++;
	return NULL;
}

static void threads_share_it(void **state)
{
	const struct storm_config config = { .rate_pps = { 1 }, .burst = 5000 };
	struct shared shared = { .storm = storm_create(&config) };
	pthread_t threads[2];

	shared.now = ticks_now() + ticks_per_second();
	for (unsigned i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, take_many, &shared);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(shared.passed, 5000);
	storm_destroy(shared.storm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rate_is_kept),
		cmocka_unit_test(segments_count_one_by_one),
		cmocka_unit_test(another_rate_begins_anew),
		cmocka_unit_test(clock_goes_round),
		cmocka_unit_test(extremes_are_kept),
		cmocka_unit_test(threads_share_it),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
