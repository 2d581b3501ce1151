/* The NAT beside its RFCs: forwards, offloads, IPv6, saved state, lists. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "nat_fixture.h"
#include "packet/csum.h"

static struct nat_forward forward(int protocol, uint16_t lo, uint16_t hi,
				  const char *inside, uint16_t port)
{
	return (struct nat_forward){ .version = 4,
				     .protocol = protocol,
				     .any_outside = true,
				     .outside_lo = lo,
				     .outside_hi = hi,
				     .to_inside = true,
				     .inside = addr(inside),
				     .inside_port = port };
}

static void test_forward(void **state)
{
	struct nat_forward f = forward(NAT_TCP, 8000, 8009, IN_A, 80), g;
	struct lab l;
	struct pkt k;

	lab_default(&l);
	assert_int_equal(nat_add_forward(l.nat, &f, NULL), 0);
	assert_int_equal(nat_add_forward(l.nat, &f, NULL), -EADDRINUSE);
	assert_int_equal(tcp_in(&l, &k, REMOTE, 9, OUT_1, 8003, SYN),
			 NAT_FORWARD);
	assert_flow(&k, REMOTE, 9, IN_A, 83);
	assert_int_equal(tcp_out(&l, &k, IN_A, 83, REMOTE, 9, SYN | ACK),
			 NAT_FORWARD);
	assert_flow(&k, OUT_1, 8003, REMOTE, 9);
	/* from the inside, too */
	assert_int_equal(tcp_out(&l, &k, IN_B, 70, OUT_1, 8000, SYN),
			 NAT_HAIRPIN);
	assert_string_equal(k.dst, IN_A);
	/* and what the server begins itself has its port */
	assert_int_equal(tcp_out(&l, &k, IN_A, 80, REMOTE_2, 1, SYN),
			 NAT_FORWARD);
	assert_int_equal(k.sport, 8000);
	assert_int_equal(nat_remove_forward(l.nat, &f, NULL), 0);
	assert_int_equal(nat_remove_forward(l.nat, &f, NULL), -ENOENT);
	assert_int_equal(tcp_in(&l, &k, REMOTE, 9, OUT_1, 8003, ACK), NAT_DROP);
	assert_int_equal(tcp_in(&l, &k, REMOTE, 10, OUT_1, 8003, SYN),
			 NAT_DROP);
	/* a port of a live session is not to be had */
	g = forward(NAT_UDP, 0, 0, IN_B, 53);
	g.outside_lo = g.outside_hi = udp_out(&l, IN_A, 5000, REMOTE, 53);
	assert_int_equal(nat_add_forward(l.nat, &g, NULL), -EADDRINUSE);
	assert_int_equal(nat_add_forward(l.nat, &f, NULL), 0);
	lab_stop(&l);
}

static void test_forward_local_and_late_address(void **state)
{
	struct nat_forward f = forward(NAT_UDP, 68, 68, IN_A, 1);
	struct nat_forward g = forward(NAT_UDP, 500, 500, IN_B, 500);
	struct nat_addr pool[2];
	struct lab l;

	f.to_inside = false;
	lab_default(&l);
	assert_int_equal(nat_add_forward(l.nat, &f, NULL), 0);
	g.any_outside = false;
	g.outside = addr(OUT_2);
	assert_int_equal(nat_add_forward(l.nat, &g, NULL), 0);
	assert_int_equal(udp_in(&l, REMOTE, 67, OUT_1, 68), NAT_LOCAL);
	assert_int_equal(udp_in(&l, REMOTE, 67, OUT_2, 500), NAT_BYPASS);
	pool[0] = addr(OUT_2);
	assert_int_equal(nat_set_outside(l.nat, pool, 1, NULL), 0);
	assert_int_equal(udp_in(&l, REMOTE, 67, OUT_2, 500), NAT_FORWARD);
	assert_int_equal(udp_in(&l, REMOTE, 67, OUT_2, 68), NAT_LOCAL);
	assert_int_equal(udp_in(&l, REMOTE, 67, OUT_1, 68), NAT_BYPASS);
	assert_int_equal(nat_remove_forward(l.nat, &f, NULL), 0);
	assert_int_equal(udp_in(&l, REMOTE, 67, OUT_2, 68), NAT_REJECT);
	lab_stop(&l);
}

static void test_ipv6(void **state)
{
	struct lab l;
	struct pkt k;
	uint16_t port;

	lab_default(&l);
	pkt_udp(&k, "fd00::5", 5000, "2001:db8:9::1", 53);
	assert_int_equal(out(&l, &k), NAT_FORWARD);
	assert_true(checksums_right(&k));
	assert_flow(&k, "2001:db8::1", -1, "2001:db8:9::1", 53);
	port = k.sport;
	assert_int_equal(udp_in(&l, "2001:db8:9::1", 53, "2001:db8::1", port),
			 NAT_FORWARD);
	assert_int_equal(udp_in(&l, "2001:db8:9::2", 53, "2001:db8::2", port),
			 NAT_BYPASS);
	pkt_tcp(&k, "fd00::6", 5000, "2001:db8::1", port ^ 2, SYN);
	assert_int_equal(out(&l, &k), NAT_LOCAL);
	pkt_udp(&k, "fd00::6", 5000, "2001:db8::1", port);
	assert_int_equal(out(&l, &k), NAT_HAIRPIN);
	assert_true(checksums_right(&k));
	assert_flow(&k, "2001:db8::1", -1, "fd00::5", 5000);
	lab_stop(&l);
}

/* The field has the pseudo header's sum, which has no ports. */
static void test_partial_checksum(void **state)
{
	struct packet p, *ps = &p;
	struct nat_result r;
	struct pkt k, whole;
	struct lab l;

	lab_default(&l);
	for (int tcp = 0; tcp < 2; tcp++)
		for (int v6 = 0; v6 < 2; v6++) {
			const char *src = v6 ? "fd00::5" : IN_A;
			const char *dst = v6 ? "2001:db8:9::1" : REMOTE;
			uint32_t at, sum;

			if (tcp)
				pkt_tcp(&k, src, 5000, dst, 53, SYN);
			else
				pkt_udp(&k, src, 5000, dst, 53);
			at = tcp ? 16 : 6;
			/* pseudo = whole - transport */
			whole = k;
			store_be16(whole.data + k.l4 + at, 0);
			sum = 0;
			for (uint32_t i = k.l4; i < k.len; i++)
				sum += (uint32_t)whole.data[i]
				       << ((i - k.l4) & 1 ? 0 : 8);
			while (sum >> 16)
				sum = (sum & 0xffff) + (sum >> 16);
			sum = (uint16_t)~load_be16(k.data + k.l4 + at) +
			      (0xffff - sum);
			sum = (sum & 0xffff) + (sum >> 16);
			store_be16(k.data + k.l4 + at, sum);
			packet_init(&p, k.data, k.len);
			p.offload.csum_needed = true;
			p.offload.csum_start = k.l4;
			p.offload.csum_offset = at;
			nat_enter(l.nat, 0, l.now_ms);
			nat_outbound(l.nat, 0, &ps, 1, &r);
			assert_int_equal(r.verdict, NAT_FORWARD);
			assert_true(packet_finish_csum(&p));
			packet_read(&p, 0, k.data, k.len);
			nat_leave(l.nat, 0);
			pkt_parse(&k);
			assert_true(checksums_right(&k));
			assert_int_not_equal(k.sport, 0);
		}
	/* no checksum stays none */
	pkt_udp(&k, IN_A, 5000, REMOTE, 53);
	store_be16(k.data + k.l4 + 6, 0);
	assert_int_equal(out(&l, &k), NAT_FORWARD);
	assert_int_equal(load_be16(k.data + k.l4 + 6), 0);
	lab_stop(&l);
}

struct buffer {
	uint8_t data[65536];
	size_t len;
};

static int collect(const void *data, size_t len, void *buffer_)
{
	struct buffer *b = buffer_;

	assert_true(b->len + len <= sizeof(b->data));
	memcpy(b->data + b->len, data, len);
	b->len += len;
	return 0;
}

static void test_save_and_load(void **state)
{
	static struct buffer b;
	uint16_t udp, tcp;
	char *error = NULL;
	struct lab l, m;
	struct pkt k;

	lab_default(&l);
	tcp = tcp_open(&l);
	udp = udp_out(&l, IN_B, 5000, REMOTE, 53);
	udp_in(&l, REMOTE_2, 9, OUT_1, udp); /* is not kept */
	pkt_udp(&k, "fd00::5", 5000, "2001:db8:9::1", 53);
	out(&l, &k);
	b.len = 0;
	assert_int_equal(nat_save(l.nat, l.now_ms, collect, &b), 0);
	lab_stop(&l);
	lab_default(&m);
	m.now_ms = 77000;
	assert_int_equal(
		nat_load(m.nat, m.now_ms, 100000, b.data, b.len, &error), 3);
	assert_int_equal(nat_load(m.nat, m.now_ms, 0, b.data, b.len, NULL), 0);
	assert_int_equal(tcp_in(&m, &k, REMOTE, 80, OUT_1, tcp, ACK),
			 NAT_FORWARD);
	assert_flow(&k, REMOTE, 80, IN_A, 1025);
	assert_int_equal(udp_in(&m, "2001:db8:9::1", 53, "2001:db8::1", 0) !=
				 NAT_FORWARD,
			 1);
	assert_int_equal(udp_in(&m, REMOTE, 53, OUT_1, udp), NAT_FORWARD);
	lab_wait(&m, 202); /* away counts */
	assert_int_not_equal(udp_in(&m, REMOTE, 53, OUT_1, udp), NAT_FORWARD);
	assert_int_equal(n_sessions(&m), 1);
	for (size_t i = 0; i < b.len; i += 7) {
		b.data[i] ^= 1;
		assert_int_equal(
			nat_load(m.nat, m.now_ms, 0, b.data, b.len, &error),
			-EINVAL);
		b.data[i] ^= 1;
	}
	assert_non_null(error);
	free(error);
	assert_int_equal(nat_load(m.nat, m.now_ms, 0, b.data, b.len - 1, NULL),
			 -EINVAL);
	lab_stop(&m);
}

static bool count_entry(const struct nat_entry *e, void *n)
{
	assert_non_null(e->state);
	++*(int *)n;
	return true;
}

static void test_list_and_flush(void **state)
{
	struct nat_filter f;
	struct lab l;
	int n = 0;

	lab_default(&l);
	tcp_open(&l);
	for (int i = 0; i < 10; i++)
		udp_out(&l, i & 1 ? IN_A : IN_B, 5000 + i, REMOTE, 53);
	nat_filter_all(&f);
	nat_list(l.nat, l.now_ms, &f, count_entry, &n);
	assert_int_equal(n, 11);
	f.protocol = NAT_UDP;
	f.inside = addr(IN_A);
	n = 0;
	nat_list(l.nat, l.now_ms, &f, count_entry, &n);
	assert_int_equal(n, 5);
	assert_int_equal(nat_flush(l.nat, &f), 5);
	assert_int_equal(n_sessions(&l), 6);
	nat_filter_all(&f);
	assert_int_equal(nat_flush(l.nat, &f), 6);
	lab_wait(&l, 1);
	tcp_open(&l);
	lab_stop(&l);
}

/* One source cannot have all the room for fragments. */
static void test_fragment_limits(void **state)
{
	struct pkt whole, k;
	struct nat_stats s;
	struct lab l;
	unsigned held = 0;

	lab_init(&l);
	l.config.max_fragments = 64;
	l.config.max_datagrams = 64;
	lab_start(&l, (const char *const[]){ OUT_1 }, 1);
	pkt_udp_len(&whole, IN_A, 5000, REMOTE, 53, 1992);
	for (int id = 0; id < 100; id++) {
		pkt_fragment(&k, &whole, 800, 2000, false, id);
		held += out(&l, &k) == NAT_HELD;
	}
	assert_int_equal(held, 8);
	pkt_udp_len(&whole, IN_B, 5000, REMOTE, 53, 1992);
	pkt_fragment(&k, &whole, 800, 2000, false, 1);
	assert_int_equal(out(&l, &k), NAT_HELD);
	lab_wait(&l, 32);
	nat_get_stats(l.nat, &s);
	assert_int_equal(s.datagrams, 0);
	assert_int_equal(s.fragments, 0);
	assert_int_equal(s.fragments_expired, 9);
	lab_stop(&l);
}

/* A table holds what it was set aside for, however its hash falls out. */
static void test_all_sessions(void **state)
{
	static const uint32_t sizes[] = { 1, 100, 512, 1024, 4096 };
	struct pkt k;
	struct lab l;

	for (uint64_t seed = 1; seed <= 250; seed++) {
		lab_init(&l);
		l.config.seed = seed;
		l.config.max_sessions = sizes[seed % ARRAY_SIZE(sizes)];
		lab_start(&l, (const char *const[]){ OUT_1 }, 1);
		for (uint32_t i = 0; i < l.config.max_sessions; i++)
			udp_out(&l, IN_A, 5000 + i, REMOTE, 53);
		pkt_udp(&k, IN_A, 4999, REMOTE, 53);
		assert_int_equal(out(&l, &k), NAT_REJECT);
		assert_int_equal(k.r.reason, DROP_NAT_FULL);
		lab_stop(&l);
	}
}

static void test_ttl(void **state)
{
	struct packet p;
	struct pkt k;

	pkt_udp(&k, IN_A, 5000, REMOTE, 53);
	packet_init(&p, k.data, k.len);
	packet_pull(&p, PACKET_PULL);
	for (int ttl = 63; ttl; ttl--) {
		assert_true(nat_decrement_ttl(&p));
		packet_read(&p, 0, k.data, k.len);
		assert_int_equal(k.data[22], ttl);
		assert_true(checksums_right(&k));
	}
	assert_false(nat_decrement_ttl(&p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forward),
		cmocka_unit_test(test_forward_local_and_late_address),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_partial_checksum),
		cmocka_unit_test(test_save_and_load),
		cmocka_unit_test(test_list_and_flush),
		cmocka_unit_test(test_fragment_limits),
		cmocka_unit_test(test_all_sessions),
		cmocka_unit_test(test_ttl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
