/*
 * The short ways through what a sender asks for (offload.c, gso.c) against the
 * long ones: whatever the header and the frame, both say the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>

#include <cmocka.h>

#include "frames.h"
#include "packet/gso.h"
#include "packet/offload.h"
#include "packet/vlan.h"

#define CSUM VIRTIO_NET_HDR_F_NEEDS_CSUM
#define ALL  (OFFLOAD_ALL | OFFLOAD_UFO | OFFLOAD_TRUSTED)

static uint8_t payload[4096];
static struct frame frame;
static unsigned n_taken; /* how often both said yes */

static void build(int version, uint8_t proto, unsigned tags, unsigned extra)
{
	struct frame_spec s = { .n_tags = tags,
				.version = version ? version : 4,
				.proto = proto == IPPROTO_UDP ? IPPROTO_UDP
							      : IPPROTO_TCP,
				.ip_extra = extra,
				.tcp_extra = 12,
				.payload = payload,
				.payload_len = 3000,
				.partial = true };

	fill(payload, sizeof(payload), 9);
	frame_build(&frame, &s);
	if (!version)
		store_be16(frame.data + 12, 0x1234);
	if (proto == IPPROTO_SCTP)
		frame.data[version == 6 ? 20 : 23] = proto;
}

struct shape {
	uint32_t len, first; /* bytes, and of them in the first piece; 0: all */
	bool beside;	     /* a tag beside the frame */
};

static void make(struct packet *p, struct packet_segment pieces[2],
		 const struct shape *s)
{
	packet_init(p, frame.data, s->len);
	if (s->first && s->first < s->len) {
		pieces[0] = (struct packet_segment){ frame.data, s->first };
		pieces[1] = (struct packet_segment){ frame.data + s->first,
						     s->len - s->first };
		packet_of_pieces(p, pieces, 2, s->len);
	}
	p->vlan_beside = s->beside;
	p->vlan_beside_tci = 7;
	p->vlan_beside_tpid = ETH_TYPE_VLAN;
}

static void compare(const struct shape *s, const uint8_t *vnet, unsigned agreed)
{
	static uint8_t short_bytes[8192], long_bytes[8192];
	struct packet_segment pieces[4];
	struct packet a, b;
	bool yes;

	make(&a, pieces, s);
	make(&b, pieces + 2, s);
	yes = offload_receive(&a, vnet, agreed);
	if (yes != offload_receive_slow(&b, vnet, agreed))
		fail_msg("length %u, start %u: %s", s->len, vnet[6],
			 yes ? "taken" : "refused");
	if (!yes)
		return;
	n_taken++;
	assert_memory_equal(&a.offload, &b.offload, sizeof(a.offload));
	assert_int_equal(a.state, b.state);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.header, b.header, a.header_len);
	if (a.len > 200 && n_taken % 64)
		return; /* all of it, now and then */
	assert_int_equal(packet_read(&a, 0, short_bytes, 8192), a.len);
	assert_int_equal(packet_read(&b, 0, long_bytes, 8192), a.len);
	assert_memory_equal(short_bytes, long_bytes, a.len);
}

/* Positions around everything that could matter. */
static unsigned position(unsigned i)
{
	if (i < 90)
		return i;
	return i < 110 ? 1010 + i - 90 : 65530 + i - 110;
}
#define N_POSITIONS 116

static void all_positions(const struct shape *s)
{
	uint8_t vnet[VNET_HDR_LEN];

	for (unsigned i = 0; i < N_POSITIONS; i++)
		for (unsigned k = 0; k < N_POSITIONS; k++) {
			vnet_make(vnet, CSUM, 0, 0, 0, position(i),
				  position(k));
			compare(s, vnet, OFFLOAD_CSUM);
		}
}

static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };

static void checksums(void **state)
{
	static const struct shape shapes[] = {
		{ 0, 0, false },     { 13, 0, false },	{ 14, 0, false },
		{ 35, 0, false },    { 54, 0, false },	{ 63, 0, false },
		{ 64, 0, false },    { 66, 0, false },	{ 1514, 0, false },
		{ 1514, 66, false }, { 70, 8, false },	{ 1514, 1, false },
		{ 1514, 0, true },   { 200, 64, true },
	};

	n_taken = 0;
	for (unsigned version = 0; version <= 6; version += version ? 2 : 4)
		for (unsigned tags = 0; tags < 3; tags++)
			for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
				build(version, protos[i % 3], tags, i & 8);
				all_positions(&shapes[i]);
			}
	assert_true(n_taken > 10000);
}

static void flags_and_types(void **state)
{
	static const uint8_t types[] = { 0, 1, 3, 4, 5, 0x81, 0x84, 0x80, 7 };
	static const struct shape shapes[] = {
		{ 54, 0, false },    { 66, 0, false },	 { 3000, 0, false },
		{ 3000, 66, false }, { 3000, 20, true },
	};
	uint8_t vnet[VNET_HDR_LEN];

	n_taken = 0;
	for (unsigned i = 0; i < 256 * ARRAY_SIZE(types); i++)
		for (unsigned k = 0; k < ARRAY_SIZE(shapes) * 4 * 9; k++) {
			const struct shape *s = &shapes[k % 5];
			unsigned agreed = k % 9 == 8 ? ALL : 1u << k % 9;

			if (k < 5 * 9)
				build(k & 1 ? 4 : 6, protos[k % 2], k % 3, 0);
			vnet_make(vnet, i, types[i / 256],
				  k & 8 ? s->len + (k & 1) : 0, 1 + k % 1400,
				  frame.l4, frame.csum_offset);
			compare(s, vnet, agreed | OFFLOAD_CSUM);
			compare(s, vnet, agreed);
		}
	assert_true(n_taken > 10000);
}

/* The layout of one frame, by both ways, however much of it is private. */
static void compare_layouts(uint32_t len)
{
	static const uint32_t pulls[] = { 0, 14, 53, 54, 64, 74, 85, 86, 104 };

	for (size_t i = 0; i < ARRAY_SIZE(pulls); i++)
		for (unsigned type = 0; type <= PACKET_GSO_UFO; type++) {
			struct gso_layout a = { 0 }, b = { 0 };
			struct packet p;
			bool yes;

			packet_init(&p, frame.data, len);
			packet_pull(&p, pulls[i]);
			yes = gso_layout(frame.data,
					 MIN(len, (uint32_t)GSO_HEADER_MAX),
					 type, &a);
			assert_int_equal(gso_layout_packet(&p, type, &b), yes);
			n_taken += yes;
			if (yes)
				assert_memory_equal(&a, &b, sizeof(a));
		}
}

/* Each byte of the headers, with each value. */
static void layouts(void **state)
{
	n_taken = 0;
	for (unsigned k = 0; k < 8; k++) {
		build(k & 1 ? 4 : 6, protos[k >> 1 & 1], 0, k & 4 ? 8 : 0);
		for (unsigned i = 12; i < frame.start; i++) {
			uint8_t was = frame.data[i];

			for (unsigned v = 0; v < 256; v++) {
				frame.data[i] = v;
				compare_layouts(k & 4 ? frame.len : 100);
			}
			frame.data[i] = was;
		}
		for (uint32_t len = 0; len < 120; len++)
			compare_layouts(len);
	}
	assert_true(n_taken > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksums),
		cmocka_unit_test(flags_and_types),
		cmocka_unit_test(layouts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
