/* LLDPDUs to and from bytes, and the rules for malformed ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "discovery/lldp_pdu.h"
#include "discovery/text.h"

static uint8_t pdu[1600];
static size_t n;
static struct discovery_info info;
static struct discovery_parse_notes notes;
static char buf[DISCOVERY_NAME_SIZE];

static void tlv(unsigned type, const void *bytes, size_t len)
{
	pdu[n++] = type << 1 | len >> 8;
	pdu[n++] = len;
	memcpy(pdu + n, bytes, len);
	n += len;
}

#define TLV(TYPE, TEXT) tlv(TYPE, TEXT, sizeof(TEXT) - 1)

static void begin(void)
{
	n = 0;
	TLV(1, "\x04\x02\x00\x00\x00\x00\x01");
	TLV(2, "\x05"
	       "eth0");
	TLV(3, "\x00\x78");
}

/* From a block of the exact length, so that a sanitizer sees a read too far. */
static int decode(void)
{
	uint8_t *copy = malloc(n ? n : 1);
	int rc;

	memcpy(copy, pdu, n);
	rc = lldp_decode(copy, n, &info, &notes);
	free(copy);
	return rc;
}

static void test_mandatory(void **state)
{
	begin();
	assert_int_equal(decode(), 0);
	assert_int_equal(info.ttl_s, 120);
	assert_string_equal(chassis_format(&info.chassis, buf),
			    "02:00:00:00:00:01");
	assert_string_equal(port_id_format(&info.port, buf), "eth0");
	TLV(0, "");
	TLV(1, "behind the end, where nobody looks");
	assert_int_equal(decode(), 0);
}

static void test_mandatory_missing(void **state)
{
	n = 0;
	assert_int_equal(decode(), -EBADMSG);
	TLV(2, "\x05p");
	TLV(1, "\x04\x02\x00\x00\x00\x00\x01");
	TLV(3, "\x00\x78");
	assert_int_equal(decode(), -EBADMSG); /* order */
	n = 0;
	TLV(1, "\x07");
	TLV(2, "\x05p");
	TLV(3, "\x00\x78");
	assert_int_equal(decode(), -EBADMSG); /* an empty identifier */
	n = 0;
	TLV(1, "\x07x");
	TLV(2, "\x05p");
	TLV(3, "\x78");
	assert_int_equal(decode(), -EBADMSG); /* half a TTL */
	begin();
	TLV(4, "x");
	TLV(3, "\x00\x78");
	assert_int_equal(decode(), -EBADMSG); /* a second TTL */
}

/* Every way to cut it short ends without a neighbour or with all of one. */
static void test_cut_short(void **state)
{
	size_t full, least;

	begin();
	least = n;
	TLV(5, "name");
	full = n;
	for (n = 0; n < full; n++)
		assert_int_equal(decode(), n == least ? 0 : -EBADMSG);
}

static void test_shutdown(void **state)
{
	n = 0;
	TLV(1, "\x07me");
	TLV(2, "\x07p");
	TLV(3, "\x00\x00");
	TLV(1, "whatever follows");
	assert_int_equal(decode(), 0);
	assert_int_equal(info.ttl_s, 0);
}

static void test_identifiers(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *chassis, *port;
	} cases[] = {
		{ "\x01slot 3", 7, "slot 3", "slot 3" },
		{ "\x03\x02\x00\x00\x00\x00\x09", 7, "02:00:00:00:00:09",
		  "02:00:00:00:00:09" },
		{ "\x04\x01\xc0\x00\x02\x01", 6, NULL, "192.0.2.1" },
		{ "\x05\x01\xc0\x00\x02\x01", 6, "192.0.2.1", NULL },
		{ "\x05\x02\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 18,
		  "2001:db8::1", NULL },
		{ "\x06port", 5, "port", "port" },
		{ "\x07padded\0\0", 9, "padded", "padded" },
		{ "\x07\xff\xfe", 3, "ff:fe", "ff:fe" },
		{ "\x07\x1b[2J", 5, "1b:5b:32:4a", "1b:5b:32:4a" },
		{ "\x07\0", 2, "00", "00" },
		{ "\x63odd", 4, "odd", "odd" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		n = 0;
		tlv(1, cases[i].bytes, cases[i].len);
		tlv(2, cases[i].bytes, cases[i].len);
		TLV(3, "\x00\x01");
		assert_int_equal(decode(), 0);
		if (cases[i].chassis)
			assert_string_equal(chassis_format(&info.chassis, buf),
					    cases[i].chassis);
		if (cases[i].port)
			assert_string_equal(port_id_format(&info.port, buf),
					    cases[i].port);
	}
}

static void test_longest_identifier(void **state)
{
	uint8_t id[257];

	memset(id, 'x', sizeof(id));
	id[0] = 7;
	n = 0;
	tlv(1, id, 256);
	tlv(2, id, 256);
	TLV(3, "\x00\x78");
	assert_int_equal(decode(), 0);
	assert_int_equal(strlen(chassis_format(&info.chassis, buf)), 255);
	memset(id + 1, 0xff, 256);
	n = 0;
	tlv(1, id, 256);
	tlv(2, id, 256);
	TLV(3, "\x00\x78");
	assert_int_equal(decode(), 0);
	chassis_format(&info.chassis, buf); /* what does not fit is cut */
	n = 0;
	tlv(1, id, 257);
	tlv(2, id, 2);
	TLV(3, "\x00\x78");
	assert_int_equal(decode(), -EBADMSG);
}

static void test_text(void **state)
{
	begin();
	TLV(4, "a\x1b[31mb\x07");
	TLV(5, "h\xc3\xa4 \xff\xc0\x80 \xe2\x80\xae!");
	TLV(6, "one\r\ntwo\tthree\n\n");
	assert_int_equal(decode(), 0);
	assert_string_equal(info.port_description, "a?[31mb?");
	assert_string_equal(info.system_name, "h\xc3\xa4 ??? ?!");
	assert_string_equal(info.system_description, "one two three");
	begin();
	TLV(5, "");
	assert_int_equal(decode(), 0);
	assert_string_equal(info.system_name, "");
}

/* Cut at a whole character. */
static void test_text_too_long_for_its_room(void **state)
{
	char small[4];

	text_clean(small, sizeof(small), "ab\xc3\xa4", 4);
	assert_string_equal(small, "ab");
	text_clean(small, sizeof(small), "a\xc3\xa4z", 4);
	assert_string_equal(small, "a\xc3\xa4");
	text_clean(small, 1, "abc", 3);
	assert_string_equal(small, "");
	text_clean(small, sizeof(small), "\xc3", 1);
	assert_string_equal(small, "?");
}

static void test_duplicates_and_bad_tlvs(void **state)
{
	uint8_t long_text[256];

	memset(long_text, 'y', sizeof(long_text));
	begin();
	TLV(5, "first");
	TLV(5, "second");
	tlv(4, long_text, 256);
	TLV(7, "\x00\x14\x00");
	TLV(8, "\x05\x01\x0a\x00");
	TLV(9, "reserved");
	TLV(126, "reserved");
	TLV(127, "\x00\x80");
	TLV(127, "\x00\x80\xc2\x01\x00");
	TLV(127, "\x00\x80\xc2\x03\x00\x01\x09short");
	TLV(127, "\x00\x12\x0f\x04\x00");
	TLV(127, "\x00\x80\xc2\x63 unknown");
	TLV(127, "\x00\x01\x02\x03 unknown");
	TLV(127, "\x00\x80\xc2\x01\x00\x07");
	TLV(127, "\x00\x80\xc2\x01\x00\x08");
	assert_int_equal(decode(), 0);
	assert_string_equal(info.system_name, "first");
	assert_string_equal(info.port_description, "");
	assert_false(info.has_capabilities);
	assert_int_equal(info.n_addresses, 0);
	assert_int_equal(info.pvid, 7);
	assert_int_equal(notes.tlvs_discarded, 9);
	assert_int_equal(notes.tlvs_unrecognized, 4);
}

static void test_both_aggregations(void **state)
{
	begin();
	TLV(127, "\x00\x80\xc2\x07\x03\x00\x00\x00\x05");
	TLV(127, "\x00\x12\x0f\x03\x01\x00\x00\x00\x00");
	assert_int_equal(decode(), 0);
	assert_true(info.aggregated && info.aggregation_port == 5);
	begin();
	TLV(127, "\x00\x12\x0f\x03\x03\x00\x00\x00\x09");
	assert_int_equal(decode(), 0);
	assert_true(info.aggregated && info.aggregation_port == 9);
}

/* More than there is room for: counted, and the rest goes on. */
static void test_many(void **state)
{
	begin();
	for (int i = 0; i < 20; i++)
		TLV(8, "\x05\x01\x0a\x00\x00\x01\x02\x00\x00\x00\x03\x00");
	for (int i = 0; i < 40; i++)
		TLV(127, "\x00\x80\xc2\x03\x00\x05\x04name");
	for (int i = 0; i < 20; i++)
		TLV(127, "\x00\x80\xc2\x02\x06\x00\x09");
	TLV(5, "last");
	assert_int_equal(decode(), 0);
	assert_int_equal(info.n_addresses, DISCOVERY_ADDRESSES_MAX);
	assert_int_equal(info.n_vlans, DISCOVERY_VLANS_MAX);
	assert_int_equal(info.n_ppvids, DISCOVERY_PPVIDS_MAX);
	assert_int_equal(info.n_left_out, 4 + 8 + 4);
	assert_string_equal(info.system_name, "last");
}

static void fill(struct discovery_info *all)
{
	memset(all, 0, sizeof(*all));
	all->ttl_s = 121;
	all->chassis = (struct discovery_id){ CHASSIS_MAC, 6, { 2, 1 } };
	all->port = (struct discovery_id){ PORT_ID_INTERFACE_NAME, 3, "p0" };
	strcpy(all->port_description, "to the rack");
	strcpy(all->system_name, "host");
	strcpy(all->system_description, "vsw");
	all->has_capabilities = true;
	all->capabilities = CAPABILITY_BRIDGE | CAPABILITY_STATION;
	all->enabled = CAPABILITY_BRIDGE;
	all->n_addresses = 3;
	all->addresses[0] = (struct discovery_address){
		FAMILY_IPV4, 4, { 10, 0, 0, 1 }, 2, 7
	};
	all->addresses[1] =
		(struct discovery_address){ FAMILY_IPV6, 16, { 0xfd }, 2, 7 };
	all->addresses[2] =
		(struct discovery_address){ FAMILY_MAC, 6, { 2 }, 2, 7 };
	all->has_pvid = true;
	all->pvid = 10;
	all->n_ppvids = 1;
	all->ppvids[0] = (struct discovery_ppvid){ 11, true, false };
	all->n_vlans = 2;
	all->vlans[0] = (struct discovery_vlan){ 10, "ten" };
	all->vlans[1] = (struct discovery_vlan){ 20, "" };
	all->has_aggregation = true;
	all->aggregation_capable = true;
	all->aggregation_port = 3;
	all->has_mac_phy = true;
	all->autoneg_supported = true;
	all->autoneg_advertised = 0x8036;
	all->mau_type = 30;
	all->max_frame = 1522;
}

static void test_round_trip(void **state)
{
	static struct discovery_info all;
	uint8_t frame[LLDP_FRAME_MAX];
	bool too_long = true;
	size_t len;

	fill(&all);
	len = lldp_encode(&all, 0x020000000005, frame, &too_long);
	assert_false(too_long);
	assert_memory_equal(frame,
			    "\x01\x80\xc2\x00\x00\x0e\x02\x00\x00\x00\x00\x05"
			    "\x88\xcc",
			    14);
	assert_int_equal(lldp_decode(frame + 14, len - 14, &info, &notes), 0);
	assert_int_equal(notes.tlvs_discarded + notes.tlvs_unrecognized, 0);
	assert_memory_equal(&info, &all, sizeof(all));
	assert_memory_equal(frame + len - 2, "\0\0", 2);
	/* IEEE 802.3's own aggregation TLV is deprecated: received only. */
	assert_non_null(memmem(frame, len, "\x00\x80\xc2\x07", 4));
	assert_null(memmem(frame, len, "\x00\x12\x0f\x03", 4));
}

static void test_shutdown_frame(void **state)
{
	static struct discovery_info all;
	uint8_t frame[LLDP_FRAME_MAX];
	size_t len;

	fill(&all);
	all.ttl_s = 0;
	len = lldp_encode(&all, 0x020000000005, frame, NULL);
	assert_int_equal(len, 14 + 9 + 6 + 4 + 2);
	assert_int_equal(lldp_decode(frame + 14, len - 14, &info, &notes), 0);
	assert_int_equal(info.ttl_s, 0);
}

static void test_too_long(void **state)
{
	static struct discovery_info all;
	uint8_t frame[LLDP_FRAME_MAX];
	bool too_long = false;
	size_t len;

	fill(&all);
	memset(all.system_description, 'd', 300);
	all.n_vlans = DISCOVERY_VLANS_MAX;
	for (unsigned i = 0; i < all.n_vlans; i++)
		memset(all.vlans[i].name, 'v', DISCOVERY_VLAN_NAME_MAX);
	len = lldp_encode(&all, 0x020000000005, frame, &too_long);
	assert_true(too_long);
	assert_true(len <= LLDP_FRAME_MAX);
	assert_int_equal(lldp_decode(frame + 14, len - 14, &info, &notes), 0);
	assert_int_equal(info.pvid, 10);
	assert_in_range(info.n_vlans, 20, DISCOVERY_VLANS_MAX - 1);
	assert_memory_equal(frame + len - 2, "\0\0", 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mandatory),
		cmocka_unit_test(test_mandatory_missing),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_shutdown),
		cmocka_unit_test(test_identifiers),
		cmocka_unit_test(test_longest_identifier),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_text_too_long_for_its_room),
		cmocka_unit_test(test_duplicates_and_bad_tlvs),
		cmocka_unit_test(test_both_aggregations),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_shutdown_frame),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
