/* Segments as people write them: values, what contradicts what, forwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/forward_text.h"
#include "ctl/segment_rules.h"
#include "ctl/segment_settings.h"
#include "ctl/settings.h"

/* --- text ----------------------------------------------------------------- */

static bool overlap(const char *a, const char *b)
{
	struct net_prefix x, y;

	assert_true(net_prefix_parse(&x, a, 0));
	assert_true(net_prefix_parse(&y, b, 0));
	assert_int_equal(net_prefix_overlaps(&x, &y),
			 net_prefix_overlaps(&y, &x));
	return net_prefix_overlaps(&x, &y);
}

static void test_prefixes(void **state)
{
	static const char *const wrong[] = { "",
					     "10.0.0.0",
					     "10.0.0.0/",
					     "10.0.0.0/33",
					     "10.0.0/24",
					     "10.0.0.0/-1",
					     "10.0.0.0/+8",
					     "10.0.0.0/ 8",
					     "10.0.0.0/024x",
					     "fd00::/129",
					     "fd00::1::/64",
					     "/24",
					     "10.0.0.0/24/8",
					     "fe80::1%lo/64",
					     "10.0.0.0/0024" };
	struct net_prefix p;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		if (net_prefix_parse(&p, wrong[i], 0))
			fail_msg("%s is no network", wrong[i]);
	assert_false(net_prefix_parse(&p, "10.0.0.0/8", 6));
	assert_true(net_prefix_parse(&p, "10.20.0.0/14", 4));
	assert_true(net_prefix_is_network(&p));
	assert_true(net_prefix_parse(&p, "10.21.0.0/14", 4));
	assert_false(net_prefix_is_network(&p));
	assert_true(overlap("10.20.0.0/16", "10.20.255.0/24"));
	assert_true(overlap("10.20.1.0/23", "10.20.0.0/24"));
	assert_false(overlap("10.20.0.0/24", "10.20.1.0/24"));
	assert_true(overlap("0.0.0.0/0", "10.20.1.0/24"));
	assert_false(overlap("0.0.0.0/0", "fd00::/8"));
	assert_true(overlap("fd00::/63", "fd00:0:0:1::/64"));
}

static void test_ranges(void **state)
{
	struct net_range r;

	assert_true(net_range_parse(&r, "10.0.0.1-10.0.0.9", 4));
	assert_true(net_range_parse(&r, "10.0.0.1-10.0.0.1", 4));
	assert_true(net_range_parse(&r, "10.0.0.1", 4));
	assert_false(net_range_parse(&r, "10.0.0.9-10.0.0.1", 4));
	assert_false(net_range_parse(&r, "10.0.0.1-", 4));
	assert_false(net_range_parse(&r, "-10.0.0.1", 4));
	assert_false(net_range_parse(&r, "10.0.0.1-fd00::1", 0));
}

static void outside(const char *text, const char *addr, long lo, long hi)
{
	struct forward_end end;
	char *error = NULL;

	if (forward_outside_parse(&end, text, &error))
		fail_msg("%s", error);
	assert_string_equal(end.addr, addr);
	assert_int_equal(end.lo, lo);
	assert_int_equal(end.hi, hi);
}

static void inside(const char *text, const char *addr, long port)
{
	struct forward_end end;
	char *error = NULL;

	if (forward_inside_parse(&end, text, &error))
		fail_msg("%s", error);
	assert_string_equal(end.addr, addr);
	assert_int_equal(end.lo, port);
}

static void test_forward_text(void **state)
{
	static const char *const wrong_outside[] = { "",
						     "0",
						     "65536",
						     "5-4",
						     "5-",
						     "-5",
						     "x",
						     "1.2.3.4",
						     "1.2.3.4:",
						     "1.2.3:5",
						     "fd00::1:80:x",
						     "[fd00::1]",
						     "[fd00::1]5",
						     "[1.2.3.4]:5",
						     "1.2.3.4:5-x",
						     "5 ",
						     "5,6" };
	static const char *const wrong_inside[] = { "",
						    "22",
						    "10.0.0.1:",
						    "10.0.0.1:0",
						    "10.0.0.1:22-23",
						    "[fd00::1",
						    "[fd00::1]x",
						    "10.0.0.1:22x",
						    "vm1:22" };
	struct forward_end end;
	char *text, *error = NULL;

	outside("2222", "", 2222, 2222);
	outside("5000-5010", "", 5000, 5010);
	outside("192.0.2.1:80", "192.0.2.1", 80, 80);
	outside("[2001:DB8::0001]:80-81", "2001:db8::1", 80, 81);
	inside("10.20.0.15", "10.20.0.15", 0);
	inside("10.20.0.15:22", "10.20.0.15", 22);
	inside("fd00::15", "fd00::15", 0);
	inside("[fd00::15]", "fd00::15", 0);
	inside("[fd00::15]:22", "fd00::15", 22);
	for (size_t i = 0; i < ARRAY_SIZE(wrong_outside); i++) {
		if (!forward_outside_parse(&end, wrong_outside[i], &error))
			fail_msg("%s was taken", wrong_outside[i]);
		assert_non_null(error);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong_inside); i++)
		if (!forward_inside_parse(&end, wrong_inside[i], &error))
			fail_msg("%s was taken", wrong_inside[i]);
	free(error);
	text = forward_end_text("fd00::1", 80, 90);
	assert_string_equal(text, "[fd00::1]:80-90");
	free(text);
}

/* --- options -------------------------------------------------------------- */

static void test_values(void **state)
{
	static const struct {
		const char *key, *good, *bad;
	} values[] = {
		{ "mtu", "1400", "575" },
		{ "mtu", "65520", "65521" },
		{ "mtu", "576", " 1400" },
		{ "dhcp", "false", "no" },
		{ "lease-time", "60", "59" },
		{ "lease-time", "31536000", "1h" },
		{ "router", "none", "fd00::1" },
		{ "mac", "02:00:00:00:00:01", "01:00:00:00:00:01" },
		{ "dhcp-range", "10.0.0.1-10.0.0.9", "10.0.0.1" },
		{ "dns-servers", "10.0.0.1, fd00::1", "10.0.0.1,," },
		{ "dns-servers",
		  "1.1.1.1,1.1.1.2,1.1.1.3,1.1.1.4,1.1.1.5,"
		  "1.1.1.6,1.1.1.7,1.1.1.8",
		  "1.1.1.1,1.1.1.2,1.1.1.3,1.1.1.4,1.1.1.5,1.1.1.6,1.1.1.7,"
		  "1.1.1.8,1.1.1.9" },
		{ "ntp-servers", "10.0.0.1", "fd00::1" },
		{ "dns-forward", "192.0.2.1:5353,[fd00::1]:53,fd00::2",
		  "192.0.2.1:0" },
		{ "dns-forward", "192.0.2.1", "resolver.example" },
		{ "domain", "lab.example", "-lab" },
		{ "domain", "", "lab..example" },
		{ "search", "a.b,c", "a b" },
		{ "routes", "10.5.0.0/16=10.0.0.9", "10.5.0.1/16=10.0.0.9" },
		{ "routes", "0.0.0.0/0=10.0.0.9,10.5.0.0/16=10.0.0.8",
		  "10.5.0.0/16" },
		{ "boot-file", "pxelinux.0", "" },
		{ "boot-file-7", "ipxe.efi", "a\nb" },
		{ "resolv-conf", "/run/resolv.conf", "resolv.conf" },
		{ "ipv6", "routed", "yes" },
		{ "outside-address", "dhcp", "auto" },
		{ "outside-address", "192.0.2.5/24,192.0.2.8-192.0.2.15",
		  "192.0.2.8-192.0.2.15" },
		{ "outside-address", "192.0.2.5/24,192.0.2.64-192.0.2.126",
		  "192.0.2.5/24,192.0.2.64-192.0.2.127" },
		{ "outside-address6", "2001:db8::5/64,2001:db8::6",
		  "2001:db8::5/64,2001:db8::6-2001:db8::7" },
		{ "outside-tag", "4094", "0" },
		{ "nat-sessions", "16777216", "15" },
		{ "udp-timeout", "120", "119" },
		{ "tcp-timeout", "7440", "7439" },
		{ "icmp-timeout", "60", "604801" },
		{ "filtering", "address-dependent", "none" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		char *why =
			segment_setting_check(values[i].key, values[i].good);

		if (why)
			fail_msg("%s=%s: %s", values[i].key, values[i].good,
				 why);
		why = segment_setting_check(values[i].key, values[i].bad);
		if (!why || !strstr(why, values[i].key))
			fail_msg("%s=%s: %s", values[i].key, values[i].bad,
				 why ? why : "taken");
		free(why);
	}
}

static void slip(const char *key, const char *value, const char *words)
{
	char *why = segment_setting_check(key, value);

	if (!why || !strstr(why, words) || strchr(why, '\n'))
		fail_msg("%s=%s: %s", key, value, why ? why : "taken");
	free(why);
}

static void test_slips(void **state)
{
	struct forward_end end;
	char *error = NULL;

	slip("routes", "10.6.0.0/16=10.20.0.9,10.5.0.1/16=10.20.0.9",
	     "10.5.0.1/16 has bits beyond its length; write "
	     "10.5.0.0/16=10.20.0.9");
	slip("routes", "10.5.0.0=10.20.0.9", "NETWORK/LENGTH=ROUTER");
	slip("dhcp-range", "10.20.0.9-10.20.0.5", "write 10.20.0.5-10.20.0.9");
	slip("dhcp-range", "10.20.0.9", "the first and the last");
	slip("outside-address", "192.0.2.5/24,192.0.2.9-192.0.2.8",
	     "write 192.0.2.8-192.0.2.9");
	assert_int_not_equal(
		forward_outside_parse(&end, "[fd00::1]:80-79", &error), 0);
	assert_non_null(strstr(error, "write [fd00::1]:79-80"));
	assert_int_not_equal(forward_outside_parse(&end, "80-79x", &error), 0);
	assert_non_null(strstr(error, "PORT, FIRST-LAST"));
	free(error);
}

static void test_keys(void **state)
{
	static const char *const unknown[] = {
		"boot-file-",	"boot-file-65536", "boot-file-7x",
		"boot-file--1", "options:mtu",	   "",
		"MTU"
	};
	char *why;

	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		if (segment_setting_is_known(unknown[i]))
			fail_msg("%s is known", unknown[i]);
	assert_true(segment_setting_is_known("boot-file-65535"));
	why = segment_setting_check("dhcp-rang", "1");
	assert_non_null(strstr(why, "did you mean \"dhcp-range\"?"));
	free(why);
}

/* --- rules ---------------------------------------------------------------- */

#define PLAN(TYPE, ...)                                                        \
	&(struct segment_plan)                                                 \
	{                                                                      \
		.name = "lab", .type = (TYPE), __VA_ARGS__                     \
	}
#define NAT(...) PLAN("nat", .subnet = "10.20.0.0/24", __VA_ARGS__)
#define PAIRS(...)                                                             \
	(const struct segment_pair[]){ __VA_ARGS__ },                          \
		sizeof((const struct segment_pair[]){ __VA_ARGS__ }) /         \
			sizeof(struct segment_pair)
#define OPTION(KEY, VALUE)                                                     \
	.options = &(const struct segment_pair){ KEY, VALUE }, .n_options = 1

static const struct segment_plan other = {
	.name = "other",
	.type = "nat",
	.subnet = "10.30.0.0/16",
	.subnet6 = "fd30::/64",
	.forwards = &(const struct segment_forward){ "tcp", NULL, 80, 90,
						     "10.30.0.5", 0 },
	.n_forwards = 1,
};

static void fine(const struct segment_plan *plan)
{
	char *why = segment_plan_check(plan, &other, 1);

	if (why)
		fail_msg("refused: %s", why);
}

/* Refused in one line with these words and the segment's name. */
static void refused(const struct segment_plan *plan, const char *words)
{
	char *why = segment_plan_check(plan, &other, 1);

	if (!why)
		fail_msg("accepted: %s", words);
	if (!strstr(why, words) || strchr(why, '\n') ||
	    strncmp(why, "segment lab", 11))
		fail_msg("%s (wanted: %s)", why, words);
	free(why);
}

static void test_subnets(void **state)
{
	fine(NAT(.subnet6 = "fd20::/64"));
	fine(PLAN("internal"));
	fine(PLAN("bridged"));
	fine(PLAN("host-only", .subnet = "192.168.0.0/29"));
	refused(PLAN("host-only", .subnet = "192.168.0.0/30"),
		"the host, a gateway and a machine; its length may be 29");
	fine(PLAN("nat", .subnet = "192.168.0.0/30"));
	fine(PLAN("nat", .subnet6 = "fd20::/64"));
	refused(PLAN("nat"), "needs a subnet");
	refused(PLAN("host-only"), "needs a subnet");
	refused(PLAN("bridged", .subnet = "10.20.0.0/24"), "no subnet");
	refused(PLAN("bridged", .isolated = true), "lose the LAN");
	fine(PLAN("internal", .isolated = true));
	refused(PLAN("nat", .subnet = "10.20.0/24"), "NETWORK/LENGTH");
	refused(PLAN("nat", .subnet = "fd20::/64"), "NETWORK/LENGTH");
	refused(PLAN("nat", .subnet = "10.20.0.1/24"), "write 10.20.0.0/24");
	refused(PLAN("nat", .subnet = "10.20.0.0/31"), "too small");
	refused(PLAN("nat", .subnet = "10.0.0.0/7"), "too large");
	refused(PLAN("nat", .subnet = "127.0.0.0/8"), "127.0.0.0/8");
	refused(PLAN("nat", .subnet = "224.0.0.0/24"), "224.0.0.0/3");
	refused(PLAN("nat", .subnet6 = "fe80::/64"), "fe80::/10");
	refused(PLAN("nat", .subnet6 = "fd20::/80"), "ra=false");
	fine(PLAN("nat", .subnet6 = "fd20::/80", OPTION("ra", "false")));
	refused(PLAN("nat", .subnet = "10.30.5.0/24"),
		"segment other has 10.30.0.0/16");
	refused(PLAN("nat", .subnet = "10.0.0.0/8"), "segment other");
	refused(NAT(.subnet6 = "fd30::/64"), "fd30::/64");
}

/* The others' outsides; whether lab may have `outside`. */
static char *check_among(const char *outside, const char *a, const char *b)
{
	const struct segment_plan others[] = {
		{ .name = "a",
		  .type = "nat",
		  .subnet = "10.21.0.0/24",
		  .outside = a },
		{ .name = "b",
		  .type = "nat",
		  .subnet = "10.22.0.0/24",
		  .outside = b },
	};

	return segment_plan_check(NAT(.outside = outside), others, 2);
}

static void test_behind_each_other(void **state)
{
	char *why;

	assert_null(check_among("a", "b", "host"));
	assert_null(check_among("a", "b", NULL));
	assert_null(check_among("uplink", "lab", "a"));
	/* Not of its making, and without an end. */
	assert_null(check_among("a", "b", "a"));
	why = check_among("a", "lab", NULL);
	assert_non_null(strstr(why, "the outside of segment a;"));
	free(why);
	why = check_among("a", "b", "lab");
	assert_non_null(strstr(why, "the outside of segment b;"));
	assert_null(strchr(why, '\n'));
	free(why);
}

static void test_own_addresses(void **state)
{
	fine(NAT(OPTION("address", "10.20.0.254")));
	refused(NAT(OPTION("address", "10.20.0.255")), "10.20.0.255");
	refused(NAT(OPTION("address", "10.20.0.0")), "10.20.0.0");
	refused(NAT(OPTION("address", "10.21.0.1")), "10.21.0.1");
	refused(NAT(OPTION("address6", "fd20::1")), "no subnet6");
	fine(PLAN("host-only", .subnet = "10.20.0.0/24",
		  OPTION("address", "10.20.0.1")));
	refused(PLAN("host-only", .subnet = "10.20.0.0/24",
		     OPTION("host-address", "10.20.0.254")),
		"both");
	fine(PLAN("host-only", .subnet6 = "fd20::/64",
		  OPTION("host-address6", "fd20::3")));
	refused(PLAN("host-only", .subnet6 = "fd20::/64",
		     OPTION("host-address6", "fd20::2")),
		"both");
}

static void test_dhcp(void **state)
{
	fine(NAT(OPTION("dhcp-range", "10.20.0.1-10.20.0.254")));
	refused(NAT(OPTION("dhcp-range", "10.20.0.5-10.20.1.9")), "10.20.1.9");
	refused(NAT(OPTION("dhcp-range", "10.20.0.5-10.20.0.255")),
		"10.20.0.255");
	refused(NAT(OPTION("router", "10.21.0.1")), "not in 10.20.0.0/24");
	fine(NAT(OPTION("router", "none")));
	refused(NAT(OPTION("routes", "10.5.0.0/16=10.20.0.9,"
				     "10.6.0.0/16=10.21.0.9")),
		"10.20.0.0/24 only");
	fine(NAT(OPTION("routes", "10.5.0.0/16=10.20.0.9")));
	refused(NAT(.options =
			    (const struct segment_pair[]){
				    { "dns-forward", "192.0.2.1" },
				    { "resolv-conf", "/etc/resolv.conf" } },
		    .n_options = 2),
		"dns-forward");
}

static void leases(const char *words, const struct segment_pair *list, size_t n)
{
	struct segment_plan plan = { .name = "lab",
				     .type = "nat",
				     .subnet = "10.20.0.0/24",
				     .leases = list,
				     .n_leases = n };

	if (words)
		refused(&plan, words);
	else
		fine(&plan);
}

static void test_leases(void **state)
{
	leases(NULL, PAIRS({ "52:54:00:00:00:01", "10.20.0.15" },
			   { "52:54:00:00:00:02", "10.20.0.16,vm-2" }));
	leases("is the gateway's own",
	       PAIRS({ "52:54:00:00:00:01", "10.20.0.1" }));
	leases("broadcast", PAIRS({ "52:54:00:00:00:01", "10.20.0.255" }));
	leases("not in 10.20.0.0/24",
	       PAIRS({ "52:54:00:00:00:01", "10.21.0.15" }));
	leases("MAC address", PAIRS({ "vm1", "10.20.0.15" }));
	leases("ADDRESS,NAME", PAIRS({ "52:54:00:00:00:01", "vm1" }));
	leases("ADDRESS,NAME",
	       PAIRS({ "52:54:00:00:00:01", "10.20.0.15,vm_1" }));
	leases("52:54:00:00:00:01 has 10.20.0.15",
	       PAIRS({ "52:54:00:00:00:01", "10.20.0.15" },
		     { "52:54:00:00:00:02", "10.20.0.15" }));
	leases("has 10.20.0.15,vm1 already",
	       PAIRS({ "52:54:00:00:00:01", "10.20.0.15,vm1" },
		     { "52:54:00:00:00:02", "10.20.0.16,VM1" }));
}

/* Only what the change itself makes wrong is refused. */
static void change(const char *words, const struct segment_plan *before,
		   const struct segment_plan *after)
{
	char *why = segment_plan_check_change(after, before, &other, 1);

	if (words ? !why || !strstr(why, words) : why != NULL)
		fail_msg("%s: %s", words ? words : "nothing",
			 why ? why : "accepted");
	free(why);
}

/* Of two the one is refused that was not there before. */
static void test_new_lease(void **state)
{
	static const struct segment_pair was = { "52:54:00:00:00:02",
						 "10.20.0.15,vm2" };
	const struct segment_plan before = { .name = "lab",
					     .type = "nat",
					     .subnet = "10.20.0.0/24",
					     .leases = &was,
					     .n_leases = 1 };

	change("cannot have 52:54:00:00:00:01=10.20.0.15: 52:54:00:00:00:02 "
	       "has 10.20.0.15,vm2 already",
	       &before,
	       NAT(.leases =
			   (const struct segment_pair[]){
				   was, { "52:54:00:00:00:01", "10.20.0.15" } },
		   .n_leases = 2));
}

static void test_outside(void **state)
{
	fine(NAT(.outside = "uplink"));
	refused(NAT(.outside = "lab"), "outside of itself");
	refused(PLAN("internal", .outside = "uplink"), "type nat only");
	refused(NAT(OPTION("ipv6", "routed")), "cannot route");
	fine(NAT(.outside = "uplink", OPTION("ipv6", "routed")));
	refused(NAT(.outside = "uplink",
		    OPTION("outside-address", "10.20.5.5/16")),
		"own subnet");
	refused(NAT(.outside = "uplink",
		    OPTION("outside-gateway", "192.0.2.1")),
		"outside-address=");
	fine(NAT(OPTION("mtu", "1000")));
	refused(NAT(.subnet6 = "fd20::/64", OPTION("mtu", "1279")), "1280");
}

#define WITH(...)                                                              \
	.options = (const struct segment_pair[]){ __VA_ARGS__ },               \
	.n_options = sizeof((const struct segment_pair[]){ __VA_ARGS__ }) /    \
		     sizeof(struct segment_pair)
#define OUTSIDE(...) NAT(.outside = "uplink", WITH(__VA_ARGS__))
#define ADDRESS                                                                \
	{                                                                      \
		"outside-address", "192.0.2.5/24"                              \
	}
#define GATEWAY                                                                \
	{                                                                      \
		"outside-gateway", "192.0.2.1"                                 \
	}

static void test_changes(void **state)
{
	static const struct segment_forward wrong = { "tcp", NULL,	 80,
						      80,    "10.9.0.1", 0 };

	change("outside-address", OUTSIDE(ADDRESS, GATEWAY), OUTSIDE(GATEWAY));
	change("cannot be reached from outside-address=10.9.9.5/24",
	       OUTSIDE(ADDRESS, GATEWAY),
	       OUTSIDE({ "outside-address", "10.9.9.5/24" }, GATEWAY));
	change("that is its own", OUTSIDE(ADDRESS, GATEWAY),
	       OUTSIDE({ "outside-address", "192.0.2.5/24,192.0.2.1" },
		       GATEWAY));
	change(NULL, OUTSIDE(ADDRESS),
	       OUTSIDE({ "outside-address6", "2001:db8::5/64" },
		       { "outside-gateway6", "fe80::1" }));
	change(NULL, OUTSIDE(ADDRESS, GATEWAY), OUTSIDE(ADDRESS));
	/* Somebody else stored it; it is none of this command's business. */
	change(NULL, OUTSIDE(GATEWAY), OUTSIDE(GATEWAY, { "mtu", "1400" }));
	change("10.9.0.1", OUTSIDE(GATEWAY),
	       NAT(.outside = "uplink", WITH(GATEWAY), .forwards = &wrong,
		   .n_forwards = 1));
	change("cannot have router", OUTSIDE(GATEWAY),
	       OUTSIDE(GATEWAY, { "router", "10.9.0.1" }));
	change("outside-gateway=192.0.2.2", OUTSIDE(GATEWAY),
	       OUTSIDE({ "outside-gateway", "192.0.2.2" }));
}

static void doubted(const struct segment_plan *plan, const char *words)
{
	char *text = segment_plan_doubt(plan);

	if (words && (!text || !strstr(text, words)))
		fail_msg("%s: %s", words, text ? text : "no doubt");
	if (!words && text)
		fail_msg("%s", text);
	free(text);
}

static void test_doubt(void **state)
{
	doubted(NAT(OPTION("outside-tag", "5")), "outside=BRIDGE");
	doubted(NAT(.outside = "uplink", OPTION("outside-tag", "5")), NULL);
	doubted(PLAN("internal", OPTION("mtu", "1400")), "no subnet");
	doubted(NAT(OPTION("mtu", "1400")), NULL);
	doubted(NAT(OPTION("host-address", "10.20.0.9")), "host-only");
	doubted(NAT(OPTION("ra", "false")), "no subnet6");
	doubted(NAT(OPTION("boot-file-7", "a")), NULL);
	doubted(PLAN("nat", .subnet6 = "fd20::/64", OPTION("boot-file-7", "a")),
		"no IPv4 subnet");
	doubted(NAT(.outside = "uplink", OPTION("host-loopback", "true")),
		"outside=host");
	doubted(NAT(.outside = "uplink", OPTION("outside-address6", "auto")),
		"no subnet6");
	doubted(PLAN("bridged", OPTION("dhcp", "true")), "no subnet");
}

/* Each setting needs something; a bridged segment has nothing of it. */
static void test_every_setting_is_doubted(void **state)
{
	for (size_t i = 0; i < segment_settings_count(); i++) {
		struct setting_info info;

		segment_settings_get(i, &info);
		doubted(PLAN("bridged", OPTION(strchr(info.key, ':') + 1, "x")),
			"no effect");
	}
}

static void forward(const char *words, const struct segment_forward *list,
		    size_t n)
{
	struct segment_plan plan = { .name = "lab",
				     .type = "nat",
				     .subnet = "10.20.0.0/24",
				     .subnet6 = "fd20::/64",
				     .forwards = list,
				     .n_forwards = n };

	if (words)
		refused(&plan, words);
	else
		fine(&plan);
}

#define FORWARDS(...)                                                          \
	(const struct segment_forward[]){ __VA_ARGS__ },                       \
		sizeof((const struct segment_forward[]){ __VA_ARGS__ }) /      \
			sizeof(struct segment_forward)

static void test_forwards(void **state)
{
	forward(NULL,
		FORWARDS({ "tcp", NULL, 2222, 2222, "10.20.0.15", 22 },
			 { "udp", NULL, 2222, 2222, "10.20.0.15", 22 },
			 { "tcp", NULL, 2222, 2222, "fd20::15", 22 },
			 { "tcp", "192.0.2.1", 443, 443, "10.20.0.15", 0 },
			 { "tcp", "192.0.2.2", 443, 443, "10.20.0.16", 0 }));
	forward("forwards tcp 5000-5010 to 10.20.0.15 already",
		FORWARDS({ "tcp", NULL, 5000, 5010, "10.20.0.15", 0 },
			 { "tcp", NULL, 5010, 5011, "10.20.0.16", 0 }));
	forward("already",
		FORWARDS({ "tcp", NULL, 443, 443, "10.20.0.15", 0 },
			 { "tcp", "192.0.2.2", 443, 443, "10.20.0.16", 0 }));
	/* By the host: its ports are one for all segments. */
	forward("segment other forwards tcp 80-90",
		FORWARDS({ "tcp", NULL, 85, 85, "10.20.0.15", 0 }));
	forward("not in 10.20.0.0/24",
		FORWARDS({ "tcp", NULL, 22, 22, "10.30.0.15", 0 }));
	forward("the gateway's own",
		FORWARDS({ "tcp", NULL, 22, 22, "10.20.0.1", 0 }));
	forward("no address", FORWARDS({ "tcp", NULL, 22, 22, "vm1", 0 }));
	forward("one version",
		FORWARDS({ "tcp", "::1", 22, 22, "10.20.0.15", 0 }));
	forward("65535 at most",
		FORWARDS({ "tcp", NULL, 1000, 2000, "10.20.0.15", 65000 }));
	forward("from a lower",
		FORWARDS({ "tcp", NULL, 1000, 999, "10.20.0.15", 0 }));
	refused(PLAN("internal", .subnet = "10.20.0.0/24",
		     .forwards =
			     &(const struct segment_forward){
				     "tcp", NULL, 22, 22, "10.20.0.15", 0 },
		     .n_forwards = 1),
		"type nat");
}

static void test_forwards_on_a_bridge(void **state)
{
	struct segment_forward f = { "tcp", NULL, 85, 85, "10.20.0.15", 0 };
	struct segment_pair pool = { "outside-address",
				     "192.0.2.5/24,192.0.2.8-192.0.2.15" };
	struct segment_plan plan = { .name = "lab",
				     .type = "nat",
				     .subnet = "10.20.0.0/24",
				     .outside = "uplink",
				     .options = &pool,
				     .n_options = 1,
				     .forwards = &f,
				     .n_forwards = 1 };

	fine(&plan); /* the host's ports are no matter */
	f.outside_address = "192.0.2.5";
	fine(&plan);
	f.outside_address = "192.0.2.15";
	fine(&plan);
	f.outside_address = "192.0.2.16";
	refused(&plan, "none of its outside-address");
	pool.value = "dhcp";
	fine(&plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_forward_text),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_slips),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_subnets),
		cmocka_unit_test(test_own_addresses),
		cmocka_unit_test(test_dhcp),
		cmocka_unit_test(test_leases),
		cmocka_unit_test(test_new_lease),
		cmocka_unit_test(test_outside),
		cmocka_unit_test(test_behind_each_other),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_doubt),
		cmocka_unit_test(test_every_setting_is_doubted),
		cmocka_unit_test(test_forwards),
		cmocka_unit_test(test_forwards_on_a_bridge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
