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
#include "daemon_fixture.h"
#include "port/null.h"
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

/* --- the database ----------------------------------------------------------
 */

static json_t *insert_interface(const char *name, const char *type)
{
	return json_pack("{s:s, s:s, s:s+, s:{s:s, s:s}}", "op", "insert",
			 "table", "Interface", "uuid-name", "i_", name, "row",
			 "name", name, "type", type);
}

static json_t *named(const char *name)
{
	json_t *uuid = json_pack("[s, s+]", "named-uuid", "i_", name);

	return uuid;
}

/* A port of null interfaces m1 and m2, with further columns (JSON). */
static void add_bond(const char *name, const char *columns)
{
	json_t *port = json_loads(columns, 0, NULL);

	assert_non_null(port);
	json_object_set_new(port, "name", json_string(name));
	json_object_set_new(
		port, "interfaces",
		json_pack("[s, [o, o]]", "set", named("m1"), named("m2")));
	test_daemon_transact(&f,
			     json_pack("[o, o, {s:s, s:s, s:s, s:o},"
				       " {s:s, s:s, s:[], s:[[s,s,[s,s]]]}]",
				       insert_interface("m1", "null"),
				       insert_interface("m2", "null"), "op",
				       "insert", "table", "Port", "uuid-name",
				       "p", "row", port, "op", "mutate",
				       "table", "Bridge", "where", "mutations",
				       "ports", "insert", "named-uuid", "p"));
}

static void add_member(const char *port, const char *name, const char *type)
{
	test_daemon_transact(
		&f,
		json_pack("[o, {s:s, s:s, s:[[s,s,s]], s:[[s,s,o]]}]",
			  insert_interface(name, type), "op", "mutate", "table",
			  "Port", "where", "name", "==", port, "mutations",
			  "interfaces", "insert", named(name)));
}

static void del_member(const char *port, const char *name)
{
	const struct vport *v = vswitch_find_vport(f.vs, name);
	char uuid[UUID_LEN + 1];

	uuid_format(&v->interface->uuid, uuid);
	test_daemon_transact(
		&f, json_pack("[{s:s, s:s, s:[[s,s,s]], s:[[s,s,[s,s]]]}]",
			      "op", "mutate", "table", "Port", "where", "name",
			      "==", port, "mutations", "interfaces", "delete",
			      "uuid", uuid));
}

/* --- the switch ------------------------------------------------------------
 */

static const struct fwd_port *member(const char *name)
{
	const struct vport *v = vswitch_find_vport(f.vs, name);

	return v ? v->fwd : NULL;
}

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

	add_bond("bond0", "{\"tag\": 5}");
	bond = db_find_fwd_port(&f, "br0", "bond0");
	assert_non_null(bond);
	m1 = member("m1");
	m2 = member("m2");
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

	add_bond("bond0", "{}");
	wait_active("m1");
	fdb_learn(fdb, key, member("m1")->number);
	set_link("m1", false);
	wait_active("m2");
	assert_int_equal(fdb_lookup(fdb, key), member("m2")->number);
	/* The better member is back: without failback it waits. */
	set_link("m1", true);
	db_set_row(&f, "Port", "bond0", "{\"bond_updelay\": 0}");
	assert_string_equal(active_in_table("bond0"), "m2");
	set_link("m2", false);
	wait_active("m1");
}

static void test_failback(void **state)
{
	add_bond("bond0", "{\"other_config\": [\"map\", [[\"bond-primary\","
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

	add_bond("bond0", "{}");
	wait_active("m1");
	m1 = member("m1")->port;
	m2 = member("m2")->port;
	add_member("bond0", "m3", "null");
	assert_ptr_equal(member("m1")->port, m1);
	assert_ptr_equal(member("m2")->port, m2);
	assert_int_equal(member("m3")->number, member("m1")->number);
	assert_int_equal(db_find_fwd_port(&f, "br0", "bond0")->bond->n_members,
			 3);
	del_member("bond0", "m2");
	assert_ptr_equal(member("m1")->port, m1);
	assert_null(member("m2"));
	assert_string_equal(active_in_table("bond0"), "m1");
	/* The active one goes. */
	del_member("bond0", "m1");
	add_member("bond0", "m4", "null");
	assert_non_null(member("m3"));
}

/* One interface, two, and one again: the device is not closed for it. */
static void test_to_bond_and_back(void **state)
{
	struct fdb *fdb = f.vs->bridges->fdb;
	fdb_key key = fdb_make_key(0x020000000001, 0);
	const struct port *port;
	uint16_t number;

	db_add_port(&f, "br0", "p", "null", NULL, NULL);
	port = member("p")->port;
	number = member("p")->number;
	fdb_learn(fdb, key, number);
	add_member("p", "q", "null");
	assert_non_null(db_find_fwd_port(&f, "br0", "p")->bond);
	assert_ptr_equal(member("p")->port, port);
	assert_int_equal(member("p")->number, number);
	assert_int_equal(fdb_lookup(fdb, key), number);
	del_member("p", "q");
	assert_ptr_equal(member("p")->port, port);
	assert_ptr_equal(member("p")->as, member("p"));
	assert_ptr_equal(db_find_fwd_port(&f, "br0", "p"), member("p"));
	assert_int_equal(fdb_lookup(fdb, key), number);
	assert_null(f.vs->bridges->bonds);
	/* The number is its own again: nobody else gets it. */
	db_add_port(&f, "br0", "r", "null", NULL, NULL);
	assert_int_not_equal(member("r")->number, number);
}

static void test_last_member_closes(void **state)
{
	struct fdb *fdb = f.vs->bridges->fdb;
	fdb_key key = fdb_make_key(0x020000000001, 0);

	add_bond("bond0", "{}");
	fdb_learn(fdb, key, member("m1")->number);
	db_set_row(&f, "Interface", "m1", "{\"type\": \"of-mars\"}");
	assert_error("m1", "of-mars");
	assert_null(member("m1"));
	wait_active("m2");
	assert_int_not_equal(fdb_lookup(fdb, key), FDB_NONE);
	db_set_row(&f, "Interface", "m2", "{\"type\": \"of-mars\"}");
	assert_int_equal(fdb_lookup(fdb, key), FDB_NONE);
	db_set_row(&f, "Interface", "m2", "{\"type\": \"null\"}");
	wait_active("m2");
}

static void test_refused_from_the_start(void **state)
{
	add_bond("bond0", "{\"bond_mode\": \"balance-tcp\"}");
	assert_error("m1", "balance-tcp");
	assert_error("m2", "balance-tcp");
	assert_column("Interface", "m1", "ofport", "-1");
	assert_null(db_find_fwd_port(&f, "br0", "bond0"));
	assert_null(member("m1"));
	db_set_row(&f, "Port", "bond0", "{\"lacp\": \"active\"}");
	assert_column("Interface", "m1", "error", "[]");
	assert_non_null(member("m1"));
	assert_column("Interface", "m1", "lacp_current", "false");
}

static void test_refused_later(void **state)
{
	const struct port *m1;

	add_bond("bond0", "{}");
	wait_active("m1");
	m1 = member("m1")->port;
	db_set_row(&f, "Port", "bond0",
		   "{\"other_config\": [\"map\", [[\"bond-policy\","
		   " \"ip-hash\"]]], \"bond_mode\": \"balance-slb\"}");
	assert_error("m1", "bond-policy");
	assert_error("m1", "bond_mode");
	assert_ptr_equal(member("m1")->port, m1);
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
	add_bond("bond0", "{}");
	add_member("bond0", "pa", "patch");
	assert_error("pa", "patch port");
	assert_null(member("pa"));
	add_member("bond0", "br0", "internal");
	assert_error("br0", "own port");
	assert_null(member("br0"));
	wait_active("m1");
}

static void test_other_workers(void **state)
{
	add_bond("bond0", "{}");
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
	add_bond("bond0", "{}");
	wait_active("m1");
	set_link("m1", false);
	wait_active("m2");
	test_daemon_stop(&f);
	test_daemon_start(&f);
	test_daemon_transact(&f, json_array());
	wait_active("m2");
}

/* --- control frames --------------------------------------------------------
 */

static struct lacp_port_status lacp_status(const char *name)
{
	const struct vport *v = vswitch_find_vport(f.vs, name);
	struct bond_member_status status;
	struct lacp_port_status lacp;

	bond_get_member_status(vport_bond_member(v), vswitch_now_ms(), &status);
	assert_non_null(status.lacp);
	lacp_port_get_status(status.lacp, &lacp);
	return lacp;
}

static bool lacp_has_sent(struct test_daemon *d, void *name)
{
	return lacp_status(name).sent > 0;
}

static bool lacp_has_heard(struct test_daemon *d, void *name)
{
	struct lacp_port_status s = lacp_status(name);

	return s.received + s.bad > 0;
}

static void test_lacp_frames(void **state)
{
	static const uint8_t slow[124] = { 0x01, 0x80, 0xc2, 0,	   0, 2,
					   2,	 0,    0,    0,	   0, 9,
					   0x88, 0x09, 1,    0x77, 0 };
	struct port_counters counters;

	add_bond("bond0", "{\"bond_mode\": \"balance-tcp\","
			  " \"lacp\": \"active\"}");
	test_daemon_wait(&f, lacp_has_sent, (void *)"m1");
	port_get_counters(member("m1")->port, &counters);
	assert_true(counters.tx_packets > 0);
	null_inject(member("m2")->port, slow, sizeof(slow), NULL);
	test_daemon_wait(&f, lacp_has_heard, (void *)"m2");
	assert_int_equal(lacp_status("m1").received + lacp_status("m1").bad, 0);
	/* Its own key and numbers: none twice. */
	assert_int_not_equal(lacp_status("m1").actor.port_id,
			     lacp_status("m2").actor.port_id);
	assert_int_not_equal(lacp_status("m1").actor.key, 0);
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
		TEST(test_last_member_closes),
		TEST(test_refused_from_the_start),
		TEST(test_refused_later),
		TEST(test_refused_members),
		TEST(test_other_workers),
		TEST(test_restart),
		TEST(test_lacp_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
