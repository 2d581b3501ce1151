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
		"remote_ip=flow evpn=true local_ip=192.0.2.1 evpn-hold=60",
		UP "local_ip=192.0.2.5/24",
		UP "local_ip=192.0.2.5/24 gateway=192.0.2.1 underlay-tag=3",
		UP "local_ip=198.51.100.5/24 gateway=198.51.100.1",
		"remote_ip=2001:db8:1::7 underlay=br-ex "
		"local_ip=2001:db8::5/64 gateway=fe80::1",
		"remote_ip=192.0.2.4 underlay=br-ex local_ip=192.0.2.5/31",
		P2P "evpn=false",
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		expect(all[i], NULL);
}

static const struct {
	const char *options, *part;
} refusals[] = {
	{ "key=5", "VXLAN port vx0 has no remote_ip" },
	{ "remote_ip=host-b", "remote_ip cannot be \"host-b\"; it is" },
	{ "remote_ip=", "remote_ip cannot be \"\"" },
	{ "remote_ip=239.1.1.1", "none of a group" },
	{ "remote_ip=fe80::1", "remote_ip cannot be" },
	{ "remote_ip=0.0.0.0", "remote_ip cannot be" },
	{ "remote_ip=::", "remote_ip cannot be" },
	{ "remote_ip=::ffff:192.0.2.1", "remote_ip cannot be" },
	{ P2P "local_ip=192.0.2.7", "has itself, 192.0.2.7, as a remote" },
	{ MULTI "local_ip=192.0.2.7", "has itself, 192.0.2.7, as a remote" },
	{ P2P "remotes=192.0.2.8", "its only remote, and remotes=192.0.2.8" },
	{ P2P "group=239.1.1.1", "its only remote, and group=239.1.1.1" },
	{ P2P "evpn=true", "its only remote, and evpn=true" },
	{ "remote_ip=flow remotes=192.0.2.7,x", "remotes cannot be" },
	{ "remote_ip=flow remotes=", "remotes cannot be" },
	{ "remote_ip=flow remotes=192.0.2.7,,192.0.2.8", "remotes cannot be" },
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
	{ P2P "vni-map=10", "vni-map cannot be" },
	{ P2P "vni-map=4095=1", "vni-map cannot be" },
	{ P2P "vni-map=1=16777216", "vni-map cannot be" },
	{ P2P "vni-map=10-12=100-101", "vni-map cannot be" },
	{ P2P "vni-map=12-10=100-102", "vni-map cannot be" },
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
	{ UP "local_ip=192.0.2.5/33", "local_ip cannot be" },
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
	expect_mac(mac, "239.1.1.1", NULL, NULL, "no VTEP's IP address");
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
		cmocka_unit_test(good),
		cmocka_unit_test(refused),
		cmocka_unit_test(macs),
		cmocka_unit_test(listed),
	};

	return cmocka_run_group_tests_name("ctl_overlay", tests, NULL,
					   teardown);
}
