/* virtio_net_hdr: what is taken, what is refused, and what goes out again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>

#include <cmocka.h>

#include "frames.h"
#include "packet/crc32c.h"
#include "packet/gso.h"
#include "packet/offload.h"
#include "packet/vlan.h"

#define CSUM  VIRTIO_NET_HDR_F_NEEDS_CSUM
#define VALID VIRTIO_NET_HDR_F_DATA_VALID
#define TCPV4 VIRTIO_NET_HDR_GSO_TCPV4
#define TCPV6 VIRTIO_NET_HDR_GSO_TCPV6
#define ECN   VIRTIO_NET_HDR_GSO_ECN
#define UFO   VIRTIO_NET_HDR_GSO_UDP
#define USO   5
#define ALL   (OFFLOAD_ALL | OFFLOAD_TRUSTED)

static uint8_t bytes[65536];
static struct frame frame;
static struct packet packet;
static uint8_t vnet[VNET_HDR_LEN];

static int setup(void **state)
{
	fill(bytes, sizeof(bytes), 4);
	return 0;
}

static void build(int version, uint8_t proto, unsigned tags, uint32_t payload)
{
	struct frame_spec s = {
		.n_tags = tags,
		.version = version,
		.proto = proto,
		.payload = bytes,
		.payload_len = payload,
		.partial = true,
	};

	frame_build(&frame, &s);
}

/* The frame with this header, as it comes from a port. */
static bool receive(unsigned agreed)
{
	packet_init(&packet, frame.data, frame.len);
	return offload_receive(&packet, vnet, agreed);
}

static bool receive_gso(uint8_t type, uint16_t size, unsigned agreed)
{
	vnet_make(vnet, CSUM, type, frame.start, size, frame.l4,
		  frame.csum_offset);
	return receive(agreed);
}

static bool receive_csum(uint16_t start, uint16_t offset)
{
	vnet_make(vnet, CSUM, 0, 0, 0, start, offset);
	return receive(ALL);
}

static void nothing_asked(void **state)
{
	uint8_t out[VNET_HDR_LEN];

	build(4, IPPROTO_TCP, 0, 10);
	vnet_make(vnet, 0, 0, 0, 0, 0, 0);
	assert_true(receive(0));
	assert_int_equal(packet.header_len, 0);
	memset(out, 0xff, sizeof(out));
	assert_true(offload_send(&packet, out));
	assert_memory_equal(out, vnet, sizeof(out));
	/* fields that mean nothing without their flags */
	vnet_make(vnet, 0, 0, 0, 99, 65535, 65535);
	assert_true(receive(0));
	vnet_make(vnet, 0, 0, frame.len, 0, 0, 0);
	assert_true(receive(0));
	vnet_make(vnet, 0, 0, frame.len + 1, 0, 0, 0);
	assert_false(receive(ALL));
}

static void valid(void **state)
{
	build(4, IPPROTO_TCP, 0, 10);
	vnet_make(vnet, VALID, 0, 0, 0, 0, 0);
	assert_true(receive(ALL));
	assert_true(packet.offload.csum_valid);
	assert_true(offload_send(&packet, vnet));
	assert_int_equal(vnet[0], VALID);
	assert_true(receive(OFFLOAD_ALL));
	assert_false(packet.offload.csum_valid);
}

static void csum(void **state)
{
	build(4, IPPROTO_TCP, 1, 10);
	assert_true(receive_csum(frame.l4, 16));
	assert_true(packet.offload.csum_needed);
	assert_int_equal(packet.offload.csum_start, 38);
	assert_int_equal(packet.offload.csum_offset, 16);
	assert_true(packet_vlan_push(&packet, 0x88a8, 5));
	assert_true(offload_send(&packet, vnet));
	assert_int_equal(vnet[0], CSUM);
	assert_int_equal(vnet[6], 42);
	assert_int_equal(vnet[8], 16);
	/* not agreed */
	vnet_make(vnet, CSUM, 0, 0, 0, frame.l4, 16);
	assert_false(receive(OFFLOAD_ALL & ~OFFLOAD_CSUM));
}

static void csum_bounds(void **state)
{
	build(4, IPPROTO_TCP, 1, 10);
	assert_true(receive_csum(frame.l4, frame.len - frame.l4 - 2));
	assert_false(receive_csum(frame.l4, frame.len - frame.l4 - 1));
	assert_false(receive_csum(frame.l4, 65535));
	assert_false(receive_csum(65535, 16));
	assert_false(receive_csum(65535, 65535));
	/* where the switch and filters look */
	for (uint16_t start = 0; start < 38; start++)
		assert_false(receive_csum(start, 16));
	assert_true(receive_csum(38, 0));
	build(6, IPPROTO_TCP, 0, 10);
	assert_false(receive_csum(53, 0));
	assert_true(receive_csum(54, 0));
	/* not IP: behind the type, no earlier */
	store_be16(frame.data + 12, 0x1234);
	assert_false(receive_csum(13, 0));
	assert_true(receive_csum(14, 0));
	/* so far behind that a tag could make it wrap around */
	build(4, IPPROTO_UDP, 0, 65000);
	assert_false(receive_csum(64990, 0));
	assert_false(receive_csum(34, 64900));
	assert_true(receive_csum(1000, 22));
}

static void runts(void **state)
{
	build(4, IPPROTO_UDP, 0, 0);
	for (uint32_t len = 0; len < 36; len++) {
		frame.len = len;
		for (uint16_t start = 0; start < 36; start++)
			assert_false(receive_csum(start, 0));
		assert_false(receive_gso(TCPV4, 1, ALL));
	}
}

static void expect_gso(uint8_t type, uint16_t size)
{
	uint8_t out[VNET_HDR_LEN], want[VNET_HDR_LEN];

	vnet_make(want, CSUM, type, frame.start, size, frame.l4,
		  frame.csum_offset);
	assert_true(offload_send(&packet, out));
	assert_memory_equal(out, want, sizeof(out));
}

static void gso(void **state)
{
	for (unsigned tags = 0; tags <= 2; tags++) {
		build(4, IPPROTO_TCP, tags, 4000);
		assert_true(receive_gso(TCPV4, 1000, ALL));
		assert_int_equal(packet.offload.gso, PACKET_GSO_TCP4);
		assert_int_equal(packet.offload.gso_size, 1000);
		expect_gso(TCPV4, 1000);
		assert_true(receive_gso(TCPV4 | ECN, 1000, ALL));
		assert_true(packet.offload.gso_ecn);
		expect_gso(TCPV4 | ECN, 1000);
		build(6, IPPROTO_TCP, tags, 4000);
		assert_true(receive_gso(TCPV6, 1000, ALL));
		assert_int_equal(packet.offload.gso, PACKET_GSO_TCP6);
		expect_gso(TCPV6, 1000);
		for (int version = 4; version <= 6; version += 2) {
			build(version, IPPROTO_UDP, tags, 4000);
			assert_true(receive_gso(USO, 1000, ALL));
			assert_int_equal(packet.offload.gso, PACKET_GSO_UDP);
			expect_gso(USO, 1000);
		}
	}
}

static void gso_not_agreed(void **state)
{
	build(4, IPPROTO_TCP, 0, 4000);
	assert_false(receive_gso(TCPV4, 1000, ALL & ~OFFLOAD_TSO4));
	assert_false(receive_gso(TCPV4, 1000, ALL & ~OFFLOAD_CSUM));
	assert_false(receive_gso(TCPV4 | ECN, 1000, ALL & ~OFFLOAD_TSO_ECN));
	build(6, IPPROTO_TCP, 0, 4000);
	assert_false(receive_gso(TCPV6, 1000, ALL & ~OFFLOAD_TSO6));
	build(6, IPPROTO_UDP, 0, 4000);
	assert_false(receive_gso(USO, 1000, ALL & ~OFFLOAD_USO));
}

static void gso_contradicts(void **state)
{
	build(4, IPPROTO_TCP, 0, 4000);
	assert_false(receive_gso(TCPV6, 1000, ALL));
	assert_false(receive_gso(USO, 1000, ALL));
	assert_false(receive_gso(UFO, 1000, ALL));
	assert_false(receive_gso(2, 1000, ALL));
	assert_false(receive_gso(ECN, 1000, ALL));
	assert_false(receive_gso(TCPV4, 0, ALL));
	assert_false(receive_gso(TCPV4, 2, ALL)); /* 2,000 segments */
	frame.csum_offset = 6;
	assert_false(receive_gso(TCPV4, 1000, ALL));
	frame.csum_offset = 16;
	frame.l4 += 2;
	assert_false(receive_gso(TCPV4, 1000, ALL));
	frame.l4 -= 2;
	frame.data[frame.l3 + 7] = 1; /* a later fragment */
	assert_false(receive_gso(TCPV4, 1000, ALL));
	frame.data[frame.l3 + 7] = 0;
	frame.data[frame.l4 + 12] = 0x10;
	assert_false(receive_gso(TCPV4, 1000, ALL));
	frame.data[frame.l4 + 12] = 0x50;
	frame.data[12] = 0x12; /* not IP */
	assert_false(receive_gso(TCPV4, 1000, ALL));
	build(4, IPPROTO_UDP, 0, 4000);
	assert_false(receive_gso(USO | ECN, 1000, ALL));
	assert_false(receive_gso(TCPV4, 1000, ALL));
}

/* A GSO type on what is one packet anyway. */
static void gso_of_one(void **state)
{
	build(4, IPPROTO_TCP, 0, 1000);
	assert_true(receive_gso(TCPV4 | ECN, 1000, ALL));
	assert_int_equal(packet.offload.gso, PACKET_GSO_NONE);
	assert_false(packet.offload.gso_ecn);
	assert_true(packet.offload.csum_needed);
	assert_true(receive_gso(TCPV4, 999, ALL));
	assert_int_equal(packet.offload.gso, PACKET_GSO_TCP4);
	build(4, IPPROTO_TCP, 0, 0);
	assert_true(receive_gso(TCPV4, 1000, ALL));
	assert_int_equal(packet.offload.gso, PACKET_GSO_NONE);
}

/* Without NEEDS_CSUM: it is added, with the pseudo header's sum in place. */
static void gso_without_csum(void **state)
{
	for (int version = 4; version <= 6; version += 2) {
		uint8_t field[2], seed[2];

		build(version, IPPROTO_TCP, 1, 4000);
		memcpy(seed, frame.data + frame.l4 + 16, 2);
		memset(frame.data + frame.l4 + 16, 0x5a, 2);
		vnet_make(vnet, version == 4 ? VALID : 0,
			  version == 4 ? TCPV4 : TCPV6, 0, 1000, 0, 0);
		assert_true(receive(ALL));
		assert_true(packet.offload.csum_needed);
		assert_false(packet.offload.csum_valid);
		assert_int_equal(packet.offload.csum_start, frame.l4);
		assert_int_equal(packet.offload.csum_offset, 16);
		packet_read(&packet, frame.l4 + 16, field, 2);
		assert_memory_equal(field, seed, 2);
	}
}

/* The kernel took the tag out: offsets count without it. */
static void tag_beside(void **state)
{
	build(4, IPPROTO_TCP, 0, 4000);
	vnet_make(vnet, CSUM, TCPV4, frame.start, 1000, frame.l4, 16);
	packet_init(&packet, frame.data, frame.len);
	packet.vlan_beside = true;
	packet.vlan_beside_tci = 10;
	assert_true(offload_receive(&packet, vnet, ALL));
	assert_false(packet.vlan_beside);
	assert_int_equal(packet.offload.csum_start, 38);
	frame.l4 += 4;
	frame.start += 4;
	expect_gso(TCPV4, 1000);
}

/* "The checksum" of SCTP is its CRC. */
static void sctp(void **state)
{
	uint32_t crc, got;

	build(4, IPPROTO_UDP, 1, 100);
	frame.data[frame.l3 + 9] = IPPROTO_SCTP;
	memset(frame.data + frame.l4 + 8, 0, 4);
	crc = ~crc32c_add(UINT32_MAX, frame.data + frame.l4,
			  frame.len - frame.l4);
	memset(frame.data + frame.l4 + 8, 0x77, 4);
	assert_true(receive_csum(frame.l4, 8));
	assert_false(packet.offload.csum_needed);
	assert_int_equal(packet_read(&packet, frame.l4 + 8, &got, 4), 4);
	assert_int_equal(got, crc);
	/* too short to have one */
	frame.len = frame.l4 + 10;
	assert_false(receive_csum(frame.l4, 8));
}

/* A packet that asks for what is outside of it does not go out. */
static void send_checks(void **state)
{
	uint8_t out[VNET_HDR_LEN];

	build(4, IPPROTO_TCP, 0, 4000);
	assert_true(receive_gso(TCPV4, 1000, ALL));
	packet.offload.csum_start = 4060;
	assert_false(offload_send(&packet, out));
	packet.offload.csum_start = frame.l4;
	packet.offload.csum_offset = 65535;
	assert_false(offload_send(&packet, out));
	packet.offload.csum_offset = 16;
	packet.offload.gso = 9;
	assert_false(offload_send(&packet, out));
	packet.offload.gso = PACKET_GSO_TCP4;
	packet.offload.gso_size = 0;
	assert_false(offload_send(&packet, out));
	packet.offload.gso_size = 1000;
	packet.offload.csum_needed = false;
	assert_false(offload_send(&packet, out));
	packet.offload.csum_needed = true;
	assert_true(offload_send(&packet, out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_asked),
		cmocka_unit_test(valid),
		cmocka_unit_test(csum),
		cmocka_unit_test(csum_bounds),
		cmocka_unit_test(runts),
		cmocka_unit_test(gso),
		cmocka_unit_test(gso_not_agreed),
		cmocka_unit_test(gso_contradicts),
		cmocka_unit_test(gso_of_one),
		cmocka_unit_test(gso_without_csum),
		cmocka_unit_test(tag_beside),
		cmocka_unit_test(sctp),
		cmocka_unit_test(send_checks),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
