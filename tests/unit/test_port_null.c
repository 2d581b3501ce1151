/*
 * The null port: what is put into it is received, in order and with its
 * offload metadata checked, and wakes who sleeps; and how ports are opened.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "frames.h"
#include "packet/offload.h"
#include "port/null.h"

static uint8_t bytes[65536];
static struct port *port;

static int setup(void **state)
{
	const struct port_config config = {
		.name = "n0",
		.type = "null",
		.n_threads = 2,
		.n_rxqs = 1,
	};

	fill(bytes, sizeof(bytes), 8);
	assert_int_equal(port_open(&config, &port, NULL), 0);
	return 0;
}

static int teardown(void **state)
{
	port_close(port);
	return 0;
}

static bool readable(void)
{
	struct pollfd fd = { .fd = port->rxqs[0]->fd, .events = POLLIN };

	return poll(&fd, 1, 0) == 1;
}

static void null_receives(void **state)
{
	struct port_rxq *rxq = port->rxqs[0];
	const struct port_class *class = port->class;
	uint8_t vnet[VNET_HDR_LEN], got[100];
	struct port_counters counters;
	struct packet packets[4];

	assert_true(class->arm(rxq));
	assert_false(readable());
	vnet_make(vnet, 1, 0, 0, 0, 9, 0); /* contradicts */
	assert_int_equal(null_inject(port, bytes, 100, NULL), 0);
	assert_int_equal(null_inject(port, bytes, 100, vnet), 0);
	assert_int_equal(
		null_inject_frame(port, &(struct null_frame){ .data = bytes,
							      .len = 100,
							      .piece = 33 }),
		0);
	assert_int_equal(null_inject(port, bytes, PACKET_LEN_MAX + 1, NULL),
			 -EINVAL);
	assert_true(readable());
	assert_false(class->arm(rxq));
	assert_int_equal(class->receive(rxq, packets, 4, 1), 2);
	port_get_counters(port, &counters);
	assert_int_equal(counters.drops[DROP_BAD_OFFLOAD], 1);
	assert_int_equal(packets[1].n_segments, 4);
	assert_int_equal(packet_read(&packets[1], 0, got, 100), 100);
	assert_memory_equal(got, bytes, 100);
	class->done(rxq);
	assert_true(class->arm(rxq));
	assert_false(readable());
}

static void null_queue_full(void **state)
{
	struct port_rxq *rxq = port->rxqs[0];
	struct packet packets[8];

	for (int i = 0; i < NULL_QUEUE_LEN; i++)
		assert_int_equal(null_inject(port, bytes, i, NULL), 0);
	assert_int_equal(null_inject(port, bytes, 1, NULL), -ENOSPC);
	assert_int_equal(port->class->receive(rxq, packets, 8, 1), 8);
	assert_int_equal(null_inject(port, bytes, 1, NULL), -ENOSPC);
	port->class->done(rxq);
	assert_int_equal(null_inject(port, bytes, 1, NULL), 0);
}

#define N_THREADED 5000

static void *inject_all(void *arg)
{
	for (uint32_t i = 0; i < N_THREADED; i++)
		while (null_inject(port, &i, sizeof(i), NULL) == -ENOSPC)
			sched_yield();
	return NULL;
}

/* A worker that sleeps misses nothing, and gets everything in order. */
static void null_wakes(void **state)
{
	struct port_rxq *rxq = port->rxqs[0];
	struct packet packets[32];
	uint32_t next = 0, got;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, inject_all, NULL), 0);
	while (next < N_THREADED) {
		unsigned n = port->class->receive(rxq, packets, 32, 1);

		for (unsigned i = 0; i < n; i++) {
			assert_int_equal(packet_read(&packets[i], 0, &got, 4),
					 4);
			assert_int_equal(got, next++);
		}
		port->class->done(rxq);
		if (!n && port->class->arm(rxq)) {
			struct pollfd fd = { .fd = rxq->fd, .events = POLLIN };

			assert_int_equal(poll(&fd, 1, 60000), 1);
		}
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void null_replays(void **state)
{
	struct iovec frames[3] = { { bytes, 60 },
				   { bytes + 100, 61 },
				   { bytes + 200, 62 } };
	struct packet packets[8];

	null_set_replay(port, frames, 3);
	assert_false(port->class->arm(port->rxqs[0]));
	for (unsigned round = 0; round < 4; round++) {
		assert_int_equal(
			port->class->receive(port->rxqs[0], packets, 8, 1), 8);
		for (unsigned i = 0; i < 8; i++) {
			unsigned j = (round * 8 + i) % 3;

			assert_int_equal(packets[i].len, 60 + j);
			assert_ptr_equal(packets[i].segment.data,
					 frames[j].iov_base);
		}
		port->class->done(port->rxqs[0]);
	}
}

static void unknown_type(void **state)
{
	struct port_config config = { .name = "x", .type = "quantum" };
	struct port *other = NULL;
	char *error = NULL;

	assert_int_equal(port_open(&config, &other, &error), -EINVAL);
	assert_non_null(strstr(error, "quantum"));
	assert_non_null(strstr(error, "\"null\""));
	assert_null(other);
	free(error);
	assert_null(port_class_find("nul"));
	assert_ptr_equal(port_class_find("null"), port->class);
	port_close(NULL);
}

static void options_and_status(void **state)
{
	const struct port_option options[] = { { "a", "1" }, { "b", "2" } };
	struct port_config config = {
		.options = options,
		.n_options = 2,
		.mtu_request = 9000,
	};
	struct port_status status;

	assert_string_equal(port_config_option(&config, "b"), "2");
	assert_null(port_config_option(&config, "c"));
	assert_int_equal(port->class->reconfigure(port, &config, NULL), 0);
	port_get_status(port, &status);
	assert_int_equal(status.mtu, 9000);
	assert_true(status.present && status.admin_up && status.link_up);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(null_receives), TEST(null_queue_full),
		TEST(null_wakes),    TEST(null_replays),
		TEST(unknown_type),  TEST(options_and_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
