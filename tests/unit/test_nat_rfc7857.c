/* RFC 7857: updates to the three before, by the numbers of its sections. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "nat_fixture.h"

/* 2.1: an opening connection has a time of its own; one that was established
 * is not opening because of a stray SYN. */
static void test_nat_rfc7857_s2_1(void **state)
{
	struct lab l;
	struct pkt k;
	uint16_t port;

	lab_default(&l);
	l.options.tcp_opening_s = 300;
	lab_options(&l);
	tcp_out(&l, &k, IN_A, 1025, REMOTE, 80, SYN);
	lab_wait(&l, 300);
	assert_int_equal(n_sessions(&l), 1);
	lab_wait(&l, 2);
	assert_int_equal(n_sessions(&l), 0);
	port = tcp_open(&l);
	tcp_in(&l, &k, REMOTE, 80, OUT_1, port, SYN);
	lab_wait(&l, 7000);
	assert_int_equal(n_sessions(&l), 1);
	lab_stop(&l);
}

/* 2.2: a RST is translated; its session lives for 4 minutes more, and on if
 * anything else comes, since it may have been a stranger's. */
static void test_nat_rfc7857_s2_2(void **state)
{
	struct lab l;
	struct pkt k;
	uint16_t port;

	lab_default(&l);
	port = tcp_open(&l);
	assert_int_equal(tcp_in(&l, &k, REMOTE, 80, OUT_1, port, RST),
			 NAT_FORWARD);
	lab_wait(&l, 239);
	assert_int_equal(tcp_out(&l, &k, IN_A, 1025, REMOTE, 80, ACK),
			 NAT_FORWARD);
	lab_wait(&l, 7000);
	assert_int_equal(n_sessions(&l), 1);
	assert_int_equal(tcp_out(&l, &k, IN_A, 1025, REMOTE, 80, RST),
			 NAT_FORWARD);
	lab_wait(&l, 120);
	/* more of them do not lengthen it */
	assert_int_equal(tcp_in(&l, &k, REMOTE, 80, OUT_1, port, RST),
			 NAT_FORWARD);
	lab_wait(&l, 122);
	assert_int_equal(n_sessions(&l), 0);
	lab_stop(&l);
}

/* 3: ports do not overlap. 4: paired; without strictness another address
 * helps out: test_nat_rfc6888_req2. A client without mappings starts anew. */
static void test_nat_rfc7857_s4(void **state)
{
	struct nat_stats stats;
	struct lab l;

	lab_default(&l);
	udp_out(&l, IN_A, 5000, REMOTE, 53);
	lab_wait(&l, 302);
	lab_wait(&l, 1);
	nat_get_stats(l.nat, &stats);
	assert_int_equal(stats.clients, 0);
	assert_int_equal(stats.mappings, 0);
	lab_stop(&l);
}

/* 5, 6: mapping and filter of one protocol are no other's. */
static void test_nat_rfc7857_s5_s6(void **state)
{
	struct lab l;
	struct pkt k;
	uint16_t port;

	lab_default(&l);
	port = udp_out(&l, IN_A, 5000, REMOTE, 53);
	assert_int_equal(tcp_in(&l, &k, REMOTE, 53, OUT_1, port, SYN),
			 NAT_DROP);
	lab_stop(&l);
}

/* 7: neither packets from outside nor an error of the inside host in answer
 * to them keep a mapping. */
static void test_nat_rfc7857_s7(void **state)
{
	struct pkt got, error;
	struct lab l;
	uint16_t port;

	lab_default(&l);
	port = udp_out(&l, IN_A, 5000, REMOTE, 53);
	for (int i = 0; i < 3; i++) {
		lab_wait(&l, 100);
		pkt_udp(&got, REMOTE_2, 9, OUT_1, port);
		assert_int_equal(in(&l, &got), NAT_FORWARD);
		pkt_error(&error, IN_A, REMOTE_2, 3, 3, &got, 28);
		assert_int_equal(out(&l, &error), NAT_FORWARD);
	}
	lab_wait(&l, 2);
	assert_int_equal(udp_in(&l, REMOTE_2, 9, OUT_1, port), NAT_REJECT);
	lab_stop(&l);
}

/* 8, 9: parity and randomness are those of RFC 4787 REQ-4 and RFC 6888 REQ-15.
 * 10: identifications of what may be fragmented are unique. */
static void test_nat_rfc7857_s10(void **state)
{
	static uint8_t seen[65536];
	struct lab l;
	struct pkt k;

	lab_default(&l);
	memset(seen, 0, sizeof(seen));
	for (int i = 0; i < 2000; i++) {
		pkt_udp(&k, i & 1 ? IN_A : IN_B, 5000, REMOTE, 53);
		k.data[20] = 0;
		store_be16(k.data + 24,
			   load_be16(k.data + 24) + 0x4000 > 0xffff
				   ? load_be16(k.data + 24) + 0x4001
				   : load_be16(k.data + 24) + 0x4000);
		assert_true(checksums_right(&k));
		assert_int_equal(out(&l, &k), NAT_FORWARD);
		assert_true(checksums_right(&k));
		assert_false(seen[load_be16(k.data + 18)]++);
	}
	/* those that may not keep theirs */
	pkt_udp(&k, IN_A, 5000, REMOTE, 53);
	out(&l, &k);
	assert_int_equal(load_be16(k.data + 18), 0);
	lab_stop(&l);
}

/* 11: an ICMP query's mapping lives as long as one of its sessions. */
static void test_nat_rfc7857_s11(void **state)
{
	struct lab l;
	struct pkt k;
	uint16_t id;

	lab_default(&l);
	pkt_echo(&k, IN_A, REMOTE, 77, false);
	out(&l, &k);
	id = k.sport;
	lab_wait(&l, 40);
	pkt_echo(&k, IN_A, REMOTE_2, 77, false);
	out(&l, &k);
	lab_wait(&l, 40);
	pkt_echo(&k, IN_A, REMOTE, 77, false);
	out(&l, &k);
	assert_int_equal(k.sport, id);
	lab_stop(&l);
}

/* 12: a query to an outside address is answered by the gateway; errors are
 * hairpinned: test_nat_rfc5508_req7. */
static void test_nat_rfc7857_s12(void **state)
{
	struct lab l;
	struct pkt k;

	lab_default(&l);
	pkt_echo(&k, IN_A, OUT_1, 77, false);
	assert_int_equal(out(&l, &k), NAT_LOCAL);
	assert_flow(&k, IN_A, 77, OUT_1, 77);
	lab_stop(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nat_rfc7857_s2_1),
		cmocka_unit_test(test_nat_rfc7857_s2_2),
		cmocka_unit_test(test_nat_rfc7857_s4),
		cmocka_unit_test(test_nat_rfc7857_s5_s6),
		cmocka_unit_test(test_nat_rfc7857_s7),
		cmocka_unit_test(test_nat_rfc7857_s10),
		cmocka_unit_test(test_nat_rfc7857_s11),
		cmocka_unit_test(test_nat_rfc7857_s12),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
