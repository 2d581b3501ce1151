/* What each function of the FDB promises; one thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "forward/fdb.h"

#include "fdb_places.h"

#define MAC(n) (0x020000000000ull + (n))

static struct fdb *make(uint32_t max_entries, uint32_t age_s)
{
	struct fdb_config config = { .max_entries = max_entries,
				     .fastpath = fdb_place,
				     .age_s = age_s,
				     .seed = 42 };
	struct fdb *fdb = fdb_create(&config);

	fdb_tick(fdb, 1000);
	return fdb;
}

static struct fdb_stats stats_of(const struct fdb *fdb)
{
	struct fdb_stats stats;

	fdb_get_stats(fdb, &stats);
	return stats;
}

/* A second a call, as the control thread does. */
static void pass_time(struct fdb *fdb, uint32_t *now, uint32_t seconds)
{
	while (seconds--)
		fdb_tick(fdb, ++*now);
}

static void test_learn_and_move(void **state)
{
	struct fdb *fdb = make(100, 300);
	fdb_key key = fdb_make_key(MAC(1), 10);

	assert_int_equal(fdb_lookup(fdb, key), FDB_NONE);
	assert_false(fdb_is_fresh(fdb, key, 5));
	assert_int_equal(fdb_learn(fdb, key, 5), FDB_LEARNED);
	assert_int_equal(fdb_lookup(fdb, key), 5);
	assert_true(fdb_is_fresh(fdb, key, 5));
	assert_false(fdb_is_fresh(fdb, key, 6));
	assert_int_equal(fdb_learn(fdb, key, 5), FDB_REFRESHED);
	/* Another filtering id is another entry. */
	assert_int_equal(fdb_lookup(fdb, fdb_make_key(MAC(1), 11)), FDB_NONE);

	assert_int_equal(fdb_learn(fdb, key, FDB_PORT_MAX), FDB_MOVED);
	assert_int_equal(fdb_lookup(fdb, key), FDB_PORT_MAX);
	assert_int_equal(fdb_port_entries(fdb, 5), 0);
	assert_int_equal(fdb_port_entries(fdb, FDB_PORT_MAX), 1);
	assert_int_equal(stats_of(fdb).entries, 1);
	assert_int_equal(stats_of(fdb).learned, 1);
	assert_int_equal(stats_of(fdb).moved, 1);
	fdb_destroy(fdb);
}

/*
 * A bond's failover announces many stations at once: no note of one takes the
 * place of another's, and each is forgotten after its time.
 */
static void test_announced_together(void **state)
{
	struct fdb *fdb = make(100, 300);
	const unsigned n = 250;

	for (unsigned i = 0; i < n; i++)
		fdb_note_announced(fdb, fdb_make_key(MAC(i), 0));
	for (unsigned i = 0; i < n; i++)
		assert_true(fdb_is_announced(fdb, fdb_make_key(MAC(i), 0)));
	assert_false(fdb_is_announced(fdb, fdb_make_key(MAC(n), 0)));
	fdb_tick(fdb, 1000 + FDB_ANNOUNCED_S);
	fdb_note_announced(fdb, fdb_make_key(MAC(7), 0));
	fdb_tick(fdb, 1001 + FDB_ANNOUNCED_S);
	assert_false(fdb_is_announced(fdb, fdb_make_key(MAC(8), 0)));
	assert_true(fdb_is_announced(fdb, fdb_make_key(MAC(7), 0)));
	fdb_destroy(fdb);
}

/* A reflection that was let in before its sender was heard elsewhere. */
static void test_learn_unmoved(void **state)
{
	struct fdb *fdb = make(100, 300);
	fdb_key key = fdb_make_key(MAC(1), 7);

	assert_int_equal(fdb_learn_unmoved(fdb, key, 5), FDB_LEARNED);
	assert_int_equal(fdb_learn_unmoved(fdb, key, 5), FDB_REFRESHED);
	assert_int_equal(fdb_learn_unmoved(fdb, key, 6), FDB_ELSEWHERE);
	assert_int_equal(fdb_lookup(fdb, key), 5);
	fdb_destroy(fdb);
}

static void test_fresh_for_one_tick(void **state)
{
	struct fdb *fdb = make(100, 300);
	fdb_key key = fdb_make_key(MAC(1), 0), fixed = fdb_make_key(MAC(2), 0);
	uint32_t now = 1000;

	fdb_learn(fdb, key, 5);
	assert_int_equal(fdb_add_static(fdb, fixed, 6), 0);
	pass_time(fdb, &now, 1);
	assert_false(fdb_is_fresh(fdb, key, 5));
	assert_true(fdb_is_fresh(fdb, fixed, 6));
	assert_false(fdb_is_fresh(fdb, fixed, 5));
	assert_int_equal(fdb_learn(fdb, key, 5), FDB_REFRESHED);
	assert_true(fdb_is_fresh(fdb, key, 5));
	/* A clock that steps back changes nothing. */
	fdb_tick(fdb, 900);
	assert_true(fdb_is_fresh(fdb, key, 5));
	fdb_destroy(fdb);
}

static void test_static(void **state)
{
	struct fdb *fdb = make(100, 10);
	fdb_key key = fdb_make_key(MAC(1), 0);
	uint32_t now = 1000;

	fdb_learn(fdb, key, 5);
	assert_int_equal(fdb_add_static(fdb, key, 6), 0);
	assert_int_equal(fdb_lookup(fdb, key), 6);
	assert_int_equal(fdb_learn(fdb, key, 5), FDB_IS_STATIC);
	assert_int_equal(fdb_learn(fdb, key, 6), FDB_REFRESHED);
	assert_int_equal(fdb_lookup(fdb, key), 6);
	assert_int_equal(stats_of(fdb).entries, 0);
	assert_int_equal(stats_of(fdb).static_entries, 1);
	assert_int_equal(fdb_port_entries(fdb, 5), 0);
	assert_int_equal(fdb_port_entries(fdb, 6), 0);

	pass_time(fdb, &now, 50);
	assert_int_equal(fdb_flush(fdb, 0, -1), 0);
	assert_int_equal(fdb_lookup(fdb, key), 6);
	assert_int_equal(fdb_add_static(fdb, key, 7), 0);
	assert_int_equal(fdb_lookup(fdb, key), 7);
	assert_int_equal(stats_of(fdb).static_entries, 1);
	assert_int_equal(fdb_purge_port(fdb, 6), 0);
	assert_int_equal(fdb_purge_port(fdb, 7), 1);
	assert_int_equal(fdb_lookup(fdb, key), FDB_NONE);
	assert_int_equal(stats_of(fdb).static_entries, 0);
	fdb_destroy(fdb);
}

static void test_static_limit(void **state)
{
	struct fdb *fdb = make(1, 10);
	unsigned n = 0;

	while (!fdb_add_static(fdb, fdb_make_key(MAC(n), 0), 1))
		n++;
	assert_int_equal(fdb_add_static(fdb, fdb_make_key(MAC(n), 0), 1),
			 -ENOSPC);
	assert_in_range(n, 100, 100000);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(fdb_lookup(fdb, fdb_make_key(MAC(i), 0)), 1);
	/* Learned ones have their own room. */
	assert_int_equal(fdb_learn(fdb, fdb_make_key(MAC(n), 0), 1),
			 FDB_LEARNED);
	/* One that is there already needs no room. */
	assert_int_equal(fdb_add_static(fdb, fdb_make_key(MAC(0), 0), 2), 0);
	assert_int_equal(stats_of(fdb).static_entries, n);
	fdb_destroy(fdb);
}

static void test_delete(void **state)
{
	struct fdb *fdb = make(100, 300);
	fdb_key key = fdb_make_key(MAC(1), 0);

	assert_int_equal(fdb_delete(fdb, key), -ENOENT);
	fdb_learn(fdb, key, 5);
	assert_int_equal(fdb_delete(fdb, key), 0);
	assert_int_equal(fdb_lookup(fdb, key), FDB_NONE);
	assert_int_equal(fdb_learn(fdb, key, 6), FDB_LEARNED);
	fdb_add_static(fdb, key, 7);
	assert_int_equal(fdb_delete(fdb, key), 0);
	assert_int_equal(fdb_delete(fdb, key), -ENOENT);
	assert_int_equal(stats_of(fdb).entries, 0);
	assert_int_equal(stats_of(fdb).static_entries, 0);
	fdb_destroy(fdb);
}

static void test_flush(void **state)
{
	struct fdb *fdb = make(100, 300);

	for (int port = 1; port <= 3; port++)
		for (int fid = 1; fid <= 4; fid++)
			fdb_learn(fdb, fdb_make_key(MAC(port), fid), port);
	assert_int_equal(fdb_flush(fdb, 2, 3), 1);
	assert_int_equal(fdb_lookup(fdb, fdb_make_key(MAC(2), 3)), FDB_NONE);
	assert_int_equal(fdb_lookup(fdb, fdb_make_key(MAC(2), 4)), 2);
	assert_int_equal(fdb_flush(fdb, 2, -1), 3);
	assert_int_equal(fdb_flush(fdb, 0, 3), 2);
	assert_int_equal(fdb_flush(fdb, 9, -1), 0);
	assert_int_equal(fdb_flush(fdb, 0, -1), 6);
	assert_int_equal(stats_of(fdb).entries, 0);
	assert_int_equal(stats_of(fdb).flushed, 12);
	fdb_destroy(fdb);
}

static void test_ageing(void **state)
{
	struct fdb *fdb = make(1000, 300);
	fdb_key quiet = fdb_make_key(MAC(1), 0),
		heard = fdb_make_key(MAC(2), 0);
	uint32_t now = 1000;

	fdb_learn(fdb, quiet, 5);
	fdb_learn(fdb, heard, 5);
	for (int i = 0; i < 300; i++) {
		pass_time(fdb, &now, 1);
		fdb_learn(fdb, heard, 5);
	}
	/* Never early, and no later than a tenth of the age time. */
	assert_int_equal(fdb_lookup(fdb, quiet), 5);
	for (int i = 0; i < 31; i++) {
		pass_time(fdb, &now, 1);
		fdb_learn(fdb, heard, 5);
	}
	assert_int_equal(fdb_lookup(fdb, quiet), FDB_NONE);
	assert_int_equal(fdb_lookup(fdb, heard), 5);
	assert_int_equal(stats_of(fdb).aged, 1);
	assert_int_equal(fdb_port_entries(fdb, 5), 1);
	fdb_destroy(fdb);
}

static void test_age_setting(void **state)
{
	struct fdb *fdb = make(1000, 0);
	fdb_key key = fdb_make_key(MAC(1), 0);
	uint32_t now = 1000;

	fdb_learn(fdb, key, 5);
	pass_time(fdb, &now, 10);
	now += 10000000;
	fdb_tick(fdb, now);
	assert_int_equal(fdb_lookup(fdb, key), 5);
	fdb_set_age(fdb, 10);
	pass_time(fdb, &now, 2);
	assert_int_equal(fdb_lookup(fdb, key), FDB_NONE);
	/* A control thread that was held up for long. */
	fdb_set_age(fdb, 300);
	fdb_learn(fdb, key, 5);
	now += 400;
	fdb_tick(fdb, now);
	assert_int_equal(fdb_lookup(fdb, key), FDB_NONE);
	fdb_destroy(fdb);
}

/* The clock may start and come round anywhere. */
static void test_clock_wraps(void **state)
{
	struct fdb_config config = { .max_entries = 100,
				     .fastpath = fdb_place,
				     .age_s = 10 };
	struct fdb *fdb = fdb_create(&config);
	fdb_key early = fdb_make_key(MAC(1), 0), key = fdb_make_key(MAC(2), 0);
	uint32_t now = UINT32_MAX - 3;

	fdb_learn(fdb, early, 4); /* before the first tick */
	fdb_tick(fdb, now);
	fdb_learn(fdb, key, 5);
	pass_time(fdb, &now, 10);
	assert_int_equal(fdb_lookup(fdb, early), 4);
	assert_int_equal(fdb_lookup(fdb, key), 5);
	pass_time(fdb, &now, 2);
	assert_int_equal(fdb_lookup(fdb, early), FDB_NONE);
	assert_int_equal(fdb_lookup(fdb, key), FDB_NONE);
	fdb_destroy(fdb);
}

static void test_port_limit(void **state)
{
	struct fdb *fdb = make(100, 300);

	fdb_set_port_limit(fdb, 5, 2);
	assert_int_equal(fdb_learn(fdb, fdb_make_key(MAC(1), 0), 5),
			 FDB_LEARNED);
	assert_int_equal(fdb_learn(fdb, fdb_make_key(MAC(2), 0), 5),
			 FDB_LEARNED);
	assert_int_equal(fdb_learn(fdb, fdb_make_key(MAC(3), 0), 5),
			 FDB_PORT_FULL);
	assert_int_equal(fdb_learn(fdb, fdb_make_key(MAC(3), 0), 6),
			 FDB_LEARNED);
	/* It cannot draw another port's station to itself either. */
	assert_int_equal(fdb_learn(fdb, fdb_make_key(MAC(3), 0), 5),
			 FDB_PORT_FULL);
	assert_int_equal(fdb_lookup(fdb, fdb_make_key(MAC(3), 0)), 6);
	assert_int_equal(stats_of(fdb).refused, 2);
	assert_int_equal(fdb_port_entries(fdb, 5), 2);
	assert_int_equal(fdb_learn(fdb, fdb_make_key(MAC(1), 0), 5),
			 FDB_REFRESHED);
	fdb_set_port_limit(fdb, 5, 0);
	assert_int_equal(fdb_learn(fdb, fdb_make_key(MAC(3), 0), 5), FDB_MOVED);
	fdb_destroy(fdb);
}

static bool sum_up(const struct fdb_entry *entry, void *aux)
{
	struct fdb_entry *sum = aux;

	sum->mac += entry->mac;
	sum->fid += entry->fid;
	sum->port += entry->port;
	sum->age_s += entry->age_s;
	sum->is_static |= entry->is_static;
	return true;
}

static bool stop_at_once(const struct fdb_entry *entry, void *aux)
{
	++*(int *)aux;
	return false;
}

static void test_for_each(void **state)
{
	struct fdb *fdb = make(100, 300);
	struct fdb_entry sum = { 0 };
	uint32_t now = 1000;
	int calls = 0;

	fdb_learn(fdb, fdb_make_key(1, 4094), 5);
	pass_time(fdb, &now, 7);
	fdb_add_static(fdb, fdb_make_key(2, 1), 60000);
	pass_time(fdb, &now, 3);
	fdb_for_each(fdb, sum_up, &sum);
	assert_int_equal(sum.mac, 3);
	assert_int_equal(sum.fid, 4095);
	assert_int_equal(sum.port, 60005);
	assert_int_equal(sum.age_s, 10);
	assert_true(sum.is_static);
	fdb_for_each(fdb, stop_at_once, &calls);
	assert_int_equal(calls, 1);
	fdb_destroy(fdb);
}

static void test_resize(void **state)
{
	struct fdb *fdb = make(1000, 300), *big, *small;
	uint32_t now = 1000;

	for (int i = 0; i < 700; i++)
		fdb_learn(fdb, fdb_make_key(MAC(i), 1), 1 + i % 3);
	fdb_add_static(fdb, fdb_make_key(MAC(5000), 1), 9);
	fdb_set_port_limit(fdb, 8, 1);
	pass_time(fdb, &now, 20);
	big = fdb_resize(fdb, 100000);
	fdb_destroy(fdb);
	for (int i = 0; i < 700; i++)
		assert_int_equal(fdb_lookup(big, fdb_make_key(MAC(i), 1)),
				 1 + i % 3);
	assert_int_equal(fdb_lookup(big, fdb_make_key(MAC(5000), 1)), 9);
	assert_int_equal(stats_of(big).entries, 700);
	assert_int_equal(stats_of(big).learned, 700);
	assert_int_equal(stats_of(big).max_entries, 100000);
	fdb_learn(big, fdb_make_key(MAC(6000), 1), 8);
	assert_int_equal(fdb_learn(big, fdb_make_key(MAC(6001), 1), 8),
			 FDB_PORT_FULL);

	small = fdb_resize(big, 100);
	fdb_destroy(big);
	assert_int_equal(stats_of(small).entries, 100);
	assert_int_equal(fdb_lookup(small, fdb_make_key(MAC(5000), 1)), 9);
	/* They are as old as they were; one was learned just now. */
	pass_time(small, &now, 311);
	assert_in_range(stats_of(small).entries, 0, 1);
	pass_time(small, &now, 20);
	assert_int_equal(stats_of(small).entries, 0);
	assert_int_equal(stats_of(small).static_entries, 1);
	fdb_destroy(small);
}

struct log {
	struct fdb_listener listener;
	char text[400];
	int n;
};

static void write_down(struct fdb_listener *listener, enum fdb_change change,
		       uint64_t mac, uint16_t fid, uint16_t port,
		       uint16_t old_port)
{
	struct log *log = CONTAINER_OF(listener, struct log, listener);
	size_t used = strlen(log->text);

	log->n++;
	snprintf(log->text + used, sizeof(log->text) - used, "%c%d/%d:%d>%d ",
		 "ACRS"[change], (int)(mac & 0xff), fid, old_port, port);
}

static void test_listener(void **state)
{
	struct fdb *fdb = make(100, 10);
	struct log log = { { write_down, NULL }, "", 0 };
	uint32_t now = 1000;

	fdb_learn(fdb, fdb_make_key(MAC(1), 2), 3);
	fdb_drain_changes(fdb); /* nobody listens */
	fdb_add_listener(fdb, &log.listener);
	fdb_drain_changes(fdb);
	assert_string_equal(log.text, "S0/0:0>0 ");

	log.text[0] = '\0';
	fdb_learn(fdb, fdb_make_key(MAC(4), 2), 3);
	fdb_drain_changes(fdb);
	fdb_learn(fdb, fdb_make_key(MAC(4), 2), 5);
	fdb_drain_changes(fdb);
	fdb_add_static(fdb, fdb_make_key(MAC(4), 2), 6);
	fdb_drain_changes(fdb);
	fdb_delete(fdb, fdb_make_key(MAC(4), 2));
	fdb_drain_changes(fdb);
	assert_string_equal(log.text, "A4/2:0>3 C4/2:3>5 C4/2:5>6 R4/2:6>0 ");

	log.text[0] = '\0';
	pass_time(fdb, &now, 12); /* 1 ages */
	fdb_drain_changes(fdb);
	assert_string_equal(log.text, "R1/2:3>0 ");

	/* What is no longer so when it is told is left out. */
	log.text[0] = '\0';
	fdb_learn(fdb, fdb_make_key(MAC(7), 2), 3);
	fdb_learn(fdb, fdb_make_key(MAC(7), 2), 4);
	fdb_drain_changes(fdb);
	assert_string_equal(log.text, "C7/2:3>4 ");

	log.text[0] = '\0';
	fdb_remove_listener(fdb, &log.listener);
	fdb_learn(fdb, fdb_make_key(MAC(8), 2), 3);
	fdb_drain_changes(fdb);
	assert_string_equal(log.text, "");
	fdb_destroy(fdb);
}

static void test_listener_overflow(void **state)
{
	struct fdb *fdb = make(100000, 300);
	struct log log = { { write_down, NULL }, "", 0 };

	fdb_add_listener(fdb, &log.listener);
	fdb_drain_changes(fdb);
	log.text[0] = '\0';
	log.n = 0;
	for (int i = 0; i < 50000; i++)
		fdb_learn(fdb, fdb_make_key(MAC(i), 1), 1);
	fdb_drain_changes(fdb);
	assert_string_equal(log.text, "S0/0:0>0 "); /* once */
	fdb_drain_changes(fdb);
	assert_int_equal(log.n, 1);
	fdb_learn(fdb, fdb_make_key(MAC(1), 1), 2);
	fdb_drain_changes(fdb);
	assert_int_equal(log.n, 2);
	fdb_destroy(fdb);
}

/* A table that takes the place of another has its listeners. */
static void test_listener_and_resize(void **state)
{
	struct fdb *fdb = make(100, 300), *new;
	struct log log = { { write_down, NULL }, "", 0 };

	fdb_add_listener(fdb, &log.listener);
	new = fdb_resize(fdb, 1000);
	fdb_destroy(fdb);
	fdb_drain_changes(new);
	fdb_learn(new, fdb_make_key(MAC(1), 1), 2);
	fdb_drain_changes(new);
	assert_string_equal(log.text, "S0/0:0>0 A1/1:0>2 ");
	fdb_destroy(new);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_learn_and_move),
		cmocka_unit_test(test_learn_unmoved),
		cmocka_unit_test(test_announced_together),
		cmocka_unit_test(test_fresh_for_one_tick),
		cmocka_unit_test(test_static),
		cmocka_unit_test(test_static_limit),
		cmocka_unit_test(test_delete),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_ageing),
		cmocka_unit_test(test_age_setting),
		cmocka_unit_test(test_clock_wraps),
		cmocka_unit_test(test_port_limit),
		cmocka_unit_test(test_for_each),
		cmocka_unit_test(test_resize),
		cmocka_unit_test(test_listener),
		cmocka_unit_test(test_listener_overflow),
		cmocka_unit_test(test_listener_and_resize),
	};

	return RUN_IN_BOTH_PLACES(tests);
}
