/*
 * Control frames through the daemon: who punts what, LACP in and out, and what
 * LACP calls a bond and its members.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bond_database.h"
#include "forward/punt.h"
#include "port/null.h"

static struct test_daemon f;

static int setup(void **state)
{
	test_daemon_setup(&f);
	db_add_bridge(&f, "br0");
	return 0;
}

static int teardown(void **state)
{
	test_daemon_teardown(&f);
	return 0;
}

/* What the bond asks of its own port, its partners and its bridge's ports. */
static void test_punts(void **state)
{
	db_add_bond(&f, "bond0", "{\"bond_mode\": \"balance-slb\"}");
	db_add_port(&f, "br0", "p", "null", NULL, NULL);
	assert_int_equal(db_member(&f, "m1")->punts & 1u << PUNT_SLOW, 0);
	assert_true(db_member(&f, "p")->punts & 1u << PUNT_NEIGHBOR);
	/* What has moved to the other side is said there. */
	assert_true(db_member(&f, "m1")->punts & 1u << PUNT_NEIGHBOR);
	db_set_row(&f, "Port", "bond0", "{\"lacp\": \"passive\"}");
	assert_true(db_member(&f, "m1")->punts & 1u << PUNT_SLOW);
	assert_int_equal(db_member(&f, "p")->punts & 1u << PUNT_SLOW, 0);
	db_del_port(&f, "br0", "bond0");
	assert_null(db_member(&f, "p")->punt);
}

/* Two bonds of one bridge have keys of their own, and the same system. */
static void test_two_bonds(void **state)
{
	struct lacp_port_status a, b;

	db_add_bond(&f, "bond0",
		    "{\"lacp\": \"active\","
		    " \"bond_mode\": \"balance-tcp\"}");
	db_add_port(&f, "br0", "n1", "null",
		    "{\"lacp\": \"active\", \"bond_mode\": \"balance-tcp\"}",
		    NULL);
	db_add_member(&f, "n1", "n2", "null");
	a = db_lacp_status(&f, "m1");
	b = db_lacp_status(&f, "n1");
	assert_int_not_equal(a.actor.key, b.actor.key);
	assert_int_equal(a.actor.system_id, b.actor.system_id);
	/* The member whose number the key was goes; the key stays. */
	db_add_member(&f, "bond0", "m3", "null");
	db_del_member(&f, "bond0", "m1");
	assert_int_equal(db_lacp_status(&f, "m2").actor.key, a.actor.key);
	db_del_bridge(&f, "br0");
	assert_int_equal(f.vs->vports.n, 0);
}

static void set_hwaddr(const char *mac)
{
	char json[100];

	snprintf(json, sizeof(json),
		 "{\"other_config\": [\"map\", [[\"hwaddr\", \"%s\"]]]}", mac);
	db_set_row(&f, "Bridge", "br0", json);
}

/* LACP follows an address that is set; without one it keeps what it has. */
static void test_system_follows_hwaddr(void **state)
{
	uint64_t first;

	db_add_bond(&f, "bond0",
		    "{\"lacp\": \"active\","
		    " \"bond_mode\": \"balance-tcp\"}");
	first = db_lacp_status(&f, "m1").actor.system_id;
	assert_int_not_equal(first, 0);
	set_hwaddr("02:11:22:33:44:55");
	assert_true(db_lacp_status(&f, "m1").actor.system_id == 0x021122334455);
	set_hwaddr("02:11:22:33:44:66");
	assert_true(db_lacp_status(&f, "m2").actor.system_id == 0x021122334466);
	db_set_row(&f, "Bridge", "br0", "{\"other_config\": [\"map\", []]}");
	assert_true(db_lacp_status(&f, "m1").actor.system_id == 0x021122334466);
}

/* What was known of the bridge's own port follows its address. */
static void test_own_address_moves(void **state)
{
	struct fdb *fdb;
	uint16_t number;

	db_add_bond(&f, "bond0", "{}");
	db_add_port(&f, "br0", "br0", "null", NULL, NULL);
	set_hwaddr("02:11:22:33:44:55");
	fdb = vswitch_find_bridge(f.vs, "br0")->fdb;
	number = vswitch_find_vport(f.vs, "br0")->number;
	fdb_learn(fdb, fdb_make_key(0x021122334455, 5), number);
	set_hwaddr("02:11:22:33:44:66");
	assert_int_equal(fdb_lookup(fdb, fdb_make_key(0x021122334455, 5)),
			 FDB_NONE);
	assert_int_equal(fdb_lookup(fdb, fdb_make_key(0x021122334466, 5)),
			 number);
	assert_int_equal(fdb_lookup(fdb, fdb_make_key(0x021122334466, 6)),
			 FDB_NONE);
}

static bool lacp_has_sent(struct test_daemon *d, void *name)
{
	return db_lacp_status(&f, name).sent > 0;
}

static bool lacp_has_heard(struct test_daemon *d, void *name)
{
	struct lacp_port_status s = db_lacp_status(&f, name);

	return s.received + s.bad > 0;
}

static void test_lacp_frames(void **state)
{
	static const uint8_t slow[124] = { 0x01, 0x80, 0xc2, 0,	   0, 2,
					   2,	 0,    0,    0,	   0, 9,
					   0x88, 0x09, 1,    0x77, 0 };
	struct port_counters counters;

	db_add_bond(&f, "bond0",
		    "{\"bond_mode\": \"balance-tcp\","
		    " \"lacp\": \"active\"}");
	test_daemon_wait(&f, lacp_has_sent, (void *)"m1");
	port_get_counters(db_member(&f, "m1")->port, &counters);
	assert_true(counters.tx_packets > 0);
	null_inject(db_member(&f, "m2")->port, slow, sizeof(slow), NULL);
	test_daemon_wait(&f, lacp_has_heard, (void *)"m2");
	assert_int_equal(db_lacp_status(&f, "m1").received +
				 db_lacp_status(&f, "m1").bad,
			 0);
	/* Its own key and numbers: none twice. */
	assert_int_not_equal(db_lacp_status(&f, "m1").actor.port_id,
			     db_lacp_status(&f, "m2").actor.port_id);
	assert_int_not_equal(db_lacp_status(&f, "m1").actor.key, 0);
}

int main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_punts),
		TEST(test_two_bonds),
		TEST(test_system_follows_hwaddr),
		TEST(test_own_address_moves),
		TEST(test_lacp_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
