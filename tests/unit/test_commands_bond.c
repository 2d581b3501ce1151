/*
 * bond/... and lacp/...: the texts of ovs-appctl 3.1, what is added to them,
 * and bonds in the commands that list ports.
 */
#include <errno.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "command_calls.h"
#include "vswd/vbond.h"

static struct test_daemon f;

#define OK(...)		      answer(&f, 0, __VA_ARGS__, NULL)
#define FAILS(...)	      answer(&f, -EREMOTEIO, __VA_ARGS__, NULL)
#define contains(TEXT, PART)  assert_non_null(strstr(TEXT, PART))
#define lacks(TEXT, PART)     assert_null(strstr(TEXT, PART))
#define fails_with(PART, ...) assert_string_equal(FAILS(__VA_ARGS__), PART)

static int setup(void **state)
{
	test_daemon_setup(&f);
	db_add_bridge(&f, "br0");
	db_add_port(&f, "br0", "p1", "null", NULL, NULL);
	return 0;
}

static int teardown(void **state)
{
	test_daemon_teardown(&f);
	return 0;
}

static json_t *insert_interface(const char *name)
{
	return json_pack("{s:s, s:s, s:s+, s:{s:s, s:s}}", "op", "insert",
			 "table", "Interface", "uuid-name", "i_", name, "row",
			 "name", name, "type", "null");
}

/* A bond of null interfaces m1 and m2, with further columns (JSON). */
static void add_bond(const char *name, const char *columns)
{
	json_t *port = json_loads(columns, 0, NULL);

	assert_non_null(port);
	json_object_set_new(port, "name", json_string(name));
	json_object_set_new(port, "interfaces",
			    json_pack("[s, [[s, s], [s, s]]]", "set",
				      "named-uuid", "i_m1", "named-uuid",
				      "i_m2"));
	test_daemon_transact(
		&f,
		json_pack("[o, o, {s:s, s:s, s:s, s:o},"
			  " {s:s, s:s, s:[], s:[[s,s,[s,s]]]}]",
			  insert_interface("m1"), insert_interface("m2"), "op",
			  "insert", "table", "Port", "uuid-name", "p", "row",
			  port, "op", "mutate", "table", "Bridge", "where",
			  "mutations", "ports", "insert", "named-uuid", "p"));
}

/* --- texts with what varies made equal -------------------------------------
 */

static char *replace_all(char *text, const char *pattern, const char *with)
{
	char *out = NULL, *at = text;
	regmatch_t match;
	regex_t regex;
	size_t n;
	FILE *file = open_memstream(&out, &n);

	assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED), 0);
	while (!regexec(&regex, at, 1, &match, 0)) {
		fprintf(file, "%.*s%s", (int)match.rm_so, at, with);
		at += match.rm_eo;
	}
	fputs(at, file);
	fclose(file);
	regfree(&regex);
	free(text);
	return out;
}

static void assert_shape(const char *text, const char *expected)
{
	char *shape = strdup(text);

	shape = replace_all(shape, "([0-9a-f]{2}:){5}[0-9a-f]{2}", "MAC");
	shape = replace_all(shape, "rebalance: [0-9]+ ms", "rebalance: N ms");
	assert_string_equal(shape, expected);
	free(shape);
}

/* --- bond/show and bond/list -----------------------------------------------
 */

#define HEAD(MODE)                                                             \
	"bond_mode: " MODE "\n"                                                \
	"bond may use recirculation: no, Recirc-ID : -1\n"

static void test_show_slb(void **state)
{
	add_bond("bond0", "{\"bond_mode\": \"balance-slb\", "
			  "\"bond_downdelay\": 7}");
	OK("bond/set-active-member", "bond0", "m2");
	assert_shape(
		OK("bond/show"),
		"---- bond0 ----\n" HEAD(
			"balance-slb") "bond-hash-basis: 0\n"
				       "lb_output action: disabled, bond-id: -1\n"
				       "all members active: false\n"
				       "updelay: 0 ms\n"
				       "downdelay: 7 ms\n"
				       "next rebalance: N ms\n"
				       "lacp_status: off\n"
				       "lacp_fallback_ab: false\n"
				       "active-backup primary: <none>\n"
				       "active member mac: MAC(m2)\n"
				       "policy in effect: balance-slb\n"
				       "detect mode: carrier\n"
				       "failback: false\n"
				       "failovers: 1\n"
				       "neighbors told: 0\n"
				       "\n"
				       "member m1: enabled\n"
				       "  may_enable: true\n"
				       "  role: active\n"
				       "\n"
				       "member m2: enabled\n"
				       "  active member\n"
				       "  may_enable: true\n"
				       "  role: active\n"
				       "\n");
}

static void test_show_active_backup(void **state)
{
	const char *text;

	add_bond("bond0", "{\"other_config\": [\"map\", "
			  "[[\"bond-primary\", \"m2\"]]]}");
	text = OK("bond/show", "bond0");
	contains(text, "---- bond0 ----\n" HEAD("active-backup"));
	contains(text, "\nactive-backup primary: m2\n");
	contains(text, "(m2)\npolicy in effect: active-backup\n");
	contains(text, "\nfailback: true\n");
	lacks(text, "next rebalance");
	lacks(text, "all members active");
	db_set_row(&f, "Port", "bond0",
		   "{\"other_config\": [\"map\", "
		   "[[\"bond-primary\", \"m9\"]]]}");
	contains(OK("bond/show", "bond0"),
		 "\nactive-backup primary: m9 (no such member)\n");
	fails_with("no such bond: m1 is a member of bond bond0", "bond/show",
		   "m1");
	fails_with("no such bond: p1 is a port of one interface", "bond/show",
		   "p1");
	fails_with("\"bond/show\" command takes at most 1 arguments",
		   "bond/show", "a", "b");
}

static void test_show_disabled(void **state)
{
	const char *text;

	add_bond("bond0", "{}");
	OK("bond/disable-member", "bond0", "m1");
	OK("bond/disable-slave", "bond0", "m2");
	text = OK("bond/show");
	contains(text, "active member mac: 00:00:00:00:00:00(none)\n");
	contains(text, "\nmember m1: disabled\n  may_enable: true\n");
	contains(text, "  not enabled because: ");
	contains(OK("bridge/show"), "bond      down, active-backup\n");
}

/* Settings that contradict each other: said here too. */
/* What is wrong with the interface, and not only that there is no link. */
static void test_show_broken_interface(void **state)
{
	add_bond("bond0", "{\"bond_mode\": \"balance-tcp\", "
			  "\"lacp\": \"passive\"}");
	contains(OK("bond/show", "bond0"),
		 "  not enabled because: no LACP partner answers; this end is "
		 "passive");
	db_set_row(&f, "Interface", "m1", "{\"type\": \"nonsense\"}");
	contains(OK("bond/show", "bond0"), "not enabled because: ");
	contains(OK("bond/show", "bond0"), "nonsense");
	contains(OK("lacp/show", "bond0"), "nonsense");
	lacks(OK("bond/show", "bond0"), "link is down");
}

static void test_show_refused(void **state)
{
	add_bond("bond0", "{\"bond_mode\": \"balance-tcp\"}");
	contains(OK("bond/show"), "\nerror: ");
	contains(OK("bond/list"), "\nbond0\t");
	contains(OK("bridge/show"), "bond0            bond      down, ");
	fails_with("no such member: bond bond0 has no m1",
		   "bond/set-active-member", "bond0", "m1");
	fails_with("m1: bond_mode=balance-tcp needs a partner that knows of "
		   "the bond, and lacp is off: set lacp=active or another "
		   "bond_mode",
		   "lldp/neighbors", "m1");
}

static void test_list(void **state)
{
	assert_string_equal(OK("bond/list"), "bond\ttype\trecircID\tmembers\n");
	assert_string_equal(OK("bond/show"), "");
	add_bond("bond0", "{\"other_config\": [\"map\", "
			  "[[\"bond-policy\", \"ip-hash\"]]]}");
	assert_string_equal(OK("bond/list"), "bond\ttype\trecircID\tmembers\n"
					     "bond0\tip-hash\t0\tm1, m2\n");
}

static void test_json(void **state)
{
	const char *bond, *mode;
	int enabled, hashes, is_active;
	json_t *json;

	add_bond("bond0", "{\"bond_mode\": \"balance-slb\"}");
	json = json_loads(OK("bond/show", "--format=json"), 0, NULL);
	assert_int_equal(json_unpack(json, "[{s:s, s:s, s:[{s:b, s:b}]}]",
				     "bond", &bond, "bond_mode", &mode,
				     "members", "enabled", &enabled, "active",
				     &is_active),
			 0);
	assert_string_equal(bond, "bond0");
	assert_string_equal(mode, "balance-slb");
	assert_true(enabled && is_active);
	/* Every bucket is some member's. */
	hashes = 0;
	for (size_t i = 0; i < 2; i++)
		hashes += json_array_size(json_object_get(
			json_array_get(json_object_get(json_array_get(json, 0),
						       "members"),
				       i),
			"hashes"));
	assert_int_equal(hashes, 256);
	json_decref(json);
	contains(OK("bond/list", "--format=json"),
		 "\"members\":[\"m1\",\"m2\"]");
	contains(OK("bridge/show", "--format=json"), "\"type\":\"bond\"");
	contains(OK("lacp/show", "--format=json"), "[]");
}

/* --- by hand ---------------------------------------------------------------
 */

static void test_set_active(void **state)
{
	add_bond("bond0", "{}");
	OK("bond/set-active-member", "bond0", "m1");
	assert_string_equal(OK("bond/set-active-member", "bond0", "m2"),
			    "done\n");
	/* In force when it returns. */
	contains(OK("bond/show"), "(m2)");
	assert_string_equal(OK("bond/set-active-slave", "bond0", "m2"),
			    "no change\n");
	fails_with("no such bond: p1 is a port of one interface",
		   "bond/set-active-member", "p1", "m1");
	fails_with("no such member: bond bond0 has no p1",
		   "bond/set-active-slave", "bond0", "p1");
	assert_string_equal(OK("bond/disable-member", "bond0", "m1"),
			    "disabled\n");
	fails_with("cannot make disabled member active: m1 (disabled by hand)",
		   "bond/set-active-member", "bond0", "m1");
	assert_string_equal(OK("bond/enable-slave", "bond0", "m1"),
			    "enabled\n");
	assert_string_equal(OK("bond/set-active-member", "bond0", "m1"),
			    "done\n");
	fails_with("no such bond: x", "bond/enable-member", "x", "m1");
	fails_with("no such member: bond bond0 has no x", "bond/disable-slave",
		   "bond0", "x");
}

static const char *owner(unsigned bucket)
{
	struct bond_bucket_status b;

	bond_get_bucket_status(vswitch_find_bond(f.vs, "bond0")->bond, bucket,
			       &b);
	return b.member ? bond_member_name(b.member) : "";
}

static void test_migrate(void **state)
{
	add_bond("bond0", "{\"bond_mode\": \"balance-slb\"}");
	assert_string_equal(OK("bond/migrate", "bond0", "12", "m1"),
			    "migrated\n");
	assert_string_equal(owner(12), "m1");
	OK("bond/migrate", "bond0", "12", "m2");
	assert_string_equal(owner(12), "m2");
	fails_with("bad hash: x; it is a number from 0 to 255", "bond/migrate",
		   "bond0", "x", "m1");
	fails_with("bad hash: -1; it is a number from 0 to 255", "bond/migrate",
		   "bond0", "-1", "m1");
	fails_with("bad hash: 256; it is a number from 0 to 255",
		   "bond/migrate", "bond0", "256", "m1");
	fails_with("no such member: bond bond0 has no x", "bond/migrate",
		   "bond0", "1", "x");
	fails_with("no such bond: x", "bond/migrate", "x", "1", "m1");
	OK("bond/disable-member", "bond0", "m1");
	fails_with("cannot migrate to disabled member: m1 (disabled by hand)",
		   "bond/migrate", "bond0", "1", "m1");
}

static void test_migrate_without_buckets(void **state)
{
	add_bond("bond0", "{\"bond_mode\": \"active-backup\"}");
	fails_with("not an SLB bond: bond0 is active-backup", "bond/migrate",
		   "bond0", "12", "m1");
}

static void test_hash(void **state)
{
	char expected[16];

	snprintf(expected, sizeof(expected), "%u\n",
		 bond_hash_slb(0x001122334455, 0, 0));
	assert_string_equal(OK("bond/hash", "00:11:22:33:44:55"), expected);
	snprintf(expected, sizeof(expected), "%u\n",
		 bond_hash_slb(0x001122334455, 10, 5));
	assert_string_equal(OK("bond/hash", "00:11:22:33:44:55", "10", "5"),
			    expected);
	fails_with("invalid mac: 5; an address is such as 02:00:00:00:00:01",
		   "bond/hash", "5");
	fails_with("invalid vlan: x; it is a number from 0 to 4095",
		   "bond/hash", "00:11:22:33:44:55", "x");
	fails_with("invalid vlan: 4096; it is a number from 0 to 4095",
		   "bond/hash", "00:11:22:33:44:55", "4096");
	fails_with(
		"invalid basis: 4294967296; it is a number from 0 to 4294967295",
		"bond/hash", "00:11:22:33:44:55", "1", "4294967296");
	fails_with("\"bond/hash\" command requires at least 1 arguments",
		   "bond/hash");
}

/* --- lacp/... --------------------------------------------------------------
 */

static void test_lacp(void **state)
{
	const char *text;

	add_bond("bond0", "{\"lacp\": \"passive\", \"other_config\": [\"map\","
			  "[[\"lacp-time\", \"fast\"]]]}");
	db_set_row(&f, "Interface", "m1",
		   "{\"other_config\": [\"map\", [[\"lacp-port-id\", \"71\"],"
		   "[\"lacp-aggregation-key\", \"9\"]]]}");
	text = OK("lacp/show", "bond0");
	contains(text, "---- bond0 ----\n  status: passive\n  sys_id: ");
	contains(text, "\n  sys_priority: 65534\n  aggregation key: 9\n"
		       "  lacp_time: fast\n\nmember: m1: ");
	contains(text, " detached\n  port_id: 71\n  port_priority: 65535\n"
		       "  may_enable: false\n\n  actor sys_id: ");
	contains(text, "\n  actor sys_priority: 65534\n  actor port_id: 71\n"
		       "  actor port_priority: 65535\n  actor key: 9\n"
		       "  actor state: timeout aggregation");
	contains(text, "\n\n  partner sys_id: ");
	contains(text, "\n  mux machine: ");
	contains(text, "\n  individual: true\n"
		       "  individual because: no partner answers\n"
		       "  not attached because: no partner answers\n");
	text = OK("lacp/show-stats");
	contains(text, "---- bond0 statistics ----\n\nmember: m1:\n"
		       "  TX PDUs: 0\n  RX PDUs: 0\n  RX Bad PDUs: 0\n"
		       "  RX Marker Request PDUs: 0\n  Link Expired: 0\n"
		       "  Link Defaulted: ");
	contains(text, "\n  Carrier Status Changed: ");
	contains(text, "\n\nmember: m2:\n");
	text = OK("lacp/show", "--format=json");
	contains(text, "\"port_id\":71");
	contains(text, "\"individual_because\":\"no partner answers\"");
	contains(OK("lacp/show-stats", "--format=json"), "\"rx_bad_pdus\":0");
	contains(OK("bond/show"), "\nlacp_status: configured\n");
}

static void test_no_lacp(void **state)
{
	add_bond("bond0", "{}");
	assert_string_equal(OK("lacp/show"), "");
	assert_string_equal(OK("lacp/show-stats"), "");
	fails_with("no such lacp object: bond0 is a bond without LACP",
		   "lacp/show", "bond0");
	fails_with("no such lacp object: x", "lacp/show", "x");
	fails_with("no such lacp object: bond0 is a bond without LACP",
		   "lacp/show-stats", "bond0");
}

/* --- among other ports -----------------------------------------------------
 */

static void test_lists_of_ports(void **state)
{
	const char *text;

	add_bond("bond0", "{\"bond_mode\": \"balance-slb\"}");
	OK("bond/set-active-member", "bond0", "m1");
	text = OK("bridge/show", "br0");
	contains(text, "  p1               null      up\n"
		       "      -  bond0            bond      up, balance-slb\n");
	contains(text, "    m1             null      up, active member\n");
	contains(text, "    m2             null      up\n");
	text = OK("port/stats", "bond0");
	contains(text, "bond0 (bridge br0, all members of the bond):\n");
	contains(text, "\nm1 (bridge br0):\n");
	contains(text, "\nm2 (bridge br0):\n");
	lacks(text, "p1");
	lacks(OK("port/stats", "m1"), "bond0");
	assert_string_equal(OK("drops", "bond0"), "");
	OK("fdb/add", "br0", "bond0", "5", "02:00:00:00:00:77");
	contains(OK("fdb/show", "br0", "--format=json"), "\"port\":\"bond0\"");
	OK("fdb/flush", "br0", "port=bond0");
	contains(FAILS("port/stats", "bond9"), "no such port");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
		T(test_show_slb),
		T(test_show_active_backup),
		T(test_show_disabled),
		T(test_show_refused),
		T(test_show_broken_interface),
		T(test_list),
		T(test_json),
		T(test_set_active),
		T(test_migrate),
		T(test_migrate_without_buckets),
		T(test_hash),
		T(test_lacp),
		T(test_no_lacp),
		T(test_lists_of_ports),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	answer_done();
	return failed;
}
