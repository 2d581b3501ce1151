/* Rows of table Remote_MAC: values, errors, and what reads them anew. */
#include <stdlib.h>
#include <string.h>

#include "overlay_database.h"
#include "vswd/config_overlay.h"
#include "vswd/remote_mac_rows.h"

static struct segment_database f;

static int setup(void **state)
{
	segment_database_start(&f);
	segment_database_add(&f, "br0", NULL);
	return 0;
}

static int teardown(void **state)
{
	segment_database_stop(&f);
	return 0;
}

static const struct cfg_overlay *overlay(void)
{
	const struct cfg_port *port =
		overlay_database_find_port(&f, "br0", "vx0");

	assert_non_null(port);
	return port->interfaces[0].overlay;
}

static void values(void **state)
{
	const struct cfg_remote_mac *m;

	overlay_database_add_vxlan(&f, "br0", "vx0",
				   "remote_ip=flow vni-map=10=1010,0=5");
	assert_int_equal(overlay()->n_macs, 0);
	overlay_database_add_mac(&f, "vx0",
				 "{'mac':'02:00:00:00:00:0a','vlan':10,"
				 "'remote_ip':'198.18.0.7','sticky':true,"
				 "'ips':['set',['10.0.0.5','2001:db8::5']]}");
	overlay_database_add_mac(&f, "vx0",
				 "{'mac':'02:00:00:00:00:0b',"
				 "'remote_ip':'198.18.0.8'}");
	assert_int_equal(overlay()->n_macs, 2);
	m = &overlay()->macs[1];
	assert_null(m->error);
	assert_int_equal(m->mac, 0x02000000000a);
	assert_int_equal(m->vlan, 10);
	assert_int_equal(m->remote.bytes[3], 7);
	assert_int_equal(m->n_ips, 2);
	assert_true(m->sticky);
	m = &overlay()->macs[0];
	assert_null(m->error);
	assert_int_equal(m->vlan, 0); /* untagged frames have a VNI */
	assert_int_equal(m->n_ips, 0);
	assert_false(m->sticky);
}

/* Only the overlay is another: the port need not be opened anew. */
static void node_changes(void **state)
{
	const struct cfg_port *port, *now;

	overlay_database_add_vxlan(&f, "br0", "vx0", "remote_ip=flow key=5");
	port = cfg_port_ref(overlay_database_find_port(&f, "br0", "vx0"));
	overlay_database_add_mac(&f, "vx0",
				 "{'mac':'02:00:00:00:00:0b',"
				 "'remote_ip':'198.18.0.8'}");
	now = overlay_database_find_port(&f, "br0", "vx0");
	assert_ptr_not_equal(port, now);
	assert_true(cfg_interface_same_device(&port->interfaces[0],
					      &now->interfaces[0]));
	assert_false(cfg_overlay_equals(port->interfaces[0].overlay,
					now->interfaces[0].overlay));
	cfg_port_unref((struct cfg_port *)port);
	port = cfg_port_ref(now);
	segment_database_read(&f);
	assert_ptr_equal(overlay_database_find_port(&f, "br0", "vx0"), port);
	/* what vswd writes itself is no reason to read */
	segment_database_run(&f, "[{'op':'update','table':'Remote_MAC',"
				 "'where':[],'row':{'error':'no'}}]");
	segment_database_read(&f);
	assert_ptr_equal(overlay_database_find_port(&f, "br0", "vx0"), port);
	segment_database_run(&f, "[{'op':'update','table':'Remote_MAC',"
				 "'where':[],'row':{'sticky':true}}]");
	segment_database_read(&f);
	assert_true(overlay()->macs[0].sticky);
	cfg_port_unref((struct cfg_port *)port);
	/* not referred to any more, it is gone */
	segment_database_run(&f, "[{'op':'update','table':'Interface',"
				 "'where':[['name','==','vx0']],"
				 "'row':{'remote_macs':['set',[]]}}]");
	segment_database_read(&f);
	assert_int_equal(overlay()->n_macs, 0);
}

/* --- refusals --------------------------------------------------------------
 */

static const struct {
	const char *options, *columns, *part;
} refusals[] = {
#define GOOD  "'mac':'02:00:00:00:00:01'"
#define FLOW  "remote_ip=flow key=5"
#define VLANS "remote_ip=flow key=flow vni-map=10=1010"
	{ FLOW, "{'mac':'x','remote_ip':'198.18.0.7'}", "mac is \"x\"" },
	{ FLOW, "{'mac':'01:00:00:00:00:01','remote_ip':'198.18.0.7'}",
	  "it must be a unicast address" },
	{ FLOW, "{'mac':'00:00:00:00:00:00','remote_ip':'198.18.0.7'}",
	  "it must be a unicast address" },
	{ FLOW, "{" GOOD ",'remote_ip':'host-b'}", "remote_ip is \"host-b\"" },
	{ FLOW, "{" GOOD ",'remote_ip':'239.1.1.1'}", "a multicast address" },
	{ FLOW, "{" GOOD ",'remote_ip':'0.0.0.0'}", "which no machine has" },
	{ FLOW, "{" GOOD ",'remote_ip':'fe80::1'}", "a link-local address" },
	{ FLOW, "{" GOOD ",'remote_ip':'2001:db8::1'}",
	  "the VXLAN port has IPv4 underneath" },
	{ FLOW " local_ip=198.18.0.1", "{" GOOD ",'remote_ip':'198.18.0.1'}",
	  "198.18.0.1, the VXLAN port's local_ip" },
	{ "remote_ip=198.18.0.7 key=5", "{" GOOD ",'remote_ip':'198.18.0.8'}",
	  "only remote is 198.18.0.7" },
	{ FLOW, "{" GOOD ",'remote_ip':'198.18.0.7','vlan':10}",
	  "vlan is 10, but options:key of interface vx0 is one VNI, 5" },
	{ VLANS, "{" GOOD ",'remote_ip':'198.18.0.7'}", "vlan is missing" },
	{ VLANS, "{" GOOD ",'remote_ip':'198.18.0.7','vlan':11}",
	  "vlan is 11, which has no VNI" },
	{ VLANS, "{" GOOD ",'remote_ip':'198.18.0.7','vlan':0}",
	  "vlan is 0, which has no VNI" },
	{ FLOW, "{" GOOD ",'remote_ip':'198.18.0.7','ips':'10.0.0'}",
	  "ips has \"10.0.0\"" },
	{ FLOW, "{" GOOD ",'remote_ip':'198.18.0.7','ips':'224.0.0.1'}",
	  "ips has \"224.0.0.1\"" },
};

static void refused(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		const char *error;

		overlay_database_add_vxlan(&f, "br0", "vx0",
					   refusals[i].options);
		overlay_database_add_mac(&f, "vx0", refusals[i].columns);
		assert_null(overlay()->error);
		assert_int_equal(overlay()->n_macs, 1);
		error = overlay()->macs[0].error;
		if (!error || !strstr(error, refusals[i].part))
			fail_msg("%s: %s", refusals[i].columns,
				 error ? error : "(no error)");
		assert_null(strchr(error, '\n'));
		overlay_database_del_port(&f, "br0", "vx0");
	}
}

/* One of two works: an erroneous one does not stand in its way. */
static void twice(void **state)
{
	overlay_database_add_vxlan(&f, "br0", "vx0", FLOW);
	overlay_database_add_mac(&f, "vx0",
				 "{" GOOD ",'remote_ip':'239.1.1.1'}");
	overlay_database_add_mac(&f, "vx0",
				 "{" GOOD ",'remote_ip':'198.18.0.8'}");
	assert_null(overlay()->macs[0].error);
	assert_non_null(strstr(overlay()->macs[1].error, "multicast"));
	overlay_database_add_mac(&f, "vx0",
				 "{" GOOD ",'remote_ip':'198.18.0.8'}");
	assert_null(overlay()->macs[0].error);
	assert_non_null(strstr(overlay()->macs[1].error,
			       "another row has the same mac, with remote_ip "
			       "198.18.0.8"));
}

/* --- what the database is told ---------------------------------------------
 */

static void told(void **state)
{
	const struct ovsdb_schema *schema = ovsdb_client_schema(f.client);
	struct vport v = { 0 };
	json_t *operations = json_array();

	overlay_database_add_vxlan(&f, "br0", "vx0", FLOW);
	overlay_database_add_mac(&f, "vx0",
				 "{" GOOD ",'remote_ip':'239.1.1.1'}");
	overlay_database_add_mac(&f, "vx0",
				 "{'mac':'02:00:00:00:00:02',"
				 "'remote_ip':'198.18.0.8'}");
	v.interface =
		&overlay_database_find_port(&f, "br0", "vx0")->interfaces[0];
	remote_mac_rows_collect(&v, schema, operations);
	assert_int_equal(json_array_size(operations), 1);
	remote_mac_rows_collect(&v, schema, operations);
	assert_int_equal(json_array_size(operations), 1);
	segment_database_run(&f, "[{'op':'update','table':'Remote_MAC',"
				 "'where':[['remote_ip','==','239.1.1.1']],"
				 "'row':{'remote_ip':'198.18.0.9'}}]");
	segment_database_read(&f);
	v.interface =
		&overlay_database_find_port(&f, "br0", "vx0")->interfaces[0];
	json_array_clear(operations);
	remote_mac_rows_collect(&v, schema, operations);
	assert_int_equal(json_array_size(operations), 1);
	assert_true(json_is_array(json_object_get(
		json_object_get(json_array_get(operations, 0), "row"),
		"error")));
	remote_mac_rows_forget(&v);
	json_decref(operations);
}

int main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(values), TEST(node_changes), TEST(refused),
		TEST(twice),  TEST(told),
	};

	return cmocka_run_group_tests_name("remote_macs", tests, NULL, NULL);
}
