/* RFC 5508: NAT behaviour for ICMP, requirement by requirement. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "nat_fixture.h"

static void read_quoted(const struct pkt *error, struct pkt *quoted, int proto)
{
	uint32_t at = error->l4 + 8;

	memset(quoted, 0, sizeof(*quoted));
	memcpy(quoted->data + 14, error->data + at, error->len - at);
	quoted->version = error->version;
	quoted->proto = proto;
	quoted->l4 = 14 + (quoted->version == 4 ? (quoted->data[14] & 15) * 4u
						: 40u);
	quoted->len = error->len - at + 14;
	pkt_parse(quoted);
}

/* Queries from the inside and their replies; one identifier for all remotes. */
static void test_nat_rfc5508_req1(void **state)
{
	struct lab l;
	struct pkt k;
	uint16_t id;

	lab_default(&l);
	pkt_echo(&k, IN_A, REMOTE, 77, false);
	assert_int_equal(out(&l, &k), NAT_FORWARD);
	assert_true(checksums_right(&k));
	id = k.sport;
	pkt_echo(&k, IN_A, REMOTE_2, 77, false);
	assert_int_equal(out(&l, &k), NAT_FORWARD);
	assert_int_equal(k.sport, id);
	pkt_echo(&k, REMOTE, OUT_1, id, true);
	assert_int_equal(in(&l, &k), NAT_FORWARD);
	assert_true(checksums_right(&k));
	assert_flow(&k, REMOTE, 77, IN_A, 77);
	/* of a stranger: to the gateway a query, nothing else */
	pkt_echo(&k, "192.0.2.3", OUT_1, id, true);
	assert_int_equal(in(&l, &k), NAT_DROP);
	pkt_echo(&k, "192.0.2.3", OUT_1, id, false);
	assert_int_equal(in(&l, &k), NAT_LOCAL);
	/* IPv6 */
	pkt_echo(&k, "fd00::5", "2001:db8:9::1", 77, false);
	assert_int_equal(out(&l, &k), NAT_FORWARD);
	assert_true(checksums_right(&k));
	assert_string_equal(k.src, "2001:db8::1");
	pkt_echo(&k, "2001:db8:9::1", "2001:db8::1", k.sport, true);
	assert_int_equal(in(&l, &k), NAT_FORWARD);
	assert_true(checksums_right(&k));
	assert_flow(&k, "2001:db8:9::1", 77, "fd00::5", 77);
	lab_stop(&l);
}

/* 60 s at least. */
static void test_nat_rfc5508_req2(void **state)
{
	struct lab l;
	struct pkt k;
	uint16_t id;

	lab_default(&l);
	pkt_echo(&k, IN_A, REMOTE, 77, false);
	out(&l, &k);
	id = k.sport;
	lab_wait(&l, 60);
	pkt_echo(&k, REMOTE, OUT_1, id, true);
	assert_int_equal(in(&l, &k), NAT_FORWARD);
	lab_wait(&l, 2);
	pkt_echo(&k, REMOTE, OUT_1, id, true);
	assert_int_equal(in(&l, &k), NAT_DROP);
	l.options.icmp_s = 59;
	assert_int_equal(nat_set_options(l.nat, &l.options, NULL), -EINVAL);
	lab_stop(&l);
}

/* An error with a wrong checksum, its own or the quoted header's, is dropped;
 * the quoted transport checksum is not looked at. */
static void test_nat_rfc5508_req3(void **state)
{
	struct pkt sent, bad, k;
	struct lab l;

	lab_default(&l);
	pkt_udp(&sent, IN_A, 5000, REMOTE, 53);
	out(&l, &sent);
	pkt_error(&k, REMOTE, OUT_1, 3, 3, &sent, 60);
	k.data[k.l4 + 2] ^= 1;
	assert_int_equal(in(&l, &k), NAT_DROP);
	bad = sent;
	bad.data[24] ^= 1;
	pkt_error(&k, REMOTE, OUT_1, 3, 3, &bad, 60);
	assert_int_equal(in(&l, &k), NAT_DROP);
	assert_int_equal(k.r.reason, DROP_NAT_MALFORMED);
	bad = sent;
	bad.data[bad.l4 + 6] ^= 1;
	pkt_error(&k, REMOTE, OUT_1, 3, 3, &bad, 60);
	assert_int_equal(in(&l, &k), NAT_FORWARD);
	assert_true(checksums_right(&k));
	lab_stop(&l);
}

/* From outside: quoted packet and destination as inside; whole or cut. */
static void test_nat_rfc5508_req4(void **state)
{
	struct pkt sent, k, quoted;
	struct lab l;

	lab_default(&l);
	for (int proto = 0; proto < 3; proto++) {
		if (proto == 0)
			pkt_udp(&sent, IN_A, 5000, REMOTE, 53);
		else if (proto == 1)
			pkt_tcp(&sent, IN_A, 5000, REMOTE, 53, SYN);
		else
			pkt_echo(&sent, IN_A, REMOTE, 5000, false);
		assert_int_equal(out(&l, &sent), NAT_FORWARD);
		for (uint32_t n = 28; n < 62; n++) {
			pkt_error(&k, "192.0.2.99", OUT_1, 11, 0, &sent, n);
			assert_int_equal(in(&l, &k), NAT_FORWARD);
			assert_true(checksums_right(&k));
			assert_string_equal(k.dst, IN_A);
			assert_int_equal(k.data[k.l4], 11);
			read_quoted(&k, &quoted, sent.proto);
			assert_flow(&quoted, IN_A, 5000, REMOTE,
				    proto == 2 ? 5000 : 53);
			if (quoted.len == sent.len)
				assert_true(checksums_right(&quoted));
		}
	}
	pkt_udp(&sent, OUT_1, 4444, REMOTE, 53);
	pkt_error(&k, REMOTE, OUT_1, 3, 3, &sent, 28);
	assert_int_equal(in(&l, &k), NAT_DROP);
	assert_int_equal(k.r.reason, DROP_NAT_NO_SESSION);
	lab_stop(&l);
}

/* From inside: quoted packet and source as outside. */
static void test_nat_rfc5508_req5(void **state)
{
	struct pkt got, k, quoted;
	struct lab l;
	uint16_t port;

	lab_default(&l);
	port = udp_out(&l, IN_A, 5000, REMOTE, 53);
	pkt_udp(&got, REMOTE, 53, OUT_1, port);
	assert_int_equal(in(&l, &got), NAT_FORWARD);
	/* by the host, or a router on the way to it */
	for (int i = 0; i < 2; i++) {
		pkt_error(&k, i ? "10.0.0.77" : IN_A, REMOTE, 3, 3, &got, 40);
		assert_int_equal(out(&l, &k), NAT_FORWARD);
		assert_true(checksums_right(&k));
		assert_string_equal(k.src, OUT_1);
		read_quoted(&k, &quoted, 17);
		assert_flow(&quoted, REMOTE, 53, OUT_1, port);
	}
	pkt_udp(&got, REMOTE, 53, IN_B, 9);
	pkt_error(&k, IN_B, REMOTE, 3, 3, &got, 28);
	assert_int_equal(out(&l, &k), NAT_DROP);
	/* IPv6, longer than a private header */
	pkt_tcp(&got, "fd00::5", 80, "2001:db8:9::1", 81, SYN);
	assert_int_equal(out(&l, &got), NAT_FORWARD);
	pkt_error(&k, "2001:db8:9::2", "2001:db8::1", 1, 4, &got, 67);
	assert_int_equal(in(&l, &k), NAT_FORWARD);
	assert_true(checksums_right(&k));
	assert_string_equal(k.dst, "fd00::5");
	read_quoted(&k, &quoted, 6);
	assert_flow(&quoted, "fd00::5", 80, "2001:db8:9::1", 81);
	assert_true(checksums_right(&quoted));
	lab_stop(&l);
}

/* An error about a query neither refreshes nor ends its session. */
static void test_nat_rfc5508_req6(void **state)
{
	struct pkt sent, k;
	struct lab l;

	lab_default(&l);
	pkt_echo(&sent, IN_A, REMOTE, 77, false);
	out(&l, &sent);
	lab_wait(&l, 50);
	pkt_error(&k, REMOTE, OUT_1, 3, 1, &sent, 28);
	assert_int_equal(in(&l, &k), NAT_FORWARD);
	assert_int_equal(n_sessions(&l), 1);
	lab_wait(&l, 12);
	assert_int_equal(n_sessions(&l), 0);
	lab_stop(&l);
}

/* Errors are hairpinned. */
static void test_nat_rfc5508_req7(void **state)
{
	struct pkt k, error, quoted;
	struct lab l;
	uint16_t a, b;

	lab_default(&l);
	a = udp_out(&l, IN_A, 5000, REMOTE, 53);
	b = udp_out(&l, IN_B, 6000, REMOTE, 53);
	pkt_udp(&k, IN_A, 5000, OUT_1, b);
	assert_int_equal(out(&l, &k), NAT_HAIRPIN);
	assert_flow(&k, OUT_1, a, IN_B, 6000);
	pkt_error(&error, IN_B, OUT_1, 3, 3, &k, 49);
	assert_int_equal(out(&l, &error), NAT_HAIRPIN);
	assert_true(checksums_right(&error));
	assert_string_equal(error.src, OUT_1);
	assert_string_equal(error.dst, IN_A);
	read_quoted(&error, &quoted, 17);
	assert_flow(&quoted, IN_A, 5000, OUT_1, b);
	assert_true(checksums_right(&quoted));
	lab_stop(&l);
}

/* No room: ICMP unreachable, code 13. */
static void test_nat_rfc5508_req8(void **state)
{
	static const char *const outside[] = { OUT_1 };
	struct lab l;
	struct pkt k;

	lab_init(&l);
	l.config.max_sessions = 5;
	lab_start(&l, outside, 1);
	for (int i = 0; i < 5; i++)
		udp_out(&l, IN_A, 5000 + i, REMOTE, 53);
	pkt_udp(&k, IN_A, 6000, REMOTE, 53);
	assert_int_equal(out(&l, &k), NAT_REJECT);
	assert_int_equal(k.r.reason, DROP_NAT_FULL);
	assert_int_equal(k.r.icmp_type, 3);
	assert_int_equal(k.r.icmp_code, 13);
	lab_wait(&l, 302);
	udp_out(&l, IN_A, 6000, REMOTE, 53);
	lab_stop(&l);
}

/* Unreachable and time exceeded pass, and parameter problem (REQ-10); others
 * are the gateway's (REQ-9, REQ-11). */
static void test_nat_rfc5508_req10(void **state)
{
	static const uint8_t pass[] = { 3, 4, 11, 12 };
	struct pkt sent, k;
	struct lab l;

	lab_default(&l);
	pkt_udp(&sent, IN_A, 5000, REMOTE, 53);
	out(&l, &sent);
	for (unsigned i = 0; i < 4; i++) {
		pkt_error(&k, REMOTE, OUT_1, pass[i], 0, &sent, 28);
		assert_int_equal(in(&l, &k), NAT_FORWARD);
	}
	pkt_error(&k, REMOTE, OUT_1, 5, 0, &sent, 28); /* redirect */
	assert_int_equal(in(&l, &k), NAT_LOCAL);
	lab_stop(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nat_rfc5508_req1),
		cmocka_unit_test(test_nat_rfc5508_req2),
		cmocka_unit_test(test_nat_rfc5508_req3),
		cmocka_unit_test(test_nat_rfc5508_req4),
		cmocka_unit_test(test_nat_rfc5508_req5),
		cmocka_unit_test(test_nat_rfc5508_req6),
		cmocka_unit_test(test_nat_rfc5508_req7),
		cmocka_unit_test(test_nat_rfc5508_req8),
		cmocka_unit_test(test_nat_rfc5508_req10),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
