/* VXLAN ports as people write them: values, and what contradicts what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/overlay_rules.h"
#include "ctl/overlay_settings.h"
#include "ctl/settings.h"

static struct overlay_pair pairs[16];
static char *words;

/* "KEY=VALUE KEY=VALUE" */
static struct overlay_plan plan_of(const char *text)
{
	struct overlay_plan plan = { .name = "vx0", .options = pairs };
	char *rest, *word, *value;

	free(words);
	words = xstrdup(text);
	for (word = strtok_r(words, " ", &rest); word;
	     word = strtok_r(NULL, " ", &rest)) {
		value = strchr(word, '=');
		*value = '\0';
		pairs[plan.n_options++] =
			(struct overlay_pair){ word, value + 1 };
	}
	return plan;
}

static int teardown(void **state)
{
	free(words);
	words = NULL;
	return 0;
}

/* part: of what is said; NULL: nothing is. */
static void expect(const char *text, const char *part)
{
	struct overlay_plan plan = plan_of(text);
	char *why = overlay_plan_check(&plan);

	if (part ? !why || !strstr(why, part) : why != NULL)
		fail_msg("%s: \"%s\" instead of \"%s\"", text,
			 why ? why : "(nothing)", part ? part : "(nothing)");
	if (why)
		assert_null(strchr(why, '\n'));
	free(why);
}

#define P2P   "remote_ip=192.0.2.7 "
#define MULTI "remote_ip=flow remotes=192.0.2.7 "
#define UP    "remote_ip=192.0.2.7 underlay=br-ex "

static void good(void **state)
{
	static const char *const all[] = {
		P2P,
		P2P "key=5001",
		P2P "key=0x1389 dst_port=8472 tos=0x68 ttl=3",
		P2P "key=flow",
		P2P "key=flow vni-map=0=1,10=1010,100-199=10100-10199",
		P2P "vni-map=10=1010",
		P2P "in_key=7 out_key=7",
		P2P "key=7 in_key=7",
		P2P "tos=inherit ttl=inherit df_default=false csum=true",
		P2P "packet_type=legacy_l2 local_ip=192.0.2.1",
		"remote_ip=2001:db8::7 local_ip=2001:db8::1",
		MULTI "key=7 arp-suppression=true split-horizon=false",
		"remote_ip=flow remotes=192.0.2.7,192.0.2.8",
		"remote_ip=flow group=239.1.1.1 group-dev=eth0",
		"remote_ip=flow evpn=true local_ip=192.0.2.1 key=5 "
		"evpn-hold=60",
		UP "local_ip=192.0.2.5/24",
		UP "local_ip=192.0.2.5/24 gateway=192.0.2.1 underlay-tag=3",
		UP "local_ip=198.51.100.5/24 gateway=198.51.100.1",
		"remote_ip=2001:db8:1::7 underlay=br-ex "
		"local_ip=2001:db8::5/64 gateway=fe80::1",
		"remote_ip=192.0.2.4 underlay=br-ex local_ip=192.0.2.5/31",
		P2P "evpn=false",
		MULTI "evpn=false evpn-hold=60",
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		expect(all[i], NULL);
}

static const struct {
	const char *options, *part;
} refusals[] = {
	{ "key=5", "VXLAN port vx0 has no remote_ip" },
	{ "remote_ip=host-b", "remote_ip cannot be \"host-b\": that is no IP" },
	{ "remote_ip=", "remote_ip cannot be \"\"" },
	{ "remote_ip=239.1.1.1", "is group=ADDRESS" },
	{ "remote_ip=fe80::1", "by which link" },
	{ "remote_ip=0.0.0.0", "no machine has that" },
	{ "remote_ip=::", "no machine has that" },
	{ "remote_ip=::ffff:192.0.2.1", "remote_ip cannot be" },
	{ P2P "local_ip=192.0.2.7", "has itself, 192.0.2.7, as a remote" },
	{ MULTI "local_ip=192.0.2.7", "has itself, 192.0.2.7, as a remote" },
	{ P2P "remotes=192.0.2.8", "its only remote, and remotes=192.0.2.8" },
	{ P2P "group=239.1.1.1", "its only remote, and group=239.1.1.1" },
	{ P2P "evpn=true", "its only remote, and evpn=true" },
	{ "remote_ip=flow remotes=192.0.2.7,x", "remote cannot be \"x\":" },
	{ "remote_ip=flow remotes=", "there is no address" },
	{ "remote_ip=flow remotes=192.0.2.7,,192.0.2.8",
	  "there is no address" },
	{ "remote_ip=flow remotes=192.0.2.7,192.0.2.7", "192.0.2.7 twice" },
	{ "remote_ip=flow remotes=2001:db8::1,2001:db8:0::1", "twice" },
	{ MULTI "local_ip=2001:db8::1", "addresses of IPv4 and IPv6" },
	{ MULTI "group=ff05::1", "addresses of IPv4 and IPv6" },
	{ MULTI "group=192.0.2.1", "group cannot be" },
	{ MULTI "group-dev=eth0", "has group-dev=eth0 and no group" },
	{ "remote_ip=flow group=239.1.1.1 group-dev=a-name-that-is-long",
	  "group-dev cannot be" },
	{ "remote_ip=flow evpn=true", "has evpn and no local_ip" },
	{ "remote_ip=flow evpn=true local_ip=192.0.2.1 group=239.1.1.1",
	  "has evpn and a group" },
	{ "remote_ip=flow evpn=true local_ip=192.0.2.1 learning=true",
	  "has evpn and learning" },
	{ "remote_ip=flow evpn=true local_ip=2001:db8::1 key=5",
	  "VTEPs of IPv4 only" },
	{ "remote_ip=flow evpn=true local_ip=192.0.2.1", "evpn and VNI 0" },
	{ "remote_ip=flow evpn=true local_ip=192.0.2.1 key=0x0",
	  "evpn and VNI 0" },
	{ "remote_ip=flow evpn=true local_ip=192.0.2.1 vni-map=1=0",
	  "VNI 0 in its vni-map" },
	{ "remote_ip=flow evpn=true local_ip=192.0.2.1 key=flow",
	  "without a vni-map" },
	{ "remote_ip=flow evpn=true local_ip=192.0.2.1 vni-map=1-1025=1-1025",
	  "1025 VNIs" },
	{ MULTI "evpn-hold=60", "evpn-hold=60 and no evpn" },
	{ MULTI "evpn-frr-dir=/run/frr", "and no evpn" },
	{ MULTI "evpn=yes", "evpn cannot be \"yes\"; it is true or false" },
	{ MULTI "evpn-frr-dir=run/frr", "such as /run/frr" },
	{ MULTI "evpn-hold=0", "it is a number from 1 to 86400" },
	{ P2P "key=16777216", "key cannot be \"16777216\"; it is a VNI" },
	{ P2P "key=-1", "key cannot be" },
	{ P2P "key=010", "key cannot be" },
	{ P2P "key=0x", "key cannot be" },
	{ P2P "key=", "key cannot be" },
	{ P2P "key=99999999999999999999", "key cannot be" },
	{ P2P "key=5 vni-map=10=1010", "has key=5, one VNI, and a vni-map" },
	{ P2P "in_key=5 out_key=6", "in_key 5 and out_key 6" },
	{ P2P "in_key=5", "in_key 5 and out_key 0" },
	{ P2P "key=5 out_key=6", "in_key 5 and out_key 6" },
	{ P2P "vni-map=", "vni-map cannot be" },
	{ P2P "vni-map=10", "it is VLAN=VNI" },
	{ P2P "vni-map=1=1,4095=1", "\"4095\" is no VLAN" },
	{ P2P "vni-map=1=16777216", "\"16777216\" is no VNI" },
	{ P2P "vni-map=10-12=100-101", "3 VLANs and 2 VNIs" },
	{ P2P "vni-map=12-10=100-102", "VLANs 12-10 are in" },
	{ P2P "vni-map=10=1,10=2", "VLAN 10 twice" },
	{ P2P "vni-map=10=1,11=1", "VNI 1 twice" },
	{ P2P "vni-map=10-20=110-120,20=5", "VLAN 20 twice" },
	{ P2P "vni-map=10-20=110-120,30-31=119-120", "VNI 119 twice" },
	{ P2P "dst_port=0", "number from 1 to 65535" },
	{ P2P "dst_port=65536", "number from 1 to 65535" },
	{ P2P "tos=3", "ECN's" },
	{ P2P "tos=256", "tos cannot be" },
	{ P2P "ttl=0", "ttl cannot be" },
	{ P2P "ttl=256", "ttl cannot be" },
	{ P2P "df_default=no", "true or false" },
	{ P2P "mtu=67", "number from 68 to 65450" },
	{ P2P "reserved-bits=drop", "ignore or refuse" },
	{ P2P "remote-ip=192.0.2.7", "did you mean \"remote_ip\"?" },
	{ P2P "vni=5", "has no option \"vni\"" },
	{ P2P "egress_pkt_mark=7", "outer packets bear no mark" },
	{ P2P "exts=gbp", "extensions (gbp, gpe)" },
	{ P2P "psk=secret", "not encrypted" },
	{ P2P "packet_type=ptap", "packet_type cannot be" },
	{ P2P "local_ip=flow", "local_ip cannot be" },
	{ P2P "local_ip=192.0.2.1/24", "and no underlay; give an address" },
	{ P2P "gateway=192.0.2.1", "has gateway=192.0.2.1 and no underlay" },
	{ P2P "underlay-tag=3", "has underlay-tag=3 and no underlay" },
	{ UP, "has an underlay, so it needs options:local_ip" },
	{ UP "local_ip=192.0.2.5", "has an underlay, so it needs" },
	{ UP "local_ip=192.0.2.5/33", "no network's length" },
	{ UP "local_ip=192.0.2.5/0", "local_ip cannot be" },
	{ UP "local_ip=192.0.2.0/24", "the network's own address" },
	{ UP "local_ip=192.0.2.255/24", "the network's own address" },
	{ UP "local_ip=198.51.100.5/24", "which is not in its network" },
	{ UP "local_ip=192.0.2.5/24 gateway=198.51.100.1", "on the link" },
	{ UP "local_ip=192.0.2.5/24 gateway=192.0.2.255", "on the link" },
	{ UP "local_ip=192.0.2.5/24 gateway=192.0.2.5", "has itself" },
	{ UP "local_ip=192.0.2.5/24 gateway=fe80::1", "IPv4 and IPv6" },
	{ UP "local_ip=192.0.2.5/24 underlay-tag=4095", "from 1 to 4094" },
	{ "remote_ip=flow underlay=b local_ip=192.0.2.5/24 group=239.1.1.1 "
	  "group-dev=eth0",
	  "joined on the underlay" },
	{ P2P "underlay= local_ip=192.0.2.5/24", "the name of a bridge" },
};

static void refused(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++)
		expect(refusals[i].options, refusals[i].part);
}

/* Blanks are no words here: those of plan_of() are apart by them. */
static void blanks(void **state)
{
	static const char *const all[][2] = {
		{ "key", "5 " },
		{ "remotes", "192.0.2.7 " },
		{ "local_ip", " 192.0.2.1" },
		{ "vni-map", "1=1\t" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		char *why =
			overlay_setting_check(all[i][0], all[i][0], all[i][1]);

		assert_non_null(why);
		assert_non_null(strstr(why, "ends with a blank"));
		free(why);
	}
	assert_null(overlay_setting_check("remotes", "remote",
					  "192.0.2.7, 192.0.2.8"));
}

/* What is wrong goes by the name that was typed. */
static void named(void **state)
{
	char *why = overlay_setting_check("key", "vni", "-1");

	assert_non_null(strstr(why, "port's vni cannot be \"-1\""));
	free(why);
	assert_true(overlay_setting_is_foreign("psk"));
	assert_false(overlay_setting_is_foreign("key"));
}

/* --- two ports ------------------------------------------------------------ */

static const struct {
	const char *a, *b, *part; /* NULL: both can be */
} pair_cases[] = {
	{ MULTI "key=1", MULTI "key=2", NULL },
	{ MULTI "key=1", MULTI "key=1", "VNI 1, which is VXLAN port vx1's" },
	{ MULTI "key=0x1", P2P "key=1", "VNI 1" },
	{ P2P "key=1", P2P "key=1", "VNI 1" },
	{ P2P "key=1", "remote_ip=192.0.2.8 key=1", NULL },
	{ MULTI "key=1", MULTI "key=1 dst_port=8472", NULL },
	{ MULTI "key=1 local_ip=192.0.2.1", MULTI "key=1 local_ip=192.0.2.2",
	  NULL },
	{ MULTI "vni-map=1-9=11-19", MULTI "key=19", "VNI 19" },
	{ MULTI "vni-map=1-9=11-19", MULTI "vni-map=1-2=1-2,3=12", "VNI 12" },
	{ MULTI "vni-map=1-9=11-19", MULTI "key=20", NULL },
	{ MULTI "key=flow", MULTI "key=4094", "VNI 4094" },
	{ MULTI "key=flow", MULTI "key=4095", NULL },
	{ MULTI, MULTI "key=0", "VNI 0" },
	{ MULTI "key=1 local_ip=192.0.2.1", MULTI "key=2",
	  "has a local_ip, and VXLAN port vx1, with the same dst_port (4789), "
	  "has none" },
	{ MULTI "key=1", MULTI "key=2 local_ip=192.0.2.1", "has one" },
	{ MULTI "key=1", "remote_ip=2001:db8::7 key=2 local_ip=2001:db8::1",
	  NULL },
	{ MULTI "key=1 csum=true", MULTI "key=2", "another csum than" },
	{ MULTI "key=1 csum=false", MULTI "key=2", NULL },
	{ "remote_ip=2001:db8::7 key=1 csum=true", "remote_ip=2001:db8::8",
	  NULL },
	{ MULTI "key=1 df_default=false", MULTI "key=2", "another df_default" },
	{ MULTI "key=1 reserved-bits=refuse", MULTI "key=2", "reserved-bits" },
	{ UP "local_ip=192.0.2.5/24 key=1", UP "local_ip=192.0.2.5/24 key=2",
	  NULL },
	{ UP "local_ip=192.0.2.5/24 key=1", UP "local_ip=192.0.2.5/24 key=1",
	  "VNI 1" },
	{ UP "local_ip=192.0.2.5/24 key=1", UP "local_ip=192.0.2.5/25 key=2",
	  "another length of its network" },
	{ UP "local_ip=192.0.2.5/24 key=1 dst_port=8472",
	  UP "local_ip=192.0.2.5/24 key=2", "another dst_port" },
	{ UP "local_ip=192.0.2.5/24 key=1", MULTI "key=1", NULL },
	{ MULTI "key=1 dst_port=24789", MULTI "key=2", NULL },
	{ MULTI "key=1 dst_port=24789",
	  MULTI "key=2 evpn=true local_ip=192.0.2.1",
	  "cannot have dst_port=24789: the kernel" },
};

static void two(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(pair_cases); i++) {
		struct overlay_plan a = plan_of(pair_cases[i].a), b;
		const char *part = pair_cases[i].part;
		struct overlay_pair first[ARRAY_SIZE(pairs)];
		char *text = words, *why;

		memcpy(first, pairs, sizeof(first));
		a.options = first;
		words = NULL;
		b = plan_of(pair_cases[i].b);
		b.name = "vx1";
		why = overlay_pair_check(&a, &b);
		if (part ? !why || !strstr(why, part) : why != NULL)
			fail_msg("%s, %s: \"%s\" instead of \"%s\"",
				 pair_cases[i].a, pair_cases[i].b,
				 why ? why : "(nothing)",
				 part ? part : "(nothing)");
		free(why);
		free(text);
	}
}

/* --- Remote_MAC ----------------------------------------------------------- */

static void expect_mac(const char *mac, const char *remote, const char *ip,
		       const char *options, const char *part)
{
	struct overlay_mac m = { .mac = mac, .remote = remote, .ips = &ip };
	struct overlay_plan plan = plan_of(options ? options : "");
	char *why;

	m.n_ips = ip ? 1 : 0;
	why = overlay_mac_check(&m, options ? &plan : NULL);
	if (part ? !why || !strstr(why, part) : why != NULL)
		fail_msg("%s %s: \"%s\" instead of \"%s\"", mac, remote,
			 why ? why : "(nothing)", part ? part : "(nothing)");
	free(why);
}

static void macs(void **state)
{
	static const char mac[] = "02:00:00:00:00:01";

	expect_mac(mac, "192.0.2.7", NULL, NULL, NULL);
	expect_mac(mac, "192.0.2.7", "10.0.0.5", P2P, NULL);
	expect_mac(mac, "192.0.2.8", "fe80::5", MULTI, NULL);
	expect_mac("x", "192.0.2.7", NULL, NULL, "a remote MAC cannot be");
	expect_mac("01:00:00:00:00:01", "192.0.2.7", NULL, NULL, "one device");
	expect_mac(mac, "host-b", NULL, NULL, "cannot be at \"host-b\"");
	expect_mac(mac, "239.1.1.1", NULL, NULL, "is group=ADDRESS");
	expect_mac(mac, "192.0.2.7", "10.0.0", NULL, "cannot have ip");
	expect_mac(mac, "192.0.2.7", "224.0.0.1", NULL, "cannot have ip");
	expect_mac(mac, "192.0.2.8", NULL, P2P, "has one remote only");
	expect_mac(mac, "192.0.2.1", NULL, MULTI "local_ip=192.0.2.1",
		   "port vx0's local_ip");
	expect_mac(mac, "192.0.2.5", NULL, UP "local_ip=192.0.2.5/24",
		   "port vx0's local_ip");
}

/* --- for completion ------------------------------------------------------- */

static void listed(void **state)
{
	struct setting_info info;
	bool found = false;

	for (size_t i = 0; i < settings_count(); i++) {
		settings_get(i, &info);
		if (strcmp(info.table, "vxlan") ||
		    strcmp(info.key, "options:reserved-bits"))
			continue;
		assert_string_equal(info.words, "ignore refuse");
		found = true;
	}
	assert_true(found);
	for (size_t i = 0; i < overlay_settings_count(); i++) {
		overlay_settings_get(i, &info);
		assert_true(overlay_setting_is_known(info.key +
						     strlen("options:")));
	}
	assert_false(overlay_setting_is_known("vni"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),	  cmocka_unit_test(refused),
		cmocka_unit_test(blanks), cmocka_unit_test(named),
		cmocka_unit_test(two),	  cmocka_unit_test(macs),
		cmocka_unit_test(listed),
	};

	return cmocka_run_group_tests_name("ctl_overlay", tests, NULL,
					   teardown);
}
