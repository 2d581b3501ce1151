/* Headers taken off a frame: what is taken, what is refused, and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <netinet/in.h>

#include <cmocka.h>

#include "frames.h"
#include "packet/parse.h"
#include "vxlan_fixture.h"

#define N_SEGMENTS 200

static uint8_t got[PACKET_LEN_MAX];
static struct packet_segment segments[N_SEGMENTS];
static const struct vxlan_decap_rules rfc7348;

static struct vxlan_room room_new(void)
{
	return (struct vxlan_room){ .segments = segments, .max = N_SEGMENTS };
}

/* A frame of headers, and behind them an inner frame, in digits. */
static struct vector frame_of(const char *head, const char *inner)
{
	struct vector v = vector_of(head), tail = vector_of(inner);

	memcpy(v.data + v.len, tail.data, tail.len);
	v.len += tail.len;
	return v;
}

static void expect(const struct packet *p, const void *want, uint32_t len)
{
	assert_int_equal(p->len, len);
	assert_int_equal(packet_read(p, 0, got, sizeof(got)), len);
	assert_memory_equal(got, want, len);
	assert_true(p->header_len >= ETH_HEADER_LEN);
}

static void check_info(const struct vxlan_info *info, const struct vector *v,
		       uint32_t l3)
{
	assert_int_equal(info->vni, VECTOR_VNI);
	assert_int_equal(info->src_port, VECTOR_PORT);
	assert_false(info->ecn_alarm);
	if (info->ip_version == 4) {
		assert_memory_equal(info->src_ip, v->data + l3 + 12, 4);
		assert_memory_equal(info->dst_ip, v->data + l3 + 16, 4);
	} else {
		assert_int_equal(info->ip_version, 6);
		assert_memory_equal(info->src_ip, v->data + l3 + 8, 16);
		assert_memory_equal(info->dst_ip, v->data + l3 + 24, 16);
	}
}

/* In pieces of any size, with any of it private, and with bytes behind it. */
static void in_pieces(const char *head, uint32_t l3, uint32_t behind)
{
	struct vector inner = vector_of(VECTOR_INNER);
	struct vector v = frame_of(head, VECTOR_INNER);

	memset(v.data + v.len, 0xee, behind);
	v.len += behind;
	for (uint32_t piece = 0; piece <= v.len; piece++)
		for (uint32_t pull = 0; pull <= 104; pull += 13) {
			struct vxlan_room room = room_new();
			struct packet_segment *pieces;
			struct packet p, in, copy;
			struct vxlan_info info;
			unsigned n;

			pieces = pieces_make(v.data, v.len, piece, &n);
			packet_of_pieces(&p, pieces, n, v.len);
			packet_pull(&p, pull);
			assert_int_equal(
				vxlan_decap(&rfc7348, &p, &room, &in, &info),
				VXLAN_OK);
			memset(&p, 0xee, sizeof(p));
			expect(&in, inner.data, inner.len);
			packet_pull(&in, PACKET_PULL_MAX);
			expect(&in, inner.data, inner.len);
			packet_copy(&copy, &in);
			expect(&copy, inner.data, inner.len);
			check_info(&info, &v, l3);
			pieces_free(pieces, n);
		}
}

static void vectors(void **state)
{
	for (uint32_t behind = 0; behind <= 60; behind += 20) {
		in_pieces(VECTOR_OUTER4, 14, behind);
		in_pieces(VECTOR_OUTER6, 18, behind);
	}
}

static void payload(void **state)
{
	struct vector v = frame_of("0800000012345600", VECTOR_INNER);
	struct packet p, in;
	struct vxlan_info info;

	packet_init(&p, v.data, v.len);
	assert_int_equal(vxlan_decap_payload(&rfc7348, &p, 0, NULL, &in, &info),
			 VXLAN_OK);
	expect(&in, v.data + 8, v.len - 8);
	assert_int_equal(info.vni, VECTOR_VNI);
	assert_int_equal(info.ip_version, 0);
	/* congestion on the way, and nobody who could be told */
	packet_init(&p, v.data, v.len);
	assert_int_equal(vxlan_decap_payload(&rfc7348, &p, 3, NULL, &in, &info),
			 VXLAN_ECN);
	packet_init(&p, v.data, 8 + 13);
	assert_int_equal(vxlan_decap_payload(&rfc7348, &p, 0, NULL, &in, &info),
			 VXLAN_RUNT);
	packet_init(&p, v.data, 7);
	assert_int_equal(vxlan_decap_payload(&rfc7348, &p, 0, NULL, &in, &info),
			 VXLAN_MALFORMED);
}

static void fix_ip_csum(struct vector *v)
{
	store_be16(v->data + 24, 0);
	store_be16(v->data + 24, ~plain_sum(v->data + 14, 20, 0));
}

static enum vxlan_fault decap(const struct vxlan_decap_rules *rules,
			      const struct vector *v)
{
	struct vxlan_room room = room_new();
	struct vxlan_info info;
	struct packet p, in;

	packet_init(&p, v->data, v->len);
	return vxlan_decap(rules, &p, &room, &in, &info);
}

/* The IPv4 vector with one 16-bit field changed; its checksum made right. */
static enum vxlan_fault changed4(uint32_t at, uint16_t value)
{
	struct vector v = frame_of(VECTOR_OUTER4, VECTOR_INNER);

	store_be16(v.data + at, value);
	if (at != 24)
		fix_ip_csum(&v);
	return decap(&rfc7348, &v);
}

static enum vxlan_fault changed6(uint32_t at, uint16_t value)
{
	struct vector v = frame_of(VECTOR_OUTER6, VECTOR_INNER);

	store_be16(v.data + at, value);
	return decap(&rfc7348, &v);
}

static void refused4(void **state)
{
	assert_int_equal(changed4(0, 0), VXLAN_OK);
	assert_int_equal(changed4(12, 0x0806), VXLAN_NOT_VXLAN);
	assert_int_equal(changed4(14, 0x5500), VXLAN_MALFORMED);
	assert_int_equal(changed4(14, 0x4400), VXLAN_MALFORMED);
	assert_int_equal(changed4(14, 0x4f00), VXLAN_IP_CSUM);
	assert_int_equal(changed4(16, 0x54), VXLAN_MALFORMED); /* cut short */
	assert_int_equal(changed4(16, 27), VXLAN_MALFORMED);
	assert_int_equal(changed4(16, 0x52), VXLAN_MALFORMED); /* UDP longer */
	assert_int_equal(changed4(20, 0x2000), VXLAN_FRAGMENT);
	assert_int_equal(changed4(20, 0x0001), VXLAN_FRAGMENT);
	assert_int_equal(changed4(20, 0), VXLAN_OK);
	assert_int_equal(changed4(22, 0x4006), VXLAN_NOT_VXLAN);
	assert_int_equal(changed4(24, 0x1234), VXLAN_IP_CSUM);
	assert_int_equal(changed4(36, 4790), VXLAN_NOT_VXLAN);
	assert_int_equal(changed4(38, 15), VXLAN_MALFORMED);
	assert_int_equal(changed4(38, 16), VXLAN_RUNT);
	assert_int_equal(changed4(38, 16 + 13), VXLAN_RUNT);
	assert_int_equal(changed4(38, 16 + 14), VXLAN_OK);
	assert_int_equal(changed4(40, 0x1234), VXLAN_UDP_CSUM);
	assert_int_equal(changed4(42, 0), VXLAN_FLAGS);
	assert_int_equal(changed4(42, 0xf7ff), VXLAN_FLAGS);
	assert_int_equal(changed4(42, 0xffff), VXLAN_OK); /* reserved bits */
	assert_int_equal(changed4(62, ETH_TYPE_VLAN), VXLAN_TAG);
}

static void refused6(void **state)
{
	assert_int_equal(changed6(0, 0), VXLAN_OK);
	assert_int_equal(changed6(18, 0x4000), VXLAN_MALFORMED);
	assert_int_equal(changed6(22, 0x40), VXLAN_MALFORMED);
	assert_int_equal(changed6(22, 0), VXLAN_MALFORMED);
	assert_int_equal(changed6(24, 0x2c09), VXLAN_FRAGMENT);
	assert_int_equal(changed6(24, 0x0009), VXLAN_NOT_VXLAN);
	assert_int_equal(changed6(64, 0), VXLAN_UDP_CSUM);
	assert_int_equal(changed6(64, 1), VXLAN_UDP_CSUM);
}

/* What is cut off anywhere is never taken. */
static void cut_short(void **state)
{
	const char *heads[] = { VECTOR_OUTER4, VECTOR_OUTER6 };

	for (unsigned i = 0; i < 2; i++) {
		struct vector v = frame_of(heads[i], VECTOR_INNER);

		while (v.len--)
			assert_int_not_equal(decap(&rfc7348, &v), VXLAN_OK);
	}
}

static void rules(void **state)
{
	struct vector v4 = frame_of(VECTOR_OUTER4, VECTOR_INNER), v = v4;
	struct vector v6 = frame_of(VECTOR_OUTER6, VECTOR_INNER);
	struct vxlan_decap_rules r = { .csum = VXLAN_CSUM_REQUIRE };

	assert_int_equal(decap(&r, &v4), VXLAN_UDP_CSUM);
	assert_int_equal(decap(&r, &v6), VXLAN_OK);
	store_be16(v6.data + 64, 0);
	r.zero_csum6 = true;
	assert_int_equal(decap(&r, &v6), VXLAN_UDP_CSUM);
	r.csum = VXLAN_CSUM_CHECK;
	assert_int_equal(decap(&r, &v6), VXLAN_OK);
	store_be16(v6.data + 64, 1);
	assert_int_equal(decap(&r, &v6), VXLAN_UDP_CSUM);
	r.csum = VXLAN_CSUM_IGNORE;
	assert_int_equal(decap(&r, &v6), VXLAN_OK);
	r = (struct vxlan_decap_rules){ .udp_port = 8472 };
	assert_int_equal(decap(&r, &v4), VXLAN_NOT_VXLAN);
	store_be16(v.data + 36, 8472);
	assert_int_equal(decap(&r, &v), VXLAN_OK);
	r = (struct vxlan_decap_rules){ .refuse_reserved = true };
	assert_int_equal(decap(&r, &v4), VXLAN_OK);
	for (uint32_t at = 42; at < 50; at++) {
		v = v4;
		v.data[at] |= 0x40;
		assert_int_equal(decap(&r, &v),
				 at >= 46 && at < 49 ? VXLAN_OK : VXLAN_FLAGS);
	}
	r = (struct vxlan_decap_rules){ .keep_tag = true };
	v = v4;
	store_be16(v.data + 62, ETH_TYPE_VLAN);
	assert_int_equal(decap(&r, &v), VXLAN_OK);
}

/* 40 bytes of options are as many as there are. */
static void ip_options(void **state)
{
	struct vector v = frame_of(VECTOR_OUTER4, VECTOR_INNER);
	struct vector inner = vector_of(VECTOR_INNER);
	struct vxlan_room room = room_new();
	struct vxlan_info info;
	struct packet p, in;

	memmove(v.data + 74, v.data + 34, v.len - 34);
	memset(v.data + 34, 1, 40);
	v.len += 40;
	v.data[14] = 0x4f;
	store_be16(v.data + 16, v.len - 14);
	store_be16(v.data + 24, 0);
	store_be16(v.data + 24, ~plain_sum(v.data + 14, 60, 0));
	packet_init(&p, v.data, v.len);
	assert_int_equal(vxlan_decap(&rfc7348, &p, &room, &in, &info),
			 VXLAN_OK);
	expect(&in, inner.data, inner.len);
}

/* RFC 6040, figure 4, as letters: N(ot-ECT), 0, 1, C(E), D(rop); a lower row
 * says what is to be alarmed. By outer N, 0, 1, C. */
static const struct {
	char inner;
	const char *becomes, *alarm;
} figure4[] = {
	{ 'N', "NNND", " !!!" },
	{ '0', "001C", "    " },
	{ '1', "111C", " !  " },
	{ 'C', "CCCC", "  ! " },
};

static uint8_t mark_of(char letter)
{
	switch (letter) {
	case '0':
		return 2;
	case '1':
		return 1;
	case 'C':
		return 3;
	default:
		return 0;
	}
}

static void set_tos(struct frame *f, int version, uint8_t tos)
{
	uint8_t *ip = f->data + f->l3;

	if (version == 6) {
		store_be32(ip, 6u << 28 | tos << 20 | 0x12345);
		return;
	}
	ip[1] = tos;
	store_be16(ip + 10, 0);
	store_be16(ip + 10, ~plain_sum(ip, f->l4 - f->l3, 0));
}

static void check_ecn(int version, unsigned row, unsigned column, unsigned tags)
{
	struct frame_spec s = { .version = version,
				.n_tags = tags,
				.proto = IPPROTO_UDP,
				.payload = (const uint8_t *)"payload",
				.payload_len = 7 };
	const struct vxlan_decap_rules keep = { .keep_tag = true };
	uint8_t outer = mark_of("N01C"[column]);
	char becomes = figure4[row].becomes[column];
	static struct frame frame;
	static uint8_t data[512];
	struct vxlan_room room = room_new();
	struct packet p, in;
	struct vxlan_info info;

	frame_build(&frame, &s);
	set_tos(&frame, version, 0xb8 | mark_of(figure4[row].inner));
	memcpy(data, (uint8_t[]){ 8, 0, 0, 0, 0, 0, 1, 0 }, 8);
	memcpy(data + 8, frame.data, frame.len);
	packet_init(&p, data, 8 + frame.len);
	assert_int_equal(
		vxlan_decap_payload(&keep, &p, outer, &room, &in, &info),
		becomes == 'D' ? VXLAN_ECN : VXLAN_OK);
	assert_int_equal(info.ecn_alarm, figure4[row].alarm[column] == '!');
	if (becomes == 'D')
		return;
	set_tos(&frame, version, 0xb8 | mark_of(becomes));
	expect(&in, frame.data, frame.len);
}

static void ecn(void **state)
{
	for (int version = 4; version <= 6; version += 2)
		for (unsigned row = 0; row < 4; row++)
			for (unsigned column = 0; column < 4; column++)
				for (unsigned tags = 0; tags <= 2; tags++)
					check_ecn(version, row, column, tags);
}

/* Of a frame that is no IP, congestion is nobody's affair. */
static void ecn_without_ip(void **state)
{
	uint8_t data[8 + 60] = { 8 };
	struct vxlan_room room = room_new();
	struct vxlan_info info;
	struct packet p, in;

	store_be16(data + 8 + 12, ETH_TYPE_ARP);
	packet_init(&p, data, sizeof(data));
	assert_int_equal(
		vxlan_decap_payload(&rfc7348, &p, 3, &room, &in, &info),
		VXLAN_OK);
	expect(&in, data + 8, 60);
}

static enum vxlan_fault with_offload(struct packet *p, struct packet *in)
{
	struct vxlan_room room = room_new();
	struct vxlan_info info;

	return vxlan_decap(&rfc7348, p, &room, in, &info);
}

static void offload(void **state)
{
	struct vector v = frame_of(VECTOR_OUTER6, VECTOR_INNER);
	struct packet_offload o = { .csum_needed = true, .csum_offset = 6 };
	struct packet p, in;

	/* the outer checksum: wrong on purpose, as it is yet to come */
	v.data[65] ^= 1;
	o.csum_start = 58;
	packet_init(&p, v.data, v.len);
	p.offload = o;
	assert_int_equal(with_offload(&p, &in), VXLAN_OK);
	assert_false(in.offload.csum_needed);
	/* the inner one */
	o.csum_start = 74 + 34;
	packet_init(&p, v.data, v.len);
	p.offload = o;
	assert_int_equal(with_offload(&p, &in), VXLAN_OK);
	assert_true(in.offload.csum_needed);
	assert_int_equal(in.offload.csum_start, 34);
	assert_int_equal(in.offload.csum_offset, 6);
	/* in what is decided on, and in the VXLAN header, and behind the end */
	for (uint32_t start = 59; start < 74 + 34; start++) {
		o.csum_start = start;
		packet_init(&p, v.data, v.len);
		p.offload = o;
		assert_int_equal(with_offload(&p, &in), VXLAN_OFFLOAD);
	}
	o.csum_start = v.len - 7;
	packet_init(&p, v.data, v.len);
	p.offload = o;
	assert_int_equal(with_offload(&p, &in), VXLAN_OFFLOAD);
	packet_init(&p, v.data, v.len);
	p.offload.csum_valid = true;
	assert_int_equal(with_offload(&p, &in), VXLAN_OK);
	assert_false(in.offload.csum_valid);
	p.offload.gso = PACKET_GSO_UDP;
	p.offload.gso_size = 10;
	assert_int_equal(with_offload(&p, &in), VXLAN_OFFLOAD);
}

static void no_room(void **state)
{
	struct vector v = frame_of(VECTOR_OUTER4, VECTOR_INNER);
	struct vxlan_room room = { .segments = segments };
	struct packet_segment *pieces;
	struct vxlan_info info;
	struct packet p, in;
	unsigned n;

	v.len += 4;
	pieces = pieces_make(v.data, v.len, 30, &n);
	packet_of_pieces(&p, pieces, n, v.len);
	for (; room.max < n; room.max++)
		assert_int_equal(vxlan_decap(&rfc7348, &p, &room, &in, &info),
				 VXLAN_ROOM);
	assert_int_equal(vxlan_decap(&rfc7348, &p, &room, &in, &info),
			 VXLAN_OK);
	pieces_free(pieces, n);
}

/* What was put around a frame comes off again, of any length. */
static void there_and_back(void **state)
{
	static struct packet_segment out[4];
	struct vxlan_flow flow;
	static uint8_t data[2000], wire[2200];

	fill(data, sizeof(data), 9);
	store_be16(data + 12, ETH_TYPE_ARP);
	for (uint32_t len = 14; len < sizeof(data); len += 7)
		for (int version = 4; version <= 6; version += 2) {
			struct vxlan_outer_config c = vector_config(version);
			struct vxlan_outer o = outer_of(&c);
			struct vxlan_room room = { .segments = out, .max = 4 };
			struct packet p, outer, in;
			struct vxlan_info info;

			packet_init(&p, data, len);
			vxlan_flow_of(&p, 1, &flow);
			assert_int_equal(
				vxlan_encap(&o, &flow, 5, &p, &room, &outer),
				0);
			packet_read(&outer, 0, wire, sizeof(wire));
			packet_init(&p, wire, outer.len);
			assert_int_equal(
				vxlan_decap(&rfc7348, &p, &room, &in, &info),
				VXLAN_OK);
			expect(&in, data, len);
			assert_int_equal(info.vni, 5);
			assert_int_equal(info.src_port, flow.src_port);
		}
}

static void names(void **state)
{
	assert_string_equal(vxlan_fault_name(VXLAN_OK), "ok");
	assert_string_equal(vxlan_fault_name(VXLAN_ROOM), "room");
	assert_string_equal(vxlan_fault_name(N_VXLAN_FAULTS), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),
		cmocka_unit_test(payload),
		cmocka_unit_test(refused4),
		cmocka_unit_test(refused6),
		cmocka_unit_test(cut_short),
		cmocka_unit_test(rules),
		cmocka_unit_test(ip_options),
		cmocka_unit_test(ecn),
		cmocka_unit_test(ecn_without_ip),
		cmocka_unit_test(offload),
		cmocka_unit_test(no_room),
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
