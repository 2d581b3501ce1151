/* The reader of pcapng and the one-line text of frames. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/packet_text.h"
#include "ctl/pcapng.h"

#define MACS 0x52, 0x54, 0, 0, 0, 2, 0x52, 0x54, 0, 0, 0, 1

/* One section, an interface "p1" in ns, one 14-byte packet with a comment. */
static const uint8_t stream[] = {
	/* section header */
	0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0,
	255, 255, 255, 255, 255, 255, 255, 255, 28, 0, 0, 0,
	/* interface: Ethernet; name, resolution 10^-9, end */
	1, 0, 0, 0, 40, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2, 0, 'p', '1',
	0, 0, 9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 0,
	/* packet: interface 0, time 2^32 + 5 ns, 14 of 60 bytes */
	6, 0, 0, 0, 72, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0, 14, 0, 0,
	0, 60, 0, 0, 0, MACS, 0x88, 0xcc, 0, 0,
	/* comment, flags: outbound, end */
	1, 0, 6, 0, 'd', 'r', 'o', 'p', ':', 7, 0, 0, 2, 0, 4, 0, 2, 0, 0, 0, 0,
	0, 0, 0, 72, 0, 0, 0
};
#define SECTION_LEN 28
#define IFACE_LEN   40

struct seen {
	int packets, blocks;
	struct pcapng_packet last;
	char iface[PCAPNG_TEXT], comment[PCAPNG_TEXT];
};

static bool on_packet(const struct pcapng_packet *p, void *aux)
{
	struct seen *seen = aux;

	seen->packets++;
	seen->last = *p;
	strcpy(seen->iface, p->iface);
	strcpy(seen->comment, p->comment);
	return true;
}

static bool on_block(const uint8_t *block, size_t n, bool is_packet, void *aux)
{
	((struct seen *)aux)->blocks++;
	return true;
}

static void check_packet(const struct seen *seen)
{
	assert_int_equal(seen->packets, 1);
	assert_int_equal(seen->blocks, 3);
	assert_string_equal(seen->iface, "p1");
	assert_string_equal(seen->comment, "drop:?");
	assert_int_equal(seen->last.time_ns, (1ull << 32) + 5);
	assert_int_equal(seen->last.direction, PCAPNG_OUTBOUND);
	assert_int_equal(seen->last.captured, 14);
	assert_int_equal(seen->last.length, 60);
}

static void test_in_pieces(void **state)
{
	for (size_t piece = 1; piece <= sizeof(stream); piece++) {
		struct pcapng_reader *r = pcapng_reader_create();
		struct seen seen = { 0 };

		for (size_t i = 0; i < sizeof(stream); i += piece)
			assert_int_equal(
				pcapng_feed(r, stream + i,
					    MIN(piece, sizeof(stream) - i),
					    on_packet, on_block, &seen, NULL),
				0);
		check_packet(&seen);
		pcapng_reader_destroy(r);
	}
}

/* Feeds a changed stream. Returns the status; seen tells what came of it. */
static int feed(size_t at, uint8_t value, struct seen *seen)
{
	struct pcapng_reader *r = pcapng_reader_create();
	uint8_t copy[sizeof(stream)];
	char *error = NULL;
	int status;

	memset(seen, 0, sizeof(*seen));
	memcpy(copy, stream, sizeof(stream));
	copy[at] = value;
	status = pcapng_feed(r, copy, sizeof(copy), on_packet, on_block, seen,
			     &error);
	assert_int_equal(!status, !error);
	free(error);
	pcapng_reader_destroy(r);
	return status;
}

static void test_damaged(void **state)
{
	const size_t packet = SECTION_LEN + IFACE_LEN;
	struct seen seen;

	assert_int_equal(feed(0, 9, &seen), -EPROTO);	/* no section */
	assert_int_equal(feed(12, 2, &seen), -EPROTO);	/* version 2 */
	assert_int_equal(feed(4, 11, &seen), -EPROTO);	/* length 11 */
	assert_int_equal(feed(7, 255, &seen), -EPROTO); /* huge */
	/* A packet of an unknown interface, or longer than its block. */
	assert_int_equal(feed(packet + 8, 1, &seen), 0);
	assert_int_equal(seen.packets, 0);
	assert_int_equal(feed(packet + 20, 255, &seen), 0);
	assert_int_equal(seen.packets, 0);
	/* An option that is longer than what is left ends the options. */
	assert_int_equal(feed(packet + 46, 255, &seen), 0);
	assert_int_equal(seen.packets, 1);
	assert_string_equal(seen.comment, "");
	/* A link type other than Ethernet is not shown. */
	assert_int_equal(feed(SECTION_LEN + 8, 105, &seen), 0);
	assert_int_equal(seen.packets, 0);
}

static void says(const uint8_t *data, size_t n, const char *expected)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	packet_text(data, n, n, out);
	fclose(out);
	assert_string_equal(text, expected);
	free(text);
}

#define FROM_TO "52:54:00:00:00:01 > 52:54:00:00:00:02"
#define IPV4(len, protocol)                                                    \
	MACS, 8, 0, 0x45, 0, 0, len, 0, 1, 0, 0, 64, protocol, 0, 0, 10, 0, 0, \
		1, 10, 0, 0, 2

static const uint8_t tcp[] = { IPV4(42, 6), 0, 80, 4, 1, 0,    0,    0,
			       1,	    0, 0,  0, 2, 0x50, 0x12, 0,
			       99,	    0, 0,  0, 0, 'h',  'i' };
static const uint8_t udp[] = { IPV4(28, 17), 0, 53, 4, 1, 0, 8, 0, 0, 9, 9 };
static const uint8_t fragment[] = { MACS, 8,  0,  0x45, 0, 0, 24, 0, 7,
				    0x20, 2,  64, 17,	0, 0, 10, 0, 0,
				    1,	  10, 0,  0,	2, 1, 2,  3, 4 };
static const uint8_t tagged[] = { MACS, 0x81, 0, 0x60, 5, 0x88, 0xb5 };
static const uint8_t bad_ip[] = { MACS, 8, 0, 0x44, 0, 0, 20, 0,  1, 0, 0, 64,
				  6,	0, 0, 10,   0, 0, 1,  10, 0, 0, 2 };

static void test_text(void **state)
{
	says(tcp, sizeof(tcp),
	     FROM_TO " IPv4 TCP 10.0.0.1:80 > 10.0.0.2:1025 [S.] seq 1 ack 2 "
		     "win 99 data 2, length 56");
	says(udp, sizeof(udp),
	     FROM_TO " IPv4 UDP 10.0.0.1:53 > 10.0.0.2:1025 data 0, length 44");
	says(fragment, sizeof(fragment),
	     FROM_TO " IPv4 10.0.0.1 > 10.0.0.2 fragment of protocol 17 frag "
		     "id 7 offset 16 more, length 38");
	says(tagged, sizeof(tagged),
	     FROM_TO " vlan 5 prio 3 ethertype 0x88b5, length 18");
	says(bad_ip, sizeof(bad_ip), FROM_TO " IPv4 [bad header], length 34");
}

static void test_cut_short(void **state)
{
	says(tcp, 13, " [truncated] length 13");
	for (size_t n = 14; n < 54; n++) {
		char *text;
		size_t len;
		FILE *out = open_memstream(&text, &len);

		/* From a block of just that size: a reader past it is seen. */
		uint8_t *copy = xmalloc(n);

		memcpy(copy, tcp, n);
		packet_text(copy, n, sizeof(tcp), out);
		fclose(out);
		assert_non_null(strstr(text, "[truncated]"));
		free(copy);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_pieces),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_cut_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
