/* RFC 6888: NATs that many share, requirement by requirement. REQ-9 (a protocol
 * such as PCP) is what the port forwards of the control socket stand for;
 * REQ-12 and REQ-14 are about logs, which the engine does not write. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "nat_fixture.h"

static struct nat_result udp_try(struct lab *l, const char *src, uint16_t sport,
				 uint16_t dport)
{
	struct pkt k;

	pkt_udp(&k, src, sport, REMOTE, dport);
	out(l, &k);
	return k.r;
}

/* What is neither TCP, UDP nor ICMP is refused, not half translated. */
static void test_nat_rfc6888_req1(void **state)
{
	struct lab l;
	struct pkt k;

	lab_default(&l);
	pkt_udp(&k, IN_A, 1, REMOTE, 2);
	k.data[23] = 132;
	store_be16(k.data + 24, load_be16(k.data + 24) - (132 - 17));
	assert_int_equal(out(&l, &k), NAT_REJECT);
	assert_int_equal(k.r.reason, DROP_NAT_PROTOCOL);
	assert_int_equal(k.r.icmp_code, 2);
	lab_stop(&l);
}

/* Paired, also when an address has no port left, if so told. */
static void test_nat_rfc6888_req2(void **state)
{
	static const char *const outside[] = { OUT_1, OUT_2 };
	char first[48] = "";
	struct lab l;
	struct pkt k;
	int n = 0;

	lab_init(&l);
	l.config.max_sessions = 70000;
	l.options.pool_strict = true;
	lab_start(&l, outside, 2);
	for (int port = 1; port < 1024; port++, n++) {
		pkt_udp(&k, IN_A, port, REMOTE, 53);
		assert_int_equal(out(&l, &k), NAT_FORWARD);
		if (port == 1)
			strcpy(first, k.src);
		assert_string_equal(k.src, first);
	}
	for (int port = 1024; port < 65536; port++) {
		pkt_udp(&k, IN_A, port, REMOTE, 53);
		assert_int_equal(out(&l, &k), NAT_FORWARD);
		assert_string_equal(k.src, first);
	}
	/* all 65,535 ports are in use: port 0 of the client finds none */
	assert_int_equal(udp_try(&l, IN_A, 0, 53).reason, DROP_NAT_FULL);
	l.options.pool_strict = false;
	lab_options(&l);
	pkt_udp(&k, IN_A, 0, REMOTE, 53);
	assert_int_equal(out(&l, &k), NAT_FORWARD);
	assert_string_not_equal(k.src, first);
	lab_stop(&l);
}

/* A pool of any addresses; it may change while it is used. */
static void test_nat_rfc6888_req3(void **state)
{
	struct nat_addr pool[400];
	struct lab l;
	char text[24];
	struct pkt k;

	lab_default(&l);
	for (int i = 0; i < 400; i++) {
		snprintf(text, sizeof(text), "%d.%d.%d.1", 20 + i % 90,
			 i * 7 % 256, i % 251);
		pool[i] = addr(text);
	}
	udp_out(&l, IN_A, 5000, REMOTE, 53);
	assert_int_equal(nat_set_outside(l.nat, pool, 400, NULL), 0);
	assert_int_equal(n_sessions(&l), 0);
	for (int i = 0; i < 200; i++) {
		snprintf(text, sizeof(text), "10.0.0.%d", i + 1);
		pkt_udp(&k, text, 5000, REMOTE, 53);
		assert_int_equal(out(&l, &k), NAT_FORWARD);
		assert_string_not_equal(k.src, OUT_1);
		assert_int_equal(udp_in(&l, REMOTE, 53, k.src, k.sport),
				 NAT_FORWARD);
	}
	for (int i = 0; i < 6; i++)
		lab_wait(&l, 1);
	assert_int_equal(nat_set_outside(l.nat, pool, 0, NULL), 0);
	assert_int_equal(n_sessions(&l), 0);
	assert_int_equal(udp_try(&l, IN_A, 5000, 53).verdict, NAT_REJECT);
	lab_stop(&l);
}

/* Ports of a client and a protocol, and how fast it opens. */
static void test_nat_rfc6888_req4(void **state)
{
	struct lab l;
	struct pkt k;

	lab_default(&l);
	l.options.client_ports = 10;
	l.options.client_rate = 20;
	lab_options(&l);
	for (int i = 0; i < 10; i++)
		udp_out(&l, IN_A, 5000 + i, REMOTE, 53);
	assert_int_equal(udp_try(&l, IN_A, 6000, 53).reason, DROP_NAT_LIMIT);
	udp_out(&l, IN_B, 6000, REMOTE, 53);
	assert_int_equal(tcp_out(&l, &k, IN_A, 1025, REMOTE, 80, SYN),
			 NAT_FORWARD);
	for (int i = 0; i < 8; i++)
		udp_out(&l, IN_A, 5000, REMOTE, 100 + i);
	assert_int_equal(udp_try(&l, IN_A, 5000, 200).reason, DROP_NAT_LIMIT);
	udp_out(&l, IN_A, 5000, REMOTE, 100);
	lab_wait(&l, 1);
	udp_out(&l, IN_A, 5000, REMOTE, 200);
	lab_stop(&l);
}

/* Sessions of a client; what strangers open shuts nobody in. */
static void test_nat_rfc6888_req5(void **state)
{
	struct lab l;
	uint16_t port;

	lab_default(&l);
	l.options.client_sessions = 10;
	lab_options(&l);
	port = udp_out(&l, IN_A, 5000, REMOTE, 53);
	for (int i = 1; i < 100; i++)
		udp_in(&l, REMOTE_2, i, OUT_1, port);
	assert_int_equal(n_sessions(&l), 6);
	for (int i = 0; i < 4; i++)
		udp_out(&l, IN_A, 5000, REMOTE, 100 + i);
	assert_int_equal(udp_try(&l, IN_A, 5000, 200).reason, DROP_NAT_LIMIT);
	udp_out(&l, IN_B, 5000, REMOTE, 53);
	lab_wait(&l, 302);
	udp_out(&l, IN_A, 5000, REMOTE, 200);
	lab_stop(&l);
}

/* Destinations that are not translated. */
static void test_nat_rfc6888_req6(void **state)
{
	struct nat_exclusion none = { addr("203.0.113.0"), 25, NAT_UDP, 50,
				      60 };
	struct lab l;

	lab_default(&l);
	l.options.exclusions = &none;
	l.options.n_exclusions = 1;
	lab_options(&l);
	assert_int_equal(udp_try(&l, IN_A, 5000, 53).verdict, NAT_BYPASS);
	assert_int_equal(udp_try(&l, IN_A, 5000, 61).verdict, NAT_FORWARD);
	assert_int_equal(n_sessions(&l), 1);
	lab_stop(&l);
}

/* Endpoint-independent filtering is the default. */
static void test_nat_rfc6888_req7(void **state)
{
	struct nat_config config;

	nat_config_init(&config);
	assert_int_equal(config.filtering, NAT_FILTER_NONE);
}

/* A port rests for 120 s before it is used again. */
static void test_nat_rfc6888_req8(void **state)
{
	struct nat_stats stats;
	struct lab l;

	lab_init(&l);
	l.config.max_quarantine = 600;
	l.config.max_sessions = 8192;
	lab_start(&l, (const char *const[]){ OUT_1 }, 1);
	for (int i = 1; i < 512; i++) /* even ones below 1024 */
		udp_out(&l, IN_A, 2 * i, REMOTE, 53);
	lab_wait(&l, 302);
	nat_get_stats(l.nat, &stats);
	assert_int_equal(stats.sessions, 0);
	assert_int_equal(stats.quarantined, 511);
	/* none of them: odd ones, though the parity is another */
	for (int i = 1; i < 512; i++)
		assert_int_equal(udp_out(&l, IN_A, 2 * i, REMOTE, 53) & 1, 1);
	lab_wait(&l, 120);
	nat_get_stats(l.nat, &stats);
	assert_int_equal(stats.quarantined, 0);
	assert_int_equal(udp_out(&l, IN_B, 2, REMOTE, 53) & 1, 0);
	lab_stop(&l);
}

/* What there is can be counted. */
static void test_nat_rfc6888_req10(void **state)
{
	struct nat_stats s;
	struct lab l;

	lab_default(&l);
	udp_out(&l, IN_A, 5000, REMOTE, 53);
	udp_out(&l, IN_A, 5000, REMOTE_2, 53);
	udp_out(&l, IN_B, 5000, REMOTE_2, 53);
	udp_in(&l, REMOTE, 1, OUT_1, 1);
	nat_get_stats(l.nat, &s);
	assert_int_equal(s.sessions, 3);
	assert_int_equal(s.mappings, 2);
	assert_int_equal(s.clients, 2);
	assert_int_equal(s.created, 3);
	assert_int_equal(s.translated_out, 3);
	assert_int_equal(s.dropped[DROP_NAT_UNSOLICITED], 1);
	lab_stop(&l);
}

/* Full: refused, with host unreachable if so told; nothing live is ended. */
static void test_nat_rfc6888_req11(void **state)
{
	uint16_t ports[64];
	struct nat_result r;
	struct lab l;

	lab_init(&l);
	l.config.max_sessions = 64;
	l.options.refusal_code = 1;
	lab_start(&l, (const char *const[]){ OUT_1 }, 1);
	for (int i = 0; i < 64; i++)
		ports[i] = udp_out(&l, IN_A, 5000 + i, REMOTE, 53);
	for (int i = 0; i < 500; i++) {
		r = udp_try(&l, IN_B, 5000 + i, 53);
		assert_int_equal(r.verdict, NAT_REJECT);
		assert_int_equal(r.icmp_code, 1);
	}
	for (int i = 0; i < 64; i++) {
		assert_int_equal(udp_out(&l, IN_A, 5000 + i, REMOTE, 53),
				 ports[i]);
		assert_int_equal(udp_in(&l, REMOTE, 53, OUT_1, ports[i]),
				 NAT_FORWARD);
	}
	lab_stop(&l);
}

/* All ports of an address can be used (REQ-13), in no foreseeable order
 * (REQ-15): the first is in the test of REQ-2. */
static void test_nat_rfc6888_req15(void **state)
{
	unsigned near = 0, same = 0;
	uint16_t last = 0, port;
	struct lab l;

	lab_default(&l);
	for (int i = 0; i < 1000; i++) {
		port = udp_out(&l, IN_A, 5000 + i, REMOTE, 53);
		near += abs(port - last) < 64;
		same += port == 5000 + i;
		last = port;
	}
	assert_true(near < 20 && same < 5);
	lab_stop(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nat_rfc6888_req1),
		cmocka_unit_test(test_nat_rfc6888_req2),
		cmocka_unit_test(test_nat_rfc6888_req3),
		cmocka_unit_test(test_nat_rfc6888_req4),
		cmocka_unit_test(test_nat_rfc6888_req5),
		cmocka_unit_test(test_nat_rfc6888_req6),
		cmocka_unit_test(test_nat_rfc6888_req7),
		cmocka_unit_test(test_nat_rfc6888_req8),
		cmocka_unit_test(test_nat_rfc6888_req10),
		cmocka_unit_test(test_nat_rfc6888_req11),
		cmocka_unit_test(test_nat_rfc6888_req15),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
