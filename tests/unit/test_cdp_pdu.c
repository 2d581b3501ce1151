/* CDP to and from bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "discovery/cdp_pdu.h"
#include "discovery/text.h"
#include "packet/packet.h"

static struct discovery_info info;
static struct discovery_parse_notes notes;
static uint8_t data[1600];
static size_t n;

#define PDU 10 /* behind the length, LLC and SNAP */

static void begin(uint8_t version, uint8_t ttl)
{
	memcpy(data, "\0\0\xaa\xaa\x03\x00\x00\x0c\x20\x00", PDU);
	memset(data + PDU, 0, 4);
	data[PDU] = version;
	data[PDU + 1] = ttl;
	n = PDU + 4;
}

static void tlv(unsigned type, const void *bytes, size_t len)
{
	store_be16(data + n, type);
	store_be16(data + n + 2, len + 4);
	memcpy(data + n + 4, bytes, len);
	n += len + 4;
}

#define TLV(TYPE, TEXT) tlv(TYPE, TEXT, sizeof(TEXT) - 1)

static int decode(void)
{
	uint8_t *copy = malloc(n);
	int rc;

	memcpy(copy, data, n);
	rc = cdp_decode(copy, n, &info, &notes);
	free(copy);
	return rc;
}

/* The length and the checksum, then decodes. */
static int finish(void)
{
	store_be16(data, n - 2);
	store_be16(data + PDU + 2, 0);
	store_be16(data + PDU + 2, cdp_checksum(data + PDU, n - PDU));
	return decode();
}

static void test_switch(void **state)
{
	char buf[DISCOVERY_NAME_SIZE];

	begin(2, 180);
	TLV(1, "sw1.example");
	TLV(2, "\0\0\0\x01\x01\x01\xcc\0\x04\x0a\0\0\x01");
	TLV(3, "GigabitEthernet1/0/1");
	TLV(4, "\0\0\0\x29");
	TLV(5, "IOS\nbuilt by x");
	TLV(6, "cisco WS");
	TLV(9, "lab");
	TLV(10, "\0\x63");
	TLV(11, "\x01");
	TLV(0x11, "\0\0\x05\xdc");
	TLV(0x16, "\0\0\0\x02\x01\x01\xcc\0\x04\x0a\0\0\x01"
		  "\x02\x08\xaa\xaa\x03\0\0\0\x86\xdd\0\x10"
		  "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01");
	TLV(0x1a, "power");
	assert_int_equal(finish(), 0);
	assert_string_equal(chassis_format(&info.chassis, buf), "sw1.example");
	assert_string_equal(port_id_format(&info.port, buf),
			    "GigabitEthernet1/0/1");
	assert_int_equal(info.ttl_s, 180);
	assert_int_equal(info.cdp_version, 2);
	assert_int_equal(info.cdp_capabilities, 0x29);
	assert_int_equal(info.capabilities,
			 CAPABILITY_ROUTER | CAPABILITY_BRIDGE);
	assert_string_equal(info.system_description, "IOS built by x");
	assert_string_equal(info.platform, "cisco WS");
	assert_string_equal(info.vtp_domain, "lab");
	assert_true(info.has_pvid && info.pvid == 99);
	assert_true(info.has_duplex && info.full_duplex);
	assert_int_equal(info.mtu, 1500);
	assert_int_equal(info.n_addresses, 2); /* the same one only once */
	assert_string_equal(address_format(&info.addresses[0], buf),
			    "10.0.0.1");
	assert_string_equal(address_format(&info.addresses[1], buf), "fd00::1");
	assert_int_equal(notes.tlvs_unrecognized, 1);
	assert_int_equal(notes.tlvs_discarded, 0);
}

static void test_padding_is_not_the_pdu_s(void **state)
{
	begin(1, 10);
	TLV(1, "a");
	TLV(3, "b");
	assert_int_equal(finish(), 0);
	memset(data + n, 0xee, 30);
	n += 30;
	assert_int_equal(decode(), 0);
}

/* The last byte of an odd length, positive and negative. */
static void test_checksum_of_odd_length(void **state)
{
	assert_int_equal(cdp_checksum("\x01\x02\x03", 3),
			 (uint16_t) ~(0x0102 + 0x0003));
	/* 0x0102 + 0xff80 - 1, with the carry: one less than it should be */
	assert_int_equal(cdp_checksum("\x01\x02\x80", 3),
			 (uint16_t) ~(0x0102 + 0xff7f - 0xffff));
	begin(2, 10);
	TLV(1, "abc");
	TLV(3, "de\xf0");
	assert_int_equal((n - PDU) & 1, 0);
	TLV(3, "\xf0");
	assert_int_equal((n - PDU) & 1, 1);
	assert_int_equal(finish(), 0);
	/* RFC 1071 says otherwise, and so do some senders. */
	begin(2, 10);
	TLV(1, "abc");
	TLV(3, "p");
	TLV(5, "");
	n -= 4;
	TLV(6, "xy");
	store_be16(data, n - 2);
	{
		uint32_t sum = 0;

		for (size_t i = PDU; i < n; i += 2)
			sum += data[i] << 8 | (i + 1 < n ? data[i + 1] : 0);
		sum = (sum & 0xffff) + (sum >> 16);
		sum = (sum & 0xffff) + (sum >> 16);
		store_be16(data + PDU + 2, ~sum);
	}
	assert_int_equal(decode(), 0);
	data[PDU + 2] ^= 1;
	assert_int_equal(decode(), -EBADMSG);
}

static void test_malformed(void **state)
{
	size_t full;

	begin(2, 10);
	TLV(1, "dev");
	assert_int_equal(finish(), -EBADMSG); /* no port */
	begin(2, 10);
	TLV(3, "port");
	assert_int_equal(finish(), -EBADMSG); /* no device */
	begin(2, 10);
	TLV(1, "");
	TLV(3, "port");
	assert_int_equal(finish(), -EBADMSG); /* an empty one */
	begin(3, 10);
	TLV(1, "dev");
	TLV(3, "port");
	assert_int_equal(finish(), -EBADMSG); /* no such version */
	begin(2, 10);
	TLV(1, "dev");
	TLV(3, "port");
	TLV(5, "x");
	data[n - 2] = 3;
	assert_int_equal(finish(), -EBADMSG); /* less than its own header */
	data[n - 2] = 200;
	assert_int_equal(finish(), -EBADMSG); /* beyond the end */
	begin(2, 10);
	TLV(1, "dev");
	TLV(3, "port");
	full = n;
	assert_int_equal(finish(), 0);
	for (n = 0; n < full; n++)
		assert_int_equal(decode(), -EBADMSG);
}

static void test_other_protocols(void **state)
{
	begin(2, 10);
	TLV(1, "dev");
	TLV(3, "port");
	store_be16(data + 8, 0x2003); /* VTP */
	assert_int_equal(finish(), -EPROTONOSUPPORT);
	data[2] = 0x42; /* spanning tree */
	assert_int_equal(finish(), -EPROTONOSUPPORT);
}

static void test_addresses_that_lie(void **state)
{
	begin(2, 10);
	TLV(1, "dev");
	TLV(3, "port");
	TLV(2, "\xff\xff\xff\xff\x01\x01\xcc\0\x04\x0a\0\0\x01");
	TLV(2, "\0\0\0\x02\x01\x01\xcc\0\x04\x0a\0\0\x02\x01\x01\xcc\xff\xff");
	TLV(2, "\0\0\0\x01\x01\x01\xcc\0\x05\x0a\0\0\x02\x03");
	TLV(4, "\0");
	TLV(10, "\0");
	TLV(11, "");
	assert_int_equal(finish(), 0);
	assert_int_equal(info.n_addresses, 2);
	assert_false(info.has_pvid || info.has_duplex || info.has_capabilities);
	assert_int_equal(notes.tlvs_discarded, 4);
}

static void test_round_trip(void **state)
{
	struct discovery_info all = {
		.protocol = DISCOVERY_CDP,
		.ttl_s = 121,
		.cdp_version = 2,
		.chassis = { CHASSIS_LOCAL, 4, "host" },
		.port = { PORT_ID_INTERFACE_NAME, 4, "eth0" },
		.system_name = "host",
		.system_description = "vsw",
		.platform = "x86",
		.vtp_domain = "lab",
		.has_capabilities = true,
		.cdp_capabilities = CDP_CAPABILITY_SWITCH,
		.capabilities = CAPABILITY_BRIDGE,
		.enabled = CAPABILITY_BRIDGE,
		.n_addresses = 2,
		.addresses = { { FAMILY_IPV4, 4, { 10 }, 0, 0 },
			       { FAMILY_IPV6, 16, { 0xfd }, 0, 0 } },
		.has_pvid = true,
		.pvid = 5,
		.has_duplex = true,
		.full_duplex = true,
		.mtu = 1500,
	};
	uint8_t frame[CDP_FRAME_MAX];
	bool too_long;
	size_t len;

	for (int odd = 0; odd < 2; odd++) {
		strcpy(all.platform, odd ? "odd" : "even");
		len = cdp_encode(&all, 0x020000000005, frame, &too_long);
		assert_false(too_long);
		assert_memory_equal(
			frame, "\x01\x00\x0c\xcc\xcc\xcc\x02\0\0\0\0\x05", 12);
		assert_int_equal(
			cdp_decode(frame + 12, len - 12, &info, &notes), 0);
		assert_int_equal(notes.tlvs_discarded + notes.tlvs_unrecognized,
				 0);
		assert_memory_equal(&info, &all, sizeof(all));
	}
	all.cdp_version = 1;
	len = cdp_encode(&all, 0x020000000005, frame, &too_long);
	assert_int_equal(cdp_decode(frame + 12, len - 12, &info, &notes), 0);
	assert_false(info.has_pvid);
	all.ttl_s = 0;
	len = cdp_encode(&all, 0x020000000005, frame, &too_long);
	assert_int_equal(cdp_decode(frame + 12, len - 12, &info, &notes), 0);
	assert_int_equal(info.ttl_s, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_switch),
		cmocka_unit_test(test_padding_is_not_the_pdu_s),
		cmocka_unit_test(test_checksum_of_odd_length),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_other_protocols),
		cmocka_unit_test(test_addresses_that_lie),
		cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
