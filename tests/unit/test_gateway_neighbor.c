/*
 * The gateway as a station of its segment, in virtual time: ARP, neighbour
 * discovery, advertisements, pings, and the cache with its limits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <errno.h>

#include <cmocka.h>

#include "gateway/dhcpv6.h"
#include "gateway/station.h"
#include "gateway/writer.h"
#include "packet/csum.h"

#define GATEWAY_MAC 0x025600000001
#define GATEWAY_IP  0x0a140001
#define MAC(n)	    (0x525400000000 + (n))
#define IP(n)	    (0x0a140000 + (n))

static struct station *station;
static struct station_config config;
static uint64_t now;
static uint8_t sent[2048];
static size_t sent_len;
static unsigned n_sent, n_conflicts, n_resolved;
static struct gateway_client claimant;
static uint64_t holder, resolved_mac, owner_mac;
static uint64_t mirror[256]; /* by an IPv4 address's last byte */

static void on_send(const void *frame, size_t len, void *arg)
{
	assert_in_range(len, 60, sizeof(sent));
	memcpy(sent, frame, len);
	sent_len = len;
	n_sent++;
}

static void on_conflict(const struct ip_address *ip, uint64_t mac,
			const struct gateway_client *client, void *arg)
{
	n_conflicts++;
	holder = mac;
	claimant = *client;
}

static void on_resolved(const struct ip_address *ip, uint64_t mac, void *arg)
{
	n_resolved++;
	resolved_mac = mac;
}

static bool owner(const struct ip_address *ip, uint64_t *mac, void *arg)
{
	*mac = owner_mac;
	return owner_mac;
}

static void on_changed(const struct ip_address *ip, uint64_t mac, void *arg)
{
	if (ip->len == 4)
		mirror[ip->bytes[3]] = mac;
}

static int setup(void **state)
{
	static const struct station_ops ops = {
		.send = on_send,
		.resolved = on_resolved,
		.owner = owner,
		.conflict = on_conflict,
		.changed = on_changed,
	};
	static const struct hash_key key = { 5, 6 };
	static const uint8_t ip6[16] = { 0xfd, 0x20, [15] = 1 };

	config = (struct station_config){
		.mac = GATEWAY_MAC,
		.ip4 = GATEWAY_IP,
		.prefix4_len = 24,
		.ip6 = true,
		.n_global = 1,
		.limits = { .per_mac = 3, .per_port = 5, .asked_per_port = 2 },
	};
	memcpy(config.global[0].ip, ip6, 16);
	config.global[0].prefix_len = 64;
	now = 100000;
	owner_mac = 0;
	n_sent = n_conflicts = n_resolved = 0;
	memset(mirror, 0, sizeof(mirror));
	station = station_create(&config, &key, &ops, NULL, now);
	return 0;
}

static int teardown(void **state)
{
	station_destroy(station);
	return 0;
}

static void arp_as(uint64_t mac, uint16_t operation, uint32_t from, uint32_t to)
{
	struct gateway_client client = { .mac = mac, .port = 1 };
	uint8_t frame[60] = { 0 };
	struct writer w;

	writer_init(&w, frame, sizeof(frame));
	writer_mac(&w, MAC_BROADCAST);
	writer_mac(&w, mac);
	writer_be16(&w, 0x0806);
	writer_be32(&w, 0x00010800);
	writer_be16(&w, 0x0604);
	writer_be16(&w, operation);
	writer_mac(&w, mac);
	writer_be32(&w, from);
	writer_mac(&w, 0);
	writer_be32(&w, to);
	assert_true(station_receive(station, &client, frame, 60, now));
}

static int resolve(uint32_t ip, uint64_t *mac)
{
	struct ip_address a = ip_address_v4(ip);

	return neighbor_cache_resolve(station_neighbors(station), &a, 1, now,
				      mac);
}

static uint64_t mac_of(uint32_t ip)
{
	uint64_t mac = 0;

	return resolve(ip, &mac) ? 0 : mac;
}

static void later(uint64_t ms)
{
	now += ms;
	station_run(station, now);
}

static void rfc826_requests_are_answered_and_learnt(void **state)
{
	arp_as(MAC(1), 1, IP(10), GATEWAY_IP);
	assert_int_equal(n_sent, 1);
	assert_true(load_mac(sent) == MAC(1));
	assert_int_equal(load_be16(sent + 20), 2);
	assert_true(load_mac(sent + 22) == GATEWAY_MAC);
	assert_int_equal(load_be32(sent + 28), GATEWAY_IP);
	assert_int_equal(load_be32(sent + 38), IP(10));
	assert_true(mac_of(IP(10)) == MAC(1));
	/* not for us: neither answered nor learnt */
	arp_as(MAC(2), 1, IP(11), IP(10));
	assert_int_equal(n_sent, 1);
	/* an address of another network is not learnt either */
	arp_as(MAC(2), 1, 0x0b000001, GATEWAY_IP);
	assert_int_equal(n_sent, 1);
}

static void rfc5227_probes_and_claims_of_our_address(void **state)
{
	arp_as(MAC(1), 1, 0, GATEWAY_IP);
	assert_int_equal(n_sent, 1);
	assert_int_equal(load_be16(sent + 20), 2);
	for (unsigned i = 0; i < 5; i++)
		arp_as(MAC(1), 1, GATEWAY_IP, GATEWAY_IP);
	assert_int_equal(n_sent, 2); /* 2.4 (c): defended once */
	assert_true(load_mac(sent) == MAC_BROADCAST);
	assert_int_equal(load_be32(sent + 28), GATEWAY_IP);
	assert_int_equal(n_conflicts, 1);
	assert_true(holder == GATEWAY_MAC && claimant.mac == MAC(1));
	now += 10000;
	arp_as(MAC(1), 1, GATEWAY_IP, GATEWAY_IP);
	assert_int_equal(n_sent, 3);
}

/* A NAT's pool: each is answered for, defended, and asked from. */
static void further_addresses_are_its_own_as_well(void **state)
{
	const uint32_t elsewhere = 0xc0a80105;
	uint64_t mac;

	config.further4[0] = (struct station_ip4){ IP(8), 24 };
	config.further4[1] = (struct station_ip4){ elsewhere, 28 };
	config.n_further4 = 2;
	station_configure(station, &config, now);
	arp_as(MAC(1), 1, IP(50), IP(8));
	assert_int_equal(n_sent, 1);
	assert_int_equal(load_be32(sent + 28), IP(8));
	assert_int_equal(load_be32(sent + 38), IP(50));
	assert_int_equal(load_mac(sent + 22), GATEWAY_MAC);
	arp_as(MAC(1), 1, IP(50), IP(9));
	assert_int_equal(n_sent, 1);
	/* a network of its own, where it asks by its address of it */
	assert_int_equal(resolve(elsewhere + 1, &mac), -EAGAIN);
	assert_int_equal(load_be32(sent + 28), elsewhere);
	arp_as(MAC(2), 2, elsewhere + 1, elsewhere);
	assert_int_equal(mac_of(elsewhere + 1), MAC(2));
	n_sent = 0;
	arp_as(MAC(3), 1, IP(8), IP(8));
	assert_int_equal(n_conflicts, 1);
	assert_int_equal(holder, GATEWAY_MAC);
	assert_int_equal(n_sent, 1);
	assert_int_equal(load_be32(sent + 28), IP(8));
	/* given up */
	config.n_further4 = 0;
	station_configure(station, &config, now);
	n_sent = 0;
	arp_as(MAC(1), 1, IP(50), IP(8));
	assert_int_equal(n_sent, 0);
}

static void who_answers_keeps_a_claimed_address(void **state)
{
	arp_as(MAC(1), 1, IP(10), GATEWAY_IP);
	n_sent = 0;
	now += 1000;
	arp_as(MAC(2), 1, IP(10), IP(10));
	assert_int_equal(n_sent, 1); /* the first is asked, alone */
	assert_true(load_mac(sent) == MAC(1));
	assert_true(mac_of(IP(10)) == MAC(1));
	arp_as(MAC(1), 2, IP(10), GATEWAY_IP);
	assert_int_equal(n_conflicts, 1);
	assert_true(holder == MAC(1) && claimant.mac == MAC(2));
	later(10000);
	assert_true(mac_of(IP(10)) == MAC(1));
}

static void who_is_gone_loses_a_claimed_address(void **state)
{
	arp_as(MAC(1), 1, IP(10), GATEWAY_IP);
	now += 1000;
	arp_as(MAC(2), 1, IP(10), IP(10));
	for (unsigned i = 0; i < 3; i++)
		later(NEIGHBOR_ASK_MS);
	assert_true(mac_of(IP(10)) == MAC(2));
	assert_int_equal(n_conflicts, 0);
}

static void an_address_with_an_owner_is_the_owners(void **state)
{
	arp_as(MAC(2), 1, IP(10), GATEWAY_IP);
	owner_mac = MAC(1);
	arp_as(MAC(1), 1, IP(10), GATEWAY_IP);
	assert_true(mac_of(IP(10)) == MAC(1));
	assert_int_equal(n_conflicts, 1);
	assert_true(claimant.mac == MAC(2));
	later(NEIGHBOR_REACHABLE_MS);
	arp_as(MAC(2), 1, IP(10), GATEWAY_IP);
	later(10000);
	assert_true(mac_of(IP(10)) == MAC(1));
}

static void a_stranger_is_reported_before_its_owner_spoke(void **state)
{
	arp_as(MAC(2), 1, IP(10), GATEWAY_IP);
	owner_mac = MAC(1);
	arp_as(MAC(2), 1, IP(10), GATEWAY_IP);
	arp_as(MAC(2), 1, IP(10), GATEWAY_IP);
	assert_int_equal(n_conflicts, 1);
	assert_true(holder == MAC(1) && claimant.mac == MAC(2));
	assert_true(mac_of(IP(10)) == 0);
}

static void unknown_addresses_are_asked_for(void **state)
{
	uint64_t mac;

	assert_int_equal(resolve(IP(10), &mac), -EAGAIN);
	assert_int_equal(n_sent, 1);
	assert_int_equal(resolve(IP(10), &mac), -EAGAIN);
	assert_int_equal(n_sent, 1);
	arp_as(MAC(1), 2, IP(10), GATEWAY_IP);
	assert_int_equal(n_resolved, 1);
	assert_true(resolved_mac == MAC(1));
	assert_int_equal(resolve(IP(11), &mac), -EAGAIN);
	assert_int_equal(resolve(IP(12), &mac), -EAGAIN);
	assert_int_equal(resolve(IP(13), &mac), -ENOBUFS);
	for (unsigned i = 0; i < 3; i++)
		later(NEIGHBOR_ASK_MS);
	assert_int_equal(n_sent, 7);
	assert_int_equal(n_resolved, 3);
	assert_true(resolved_mac == 0);
	assert_int_equal(resolve(IP(11), &mac), -EHOSTUNREACH);
	later(NEIGHBOR_FAILED_MS);
	assert_int_equal(resolve(IP(11), &mac), -EAGAIN);
}

static void rfc1122_2_3_2_1_silent_neighbours_are_asked_and_forgotten(void **s)
{
	uint64_t mac;

	arp_as(MAC(1), 1, IP(10), GATEWAY_IP);
	n_sent = 0;
	later(NEIGHBOR_REACHABLE_MS);
	assert_true(mac_of(IP(10)) == MAC(1)); /* used, and asked */
	assert_int_equal(n_sent, 1);
	assert_true(load_mac(sent) == MAC(1));
	for (unsigned i = 0; i < 3; i++)
		later(NEIGHBOR_ASK_MS);
	assert_int_equal(resolve(IP(10), &mac), -EAGAIN);
}

static void limits_hold_for_mac_and_port(void **state)
{
	for (unsigned i = 0; i < 5; i++)
		arp_as(MAC(1), 1, IP(10 + i), GATEWAY_IP);
	assert_int_equal(
		neighbor_cache_counters(station_neighbors(station))->refused,
		2);
	for (unsigned i = 0; i < 5; i++)
		arp_as(MAC(2 + i), 1, IP(20 + i), GATEWAY_IP);
	assert_int_equal(
		neighbor_cache_counters(station_neighbors(station))->refused,
		5);
	assert_true(mac_of(IP(10)) == MAC(1));
	/* what is silent for long gives way */
	later(NEIGHBOR_STALE_MS);
	arp_as(MAC(9), 1, IP(30), GATEWAY_IP);
	assert_true(mac_of(IP(30)) == MAC(9));
}

/* An ICMPv6 message of the client's, its checksum right. */
static bool icmp6(const char *from, const char *to, uint8_t hops,
		  const uint8_t *message, size_t len)
{
	struct gateway_client client = { .mac = MAC(7), .port = 1 };
	uint8_t frame[200] = { 0x33, 0x33, 0, 0, 0, 1 };
	struct writer w;
	uint64_t sum;

	writer_init(&w, frame + 6, sizeof(frame) - 6);
	writer_mac(&w, MAC(7));
	writer_be16(&w, 0x86dd);
	writer_be32(&w, 0x60000000);
	writer_be16(&w, len);
	writer_u8(&w, 58);
	writer_u8(&w, hops);
	writer_bytes(&w, from, 16);
	writer_bytes(&w, to, 16);
	writer_bytes(&w, message, len);
	sum = csum_combine(csum_pseudo6(frame + 14, 58, len),
			   csum_add(0, frame + 54, len));
	csum_store(frame + 56, sum);
	return station_receive(station, &client, frame, 54 + len, now);
}

#define OURS	"\xfd\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\1"
#define THEIRS	"\xfd\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\7"
#define LINK	"\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\7"
#define NODE	"\xff\2\0\0\0\0\0\0\0\0\0\1\xff\0\0\1"
#define ROUTERS "\xff\2\0\0\0\0\0\0\0\0\0\0\0\0\0\2"
#define NOTHING "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

static void rfc4861_7_solicitations(void **state)
{
	uint8_t ns[32] = { 135 };
	struct ip_address ip = ip_address_of((const uint8_t *)THEIRS, 16);
	uint64_t mac;

	memcpy(ns + 8, OURS, 16);
	ns[24] = ns[25] = 1;
	store_be16(ns + 26, MAC(7) >> 32);
	store_be32(ns + 28, (uint32_t)MAC(7));
	icmp6(THEIRS, NODE, 64, ns, 32); /* passed a router */
	assert_int_equal(n_sent, 0);
	icmp6(NOTHING, NODE, 255, ns, 32); /* an address and none */
	assert_int_equal(n_sent, 0);
	icmp6(THEIRS, NODE, 255, ns, 32);
	assert_int_equal(n_sent, 1);
	assert_int_equal(sent[54], 136);
	assert_int_equal(sent[58], 0x60); /* solicited, override */
	assert_memory_equal(sent + 38, THEIRS, 16);
	assert_true(load_mac(sent + 80) == GATEWAY_MAC);
	assert_int_equal(neighbor_cache_resolve(station_neighbors(station), &ip,
						1, now, &mac),
			 0);
	assert_true(mac == MAC(7));
	/* 7.2.4: who makes sure that its address is free is told by all */
	icmp6(NOTHING, NODE, 255, ns, 24);
	assert_int_equal(n_sent, 2);
	assert_int_equal(sent[38], 0xff);
	assert_int_equal(sent[58], 0x20);
	ns[25] = 0; /* 4.6: an option of no length */
	icmp6(THEIRS, NODE, 255, ns, 32);
	assert_int_equal(n_sent, 2);
	assert_int_equal(station_counters(station)->bad, 3);
}

static void rfc4861_6_2_advertisements(void **state)
{
	uint8_t rs[8] = { 133 };

	config.ra = (struct station_ra){ .enabled = true,
					 .mtu = 1400,
					 .default_router = true,
					 .n_rdnss = 1 };
	station_configure(station, &config, now);
	station_run(station, now);
	assert_int_equal(n_sent, 1);
	assert_int_equal(sent[54], 134);
	assert_int_equal(load_be16(sent + 60), 1800);
	/* 6.2.6: to all at most once in 3 seconds */
	icmp6(NOTHING, ROUTERS, 255, rs, 8);
	icmp6(NOTHING, ROUTERS, 255, rs, 8);
	station_run(station, now);
	assert_int_equal(n_sent, 1);
	assert_int_equal(station_next_ms(station), now + 3000);
	later(3000);
	assert_int_equal(n_sent, 2);
	icmp6(LINK, ROUTERS, 255, rs, 8); /* to one at once */
	assert_int_equal(n_sent, 3);
	assert_memory_equal(sent + 38, LINK, 16);
	later(16000);
	later(16000);
	assert_int_equal(n_sent, 5);
	assert_int_equal(station_next_ms(station), now + 600000);
	station_withdraw(station); /* 6.2.5 */
	assert_int_equal(load_be16(sent + 60), 0);
	assert_true(station_next_ms(station) > now + 600000);
}

static void rfc4443_4_2_pings(void **state)
{
	uint8_t echo[12] = { 128, 0, 0, 0, 1, 2, 3, 4, 'a', 'b', 'c', 'd' };

	assert_true(icmp6(THEIRS, OURS, 64, echo, 12));
	assert_int_equal(n_sent, 1);
	assert_int_equal(sent[54], 129);
	assert_memory_equal(sent + 58, echo + 4, 8);
	assert_memory_equal(sent + 22, OURS, 16);
	/* to somebody else: the caller's to route */
	assert_false(icmp6(OURS, THEIRS, 64, echo, 12));
}

static void rfc8415_18_3_6_information_requests(void **state)
{
	static const uint8_t request[] = { 11, 1, 2, 3, 0, 1, 0, 4, 0,
					   4,  9, 9, 0, 6, 0, 2, 0, 23 };
	static const struct dhcpv6_config c = { .mac = GATEWAY_MAC,
						.dns = { { 0xfd } },
						.n_dns = 1,
						.domain = "lab" };
	uint8_t reply[DHCPV6_REPLY_MAX], solicit[sizeof(request)];

	assert_int_equal(
		dhcpv6_answer(&c, request, sizeof(request), true, reply),
		4 + 14 + 8 + 20);
	assert_memory_equal(reply, "\7\1\2\3\0\2\0\12\0\3\0\1", 12);
	assert_memory_equal(reply + 18, request + 4, 8);
	assert_int_equal(
		dhcpv6_answer(&c, request, sizeof(request), false, reply), 0);
	for (size_t n = 4; n < sizeof(request); n++)
		if (n != 4 && n != 12) /* ends between options */
			assert_int_equal(
				dhcpv6_answer(&c, request, n, true, reply), 0);
	memcpy(solicit, request, sizeof(request));
	solicit[0] = 1;
	assert_int_equal(
		dhcpv6_answer(&c, solicit, sizeof(solicit), true, reply), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
/* Who looks into a mirror sees what the cache would say. */
static void a_mirror_shows_what_is_known(void **state)
{
	arp_as(MAC(1), 1, IP(10), GATEWAY_IP);
	assert_true(mirror[10] == MAC(1));
	/* Another takes it over when the first is not there any more. */
	later(NEIGHBOR_REACHABLE_MS);
	arp_as(MAC(2), 1, IP(10), GATEWAY_IP);
	assert_true(mirror[10] == MAC(2));
	/* Being asked for is not known. */
	assert_true(mac_of(IP(11)) == 0);
	assert_true(mirror[11] == 0);
	arp_as(MAC(3), 2, IP(11), GATEWAY_IP);
	assert_true(mirror[11] == MAC(3));
	/* A lease makes it somebody else's, who has not been heard of. */
	owner_mac = MAC(4);
	arp_as(MAC(3), 2, IP(11), GATEWAY_IP);
	assert_true(mirror[11] == 0);
	owner_mac = 0;
	neighbor_cache_forget_port(station_neighbors(station), 1);
	assert_true(mirror[10] == 0);
	arp_as(MAC(5), 1, IP(12), GATEWAY_IP);
	assert_true(mirror[12] == MAC(5));
	later(NEIGHBOR_FORGET_MS);
	later(NEIGHBOR_FORGET_MS);
	assert_true(mirror[12] == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_mirror_shows_what_is_known),
		T(rfc826_requests_are_answered_and_learnt),
		T(rfc5227_probes_and_claims_of_our_address),
		T(further_addresses_are_its_own_as_well),
		T(who_answers_keeps_a_claimed_address),
		T(who_is_gone_loses_a_claimed_address),
		T(an_address_with_an_owner_is_the_owners),
		T(a_stranger_is_reported_before_its_owner_spoke),
		T(unknown_addresses_are_asked_for),
		T(rfc1122_2_3_2_1_silent_neighbours_are_asked_and_forgotten),
		T(limits_hold_for_mac_and_port),
		T(rfc4861_7_solicitations),
		T(rfc4861_6_2_advertisements),
		T(rfc4443_4_2_pings),
		T(rfc8415_18_3_6_information_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
