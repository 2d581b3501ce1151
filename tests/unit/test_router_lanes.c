/*
 * Eight packets looked at together have the same fate as one by one, on their
 * way through the router and its NAT, whatever is wrong with one of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nat/table.h"
#include "router/internal.h"
#include "tests/unit/router_fixture.h"

#define BURST 8
#define ODD   3 /* that has something wrong with it */

struct fate {
	struct router_result results[BURST];
	uint8_t frames[BURST][128];
};

static int setup(void **state)
{
	*state = gw_create(true, false);
	return 0;
}

static int teardown(void **state)
{
	gw_destroy(*state);
	return 0;
}

static void run_burst(struct gw *gw, enum router_side in,
		      const struct pkt *good, const struct pkt *odd, bool lanes,
		      struct fate *fate)
{
	static struct packet packets[BURST];
	struct packet *ps[BURST], *taken[16];
	struct router_result r[16];

	memset(fate, 0, sizeof(*fate));
	gw->router->has_lanes = gw->lab.nat->avx2 = lanes;
	for (unsigned i = 0; i < BURST; i++) {
		const struct pkt *k = i == ODD ? odd : good;

		ps[i] = &packets[i];
		packet_init(ps[i], k->data, k->len);
		packet_pull_first(ps[i]);
	}
	router_enter(gw->router, 0, gw->lab.now_ms);
	run_router(gw, in, ps, BURST, fate->results);
	for (unsigned i = 0; i < BURST; i++)
		packet_read(ps[i], 0, fate->frames[i], sizeof(*fate->frames));
	while (router_take(gw->router, 0, taken, r, 16))
		;
	router_leave(gw->router, 0);
}

static void compare(struct gw *gw, enum router_side in, const struct pkt *good,
		    const struct pkt *odd)
{
	struct fate lanes, one;

	gw->lab.now_ms += 20; /* so that rates have no say */
	/* What it opens is open for both of them. */
	run_burst(gw, in, good, odd, false, &one);
	run_burst(gw, in, good, odd, nat_plain_has_avx2(), &lanes);
	run_burst(gw, in, good, odd, false, &one);
	for (unsigned i = 0; i < BURST; i++) {
		assert_memory_equal(&lanes.results[i], &one.results[i],
				    sizeof(one.results[i]));
		assert_memory_equal(lanes.frames[i], one.frames[i],
				    sizeof(one.frames[i]));
	}
	assert_int_equal(one.results[0].verdict, ROUTER_SEND);
}

/* Each byte of the headers has each of some bits turned over. */
static void spoil(struct gw *gw, enum router_side in, const struct pkt *good)
{
	static const uint8_t bits[] = { 1, 2, 0x20, 0x80, 0xff };
	static struct pkt odd;

	compare(gw, in, good, good);
	for (unsigned at = 0; at < 50; at++)
		for (unsigned i = 0; i < ARRAY_SIZE(bits); i++) {
			odd = *good;
			odd.data[at] ^= bits[i];
			compare(gw, in, good, &odd);
			if (at < 14 || at >= 34 || odd.data[14] != 0x45)
				continue;
			fix_ip4(&odd);
			compare(gw, in, good, &odd);
		}
	/* TTLs, and lengths; shorter than the header that is looked at. */
	for (unsigned ttl = 0; ttl < 4; ttl++) {
		odd = *good;
		odd.data[22] = ttl;
		fix_ip4(&odd);
		compare(gw, in, good, &odd);
	}
	for (odd = *good; odd.len > 14; odd.len--)
		compare(gw, in, good, &odd);
}

/* Never fragmented, so that it is not numbered anew. */
static void finish_good(struct pkt *k, uint64_t dst, uint64_t src)
{
	set_macs(k, dst, src);
	k->data[20] = 0x40;
	fix_ip4(k);
}

static uint16_t open_flow(struct gw *gw, struct pkt *k)
{
	struct pkt sent;

	shot_to_pkt(shoot(gw, ROUTER_INSIDE, k), &sent);
	return sent.sport;
}

struct large_fate {
	struct router_result results[PACKET_BURST_MAX];
	uint8_t frames[PACKET_BURST_MAX][64];
};

/* Each `nth` packet is no plain one. */
static void run_large(struct gw *gw, enum router_side in,
		      const struct pkt *good, const struct pkt *odd, unsigned n,
		      unsigned nth, bool lanes, struct large_fate *fate)
{
	struct packet *packets = xcalloc_aligned(n, sizeof(*packets)), **ps;

	ps = xcalloc(n, sizeof(struct packet *));
	memset(fate, 0, sizeof(*fate));
	gw->router->has_lanes = gw->lab.nat->avx2 = lanes;
	for (unsigned i = 0; i < n; i++) {
		const struct pkt *k = i % nth == nth - 1 ? odd : good;

		ps[i] = &packets[i];
		packet_init(ps[i], k->data, k->len);
		packet_pull_first(ps[i]);
	}
	router_enter(gw->router, 0, gw->lab.now_ms);
	run_router(gw, in, ps, n, fate->results);
	for (unsigned i = 0; i < n; i++)
		packet_read(ps[i], 0, fate->frames[i], sizeof(*fate->frames));
	router_leave(gw->router, 0);
	free(ps);
	free(packets);
}

/* More than are translated at once, and none left over for eight. */
static void compare_sizes(struct gw *gw, enum router_side in,
			  const struct pkt *good)
{
	static struct large_fate lanes, one;
	static struct pkt odd;

	odd = *good;
	odd.data[22] = 1; /* its last hop: an ICMP error */
	fix_ip4(&odd);
	for (unsigned n = 1; n <= PACKET_BURST_MAX; n++) {
		for (unsigned nth = 5; nth <= 400; nth *= 3) {
			gw->lab.now_ms += 20;
			run_large(gw, in, good, &odd, n, nth, false, &one);
			run_large(gw, in, good, &odd, n, nth,
				  nat_plain_has_avx2(), &lanes);
			assert_memory_equal(&lanes, &one, sizeof(one));
			assert_int_equal(one.results[0].verdict, ROUTER_SEND);
		}
	}
}

static void spoil_udp_out(void **state)
{
	static struct pkt k;

	pkt_udp_len(&k, VM, 1025, REMOTE, 4000, 60);
	finish_good(&k, GW_INSIDE, VM_MAC);
	open_flow(*state, &k);
	spoil(*state, ROUTER_INSIDE, &k);
	compare_sizes(*state, ROUTER_INSIDE, &k);
}

static void spoil_udp_in(void **state)
{
	static struct pkt k;
	uint16_t port;

	pkt_udp_len(&k, VM, 1025, REMOTE, 4000, 60);
	port = open_flow(*state, &k);
	pkt_udp_len(&k, REMOTE, 4000, GW_OUT, port, 60);
	finish_good(&k, GW_OUTSIDE, UPLINK_MAC);
	spoil(*state, ROUTER_OUTSIDE, &k);
	compare_sizes(*state, ROUTER_OUTSIDE, &k);
}

static void spoil_tcp_out(void **state)
{
	static struct pkt k;

	pkt_tcp(&k, VM, 1025, REMOTE, 4000, 0x02);
	open_flow(*state, &k);
	pkt_tcp(&k, VM, 1025, REMOTE, 4000, 0x10);
	finish_good(&k, GW_INSIDE, VM_MAC);
	spoil(*state, ROUTER_INSIDE, &k);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = { T(spoil_udp_out), T(spoil_udp_in),
					    T(spoil_tcp_out) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
