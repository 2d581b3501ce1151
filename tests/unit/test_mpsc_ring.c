/* The ring from many threads to one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/mpsc_ring.h"

#define N_WRITERS 3
#define N_RECORDS 20000

struct record {
	uint32_t writer, number;
	uint64_t check;
};

static void test_full_and_empty(void **state)
{
	struct mpsc_ring *ring = mpsc_ring_create(4, sizeof(uint32_t));
	uint32_t x;

	assert_false(mpsc_ring_pop(ring, &x));
	for (uint32_t lap = 0; lap < 3; lap++) {
		for (uint32_t i = 0; i < 4; i++) {
			x = 10 * lap + i;
			assert_true(mpsc_ring_push(ring, &x));
		}
		x = 99;
		assert_false(mpsc_ring_push(ring, &x));
		for (uint32_t i = 0; i < 4; i++) {
			assert_true(mpsc_ring_pop(ring, &x));
			assert_int_equal(x, 10 * lap + i);
		}
		assert_false(mpsc_ring_pop(ring, &x));
	}
	mpsc_ring_destroy(ring);
	mpsc_ring_destroy(NULL);
}

static struct mpsc_ring *shared;
static _Atomic(uint32_t) next_writer;

static void *write_all(void *arg)
{
	struct record r = { .writer = atomic_fetch_add(&next_writer, 1) };

	for (r.number = 0; r.number < N_RECORDS; r.number++) {
		r.check = ~((uint64_t)r.writer << 32 | r.number);
		while (!mpsc_ring_push(shared, &r))
			sched_yield();
	}
	return NULL;
}

/* Nothing is lost, torn or told twice; each writer's order is kept. */
static void test_many_writers(void **state)
{
	uint32_t expected[N_WRITERS] = { 0 }, total = 0;
	pthread_t threads[N_WRITERS];
	struct record r;

	shared = mpsc_ring_create(64, sizeof(struct record));
	for (int i = 0; i < N_WRITERS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, write_all, NULL), 0);
	while (total < N_WRITERS * N_RECORDS) {
		if (!mpsc_ring_pop(shared, &r)) {
			sched_yield();
			continue;
		}
		assert_true(r.writer < N_WRITERS);
		assert_int_equal(r.number, expected[r.writer]);
		assert_true(r.check == ~((uint64_t)r.writer << 32 | r.number));
		expected[r.writer]++;
		total++;
	}
	for (int i = 0; i < N_WRITERS; i++)
		pthread_join(threads[i], NULL);
	assert_false(mpsc_ring_pop(shared, &r));
	mpsc_ring_destroy(shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full_and_empty),
		cmocka_unit_test(test_many_writers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
