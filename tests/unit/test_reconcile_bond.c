/*
 * Bonds from the database to the workers' snapshot and back, with members in
 * memory: made, refused, changed while they work, undone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bond/bond_table.h"
#include "bond_database.h"
#include "vswd/vbond.h"

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

#define assert_column(TABLE, NAME, COLUMN, EXPECTED)                           \
	assert_string_equal(db_get_text(&f, TABLE, NAME, COLUMN), EXPECTED)
#define assert_error(NAME, PART)                                               \
	assert_non_null(                                                       \
		strstr(db_get_text(&f, "Interface", NAME, "error"), PART))

/* --- the switch ------------------------------------------------------------
 */

static const char *active_in_table(const char *bond)
{
	const struct fwd_port *p = db_find_fwd_port(&f, "br0", bond);
	const struct fwd_port *m;

	assert_non_null(p);
	assert_non_null(p->bond);
	if (p->bond->table->active == BOND_NO_MEMBER)
		return "";
	m = p->bond->members[p->bond->table->active];
	return m ? m->port->name : "";
}

static bool is_active(struct test_daemon *d, void *name)
{
	return !strcmp(active_in_table("bond0"), name);
}

static bool is_told(struct test_daemon *d, void *name)
{
	const struct vport *v = vswitch_find_vport(f.vs, name);
	char mac[MAC_STRING_SIZE];

	return strstr(db_get_text(&f, "Port", "bond0", "bond_active_slave"),
		      mac_format(vport_made_up_mac(v), mac));
}

static void wait_active(const char *name)
{
	test_daemon_wait(&f, is_active, (void *)name);
	test_daemon_wait(&f, is_told, (void *)name);
}

static void set_link(const char *name, bool up)
{
	struct vport *v = vswitch_find_vport(f.vs, name);

	v->status.link_up = up;
	vbond_member_changed(v);
}

static void test_made(void **state)
{
	const struct fwd_port *bond, *m1, *m2;

	db_add_bond(&f, "bond0", "{\"tag\": 5}");
	bond = db_find_fwd_port(&f, "br0", "bond0");
	assert_non_null(bond);
	m1 = db_member(&f, "m1");
	m2 = db_member(&f, "m2");
	assert_int_equal(bond->bond->n_members, 2);
	assert_ptr_equal(bond->bond->members[0], m1);
	assert_ptr_equal(bond->bond->members[1], m2);
	assert_ptr_equal(m1->as, bond);
	assert_int_equal(m1->number, bond->number);
	assert_int_equal(m2->native_vid, 5);
	assert_null(db_find_fwd_port(&f, "br0", "m1"));
	assert_column("Interface", "m1", "error", "[]");
	assert_column("Interface", "m1", "lacp_current", "[]");
	assert_string_not_equal(db_get_text(&f, "Interface", "m1", "ofport"),
				"-1");
	wait_active("m1");
	db_del_port(&f, "br0", "bond0");
	assert_null(db_find_fwd_port(&f, "br0", "bond0"));
	assert_null(f.vs->bridges->bonds);
	assert_int_equal(f.vs->vports.n, 0);
}

static void test_failover(void **state)
{
	struct fdb *fdb = f.vs->bridges->fdb;
	fdb_key key = fdb_make_key(0x020000000001, 0);

	db_add_bond(&f, "bond0", "{}");
	wait_active("m1");
	fdb_learn(fdb, key, db_member(&f, "m1")->number);
	set_link("m1", false);
	wait_active("m2");
	assert_int_equal(fdb_lookup(fdb, key), db_member(&f, "m2")->number);
	/* The better member is back: without failback it waits. */
	set_link("m1", true);
	db_set_row(&f, "Port", "bond0", "{\"bond_updelay\": 0}");
	assert_string_equal(active_in_table("bond0"), "m2");
	set_link("m2", false);
	wait_active("m1");
}

static void test_failback(void **state)
{
	db_add_bond(&f, "bond0",
		    "{\"other_config\": [\"map\", [[\"bond-primary\","
		    " \"m2\"]]]}");
	wait_active("m2");
	set_link("m2", false);
	wait_active("m1");
	set_link("m2", true);
	wait_active("m2");
}

static void test_members_come_and_go(void **state)
{
	const struct port *m1, *m2;

	db_add_bond(&f, "bond0", "{}");
	wait_active("m1");
	m1 = db_member(&f, "m1")->port;
	m2 = db_member(&f, "m2")->port;
	db_add_member(&f, "bond0", "m3", "null");
	assert_ptr_equal(db_member(&f, "m1")->port, m1);
	assert_ptr_equal(db_member(&f, "m2")->port, m2);
	assert_int_equal(db_member(&f, "m3")->number,
			 db_member(&f, "m1")->number);
	assert_int_equal(db_find_fwd_port(&f, "br0", "bond0")->bond->n_members,
			 3);
	db_del_member(&f, "bond0", "m2");
	assert_ptr_equal(db_member(&f, "m1")->port, m1);
	assert_null(db_member(&f, "m2"));
	assert_string_equal(active_in_table("bond0"), "m1");
	/* The active one goes. */
	db_del_member(&f, "bond0", "m1");
	db_add_member(&f, "bond0", "m4", "null");
	assert_non_null(db_member(&f, "m3"));
}

/* One interface, two, and one again: the device is not closed for it. */
static void test_to_bond_and_back(void **state)
{
	struct fdb *fdb = f.vs->bridges->fdb;
	fdb_key key = fdb_make_key(0x020000000001, 0);
	const struct port *port;
	uint16_t number;

	db_add_port(&f, "br0", "p", "null", NULL, NULL);
	port = db_member(&f, "p")->port;
	number = db_member(&f, "p")->number;
	fdb_learn(fdb, key, number);
	db_add_member(&f, "p", "q", "null");
	assert_non_null(db_find_fwd_port(&f, "br0", "p")->bond);
	assert_ptr_equal(db_member(&f, "p")->port, port);
	assert_int_equal(db_member(&f, "p")->number, number);
	assert_int_equal(fdb_lookup(fdb, key), number);
	db_del_member(&f, "p", "q");
	assert_ptr_equal(db_member(&f, "p")->port, port);
	assert_ptr_equal(db_member(&f, "p")->as, db_member(&f, "p"));
	assert_ptr_equal(db_find_fwd_port(&f, "br0", "p"), db_member(&f, "p"));
	assert_int_equal(fdb_lookup(fdb, key), number);
	assert_null(f.vs->bridges->bonds);
	/* The number is its own again: nobody else gets it. */
	db_add_port(&f, "br0", "r", "null", NULL, NULL);
	assert_int_not_equal(db_member(&f, "r")->number, number);
}

static const struct fwd_bond *bond_of(const char *port)
{
	return db_find_fwd_port(&f, "br0", port)->bond;
}

/* One interface is a bond if it has LACP, and works without a partner. */
static void test_one_with_lacp(void **state)
{
	const struct port *port;

	db_add_port(&f, "br0", "p", "null", NULL, NULL);
	port = db_member(&f, "p")->port;
	assert_null(bond_of("p"));
	db_set_row(&f, "Port", "p", "{\"lacp\": \"active\"}");
	assert_int_equal(bond_of("p")->n_members, 1);
	assert_int_equal(bond_of("p")->table->active, 0);
	assert_string_equal(db_lacp_status(&f, "p").receive_state, "EXPIRED");
	db_add_member(&f, "p", "q", "null");
	assert_int_equal(bond_of("p")->n_members, 2);
	assert_int_equal(bond_of("p")->table->active, BOND_NO_MEMBER);
	db_del_member(&f, "p", "q");
	assert_int_equal(bond_of("p")->n_members, 1);
	db_set_row(&f, "Port", "p", "{\"lacp\": \"off\"}");
	assert_null(bond_of("p"));
	assert_ptr_equal(db_member(&f, "p")->port, port);
	assert_null(f.vs->bridges->bonds);
}

/* It is active in the first snapshot in which it is a member. */
static void test_to_bond_without_a_gap(void **state)
{
	uint64_t generation;

	db_add_port(&f, "br0", "p", "null", NULL, NULL);
	generation = f.vs->generation;
	db_set_row(&f, "Port", "p", "{\"lacp\": \"active\"}");
	assert_int_equal(bond_of("p")->table->active, 0);
	assert_int_equal(f.vs->generation, generation + 1);
}

/* The other end of a patch port is no switch of somebody else's. */
static void test_none_with_lacp(void **state)
{
	db_add_port(&f, "br0", "pa", "patch", NULL, NULL);
	db_set_row(&f, "Port", "pa", "{\"lacp\": \"active\"}");
	assert_null(f.vs->bridges->bonds);
}

static void test_last_member_closes(void **state)
{
	struct fdb *fdb = f.vs->bridges->fdb;
	fdb_key key = fdb_make_key(0x020000000001, 0);

	db_add_bond(&f, "bond0", "{}");
	fdb_learn(fdb, key, db_member(&f, "m1")->number);
	db_set_row(&f, "Interface", "m1", "{\"type\": \"of-mars\"}");
	assert_error("m1", "of-mars");
	assert_null(db_member(&f, "m1"));
	wait_active("m2");
	assert_int_not_equal(fdb_lookup(fdb, key), FDB_NONE);
	db_set_row(&f, "Interface", "m2", "{\"type\": \"of-mars\"}");
	assert_int_equal(fdb_lookup(fdb, key), FDB_NONE);
	db_set_row(&f, "Interface", "m2", "{\"type\": \"null\"}");
	wait_active("m2");
}

static void test_refused_from_the_start(void **state)
{
	db_add_bond(&f, "bond0", "{\"bond_mode\": \"balance-tcp\"}");
	assert_error("m1", "balance-tcp");
	assert_error("m2", "balance-tcp");
	assert_column("Interface", "m1", "ofport", "-1");
	assert_null(db_find_fwd_port(&f, "br0", "bond0"));
	assert_null(db_member(&f, "m1"));
	db_set_row(&f, "Port", "bond0", "{\"lacp\": \"active\"}");
	assert_column("Interface", "m1", "error", "[]");
	assert_non_null(db_member(&f, "m1"));
	assert_column("Interface", "m1", "lacp_current", "false");
}

static void test_refused_later(void **state)
{
	const struct port *m1;

	db_add_bond(&f, "bond0", "{}");
	wait_active("m1");
	m1 = db_member(&f, "m1")->port;
	db_set_row(&f, "Port", "bond0",
		   "{\"other_config\": [\"map\", [[\"bond-policy\","
		   " \"ip-hash\"]]], \"bond_mode\": \"balance-slb\"}");
	assert_error("m1", "bond-policy");
	assert_error("m1", "bond_mode");
	assert_ptr_equal(db_member(&f, "m1")->port, m1);
	wait_active("m1");
	db_set_row(&f, "Port", "bond0", "{\"bond_mode\": [\"set\", []]}");
	assert_column("Interface", "m1", "error", "[]");
	assert_int_equal(
		db_find_fwd_port(&f, "br0", "bond0")->bond->table->hash,
		BOND_HASH_IP);
	db_set_row(&f, "Port", "bond0",
		   "{\"other_config\": [\"map\", [[\"bond-active-members\","
		   " \"m1,m2\"], [\"bond-unused-members\", \"m2\"]]]}");
	assert_error("m2", "bond-unused-members");
}

static void test_refused_members(void **state)
{
	db_add_bond(&f, "bond0", "{}");
	db_add_member(&f, "bond0", "pa", "patch");
	assert_error("pa", "patch port");
	assert_null(db_member(&f, "pa"));
	db_add_member(&f, "bond0", "br0", "internal");
	assert_error("br0", "own port");
	assert_null(db_member(&f, "br0"));
	wait_active("m1");
}

/* Lists order members; who is in none comes last. */
static void test_order(void **state)
{
	db_add_bond(&f, "bond0",
		    "{\"other_config\": [\"map\", "
		    "[[\"bond-active-members\", \"m2, gone\"],"
		    " [\"bond-standby-members\", \"m1\"]]]}");
	wait_active("m2");
	db_add_member(&f, "bond0", "m3", "null");
	set_link("m2", false);
	wait_active("m3");
	set_link("m3", false);
	wait_active("m1");
	set_link("m2", true);
	wait_active("m2");
	db_set_row(&f, "Port", "bond0",
		   "{\"other_config\": [\"map\", "
		   "[[\"bond-active-members\", \"m2\"],"
		   " [\"bond-failback\", \"false\"]]]}");
	set_link("m2", false);
	wait_active("m1");
	set_link("m2", true);
	db_set_row(&f, "Port", "bond0", "{\"tag\": 7}");
	assert_string_equal(active_in_table("bond0"), "m1");
}

/* New VLANs reach the members, and the old ones' stations are forgotten. */
static void test_vlans(void **state)
{
	struct fdb *fdb = f.vs->bridges->fdb;
	fdb_key key = fdb_make_key(0x020000000001, 0);

	db_add_bond(&f, "bond0", "{}");
	fdb_learn(fdb, key, db_member(&f, "m1")->number);
	db_set_row(&f, "Port", "bond0", "{\"tag\": 9}");
	assert_int_equal(db_member(&f, "m1")->native_vid, 9);
	assert_int_equal(db_member(&f, "m2")->native_vid, 9);
	assert_int_equal(fdb_lookup(fdb, key), FDB_NONE);
	/* Also while its bond's settings are refused. */
	db_set_row(&f, "Port", "bond0",
		   "{\"bond_mode\": \"balance-tcp\", \"tag\": 10}");
	assert_error("m1", "balance-tcp");
	assert_int_equal(db_member(&f, "m1")->native_vid, 10);
}

static void test_other_workers(void **state)
{
	db_add_bond(&f, "bond0", "{}");
	wait_active("m1");
	for (unsigned n = 1; n <= 4; n++) {
		char text[64];

		snprintf(text, sizeof(text),
			 "{\"other_config\": [\"map\", [[\"n-workers\", "
			 "\"%u\"]]]}",
			 n);
		db_set_row(&f, "Open_vSwitch", NULL, text);
		assert_int_equal(worker_pool_count(f.vs->pool), n);
		wait_active("m1");
	}
}

static void test_restart(void **state)
{
	db_add_bond(&f, "bond0", "{}");
	wait_active("m1");
	set_link("m1", false);
	wait_active("m2");
	test_daemon_stop(&f);
	test_daemon_start(&f);
	test_daemon_transact(&f, json_array());
	wait_active("m2");
}

int main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_made),
		TEST(test_failover),
		TEST(test_failback),
		TEST(test_members_come_and_go),
		TEST(test_to_bond_and_back),
		TEST(test_one_with_lacp),
		TEST(test_to_bond_without_a_gap),
		TEST(test_none_with_lacp),
		TEST(test_last_member_closes),
		TEST(test_refused_from_the_start),
		TEST(test_refused_later),
		TEST(test_refused_members),
		TEST(test_order),
		TEST(test_vlans),
		TEST(test_other_workers),
		TEST(test_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
