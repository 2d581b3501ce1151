/*
 * What a guarded port's station may say of addresses and services: ARP,
 * neighbour discovery, routers, DHCP servers; and how it could try to say it
 * unseen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "packet/neighbor.h"
#include "packet/parse.h"
#include "policy/inspect.h"

#define OWN   0x020000000011
#define OTHER 0x020000000099

#define PASS -1

static const uint8_t own4[4] = { 192, 0, 2, 1 };
static const uint8_t other4[4] = { 192, 0, 2, 9 };
static const uint8_t own6[16] = { 0x20, 0x01, 0xd, 0xb8, [15] = 1 };
static const uint8_t other6[16] = { 0x20, 0x01, 0xd, 0xb8, [15] = 9 };
/* of the MAC OWN, and of OTHER */
static const uint8_t link_own[16] = {
	0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0x00, 0xff, 0xfe, 0, 0, 0x11
};
static const uint8_t link_other[16] = {
	0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0x00, 0xff, 0xfe, 0, 0, 0x99
};
static const uint8_t nowhere[16];

static uint64_t macs[] = { OWN };
static struct allowed_ip4 ip4s[1];
static struct allowed_ip6 ip6s[1];
static struct inspect_rules rules, guards_dhcp, guards_router;

static uint8_t frame[512];
static size_t len;

static int set_up(void **state)
{
	ip4s[0] = allowed_prefix4(own4, 32);
	ip6s[0] = allowed_prefix6(own6, 128);
	rules.allowed = (struct allowed){
		.guards_macs = true,
		.guards_ips = true,
		.n_macs = 1,
		.macs = macs,
		.ips = { 1, 1, ip4s, ip6s },
	};
	guards_dhcp.dhcp_guard = true;
	guards_router.router_guard = true;
	return 0;
}

/* The frame, in pieces, as a port would hand it in. */
static int judge_pieces(const struct inspect_rules *r, uint32_t first)
{
	struct packet_segment pieces[2] = {
		{ frame, first }, { frame + first, (uint32_t)len - first }
	};
	struct inspect_place place;
	struct packet p;
	int reason;

	packet_init(&p, frame, len);
	p.segments = pieces;
	p.n_segments = 2;
	packet_pull(&p, PACKET_PULL);
	reason = inspect_locate(&p, &place);
	return reason >= 0 ? reason : inspect_packet(r, &p, &place);
}

static int judge(const struct inspect_rules *r)
{
	int reason = judge_pieces(r, 0);

	assert_int_equal(judge_pieces(r, len / 2), reason);
	assert_int_equal(judge_pieces(r, len), reason);
	return reason;
}

static void put_mac(uint8_t *p, uint64_t mac)
{
	store_be16(p, mac >> 32);
	store_be32(p + 2, mac);
}

static uint8_t *put(const void *data, size_t n)
{
	uint8_t *at = frame + len;

	assert_true(len + n <= sizeof(frame));
	if (data)
		memcpy(at, data, n);
	else
		memset(at, 0, n);
	len += n;
	return at;
}

static void ethernet(uint64_t from, uint16_t type)
{
	uint8_t *p;

	len = 0;
	p = put(NULL, ETH_HEADER_LEN);
	put_mac(p, MAC_BROADCAST);
	put_mac(p + 6, from);
	store_be16(p + 12, type);
}

/* --- ARP ----------------------------------------------------------------- */

static int arp(uint64_t from, uint64_t sender, const uint8_t *sender_ip,
	       const uint8_t *target_ip, uint8_t operation)
{
	uint8_t *p;

	ethernet(from, ETH_TYPE_ARP);
	p = put((uint8_t[]){ 0, 1, 8, 0, 6, 4, 0, operation }, 8);
	p = put(NULL, 20);
	put_mac(p, sender);
	memcpy(p + 6, sender_ip, 4);
	memcpy(p + 16, target_ip, 4);
	put(NULL, 18);
	return judge(&rules);
}

static void arp_senders(void **state)
{
	assert_int_equal(arp(OWN, OWN, own4, other4, 1), PASS);
	assert_int_equal(arp(OWN, OWN, own4, own4, 2), PASS);
	assert_int_equal(arp(OWN, OWN, other4, own4, 1), DROP_SPOOFED_ARP);
	assert_int_equal(arp(OWN, OWN, other4, own4, 2), DROP_SPOOFED_ARP);
	assert_int_equal(arp(OWN, OTHER, own4, other4, 2), DROP_SPOOFED_ARP);
	assert_int_equal(arp(OTHER, OTHER, own4, other4, 2), DROP_SPOOFED_ARP);
	/* probes (RFC 5227), of one's own address only */
	assert_int_equal(arp(OWN, OWN, nowhere, own4, 1), PASS);
	assert_int_equal(arp(OWN, OWN, nowhere, other4, 1), DROP_SPOOFED_ARP);
	assert_int_equal(arp(OWN, OWN, nowhere, own4, 2), DROP_SPOOFED_ARP);
}

static void arp_of_any_mac(void **state)
{
	rules.allowed.guards_macs = false;
	assert_int_equal(arp(OTHER, OTHER, own4, other4, 1), PASS);
	assert_int_equal(arp(OWN, OTHER, own4, other4, 1), DROP_SPOOFED_ARP);
}

static void arp_that_cannot_be(void **state)
{
	static const struct {
		unsigned at;
		uint8_t is;
	} bad[] = { { 15, 9 }, { 16, 9 }, { 18, 5 }, { 19, 16 } };
	size_t whole;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		arp(OWN, OWN, own4, other4, 1);
		frame[bad[i].at] = bad[i].is;
		assert_int_equal(judge(&rules), DROP_SPOOFED_ARP);
	}
	assert_int_equal(arp(OWN, OWN, own4, other4, 1), PASS);
	for (whole = ETH_HEADER_LEN + 28, len = 14; len < whole; len++)
		assert_int_equal(judge(&rules), DROP_SPOOFED_ARP);
	assert_int_equal(judge(&rules), PASS);
}

static void rarp(void **state)
{
	len = neighbor_announce(OWN, NULL, 0, frame);
	assert_int_equal(judge(&rules), PASS);
	len = neighbor_announce(OTHER, NULL, 0, frame);
	assert_int_equal(judge(&rules), DROP_SPOOFED_ARP);
}

/* What DHCP leases is known in time, and no longer than the lease. */
static void leases(void **state)
{
	struct allowed_ip4 leased4 = allowed_prefix4(other4, 32);
	struct allowed_ips list = { 1, 0, &leased4, NULL };
	const struct allowed_ips *_Atomic slot = NULL;

	rules.allowed.leased = &slot;
	assert_int_equal(arp(OWN, OWN, other4, own4, 1), DROP_SPOOFED_ARP);
	assert_int_equal(arp(OWN, OWN, nowhere, other4, 1), PASS);
	slot = &list;
	assert_int_equal(arp(OWN, OWN, other4, own4, 1), PASS);
	slot = NULL;
	assert_int_equal(arp(OWN, OWN, other4, own4, 1), DROP_SPOOFED_ARP);
}

/* --- IPv6 ---------------------------------------------------------------- */

static void ip6(const uint8_t *source, uint8_t next, unsigned payload)
{
	uint8_t *p;

	ethernet(OWN, ETH_TYPE_IPV6);
	p = put(NULL, 8);
	p[0] = 0x60;
	store_be16(p + 4, payload);
	p[6] = next;
	p[7] = 255;
	put(source, 16);
	put((uint8_t[16]){ 0xff, 2, [15] = 1 }, 16);
}

static void option(uint8_t type, uint64_t mac)
{
	uint8_t *p = put(NULL, 8);

	p[0] = type;
	p[1] = 1;
	put_mac(p + 2, mac);
}

/* mac 0: without an option. */
static int nd(const uint8_t *source, uint8_t type, const uint8_t *target,
	      uint64_t mac)
{
	ip6(source, 58, mac ? 32 : 24);
	*put(NULL, 8) = type;
	put(target, 16);
	if (mac)
		option(type == 135 ? 1 : 2, mac);
	return judge(&rules);
}

static void nd_solicitations(void **state)
{
	assert_int_equal(nd(own6, 135, other6, OWN), PASS);
	assert_int_equal(nd(link_own, 135, other6, OWN), PASS);
	assert_int_equal(nd(own6, 135, other6, 0), PASS);
	assert_int_equal(nd(own6, 135, other6, OTHER), DROP_SPOOFED_ND);
	assert_int_equal(nd(other6, 135, own6, OWN), DROP_SPOOFED_ND);
	assert_int_equal(nd(link_other, 135, own6, OWN), DROP_SPOOFED_ND);
	/* whether an address is free: of one's own only */
	assert_int_equal(nd(nowhere, 135, own6, 0), PASS);
	assert_int_equal(nd(nowhere, 135, link_own, 0), PASS);
	assert_int_equal(nd(nowhere, 135, other6, 0), DROP_SPOOFED_ND);
}

static void nd_advertisements(void **state)
{
	assert_int_equal(nd(own6, 136, own6, OWN), PASS);
	assert_int_equal(nd(link_own, 136, own6, OWN), PASS);
	assert_int_equal(nd(link_own, 136, own6, 0), PASS);
	assert_int_equal(nd(link_own, 136, other6, OWN), DROP_SPOOFED_ND);
	assert_int_equal(nd(own6, 136, own6, OTHER), DROP_SPOOFED_ND);
	assert_int_equal(nd(link_other, 136, own6, OWN), DROP_SPOOFED_ND);
	assert_int_equal(nd(nowhere, 136, own6, OWN), DROP_SPOOFED_ND);
}

static void nd_of_routers(void **state)
{
	ip6(link_own, 58, 16);
	*put(NULL, 8) = 133;
	option(1, OWN);
	assert_int_equal(judge(&rules), PASS);
	put_mac(frame + len - 6, OTHER);
	assert_int_equal(judge(&rules), DROP_SPOOFED_ND);
	ip6(nowhere, 58, 8);
	*put(NULL, 8) = 133;
	assert_int_equal(judge(&rules), PASS);
	/* One that may route may say so, as itself. */
	ip6(link_own, 58, 80);
	*put(NULL, 80) = 134;
	assert_int_equal(judge(&rules), PASS);
	memcpy(frame + 22, link_other, 16);
	assert_int_equal(judge(&rules), DROP_SPOOFED_ND);
	assert_int_equal(nd(link_other, 137, own6, OTHER), DROP_SPOOFED_ND);
	/* What else there is of ICMPv6 is not looked at here. */
	assert_int_equal(nd(link_other, 143, own6, OTHER), PASS);
}

static void nd_that_cannot_be(void **state)
{
	assert_int_equal(nd(own6, 136, own6, OWN), PASS);
	frame[ETH_HEADER_LEN + 40 + 25] = 0; /* an option without length */
	assert_int_equal(judge(&rules), DROP_SPOOFED_ND);
	frame[ETH_HEADER_LEN + 40 + 25] = 2; /* one that passes the end */
	assert_int_equal(judge(&rules), DROP_SPOOFED_ND);
	/* cut before its target's end */
	nd(own6, 136, own6, 0);
	frame[ETH_HEADER_LEN + 5] = 20;
	assert_int_equal(judge(&rules), DROP_SPOOFED_ND);
	/* the lie in a second option, and one out of sight */
	nd(own6, 136, own6, OWN);
	frame[ETH_HEADER_LEN + 5] = 40;
	option(2, OTHER);
	assert_int_equal(judge(&rules), DROP_SPOOFED_ND);
	nd(own6, 136, own6, OWN);
	frame[ETH_HEADER_LEN + 5] = 56;
	option(14, 0);
	option(14, 0);
	option(2, OTHER);
	assert_int_equal(judge(&rules), DROP_UNINSPECTED);
}

/* --- ways to hide -------------------------------------------------------- */

static const struct inspect_rules *const all_rules[] = { &rules, &guards_dhcp,
							 &guards_router };

static void advertisement_of_router(unsigned extension_len, uint8_t extension)
{
	ip6(link_own, extension_len ? extension : 58, extension_len + 16);
	if (extension_len) {
		uint8_t *p = put(NULL, extension_len);

		p[0] = 58;
		p[1] = extension == 51 ? extension_len / 4 - 2
				       : extension_len / 8 - 1;
	}
	*put(NULL, 16) = 134;
}

static void behind_extensions(void **state)
{
	static const uint8_t headers[] = { 0, 43, 60, 51, 135, 139, 140, 253 };

	advertisement_of_router(0, 0);
	assert_int_equal(judge(&guards_router), DROP_ROUTER);
	assert_int_equal(judge(&guards_dhcp), PASS);
	for (unsigned i = 0; i < sizeof(headers); i++) {
		advertisement_of_router(8, headers[i]);
		assert_int_equal(judge(&guards_router), DROP_ROUTER);
		advertisement_of_router(40, headers[i]);
		assert_int_equal(judge(&guards_router), DROP_ROUTER);
		advertisement_of_router(64, headers[i]);
		assert_int_equal(judge(&guards_router), DROP_UNINSPECTED);
		assert_int_equal(judge(&guards_dhcp), DROP_UNINSPECTED);
		/* what came by a router is no router's word */
		frame[ETH_HEADER_LEN + 7] = 64;
		assert_int_equal(judge(&guards_router), PASS);
		assert_int_equal(judge(&guards_dhcp), DROP_UNINSPECTED);
	}
	/* Headers that the packet ends in reach nobody. */
	advertisement_of_router(40, 60);
	frame[ETH_HEADER_LEN + 5] = 32;
	assert_int_equal(judge(&guards_router), PASS);
}

static void fragment(uint8_t next, uint16_t offset_more, unsigned payload)
{
	uint8_t *p;

	ip6(link_own, 44, 8 + payload);
	p = put(NULL, 8);
	p[0] = next;
	store_be16(p + 2, offset_more);
}

static void in_fragments(void **state)
{
	fragment(58, 1, 16);
	*put(NULL, 16) = 134;
	assert_int_equal(judge(&guards_router), DROP_ROUTER);
	assert_int_equal(judge(&rules), DROP_SPOOFED_ND);
	/* RFC 6980: not even a fragment that is the whole */
	fragment(58, 0, 24);
	*put(NULL, 8) = 136;
	put(own6, 16);
	assert_int_equal(judge(&rules), DROP_SPOOFED_ND);
	/* a first one without the headers (RFC 7112) */
	fragment(60, 1, 8);
	put((uint8_t[8]){ 58, 3 }, 8);
	for (unsigned i = 0; i < ARRAY_SIZE(all_rules); i++)
		assert_int_equal(judge(all_rules[i]), DROP_UNINSPECTED);
	/* one in another */
	fragment(44, 1, 32);
	put((uint8_t[8]){ 58 }, 8);
	*put(NULL, 24) = 134;
	assert_int_equal(judge(&guards_router), DROP_UNINSPECTED);
	/* a later one */
	fragment(58, 24 << 3, 24);
	*put(NULL, 24) = 134;
	assert_int_equal(judge(&guards_router), PASS);
}

/* Inserts n bytes at `at`. */
static void insert(size_t at, const void *data, size_t n)
{
	memmove(frame + at + n, frame + at, len - at);
	memcpy(frame + at, data, n);
	len += n;
}

static void behind_tags_and_snap(void **state)
{
	static const uint8_t tag[4] = { 0x81, 0, 0, 0 };
	static const uint8_t snap[10] = { 0x02, 0, 0xaa, 0xaa, 3,
					  0,	0, 0,	 0x86, 0xdd };
	static const uint8_t tunnel[10] = { 0, 99, 0xaa, 0xaa, 3,
					    0, 0,  0xf8, 0x86, 0xdd };

	advertisement_of_router(0, 0);
	for (unsigned i = 0; i < 4; i++) {
		insert(12, tag, 4);
		assert_int_equal(judge(&guards_router), DROP_ROUTER);
	}
	insert(12, tag, 4);
	assert_int_equal(judge(&guards_router), DROP_UNINSPECTED);
	advertisement_of_router(0, 0);
	insert(12, snap, 8);
	assert_int_equal(judge(&guards_router), DROP_ROUTER);
	/* a length that is not the frame's: some receivers do not care */
	insert(12, tag, 4);
	assert_int_equal(judge(&guards_router), DROP_ROUTER);
	advertisement_of_router(0, 0);
	insert(12, tunnel, 8);
	assert_int_equal(judge(&guards_router), DROP_ROUTER);
	/* a tag behind the SNAP header */
	store_be16(frame + 20, ETH_TYPE_VLAN);
	assert_int_equal(judge(&guards_router), DROP_UNINSPECTED);
	/* 802.2 without SNAP: a bridge's, for one */
	advertisement_of_router(0, 0);
	insert(12, "\0\x26\x42\x42\3\0\0\0", 8);
	assert_int_equal(judge(&guards_router), PASS);
}

/* --- IPv4 and DHCP ------------------------------------------------------- */

static void ip4(uint8_t protocol, unsigned options, uint16_t fragment_field,
		unsigned payload)
{
	uint8_t *p;

	ethernet(OWN, ETH_TYPE_IPV4);
	p = put(NULL, 20 + options);
	p[0] = 0x45 + options / 4;
	store_be16(p + 2, 20 + options + payload);
	store_be16(p + 6, fragment_field);
	p[9] = protocol;
}

static int udp4(unsigned options, uint16_t fragment_field, uint16_t from,
		uint16_t to, uint8_t first)
{
	uint8_t *p;

	ip4(17, options, fragment_field, 300);
	p = put(NULL, 300);
	store_be16(p, from);
	store_be16(p + 2, to);
	p[8] = first;
	return judge(&guards_dhcp);
}

static void dhcp_servers(void **state)
{
	for (unsigned options = 0; options <= 40; options += 20) {
		assert_int_equal(udp4(options, 0, 67, 68, 2), DROP_DHCP_SERVER);
		assert_int_equal(judge(&guards_router), PASS);
		assert_int_equal(udp4(options, 0, 67, 67, 2), DROP_DHCP_SERVER);
		/* from any port: clients do not care */
		assert_int_equal(udp4(options, 0, 999, 68, 2),
				 DROP_DHCP_SERVER);
		/* its first fragment */
		assert_int_equal(udp4(options, 0x2000, 67, 68, 2),
				 DROP_DHCP_SERVER);
		assert_int_equal(udp4(options, 0x2010, 67, 68, 2), PASS);
		assert_int_equal(udp4(options, 0, 999, 67, 2),
				 DROP_DHCP_SERVER);
		/* a client, a relay to a server */
		assert_int_equal(udp4(options, 0, 68, 67, 1), PASS);
		assert_int_equal(udp4(options, 0, 67, 67, 1), PASS);
		assert_int_equal(udp4(options, 0, 53, 5353, 2), PASS);
	}
	/* ports out of sight */
	udp4(0, 0x2000, 67, 68, 2);
	store_be16(frame + ETH_HEADER_LEN + 2, 20 + 4);
	assert_int_equal(judge(&guards_dhcp), DROP_UNINSPECTED);
}

static int udp6(uint16_t from, uint16_t to, uint8_t type)
{
	uint8_t *p;

	ip6(link_own, 17, 60);
	p = put(NULL, 60);
	store_be16(p, from);
	store_be16(p + 2, to);
	p[8] = type;
	return judge(&guards_dhcp);
}

static void dhcpv6_servers(void **state)
{
	static const uint8_t of_servers[] = { 2, 7, 10, 13 };
	static const uint8_t of_clients[] = { 1, 3, 4, 5, 6, 8, 9, 11, 12 };

	for (unsigned i = 0; i < sizeof(of_servers); i++) {
		assert_int_equal(udp6(547, 546, of_servers[i]),
				 DROP_DHCP_SERVER);
		assert_int_equal(udp6(999, 546, of_servers[i]),
				 DROP_DHCP_SERVER);
		assert_int_equal(udp6(547, 547, of_servers[i]),
				 DROP_DHCP_SERVER);
		assert_int_equal(udp6(999, 547, of_servers[i]),
				 DROP_DHCP_SERVER);
		assert_int_equal(judge(&guards_router), PASS);
	}
	for (unsigned i = 0; i < sizeof(of_clients); i++)
		assert_int_equal(udp6(546, 547, of_clients[i]), PASS);
	assert_int_equal(udp6(547, 547, 12), PASS); /* a relay's */
}

static void routers_of_ip4(void **state)
{
	static const struct {
		uint8_t type;
		int reason;
	} cases[] = { { 5, DROP_ROUTER }, { 9, DROP_ROUTER }, { 8, PASS },
		      { 0, PASS },	  { 3, PASS },	      { 10, PASS } };

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		ip4(1, 0, 0, 16);
		*put(NULL, 16) = cases[i].type;
		assert_int_equal(judge(&guards_router), cases[i].reason);
		assert_int_equal(judge(&guards_dhcp), PASS);
	}
}

/* The short tests say plain of nothing that would be judged otherwise. */
static void plain(void **state)
{
	udp4(0, 0, 53, 999, 2);
	assert_true(inspect_is_plain4(frame + ETH_HEADER_LEN));
	udp4(4, 0, 53, 999, 2);
	assert_false(inspect_is_plain4(frame + ETH_HEADER_LEN));
	udp4(0, 0x2000, 53, 999, 2);
	assert_false(inspect_is_plain4(frame + ETH_HEADER_LEN));
	for (unsigned port = 0; port < 65536; port++) {
		bool dhcp = port == 67 || port == 68;
		bool dhcp6 = port == 546 || port == 547;

		store_be16(frame + ETH_HEADER_LEN + 6, 0x4000);
		store_be16(frame + ETH_HEADER_LEN + 20, 999);
		store_be16(frame + ETH_HEADER_LEN + 22, port);
		assert_true(inspect_is_plain4(frame + ETH_HEADER_LEN) != dhcp);
		store_be16(frame + ETH_HEADER_LEN + 20, port);
		store_be16(frame + ETH_HEADER_LEN + 22, 999);
		assert_true(inspect_is_plain4(frame + ETH_HEADER_LEN) != dhcp);
		if (dhcp6 || port < 99) {
			udp6(999, port, 2);
			assert_true(inspect_is_plain6(frame + 14) != dhcp6);
			udp6(port, 999, 2);
			assert_true(inspect_is_plain6(frame + 14) != dhcp6);
			udp4(0, 0, 53, 999, 2);
		}
	}
}

static void prefixes(void **state)
{
	struct allowed *a = &rules.allowed;
	uint8_t ip[16];

	ip4s[0] = allowed_prefix4(other4, 24);
	assert_true(allowed_ip4(a, 0xc0000201) && allowed_ip4(a, 0xc00002ff));
	assert_false(allowed_ip4(a, 0xc0000301) || allowed_ip4(a, 0));
	ip4s[0] = allowed_prefix4(own4, 0);
	assert_true(allowed_ip4(a, 0x01020304));
	assert_false(allowed_ip4(a, 0));
	for (unsigned bits = 0; bits <= 128; bits++) {
		ip6s[0] = allowed_prefix6(own6, bits);
		for (unsigned bit = 0; bit < 128; bit++) {
			memcpy(ip, own6, 16);
			ip[bit / 8] ^= 0x80 >> bit % 8;
			assert_true(allowed_ip6(a, ip) == (bit >= bits));
		}
		assert_false(allowed_ip6(a, nowhere));
	}
	assert_true(allowed_ip6(a, link_own));
	a->guards_macs = false; /* the MACs are still the station's */
	assert_true(allowed_ip6(a, link_own));
	a->n_macs = 0;
	assert_true(allowed_ip6(a, link_own));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(arp_senders, set_up),
		cmocka_unit_test_setup(arp_of_any_mac, set_up),
		cmocka_unit_test_setup(arp_that_cannot_be, set_up),
		cmocka_unit_test_setup(rarp, set_up),
		cmocka_unit_test_setup(leases, set_up),
		cmocka_unit_test_setup(nd_solicitations, set_up),
		cmocka_unit_test_setup(nd_advertisements, set_up),
		cmocka_unit_test_setup(nd_of_routers, set_up),
		cmocka_unit_test_setup(nd_that_cannot_be, set_up),
		cmocka_unit_test_setup(behind_extensions, set_up),
		cmocka_unit_test_setup(in_fragments, set_up),
		cmocka_unit_test_setup(behind_tags_and_snap, set_up),
		cmocka_unit_test_setup(dhcp_servers, set_up),
		cmocka_unit_test_setup(dhcpv6_servers, set_up),
		cmocka_unit_test_setup(routers_of_ip4, set_up),
		cmocka_unit_test_setup(plain, set_up),
		cmocka_unit_test_setup(prefixes, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
