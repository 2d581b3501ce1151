/* The pcapng writer: read back by libpcap, and byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pcap/pcap.h>

#include "vswd/pcapng.h"

static uint32_t word(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint16_t half(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static void put_all(struct evbuffer *out, unsigned frame_len)
{
	uint8_t frame[200] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2 };
	const struct pcapng_packet packet = {
		.interface = 1,
		.time_ns = 1700000000123456789,
		.data = frame,
		.captured_len = frame_len,
		.len = 1514,
		.direction = PCAPNG_OUTBOUND,
		.comment = "drop: runt",
	};

	pcapng_section(out, "vsw test");
	pcapng_interface(out, "eth0", NULL, 128);
	pcapng_interface(out, "a-longer-name", "tcp port 80", 128);
	pcapng_packet(out, &packet);
	pcapng_statistics(out, 1, packet.time_ns, 9, 4);
}

/* Each block: its length in front and behind, a multiple of four. */
static void test_blocks(void **state)
{
	static const uint32_t types[] = { 0x0a0d0d0a, 1, 1, 6, 5 };

	for (unsigned n = 60; n < 64; n++) {
		struct evbuffer *out = evbuffer_new();
		size_t len, at = 0, i = 0;
		uint8_t *p;

		put_all(out, n);
		len = evbuffer_get_length(out);
		p = evbuffer_pullup(out, -1);
		while (at < len) {
			uint32_t size = word(p + at + 4);

			assert_true(i < ARRAY_SIZE(types));
			assert_int_equal(word(p + at), types[i++]);
			assert_int_equal(size % 4, 0);
			assert_true(size >= 12 && size <= len - at);
			assert_int_equal(word(p + at + size - 4), size);
			at += size;
		}
		assert_int_equal(i, ARRAY_SIZE(types));
		evbuffer_free(out);
	}
}

/* The value of an option among those that begin at p, and its length. */
static const uint8_t *option(const uint8_t *p, uint16_t code, uint16_t *len)
{
	while (half(p)) {
		*len = half(p + 2);
		if (half(p) == code)
			return p + 4;
		p += 4 + ((*len + 3) & ~3);
	}
	return NULL;
}

static void test_packet_options(void **state)
{
	struct evbuffer *out = evbuffer_new();
	const struct pcapng_packet packet = {
		.data = "12345",
		.captured_len = 5,
		.len = 5,
		.direction = PCAPNG_INBOUND,
		.comment = "drop: runt",
	};
	const uint8_t *p, *value;
	uint16_t len;

	pcapng_packet(out, &packet);
	p = evbuffer_pullup(out, -1);
	p += 8 + 20 + 8; /* head, fixed part, padded bytes */
	value = option(p, 2, &len);
	assert_non_null(value);
	assert_int_equal(len, 4);
	assert_int_equal(word(value) & 3, 1);
	value = option(p, 1, &len);
	assert_non_null(value);
	assert_int_equal(len, strlen(packet.comment));
	assert_memory_equal(value, packet.comment, len);
	evbuffer_free(out);
}

static void test_statistics(void **state)
{
	struct evbuffer *out = evbuffer_new();
	const uint8_t *p, *value;
	uint64_t n;
	uint16_t len;

	pcapng_statistics(out, 3, 5, 1ull << 40, 7);
	p = evbuffer_pullup(out, -1);
	assert_int_equal(word(p + 8), 3);
	value = option(p + 20, 4, &len);
	assert_int_equal(len, 8);
	memcpy(&n, value, 8);
	assert_true(n == 1ull << 40);
	value = option(p + 20, 5, &len);
	memcpy(&n, value, 8);
	assert_int_equal(n, 7);
	evbuffer_free(out);
}

static void test_libpcap_reads_it(void **state)
{
	struct evbuffer *out = evbuffer_new();
	char why[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *head;
	const u_char *data;
	pcap_t *pcap;
	FILE *file;

	put_all(out, 61);
	file = fmemopen(evbuffer_pullup(out, -1), evbuffer_get_length(out),
			"r");
	assert_non_null(file);
	pcap = pcap_fopen_offline_with_tstamp_precision(
		file, PCAP_TSTAMP_PRECISION_NANO, why);
	if (!pcap)
		fail_msg("%s", why);
	assert_int_equal(pcap_datalink(pcap), DLT_EN10MB);
	assert_int_equal(pcap_next_ex(pcap, &head, &data), 1);
	assert_int_equal(head->ts.tv_sec, 1700000000);
	assert_int_equal(head->ts.tv_usec, 123456789);
	assert_int_equal(head->caplen, 61);
	assert_int_equal(head->len, 1514);
	assert_int_equal(data[6], 2);
	assert_int_equal(pcap_next_ex(pcap, &head, &data), PCAP_ERROR_BREAK);
	pcap_close(pcap);
	evbuffer_free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_packet_options),
		cmocka_unit_test(test_statistics),
		cmocka_unit_test(test_libpcap_reads_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
