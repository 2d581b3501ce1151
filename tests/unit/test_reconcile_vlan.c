/* VLAN settings, FDB settings and wrong values, from database to snapshot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon_fixture.h"

#define NO_VID 0xffff

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

static const struct fwd_port *add(const char *name, const char *port)
{
	db_add_port(&f, "br0", name, "null", port, NULL);
	return db_find_fwd_port(&f, "br0", name);
}

static unsigned count_vlans(const struct vlan_set *set)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(set->bits); i++)
		n += __builtin_popcountll(set->bits[i]);
	return n;
}

static void test_no_mode(void **state)
{
	const struct fwd_port *p = add("plain", NULL);

	/* Neither: a trunk of all VLANs, untagged frames in VLAN 0. */
	assert_true(p->accepts_tagged);
	assert_int_equal(count_vlans(&p->vlans), 4095);
	assert_int_equal(p->native_vid, 0);
	p = add("tagged", "{\"tag\": 10}");
	assert_false(p->accepts_tagged);
	assert_int_equal(p->native_vid, 10);
	assert_int_equal(p->untagged_vid, 10);
	assert_int_equal(count_vlans(&p->vlans), 1);
	p = add("trunks", "{\"trunks\": [\"set\", [5, 6]]}");
	assert_true(p->accepts_tagged);
	assert_int_equal(count_vlans(&p->vlans), 2);
	assert_int_equal(p->native_vid, NO_VID);
	/* A tag wins over trunks. */
	p = add("both", "{\"tag\": 7, \"trunks\": [\"set\", [5, 6]]}");
	assert_false(p->accepts_tagged);
	assert_int_equal(p->native_vid, 7);
}

static void test_modes(void **state)
{
	const struct fwd_port *p;

	p = add("nt", "{\"vlan_mode\": \"native-tagged\", \"tag\": 3,"
		      " \"trunks\": [\"set\", [5, 6]]}");
	assert_int_equal(p->native_vid, 3);
	assert_int_equal(p->untagged_vid, NO_VID);
	assert_int_equal(count_vlans(&p->vlans), 3);
	p = add("nu", "{\"vlan_mode\": \"native-untagged\", \"tag\": 3,"
		      " \"trunks\": [\"set\", [5, 6]]}");
	assert_int_equal(p->native_vid, 3);
	assert_int_equal(p->untagged_vid, 3);
	p = add("tr", "{\"vlan_mode\": \"trunk\", \"tag\": 3}");
	assert_int_equal(p->native_vid, 0);
	assert_int_equal(count_vlans(&p->vlans), 4095);
	p = add("ac", "{\"vlan_mode\": \"access\"}");
	assert_int_equal(p->native_vid, 0);
	assert_int_equal(count_vlans(&p->vlans), 1);
	p = add("qq", "{\"vlan_mode\": \"dot1q-tunnel\", \"tag\": 30,"
		      " \"cvlans\": [\"set\", [1, 2, 3]]}");
	assert_true(p->is_tunnel);
	assert_int_equal(p->tpid, ETH_TYPE_SVLAN);
	assert_int_equal(count_vlans(&p->cvlans), 3);
}

#define OTHER(KEY, VALUE)                                                      \
	"{\"other_config\": [\"map\", [[\"" KEY "\", \"" VALUE "\"]]]}"

static void test_port_options(void **state)
{
	const struct fwd_port *p = add("p", NULL);

	assert_int_equal(p->priority_tags, PRIORITY_TAGS_NEVER);
	db_set_row(&f, "Port", "p", OTHER("priority-tags", "if-nonzero"));
	p = db_find_fwd_port(&f, "br0", "p");
	assert_int_equal(p->priority_tags, PRIORITY_TAGS_IF_NONZERO);
	db_set_row(&f, "Port", "p", OTHER("priority-tags", "always"));
	p = db_find_fwd_port(&f, "br0", "p");
	assert_int_equal(p->priority_tags, PRIORITY_TAGS_ALWAYS);
	db_set_row(&f, "Port", "p", OTHER("priority-tags", "perhaps"));
	p = db_find_fwd_port(&f, "br0", "p");
	assert_int_equal(p->priority_tags, PRIORITY_TAGS_NEVER);

	p = add("q", "{\"vlan_mode\": \"dot1q-tunnel\", \"tag\": 30,"
		     " \"other_config\": [\"map\","
		     " [[\"qinq-ethtype\", \"802.1q\"]]]}");
	assert_int_equal(p->tpid, ETH_TYPE_VLAN);
	db_set_row(&f, "Port", "q", OTHER("qinq-ethtype", "0x9100"));
	p = db_find_fwd_port(&f, "br0", "q");
	assert_int_equal(p->tpid, ETH_TYPE_SVLAN);
}

static uint32_t table_size(void)
{
	struct fdb_stats stats;

	fdb_get_stats(vswitch_find_bridge(f.vs, "br0")->fdb, &stats);
	return stats.max_entries;
}

static void test_bridge_options(void **state)
{
	const struct bridge *b = vswitch_find_bridge(f.vs, "br0");
	const struct fwd_bridge *fb;

	assert_int_equal(table_size(), FDB_SIZE_DEFAULT);
	assert_int_equal(b->config->mac_age_s, FDB_AGE_DEFAULT);
	db_set_row(&f, "Bridge", "br0", OTHER("mac-table-size", "100"));
	assert_int_equal(table_size(), 100);
	fb = fwd_snapshot_find_bridge(f.vs->snapshot, "br0");
	assert_ptr_equal(fb->fdb, b->fdb);
	db_set_row(&f, "Bridge", "br0", OTHER("mac-table-size", "lots"));
	assert_int_equal(table_size(), FDB_SIZE_DEFAULT);
	db_set_row(&f, "Bridge", "br0", OTHER("mac-aging-time", "15"));
	assert_int_equal(b->config->mac_age_s, 15);
	db_set_row(&f, "Bridge", "br0", OTHER("mac-aging-time", "0"));
	assert_int_equal(b->config->mac_age_s, FDB_AGE_DEFAULT);

	fb = fwd_snapshot_find_bridge(f.vs->snapshot, "br0");
	assert_false(fb->forward_bpdu);
	db_set_row(&f, "Bridge", "br0", OTHER("forward-bpdu", "true"));
	fb = fwd_snapshot_find_bridge(f.vs->snapshot, "br0");
	assert_true(fb->forward_bpdu);
	db_set_row(&f, "Bridge", "br0", OTHER("forward-bpdu", "ja"));
	fb = fwd_snapshot_find_bridge(f.vs->snapshot, "br0");
	assert_false(fb->forward_bpdu);
}

static void test_flood_vlans(void **state)
{
	const struct fwd_bridge *fb;

	db_set_row(&f, "Bridge", "br0", "{\"flood_vlans\": [\"set\", [4, 8]]}");
	fb = fwd_snapshot_find_bridge(f.vs->snapshot, "br0");
	assert_true(fb->no_learn_vlans);
	assert_true(vlan_set_has(&fb->flood_vlans, 8));
	assert_false(vlan_set_has(&fb->flood_vlans, 5));
	db_set_row(&f, "Bridge", "br0", "{\"flood_vlans\": [\"set\", []]}");
	fb = fwd_snapshot_find_bridge(f.vs->snapshot, "br0");
	assert_false(fb->no_learn_vlans);
}

static void learn(struct bridge *b, const char *port, uint64_t mac, int vid)
{
	fdb_learn(b->fdb, fdb_make_key(mac, vid),
		  vswitch_find_vport(f.vs, port)->number);
}

static unsigned entries(const char *port)
{
	return fdb_port_entries(vswitch_find_bridge(f.vs, "br0")->fdb,
				vswitch_find_vport(f.vs, port)->number);
}

static void test_flush_by_configuration(void **state)
{
	struct bridge *b = vswitch_find_bridge(f.vs, "br0");
	uint16_t number;

	add("p", "{\"tag\": 5}");
	add("q", "{\"tag\": 5}");
	learn(b, "p", 0x020000000001, 5);
	learn(b, "q", 0x020000000002, 5);
	number = vswitch_find_vport(f.vs, "p")->number;
	fdb_add_static(b->fdb, fdb_make_key(0x020000000003, 5), number);

	/* Another setting of the port leaves its addresses alone. */
	db_set_row(&f, "Interface", "p", "{\"mtu_request\": 2000}");
	assert_int_equal(fdb_lookup(b->fdb, fdb_make_key(0x020000000001, 5)),
			 number);
	db_set_row(&f, "Port", "p", "{\"tag\": 6}");
	assert_int_equal(fdb_lookup(b->fdb, fdb_make_key(0x020000000001, 5)),
			 FDB_NONE);
	assert_int_equal(entries("q"), 1);
	/* With the port static ones go, and a new port starts clean. */
	db_del_port(&f, "br0", "p");
	assert_int_equal(fdb_lookup(b->fdb, fdb_make_key(0x020000000003, 5)),
			 FDB_NONE);
	add("r", NULL);
	assert_int_equal(vswitch_find_vport(f.vs, "r")->number, number);
	assert_int_equal(entries("r"), 0);
}

static void test_mac_limit(void **state)
{
	struct bridge *b = vswitch_find_bridge(f.vs, "br0");

	add("p", OTHER("mac-table-limit", "2"));
	for (uint64_t i = 1; i <= 5; i++)
		learn(b, "p", 0x020000000000 + i, 0);
	assert_int_equal(entries("p"), 2);
	db_set_row(&f, "Port", "p", "{\"other_config\": [\"map\", []]}");
	for (uint64_t i = 1; i <= 5; i++)
		learn(b, "p", 0x020000000000 + i, 0);
	assert_int_equal(entries("p"), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
		T(test_no_mode),      T(test_modes),
		T(test_port_options), T(test_bridge_options),
		T(test_flood_vlans),  T(test_flush_by_configuration),
		T(test_mac_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
