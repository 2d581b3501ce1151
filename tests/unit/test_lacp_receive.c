/*
 * The receive machine: every transition of IEEE 802.1AX-2014 figure 6-18, and
 * the functions of 6.4.9 that its states call.
 */
#include "lacp_fixture.h"

static struct test_lacp t;

static int setup(void **state)
{
	test_lacp_init(&t, LACP_ACTIVE, true, 2);
	return 0;
}

static int teardown(void **state)
{
	test_lacp_fini(&t);
	return 0;
}

/* BEGIN -> INITIALIZE -> PORT_DISABLED: recordDefault, UNSELECTED */
static void begin(void **state)
{
	struct lacp_port_status s = test_status(&t, 0);

	assert_receive(&t, 0, "PORT_DISABLED");
	assert_true(s.defaulted);
	assert_false(s.selected || s.expired || s.current);
	assert_int_equal(s.partner.system_id, 0);
	assert_false(s.partner.state & LACP_SYNCHRONIZATION);
	assert_true(s.actor.state & LACP_DEFAULTED);
	assert_false(s.actor.state & LACP_EXPIRED);
	assert_true(lacp_next_ms(t.lacp) == UINT64_MAX);
	assert_int_equal(lacp_get_status(t.lacp), LACP_CONFIGURED);
}

/* PORT_DISABLED -> EXPIRED: port_enabled, LACP_Enabled */
static void port_disabled_to_expired(void **state)
{
	struct lacp_port_status s;

	test_link(&t, 0, true);
	assert_receive(&t, 0, "EXPIRED");
	s = test_status(&t, 0);
	assert_true(s.partner.state & LACP_TIMEOUT);
	assert_false(s.partner.state & LACP_SYNCHRONIZATION);
	assert_true(s.actor.state & LACP_EXPIRED);
	assert_int_equal(s.link_expired, 0);
}

/* PORT_DISABLED -> LACP_DISABLED: port_enabled, not LACP_Enabled */
static void port_disabled_to_lacp_disabled(void **state)
{
	lacp_port_set_link(t.ports[0].port, true, 1, TEST_SPEED, false,
			   t.now_ms);
	assert_receive(&t, 0, "LACP_DISABLED");
	assert_true(test_status(&t, 0).individual);
	assert_false(test_status(&t, 0).actor.state & LACP_EXPIRED);
	test_hear(&t, 0, STATE_ALL);
	assert_receive(&t, 0, "LACP_DISABLED");
	assert_true(lacp_next_ms(t.lacp) == UINT64_MAX);
}

/* LACP_DISABLED -> PORT_DISABLED -> EXPIRED: LACP_Enabled */
static void lacp_disabled_to_port_disabled(void **state)
{
	t.config.mode = LACP_OFF;
	test_configure(&t);
	test_link(&t, 0, true);
	assert_receive(&t, 0, "LACP_DISABLED");
	assert_int_equal(lacp_get_status(t.lacp), LACP_DISABLED);
	t.config.mode = LACP_ACTIVE;
	test_configure(&t);
	assert_receive(&t, 0, "EXPIRED");
}

/* LACP_DISABLED -> PORT_DISABLED: not port_enabled */
static void lacp_disabled_link_down(void **state)
{
	t.config.mode = LACP_OFF;
	test_configure(&t);
	test_link(&t, 0, true);
	test_link(&t, 0, false);
	assert_receive(&t, 0, "PORT_DISABLED");
}

/* EXPIRED -> CURRENT: a PDU */
static void expired_to_current(void **state)
{
	struct lacp_port_status s;

	test_link(&t, 0, true);
	test_hear(&t, 0, STATE_OUT);
	assert_receive(&t, 0, "CURRENT");
	s = test_status(&t, 0);
	assert_true(s.current && !s.defaulted && !s.expired);
	assert_false(s.actor.state & (LACP_EXPIRED | LACP_DEFAULTED));
	assert_true(s.partner.system_id == TEST_PARTNER);
	assert_int_equal(s.partner.port_id, 100);
	assert_int_equal(s.received, 1);
	assert_int_equal(s.last_received_ms, t.now_ms);
	assert_int_equal(lacp_get_status(t.lacp), LACP_NEGOTIATED);
}

/* EXPIRED -> DEFAULTED: current_while_timer, always the short one */
static void expired_to_defaulted(void **state)
{
	t.config.fast = false;
	test_configure(&t);
	test_link(&t, 0, true);
	test_advance(&t, 2999);
	assert_receive(&t, 0, "EXPIRED");
	test_advance(&t, 1);
	assert_receive(&t, 0, "DEFAULTED");
	assert_true(test_status(&t, 0).defaulted);
	assert_false(test_status(&t, 0).actor.state & LACP_EXPIRED);
	assert_int_equal(test_status(&t, 0).link_defaulted, 1);
}

/* DEFAULTED -> CURRENT: a PDU */
static void defaulted_to_current(void **state)
{
	test_link(&t, 0, true);
	test_advance(&t, 5000);
	assert_receive(&t, 0, "DEFAULTED");
	test_hear(&t, 0, STATE_OUT);
	assert_receive(&t, 0, "CURRENT");
	assert_false(test_status(&t, 0).defaulted);
}

/* CURRENT -> EXPIRED: 3 s when we ask for the short timeout */
static void current_to_expired_short(void **state)
{
	test_link(&t, 0, true);
	test_hear(&t, 0, STATE_SYNC);
	assert_true(test_status(&t, 0).partner.state & LACP_SYNCHRONIZATION);
	test_advance(&t, 2999);
	assert_receive(&t, 0, "CURRENT");
	test_advance(&t, 1);
	assert_receive(&t, 0, "EXPIRED");
	assert_true(test_status(&t, 0).expired);
	assert_false(test_status(&t, 0).partner.state & LACP_SYNCHRONIZATION);
	assert_true(test_status(&t, 0).partner.state & LACP_TIMEOUT);
	assert_int_equal(test_status(&t, 0).link_expired, 1);
	/* The partner is still known, so this is still negotiated. */
	assert_int_equal(lacp_get_status(t.lacp), LACP_NEGOTIATED);
	test_advance(&t, 3000);
	assert_receive(&t, 0, "DEFAULTED");
	assert_int_equal(lacp_get_status(t.lacp), LACP_CONFIGURED);
}

/* CURRENT -> EXPIRED: 90 s for the long one */
static void current_to_expired_long(void **state)
{
	t.config.fast = false;
	test_configure(&t);
	test_link(&t, 0, true);
	test_hear(&t, 0, STATE_SYNC);
	test_advance(&t, 89999);
	assert_receive(&t, 0, "CURRENT");
	test_advance(&t, 1);
	assert_receive(&t, 0, "EXPIRED");
}

/* CURRENT -> CURRENT: a PDU starts the timer anew */
static void current_to_current(void **state)
{
	test_link(&t, 0, true);
	for (int i = 0; i < 20; i++) {
		test_hear(&t, 0, STATE_SYNC);
		test_advance(&t, 2999);
		assert_receive(&t, 0, "CURRENT");
	}
}

/* EXPIRED, DEFAULTED, CURRENT -> PORT_DISABLED: not port_enabled */
static void link_down(void **state)
{
	test_link(&t, 0, true);
	test_link(&t, 0, false);
	assert_receive(&t, 0, "PORT_DISABLED");

	test_link(&t, 0, true);
	test_advance(&t, 3000);
	assert_receive(&t, 0, "DEFAULTED");
	test_link(&t, 0, false);
	assert_receive(&t, 0, "PORT_DISABLED");

	test_link(&t, 0, true);
	test_hear(&t, 0, STATE_ALL);
	test_link(&t, 0, false);
	assert_receive(&t, 0, "PORT_DISABLED");
	/* The partner is remembered, but not in sync. */
	assert_true(test_status(&t, 0).partner.system_id == TEST_PARTNER);
	assert_false(test_status(&t, 0).partner.state & LACP_SYNCHRONIZATION);
	assert_int_equal(test_status(&t, 0).carrier_changes, 6);
	/* Nothing that comes now counts. */
	test_hear(&t, 0, STATE_ALL);
	assert_receive(&t, 0, "PORT_DISABLED");
	assert_int_equal(lacp_get_status(t.lacp), LACP_CONFIGURED);
}

/* CURRENT -> PORT_DISABLED -> LACP_DISABLED: LACP_Enabled ends */
static void current_to_lacp_disabled(void **state)
{
	test_negotiate(&t);
	t.config.mode = LACP_OFF;
	test_configure(&t);
	assert_receive(&t, 0, "LACP_DISABLED");
	assert_mux(&t, 0, "DETACHED");
	assert_false(lacp_port_may_collect(t.ports[0].port));
	assert_int_equal(test_status(&t, 0).partner.system_id, 0);

	t.config.mode = LACP_ACTIVE;
	test_configure(&t);
	test_negotiate(&t);
	lacp_port_set_link(t.ports[0].port, true, 1, TEST_SPEED, false,
			   t.now_ms);
	assert_receive(&t, 0, "LACP_DISABLED");
	assert_mux(&t, 0, "DETACHED");
	assert_mux(&t, 1, "DISTRIBUTING");
}

/* PORT_DISABLED -> INITIALIZE: port_moved */
static void port_moved(void **state)
{
	struct lacp_pdu pdu;

	test_negotiate(&t);
	pdu = test_pdu(&t, 0, STATE_ALL);
	test_link(&t, 0, false);
	assert_true(test_status(&t, 0).partner.system_id == TEST_PARTNER);
	assert_true(test_status(&t, 0).selected);
	/* Another partner of the same system is no move. */
	test_hear(&t, 1, STATE_ALL);
	assert_true(test_status(&t, 0).selected);
	/* The cable of port 0 is in port 1 now. */
	test_hear_pdu(&t, 1, &pdu);
	assert_receive(&t, 0, "PORT_DISABLED");
	assert_int_equal(test_status(&t, 0).partner.system_id, 0);
	assert_true(test_status(&t, 0).defaulted);
	assert_false(test_status(&t, 0).selected);
	assert_mux(&t, 0, "DETACHED");
}

/* What a partner may have wrong of us, or changed of itself: one field each. */
static void spoil(struct lacp_info *info, unsigned field)
{
	switch (field) {
	case 0:
		info->system_priority ^= 1;
		break;
	case 1:
		info->system_id ^= 1;
		break;
	case 2:
		info->key ^= 1;
		break;
	case 3:
		info->port_priority ^= 1;
		break;
	case 4:
		info->port_id ^= 1;
		break;
	case 5:
		info->state ^= LACP_AGGREGATION;
		break;
	}
}
#define N_FIELDS 6

/* recordPDU: in sync only when the partner means us as we are */
static void record_pdu_matches(void **state)
{
	struct lacp_pdu pdu;

	test_link(&t, 0, true);
	for (unsigned field = 0; field < N_FIELDS; field++) {
		pdu = test_pdu(&t, 0, STATE_SYNC);
		test_hear_pdu(&t, 0, &pdu);
		assert_true(test_status(&t, 0).partner.state &
			    LACP_SYNCHRONIZATION);
		spoil(&pdu.partner, field);
		test_hear_pdu(&t, 0, &pdu);
		assert_receive(&t, 0, "CURRENT");
		assert_false(test_status(&t, 0).partner.state &
			     LACP_SYNCHRONIZATION);
	}
	/* An individual link needs no agreement. */
	pdu.actor.state &= ~LACP_AGGREGATION;
	test_hear_pdu(&t, 0, &pdu);
	assert_true(test_status(&t, 0).partner.state & LACP_SYNCHRONIZATION);
	/* But sync has to be said. */
	test_hear(&t, 0, STATE_OUT);
	assert_false(test_status(&t, 0).partner.state & LACP_SYNCHRONIZATION);
}

/* recordPDU: somebody has to be active, and the partner has to know it */
static void record_pdu_maintained(void **state)
{
	struct lacp_pdu pdu;

	test_link(&t, 0, true);
	pdu = test_pdu(&t, 0, STATE_SYNC & ~LACP_ACTIVITY);
	test_hear_pdu(&t, 0, &pdu);
	assert_true(test_status(&t, 0).partner.state & LACP_SYNCHRONIZATION);
	pdu.partner.state &= ~LACP_ACTIVITY;
	test_hear_pdu(&t, 0, &pdu);
	assert_false(test_status(&t, 0).partner.state & LACP_SYNCHRONIZATION);

	t.config.mode = LACP_PASSIVE;
	test_configure(&t);
	pdu = test_pdu(&t, 0, STATE_SYNC & ~LACP_ACTIVITY);
	pdu.partner.state |= LACP_ACTIVITY;
	test_hear_pdu(&t, 0, &pdu);
	assert_false(test_status(&t, 0).partner.state & LACP_SYNCHRONIZATION);
	test_hear(&t, 0, STATE_SYNC);
	assert_true(test_status(&t, 0).partner.state & LACP_SYNCHRONIZATION);
}

/* update_Selected: a partner that is another one now, or as before */
static void update_selected(void **state)
{
	struct lacp_pdu pdu;

	test_negotiate(&t);
	for (unsigned field = 0; field < N_FIELDS; field++) {
		pdu = test_pdu(&t, 0, STATE_ALL);
		spoil(&pdu.actor, field);
		assert_mux(&t, 0, "DISTRIBUTING");
		test_hear_pdu(&t, 0, &pdu);
		assert_true(!strcmp(test_status(&t, 0).mux_state, "WAITING") ||
			    !strcmp(test_status(&t, 0).mux_state, "DETACHED"));
		assert_mux(&t, 1, "DISTRIBUTING");
		test_negotiate(&t);
	}
	/* Its other bits are no change of the partner. */
	test_hear(&t, 0, STATE_ALL ^ LACP_TIMEOUT ^ LACP_DEFAULTED);
	assert_mux(&t, 0, "DISTRIBUTING");
}

/* update_Default_Selected: no partner is another partner */
static void update_default_selected(void **state)
{
	test_negotiate(&t);
	test_advance(&t, 5999);
	assert_receive(&t, 0, "EXPIRED");
	assert_mux(&t, 0, "ATTACHED");
	assert_true(test_status(&t, 0).selected);
	test_advance(&t, 1);
	assert_receive(&t, 0, "DEFAULTED");
	assert_false(test_status(&t, 0).selected);
	assert_mux(&t, 0, "DETACHED");
}

/* update_NTT: who knows us wrong is told at once */
static void update_ntt(void **state)
{
	const uint8_t bits[] = { LACP_ACTIVITY, LACP_TIMEOUT,
				 LACP_SYNCHRONIZATION };
	struct lacp_pdu pdu;
	unsigned n;

	test_negotiate(&t);
	for (unsigned i = 0; i < N_FIELDS + ARRAY_SIZE(bits); i++) {
		pdu = test_pdu(&t, 1, STATE_ALL);
		if (i < N_FIELDS)
			spoil(&pdu.partner, i);
		else
			pdu.partner.state ^= bits[i - N_FIELDS];
		test_negotiate(&t);
		n = t.ports[1].n_sent;
		test_hear_pdu(&t, 1, &pdu);
		assert_int_equal(t.ports[1].n_sent, n + 1);
	}
	test_negotiate(&t);
	pdu = test_pdu(&t, 1, STATE_ALL);
	pdu.partner.state ^= LACP_COLLECTING | LACP_DISTRIBUTING |
			     LACP_EXPIRED | LACP_DEFAULTED;
	n = t.ports[1].n_sent;
	test_hear_pdu(&t, 1, &pdu);
	assert_int_equal(t.ports[1].n_sent, n);
}

/* A PDU that waited while nobody ran the machines was in time. */
static void late_run(void **state)
{
	test_link(&t, 0, true);
	test_hear(&t, 0, STATE_SYNC);
	t.now_ms += 3500;
	test_hear(&t, 0, STATE_SYNC);
	assert_receive(&t, 0, "CURRENT");
	assert_int_equal(test_status(&t, 0).link_expired, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(begin),
		TEST(port_disabled_to_expired),
		TEST(port_disabled_to_lacp_disabled),
		TEST(lacp_disabled_to_port_disabled),
		TEST(lacp_disabled_link_down),
		TEST(expired_to_current),
		TEST(expired_to_defaulted),
		TEST(defaulted_to_current),
		TEST(current_to_expired_short),
		TEST(current_to_expired_long),
		TEST(current_to_current),
		TEST(link_down),
		TEST(current_to_lacp_disabled),
		TEST(port_moved),
		TEST(record_pdu_matches),
		TEST(record_pdu_maintained),
		TEST(update_selected),
		TEST(update_default_selected),
		TEST(update_ntt),
		TEST(late_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
