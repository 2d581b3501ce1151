/*
 * An underlay's station on an uplink's bridge: ARP, next hops and the gateway,
 * groups, path MTUs that ICMP errors tell of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "gateway/membership.h"
#include "packet/csum.h"
#include "packet/parse.h"
#include "tests/unit/overlay_lab.h"
#include "vswd/net_text.h"
#include "vswd/underlay_station.h"
#include "vswd/vbond.h"

#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define LOCAL	       IP(10, 0, 0, 1)
#define REMOTE	       IP(10, 0, 0, 2)
#define GATEWAY	       IP(10, 0, 0, 254)
#define MAC_REMOTE     0x02bb00000002
#define MAC_GATEWAY    0x02bb000000fe
#define OPTIONS	       "remote_ip=flow key=7 underlay=up local_ip=10.0.0.1/24 "

static struct overlay_lab lab;
static uint8_t frame[2048];

static void setup(const char *options)
{
	olab_setup(&lab, options, 1500);
	assert_non_null(lab.o);
	assert_non_null(lab.o->underlay->station);
}

static int teardown(void **state)
{
	olab_teardown(&lab);
	return 0;
}

static bool asked_for(uint32_t ip)
{
	const uint8_t *f;
	size_t len;

	for (unsigned i = 0; (f = olab_sent(&lab.eth0, ETH_TYPE_ARP, i, &len));
	     i++)
		if (load_be16(f + 20) == 1 && load_be32(f + 38) == ip &&
		    load_be32(f + 28) == LOCAL)
			return true;
	return false;
}

static void answer(uint64_t mac, uint32_t ip)
{
	olab_send(&lab, &lab.eth0, frame, olab_arp(frame, 2, mac, ip, LOCAL));
}

static void test_on_link(void **state)
{
	struct overlay_remote *r;
	char mac[MAC_STRING_SIZE];
	json_t *json;

	setup(OPTIONS "remotes=10.0.0.2");
	r = olab_remote(&lab, "10.0.0.2");
	assert_true(asked_for(LOCAL)); /* it announces itself */
	assert_true(asked_for(REMOTE));
	assert_false(r->resolved);
	answer(MAC_REMOTE, REMOTE);
	assert_true(r->resolved);
	assert_true(r->next_hop == MAC_REMOTE);
	/* It has moved, and says so. */
	olab_send(&lab, &lab.eth0, frame,
		  olab_arp(frame, 1, MAC_REMOTE, REMOTE, LOCAL));
	assert_null(underlay_station_error(lab.o->underlay->station));
	json = underlay_station_to_json(lab.o->underlay->station);
	assert_string_equal(
		json_string_value(json_object_get(
			json_array_get(json_object_get(json, "hops"), 0),
			"mac")),
		mac_format(MAC_REMOTE, mac));
	json_decref(json);
	assert_null(lab.o->error);
}

static void test_gateway(void **state)
{
	struct overlay_remote *a, *b;

	setup(OPTIONS "gateway=10.0.0.254 remotes=192.0.2.7,192.0.2.8");
	a = olab_remote(&lab, "192.0.2.7");
	b = olab_remote(&lab, "192.0.2.8");
	assert_true(asked_for(GATEWAY));
	assert_false(asked_for(IP(192, 0, 2, 7)));
	answer(MAC_GATEWAY, GATEWAY);
	assert_true(a->resolved && b->resolved);
	assert_true(a->next_hop == MAC_GATEWAY && b->next_hop == MAC_GATEWAY);
	/* Another gateway: what was known of the former is nothing. */
	olab_configure(&lab,
		       OPTIONS "gateway=10.0.0.253 remotes=192.0.2.7,192.0.2.8",
		       1500, NULL);
	a = olab_remote(&lab, "192.0.2.7");
	assert_false(a->resolved);
}

/* Who has the address answers a probe, which an announcement may not get. */
static void test_probe(void **state)
{
	const uint8_t *f;
	unsigned n = 0;
	size_t len;

	setup(OPTIONS "remotes=10.0.0.2");
	for (unsigned i = 0; (f = olab_sent(&lab.eth0, ETH_TYPE_ARP, i, &len));
	     i++)
		n += load_be16(f + 20) == 1 && !load_be32(f + 28) &&
		     load_be32(f + 38) == LOCAL;
	assert_int_equal(n, 1);
	assert_null(underlay_station_error(lab.o->underlay->station));
	answer(MAC_GATEWAY, LOCAL);
	assert_non_null(strstr(underlay_station_error(lab.o->underlay->station),
			       "claimed"));
}

/* Another link, network or gateway: who was there is not known to be here. */
static void test_other_link(void **state)
{
	static const char *const others[] = {
		"remote_ip=flow key=7 underlay=up local_ip=10.0.0.1/25 "
		"remotes=10.0.0.2",
		OPTIONS "gateway=10.0.0.254 remotes=10.0.0.2",
		OPTIONS "underlay-tag=30 remotes=10.0.0.2",
	};

	for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
		setup(OPTIONS "remotes=10.0.0.2");
		answer(MAC_REMOTE, REMOTE);
		assert_true(olab_remote(&lab, "10.0.0.2")->resolved);
		/* What the link does not depend on. */
		olab_configure(&lab, OPTIONS "remotes=10.0.0.2 tos=8", 1500,
			       NULL);
		assert_true(olab_remote(&lab, "10.0.0.2")->resolved);
		olab_configure(&lab, others[i], 1500, NULL);
		assert_false(olab_remote(&lab, "10.0.0.2")->resolved);
		assert_true(olab_remote(&lab, "10.0.0.2")->next_hop == 0);
		if (i + 1 < ARRAY_SIZE(others)) {
			answer(MAC_REMOTE, REMOTE);
			assert_true(olab_remote(&lab, "10.0.0.2")->resolved);
			olab_teardown(&lab);
		}
	}
}

/* A control plane may tell of remotes that the configuration does not know. */
static void test_no_way(void **state)
{
	const struct ip_address far = { 4, { 192, 0, 2, 7 } };
	const char *error;

	setup(OPTIONS "remotes=10.0.0.2");
	assert_non_null(overlay_remote_add(lab.o, &far, VTEP_CONTROLLER, NULL));
	olab_run(&lab);
	error = underlay_station_error(lab.o->underlay->station);
	assert_non_null(error);
	assert_non_null(strstr(error, "192.0.2.7"));
	assert_non_null(strstr(error, "gateway"));
	answer(MAC_REMOTE, REMOTE);
	assert_true(olab_remote(&lab, "10.0.0.2")->resolved);
	assert_false(olab_remote(&lab, "192.0.2.7")->resolved);
}

static void test_answers(void **state)
{
	const uint8_t *f;
	size_t len;

	setup(OPTIONS "remotes=10.0.0.2");
	olab_send(&lab, &lab.eth0, frame,
		  olab_arp(frame, 1, MAC_REMOTE, REMOTE, LOCAL));
	f = olab_sent(&lab.eth0, ETH_TYPE_ARP, 0, &len);
	assert_non_null(f);
	assert_int_equal(load_be16(f + 20), 2);
	assert_true(load_mac(f) == MAC_REMOTE);
	assert_true(load_mac(f + 6) == OLAB_MAC);
	/* Somebody else has our address. */
	olab_send(&lab, &lab.eth0, frame,
		  olab_arp(frame, 1, 0x02cc00000009, LOCAL, LOCAL));
	assert_non_null(strstr(underlay_station_error(lab.o->underlay->station),
			       "claimed"));
}

static void test_group(void **state)
{
	struct overlay_remote *r;
	const uint8_t *f;
	size_t len;

	setup(OPTIONS "group=239.1.1.1");
	r = olab_remote(&lab, "239.1.1.1");
	assert_true(r->resolved);
	assert_true(r->next_hop == 0x01005e010101);
	f = olab_sent(&lab.eth0, ETH_TYPE_IPV4, 0, &len);
	assert_non_null(f);
	assert_true(load_mac(f) == 0x01005e000016);
	assert_int_equal(f[14 + 24], 0x22);
	assert_int_equal(f[14 + 24 + 8], 4);
	/* And left with the port. */
	lab.eth0.n = 0;
	olab_configure(&lab, NULL, 1500, NULL);
	f = olab_sent(&lab.eth0, ETH_TYPE_IPV4, 0, &len);
	assert_non_null(f);
	assert_int_equal(f[14 + 24 + 8], 3);
}

/*
 * What is known stays in use while it is asked for again, first of the one who
 * had it and then of all; nobody answers.
 */
static void test_lost(void **state)
{
	struct underlay_station *s;
	struct overlay_remote *r;
	uint64_t now;

	setup(OPTIONS "remotes=10.0.0.2");
	answer(MAC_REMOTE, REMOTE);
	s = lab.o->underlay->station;
	r = olab_remote(&lab, "10.0.0.2");
	now = vswitch_now_ms() + 60000;
	lab.eth0.n = 0;
	underlay_hops_run(s, now);
	assert_true(asked_for(REMOTE));
	assert_true(load_mac(lab.eth0.frames[0].data) == MAC_REMOTE);
	for (int i = 1; i <= NEIGHBOR_ASKS; i++)
		station_run(s->station, now + i * NEIGHBOR_ASK_MS);
	assert_true(r->resolved);
	now += NEIGHBOR_ASKS * NEIGHBOR_ASK_MS + 1000;
	lab.eth0.n = 0;
	underlay_hops_run(s, now);
	assert_true(asked_for(REMOTE));
	assert_true(load_mac(lab.eth0.frames[0].data) == MAC_BROADCAST);
	assert_true(r->resolved);
	for (int i = 1; i <= NEIGHBOR_ASKS; i++)
		station_run(s->station, now + i * NEIGHBOR_ASK_MS);
	assert_false(r->resolved);
	assert_true(s->hops_ms != UINT64_MAX); /* it is asked for again */
	answer(MAC_REMOTE, REMOTE);
	assert_true(r->resolved);
}

/* Many remotes are not asked for all at once. */
static void test_pace(void **state)
{
	static char options[8192] = OPTIONS "remotes=";
	unsigned n = 0;
	size_t len;

	for (unsigned i = 2; i < 252; i++)
		snprintf(options + strlen(options), 32, "%s10.0.0.%u",
			 i == 2 ? "" : ",", i);
	setup(options);
	while (olab_sent(&lab.eth0, ETH_TYPE_ARP, n, &len))
		n++;
	assert_in_range(n, 2, 60);
}

/* --- ICMP ------------------------------------------------------------------
 */

struct quote {
	uint8_t type, code;
	uint16_t mtu;
	uint32_t from, to;
	uint16_t src_port, dst_port, len;
	uint8_t flags;
	uint32_t vni;
};

/* What a router says of an outer packet of ours. */
static size_t icmp4(const struct quote *q)
{
	uint8_t *ip = frame + 14, *icmp = ip + 20, *quoted = icmp + 8;
	size_t len = 8 + 20 + 8 + 8;

	memset(frame, 0, 128);
	olab_put_mac(frame, OLAB_MAC);
	olab_put_mac(frame + 6, MAC_GATEWAY);
	store_be16(frame + 12, ETH_TYPE_IPV4);
	ip[0] = 0x45;
	store_be16(ip + 2, 20 + len);
	ip[8] = 64;
	ip[9] = 1;
	store_be32(ip + 12, GATEWAY);
	store_be32(ip + 16, LOCAL);
	csum_ipv4_header(ip, 20);
	icmp[0] = q->type;
	icmp[1] = q->code;
	store_be16(icmp + 6, q->mtu);
	quoted[0] = 0x45;
	store_be16(quoted + 2, q->len);
	quoted[9] = 17;
	store_be32(quoted + 12, q->from);
	store_be32(quoted + 16, q->to);
	store_be16(quoted + 20, q->src_port);
	store_be16(quoted + 22, q->dst_port);
	quoted[28] = q->flags;
	store_be32(quoted + 32, q->vni << 8);
	csum_store(icmp + 2, csum_add(0, icmp, len));
	return 14 + 20 + len;
}

static const struct quote plausible = {
	.type = 3,
	.code = 4,
	.mtu = 1400,
	.from = LOCAL,
	.to = IP(192, 0, 2, 7),
	.src_port = 50000,
	.dst_port = 4789,
	.len = 1500,
	.flags = 8,
	.vni = 7,
};

static uint32_t tell(const struct quote *q)
{
	olab_send(&lab, &lab.eth0, frame, icmp4(q));
	return olab_remote(&lab, "192.0.2.7")->mtu;
}

static void test_path_mtu(void **state)
{
	struct quote q = plausible;
	const struct ip_address remote = { 4, { 192, 0, 2, 7 } };

	setup(OPTIONS "gateway=10.0.0.254 remotes=192.0.2.7,192.0.2.8");
	answer(MAC_GATEWAY, GATEWAY);
	assert_int_equal(olab_remote(&lab, "192.0.2.7")->mtu, 1450);
	assert_int_equal(lab.o->mtu, 1450);
	assert_int_equal(tell(&q), 1350);
	assert_int_equal(olab_remote(&lab, "192.0.2.8")->mtu, 1450);
	assert_int_equal(lab.o->mtu, 1350);
	assert_int_equal(
		underlay_station_path_mtu(lab.o->underlay->station, &remote),
		1400);
	/* It does not grow by that, and has a least. */
	q.mtu = 1450;
	assert_int_equal(tell(&q), 1350);
	q.mtu = 68;
	assert_int_equal(tell(&q), 576 - 50);
}

/* RFC 5927: what we cannot have sent. */
static void test_path_mtu_refused(void **state)
{
	struct quote q;

	setup(OPTIONS "gateway=10.0.0.254 remotes=192.0.2.7");
	answer(MAC_GATEWAY, GATEWAY);
#define REFUSED(field, value)                                                  \
	do {                                                                   \
		q = plausible;                                                 \
		q.field = value;                                               \
		assert_int_equal(tell(&q), 1450);                              \
	} while (0)
	REFUSED(from, LOCAL + 1);
	REFUSED(to, IP(192, 0, 2, 9));
	REFUSED(src_port, 4000);
	REFUSED(dst_port, 4790);
	REFUSED(flags, 0);
	REFUSED(vni, 8);
	REFUSED(len, 1400); /* it would have fitted */
	REFUSED(type, 11);
	REFUSED(code, 3);
	q = plausible;
	assert_int_equal(tell(&q), 1350);
	/* Of a router from before RFC 1191 */
	q.mtu = 0;
	q.len = 1400;
	assert_int_equal(tell(&q), 1006 - 50);
}

static void test_underlay_mtu(void **state)
{
	olab_setup(&lab, OPTIONS "remotes=10.0.0.2", 9000);
	assert_int_equal(olab_remote(&lab, "10.0.0.2")->mtu, 8950);
	assert_int_equal(lab.o->mtu, 8950);
	olab_configure(&lab, OPTIONS "remotes=10.0.0.2 mtu=1400", 9000, NULL);
	assert_int_equal(lab.o->mtu, 1400);
}

static void test_ipv6(void **state)
{
	const uint8_t *f;
	bool asked = false;
	size_t len;

	olab_setup(&lab,
		   "remote_ip=flow key=7 underlay=up local_ip=fd00::1/64 "
		   "remotes=fd00::2",
		   1500);
	for (unsigned i = 0; (f = olab_sent(&lab.eth0, ETH_TYPE_IPV6, i, &len));
	     i++)
		asked |= f[14 + 40] == 135 && f[14 + 40 + 8 + 15] == 2;
	assert_true(asked);
	assert_int_equal(olab_remote(&lab, "fd00::2")->mtu, 1430);
}

/* Whoever can send to us can name any VTEP: no error of anybody's port. */
static void test_stranger_has_no_way(void **state)
{
	struct ip_address far, near, all;

	assert_true(net_text_ip("198.18.0.9", &far));
	assert_true(net_text_ip("10.0.0.9", &near));
	assert_true(net_text_ip("10.0.0.255", &all));
	setup(OPTIONS "remotes=10.0.0.2");
	overlay_learn_remote(lab.o, 7, &far);
	assert_null(overlay_remote_find(lab.o, &far));
	assert_int_equal(lab.o->remote_refused, 1);
	overlay_learn_remote(lab.o, 7, &all);
	assert_null(overlay_remote_find(lab.o, &all));
	overlay_learn_remote(lab.o, 7, &near);
	assert_non_null(overlay_remote_find(lab.o, &near));
	assert_null(underlay_station_error(lab.o->underlay->station));
	/* One that was learned while there was a way. */
	olab_configure(&lab, OPTIONS "remotes=10.0.0.2 gateway=10.0.0.254",
		       1500, NULL);
	overlay_learn_remote(lab.o, 7, &far);
	assert_non_null(overlay_remote_find(lab.o, &far));
	olab_configure(&lab, OPTIONS "remotes=10.0.0.2", 1500, NULL);
	assert_null(underlay_station_error(lab.o->underlay->station));
}

/* The first look at who is silent is not the beginning of time. */
static void test_learned_at_start(void **state)
{
	struct ip_address near;
	struct timespec now;

	assert_true(net_text_ip("10.0.0.9", &near));
	setup(OPTIONS);
	overlay_learn_remote(lab.o, 7, &near);
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	vswitch_tick(lab.vs, now.tv_sec);
	assert_non_null(overlay_remote_find(lab.o, &near));
	vswitch_tick(lab.vs, now.tv_sec + FDB_AGE_DEFAULT + 1);
	assert_null(overlay_remote_find(lab.o, &near));
}

/* Many that one packet each has told of. */
static void test_invented(void **state)
{
	struct ip_address ip, used, late;

	assert_true(net_text_ip("10.0.8.1", &used));
	assert_true(net_text_ip("10.0.8.2", &late));
	setup("remote_ip=flow key=7 underlay=up local_ip=10.0.0.1/16");
	overlay_learn_remote(lab.o, 7, &used);
	counter_add(&overlay_remote_find(lab.o, &used)
			     ->port->counters[0]
			     ->rx_packets,
		    1);
	for (unsigned i = 1; i < VTEP_LEARNED_MAX; i++) {
		ip = ip_address_v4(IP(10, 0, 1 + i / 200, i % 200));
		overlay_learn_remote(lab.o, 7, &ip);
	}
	assert_int_equal(lab.o->n_learned, VTEP_LEARNED_MAX);
	overlay_learn_remote(lab.o, 7, &late);
	assert_null(overlay_remote_find(lab.o, &late));
	assert_int_equal(lab.o->remote_refused, 1);
	/* None of them said any more. */
	vswitch_tick(lab.vs, lab.vs->now_s + 3);
	overlay_learn_remote(lab.o, 7, &late);
	assert_non_null(overlay_remote_find(lab.o, &late));
	assert_non_null(overlay_remote_find(lab.o, &used));
	assert_int_equal(lab.o->n_learned, VTEP_LEARNED_MAX);
	for (unsigned i = 1; i < 2 * VTEP_LEARNED_MAX; i++) {
		ip = ip_address_v4(IP(10, 0, 20 + i / 200, i % 200));
		overlay_learn_remote(lab.o, 7, &ip);
	}
	assert_non_null(overlay_remote_find(lab.o, &used));
	assert_non_null(overlay_remote_find(lab.o, &late));
	assert_int_equal(lab.o->n_learned, VTEP_LEARNED_MAX);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_on_link),
		TEST(test_gateway),
		TEST(test_probe),
		TEST(test_other_link),
		TEST(test_no_way),
		TEST(test_answers),
		TEST(test_group),
		TEST(test_lost),
		TEST(test_pace),
		TEST(test_path_mtu),
		TEST(test_path_mtu_refused),
		TEST(test_underlay_mtu),
		TEST(test_ipv6),
		TEST(test_stranger_has_no_way),
		TEST(test_learned_at_start),
		TEST(test_invented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
