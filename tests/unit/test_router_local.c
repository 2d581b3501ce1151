/* What is for the gateway itself: groups, its addresses, the host's services.
 */
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

static void make_arp(uint64_t dst, uint16_t op, const char *sender,
		     const char *target)
{
	struct nat_addr s = addr(sender), t = addr(target);

	memset(&k, 0, sizeof(k));
	set_macs(&k, dst, VM_MAC);
	store_be16(k.data + 12, 0x0806);
	store_be16(k.data + 20, op);
	memcpy(k.data + 28, s.ip, 4);
	memcpy(k.data + 38, t.ip, 4);
	k.len = 42;
}

static bool is_seen(struct gw *gw, enum router_side in)
{
	struct shot *s = shoot_as_is(gw, in, &k);

	if (s->r.verdict == ROUTER_IGNORE)
		return false;
	assert_local(s, in);
	return true;
}

static void arp(void **state)
{
	struct gw *gw = *state;
	const uint64_t all = MAC_BROADCAST;

	make_arp(all, 1, VM, GW); /* who has */
	assert_true(is_seen(gw, ROUTER_INSIDE));
	make_arp(all, 1, VM, VM2);
	assert_false(is_seen(gw, ROUTER_INSIDE));
	make_arp(all, 1, GW, VM2); /* it says that it is us */
	assert_true(is_seen(gw, ROUTER_INSIDE));
	make_arp(all, 1, VM, VM); /* gratuitous */
	assert_true(is_seen(gw, ROUTER_INSIDE));
	make_arp(GW_INSIDE, 2, VM, GW);
	assert_true(is_seen(gw, ROUTER_INSIDE));
	make_arp(all, 1, UPLINK, GW_OUT);
	assert_true(is_seen(gw, ROUTER_OUTSIDE));
	make_arp(all, 1, UPLINK, GW);
	assert_false(is_seen(gw, ROUTER_OUTSIDE));
	make_arp(all, 1, VM, GW); /* the host's sockets need no answer */
	assert_false(is_seen(gw, ROUTER_HOST));
	make_arp(all, 1, VM, GW);
	k.len = 41;
	assert_false(is_seen(gw, ROUTER_INSIDE));
}

static bool udp_to_all(struct gw *gw, enum router_side in, uint16_t port)
{
	pkt_udp(&k, "0.0.0.0", 68, "255.255.255.255", port);
	set_macs(&k, MAC_BROADCAST, VM_MAC);
	return is_seen(gw, in);
}

static void broadcasts(void **state)
{
	struct gw *gw = *state;

	assert_true(udp_to_all(gw, ROUTER_INSIDE, 67));
	assert_false(udp_to_all(gw, ROUTER_INSIDE, 68));
	assert_false(udp_to_all(gw, ROUTER_OUTSIDE, 67));
	assert_true(udp_to_all(gw, ROUTER_OUTSIDE, 68));
	assert_false(udp_to_all(gw, ROUTER_INSIDE, 137));
	pkt_echo(&k, VM, "255.255.255.255", 1, false);
	set_macs(&k, MAC_BROADCAST, VM_MAC);
	assert_false(is_seen(gw, ROUTER_INSIDE));
	pkt_udp(&k, VM, 5353, "224.0.0.251", 5353);
	set_macs(&k, 0x01005e0000fb, VM_MAC);
	assert_false(is_seen(gw, ROUTER_INSIDE));
}

/* An ICMPv6 message to a group. */
static bool icmp6(struct gw *gw, const char *dst, uint8_t type)
{
	struct nat_addr a = addr(dst);

	pkt_echo(&k, "fe80::5", dst, 1, false);
	k.data[54] = type;
	set_macs(&k, 0x333300000000ull | load_be32(a.ip + 12), VM_MAC);
	return is_seen(gw, ROUTER_INSIDE);
}

static void groups6(void **state)
{
	struct gw *gw = *state;

	assert_true(icmp6(gw, "ff02::2", 133));
	assert_true(icmp6(gw, "ff02::1", 136));
	assert_true(icmp6(gw, "ff02::1:ff00:1", 135)); /* of fd20::1 */
	assert_false(icmp6(gw, "ff02::1:ff00:9", 135));
	assert_false(icmp6(gw, "ff02::1", 128));
	assert_false(icmp6(gw, "ff02::16", 143));
	pkt_udp(&k, "fe80::5", 546, "ff02::1:2", 547);
	set_macs(&k, 0x333300010002ull, VM_MAC);
	assert_true(is_seen(gw, ROUTER_INSIDE));
	pkt_udp(&k, "fe80::5", 546, "ff02::1:3", 547);
	set_macs(&k, 0x333300010003ull, VM_MAC);
	assert_false(is_seen(gw, ROUTER_INSIDE));
	/* One that asks one station only. */
	pkt_echo(&k, "fe80::5", "ff02::1:ff00:1", 1, false);
	k.data[54] = 135;
	assert_local(shoot(gw, ROUTER_INSIDE, &k), ROUTER_INSIDE);
	pkt_udp(&k, VM6, 5353, "ff02::fb", 5353);
	assert_dropped(shoot(gw, ROUTER_INSIDE, &k), DROP_ROUTE_MARTIAN);
}

static void own_addresses(void **state)
{
	struct gw *gw = *state;

	pkt_echo(&k, VM, GW, 1, false);
	assert_local(shoot(gw, ROUTER_INSIDE, &k), ROUTER_INSIDE);
	pkt_echo(&k, VM6, GW6, 1, false);
	assert_local(shoot(gw, ROUTER_INSIDE, &k), ROUTER_INSIDE);
	pkt_echo(&k, "fe80::5", GW6_LOCAL, 1, false);
	assert_local(shoot(gw, ROUTER_INSIDE, &k), ROUTER_INSIDE);
	pkt_udp(&k, VM, 1025, GW, 53);
	assert_local(shoot(gw, ROUTER_INSIDE, &k), ROUTER_INSIDE);
	pkt_tcp(&k, VM, 1025, GW, 80, SYN);
	assert_local(shoot(gw, ROUTER_INSIDE, &k), ROUTER_INSIDE);
	pkt_udp(&k, "10.21.0.9", 1025, GW, 53);
	assert_dropped(shoot(gw, ROUTER_INSIDE, &k), DROP_ROUTE_SOURCE);
}

static bool goes_to_host(struct gw *gw, bool tcp, const char *dst,
			 uint16_t port)
{
	const char *src = strchr(dst, ':') ? VM6 : VM;
	struct shot *s;

	if (tcp)
		pkt_tcp(&k, src, 1025, dst, port, SYN);
	else
		pkt_udp(&k, src, 1025, dst, port);
	s = shoot(gw, ROUTER_INSIDE, &k);
	if (s->r.verdict == ROUTER_PUNT) {
		assert_local(s, ROUTER_INSIDE);
		return false;
	}
	assert_sent(s, ROUTER_HOST, HOST_MAC, GW_HOST);
	return true;
}

static void services_by_the_host(void **state)
{
	struct gw *gw = *state;

	assert_true(goes_to_host(gw, true, GW, 53));
	/* The socket there knows IPv4 only. */
	assert_false(goes_to_host(gw, true, GW6, 53));
	assert_false(goes_to_host(gw, true, GW, 80));
	gw->config.local_to_host = true;
	gw_renew(gw);
	assert_true(goes_to_host(gw, true, GW, 53));
	assert_false(goes_to_host(gw, true, GW6, 53));
	assert_true(goes_to_host(gw, true, GW6, 80));
	assert_true(goes_to_host(gw, true, GW, 80));
	assert_true(goes_to_host(gw, false, GW, 5000));
	assert_true(goes_to_host(gw, false, GW6, 5000));
	assert_false(goes_to_host(gw, false, GW, 53));
	assert_false(goes_to_host(gw, false, GW, 67));
	assert_false(goes_to_host(gw, false, GW6, 547));
	gw->config.links[ROUTER_HOST].up = false;
	gw_renew(gw);
	assert_false(goes_to_host(gw, true, GW, 53));
}

/* The answers of such a service have the gateway's address. */
static void answers_from_the_host(void **state)
{
	struct gw *gw = *state;

	pkt_tcp(&k, GW, 53, VM, 1025, SYN | ACK);
	assert_sent(shoot(gw, ROUTER_HOST, &k), ROUTER_INSIDE, VM_MAC,
		    GW_INSIDE);
	pkt_tcp(&k, GW6, 53, VM6, 1025, SYN | ACK);
	assert_sent(shoot(gw, ROUTER_HOST, &k), ROUTER_INSIDE, VM_MAC,
		    GW_INSIDE);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, gw_teardown)
	const struct CMUnitTest tests[] = {
		T(arp),
		T(broadcasts),
		T(groups6),
		T(own_addresses),
		T(services_by_the_host),
		T(answers_from_the_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
