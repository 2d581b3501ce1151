/*
 * IGMP and MLD of a host: what is said at joining, on queries, at leaving, by
 * which version; and the bytes of it (RFC 3376, RFC 2236, RFC 3810, RFC 2710).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/membership.h"
#include "packet/csum.h"
#include "packet/packet.h"

#define MAC	  0x020000000001ull
#define IP	  0xc0000201
#define FRAMES	  64
#define QUERIER	  0xc00002fe
#define TYPE4(i)  (sent[i].data[14 + 24])
#define TYPE6(i)  (sent[i].data[14 + 48])
#define GROUP4(n) ip_address_v4(0xef000000 + (n))

static struct {
	size_t len;
	uint8_t data[1400];
} sent[FRAMES];
static unsigned n_sent;

static void on_send(const void *frame, size_t len, void *arg)
{
	assert_true(n_sent < FRAMES);
	assert_true(len >= 60 && len <= sizeof(sent[0].data));
	sent[n_sent].len = len;
	memcpy(sent[n_sent++].data, frame, len);
}

static const struct membership_config config = {
	.mac = MAC,
	.ip4 = IP,
	.link_local = { 0xfe, 0x80, [15] = 1 },
};
static const struct hash_key key = { 1, 2 };

static int setup(void **state)
{
	n_sent = 0;
	*state = membership_create(&config, &key, on_send, NULL);
	return 0;
}

static int teardown(void **state)
{
	membership_destroy(*state);
	return 0;
}

static struct ip_address group6(uint8_t n)
{
	struct ip_address ip = { 16, { 0xff, 0x05, [14] = 1, n } };

	return ip;
}

/* --- queries of others -----------------------------------------------------
 */

static uint8_t frame[256];

static size_t query4(uint32_t group, uint8_t code, unsigned len)
{
	uint8_t *ip = frame + 14, *igmp = ip + 24;

	memset(frame, 0, sizeof(frame));
	store_be16(frame, 0x0100);
	store_be32(frame + 2, 0x5e000001);
	frame[11] = 9;
	store_be16(frame + 12, 0x0800);
	ip[0] = 0x46;
	store_be16(ip + 2, 24 + len);
	ip[8] = 1;
	ip[9] = 2;
	store_be32(ip + 12, QUERIER);
	store_be32(ip + 16, group ? group : 0xe0000001);
	store_be32(ip + 20, 0x94040000);
	csum_ipv4_header(ip, 24);
	igmp[0] = 0x11;
	igmp[1] = code;
	store_be32(igmp + 4, group);
	csum_store(igmp + 2, csum_add(0, igmp, len));
	return 14 + 24 + len;
}

static size_t query6(const struct ip_address *group, uint16_t code,
		     unsigned len)
{
	uint8_t *ip = frame + 14, *mld = ip + 48;

	memset(frame, 0, sizeof(frame));
	store_be16(frame, 0x3333);
	frame[5] = 1;
	frame[11] = 9;
	store_be16(frame + 12, 0x86dd);
	ip[0] = 0x60;
	store_be16(ip + 4, 8 + len);
	ip[7] = 1;
	ip[8] = 0xfe;
	ip[9] = 0x80;
	ip[23] = 9;
	ip[24] = 0xff;
	ip[25] = 2;
	ip[39] = 1;
	ip[40] = 58;
	ip[42] = 5;
	ip[43] = 2;
	ip[46] = 1; /* PadN */
	mld[0] = 130;
	store_be16(mld + 4, code);
	if (group)
		memcpy(mld + 8, group->bytes, 16);
	csum_store(mld + 2, csum_combine(csum_pseudo6(ip, 58, len),
					 csum_add(0, mld, len)));
	return 14 + 48 + len;
}

static void check4(unsigned i, uint64_t to_mac, uint32_t to)
{
	const uint8_t *f = sent[i].data, *ip = f + 14;
	size_t len = load_be16(ip + 2);

	assert_true(load_mac(f) == to_mac);
	assert_true(load_mac(f + 6) == MAC);
	assert_int_equal(ip[0], 0x46);
	assert_int_equal(ip[8], 1);
	assert_int_equal(load_be32(ip + 12), IP);
	assert_int_equal(load_be32(ip + 16), to);
	assert_int_equal(load_be32(ip + 20), 0x94040000);
	assert_int_equal(csum_fold(csum_add(0, ip, 24)), 0xffff);
	assert_int_equal(csum_fold(csum_add(0, ip + 24, len - 24)), 0xffff);
}

static void check6(unsigned i, uint64_t to_mac)
{
	const uint8_t *f = sent[i].data, *ip = f + 14;
	size_t len = load_be16(ip + 4) - 8;

	assert_true(load_mac(f) == to_mac);
	assert_int_equal(ip[6], 0);
	assert_int_equal(ip[7], 1);
	assert_int_equal(ip[40], 58);
	assert_int_equal(load_be32(ip + 42), 0x05020000);
	assert_int_equal(csum_fold(csum_combine(csum_pseudo6(ip, 58, len),
						csum_add(0, ip + 48, len))),
			 0xffff);
}

/* Goes on to when something is due; how long that took. */
static uint64_t run_next(struct membership *m, uint64_t *now)
{
	uint64_t before = *now;

	*now = membership_next_ms(m);
	assert_true(*now != UINT64_MAX);
	n_sent = 0;
	membership_run(m, *now);
	return *now - before;
}

/* --- tests -----------------------------------------------------------------
 */

static void test_group_mac(void **state)
{
	struct ip_address ip = ip_address_v4(0xefffff01), ip6 = group6(7);

	/* RFC 1112 6.4: the low 23 bits */
	assert_true(membership_group_mac(&ip) == 0x01005e7fff01);
	assert_true(membership_group_mac(&ip6) == 0x333300000107);
}

static void test_join4(void **state)
{
	struct membership *m = *state;
	struct ip_address g = GROUP4(1);
	uint64_t now = 5000;

	assert_int_equal(membership_join(m, &g, now), 0);
	assert_true(membership_has(m, &g));
	assert_int_equal(n_sent, 1);
	check4(0, 0x01005e000016, 0xe0000016);
	assert_int_equal(TYPE4(0), 0x22);
	assert_int_equal(load_be16(sent[0].data + 14 + 24 + 6), 1);
	assert_int_equal(sent[0].data[14 + 24 + 8], 4); /* TO_EXCLUDE */
	assert_int_equal(load_be32(sent[0].data + 14 + 24 + 12), 0xef000001);
	/* And once more, within a second. */
	assert_in_range(run_next(m, &now), 1, 1000);
	assert_int_equal(n_sent, 1);
	assert_true(membership_next_ms(m) == UINT64_MAX);
	n_sent = 0;
	assert_int_equal(membership_join(m, &g, now), 0);
	assert_int_equal(n_sent, 0);
}

static void test_leave(void **state)
{
	struct membership *m = *state;
	struct ip_address g = GROUP4(1);
	uint64_t now = 5000;

	assert_int_equal(membership_join(m, &g, now), 0);
	run_next(m, &now);
	n_sent = 0;
	membership_leave(m, &g, now);
	assert_int_equal(n_sent, 1);
	assert_int_equal(sent[0].data[14 + 24 + 8], 3); /* TO_INCLUDE */
	assert_false(membership_has(m, &g));
	run_next(m, &now);
	assert_int_equal(sent[0].data[14 + 24 + 8], 3);
	assert_true(membership_next_ms(m) == UINT64_MAX);
	/* It is back before all was said of its leaving. */
	assert_int_equal(membership_join(m, &g, now), 0);
	membership_leave(m, &g, now);
	assert_int_equal(membership_join(m, &g, now), 0);
	assert_true(membership_has(m, &g));
	n_sent = 0;
	membership_end(m, now);
	assert_int_equal(n_sent, 1);
	assert_false(membership_has(m, &g));
	assert_true(membership_next_ms(m) == UINT64_MAX);
}

static void test_general_query(void **state)
{
	struct membership *m = *state;
	uint64_t now = 5000, due;

	for (unsigned i = 0; i < 100; i++) {
		struct ip_address g = GROUP4(i);

		assert_int_equal(membership_join(m, &g, now), 0);
		n_sent = 0;
	}
	now += 2000;
	membership_run(m, now);
	/* One delay for all, and as few reports as hold them. */
	assert_true(membership_receive(m, frame, query4(0, 100, 12), now));
	due = membership_next_ms(m);
	assert_in_range(due - now, 1, 10000);
	n_sent = 0;
	membership_run(m, due - 1);
	assert_int_equal(n_sent, 0);
	membership_run(m, due);
	assert_int_equal(n_sent, 2);
	assert_int_equal(load_be16(sent[0].data + 14 + 24 + 6), 60);
	assert_int_equal(load_be16(sent[1].data + 14 + 24 + 6), 40);
	assert_int_equal(sent[0].data[14 + 24 + 8], 2); /* IS_EXCLUDE */
	check4(0, 0x01005e000016, 0xe0000016);
	assert_true(membership_next_ms(m) == UINT64_MAX);
}

static void test_group_query(void **state)
{
	struct membership *m = *state;
	struct ip_address a = GROUP4(1), b = GROUP4(2);
	uint64_t now = 5000;

	assert_int_equal(membership_join(m, &a, now), 0);
	assert_int_equal(membership_join(m, &b, now), 0);
	membership_run(m, now += 2000);
	assert_true(
		membership_receive(m, frame, query4(0xef000002, 10, 12), now));
	assert_in_range(run_next(m, &now), 1, 1000);
	assert_int_equal(n_sent, 1);
	assert_int_equal(load_be16(sent[0].data + 14 + 24 + 6), 1);
	assert_int_equal(load_be32(sent[0].data + 14 + 24 + 12), 0xef000002);
	/* Of a group that we are no member of. */
	assert_true(
		membership_receive(m, frame, query4(0xef000003, 10, 12), now));
	assert_true(membership_next_ms(m) == UINT64_MAX);
	/* A code with an exponent: (16 | 1) << (2 + 3) tenths. */
	assert_true(membership_receive(m, frame, query4(0, 0xa1, 12), now));
	assert_in_range(membership_next_ms(m) - now, 1, 54400);
}

static void test_igmpv2(void **state)
{
	struct membership *m = *state;
	struct ip_address g = GROUP4(1);
	uint64_t now = 5000;

	assert_int_equal(membership_version(m, false, now), 3);
	assert_true(membership_receive(m, frame, query4(0, 100, 8), now));
	assert_int_equal(membership_version(m, false, now), 2);
	assert_int_equal(membership_join(m, &g, now), 0);
	assert_int_equal(n_sent, 1);
	assert_int_equal(TYPE4(0), 0x16);
	check4(0, 0x01005e000001, 0xef000001);
	assert_in_range(run_next(m, &now), 1, 10000);
	assert_int_equal(TYPE4(0), 0x16);
	/* Another member answers: we need not. */
	membership_receive(m, frame, query4(0, 100, 8), now);
	assert_true(membership_next_ms(m) != UINT64_MAX);
	query4(0xef000001, 0, 8);
	frame[38] = 0x16;
	store_be16(frame + 40, 0);
	csum_store(frame + 40, csum_add(0, frame + 38, 8));
	assert_true(membership_receive(m, frame, 46, now));
	n_sent = 0;
	membership_run(m, now += 20000);
	assert_int_equal(n_sent, 0);
	membership_leave(m, &g, now);
	assert_int_equal(n_sent, 1);
	assert_int_equal(TYPE4(0), 0x17);
	check4(0, 0x01005e000002, 0xe0000002);
	assert_true(membership_next_ms(m) == UINT64_MAX);
	/* The querier is not heard of any more. */
	now += MEMBERSHIP_OLD_QUERIER_MS;
	assert_int_equal(membership_version(m, false, now), 3);
}

static void test_igmpv1(void **state)
{
	struct membership *m = *state;
	struct ip_address g = GROUP4(1);

	assert_true(membership_receive(m, frame, query4(0, 0, 8), 5000));
	assert_int_equal(membership_version(m, false, 5000), 1);
	assert_int_equal(membership_join(m, &g, 5000), 0);
	assert_int_equal(TYPE4(0), 0x12);
	n_sent = 0;
	membership_leave(m, &g, 5000);
	assert_int_equal(n_sent, 0);
}

static void test_mld(void **state)
{
	struct membership *m = *state;
	struct ip_address g = group6(7);
	uint64_t now = 5000;

	assert_int_equal(membership_join(m, &g, now), 0);
	assert_int_equal(n_sent, 1);
	check6(0, 0x333300000016);
	assert_int_equal(TYPE6(0), 143);
	assert_int_equal(sent[0].data[14 + 48 + 8], 4);
	assert_memory_equal(sent[0].data + 14 + 48 + 12, g.bytes, 16);
	run_next(m, &now);
	assert_true(membership_receive(m, frame, query6(NULL, 1000, 28), now));
	assert_in_range(run_next(m, &now), 1, 1000);
	assert_int_equal(TYPE6(0), 143);
	assert_int_equal(sent[0].data[14 + 48 + 8], 2);
	/* An MLDv1 router */
	assert_true(membership_receive(m, frame, query6(&g, 2000, 24), now));
	assert_int_equal(membership_version(m, true, now), 1);
	assert_in_range(run_next(m, &now), 1, 2000);
	assert_int_equal(TYPE6(0), 131);
	check6(0, 0x333300000107);
	n_sent = 0;
	membership_end(m, now);
	assert_int_equal(n_sent, 1);
	assert_int_equal(TYPE6(0), 132);
	check6(0, 0x333300000002);
}

static void test_refused(void **state)
{
	struct ip_address all4 = { 4, { 224, 0, 0, 1 } };
	struct ip_address all6 = { 16, { 0xff, 2, [15] = 1 } };
	struct ip_address host6 = { 16, { 0xff, 1, [15] = 9 } };
	struct ip_address one = { 4, { 10, 0, 0, 1 } }, g = GROUP4(0);
	struct membership *m = *state;

	assert_true(membership_join(m, &all4, 0) < 0);
	assert_true(membership_join(m, &all6, 0) < 0);
	assert_true(membership_join(m, &host6, 0) < 0);
	assert_true(membership_join(m, &one, 0) < 0);
	for (unsigned i = 0; i < MEMBERSHIP_GROUPS_MAX; i++) {
		g = GROUP4(i);
		n_sent = 0;
		assert_int_equal(membership_join(m, &g, 0), 0);
	}
	g = GROUP4(MEMBERSHIP_GROUPS_MAX);
	assert_true(membership_join(m, &g, 0) < 0);
}

/* Nothing is made of what cannot be. */
static void test_bad(void **state)
{
	struct membership *m = *state;
	struct ip_address g = GROUP4(1), g6 = group6(1);
	size_t len;

	assert_int_equal(membership_join(m, &g, 0), 0);
	assert_int_equal(membership_join(m, &g6, 0), 0);
	membership_run(m, 2000);
	len = query4(0, 100, 12);
	frame[38 + 11] ^= 1; /* checksum */
	assert_true(membership_receive(m, frame, len, 2000));
	assert_true(membership_receive(m, frame, query4(0, 100, 10), 2000));
	for (len = query4(0, 100, 12) - 1; len >= 24; len--)
		membership_receive(m, frame, len, 2000);
	len = query6(NULL, 100, 28);
	frame[14 + 8] = 0x20; /* not link-local */
	assert_true(membership_receive(m, frame, len, 2000));
	len = query6(NULL, 100, 28);
	frame[14 + 42] = 1; /* no router alert */
	assert_true(membership_receive(m, frame, len, 2000));
	len = query6(NULL, 100, 28);
	frame[14 + 7] = 64;
	assert_true(membership_receive(m, frame, len, 2000));
	assert_true(membership_next_ms(m) == UINT64_MAX);
	assert_int_equal(membership_counters(m)->queries, 0);
	assert_true(membership_counters(m)->bad > 5);
	/* ARP is somebody else's. */
	store_be16(frame + 12, 0x0806);
	assert_false(membership_receive(m, frame, 60, 2000));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_group_mac),
		TEST(test_join4),
		TEST(test_leave),
		TEST(test_general_query),
		TEST(test_group_query),
		TEST(test_igmpv2),
		TEST(test_igmpv1),
		TEST(test_mld),
		TEST(test_refused),
		TEST(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
