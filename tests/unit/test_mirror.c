/* Mirrors in the pipeline: who gets copies, of what, and how often. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "forward/mirror.h"
#include "packet/parse.h"
#include "tests/unit/frames.h"
#include "tests/unit/switch_fixture.h"

/* Ports a, b and c of a bridge, and one that copies go to. */
struct lab {
	struct fixture *f;
	struct fwd_bridge *br;
	struct fixture_port *a, *b, *c, *out;
	struct mirror_counters *counters;
	struct fwd_mirror mirror; /* as it will be added */
};

static struct lab *lab_create(void)
{
	struct lab *l = xcalloc(1, sizeof(*l));

	l->f = fixture_create();
	l->br = fixture_bridge(l->f, "br0");
	l->a = fixture_port(l->f, l->br, NULL);
	l->b = fixture_port(l->f, l->br, NULL);
	l->c = fixture_port(l->f, l->br, NULL);
	l->out = fixture_port(l->f, l->br, NULL);
	l->counters = xcalloc_aligned(PORT_THREADS_MAX, sizeof(*l->counters));
	l->mirror.out = l->out->fwd;
	l->mirror.counters = l->counters;
	return l;
}

static void lab_destroy(struct lab *l)
{
	fixture_destroy(l->f);
	free(l->counters);
	free(l);
}

static struct fwd_mirror *add(struct lab *l)
{
	struct fwd_mirror *m = fwd_bridge_add_mirror(l->br, &l->mirror);

	assert_non_null(m);
	return m;
}

static void select_all(const struct lab *l, const struct fwd_mirror *m)
{
	for (unsigned i = 0; i < l->br->n_ports; i++)
		if (l->br->ports[i] != l->out->fwd)
			fwd_mirror_select(m, l->br->ports[i], true, true);
}

static void inject(struct lab *l, struct fixture_port *in, uint8_t dst,
		   uint8_t src, const uint32_t *tags)
{
	uint8_t frame[128];

	fixture_frame(l->f, in, frame, make_frame(frame, dst, src, tags));
}

static const struct vlan_config access10 = { .mode = VLAN_ACCESS, .tag = 10 };

static void a_flooded_packet_is_copied_once(void **state)
{
	struct lab *l = lab_create();
	const struct fwd_mirror *m = add(l);

	fwd_mirror_select(m, l->b->fwd, false, true);
	fwd_mirror_select(m, l->c->fwd, false, true);
	inject(l, l->a, 0xff, 1, NULL);
	assert_int_equal(l->b->n_sent, 1);
	assert_int_equal(l->c->n_sent, 1);
	assert_int_equal(l->out->n_sent, 1);
	assert_int_equal(l->counters[0].packets, 1);
	assert_int_equal(l->counters[0].bytes, 60);
	/* By a port that is not selected, to one that is not. */
	fixture_forget(l->f);
	inject(l, l->b, 1, 2, NULL);
	assert_int_equal(l->a->n_sent, 1);
	assert_int_equal(l->out->n_sent, 0);
	lab_destroy(l);
}

static void bursts_that_go_the_short_way_are_copied(void **state)
{
	struct lab *l = lab_create();
	const struct fwd_mirror *m = add(l);
	uint8_t frame[128];
	struct iovec frames[8];
	uint32_t len;

	fwd_mirror_select(m, l->b->fwd, false, true);
	inject(l, l->b, 0xff, 2, NULL);
	fixture_forget(l->f);
	len = make_frame(frame, 2, 1, NULL);
	memset(frame + len, 0, sizeof(frame) - len);
	for (unsigned i = 0; i < ARRAY_SIZE(frames); i++)
		frames[i] = (struct iovec){ frame, 100 };
	fixture_burst(l->f, l->a, frames, ARRAY_SIZE(frames));
	assert_int_equal(l->b->n_sent, 8);
	assert_int_equal(l->out->n_sent, 8);
	lab_destroy(l);
}

static void twins_copy_once_and_both_count(void **state)
{
	struct lab *l = lab_create();
	struct mirror_counters *second =
		xcalloc_aligned(PORT_THREADS_MAX, sizeof(*second));
	const struct fwd_mirror *m = add(l), *twin;

	l->mirror.counters = second;
	twin = add(l);
	fwd_mirror_select(m, l->a->fwd, true, false);
	select_all(l, twin);
	inject(l, l->a, 0xff, 1, NULL);
	assert_int_equal(l->out->n_sent, 1);
	assert_int_equal(l->counters[0].packets, 1);
	assert_int_equal(second[0].packets, 1);
	lab_destroy(l);
	free(second);
}

static void nothing_else_passes_by_the_output(void **state)
{
	struct lab *l = lab_create();

	inject(l, l->out, 0xff, 9, NULL); /* is learned there */
	fixture_forget(l->f);
	fwd_mirror_select(add(l), l->a->fwd, true, true);
	inject(l, l->b, 9, 2, NULL);
	assert_int_equal(l->out->n_sent, 0);
	assert_int_equal(fixture_drops(l->out, DROP_MIRROR_PORT), 1);
	inject(l, l->out, 0xff, 9, NULL);
	assert_int_equal(fixture_drops(l->out, DROP_MIRROR_PORT), 2);
	assert_int_equal(l->a->n_sent, 0);
	/* Its copy comes there; it itself does not. */
	inject(l, l->a, 9, 1, NULL);
	assert_int_equal(l->out->n_sent, 1);
	assert_int_equal(fixture_drops(l->out, DROP_MIRROR_PORT), 3);
	lab_destroy(l);
}

static void copies_into_a_vlan_are_tagged_and_never_again(void **state)
{
	static const uint32_t tag10[] = { 0x8100000a, 0 };
	static const uint32_t tag99[] = { 0x81000063, 0 };
	static const struct vlan_config access99 = { .mode = VLAN_ACCESS,
						     .tag = 99 };
	struct lab *l = lab_create();
	struct fixture_port *analyser = fixture_port(l->f, l->br, &access99);
	struct fixture_port *d = fixture_port(l->f, l->br, &access10);

	l->mirror.out = NULL;
	l->mirror.out_vid = 99;
	select_all(l, add(l));
	inject(l, d, 0xff, 4, NULL);
	/* Trunks a, b, c, out: the frame in VLAN 10, its copy in VLAN 99. */
	assert_int_equal(l->a->n_sent, 2);
	assert_int_equal(load_be32(l->a->sent[0].data + 12), 0x81000063);
	assert_int_equal(load_be32(l->a->sent[1].data + 12), *tag10);
	assert_int_equal(analyser->n_sent, 1);
	assert_int_equal(load_be16(analyser->sent[0].data + 12), 0x88b5);
	assert_int_equal(l->counters[0].packets, 1);
	/* What others mirrored: to all, however often it was heard. */
	fixture_forget(l->f);
	inject(l, l->a, 0xff, 7, tag99);
	inject(l, l->b, 7, 8, tag99);
	assert_int_equal(analyser->n_sent, 2);
	assert_int_equal(l->c->n_sent, 2);
	assert_int_equal(l->counters[0].packets, 1);
	lab_destroy(l);
}

static void a_ring_of_patch_ports_does_not_feed_copies_back(void **state)
{
	struct lab *l = lab_create();
	struct fwd_bridge *other = fixture_bridge(l->f, "br1");
	struct fixture_port *there = fixture_port(l->f, other, NULL);
	struct fixture_port *back = fixture_port(l->f, other, NULL);
	struct fixture_port *watcher = fixture_port(l->f, other, NULL);

	fwd_port_connect(l->out->fwd, there->fwd);
	fwd_port_connect(l->c->fwd, back->fwd);
	select_all(l, add(l));
	inject(l, l->a, 2, 1, NULL);
	/*
	 * The copy goes round once: into br0 by c, from where it is flooded,
	 * and by c the frame itself comes to br1.
	 */
	assert_int_equal(l->counters[0].packets, 1);
	assert_in_range(watcher->n_sent, 1, 2);
	lab_destroy(l);
}

/* A frame in pieces, as a guest's descriptors are. */
static void inject_pieces(struct lab *l, struct fixture_port *in,
			  const uint8_t *frame, const uint32_t lens[],
			  unsigned n, const struct packet_offload *offload)
{
	struct packet_segment segments[8];
	struct packet p;
	uint32_t at = 0;

	packet_init(&p, frame, 0);
	for (unsigned i = 0; i < n; i++) {
		segments[i].data = frame + at;
		segments[i].len = lens[i];
		at += lens[i];
	}
	p.segments = segments;
	p.n_segments = n;
	p.len = at;
	if (offload)
		p.offload = *offload;
	pipeline_run(l->f->pipeline, in->fwd, &p, 1);
}

static void frames_in_pieces_are_cut(void **state)
{
	static const uint32_t lens[] = { 20, 50, 1, 100, 29 };
	uint8_t *frame = xmalloc(200), expected[200];

	for (uint16_t snaplen = 14; snaplen < 210; snaplen++) {
		struct lab *l = lab_create();
		uint32_t len = MIN(snaplen, 200);

		make_frame(frame, 0xff, 1, NULL);
		for (unsigned i = 60; i < 200; i++)
			frame[i] = i;
		memcpy(expected, frame, 200);
		l->mirror.snaplen = snaplen;
		fwd_mirror_select(add(l), l->a->fwd, true, false);
		inject_pieces(l, l->a, frame, lens, ARRAY_SIZE(lens), NULL);
		assert_int_equal(l->out->n_sent, 1);
		assert_int_equal(l->out->sent[0].len, len);
		assert_memory_equal(l->out->sent[0].data, expected, len);
		assert_int_equal(l->b->sent[0].len, 200);
		assert_memory_equal(l->b->sent[0].data, expected, 200);
		assert_int_equal(l->counters[0].bytes, len);
		lab_destroy(l);
	}
	free(frame);
}

static void a_large_packet_is_cut_segment_by_segment(void **state)
{
	enum { N = 100, MSS = 500 };
	static uint8_t payload[N * MSS];
	struct frame_spec spec = { .version = 4,
				   .proto = IPPROTO_TCP,
				   .payload = payload,
				   .payload_len = sizeof(payload) };
	struct packet_offload offload = { .csum_needed = true,
					  .gso = PACKET_GSO_TCP4,
					  .gso_size = MSS };
	static struct frame large;
	struct lab *l = lab_create();
	uint32_t lens[1];

	spec.partial = true;
	frame_build(&large, &spec);
	memset(large.data, 0xff, 6);
	offload.csum_start = large.l4;
	offload.csum_offset = large.csum_offset;
	lens[0] = large.len;
	l->mirror.snaplen = 80;
	fwd_mirror_select(add(l), l->a->fwd, true, false);
	inject_pieces(l, l->a, large.data, lens, 1, &offload);
	assert_int_equal(l->out->n_sent, N);
	for (unsigned i = 0; i < FIXTURE_FRAMES; i++)
		assert_int_equal(l->out->sent[i].len, 80);
	assert_int_equal(l->counters[0].packets, N);
	assert_int_equal(l->counters[0].bytes, N * 80);
	lab_destroy(l);
}

static void a_bridge_has_so_many_mirrors_and_no_more(void **state)
{
	struct lab *l = lab_create();
	const struct fwd_mirror *m = NULL;

	for (unsigned i = 0; i < FWD_MIRRORS_MAX; i++) {
		l->mirror.out = NULL;
		l->mirror.out_vid = 100 + i;
		m = add(l);
	}
	assert_null(fwd_bridge_add_mirror(l->br, &l->mirror));
	fwd_mirror_select(m, l->a->fwd, true, false);
	inject(l, l->a, 0xff, 1, NULL);
	assert_int_equal(l->counters[0].packets, 1);
	assert_int_equal(l->b->n_sent, 2);
	lab_destroy(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flooded_packet_is_copied_once),
		cmocka_unit_test(bursts_that_go_the_short_way_are_copied),
		cmocka_unit_test(twins_copy_once_and_both_count),
		cmocka_unit_test(nothing_else_passes_by_the_output),
		cmocka_unit_test(copies_into_a_vlan_are_tagged_and_never_again),
		cmocka_unit_test(
			a_ring_of_patch_ports_does_not_feed_copies_back),
		cmocka_unit_test(frames_in_pieces_are_cut),
		cmocka_unit_test(a_large_packet_is_cut_segment_by_segment),
		cmocka_unit_test(a_bridge_has_so_many_mirrors_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
