/*
 * Two workers, each with both directions of the same flows, that open, use and
 * lose sessions, while the control thread ages, flushes, adds and removes
 * forwards and outside addresses, lists and saves. At the end what is counted
 * is what is there, and everything can be given back.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "frames.h"
#include "nat_fixture.h"

#define ROUNDS	20000
#define CLIENTS 8
#define PORTS	64

static struct lab lab;
static _Atomic(uint64_t) now_ms;
static _Atomic(unsigned) running;
static _Atomic(uint64_t) wrong;
static uint8_t frames[CLIENTS * PORTS][4096];
static uint32_t frame_lens[CLIENTS * PORTS];

static void one_round(unsigned thread, uint32_t *seed)
{
	uint32_t i = next_random(seed) % (CLIENTS * PORTS);
	struct nat_result r;
	struct packet p, *ps = &p;
	uint8_t reply[64];

	nat_enter(lab.nat, thread, atomic_load(&now_ms));
	packet_init(&p, frames[i], frame_lens[i]);
	nat_outbound(lab.nat, thread, &ps, 1, &r);
	if (r.verdict == NAT_FORWARD) {
		/* answered at once: to the address and port that it has now */
		memcpy(reply, p.header, 64);
		memcpy(reply + 26, p.header + 30, 4);
		memcpy(reply + 30, p.header + 26, 4);
		memcpy(reply + 34, p.header + 36, 2);
		memcpy(reply + 36, p.header + 34, 2);
		packet_init(&p, reply, 64);
		nat_inbound(lab.nat, thread, &ps, 1, &r);
		if (r.verdict == NAT_FORWARD &&
		    (memcmp(p.header + 30, frames[i] + 26, 4) != 0 ||
		     memcmp(p.header + 36, frames[i] + 34, 2) != 0))
			atomic_fetch_add(&wrong, 1);
	}
	nat_leave(lab.nat, thread);
}

static void *worker(void *thread)
{
	uint32_t seed = 1 + (uintptr_t)thread;

	for (int i = 0; i < ROUNDS; i++)
		one_round((uintptr_t)thread, &seed);
	atomic_fetch_sub(&running, 1);
	return NULL;
}

static bool look(const struct nat_entry *e, void *n)
{
	++*(uint32_t *)n;
	return true;
}

static int swallow(const void *data, size_t len, void *aux)
{
	return 0;
}

static void control(uint32_t *seed)
{
	struct nat_addr pool[2] = { addr(OUT_1), addr(OUT_2) };
	struct nat_forward f = { .version = 4,
				 .protocol = NAT_UDP,
				 .any_outside = true,
				 .outside_lo = 100,
				 .outside_hi = 120,
				 .to_inside = true,
				 .inside = addr("10.0.0.1"),
				 .inside_port = 1030 };
	struct nat_filter filter;
	struct nat_stats stats;
	uint32_t n = 0;

	atomic_fetch_add(&now_ms, 500);
	nat_age(lab.nat, atomic_load(&now_ms), UINT32_MAX);
	nat_filter_all(&filter);
	switch (next_random(seed) % 8) {
	case 0:
		filter.inside = addr("10.0.0.3");
		nat_flush(lab.nat, &filter);
		break;
	case 1:
		if (!nat_add_forward(lab.nat, &f, NULL))
			assert_int_equal(nat_remove_forward(lab.nat, &f, NULL),
					 0);
		break;
	case 2:
		nat_set_outside(lab.nat, pool, 1 + next_random(seed) % 2, NULL);
		break;
	case 3:
		nat_list(lab.nat, atomic_load(&now_ms), &filter, look, &n);
		break;
	case 4:
		nat_save(lab.nat, atomic_load(&now_ms), swallow, NULL);
		break;
	case 5:
		atomic_fetch_add(&now_ms, 200000);
		break;
	default:
		nat_get_stats(lab.nat, &stats);
	}
}

static void run(enum nat_filtering filtering)
{
	static const char *const outside[] = { OUT_1, OUT_2 };
	struct nat_filter all;
	struct nat_stats stats;
	pthread_t threads[2];
	uint32_t seed = 9, n = 0;
	struct pkt k;

	lab_init(&lab);
	lab.config.n_threads = 2;
	lab.config.max_sessions = 400; /* full now and then */
	lab.config.filtering = filtering;
	lab_start(&lab, outside, 2);
	atomic_store(&now_ms, 1000000);
	for (int i = 0; i < CLIENTS * PORTS; i++) {
		char src[24];

		snprintf(src, sizeof(src), "10.0.0.%d", 1 + i / PORTS);
		pkt_udp_len(&k, src, 1024 + i % PORTS, REMOTE, 53, 30);
		memcpy(frames[i], k.data, k.len);
		frame_lens[i] = k.len;
	}
	atomic_store(&running, 2);
	for (uintptr_t i = 0; i < 2; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, worker, (void *)i),
			0);
	while (atomic_load(&running))
		control(&seed);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&wrong), 0);
	nat_filter_all(&all);
	nat_list(lab.nat, 0, &all, look, &n);
	nat_get_stats(lab.nat, &stats);
	assert_int_equal(stats.sessions, n);
	lab.now_ms = atomic_load(&now_ms);
	nat_flush(lab.nat, &all);
	for (int i = 0; i < 4; i++)
		lab_wait(&lab, 1000);
	nat_get_stats(lab.nat, &stats);
	assert_int_equal(stats.sessions, 0);
	assert_int_equal(stats.mappings, 0);
	assert_int_equal(stats.clients, 0);
	assert_int_equal(stats.quarantined, 0);
	lab_stop(&lab);
}

static void test_nat_threads(void **state)
{
	run(NAT_FILTER_NONE);
}

static void test_nat_threads_filtering(void **state)
{
	run(NAT_FILTER_ADDRESS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nat_threads),
		cmocka_unit_test(test_nat_threads_filtering),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
