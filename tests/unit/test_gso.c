/*
 * Segmentation against a model: each segment that is expected is built from its
 * own description, and must come out byte for byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <errno.h>
#include <netinet/in.h>

#include <cmocka.h>

#include "frames.h"
#include "packet/csum.h"
#include "packet/gso.h"
#include "packet/parse.h"

static uint8_t bytes[70000];
static struct frame large, expected;
static struct gso_scratch scratch;

static int setup(void **state)
{
	fill(bytes, sizeof(bytes), 3);
	return 0;
}

static enum packet_gso type_of(const struct frame_spec *s)
{
	if (s->proto == IPPROTO_UDP)
		return PACKET_GSO_UDP;
	return s->version == 4 ? PACKET_GSO_TCP4 : PACKET_GSO_TCP6;
}

static void prepare(struct packet *p, const struct frame_spec *s, uint16_t size)
{
	p->offload.gso = type_of(s);
	p->offload.gso_size = size;
	p->offload.csum_needed = true;
	p->offload.csum_start = large.l4;
	p->offload.csum_offset = large.csum_offset;
}

/* What the description of the segment from byte `at` differs in. */
static struct frame_spec part(const struct frame_spec *s, uint32_t at,
			      uint16_t size)
{
	struct frame_spec e = *s;

	e.payload += at;
	e.payload_len = MIN(size, s->payload_len - at);
	e.seq += at;
	e.ip_id += at / size;
	if (at)
		e.tcp_flags &= ~0x80;
	if (at + e.payload_len < s->payload_len)
		e.tcp_flags &= ~0x09;
	return e;
}

static void expect_segment(const struct packet *p, const struct frame_spec *s,
			   uint32_t at, uint16_t size, bool finish)
{
	struct frame_spec e = part(s, at, size);
	static uint8_t got[sizeof(expected.data)];

	e.partial = !finish;
	frame_build(&expected, &e);
	assert_int_equal(p->len, expected.len);
	assert_int_equal(packet_read(p, 0, got, sizeof(got)), expected.len);
	assert_memory_equal(got, expected.data, expected.len);
	assert_int_equal(p->offload.csum_needed, !finish);
	assert_int_equal(p->offload.gso, PACKET_GSO_NONE);
	if (!finish) {
		assert_int_equal(p->offload.csum_start, expected.l4);
		assert_int_equal(p->offload.csum_offset, expected.csum_offset);
	}
}

static void run(const struct frame_spec *s, uint16_t size, uint32_t piece,
		uint32_t pull, bool finish)
{
	struct packet_segment *pieces;
	struct packet p, *segment;
	uint32_t at = 0;
	struct gso g;
	unsigned n;
	int r;

	frame_build(&large, s);
	pieces = pieces_make(large.data, large.len, piece, &n);
	packet_of_pieces(&p, pieces, n, large.len);
	packet_pull(&p, pull);
	prepare(&p, s, size);
	assert_int_equal(gso_start(&g, &p, finish), 0);
	gso_scratch_clear(&scratch);
	while ((r = gso_next(&g, &scratch, &segment))) {
		if (r == -ENOSPC) {
			assert_int_not_equal(scratch.n_packets, 0);
			gso_scratch_clear(&scratch);
			continue;
		}
		assert_int_equal(r, 1);
		expect_segment(segment, s, at, size, finish);
		at += MIN(size, s->payload_len - at);
	}
	assert_int_equal(at, s->payload_len);
	pieces_free(pieces, n);
}

/* Each way of laying out headers, payloads that fit and that do not. */
static void every_layout(void **state)
{
	static const uint32_t payloads[] = { 1, 99, 100, 101, 1000, 1001 };
	static const uint32_t pieces[] = { 0, 1, 63, 100, 333 };
	unsigned n = 0;

	for (int version = 4; version <= 6; version += 2)
		for (int proto = 0; proto < 2; proto++)
			for (unsigned tags = 0; tags <= 2; tags++)
				for (unsigned ip = 0; ip <= 40;
				     ip += version == 4 ? 20 : 8)
					for (unsigned tcp = 0;
					     tcp <= (proto ? 0 : 40); tcp += 20)
						for (size_t len = 0;
						     len < ARRAY_SIZE(payloads);
						     len++, n++) {
							struct frame_spec s = {
								.n_tags = tags,
								.version =
									version,
								.ip_extra = ip,
								.proto =
									proto ? IPPROTO_UDP
									      : IPPROTO_TCP,
								.tcp_extra =
									tcp,
								.ip_id = 0xfffd,
								.seq = 0xffffff80,
								.tcp_flags =
									n & 1 ? 0x99
									      : 0x10,
								.payload =
									bytes +
									n % 100,
								.payload_len = payloads
									[len],
								.partial = true,
							};

							run(&s, 100,
							    pieces[n % 5],
							    n & 2 ? 64 : 104,
							    n & 4);
						}
	assert_true(n > 400);
}

static void sizes(void **state)
{
	struct frame_spec s = {
		.version = 4,
		.proto = IPPROTO_TCP,
		.tcp_extra = 12,
		.tcp_flags = 0x18,
		.payload = bytes,
		.partial = true,
	};
	uint32_t random = 5;

	for (int i = 0; i < 200; i++) {
		s.version = i & 1 ? 4 : 6;
		s.payload_len = 1 + next_random(&random) % 20000;
		s.payload = bytes + next_random(&random) % 1000;
		run(&s, 48 + next_random(&random) % 9000,
		    i & 2 ? 0 : 1 + next_random(&random) % 5000, 64, i & 4);
	}
	/* the largest there is */
	s.payload_len = 65535 - 40 - 32;
	run(&s, 1448, 4096, 64, true);
	run(&s, 48, 4096, 64, true);
}

static int start(const struct packet *p)
{
	struct gso g;

	return gso_start(&g, p, true);
}

static void refused(void **state)
{
	struct frame_spec s = {
		.version = 4,
		.proto = IPPROTO_TCP,
		.payload = bytes,
		.payload_len = 3000,
		.partial = true,
	};
	struct packet p;

	frame_build(&large, &s);
	packet_init(&p, large.data, large.len);
	prepare(&p, &s, 1000);
	assert_int_equal(start(&p), 0);
	p.offload.gso_size = 0;
	assert_int_equal(start(&p), -EINVAL);
	p.offload.gso_size = 1; /* 3,000 segments */
	assert_int_equal(start(&p), -EINVAL);
	p.offload.gso_size = 65535; /* longer than IP can say */
	assert_int_equal(start(&p), -EINVAL);
	p.offload.gso_size = 1000;
	p.offload.gso = PACKET_GSO_TCP6;
	assert_int_equal(start(&p), -EINVAL);
	p.offload.gso = PACKET_GSO_UDP;
	assert_int_equal(start(&p), -EINVAL);
	p.offload.gso = 77;
	assert_int_equal(start(&p), -EINVAL);
	p.offload.gso = PACKET_GSO_TCP4;
	large.data[large.l3 + 6] = 0x20; /* more fragments */
	assert_int_equal(start(&p), -EINVAL);
	large.data[large.l3 + 6] = 0;
	large.data[large.l3] = 0x44; /* header shorter than a header */
	assert_int_equal(start(&p), -EINVAL);
	large.data[large.l3] = 0x45;
	large.data[large.l4 + 12] = 0x40; /* the same of TCP */
	assert_int_equal(start(&p), -EINVAL);
	large.data[large.l4 + 12] = 0x50;
	assert_int_equal(start(&p), 0);
}

/* Frames cut short anywhere within their headers. */
static void cut_short(void **state)
{
	struct frame_spec s = {
		.n_tags = 2,
		.version = 6,
		.ip_extra = 16,
		.proto = IPPROTO_TCP,
		.tcp_extra = 12,
		.payload = bytes,
		.payload_len = 2000,
	};

	frame_build(&large, &s);
	for (uint32_t len = 0; len <= large.start; len++) {
		uint8_t *copy = xmalloc(len);
		struct packet p;

		memcpy(copy, large.data, len);
		packet_init(&p, copy, len);
		prepare(&p, &s, 1000);
		assert_int_equal(start(&p), -EINVAL);
		free(copy);
	}
}

/* The memory is shorter than the packet says. */
static void memory_short(void **state)
{
	struct frame_spec s = {
		.version = 4,
		.proto = IPPROTO_UDP,
		.payload = bytes,
		.payload_len = 3000,
	};
	struct packet p, *segment;
	struct gso g;

	frame_build(&large, &s);
	packet_init(&p, large.data, large.len);
	p.segment.len = 1500;
	prepare(&p, &s, 1000);
	assert_int_equal(gso_start(&g, &p, true), 0);
	gso_scratch_clear(&scratch);
	assert_int_equal(gso_next(&g, &scratch, &segment), 1);
	assert_int_equal(gso_next(&g, &scratch, &segment), -EINVAL);
}

static void too_many_pieces(void **state)
{
	struct frame_spec s = {
		.version = 4,
		.proto = IPPROTO_UDP,
		.payload = bytes,
		.payload_len = 3000,
	};
	struct packet_segment *pieces;
	struct packet p, *segment;
	struct gso g;
	unsigned n;

	frame_build(&large, &s);
	pieces = pieces_make(large.data, large.len, 1, &n);
	packet_of_pieces(&p, pieces, n, large.len);
	prepare(&p, &s, GSO_PIECES + 1);
	assert_int_equal(gso_start(&g, &p, true), 0);
	gso_scratch_clear(&scratch);
	assert_int_equal(gso_next(&g, &scratch, &segment), -ENOSPC);
	assert_int_equal(scratch.n_packets, 0);
	pieces_free(pieces, n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_layout),
		cmocka_unit_test(sizes),
		cmocka_unit_test(refused),
		cmocka_unit_test(cut_short),
		cmocka_unit_test(memory_short),
		cmocka_unit_test(too_many_pieces),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
