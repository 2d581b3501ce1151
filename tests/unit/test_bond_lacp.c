/*
 * A bond with LACP against another one: nothing before there is a partner,
 * fallback to active-backup, members that go and come.
 */
#include "bond_fixture.h"

#define ETH_SLOW 0x8809

static struct bond_fixture us, them;
static bool cut; /* no frame arrives */

static void configure(struct bond_fixture *f, uint64_t system)
{
	f->config.policy = BOND_BALANCE_TCP;
	f->config.lacp = (struct lacp_config){
		.mode = LACP_ACTIVE,
		.fast = true,
		.system_priority = 65534,
		.system_id = system,
		.key = 1,
	};
	bond_fixture_configure(f);
}

static int setup(void **state)
{
	cut = false;
	bond_fixture_start(&us, 3);
	bond_fixture_start(&them, 3);
	configure(&us, 0x020000000001);
	configure(&them, 0x020000000002);
	return 0;
}

static int teardown(void **state)
{
	bond_fixture_stop(&us);
	bond_fixture_stop(&them);
	return 0;
}

static void link_up(unsigned i, bool up)
{
	fixture_link(&us, i, up);
	fixture_link(&them, i, up);
}

static void hand_over(struct bond_fixture *from, struct bond_fixture *to)
{
	for (unsigned i = 0; i < from->n_noted; i++) {
		const struct noted *n = &from->noted[i];

		if (cut || n->member == BOND_NO_MEMBER ||
		    load_be16(n->frame + 12) != ETH_SLOW)
			continue;
		bond_receive_slow(bond_member_at(to->bond, n->member), n->frame,
				  n->len, to->now);
	}
	from->n_noted = 0;
}

static void pass(uint64_t ms)
{
	while (ms) {
		uint64_t step = MIN(ms, 10);

		fixture_pass(&us, step);
		fixture_pass(&them, step);
		hand_over(&us, &them);
		hand_over(&them, &us);
		ms -= step;
	}
}

static enum lacp_status lacp_status(struct bond_fixture *f)
{
	struct bond_status s;

	bond_get_status(f->bond, f->now, &s);
	return s.lacp;
}

static void nothing_without_a_partner(void **state)
{
	struct bond_member_status s;

	cut = true;
	for (unsigned i = 0; i < 3; i++)
		link_up(i, true);
	pass(10000);
	assert_int_equal(lacp_status(&us), LACP_CONFIGURED);
	assert_int_equal(fixture_active(&us), -1);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(fixture_filter(&us, i), BOND_RX_NOTHING);
	bond_get_member_status(fixture_member(&us, 0), us.now, &s);
	assert_string_equal(s.why_not, "no LACP partner answers");
	assert_non_null(s.lacp);
	assert_non_null(bond_lacp(us.bond));
}

static void negotiates(void **state)
{
	for (unsigned i = 0; i < 3; i++)
		link_up(i, true);
	pass(10000);
	assert_int_equal(lacp_status(&us), LACP_NEGOTIATED);
	assert_int_equal(us.table->hash, BOND_HASH_L4);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(fixture_enabled(&us, i));
		assert_int_equal(fixture_filter(&us, i), 0);
		assert_in_range(fixture_buckets(&us, i), 85, 86);
	}
	assert_false(bond_wants_addresses(us.bond));
}

static void delays_do_not_count(void **state)
{
	us.config.updelay_ms = us.config.downdelay_ms = 60000;
	bond_fixture_configure(&us);
	for (unsigned i = 0; i < 3; i++)
		link_up(i, true);
	pass(10000);
	assert_true(fixture_enabled(&us, 2));
	link_up(2, false);
	assert_false(fixture_enabled(&us, 2));
	assert_int_equal(fixture_buckets(&us, 2), 0);
	link_up(2, true);
	assert_false(fixture_enabled(&us, 2));
	pass(10000);
	assert_true(fixture_enabled(&us, 2));
}

static bool may_distribute(unsigned i)
{
	struct bond_member_status s;

	bond_get_member_status(fixture_member(&us, i), us.now, &s);
	return lacp_port_may_distribute(s.lacp);
}

/* A partner says that it collects a moment before it does. */
static void a_member_that_joins_waits(void **state)
{
	uint64_t waited_ms = 0;

	link_up(0, true);
	link_up(1, true);
	pass(10000);
	link_up(2, true);
	while (!may_distribute(2))
		pass(10);
	while (!fixture_enabled(&us, 2)) {
		struct bond_member_status s;

		/* that is no updelay */
		bond_get_member_status(fixture_member(&us, 2), us.now, &s);
		assert_int_equal(s.updelay_left_ms, 0);
		assert_non_null(strstr(s.why_not, "joins the others"));
		/* it takes what comes meanwhile, and has no bucket */
		assert_int_equal(fixture_filter(&us, 2), 0);
		assert_int_equal(fixture_buckets(&us, 2), 0);
		pass(10);
		waited_ms += 10;
	}
	assert_in_range(waited_ms, 90, 110);
	assert_in_range(fixture_buckets(&us, 2), 85, 86);
}

/* What the members' frames have told the partner last. */
static bool tells_that_it_collects(unsigned member)
{
	bool tells = false;

	for (unsigned i = 0; i < us.n_noted; i++) {
		if (us.noted[i].member == member)
			tells = us.noted[i].frame[32] & LACP_COLLECTING;
	}
	return tells;
}

/* Before workers let its frames in the partner must not send any. */
static void collecting_is_told_when_it_is_true(void **state)
{
	link_up(0, true);
	pass(10000);
	us.no_tables = true;
	link_up(1, true);
	for (unsigned i = 0; i < 500; i++) {
		fixture_pass(&us, 10);
		fixture_pass(&them, 10);
		assert_false(tells_that_it_collects(1));
		hand_over(&us, &them);
		hand_over(&them, &us);
	}
	assert_int_equal(fixture_filter(&us, 1), 0);
	assert_false(fixture_enabled(&them, 1));
	/* A member that is in force goes on as ever. */
	assert_true(fixture_enabled(&them, 0));
	us.n_noted = 0;
	us.no_tables = false;
	fixture_publish(&us);
	assert_true(tells_that_it_collects(1));
	assert_int_equal(us.n_noted, 1);
	pass(1000);
	assert_true(fixture_enabled(&them, 1));
}

/* The partner's last word by member 1, with this state. */
static void hear_state(uint8_t state)
{
	for (unsigned i = them.n_noted; i-- > 0;) {
		struct noted n = them.noted[i];

		if (n.member != 1)
			continue;
		n.frame[32] = state;
		bond_receive_slow(fixture_member(&us, 1), n.frame, n.len,
				  us.now);
		return;
	}
	fail();
}

/* What waited to be told, and then is not true any more, is not told. */
static void collecting_is_not_told_too_late(void **state)
{
	const uint8_t out = LACP_ACTIVITY | LACP_AGGREGATION,
		      in = out | LACP_SYNCHRONIZATION;

	link_up(0, true);
	link_up(1, true);
	pass(10000);
	fixture_pass(&them, 2000);
	fixture_pass(&us, 2000);
	us.no_tables = true;
	us.n_noted = 0;
	hear_state(out);
	fixture_publish(&us);
	hear_state(in);
	hear_state(out); /* a fourth frame in this second: it has to wait */
	fixture_publish(&us);
	fixture_pass(&us, 1000);
	for (unsigned i = 0; i < us.n_noted; i++)
		assert_false(us.noted[i].member == 1 &&
			     us.noted[i].frame[32] & LACP_COLLECTING);
}

/* Only its link is down by then: it does not speak, nor count as lost again. */
static void a_member_that_leaves(void **state)
{
	struct bond_member_status s;
	struct lacp_port_status port;

	link_up(0, true);
	link_up(1, true);
	pass(10000);
	us.n_noted = 0;
	bond_member_leaves(fixture_member(&us, 1), us.now);
	assert_int_equal(us.noted[us.n_noted - 1].member, 1);
	assert_false(tells_that_it_collects(1));
	us.n_noted = 0;
	fixture_link(&us, 1, false);
	fixture_pass(&us, 100);
	for (unsigned i = 0; i < us.n_noted; i++)
		assert_int_not_equal(us.noted[i].member, 1);
	bond_get_member_status(fixture_member(&us, 1), us.now, &s);
	lacp_port_get_status(s.lacp, &port);
	assert_string_equal(port.receive_state, "PORT_DISABLED");
	fixture_link(&us, 1, true);
	pass(10000);
	assert_true(fixture_enabled(&us, 1));
}

/* The partner falls silent on a link that stays up. */
static void a_silent_partner(void **state)
{
	for (unsigned i = 0; i < 3; i++)
		link_up(i, true);
	pass(10000);
	cut = true;
	pass(10000);
	assert_int_equal(lacp_status(&us), LACP_CONFIGURED);
	assert_int_equal(fixture_active(&us), -1);
	assert_int_equal(fixture_filter(&us, 0), BOND_RX_NOTHING);
}

static void falls_back(void **state)
{
	struct bond_status s;

	us.config.lacp_fallback_ab = true;
	us.config.primary = "b";
	us.config.failback = true;
	us.n_stations = 3;
	for (unsigned i = 0; i < 3; i++)
		us.stations[i].mac = 0x020000000100 + i;
	bond_fixture_configure(&us);
	cut = true;
	for (unsigned i = 0; i < 3; i++)
		link_up(i, true);
	pass(10000);
	bond_get_status(us.bond, us.now, &s);
	assert_true(s.fallen_back);
	assert_int_equal(s.policy, BOND_BALANCE_TCP);
	assert_int_equal(us.table->hash, BOND_HASH_NONE);
	assert_int_equal(fixture_active(&us), 1);
	assert_int_equal(fixture_filter(&us, 1), 0);
	assert_int_equal(fixture_filter(&us, 0), BOND_RX_NOTHING);
	link_up(1, false);
	assert_int_equal(fixture_active(&us), 0);
	assert_int_equal(s.n_announced % 3, 0);
	assert_true(s.n_announced > 0);
	/* There is a partner after all. */
	link_up(1, true);
	cut = false;
	pass(10000);
	assert_int_equal(lacp_status(&us), LACP_NEGOTIATED);
	assert_int_equal(us.table->hash, BOND_HASH_L4);
	assert_in_range(fixture_buckets(&us, 2), 85, 86);
}

/* The partner is told at once, and does not send there any more. */
static void disabled_by_hand(void **state)
{
	us.config.lacp.fast = them.config.lacp.fast = false;
	bond_fixture_configure(&us);
	bond_fixture_configure(&them);
	for (unsigned i = 0; i < 3; i++)
		link_up(i, true);
	pass(60000);
	bond_member_enable(fixture_member(&us, 0), false, us.now);
	assert_false(fixture_enabled(&us, 0));
	pass(1500);
	assert_false(fixture_enabled(&them, 0));
	assert_true(fixture_enabled(&them, 1));
	bond_member_enable(fixture_member(&us, 0), true, us.now);
	pass(60000);
	assert_true(fixture_enabled(&us, 0) && fixture_enabled(&them, 0));
}

static void unused_members_do_not_negotiate(void **state)
{
	us.members[2].role = BOND_ROLE_UNUSED;
	bond_fixture_configure(&us);
	for (unsigned i = 0; i < 3; i++)
		link_up(i, true);
	pass(10000);
	assert_false(fixture_enabled(&us, 2) || fixture_enabled(&them, 2));
	assert_true(fixture_enabled(&us, 1) && fixture_enabled(&them, 1));
}

/* Standby members receive, since the partner sends where it likes. */
static void standby_with_lacp(void **state)
{
	us.members[2].role = BOND_ROLE_STANDBY;
	bond_fixture_configure(&us);
	for (unsigned i = 0; i < 3; i++)
		link_up(i, true);
	pass(10000);
	assert_int_equal(fixture_buckets(&us, 2), 0);
	assert_int_equal(fixture_filter(&us, 2), 0);
	link_up(0, false);
	assert_int_equal(fixture_buckets(&us, 2), 128);
}

static void lacp_is_turned_off_and_on(void **state)
{
	for (unsigned i = 0; i < 3; i++)
		link_up(i, true);
	pass(10000);
	us.config.lacp.mode = LACP_OFF;
	us.config.policy = BOND_BALANCE_SLB;
	bond_fixture_configure(&us);
	assert_true(fixture_enabled(&us, 0));
	assert_int_equal(lacp_status(&us), LACP_DISABLED);
	assert_int_equal(fixture_filter(&us, 1),
			 BOND_RX_NO_MULTICAST | BOND_RX_NO_MOVED);
	pass(10000);
	configure(&us, 0x020000000001);
	pass(10000);
	assert_int_equal(lacp_status(&us), LACP_NEGOTIATED);
	assert_true(fixture_enabled(&us, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_without_a_partner,
						setup, teardown),
		cmocka_unit_test_setup_teardown(negotiates, setup, teardown),
		cmocka_unit_test_setup_teardown(delays_do_not_count, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_member_that_joins_waits,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			collecting_is_told_when_it_is_true, setup, teardown),
		cmocka_unit_test_setup_teardown(collecting_is_not_told_too_late,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_member_that_leaves, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_silent_partner, setup,
						teardown),
		cmocka_unit_test_setup_teardown(falls_back, setup, teardown),
		cmocka_unit_test_setup_teardown(disabled_by_hand, setup,
						teardown),
		cmocka_unit_test_setup_teardown(unused_members_do_not_negotiate,
						setup, teardown),
		cmocka_unit_test_setup_teardown(standby_with_lacp, setup,
						teardown),
		cmocka_unit_test_setup_teardown(lacp_is_turned_off_and_on,
						setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
