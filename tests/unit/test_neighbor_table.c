/*
 * The workers' neighbor table: against a model, and under readers while it is
 * written: what they find is what was there at some moment.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "packet/packet.h"
#include "router/neighbor_table.h"
#include "tests/unit/frames.h"

#define ADDRESSES 256
#define ENTRIES	  200
#define MAC(i)	  (0x020000000000ull | (i))

/* Address i: IPv4 when even, IPv6 when odd. */
static unsigned address(unsigned i, uint8_t ip[16])
{
	memset(ip, 0, 16);
	if (i % 2 == 0) {
		store_be32(ip, 0x0a140000 + i);
		return 4;
	}
	store_be16(ip, 0xfd20);
	store_be32(ip + 12, i);
	return 16;
}

static uint64_t find(struct neighbor_table *t, unsigned i)
{
	uint8_t ip[16];

	if (address(i, ip) == 4)
		return neighbor_table_find4(t, load_be32(ip));
	return neighbor_table_find6(t, ip);
}

static void set(struct neighbor_table *t, unsigned i, uint64_t mac)
{
	uint8_t ip[16];
	unsigned len = address(i, ip);

	neighbor_table_set(t, ip, len, mac);
}

static void is_a_map(void **state)
{
	for (unsigned seed = 0; seed < 20; seed++) {
		struct neighbor_table *t = neighbor_table_create(ENTRIES, seed);
		uint64_t model[ADDRESSES] = { 0 };
		uint32_t random = seed + 1;
		unsigned n = 0;

		for (unsigned round = 0; round < 5000; round++) {
			unsigned i = next_random(&random) % ADDRESSES;
			uint64_t mac =
				next_random(&random) % 3 ? MAC(round) : 0;

			set(t, i, mac);
			if (model[i] || n < ENTRIES) {
				n += !model[i] && mac;
				n -= model[i] && !mac;
				model[i] = mac;
			}
			i = next_random(&random) % ADDRESSES;
			assert_true(find(t, i) == model[i]);
		}
		for (unsigned i = 0; i < ADDRESSES; i++)
			assert_true(find(t, i) == model[i]);
		neighbor_table_destroy(t);
	}
}

struct used {
	unsigned n;
	uint8_t ip[ADDRESSES][16];
	unsigned len[ADDRESSES];
};

static void note(const uint8_t *ip, unsigned len, void *used_)
{
	struct used *used = used_;

	assert_true(used->n < ADDRESSES);
	memcpy(used->ip[used->n], ip, len);
	used->len[used->n++] = len;
}

static void tells_what_was_used(void **state)
{
	struct neighbor_table *t = neighbor_table_create(16, 1);
	static struct used used;
	uint8_t ip[16];

	for (unsigned i = 0; i < 8; i++)
		set(t, i, MAC(i + 1));
	neighbor_table_take_used(t, note, &used);
	assert_int_equal(used.n, 0);
	find(t, 2);
	find(t, 2);
	find(t, 5);
	find(t, 100); /* not there */
	neighbor_table_take_used(t, note, &used);
	assert_int_equal(used.n, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(used.len[i], address(i ? 5 : 2, ip));
		assert_memory_equal(used.ip[i], ip, used.len[i]);
	}
	used.n = 0;
	neighbor_table_take_used(t, note, &used);
	assert_int_equal(used.n, 0);
	assert_true(find(t, 2) == MAC(3)); /* the mark is no part of it */
	neighbor_table_destroy(t);
	neighbor_table_destroy(NULL);
}

/* --- readers and a writer ------------------------------------------------- */

#define ROUNDS 30000

static struct neighbor_table *shared;
static _Atomic unsigned wrong, done;

/* The MAC of address i always has i in it. */
static void *reader(void *arg)
{
	uint32_t random = 1 + (uintptr_t)arg;

	while (!atomic_load(&done)) {
		unsigned i = next_random(&random) % ADDRESSES;
		uint64_t mac = find(shared, i);

		if (mac && (mac & 0xffff) != i + 1)
			atomic_fetch_add(&wrong, 1);
		/* These are never removed. */
		if (i < 16 && !mac)
			atomic_fetch_add(&wrong, 1);
	}
	return NULL;
}

static void count(const uint8_t *ip, unsigned len, void *n)
{
	++*(unsigned *)n;
}

static void readers_see_what_was_there(void **state)
{
	pthread_t threads[2];
	uint32_t random = 99;
	unsigned used = 0;

	shared = neighbor_table_create(ADDRESSES, 3);
	for (unsigned i = 0; i < 16; i++)
		set(shared, i, MAC(i + 1));
	for (uintptr_t i = 0; i < 2; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, reader, (void *)i),
			0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned i = next_random(&random) % ADDRESSES;
		uint64_t mac = (uint64_t)(round & 0xff) << 16;

		set(shared, i, i < 16 || round % 3 ? MAC(mac | (i + 1)) : 0);
		if (round % 1000 == 0)
			neighbor_table_take_used(shared, count, &used);
	}
	atomic_store(&done, 1);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(wrong, 0);
	neighbor_table_destroy(shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_a_map),
		cmocka_unit_test(tells_what_was_used),
		cmocka_unit_test(readers_see_what_was_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
