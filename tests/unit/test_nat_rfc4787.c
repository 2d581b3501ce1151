/* RFC 4787: NAT behaviour for UDP, requirement by requirement. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "nat_fixture.h"

/* Endpoint-independent mapping. */
static void test_nat_rfc4787_req1(void **state)
{
	struct lab l;
	uint16_t port;

	lab_default(&l);
	port = udp_out(&l, IN_A, 5000, REMOTE, 53);
	assert_int_equal(udp_out(&l, IN_A, 5000, REMOTE, 54), port);
	assert_int_equal(udp_out(&l, IN_A, 5000, REMOTE_2, 53), port);
	assert_int_not_equal(udp_out(&l, IN_A, 5001, REMOTE, 53), port);
	assert_int_not_equal(udp_out(&l, IN_B, 5000, REMOTE, 53), port);
	assert_int_equal(n_sessions(&l), 5);
	lab_stop(&l);
}

/* Pooling is paired: one outside address for all of a host's sessions. */
static void test_nat_rfc4787_req2(void **state)
{
	const char *outside[] = { OUT_1, OUT_2, "198.51.100.77", "192.0.2.1" };
	char of_client[48], src[24];
	unsigned used = 0;
	struct lab l;
	struct pkt k;

	lab_init(&l);
	lab_start(&l, outside, 4);
	for (int client = 1; client < 40; client++) {
		snprintf(src, sizeof(src), "10.0.0.%d", client);
		for (int i = 0; i < 20; i++) {
			pkt_udp(&k, src, 2000 + i, REMOTE, 53);
			assert_int_equal(out(&l, &k), NAT_FORWARD);
			if (!i)
				strcpy(of_client, k.src);
			assert_string_equal(k.src, of_client);
			for (unsigned a = 0; a < 4; a++)
				if (!strcmp(k.src, outside[a]))
					used |= 1 << a;
		}
	}
	assert_int_equal(used, 15);
	lab_stop(&l);
}

/* No port overloading; the port's class is kept. */
static void test_nat_rfc4787_req3(void **state)
{
	static uint8_t seen[65536];
	char src[24];
	struct lab l;

	lab_default(&l);
	memset(seen, 0, sizeof(seen));
	for (int i = 0; i < 2000; i++) {
		uint16_t from = i % 4 ? 1024 + i * 13 : 1 + i / 4, port;

		snprintf(src, sizeof(src), "10.0.%d.%d", i / 200, 1 + i % 200);
		port = udp_out(&l, src, from, REMOTE, 53);
		assert_false(seen[port]);
		seen[port] = 1;
		assert_int_equal(port < 1024, from < 1024);
	}
	lab_stop(&l);
}

/* Parity is kept. */
static void test_nat_rfc4787_req4(void **state)
{
	struct lab l;

	lab_default(&l);
	for (int i = 0; i < 500; i++)
		assert_int_equal(udp_out(&l, IN_A, 3000 + i, REMOTE, 53) & 1,
				 i & 1);
	lab_stop(&l);
}

/* A mapping lives for 5 minutes, settable, and never for less than 2. */
static void test_nat_rfc4787_req5(void **state)
{
	struct lab l;
	uint16_t port;
	char *error = NULL;

	lab_default(&l);
	port = udp_out(&l, IN_A, 5000, REMOTE, 53);
	lab_wait(&l, 300);
	assert_int_equal(udp_in(&l, REMOTE, 53, OUT_1, port), NAT_FORWARD);
	lab_wait(&l, 2);
	assert_int_equal(udp_in(&l, REMOTE, 53, OUT_1, port), NAT_REJECT);
	assert_int_equal(n_sessions(&l), 0);
	l.options.udp_s = 119;
	assert_int_equal(nat_set_options(l.nat, &l.options, &error), -EINVAL);
	assert_non_null(error);
	free(error);
	l.options.udp_s = 120;
	lab_options(&l);
	port = udp_out(&l, IN_A, 5000, REMOTE, 53);
	lab_wait(&l, 120);
	assert_int_equal(udp_in(&l, REMOTE, 53, OUT_1, port), NAT_FORWARD);
	lab_wait(&l, 2);
	assert_int_equal(udp_in(&l, REMOTE, 53, OUT_1, port), NAT_REJECT);
	lab_stop(&l);
}

/* Outbound packets refresh; inbound ones only if told to. */
static void test_nat_rfc4787_req6(void **state)
{
	struct lab l;
	uint16_t port;

	lab_default(&l);
	port = udp_out(&l, IN_A, 5000, REMOTE, 53);
	for (int i = 0; i < 4; i++) {
		lab_wait(&l, 200);
		assert_int_equal(udp_out(&l, IN_A, 5000, REMOTE, 53), port);
	}
	lab_wait(&l, 200);
	assert_int_equal(udp_in(&l, REMOTE, 53, OUT_1, port), NAT_FORWARD);
	/* a stranger does not keep it either */
	assert_int_equal(udp_in(&l, REMOTE_2, 99, OUT_1, port), NAT_FORWARD);
	lab_wait(&l, 102);
	assert_int_equal(udp_in(&l, REMOTE, 53, OUT_1, port), NAT_REJECT);
	assert_int_equal(udp_in(&l, REMOTE_2, 99, OUT_1, port), NAT_REJECT);
	l.options.refresh_inbound = true;
	lab_options(&l);
	port = udp_out(&l, IN_A, 5000, REMOTE, 53);
	lab_wait(&l, 200);
	assert_int_equal(udp_in(&l, REMOTE, 53, OUT_1, port), NAT_FORWARD);
	lab_wait(&l, 200);
	assert_int_equal(udp_in(&l, REMOTE, 53, OUT_1, port), NAT_FORWARD);
	lab_stop(&l);
}

/* An outside address that is an inside one, too, is refused. */
static void test_nat_rfc4787_req7(void **state)
{
	struct nat_addr net = addr("10.0.0.0"), outside = addr("10.0.0.77");
	uint8_t len = 24;
	struct lab l;
	char *error = NULL;

	lab_default(&l);
	assert_int_equal(nat_set_inside(l.nat, &net, &len, 1, NULL), 0);
	assert_int_equal(nat_set_outside(l.nat, &outside, 1, &error),
			 -EADDRINUSE);
	assert_non_null(error);
	free(error);
	udp_out(&l, IN_A, 5000, REMOTE, 53); /* nothing has changed */
	net = addr("198.51.100.0");
	assert_int_equal(nat_set_inside(l.nat, &net, &len, 1, NULL),
			 -EADDRINUSE);
	lab_stop(&l);
}

/* Filtering: endpoint-independent, or address-dependent. */
static void test_nat_rfc4787_req8(void **state)
{
	static const char *const outside[] = { OUT_1 };
	struct lab l;
	uint16_t port;

	lab_default(&l);
	port = udp_out(&l, IN_A, 5000, REMOTE, 53);
	assert_int_equal(udp_in(&l, REMOTE_2, 7, OUT_1, port), NAT_FORWARD);
	assert_int_equal(udp_in(&l, REMOTE, 7, OUT_1, port), NAT_FORWARD);
	lab_stop(&l);

	lab_init(&l);
	l.config.filtering = NAT_FILTER_ADDRESS;
	lab_start(&l, outside, 1);
	port = udp_out(&l, IN_A, 5000, REMOTE, 53);
	assert_int_equal(udp_in(&l, REMOTE_2, 7, OUT_1, port), NAT_REJECT);
	assert_int_equal(udp_in(&l, REMOTE, 7, OUT_1, port), NAT_FORWARD);
	lab_wait(&l, 200);
	assert_int_equal(udp_out(&l, IN_A, 5000, REMOTE_2, 53), port);
	/* the first has left the group, which went on without it */
	lab_wait(&l, 110);
	assert_int_equal(udp_in(&l, REMOTE, 7, OUT_1, port), NAT_REJECT);
	assert_int_equal(udp_in(&l, REMOTE_2, 9, OUT_1, port), NAT_FORWARD);
	lab_stop(&l);
}

/* Hairpinning, with the external source. */
static void test_nat_rfc4787_req9(void **state)
{
	struct lab l;
	struct pkt k;
	uint16_t a, b;

	lab_default(&l);
	a = udp_out(&l, IN_A, 5000, REMOTE, 53);
	b = udp_out(&l, IN_B, 6000, REMOTE, 53);
	pkt_udp(&k, IN_A, 5000, OUT_1, b);
	assert_int_equal(out(&l, &k), NAT_HAIRPIN);
	assert_flow(&k, OUT_1, a, IN_B, 6000);
	assert_true(checksums_right(&k));
	pkt_udp(&k, IN_B, 6000, OUT_1, a);
	assert_int_equal(out(&l, &k), NAT_HAIRPIN);
	assert_flow(&k, OUT_1, b, IN_A, 5000);
	assert_true(checksums_right(&k));
	/* a port that nobody has is the gateway's own affair */
	pkt_udp(&k, IN_B, 6000, OUT_1, (a ^ 2) == b ? a ^ 4 : a ^ 2);
	assert_int_equal(out(&l, &k), NAT_LOCAL);
	lab_stop(&l);
}

/* No ALG: payload is left alone. */
static void test_nat_rfc4787_req10(void **state)
{
	uint8_t payload[21];
	struct lab l;
	struct pkt k;

	lab_default(&l);
	for (uint16_t port = 1; port < 10000; port += 71) {
		pkt_udp(&k, IN_A, 5000, REMOTE, port);
		memcpy(payload, k.data + k.l4 + 8, sizeof(payload));
		assert_int_equal(out(&l, &k), NAT_FORWARD);
		assert_memory_equal(k.data + k.l4 + 8, payload,
				    sizeof(payload));
	}
	lab_stop(&l);
}

/* Deterministic: a conflict changes neither mapping nor filtering. */
static void test_nat_rfc4787_req11(void **state)
{
	struct lab l;
	uint16_t port;

	lab_default(&l);
	port = udp_out(&l, IN_A, 5000, REMOTE, 53);
	for (int i = 0; i < 100; i++) {
		char src[24];

		snprintf(src, sizeof(src), "10.0.1.%d", i + 1);
		udp_out(&l, src, 5000, REMOTE, 53);
		assert_int_equal(udp_out(&l, IN_A, 5000, REMOTE, 54 + i), port);
		assert_int_equal(udp_in(&l, REMOTE_2, i + 1, OUT_1, port),
				 NAT_FORWARD);
	}
	lab_stop(&l);
}

/* ICMP ends no mapping, and comes from anywhere. */
static void test_nat_rfc4787_req12(void **state)
{
	struct pkt sent, error;
	struct lab l;
	uint16_t port;

	lab_default(&l);
	pkt_udp(&sent, IN_A, 5000, REMOTE, 53);
	assert_int_equal(out(&l, &sent), NAT_FORWARD);
	port = sent.sport;
	for (uint8_t code = 0; code < 16; code++) {
		pkt_error(&error, "192.0.2.200", OUT_1, 3, code, &sent, 28);
		assert_int_equal(in(&l, &error), NAT_FORWARD);
		assert_string_equal(error.dst, IN_A);
	}
	assert_int_equal(udp_out(&l, IN_A, 5000, REMOTE_2, 53), port);
	assert_int_equal(udp_in(&l, REMOTE, 53, OUT_1, port), NAT_FORWARD);
	lab_stop(&l);
}

/* Too big: told if it must not be fragmented, fragmented if it may. */
static void test_nat_rfc4787_req13(void **state)
{
	struct packet p;
	struct pkt k;

	pkt_udp_len(&k, IN_A, 5000, REMOTE, 53, 1473);
	packet_init(&p, k.data, k.len);
	packet_pull(&p, PACKET_PULL);
	assert_int_equal(nat_fits(&p, 1500), NAT_TOO_BIG);
	assert_int_equal(nat_fits(&p, 1501), NAT_FITS);
	p.header[20] = 0; /* DF */
	assert_int_equal(nat_fits(&p, 1500), NAT_MUST_FRAGMENT);
}

/* Fragments in order and out of order. */
static void test_nat_rfc4787_req14(void **state)
{
	struct pkt whole, first, second, third;
	struct lab l;
	uint16_t port;

	lab_default(&l);
	pkt_udp_len(&whole, IN_A, 5000, REMOTE, 53, 1992);
	for (int order = 0; order < 2; order++) {
		pkt_fragment(&first, &whole, 0, 800, true, order);
		pkt_fragment(&second, &whole, 800, 1600, true, order);
		pkt_fragment(&third, &whole, 1600, 2000, false, order);
		if (order) {
			assert_int_equal(out(&l, &third), NAT_HELD);
			assert_int_equal(out(&l, &second), NAT_HELD);
		}
		assert_int_equal(out(&l, &first), NAT_FORWARD);
		assert_int_equal(first.n_released, order ? 2 : 0);
		port = first.sport;
		if (order) {
			memcpy(third.data, first.released[0].data, third.len);
			memcpy(second.data, first.released[1].data, second.len);
		} else {
			assert_int_equal(out(&l, &second), NAT_FORWARD);
			assert_int_equal(out(&l, &third), NAT_FORWARD);
		}
		pkt_parse(&second);
		pkt_parse(&third);
		assert_string_equal(second.src, OUT_1);
		assert_string_equal(third.src, OUT_1);
		/* one identification, and the whole is right again */
		assert_memory_equal(second.data + 18, first.data + 18, 2);
		assert_memory_equal(third.data + 18, first.data + 18, 2);
		memcpy(whole.data + whole.l4, first.data + first.l4, 800);
		memcpy(whole.data + whole.l4 + 800, second.data + 34, 800);
		memcpy(whole.data + whole.l4 + 1600, third.data + 34, 400);
		memcpy(whole.data + 14, first.data + 14, 20);
		store_be16(whole.data + 16, whole.len - 14);
		store_be16(whole.data + 20, 0);
		store_be16(whole.data + 24, 0);
		pkt_parse(&whole);
		pkt_udp_len(&first, OUT_1, port, REMOTE, 53, 1992);
		assert_flow(&whole, OUT_1, port, REMOTE, 53);
		pkt_udp_len(&whole, IN_A, 5000, REMOTE, 53, 1992);
	}
	lab_stop(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nat_rfc4787_req1),
		cmocka_unit_test(test_nat_rfc4787_req2),
		cmocka_unit_test(test_nat_rfc4787_req3),
		cmocka_unit_test(test_nat_rfc4787_req4),
		cmocka_unit_test(test_nat_rfc4787_req5),
		cmocka_unit_test(test_nat_rfc4787_req6),
		cmocka_unit_test(test_nat_rfc4787_req7),
		cmocka_unit_test(test_nat_rfc4787_req8),
		cmocka_unit_test(test_nat_rfc4787_req9),
		cmocka_unit_test(test_nat_rfc4787_req10),
		cmocka_unit_test(test_nat_rfc4787_req11),
		cmocka_unit_test(test_nat_rfc4787_req12),
		cmocka_unit_test(test_nat_rfc4787_req13),
		cmocka_unit_test(test_nat_rfc4787_req14),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
