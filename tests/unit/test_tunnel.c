/* Bursts into a tunnel and out of it again; what ends on the way, and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <netinet/in.h>

#include <cmocka.h>

#include "frames.h"
#include "packet/parse.h"
#include "packet/vlan.h"
#include "tunnel_fixture.h"

#define N_MAX 300

static struct frame built;
static uint8_t frames[N_MAX][2000], wire[N_MAX][2100], got[PACKET_LEN_MAX + 64];
static uint32_t lens[N_MAX], wire_lens[N_MAX];
static struct packet packets[N_MAX];
static struct packet *list[N_MAX];
static uint8_t payload[1500];

/* One of a few flows, with a VLAN or without, of any length. */
static void make_frame(unsigned i, uint32_t *seed, bool mapped)
{
	struct frame_spec s = {
		.n_tags = mapped,
		.version = next_random(seed) % 2 ? 4 : 6,
		.proto = next_random(seed) % 2 ? IPPROTO_TCP : IPPROTO_UDP,
		.payload = payload,
		.payload_len =
			next_random(seed) % 3 ? next_random(seed) % 1400 : 6,
	};

	frame_build(&built, &s);
	if (mapped)
		store_be16(built.data + 14, 1 + next_random(seed) % 3);
	memcpy(frames[i], built.data, built.len);
	lens[i] = built.len;
}

static void make_burst(unsigned n, uint32_t seed, bool mapped)
{
	fill(payload, sizeof(payload), 1);
	for (unsigned i = 0; i < n; i++) {
		make_frame(i, &seed, mapped);
		packet_init(&packets[i], frames[i], lens[i]);
		if (seed % 4)
			packet_pull_first(&packets[i]);
		list[i] = &packets[i];
	}
}

static void expect(const struct packet *p, const void *want, uint32_t len)
{
	assert_int_equal(p->len, len);
	assert_int_equal(packet_read(p, 0, got, sizeof(got)), len);
	assert_memory_equal(got, want, len);
}

/* What the slow and simple functions make of frame i. */
static void expect_model(const struct tunnel_pair *t, unsigned i, unsigned to,
			 const struct packet *outer)
{
	static uint8_t want[2100];
	struct packet_segment pieces[4];
	struct vxlan_room room = { .segments = pieces, .max = 4 };
	uint32_t vni = t->config.vni;
	struct vxlan_outer o;
	struct vxlan_flow flow;
	struct packet p, q;

	packet_init(&p, frames[i], lens[i]);
	packet_pull(&p, PACKET_PULL);
	if (vni == VTEP_NO_VNI) {
		vni = vtep_map_vni(t->map, load_be16(frames[i] + 14));
		packet_vlan_pop(&p);
	}
	vxlan_flow_of(&p, t->config.seed, &flow);
	assert_int_equal(vxlan_outer_init(&o, &t->remotes[to].outer, NULL), 0);
	assert_int_equal(vxlan_encap(&o, &flow, vni, &p, &room, &q), 0);
	packet_read(&q, 0, want, sizeof(want));
	expect(outer, want, q.len);
}

static void encap_burst(struct tunnel_pair *t, unsigned n, bool shared)
{
	for (unsigned done = 0; done < n;) {
		struct tunnel_sent sent;

		tunnel_encap(t->tunnel, 0, list + done, n - done, shared,
			     t->scratch, &sent);
		assert_int_not_equal(sent.n_taken, 0);
		assert_int_equal(sent.n_failed, 0);
		assert_int_equal(sent.n_outer, sent.n_taken);
		for (unsigned i = 0; i < sent.n_outer; i++, done++) {
			expect_model(t, done, 0, sent.outer[i]);
			wire_lens[done] =
				packet_read(sent.outer[i], 0, wire[done],
					    sizeof(wire[done]));
		}
	}
	for (unsigned i = 0; shared && i < n; i++)
		expect(list[i], frames[i], lens[i]);
}

static void decap_burst(struct tunnel_pair *t, unsigned n, bool shared)
{
	unsigned at = 0;

	for (unsigned i = 0; i < n; i++)
		packet_init(&packets[i], wire[i], wire_lens[i]);
	for (unsigned done = 0; done < n;) {
		struct tunnel_received r;

		tunnel_decap(t->demux, list + done, n - done, shared,
			     t->scratch, &r);
		assert_int_not_equal(r.n_taken, 0);
		assert_int_equal(r.n_failed + r.n_others, 0);
		assert_int_equal(r.n_runs, 1);
		assert_int_equal(r.runs[0].n, r.n_taken);
		assert_int_equal(r.runs[0].remote, 0);
		for (unsigned i = 0; i < r.runs[0].n; i++, at++)
			expect(&r.runs[0].first[i], frames[at], lens[at]);
		done += r.n_taken;
	}
	for (unsigned i = 0; shared && i < n; i++)
		expect(list[i], wire[i], wire_lens[i]);
}

static void there_and_back(void **state)
{
	static const unsigned sizes[] = { 1,  2,  33, 34,  39, 64,
					  65, 66, 97, 255, 256 };

	for (unsigned how = 0; how < 8; how++) {
		bool mapped = how & 1, shared = how & 2;
		struct tunnel_pair t;

		tunnel_pair_prepare(&t, how & 4 ? 6 : 4, mapped);
		tunnel_pair_create(&t);
		for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
			make_burst(sizes[i], i + 1, mapped);
			encap_burst(&t, sizes[i], shared);
			decap_burst(&t, sizes[i], shared);
		}
		tunnel_pair_free(&t);
	}
}

static void expect_refused(struct tunnel_pair *t, uint32_t to,
			   enum drop_reason reason)
{
	struct tunnel_sent sent;

	tunnel_encap(t->tunnel, to, list, 1, false, t->scratch, &sent);
	assert_int_equal(sent.n_taken, 1);
	assert_int_equal(sent.n_outer, 0);
	assert_int_equal(sent.n_failed, 1);
	assert_ptr_equal(sent.failed[0].packet, list[0]);
	assert_int_equal(sent.failed[0].reason, reason);
}

static void refused_out(void **state)
{
	struct tunnel_pair t;

	tunnel_pair_prepare(&t, 4, true);
	t.remotes[1].resolved = false;
	t.remotes[2].mtu = 100;
	tunnel_pair_create(&t);
	make_burst(1, 1, true);
	expect_refused(&t, 4, DROP_TUNNEL_NO_REMOTE);
	expect_refused(&t, 1, DROP_TUNNEL_UNRESOLVED);
	store_be16(frames[0] + 14, 41);
	packet_init(&packets[0], frames[0], lens[0]);
	expect_refused(&t, 0, DROP_TUNNEL_NO_VNI);
	packet_init(&packets[0], frames[0] + 4, lens[0] - 4);
	expect_refused(&t, 0, DROP_TUNNEL_NO_VNI);
	store_be16(frames[0] + 14, 40);
	packet_init(&packets[0], frames[0], 119);
	expect_refused(&t, 2, DROP_TUNNEL_TOO_BIG);
	/* Found bad when its tag was off: it ends as it came. */
	store_be16(frames[0] + 14, 0xe001);
	packet_init(&packets[0], frames[0], lens[0]);
	packets[0].offload.gso = PACKET_GSO_TCP4; /* of size 0 */
	expect_refused(&t, 0, DROP_TX_OFFLOAD);
	expect(&packets[0], frames[0], lens[0]);
	assert_int_equal(tunnel_mtu(t.tunnel, 2), 100);
	assert_int_equal(tunnel_mtu(t.tunnel, 4), 0);
	tunnel_pair_free(&t);
}

static void flooding(void **state)
{
	const uint32_t *to;
	struct tunnel_pair t;
	unsigned n;

	tunnel_pair_prepare(&t, 4, true);
	tunnel_pair_create(&t);
	make_burst(1, 1, true);
	for (unsigned vlan = 0; vlan < 50; vlan++) {
		store_be16(frames[0] + 14, 0xe000 | vlan);
		packet_init(&packets[0], frames[0], lens[0]);
		to = tunnel_flood_list(t.tunnel, &packets[0], &n);
		assert_int_equal(n, vlan >= 1 && vlan <= 40);
		if (n)
			assert_int_equal(to[0], vlan % 4);
		packet_init(&packets[0], frames[0] + 4, lens[0] - 4);
		packets[0].vlan_beside = true;
		packets[0].vlan_beside_tci = vlan;
		tunnel_flood_list(t.tunnel, &packets[0], &n);
		assert_int_equal(n, vlan >= 1 && vlan <= 40);
	}
	tunnel_pair_free(&t);
	tunnel_pair_prepare(&t, 4, false);
	tunnel_pair_create(&t);
	to = tunnel_flood_list(t.tunnel, &packets[0], &n);
	assert_int_equal(n, 1);
	assert_int_equal(to[0], 1);
	tunnel_pair_free(&t);
}

/* A frame on the wire, from which the following cases differ. */
static void make_wire(struct tunnel_pair *t)
{
	make_burst(1, 1, t->config.vni == VTEP_NO_VNI);
	encap_burst(t, 1, false);
	packet_init(&packets[0], wire[0], wire_lens[0]);
}

static void fix_ip(void)
{
	wire[0][24] = wire[0][25] = 0;
	store_be16(wire[0] + 24, ~plain_sum(wire[0] + 14, 20, 0));
}

static void expect_drop(struct tunnel_pair *t, enum drop_reason reason)
{
	struct tunnel_received r;

	packet_init(&packets[0], wire[0], wire_lens[0]);
	tunnel_decap(t->demux, list, 1, false, t->scratch, &r);
	assert_int_equal(r.n_taken, 1);
	assert_int_equal(r.n_runs, 0);
	if (reason == N_DROP_REASONS) {
		assert_int_equal(r.n_others, 1);
		assert_ptr_equal(r.others[0], list[0]);
		assert_int_equal(r.n_failed, 0);
		return;
	}
	assert_int_equal(r.n_others, 0);
	assert_int_equal(r.n_failed, 1);
	assert_ptr_equal(r.failed[0].packet, list[0]);
	assert_int_equal(r.failed[0].reason, reason);
}

/* One byte of the frame changed. */
static void changed(struct tunnel_pair *t, unsigned at, uint8_t to, bool fix,
		    enum drop_reason reason)
{
	uint8_t saved[100];

	memcpy(saved, wire[0], sizeof(saved));
	wire[0][at] = to;
	if (fix)
		fix_ip();
	expect_drop(t, reason);
	memcpy(wire[0], saved, sizeof(saved));
}

static void refused_in(void **state)
{
	struct tunnel_pair t;

	tunnel_pair_prepare(&t, 4, true);
	t.demux_config.local_mac = t.remotes[0].outer.dst_mac;
	tunnel_pair_create(&t);
	make_wire(&t);
	changed(&t, 29, 10, true, DROP_VXLAN_SELF);
	changed(&t, 29, 2, true, DROP_VXLAN_NO_REMOTE);
	changed(&t, 33, 11, true, N_DROP_REASONS);
	changed(&t, 37, 0, false, N_DROP_REASONS); /* UDP port */
	changed(&t, 13, 6, false, N_DROP_REASONS); /* ARP */
	changed(&t, 5, 0x77, false, DROP_ROUTE_OTHER);
	changed(&t, 24, 0, false, DROP_VXLAN_CHECKSUM);
	changed(&t, 20, 0x20, true, DROP_VXLAN_FRAGMENT);
	changed(&t, 40, 1, false, DROP_VXLAN_CHECKSUM);
	changed(&t, 39, 20, false, DROP_VXLAN_MALFORMED);
	changed(&t, 42, 0, false, DROP_VXLAN_FLAGS);
	changed(&t, 47, 0xff, false, DROP_VXLAN_NO_VNI);
	store_be16(wire[0] + 62, ETH_TYPE_VLAN);
	expect_drop(&t, DROP_VXLAN_TAG);
	tunnel_pair_free(&t);
}

/* A packet from `ip` by VNI 5000 is which tunnel's and remote's? */
static struct tunnel_run run_from(struct tunnel_pair *t, uint32_t ip)
{
	struct tunnel_received r;

	store_be32(wire[0] + 26, ip);
	fix_ip();
	packet_init(&packets[0], wire[0], wire_lens[0]);
	tunnel_decap(t->demux, list, 1, false, t->scratch, &r);
	assert_int_equal(r.n_others, 0);
	if (r.n_failed) {
		assert_int_equal(r.failed[0].reason, DROP_VXLAN_NO_REMOTE);
		return (struct tunnel_run){ .tunnel = TUNNEL_NO_TUNNEL };
	}
	assert_int_equal(r.n_runs, 1);
	assert_int_equal(r.runs[0].n, 1);
	assert_int_equal(load_be32(r.runs[0].ip), ip);
	assert_int_equal(r.runs[0].vni, TUNNEL_VNI);
	return r.runs[0];
}

/* Ports of one VNI, each with a remote of its own, and one for anybody. */
static void owners(void **state)
{
	struct tunnel_pair t;
	struct tunnel_run run;

	for (int open = 0; open < 2; open++) {
		tunnel_pair_prepare(&t, 4, false);
		for (unsigned i = 0; i < 3; i++) {
			t.networks[i].vni = TUNNEL_VNI;
			t.networks[i].tunnel = 2 - i;
			t.peers[i].tunnel = i;
			t.peers[i].remote = 10 + i;
			store_be32(t.peers[i].ip, 0xc0000301 + i);
		}
		t.networks[1].takes_unknown = open;
		t.demux_config.n_networks = t.demux_config.n_peers = 3;
		tunnel_pair_create(&t);
		make_wire(&t);
		for (unsigned i = 0; i < 3; i++) {
			run = run_from(&t, 0xc0000301 + i);
			assert_int_equal(run.tunnel, i);
			assert_int_equal(run.remote, 10 + i);
		}
		run = run_from(&t, 0xc0000304);
		assert_int_equal(run.tunnel, open ? 1 : TUNNEL_NO_TUNNEL);
		assert_true(!open || run.remote == TUNNEL_NO_REMOTE);
		/* Nobody's addresses are not learned. */
		run = run_from(&t, 0xe0000001);
		assert_int_equal(run.tunnel, TUNNEL_NO_TUNNEL);
		run = run_from(&t, 0xffffffff);
		assert_int_equal(run.tunnel, TUNNEL_NO_TUNNEL);
		run = run_from(&t, 0x7f000001);
		assert_int_equal(run.tunnel, TUNNEL_NO_TUNNEL);
		tunnel_pair_free(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back), cmocka_unit_test(refused_out),
		cmocka_unit_test(flooding),	  cmocka_unit_test(refused_in),
		cmocka_unit_test(owners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
