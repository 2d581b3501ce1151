/* The router without address translation: IPv4, each verdict on each side. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/router_fixture.h"

static struct pkt k;

static int setup(void **state)
{
	*state = gw_create(false, false);
	return 0;
}

static void routes_out_and_in(void **state)
{
	struct gw *gw = *state;
	struct shot *s = shoot_udp(&k, gw, ROUTER_INSIDE, VM, REMOTE);
	struct pkt sent;

	assert_sent(s, ROUTER_OUTSIDE, UPLINK_MAC, GW_OUTSIDE);
	assert_int_equal(s->data[22], 63);
	shot_to_pkt(s, &sent);
	assert_flow(&sent, VM, 1025, REMOTE, 4000);
	assert_true(checksums_right(&sent));

	s = shoot_udp(&k, gw, ROUTER_OUTSIDE, REMOTE, VM);
	assert_sent(s, ROUTER_INSIDE, VM_MAC, GW_INSIDE);
	assert_int_equal(s->data[22], 63);

	s = shoot_udp(&k, gw, ROUTER_HOST, REMOTE, VM);
	assert_sent(s, ROUTER_INSIDE, VM_MAC, GW_INSIDE);
	s = shoot_udp(&k, gw, ROUTER_OUTSIDE, REMOTE, REMOTE_2);
	assert_refused(s, &k, 3, 0, DROP_ROUTE_NO_WAY);
}

/* What the other sides get that they may not be told about is dropped. */
static void strangers_from_outside(void **state)
{
	struct gw *gw = *state;

	assert_dropped(shoot_udp(&k, gw, ROUTER_OUTSIDE, VM, VM),
		       DROP_ROUTE_SOURCE);
	assert_dropped(shoot_udp(&k, gw, ROUTER_OUTSIDE, "127.0.0.1", VM),
		       DROP_ROUTE_SOURCE);
	assert_dropped(shoot_udp(&k, gw, ROUTER_OUTSIDE, "0.0.0.0", VM),
		       DROP_ROUTE_SOURCE);
	assert_dropped(shoot_udp(&k, gw, ROUTER_OUTSIDE, "255.255.255.255", VM),
		       DROP_ROUTE_SOURCE);
}

static void on_link_and_back(void **state)
{
	struct gw *gw = *state;
	struct nat_addr near = addr("198.51.100.7");
	struct shot *s;

	neighbor_table_set(gw->outside, near.ip, 4, UPLINK2_MAC);
	s = shoot_udp(&k, gw, ROUTER_INSIDE, VM, "198.51.100.7");
	assert_sent(s, ROUTER_OUTSIDE, UPLINK2_MAC, GW_OUTSIDE);
	/* To one's own network by the gateway: no redirects, it is routed. */
	s = shoot_udp(&k, gw, ROUTER_INSIDE, "10.20.0.9", VM);
	assert_sent(s, ROUTER_INSIDE, VM_MAC, GW_INSIDE);
}

static void isolated(void **state)
{
	struct gw *gw = *state;

	gw->config.isolated = true;
	gw_renew(gw);
	assert_dropped(shoot_udp(&k, gw, ROUTER_INSIDE, "10.20.0.9", VM),
		       DROP_ISOLATED);
	assert_sent(shoot_udp(&k, gw, ROUTER_HOST, REMOTE, VM), ROUTER_INSIDE,
		    VM_MAC, GW_INSIDE);
	assert_sent(shoot_udp(&k, gw, ROUTER_INSIDE, VM, REMOTE),
		    ROUTER_OUTSIDE, UPLINK_MAC, GW_OUTSIDE);
	pkt_udp(&k, "fd20::9", 1, VM6, 2);
	assert_dropped(shoot(gw, ROUTER_INSIDE, &k), DROP_ISOLATED);
}

/* Nobody sends as another there, by which the answers would be that one's. */
static void isolated_senders(void **state)
{
	struct gw *gw = *state;
	struct nat_addr vm = addr(VM), vm6 = addr(VM6);

	gw->config.isolated = true;
	gw_renew(gw);
	neighbor_table_set(gw->inside, vm.ip, 4, VM_MAC);
	neighbor_table_set(gw->inside, vm6.ip, 16, VM_MAC);
	for (int i = 0; i < 4; i++) {
		if (i % 2)
			pkt_udp(&k, VM6, 1025, REMOTE6, 4000);
		else
			pkt_udp(&k, VM, 1025, REMOTE, 4000);
		set_macs(&k, GW_INSIDE, i < 2 ? VM_MAC : 0x0200000000ee);
		if (i < 2)
			assert_sent(shoot_as_is(gw, ROUTER_INSIDE, &k),
				    ROUTER_OUTSIDE, UPLINK_MAC, GW_OUTSIDE);
		else
			assert_dropped(shoot_as_is(gw, ROUTER_INSIDE, &k),
				       DROP_ROUTE_SOURCE);
	}
}

static void unknown_next_hop(void **state)
{
	struct gw *gw = *state;
	struct shot *s = shoot_udp(&k, gw, ROUTER_INSIDE, VM, "198.51.100.8");

	assert_int_equal(s->r.verdict, ROUTER_PUNT);
	assert_int_equal(s->r.note.what, ROUTER_RESOLVE);
	assert_int_equal(s->r.note.side, ROUTER_OUTSIDE);
	assert_int_equal(s->r.note.in, ROUTER_INSIDE);
	assert_true(load_mac(s->data) == 0);
	assert_true(load_mac(s->data + 6) == GW_OUTSIDE);
	assert_int_equal(s->data[22], 63);
}

static void to_the_host(void **state)
{
	struct gw *gw = *state;

	gw->config.way_out = ROUTER_HOST;
	gw_renew(gw);
	assert_sent(shoot_udp(&k, gw, ROUTER_INSIDE, VM, REMOTE), ROUTER_HOST,
		    HOST_MAC, GW_HOST);
}

static void no_way_out(void **state)
{
	struct gw *gw = *state;
	struct shot *s;

	gw->config.way_out = ROUTER_INSIDE;
	gw_renew(gw);
	s = shoot_udp(&k, gw, ROUTER_INSIDE, VM, REMOTE);
	assert_refused(s, &k, 3, 0, DROP_ROUTE_NO_WAY);

	gw->config.way_out = ROUTER_OUTSIDE;
	gw->config.links[ROUTER_OUTSIDE].up = false;
	gw_renew(gw);
	s = shoot_udp(&k, gw, ROUTER_INSIDE, VM, REMOTE);
	assert_refused(s, &k, 3, 0, DROP_ROUTE_NO_WAY);

	gw->config.links[ROUTER_OUTSIDE].up = true;
	gw->config.links[ROUTER_OUTSIDE].gateway4 = 0;
	gw_renew(gw);
	s = shoot_udp(&k, gw, ROUTER_INSIDE, VM, REMOTE);
	assert_refused(s, &k, 3, 0, DROP_ROUTE_NO_WAY);
}

static void sources_of_the_segment_only(void **state)
{
	static const char *const wrong[] = { "10.21.0.5", "0.0.0.0",
					     "10.20.0.0", "10.20.0.255",
					     GW,	  "127.0.0.1",
					     REMOTE };
	struct gw *gw = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_dropped(
			shoot_udp(&k, gw, ROUTER_INSIDE, wrong[i], REMOTE),
			DROP_ROUTE_SOURCE);
}

static void martians_never_leave(void **state)
{
	static const char *const martians[] = {
		"0.0.0.0",   "0.1.2.3",		"127.0.0.1",
		"224.0.0.5", "239.255.255.250", "255.255.255.255",
		"240.0.0.1", "169.254.169.254", "10.20.0.255",
		"10.20.0.0", "198.51.100.255"
	};
	struct gw *gw = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(martians); i++)
		assert_dropped(
			shoot_udp(&k, gw, ROUTER_INSIDE, VM, martians[i]),
			DROP_ROUTE_MARTIAN);
}

static void time_exceeded(void **state)
{
	struct gw *gw = *state;

	for (uint8_t ttl = 0; ttl <= 2; ttl++) {
		struct shot *s;

		pkt_udp(&k, VM, 1025, REMOTE, 4000);
		k.data[22] = ttl;
		fix_ip4(&k);
		s = shoot(gw, ROUTER_INSIDE, &k);
		if (ttl < 2)
			assert_refused(s, &k, 11, 0, DROP_ROUTE_TTL);
		else
			assert_sent(s, ROUTER_OUTSIDE, UPLINK_MAC, GW_OUTSIDE);
	}
}

/* The checksum's arithmetic at its edges. */
static void ttl_keeps_checksums(void **state)
{
	struct gw *gw = *state;
	struct pkt sent;

	for (unsigned id = 0; id < 65536; id += 251) {
		pkt_udp(&k, VM, 1025, REMOTE, 4000);
		store_be16(k.data + 18, id);
		fix_ip4(&k);
		shot_to_pkt(shoot(gw, ROUTER_INSIDE, &k), &sent);
		assert_true(checksums_right(&sent));
	}
}

static void malformed(void **state)
{
	struct gw *gw = *state;

	for (unsigned i = 0; i < 5; i++) {
		pkt_udp(&k, VM, 1025, REMOTE, 4000);
		switch (i) {
		case 0: /* a wrong checksum */
			k.data[24] ^= 1;
			break;
		case 1: /* longer than the frame */
			store_be16(k.data + 16, k.len - 14 + 1);
			fix_ip4(&k);
			break;
		case 2: /* shorter than its header */
			store_be16(k.data + 16, 19);
			fix_ip4(&k);
			break;
		case 3: /* a header of 16 bytes */
			k.data[14] = 0x44;
			fix_ip4(&k);
			break;
		case 4: /* cut short */
			k.len = 30;
			break;
		}
		assert_dropped(shoot(gw, ROUTER_INSIDE, &k),
			       DROP_ROUTE_MALFORMED);
	}
}

/* An option between the header and the ports. */
static void add_option(uint8_t type, uint8_t len)
{
	memmove(k.data + 38, k.data + 34, k.len - 34);
	memset(k.data + 34, 0, 4);
	k.data[34] = type;
	k.data[35] = len;
	k.data[14] = 0x46;
	k.len += 4;
	store_be16(k.data + 16, k.len - 14);
	fix_ip4(&k);
}

static void options(void **state)
{
	struct gw *gw = *state;

	pkt_udp(&k, VM, 1025, REMOTE, 4000);
	add_option(148, 4); /* router alert */
	assert_sent(shoot(gw, ROUTER_INSIDE, &k), ROUTER_OUTSIDE, UPLINK_MAC,
		    GW_OUTSIDE);
	pkt_udp(&k, VM, 1025, REMOTE, 4000);
	add_option(131, 3); /* a source route */
	assert_dropped(shoot(gw, ROUTER_INSIDE, &k), DROP_ROUTE_MALFORMED);
	pkt_udp(&k, VM, 1025, REMOTE, 4000);
	add_option(148, 9); /* longer than the header */
	assert_dropped(shoot(gw, ROUTER_INSIDE, &k), DROP_ROUTE_MALFORMED);
	pkt_udp(&k, VM, 1025, REMOTE, 4000);
	add_option(148, 1);
	assert_dropped(shoot(gw, ROUTER_INSIDE, &k), DROP_ROUTE_MALFORMED);
}

static void other_frames(void **state)
{
	struct gw *gw = *state;

	pkt_udp(&k, VM, 1025, REMOTE, 4000);
	set_macs(&k, VM_MAC, VM_MAC);
	assert_dropped(shoot_as_is(gw, ROUTER_INSIDE, &k), DROP_ROUTE_OTHER);
	set_macs(&k, GW_INSIDE, VM_MAC);
	store_be16(k.data + 12, 0x88b5);
	assert_dropped(shoot_as_is(gw, ROUTER_INSIDE, &k), DROP_ROUTE_PROTOCOL);
	k.len = 13;
	assert_dropped(shoot_as_is(gw, ROUTER_INSIDE, &k), DROP_RUNT);
}

/* Errors, and fragments but the first, are never answered. */
static void who_is_not_told(void **state)
{
	struct gw *gw = *state;
	struct pkt quoted;

	gw->config.way_out = ROUTER_INSIDE;
	gw_renew(gw);
	pkt_udp(&quoted, REMOTE, 4000, VM, 1025);
	pkt_error(&k, VM, REMOTE, 3, 3, &quoted, 28);
	assert_dropped(shoot(gw, ROUTER_INSIDE, &k), DROP_ROUTE_NO_WAY);
	pkt_udp_len(&quoted, VM, 1025, REMOTE, 4000, 1000);
	pkt_fragment(&k, &quoted, 512, 1000, false, 5);
	assert_dropped(shoot(gw, ROUTER_INSIDE, &k), DROP_ROUTE_NO_WAY);
	pkt_echo(&k, VM, REMOTE, 7, false);
	assert_refused(shoot(gw, ROUTER_INSIDE, &k), &k, 3, 0,
		       DROP_ROUTE_NO_WAY);
}

/* The way that a packet of the gateway's own takes. */
static void finds_the_way(void **state)
{
	struct gw *gw = *state;
	enum router_side side;
	uint8_t hop[16];
	struct nat_addr a = addr(VM), uplink = addr(UPLINK);

	assert_true(router_find_way(gw->router, a.ip, 4, &side, hop));
	assert_int_equal(side, ROUTER_INSIDE);
	assert_memory_equal(hop, a.ip, 4);
	a = addr(REMOTE);
	assert_true(router_find_way(gw->router, a.ip, 4, &side, hop));
	assert_int_equal(side, ROUTER_OUTSIDE);
	assert_memory_equal(hop, uplink.ip, 4);
	a = addr("224.0.0.1");
	assert_false(router_find_way(gw->router, a.ip, 4, &side, hop));
	a = addr(REMOTE6);
	uplink = addr("fe80::254");
	assert_true(router_find_way(gw->router, a.ip, 16, &side, hop));
	assert_int_equal(side, ROUTER_OUTSIDE);
	assert_memory_equal(hop, uplink.ip, 16);
	assert_int_equal(router_id(gw->router), 7);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, gw_teardown)
	const struct CMUnitTest tests[] = {
		T(routes_out_and_in),
		T(strangers_from_outside),
		T(on_link_and_back),
		T(isolated),
		T(isolated_senders),
		T(unknown_next_hop),
		T(to_the_host),
		T(no_way_out),
		T(sources_of_the_segment_only),
		T(martians_never_leave),
		T(time_exceeded),
		T(ttl_keeps_checksums),
		T(malformed),
		T(options),
		T(other_frames),
		T(who_is_not_told),
		T(finds_the_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
