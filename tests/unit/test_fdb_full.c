/*
 * The FDB when it is full: who gives way, and that addresses which somebody
 * chose find room as well as random ones do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "forward/fdb_table.h"

#include "fdb_places.h"

#define MAC(n) (0x020000000000ull + (n))

static struct fdb_stats stats_of(const struct fdb *fdb)
{
	struct fdb_stats stats;

	fdb_get_stats(fdb, &stats);
	return stats;
}

static unsigned still_there(const struct fdb *fdb, uint32_t from, uint32_t n,
			    uint16_t port)
{
	unsigned found = 0;

	for (uint32_t i = from; i < from + n; i++)
		found += fdb_lookup(fdb, fdb_make_key(MAC(i), 1)) == port;
	return found;
}

static void learn_many(struct fdb *fdb, uint32_t from, uint32_t n,
		       uint16_t port)
{
	for (uint32_t i = from; i < from + n; i++)
		fdb_learn(fdb, fdb_make_key(MAC(i), 1), port);
}

/* A limit far below the slots there are: who gives way is found all the same.
 */
static void test_sparse(void **state)
{
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct fdb_config config = { .max_entries = 16,
					     .fastpath = fdb_place,
					     .age_s = 300,
					     .seed = seed };
		struct fdb *fdb = fdb_create(&config);

		learn_many(fdb, 100, 40, 1);
		learn_many(fdb, 200, 3, 2);
		assert_int_equal(still_there(fdb, 200, 3, 2), 3);
		assert_int_equal(stats_of(fdb).entries, 16);
		assert_int_equal(stats_of(fdb).refused, 0);
		fdb_destroy(fdb);
	}
	(void)state;
}

/* A port that floods pushes out nothing but its own. */
static void test_flood(void **state)
{
	struct fdb_config config = { .max_entries = 4096,
				     .fastpath = fdb_place,
				     .age_s = 300,
				     .seed = 1 };
	struct fdb *fdb = fdb_create(&config);

	for (uint16_t port = 1; port <= 8; port++)
		learn_many(fdb, port * 1000, 200, port);
	fdb_tick(fdb, 10);
	fdb_tick(fdb, 20); /* the others' are old, the flood is new */
	learn_many(fdb, 1000000, 200000, 9);
	for (uint16_t port = 1; port <= 8; port++)
		assert_int_equal(still_there(fdb, port * 1000, 200, port), 200);
	assert_int_equal(stats_of(fdb).entries, 4096);
	assert_int_equal(stats_of(fdb).refused, 0);
	assert_int_equal(stats_of(fdb).evicted, 200000 + 1600 - 4096);
	/* A late one still gets its place, at the flooding port's cost. */
	learn_many(fdb, 50000, 300, 10);
	assert_int_equal(still_there(fdb, 50000, 300, 10), 300);
	for (uint16_t port = 1; port <= 8; port++)
		assert_int_equal(still_there(fdb, port * 1000, 200, port), 200);
	fdb_destroy(fdb);
}

/* Two that flood in turn share what the others leave. */
static void test_two_floods(void **state)
{
	struct fdb_config config = { .max_entries = 4096,
				     .fastpath = fdb_place,
				     .age_s = 300,
				     .seed = 1 };
	struct fdb *fdb = fdb_create(&config);

	learn_many(fdb, 0, 500, 1);
	for (uint32_t n = 0; n < 200; n++) {
		learn_many(fdb, 1000000 + n * 500, 500, 2);
		learn_many(fdb, 9000000 + n * 500, 500, 3);
	}
	assert_int_equal(still_there(fdb, 0, 500, 1), 500);
	assert_in_range(fdb_port_entries(fdb, 2), 1700, 1900);
	assert_in_range(fdb_port_entries(fdb, 3), 1700, 1900);
	fdb_destroy(fdb);
}

/* Old entries of the port that gives way go before new ones. */
static void test_oldest_first(void **state)
{
	struct fdb_config config = { .max_entries = 4096,
				     .fastpath = fdb_place,
				     .age_s = 300,
				     .seed = 1 };
	struct fdb *fdb = fdb_create(&config);

	learn_many(fdb, 0, 2048, 1);
	fdb_tick(fdb, 0);
	fdb_tick(fdb, 5);
	learn_many(fdb, 100000, 2048, 1);
	learn_many(fdb, 200000, 1024, 2);
	assert_int_equal(still_there(fdb, 100000, 2048, 1), 2048);
	assert_int_equal(still_there(fdb, 0, 2048, 1), 1024);
	assert_int_equal(still_there(fdb, 200000, 1024, 2), 1024);
	fdb_destroy(fdb);
}

/* Nothing gives way to a port that holds as much as any other. */
static void test_nothing_gives_way(void **state)
{
	struct fdb_config config = { .max_entries = 16,
				     .fastpath = fdb_place,
				     .age_s = 300,
				     .seed = 1 };
	struct fdb *fdb = fdb_create(&config);

	/* A sample of so few entries finds none of the 16 now and then. */
	for (uint16_t port = 1; port <= 16; port++)
		learn_many(fdb, port, 1, port);
	for (uint32_t i = 0; i < 1000; i++)
		fdb_learn(fdb, fdb_make_key(MAC(1000 + i), 1), 1);
	assert_int_equal(stats_of(fdb).entries, 16);
	assert_int_equal(stats_of(fdb).evicted + stats_of(fdb).refused, 1000);
	/* Those that hold one each cannot lose more than to be level. */
	assert_in_range(fdb_port_entries(fdb, 1), 1, 2);
	fdb_destroy(fdb);
}

typedef fdb_key pattern_fn(uint32_t i);

static fdb_key sequential(uint32_t i)
{
	return fdb_make_key(MAC(i), 1);
}

static fdb_key one_oui(uint32_t i)
{
	return fdb_make_key(0x525400000000 | (i * 2654435761u >> 8 & 0xffffff),
			    1 + (i >> 14));
}

static fdb_key high_bytes(uint32_t i)
{
	return fdb_make_key((uint64_t)i << 28, 1);
}

static fdb_key fids(uint32_t i)
{
	return fdb_make_key(MAC(i >> 12), i & 0xfff);
}

static fdb_key every_256th(uint32_t i)
{
	return fdb_make_key((uint64_t)i << 8, 1);
}

/* One bit in each second place: few that differ, always far apart. */
static fdb_key spread_bits(uint32_t i)
{
	uint64_t mac = 0;

	for (int bit = 0; bit < 20; bit++)
		mac |= (uint64_t)(i >> bit & 1) << bit * 2;
	return fdb_make_key(mac, 1);
}

/* All of 20 bits and their complement: low entropy, equal sums. */
static fdb_key mirrored(uint32_t i)
{
	return fdb_make_key((uint64_t)(~i & 0xfffff) << 24 | i, 1);
}

/*
 * At half load 3.9 % of the entries find their first bucket full when addresses
 * fall at random; none may find all of theirs full.
 */
static void check_pattern(pattern_fn *pattern, uint64_t seed, uint32_t n)
{
	struct fdb_config config = { .max_entries = n,
				     .fastpath = fdb_place,
				     .age_s = 300,
				     .seed = seed };
	struct fdb *fdb = fdb_create(&config);
	uint32_t n_new = 0, n_later = 0;

	for (uint32_t i = 0; i < n; i++)
		n_new += fdb_learn(fdb, pattern(i), 1 + i % 100) == FDB_LEARNED;
	for (uint32_t i = 0; i < n; i++) {
		struct fdb_slot slot;
		uint64_t hash = fdb_hash(&fdb->table, pattern(i));

		assert_int_not_equal(fdb_lookup(fdb, pattern(i)), FDB_NONE);
		assert_true(fdb_find_slot(&fdb->table, pattern(i), &slot));
		n_later += slot.bucket != fdb_primary(&fdb->table, hash);
	}
	assert_int_equal(n_new, n);
	assert_int_equal(stats_of(fdb).refused, 0);
	assert_int_equal(stats_of(fdb).evicted, 0);
	assert_int_equal(stats_of(fdb).entries, n);
	assert_in_range(n_later, 0, (uint64_t)n * 47 / 1000);
	fdb_destroy(fdb);
}

static void test_patterns(void **state)
{
	static pattern_fn *const patterns[] = { sequential,  one_oui,
						high_bytes,  fids,
						every_256th, spread_bits,
						mirrored };

	for (unsigned p = 0; p < ARRAY_SIZE(patterns); p++)
		for (uint64_t seed = 1; seed <= 8; seed++)
			check_pattern(patterns[p], seed, 1u << 15);
}

static void test_million(void **state)
{
	check_pattern(sequential, 1, 1u << 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sparse),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_two_floods),
		cmocka_unit_test(test_oldest_first),
		cmocka_unit_test(test_nothing_gives_way),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_million),
	};

	return RUN_IN_BOTH_PLACES(tests);
}
