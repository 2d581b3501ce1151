/* Segments that overlap the host's routes, or each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "vswd/config_check_segments.h"
#include "vswd/net_text.h"

static struct cfg_switch nothing;

/* A segment as the checks look at it. */
static struct cfg_segment segment(const char *name, enum segment_type type,
				  enum segment_outside outside,
				  const char *subnet, const char *subnet6)
{
	struct cfg_segment s = { .refs = 1,
				 .name = (char *)name,
				 .type = type,
				 .outside = outside };

	if (subnet)
		assert_true(net_text_prefix4(subnet, &s.ip4, &s.prefix4_len));
	if (subnet6)
		assert_true(
			net_text_prefix6(subnet6, s.ip6.ip, &s.ip6.prefix_len));
	return s;
}

static struct host_route route(const char *prefix, const char *device)
{
	struct host_route r = { .version = 6 };
	uint32_t ip4;

	if (net_text_prefix4(prefix, &ip4, &r.prefix_len)) {
		r.version = 4;
		memcpy(r.ip, ip_address_v4(ip4).bytes, 4);
	} else {
		assert_true(net_text_prefix6(prefix, r.ip, &r.prefix_len));
	}
	strcpy(r.device, device);
	return r;
}

/* part: of the error; NULL: there is none. */
static void expect(const struct cfg_segment *s,
		   const struct cfg_segment *before, const char *prefix,
		   const char *device, const char *part)
{
	struct segment_check check = { .segment = s, .before = before };
	struct host_route r = route(prefix, device);

	config_check_segments_with(&check, 1, &nothing, &r, 1);
	if (!part)
		assert_null(check.error);
	else if (!check.error || !strstr(check.error, part))
		fail_msg("%s: %s", prefix,
			 check.error ? check.error : "no error");
	segment_check_fini(&check);
}

static void routes(void **state)
{
	struct cfg_segment s = segment("lab", SEGMENT_NAT, OUTSIDE_HOST,
				       "198.18.4.1/24", "2001:db8:4::1/64");

	expect(&s, NULL, "198.18.4.0/24", "eth0",
	       "subnet 198.18.4.0/24 overlaps the host's route to 198.18.4.0/24 by eth0");
	expect(&s, NULL, "198.18.4.9/32", "", "198.18.4.9/32;");
	expect(&s, NULL, "198.18.0.0/16", "eth0", "overlaps");
	expect(&s, NULL, "198.18.5.0/24", "eth0", NULL);
	expect(&s, NULL, "2001:db8:4::/64", "eth0", "/64 overlaps");
	expect(&s, NULL, "2001:db8::/32", "eth0", "/64 overlaps");
	expect(&s, NULL, "2001:db8:5::/64", "eth0", NULL);
	/* Default routes; the host's address on the segment itself. */
	expect(&s, NULL, "0.0.0.0/0", "eth0", NULL);
	expect(&s, NULL, "128.0.0.0/1", "tun0", NULL);
	expect(&s, NULL, "::/0", "eth0", NULL);
	expect(&s, NULL, "198.18.4.0/24", "lab", NULL);
	/* It has worked so far. */
	expect(&s, &s, "198.18.4.0/24", "eth0", NULL);
}

/* When vswd starts: its leases tell that it has worked. */
static void leases(void **state)
{
	struct cfg_lease lease = { .lease.state = DHCP_BOUND };
	struct cfg_segment s = segment("lab", SEGMENT_NAT, OUTSIDE_HOST,
				       "198.18.4.1/24", NULL);

	s.leases = &lease;
	s.n_leases = 1;
	assert_true(net_text_ip4("198.18.4.9", &lease.lease.ip));
	expect(&s, NULL, "198.18.4.0/24", "eth0", NULL);
	/* Of the subnet that it had before. */
	assert_true(net_text_ip4("198.18.5.9", &lease.lease.ip));
	expect(&s, NULL, "198.18.4.0/24", "eth0", "overlaps");
}

/* Whom the host's routes concern. */
static void kinds(void **state)
{
	struct cfg_segment s = segment("lab", SEGMENT_HOST_ONLY, OUTSIDE_NONE,
				       "198.18.4.1/24", NULL);
	struct cfg_segment other = s;

	expect(&s, NULL, "198.18.4.0/24", "eth0", "overlaps");
	other.type = SEGMENT_INTERNAL;
	expect(&other, NULL, "198.18.4.0/24", "eth0", NULL);
	/* What has worked as another kind has not been compared. */
	expect(&s, &other, "198.18.4.0/24", "eth0", "overlaps");
	s.type = SEGMENT_NAT;
	s.outside = OUTSIDE_BRIDGE;
	s.uplink.bridge = (char *)"br-ext";
	expect(&s, NULL, "198.18.4.0/24", "eth0", NULL);
}

/* The results do not depend on the order. */
static void order(void **state)
{
	struct cfg_segment all[] = {
		segment("c", SEGMENT_NAT, OUTSIDE_HOST, "198.18.0.1/16", NULL),
		segment("a", SEGMENT_INTERNAL, OUTSIDE_NONE, "198.18.4.1/24",
			"2001:db8::1/64"),
		segment("b", SEGMENT_INTERNAL, OUTSIDE_NONE, "198.18.5.1/24",
			"2001:db8::2/64"),
		segment("d", SEGMENT_INTERNAL, OUTSIDE_NONE, NULL, NULL),
	};
	struct segment_check checks[ARRAY_SIZE(all)];

	for (unsigned turn = 0; turn < ARRAY_SIZE(all); turn++) {
		memset(checks, 0, sizeof(checks));
		for (size_t i = 0; i < ARRAY_SIZE(all); i++)
			checks[i].segment = &all[(i + turn) % ARRAY_SIZE(all)];
		config_check_segments_with(checks, ARRAY_SIZE(all), &nothing,
					   NULL, 0);
		for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
			const char *name = checks[i].segment->name;

			if (*name == 'a' || *name == 'd')
				assert_null(checks[i].error);
			else
				assert_non_null(strstr(checks[i].error,
						       "of segment a"));
			segment_check_fini(&checks[i]);
		}
	}
}

/* What the kernel has; on any host it has no loopback address of it. */
static void host(void **state)
{
	struct host_route *r;
	size_t n;

	assert_int_equal(host_routes_read(&r, &n), 0);
	for (size_t i = 0; i < n; i++) {
		assert_true(r[i].version == 4 || r[i].version == 6);
		assert_true(r[i].prefix_len <= (r[i].version == 4 ? 32 : 128));
		assert_false(r[i].version == 4 && r[i].ip[0] == 127);
	}
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(routes), cmocka_unit_test(leases),
		cmocka_unit_test(kinds),  cmocka_unit_test(order),
		cmocka_unit_test(host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
