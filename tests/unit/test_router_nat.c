/* The router with address translation: both directions, refusals, errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/router_fixture.h"

static struct pkt k, reply;

static int setup(void **state)
{
	*state = gw_create(true, true);
	return 0;
}

/* A flow is opened; its outside port. */
static uint16_t open_flow(struct gw *gw, const char *src, const char *dst)
{
	struct pkt sent;
	struct shot *s;

	pkt_udp(&k, src, 1025, dst, 4000);
	s = shoot(gw, ROUTER_INSIDE, &k);
	assert_sent(s, ROUTER_OUTSIDE, UPLINK_MAC, GW_OUTSIDE);
	shot_to_pkt(s, &sent);
	assert_true(checksums_right(&sent));
	assert_string_equal(sent.dst, dst);
	return sent.sport;
}

static void there_and_back(void **state)
{
	struct gw *gw = *state;
	uint16_t port = open_flow(gw, VM, REMOTE);
	struct shot *s;
	struct pkt got;

	pkt_udp(&reply, REMOTE, 4000, GW_OUT, port);
	s = shoot(gw, ROUTER_OUTSIDE, &reply);
	assert_sent(s, ROUTER_INSIDE, VM_MAC, GW_INSIDE);
	shot_to_pkt(s, &got);
	assert_true(checksums_right(&got));
	assert_flow(&got, REMOTE, 4000, VM, 1025);
	assert_int_equal(s->data[22], 63);
}

static void there_and_back6(void **state)
{
	struct gw *gw = *state;
	uint16_t port = open_flow(gw, VM6, REMOTE6);
	struct shot *s;
	struct pkt got;

	pkt_udp(&reply, REMOTE6, 4000, "2001:db8::1", port);
	s = shoot(gw, ROUTER_OUTSIDE, &reply);
	assert_sent(s, ROUTER_INSIDE, VM_MAC, GW_INSIDE);
	shot_to_pkt(s, &got);
	assert_true(checksums_right(&got));
	assert_flow(&got, REMOTE6, 4000, VM6, 1025);
}

static void unknown_inside_neighbor(void **state)
{
	struct gw *gw = *state;
	uint16_t port = open_flow(gw, VM2, REMOTE);
	struct shot *s;

	pkt_udp(&reply, REMOTE, 4000, GW_OUT, port);
	s = shoot(gw, ROUTER_OUTSIDE, &reply);
	assert_int_equal(s->r.verdict, ROUTER_PUNT);
	assert_int_equal(s->r.note.what, ROUTER_RESOLVE);
	assert_int_equal(s->r.note.side, ROUTER_INSIDE);
}

/* The uplink's own: what no mapping has, and DHCP before there is an address.
 */
static void outside_local(void **state)
{
	struct gw *gw = *state;

	pkt_echo(&k, REMOTE, GW_OUT, 7, false);
	assert_local(shoot(gw, ROUTER_OUTSIDE, &k), ROUTER_OUTSIDE);
	pkt_udp(&k, UPLINK, 67, "198.51.100.77", 68);
	assert_local(shoot(gw, ROUTER_OUTSIDE, &k), ROUTER_OUTSIDE);
	pkt_udp(&k, UPLINK, 67, "255.255.255.255", 68);
	assert_local(shoot(gw, ROUTER_OUTSIDE, &k), ROUTER_OUTSIDE);
	pkt_udp(&k, UPLINK, 67, "198.51.100.77", 69);
	assert_dropped(shoot(gw, ROUTER_OUTSIDE, &k), DROP_ROUTE_NO_WAY);
	/* Not to a machine of the segment untranslated. */
	pkt_udp(&k, REMOTE, 67, VM, 69);
	assert_dropped(shoot(gw, ROUTER_OUTSIDE, &k), DROP_ROUTE_NO_WAY);
}

static void spoofed_from_outside(void **state)
{
	struct gw *gw = *state;
	uint16_t port = open_flow(gw, VM, REMOTE);

	pkt_udp(&reply, VM, 4000, GW_OUT, port);
	assert_dropped(shoot(gw, ROUTER_OUTSIDE, &reply), DROP_ROUTE_SOURCE);
	pkt_udp(&reply, "127.0.0.1", 4000, GW_OUT, port);
	assert_dropped(shoot(gw, ROUTER_OUTSIDE, &reply), DROP_ROUTE_SOURCE);
}

static void hairpin(void **state)
{
	struct gw *gw = *state;
	uint16_t port = open_flow(gw, VM, REMOTE);
	struct shot *s;
	struct pkt got;

	pkt_udp(&k, VM2, 5000, GW_OUT, port);
	s = shoot(gw, ROUTER_INSIDE, &k);
	assert_sent(s, ROUTER_INSIDE, VM_MAC, GW_INSIDE);
	shot_to_pkt(s, &got);
	assert_true(checksums_right(&got));
	assert_string_equal(got.src, GW_OUT);
	assert_string_equal(got.dst, VM);
	assert_int_equal(got.dport, 1025);
}

/* What the NAT refuses comes back as it was, with its reason. */
static void refused(void **state)
{
	struct gw *gw = *state;

	gw->lab.options.client_sessions = 1;
	lab_options(&gw->lab);
	open_flow(gw, VM, REMOTE);
	pkt_udp(&k, VM, 1026, REMOTE_2, 4000);
	assert_refused(shoot(gw, ROUTER_INSIDE, &k), &k, 3, 13, DROP_NAT_LIMIT);
}

/* TTL and MTU are looked at before anything is changed, both ways. */
static void ttl_of_a_flow(void **state)
{
	struct gw *gw = *state;
	uint16_t port = open_flow(gw, VM, REMOTE);

	pkt_udp(&k, VM, 1025, REMOTE, 4000);
	k.data[22] = 1;
	fix_ip4(&k);
	assert_refused(shoot(gw, ROUTER_INSIDE, &k), &k, 11, 0, DROP_ROUTE_TTL);
	pkt_udp(&reply, REMOTE, 4000, GW_OUT, port);
	reply.data[22] = 1;
	fix_ip4(&reply);
	assert_refused(shoot(gw, ROUTER_OUTSIDE, &reply), &reply, 11, 0,
		       DROP_ROUTE_TTL);
	/* The gateway itself is no hop. */
	pkt_echo(&k, REMOTE, GW_OUT, 7, false);
	k.data[22] = 1;
	fix_ip4(&k);
	assert_local(shoot(gw, ROUTER_OUTSIDE, &k), ROUTER_OUTSIDE);
}

static void too_big(void **state)
{
	struct gw *gw = *state;
	uint16_t port = open_flow(gw, VM, REMOTE);
	struct shot *s;

	gw->config.links[ROUTER_OUTSIDE].mtu = 1280;
	gw->config.links[ROUTER_INSIDE].mtu = 1400;
	gw_renew(gw);
	pkt_udp_len(&k, VM, 1025, REMOTE, 4000, 1300);
	k.data[20] |= 0x40;
	fix_ip4(&k);
	s = shoot(gw, ROUTER_INSIDE, &k);
	assert_refused(s, &k, 3, 4, DROP_ROUTE_TOO_BIG);
	assert_int_equal(s->r.note.mtu, 1280);
	pkt_udp_len(&reply, REMOTE, 4000, GW_OUT, port, 1400);
	reply.data[20] |= 0x40;
	fix_ip4(&reply);
	s = shoot(gw, ROUTER_OUTSIDE, &reply);
	assert_refused(s, &reply, 3, 4, DROP_ROUTE_TOO_BIG);
	assert_int_equal(s->r.note.mtu, 1400);
	pkt_udp_len(&k, VM6, 1025, REMOTE6, 4000, 1300);
	s = shoot(gw, ROUTER_INSIDE, &k);
	assert_refused(s, &k, 2, 0, DROP_ROUTE_TOO_BIG);
	assert_int_equal(s->r.note.mtu, 1280);
}

/* An error that quotes much: its header does not stay in the NAT's memory. */
static void icmp_errors(void **state)
{
	struct gw *gw = *state;
	struct pkt quoted, got;
	struct shot *s;
	uint16_t port = open_flow(gw, VM, REMOTE);

	pkt_udp_len(&quoted, GW_OUT, port, REMOTE, 4000, 400);
	pkt_error(&k, "192.0.2.1", GW_OUT, 3, 3, &quoted, 300);
	s = shoot(gw, ROUTER_OUTSIDE, &k);
	assert_sent(s, ROUTER_INSIDE, VM_MAC, GW_INSIDE);
	shot_to_pkt(s, &got);
	assert_int_equal(got.len, k.len);
	assert_string_equal(got.dst, VM);
	assert_true(checksums_right(&got));
}

/* A later fragment waits for the first, and both arrive. */
static void held_fragments(void **state)
{
	struct gw *gw = *state;
	struct pkt whole, part;
	struct shot *s;

	pkt_udp_len(&whole, VM, 1025, REMOTE, 4000, 2000);
	pkt_fragment(&part, &whole, 1024, 2008, false, 9);
	s = shoot(gw, ROUTER_INSIDE, &part);
	assert_int_equal(s->r.verdict, ROUTER_HELD);
	assert_int_equal(s->n_taken, 0);
	pkt_fragment(&part, &whole, 0, 1024, true, 9);
	s = shoot(gw, ROUTER_INSIDE, &part);
	assert_sent(s, ROUTER_OUTSIDE, UPLINK_MAC, GW_OUTSIDE);
	assert_int_equal(s->n_taken, 1);
	assert_int_equal(s->taken[0].r.verdict, ROUTER_SEND);
	assert_int_equal(s->taken[0].r.side, ROUTER_OUTSIDE);
	assert_true(load_mac(s->taken[0].data) == UPLINK_MAC);
	assert_int_equal(s->taken[0].data[22], 63);
	assert_int_equal(load_be32(s->taken[0].data + 26), 0xc6336401);
}

/* A burst of all kinds: each has its own answer. */
static void mixed_burst(void **state)
{
	static struct pkt kinds[6];
	struct gw *gw = *state;
	struct router_result results[6];
	struct packet packets[6], *ps[6];
	static const uint8_t verdicts[] = { ROUTER_SEND, ROUTER_PUNT,
					    ROUTER_DROP, ROUTER_SEND,
					    ROUTER_PUNT, ROUTER_SEND };

	pkt_udp(&kinds[0], VM, 1025, REMOTE, 4000);
	pkt_echo(&kinds[1], VM, GW, 7, false);
	pkt_udp(&kinds[2], REMOTE, 1, REMOTE_2, 2);
	pkt_udp(&kinds[3], VM6, 1025, REMOTE6, 4000);
	pkt_udp(&kinds[4], VM, 1025, REMOTE, 4001);
	kinds[4].data[22] = 1;
	fix_ip4(&kinds[4]);
	pkt_udp(&kinds[5], VM2, 1025, REMOTE_2, 4000);
	for (unsigned i = 0; i < 6; i++) {
		set_macs(&kinds[i], GW_INSIDE, VM_MAC);
		packet_init(&packets[i], kinds[i].data, kinds[i].len);
		packet_pull_first(&packets[i]);
		ps[i] = &packets[i];
	}
	router_enter(gw->router, 0, gw->lab.now_ms);
	run_router(gw, ROUTER_INSIDE, ps, 6, results);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(results[i].verdict, verdicts[i]);
	router_leave(gw->router, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, gw_teardown)
	const struct CMUnitTest tests[] = {
		T(there_and_back),
		T(there_and_back6),
		T(unknown_inside_neighbor),
		T(outside_local),
		T(spoofed_from_outside),
		T(hairpin),
		T(refused),
		T(ttl_of_a_flow),
		T(too_big),
		T(icmp_errors),
		T(held_fragments),
		T(mixed_burst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
