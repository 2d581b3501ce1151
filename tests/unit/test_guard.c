/*
 * Guards in the pipeline: who a station may say it is, what is learned of it,
 * and which frames it gets. That the short ways say nothing else than the long
 * one is shown by many frames.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "forward/policies.h"
#include "policy/guard.h"
#include "switch_fixture.h"

#define OWN_MAC	  0x020000000001ull
#define OTHER_MAC 0x020000000002ull
#define NEW_MAC	  0x020000000009ull
#define OWN_IP	  0x0a000001
#define FRAME_MAX 96

static struct fixture *f;
static struct fwd_bridge *bridge;
static struct fixture_port *own, *other, *third;
static uint64_t own_mac = OWN_MAC;
static struct allowed_ip4 own_ip4[2] = { { OWN_IP, UINT32_MAX },
					 { 0x0a640000, 0xffff0000 } };
static struct allowed_ip6 own_ip6;
static const uint8_t own6[16] = { 0xfd, [15] = 1 };
static const struct vlan_config access_10 = { .mode = VLAN_ACCESS, .tag = 10 };

static struct inspect_rules rules_of(bool macs, bool ips)
{
	return (struct inspect_rules){
		.allowed = { .guards_macs = macs,
			     .guards_ips = ips,
			     .n_macs = 1,
			     .macs = &own_mac,
			     .ips = { 2, 1, own_ip4, &own_ip6 } },
	};
}

static int set_up(void **state)
{
	own_ip6 = allowed_prefix6(own6, 128);
	f = fixture_create();
	bridge = fixture_bridge(f, "br0");
	own = fixture_port(f, bridge, NULL);
	other = fixture_port(f, bridge, NULL);
	third = fixture_port(f, bridge, &access_10);
	fdb_learn(bridge->fdb, fdb_make_key(OTHER_MAC, 0), other->fwd->number);
	return 0;
}

static int tear_down(void **state)
{
	fixture_destroy(f);
	return 0;
}

static void guard(bool macs, bool ips, bool learns_all)
{
	const struct inspect_rules rules = rules_of(macs, ips);

	fwd_port_ingress(own->fwd)->guard = guard_create(&rules, learns_all);
}

static uint32_t put_head(uint8_t *to, uint64_t dst, uint64_t src, uint16_t tci,
			 uint16_t type)
{
	uint32_t at = 12;

	memset(to, 0, FRAME_MAX);
	store_be16(to, dst >> 32);
	store_be32(to + 2, dst);
	store_be16(to + 6, src >> 32);
	store_be32(to + 8, src);
	if (tci) {
		store_be16(to + 12, ETH_TYPE_VLAN);
		store_be16(to + 14, tci);
		at += VLAN_TAG_LEN;
	}
	store_be16(to + at, type);
	return at + 2;
}

struct shot {
	uint64_t src;
	uint16_t tci, sport, dport;
	uint32_t ip;
	uint8_t proto;
};

static uint32_t put_ip4(uint8_t *to, const struct shot *s)
{
	uint32_t at = put_head(to, OTHER_MAC, s->src, s->tci, ETH_TYPE_IPV4);

	store_be16(to + at, 0x4500);
	store_be16(to + at + 2, 46);
	to[at + 8] = 64;
	to[at + 9] = s->proto;
	store_be32(to + at + 12, s->ip);
	store_be32(to + at + 16, 0x0a000002);
	store_be16(to + at + 20, s->sport);
	store_be16(to + at + 22, s->dport);
	return 72;
}

/* How many of n such frames in one burst get to the other port. */
static unsigned shoot(const struct shot *shots, unsigned n)
{
	static uint8_t frames[8][FRAME_MAX];
	struct iovec v[8];

	for (unsigned i = 0; i < n; i++)
		v[i] = (struct iovec){ frames[i],
				       put_ip4(frames[i], &shots[i]) };
	fixture_forget(f);
	fixture_burst(f, own, v, n);
	return other->n_sent;
}

static const struct shot good = { OWN_MAC, 0, 4000, 80, OWN_IP, 6 };

static void forged_macs(void **state)
{
	struct shot s[3] = { good, good, good };

	guard(true, false, true);
	assert_int_equal(shoot(s, 3), 3);
	s[1].src = NEW_MAC;
	assert_int_equal(shoot(s, 3), 2);
	assert_int_equal(fixture_drops(own, DROP_FORGED_SOURCE), 1);
	s[1].tci = s[2].tci = 7;
	assert_int_equal(shoot(s, 3), 2);
	assert_int_equal(fixture_drops(own, DROP_FORGED_SOURCE), 2);
	s[1].src = OWN_MAC;
	fdb_learn(bridge->fdb, fdb_make_key(OTHER_MAC, 7), other->fwd->number);
	assert_int_equal(shoot(s, 3), 3);
	assert_int_equal(fdb_lookup(bridge->fdb, fdb_make_key(NEW_MAC, 0)),
			 FDB_NONE);
}

static void spoofed_ip4(void **state)
{
	struct shot s[4] = { good, good, good, good };

	guard(true, true, true);
	s[1].proto = 17;
	s[2].ip = 0x0a640102; /* of the network */
	assert_int_equal(shoot(s, 4), 4);
	s[1].ip = OWN_IP + 1;
	assert_int_equal(shoot(s, 4), 3);
	assert_int_equal(fixture_drops(own, DROP_SPOOFED_IP), 1);
	s[2].ip = 0; /* nobody sends no TCP */
	assert_int_equal(shoot(s, 4), 2);
	assert_int_equal(fixture_drops(own, DROP_SPOOFED_IP), 3);
	for (unsigned i = 0; i < 4; i++)
		s[i].tci = 7;
	fdb_learn(bridge->fdb, fdb_make_key(OTHER_MAC, 7), other->fwd->number);
	assert_int_equal(shoot(s, 4), 2);
	assert_int_equal(fixture_drops(own, DROP_SPOOFED_IP), 5);
	/* Whose own MAC is as little as others' to be guarded. */
	assert_int_equal(fixture_drops(own, DROP_FORGED_SOURCE), 0);
}

/* Who has no address yet asks for one. */
static void nobody4(void **state)
{
	const struct shot s = { OWN_MAC, 0, 68, 67, 0, 17 };
	uint8_t frame[FRAME_MAX];
	uint32_t n = put_ip4(frame, &s);

	guard(true, true, true);
	store_be16(frame, 0xffff);
	store_be32(frame + 2, UINT32_MAX);
	store_be32(frame + 30, UINT32_MAX);
	fixture_frame(f, own, frame, n);
	assert_int_equal(fixture_drops(own, DROP_SPOOFED_IP), 0);
	store_be16(frame + 36, 69);
	fixture_frame(f, own, frame, n);
	assert_int_equal(fixture_drops(own, DROP_SPOOFED_IP), 1);
	store_be16(frame + 36, 67);
	store_be32(frame + 30, 0x0a000002);
	fixture_frame(f, own, frame, n);
	assert_int_equal(fixture_drops(own, DROP_SPOOFED_IP), 2);
}

/* From src; of UDP, or of that ICMPv6 type. */
static uint64_t shoot6(const uint8_t src[16], uint8_t icmp)
{
	uint8_t frame[FRAME_MAX], *ip = frame + ETH_HEADER_LEN;
	uint64_t before = fixture_drops(own, DROP_SPOOFED_IP);

	put_head(frame, OTHER_MAC, OWN_MAC, 0, ETH_TYPE_IPV6);
	ip[0] = 0x60;
	ip[5] = 24;
	ip[6] = icmp ? 58 : 17;
	ip[7] = 255;
	memcpy(ip + 8, src, 16);
	ip[24] = icmp ? 0xff : 0xfd;
	ip[25] = 2;
	ip[39] = 2;
	if (icmp)
		ip[40] = icmp;
	else
		store_be16(ip + 40, 4000);
	fixture_frame(f, own, frame, ETH_HEADER_LEN + 64);
	return fixture_drops(own, DROP_SPOOFED_IP) - before;
}

static void spoofed_ip6(void **state)
{
	static const uint8_t nobody[16],
		link[16] = { 0xfe, 0x80, [11] = 0xff, 0xfe, [15] = 1 },
		others[16] = { 0xfd, [15] = 2 };

	guard(true, true, true);
	assert_int_equal(shoot6(own6, 0), 0);
	assert_int_equal(shoot6(link, 0), 0);
	assert_int_equal(shoot6(others, 0), 1);
	assert_int_equal(shoot6(nobody, 0), 1);
	assert_int_equal(shoot6(nobody, 143), 0); /* MLD */
	assert_int_equal(shoot6(nobody, 128), 1); /* echo */
}

/* What is not the port's is let through, but found behind it by nobody. */
static void changed_macs(void **state)
{
	struct shot s[4] = { good, good, good, good };

	guard(false, false, false);
	assert_int_equal(shoot(s, 4), 4);
	for (unsigned i = 0; i < 4; i++)
		s[i].src = NEW_MAC;
	assert_int_equal(shoot(s, 4), 4);
	s[0].src = OWN_MAC;
	assert_int_equal(shoot(s, 4), 4);
	assert_int_equal(fdb_lookup(bridge->fdb, fdb_make_key(NEW_MAC, 0)),
			 FDB_NONE);
	assert_int_equal(fdb_lookup(bridge->fdb, fdb_make_key(OWN_MAC, 0)),
			 own->fwd->number);
	/* Nor is a station taken from where it is. */
	s[0].src = OTHER_MAC;
	shoot(s, 1);
	assert_int_equal(fdb_lookup(bridge->fdb, fdb_make_key(OTHER_MAC, 0)),
			 other->fwd->number);
}

static void promiscuous(void **state)
{
	uint8_t frames[4][FRAME_MAX];
	struct iovec v[4];
	static const uint64_t to[4] = { NEW_MAC, OWN_MAC, 0xffffffffffff,
					OTHER_MAC + 1 };

	fwd_port_set_stations(own->fwd, &own_mac, 1);
	for (unsigned i = 0; i < 4; i++) {
		put_head(frames[i], to[i], OTHER_MAC, 0, 0x88b5);
		v[i] = (struct iovec){ frames[i], 64 };
	}
	fixture_burst(f, other, v, 4);
	assert_int_equal(own->n_sent, 2);
	assert_memory_equal(own->sent[0].data, frames[1], 6);
	assert_memory_equal(own->sent[1].data, frames[2], 6);
	/* Nobody else is there to get the others. */
	assert_int_equal(fixture_drops(other, DROP_NO_DESTINATION), 2);
	/* What is known to be behind it. */
	fdb_learn(bridge->fdb, fdb_make_key(NEW_MAC, 0), own->fwd->number);
	fixture_forget(f);
	fixture_burst(f, other, v, 4);
	assert_int_equal(own->n_sent, 3);
}

/* A frame that may be near to a good one. */
static uint32_t vary(uint8_t *frame, bool tag)
{
	struct shot s = { OWN_MAC, tag ? 7 : 0, 4000,
			  53,	   OWN_IP,	rand() % 2 ? 6 : 17 };
	uint32_t n = put_ip4(frame, &s);

	if (rand() % 3 == 0) {
		uint8_t *ip = frame + (tag ? 18 : 14);

		store_be16(ip - 2, ETH_TYPE_IPV6);
		memset(ip, 0, 48);
		ip[0] = 0x60;
		ip[5] = 24;
		ip[6] = s.proto;
		memcpy(ip + 8, own6, 16);
		store_be16(ip + 40, 4000);
	}
	for (unsigned i = rand() % 3; i; i--)
		frame[6 + rand() % 58] = rand() % 2 ? rand() : 67 + rand() % 2;
	return rand() % 8 ? n : 20 + (unsigned)rand() % 44;
}

/* A UDP header that is not all there tells enough: its ports. */
static void assert_good(int reason, const struct packet *p, bool tag)
{
	unsigned at = tag ? 18 : 14;
	const uint8_t *ip = p->header + at;
	bool ip6 = load_be16(ip - 2) == ETH_TYPE_IPV6;
	unsigned len = ip6 ? load_be16(ip + 4) + 40u : load_be16(ip + 2);

	if (reason >= 0) {
		assert_int_equal(reason, DROP_UNINSPECTED);
		assert_true(MIN(len, p->len - at) < (ip6 ? 48u : 28u));
	}
}

/* Whatever is known at once is what is found good when looked at. */
static void short_way(void **state)
{
	struct inspect_rules rules = rules_of(true, true);
	struct guard_memo memo;
	unsigned known = 0;
	struct guard *g;

	srand(1);
	rules.dhcp_guard = rules.router_guard = true;
	for (unsigned i = 0; i < 300000; i++) {
		uint8_t frame[FRAME_MAX];
		bool tag = rand() % 2;
		uint32_t n = vary(frame, tag);
		struct packet p;

		rules.allowed.guards_ips = i % 3;
		rules.allowed.guards_macs = i % 5;
		g = guard_create(&rules, i % 7);
		memo = g->seed;
		packet_init(&p, frame, n);
		packet_pull(&p, PACKET_PULL);
		if (eth_type_is_vlan(load_be16(p.header + 12)) == tag &&
		    (tag ? guard_knows(&memo, &p, true)
			 : guard_knows(&memo, &p, false))) {
			known++;
			assert_good(guard_judge_anew(g, &memo, &p), &p, tag);
			assert_true(guard_learns(g, load_mac(p.header + 6)));
		}
		free(g);
	}
	assert_true(known > 30000);
}

int main(void)
{
#define T(X) cmocka_unit_test_setup_teardown(X, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(forged_macs), T(spoofed_ip4),	 T(nobody4),   T(spoofed_ip6),
		T(promiscuous), T(changed_macs), T(short_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
