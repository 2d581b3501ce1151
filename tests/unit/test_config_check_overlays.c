/* VXLAN ports among each other, and what the tree gets for them. */
#include <stdlib.h>
#include <string.h>

#include "overlay_database.h"
#include "vswd/config_check_overlays.h"
#include "vswd/config_read_overlay.h"

static struct segment_database f;

static int setup(void **state)
{
	segment_database_start(&f);
	segment_database_add(&f, "br0", NULL);
	segment_database_add(&f, "br1", NULL);
	segment_database_add(&f, "br-ex", NULL);
	return 0;
}

static int teardown(void **state)
{
	segment_database_stop(&f);
	return 0;
}

static const char *error_of(const char *bridge, const char *name)
{
	const struct cfg_port *port =
		overlay_database_find_port(&f, bridge, name);

	assert_non_null(port);
	return port->interfaces[0].overlay->error;
}

/* part: of the error; NULL: there is none. */
static void expect(const char *bridge, const char *name, const char *part)
{
	const char *error = error_of(bridge, name);

	if (!part ? error != NULL : !error || !strstr(error, part))
		fail_msg("%s: \"%s\" instead of \"%s\"", name,
			 error ? error : "(no error)",
			 part ? part : "(no error)");
	if (error)
		assert_null(strchr(error, '\n'));
}

static const char *option(const struct cfg_port *port, const char *key)
{
	const char *value = cfg_interface_option(&port->interfaces[0], key);

	return value ? value : "";
}

/* --- underlays -------------------------------------------------------------
 */

static void sockets_are_made_up(void **state)
{
	const struct cfg_port *port;

	overlay_database_add_vxlan(&f, "br0", "vx0",
				   "remote_ip=198.18.0.7 key=1");
	expect("br0", "vx0", NULL);
	assert_true(segment_database_bridge(&f, "vxlan.host")->made_up);
	port = overlay_database_find_port(&f, "vxlan.host", "vxlan.4789");
	assert_non_null(port);
	assert_true(port->made_up);
	assert_string_equal(port->interfaces[0].type, "vxlan-udp");
	assert_string_equal(option(port, "dst_port"), "4789");
	assert_string_equal(option(port, "ip_version"), "4");
	assert_string_equal(option(port, "df"), "true");
	assert_string_equal(option(port, "csum"), "false");
	assert_string_equal(option(port, "local_ip"), "");
	assert_string_equal(option(port, "groups"), "");
	/* shared, and the same object as long as it is the same */
	cfg_port_ref(port);
	overlay_database_add_vxlan(&f, "br1", "vx1",
				   "remote_ip=198.18.0.7 key=2");
	expect("br1", "vx1", NULL);
	assert_ptr_equal(
		overlay_database_find_port(&f, "vxlan.host", "vxlan.4789"),
		port);
	assert_int_equal(segment_database_bridge(&f, "vxlan.host")->n_ports, 1);
	cfg_port_unref((struct cfg_port *)port);
	overlay_database_add_vxlan(
		&f, "br1", "vx2", "remote_ip=2001:db8::7 local_ip=2001:db8::1");
	port = overlay_database_find_port(&f, "vxlan.host",
					  "vxlan.4789.2001:db8::1");
	assert_non_null(port);
	assert_string_equal(option(port, "ip_version"), "6");
	assert_string_equal(option(port, "local_ip"), "2001:db8::1");
	assert_string_equal(option(port, "csum"), "true");
	overlay_database_del_port(&f, "br0", "vx0");
	overlay_database_del_port(&f, "br1", "vx1");
	assert_null(overlay_database_find_port(&f, "vxlan.host", "vxlan.4789"));
	overlay_database_del_port(&f, "br1", "vx2");
	assert_null(segment_database_bridge(&f, "vxlan.host"));
}

static void groups_of_all(void **state)
{
	const struct cfg_port *port;

	overlay_database_add_vxlan(&f, "br0", "vx0",
				   "remote_ip=flow key=1 group=239.1.1.2");
	overlay_database_add_vxlan(
		&f, "br1", "vx1",
		"remote_ip=flow key=2 group=239.1.1.1 group-dev=eth7");
	overlay_database_add_vxlan(&f, "br1", "vx2",
				   "remote_ip=flow key=3 group=239.1.1.2");
	port = overlay_database_find_port(&f, "vxlan.host", "vxlan.4789");
	assert_string_equal(option(port, "groups"), "239.1.1.1,239.1.1.2");
	assert_string_equal(option(port, "group_dev"), "eth7");
}

static void stations_are_made_up(void **state)
{
	const struct cfg_port *port;
	uint64_t mac;

	overlay_database_add_vxlan(
		&f, "br0", "vx0",
		"remote_ip=198.18.0.7 key=1 underlay=br-ex underlay-tag=7 "
		"local_ip=198.18.0.1/24");
	expect("br0", "vx0", NULL);
	assert_null(segment_database_bridge(&f, "vxlan.host"));
	port = overlay_database_find_port(&f, "br-ex", "br-ex.vtep.198.18.0.1");
	assert_non_null(port);
	assert_true(port->made_up);
	assert_string_equal(port->interfaces[0].type, "vxlan-station");
	assert_int_equal(port->vlan.mode, VLAN_ACCESS);
	assert_int_equal(port->vlan.tag, 7);
	mac = port->interfaces[0].mac;
	assert_int_equal(mac >> 40 & 3, 2); /* local, of one machine */
	/* another VNI by the same station; and the whole read anew */
	overlay_database_add_vxlan(
		&f, "br1", "vx1",
		"remote_ip=198.18.0.7 key=2 underlay=br-ex underlay-tag=7 "
		"local_ip=198.18.0.1/24");
	expect("br1", "vx1", NULL);
	db_view_forget(f.view);
	segment_database_read(&f);
	port = overlay_database_find_port(&f, "br-ex", "br-ex.vtep.198.18.0.1");
	assert_int_equal(port->interfaces[0].mac, mac);
	overlay_database_add_vxlan(
		&f, "br1", "vx2",
		"remote_ip=198.18.0.7 key=3 underlay=br-ex underlay-tag=7 "
		"local_ip=198.18.0.2/24");
	port = overlay_database_find_port(&f, "br-ex", "br-ex.vtep.198.18.0.2");
	assert_true(port->interfaces[0].mac != mac);
}

/* --- refusals --------------------------------------------------------------
 */

struct pair {
	const char *first, *second;
	const char *part; /* of the second's error; NULL: none */
};

#define UP "remote_ip=198.18.0.7 underlay=br-ex local_ip=198.18.0.1/24 "

static const struct pair pairs[] = {
	/* the same VNI */
	{ "remote_ip=198.18.0.7 key=5", "remote_ip=198.18.0.7 key=5",
	  "VNI 5 with remote 198.18.0.7 is that of interface vx0 already" },
	{ "remote_ip=198.18.0.7 key=5", "remote_ip=198.18.0.8 key=5", NULL },
	{ "remote_ip=198.18.0.7 key=5", "remote_ip=flow key=5",
	  "VNI 5 is that of interface vx0" },
	{ "remote_ip=flow key=5", "remote_ip=flow key=5", "VNI 5 is that" },
	{ "remote_ip=flow key=5", "remote_ip=198.18.0.7 key=5",
	  "VNI 5 with remote 198.18.0.7 is that of interface vx0" },
	{ "remote_ip=flow key=5", "remote_ip=flow key=5 dst_port=4790", NULL },
	{ "remote_ip=flow key=5 local_ip=198.18.0.1",
	  "remote_ip=flow key=5 local_ip=198.18.0.2", NULL },
	{ "remote_ip=flow key=5", "remote_ip=flow key=flow",
	  "VNI 5 is that of interface vx0" },
	{ "remote_ip=flow key=5", "remote_ip=flow vni-map=1=6,2=5", "VNI 5" },
	{ "remote_ip=flow vni-map=1=7", "remote_ip=flow vni-map=1=6", NULL },
	{ UP "key=5", UP "key=5", "VNI 5 with remote" },
	{ UP "key=5", UP "key=6", NULL },
	{ UP "key=5", "remote_ip=198.18.0.7 key=5", NULL },
	/* the same sockets */
	{ "remote_ip=198.18.0.7", "remote_ip=198.18.0.7 key=1 csum=true",
	  "options:csum is not that of interface vx0" },
	{ "remote_ip=198.18.0.7", "remote_ip=198.18.0.7 key=1 df_default=false",
	  "options:df_default is not that" },
	{ "remote_ip=198.18.0.7",
	  "remote_ip=198.18.0.7 key=1 reserved-bits=refuse",
	  "options:reserved-bits is not that" },
	{ "remote_ip=flow group=239.1.1.1 group-dev=eth0",
	  "remote_ip=flow key=1 group=239.1.1.1 group-dev=eth1",
	  "options:group-dev is not that" },
	{ "remote_ip=198.18.0.7",
	  "remote_ip=198.18.0.7 key=1 local_ip=198.18.0.1",
	  "local_ip is 198.18.0.1, but not set for interface vx0" },
	{ "remote_ip=198.18.0.7 local_ip=198.18.0.1",
	  "remote_ip=198.18.0.7 key=1",
	  "local_ip is not set, but 198.18.0.1 for interface vx0" },
	{ "remote_ip=198.18.0.7", "remote_ip=2001:db8::7 csum=false", NULL },
	/* the same station */
	{ UP, UP "key=1 underlay-tag=3", "underlay-tag is not that" },
	{ UP, UP "key=1 gateway=198.18.0.254", "gateway is not that" },
	{ UP, UP "key=1 dst_port=1", "dst_port is not that" },
	{ UP, UP "key=1 reserved-bits=refuse", "reserved-bits is not that" },
	{ UP,
	  "remote_ip=198.18.0.7 key=1 underlay=br-ex local_ip=198.18.0.1/25",
	  "local_ip is not that" },
	{ UP, UP "key=1 csum=true df_default=false", NULL },
	/* bridges */
	{ UP, "remote_ip=198.18.0.7 underlay=br-no local_ip=198.18.0.1/24",
	  "\"br-no\", and there is no such bridge" },
	{ UP, "remote_ip=198.18.0.7 underlay=br1 local_ip=198.18.0.1/24",
	  "\"br1\", the bridge that the port is in" },
	{ "remote_ip=198.18.0.7 underlay=br1 local_ip=198.18.0.1/24",
	  "remote_ip=198.18.0.7 underlay=br0 local_ip=198.18.0.1/24",
	  "lead back to bridge br1" },
	{ "remote_ip=198.18.0.7", "remote_ip=127.0.0.1 key=2",
	  "remote 127.0.0.1 is an address of this host" },
	{ "remote_ip=198.18.0.7",
	  "remote_ip=127.0.0.9 key=2 underlay=br-ex local_ip=127.0.0.1/8",
	  "local_ip 127.0.0.1 is an address of this host" },
	{ "remote_ip=198.18.0.7 local_ip=127.0.0.2",
	  "remote_ip=127.0.0.3 key=2 local_ip=127.0.0.2", NULL },
};

/* vx0 in br0 and vx1 in br1, which have come together or one by one. */
static void refused(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		const struct pair *p = &pairs[i];

		overlay_database_add_vxlan(&f, "br0", "vx0", p->first);
		overlay_database_add_vxlan(&f, "br1", "vx1", p->second);
		expect("br0", "vx0", NULL);
		expect("br1", "vx1", p->part);
		db_view_forget(f.view);
		segment_database_read(&f);
		expect("br0", "vx0", NULL);
		expect("br1", "vx1", p->part);
		overlay_database_del_port(&f, "br0", "vx0");
		overlay_database_del_port(&f, "br1", "vx1");
	}
}

/* Of many ways from bridge to bridge each part is followed once. */
static void many_ways_down(void **state)
{
	char bridge[16], name[16], options[96];

	for (unsigned i = 0; i < 2 * 20; i++) {
		snprintf(bridge, sizeof(bridge), "b%u", i);
		segment_database_add(&f, bridge, NULL);
	}
	/* Names rise with what is below, which so is there first. */
	for (unsigned i = 0; i < 4 * 19; i++) {
		unsigned from = i / 2, to = (from / 2 + 1) * 2 + i % 2;

		snprintf(bridge, sizeof(bridge), "b%u", from);
		snprintf(name, sizeof(name), "vx%u", 1000 - i);
		snprintf(options, sizeof(options),
			 "remote_ip=198.18.0.7 key=%u underlay=b%u "
			 "local_ip=198.18.0.1/24",
			 i, to);
		overlay_database_add_vxlan(&f, bridge, name, options);
		expect(bridge, name, NULL);
	}
	overlay_database_add_vxlan(&f, "b39", "vx2000",
				   "remote_ip=198.18.0.7 key=1 underlay=b0 "
				   "local_ip=198.18.0.1/24");
	expect("b39", "vx2000", "lead back to bridge b39");
}

/* Names do not matter to one that works already. */
static void who_worked_goes_on(void **state)
{
	const struct cfg_port *refused_port;

	overlay_database_add_vxlan(&f, "br0", "vx5", "remote_ip=flow key=5");
	overlay_database_add_vxlan(&f, "br0", "vx1", "remote_ip=flow key=5");
	expect("br0", "vx5", NULL);
	expect("br0", "vx1", "VNI 5 is that of interface vx5");
	/* what is refused is the same object at the next reading */
	refused_port =
		cfg_port_ref(overlay_database_find_port(&f, "br0", "vx1"));
	segment_database_read(&f);
	assert_ptr_equal(overlay_database_find_port(&f, "br0", "vx1"),
			 refused_port);
	cfg_port_unref((struct cfg_port *)refused_port);
	/* another setting of it makes no difference */
	overlay_database_set_vxlan(&f, "vx5",
				   "remote_ip=flow key=5 remotes=198.18.0.7");
	expect("br0", "vx5", NULL);
	expect("br0", "vx1", "VNI 5 is that of interface vx5");
	/* one that wants what another has comes second, whatever its name */
	overlay_database_set_vxlan(&f, "vx1", "remote_ip=flow key=4");
	expect("br0", "vx1", NULL);
	overlay_database_set_vxlan(&f, "vx1", "remote_ip=flow key=5");
	expect("br0", "vx1", "VNI 5 is that of interface vx5");
	overlay_database_del_port(&f, "br0", "vx5");
	expect("br0", "vx1", NULL);
	/* all new: by name, numbers as people count them */
	overlay_database_add_vxlan(&f, "br0", "vx10", "remote_ip=flow key=5");
	db_view_forget(f.view);
	segment_database_read(&f);
	expect("br0", "vx1", NULL);
	expect("br0", "vx10", "VNI 5 is that of interface vx1");
}

/* An underlay that comes later; a refused one that stood in nobody's way. */
static void refusals_end(void **state)
{
	overlay_database_add_vxlan(
		&f, "br0", "vx0",
		"remote_ip=198.18.0.7 underlay=br9 local_ip=198.18.0.1/24");
	expect("br0", "vx0", "there is no such bridge");
	segment_database_add(&f, "br9", NULL);
	segment_database_read(&f);
	expect("br0", "vx0", NULL);
	assert_non_null(
		overlay_database_find_port(&f, "br9", "br9.vtep.198.18.0.1"));
	overlay_database_add_vxlan(&f, "br1", "vx1", "remote_ip=flow key=1");
	overlay_database_add_vxlan(&f, "br1", "vx2",
				   "remote_ip=flow vni-map=1=1,2=2");
	overlay_database_add_vxlan(&f, "br1", "vx3", "remote_ip=flow key=2");
	expect("br1", "vx2", "VNI 1 is that of interface vx1");
	expect("br1", "vx3", NULL);
}

/* A bridge whose name the sockets' bridge has. */
static void names_are_taken(void **state)
{
	segment_database_add(&f, "vxlan.host", NULL);
	overlay_database_add_vxlan(&f, "br0", "vx0", "remote_ip=198.18.0.7");
	expect("br0", "vx0", "there is a bridge vxlan.host, which is");
	assert_int_equal(segment_database_bridge(&f, "vxlan.host")->n_ports, 0);
}

static void segment_takes_name(void **state)
{
	segment_database_add(&f, "vxlan",
			     "{'type':'nat','subnet':'198.19.9.0/24'}");
	overlay_database_add_vxlan(&f, "br0", "vx0", "remote_ip=198.18.0.7");
	expect("br0", "vx0", "vxlan.host (of segment vxlan), which is");
}

/* Nothing is touched when rows that are none of theirs change. */
static void nodes_stay(void **state)
{
	const struct cfg_port *port;

	overlay_database_add_vxlan(&f, "br0", "vx0", "remote_ip=198.18.0.7");
	port = cfg_port_ref(overlay_database_find_port(&f, "br0", "vx0"));
	segment_database_add(&f, "br7", NULL);
	segment_database_read(&f);
	assert_ptr_equal(overlay_database_find_port(&f, "br0", "vx0"), port);
	overlay_database_set_vxlan(&f, "vx0", "remote_ip=198.18.0.8");
	assert_ptr_not_equal(overlay_database_find_port(&f, "br0", "vx0"),
			     port);
	/* and what has changed is no reason to open it anew */
	assert_true(cfg_interface_same_device(
		&overlay_database_find_port(&f, "br0", "vx0")->interfaces[0],
		&port->interfaces[0]));
	assert_false(
		cfg_overlay_equals(overlay_database_find_port(&f, "br0", "vx0")
					   ->interfaces[0]
					   .overlay,
				   port->interfaces[0].overlay));
	cfg_port_unref((struct cfg_port *)port);
}

static void no_bond(void **state)
{
	const struct cfg_port *port;

	segment_database_run(
		&f, "[{'op':'insert','table':'Interface','uuid-name':'i',"
		    "  'row':{'name':'vx0','type':'vxlan','options':['map',"
		    "   [['remote_ip','198.18.0.7']]]}},"
		    " {'op':'insert','table':'Interface','uuid-name':'k',"
		    "  'row':{'name':'eth9'}},"
		    " {'op':'insert','table':'Port','uuid-name':'p',"
		    "  'row':{'name':'bond0','interfaces':['set',"
		    "   [['named-uuid','i'],['named-uuid','k']]]}},"
		    " {'op':'mutate','table':'Bridge','where':[],"
		    "  'mutations':[['ports','insert',['named-uuid','p']]]}]");
	segment_database_read(&f);
	port = overlay_database_find_port(&f, "br0", "bond0");
	assert_non_null(strstr(port->interfaces[1].overlay->error,
			       "cannot be a member of a bond"));
	assert_null(segment_database_bridge(&f, "vxlan.host"));
}

int main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(sockets_are_made_up),  TEST(groups_of_all),
		TEST(stations_are_made_up), TEST(refused),
		TEST(who_worked_goes_on),   TEST(refusals_end),
		TEST(names_are_taken),	    TEST(segment_takes_name),
		TEST(nodes_stay),	    TEST(no_bond),
		TEST(many_ways_down),
	};

	return cmocka_run_group_tests_name("config_check_overlays", tests, NULL,
					   NULL);
}
