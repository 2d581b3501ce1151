/* The reader's bounds, and what the parser finds in frames. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <netinet/in.h>

#include <cmocka.h>

#include "frames.h"
#include "packet/parse.h"
#include "packet/reader.h"

static uint8_t payload[64];
static struct frame frame;

static void reader_ends(void **state)
{
	const uint8_t data[] = { 1, 2, 3, 4, 5, 6, 7 };
	struct reader r, sub;
	uint8_t to[4] = { 9, 9, 9, 9 };

	reader_init(&r, data, sizeof(data));
	assert_int_equal(reader_u8(&r), 1);
	assert_int_equal(reader_be16(&r), 0x0203);
	sub = reader_sub(&r, 2);
	assert_int_equal(reader_left(&r), 2);
	assert_int_equal(reader_be16(&sub), 0x0405);
	assert_int_equal(reader_u8(&sub), 0);
	assert_true(sub.failed);
	assert_false(r.failed);
	reader_copy(&r, to, 4);
	assert_true(r.failed);
	assert_int_equal(to[0] | to[3], 0);
	/* what failed stays so, though two bytes would be there */
	assert_int_equal(reader_left(&r), 0);
	assert_int_equal(reader_u8(&r), 0);
	assert_null(reader_take(&r, 1));
	reader_init(&r, data, sizeof(data));
	assert_null(reader_take(&r, SIZE_MAX));
	reader_init(&r, data, sizeof(data));
	sub = reader_sub(&r, 8);
	assert_true(sub.failed);
	assert_int_equal(reader_be32(&sub), 0);
	reader_init(&r, data, sizeof(data));
	assert_int_equal(reader_mac(&r), 0x010203040506);
	assert_int_equal(reader_be32(&r), 0);
}

static struct frame_spec spec_of(unsigned tags, int version, uint8_t proto,
				 unsigned extra)
{
	return (struct frame_spec){
		.n_tags = tags,
		.version = version,
		.ip_extra = extra,
		.proto = proto,
		.tcp_flags = 0x12,
		.payload = payload,
		.payload_len = sizeof(payload),
	};
}

static void whole_frames(void **state)
{
	for (unsigned tags = 0; tags <= 2; tags++)
		for (int version = 4; version <= 6; version += 2)
			for (unsigned extra = 0; extra <= 40; extra += 8)
				for (int udp = 0; udp < 2; udp++) {
					struct frame_spec s = spec_of(
						tags, version,
						udp ? IPPROTO_UDP : IPPROTO_TCP,
						extra);
					struct flow_key key;
					unsigned len = version == 4 ? 4 : 16;

					frame_build(&frame, &s);
					assert_true(flow_parse(
						frame.data, frame.len, &key));
					assert_int_equal(key.dst_mac,
							 0x020000000002);
					assert_int_equal(key.src_mac,
							 0x020000000001);
					assert_int_equal(key.n_tags, tags);
					for (unsigned i = 0; i < tags; i++)
						assert_int_equal(
							VLAN_VID(key.tci[i]),
							10 + i);
					if (tags)
						assert_int_equal(
							key.tpid[0],
							tags == 2 ? 0x88a8
								  : 0x8100);
					assert_int_equal(key.ethertype,
							 version == 4 ? 0x0800
								      : 0x86dd);
					assert_int_equal(key.ip_version,
							 version);
					assert_int_equal(key.ip_proto, s.proto);
					assert_int_equal(key.ip_tos, 2);
					assert_int_equal(key.ip_ttl, 64);
					assert_int_equal(key.l3, frame.l3);
					assert_int_equal(key.l4, frame.l4);
					assert_memory_equal(
						key.src_ip,
						frame.data + frame.l3 +
							(version == 4 ? 12 : 8),
						len);
					assert_memory_equal(
						key.dst_ip,
						frame.data + frame.l3 +
							(version == 4 ? 16
								      : 24),
						len);
					assert_true(key.has_ports);
					assert_int_equal(key.src_port,
							 udp ? 5000 : 40000);
					assert_int_equal(key.dst_port,
							 udp ? 4433 : 443);
					assert_int_equal(key.tcp_flags,
							 udp ? 0 : 0x12);
					assert_int_equal(key.fragment,
							 FLOW_FRAG_NONE);
				}
}

/* Whatever is cut off is not there; what is left is the same as before. */
static void cut_short(void **state)
{
	struct frame_spec s = spec_of(1, 6, IPPROTO_TCP, 16);
	struct flow_key key;

	frame_build(&frame, &s);
	for (uint32_t len = 0; len < frame.start; len++) {
		uint8_t *copy = xmalloc(len);

		memcpy(copy, frame.data, len);
		assert_int_equal(flow_parse(copy, len, &key), len >= 18);
		assert_int_equal(key.n_tags, len >= 18);
		assert_int_equal(key.ip_version, len >= 58 ? 6 : 0);
		assert_int_equal(key.l4, len >= 74 ? 74 : 0);
		assert_int_equal(key.has_ports, len >= 78);
		assert_int_equal(key.tcp_flags, len >= 94 ? 0x12 : 0);
		free(copy);
	}
}

static void fragments(void **state)
{
	struct frame_spec s = spec_of(0, 4, IPPROTO_UDP, 0);
	struct flow_key key;

	frame_build(&frame, &s);
	frame.data[20] = 0x40; /* don't fragment: whole */
	flow_parse(frame.data, frame.len, &key);
	assert_int_equal(key.fragment, FLOW_FRAG_NONE);
	frame.data[20] = 0x20;
	flow_parse(frame.data, frame.len, &key);
	assert_int_equal(key.fragment, FLOW_FRAG_FIRST);
	assert_true(key.has_ports);
	frame.data[21] = 1;
	flow_parse(frame.data, frame.len, &key);
	assert_int_equal(key.fragment, FLOW_FRAG_LATER);
	assert_false(key.has_ports);
	assert_int_equal(key.l4, 34);

	s = spec_of(0, 6, IPPROTO_UDP, 8);
	frame_build(&frame, &s);
	frame.data[20] = IPPROTO_FRAGMENT;
	store_be16(frame.data + 56, 1); /* offset 0, more to come */
	flow_parse(frame.data, frame.len, &key);
	assert_int_equal(key.fragment, FLOW_FRAG_FIRST);
	assert_int_equal(key.src_port, 5000);
	store_be16(frame.data + 56, 0x0100);
	flow_parse(frame.data, frame.len, &key);
	assert_int_equal(key.fragment, FLOW_FRAG_LATER);
	assert_false(key.has_ports);
}

static void malformed(void **state)
{
	struct frame_spec s = spec_of(0, 4, IPPROTO_UDP, 0);
	struct flow_key key;

	frame_build(&frame, &s);
	frame.data[14] = 0x55;
	assert_true(flow_parse(frame.data, frame.len, &key));
	assert_int_equal(key.ip_version, 0);
	assert_int_equal(key.l3, 14);
	assert_int_equal(key.l4, 0);
	frame.data[14] = 0x44;
	flow_parse(frame.data, frame.len, &key);
	assert_int_equal(key.ip_version, 0);
	s = spec_of(0, 6, IPPROTO_UDP, 8);
	frame_build(&frame, &s);
	frame.data[55] = 255; /* an extension header past the end */
	flow_parse(frame.data, frame.len, &key);
	assert_int_equal(key.ip_version, 6);
	assert_int_equal(key.l4, 0);
	/* more extension headers than are walked */
	memset(frame.data + 54, 0, sizeof(payload));
	frame.data[20] = 0;
	flow_parse(frame.data, 54 + 8 * (FLOW_IP6_EXT_MAX + 2), &key);
	assert_int_equal(key.l4, 0);
}

static void tags(void **state)
{
	uint8_t data[64] = { 0 };
	struct flow_key key;
	struct packet p;

	for (int i = 0; i < 6; i++)
		store_be32(data + 12 + 4 * i, 0x81000000 + i);
	assert_true(flow_parse(data, sizeof(data), &key));
	assert_int_equal(key.n_tags, FLOW_TAGS_MAX);
	assert_int_equal(key.tci[3], 3);
	assert_int_equal(key.ethertype, 0x8100);
	assert_false(flow_parse(data, 29, &key));
	assert_int_equal(key.n_tags, 0);
	packet_init(&p, data, sizeof(data));
	assert_true(packet_pull(&p, PACKET_PULL));
	assert_int_equal(packet_l2_len(&p, 0), 14);
	assert_int_equal(packet_l2_len(&p, 2), 22);
	assert_int_equal(packet_l2_len(&p, 9), 38);
}

static void icmp(void **state)
{
	struct frame_spec s = spec_of(0, 4, IPPROTO_UDP, 0);
	struct flow_key key;

	frame_build(&frame, &s);
	frame.data[23] = IPPROTO_ICMP;
	store_be16(frame.data + 34, 0x0304);
	flow_parse(frame.data, frame.len, &key);
	assert_false(key.has_ports);
	assert_int_equal(key.src_port, 0x0304);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reader_ends), cmocka_unit_test(whole_frames),
		cmocka_unit_test(cut_short),   cmocka_unit_test(fragments),
		cmocka_unit_test(malformed),   cmocka_unit_test(tags),
		cmocka_unit_test(icmp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
