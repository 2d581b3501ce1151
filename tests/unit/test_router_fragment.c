/* IPv4 packets that leave in fragments, and segments that are cut smaller. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "packet/csum.h"
#include "tests/unit/frames.h"
#include "tests/unit/router_fixture.h"

static struct pkt k;

static int setup(void **state)
{
	struct gw *gw = gw_create(false, false);

	gw->config.links[ROUTER_OUTSIDE].mtu = 600;
	gw_renew(gw);
	*state = gw;
	return 0;
}

static void allow_fragments(void)
{
	k.data[20] &= ~0x40;
	fix_ip4(&k);
}

/* Puts the fragments together: the IP payload, whose length is returned. */
static uint32_t reassemble(const struct shot *s, unsigned header_len,
			   uint8_t *to)
{
	uint32_t end = 0, got = 0;

	for (unsigned i = 0; i < s->n_taken; i++) {
		const uint8_t *ip = s->taken[i].data + 14;
		uint32_t at = (load_be16(ip + 6) & 0x1fff) * 8;
		uint32_t n = load_be16(ip + 2) - header_len;

		assert_int_equal(s->taken[i].r.verdict, ROUTER_SEND);
		assert_int_equal(s->taken[i].r.side, ROUTER_OUTSIDE);
		assert_true(load_mac(s->taken[i].data) == UPLINK_MAC);
		assert_int_equal((ip[0] & 15) * 4, header_len);
		assert_int_equal(plain_sum(ip, header_len, 0), 0xffff);
		assert_int_equal(s->taken[i].len, 14 + header_len + n);
		assert_true(header_len + n <= 600);
		assert_int_equal(ip[8], 63);
		assert_int_equal(load_be16(ip + 4), load_be16(k.data + 18));
		memcpy(to + at, ip + header_len, n);
		got += n;
		if (!(ip[6] & 0x20))
			end = at + n;
	}
	assert_int_equal(got, end);
	return end;
}

static void in_fragments(void **state)
{
	struct gw *gw = *state;
	uint8_t payload[4096];
	struct shot *s;

	pkt_udp_len(&k, VM, 1025, REMOTE, 4000, 1400);
	store_be16(k.data + 18, 4711);
	allow_fragments();
	s = shoot(gw, ROUTER_INSIDE, &k);
	assert_int_equal(s->r.verdict, ROUTER_HELD);
	assert_int_equal(s->n_taken, 3);
	assert_int_equal(reassemble(s, 20, payload), 1408);
	assert_memory_equal(payload, k.data + 34, 1408);
}

/* A fragment that is too large itself keeps its place. */
static void fragments_of_fragments(void **state)
{
	struct gw *gw = *state;
	static struct pkt whole;
	struct shot *s;

	pkt_udp_len(&whole, VM, 1025, REMOTE, 4000, 3000);
	pkt_fragment(&k, &whole, 1000, 2000, true, 77);
	s = shoot(gw, ROUTER_INSIDE, &k);
	assert_int_equal(s->n_taken, 2);
	assert_int_equal(load_be16(s->taken[0].data + 20), 0x2000 | 1000 / 8);
	assert_int_equal(load_be16(s->taken[1].data + 20), 0x2000 | 1576 / 8);
	assert_int_equal(s->taken[1].len, 34 + 424);
}

/* Of options only those that say so are in all fragments. */
static void options(void **state)
{
	static const uint8_t opts[] = { 148, 4, 0, 0, 7, 3, 4, 0 };
	struct gw *gw = *state;
	uint8_t payload[4096];
	struct shot *s;

	pkt_udp_len(&k, VM, 1025, REMOTE, 4000, 1000);
	memmove(k.data + 42, k.data + 34, k.len - 34);
	memcpy(k.data + 34, opts, 8);
	k.data[14] = 0x47;
	k.len += 8;
	store_be16(k.data + 16, k.len - 14);
	allow_fragments();
	s = shoot(gw, ROUTER_INSIDE, &k);
	assert_int_equal(s->n_taken, 2);
	assert_int_equal(reassemble(s, 28, payload), 1008);
	assert_memory_equal(payload, k.data + 42, 1008);
	assert_memory_equal(s->taken[0].data + 34, opts, 8);
	assert_memory_equal(s->taken[1].data + 34,
			    ((uint8_t[]){ 148, 4, 0, 0, 1, 1, 1, 0 }), 8);
}

/* The checksum that was left to others is finished before. */
static void unfinished_checksum(void **state)
{
	struct gw *gw = *state;
	uint8_t payload[4096], finished[2];
	struct shot *s;

	pkt_udp_len(&k, VM, 1025, REMOTE, 4000, 1200);
	allow_fragments();
	memcpy(finished, k.data + 40, 2);
	store_be16(k.data + 40, csum_fold(0));
	k.offload.csum_needed = true;
	k.offload.csum_start = 34;
	k.offload.csum_offset = 6;
	{
		uint16_t sum = csum_fold(csum_pseudo4(k.data + 14, 17, 1208));

		memcpy(k.data + 40, &sum, 2);
	}
	s = shoot(gw, ROUTER_INSIDE, &k);
	assert_int_equal(reassemble(s, 20, payload), 1208);
	assert_memory_equal(payload + 6, finished, 2);
}

/* A burst needs more fragments than there is room for at once. */
static void many(void **state)
{
	static uint8_t frames[64][1500];
	struct router_result results[64], r[16];
	struct packet packets[64], *ps[64], *taken[16];
	struct gw *gw = *state;
	unsigned n, total = 0;

	pkt_udp_len(&k, VM, 1025, REMOTE, 4000, 1400);
	allow_fragments();
	set_macs(&k, GW_INSIDE, VM_MAC);
	for (unsigned i = 0; i < 64; i++) {
		memcpy(frames[i], k.data, k.len);
		packet_init(&packets[i], frames[i], k.len);
		packet_pull_first(&packets[i]);
		ps[i] = &packets[i];
	}
	router_enter(gw->router, 0, 1);
	run_router(gw, ROUTER_INSIDE, ps, 64, results);
	while ((n = router_take(gw->router, 0, taken, r, 16)))
		for (unsigned i = 0; i < n; i++, total++)
			assert_int_equal(r[i].verdict, ROUTER_SEND);
	router_leave(gw->router, 0);
	assert_int_equal(total, 3 * 64);
}

/* An MTU that leaves no room is no way. */
static void no_room(void **state)
{
	struct gw *gw = *state;
	struct shot *s;

	gw->config.links[ROUTER_OUTSIDE].mtu = 27;
	gw_renew(gw);
	pkt_udp_len(&k, VM, 1025, REMOTE, 4000, 100);
	allow_fragments();
	s = shoot(gw, ROUTER_INSIDE, &k);
	assert_int_equal(s->n_taken, 1);
	assert_int_equal(s->taken[0].r.verdict, ROUTER_DROP);
	assert_int_equal(s->taken[0].r.reason, DROP_ROUTE_FRAGMENTS);
}

static void make_gso(enum packet_gso gso, uint16_t size, bool df)
{
	uint32_t start = 34;

	if (gso == PACKET_GSO_TCP4) {
		pkt_udp_len(&k, VM, 1025, REMOTE, 4000, 3000 - 8);
		k.data[23] = 6;
		k.data[46] = 0x50;
	} else {
		pkt_udp_len(&k, VM, 1025, REMOTE, 4000, 3000 - 8);
	}
	k.data[20] = df ? 0x40 : 0;
	fix_ip4(&k);
	k.offload = (struct packet_offload){
		.csum_needed = true,
		.gso = gso,
		.gso_size = size,
		.csum_start = start,
		.csum_offset = gso == PACKET_GSO_TCP4 ? 16 : 6,
	};
}

static void segments(void **state)
{
	struct gw *gw = *state;
	struct shot *s;

	/* They fit as they are. */
	make_gso(PACKET_GSO_TCP4, 500, true);
	s = shoot(gw, ROUTER_INSIDE, &k);
	assert_sent(s, ROUTER_OUTSIDE, UPLINK_MAC, GW_OUTSIDE);
	assert_int_equal(s->offload.gso_size, 500);
	/* They do not, and their sender wants to know. */
	make_gso(PACKET_GSO_TCP4, 1400, true);
	s = shoot(gw, ROUTER_INSIDE, &k);
	assert_refused(s, &k, 3, 4, DROP_ROUTE_TOO_BIG);
	assert_int_equal(s->r.note.mtu, 600);
	/* It does not care. */
	make_gso(PACKET_GSO_TCP4, 1400, false);
	s = shoot(gw, ROUTER_INSIDE, &k);
	assert_sent(s, ROUTER_OUTSIDE, UPLINK_MAC, GW_OUTSIDE);
	assert_int_equal(s->offload.gso_size, 560);
	make_gso(PACKET_GSO_UFO, 1480, false);
	s = shoot(gw, ROUTER_INSIDE, &k);
	assert_sent(s, ROUTER_OUTSIDE, UPLINK_MAC, GW_OUTSIDE);
	assert_int_equal(s->offload.gso_size, 576);
	/* Datagrams keep their sizes. */
	make_gso(PACKET_GSO_UDP, 1400, false);
	s = shoot(gw, ROUTER_INSIDE, &k);
	assert_refused(s, &k, 3, 4, DROP_ROUTE_TOO_BIG);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, gw_teardown)
	const struct CMUnitTest tests[] = {
		T(in_fragments), T(fragments_of_fragments),
		T(options),	 T(unfinished_checksum),
		T(many),	 T(no_room),
		T(segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
