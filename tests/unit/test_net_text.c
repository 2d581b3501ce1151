/* Addresses, networks and ranges as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/net_text.h"
#include "vswd/net_text.h"

static void addresses(void **state)
{
	static const char *const none[] = {
		"",
		"10.20.0",
		"10.20.0.256",
		" 10.20.0.1",
		"10.20.0.1 ",
		"10.20.0.1/8",
		"010.020.000.00001",
		"fd20::1::",
		"fd20::1%eth0",
		"::ffff:1.2.3.4.5",
	};
	char buf[NET_TEXT_MAX];
	struct net_addr addr;

	assert_true(net_addr_parse(&addr, "10.20.0.1", 0));
	assert_int_equal(addr.version, 4);
	assert_memory_equal(addr.bytes, "\x0a\x14\x00\x01\0\0\0\0", 8);
	assert_string_equal(net_addr_text(&addr, buf), "10.20.0.1");
	assert_false(net_addr_parse(&addr, "10.20.0.1", 6));
	assert_true(net_addr_parse(&addr, "FD20::1", 0));
	assert_int_equal(addr.version, 6);
	assert_string_equal(net_addr_text(&addr, buf), "fd20::1");
	assert_false(net_addr_parse(&addr, "fd20::1", 4));
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		if (net_addr_parse(&addr, none[i], 0))
			fail_msg("\"%s\" is an address", none[i]);
}

static void networks(void **state)
{
	static const char *const none[] = {
		"10.20.0.0",	"10.20.0.0/",	"10.20.0.0/33", "10.20.0.0/-1",
		"10.20.0.0/+8", "10.20.0.0/ 8", "/24",		"10.20.0.0/8/8",
		"fd20::/129",	"fd20::/6x",
	};
	struct net_addr first, last;
	struct net_prefix p, q;

	assert_true(net_prefix_parse(&p, "10.20.0.9/24", 0));
	assert_int_equal(p.len, 24);
	assert_false(net_prefix_is_network(&p));
	net_prefix_ends(&p, &first, &last);
	assert_memory_equal(first.bytes, "\x0a\x14\x00\x00", 4);
	assert_memory_equal(last.bytes, "\x0a\x14\x00\xff", 4);
	assert_true(net_prefix_has(&p, &last));
	assert_true(net_prefix_parse(&q, "10.16.0.0/12", 4));
	assert_true(net_prefix_is_network(&q));
	assert_true(net_prefix_overlaps(&p, &q) && net_prefix_overlaps(&q, &p));
	assert_true(net_prefix_parse(&q, "10.20.1.0/24", 4));
	assert_false(net_prefix_overlaps(&p, &q));
	assert_true(net_prefix_parse(&q, "::/0", 6));
	assert_false(net_prefix_overlaps(&p, &q));
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		if (net_prefix_parse(&p, none[i], 0))
			fail_msg("\"%s\" is a network", none[i]);
}

static void ranges(void **state)
{
	struct net_range r;

	assert_true(net_range_parse(&r, "10.20.0.9-10.20.0.12", 4));
	assert_int_equal(r.first.bytes[3], 9);
	assert_int_equal(r.last.bytes[3], 12);
	assert_true(net_range_parse(&r, "fd20::1", 0));
	assert_int_equal(net_addr_compare(&r.first, &r.last), 0);
	assert_false(net_range_parse(&r, "10.20.0.9-10.20.0.8", 4));
	assert_false(net_range_parse(&r, "10.20.0.9-fd20::1", 0));
	assert_false(net_range_parse(&r, "10.20.0.9-", 4));
	assert_false(net_range_parse(&r, "-10.20.0.9", 4));
}

static void labels(void **state)
{
	char label[65];

	memset(label, 'a', sizeof(label));
	assert_true(net_is_label(label, 63));
	assert_false(net_is_label(label, 64));
	assert_true(net_is_label("vm-1", 4));
	assert_false(net_is_label("", 0));
	assert_false(net_is_label("-vm", 3));
	assert_false(net_is_label("vm-", 3));
	assert_false(net_is_label("v_m", 3));
	assert_false(net_is_label("v.m", 3));
}

/* vswd's: in host byte order, and what is none leaves the place alone. */
static void for_rows(void **state)
{
	uint32_t ip = 7, last = 7;
	struct ip_address any;
	uint8_t ip6[16], len = 7;

	assert_false(net_text_ip4("fd20::1", &ip));
	assert_false(net_text_prefix4("10.20.0.1/33", &ip, &len));
	assert_false(net_text_range4("10.20.0.2-10.20.0.1", &ip, &last));
	assert_true(ip == 7 && last == 7 && len == 7);
	assert_true(net_text_prefix4("10.20.0.1/24", &ip, &len));
	assert_true(ip == 0x0a140001 && len == 24);
	assert_true(net_text_range4("10.20.0.2-10.20.0.9", &ip, &last));
	assert_true(ip == 0x0a140002 && last == 0x0a140009);
	assert_true(net_text_prefix6("fd20::1/64", ip6, &len));
	assert_true(ip6[0] == 0xfd && ip6[15] == 1 && len == 64);
	assert_true(net_text_ip("10.20.0.1", &any));
	assert_int_equal(any.len, 4);
	assert_true(net_text_ip("fd20::1", &any));
	assert_int_equal(any.len, 16);
	assert_memory_equal(any.bytes, ip6, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses), cmocka_unit_test(networks),
		cmocka_unit_test(ranges),    cmocka_unit_test(labels),
		cmocka_unit_test(for_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
