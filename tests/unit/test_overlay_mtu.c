/*
 * What does not fit into an overlay: who is told, and how; and what a bridge's
 * machines are told of its MTU.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "packet/csum.h"
#include "packet/drop.h"
#include "packet/parse.h"
#include "tests/unit/overlay_lab.h"
#include "vswd/config_segment.h"
#include "vswd/segment.h"

#define OPTIONS "remote_ip=10.0.0.2 key=7 underlay=up local_ip=10.0.0.1/24 "
#define VM_IP	0x0a140009
#define FAR_IP	0x0a14000a

static struct overlay_lab lab;
static uint8_t frame[4096];

static void setup(const char *options, uint32_t mtu)
{
	size_t len;

	olab_setup(&lab, options, mtu);
	len = olab_arp(frame, 2, 0x02bb00000002, 0x0a000002, 0x0a000001);
	olab_send(&lab, &lab.eth0, frame, len);
	assert_true(olab_remote(&lab, "10.0.0.2")->resolved);
}

static int teardown(void **state)
{
	olab_teardown(&lab);
	return 0;
}

static uint8_t *begin(uint16_t type, size_t len)
{
	memset(frame, 0, sizeof(frame));
	olab_put_mac(frame, OLAB_FAR);
	olab_put_mac(frame + 6, OLAB_VM);
	store_be16(frame + 12, type);
	return frame + 14;
}

/* UDP, of `len` bytes with its IP header. */
static void send4(size_t len, uint16_t fragment)
{
	uint8_t *ip = begin(ETH_TYPE_IPV4, len);

	ip[0] = 0x45;
	store_be16(ip + 2, len);
	store_be16(ip + 6, fragment);
	ip[8] = 64;
	ip[9] = 17;
	store_be32(ip + 12, VM_IP);
	store_be32(ip + 16, FAR_IP);
	csum_ipv4_header(ip, 20);
	olab_send(&lab, &lab.vm1, frame, 14 + len);
}

static void send6(size_t len)
{
	uint8_t *ip = begin(ETH_TYPE_IPV6, len);

	ip[0] = 0x60;
	store_be16(ip + 4, len - 40);
	ip[6] = 17;
	ip[7] = 64;
	ip[8] = 0xfd;
	ip[23] = 9;
	ip[24] = 0xfd;
	ip[39] = 10;
	olab_send(&lab, &lab.vm1, frame, 14 + len);
}

static void test_fits(void **state)
{
	size_t len;

	setup(OPTIONS, 1500);
	send4(1450, 0x4000);
	assert_null(olab_sent(&lab.vm1, ETH_TYPE_IPV4, 0, &len));
	assert_non_null(olab_sent(&lab.eth0, ETH_TYPE_IPV4, 0, &len));
	assert_int_equal(len, 14 + 1500);
}

static void test_too_big4(void **state)
{
	const uint8_t *f;
	size_t len;

	setup(OPTIONS, 1500);
	send4(1451, 0x4000);
	assert_null(olab_sent(&lab.eth0, ETH_TYPE_IPV4, 0, &len));
	f = olab_sent(&lab.vm1, ETH_TYPE_IPV4, 0, &len);
	assert_non_null(f);
	assert_true(load_mac(f) == OLAB_VM);
	assert_true(load_mac(f + 6) == OLAB_FAR);
	assert_int_equal(load_be32(f + 26), FAR_IP);
	assert_int_equal(load_be32(f + 30), VM_IP);
	assert_int_equal(f[34], 3);
	assert_int_equal(f[35], 4);
	assert_int_equal(load_be16(f + 40), 1450);
	assert_int_equal(load_be32(f + 42 + 12), VM_IP); /* quoted */
}

/* Fragments but the first are not told of; who did not set DF is. */
static void test_without_df(void **state)
{
	size_t len;

	setup(OPTIONS, 1500);
	send4(1500, 0);
	assert_non_null(olab_sent(&lab.vm1, ETH_TYPE_IPV4, 0, &len));
	send4(1500, 0x2000 | 185);
	assert_null(olab_sent(&lab.vm1, ETH_TYPE_IPV4, 0, &len));
}

static void test_too_big6(void **state)
{
	const uint8_t *f;
	size_t len;

	setup(OPTIONS "mtu=1400", 1500);
	send6(1401);
	f = olab_sent(&lab.vm1, ETH_TYPE_IPV6, 0, &len);
	assert_non_null(f);
	assert_int_equal(len, 14 + 1280);
	assert_true(load_mac(f) == OLAB_VM);
	assert_int_equal(f[14 + 40], 2);
	assert_int_equal(load_be32(f + 14 + 44), 1400);
	assert_int_equal(f[14 + 8 + 15], 10);
	assert_int_equal(f[14 + 24 + 15], 9);
}

/* In VLAN 10; what comes back. */
static const uint8_t *send_tagged(size_t size)
{
	size_t len;

	send4(size, 0x4000);
	memmove(frame + 16, frame + 12, 2 + size);
	store_be16(frame + 12, 0x8100);
	store_be16(frame + 14, 10);
	olab_send(&lab, &lab.vm1, frame, 18 + size);
	return olab_sent(&lab.vm1, 0x8100, 0, &len);
}

/* A tag that stays in the frame takes room, and the answer has it, too. */
static void test_tagged(void **state)
{
	const uint8_t *f;

	setup(OPTIONS, 1500);
	lab.trunk = true;
	olab_configure(&lab, OPTIONS, 1500, NULL);
	/* It is another overlay now; the neighbor is known. */
	while (!olab_remote(&lab, "10.0.0.2")->resolved)
		event_base_loop(lab.base, EVLOOP_ONCE);
	olab_run(&lab);
	assert_null(send_tagged(1446));
	f = send_tagged(1447);
	assert_non_null(f);
	assert_int_equal(load_be16(f + 14), 10);
	assert_int_equal(load_be16(f + 18 + 20 + 6), 1446);
}

/* Not too many: a sender of large frames is told some times. */
static void test_rate(void **state)
{
	unsigned n = 0;

	setup(OPTIONS, 1500);
	for (unsigned i = 0; i < 300; i++) {
		send4(1500, 0x4000);
		n += lab.vm1.n;
	}
	assert_in_range(n, 1, 200);
}

/* --- paths by the kernel ---------------------------------------------------
 */

static unsigned n_asked;

/* Instead of the C library's: how often a path's MTU was asked for. */
int getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
	n_asked += level == IPPROTO_IP && option == IP_MTU;
	return syscall(SYS_getsockopt, fd, level, option, value, len);
}

static unsigned asked_in_a_tick(bool is_too_big)
{
	struct port *port = lab.o->underlay->v->port;

	n_asked = 0;
	if (is_too_big)
		counter_add(&port->counters[0]->drops[DROP_TX_TOO_BIG], 1);
	overlay_mtu_tick(lab.o);
	return n_asked;
}

#define REMOTES 200
#define LOOKS	64 /* a tick */

/* Few at once, and each in its turn, also while something is too big. */
static void test_many_paths(void **state)
{
	struct underlay_station *station;
	char *why = NULL;

	olab_setup(&lab,
		   "remote_ip=flow key=7 underlay=up "
		   "local_ip=127.0.0.1/24",
		   1500);
	for (unsigned i = 0; i < REMOTES; i++) {
		struct ip_address ip = { 4, { 127, 0, 0, 2 + i } };

		assert_non_null(
			overlay_remote_add(lab.o, &ip, VTEP_STATIC, &why));
	}
	olab_run(&lab);
	/* As if it were the host's sockets' underlay. */
	station = lab.o->underlay->station;
	lab.o->underlay->station = NULL;
	overlay_mtu_tick(lab.o);
	for (struct overlay_remote *r = lab.o->remotes; r; r = r->next)
		r->mtu = 1;
	assert_int_equal(asked_in_a_tick(false), REMOTES / 10);
	assert_int_equal(asked_in_a_tick(true), LOOKS);
	assert_int_equal(asked_in_a_tick(true), LOOKS);
	assert_int_equal(asked_in_a_tick(true), LOOKS);
	for (struct overlay_remote *r = lab.o->remotes; r; r = r->next)
		assert_int_not_equal(r->mtu, 1);
	/* A whole round after the last time, and then as before. */
	assert_int_equal(asked_in_a_tick(false), LOOKS);
	assert_int_equal(asked_in_a_tick(false), LOOKS);
	assert_in_range(asked_in_a_tick(false), REMOTES / 10, LOOKS);
	assert_int_equal(asked_in_a_tick(false), REMOTES / 10);
	/* Those that the kernel knows no way to are not all asked for. */
	for (struct overlay_remote *r = lab.o->remotes; r; r = r->next)
		r->mtu = 0;
	assert_in_range(asked_in_a_tick(false), REMOTES / 10, LOOKS);
	lab.o->underlay->station = station;
}

/* --- machines --------------------------------------------------------------
 */

static struct cfg_segment *segment(uint16_t told)
{
	struct cfg_segment *c = xcalloc(1, sizeof(*c));

	c->refs = 1;
	c->name = xstrdup("lab");
	c->type = SEGMENT_INTERNAL;
	c->mac = 0x025600000001;
	c->ip4 = 0x0a140001;
	c->prefix4_len = 24;
	c->ip6.ip[0] = 0xfd;
	c->ip6.ip[1] = 0x20;
	c->ip6.ip[15] = 1;
	c->ip6.prefix_len = 64;
	c->mtu = told ? told : 1500;
	c->ra.enabled = true;
	c->ra.mtu = told;
	return c;
}

/* What the last router advertisement at vm1 says; 0: nothing. */
static uint32_t advertised(void)
{
	const uint8_t *f;
	size_t len;

	for (unsigned i = 0; (f = olab_sent(&lab.vm1, ETH_TYPE_IPV6, i, &len));
	     i++) {
		if (f[14 + 40] != 134)
			continue;
		for (size_t at = 14 + 40 + 16; at + 8 <= len && f[at + 1];
		     at += f[at + 1] * 8u)
			if (f[at] == 5)
				return load_be32(f + at + 4);
		return 0;
	}
	return UINT32_MAX;
}

static void solicit(void)
{
	uint8_t *ip = begin(ETH_TYPE_IPV6, 48);

	olab_put_mac(frame, 0x333300000002);
	ip[0] = 0x60;
	store_be16(ip + 4, 8);
	ip[6] = 58;
	ip[7] = 255;
	ip[8] = 0xfe;
	ip[9] = 0x80;
	ip[23] = 9;
	ip[24] = 0xff;
	ip[25] = 2;
	ip[39] = 2;
	ip[40] = 133;
	csum_store(ip + 42, csum_combine(csum_pseudo6(ip, 58, 8),
					 csum_add(0, ip + 40, 8)));
	olab_send(&lab, &lab.vm1, frame, 14 + 48);
}

static void test_segment(void **state)
{
	olab_setup(&lab, OPTIONS, 1500);
	olab_configure(&lab, OPTIONS, 1500, segment(0));
	assert_int_equal(bridge_overlay_mtu(lab.vs, lab.o->v->bridge), 1450);
	assert_int_equal(segment_mtu(segment_find(lab.vs, "lab")), 1450);
	solicit();
	assert_int_equal(advertised(), 1450);
	/* Live: another MTU, one by the option, and no overlay any more. */
	olab_configure(&lab, OPTIONS "mtu=1300", 1500, segment(0));
	assert_int_equal(segment_mtu(segment_find(lab.vs, "lab")), 1300);
	olab_configure(&lab, OPTIONS, 1500, segment(1350));
	assert_int_equal(segment_mtu(segment_find(lab.vs, "lab")), 1350);
	olab_configure(&lab, NULL, 1500, segment(0));
	assert_int_equal(segment_mtu(segment_find(lab.vs, "lab")), 1500);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_fits),       TEST(test_too_big4),
		TEST(test_without_df), TEST(test_too_big6),
		TEST(test_tagged),     TEST(test_rate),
		TEST(test_segment),    TEST(test_many_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
