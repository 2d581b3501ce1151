/*
 * What a control plane puts into the FDB: it does not age, gives way to a
 * station that is heard elsewhere unless it is sticky, has a quota of its own,
 * and is taken back only where it is still so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "forward/fdb.h"

#include "fdb_places.h"

#define MAC(n) (0x020000000000 + (n))
#define KEY(n) fdb_make_key(MAC(n), 10)
#define LOCAL  3 /* ports */
#define REMOTE 70
#define OTHER  71

static struct fdb *make(uint32_t max_entries, uint32_t max_controlled)
{
	struct fdb_config config = { .max_entries = max_entries,
				     .fastpath = fdb_place,
				     .max_controlled = max_controlled,
				     .age_s = 10,
				     .seed = 1 };
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

static bool keep_entry(const struct fdb_entry *entry, void *aux)
{
	*(struct fdb_entry *)aux = *entry;
	return false;
}

/* The only one that is there. */
static struct fdb_entry only_entry(const struct fdb *fdb)
{
	struct fdb_entry entry = { 0 };

	fdb_for_each(fdb, keep_entry, &entry);
	return entry;
}

static void test_does_not_age(void **state)
{
	struct fdb *fdb = make(100, 100);

	assert_int_equal(fdb_add_controlled(fdb, KEY(1), REMOTE, false), 0);
	assert_int_equal(fdb_lookup(fdb, KEY(1)), REMOTE);
	for (uint32_t now = 1001; now < 1100; now++)
		fdb_tick(fdb, now);
	assert_int_equal(fdb_lookup(fdb, KEY(1)), REMOTE);
	assert_int_equal(only_entry(fdb).age_s, 99);
	assert_true(only_entry(fdb).is_controlled);
	assert_false(only_entry(fdb).is_static);
	assert_false(only_entry(fdb).is_sticky);
	assert_int_equal(stats_of(fdb).controlled_entries, 1);
	assert_int_equal(stats_of(fdb).entries, 0);
	assert_int_equal(fdb_port_controlled(fdb, REMOTE), 1);
	assert_int_equal(fdb_port_entries(fdb, REMOTE), 0);
	fdb_destroy(fdb);
}

/* Once a tick it is written; all other frames find it fresh. */
static void check_fresh(bool sticky)
{
	struct fdb *fdb = make(100, 100);

	fdb_add_controlled(fdb, KEY(1), REMOTE, sticky);
	assert_true(fdb_is_fresh(fdb, KEY(1), REMOTE));
	assert_false(fdb_is_fresh(fdb, KEY(1), LOCAL));
	fdb_tick(fdb, 1007);
	assert_false(fdb_is_fresh(fdb, KEY(1), REMOTE));
	assert_int_equal(fdb_learn(fdb, KEY(1), REMOTE), FDB_REFRESHED);
	assert_true(fdb_is_fresh(fdb, KEY(1), REMOTE));
	assert_int_equal(only_entry(fdb).age_s, 0);
	assert_true(only_entry(fdb).is_controlled);
	assert_int_equal(only_entry(fdb).is_sticky, sticky);
	assert_int_equal(fdb_port_controlled(fdb, REMOTE), 1);
	assert_int_equal(fdb_port_entries(fdb, REMOTE), 0);
	fdb_destroy(fdb);
}

static void test_fresh_once_a_tick(void **state)
{
	check_fresh(false);
	check_fresh(true);
}

struct told {
	struct fdb_listener listener;
	enum fdb_change change;
	uint16_t port, old_port;
	unsigned n;
};

static void note_change(struct fdb_listener *listener, enum fdb_change change,
			uint64_t mac, uint16_t fid, uint16_t port,
			uint16_t old_port)
{
	struct told *t = CONTAINER_OF(listener, struct told, listener);

	if (change == FDB_RESYNC)
		return;
	t->change = change;
	t->port = port;
	t->old_port = old_port;
	t->n++;
}

static void test_moves_where_it_is_heard(void **state)
{
	struct told told = { .listener.change = note_change };
	struct fdb *fdb = make(100, 100);

	fdb_add_listener(fdb, &told.listener);
	fdb_drain_changes(fdb);
	fdb_add_controlled(fdb, KEY(1), REMOTE, false);
	fdb_drain_changes(fdb);
	assert_int_equal(told.change, FDB_ADDED);
	assert_int_equal(told.port, REMOTE);
	assert_int_equal(fdb_learn(fdb, KEY(1), LOCAL), FDB_MOVED);
	fdb_drain_changes(fdb);
	assert_int_equal(told.change, FDB_CHANGED_PORT);
	assert_int_equal(told.port, LOCAL);
	assert_int_equal(told.old_port, REMOTE);
	assert_int_equal(told.n, 2);
	/* A learned one now, in every respect. */
	assert_false(only_entry(fdb).is_controlled);
	assert_int_equal(stats_of(fdb).controlled_entries, 0);
	assert_int_equal(stats_of(fdb).entries, 1);
	assert_int_equal(fdb_port_controlled(fdb, REMOTE), 0);
	assert_int_equal(fdb_port_entries(fdb, LOCAL), 1);
	assert_int_equal(fdb_delete_controlled(fdb, KEY(1), REMOTE), -ENOENT);
	assert_int_equal(fdb_delete_controlled(fdb, KEY(1), LOCAL), -ENOENT);
	assert_int_equal(fdb_lookup(fdb, KEY(1)), LOCAL);
	/* And back, as the control plane hears of another move. */
	assert_int_equal(fdb_add_controlled(fdb, KEY(1), OTHER, false), 0);
	assert_int_equal(fdb_lookup(fdb, KEY(1)), OTHER);
	assert_int_equal(fdb_port_entries(fdb, LOCAL), 0);
	fdb_destroy(fdb);
}

static void test_sticky_stays(void **state)
{
	struct fdb *fdb = make(100, 100);

	fdb_add_controlled(fdb, KEY(1), REMOTE, true);
	assert_int_equal(fdb_learn(fdb, KEY(1), LOCAL), FDB_IS_STATIC);
	assert_int_equal(fdb_lookup(fdb, KEY(1)), REMOTE);
	assert_true(only_entry(fdb).is_sticky);
	/* Said anew, it need not be sticky any more, nor there. */
	assert_int_equal(fdb_add_controlled(fdb, KEY(1), OTHER, false), 0);
	assert_int_equal(fdb_port_controlled(fdb, REMOTE), 0);
	assert_int_equal(fdb_port_controlled(fdb, OTHER), 1);
	assert_int_equal(fdb_learn(fdb, KEY(1), LOCAL), FDB_MOVED);
	fdb_destroy(fdb);
}

static void test_static_is_not_replaced(void **state)
{
	struct fdb *fdb = make(100, 100);

	fdb_add_static(fdb, KEY(1), LOCAL);
	assert_int_equal(fdb_add_controlled(fdb, KEY(1), REMOTE, true),
			 -EEXIST);
	assert_int_equal(fdb_delete_controlled(fdb, KEY(1), LOCAL), -ENOENT);
	assert_int_equal(fdb_lookup(fdb, KEY(1)), LOCAL);
	/* The other way a person has the last word. */
	fdb_add_controlled(fdb, KEY(2), REMOTE, true);
	assert_int_equal(fdb_add_static(fdb, KEY(2), LOCAL), 0);
	assert_int_equal(stats_of(fdb).controlled_entries, 0);
	assert_int_equal(stats_of(fdb).static_entries, 2);
	assert_int_equal(fdb_learn(fdb, KEY(2), REMOTE), FDB_IS_STATIC);
	fdb_destroy(fdb);
}

static void test_deleted_where_it_is(void **state)
{
	struct fdb *fdb = make(100, 100);

	fdb_add_controlled(fdb, KEY(1), REMOTE, false);
	assert_int_equal(fdb_delete_controlled(fdb, KEY(1), OTHER), -ENOENT);
	assert_int_equal(fdb_delete_controlled(fdb, KEY(1), REMOTE), 0);
	assert_int_equal(fdb_delete_controlled(fdb, KEY(1), REMOTE), -ENOENT);
	assert_int_equal(fdb_lookup(fdb, KEY(1)), FDB_NONE);
	fdb_add_controlled(fdb, KEY(1), REMOTE, true);
	assert_int_equal(fdb_delete(fdb, KEY(1)), 0);
	assert_int_equal(stats_of(fdb).controlled_entries, 0);
	assert_int_equal(fdb_port_controlled(fdb, REMOTE), 0);
	fdb_destroy(fdb);
}

static void test_flush_and_purge(void **state)
{
	struct fdb *fdb = make(100, 100);

	fdb_add_controlled(fdb, KEY(1), REMOTE, false);
	fdb_add_controlled(fdb, KEY(2), REMOTE, true);
	fdb_add_controlled(fdb, KEY(3), OTHER, false);
	fdb_learn(fdb, KEY(4), REMOTE);
	assert_int_equal(fdb_flush(fdb, REMOTE, -1), 1);
	assert_int_equal(fdb_flush(fdb, 0, -1), 0);
	assert_int_equal(fdb_purge_port(fdb, REMOTE), 2);
	assert_int_equal(fdb_purge_port(fdb, REMOTE), 0);
	assert_int_equal(fdb_lookup(fdb, KEY(3)), OTHER);
	assert_int_equal(stats_of(fdb).controlled_entries, 1);
	fdb_destroy(fdb);
}

static void test_own_quota(void **state)
{
	struct fdb *fdb = make(4, 3), *more;

	for (unsigned i = 0; i < 4; i++)
		fdb_learn(fdb, KEY(i), LOCAL);
	for (unsigned i = 10; i < 13; i++)
		assert_int_equal(fdb_add_controlled(fdb, KEY(i), REMOTE, false),
				 0);
	assert_int_equal(fdb_add_controlled(fdb, KEY(13), REMOTE, false),
			 -ENOSPC);
	assert_int_equal(fdb_add_controlled(fdb, KEY(0), REMOTE, false),
			 -ENOSPC);
	assert_int_equal(fdb_lookup(fdb, KEY(0)), LOCAL);
	/* One that is there already is no more. */
	assert_int_equal(fdb_add_controlled(fdb, KEY(12), OTHER, true), 0);
	/* No number of stations takes their place. */
	for (unsigned i = 100; i < 5000; i++)
		fdb_learn(fdb, KEY(i), LOCAL + i % 8);
	assert_int_equal(stats_of(fdb).controlled_entries, 3);
	assert_int_equal(stats_of(fdb).entries, 4);

	more = fdb_resize_controlled(fdb, 1000);
	fdb_destroy(fdb);
	assert_int_equal(stats_of(more).max_entries, 4);
	for (unsigned i = 10000; i < 10997; i++)
		assert_int_equal(
			fdb_add_controlled(more, KEY(i), REMOTE, false), 0);
	assert_int_equal(fdb_add_controlled(more, KEY(13), REMOTE, false),
			 -ENOSPC);
	assert_int_equal(fdb_learn(more, KEY(12), LOCAL), FDB_IS_STATIC);
	assert_int_equal(fdb_lookup(more, KEY(10)), REMOTE);
	fdb_destroy(more);
}

/* To a port at its limit nothing moves, and in a full table another goes. */
static void test_move_needs_room(void **state)
{
	struct fdb *fdb = make(2, 10);

	fdb_add_controlled(fdb, KEY(1), REMOTE, false);
	fdb_learn(fdb, KEY(2), LOCAL);
	fdb_set_port_limit(fdb, LOCAL, 1);
	assert_int_equal(fdb_learn(fdb, KEY(1), LOCAL), FDB_PORT_FULL);
	assert_int_equal(fdb_lookup(fdb, KEY(1)), REMOTE);
	fdb_set_port_limit(fdb, LOCAL, 0);
	fdb_learn(fdb, KEY(3), LOCAL);
	assert_int_equal(fdb_learn(fdb, KEY(1), OTHER), FDB_MOVED);
	assert_int_equal(stats_of(fdb).entries, 2);
	assert_int_equal(stats_of(fdb).evicted, 1);
	assert_int_equal(fdb_port_entries(fdb, LOCAL), 1);
	fdb_destroy(fdb);
}

static void test_never_below_what_is_there(void **state)
{
	struct fdb *fdb = make(100, 600), *less;

	for (unsigned i = 0; i < 500; i++)
		fdb_add_controlled(fdb, KEY(i), REMOTE, i % 2);
	less = fdb_resize_controlled(fdb, 10);
	fdb_destroy(fdb);
	assert_int_equal(stats_of(less).max_controlled, 500);
	assert_int_equal(stats_of(less).controlled_entries, 500);
	for (unsigned i = 0; i < 500; i++)
		assert_int_equal(fdb_learn(less, KEY(i), REMOTE),
				 FDB_REFRESHED);
	fdb = fdb_resize(less, FDB_SIZE_MAX);
	fdb_destroy(less);
	assert_int_equal(stats_of(fdb).max_entries, FDB_SIZE_MAX - 500);
	assert_int_equal(fdb_port_controlled(fdb, REMOTE), 500);
	fdb_destroy(fdb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_does_not_age),
		cmocka_unit_test(test_fresh_once_a_tick),
		cmocka_unit_test(test_moves_where_it_is_heard),
		cmocka_unit_test(test_sticky_stays),
		cmocka_unit_test(test_static_is_not_replaced),
		cmocka_unit_test(test_deleted_where_it_is),
		cmocka_unit_test(test_flush_and_purge),
		cmocka_unit_test(test_own_quota),
		cmocka_unit_test(test_move_needs_room),
		cmocka_unit_test(test_never_below_what_is_there),
	};

	return RUN_IN_BOTH_PLACES(tests);
}
