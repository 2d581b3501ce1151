/*
 * UFO: the fragments of a datagram, put together again as a receiver does it
 * (RFC 791, RFC 8200 4.5), are the datagram with its checksum finished.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <errno.h>
#include <netinet/in.h>

#include <cmocka.h>

#include "frames.h"
#include "packet/gso.h"
#include "packet/offload.h"

static uint8_t bytes[70000], whole[70000];
static struct frame sent, wanted;
static struct gso_scratch scratch;

static struct frame_spec spec_of(int version, unsigned tags, uint32_t len)
{
	return (struct frame_spec){
		.n_tags = tags,
		.version = version,
		.proto = IPPROTO_UDP,
		.ip_id = 0x1234,
		.payload = bytes,
		.payload_len = len,
	};
}

/* Puts a fragment where it belongs; returns whether more come. */
static bool reassemble(const struct packet *p, int version, uint32_t size,
		       uint32_t *at, uint32_t *id)
{
	static uint8_t frame[70000];
	uint32_t l4 = sent.l4, n, offset, this_id;
	const uint8_t *ip = frame + sent.l3;
	bool more;

	assert_int_equal(packet_read(p, 0, frame, sizeof(frame)), p->len);
	assert_false(p->offload.csum_needed);
	assert_memory_equal(frame, sent.data, sent.l3);
	if (version == 4) {
		assert_int_equal(load_be16(ip + 2), p->len - sent.l3);
		assert_int_equal(plain_sum(ip, l4 - sent.l3, 0), 0xffff);
		more = ip[6] & 0x20;
		offset = (load_be16(ip + 6) & 0x1fff) * 8;
		this_id = load_be16(ip + 4);
	} else {
		assert_int_equal(load_be16(ip + 4), p->len - sent.l3 - 40);
		assert_int_equal(ip[6], IPPROTO_FRAGMENT);
		assert_int_equal(frame[l4], IPPROTO_UDP);
		more = frame[l4 + 3] & 1;
		offset = load_be16(frame + l4 + 2) & ~7;
		this_id = load_be32(frame + l4 + 4);
		l4 += 8;
	}
	n = p->len - l4;
	assert_int_equal(offset, *at);
	assert_true(n <= size);
	if (more)
		assert_int_equal(n, size & ~7);
	if (*at)
		assert_int_equal(this_id, *id);
	*id = this_id;
	memcpy(whole + *at, frame + l4, n);
	*at += n;
	return more;
}

static void run(int version, unsigned tags, uint32_t len, uint16_t size,
		uint32_t piece)
{
	struct frame_spec s = spec_of(version, tags, len);
	struct packet_segment *pieces;
	uint32_t at = 0, id = 0;
	struct packet p, *out;
	bool more = true;
	struct gso g;
	unsigned n;
	int r;

	frame_build(&wanted, &s);
	s.partial = true;
	frame_build(&sent, &s);
	pieces = pieces_make(sent.data, sent.len, piece, &n);
	packet_of_pieces(&p, pieces, n, sent.len);
	packet_pull(&p, PACKET_PULL_MAX);
	p.offload.gso = PACKET_GSO_UFO;
	p.offload.gso_size = size;
	p.offload.csum_needed = true;
	p.offload.csum_start = sent.l4;
	p.offload.csum_offset = 6;
	assert_int_equal(gso_start(&g, &p, false), 0);
	gso_scratch_clear(&scratch);
	while ((r = gso_next(&g, &scratch, &out))) {
		if (r == -ENOSPC) {
			assert_int_not_equal(scratch.n_packets, 0);
			gso_scratch_clear(&scratch);
			continue;
		}
		assert_int_equal(r, 1);
		assert_true(more);
		assert_true(out->len <= packet_gso_segment_len(&p));
		more = reassemble(out, version, size, &at, &id);
	}
	assert_false(more);
	assert_int_equal(at, wanted.len - wanted.l4);
	assert_memory_equal(whole, wanted.data + wanted.l4, at);
	pieces_free(pieces, n);
}

static void every_layout(void **state)
{
	static const uint32_t lengths[] = { 0,	  1,	8,     1471,
					    1472, 1473, 20000, 65000 };
	static const uint32_t pieces[] = { 0, 17, 63, 333 };
	static const uint16_t sizes[] = { 8, 1480, 1487, 4001 };

	fill(bytes, sizeof(bytes), 7);
	for (int version = 4; version <= 6; version += 2)
		for (unsigned tags = 0; tags <= 2; tags++)
			for (size_t i = 0; i < ARRAY_SIZE(lengths); i++)
				for (size_t k = 0; k < 4; k++)
					if (lengths[i] < 1000u * sizes[k])
						run(version, tags, lengths[i],
						    sizes[k], pieces[k]);
}

/* What a guest may ask for, and what not. */
static void header(void **state)
{
	struct frame_spec s = spec_of(4, 0, 4000);
	uint8_t vnet[VNET_HDR_LEN], back[VNET_HDR_LEN];
	struct packet p;

	s.partial = true;
	frame_build(&sent, &s);
	vnet_make(vnet, 1, 3, sent.start, 1480, sent.l4, 6);
	packet_init(&p, sent.data, sent.len);
	assert_false(offload_receive(&p, vnet, OFFLOAD_ALL));
	packet_init(&p, sent.data, sent.len);
	assert_true(offload_receive(&p, vnet, OFFLOAD_ALL | OFFLOAD_UFO));
	assert_int_equal(p.offload.gso, PACKET_GSO_UFO);
	assert_true(offload_send(&p, back));
	assert_memory_equal(vnet, back, sizeof(vnet));
	vnet_make(vnet, 1, 3, sent.start, 7, sent.l4, 6);
	packet_init(&p, sent.data, sent.len);
	assert_false(offload_receive(&p, vnet, OFFLOAD_ALL | OFFLOAD_UFO));
	vnet_make(vnet, 1, 3 | 0x80, sent.start, 1480, sent.l4, 6);
	packet_init(&p, sent.data, sent.len);
	assert_false(offload_receive(&p, vnet, OFFLOAD_ALL | OFFLOAD_UFO));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_layout),
		cmocka_unit_test(header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
