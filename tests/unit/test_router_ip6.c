/* The router's decisions on IPv6 that is routed, not translated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/router_fixture.h"

static struct pkt k;

static int setup(void **state)
{
	*state = gw_create(true, false);
	return 0;
}

static void out_and_in(void **state)
{
	struct gw *gw = *state;
	struct shot *s = shoot_udp(&k, gw, ROUTER_INSIDE, VM6, REMOTE6);
	struct pkt sent;

	assert_sent(s, ROUTER_OUTSIDE, UPLINK_MAC, GW_OUTSIDE);
	assert_int_equal(s->data[21], 63);
	shot_to_pkt(s, &sent);
	assert_flow(&sent, VM6, 1025, REMOTE6, 4000);
	s = shoot_udp(&k, gw, ROUTER_OUTSIDE, REMOTE6, VM6);
	assert_sent(s, ROUTER_INSIDE, VM_MAC, GW_INSIDE);
	s = shoot_udp(&k, gw, ROUTER_HOST, REMOTE6, VM6);
	assert_sent(s, ROUTER_INSIDE, VM_MAC, GW_INSIDE);
	s = shoot_udp(&k, gw, ROUTER_OUTSIDE, REMOTE6, "2001:db8:7::1");
	assert_refused(s, &k, 1, 0, DROP_ROUTE_NO_WAY);
	s = shoot_udp(&k, gw, ROUTER_INSIDE, VM6, "fd20::77");
	assert_int_equal(s->r.note.what, ROUTER_RESOLVE);
	assert_int_equal(s->r.note.side, ROUTER_INSIDE);
}

static void sources(void **state)
{
	static const char *const wrong[] = { "fd21::5", "::",	   "::1",
					     GW6,	"ff02::1", "fe80::5" };
	struct gw *gw = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_dropped(
			shoot_udp(&k, gw, ROUTER_INSIDE, wrong[i], REMOTE6),
			DROP_ROUTE_SOURCE);
	assert_dropped(shoot_udp(&k, gw, ROUTER_OUTSIDE, VM6, VM6),
		       DROP_ROUTE_SOURCE);
	assert_dropped(shoot_udp(&k, gw, ROUTER_OUTSIDE, "fe80::5", VM6),
		       DROP_ROUTE_SOURCE);
}

static void martians(void **state)
{
	static const char *const never[] = { "::",	 "::1",
					     "fe80::99", "ff0e::1",
					     "ff02::1",	 "::ffff:10.0.0.1" };
	struct gw *gw = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(never); i++)
		assert_dropped(shoot_udp(&k, gw, ROUTER_INSIDE, VM6, never[i]),
			       DROP_ROUTE_MARTIAN);
	/* The other link's link-local address is nobody's here. */
	assert_dropped(shoot_udp(&k, gw, ROUTER_INSIDE, VM6, "fe80::2"),
		       DROP_ROUTE_MARTIAN);
}

static void hop_limit_and_size(void **state)
{
	struct gw *gw = *state;
	struct shot *s;

	pkt_udp(&k, VM6, 1025, REMOTE6, 4000);
	k.data[21] = 1;
	assert_refused(shoot(gw, ROUTER_INSIDE, &k), &k, 3, 0, DROP_ROUTE_TTL);
	pkt_udp_len(&k, VM6, 1025, REMOTE6, 4000, 1452);
	assert_sent(shoot(gw, ROUTER_INSIDE, &k), ROUTER_OUTSIDE, UPLINK_MAC,
		    GW_OUTSIDE);
	pkt_udp_len(&k, VM6, 1025, REMOTE6, 4000, 1453);
	s = shoot(gw, ROUTER_INSIDE, &k);
	assert_refused(s, &k, 2, 0, DROP_ROUTE_TOO_BIG);
	assert_int_equal(s->r.note.mtu, 1500);
}

static void malformed(void **state)
{
	struct gw *gw = *state;

	pkt_udp(&k, VM6, 1025, REMOTE6, 4000);
	store_be16(k.data + 18, k.len - 54 + 1);
	assert_dropped(shoot(gw, ROUTER_INSIDE, &k), DROP_ROUTE_MALFORMED);
	pkt_udp(&k, VM6, 1025, REMOTE6, 4000);
	k.data[14] = 0x40;
	assert_dropped(shoot(gw, ROUTER_INSIDE, &k), DROP_ROUTE_MALFORMED);
	pkt_udp(&k, VM6, 1025, REMOTE6, 4000);
	k.len = 53;
	assert_dropped(shoot(gw, ROUTER_INSIDE, &k), DROP_ROUTE_MALFORMED);
}

static void no_way(void **state)
{
	struct gw *gw = *state;

	gw->config.way_out = ROUTER_INSIDE;
	gw_renew(gw);
	assert_refused(shoot_udp(&k, gw, ROUTER_INSIDE, VM6, REMOTE6), &k, 1, 0,
		       DROP_ROUTE_NO_WAY);
	gw->config.way_out = ROUTER_OUTSIDE;
	memset(gw->config.links[ROUTER_OUTSIDE].gateway6, 0, 16);
	gw_renew(gw);
	assert_refused(shoot_udp(&k, gw, ROUTER_INSIDE, VM6, REMOTE6), &k, 1, 0,
		       DROP_ROUTE_NO_WAY);
	gw->config.way_out = ROUTER_HOST;
	gw_renew(gw);
	assert_sent(shoot_udp(&k, gw, ROUTER_INSIDE, VM6, REMOTE6), ROUTER_HOST,
		    HOST_MAC, GW_HOST);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, gw_teardown)
	const struct CMUnitTest tests[] = {
		T(out_and_in),	       T(sources),   T(martians),
		T(hop_limit_and_size), T(malformed), T(no_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
