/* Large frames through a tunnel: as trains, and one frame again behind it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <netinet/in.h>

#include <cmocka.h>

#include "frames.h"
#include "packet/csum.h"
#include "packet/gso.h"
#include "packet/parse.h"
#include "packet/vlan.h"
#include "port/null.h"
#include "tunnel_fixture.h"

#define N_MAX 1500

static struct frame built;
static uint8_t payload[65000];
/* What a model made, one behind the other. */
static uint8_t want[N_MAX][2200], got[N_MAX][2200];
static uint32_t want_lens[N_MAX], got_lens[N_MAX];
static struct packet_segment *pieces;
static unsigned n_pieces;
static struct packet large;
static struct packet *list[N_MAX];
static struct packet copies[N_MAX];

struct shape {
	int version;
	uint8_t proto;
	unsigned tcp_extra;
	uint16_t mss;
	uint32_t len, piece;
	bool mapped;
};

static uint8_t type_of(const struct shape *s)
{
	if (s->proto == IPPROTO_UDP)
		return PACKET_GSO_UDP;
	return s->version == 4 ? PACKET_GSO_TCP4 : PACKET_GSO_TCP6;
}

static void make_large(const struct shape *s)
{
	struct frame_spec spec = {
		.n_tags = s->mapped,
		.version = s->version,
		.proto = s->proto,
		.tcp_extra = s->tcp_extra,
		.ip_id = 65530,
		.seq = 0xffffff00,
		.tcp_flags = 0x18,
		.payload = payload,
		.payload_len = s->len,
		.partial = true,
	};

	fill(payload, sizeof(payload), s->len);
	frame_build(&built, &spec);
	if (s->mapped)
		store_be16(built.data + 14, 7);
	pieces = pieces_make(built.data, built.len, s->piece, &n_pieces);
	packet_of_pieces(&large, pieces, n_pieces, built.len);
	packet_pull(&large, PACKET_PULL_MAX);
	large.offload.csum_needed = true;
	large.offload.csum_start = built.l4;
	large.offload.csum_offset = built.csum_offset;
	large.offload.gso = type_of(s);
	large.offload.gso_size = s->mss;
}

/* Each packet, or its segments, whole. */
static unsigned cut(struct packet *const packets[], unsigned n,
		    uint8_t (*to)[2200], uint32_t *lens)
{
	static struct gso_scratch scratch;
	struct packet *segment;
	unsigned count = 0;
	struct gso gso;
	int r;

	for (unsigned i = 0; i < n; i++) {
		struct packet *p = packets[i];

		if (!p->offload.gso) {
			assert_true(!p->offload.csum_needed ||
				    packet_finish_csum(p));
			lens[count] = packet_read(p, 0, to[count], 2200);
			assert_int_equal(lens[count++], p->len);
			continue;
		}
		assert_int_equal(gso_start(&gso, p, true), 0);
		for (;;) {
			gso_scratch_clear(&scratch);
			r = gso_next(&gso, &scratch, &segment);
			assert_true(r >= 0);
			if (!r)
				break;
			lens[count] = packet_read(segment, 0, to[count], 2200);
			assert_int_equal(lens[count++], segment->len);
		}
	}
	return count;
}

/* What single packets of the segments are. */
static unsigned model(const struct tunnel_pair *t, uint16_t ip_id)
{
	static struct vxlan_segments s;
	struct packet p, *outer;
	struct vxlan_flow flow;
	struct vxlan_outer o;
	uint32_t vni = t->config.vni;
	unsigned n = 0;
	int r;

	assert_int_equal(vxlan_outer_init(&o, &t->remotes[1].outer, NULL), 0);
	packet_copy(&p, &large);
	if (vni == VTEP_NO_VNI) {
		vni = TUNNEL_VNI + 7;
		packet_vlan_pop(&p);
	}
	vxlan_flow_of(&p, 1, &flow);
	assert_int_equal(vxlan_segment_start(&s, &o, &flow, vni, ip_id, &p), 0);
	while ((r = vxlan_segment_next(&s, &outer))) {
		if (r > 0)
			n += cut(&outer, 1, want + n, want_lens + n);
		else
			assert_int_equal(r, -ENOSPC);
		vxlan_segments_clear(&s);
	}
	return n;
}

static void expect_same(unsigned n, unsigned n_want)
{
	assert_int_equal(n, n_want);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(got_lens[i], want_lens[i]);
		assert_memory_equal(got[i], want[i], want_lens[i]);
	}
}

static void check_train(const struct packet *p)
{
	const struct packet_offload *o = &p->offload;
	uint32_t l3 = ETH_HEADER_LEN;
	bool v4 = p->header[l3] >> 4 == 4;

	assert_true(p->len - l3 - (v4 ? 0 : 40) <= UINT16_MAX);
	if (!o->gso)
		return;
	assert_int_equal(o->gso, PACKET_GSO_UDP);
	assert_true(o->csum_needed);
	assert_true(o->csum_start + 8u + o->gso_size * 64 >= p->len);
	assert_true(o->csum_start + 8u + o->gso_size < p->len);
}

/* In by whole trains, and in by what was cut; out comes what went in. */
static void check_in(struct tunnel_pair *t, const struct shape *s,
		     struct packet *const packets[], unsigned n)
{
	struct packet *large_list[] = { &large };
	unsigned n_want, count = 0, done = 0, frames = 0;
	bool cut_up = n > 100;

	n_want = cut(large_list, 1, want, want_lens);
	while (done < n) {
		struct tunnel_received r;

		tunnel_decap(t->demux, packets + done, n - done, false,
			     t->scratch, &r);
		assert_int_equal(r.n_failed + r.n_others, 0);
		assert_int_equal(r.n_runs, 1);
		assert_int_not_equal(r.n_taken, 0);
		for (unsigned i = 0; i < r.runs[0].n; i++) {
			struct packet *in = &r.runs[0].first[i];

			count += cut(&in, 1, got + count, got_lens + count);
			frames++;
		}
		done += r.n_taken;
	}
	expect_same(count, n_want);
	if (s->proto == IPPROTO_TCP && !cut_up)
		assert_true(frames <= n_want / 32 + 2);
}

static void through(const struct shape *s, bool shared,
		    enum vxlan_udp_csum csum)
{
	static uint8_t wire[N_MAX][2200];
	struct packet *large_list[] = { &large };
	struct packet_segment *sent_pieces;
	struct tunnel_sent sent;
	struct tunnel_pair t;
	unsigned n, n_sent_pieces;

	tunnel_pair_prepare(&t, s->version, s->mapped);
	for (unsigned i = 0; i < 4; i++) {
		t.remotes[i].outer.dont_fragment = false;
		t.remotes[i].outer.udp_csum = csum;
	}
	/* Remote 1 gets it, and takes it in. */
	tunnel_pair_address(s->version, 1, t.locals[0]);
	tunnel_pair_create(&t);
	make_large(s);
	n = model(&t, 0);
	tunnel_encap(t.tunnel, 1, large_list, 1, shared, t.scratch, &sent);
	assert_int_equal(sent.n_failed, 0);
	assert_int_equal(sent.n_taken, 1);
	for (unsigned i = 0; i < sent.n_outer; i++)
		check_train(sent.outer[i]);
	expect_same(cut(sent.outer, sent.n_outer, got, got_lens), n);
	memcpy(wire, got, sizeof(wire));
	/* The outer ones have the first one's memory. */
	sent_pieces = pieces;
	n_sent_pieces = n_pieces;
	make_large(s);
	check_in(&t, s, sent.outer, sent.n_outer);
	for (unsigned i = 0; i < n; i++) {
		packet_init(&copies[i], wire[i], want_lens[i] + 50);
		copies[i].len = load_be16(wire[i] + 16) + ETH_HEADER_LEN;
		if (s->version == 6)
			copies[i].len = load_be16(wire[i] + 18) + 54;
		copies[i].segment.len = copies[i].len;
		list[i] = &copies[i];
	}
	check_in(&t, s, list, n);
	pieces_free(pieces, n_pieces);
	pieces_free(sent_pieces, n_sent_pieces);
	tunnel_pair_free(&t);
}

static void all_shapes(void **state)
{
	static const uint16_t sizes[] = { 48, 500, 1448, 2000 };
	static const uint32_t lens[] = { 1, 1000, 20000, 64800 };
	static const uint32_t in[] = { 0, 4096, 777 };
	unsigned how = 0;

	for (unsigned i = 0; i < 4; i++)
		for (unsigned j = 0; j < 4; j++)
			for (unsigned k = 0; k < 12; k++, how++) {
				struct shape s = {
					.version = k & 1 ? 6 : 4,
					.proto = k & 2 ? IPPROTO_UDP
						       : IPPROTO_TCP,
					.tcp_extra = k & 4 ? 12 : 0,
					.mss = sizes[i],
					.len = lens[j],
					.piece = in[k % 3],
					.mapped = how % 5 == 0,
				};

				if (s.proto == IPPROTO_UDP)
					s.tcp_extra = 0;
				through(&s, k & 1, how % 3);
			}
}

/* What a stage behind may cut it into has no checksum, as single packets. */
static void no_checksum(void **state)
{
	struct shape s = {
		.version = 4, .proto = IPPROTO_TCP, .mss = 1000, .len = 5000
	};
	struct packet *large_list[] = { &large };
	struct tunnel_sent sent;
	struct tunnel_pair t;
	unsigned n;

	tunnel_pair_prepare(&t, 4, false);
	tunnel_pair_create(&t);
	make_large(&s);
	tunnel_encap(t.tunnel, 0, large_list, 1, false, t.scratch, &sent);
	assert_int_equal(sent.n_outer, 1);
	assert_true(sent.outer[0]->offload.csum_optional);
	n = cut(sent.outer, 1, got, got_lens);
	assert_int_equal(n, 5);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(load_be16(got[i] + 40), 0);
	pieces_free(pieces, n_pieces);
	tunnel_pair_free(&t);
}

static void too_big(void **state)
{
	struct shape s = {
		.version = 4, .proto = IPPROTO_TCP, .mss = 1461, .len = 5000
	};
	struct packet *large_list[] = { &large };
	struct tunnel_sent sent;
	struct tunnel_pair t;

	tunnel_pair_prepare(&t, 4, false);
	t.remotes[0].mtu = 1500;
	tunnel_pair_create(&t);
	make_large(&s);
	tunnel_encap(t.tunnel, 0, large_list, 1, true, t.scratch, &sent);
	assert_int_equal(sent.n_failed, 1);
	assert_int_equal(sent.failed[0].reason, DROP_TUNNEL_TOO_BIG);
	large.offload.gso_size = 1460;
	tunnel_encap(t.tunnel, 0, large_list, 1, true, t.scratch, &sent);
	assert_int_equal(sent.n_failed, 0);
	pieces_free(pieces, n_pieces);
	tunnel_pair_free(&t);
}

static unsigned n_sent;

/* As what stands behind the port would have it on its wire. */
static bool sink(struct packet *p, unsigned thread, void *arg)
{
	assert_int_equal(p->offload.gso, PACKET_GSO_NONE);
	if (p->offload.csum_needed)
		assert_true(packet_finish_csum(p));
	got_lens[n_sent] = packet_read(p, 0, got[n_sent], 2200);
	n_sent++;
	return true;
}

/* A port that does not cut trains, with checksums or without. */
static void by_port(void **state)
{
	const struct port_config config = {
		.name = "n0", .type = "null", .n_threads = 1, .n_rxqs = 1
	};
	struct shape s = {
		.version = 4, .proto = IPPROTO_TCP, .mss = 1400, .len = 60000
	};
	struct packet *large_list[] = { &large };
	struct tunnel_sent sent;
	struct tunnel_pair t;
	struct port *port;
	unsigned n;

	assert_int_equal(port_open(&config, &port, NULL), 0);
	null_set_sink(port, sink, NULL);
	for (unsigned how = 0; how < 6; how++) {
		tunnel_pair_prepare(&t, 4, false);
		t.remotes[1].outer.dont_fragment = false;
		t.remotes[1].outer.udp_csum = how % 3;
		tunnel_pair_create(&t);
		null_set_offloads(port, how / 3 ? PORT_TX_CSUM : 0);
		make_large(&s);
		n = model(&t, 0);
		tunnel_encap(t.tunnel, 1, large_list, 1, true, t.scratch,
			     &sent);
		n_sent = 0;
		port_send(port, sent.outer, sent.n_outer, 0);
		expect_same(n_sent, n);
		pieces_free(pieces, n_pieces);
		tunnel_pair_free(&t);
	}
	port_close(port);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_shapes),
		cmocka_unit_test(no_checksum),
		cmocka_unit_test(too_big),
		cmocka_unit_test(by_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
