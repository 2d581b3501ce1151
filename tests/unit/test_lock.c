/* Named locks: queues, stealing, leaving (RFC 7047 section 4.1.8). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ovsdb-lite/lock.h"

struct owner {
	struct ovsdb_lock_owner base;
	char heard[64]; /* what it was told, e.g. "+a-a" */
};

static void notify(struct ovsdb_lock_owner *base, const char *name, bool gained)
{
	struct owner *o = (struct owner *)base;

	strcat(o->heard, gained ? "+" : "-");
	strcat(o->heard, name);
}

static struct owner new_owner(void)
{
	return (struct owner){ .base.notify = notify };
}

static void test_queue(void **state)
{
	struct ovsdb_locks *locks = ovsdb_locks_create();
	struct owner a = new_owner(), b = new_owner(), c = new_owner();
	bool held;

	assert_int_equal(ovsdb_lock(locks, &a.base, "x", false, &held), 0);
	assert_true(held);
	assert_int_equal(ovsdb_lock(locks, &b.base, "x", false, &held), 0);
	assert_false(held);
	assert_int_equal(ovsdb_lock(locks, &c.base, "x", false, &held), 0);
	assert_int_equal(ovsdb_lock(locks, &b.base, "x", false, &held),
			 -EALREADY);
	assert_int_equal(ovsdb_lock(locks, &b.base, "x", true, &held),
			 -EALREADY);
	assert_true(ovsdb_lock_held(&a.base, "x"));
	assert_false(ovsdb_lock_held(&b.base, "x"));
	assert_false(ovsdb_lock_held(&a.base, "y"));

	/* b leaves the queue: nobody hears. a unlocks: c has it. */
	assert_int_equal(ovsdb_unlock(locks, &b.base, "x"), 0);
	assert_int_equal(ovsdb_unlock(locks, &b.base, "x"), -ENOENT);
	assert_int_equal(ovsdb_unlock(locks, &a.base, "x"), 0);
	assert_string_equal(c.heard, "+x");
	assert_string_equal(b.heard, "");
	assert_true(ovsdb_lock_held(&c.base, "x"));
	ovsdb_unlock_all(locks, &c.base);
	ovsdb_locks_destroy(locks);
}

static void test_steal(void **state)
{
	struct ovsdb_locks *locks = ovsdb_locks_create();
	struct owner a = new_owner(), b = new_owner();
	bool held;

	ovsdb_lock(locks, &a.base, "x", false, &held);
	assert_int_equal(ovsdb_lock(locks, &b.base, "x", true, &held), 0);
	assert_true(held);
	assert_string_equal(a.heard, "-x");
	assert_false(ovsdb_lock_held(&a.base, "x"));
	/* The robbed one waits behind, and has it back later. */
	ovsdb_unlock_all(locks, &b.base);
	assert_string_equal(a.heard, "-x+x");
	assert_true(ovsdb_lock_held(&a.base, "x"));
	ovsdb_unlock_all(locks, &a.base);
	ovsdb_locks_destroy(locks);
}

static void test_limit(void **state)
{
	struct ovsdb_locks *locks = ovsdb_locks_create();
	struct owner a = new_owner();
	char name[16];
	bool held;

	for (int i = 0; i < OVSDB_MAX_LOCKS; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		assert_int_equal(ovsdb_lock(locks, &a.base, name, false, &held),
				 0);
	}
	assert_int_equal(ovsdb_lock(locks, &a.base, "more", false, &held),
			 -ENOSPC);
	ovsdb_unlock_all(locks, &a.base);
	assert_int_equal(a.base.n_waiters, 0);
	ovsdb_locks_destroy(locks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_steal),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
