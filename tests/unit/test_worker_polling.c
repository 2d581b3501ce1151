/* Which queues a worker polls, which it arms, and when it sleeps. */
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/ticks.h"
#include "port/null.h"
#include "tests/unit/switch_fixture.h"
#include "worker/thread.h"
#include "worker/window.h"

/* --- windows ----------------------------------------------------------- */

static void a_window_opens_when_polling_would_have_paid(void **state)
{
	struct poll_window w = { 0 };

	(void)state;
	assert_false(window_open(&w, 0, 1000));
	window_learn(&w, 100, 1000);
	assert_int_equal(w.ticks, 200);
	/* What it was open for leaves it as it is. */
	window_learn(&w, 150, 1000);
	assert_int_equal(w.ticks, 200);
	assert_true(window_open(&w, 199, 1000));
	assert_false(window_open(&w, 200, 1000));
	window_learn(&w, 900, 1000);
	assert_int_equal(w.ticks, 1000);
}

static void a_window_closes_when_it_would_not(void **state)
{
	struct poll_window w = { .ticks = 1000 };
	unsigned n = 0;

	(void)state;
	for (; w.ticks; n++)
		window_learn(&w, 1001, 1000);
	assert_in_range(n, 2, 8);
}

static void a_window_keeps_to_the_limit(void **state)
{
	struct poll_window w = { .ticks = 1000 };

	(void)state;
	assert_false(window_open(&w, 100, 100));
	assert_false(window_open(&w, 0, 0));
	window_learn(&w, 50, 100);
	assert_int_equal(w.ticks, 100);
	window_learn(&w, 50, 0);
	assert_int_equal(w.ticks, 0);
}

/* --- queues in memory -------------------------------------------------- */

#define PORTS	3
#define FOREVER 4000000000u /* microseconds that no test takes */

/* Null ports, as if their queues were virtqueues; arm() counts. */
struct setup {
	struct fdb *fdb;
	struct port *ports[PORTS];
	struct worker_pool *pool;
	struct fwd_snapshot *snapshot;
	_Atomic unsigned sent; /* at port 1 */
	uint64_t generation;
};

static struct port_class in_memory, in_kernel;
static const struct port_class *null_class;
static _Atomic unsigned arms;

static bool counting_arm(struct port_rxq *rxq)
{
	bool armed = null_class->arm(rxq);

	if (armed)
		atomic_fetch_add(&arms, 1);
	return armed;
}

static bool count(struct packet *p, unsigned thread, void *counter)
{
	(void)p;
	(void)thread;
	atomic_fetch_add((_Atomic unsigned *)counter, 1);
	return true;
}

static void make_classes(void)
{
	null_class = port_class_find("null");
	in_kernel = *null_class;
	in_kernel.arm = counting_arm;
	in_kernel.polls_in_memory = false;
	in_memory = in_kernel;
	in_memory.polls_in_memory = true;
}

static void publish(struct setup *s)
{
	const struct vlan_config trunk = { .mode = VLAN_TRUNK };
	struct fwd_snapshot *old = s->snapshot;
	struct fwd_bridge *br;

	s->snapshot = fwd_snapshot_create(++s->generation);
	br = fwd_snapshot_add_bridge(s->snapshot, "br0", s->fdb);
	for (unsigned i = 0; i < PORTS; i++)
		fwd_bridge_add_port(br, s->ports[i], i + 1, &trunk);
	fwd_snapshot_finish(s->snapshot, old, worker_pool_count(s->pool));
	worker_pool_publish(s->pool, s->snapshot);
	fwd_snapshot_destroy(old);
}

/* Without a snapshot yet. */
static struct setup *begin(unsigned poll_idle_us)
{
	struct fdb_config fdb = { .max_entries = 64, .age_s = 300 };
	struct setup *s = xcalloc(1, sizeof(*s));

	make_classes();
	s->fdb = fdb_create(&fdb);
	s->pool = worker_pool_create(1, NULL);
	assert_non_null(s->pool);
	worker_pool_set_poll_idle(s->pool, poll_idle_us);
	for (unsigned i = 0; i < PORTS; i++) {
		const struct port_config config = {
			.name = "p", .type = "null", .n_threads = 2, .n_rxqs = 1
		};

		assert_int_equal(port_open(&config, &s->ports[i], NULL), 0);
		s->ports[i]->class = &in_memory;
	}
	null_set_sink(s->ports[1], count, &s->sent);
	return s;
}

static void end(struct setup *s)
{
	worker_pool_destroy(s->pool);
	fwd_snapshot_destroy(s->snapshot);
	for (unsigned i = 0; i < PORTS; i++)
		port_close(s->ports[i]);
	fdb_destroy(s->fdb);
	free(s);
}

/* A broadcast in at a port, and out again at port 1. */
static void pass(struct setup *s, unsigned port)
{
	unsigned sent = atomic_load(&s->sent);
	uint8_t frame[128];
	uint32_t len = make_frame(frame, 0xff, port, NULL);

	assert_int_equal(null_inject(s->ports[port], frame, len, NULL), 0);
	while (atomic_load(&s->sent) == sent)
		sched_yield();
}

static uint64_t sleeps(const struct setup *s)
{
	return atomic_load(&s->pool->workers[0].counters.sleeps);
}

/* Returns when the worker has nothing to do and knows. */
static void wait_for_sleep(const struct setup *s, uint64_t before)
{
	while (sleeps(s) == before)
		sched_yield();
}

static void a_conversation_finds_its_queue_polled(void **state)
{
	struct setup *s = begin(FOREVER);
	unsigned before, in_a_row = 0;

	(void)state;
	publish(s);
	/* The window opens to what the packets take, whatever that is. */
	while (in_a_row < 100) {
		before = atomic_load(&arms);
		pass(s, 0);
		in_a_row = atomic_load(&arms) == before ? in_a_row + 1 : 0;
	}
	end(s);
}

static void without_polling_each_packet_wakes(void **state)
{
	struct setup *s = begin(0);

	(void)state;
	publish(s);
	for (unsigned i = 0; i < 20; i++) {
		unsigned before = atomic_load(&arms);
		uint64_t slept = sleeps(s);

		pass(s, 0);
		while (atomic_load(&arms) == before)
			sched_yield();
		wait_for_sleep(s, slept);
	}
	end(s);
}

static void the_kernel_s_queues_leave_soon(void **state)
{
	struct setup *s = begin(FOREVER);

	(void)state;
	s->ports[0]->class = &in_kernel;
	s->ports[1]->class = &in_kernel;
	s->ports[2]->class = &in_kernel;
	publish(s);
	for (unsigned i = 0; i < 20; i++) {
		unsigned before = atomic_load(&arms);

		pass(s, 0);
		while (atomic_load(&arms) == before)
			sched_yield();
	}
	end(s);
}

static void an_idle_worker_does_nothing(void **state)
{
	struct setup *s = begin(50);
	struct worker_stats before, now;

	(void)state;
	publish(s);
	do {
		worker_pool_get_stats(s->pool, 0, &before);
		for (unsigned i = 0; i < 1000; i++)
			sched_yield();
		worker_pool_get_stats(s->pool, 0, &now);
	} while (!before.sleeps || now.sleeps != before.sleeps);
	assert_int_equal(now.idle_polls, before.idle_polls);
	end(s);
}

/* A flood is polled in memory; the others, of either kind, come through. */
static void a_flood_in_memory_keeps_nobody_out(void **state)
{
	static uint8_t frame[128];
	struct iovec flood = { frame, make_frame(frame, 9, 1, NULL) };

	(void)state;
	for (unsigned kind = 0; kind < 2; kind++) {
		struct setup *s = begin(50);

		null_set_replay(s->ports[2], &flood, 1);
		/* Its receiver: what is sent there is not counted. */
		fdb_add_static(s->fdb, fdb_make_key(0x020000000009, 0), 1);
		if (kind)
			s->ports[0]->class = &in_kernel;
		publish(s);
		for (unsigned i = 0; i < 50; i++) {
			unsigned before = atomic_load(&arms);

			pass(s, 0);
			/* So that it has to be found by epoll. */
			while (atomic_load(&arms) == before)
				sched_yield();
		}
		end(s);
	}
}

static void bursts_are_as_long_as_is_said(void **state)
{
	static uint8_t frame[128];
	struct iovec flood = { frame, make_frame(frame, 9, 1, NULL) };
	struct setup *s = begin(50);
	struct worker_stats now;

	(void)state;
	null_set_replay(s->ports[2], &flood, 1);
	worker_pool_set_burst(s->pool, 17);
	publish(s);
	do {
		sched_yield();
		worker_pool_get_stats(s->pool, 0, &now);
	} while (now.bursts < 100);
	worker_pool_destroy(s->pool);
	/* Its counters are gone, those of the queues are not. */
	assert_int_equal(
		atomic_load(&s->snapshot->rxqs[2].queue->counters.packets),
		17 * atomic_load(&s->snapshot->rxqs[2].queue->counters.bursts));
	s->pool = NULL;
	end(s);
}

/* --- descriptors ------------------------------------------------------- */

static unsigned watched(const struct setup *s)
{
	char path[64], line[256];
	unsigned n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d",
		 s->pool->workers[0].epoll_fd);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		n += !strncmp(line, "tfd:", 4);
	fclose(f);
	return n;
}

/*
 * The null port arms by the descriptor, which must not be exchanged then. Once
 * the worker slept, it arms a queue again only when that was shown as ready.
 */
static void wait_until_armed(struct setup *s, uint64_t slept,
			     const struct port_rxq *rxq)
{
	struct pollfd ready = { .fd = rxq->fd, .events = POLLIN };

	wait_for_sleep(s, slept);
	while (poll(&ready, 1, 0))
		sched_yield();
	publish(s);
}

static void a_queue_may_get_another_descriptor(void **state)
{
	struct setup *s = begin(0);
	struct port_rxq *rxq = s->ports[0]->rxqs[0];
	unsigned before = atomic_load(&arms);
	struct fwd_queue *queue;

	(void)state;
	publish(s);
	while (atomic_load(&arms) - before < PORTS)
		sched_yield();
	queue = s->snapshot->rxqs[0].queue;
	for (unsigned i = 0; i < 20; i++) {
		uint64_t slept = sleeps(s);
		int old = rxq->fd;

		rxq->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		rxq->epoch++;
		publish(s);
		assert_int_equal(watched(s), 1 + PORTS);
		close(old);
		assert_int_equal(watched(s), 1 + PORTS);
		wait_for_sleep(s, slept);
		pass(s, 0);
		slept = sleeps(s);
		pass(s, 2);
		wait_until_armed(s, slept, rxq);
		/* It is still the same queue to those who count. */
		assert_ptr_equal(s->snapshot->rxqs[0].queue, queue);
	}
	end(s);
}

static void an_idle_queue_is_not_served(void **state)
{
	struct setup *s = begin(50);
	struct port_rxq *rxq = s->ports[0]->rxqs[0];

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		rxq->idle = true;
		publish(s);
		assert_int_equal(s->snapshot->n_rxqs, PORTS - 1);
		assert_int_equal(watched(s), PORTS);
		rxq->idle = false;
		rxq->epoch++;
		publish(s);
		assert_int_equal(watched(s), 1 + PORTS);
		pass(s, 0);
	}
	end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_window_opens_when_polling_would_have_paid),
		cmocka_unit_test(a_window_closes_when_it_would_not),
		cmocka_unit_test(a_window_keeps_to_the_limit),
		cmocka_unit_test(a_conversation_finds_its_queue_polled),
		cmocka_unit_test(without_polling_each_packet_wakes),
		cmocka_unit_test(the_kernel_s_queues_leave_soon),
		cmocka_unit_test(an_idle_worker_does_nothing),
		cmocka_unit_test(a_flood_in_memory_keeps_nobody_out),
		cmocka_unit_test(bursts_are_as_long_as_is_said),
		cmocka_unit_test(a_queue_may_get_another_descriptor),
		cmocka_unit_test(an_idle_queue_is_not_served),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
