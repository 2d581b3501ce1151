/* Which worker a queue is given to, and when it goes to another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/number_pairs.h"
#include "base/ticks.h"
#include "tests/unit/switch_fixture.h"
#include "worker/thread.h"

#define QUEUES_MAX 40
/* What a measurement lasts: so long that no delay of the test's shows in it. */
#define PERIOD (1ull << 50)

struct setup {
	struct port *ports[QUEUES_MAX];
	struct number_pairs pins[QUEUES_MAX];
	unsigned n;
	struct fdb *fdb;
	struct worker_pool *pool;
	struct fwd_snapshot *snapshot;
};

static void publish(struct setup *s)
{
	const struct vlan_config trunk = { .mode = VLAN_TRUNK };
	struct fwd_snapshot *old = s->snapshot;
	struct fwd_bridge *br;

	s->snapshot = fwd_snapshot_create(1);
	br = fwd_snapshot_add_bridge(s->snapshot, "br0", s->fdb);
	for (unsigned i = 0; i < s->n; i++)
		fwd_bridge_add_port(br, s->ports[i], i + 1, &trunk)->pins =
			&s->pins[i];
	fwd_snapshot_finish(s->snapshot, old, worker_pool_count(s->pool));
	worker_pool_publish(s->pool, s->snapshot);
	fwd_snapshot_destroy(old);
}

static void add_ports(struct setup *s, unsigned n)
{
	const struct port_config config = {
		.name = "p", .type = "null", .n_threads = 2, .n_rxqs = 1
	};

	for (; n; n--)
		assert_int_equal(port_open(&config, &s->ports[s->n++], NULL),
				 0);
}

static struct setup *begin(unsigned n_workers, unsigned n_queues)
{
	struct fdb_config config = { .max_entries = 64, .age_s = 300 };
	struct setup *s = xcalloc(1, sizeof(*s));

	s->fdb = fdb_create(&config);
	s->pool = worker_pool_create(n_workers, NULL);
	assert_non_null(s->pool);
	add_ports(s, n_queues);
	return s;
}

static void end(struct setup *s)
{
	worker_pool_destroy(s->pool);
	fwd_snapshot_destroy(s->snapshot);
	for (unsigned i = 0; i < s->n; i++) {
		port_close(s->ports[i]);
		number_pairs_fini(&s->pins[i]);
	}
	fdb_destroy(s->fdb);
	free(s);
}

static unsigned worker_of(const struct setup *s, unsigned queue)
{
	return s->snapshot->rxqs[queue].worker;
}

static void pin(struct setup *s, unsigned queue, const char *text)
{
	number_pairs_fini(&s->pins[queue]);
	assert_true(number_pairs_parse(text, 65535, 63, &s->pins[queue]));
}

/* As if queue i had kept its worker busy for so many percent. */
static bool balance(struct setup *s, const unsigned percent[], bool improve,
		    struct worker_balance *found)
{
	for (unsigned i = 0; i < s->snapshot->n_rxqs; i++) {
		struct fwd_queue *q = s->snapshot->rxqs[i].queue;

		counter_add(&q->counters.busy, PERIOD / 100 * percent[i]);
	}
	s->pool->balanced_at = ticks_now() - PERIOD;
	return worker_pool_balance(s->pool, improve, found);
}

static void new_queues_are_spread(void **state)
{
	struct setup *s = begin(3, 9);
	unsigned n[3] = { 0 };

	(void)state;
	publish(s);
	for (unsigned i = 0; i < 9; i++)
		n[worker_of(s, i)]++;
	assert_int_equal(n[0], 3);
	assert_int_equal(n[1], 3);
	assert_int_equal(n[2], 3);
	end(s);
}

static void new_queues_go_where_the_load_is_least(void **state)
{
	const unsigned percent[] = { 80, 10, 10 };
	struct setup *s = begin(2, 3);

	(void)state;
	publish(s);
	assert_int_equal(worker_of(s, 0), 0);
	assert_int_equal(worker_of(s, 1), 1);
	assert_int_equal(worker_of(s, 2), 0);
	assert_false(balance(s, percent, false, NULL));
	add_ports(s, 2);
	publish(s);
	assert_int_equal(worker_of(s, 3), 1);
	assert_int_equal(worker_of(s, 4), 1);
	/* The others have stayed, though the balance is bad. */
	assert_int_equal(worker_of(s, 0), 0);
	assert_int_equal(worker_of(s, 2), 0);
	end(s);
}

static void queues_move_when_that_pays(void **state)
{
	const unsigned percent[] = { 40, 5, 40, 5 };
	struct setup *s = begin(2, 4);
	struct worker_balance found;

	(void)state;
	publish(s); /* 0, 1, 0, 1 */
	assert_true(balance(s, percent, true, &found));
	assert_in_range(found.before, 1200, 1250);
	assert_int_equal(found.after, 0);
	assert_int_equal(found.n_moved, 2);
	publish(s);
	assert_int_not_equal(worker_of(s, 0), worker_of(s, 2));
	assert_int_not_equal(worker_of(s, 1), worker_of(s, 3));
	/* And then they stay. */
	assert_false(balance(s, percent, true, &found));
	end(s);
}

static void one_queue_moves_when_that_is_enough(void **state)
{
	const unsigned percent[] = { 30, 0, 30, 0, 30, 0 };
	struct setup *s = begin(2, 6);
	struct worker_balance found;

	(void)state;
	publish(s);
	assert_true(balance(s, percent, true, &found));
	assert_int_equal(found.n_moved, 1);
	publish(s);
	/* 60 and 30 is the best there is. */
	assert_false(balance(s, percent, true, &found));
	end(s);
}

static void nothing_moves_for_little(void **state)
{
	const unsigned even[] = { 45, 40, 5, 4 };
	const unsigned small[] = { 4, 0, 4, 0 };
	const unsigned single[] = { 100, 10, 0, 0 };
	struct setup *s = begin(2, 4);
	struct worker_balance found;

	(void)state;
	publish(s);
	assert_false(balance(s, even, true, &found));
	assert_false(balance(s, small, true, &found));
	/* Nothing helps against one queue that is too much. */
	assert_false(balance(s, single, true, &found));
	end(s);
}

static void pinned_queues_stay(void **state)
{
	const unsigned percent[] = { 45, 45, 0, 0 };
	struct setup *s = begin(2, 4);
	struct worker_balance found;

	(void)state;
	pin(s, 0, "0:1");
	pin(s, 1, "0:1");
	pin(s, 3, "0:7, 1:0"); /* there is no such worker, no such queue */
	publish(s);
	assert_int_equal(worker_of(s, 0), 1);
	assert_int_equal(worker_of(s, 1), 1);
	assert_int_equal(worker_of(s, 2), 0);
	assert_int_equal(worker_of(s, 3), 0);
	assert_false(s->snapshot->rxqs[3].queue->pinned);
	assert_false(balance(s, percent, true, &found));
	/* Pinned anew it goes; no longer pinned, it may go. */
	pin(s, 0, "0:0");
	publish(s);
	assert_int_equal(worker_of(s, 0), 0);
	pin(s, 0, "0:1");
	publish(s);
	pin(s, 0, "");
	publish(s);
	assert_int_equal(worker_of(s, 0), 1);
	assert_true(balance(s, percent, true, &found));
	publish(s);
	assert_int_equal(worker_of(s, 0), 0);
	end(s);
}

/* Whatever the loads: never worse, and nothing is lost. */
static void many_queues_become_even(void **state)
{
	struct setup *s = begin(4, QUEUES_MAX);
	unsigned percent[QUEUES_MAX], sum = 0;
	double load[4] = { 0 };
	struct worker_balance found;

	(void)state;
	publish(s);
	/* All on the first worker, at first. */
	for (unsigned i = 0; i < QUEUES_MAX; i++) {
		percent[i] = i % 4 == 0 ? 6 + i % 5 : i % 3;
		sum += percent[i];
	}
	assert_true(balance(s, percent, true, &found));
	assert_true(found.after < found.before / 10);
	publish(s);
	for (unsigned i = 0; i < QUEUES_MAX; i++)
		load[worker_of(s, i)] += percent[i];
	for (unsigned i = 0; i < 4; i++)
		assert_in_range(load[i], sum / 4 - 6, sum / 4 + 6);
	end(s);
}

static void what_is_shown_begins_with_clearing(void **state)
{
	const unsigned percent[] = { 40, 5, 40, 5 };
	struct setup *s = begin(2, 4);
	struct worker_balance found;
	struct worker_queue_stats stats;

	(void)state;
	publish(s);
	counter_add(&s->snapshot->rxqs[0].queue->counters.packets, 5);
	worker_get_queue_stats(s->snapshot->rxqs[0].queue, &stats);
	assert_int_equal(stats.packets, 5);
	worker_pool_clear_stats(s->pool);
	worker_get_queue_stats(s->snapshot->rxqs[0].queue, &stats);
	assert_int_equal(stats.packets, 0);
	counter_add(&s->snapshot->rxqs[0].queue->counters.packets, 3);
	worker_get_queue_stats(s->snapshot->rxqs[0].queue, &stats);
	assert_int_equal(stats.packets, 3);
	/* With another worker it begins again. */
	assert_true(balance(s, percent, true, &found));
	publish(s);
	for (unsigned i = 0; i < 4; i++) {
		worker_get_queue_stats(s->snapshot->rxqs[i].queue, &stats);
		if (worker_of(s, i) != i % 2)
			assert_int_equal(stats.busy, 0);
	}
	end(s);
}

/* --- what it is written down with -------------------------------------- */

static bool parses(const char *text)
{
	struct number_pairs pairs;
	bool ok = number_pairs_parse(text, 63, 1023, &pairs);

	number_pairs_fini(&pairs);
	return ok;
}

static void pairs_are_parsed(void **state)
{
	struct number_pairs p, q;

	(void)state;
	assert_true(number_pairs_parse(" 0:2 , 1 : 3,63:1023", 63, 1023, &p));
	assert_int_equal(p.n, 3);
	assert_int_equal(number_pairs_get(&p, 0), 2);
	assert_int_equal(number_pairs_get(&p, 1), 3);
	assert_int_equal(number_pairs_get(&p, 63), 1023);
	assert_int_equal(number_pairs_get(&p, 2), -1);
	assert_true(number_pairs_parse("0:2", 63, 1023, &q));
	number_pairs_fini(&p);
	number_pairs_fini(&q);
	assert_true(parses(""));
	assert_true(parses("  "));
	assert_false(parses("0"));
	assert_false(parses("0:"));
	assert_false(parses(":1"));
	assert_false(parses("0:1,"));
	assert_false(parses(",0:1"));
	assert_false(parses("0:1 1:2"));
	assert_false(parses("0:1,0:2"));
	assert_false(parses("64:1"));
	assert_false(parses("0:1024"));
	assert_false(parses("0:-1"));
	assert_false(parses("0:99999999999999999999999"));
	assert_false(parses("0:1x"));
}

static void ticks_go_forward(void **state)
{
	uint64_t before;

	(void)state;
	ticks_init();
	before = ticks_now();
	while (ticks_now() == before)
		;
	assert_in_range(ticks_per_second(), 100000000, 10000000000);
	assert_int_equal(ticks_from_us(1000000), ticks_per_second());
	assert_int_equal(ticks_to_ns(ticks_per_second()), 1000000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_queues_are_spread),
		cmocka_unit_test(new_queues_go_where_the_load_is_least),
		cmocka_unit_test(queues_move_when_that_pays),
		cmocka_unit_test(one_queue_moves_when_that_is_enough),
		cmocka_unit_test(nothing_moves_for_little),
		cmocka_unit_test(pinned_queues_stay),
		cmocka_unit_test(many_queues_become_even),
		cmocka_unit_test(what_is_shown_begins_with_clearing),
		cmocka_unit_test(pairs_are_parsed),
		cmocka_unit_test(ticks_go_forward),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
