/* Headers put around a frame, against bytes that other software made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <errno.h>
#include <netinet/in.h>

#include <cmocka.h>

#include "frames.h"
#include "packet/parse.h"
#include "packet/vlan.h"
#include "vxlan_fixture.h"

#define N_SEGMENTS 80

static uint8_t got[PACKET_LEN_MAX], bytes[70000];
static struct packet_segment segments[N_SEGMENTS];
static struct frame frame;
static struct vxlan_segments cut;

static struct vxlan_room room_new(void)
{
	return (struct vxlan_room){ .segments = segments, .max = N_SEGMENTS };
}

static void expect(const struct packet *p, const struct vector *head,
		   const void *inner, uint32_t inner_len)
{
	assert_int_equal(p->len, head->len + inner_len);
	assert_int_equal(packet_read(p, 0, got, sizeof(got)), p->len);
	assert_memory_equal(got, head->data, head->len);
	assert_memory_equal(got + head->len, inner, inner_len);
}

/* However the inner frame lies in memory and whatever of it is private. */
static void vector_in_pieces(const struct vxlan_outer *o,
			     const struct vector *head)
{
	struct vector inner = vector_of(VECTOR_INNER);
	struct vxlan_flow flow = vector_flow();
	static const uint32_t pulls[] = { 0, 14, 20, 64 };

	for (uint32_t piece = 0; piece <= inner.len; piece++)
		for (unsigned i = 0; i < ARRAY_SIZE(pulls); i++) {
			struct vxlan_room room = room_new();
			struct packet_segment *pieces;
			struct packet p, outer;
			unsigned n;

			pieces = pieces_make(inner.data, inner.len, piece, &n);
			packet_of_pieces(&p, pieces, n, inner.len);
			packet_pull(&p, pulls[i]);
			assert_int_equal(vxlan_encap(o, &flow, VECTOR_VNI, &p,
						     &room, &outer),
					 0);
			expect(&outer, head, inner.data, inner.len);
			assert_false(outer.offload.csum_needed);
			pieces_free(pieces, n);
		}
}

static void vectors(void **state)
{
	struct vector head = vector_of(VECTOR_OUTER4);
	struct vxlan_outer_config config = vector_config(4);
	struct vxlan_outer o = outer_of(&config);

	vector_in_pieces(&o, &head);
	assert_int_equal(vxlan_overhead(&o), 50);
	head = vector_of(VECTOR_OUTER6);
	config = vector_config(6);
	o = outer_of(&config);
	vector_in_pieces(&o, &head);
	assert_int_equal(vxlan_overhead(&o), 74);
	head = vector_of("0800000012345600");
	config.form = VXLAN_PAYLOAD;
	o = outer_of(&config);
	vector_in_pieces(&o, &head);
}

static void encap_vector(const struct vxlan_outer_config *config,
			 struct packet *inner, struct packet *outer)
{
	static struct vector v;
	struct vxlan_outer o = outer_of(config);
	struct vxlan_flow flow = vector_flow();
	struct vxlan_room room = room_new();

	v = vector_of(VECTOR_INNER);
	packet_init(inner, v.data, v.len);
	assert_int_equal(
		vxlan_encap(&o, &flow, VECTOR_VNI, inner, &room, outer), 0);
}

/* What the next stage computes is what is computed here. */
static void outer_csum(void **state)
{
	struct packet inner, outer;
	static uint8_t full[512];

	for (int version = 4; version <= 6; version += 2) {
		struct vxlan_outer_config config = vector_config(version);

		config.udp_csum = VXLAN_CSUM_FULL;
		encap_vector(&config, &inner, &outer);
		assert_int_equal(packet_read(&outer, 0, full, sizeof(full)),
				 outer.len);
		config.udp_csum = VXLAN_CSUM_LEFT;
		encap_vector(&config, &inner, &outer);
		assert_true(outer.offload.csum_needed);
		assert_true(packet_vlan_push(&outer, ETH_TYPE_VLAN, 1));
		packet_vlan_pop(&outer);
		assert_true(packet_finish_csum(&outer));
		packet_read(&outer, 0, got, sizeof(got));
		assert_memory_equal(got, full, outer.len);
		config.udp_csum = VXLAN_CSUM_ZERO;
		encap_vector(&config, &inner, &outer);
		packet_read(&outer, 0, got, sizeof(got));
		/* in front of the VXLAN header */
		assert_int_equal(load_be16(got + outer.len - inner.len - 10),
				 0);
	}
}

static void inner_csum(void **state)
{
	struct frame_spec s = { .version = 4,
				.proto = IPPROTO_TCP,
				.payload = bytes,
				.payload_len = 100,
				.partial = true };
	struct vxlan_outer_config config = vector_config(4);
	struct vxlan_flow flow = vector_flow();
	static struct frame whole;

	frame_build(&frame, &s);
	s.partial = false;
	frame_build(&whole, &s);
	for (int leave = 0; leave < 2; leave++) {
		struct vxlan_room room = room_new();
		struct packet inner, outer;
		struct vxlan_outer o;

		config.leave_inner_csum = leave;
		o = outer_of(&config);
		packet_init(&inner, frame.data, frame.len);
		inner.offload.csum_needed = true;
		inner.offload.csum_start = frame.l4;
		inner.offload.csum_offset = frame.csum_offset;
		assert_int_equal(
			vxlan_encap(&o, &flow, 1, &inner, &room, &outer), 0);
		assert_int_equal(outer.offload.csum_needed, leave);
		if (leave)
			assert_true(packet_finish_csum(&outer));
		packet_read(&outer, 0, got, sizeof(got));
		assert_memory_equal(got + o.len, whole.data, whole.len);
	}
}

/* A checksum behind what can be private wants room for a copy. */
static void far_csum(void **state)
{
	struct vxlan_outer_config config = vector_config(4);
	struct vxlan_outer o = outer_of(&config);
	struct vxlan_flow flow = vector_flow();
	struct vxlan_room room = room_new();
	static struct csum_far far;
	struct packet inner, outer;

	fill(bytes, sizeof(bytes), 7);
	packet_init(&inner, bytes, 400);
	inner.offload.csum_needed = true;
	inner.offload.csum_start = 200;
	inner.offload.csum_offset = 16;
	assert_int_equal(vxlan_encap(&o, &flow, 1, &inner, &room, &outer),
			 -EBADMSG);
	room.far = &far;
	assert_int_equal(vxlan_encap(&o, &flow, 1, &inner, &room, &outer), 0);
	assert_int_equal(packet_read(&outer, 0, got, sizeof(got)), outer.len);
	memcpy(bytes + 216, got + 50 + 216, 2);
	assert_memory_equal(got + 50, bytes, 400);
	assert_false(outer.offload.csum_needed);
}

static void marks(void **state)
{
	struct vxlan_outer_config config = vector_config(4);
	struct vxlan_outer o;
	struct vxlan_flow flow = { .is_ip = true, .tos = 0xb9, .ttl = 3 };
	struct vxlan_flow arp = { .tos = 0xff };

	config.tos = 0x20;
	o = outer_of(&config);
	for (uint8_t ecn = 0; ecn < 4; ecn++) {
		flow.tos = 0xb8 | ecn;
		assert_int_equal(vxlan_outer_tos(&o, &flow), 0x20 | ecn);
	}
	assert_int_equal(vxlan_outer_tos(&o, &arp), 0x20);
	assert_int_equal(vxlan_outer_ttl(&o, &flow), 64);
	config.inherit_tos = config.inherit_ttl = true;
	o = outer_of(&config);
	assert_int_equal(vxlan_outer_tos(&o, &flow), 0xbb);
	assert_int_equal(vxlan_outer_ttl(&o, &flow), 3);
	assert_int_equal(vxlan_outer_tos(&o, &arp), 0x20);
	assert_int_equal(vxlan_outer_ttl(&o, &arp), 64);
	flow.ttl = 0;
	assert_int_equal(vxlan_outer_ttl(&o, &flow), 1);
}

static void identification(void **state)
{
	struct vxlan_outer_config config = vector_config(4);
	struct vector v = vector_of(VECTOR_INNER);
	struct vxlan_flow flow = vector_flow();
	struct vxlan_room room = room_new();
	struct packet inner, outer;
	struct vxlan_outer o;

	config.dont_fragment = false;
	o = outer_of(&config);
	room.ip_id = 0xffff;
	for (uint16_t id = 0xffff; id != 2; id++) {
		packet_init(&inner, v.data, v.len);
		assert_int_equal(
			vxlan_encap(&o, &flow, 1, &inner, &room, &outer), 0);
		assert_int_equal(load_be16(outer.header + 18), id);
		assert_int_equal(load_be16(outer.header + 20), 0);
		assert_int_equal(plain_sum(outer.header + 14, 20, 0), 0xffff);
	}
}

static uint16_t port_of(const struct frame_spec *s, uint32_t pull,
			uint64_t seed, int at, uint8_t value)
{
	struct vxlan_flow flow;
	struct packet p;

	frame_build(&frame, s);
	if (at >= 0)
		frame.data[at] = value;
	packet_init(&p, frame.data, frame.len);
	packet_pull(&p, pull);
	vxlan_flow_of(&p, seed, &flow);
	assert_in_range(flow.src_port, 49152, 65535);
	assert_in_range(flow.label, 0, 0xfffff);
	return flow.src_port;
}

static void one_port_for_a_flow(void **state)
{
	for (int version = 4; version <= 6; version += 2)
		for (unsigned tags = 0; tags <= 2; tags++) {
			struct frame_spec s = { .version = version,
						.n_tags = tags,
						.ip_extra = 24,
						.proto = IPPROTO_TCP,
						.payload = bytes,
						.payload_len = 200 };
			uint16_t port = port_of(&s, 0, 1, -1, 0);

			for (uint32_t pull = 14; pull <= 104; pull++)
				assert_int_equal(port_of(&s, pull, 1, -1, 0),
						 port);
			assert_int_not_equal(port_of(&s, 0, 2, -1, 0), port);
			/* a MAC, and the last byte of the source port */
			assert_int_not_equal(port_of(&s, 0, 1, 5, 99), port);
			assert_int_not_equal(
				port_of(&s, 0, 1, frame.l4 + 1, 99), port);
			s.payload_len = 17;
			s.seq = 99;
			assert_int_equal(port_of(&s, 0, 1, -1, 0), port);
			if (!tags)
				continue;
			/* a priority, and a VLAN */
			assert_int_equal(
				port_of(&s, 0, 1, 14, frame.data[14] ^ 0xe0),
				port);
			assert_int_not_equal(
				port_of(&s, 0, 1, 15, frame.data[15] ^ 1),
				port);
		}
}

/* Fragments of a datagram, the first with ports, go one way; and the ports of
 * many flows are spread. */
static void fragments_and_spread(void **state)
{
	struct frame_spec s = { .version = 4,
				.proto = IPPROTO_UDP,
				.payload = bytes,
				.payload_len = 100 };
	static uint8_t seen[65536];
	unsigned distinct = 0;
	uint16_t port;

	port = port_of(&s, 0, 1, 20, 0x20);
	assert_int_equal(port_of(&s, 0, 1, 21, 0x10), port);
	for (unsigned i = 0; i < 1024; i++) {
		struct vxlan_flow flow;
		struct packet p;

		frame_build(&frame, &s);
		store_be16(frame.data + frame.l4, i);
		packet_init(&p, frame.data, frame.len);
		vxlan_flow_of(&p, 5, &flow);
		distinct += !seen[flow.src_port]++;
	}
	/* 1,024 of 16,384 drawn at random: some 993 are different */
	assert_in_range(distinct, 950, 1024);
}

static void check_segment(const struct packet *outer, struct frame_spec e,
			  uint32_t at, uint16_t size)
{
	static struct frame want;

	e.payload += at;
	e.payload_len = MIN(size, e.payload_len - at);
	e.seq += at;
	e.ip_id += at / size;
	e.partial = false;
	frame_build(&want, &e);
	assert_int_equal(outer->len, 50 + want.len);
	assert_int_equal(packet_read(outer, 0, got, sizeof(got)), outer->len);
	assert_memory_equal(got + 50, want.data, want.len);
	assert_int_equal(load_be16(got + 16), outer->len - 14);
	assert_int_equal(load_be16(got + 18), (uint16_t)(0xfffe + at / size));
	assert_int_equal(plain_sum(got + 14, 20, 0), 0xffff);
	assert_int_equal(load_be16(got + 34), VECTOR_PORT);
	assert_int_equal(load_be16(got + 38), outer->len - 34);
	assert_int_equal(load_be32(got + 46), 77 << 8);
}

static void segmented(uint32_t payload_len, uint16_t size, uint32_t piece)
{
	struct frame_spec s = { .version = 6,
				.proto = IPPROTO_TCP,
				.tcp_extra = 12,
				.tcp_flags = 0x10,
				.payload = bytes,
				.payload_len = payload_len,
				.partial = true };
	struct vxlan_outer_config config = vector_config(4);
	struct vxlan_flow flow = vector_flow();
	struct vxlan_room room = room_new();
	struct packet_segment *pieces;
	struct packet p, *outer, one;
	struct vxlan_outer o;
	uint32_t at = 0;
	unsigned n;
	int r;

	config.dont_fragment = false;
	o = outer_of(&config);
	frame_build(&frame, &s);
	pieces = pieces_make(frame.data, frame.len, piece, &n);
	packet_of_pieces(&p, pieces, n, frame.len);
	packet_pull(&p, PACKET_PULL_MAX);
	p.offload = (struct packet_offload){ .gso = PACKET_GSO_TCP6,
					     .gso_size = size,
					     .csum_needed = true,
					     .csum_start = frame.l4,
					     .csum_offset = 16 };
	assert_int_equal(vxlan_encap(&o, &flow, 77, &p, &room, &one),
			 -EOPNOTSUPP);
	assert_int_equal(vxlan_segment_start(&cut, &o, &flow, 77, 0xfffe, &p),
			 0);
	while ((r = vxlan_segment_next(&cut, &outer))) {
		if (r == -ENOSPC) {
			vxlan_segments_clear(&cut);
			continue;
		}
		assert_int_equal(r, 1);
		check_segment(outer, s, at, size);
		at += MIN(size, payload_len - at);
	}
	assert_int_equal(at, payload_len);
	pieces_free(pieces, n);
}

static void segments_of_large(void **state)
{
	segmented(5000, 1400, 0);
	segmented(5600, 1400, 333);
	segmented(60000, 500, 4096);
	segmented(60000, 9000, 100);
}

static void refused(void **state)
{
	struct vxlan_outer_config config = vector_config(4);
	struct vxlan_outer o = outer_of(&config);
	struct vxlan_flow flow = vector_flow();
	struct vxlan_room room = room_new();
	struct packet_segment *pieces;
	struct packet p, outer;
	unsigned n;

	packet_init(&p, bytes, 13);
	assert_int_equal(vxlan_encap(&o, &flow, 1, &p, &room, &outer), -EINVAL);
	packet_init(&p, bytes, 65535 - 36);
	assert_int_equal(vxlan_encap(&o, &flow, 1, &p, &room, &outer), 0);
	assert_int_equal(load_be16(outer.header + 16), 65535);
	packet_init(&p, bytes, 65535 - 35);
	assert_int_equal(vxlan_encap(&o, &flow, 1, &p, &room, &outer),
			 -EMSGSIZE);
	pieces = pieces_make(bytes, 100, 25, &n);
	for (room.max = 0; room.max < 5; room.max++) {
		packet_of_pieces(&p, pieces, n, 100);
		packet_pull(&p, 14);
		assert_int_equal(vxlan_encap(&o, &flow, 1, &p, &room, &outer),
				 -ENOSPC);
	}
	assert_int_equal(vxlan_encap(&o, &flow, 1, &p, &room, &outer), 0);
	pieces_free(pieces, n);
}

static void expect_refused(const struct vxlan_outer_config *config,
			   const char *message)
{
	struct vxlan_outer o;
	char *error = NULL;

	assert_int_equal(vxlan_outer_init(&o, config, &error), -EINVAL);
	assert_non_null(strstr(error, message));
	assert_null(strchr(error, '\n'));
	free(error);
}

static void refused_configuration(void **state)
{
	struct vxlan_outer_config config = vector_config(4);

	config.ip_version = 5;
	expect_refused(&config, "IP version 5");
	config = vector_config(4);
	config.ttl = 0;
	expect_refused(&config, "TTL 0");
	config = vector_config(4);
	config.tos = 0x21;
	expect_refused(&config, "TOS 0x21");
	config = vector_config(6);
	config.leave_inner_csum = true;
	expect_refused(&config, "inner checksums");
	config.form = VXLAN_PAYLOAD;
	expect_refused(&config, "UDP socket");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),
		cmocka_unit_test(outer_csum),
		cmocka_unit_test(inner_csum),
		cmocka_unit_test(far_csum),
		cmocka_unit_test(marks),
		cmocka_unit_test(identification),
		cmocka_unit_test(one_port_for_a_flow),
		cmocka_unit_test(fragments_and_spread),
		cmocka_unit_test(segments_of_large),
		cmocka_unit_test(refused),
		cmocka_unit_test(refused_configuration),
	};

	fill(bytes, sizeof(bytes), 3);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
