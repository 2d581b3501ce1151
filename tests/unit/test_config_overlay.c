/* What Interface rows of type vxlan say, taken alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "vswd/config_read_overlay.h"

static struct cfg_interface interface;
static struct port_option options[32];
static char *words;

/* "KEY=VALUE KEY=VALUE" */
static struct cfg_overlay *read_options(const char *text)
{
	char *rest, *word, *value;
	size_t n = 0;

	free(words);
	words = xstrdup(text);
	for (word = strtok_r(words, " ", &rest); word;
	     word = strtok_r(NULL, " ", &rest)) {
		value = strchr(word, '=');
		*value = '\0';
		options[n++] = (struct port_option){ word, value + 1 };
	}
	interface.name = (char *)"vx0";
	interface.type = (char *)"vxlan";
	interface.options = options;
	interface.n_options = n;
	return config_read_overlay(&interface);
}

static int teardown(void **state)
{
	free(words);
	words = NULL;
	return 0;
}

static const char *text_of(struct ip_address ip)
{
	static struct ip_text text;

	text = ip_text(&ip);
	return text.text;
}

static struct cfg_overlay *expect_good(const char *text)
{
	struct cfg_overlay *o = read_options(text);

	if (o->error)
		fail_msg("%s: %s", text, o->error);
	return o;
}

/* --- what there is ---------------------------------------------------------
 */

/* As people who know Open vSwitch write it. */
static void point_to_point(void **state)
{
	struct cfg_overlay *o = expect_good("remote_ip=192.0.2.7 key=5001");

	assert_true(o->single && o->learning && o->split_horizon);
	assert_int_equal(o->vni, 5001);
	assert_null(o->map);
	assert_int_equal(o->n_remotes, 1);
	assert_string_equal(text_of(o->remotes[0]), "192.0.2.7");
	assert_int_equal(o->local.len, 0);
	assert_int_equal(o->ip_version, 4);
	assert_int_equal(o->dst_port, 4789);
	assert_int_equal(o->ttl, 64);
	assert_int_equal(o->group_ttl, 1);
	assert_int_equal(o->tos, 0);
	assert_true(o->dont_fragment);
	assert_false(o->csum || o->inherit_ttl || o->inherit_tos);
	assert_false(o->refuse_reserved || o->suppress || o->evpn);
	assert_int_equal(o->mtu, 0);
	assert_string_equal(o->underlay_port, "vxlan.4789");
	cfg_overlay_free(o);
}

static void keys_of_open_vswitch(void **state)
{
	struct cfg_overlay *o = expect_good(
		"remote_ip=2001:db8::7 local_ip=2001:db8::1 in_key=0x10 "
		"out_key=0x10 dst_port=8472 tos=0x68 ttl=3 df_default=false "
		"packet_type=legacy_l2");

	assert_int_equal(o->vni, 16);
	assert_int_equal(o->ip_version, 6);
	assert_int_equal(o->tos, 0x68);
	assert_int_equal(o->ttl, 3);
	assert_int_equal(o->group_ttl, 3);
	assert_false(o->dont_fragment);
	assert_true(o->csum);
	assert_string_equal(o->underlay_port, "vxlan.8472.2001:db8::1");
	cfg_overlay_free(o);
	o = expect_good("remote_ip=2001:db8::7 csum=false ttl=inherit "
			"tos=inherit");
	assert_int_equal(o->vni, 0); /* no key is VNI 0 */
	assert_false(o->csum);
	assert_true(o->inherit_ttl && o->inherit_tos);
	assert_string_equal(o->underlay_port, "vxlan.4789.::");
	cfg_overlay_free(o);
}

static void multipoint(void **state)
{
	struct cfg_overlay *o = expect_good(
		"remote_ip=flow key=10 remotes=192.0.2.9,192.0.2.7 "
		"reserved-bits=refuse split-horizon=false mtu=1400");

	assert_false(o->single || o->split_horizon);
	assert_true(o->suppress && o->learning && o->refuse_reserved);
	assert_int_equal(o->n_remotes, 2);
	assert_string_equal(text_of(o->remotes[0]), "192.0.2.7");
	assert_string_equal(text_of(o->remotes[1]), "192.0.2.9");
	assert_int_equal(o->mtu, 1400);
	cfg_overlay_free(o);
	o = expect_good("remote_ip=flow key=10 group=239.1.1.1 group-dev=eth0");
	assert_string_equal(text_of(o->group), "239.1.1.1");
	assert_string_equal(o->group_dev, "eth0");
	assert_int_equal(o->n_remotes, 0);
	cfg_overlay_free(o);
	o = expect_good("remote_ip=flow key=10 evpn=true local_ip=192.0.2.1");
	assert_true(o->evpn && o->suppress && !o->learning);
	assert_int_equal(o->hold_s, 300);
	cfg_overlay_free(o);
}

static void vni_map(void **state)
{
	struct cfg_overlay *o =
		expect_good("remote_ip=flow key=flow remotes=192.0.2.7 "
			    "vni-map=0=7,10=1010,100-103=0x100-0x103");

	assert_int_equal(o->vni, VTEP_NO_VNI);
	assert_int_equal(vtep_map_vni(o->map, 0), 7);
	assert_int_equal(vtep_map_vni(o->map, 10), 1010);
	assert_int_equal(vtep_map_vni(o->map, 103), 0x103);
	assert_int_equal(vtep_map_vni(o->map, 104), VTEP_NO_VNI);
	cfg_overlay_free(o);
	/* no key at all, and a map */
	o = expect_good("remote_ip=192.0.2.7 vni-map=10=1010");
	assert_true(o->single && o->map);
	cfg_overlay_free(o);
	/* no map: the VLAN is the VNI */
	o = expect_good("remote_ip=192.0.2.7 key=flow");
	assert_int_equal(vtep_map_vni(o->map, 1), 1);
	assert_int_equal(vtep_map_vni(o->map, 4094), 4094);
	assert_int_equal(vtep_map_vni(o->map, 0), VTEP_NO_VNI);
	cfg_overlay_free(o);
}

static void uplink(void **state)
{
	struct cfg_overlay *o = expect_good(
		"remote_ip=203.0.113.7 underlay=br-ex local_ip=192.0.2.5/24 "
		"gateway=192.0.2.1 underlay-tag=30");

	assert_string_equal(o->underlay, "br-ex");
	assert_string_equal(o->underlay_port, "br-ex.vtep.192.0.2.5");
	assert_int_equal(o->underlay_tag, 30);
	assert_int_equal(o->prefix_len, 24);
	assert_string_equal(text_of(o->gateway), "192.0.2.1");
	cfg_overlay_free(o);
	o = expect_good("remote_ip=2001:db8:9::7 underlay=br-ex "
			"local_ip=2001:db8::5/64 gateway=fe80::1");
	assert_string_equal(text_of(o->gateway), "fe80::1");
	cfg_overlay_free(o);
	o = expect_good("remote_ip=192.0.2.4 underlay=b local_ip=192.0.2.5/31");
	cfg_overlay_free(o);
}

/* A port's MTU request counts where options say nothing. */
static void mtu_request(void **state)
{
	struct cfg_overlay *o;

	interface.mtu_request = 9000;
	o = expect_good("remote_ip=192.0.2.7");
	assert_int_equal(o->mtu, 9000);
	cfg_overlay_free(o);
	o = expect_good("remote_ip=192.0.2.7 mtu=1300");
	assert_int_equal(o->mtu, 1300);
	cfg_overlay_free(o);
	interface.mtu_request = 0;
}

/* --- refusals --------------------------------------------------------------
 */

struct refusal {
	const char *options, *part; /* of the message */
};

#define P2P   "remote_ip=192.0.2.7 "
#define MULTI "remote_ip=flow remotes=192.0.2.7 "
#define UP    "remote_ip=192.0.2.7 underlay=br-ex "

static const struct refusal refusals[] = {
	/* remotes */
	{ "key=5", "remote_ip is missing" },
	{ "remote_ip=host-b", "\"host-b\"; it must be the IP address" },
	{ "remote_ip=", "\"\"; it must be the IP address" },
	{ "remote_ip=192.0.2.7/24", "it must be the IP address of another" },
	{ "remote_ip=239.1.1.1", "a multicast address; groups of VTEPs" },
	{ "remote_ip=ff05::1", "a multicast address" },
	{ "remote_ip=0.0.0.0", "0.0.0.0, which no machine has" },
	{ "remote_ip=255.255.255.255", "which no machine has" },
	{ "remote_ip=::", "which no machine has" },
	{ "remote_ip=::ffff:192.0.2.1", "which no machine has" },
	{ "remote_ip=fe80::1", "a link-local address" },
	{ P2P "local_ip=192.0.2.7", "remote 192.0.2.7 is local_ip" },
	{ P2P "remotes=192.0.2.8",
	  "only remote, and remotes is \"192.0.2.8\"" },
	{ P2P "group=239.1.1.1", "only remote, and group is" },
	{ P2P "evpn=true", "only remote, and evpn is \"true\"" },
	{ "remote_ip=flow remotes=192.0.2.7,x",
	  "remotes has \"x\"; it must be the IP" },
	{ "remote_ip=flow remotes=192.0.2.7,192.0.2.7", "192.0.2.7 twice" },
	{ "remote_ip=flow remotes=192.0.2.7,2001:db8::1",
	  "2001:db8::1 of IPv6, and remotes has an address of IPv4" },
	{ "remote_ip=flow remotes=192.0.2.7,224.0.0.1", "multicast" },
	{ MULTI "local_ip=192.0.2.7", "remote 192.0.2.7 is local_ip" },
	{ MULTI "local_ip=2001:db8::1", "local_ip has 2001:db8::1 of IPv6" },
	{ P2P "local_ip=2001:db8::1", "and remote_ip has an address of IPv4" },
	{ MULTI "group=ff05::1", "group has ff05::1 of IPv6" },
	{ "remote_ip=flow group=192.0.2.9", "a multicast address as 239" },
	{ "remote_ip=flow group=all", "a multicast address as 239" },
	{ MULTI "group-dev=eth0", "\"eth0\" without a group" },
	{ "remote_ip=flow group=239.1.1.1 group-dev=a-name-that-is-too-long",
	  "the name of a device" },
	{ "remote_ip=flow evpn=true", "evpn is true, and local_ip is missing" },
	{ "remote_ip=flow evpn=true local_ip=192.0.2.1 group=239.1.1.1",
	  "group and evpn are both set" },
	{ "remote_ip=flow evpn=true local_ip=192.0.2.1 learning=true",
	  "evpn and learning are both true" },
	{ P2P "evpn-hold=60", "evpn-hold is \"60\" without evpn" },
	{ P2P "evpn-frr-dir=/run/frr", "without evpn" },
	{ "remote_ip=flow evpn=yes local_ip=192.0.2.1", "true or false" },
	{ MULTI "evpn-hold=0", "number from 1 to 86400" },
	/* VNIs */
	{ P2P "key=16777216", "\"16777216\"; it must be a VNI from 0 to" },
	{ P2P "key=-1", "it must be a VNI" },
	{ P2P "key=0x", "it must be a VNI" },
	{ P2P "key=010", "it must be a VNI" },
	{ P2P "key=", "it must be a VNI" },
	{ P2P "key=ten", "it must be a VNI" },
	{ P2P "key=5 vni-map=10=1010", "key is \"5\", and vni-map says" },
	{ P2P "in_key=5 out_key=6", "in_key is \"5\" and out_key \"6\"" },
	{ P2P "in_key=5", "in_key is \"5\" and out_key \"0\"" },
	{ P2P "key=7 out_key=6", "in_key is \"7\" and out_key \"6\"" },
	{ P2P "key=flow vni-map=", "VLAN=VNI pairs" },
	{ P2P "key=flow vni-map=10", "VLAN=VNI pairs" },
	{ P2P "key=flow vni-map=4095=1", "\"4095\" as a VLAN" },
	{ P2P "key=flow vni-map=10=16777216", "\"16777216\" as a VNI" },
	{ P2P "key=flow vni-map=10-12=100-101", "which are not as many" },
	{ P2P "key=flow vni-map=12-10=100-102", "VLANs 12-10 in the wrong" },
	{ P2P "key=flow vni-map=10=1,10=2", "VLAN 10 is VNI 1 already" },
	{ P2P "key=flow vni-map=10=1,11=1", "VNI 1 is VLAN 10 already" },
	{ P2P "key=flow vni-map=0=1,11=1", "VNI 1 is VLAN 0 already" },
	/* headers */
	{ P2P "dst_port=0", "dst_port is \"0\"; it must be a number from 1" },
	{ P2P "dst_port=65536", "number from 1 to 65535" },
	{ P2P "tos=3", "ECN's" },
	{ P2P "tos=256", "from 0 to 252" },
	{ P2P "tos=low", "inherit, or a number" },
	{ P2P "ttl=0", "inherit, or a number from 1 to 255" },
	{ P2P "ttl=256", "inherit, or a number from 1 to 255" },
	{ P2P "df_default=no", "df_default is \"no\"; it must be true or" },
	{ P2P "csum=1", "csum is \"1\"; it must be true or false" },
	{ P2P "mtu=67", "number from 68 to 65450" },
	{ P2P "reserved-bits=drop", "ignore or refuse" },
	{ P2P "split-horizon=maybe", "true or false" },
	/* keys */
	{ P2P "remote-ip=192.0.2.7",
	  "remote-ip is no option of interfaces of "
	  "type vxlan; did you mean \"remote_ip\"?" },
	{ P2P "vni=5", "vni is no option" },
	{ P2P "vni_map=1=1", "did you mean \"vni-map\"?" },
	{ P2P "egress_pkt_mark=7", "egress_pkt_mark is \"7\", but" },
	{ P2P "exts=gbp", "exts is \"gbp\", but" },
	{ P2P "psk=secret", "tunnels are not encrypted" },
	{ P2P "packet_type=ptap", "it must be legacy_l2" },
	{ P2P "local_ip=flow", "there are no flows" },
	/* underlays */
	{ P2P "local_ip=host", "it must be an address of the host" },
	{ P2P "local_ip=192.0.2.1/24", "an address of the host, without" },
	{ P2P "local_ip=239.0.0.1", "multicast" },
	{ P2P "gateway=192.0.2.1",
	  "gateway is \"192.0.2.1\", but no underlay" },
	{ P2P "underlay-tag=3", "underlay-tag is \"3\", but no underlay" },
	{ UP, "local_ip is missing; set it to the VTEP's address" },
	{ UP "local_ip=192.0.2.5", "an address with its network's length" },
	{ UP "local_ip=192.0.2.5/33", "an address with its network's length" },
	{ UP "local_ip=192.0.2.5/0", "an address with its network's length" },
	{ UP "local_ip=192.0.2.0/24", "the address of a machine, not" },
	{ UP "local_ip=192.0.2.255/24", "the address of a machine, not" },
	{ UP "local_ip=192.0.2.7/24", "remote 192.0.2.7 is local_ip" },
	{ UP "local_ip=2001:db8::1/64", "local_ip has 2001:db8::1 of IPv6" },
	{ UP "local_ip=198.51.100.5/24",
	  "remote 192.0.2.7 is not in local_ip's network" },
	{ UP "local_ip=192.0.2.5/24 gateway=198.51.100.1", "on the link" },
	{ UP "local_ip=192.0.2.5/24 gateway=192.0.2.255", "on the link" },
	{ UP "local_ip=192.0.2.5/24 gateway=192.0.2.5", "which is local_ip" },
	{ UP "local_ip=192.0.2.5/24 gateway=fe80::1", "gateway has fe80::1" },
	{ UP "local_ip=192.0.2.5/24 gateway=gw", "the address of a router" },
	{ UP "local_ip=192.0.2.5/24 underlay-tag=4095", "from 1 to 4094" },
	{ UP "local_ip=192.0.2.5/24 underlay-tag=0", "from 1 to 4094" },
	{ "remote_ip=flow underlay=br-ex local_ip=192.0.2.5/24 "
	  "group=239.1.1.1 group-dev=eth0",
	  "group-dev is \"eth0\", but the group is joined on" },
	{ P2P "underlay= local_ip=192.0.2.5/24", "the name of a bridge" },
};

static void refused(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		const struct refusal *r = &refusals[i];
		struct cfg_overlay *o = read_options(r->options);

		if (!o->error || !strstr(o->error, r->part))
			fail_msg("%s: \"%s\" instead of \"%s\"", r->options,
				 o->error ? o->error : "(no error)", r->part);
		assert_null(strchr(o->error, '\n'));
		cfg_overlay_free(o);
	}
}

static void too_many_remotes(void **state)
{
	char *text = xstrdup("remote_ip=flow remotes=192.0.0.1"), *more;
	struct cfg_overlay *o;

	for (unsigned i = 2; i <= VTEP_FLOOD_MAX + 1; i++) {
		more = xasprintf("%s,192.0.%u.%u", text, i >> 8, i & 0xff);
		free(text);
		text = more;
	}
	o = read_options(text);
	assert_non_null(o->error);
	assert_non_null(strstr(o->error, "1025 addresses"));
	cfg_overlay_free(o);
	free(text);
}

/* --- comparison, VLANs -----------------------------------------------------
 */

static void compared(void **state)
{
	static const char *const all[] = {
		P2P,
		P2P "key=1",
		P2P "key=flow",
		P2P "key=flow vni-map=1=2",
		P2P "tos=4",
		P2P "ttl=4",
		P2P "csum=true",
		P2P "df_default=false",
		P2P "mtu=1300",
		P2P "learning=false",
		P2P "split-horizon=false",
		P2P "arp-suppression=true",
		P2P "reserved-bits=refuse",
		P2P "local_ip=192.0.2.1",
		P2P "dst_port=1",
		P2P "dst_port=0",
		UP "local_ip=192.0.2.5/24",
		UP "local_ip=192.0.2.5/25",
		UP "local_ip=192.0.2.5/24 gateway=192.0.2.1",
		UP "local_ip=192.0.2.5/24 underlay-tag=1",
		MULTI,
		"remote_ip=flow remotes=192.0.2.7,192.0.2.8",
		MULTI "group=239.1.1.1",
		MULTI "group=239.1.1.1 group-dev=eth0",
		MULTI "evpn=true local_ip=192.0.2.1",
		MULTI "evpn=true local_ip=192.0.2.1 evpn-hold=3",
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		for (size_t k = 0; k < ARRAY_SIZE(all); k++) {
			struct cfg_overlay *a = read_options(all[i]);
			struct cfg_overlay *b = read_options(all[k]);

			if (cfg_overlay_equals(a, b) != (i == k))
				fail_msg("%s, %s", all[i], all[k]);
			cfg_overlay_free(a);
			cfg_overlay_free(b);
		}
	assert_true(cfg_overlay_equals(NULL, NULL));
	cfg_overlay_free(NULL);
}

/* A port with the VXLAN port as its interface. */
static void check_vlans(const char *text, enum vlan_mode mode,
			const char *error, bool trunks)
{
	struct cfg_port port = { .interfaces = &interface,
				 .n_interfaces = 1,
				 .vlan = { .mode = mode, .tag = 10 } };

	interface.overlay = read_options(text);
	config_read_overlay_vlans(&port);
	if (!error)
		assert_null(interface.overlay->error);
	else
		assert_non_null(strstr(interface.overlay->error, error));
	assert_true(!!port.trunks == trunks);
	if (trunks) {
		assert_ptr_equal(port.vlan.trunks, port.trunks);
		for (unsigned i = 0; i < VLAN_N; i++)
			assert_int_equal(
				vlan_set_has(port.trunks, i),
				i <= VTEP_VLAN_MAX &&
					vtep_map_vni(interface.overlay->map,
						     i) != VTEP_NO_VNI);
	}
	free(port.trunks);
	cfg_overlay_free(interface.overlay);
	interface.overlay = NULL;
}

static void vlans(void **state)
{
	check_vlans(P2P "key=5", VLAN_TRUNK, NULL, false);
	check_vlans(P2P "key=5", VLAN_ACCESS, NULL, false);
	check_vlans(P2P "key=flow", VLAN_TRUNK, NULL, true);
	check_vlans(P2P "vni-map=0=7,20=9", VLAN_TRUNK, NULL, true);
	check_vlans(P2P "vni-map=0=7,20=9", VLAN_NATIVE_UNTAGGED, NULL, true);
	check_vlans(P2P "key=flow", VLAN_ACCESS, "vlan_mode access with tag 10",
		    false);
	check_vlans(P2P "key=flow", VLAN_DOT1Q_TUNNEL, "dot1q-tunnel", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(point_to_point),
		cmocka_unit_test(keys_of_open_vswitch),
		cmocka_unit_test(multipoint),
		cmocka_unit_test(vni_map),
		cmocka_unit_test(uplink),
		cmocka_unit_test(mtu_request),
		cmocka_unit_test(refused),
		cmocka_unit_test(too_many_remotes),
		cmocka_unit_test(compared),
		cmocka_unit_test(vlans),
	};

	return cmocka_run_group_tests_name("config_overlay", tests, NULL,
					   teardown);
}
