/*
 * A segment's gateway in a whole switch: what it answers, what waits, what it
 * keeps when its configuration changes. tests/net/test_segment_gateway.py has
 * real clients.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "packet/csum.h"
#include "packet/parse.h"
#include "tests/unit/segment_fixture.h"
#include "vswd/vbond.h"

static struct lab lab;
static uint8_t frame[2048];

static int setup(void **state)
{
	lab_setup(&lab);
	return 0;
}

static int teardown(void **state)
{
	lab_teardown(&lab);
	return 0;
}

static void arp(unsigned port, unsigned n, uint16_t operation, uint32_t from,
		uint32_t target)
{
	lab_send(&lab, port, frame, lab_arp(frame, n, operation, from, target));
}

/* What vm n sends to the gateway's MAC. */
static void ip4(unsigned port, unsigned n, uint32_t to, uint8_t ttl,
		uint8_t proto, const void *payload, size_t len)
{
	lab_send(&lab, port, frame,
		 lab_ip4(frame, VM_MAC(n), VM_IP(n), to, ttl, proto, payload,
			 len));
}

/* The answer's ICMP type and code, as type << 8 | code; -1: no such answer. */
static int icmp_answer(unsigned port)
{
	size_t len;
	const uint8_t *f = lab_sent(&lab, port, ETH_TYPE_IPV4, &len);

	if (!f || f[23] != 1)
		return -1;
	assert_true(len >= 14 + 28);
	assert_int_equal(csum_fold(csum_add(0, f + 14, 20)), 0xffff);
	assert_int_equal(
		csum_fold(csum_add(0, f + 34, load_be16(f + 16) - 20u)),
		0xffff);
	return f[34] << 8 | f[35];
}

static void test_arp(void **state)
{
	const uint8_t *f;
	size_t len;

	arp(0, 1, 1, VM_IP(1), LAB_IP);
	f = lab_sent(&lab, 0, ETH_TYPE_ARP, &len);
	assert_non_null(f);
	assert_true(load_mac(f) == VM_MAC(1));
	assert_true(load_mac(f + 22) == LAB_MAC);
	/* The workers know it, too. */
	assert_true(neighbor_table_find4(lab.seg->neighbors[ROUTER_INSIDE],
					 VM_IP(1)) == VM_MAC(1));
}

static void test_ping(void **state)
{
	uint8_t echo[64] = { 8 };

	csum_store(echo + 2, csum_add(0, echo, sizeof(echo)));
	ip4(0, 1, LAB_IP, 64, 1, echo, sizeof(echo));
	assert_int_equal(icmp_answer(0), 0);
	assert_int_equal(lab.vm[1].n, 0); /* to nobody else */
}

/* Nothing is there: the sender hears of it. */
static void test_refused(void **state)
{
	uint8_t udp[8] = { 0, 9, 0, 99, 0, 8 }, tcp[20] = { 0, 9, 0, 99 };
	const uint8_t *f;
	size_t len;

	ip4(0, 1, LAB_IP, 64, 17, udp, sizeof(udp));
	assert_int_equal(icmp_answer(0), 3 << 8 | 3);
	ip4(0, 1, LAB_IP, 64, 47, udp, sizeof(udp));
	assert_int_equal(icmp_answer(0), 3 << 8 | 2);
	tcp[12] = 5 << 4;
	tcp[13] = 2; /* SYN */
	tcp[7] = 41; /* its number */
	ip4(0, 1, LAB_IP, 64, 6, tcp, sizeof(tcp));
	f = lab_sent(&lab, 0, ETH_TYPE_IPV4, &len);
	assert_non_null(f);
	assert_int_equal(f[23], 6);
	assert_int_equal(f[34 + 13], 0x14); /* RST, ACK */
	assert_int_equal(load_be32(f + 34 + 8), 42);
}

/* The way out of an internal segment is none. */
static void test_no_way(void **state)
{
	uint8_t udp[8] = { 0, 9, 0, 99, 0, 8 };

	ip4(0, 1, 0x08080808, 64, 17, udp, sizeof(udp));
	assert_int_equal(icmp_answer(0) >> 8, 3);
}

/* Somebody who sends as the gateway draws nothing to himself. */
static void test_spoofed_mac(void **state)
{
	size_t len = lab_arp(frame, 2, 1, VM_IP(2), VM_IP(3));
	uint8_t echo[64] = { 8 };
	struct fdb_stats stats;

	store_be16(frame + 6, LAB_MAC >> 32);
	store_be32(frame + 8, (uint32_t)LAB_MAC);
	lab_send(&lab, 1, frame, len);
	csum_store(echo + 2, csum_add(0, echo, sizeof(echo)));
	ip4(0, 1, LAB_IP, 64, 1, echo, sizeof(echo));
	assert_int_equal(icmp_answer(0), 0);
	assert_int_equal(lab.vm[1].n, 0);
	/* It is looked after, and is one entry all the time. */
	for (int i = 0; i < 5; i++)
		segments_tick(lab.vs);
	fdb_get_stats(lab.seg->bridge->fdb, &stats);
	assert_int_equal(stats.static_entries, 1);
	/* Also after somebody has removed the entry by hand. */
	fdb_delete(lab.seg->bridge->fdb, fdb_make_key(LAB_MAC, 0));
	segments_tick(lab.vs);
	assert_int_equal(
		fdb_lookup(lab.seg->bridge->fdb, fdb_make_key(LAB_MAC, 0)),
		lab.seg->ports[ROUTER_INSIDE]->number);
}

/* Two that say they have one address are told apart, once. */
static void test_conflict(void **state)
{
	const char *text;

	arp(0, 1, 1, VM_IP(1), LAB_IP);
	assert_null(segment_services_conflict(lab.seg->services));
	arp(1, 2, 2, VM_IP(1), LAB_IP);
	/* The one that has it is asked, and answers. */
	arp(0, 1, 2, VM_IP(1), LAB_IP);
	text = segment_services_conflict(lab.seg->services);
	assert_non_null(text);
	assert_non_null(strstr(text, "52:54:00:00:00:01 at port vm1"));
	assert_non_null(strstr(text, "52:54:00:00:00:02 at port vm2"));
	assert_true(neighbor_table_find4(lab.seg->neighbors[ROUTER_INSIDE],
					 VM_IP(1)) == VM_MAC(1));
	/* It is over a minute after the last claim. */
	segment_services_run(lab.seg->services, vswitch_now_ms() + 61000);
	assert_null(segment_services_conflict(lab.seg->services));
}

/* Ready to go to vm2 but for its MAC, from the host's side. */
static struct segment_packet packet_to(uint32_t to, uint32_t port)
{
	struct segment_packet p = {
		.note = { .what = ROUTER_RESOLVE,
			  .in = ROUTER_HOST,
			  .side = ROUTER_INSIDE },
		.client = { .mac = 0x525600000002, .port = port },
		.frame = frame,
	};
	uint8_t udp[8] = { 0, 9, 0, 99, 0, 8 };

	p.len = lab_ip4(frame, LAB_MAC, 0x08080808, to, 63, 17, udp,
			sizeof(udp));
	memset(frame, 0, 6);
	return p;
}

static unsigned count_ip4(const struct lab_port *port)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MIN(port->n, (unsigned)LAB_FRAMES); i++)
		n += load_be16(port->frames[i].data + 12) == ETH_TYPE_IPV4;
	return n;
}

static void hold(uint32_t to, uint32_t port)
{
	struct segment_packet p = packet_to(to, port);

	segment_hold(lab.seg, &p);
}

/* The last few of an address wait, and go when its MAC is known. */
static void test_hold(void **state)
{
	const uint8_t *f;
	size_t len;

	for (int i = 0; i < 5; i++)
		hold(VM_IP(2), 7);
	assert_int_equal(count_ip4(&lab.vm[1]), 0);
	arp(1, 2, 2, VM_IP(2), LAB_IP);
	assert_int_equal(count_ip4(&lab.vm[0]) + count_ip4(&lab.vm[1]), 3);
	f = lab_sent(&lab, 1, ETH_TYPE_IPV4, &len);
	assert_true(load_mac(f) == VM_MAC(2));
	assert_true(segment_hold_next_ms(lab.seg) == UINT64_MAX);
	/* Known: it goes at once. */
	lab.vm[1].n = 0;
	hold(VM_IP(2), 7);
	assert_int_equal(count_ip4(&lab.vm[1]), 1);
}

/* Who sends to many addresses that nobody has takes no other's place. */
static void test_hold_limits(void **state)
{
	for (unsigned i = 0; i < 200; i++)
		hold(VM_IP(20 + i), 7);
	hold(VM_IP(2), 8);
	arp(1, 2, 2, VM_IP(2), LAB_IP);
	assert_int_equal(count_ip4(&lab.vm[1]), 1);
	/* None waits for ever. */
	segment_hold_run(lab.seg, vswitch_now_ms() + 60000);
	assert_true(segment_hold_next_ms(lab.seg) == UINT64_MAX);
}

/* From an address of the segment's own. */
static struct segment_packet packet_from(uint32_t from, uint32_t to,
					 uint32_t port)
{
	struct segment_packet p = packet_to(to, port);

	store_be32(frame + 26, from);
	csum_ipv4_header(frame + 14, 20);
	return p;
}

/*
 * Senders of packets that nobody took are told, and nobody knows where they
 * are: what they are told waits in the place of what waited for them.
 */
static void test_hold_unreached_by_unknown(void **state)
{
	struct ip_address hop = ip_address_v4(VM_IP(3));
	struct segment_packet p;

	for (int i = 0; i < 3; i++)
		hold(VM_IP(2), 7);
	for (int i = 0; i < 3; i++) {
		p = packet_from(VM_IP(2), VM_IP(3), 7);
		segment_hold(lab.seg, &p);
	}
	segment_hold_resolved(lab.seg, ROUTER_INSIDE, &hop, 0);
	lab.vm[0].n = lab.vm[1].n = 0;
	arp(1, 2, 2, VM_IP(2), LAB_IP);
	assert_int_equal(icmp_answer(1), 3 << 8 | 1);
	assert_true(segment_hold_next_ms(lab.seg) == UINT64_MAX);
}

/* Not whole, or to where there is no way: counted and gone. */
static void test_hold_odd(void **state)
{
	struct segment_packet p = packet_to(VM_IP(2), 7);

	p.len = 20;
	segment_hold(lab.seg, &p);
	p = packet_to(VM_IP(2), 7);
	store_be16(frame + 16, 3000);
	segment_hold(lab.seg, &p);
	p = packet_to(0x08080808, 7);
	segment_hold(lab.seg, &p);
	assert_true(segment_hold_next_ms(lab.seg) == UINT64_MAX);
}

/* Records of the punts that cannot be. */
static void test_odd_records(void **state)
{
	struct router_note note = { .what = 99, .in = ROUTER_INSIDE };
	struct punt_record r = {
		.kind = PUNT_GATEWAY,
		.gateway = lab.seg->id,
		.data = frame,
		.len = 60,
	};

	memcpy(&r.note, &note, sizeof(note));
	segments_receive(lab.vs, lab.vm[0].v, &r);
	note = (struct router_note){ .what = ROUTER_LOCAL, .in = 7 };
	memcpy(&r.note, &note, sizeof(note));
	segments_receive(lab.vs, lab.vm[0].v, &r);
	note.in = ROUTER_OUTSIDE;
	memcpy(&r.note, &note, sizeof(note));
	segments_receive(lab.vs, lab.vm[0].v, &r);
	r.gateway = 12345;
	segments_receive(lab.vs, lab.vm[0].v, &r);
	r.gateway = lab.seg->id;
	r.len = 3;
	segments_receive(lab.vs, lab.vm[0].v, &r);
}

/* --- changes ---------------------------------------------------------------
 */

/* Neighbors stay known when the gateway gets another address and MAC. */
static void test_live_change(void **state)
{
	struct cfg_segment *c = lab_config();
	struct segment *seg = lab.seg;
	struct router *router = seg->router;
	size_t len;

	arp(0, 1, 1, VM_IP(1), LAB_IP);
	c->ip4 = LAB_IP + 253;
	c->mac = LAB_MAC + 1;
	lab_configure(&lab, c);
	assert_ptr_equal(lab.seg, seg);
	assert_ptr_not_equal(seg->router, router);
	assert_true(neighbor_table_find4(seg->neighbors[ROUTER_INSIDE],
					 VM_IP(1)) == VM_MAC(1));
	assert_int_equal(fdb_lookup(seg->bridge->fdb, fdb_make_key(LAB_MAC, 0)),
			 FDB_NONE);
	arp(0, 1, 1, VM_IP(1), LAB_IP);
	assert_null(lab_sent(&lab, 0, ETH_TYPE_ARP, &len));
	arp(0, 1, 1, VM_IP(1), LAB_IP + 253);
	assert_non_null(lab_sent(&lab, 0, ETH_TYPE_ARP, &len));
}

static void test_isolated(void **state)
{
	struct cfg_segment *c = lab_config();
	uint8_t echo[64] = { 8 };

	c->isolated = true;
	lab_configure(&lab, c);
	arp(1, 2, 1, VM_IP(2), VM_IP(1)); /* to all, but nobody gets it */
	assert_int_equal(lab.vm[0].n, 0);
	csum_store(echo + 2, csum_add(0, echo, sizeof(echo)));
	ip4(0, 1, LAB_IP, 64, 1, echo, sizeof(echo));
	assert_int_equal(icmp_answer(0), 0);
}

static void test_comes_and_goes(void **state)
{
	struct cfg_segment *c;

	lab_configure(&lab, NULL);
	assert_null(lab.seg);
	assert_null(vswitch_find_vport(lab.vs, "lab.gw"));
	assert_null(lab.vm[0].v->fwd->punt);
	lab_configure(&lab, lab_config());
	assert_non_null(lab.seg);
	test_ping(state);
	/* It cannot be: it is there to say so. */
	c = lab_config();
	c->error = xstrdup("it overlaps another");
	lab_configure(&lab, c);
	assert_string_equal(lab.seg->error, "it overlaps another");
	assert_null(lab.seg->services);
	assert_null(lab.seg->router);
	lab_configure(&lab, lab_config());
	assert_null(lab.seg->error);
	test_ping(state);
}

/* A port's machines are forgotten with it. */
static void test_port_gone(void **state)
{
	arp(0, 1, 1, VM_IP(1), LAB_IP);
	arp(1, 2, 1, VM_IP(2), LAB_IP);
	segments_port_gone(lab.vs, lab.vm[0].v);
	assert_true(neighbor_table_find4(lab.seg->neighbors[ROUTER_INSIDE],
					 VM_IP(1)) == 0);
	assert_true(neighbor_table_find4(lab.seg->neighbors[ROUTER_INSIDE],
					 VM_IP(2)) == VM_MAC(2));
}

static void test_shown(void **state)
{
	json_t *json;

	arp(0, 1, 1, VM_IP(1), LAB_IP);
	json = segment_to_json(lab.seg);
	assert_string_equal(json_string_value(json_object_get(json, "gateway")),
			    "10.20.0.1");
	assert_string_equal(json_string_value(json_object_get(json, "subnet")),
			    "10.20.0.0/24");
	assert_string_equal(json_string_value(json_object_get(json, "subnet6")),
			    "fd20::/64");
	assert_int_equal(json_integer_value(json_object_get(json, "neighbors")),
			 1);
	json_decref(json);
	json = segment_neighbors_json(lab.seg);
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(json, 0), "port")),
			    "vm1");
	json_decref(json);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_arp),
		T(test_ping),
		T(test_refused),
		T(test_no_way),
		T(test_spoofed_mac),
		T(test_conflict),
		T(test_hold),
		T(test_hold_limits),
		T(test_hold_unreached_by_unknown),
		T(test_hold_odd),
		T(test_odd_records),
		T(test_live_change),
		T(test_isolated),
		T(test_comes_and_goes),
		T(test_port_gone),
		T(test_shown),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
