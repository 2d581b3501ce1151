/* Pulling, copying and reading packets in pieces of any size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "frames.h"
#include "packet/drop.h"
#include "packet/packet.h"
#include "packet/vlan.h"

static uint8_t bytes[2000];

static int setup(void **state)
{
	fill(bytes, sizeof(bytes), 9);
	return 0;
}

static void expect_bytes(const struct packet *p, const uint8_t *want,
			 uint32_t len)
{
	uint8_t *got = xmalloc(len + 1);

	assert_int_equal(p->len, len);
	assert_int_equal(packet_read(p, 0, got, len + 1), len);
	assert_memory_equal(got, want, len);
	for (uint32_t at = 0; at <= len; at += 1 + at / 7)
		assert_int_equal(packet_read(p, at, got, 5), MIN(5, len - at));
	assert_int_equal(packet_read(p, len + 1, got, 1), 0);
	free(got);
}

/* The I/O vector, put together, is the frame; too short a vector says so. */
static void expect_iov(const struct packet *p, const uint8_t *want)
{
	static struct iovec iov[2048];
	unsigned n = packet_iov(p, iov, ARRAY_SIZE(iov));
	uint32_t at = 0;

	for (unsigned i = 0; i < n; i++) {
		assert_true(iov[i].iov_len > 0);
		assert_memory_equal(iov[i].iov_base, want + at, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	assert_int_equal(at, p->len);
	assert_int_equal(packet_iov(p, iov, n), n);
	if (n)
		assert_int_equal(packet_iov(p, iov, n - 1), 0);
}

static void pull(void **state)
{
	static const uint32_t cuts[] = { 0, 1, 3, 14, 64 };

	for (uint32_t len = 0; len < 200; len++)
		for (size_t cut = 0; cut < ARRAY_SIZE(cuts); cut++)
			for (uint32_t want = 0; want <= PACKET_PULL_MAX;
			     want += 13) {
				struct packet_segment *pieces;
				struct packet p;
				unsigned n;

				pieces = pieces_make(bytes, len, cuts[cut], &n);
				packet_of_pieces(&p, pieces, n, len);
				assert_int_equal(packet_pull(&p, want),
						 len >= want);
				assert_int_equal(p.header_len, MIN(len, want));
				assert_memory_equal(p.header, bytes,
						    p.header_len);
				expect_bytes(&p, bytes, len);
				expect_iov(&p, bytes);
				/* and more */
				assert_int_equal(
					packet_pull(&p, PACKET_PULL_MAX),
					len >= PACKET_PULL_MAX);
				assert_int_equal(p.header_len,
						 MIN(len, PACKET_PULL_MAX));
				expect_bytes(&p, bytes, len);
				assert_false(
					packet_pull(&p, PACKET_PULL_MAX + 1));
				expect_iov(&p, bytes);
				pieces_free(pieces, n);
			}
}

/* The private bytes stay what they were when the sender rewrites his. */
static void private(void **state)
{
	uint8_t frame[100], before[100];
	struct packet p;

	memcpy(frame, bytes, 100);
	memcpy(before, bytes, 100);
	packet_init(&p, frame, 100);
	assert_true(packet_pull(&p, PACKET_PULL));
	memset(frame, 0xee, 100);
	memset(before + PACKET_PULL, 0xee, 100 - PACKET_PULL);
	expect_bytes(&p, before, 100);
}

static void tagged(uint8_t *to, uint32_t len, uint16_t tpid, uint16_t tci)
{
	memcpy(to, bytes, 12);
	store_be16(to + 12, tpid);
	store_be16(to + 14, tci);
	memcpy(to + 16, bytes + 12, len - 12);
}

static void tag_beside(void **state)
{
	static const uint32_t cuts[] = { 0, 1, 13 };
	uint8_t want[204];

	for (uint32_t len = 14; len < 200; len++)
		for (size_t cut = 0; cut < ARRAY_SIZE(cuts); cut++) {
			struct packet_segment *pieces;
			struct packet p;
			unsigned n;

			tagged(want, len, cut ? 0x88a8 : 0x8100, 0x3064);
			pieces = pieces_make(bytes, len, cuts[cut], &n);
			packet_of_pieces(&p, pieces, n, len);
			p.vlan_beside = true;
			p.vlan_beside_tci = 0x3064;
			p.vlan_beside_tpid = cut ? 0x88a8 : 0;
			p.offload.csum_start = 34;
			packet_pull(&p, PACKET_PULL);
			assert_false(p.vlan_beside);
			assert_int_equal(p.offload.csum_start, 38);
			expect_bytes(&p, want, len + 4);
			packet_pull(&p, PACKET_PULL_MAX);
			expect_bytes(&p, want, len + 4);
			pieces_free(pieces, n);
		}
}

/* There are no addresses to put a tag behind. */
static void tag_beside_runt(void **state)
{
	struct packet p;

	packet_init(&p, bytes, 11);
	p.vlan_beside = true;
	assert_false(packet_pull(&p, PACKET_PULL));
	assert_true(p.vlan_beside);
	expect_bytes(&p, bytes, 11);
}

static void push_and_pop(void **state)
{
	uint8_t want[204];
	struct packet p;

	packet_init(&p, bytes, 200);
	assert_true(packet_pull(&p, 20));
	for (int i = 0; i < 4; i++)
		assert_true(packet_vlan_push(&p, 0x8100, i));
	assert_false(packet_vlan_push(&p, 0x8100, 5));
	assert_true(packet_pull(&p, PACKET_PULL_MAX));
	assert_int_equal(p.len, 216);
	for (int i = 3; i > 0; i--) {
		assert_int_equal(load_be16(p.header + 14), i);
		packet_vlan_pop(&p);
	}
	tagged(want, 200, 0x8100, 0);
	expect_bytes(&p, want, 204);
	packet_vlan_pop(&p);
	expect_bytes(&p, bytes, 200);
	expect_iov(&p, bytes);
}

/* Popping moves the header back: a pull of the whole must still find room. */
static void pull_after_pops(void **state)
{
	uint8_t frame[216];
	struct packet p;

	memcpy(frame, bytes, 12);
	for (int i = 0; i < 4; i++)
		store_be32(frame + 12 + 4 * i, 0x81000001);
	memcpy(frame + 28, bytes + 12, 188);
	packet_init(&p, frame, 216);
	assert_true(packet_pull(&p, 30));
	for (int i = 0; i < 4; i++)
		packet_vlan_pop(&p);
	assert_true(packet_pull(&p, PACKET_PULL_MAX));
	assert_true(p.header + p.header_len <= p.room + sizeof(p.room));
	expect_bytes(&p, bytes, 200);
}

static void copy(void **state)
{
	static const uint32_t cuts[] = { 0, 7 };
	uint8_t want[204];

	for (size_t cut = 0; cut < ARRAY_SIZE(cuts); cut++) {
		struct packet_segment *pieces;
		struct packet p, q;
		unsigned n;

		pieces = pieces_make(bytes, 200, cuts[cut], &n);
		packet_of_pieces(&p, pieces, n, 200);
		packet_pull(&p, PACKET_PULL);
		packet_copy(&q, &p);
		assert_true(packet_vlan_push(&p, 0x8100, 7));
		expect_bytes(&q, bytes, 200);
		tagged(want, 200, 0x8100, 7);
		expect_bytes(&p, want, 204);
		packet_copy(&q, &p);
		memset(p.room, 0, sizeof(p.room));
		expect_bytes(&q, want, 204);
		pieces_free(pieces, n);
	}
}

static void drop_names(void **state)
{
	assert_string_equal(drop_reason_name(DROP_RUNT), "runt");
	assert_string_equal(drop_reason_name(DROP_TX_OFFLOAD), "tx-offload");
	assert_string_equal(drop_reason_name(N_DROP_REASONS), "unknown");
	assert_string_equal(drop_reason_name((enum drop_reason) - 1),
			    "unknown");
	for (int i = 0; i < N_DROP_REASONS; i++) {
		assert_non_null(drop_reason_help(i));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(drop_reason_name(i),
						drop_reason_name(j));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pull),
		cmocka_unit_test(private),
		cmocka_unit_test(tag_beside),
		cmocka_unit_test(tag_beside_runt),
		cmocka_unit_test(push_and_pop),
		cmocka_unit_test(pull_after_pops),
		cmocka_unit_test(copy),
		cmocka_unit_test(drop_names),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
