/*
 * A port of type "vxlan-udp" by which two threads send at once, while another
 * receives and the control thread asks for counters: nothing is lost that is
 * not counted, and each thread's datagrams of a flow stay in order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>

#include "base/sandbox.h"
#include "frames.h"
#include "vxlan_port_fixture.h"

#define BURSTS 60
#define BURST  39
#define LEN    50

struct sending {
	struct port *port, *rx;
	struct outer_spec spec;
	unsigned thread;
	pthread_t id;
	_Atomic bool done;
};

/* The payload begins with the thread and a number that grows. */
static void *send_all(void *arg)
{
	struct sending *s = arg;
	struct outer_frame *frames =
		aligned_alloc(CACHE_LINE, BURST * sizeof(*frames));
	struct packet *packets[BURST];
	uint32_t next = 0;

	for (unsigned b = 0; b < BURSTS; b++) {
		for (unsigned i = 0; i < BURST; i++) {
			outer_make(&frames[i], &s->spec);
			store_be32(frames[i].packet.header + 42,
				   s->thread << 24 | next++);
			packets[i] = &frames[i].packet;
		}
		port_send(s->port, packets, BURST, s->thread);
		for (unsigned i = 0; i < BURST; i++)
			outer_free(&frames[i]);
	}
	free(frames);
	atomic_store(&s->done, true);
	return NULL;
}

static struct port *open_port(const char *address, uint16_t port)
{
	char text[64], *error = NULL;
	struct port *p;

	snprintf(text, sizeof(text), "local_ip=%s dst_port=%u", address, port);
	p = udp_port_open(text, 1, &error);
	if (!p)
		fail_msg("%s", error);
	return p;
}

static void start(struct sending *s, struct port *port, unsigned thread,
		  uint16_t to_port)
{
	*s = (struct sending){
		.port = port,
		.thread = thread,
		.spec = { .to = "127.0.0.1",
			  .to_port = to_port,
			  .from_port = 50000 + 3 * thread,
			  .len = LEN,
			  .version = 4 },
	};
	assert_int_equal(pthread_create(&s->id, NULL, send_all, s), 0);
}

/* How many datagrams a frame has, each later than the last of its thread. */
static unsigned check(const struct received *r, uint32_t last[])
{
	unsigned n = 0;

	for (uint32_t at = 42; at < r->len; at += LEN, n++) {
		uint32_t id = load_be32(r->data + at);

		assert_in_range(id >> 24, 1, 2);
		assert_true((id & 0xffffff) + 1 > last[id >> 24]);
		last[id >> 24] = (id & 0xffffff) + 1;
	}
	return n;
}

static void two_send_at_once(void **state)
{
	uint16_t at = free_udp_port();
	struct port *rx = open_port("127.0.0.1", at);
	struct port *tx = open_port("127.0.0.2", free_udp_port());
	struct sending threads[2];
	uint32_t last[3] = { 0 };
	struct received got[64];
	struct port_counters c;
	unsigned received = 0, n;
	bool done;

	for (unsigned i = 0; i < 2; i++)
		start(&threads[i], tx, i + 1, at);
	do {
		done = atomic_load(&threads[0].done) &&
		       atomic_load(&threads[1].done);
		n = udp_receive(rx, got, ARRAY_SIZE(got), 0);
		for (unsigned i = 0; i < n; i++)
			received += check(&got[i], last);
		received_free(got, n);
		port_get_counters(tx, &c);
	} while (n || !done);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i].id, NULL), 0);
	port_get_counters(tx, &c);
	assert_int_equal(c.tx_packets + c.drops[DROP_TX_FULL],
			 2 * BURSTS * BURST);
	/* The kernel counts a train that finds no room as one. */
	if (!port_drops(rx, DROP_RX_OVERFLOW))
		assert_int_equal(received, c.tx_packets);
	port_close(rx);
	port_close(tx);
}

/* A worker's system calls are enough for all that it does by the port. */
static void *send_and_receive(void *arg)
{
	struct sending *s = arg;
	struct received got[64];
	unsigned n = 0;

	sandbox_enter_worker();
	s->spec.tos = 8;
	outer_send(s->port, &s->spec, 33, 1);
	s->spec.gso_size = LEN / 2;
	outer_send(s->port, &s->spec, 1, 1);
	n = udp_receive(s->rx, got, ARRAY_SIZE(got), 35);
	received_free(got, n);
	return NULL;
}

static void a_worker_may(void **state)
{
	uint16_t at = free_udp_port();
	struct sending s = { .port = open_port("127.0.0.2", free_udp_port()),
			     .rx = open_port("127.0.0.1", at),
			     .spec = { .to = "127.0.0.1",
				       .to_port = at,
				       .len = LEN,
				       .version = 4 } };

	sandbox_enable_filters();
	assert_int_equal(pthread_create(&s.id, NULL, send_and_receive, &s), 0);
	assert_int_equal(pthread_join(s.id, NULL), 0);
	assert_int_equal(port_drops(s.port, DROP_TX_ERROR), 0);
	port_close(s.rx);
	port_close(s.port);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_send_at_once),
		cmocka_unit_test(a_worker_may),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
