/*
 * LACPDUs and marker PDUs against the octets that IEEE 802.1AX-2014 figures
 * 6-7 and 6-28 give, and what of a stranger's frame is taken and what not.
 */
#include "lacp_fixture.h"

static const uint8_t
	lacpdu[] = {
		0x01, 0x80, 0xc2, 0x00, 0x00, 0x02, /* slow protocols */
		0x02, 0x00, 0x00, 0x00, 0x10, 0x01, /* the interface */
		0x88, 0x09, 0x01, 0x01,		    /* type, LACP, version */
		0x01, 0x14,			    /* actor */
		0x03, 0xe8, 0x02, 0x00, 0x00, 0x00, 0x00, 0xaa, /* system */
		0x00, 0x05, 0x80, 0x00, 0x00, 0x02,		/* key, port */
		0x3d, 0x00, 0x00, 0x00,				/* state */
		0x02, 0x14,					/* partner */
		0x07, 0xd0, 0x02, 0x00, 0x00, 0x00, 0x00, 0xbb, /* system */
		0x01, 0x07, 0x00, 0x80, 0x12, 0x34,		/* key, port */
		0xc2, 0x00, 0x00, 0x00,				/* state */
		0x03, 0x10, 0xab, 0xcd, 0x00, 0x00, 0x00, 0x00, /* collector */
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x00, /* terminator, and 50 reserved */
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x00, 0x00, 0x00, 0x00, 0x00,
	};

static const uint8_t marker_response[LACP_FRAME_LEN] = {
	0x01, 0x80, 0xc2, 0x00, 0x00, 0x02, /* slow protocols */
	0x02, 0x00, 0x00, 0x00, 0x10, 0x01, /* the interface */
	0x88, 0x09, 0x02, 0x01,		    /* type, marker, version */
	0x02, 0x10,			    /* response */
	0x12, 0x34, 0x02, 0x00, 0x00, 0x00, 0x00, 0xbb, /* requester */
	0xde, 0xad, 0xbe, 0xef, 0x00, 0x00,		/* transaction, pad */
	0x00, 0x00, /* terminator; reserved */
};

static struct lacp_frame out;

static void encode_lacpdu(void **state)
{
	const struct lacp_pdu pdu = {
		.actor = { 1000, TEST_SYSTEM, 5, 0x8000, 2, 0x3d },
		.partner = { 2000, TEST_PARTNER, 0x107, 0x80, 0x1234, 0xc2 },
		.collector_max_delay = 0xabcd,
	};
	uint8_t frame[LACP_FRAME_LEN];

	assert_int_equal(sizeof(lacpdu), LACP_FRAME_LEN);
	memset(frame, 0xff, sizeof(frame));
	lacp_pdu_encode(&pdu, 0x020000001001, frame);
	assert_memory_equal(frame, lacpdu, sizeof(frame));
}

static void decode_lacpdu(void **state)
{
	const struct lacp_info *a = &out.pdu.actor, *p = &out.pdu.partner;

	assert_int_equal(lacp_frame_decode(lacpdu, sizeof(lacpdu), &out),
			 LACP_FRAME_PDU);
	assert_true(out.src_mac == 0x020000001001);
	assert_int_equal(out.pdu.version, 1);
	assert_int_equal(a->system_priority, 1000);
	assert_true(a->system_id == TEST_SYSTEM);
	assert_int_equal(a->key, 5);
	assert_int_equal(a->port_priority, 0x8000);
	assert_int_equal(a->port_id, 2);
	assert_int_equal(a->state, 0x3d);
	assert_int_equal(p->system_priority, 2000);
	assert_true(p->system_id == TEST_PARTNER);
	assert_int_equal(p->key, 0x107);
	assert_int_equal(p->port_priority, 0x80);
	assert_int_equal(p->port_id, 0x1234);
	assert_int_equal(p->state, 0xc2);
	assert_int_equal(out.pdu.collector_max_delay, 0xabcd);
}

static void marker(void **state)
{
	uint8_t frame[LACP_FRAME_LEN];

	assert_int_equal(lacp_frame_decode(marker_response,
					   sizeof(marker_response), &out),
			 LACP_FRAME_MARKER_RESPONSE);
	assert_int_equal(out.marker.requester_port, 0x1234);
	assert_true(out.marker.requester_system == TEST_PARTNER);
	assert_int_equal(out.marker.transaction_id, 0xdeadbeef);
	lacp_marker_encode(&out.marker, true, 0x020000001001, frame);
	assert_memory_equal(frame, marker_response, sizeof(frame));
	lacp_marker_encode(&out.marker, false, 0x020000001001, frame);
	assert_int_equal(frame[16], 1);
	assert_int_equal(lacp_frame_decode(frame, sizeof(frame), &out),
			 LACP_FRAME_MARKER);
	/* Of another type: none that we know. */
	frame[16] = 3;
	assert_int_equal(lacp_frame_decode(frame, sizeof(frame), &out),
			 LACP_FRAME_OTHER);
	frame[16] = 1;
	frame[17] = 15;
	assert_int_equal(lacp_frame_decode(frame, sizeof(frame), &out),
			 LACP_FRAME_BAD);
}

/* Cut anywhere, in a block of exactly its length. */
static enum lacp_frame_kind decode_cut(const uint8_t *frame, size_t len)
{
	uint8_t *copy = xmalloc(len ? len : 1);
	enum lacp_frame_kind kind;

	memcpy(copy, frame, len);
	kind = lacp_frame_decode(copy, len, &out);
	free(copy);
	return kind;
}

static void truncated(void **state)
{
	/* Up to the collector's TLV it has to be there. */
	for (size_t len = 0; len < sizeof(lacpdu); len++)
		assert_int_equal(decode_cut(lacpdu, len),
				 len < 14 + 58 ? LACP_FRAME_BAD
					       : LACP_FRAME_PDU);
	for (size_t len = 0; len < sizeof(marker_response); len++)
		assert_int_equal(decode_cut(marker_response, len),
				 len < 14 + 18 ? LACP_FRAME_BAD
					       : LACP_FRAME_MARKER_RESPONSE);
}

/* A changed octet at `at`. */
static enum lacp_frame_kind decode_with(size_t at, uint8_t value)
{
	uint8_t frame[sizeof(lacpdu)];

	memcpy(frame, lacpdu, sizeof(frame));
	frame[at] = value;
	return lacp_frame_decode(frame, sizeof(frame), &out);
}

/* 6.4.12: versions, TLV types and what is reserved are not looked at. */
static void not_validated(void **state)
{
	assert_int_equal(decode_with(15, 2), LACP_FRAME_PDU);
	assert_int_equal(out.pdu.version, 2);
	assert_int_equal(decode_with(15, 0), LACP_FRAME_PDU);
	assert_int_equal(decode_with(16, 9), LACP_FRAME_PDU);
	assert_int_equal(decode_with(36, 9), LACP_FRAME_PDU);
	assert_int_equal(decode_with(56, 9), LACP_FRAME_PDU);
	for (unsigned i = 33; i < 36; i++)
		assert_int_equal(decode_with(i, 9), LACP_FRAME_PDU);
	for (unsigned i = 60; i < sizeof(lacpdu); i++)
		assert_int_equal(decode_with(i, 9), LACP_FRAME_PDU);
}

static void refused(void **state)
{
	/* lengths of TLVs */
	assert_int_equal(decode_with(17, 19), LACP_FRAME_BAD);
	assert_int_equal(decode_with(37, 21), LACP_FRAME_BAD);
	assert_int_equal(decode_with(57, 0), LACP_FRAME_BAD);
	/* not ours: another group, type or subtype */
	assert_int_equal(decode_with(5, 3), LACP_FRAME_OTHER);
	assert_int_equal(decode_with(13, 8), LACP_FRAME_OTHER);
	assert_int_equal(decode_with(14, 3), LACP_FRAME_OTHER);
	assert_int_equal(decode_with(14, 10), LACP_FRAME_OTHER);
}

/* Broken frames are counted and change nothing. */
static void counted(void **state)
{
	struct test_lacp t;
	struct lacp_port_status before, after;

	test_lacp_init(&t, LACP_ACTIVE, false, 1);
	test_negotiate(&t);
	before = test_status(&t, 0);
	lacp_receive(t.ports[0].port, lacpdu, 60, t.now_ms);
	lacp_receive(t.ports[0].port, "", 0, t.now_ms);
	after = test_status(&t, 0);
	assert_int_equal(after.bad, before.bad + 2);
	assert_int_equal(after.received, before.received);
	assert_mux(&t, 0, "DISTRIBUTING");
	/* A good one. */
	lacp_receive(t.ports[0].port, lacpdu, sizeof(lacpdu), t.now_ms);
	assert_int_equal(test_status(&t, 0).received, before.received + 1);
	test_lacp_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encode_lacpdu),
		cmocka_unit_test(decode_lacpdu),
		cmocka_unit_test(marker),
		cmocka_unit_test(truncated),
		cmocka_unit_test(not_validated),
		cmocka_unit_test(refused),
		cmocka_unit_test(counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
