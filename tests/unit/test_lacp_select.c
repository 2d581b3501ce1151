/* The selection logic (IEEE 802.1AX-2014, 6.4.14) with one aggregator. */
#include "lacp_fixture.h"

#define OTHER_SYSTEM 0x0200000000ccull

static struct test_lacp t;

static int setup(void **state)
{
	test_lacp_init(&t, LACP_ACTIVE, false, 4);
	for (unsigned i = 0; i < 4; i++)
		test_link(&t, i, true);
	return 0;
}

static int teardown(void **state)
{
	test_lacp_fini(&t);
	return 0;
}

static void hear_system(unsigned i, uint64_t system_id, uint16_t priority,
			uint8_t state)
{
	struct lacp_pdu pdu = test_pdu(&t, i, state);

	pdu.actor.system_id = system_id;
	pdu.actor.system_priority = priority;
	test_hear_pdu(&t, i, &pdu);
}

/* Bit i: port i is selected. */
static unsigned selected(void)
{
	unsigned mask = 0;

	for (unsigned i = 0; i < t.n_ports; i++)
		mask |= test_status(&t, i).selected << i;
	return mask;
}

static void same_partner_joins(void **state)
{
	for (unsigned i = 0; i < 4; i++) {
		test_hear(&t, i, STATE_OUT);
		assert_int_equal(selected(), (2u << i) - 1);
	}
}

/* More ports win as long as nothing is carried. */
static void more_ports_win(void **state)
{
	hear_system(0, OTHER_SYSTEM, 2000, STATE_OUT);
	assert_int_equal(selected(), 0x1);
	test_hear(&t, 1, STATE_OUT);
	assert_int_equal(selected(), 0x1); /* a draw changes nothing */
	test_hear(&t, 2, STATE_OUT);
	assert_int_equal(selected(), 0x6);
	test_hear(&t, 3, STATE_OUT);
	assert_int_equal(selected(), 0xe);
	assert_mux(&t, 0, "DETACHED");
}

#define assert_why(i, WHICH, PART)                                             \
	assert_non_null(strstr(test_status(&t, i).why_##WHICH, PART))

/* Each reason for which a link is left out is told. */
static void why(void **state)
{
	struct lacp_pdu pdu;

	assert_why(0, individual, "no partner");
	assert_why(0, detached, "no partner");
	test_hear(&t, 0, STATE_ALL);
	assert_null(test_status(&t, 0).why_individual);
	assert_why(0, detached, "waits");
	test_advance(&t, 2000);
	test_hear(&t, 0, STATE_ALL);
	assert_mux(&t, 0, "DISTRIBUTING");
	assert_null(test_status(&t, 0).why_detached);

	hear_system(1, OTHER_SYSTEM, 2000, STATE_ALL);
	assert_why(1, detached, "another system");
	hear_system(1, TEST_SYSTEM, 2000, STATE_ALL);
	assert_why(1, detached, "leads back here");
	test_hear(&t, 1, STATE_ALL & ~LACP_AGGREGATION);
	assert_why(1, individual, "the partner");
	assert_why(1, detached, "the partner does not aggregate");
	pdu = test_pdu(&t, 1, STATE_ALL);
	pdu.actor.key++;
	test_hear_pdu(&t, 1, &pdu);
	assert_why(1, detached, "partner's key");
	t.ports[2].config.key = 4711;
	test_configure_port(&t, 2);
	test_hear(&t, 2, STATE_ALL);
	assert_why(2, detached, "its key");
	lacp_port_set_link(t.ports[3].port, true, 0x020000000103,
			   TEST_SPEED / 10, true, t.now_ms);
	test_hear(&t, 3, STATE_ALL);
	assert_why(3, detached, "speed");
	lacp_port_set_link(t.ports[3].port, true, 0x020000000103, TEST_SPEED,
			   false, t.now_ms);
	assert_why(3, individual, "half duplex");
	assert_why(3, detached, "half duplex");
	test_link(&t, 3, false);
	assert_why(3, detached, "link is down");
	lacp_port_set_usable(t.ports[2].port, false, t.now_ms);
	assert_why(2, detached, "out of use");
}

/* What carries traffic stays, and goes when it does not any more. */
static void carrying_stays(void **state)
{
	for (unsigned i = 0; i < 5; i++) {
		hear_system(0, OTHER_SYSTEM, 2000, STATE_ALL);
		test_advance(&t, 1000);
	}
	assert_mux(&t, 0, "DISTRIBUTING");
	for (unsigned i = 1; i < 4; i++)
		test_hear(&t, i, STATE_ALL);
	assert_int_equal(selected(), 0x1);
	assert_mux(&t, 0, "DISTRIBUTING");
	assert_mux(&t, 1, "DETACHED");

	test_link(&t, 0, false);
	assert_int_equal(selected(), 0xe);
	test_advance(&t, 2000);
	assert_mux(&t, 3, "DISTRIBUTING");
	/* Nor does it get it back. */
	test_link(&t, 0, true);
	hear_system(0, OTHER_SYSTEM, 2000, STATE_ALL);
	assert_int_equal(selected(), 0xe);
}

/* A partner that holds a link out of sync is honoured, and its others work. */
static void partner_holds_out(void **state)
{
	for (unsigned i = 0; i < 60; i++) {
		test_hear(&t, 0, STATE_ALL);
		test_hear(&t, 1, STATE_OUT);
		test_advance(&t, 1000);
	}
	assert_int_equal(selected(), 0x3);
	assert_mux(&t, 0, "DISTRIBUTING");
	assert_mux(&t, 1, "ATTACHED");
	assert_false(lacp_port_may_collect(t.ports[1].port));
	test_hear(&t, 1, STATE_ALL);
	assert_mux(&t, 1, "DISTRIBUTING");
}

/* The links of the LAG that is chosen are out of sync, all: another one. */
static void lag_out_of_sync(void **state)
{
	for (unsigned i = 0; i < 10; i++) {
		test_hear(&t, 0, STATE_ALL);
		hear_system(1, OTHER_SYSTEM, 2000, STATE_ALL);
		hear_system(2, OTHER_SYSTEM, 2000, STATE_ALL);
		test_advance(&t, 1000);
	}
	assert_int_equal(selected(), 0x6);
	assert_mux(&t, 1, "DISTRIBUTING");
	/* It stays while it has links that carry. */
	hear_system(1, OTHER_SYSTEM, 2000, STATE_OUT);
	assert_int_equal(selected(), 0x6);
	test_hear(&t, 3, STATE_ALL);
	assert_int_equal(selected(), 0x6);
	test_link(&t, 2, false);
	assert_int_equal(selected(), 0x9);
}

/* A partner that never comes into sync does not keep us from another. */
static void unwilling_partner(void **state)
{
	for (unsigned i = 0; i < 30; i++) {
		for (unsigned port = 0; port < 3; port++)
			test_hear(&t, port, STATE_OUT);
		hear_system(3, OTHER_SYSTEM, 2000, STATE_ALL);
		if (i == 4)
			assert_int_equal(selected(), 0x7);
		if (i == 7) /* it waited for 2 s, and was held out for 3 */
			assert_int_equal(selected(), 0x8);
		test_advance(&t, 1000);
	}
	assert_int_equal(selected(), 0x8);
	assert_mux(&t, 3, "DISTRIBUTING");
	/* And when that one goes, back: it is in sync now. */
	test_hear(&t, 0, STATE_ALL);
	test_hear(&t, 1, STATE_ALL);
	test_link(&t, 3, false);
	assert_int_equal(selected(), 0x7);
	test_advance(&t, 2000);
	assert_mux(&t, 0, "DISTRIBUTING");
	assert_mux(&t, 2, "ATTACHED");
}

/* At a draw the better priority decides, when none was there before. */
static void priority_decides(void **state)
{
	/* Whichever comes first gets it; when both expire together, not. */
	hear_system(0, OTHER_SYSTEM, 100, STATE_OUT);
	hear_system(1, TEST_PARTNER, 200, STATE_OUT);
	assert_int_equal(selected(), 0x1);
	t.config.key++; /* all begin anew */
	test_configure(&t);
	assert_int_equal(selected(), 0x1);

	hear_system(0, OTHER_SYSTEM, 300, STATE_OUT);
	t.config.key++;
	test_configure(&t);
	assert_int_equal(selected(), 0x2);

	/* The same priority: the lesser system. */
	hear_system(0, OTHER_SYSTEM, 200, STATE_OUT);
	t.config.key++;
	test_configure(&t);
	assert_int_equal(selected(), 0x2);
}

/* The better port priority chooses between links that are individual. */
static void individual_links(void **state)
{
	t.ports[2].config.priority = 1;
	test_configure_port(&t, 2);
	for (unsigned i = 0; i < 4; i++)
		test_hear(&t, i, STATE_ALL & ~LACP_AGGREGATION);
	assert_int_equal(selected(), 0x4); /* by its priority */
	assert_true(test_status(&t, 2).individual);
	t.config.key++;
	test_configure(&t);
	assert_int_equal(selected(), 0x4);
	test_advance(&t, 3000);
	test_hear(&t, 2, STATE_ALL & ~LACP_AGGREGATION);
	assert_mux(&t, 2, "DISTRIBUTING");
	/* An aggregatable link does not join it. */
	test_hear(&t, 0, STATE_ALL);
	assert_int_equal(selected(), 0x4);
}

static void hear_number(unsigned i, uint64_t system, uint16_t number)
{
	struct lacp_pdu pdu = test_pdu(&t, i, STATE_OUT);

	pdu.actor.system_id = system;
	pdu.actor.system_priority = t.config.system_priority;
	pdu.actor.port_id = number;
	test_hear_pdu(&t, i, &pdu);
}

/*
 * With two keys to one partner both ends find the same link, by the numbers of
 * the system with the lesser identifier, whichever came first.
 */
static void both_ends_agree(void **state)
{
	t.ports[1].config.key = 4711;
	test_configure_port(&t, 1);
	hear_number(0, 0x020000000001, 9);
	hear_number(1, 0x020000000001, 3);
	assert_int_equal(selected(), 0x2);
	hear_number(1, 0x020000000001, 10);
	assert_int_equal(selected(), 0x1);
	hear_number(0, 0x0200000000ff, 9);
	hear_number(1, 0x0200000000ff, 3);
	assert_int_equal(selected(), 0x1);
}

/* Key, system and system priority each make another LAG; so does our key. */
static void other_lag(void **state)
{
	struct lacp_pdu pdu;

	test_hear(&t, 0, STATE_OUT);
	test_hear(&t, 1, STATE_OUT);
	hear_system(2, OTHER_SYSTEM, 2000, STATE_OUT);
	assert_int_equal(selected(), 0x3);
	hear_system(2, TEST_PARTNER, 2001, STATE_OUT);
	assert_int_equal(selected(), 0x3);
	pdu = test_pdu(&t, 2, STATE_OUT);
	pdu.actor.key++;
	test_hear_pdu(&t, 2, &pdu);
	assert_int_equal(selected(), 0x3);
	test_hear(&t, 2, STATE_OUT);
	assert_int_equal(selected(), 0x7);
	t.ports[2].config.key = 9;
	test_configure_port(&t, 2);
	test_hear(&t, 2, STATE_OUT);
	assert_int_equal(test_status(&t, 2).actor.key, 9);
	assert_int_equal(selected(), 0x3);
}

/* A speed unlike the others'; bandwidth counts before the number of ports. */
static void other_speed(void **state)
{
	for (unsigned i = 0; i < 2; i++)
		lacp_port_set_link(t.ports[i].port, true, 1 + i,
				   TEST_SPEED / 10, true, t.now_ms);
	test_negotiate(&t); /* sets all to the same */
	lacp_port_set_link(t.ports[3].port, true, 4, TEST_SPEED / 10, true,
			   t.now_ms);
	assert_int_equal(selected(), 0x7);
	assert_mux(&t, 3, "DETACHED");
	lacp_port_set_link(t.ports[3].port, true, 4, TEST_SPEED, true,
			   t.now_ms);
	assert_int_equal(selected(), 0xf);

	t.config.key++;
	test_configure(&t);
	for (unsigned i = 0; i < 3; i++)
		lacp_port_set_link(t.ports[i].port, true, 1 + i,
				   TEST_SPEED / 10, true, t.now_ms);
	assert_int_equal(selected(), 0x8);
}

/* Our own frames: by a loop on the link, or a cable between two ports. */
static void loopback(void **state)
{
	struct lacp_pdu pdu = { .actor = test_status(&t, 0).actor };

	pdu.actor.state = STATE_ALL;
	pdu.partner = pdu.actor;
	test_hear_pdu(&t, 0, &pdu);
	pdu.partner = test_status(&t, 1).actor;
	test_hear_pdu(&t, 1, &pdu);
	assert_receive(&t, 0, "CURRENT");
	assert_int_equal(selected(), 0);
	assert_int_equal(lacp_get_status(t.lacp), LACP_CONFIGURED);
	test_advance(&t, 60000);
	assert_mux(&t, 0, "DETACHED");
	assert_mux(&t, 1, "DETACHED");
	/* A system that has no address is none. */
	hear_system(2, 0, 0, STATE_ALL);
	assert_int_equal(selected(), 0);
}

/* UNSELECTED comes first, SELECTED when it has left. */
static void partner_changes(void **state)
{
	test_negotiate(&t);
	hear_system(0, OTHER_SYSTEM, 1, STATE_ALL);
	assert_int_equal(selected(), 0xe);
	assert_mux(&t, 0, "DETACHED");
	test_hear(&t, 0, STATE_ALL);
	assert_int_equal(selected(), 0xf);
	assert_mux(&t, 0, "WAITING");
	/* All of them. */
	for (unsigned i = 0; i < 4; i++)
		hear_system(i, OTHER_SYSTEM, 1, STATE_ALL);
	assert_int_equal(selected(), 0xf);
	for (unsigned i = 0; i < 4; i++)
		assert_false(lacp_port_may_collect(t.ports[i].port));
	test_advance(&t, 3000);
	for (unsigned i = 0; i < 4; i++)
		assert_mux(&t, i, "DISTRIBUTING");
}

/* Ports come and go, and the others do not notice. */
static void add_and_remove(void **state)
{
	test_negotiate(&t);
	lacp_remove_port(t.ports[3].port, t.now_ms);
	t.n_ports = 3;
	assert_int_equal(selected(), 0x7);
	assert_mux(&t, 2, "DISTRIBUTING");
	t.ports[3].port = lacp_add_port(t.lacp, &t.ports[3].config, &t.ports[3],
					t.now_ms);
	t.n_ports = 4;
	assert_int_equal(selected(), 0x7);
	test_negotiate(&t);
	assert_int_equal(selected(), 0xf);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(same_partner_joins),
		TEST(more_ports_win),
		TEST(why),
		TEST(carrying_stays),
		TEST(partner_holds_out),
		TEST(lag_out_of_sync),
		TEST(unwilling_partner),
		TEST(priority_decides),
		TEST(individual_links),
		TEST(both_ends_agree),
		TEST(other_lag),
		TEST(other_speed),
		TEST(loopback),
		TEST(partner_changes),
		TEST(add_and_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
