/* Workers: traffic through threads while the configuration changes. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "port/null.h"
#include "tests/unit/switch_fixture.h"
#include "worker/worker.h"

#define PORTS 6

struct setup {
	struct fdb *fdb;
	struct port *ports[PORTS];
	_Atomic unsigned sent[PORTS];
	struct worker_pool *pool;
	struct fwd_snapshot *snapshot;
	uint64_t generation;
};

static bool count(struct packet *p, unsigned thread, void *counter)
{
	(void)p;
	(void)thread;
	atomic_fetch_add((_Atomic unsigned *)counter, 1);
	return true;
}

static struct port *open_port(struct setup *s, unsigned i, unsigned n_workers)
{
	char name[8];
	struct port_config config = { .name = name,
				      .type = "null",
				      .n_threads = n_workers + 1,
				      .n_rxqs = 1 };
	struct port *port;

	snprintf(name, sizeof(name), "p%u", i);
	assert_int_equal(port_open(&config, &port, NULL), 0);
	null_set_sink(port, count, &s->sent[i]);
	return port;
}

/* Publishes a bridge of the ports that are there, and frees the one before. */
static void publish(struct setup *s)
{
	const struct vlan_config trunk = { .mode = VLAN_TRUNK };
	struct fwd_snapshot *old = s->snapshot;
	struct fwd_bridge *br;

	s->snapshot = fwd_snapshot_create(++s->generation);
	br = fwd_snapshot_add_bridge(s->snapshot, "br0", s->fdb);
	for (unsigned i = 0; i < PORTS; i++)
		if (s->ports[i])
			fwd_bridge_add_port(br, s->ports[i], i + 1, &trunk);
	fwd_snapshot_finish(s->snapshot, old, worker_pool_count(s->pool));
	worker_pool_publish(s->pool, s->snapshot);
	fwd_snapshot_destroy(old);
}

static struct setup *begin(unsigned n_workers)
{
	struct fdb_config config = { .max_entries = 1024, .age_s = 300 };
	struct setup *s = xcalloc(1, sizeof(*s));

	s->fdb = fdb_create(&config);
	s->pool = worker_pool_create(n_workers, NULL);
	assert_non_null(s->pool);
	for (unsigned i = 0; i < PORTS; i++)
		s->ports[i] = open_port(s, i, n_workers);
	publish(s);
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

static void inject(struct port *port, uint8_t dst, uint8_t src)
{
	uint8_t frame[128];
	uint32_t len = make_frame(frame, dst, src, NULL);

	while (null_inject(port, frame, len, NULL))
		sched_yield();
}

/* Returns when the counter has reached n; the runner's time limit is its own.
 */
static void wait_for(_Atomic unsigned *counter, unsigned n)
{
	while (atomic_load(counter) < n)
		sched_yield();
}

static void wakes_from_sleep(void **state)
{
	struct setup *s = begin(1);
	struct worker_stats stats;

	(void)state;
	for (unsigned i = 1; i <= 5; i++) {
		/* Asleep: it has gone to sleep once more than it was woken. */
		do {
			sched_yield();
			worker_pool_get_stats(s->pool, 0, &stats);
		} while (stats.sleeps < i);
		inject(s->ports[0], 0xff, 1);
		wait_for(&s->sent[5], i);
	}
	assert_int_equal(s->sent[0], 0);
	for (unsigned i = 1; i < PORTS; i++)
		wait_for(&s->sent[i], 5);
	end(s);
}

/* Frames that never end: each one that is sent is injected again. */
static bool send_back(struct packet *p, unsigned thread, void *port)
{
	uint8_t frame[128];
	uint32_t len = make_frame(frame, 0xff, 1, NULL);

	(void)p;
	(void)thread;
	(void)null_inject(port, frame, len, NULL);
	return true;
}

static void busy_time_counts_while_busy(void **state)
{
	struct setup *s = begin(1);
	struct worker_stats before, now;

	(void)state;
	null_set_sink(s->ports[1], send_back, s->ports[0]);
	inject(s->ports[0], 0xff, 1);
	wait_for(&s->sent[2], 1000);
	worker_pool_get_stats(s->pool, 0, &before);
	do {
		sched_yield();
		worker_pool_get_stats(s->pool, 0, &now);
	} while (now.busy == before.busy);
	/* It has not been idle meanwhile. */
	assert_int_equal(now.sleeps, before.sleeps);
	end(s);
}

struct patience {
	struct port *quiet;
	unsigned of_flood, injected_at, most; /* the worker's */
	_Atomic unsigned rounds;
};

/*
 * Counts the flood's frames. Now and then, when the quiet port's queue has long
 * been empty, a frame comes in there; how much of the flood goes before it?
 */
static bool measure_patience(struct packet *p, unsigned thread, void *patience)
{
	struct patience *w = patience;
	uint8_t frame[128];
	uint32_t len = make_frame(frame, 0xff, 2, NULL);

	(void)thread;
	if (p->header[11] == 2) {
		w->most = MAX(w->most, w->of_flood - w->injected_at);
		w->injected_at = 0;
		atomic_fetch_add(&w->rounds, 1);
	} else if (++w->of_flood % 1000 == 0 && !w->injected_at) {
		w->injected_at = w->of_flood;
		(void)null_inject(w->quiet, frame, len, NULL);
	}
	return true;
}

static void a_flood_delays_others_by_a_burst(void **state)
{
	struct setup *s = begin(1);
	struct patience w = { .quiet = s->ports[1] };
	struct port *flood = s->ports[0];
	uint8_t frame[128];
	struct iovec frames = { frame, make_frame(frame, 0xff, 1, NULL) };

	(void)state;
	s->ports[0] = NULL;
	publish(s);
	null_set_sink(s->ports[2], measure_patience, &w);
	null_set_replay(flood, &frames, 1);
	s->ports[0] = flood;
	publish(s);
	wait_for(&w.rounds, 50);
	end(s);
	/* The rest of the burst under way, and one more. */
	assert_in_range(w.most, 1, 128);
}

static void several_workers_share_the_ports(void **state)
{
	struct setup *s = begin(3);
	unsigned per_port = 500;
	uint64_t packets = 0;

	(void)state;
	for (unsigned k = 0; k < per_port; k++)
		for (unsigned i = 0; i < PORTS; i++)
			inject(s->ports[i], 0xff, i + 1);
	for (unsigned i = 0; i < PORTS; i++)
		wait_for(&s->sent[i], per_port * (PORTS - 1));
	for (unsigned w = 0; w < 3; w++) {
		struct worker_stats stats;

		worker_pool_get_stats(s->pool, w, &stats);
		packets += stats.packets;
	}
	end(s);
	/* Counted after a burst is forwarded: the last may be missing. */
	assert_true(packets >= per_port * PORTS - 3 * PACKET_BURST_MAX);
}

static void ports_come_and_go_under_traffic(void **state)
{
	struct setup *s = begin(2);

	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		unsigned gone = 2 + round % (PORTS - 2);
		struct port *port = s->ports[gone];

		for (unsigned k = 0; k < 20; k++) {
			inject(s->ports[0], 0xff, 1);
			inject(s->ports[1], 1, 2);
			inject(port, 0xff, gone + 1);
		}
		s->ports[gone] = NULL;
		publish(s);
		port_close(port);
		fdb_purge_port(s->fdb, gone + 1);
		s->ports[gone] = open_port(s, gone, 2);
		publish(s);
	}
	/* Port 1 was there all the time: it has had every broadcast of 0. */
	wait_for(&s->sent[1], 200 * 20);
	end(s);
}

/* A port whose only queue tells when two workers receive from it at once. */
struct shy_port {
	struct port up;
	struct port_rxq rxq, *rxqs[1];
	_Atomic bool inside;
	_Atomic unsigned calls, overlaps;
};

static unsigned shy_receive(struct port_rxq *rxq, struct packet *packets,
			    unsigned max, unsigned thread)
{
	struct shy_port *p = CONTAINER_OF(rxq, struct shy_port, rxq);

	(void)packets;
	(void)max;
	(void)thread;
	if (atomic_exchange(&p->inside, true))
		atomic_fetch_add(&p->overlaps, 1);
	for (int i = 0; i < 20; i++)
		sched_yield();
	atomic_store(&p->inside, false);
	atomic_fetch_add(&p->calls, 1);
	return 0;
}

static const struct port_class shy_class = { .type = "shy",
					     .receive = shy_receive };

static void shy_init(struct shy_port *p)
{
	const struct port_config config = { .name = "shy",
					    .n_threads = 3,
					    .n_rxqs = 1 };

	port_init(&p->up, &shy_class, &config);
	p->rxq = (struct port_rxq){ .port = &p->up, .fd = -1 };
	p->rxqs[0] = &p->rxq;
	p->up.rxqs = p->rxqs;
	p->up.n_rxqs = 1;
}

static struct fwd_snapshot *shy_snapshot(struct fdb *fdb, struct port *port,
					 uint64_t generation)
{
	const struct vlan_config trunk = { .mode = VLAN_TRUNK };
	struct fwd_snapshot *s = fwd_snapshot_create(generation);
	struct fwd_bridge *br = fwd_snapshot_add_bridge(s, "br0", fdb);

	fwd_bridge_add_port(br, port, 1, &trunk);
	fwd_snapshot_finish(s, NULL, 2);
	s->rxqs[0].worker = generation % 2;
	return s;
}

static void move_about(bool with_descriptor)
{
	struct fdb_config config = { .max_entries = 16, .age_s = 300 };
	struct fdb *fdb = fdb_create(&config);
	struct worker_pool *pool = worker_pool_create(2, NULL);
	struct shy_port *p = xcalloc_aligned(1, sizeof(*p));
	struct fwd_snapshot *old = NULL;

	shy_init(p);
	for (uint64_t i = 1; i <= 300; i++) {
		unsigned calls = atomic_load(&p->calls);
		struct fwd_snapshot *s;

		if (with_descriptor)
			p->rxq.epoch++;
		s = shy_snapshot(fdb, &p->up, i);

		worker_pool_publish(pool, s);
		fwd_snapshot_destroy(old);
		old = s;
		wait_for(&p->calls, calls + 2);
	}
	worker_pool_destroy(pool);
	fwd_snapshot_destroy(old);
	assert_int_equal(p->overlaps, 0);
	port_fini(&p->up);
	free(p);
	fdb_destroy(fdb);
}

static void a_queue_that_moves_has_one_worker(void **state)
{
	(void)state;
	move_about(false);
}

static void also_with_another_descriptor(void **state)
{
	(void)state;
	move_about(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wakes_from_sleep),
		cmocka_unit_test(busy_time_counts_while_busy),
		cmocka_unit_test(a_flood_delays_others_by_a_burst),
		cmocka_unit_test(several_workers_share_the_ports),
		cmocka_unit_test(a_queue_that_moves_has_one_worker),
		cmocka_unit_test(also_with_another_descriptor),
		cmocka_unit_test(ports_come_and_go_under_traffic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
