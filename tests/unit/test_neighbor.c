/* What stations say of their addresses, and frames that say it for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "packet/csum.h"
#include "packet/neighbor.h"

#define MAC 0x020000000011

static const uint8_t ip4[4] = { 192, 0, 2, 1 };
static const uint8_t ip6[16] = { 0xfe, 0x80, [8] = 2, [15] = 1 };

static uint8_t frame[NEIGHBOR_FRAME_MAX];
static size_t len;
static struct neighbor n;

static void arp(void **state)
{
	len = neighbor_announce(MAC, ip4, 4, frame);
	assert_int_equal(len, 60);
	assert_true(load_mac(frame) == MAC_BROADCAST);
	assert_true(neighbor_parse(frame, len, &n));
	assert_true(n.mac == MAC && n.gratuitous);
	assert_int_equal(n.ip_len, 4);
	assert_memory_equal(n.ip, ip4, 4);
	/* Asking for somebody is not announcing oneself. */
	frame[41] = 99;
	assert_true(neighbor_parse(frame, len, &n));
	assert_false(n.gratuitous);
	/* Any byte less is none. */
	for (size_t i = 0; i < 42; i++)
		assert_false(neighbor_parse(frame, i, &n));
}

static void arp_that_cannot_be(void **state)
{
	static const struct {
		unsigned at;
		uint8_t is;
	} bad[] = {
		{ 6, 3 },		 /* source is a group */
		{ 11, 0x12 },		 /* source is not the sender */
		{ 15, 9 },		 /* hardware */
		{ 16, 9 },		 /* protocol */
		{ 18, 5 },		 /* lengths */
		{ 19, 16 },   { 21, 3 }, /* operation */
		{ 28, 0 },    { 28, 127 }, { 28, 224 }, { 28, 255 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		len = neighbor_announce(MAC, ip4, 4, frame);
		frame[bad[i].at] = bad[i].is;
		assert_false(neighbor_parse(frame, len, &n));
	}
	/* RFC 5227 probes have no sender's address. */
	len = neighbor_announce(MAC, ip4, 4, frame);
	memset(frame + 28, 0, 4);
	assert_false(neighbor_parse(frame, len, &n));
}

static void advertisement(void **state)
{
	len = neighbor_announce(MAC, ip6, 16, frame);
	assert_int_equal(len, 86);
	assert_true(load_mac(frame) == 0x333300000001);
	assert_int_equal(csum_fold(csum_add(csum_pseudo6(frame + 14, 58, 32),
					    frame + 54, 32)),
			 0xffff);
	assert_true(neighbor_parse(frame, len, &n));
	assert_true(n.mac == MAC && n.gratuitous);
	assert_int_equal(n.ip_len, 16);
	assert_memory_equal(n.ip, ip6, 16);
	for (size_t i = 0; i < 86; i++)
		assert_false(neighbor_parse(frame, i, &n));
}

static void solicitation(void **state)
{
	len = neighbor_announce(MAC, ip6, 16, frame);
	frame[54] = 135;
	frame[78] = 1; /* source link-layer address */
	frame[14 + 8 + 15] = 7;
	assert_true(neighbor_parse(frame, len, &n));
	assert_false(n.gratuitous);
	assert_int_equal(n.ip[15], 7); /* the source's, not the target */
	/* Duplicate address detection has no source yet. */
	memset(frame + 22, 0, 16);
	assert_false(neighbor_parse(frame, len, &n));
}

static void icmp6_that_cannot_be(void **state)
{
	static const struct {
		unsigned at;
		uint8_t is;
	} bad[] = {
		{ 14, 0x50 }, { 20, 17 }, { 21, 254 },	/* routed */
		{ 54, 133 },  { 55, 1 },  { 62, 0xff }, /* a group's */
		{ 85, 0x99 }, /* the option names somebody else */
	};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		len = neighbor_announce(MAC, ip6, 16, frame);
		frame[bad[i].at] = bad[i].is;
		assert_false(neighbor_parse(frame, len, &n));
	}
	/* An option of no length ends the search, and does not hang it. */
	len = neighbor_announce(MAC, ip6, 16, frame);
	frame[79] = 0;
	assert_true(neighbor_parse(frame, len, &n));
}

static void rarp(void **state)
{
	len = neighbor_announce(MAC, NULL, 0, frame);
	assert_int_equal(len, 60);
	assert_int_equal(load_be16(frame + 12), 0x8035);
	assert_int_equal(load_be16(frame + 20), 3);
	assert_true(load_mac(frame + 22) == MAC && load_mac(frame + 32) == MAC);
	assert_false(neighbor_parse(frame, len, &n));
}

static void tags(void **state)
{
	uint8_t tagged[NEIGHBOR_FRAME_MAX + 12];

	len = neighbor_announce(MAC, ip4, 4, frame);
	for (unsigned n_tags = 1; n_tags <= 3; n_tags++) {
		memcpy(tagged, frame, 12);
		for (unsigned i = 0; i < n_tags; i++) {
			store_be16(tagged + 12 + 4 * i, i ? 0x8100 : 0x88a8);
			store_be16(tagged + 14 + 4 * i, 5);
		}
		memcpy(tagged + 12 + 4 * n_tags, frame + 12, len - 12);
		assert_int_equal(neighbor_parse(tagged, len + 4 * n_tags, &n),
				 n_tags <= 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arp),
		cmocka_unit_test(arp_that_cannot_be),
		cmocka_unit_test(advertisement),
		cmocka_unit_test(solicitation),
		cmocka_unit_test(icmp6_that_cannot_be),
		cmocka_unit_test(rarp),
		cmocka_unit_test(tags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
