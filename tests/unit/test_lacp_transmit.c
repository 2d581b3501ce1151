/* The transmit machine: IEEE 802.1AX-2014, 6.4.16. */
#include "lacp_fixture.h"

static struct test_lacp t;

static int setup(void **state)
{
	test_lacp_init(&t, LACP_ACTIVE, false, 2);
	return 0;
}

static int teardown(void **state)
{
	test_lacp_fini(&t);
	return 0;
}

/* What is sent is what is true, and the interface is its sender. */
static void contents(void **state)
{
	const struct lacp_pdu *pdu = &t.ports[1].last.pdu;
	struct lacp_port_status s;

	test_negotiate(&t);
	test_advance(&t, 30000);
	s = test_status(&t, 1);
	assert_true(t.ports[1].last.src_mac == 0x020000001001);
	assert_int_equal(pdu->version, 1);
	assert_int_equal(pdu->collector_max_delay, 0);
	assert_int_equal(pdu->actor.system_priority, 1000);
	assert_true(pdu->actor.system_id == TEST_SYSTEM);
	assert_int_equal(pdu->actor.key, 5);
	assert_int_equal(pdu->actor.port_priority, 32768);
	assert_int_equal(pdu->actor.port_id, 2);
	assert_int_equal(pdu->actor.state, STATE_ALL);
	assert_int_equal(pdu->partner.system_priority, 2000);
	assert_true(pdu->partner.system_id == TEST_PARTNER);
	assert_int_equal(pdu->partner.key, 7);
	assert_int_equal(pdu->partner.port_priority, 128);
	assert_int_equal(pdu->partner.port_id, 101);
	assert_int_equal(pdu->partner.state, STATE_ALL);
	assert_int_equal(s.sent, t.ports[1].n_sent);
}

/* A partner that will never believe us costs three frames a second. */
static void three_a_second(void **state)
{
	struct test_port *p = &t.ports[0];
	struct lacp_pdu pdu;

	test_link(&t, 0, true);
	for (unsigned i = 0; i < 4999; i++) {
		pdu = test_pdu(&t, 0, i % 2 ? STATE_ALL : STATE_OUT);
		memset(&pdu.partner, 0, sizeof(pdu.partner));
		test_hear_pdu(&t, 0, &pdu);
		test_advance(&t, 1);
	}
	assert_int_equal(p->n_sent, 15);
	for (unsigned i = 3; i < p->n_sent; i++)
		assert_true(p->sent_ms[i] - p->sent_ms[i - 3] >= 1000);
}

/* A frame that had to wait goes as soon as it may, and is up to date then. */
static void delayed(void **state)
{
	struct test_port *p = &t.ports[0];
	uint64_t start_ms;
	unsigned n;

	test_negotiate(&t);
	test_advance(&t, 2000);
	start_ms = t.now_ms;
	n = p->n_sent;
	for (unsigned i = 0; i < 2; i++) {
		test_hear(&t, 0, STATE_OUT);
		test_hear(&t, 0, STATE_ALL);
		test_advance(&t, 100);
	}
	assert_int_equal(p->n_sent, n + 3);
	test_hear(&t, 0, STATE_OUT);
	assert_true(lacp_next_ms(t.lacp) == start_ms + 1000);
	test_hear(&t, 0, STATE_ALL);
	test_advance(&t, start_ms + 999 - t.now_ms);
	assert_int_equal(p->n_sent, n + 3);
	test_advance(&t, 1);
	assert_int_equal(p->n_sent, n + 4);
	assert_int_equal(p->last.pdu.actor.state, STATE_ALL);
	assert_int_equal(p->last.pdu.partner.state, STATE_ALL);
}

/* NO_PERIODIC: what was to be sent is not, then or later. */
static void not_sent(void **state)
{
	unsigned n;

	test_negotiate(&t);
	t.config.mode = LACP_PASSIVE;
	test_configure(&t);
	test_hear(&t, 0, STATE_ALL & ~LACP_ACTIVITY);
	assert_periodic(&t, 0, "NO_PERIODIC");
	n = t.ports[0].n_sent;
	t.config.key++;
	test_configure(&t);
	assert_int_equal(t.ports[0].n_sent, n);
	test_advance(&t, 500);
	assert_int_equal(t.ports[0].n_sent, n);
}

/* The partner is told to stop; also by a port that goes. */
static void goodbye(void **state)
{
	const uint8_t bits = LACP_AGGREGATION | LACP_SYNCHRONIZATION |
			     LACP_COLLECTING | LACP_DISTRIBUTING;
	unsigned n;

	test_negotiate(&t);
	test_advance(&t, 2000);
	n = t.ports[1].n_sent;
	lacp_remove_port(t.ports[1].port, t.now_ms);
	t.n_ports = 1;
	assert_int_equal(t.ports[1].n_sent, n + 1);
	assert_int_equal(t.ports[1].last.pdu.actor.state & bits, 0);
	assert_mux(&t, 0, "DISTRIBUTING");

	n = t.ports[0].n_sent;
	t.config.mode = LACP_OFF;
	test_configure(&t);
	assert_int_equal(t.ports[0].n_sent, n + 1);
	assert_int_equal(t.ports[0].last.pdu.actor.state & bits, 0);
	assert_true(t.ports[0].last.pdu.actor.state & LACP_TIMEOUT);
	test_advance(&t, 100000);
	assert_int_equal(t.ports[0].n_sent, n + 1);
}

/* A port that is taken out of use has a link, and says that it is out. */
static void taken_out(void **state)
{
	unsigned n;

	test_negotiate(&t);
	test_advance(&t, 2000);
	n = t.ports[1].n_sent;
	lacp_port_set_usable(t.ports[1].port, false, t.now_ms);
	assert_int_equal(t.ports[1].n_sent, n + 1);
	assert_false(t.ports[1].last.pdu.actor.state & LACP_SYNCHRONIZATION);
	assert_receive(&t, 1, "PORT_DISABLED");
	assert_false(lacp_port_may_collect(t.ports[1].port));
	assert_mux(&t, 0, "DISTRIBUTING");
	/* Its link may go and come meanwhile. */
	test_link(&t, 1, false);
	test_link(&t, 1, true);
	test_hear(&t, 1, STATE_ALL);
	test_advance(&t, 50000);
	assert_receive(&t, 1, "PORT_DISABLED");
	assert_int_equal(t.ports[1].n_sent, n + 1);
	lacp_port_set_usable(t.ports[1].port, true, t.now_ms);
	assert_receive(&t, 1, "EXPIRED");
	assert_int_equal(t.ports[1].n_sent, n + 2);
	test_hear(&t, 1, STATE_ALL);
	assert_mux(&t, 1, "DISTRIBUTING");
}

/* It cannot wait: three frames in this second do not keep it back. */
static void goodbye_at_once(void **state)
{
	struct test_port *p = &t.ports[1];
	unsigned n;

	test_negotiate(&t);
	test_advance(&t, 2000);
	n = p->n_sent;
	for (unsigned i = 0; i < 4; i++)
		test_hear(&t, 1, i % 2 ? STATE_ALL : STATE_OUT);
	assert_int_equal(p->n_sent, n + 3);
	lacp_remove_port(p->port, t.now_ms);
	assert_int_equal(p->n_sent, n + 4);
	assert_false(p->last.pdu.actor.state & LACP_SYNCHRONIZATION);
	t.n_ports = 1;
}

/* A partner that we do not hear (any more) may hear us. */
static void goodbye_unheard(void **state)
{
	struct test_port *p = &t.ports[0];
	unsigned n;

	test_negotiate(&t);
	test_advance(&t, 100000);
	assert_receive(&t, 0, "DEFAULTED");
	n = p->n_sent;
	t.config.mode = LACP_OFF;
	test_configure(&t);
	assert_int_equal(p->n_sent, n + 1);
	assert_false(p->last.pdu.actor.state & LACP_AGGREGATION);
}

/* Turning it off and on passes the limit by one goodbye in a second. */
static void off_and_on(void **state)
{
	struct test_port *p = &t.ports[0];

	for (unsigned i = 0; i < 500; i++) {
		t.config.mode = i % 2 ? LACP_ACTIVE : LACP_OFF;
		test_configure(&t);
		test_link(&t, 0, true);
		test_hear(&t, 0, STATE_ALL);
		test_advance(&t, 10);
	}
	assert_true(p->n_sent > 10 && p->n_sent <= 20);
	for (unsigned i = 4; i < p->n_sent; i++)
		assert_true(p->sent_ms[i] - p->sent_ms[i - 4] >= 1000);
}

/* Three frames and a goodbye in this second. */
static void use_up(unsigned i)
{
	struct test_port *p = &t.ports[i];
	unsigned n = p->n_sent;

	for (unsigned k = 0; k < 2; k++) {
		test_hear(&t, i, STATE_OUT);
		test_hear(&t, i, STATE_ALL);
	}
	assert_int_equal(p->n_sent, n + 3);
	lacp_port_set_usable(p->port, false, t.now_ms);
	assert_int_equal(p->n_sent, n + 4);
	lacp_port_set_usable(p->port, true, t.now_ms);
	test_hear(&t, i, STATE_ALL);
	assert_int_equal(p->n_sent, n + 4);
}

/* What may not be said now is said as soon as it may. */
static void goodbye_later(void **state)
{
	const uint8_t bits = LACP_AGGREGATION | LACP_SYNCHRONIZATION |
			     LACP_COLLECTING | LACP_DISTRIBUTING;
	const struct test_port *p = &t.ports[0];
	unsigned n;

	test_negotiate(&t);
	test_advance(&t, 2000);
	use_up(0);
	n = p->n_sent;
	t.config.mode = LACP_OFF;
	test_configure(&t);
	test_advance(&t, 999);
	assert_int_equal(p->n_sent, n);
	test_advance(&t, 1);
	assert_int_equal(p->n_sent, n + 1);
	assert_true(p->last.pdu.actor.state & LACP_TIMEOUT);
	assert_int_equal(p->last.pdu.actor.state & bits, 0);
	test_advance(&t, 100000);
	assert_int_equal(p->n_sent, n + 1);
}

/* A port that speaks again takes it back; one without a link cannot say it. */
static void goodbye_no_more(void **state)
{
	const struct test_port *p = &t.ports[0];
	unsigned n;

	test_negotiate(&t);
	test_advance(&t, 2000);
	use_up(0);
	n = p->n_sent;
	lacp_port_set_usable(p->port, false, t.now_ms);
	lacp_port_set_usable(p->port, true, t.now_ms);
	test_advance(&t, 1000);
	assert_int_equal(p->n_sent, n + 1);
	assert_true(p->last.pdu.actor.state & LACP_AGGREGATION);

	test_negotiate(&t);
	test_advance(&t, 2000);
	use_up(0);
	n = p->n_sent;
	lacp_port_set_usable(p->port, false, t.now_ms);
	test_link(&t, 0, false);
	test_link(&t, 0, true);
	test_advance(&t, 100000);
	assert_int_equal(p->n_sent, n);
}

/* A port that is closed says it now, once, whatever came before. */
static void leaves_at_once(void **state)
{
	const struct test_port *p = &t.ports[0];
	unsigned n;

	test_negotiate(&t);
	test_advance(&t, 2000);
	use_up(0);
	n = p->n_sent;
	lacp_port_leave(p->port, t.now_ms);
	assert_int_equal(p->n_sent, n + 1);
	assert_false(p->last.pdu.actor.state & LACP_AGGREGATION);
	assert_receive(&t, 0, "PORT_DISABLED");
	lacp_port_leave(p->port, t.now_ms);
	test_advance(&t, 100000);
	assert_int_equal(p->n_sent, n + 1);

	/* also what waits for its turn */
	lacp_port_set_usable(p->port, true, t.now_ms);
	test_negotiate(&t);
	test_advance(&t, 2000);
	use_up(0);
	n = p->n_sent;
	lacp_port_set_usable(p->port, false, t.now_ms);
	assert_int_equal(p->n_sent, n);
	lacp_port_leave(p->port, t.now_ms);
	assert_int_equal(p->n_sent, n + 1);
	assert_false(p->last.pdu.actor.state & LACP_AGGREGATION);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(contents),	       TEST(three_a_second),
		TEST(delayed),	       TEST(not_sent),
		TEST(goodbye),	       TEST(taken_out),
		TEST(off_and_on),      TEST(goodbye_at_once),
		TEST(goodbye_unheard), TEST(goodbye_later),
		TEST(goodbye_no_more), TEST(leaves_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
