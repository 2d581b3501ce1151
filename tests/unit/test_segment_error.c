/*
 * ICMP errors and resets of a gateway: what they quote, and what there is none
 * about (RFC 1812 4.3.2.7, RFC 4443 2.4, RFC 9293 3.10.7.1).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "packet/csum.h"
#include "packet/parse.h"
#include "vswd/segment.h"
#include "vswd/segment_reset.h"
#include "vswd/token_bucket.h"

#define MAC  0x525400000001ull
#define GW   0x025600000001ull
#define FROM 0x0a14000a
#define TO   0x08080808

static uint8_t frame[1600], room[SEGMENT_ERROR_MAX];
static const struct ip_address gateway4 = { 4, { 10, 20, 0, 1 } };
static const struct ip_address gateway6 = { 16, { 0xfd, 0x20, [15] = 1 } };

static struct segment_packet begin(uint16_t type, size_t len)
{
	struct segment_packet p = { .frame = frame, .len = 14 + len };

	memset(frame, 0, sizeof(frame));
	store_be16(frame, GW >> 32);
	store_be32(frame + 2, (uint32_t)GW);
	store_be16(frame + 6, MAC >> 32);
	store_be32(frame + 8, (uint32_t)MAC);
	store_be16(frame + 12, type);
	return p;
}

/* IPv4 with `len` bytes behind the header, of which the first are 8, 0. */
static struct segment_packet make4(uint8_t proto, size_t len)
{
	struct segment_packet p = begin(ETH_TYPE_IPV4, 20 + len);
	uint8_t *ip = frame + 14;

	ip[0] = 0x45;
	store_be16(ip + 2, 20 + len);
	ip[8] = 1;
	ip[9] = proto;
	store_be32(ip + 12, FROM);
	store_be32(ip + 16, TO);
	ip[20] = 8;
	p.note.icmp_type = 11;
	return p;
}

static struct segment_packet make6(uint8_t next, size_t len)
{
	struct segment_packet p = begin(ETH_TYPE_IPV6, 40 + len);
	uint8_t *ip = frame + 14;

	ip[0] = 0x60;
	store_be16(ip + 4, len);
	ip[6] = next;
	ip[7] = 1;
	ip[8] = 0xfd;
	ip[23] = 9;
	ip[24] = 0x20;
	ip[39] = 7;
	ip[40] = 128;
	p.note.icmp_type = 3;
	return p;
}

static size_t build(const struct segment_packet *p)
{
	/* In memory of exactly its length, so that a sanitizer sees overruns.
	 */
	uint8_t *copy = xmalloc(p->len);
	struct segment_packet exact = *p;
	size_t len;

	memcpy(copy, p->frame, p->len);
	exact.frame = copy;
	len = segment_error_build(
		&exact, frame[14] >> 4 == 6 ? &gateway6 : &gateway4, room);
	free(copy);
	return len;
}

static void test_time_exceeded(void **state)
{
	struct segment_packet p = make4(17, 100);
	size_t len = build(&p);

	assert_int_equal(len, 14 + 20 + 8 + 120);
	assert_true(load_mac(room) == MAC);
	assert_true(load_mac(room + 6) == GW);
	assert_int_equal(load_be32(room + 14 + 12), 0x0a140001);
	assert_int_equal(load_be32(room + 14 + 16), FROM);
	assert_int_equal(csum_fold(csum_add(0, room + 14, 20)), 0xffff);
	assert_int_equal(csum_fold(csum_add(0, room + 34, len - 34)), 0xffff);
	assert_int_equal(room[34], 11);
	assert_memory_equal(room + 42, frame + 14, 120);
}

/* RFC 1812 4.3.2.3: not more than 576 bytes; what is padding is not quoted. */
static void test_quoted4(void **state)
{
	struct segment_packet p = make4(17, 1400);

	assert_int_equal(build(&p), 14 + 576);
	p = make4(17, 8);
	p.len = 60;
	assert_int_equal(build(&p), 14 + 28 + 28);
	/* Cut short by the punts. */
	p = make4(17, 8);
	store_be16(frame + 16, 9000);
	assert_int_equal(build(&p), 14 + 28 + 28);
}

static void test_too_big(void **state)
{
	struct segment_packet p = make4(17, 100);

	p.note = (struct router_note){ .icmp_type = 3,
				       .icmp_code = 4,
				       .mtu = 1400 };
	assert_true(build(&p) > 0);
	assert_int_equal(load_be32(room + 38), 1400);
	p = make6(17, 1400);
	p.note = (struct router_note){ .icmp_type = 2, .mtu = 1400 };
	assert_int_equal(build(&p), 14 + 1280); /* RFC 4443 2.4 c */
	assert_int_equal(load_be32(room + 14 + 40 + 4), 1400);
	assert_int_equal(
		csum_fold(csum_combine(csum_pseudo6(room + 14, 58, 1240),
				       csum_add(0, room + 54, 1240))),
		0xffff);
}

/* RFC 1812 4.3.2.7 */
static void test_none_about4(void **state)
{
	static const uint32_t bad_sources[] = { 0, 0x7f000001, 0xe0000001,
						0xffffffff };
	static const uint8_t errors[] = { 3, 4, 5, 11, 12 };
	struct segment_packet p;

	for (unsigned i = 0; i < ARRAY_SIZE(errors); i++) {
		p = make4(1, 40);
		frame[34] = errors[i];
		assert_int_equal(build(&p), 0);
	}
	p = make4(1, 40); /* a ping */
	assert_true(build(&p) > 0);
	p = make4(1, 0); /* ICMP of no type */
	assert_int_equal(build(&p), 0);
	p = make4(17, 40);
	store_be16(frame + 14 + 6, 3); /* a later fragment */
	assert_int_equal(build(&p), 0);
	store_be16(frame + 14 + 6, 0x2000); /* the first */
	assert_true(build(&p) > 0);
	for (unsigned i = 0; i < ARRAY_SIZE(bad_sources); i++) {
		p = make4(17, 40);
		store_be32(frame + 14 + 12, bad_sources[i]);
		assert_int_equal(build(&p), 0);
	}
	p = make4(17, 40);
	store_be32(frame + 14 + 16, 0xe0000001);
	assert_int_equal(build(&p), 0);
	p = make4(17, 40);
	frame[0] |= 1; /* a group of Ethernet's */
	assert_int_equal(build(&p), 0);
}

/* RFC 4443 2.4 e */
static void test_none_about6(void **state)
{
	struct segment_packet p = make6(58, 40);

	assert_true(build(&p) > 0); /* a ping */
	frame[54] = 3;
	assert_int_equal(build(&p), 0);
	frame[54] = 137; /* a redirect */
	assert_int_equal(build(&p), 0);
	/* The same behind an option header. */
	p = make6(60, 40);
	frame[54] = 58;
	frame[55] = 0;
	frame[62] = 3;
	assert_int_equal(build(&p), 0);
	frame[62] = 128;
	assert_true(build(&p) > 0);
	frame[55] = 9; /* longer than the packet */
	assert_int_equal(build(&p), 0);
	p = make6(44, 40);
	frame[54] = 17;
	store_be16(frame + 56, 8); /* a later fragment */
	assert_int_equal(build(&p), 0);
	store_be16(frame + 56, 1);
	assert_true(build(&p) > 0);
	p = make6(17, 40);
	memset(frame + 22, 0, 16);
	assert_int_equal(build(&p), 0);
	frame[22] = 0xff;
	assert_int_equal(build(&p), 0);
	p = make6(17, 40);
	frame[38] = 0xff;
	assert_int_equal(build(&p), 0);
}

/* Cut anywhere, nothing is read behind the end. */
static void test_cut(void **state)
{
	for (size_t len = 0; len < 120; len++) {
		struct segment_packet p = make4(1, 90);

		p.len = len;
		build(&p);
		p = make6(60, 90);
		p.len = len;
		build(&p);
	}
}

static void test_bucket(void **state)
{
	struct token_bucket b = { 0 };
	unsigned n = 0;

	for (int i = 0; i < 100; i++)
		n += token_bucket_take(&b, 10, 5, 1000);
	assert_int_equal(n, 5);
	assert_false(token_bucket_take(&b, 10, 5, 1099));
	assert_true(token_bucket_take(&b, 10, 5, 1100));
	assert_false(token_bucket_take(&b, 10, 5, 1100));
	for (int i = 0; i < 100; i++)
		n += token_bucket_take(&b, 10, 5, 100000);
	assert_int_equal(n, 10);
}

/* --- resets ----------------------------------------------------------------
 */

static struct segment_packet make_tcp(bool v6, uint8_t flags, size_t payload)
{
	struct segment_packet p =
		v6 ? make6(6, 20 + payload) : make4(6, 20 + payload);
	uint8_t *tcp = frame + 14 + (v6 ? 40 : 20);

	memset(tcp, 0, 20);
	store_be16(tcp, 1000);
	store_be16(tcp + 2, 80);
	store_be32(tcp + 4, 5000);
	store_be32(tcp + 8, 7000);
	tcp[12] = 5 << 4;
	tcp[13] = flags;
	return p;
}

static void test_reset(void **state)
{
	struct segment_packet p = make_tcp(false, 0x02, 0);
	const uint8_t *tcp = room + 34;

	assert_int_equal(segment_reset_build(&p, room), 54);
	assert_int_equal(load_be16(tcp), 80);
	assert_int_equal(load_be16(tcp + 2), 1000);
	assert_int_equal(load_be32(tcp + 4), 0);
	assert_int_equal(load_be32(tcp + 8), 5001);
	assert_int_equal(tcp[13], 0x14);
	assert_int_equal(csum_fold(csum_combine(csum_pseudo4(room + 14, 6, 20),
						csum_add(0, tcp, 20))),
			 0xffff);
	p = make_tcp(true, 0x18, 100);
	tcp = room + 54;
	assert_int_equal(segment_reset_build(&p, room), 74);
	assert_int_equal(load_be32(tcp + 4), 7000);
	assert_int_equal(tcp[13], 0x04);
	p = make_tcp(false, 0x01, 100); /* FIN without ACK */
	tcp = room + 34;
	assert_int_equal(segment_reset_build(&p, room), 54);
	assert_int_equal(load_be32(tcp + 8), 5101);
}

static void test_no_reset(void **state)
{
	struct segment_packet p = make_tcp(false, 0x04, 0);

	assert_int_equal(segment_reset_build(&p, room), 0);
	p = make_tcp(false, 0x02, 0);
	store_be16(frame + 14 + 6, 0x2000); /* a fragment */
	assert_int_equal(segment_reset_build(&p, room), 0);
	p = make4(17, 40);
	assert_int_equal(segment_reset_build(&p, room), 0);
	for (size_t len = 0; len < 74; len++) {
		p = make_tcp(true, 0x02, 0);
		p.len = len;
		assert_int_equal(segment_reset_build(&p, room), 0);
	}
	p = make_tcp(false, 0x02, 0);
	frame[14] = 0x44;
	assert_int_equal(segment_reset_build(&p, room), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time_exceeded),
		cmocka_unit_test(test_quoted4),
		cmocka_unit_test(test_too_big),
		cmocka_unit_test(test_none_about4),
		cmocka_unit_test(test_none_about6),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_bucket),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_no_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
