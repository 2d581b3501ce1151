/* RFC 5382: NAT behaviour for TCP, requirement by requirement. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "nat_fixture.h"

/* Endpoint-independent mapping. */
static void test_nat_rfc5382_req1(void **state)
{
	struct lab l;
	struct pkt k;
	uint16_t port;

	lab_default(&l);
	port = tcp_open(&l);
	assert_int_equal(tcp_out(&l, &k, IN_A, 1025, REMOTE_2, 443, SYN),
			 NAT_FORWARD);
	assert_int_equal(k.sport, port);
	lab_stop(&l);
}

/* All valid beginnings: also both ends at once. What is none is dropped. */
static void test_nat_rfc5382_req2(void **state)
{
	static const uint8_t others[] = { ACK, FIN | ACK, RST, SYN | ACK, 0 };
	struct lab l;
	struct pkt k;
	uint16_t port;

	lab_default(&l);
	assert_int_equal(tcp_out(&l, &k, IN_A, 1025, REMOTE, 80, SYN),
			 NAT_FORWARD);
	port = k.sport;
	assert_int_equal(tcp_in(&l, &k, REMOTE, 80, OUT_1, port, SYN),
			 NAT_FORWARD);
	assert_int_equal(tcp_out(&l, &k, IN_A, 1025, REMOTE, 80, SYN | ACK),
			 NAT_FORWARD);
	assert_int_equal(tcp_in(&l, &k, REMOTE, 80, OUT_1, port, SYN | ACK),
			 NAT_FORWARD);
	lab_wait(&l, 7000); /* it is established */
	assert_int_equal(tcp_in(&l, &k, REMOTE, 80, OUT_1, port, ACK),
			 NAT_FORWARD);
	for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
		assert_int_equal(
			tcp_out(&l, &k, IN_B, 77 + i, REMOTE, 80, others[i]),
			NAT_DROP);
		assert_int_equal(k.r.reason, DROP_NAT_NO_SESSION);
	}
	assert_int_equal(n_sessions(&l), 1);
	lab_stop(&l);
}

/* Filtering as for UDP. */
static void test_nat_rfc5382_req3(void **state)
{
	static const char *const outside[] = { OUT_1 };
	struct lab l;
	struct pkt k;
	uint16_t port;

	lab_default(&l);
	port = tcp_open(&l);
	assert_int_equal(tcp_in(&l, &k, REMOTE_2, 9, OUT_1, port, SYN),
			 NAT_FORWARD);
	lab_stop(&l);
	lab_init(&l);
	l.config.filtering = NAT_FILTER_ADDRESS;
	lab_start(&l, outside, 1);
	port = tcp_open(&l);
	assert_int_equal(tcp_in(&l, &k, REMOTE_2, 9, OUT_1, port, SYN),
			 NAT_DROP);
	assert_int_equal(tcp_in(&l, &k, REMOTE, 9, OUT_1, port, SYN),
			 NAT_FORWARD);
	lab_stop(&l);
}

/* An unsolicited SYN is not answered for 6 s, and not at all when the inside
 * opens the same connection meanwhile. */
static void test_nat_rfc5382_req4(void **state)
{
	static const char *const outside[] = { OUT_1 };
	struct nat_unreachable due[4];
	struct lab l;
	struct pkt k;
	uint16_t port;

	lab_init(&l);
	l.config.filtering = NAT_FILTER_ADDRESS;
	lab_start(&l, outside, 1);
	assert_int_equal(tcp_in(&l, &k, REMOTE, 9, OUT_1, 7777, SYN), NAT_DROP);
	assert_int_equal(k.r.reason, DROP_NAT_UNSOLICITED);
	lab_wait(&l, 6);
	assert_int_equal(nat_unreachable_due(l.nat, l.now_ms, due, 4), 0);
	lab_wait(&l, 1);
	assert_int_equal(nat_unreachable_due(l.nat, l.now_ms, due, 4), 1);
	assert_int_equal(due[0].version, 4);
	assert_memory_equal(due[0].packet, k.data + 14, 28);
	assert_int_equal(nat_unreachable_due(l.nat, l.now_ms, due, 4), 0);

	/* the mapping is there for another remote; then both send a SYN */
	port = tcp_open(&l);
	assert_int_equal(tcp_in(&l, &k, REMOTE_2, 9, OUT_1, port, SYN),
			 NAT_DROP);
	lab_wait(&l, 3);
	assert_int_equal(tcp_out(&l, &k, IN_A, 1025, REMOTE_2, 9, SYN),
			 NAT_FORWARD);
	lab_wait(&l, 10);
	assert_int_equal(nat_unreachable_due(l.nat, l.now_ms, due, 4), 0);
	/* unless policy forbids */
	l.options.answer_unsolicited = false;
	lab_options(&l);
	tcp_in(&l, &k, REMOTE, 9, OUT_1, 7777, SYN);
	lab_wait(&l, 10);
	assert_int_equal(nat_unreachable_due(l.nat, l.now_ms, due, 4), 0);
	lab_stop(&l);
}

/* Idle times: 2 h 4 min, and 4 min while opening and closing. */
static void test_nat_rfc5382_req5(void **state)
{
	struct lab l;
	struct pkt k;
	uint16_t port;

	lab_default(&l);
	port = tcp_open(&l);
	lab_wait(&l, 7440);
	assert_int_equal(tcp_in(&l, &k, REMOTE, 80, OUT_1, port, ACK),
			 NAT_FORWARD);
	lab_wait(&l, 7442);
	assert_int_equal(n_sessions(&l), 0);
	assert_int_equal(tcp_in(&l, &k, REMOTE, 80, OUT_1, port, ACK),
			 NAT_DROP);
	tcp_out(&l, &k, IN_A, 2000, REMOTE, 80, SYN);
	lab_wait(&l, 240);
	assert_int_equal(n_sessions(&l), 1);
	lab_wait(&l, 2);
	assert_int_equal(n_sessions(&l), 0);
	port = tcp_open(&l);
	tcp_out(&l, &k, IN_A, 1025, REMOTE, 80, FIN | ACK);
	lab_wait(&l, 7000); /* half closed is open */
	assert_int_equal(tcp_in(&l, &k, REMOTE, 80, OUT_1, port, FIN | ACK),
			 NAT_FORWARD);
	assert_int_equal(tcp_out(&l, &k, IN_A, 1025, REMOTE, 80, ACK),
			 NAT_FORWARD);
	lab_wait(&l, 240);
	assert_int_equal(n_sessions(&l), 1);
	lab_wait(&l, 2);
	assert_int_equal(n_sessions(&l), 0);
	l.options.tcp_s = 7439;
	assert_int_equal(nat_set_options(l.nat, &l.options, NULL), -EINVAL);
	l.options.tcp_s = 7440;
	l.options.tcp_opening_s = 239;
	assert_int_equal(nat_set_options(l.nat, &l.options, NULL), -EINVAL);
	lab_stop(&l);
}

/* No ALG. */
static void test_nat_rfc5382_req6(void **state)
{
	uint8_t payload[7];
	struct lab l;
	struct pkt k;

	lab_default(&l);
	for (uint16_t port = 20; port < 9000; port += 41) {
		pkt_tcp(&k, IN_A, 1025, REMOTE, port, SYN);
		memcpy(payload, k.data + k.l4 + 20, 7);
		assert_int_equal(out(&l, &k), NAT_FORWARD);
		assert_memory_equal(k.data + k.l4 + 20, payload, 7);
	}
	lab_stop(&l);
}

/* No port overloading. */
static void test_nat_rfc5382_req7(void **state)
{
	static uint8_t seen[65536];
	struct lab l;
	struct pkt k;
	char src[24];

	lab_default(&l);
	memset(seen, 0, sizeof(seen));
	for (int i = 0; i < 3000; i++) {
		snprintf(src, sizeof(src), "10.0.%d.%d", i / 200, 1 + i % 200);
		assert_int_equal(tcp_out(&l, &k, src, 1025, REMOTE, 80, SYN),
				 NAT_FORWARD);
		assert_false(seen[k.sport]++);
	}
	lab_stop(&l);
}

/* Hairpinning, with the external source. */
static void test_nat_rfc5382_req8(void **state)
{
	struct lab l;
	struct pkt k;
	uint16_t a, b;

	lab_default(&l);
	a = tcp_open(&l);
	assert_int_equal(tcp_out(&l, &k, IN_B, 99, OUT_1, a, SYN), NAT_HAIRPIN);
	b = k.sport;
	assert_flow(&k, OUT_1, b, IN_A, 1025);
	assert_int_equal(tcp_out(&l, &k, IN_A, 1025, OUT_1, b, SYN | ACK),
			 NAT_HAIRPIN);
	assert_flow(&k, OUT_1, a, IN_B, 99);
	for (int i = 0; i < 3; i++)
		assert_int_equal(tcp_out(&l, &k, IN_B, 99, OUT_1, a, ACK),
				 NAT_HAIRPIN);
	assert_flow(&k, OUT_1, b, IN_A, 1025);
	lab_stop(&l);
}

/* ICMP unreachable is translated; it ends nothing (REQ-10). */
static void test_nat_rfc5382_req9_req10(void **state)
{
	struct pkt sent, error, quoted;
	struct lab l;
	uint16_t port;

	lab_default(&l);
	port = tcp_open(&l);
	tcp_out(&l, &sent, IN_A, 1025, REMOTE, 80, ACK);
	for (uint8_t code = 0; code < 16; code++) {
		pkt_error(&error, "192.0.2.1", OUT_1, 3, code, &sent, 28);
		assert_int_equal(in(&l, &error), NAT_FORWARD);
		assert_true(checksums_right(&error));
		assert_string_equal(error.dst, IN_A);
		memset(&quoted, 0, sizeof(quoted));
		memcpy(quoted.data + 14, error.data + 42, 28);
		quoted.version = 4;
		quoted.proto = 6;
		quoted.l4 = 34;
		pkt_parse(&quoted);
		assert_flow(&quoted, IN_A, 1025, REMOTE, 80);
	}
	lab_wait(&l, 7000);
	assert_int_equal(tcp_in(&l, &error, REMOTE, 80, OUT_1, port, ACK),
			 NAT_FORWARD);
	lab_stop(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nat_rfc5382_req1),
		cmocka_unit_test(test_nat_rfc5382_req2),
		cmocka_unit_test(test_nat_rfc5382_req3),
		cmocka_unit_test(test_nat_rfc5382_req4),
		cmocka_unit_test(test_nat_rfc5382_req5),
		cmocka_unit_test(test_nat_rfc5382_req6),
		cmocka_unit_test(test_nat_rfc5382_req7),
		cmocka_unit_test(test_nat_rfc5382_req8),
		cmocka_unit_test(test_nat_rfc5382_req9_req10),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
