/* The short way for plain packets does what the long way for all does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <netinet/in.h>

#include <cmocka.h>

#include "frames.h"
#include "packet/parse.h"
#include "packet/vlan.h"
#include "tunnel/tunnel_internal.h"
#include "tunnel_fixture.h"

#define N_MAX  64
#define ROUNDS 160
#define SIZE   2200

static struct frame built;
static uint8_t payload[1500];
static uint8_t frames[N_MAX][SIZE];
static uint32_t lens[N_MAX];
static bool changed[N_MAX]; /* nobody knows what is in it */

/* A burst's packets for one of both ways, and what became of them. */
struct side {
	struct tunnel_scratch *scratch;
	struct packet packets[N_MAX];
	struct packet *list[N_MAX];
	uint8_t out[N_MAX][SIZE];
	struct packet_offload offload[N_MAX];
	uint32_t lens[N_MAX];
	unsigned n_out;
};

static struct side short_way, long_way;
static uint8_t long_frame[SIZE];

static void side_init(struct side *s, bool avx2)
{
	s->scratch = tunnel_scratch_create();
	s->scratch->avx2 = s->scratch->avx2 && avx2;
}

static void side_load(struct side *s, unsigned n, uint32_t pull)
{
	for (unsigned i = 0; i < n; i++) {
		packet_init(&s->packets[i], frames[i], lens[i]);
		if (pull)
			packet_pull(&s->packets[i], pull);
		s->list[i] = &s->packets[i];
	}
	s->n_out = 0;
}

static void make_frame(unsigned i, uint32_t *seed, bool mapped)
{
	struct frame_spec s = {
		.n_tags = mapped,
		.version = next_random(seed) % 4 ? 4 : 6,
		.proto = next_random(seed) % 2 ? IPPROTO_TCP : IPPROTO_UDP,
		.ip_extra = next_random(seed) % 8 ? 0 : 8,
		.payload = payload,
		.payload_len =
			next_random(seed) % 3 ? next_random(seed) % 1400 : 6,
	};

	frame_build(&built, &s);
	if (mapped)
		store_be16(built.data + 14, 38 + next_random(seed) % 4);
	memcpy(frames[i], built.data, built.len);
	lens[i] = built.len;
}

/* Mostly like the one before; sometimes with a bit that is not usual. */
static void make_burst(unsigned n, uint32_t *seed, bool mapped)
{
	for (unsigned i = 0; i < n; i++) {
		changed[i] = false;
		if (i && next_random(seed) % 2) {
			changed[i] = changed[i - 1];
			memcpy(frames[i], frames[i - 1], SIZE);
			lens[i] = lens[i - 1];
		} else {
			make_frame(i, seed, mapped);
		}
		if (next_random(seed) % 4 == 0) {
			changed[i] = true;
			frames[i][next_random(seed) % 60] ^=
				1 << next_random(seed) % 8;
		}
		if (next_random(seed) % 16 == 0)
			lens[i] = 14 + next_random(seed) % (lens[i] - 13);
	}
}

static void keep(struct side *s, const struct packet *p)
{
	s->lens[s->n_out] = packet_read(p, 0, s->out[s->n_out], SIZE);
	assert_int_equal(s->lens[s->n_out], p->len);
	s->offload[s->n_out] = p->offload;
	s->n_out++;
}

static void expect_same_offload(const struct packet_offload *a,
				const struct packet_offload *b)
{
	assert_int_equal(a->csum_needed, b->csum_needed);
	assert_int_equal(a->csum_valid, b->csum_valid);
	assert_int_equal(a->gso, b->gso);
	if (!a->csum_needed)
		return;
	assert_int_equal(a->csum_start, b->csum_start);
	assert_int_equal(a->csum_offset, b->csum_offset);
}

static void expect_same(void)
{
	assert_int_equal(short_way.n_out, long_way.n_out);
	for (unsigned i = 0; i < short_way.n_out; i++) {
		assert_int_equal(short_way.lens[i], long_way.lens[i]);
		assert_memory_equal(short_way.out[i], long_way.out[i],
				    long_way.lens[i]);
		expect_same_offload(&short_way.offload[i],
				    &long_way.offload[i]);
	}
}

static void expect_same_failures(const struct tunnel_failure *a, unsigned n_a,
				 const struct tunnel_failure *b, unsigned n_b)
{
	assert_int_equal(n_a, n_b);
	for (unsigned i = 0; i < n_a; i++) {
		assert_int_equal(a[i].packet - short_way.packets,
				 b[i].packet - long_way.packets);
		assert_int_equal(a[i].reason, b[i].reason);
	}
}

/* Now and then a checksum is left to do, behind all headers, or known to be
 * right. */
static void ask(struct packet *p, unsigned i)
{
	p->offload.csum_valid = i % 5 == 0;
	p->offload.csum_needed = i % 7 == 0 && p->len > 100 && !changed[i];
	p->offload.csum_start = 72;
	p->offload.csum_offset = i % 3 ? 16 : 6;
}

static void encap_both(struct tunnel_pair *t, unsigned n, bool shared,
		       uint32_t pull)
{
	struct tunnel_sent sent[2];
	struct side *sides[2] = { &short_way, &long_way };

	for (unsigned k = 0; k < 2; k++) {
		struct side *s = sides[k];

		side_load(s, n, pull);
		for (unsigned i = 0; i < n; i++)
			ask(&s->packets[i], i);
		tunnel_encap(t->tunnel, 0, s->list, n, shared, s->scratch,
			     &sent[k]);
		assert_int_equal(sent[k].n_taken, n);
		for (unsigned i = 0; i < sent[k].n_outer; i++)
			keep(s, sent[k].outer[i]);
		for (unsigned i = 0; shared && i < n; i++) {
			assert_int_equal(s->packets[i].len, lens[i]);
			packet_read(&s->packets[i], 0, long_frame, SIZE);
			assert_memory_equal(long_frame, frames[i], lens[i]);
		}
	}
	expect_same();
	expect_same_failures(sent[0].failed, sent[0].n_failed, sent[1].failed,
			     sent[1].n_failed);
}

/* What was sent is what is received, now and then with a bit changed. */
static void take_as_frames(uint32_t *seed)
{
	for (unsigned i = 0; i < long_way.n_out; i++) {
		memcpy(frames[i], long_way.out[i], SIZE);
		lens[i] = long_way.lens[i];
		if (next_random(seed) % 4 == 0)
			frames[i][next_random(seed) % 86] ^=
				1 << next_random(seed) % 8;
		if (next_random(seed) % 32 == 0 && lens[i] > 60)
			lens[i] -= 1 + next_random(seed) % (lens[i] - 40);
		/* So that not only the checksum is what is wrong. */
		if (next_random(seed) % 2 && frames[i][14] == 0x45) {
			memset(frames[i] + 24, 0, 2);
			store_be16(frames[i] + 24,
				   ~plain_sum(frames[i] + 14, 20, 0));
		}
	}
}

static void expect_same_runs(const struct tunnel_received *a,
			     const struct tunnel_received *b)
{
	assert_int_equal(a->n_runs, b->n_runs);
	for (unsigned i = 0; i < a->n_runs; i++) {
		const struct tunnel_run *x = &a->runs[i], *y = &b->runs[i];

		assert_int_not_equal(x->n, 0);
		assert_int_equal(x->n, y->n);
		assert_int_equal(x->tunnel, y->tunnel);
		assert_int_equal(x->remote, y->remote);
		assert_int_equal(x->vni, y->vni);
		assert_int_equal(x->vid, y->vid);
		assert_memory_equal(x->ip, y->ip, 16);
	}
	assert_int_equal(a->n_others, b->n_others);
	for (unsigned i = 0; i < a->n_others; i++)
		assert_int_equal(a->others[i] - short_way.packets,
				 b->others[i] - long_way.packets);
	expect_same_failures(a->failed, a->n_failed, b->failed, b->n_failed);
}

static void decap_both(struct tunnel_pair *t, unsigned n, uint32_t pull)
{
	struct tunnel_received r[2];
	struct side *sides[2] = { &short_way, &long_way };

	for (unsigned k = 0; k < 2; k++) {
		struct side *s = sides[k];

		side_load(s, n, pull);
		for (unsigned i = 0; i < n; i++)
			s->packets[i].offload.csum_valid = i % 3;
		tunnel_decap(t->demux, s->list, n, false, s->scratch, &r[k]);
		assert_int_equal(r[k].n_taken, n);
		for (unsigned i = 0; i < r[k].n_runs; i++)
			for (unsigned j = 0; j < r[k].runs[i].n; j++)
				keep(s, &r[k].runs[i].first[j]);
	}
	expect_same();
	expect_same_runs(&r[0], &r[1]);
}

static void prepare(struct tunnel_pair *t, unsigned how)
{
	tunnel_pair_prepare(t, how & 32 ? 6 : 4, how & 1);
	t->remotes[0].outer.udp_csum =
		how & 64 ? VXLAN_CSUM_LEFT : VXLAN_CSUM_ZERO;
	t->demux_config.rules.csum = how % 3;
	t->demux_config.rules.zero_csum6 = how % 5;
	t->remotes[0].outer.dont_fragment = how & 2;
	t->remotes[0].outer.inherit_tos = how & 4;
	t->remotes[0].outer.tos = 0x20;
	t->remotes[0].outer.tagged = how & 8;
	t->remotes[0].mtu = how & 16 ? 1200 : 0;
	if (how & 4)
		t->demux_config.local_mac = 0x020000000010;
	if (how & 8)
		t->demux_config.n_locals = 0;
	t->demux_config.rules.refuse_reserved = how & 16;
	t->demux_config.vid_beside = how & 2;
	for (unsigned i = 0; i < t->demux_config.n_networks; i++)
		t->networks[i].takes_unknown = how & 2;
	tunnel_pair_create(t);
	/* Both count identifications from 0. */
	side_init(&short_way, true);
	side_init(&long_way, false);
}

static void both_ways(void **state)
{
	static const unsigned sizes[] = { 1, 33, 39, 64 };
	static const uint32_t pulls[] = { 64, 64, 0, 104 };
	uint32_t seed = 1;

	fill(payload, sizeof(payload), 1);
	for (unsigned how = 0; how < 128; how++) {
		struct tunnel_pair t;

		prepare(&t, how);
		for (unsigned i = 0; i < ROUNDS; i++) {
			unsigned n = sizes[i % 4];

			make_burst(n, &seed, how & 1);
			encap_both(&t, n, i & 4, pulls[i / 4 % 4]);
			take_as_frames(&seed);
			decap_both(&t, long_way.n_out, pulls[i / 2 % 4]);
		}
		tunnel_pair_free(&t);
		tunnel_scratch_destroy(short_way.scratch);
		tunnel_scratch_destroy(long_way.scratch);
	}
}

static void make_usual_burst(unsigned n, bool mapped)
{
	const struct frame_spec spec = { .n_tags = mapped,
					 .version = 4,
					 .proto = IPPROTO_UDP,
					 .payload = payload,
					 .payload_len = 90 };

	frame_build(&built, &spec);
	for (unsigned i = 0; i < n; i++) {
		if (mapped)
			store_be16(built.data + 14, 1 + i / 4);
		memcpy(frames[i], built.data, built.len);
		lens[i] = built.len;
	}
}

static void expect_plain_encap(const struct tunnel_pair *t, unsigned n)
{
	struct tunnel_way w = { .t = t->tunnel,
				.e = &t->tunnel->remotes[0],
				.out = &short_way.scratch->out,
				.by_tag = t->tunnel->vni == VTEP_NO_VNI,
				.vni = t->tunnel->vni };

	side_load(&short_way, n, 64);
	assert_true(w.e->plain);
	assert_int_equal(tunnel_plain_encap(&w, short_way.list, n), n);
	/* They borrow what they are to replace. */
	for (unsigned i = 0; i < n; i++)
		keep(&short_way, w.out->list[i]);
	memcpy(frames, short_way.out, n * SIZE);
	memcpy(lens, short_way.lens, n * sizeof(lens[0]));
}

static void expect_plain_decap(const struct tunnel_pair *t, unsigned n,
			       uint32_t pull)
{
	struct tunnel_in *in = &short_way.scratch->in;

	side_load(&short_way, n, pull);
	in->found.vni = VTEP_NO_VNI;
	coalesce_init(&in->coalesce, in->joined, TUNNEL_PIECES);
	for (unsigned i = 0; i < n; i++)
		short_way.packets[i].offload.csum_valid = true;
	assert_int_equal(tunnel_plain_decap(t->demux, in, short_way.list, n),
			 n);
}

/* The short way is the one that usual packets go. */
static void usual_is_plain(void **state)
{
	const unsigned n = 33;

	for (unsigned how = 0; how < 128; how++) {
		struct tunnel_pair t;

		prepare(&t, how & ~16u);
		if (!short_way.scratch->avx2)
			skip();
		make_usual_burst(n, how & 1);
		expect_plain_encap(&t, n);
		/* An underlay's tag is taken off by who hands it in. */
		if (!(how & 8))
			expect_plain_decap(&t, n, how & 2 ? 64 : 0);
		tunnel_pair_free(&t);
		tunnel_scratch_destroy(short_way.scratch);
		tunnel_scratch_destroy(long_way.scratch);
	}
}

/* Frames of a VLAN, and the same with the tag that says it. */
static void vlan_is_tag(void **state)
{
	const unsigned n = 39;
	uint32_t seed = 2;

	for (unsigned how = 1; how < 128; how += 2) {
		for (unsigned i = 0; i < 60; i++) {
			struct tunnel_sent sent[2];
			uint16_t vid = 38 + i % 4; /* some have no VNI */
			struct tunnel_pair t;

			prepare(&t, how);
			make_burst(n, &seed, false);
			side_load(&short_way, n, 64);
			side_load(&long_way, n, 64);
			for (unsigned j = 0; j < n; j++)
				assert_true(packet_vlan_push(
					long_way.list[j], ETH_TYPE_VLAN, vid));
			tunnel_encap_vlan(t.tunnel, 0, vid, short_way.list, n,
					  i & 4, short_way.scratch, &sent[0]);
			tunnel_encap(t.tunnel, 0, long_way.list, n, i & 4,
				     long_way.scratch, &sent[1]);
			assert_int_equal(sent[0].n_taken, n);
			assert_int_equal(sent[0].n_outer, sent[1].n_outer);
			for (unsigned j = 0; j < sent[0].n_outer; j++) {
				keep(&short_way, sent[0].outer[j]);
				keep(&long_way, sent[1].outer[j]);
			}
			expect_same();
			expect_same_failures(sent[0].failed, sent[0].n_failed,
					     sent[1].failed, sent[1].n_failed);
			tunnel_pair_free(&t);
			tunnel_scratch_destroy(short_way.scratch);
			tunnel_scratch_destroy(long_way.scratch);
		}
	}
}

static uint16_t vid_by(const struct tunnel_demux *d)
{
	struct tunnel_received r;

	side_load(&short_way, 1, 0);
	tunnel_decap(d, short_way.list, 1, false, short_way.scratch, &r);
	return r.n_runs ? r.runs[0].vid : 0;
}

/* What is remembered of one configuration says nothing of another. */
static void memory_is_of_a_demux(void **state)
{
	struct tunnel_demux *other;
	struct tunnel_pair t;

	prepare(&t, 3);
	if (!short_way.scratch->avx2)
		skip();
	make_usual_burst(1, true);
	expect_plain_encap(&t, 1);
	t.networks[0].vid = 77;
	other = tunnel_demux_create(&t.demux_config);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(vid_by(t.demux), 1);
		assert_int_equal(vid_by(other), 77);
	}
	/* Without an identity of its own nothing is. */
	other->id = t.demux->id = 0;
	assert_int_equal(vid_by(t.demux), 1);
	assert_int_equal(vid_by(other), 77);
	tunnel_demux_free(other);
	tunnel_pair_free(&t);
	tunnel_scratch_destroy(short_way.scratch);
	tunnel_scratch_destroy(long_way.scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways),
		cmocka_unit_test(usual_is_plain),
		cmocka_unit_test(vlan_is_tag),
		cmocka_unit_test(memory_is_of_a_demux),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
