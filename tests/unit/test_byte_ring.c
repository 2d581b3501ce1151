/* The byte ring: alone, full, wrapped, and with several writers. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/byte_ring.h"

#define WRITERS	   3
#define PER_WRITER 20000

static void in_order_and_wrapping(void **state)
{
	struct byte_ring *ring = byte_ring_create(4096);
	uint32_t len;

	(void)state;
	assert_null(byte_ring_peek(ring, &len));
	for (uint32_t i = 0; i < 5000; i++) {
		uint32_t n = 4 + i % 700;
		uint32_t *p = byte_ring_reserve(ring, n);

		assert_non_null(p);
		memset(p, 0xff, n);
		*p = i;
		byte_ring_commit(p, n);
		p = byte_ring_peek(ring, &len);
		assert_non_null(p);
		assert_int_equal(len, n);
		assert_int_equal(*p, i);
		byte_ring_release(ring);
	}
	assert_null(byte_ring_peek(ring, &len));
	byte_ring_destroy(ring);
}

static void full_refuses_and_recovers(void **state)
{
	struct byte_ring *ring = byte_ring_create(4096);
	unsigned n = 0;
	uint32_t len;
	void *p;

	(void)state;
	assert_null(byte_ring_reserve(ring, 4096));
	while ((p = byte_ring_reserve(ring, 120))) {
		byte_ring_commit(p, 120);
		n++;
	}
	assert_int_equal(n, 4096 / 128);
	byte_ring_peek(ring, &len);
	byte_ring_release(ring);
	p = byte_ring_reserve(ring, 120);
	assert_non_null(p);
	byte_ring_commit(p, 120);
	assert_null(byte_ring_reserve(ring, 120));
	byte_ring_destroy(ring);
}

static void uncommitted_holds_back_later_ones(void **state)
{
	struct byte_ring *ring = byte_ring_create(4096);
	void *first = byte_ring_reserve(ring, 100);
	void *second = byte_ring_reserve(ring, 100);
	uint32_t len;

	(void)state;
	byte_ring_commit(second, 50);
	assert_null(byte_ring_peek(ring, &len));
	byte_ring_commit(first, 0); /* thought better of it */
	assert_ptr_equal(byte_ring_peek(ring, &len), second);
	assert_int_equal(len, 50);
	byte_ring_release(ring);
	assert_null(byte_ring_peek(ring, &len));
	byte_ring_destroy(ring);
}

struct writer {
	struct byte_ring *ring;
	uint32_t id;
};

static void *write_many(void *writer_)
{
	const struct writer *w = writer_;

	for (uint32_t i = 0; i < PER_WRITER; i++) {
		uint32_t *p, n = 8 + i % 90;

		while (!(p = byte_ring_reserve(w->ring, n)))
			sched_yield();
		memset(p, w->id, n);
		p[0] = w->id;
		p[1] = i;
		byte_ring_commit(p, n);
	}
	return NULL;
}

static void writers_keep_their_order(void **state)
{
	struct byte_ring *ring = byte_ring_create(4096);
	struct writer writers[WRITERS];
	pthread_t threads[WRITERS];
	uint32_t next[WRITERS] = { 0 }, len, total = 0;

	(void)state;
	for (uint32_t i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){ ring, i };
		assert_int_equal(pthread_create(&threads[i], NULL, write_many,
						&writers[i]),
				 0);
	}
	while (total < WRITERS * PER_WRITER) {
		uint32_t *p = byte_ring_peek(ring, &len);

		if (!p) {
			sched_yield();
			continue;
		}
		assert_true(p[0] < WRITERS);
		assert_int_equal(p[1], next[p[0]]);
		assert_int_equal(len, 8 + p[1] % 90);
		for (uint32_t i = 8; i < len; i++)
			assert_int_equal(((uint8_t *)p)[i], p[0]);
		next[p[0]]++;
		total++;
		byte_ring_release(ring);
	}
	for (uint32_t i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	byte_ring_destroy(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order_and_wrapping),
		cmocka_unit_test(full_refuses_and_recovers),
		cmocka_unit_test(uncommitted_holds_back_later_ones),
		cmocka_unit_test(writers_keep_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
