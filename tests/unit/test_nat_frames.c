/* The NAT and frames that are not the usual: IPv4 options, tags, fragments of
 * IPv6, and segments that the port is still to make. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "frames.h"
#include "nat_fixture.h"

#define IN_6	 "fd00::5"
#define OUT_6	 "2001:db8::1"
#define REMOTE_6 "2001:db8:9::1"

static void insert(struct pkt *k, uint32_t at, const uint8_t *bytes, uint32_t n)
{
	memmove(k->data + at + n, k->data + at, k->len - at);
	memcpy(k->data + at, bytes, n);
	k->len += n;
}

static void cut(struct pkt *k, uint32_t at, uint32_t n)
{
	memmove(k->data + at, k->data + at + n, k->len - at - n);
	k->len -= n;
}

/* Options of every possible length are kept as they are. */
static void test_ipv4_options(void **state)
{
	uint8_t options[40], *ip;
	struct lab l;
	struct pkt k;

	memset(options, 1, sizeof(options)); /* no operation */
	lab_default(&l);
	for (uint32_t n = 4; n <= sizeof(options); n += 4) {
		pkt_tcp(&k, IN_A, 1000 + n, REMOTE, 80, SYN);
		insert(&k, 34, options, n);
		k.l4 += n;
		ip = k.data + 14;
		ip[0] = 0x45 + n / 4;
		store_be16(ip + 2, k.len - 14);
		memset(ip + 10, 0, 2);
		store_be16(ip + 10, ~plain_sum(ip, 20 + n, 0));
		assert_true(checksums_right(&k));
		assert_int_equal(out(&l, &k), NAT_FORWARD);
		assert_true(checksums_right(&k));
		assert_flow(&k, OUT_1, -1, REMOTE, 80);
		assert_memory_equal(k.data + 34, options, n);
	}
	lab_stop(&l);
}

/* A tag, and two; they are no part of the flow. */
static void test_tags(void **state)
{
	static const uint8_t tags[] = { 0x88, 0xa8, 0, 9, 0x81, 0, 0x60, 7 };
	uint16_t port, port6;
	struct lab l;
	struct pkt k;

	lab_default(&l);
	port = udp_out(&l, IN_A, 5000, REMOTE, 53);
	port6 = udp_out(&l, IN_6, 5000, REMOTE_6, 53);
	for (uint32_t n = 4; n <= 8; n += 4)
		for (int v6 = 0; v6 < 2; v6++) {
			const uint8_t *tag = tags + 8 - n;

			pkt_udp(&k, v6 ? IN_6 : IN_A, 5000,
				v6 ? REMOTE_6 : REMOTE, 53);
			insert(&k, 12, tag, n);
			assert_int_equal(out(&l, &k), NAT_FORWARD);
			assert_memory_equal(k.data + 12, tag, n);
			cut(&k, 12, n);
			pkt_parse(&k);
			assert_true(checksums_right(&k));
			assert_flow(&k, v6 ? OUT_6 : OUT_1, v6 ? port6 : port,
				    v6 ? REMOTE_6 : REMOTE, 53);
		}
	assert_int_equal(n_sessions(&l), 2);
	lab_stop(&l);
}

static void fragment6(struct pkt *k, const struct pkt *whole, uint32_t from,
		      uint32_t to, bool more)
{
	uint8_t header[8] = { IPPROTO_UDP, 0, 0, 0, 1, 2, 3, 4 };

	*k = *whole;
	store_be16(header + 2, from | more);
	cut(k, whole->l4 + to, whole->len - whole->l4 - to);
	cut(k, whole->l4, from);
	insert(k, whole->l4, header, sizeof(header));
	k->data[20] = 44;
	store_be16(k->data + 18, k->len - 54);
}

static void assert_reassembled(struct pkt *k, const uint8_t *second,
			       uint32_t len, uint16_t port)
{
	cut(k, k->l4, 8);
	memcpy(k->data + k->len, second + 62, len - 62);
	k->len += len - 62;
	k->data[20] = IPPROTO_UDP;
	store_be16(k->data + 18, k->len - 54);
	pkt_parse(k);
	assert_true(checksums_right(k));
	assert_flow(k, OUT_6, port, REMOTE_6, 53);
}

/* In either order; one that comes before the first is held for it. */
static void test_ipv6_fragments(void **state)
{
	struct pkt whole, first, second;
	uint16_t port;
	struct lab l;

	lab_default(&l);
	port = udp_out(&l, IN_6, 5000, REMOTE_6, 53);
	pkt_udp_len(&whole, IN_6, 5000, REMOTE_6, 53, 1200);
	fragment6(&first, &whole, 0, 800, true);
	fragment6(&second, &whole, 800, 1208, false);
	assert_int_equal(out(&l, &first), NAT_FORWARD);
	assert_int_equal(out(&l, &second), NAT_FORWARD);
	assert_reassembled(&first, second.data, second.len, port);

	pkt_udp_len(&whole, IN_6, 5000, REMOTE_6, 53, 1201);
	fragment6(&first, &whole, 0, 800, true);
	fragment6(&second, &whole, 800, 1209, false);
	assert_int_equal(out(&l, &second), NAT_HELD);
	assert_int_equal(out(&l, &first), NAT_FORWARD);
	assert_int_equal(first.n_released, 1);
	assert_int_equal(first.released[0].r.verdict, NAT_FORWARD);
	assert_reassembled(&first, first.released[0].data,
			   first.released[0].len, port);
	lab_stop(&l);
}

/* What is to be cut into segments stays so, with the pseudo header's sum. */
static void test_gso(void **state)
{
	const struct packet_offload offload = { .csum_needed = true,
						.gso = PACKET_GSO_TCP4,
						.gso_size = 3,
						.csum_start = 34,
						.csum_offset = 16 };
	struct lab l;
	struct pkt k;

	lab_default(&l);
	tcp_open(&l);
	pkt_tcp(&k, IN_A, 1025, REMOTE, 80, ACK);
	store_be16(k.data + 50,
		   plain_sum(k.data + 26, 8, IPPROTO_TCP + k.len - 34));
	k.offload = offload;
	assert_int_equal(out(&l, &k), NAT_FORWARD);
	assert_flow(&k, OUT_1, -1, REMOTE, 80);
	assert_int_equal(k.offload.gso, offload.gso);
	assert_int_equal(k.offload.gso_size, offload.gso_size);
	assert_true(k.offload.csum_needed);
	assert_int_equal(load_be16(k.data + 50),
			 plain_sum(k.data + 26, 8, IPPROTO_TCP + k.len - 34));
	lab_stop(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4_options),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_ipv6_fragments),
		cmocka_unit_test(test_gso),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
