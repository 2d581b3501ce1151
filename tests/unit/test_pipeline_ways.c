/*
 * The short way of bursts (forward/uniform.c) against the long one: random
 * frames, many of which a guard or a limit refuses, into two switches alike of
 * which one may only take the long way. What leaves, what is dropped and why,
 * and who is learned has to be the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/ticks.h"
#include "forward/policies.h"
#include "packet/parse.h"
#include "policy/guard.h"
#include "tests/unit/switch_fixture.h"

#define PORTS  4
#define BURSTS 400
#define FRAME  80

static uint64_t seed;

static unsigned pick(unsigned n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(seed >> 33) % n;
}

struct ways {
	struct fixture *f;
	struct fwd_bridge *br;
	struct fixture_port *ports[PORTS];
};

/* What one of the runs is about. */
struct plan {
	bool macs, ips, dhcp, routers, learns_all, limited;
};

static void guard(struct ways *w, const struct plan *plan)
{
	static uint64_t macs[] = { 0x020000000001ull, 0x020000000002ull };
	static const uint8_t ip4[4] = { 10, 0, 0, 1 };
	static const uint8_t ip6[16] = { 0xfd, [15] = 1 };
	struct allowed_ip4 ip4s[] = { allowed_prefix4(ip4, 32) };
	struct allowed_ip6 ip6s[] = { allowed_prefix6(ip6, 128) };
	const struct inspect_rules rules = {
		.allowed = { .guards_macs = plan->macs,
			     .guards_ips = plan->ips,
			     .n_macs = 2,
			     .macs = macs,
			     .ips = { 1, 1, ip4s, ip6s } },
		.dhcp_guard = plan->dhcp,
		.router_guard = plan->routers,
	};

	fwd_port_ingress(w->ports[0]->fwd)->guard =
		guard_create(&rules, plan->learns_all);
}

static struct ways ways_create(const struct plan *plan, bool short_way)
{
	static const struct vlan_config access = { .mode = VLAN_ACCESS,
						   .tag = 10 };
	struct ways w = { .f = fixture_create() };

	w.br = fixture_bridge(w.f, "br0");
	w.br->no_learn_vlans = !short_way; /* there are none */
	for (unsigned i = 0; i < PORTS; i++)
		w.ports[i] = fixture_port(w.f, w.br, &access);
	guard(&w, plan);
	if (plan->limited) {
		fdb_set_port_limit(w.br->fdb, w.ports[0]->fwd->number, 2);
		fwd_port_ingress(w.ports[0]->fwd)->drops_unlearned = true;
	}
	return w;
}

static void make_ip4(uint8_t *ip)
{
	static const uint8_t protocols[] = { 6, 17, 17, 1, 2 };
	static const uint16_t ports[] = { 67, 68, 53, 5353, 1067 };

	ip[0] = pick(8) ? 0x45 : 0x40 | pick(16);
	store_be16(ip + 2, pick(8) ? 60 : pick(80));
	store_be16(ip + 6, pick(8) ? 0 : pick(65536));
	ip[9] = protocols[pick(sizeof(protocols))];
	if (pick(8)) {
		ip[12] = 10;
		ip[15] = 1 + !pick(8);
	}
	store_be16(ip + 20, ports[pick(ARRAY_SIZE(ports))]);
	store_be16(ip + 22, ports[pick(ARRAY_SIZE(ports))]);
	ip[28] = pick(4);
}

static void make_ip6(uint8_t *ip)
{
	static const uint8_t headers[] = { 6, 17, 58, 0, 44, 60 };

	ip[0] = 0x60;
	store_be16(ip + 4, pick(8) ? 24 : pick(80));
	ip[6] = headers[pick(sizeof(headers))];
	ip[7] = pick(2) ? 255 : 64;
	if (pick(8)) {
		ip[8] = 0xfd;
		ip[23] = 1 + !pick(8);
	}
	ip[40] = pick(2) ? 133 + pick(6) : headers[pick(sizeof(headers))];
	ip[41] = pick(3);
}

static void make_arp(uint8_t *arp, uint8_t sender)
{
	static const uint8_t begin[] = { 0, 1, 8, 0, 6, 4, 0 };

	memcpy(arp, begin, sizeof(begin));
	arp[7] = 1 + pick(2);
	arp[8] = 2;
	arp[13] = pick(8) ? sender : pick(4);
	arp[14] = 10;
	arp[17] = 1 + !pick(4);
}

static uint32_t make(uint8_t frame[FRAME], uint8_t dst, uint8_t src)
{
	static const uint16_t types[] = { 0,	  0x0800, 0x0800, 0x0800,
					  0x86dd, 0x86dd, 0x0806, 0x8100,
					  0x88b5, 0xffff, 30 };
	uint16_t type = types[pick(ARRAY_SIZE(types))];
	unsigned at = ETH_HEADER_LEN;

	memset(frame, 0, FRAME);
	frame[0] = 2;
	frame[5] = dst;
	frame[6] = src % 4 ? 2 : !pick(2); /* nobody, or a group */
	if (!(src % 4))
		src = 0;
	frame[11] = src;
	store_be16(frame + 12, type);
	if (type == 30) { /* LLC and SNAP */
		static const uint8_t snap[] = { 0xaa, 0xaa, 3, 0, 0, 0, 8, 0 };

		memcpy(frame + at, snap, sizeof(snap));
		at += sizeof(snap);
		type = ETH_TYPE_IPV4;
	} else if (eth_type_is_vlan(type)) {
		type = pick(2) ? ETH_TYPE_IPV4 : ETH_TYPE_ARP;
		store_be16(frame + at + 2, type);
		at += VLAN_TAG_LEN;
	}
	if (type == ETH_TYPE_IPV4 || type == 0)
		make_ip4(frame + at);
	else if (type == ETH_TYPE_IPV6)
		make_ip6(frame + at);
	else if (type == ETH_TYPE_ARP)
		make_arp(frame + at, src);
	return pick(8) ? FRAME : pick(FRAME + 1);
}

static void compare(const struct ways *a, const struct ways *b)
{
	for (unsigned i = 0; i < PORTS; i++) {
		const struct fixture_port *p = a->ports[i], *q = b->ports[i];

		assert_int_equal(p->n_sent, q->n_sent);
		for (unsigned k = 0; k < p->n_sent; k++) {
			assert_int_equal(p->sent[k].len, q->sent[k].len);
			assert_memory_equal(
				p->sent[k].data, q->sent[k].data,
				MIN(p->sent[k].len, sizeof(p->sent[k].data)));
		}
		for (int r = 0; r < N_DROP_REASONS; r++)
			if (fixture_drops(p, r) != fixture_drops(q, r))
				fail_msg(
					"%s: %llu and %llu",
					drop_reason_name(r),
					(unsigned long long)fixture_drops(p, r),
					(unsigned long long)fixture_drops(q,
									  r));
	}
	for (unsigned mac = 0; mac < 8; mac++) {
		fdb_key key = fdb_make_key(0x020000000000ull | mac, 10);

		assert_int_equal(fdb_lookup(a->br->fdb, key),
				 fdb_lookup(b->br->fdb, key));
	}
}

static void run(const struct plan *plan)
{
	struct ways ways[2] = { ways_create(plan, true),
				ways_create(plan, false) };

	for (unsigned i = 0; i < BURSTS; i++) {
		unsigned n = 1 + pick(6), in = pick(4) ? 0 : pick(PORTS);
		uint8_t dst = pick(4), src = pick(4);
		uint8_t frames[6][FRAME];
		struct iovec iov[6];

		/*
		 * To those of the other side: who moves while frames to him are
		 * on their way gets them by either of his ports.
		 */
		for (unsigned k = 0; k < n; k++) {
			uint8_t to = pick(12) ? dst : pick(4);
			uint8_t from = pick(4) ? src : pick(4);

			iov[k] = (struct iovec){
				frames[k],
				make(frames[k], to + (in ? 0 : 4),
				     from + (in ? 4 : 0)),
			};
		}
		for (unsigned w = 0; w < 2; w++) {
			fixture_forget(ways[w].f);
			fixture_burst(ways[w].f, ways[w].ports[in], iov, n);
		}
		compare(&ways[0], &ways[1]);
		if (i % 100 == 99) {
			fdb_flush(ways[0].br->fdb, 0, -1);
			fdb_flush(ways[1].br->fdb, 0, -1);
		}
	}
	for (unsigned w = 0; w < 2; w++)
		fixture_destroy(ways[w].f);
}

static void both_ways_are_one(void **state)
{
	seed = 1;
	for (unsigned i = 0; i < 64; i++) {
		const struct plan plan = {
			.macs = i & 1,
			.ips = i & 2,
			.dhcp = i & 4,
			.routers = i & 8,
			.learns_all = i & 16,
			.limited = i & 32,
		};

		run(&plan);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways_are_one),
	};

	ticks_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
