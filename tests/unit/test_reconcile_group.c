/* Port groups, private VLANs and teaming order, from database to snapshot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bond_database.h"

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

/* columns: a JSON object, or NULL. */
static const struct fwd_port *add(const char *name, const char *columns)
{
	db_add_port(&f, "br0", name, "null", columns, NULL);
	return db_find_fwd_port(&f, "br0", name);
}

static const struct fwd_port *find(const char *name)
{
	return db_find_fwd_port(&f, "br0", name);
}

static void insert(const char *table, json_t *row)
{
	test_daemon_transact(&f, json_pack("[{s:s, s:s, s:o}]", "op", "insert",
					   "table", table, "row", row));
}

static void add_group(const char *name, const char *columns)
{
	json_t *row = json_loads(columns, 0, NULL);

	assert_non_null(row);
	json_object_set_new(row, "name", json_string(name));
	insert("Port_Group", row);
}

#define IN_GROUP "\"other_config\": [\"map\", [[\"port-group\", \"web\"]]]"

static const struct cfg_port *config_of(const char *name)
{
	return vswitch_find_vport(f.vs, name)->config;
}

/* --- groups -------------------------------------------------------------- */

static void a_change_reaches_all(void **state)
{
	uint64_t generation;

	add_group("web", "{\"tag\": 10}");
	add("a", "{" IN_GROUP "}");
	add("b", "{" IN_GROUP "}");
	add("c", NULL);
	assert_int_equal(find("a")->native_vid, 10);
	assert_int_equal(find("b")->native_vid, 10);
	assert_int_equal(find("c")->native_vid, 0);
	generation = f.vs->snapshot->generation;
	db_set_row(&f, "Port_Group", "web", "{\"tag\": 20}");
	assert_int_equal(find("a")->native_vid, 20);
	assert_int_equal(find("b")->native_vid, 20);
	assert_int_equal(f.vs->snapshot->generation, generation + 1);
	db_set_row(&f, "Port_Group", "web",
		   "{\"tag\": [\"set\", []], \"protected\": true}");
	assert_int_equal(find("a")->native_vid, 0);
	assert_int_equal(find("a")->apart, FWD_ISOLATED);
	assert_int_equal(find("c")->apart, FWD_TOGETHER);
}

static void the_ports_own_wins(void **state)
{
	const struct fwd_port *p;

	add_group("web",
		  "{\"vlan_mode\": \"trunk\", \"trunks\": [\"set\", [5, 6]],"
		  " \"other_config\": [\"map\", [[\"mac-table-limit\", \"7\"],"
		  " [\"priority-tags\", \"always\"]]]}");
	p = add("a", "{" IN_GROUP "}");
	assert_true(p->accepts_tagged);
	assert_true(vlan_set_has(&p->vlans, 5));
	assert_false(vlan_set_has(&p->vlans, 7));
	assert_int_equal(config_of("a")->mac_limit, 7);
	assert_int_equal(p->priority_tags, PRIORITY_TAGS_ALWAYS);
	/* One key of a map alone. */
	p = add("b", "{\"other_config\": [\"map\", [[\"port-group\", \"web\"],"
		     " [\"mac-table-limit\", \"9\"]]]}");
	assert_int_equal(config_of("b")->mac_limit, 9);
	assert_int_equal(p->priority_tags, PRIORITY_TAGS_ALWAYS);
	/* Its tag makes it an access port, whatever the group's mode. */
	p = add("c", "{\"tag\": 3, " IN_GROUP "}");
	assert_int_equal(p->native_vid, 3);
	assert_false(p->accepts_tagged);
	db_set_row(&f, "Port_Group", "web",
		   "{\"vlan_mode\": \"native-untagged\"}");
	assert_int_equal(find("c")->untagged_vid, 3);
	assert_true(vlan_set_has(&find("c")->vlans, 6));
	/* Its trunks make it a trunk. */
	db_set_row(&f, "Port_Group", "web",
		   "{\"vlan_mode\": [\"set\", []], \"tag\": 10,"
		   " \"trunks\": [\"set\", []]}");
	p = add("d", "{\"trunks\": [\"set\", [8]], " IN_GROUP "}");
	assert_true(p->accepts_tagged);
	assert_true(vlan_set_has(&p->vlans, 8));
	assert_false(vlan_set_has(&p->vlans, 10));
	assert_int_equal(find("a")->native_vid, 10);
}

/* A port does without what its group says, or says so for nothing. */
static void none_of_it(void **state)
{
	static const char none[] =
		"[\"acl-in\", \"none\"], [\"acl-out\", \"\"],"
		"[\"storm-broadcast\", \"none\"],"
		"[\"egress-average-kbps\", \"none\"],"
		"[\"teaming-order\", \"none\"], [\"set-pcp\", \"none\"]";
	char *in = xasprintf("{\"other_config\": [\"map\","
			     " [[\"port-group\", \"web\"], %s]]}",
			     none),
	     *alone = xasprintf("{\"other_config\": [\"map\", [%s]]}", none);

	add_group("web", "{\"other_config\": [\"map\", [[\"acl-in\", \"x\"],"
			 " [\"acl-out\", \"x\"], [\"storm-broadcast\", \"9\"],"
			 " [\"egress-average-kbps\", \"1000\"],"
			 " [\"egress-peak-kbps\", \"2000\"],"
			 " [\"set-dscp\", \"3\"], [\"set-pcp\", \"3\"]]]}");
	add("a", in);
	add("b", alone);
	for (size_t i = 0; i < 2; i++) {
		const struct cfg_port *c = config_of(i ? "b" : "a");

		assert_null(c->error);
		assert_true(!c->acl_in && !c->acl_out && !c->qos);
		assert_true(!c->teaming_order);
		assert_int_equal(c->storm.rate_pps[STORM_BROADCAST], 0);
		assert_int_equal(c->mark_pcp, -1);
		assert_int_equal(c->mark_dscp, i ? -1 : 3);
	}
	free(in);
	free(alone);
}

static void protected_or_not(void **state)
{
	add_group("web", "{\"protected\": true}");
	add("a", "{\"other_config\": [\"map\", [[\"port-group\", \"web\"],"
		 " [\"private-vlan\", \"promiscuous\"]]]}");
	assert_int_equal(find("a")->apart, FWD_TOGETHER);
	assert_null(config_of("a")->error);
	db_set_row(&f, "Port_Group", "web",
		   "{\"protected\": false, \"other_config\": [\"map\","
		   " [[\"private-vlan\", \"promiscuous\"]]]}");
	add("b", "{\"protected\": true, " IN_GROUP "}");
	assert_int_equal(find("b")->apart, FWD_ISOLATED);
	assert_null(config_of("b")->error);
	/* Both of the port itself. */
	add("c", "{\"protected\": true, \"other_config\":"
		 " [\"map\", [[\"private-vlan\", \"community:x\"]]]}");
	assert_int_equal(find("c")->apart, FWD_ISOLATED);
	assert_non_null(strstr(db_get_text(&f, "Interface", "c", "error"),
			       "protected=true and other_config:private-vlan="
			       "community:x"));
}

static void a_group_that_is_not_there(void **state)
{
	add("a", "{" IN_GROUP "}");
	assert_non_null(strstr(db_get_text(&f, "Interface", "a", "error"),
			       "there is no port group web"));
	add_group("web", "{\"tag\": 10}");
	assert_string_equal(db_get_text(&f, "Interface", "a", "error"), "[]");
	assert_int_equal(find("a")->native_vid, 10);
	test_daemon_transact(&f, json_pack("[{s:s, s:s, s:[]}]", "op", "delete",
					   "table", "Port_Group", "where"));
	assert_non_null(strstr(db_get_text(&f, "Interface", "a", "error"),
			       "there is no port group web"));
	assert_int_equal(find("a")->native_vid, 0);
}

/* What vswd does not change keeps its node. */
static void others_are_left_alone(void **state)
{
	const struct cfg_port *c;

	add_group("web", "{\"tag\": 10}");
	add_group("db", "{\"tag\": 11}");
	add("a", "{" IN_GROUP "}");
	add("c", NULL);
	c = config_of("c");
	const struct cfg_port *a = config_of("a");

	db_set_row(&f, "Port_Group", "db", "{\"tag\": 12}");
	assert_ptr_equal(config_of("a"), a);
	db_set_row(&f, "Port_Group", "web", "{\"tag\": 12}");
	assert_ptr_not_equal(config_of("a"), a);
	assert_ptr_equal(config_of("c"), c);
}

/* --- private VLANs ------------------------------------------------------- */

#define PVLAN(TAG, WHAT)                                                       \
	"{\"tag\": " #TAG ", \"other_config\": [\"map\","                      \
	" [[\"private-vlan\", \"" WHAT "\"]]]}"

static void private_vlans(void **state)
{
	db_set_row(&f, "Bridge", "br0",
		   "{\"other_config\": [\"map\", [[\"private-vlans\","
		   " \"100:isolated=101,community:web=102\"]]]}");
	add("i", PVLAN(100, "isolated"));
	add("w", PVLAN(100, "community:web"));
	add("w2", PVLAN(100, "community:web"));
	add("x", PVLAN(100, "community:x"));
	add("r", "{\"tag\": 100}");
	add("t", NULL);
	assert_int_equal(find("i")->native_vid, 101);
	assert_int_equal(find("i")->untagged_vid, 100);
	assert_false(vlan_set_has(&find("i")->vlans, 101));
	assert_int_equal(find("w")->native_vid, 102);
	assert_true(vlan_set_has(&find("w")->vlans, 102));
	assert_false(fwd_are_apart(find("w"), find("w2")));
	assert_true(fwd_are_apart(find("w"), find("x")));
	assert_true(fwd_are_apart(find("w"), find("i")));
	assert_int_equal(find("r")->native_vid, 100);
	assert_true(vlan_set_has(&find("r")->vlans, 101));
	assert_true(find("r")->as_primary);
	assert_false(find("t")->as_primary);
	/* No VLAN for community x: on this switch alone. */
	assert_int_equal(find("x")->native_vid, 100);
	assert_non_null(strstr(db_get_text(&f, "Interface", "x", "error"),
			       "no secondary VLAN"));
	assert_string_equal(db_get_text(&f, "Interface", "w", "error"), "[]");
	db_set_row(&f, "Bridge", "br0", "{\"other_config\": [\"map\", []]}");
	assert_string_equal(db_get_text(&f, "Interface", "x", "error"), "[]");
	assert_int_equal(find("i")->native_vid, 100);
	assert_true(fwd_are_apart(find("w"), find("i")));
}

static void private_vlans_that_make_no_sense(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "100", "no primary VLAN" },
		{ "0:isolated=5", "no primary VLAN" },
		{ "100:isolated", "has no VLAN" },
		{ "100:isolated=4095", "has no VLAN" },
		{ "100:isolated=100", "primary and secondary" },
		{ "100:isolated=101 101:isolated=102",
		  "primary and secondary" },
		{ "100:isolated=101,isolated=102", "has isolated twice" },
		{ "100:isolated=101 200:isolated=101", "secondary twice" },
		{ "100:group:web=101", "neither isolated nor" },
		{ "100:community:=101", "neither isolated nor" },
	};
	struct private_vlans vlans;
	char *why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		why = private_vlans_parse(bad[i].text, &vlans);
		assert_non_null(why);
		assert_non_null(strstr(why, bad[i].why));
		assert_int_equal(vlans.n, 0);
		free(why);
	}
	assert_null(private_vlans_parse(
		" 100:isolated=101,community:a=102;200:isolated=201 ", &vlans));
	assert_int_equal(vlans.n, 3);
	assert_int_equal(private_vlans_find(&vlans, 100, "a"), 102);
	assert_int_equal(private_vlans_find(&vlans, 200, ""), 201);
	assert_int_equal(private_vlans_find(&vlans, 200, "a"), 0);
	private_vlans_fini(&vlans);
	assert_null(private_vlans_parse("", &vlans));
}

/* --- teaming order ------------------------------------------------------- */

static uint8_t member_for(const char *port)
{
	const struct fwd_bond *b = find("bond0")->bond;
	unsigned number = find(port)->number;

	return b->chosen && number < b->n_chosen ? b->chosen[number]
						 : FWD_MEMBER_ANY;
}

static void teaming_order(void **state)
{
	db_add_bond(&f, "bond0",
		    "{\"other_config\": [\"map\", [[\"bond-policy\","
		    " \"port-id\"]]]}");
	add_group("web", "{\"other_config\": [\"map\", [[\"teaming-order\","
			 " \"m2,m1\"]]]}");
	add("a", "{" IN_GROUP "}");
	add("b", NULL);
	assert_int_equal(member_for("b"), FWD_MEMBER_ANY);
	assert_int_equal(member_for("a"), 1);
	db_set_row(&f, "Port_Group", "web",
		   "{\"other_config\": [\"map\", [[\"teaming-order\","
		   " \"nobody, m1\"]]]}");
	assert_int_equal(member_for("a"), 0);
	/* Where only one member may send, there is nothing to choose. */
	db_set_row(&f, "Port", "bond0",
		   "{\"bond_mode\": \"active-backup\","
		   " \"other_config\": [\"map\", []]}");
	assert_int_equal(member_for("a"), FWD_MEMBER_ANY);
	db_set_row(&f, "Port_Group", "web",
		   "{\"other_config\": [\"map\", [[\"teaming-order\","
		   " \"m1\"]]]}");
	assert_non_null(strstr(db_get_text(&f, "Interface", "a", "error"),
			       "teaming-order"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
		T(a_change_reaches_all),
		T(the_ports_own_wins),
		T(none_of_it),
		T(protected_or_not),
		T(a_group_that_is_not_there),
		T(others_are_left_alone),
		T(private_vlans),
		cmocka_unit_test(private_vlans_that_make_no_sense),
		T(teaming_order),
	};

	return cmocka_run_group_tests_name("reconcile_group", tests, NULL,
					   NULL);
}
