/*
 * The periodic transmission machine: every transition of IEEE 802.1AX-2014
 * figure 6-19. And that a bond at rest lets its thread sleep.
 */
#include "lacp_fixture.h"

static struct test_lacp t;

static int setup(void **state)
{
	test_lacp_init(&t, LACP_ACTIVE, false, 1);
	return 0;
}

static int teardown(void **state)
{
	test_lacp_fini(&t);
	return 0;
}

/* Talks like a partner for so many seconds; returns what we sent meanwhile. */
static unsigned talk(uint8_t state, unsigned seconds)
{
	unsigned n = t.ports[0].n_sent;

	for (unsigned i = 0; i < seconds; i++) {
		test_hear(&t, 0, state);
		test_advance(&t, 1000);
	}
	return t.ports[0].n_sent - n;
}

/* BEGIN, not port_enabled: NO_PERIODIC */
static void begin(void **state)
{
	assert_periodic(&t, 0, "NO_PERIODIC");
	test_advance(&t, 100000);
	assert_int_equal(t.ports[0].n_sent, 0);
	assert_int_equal(t.n_wakes, 0);
}

/* NO_PERIODIC -> FAST_PERIODIC; FAST_PERIODIC -> PERIODIC_TX and back */
static void fast_periodic(void **state)
{
	unsigned n;

	/* EXPIRED: the partner is thought to have the short timeout. */
	test_link(&t, 0, true);
	assert_periodic(&t, 0, "FAST_PERIODIC");
	assert_int_equal(t.ports[0].n_sent, 1);
	test_advance(&t, 999);
	assert_int_equal(t.ports[0].n_sent, 1);
	test_advance(&t, 1);
	assert_int_equal(t.ports[0].n_sent, 2);
	assert_periodic(&t, 0, "FAST_PERIODIC");

	test_negotiate(&t);
	talk(STATE_ALL | LACP_TIMEOUT, 10);
	n = talk(STATE_ALL | LACP_TIMEOUT, 60);
	assert_int_equal(n, 60);
}

/* FAST_PERIODIC -> SLOW_PERIODIC: Partner.LACP_Timeout is long */
static void fast_to_slow(void **state)
{
	test_link(&t, 0, true);
	assert_periodic(&t, 0, "FAST_PERIODIC");
	test_hear(&t, 0, STATE_OUT);
	assert_periodic(&t, 0, "SLOW_PERIODIC");
}

/* SLOW_PERIODIC -> PERIODIC_TX -> SLOW_PERIODIC: each 30 s */
static void slow_periodic(void **state)
{
	uint64_t at_ms;
	unsigned n;

	test_negotiate(&t);
	n = t.ports[0].n_sent;
	assert_int_equal(talk(STATE_ALL, 300), 10);
	for (unsigned i = 1; i < 10; i++) {
		at_ms = t.ports[0].sent_ms[n + i];
		assert_int_equal(at_ms - t.ports[0].sent_ms[n + i - 1], 30000);
	}
	assert_periodic(&t, 0, "SLOW_PERIODIC");
}

/* SLOW_PERIODIC -> PERIODIC_TX -> FAST_PERIODIC: the timeout gets short */
static void slow_to_fast(void **state)
{
	unsigned n;

	test_negotiate(&t);
	talk(STATE_ALL, 5);
	assert_periodic(&t, 0, "SLOW_PERIODIC");
	n = t.ports[0].n_sent;
	test_hear(&t, 0, STATE_ALL | LACP_TIMEOUT);
	assert_periodic(&t, 0, "FAST_PERIODIC");
	assert_int_equal(t.ports[0].n_sent, n + 1);
	test_advance(&t, 1000);
	assert_int_equal(t.ports[0].n_sent, n + 2);
	/* And FAST_PERIODIC -> SLOW_PERIODIC once more. */
	test_hear(&t, 0, STATE_ALL);
	assert_periodic(&t, 0, "SLOW_PERIODIC");
}

/* Any state -> NO_PERIODIC: not port_enabled */
static void link_down(void **state)
{
	unsigned n;

	test_link(&t, 0, true);
	test_link(&t, 0, false);
	assert_periodic(&t, 0, "NO_PERIODIC");
	test_negotiate(&t);
	assert_periodic(&t, 0, "SLOW_PERIODIC");
	n = t.ports[0].n_sent;
	test_link(&t, 0, false);
	assert_periodic(&t, 0, "NO_PERIODIC");
	test_advance(&t, 100000);
	assert_int_equal(t.ports[0].n_sent, n);
}

/* Any state -> NO_PERIODIC: not LACP_Enabled */
static void lacp_disabled(void **state)
{
	test_negotiate(&t);
	t.config.mode = LACP_OFF;
	test_configure(&t);
	assert_periodic(&t, 0, "NO_PERIODIC");
	assert_true(lacp_next_ms(t.lacp) == UINT64_MAX);
}

/* Any state -> NO_PERIODIC: both are passive; and back */
static void both_passive(void **state)
{
	const uint8_t passive = STATE_ALL & ~LACP_ACTIVITY;
	struct lacp_pdu pdu;
	unsigned n;

	t.config.mode = LACP_PASSIVE;
	test_configure(&t);
	test_link(&t, 0, true);
	test_advance(&t, 100000);
	assert_periodic(&t, 0, "NO_PERIODIC");
	assert_int_equal(t.ports[0].n_sent, 0);

	/* An active partner, which does not know us yet, is answered. */
	pdu = test_pdu(&t, 0, STATE_OUT);
	memset(&pdu.partner, 0, sizeof(pdu.partner));
	test_hear_pdu(&t, 0, &pdu);
	assert_int_equal(t.ports[0].n_sent, 1);
	assert_periodic(&t, 0, "SLOW_PERIODIC");
	test_hear(&t, 0, passive);
	assert_periodic(&t, 0, "NO_PERIODIC");
	n = t.ports[0].n_sent;
	test_advance(&t, 80000);
	assert_int_equal(t.ports[0].n_sent, n);

	t.config.mode = LACP_ACTIVE;
	test_configure(&t);
	assert_periodic(&t, 0, "SLOW_PERIODIC");
	assert_int_equal(t.ports[0].n_sent, n + 1);
}

/* Without a partner: as often as lacp-time says. */
static void nobody_there(void **state)
{
	unsigned n;

	test_link(&t, 0, true);
	test_advance(&t, 100000);
	n = t.ports[0].n_sent;
	test_advance(&t, 300000);
	assert_int_equal(t.ports[0].n_sent - n, 10);

	t.config.fast = true;
	test_configure(&t);
	test_link(&t, 0, false);
	test_link(&t, 0, true);
	test_advance(&t, 10000);
	n = t.ports[0].n_sent;
	test_advance(&t, 100000);
	assert_int_equal(t.ports[0].n_sent - n, 100);
}

/* At rest nothing wakes the thread but the frame of each 30 s. */
static void sleeps(void **state)
{
	test_negotiate(&t);
	test_advance(&t, 30000);
	t.n_wakes = 0;
	t.n_changed = 0;
	for (unsigned i = 0; i < 120; i++) {
		test_hear(&t, 0, STATE_ALL);
		test_advance(&t, 30000);
	}
	assert_int_equal(t.n_wakes, 120);
	assert_int_equal(t.n_changed, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(begin),	     TEST(fast_periodic), TEST(fast_to_slow),
		TEST(slow_periodic), TEST(slow_to_fast),  TEST(link_down),
		TEST(lacp_disabled), TEST(both_passive),  TEST(nobody_there),
		TEST(sleeps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
