/*
 * The mux machine with independent control: every transition of IEEE
 * 802.1AX-2014 figure 6-21, the Ready of 6.4.14, and churn detection (6.4.17),
 * which watches what the mux machine comes to.
 */
#include "lacp_fixture.h"

#define SYNC_BITS (LACP_SYNCHRONIZATION | LACP_COLLECTING | LACP_DISTRIBUTING)

static struct test_lacp t;

static int setup(void **state)
{
	test_lacp_init(&t, LACP_ACTIVE, false, 4);
	return 0;
}

static int teardown(void **state)
{
	test_lacp_fini(&t);
	return 0;
}

static uint8_t actor_bits(unsigned i)
{
	return test_status(&t, i).actor.state & SYNC_BITS;
}

static void assert_may(unsigned i, bool collect, bool distribute)
{
	assert_int_equal(lacp_port_may_collect(t.ports[i].port), collect);
	assert_int_equal(lacp_port_may_distribute(t.ports[i].port), distribute);
}

/* BEGIN -> DETACHED */
static void begin(void **state)
{
	assert_mux(&t, 0, "DETACHED");
	assert_int_equal(actor_bits(0), 0);
	assert_may(0, false, false);
}

/* DETACHED -> WAITING: SELECTED */
static void detached_to_waiting(void **state)
{
	test_link(&t, 0, true);
	assert_mux(&t, 0, "DETACHED");
	test_hear(&t, 0, STATE_ALL);
	assert_true(test_status(&t, 0).selected);
	assert_mux(&t, 0, "WAITING");
	assert_int_equal(actor_bits(0), 0);
	assert_may(0, false, false);
}

/* WAITING -> ATTACHED: SELECTED, Ready; NTT */
static void waiting_to_attached(void **state)
{
	unsigned n;

	test_link(&t, 0, true);
	test_hear(&t, 0, STATE_OUT);
	test_advance(&t, 1999);
	assert_mux(&t, 0, "WAITING");
	assert_false(test_status(&t, 0).attached);
	n = t.ports[0].n_sent;
	test_advance(&t, 1);
	assert_mux(&t, 0, "ATTACHED");
	assert_true(test_status(&t, 0).attached);
	assert_int_equal(actor_bits(0), LACP_SYNCHRONIZATION);
	assert_may(0, false, false);
	assert_int_equal(t.ports[0].n_sent, n + 1);
	assert_true(t.ports[0].last.pdu.actor.state & LACP_SYNCHRONIZATION);
}

/* WAITING -> DETACHED: UNSELECTED */
static void waiting_to_detached(void **state)
{
	test_link(&t, 0, true);
	test_hear(&t, 0, STATE_OUT);
	assert_mux(&t, 0, "WAITING");
	t.config.mode = LACP_OFF;
	test_configure(&t);
	assert_mux(&t, 0, "DETACHED");
}

/* Ready: all that wait come together, and nobody waits for ever. */
static void ready(void **state)
{
	struct lacp_pdu pdu;

	for (unsigned i = 0; i < 4; i++)
		test_link(&t, i, true);
	test_hear(&t, 0, STATE_OUT);
	test_advance(&t, 1500);
	test_hear(&t, 1, STATE_OUT);
	test_advance(&t, 1999);
	assert_mux(&t, 0, "WAITING");
	assert_mux(&t, 1, "WAITING");
	test_advance(&t, 1);
	assert_mux(&t, 0, "ATTACHED");
	assert_mux(&t, 1, "ATTACHED");

	/* Two that begin anew each second, in turn, and one beside them. */
	pdu = test_pdu(&t, 1, STATE_OUT);
	pdu.actor.port_id = 200;
	test_hear_pdu(&t, 1, &pdu);
	for (unsigned i = 0; i < 8; i++) {
		assert_mux(&t, 1, "WAITING");
		pdu = test_pdu(&t, 2 + i % 2, STATE_OUT);
		pdu.actor.port_id = 300 + i;
		test_hear_pdu(&t, 2 + i % 2, &pdu);
		assert_mux(&t, 2 + i % 2, "WAITING");
		test_advance(&t, 500);
	}
	assert_mux(&t, 1, "ATTACHED");
	assert_mux(&t, 2, "WAITING");
	assert_mux(&t, 3, "WAITING");
}

/* Brings port 0 to ATTACHED; the partner is out of sync. */
static void attach(void)
{
	test_link(&t, 0, true);
	test_hear(&t, 0, STATE_OUT);
	test_advance(&t, 3000);
	assert_mux(&t, 0, "ATTACHED");
}

/* ATTACHED -> COLLECTING: SELECTED, Partner.Synchronization; NTT */
static void attached_to_collecting(void **state)
{
	unsigned n;

	attach();
	test_hear(&t, 0, STATE_OUT);
	test_advance(&t, 60000);
	assert_mux(&t, 0, "ATTACHED");
	n = t.ports[0].n_sent;
	test_hear(&t, 0, STATE_SYNC);
	assert_mux(&t, 0, "COLLECTING");
	assert_int_equal(actor_bits(0), LACP_SYNCHRONIZATION | LACP_COLLECTING);
	assert_may(0, true, false);
	assert_int_equal(t.ports[0].n_sent, n + 1);
	assert_true(t.ports[0].last.pdu.actor.state & LACP_COLLECTING);
}

/* ATTACHED -> DETACHED: UNSELECTED; NTT */
static void attached_to_detached(void **state)
{
	struct lacp_pdu pdu;

	attach();
	pdu = test_pdu(&t, 0, STATE_OUT);
	pdu.actor.key++;
	test_hear_pdu(&t, 0, &pdu);
	/* And on to WAITING for the LAG that it belongs to now. */
	assert_mux(&t, 0, "WAITING");
	assert_int_equal(actor_bits(0), 0);
	assert_false(t.ports[0].last.pdu.actor.state & LACP_SYNCHRONIZATION);
}

/* COLLECTING -> DISTRIBUTING: and Partner.Collecting */
static void collecting_to_distributing(void **state)
{
	attach();
	test_hear(&t, 0, STATE_SYNC);
	t.n_changed = 0;
	test_hear(&t, 0, STATE_COLL);
	assert_mux(&t, 0, "DISTRIBUTING");
	assert_int_equal(actor_bits(0), SYNC_BITS);
	assert_may(0, true, true);
	assert_int_equal(t.n_changed, 1);
}

/* A partner that is expired collects nothing, whatever it says. */
static void expired_partner(void **state)
{
	test_negotiate(&t);
	test_hear(&t, 0, STATE_ALL | LACP_EXPIRED);
	assert_mux(&t, 0, "COLLECTING");
	assert_may(0, true, false);
	test_hear(&t, 0, STATE_ALL);
	assert_mux(&t, 0, "DISTRIBUTING");
}

/* COLLECTING -> ATTACHED: not Partner.Synchronization; NTT */
static void collecting_to_attached(void **state)
{
	unsigned n;

	attach();
	test_hear(&t, 0, STATE_SYNC);
	assert_mux(&t, 0, "COLLECTING");
	test_advance(&t, 2000);
	n = t.ports[0].n_sent;
	test_hear(&t, 0, STATE_OUT);
	assert_mux(&t, 0, "ATTACHED");
	assert_int_equal(actor_bits(0), LACP_SYNCHRONIZATION);
	assert_may(0, false, false);
	assert_int_equal(t.ports[0].n_sent, n + 1);
}

/* COLLECTING -> ATTACHED -> DETACHED: UNSELECTED */
static void collecting_to_detached(void **state)
{
	attach();
	test_hear(&t, 0, STATE_SYNC);
	t.config.mode = LACP_OFF;
	test_configure(&t);
	assert_mux(&t, 0, "DETACHED");
	assert_int_equal(actor_bits(0), 0);
	assert_may(0, false, false);
}

/* DISTRIBUTING -> COLLECTING: not Partner.Collecting; NTT */
static void distributing_to_collecting(void **state)
{
	unsigned n;

	test_negotiate(&t);
	test_advance(&t, 2000);
	n = t.ports[0].n_sent;
	test_hear(&t, 0, STATE_SYNC);
	assert_mux(&t, 0, "COLLECTING");
	assert_int_equal(actor_bits(0), LACP_SYNCHRONIZATION | LACP_COLLECTING);
	assert_may(0, true, false);
	assert_int_equal(t.ports[0].n_sent, n + 1);
	test_hear(&t, 0, STATE_ALL);
	assert_mux(&t, 0, "DISTRIBUTING");
}

/* DISTRIBUTING -> COLLECTING -> ATTACHED: not Partner.Synchronization */
static void distributing_to_attached(void **state)
{
	test_negotiate(&t);
	test_hear(&t, 0, STATE_ALL & ~LACP_SYNCHRONIZATION);
	assert_mux(&t, 0, "ATTACHED");
	assert_int_equal(actor_bits(0), LACP_SYNCHRONIZATION);
	/* Back at once, without waiting. */
	test_hear(&t, 0, STATE_ALL);
	assert_mux(&t, 0, "DISTRIBUTING");
}

/* The same by the link: and back with the first frame after it. */
static void link_flap(void **state)
{
	test_negotiate(&t);
	test_link(&t, 0, false);
	assert_mux(&t, 0, "ATTACHED");
	assert_may(0, false, false);
	assert_may(1, true, true);
	test_link(&t, 0, true);
	assert_mux(&t, 0, "ATTACHED");
	test_hear(&t, 0, STATE_ALL);
	assert_mux(&t, 0, "DISTRIBUTING");
}

/* DISTRIBUTING -> ... -> DETACHED: UNSELECTED, since we are another now */
static void distributing_to_detached(void **state)
{
	test_negotiate(&t);
	t.config.key++;
	test_configure(&t);
	for (unsigned i = 0; i < 4; i++) {
		assert_mux(&t, i, "WAITING");
		assert_may(i, false, false);
		assert_int_equal(t.ports[i].last.pdu.actor.key, t.config.key);
	}
	test_negotiate(&t);
	t.ports[1].config.key = 77;
	test_configure_port(&t, 1);
	assert_mux(&t, 1, "DETACHED");
	assert_mux(&t, 0, "DISTRIBUTING");
	/* What stays the same is not disturbed. */
	test_configure(&t);
	test_configure_port(&t, 0);
	t.config.fast = !t.config.fast;
	test_configure(&t);
	assert_mux(&t, 0, "DISTRIBUTING");
}

/* Figures 6-23, 6-24: out of sync for a minute, counted once */
static void churn(void **state)
{
	test_link(&t, 0, true);
	test_advance(&t, 59999);
	assert_false(test_status(&t, 0).actor_churn);
	test_advance(&t, 1);
	assert_true(test_status(&t, 0).actor_churn);
	assert_true(test_status(&t, 0).partner_churn);
	test_advance(&t, 600000);
	assert_int_equal(test_status(&t, 0).actor_churns, 1);
	/* We are in sync now, the partner not. */
	attach();
	assert_false(test_status(&t, 0).actor_churn);
	assert_true(test_status(&t, 0).partner_churn);
	test_hear(&t, 0, STATE_ALL);
	assert_false(test_status(&t, 0).partner_churn);
	/* No link, no churn. */
	test_link(&t, 0, false);
	test_advance(&t, 600000);
	assert_false(test_status(&t, 0).partner_churn);
	assert_int_equal(test_status(&t, 0).partner_churns, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(begin),
		TEST(detached_to_waiting),
		TEST(waiting_to_attached),
		TEST(waiting_to_detached),
		TEST(ready),
		TEST(attached_to_collecting),
		TEST(attached_to_detached),
		TEST(collecting_to_distributing),
		TEST(expired_partner),
		TEST(collecting_to_attached),
		TEST(collecting_to_detached),
		TEST(distributing_to_collecting),
		TEST(distributing_to_attached),
		TEST(link_flap),
		TEST(distributing_to_detached),
		TEST(churn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
