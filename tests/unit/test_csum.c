/* The Internet checksum against the plain way of computing it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "frames.h"
#include "packet/crc32c.h"
#include "packet/csum.h"
#include "packet/vlan.h"

#define LEN 4096

static uint8_t bytes[LEN + 64];

static int setup(void **state)
{
	fill(bytes, sizeof(bytes), 1);
	return 0;
}

/* A folded sum is kept in memory order: as the network would have it. */
static uint16_t as_be(uint64_t sum)
{
	uint16_t v = csum_fold(sum);

	return load_be16(&v);
}

static void every_length_and_alignment(void **state)
{
	for (size_t len = 0; len <= 300; len++)
		for (size_t at = 0; at < 33; at++)
			assert_int_equal(as_be(csum_add(0, bytes + at, len)),
					 plain_sum(bytes + at, len, 0));
	for (size_t len = 1400; len < LEN; len += 61)
		assert_int_equal(as_be(csum_add(0, bytes + 1, len)),
				 plain_sum(bytes + 1, len, 0));
}

/* The most carries there can be. */
static void all_ones(void **state)
{
	size_t len = 65536;
	uint8_t *ones = xmalloc(len);

	memset(ones, 0xff, len);
	assert_int_equal(csum_fold(csum_add(0, ones, len)), 0xffff);
	assert_int_equal(csum_fold(csum_add(UINT64_MAX, ones, len)), 0xffff);
	assert_int_equal(csum_fold(csum_combine(UINT64_MAX, UINT64_MAX)),
			 0xffff);
	free(ones);
}

static void pieces_of_odd_lengths(void **state)
{
	uint32_t random = 7;

	for (int round = 0; round < 500; round++) {
		uint32_t at = 0, len = next_random(&random) % LEN;
		struct csum c = { 0 };

		while (at < len) {
			uint32_t n = next_random(&random) % 99;

			n = MIN(n, len - at);
			csum_piece(&c, bytes + at, n);
			at += n;
		}
		assert_int_equal(as_be(c.sum), plain_sum(bytes, len, 0));
	}
}

static void pseudo_headers(void **state)
{
	uint32_t len = 0x1ffff;
	uint8_t tail[8] = { 0, 1, 0xff, 0xff, 0, 0, 0, 17 };

	assert_int_equal(as_be(csum_pseudo4(bytes, 17, len)),
			 plain_sum(tail, 8, plain_sum(bytes + 12, 8, 0)));
	assert_int_equal(as_be(csum_pseudo6(bytes, 17, len)),
			 plain_sum(tail, 8, plain_sum(bytes + 8, 32, 0)));
}

static void ipv4_header(void **state)
{
	uint8_t ip[60];

	for (unsigned len = 20; len <= 60; len += 4) {
		memcpy(ip, bytes + len, len);
		csum_ipv4_header(ip, len);
		assert_int_equal(plain_sum(ip, len, 0), 0xffff);
	}
}

/* Builds a frame with a partial checksum, and what it must become. */
static void build_pair(struct frame *partial, struct frame *whole, int version,
		       unsigned extra, uint32_t payload)
{
	struct frame_spec spec = {
		.n_tags = 1,
		.version = version,
		.ip_extra = extra,
		.proto = version == 4 ? 6 : 17,
		.payload = bytes,
		.payload_len = payload,
		.partial = true,
	};

	frame_build(partial, &spec);
	spec.partial = false;
	frame_build(whole, &spec);
}

static void expect_frame(const struct packet *p, const struct frame *f)
{
	uint8_t *got = xmalloc(p->len);

	assert_int_equal(p->len, f->len);
	assert_int_equal(packet_read(p, 0, got, p->len), p->len);
	assert_memory_equal(got, f->data, f->len);
	free(got);
}

static void finish(void **state)
{
	static struct frame partial, whole;
	static const uint32_t cuts[] = { 0, 1, 7, 64, 500 };
	struct packet_segment *pieces;
	struct packet p;
	unsigned n;

	for (uint32_t i = 0; i < 2 * 40 * ARRAY_SIZE(cuts); i++) {
		uint32_t payload = i / 2 % 40 * 37;

		build_pair(&partial, &whole, i & 1 ? 4 : 6, i & 1 ? 4 : 8,
			   payload);
		pieces = pieces_make(partial.data, partial.len, cuts[i / 80],
				     &n);
		packet_of_pieces(&p, pieces, n, partial.len);
		p.offload.csum_needed = true;
		p.offload.csum_start = partial.l4;
		p.offload.csum_offset = partial.csum_offset;
		assert_true(packet_pull(&p, ETH_HEADER_LEN));
		assert_true(packet_finish_csum(&p));
		assert_false(p.offload.csum_needed);
		expect_frame(&p, &whole);
		pieces_free(pieces, n);
	}
}

/* The field lies behind what a private header can hold. */
static void finish_far(void **state)
{
	static struct frame partial, whole;
	static struct csum_far far;
	struct packet p;

	build_pair(&partial, &whole, 6, 200, 333);
	packet_init(&p, partial.data, partial.len);
	p.offload.csum_needed = true;
	p.offload.csum_start = partial.l4;
	p.offload.csum_offset = partial.csum_offset;
	assert_true(packet_pull(&p, PACKET_PULL));
	assert_false(packet_finish_csum(&p));
	assert_true(p.offload.csum_needed);
	assert_true(packet_finish_csum_far(&p, &far));
	expect_frame(&far.packet, &whole);
	expect_frame(&p, &partial);
}

/* Tags that were pushed have moved the field behind what a pull reaches. */
static void finish_behind_tags(void **state)
{
	static struct frame partial, whole;
	struct packet p;

	build_pair(&partial, &whole, 6, 32, 100);
	packet_init(&p, partial.data, partial.len);
	assert_true(packet_pull(&p, PACKET_PULL_MAX));
	p.offload.csum_needed = true;
	p.offload.csum_start = partial.l4;
	p.offload.csum_offset = partial.csum_offset;
	assert_true(packet_vlan_push(&p, 0x88a8, 1));
	assert_true(packet_vlan_push(&p, 0x88a8, 2));
	assert_true(p.offload.csum_start + 8 > PACKET_PULL_MAX);
	assert_true(packet_finish_csum(&p));
	packet_vlan_pop(&p);
	packet_vlan_pop(&p);
	expect_frame(&p, &whole);
}

/* Zero would mean "no checksum" in UDP; its other form is stored. */
static void never_zero(void **state)
{
	uint8_t data[64] = { 0 };
	struct packet p;

	store_be16(data + 34, 0xffff);
	packet_init(&p, data, sizeof(data));
	p.offload.csum_needed = true;
	p.offload.csum_start = 34;
	p.offload.csum_offset = 6;
	assert_true(packet_finish_csum(&p));
	assert_int_equal(load_be16(p.header + 40), 0xffff);
}

static void finish_outside(void **state)
{
	static struct csum_far far;
	struct packet p;

	packet_init(&p, bytes, 60);
	p.offload.csum_needed = true;
	p.offload.csum_start = 50;
	p.offload.csum_offset = 9;
	assert_false(packet_finish_csum(&p));
	assert_false(packet_finish_csum_far(&p, &far));
	p.offload.csum_offset = 65535;
	p.offload.csum_start = 65535;
	assert_false(packet_finish_csum(&p));
	assert_false(packet_finish_csum_far(&p, &far));
	packet_init(&p, bytes, 13);
	assert_false(packet_finish_csum(&p));
}

/* RFC 3720 B.4 gives these. */
static void crc32c(void **state)
{
	uint8_t data[32] = { 0 };

	assert_int_equal(~crc32c_add(UINT32_MAX, "123456789", 9), 0xe3069283);
	assert_int_equal(~crc32c_add(UINT32_MAX, data, 32), 0x8a9136aa);
	memset(data, 0xff, 32);
	assert_int_equal(~crc32c_add(UINT32_MAX, data, 32), 0x62a8ab43);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_length_and_alignment),
		cmocka_unit_test(all_ones),
		cmocka_unit_test(pieces_of_odd_lengths),
		cmocka_unit_test(pseudo_headers),
		cmocka_unit_test(ipv4_header),
		cmocka_unit_test(finish),
		cmocka_unit_test(finish_far),
		cmocka_unit_test(finish_behind_tags),
		cmocka_unit_test(never_zero),
		cmocka_unit_test(finish_outside),
		cmocka_unit_test(crc32c),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
