/* A host's addresses by router advertisements (RFC 4861, 4862, 4191). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/autoconf.h"
#include "gateway/writer.h"
#include "packet/csum.h"
#include "packet/neighbor.h"

#define MAC	   0x025600000001
#define ROUTER_MAC 0x525400000001
#define RS	   133
#define RA	   134
#define NS	   135
#define DAY	   86400

static struct autoconf *autoconf;
static uint64_t now;
static unsigned n_changed, n_duplicates, n_rs, n_ns;

static void on_send(const void *frame, size_t len, void *arg)
{
	const uint8_t *f = frame;

	assert_true(len >= 14 + 40 + 16);
	assert_int_equal(load_mac(f + 6), MAC);
	assert_int_equal(load_be16(f + 12), 0x86dd);
	assert_int_equal(f[14 + 7], 255);
	assert_int_equal(load_be16(f + 18), len - 54);
	assert_int_equal(
		csum_fold(csum_combine(csum_pseudo6(f + 14, 58, len - 54),
				       csum_add(0, f + 54, len - 54))),
		0xffff);
	n_rs += f[54] == RS;
	n_ns += f[54] == NS;
}

static void on_changed(void *arg)
{
	n_changed++;
}

static void on_duplicate(const uint8_t ip[16], uint64_t mac, void *arg)
{
	n_duplicates++;
}

static int setup(void **state)
{
	static const struct autoconf_ops ops = { on_send, on_changed,
						 on_duplicate };

	now = 1000;
	n_changed = n_duplicates = n_rs = n_ns = 0;
	autoconf = autoconf_create(MAC, &ops, NULL, now);
	assert_int_equal(n_rs, 0);
	autoconf_run(autoconf, now);
	assert_int_equal(n_rs, 1);
	return 0;
}

static int teardown(void **state)
{
	autoconf_destroy(autoconf);
	return 0;
}

struct prefix {
	uint16_t subnet; /* 2001:db8:SUBNET::; 0: no prefix option */
	uint8_t len, flags;
	uint32_t valid, preferred;
};

struct advert {
	uint8_t router; /* fe80::ROUTER */
	uint8_t hop_limit, flags;
	uint16_t lifetime;
	uint32_t mtu;
	struct prefix prefix;
};

static const struct advert usual = {
	.router = 1,
	.hop_limit = 255,
	.lifetime = 1800,
	.prefix = { 1, 64, 0xc0, DAY, DAY / 2 },
};

static size_t build(const struct advert *a, uint8_t *room, size_t size)
{
	const uint8_t all[16] = { 0xff, 2, [15] = 1 };
	const uint8_t from[16] = { 0xfe, 0x80, [15] = a->router };
	const uint8_t prefix[16] = {
		0x20, 1, 0x0d, 0xb8, a->prefix.subnet >> 8, a->prefix.subnet
	};
	struct writer w;
	size_t len;

	writer_init(&w, room, size);
	writer_mac(&w, 0x333300000001);
	writer_mac(&w, ROUTER_MAC);
	writer_be16(&w, 0x86dd);
	writer_be32(&w, 0x60000000);
	writer_be16(&w, 0);
	writer_u8(&w, 58);
	writer_u8(&w, a->hop_limit);
	writer_bytes(&w, from, 16);
	writer_bytes(&w, all, 16);
	writer_be32(&w, (uint32_t)RA << 24);
	writer_u8(&w, 64);
	writer_u8(&w, a->flags);
	writer_be16(&w, a->lifetime);
	writer_zeros(&w, 8);
	if (a->mtu) {
		writer_be32(&w, 5 << 24 | 1 << 16);
		writer_be32(&w, a->mtu);
	}
	if (a->prefix.subnet) {
		writer_u8(&w, 3);
		writer_u8(&w, 4);
		writer_u8(&w, a->prefix.len);
		writer_u8(&w, a->prefix.flags);
		writer_be32(&w, a->prefix.valid);
		writer_be32(&w, a->prefix.preferred);
		writer_be32(&w, 0);
		writer_bytes(&w, prefix, 16);
	}
	assert_false(w.failed);
	len = writer_len(&w) - 54;
	store_be16(room + 18, len);
	csum_store(room + 56, csum_combine(csum_pseudo6(room + 14, 58, len),
					   csum_add(0, room + 54, len)));
	return writer_len(&w);
}

static void hear(const struct advert *a)
{
	uint8_t room[256];
	size_t len = build(a, room, sizeof(room));

	assert_true(autoconf_receive(autoconf, room, len, now));
}

static void step(void)
{
	assert_true(autoconf_next_ms(autoconf) > now);
	now = autoconf_next_ms(autoconf);
	autoconf_run(autoconf, now);
}

/* The subnets of the addresses in use, one a digit. */
static unsigned subnets(void)
{
	struct autoconf_address a[AUTOCONF_PREFIXES_MAX];
	unsigned n = autoconf_get_addresses(autoconf, a), all = 0;

	for (unsigned i = 0; i < n; i++)
		all = all * 10 + load_be16(a[i].ip + 4);
	return all;
}

static void an_address_is_made_and_looked_for(void **state)
{
	static const uint8_t wanted[16] = { 0x20, 1, 0x0d, 0xb8, 0, 1, 0, 0, 0,
					    0x56, 0, 0xff, 0xfe, 0, 0, 1 };
	struct autoconf_address a[AUTOCONF_PREFIXES_MAX];

	hear(&usual);
	assert_int_equal(n_ns, 1);
	assert_int_equal(subnets(), 0);
	assert_int_equal(n_changed, 1); /* the router */
	assert_int_equal(autoconf_get_router(autoconf)[15], 1);
	now += AUTOCONF_PROBE_MS;
	autoconf_run(autoconf, now);
	assert_int_equal(n_changed, 2);
	assert_int_equal(autoconf_get_addresses(autoconf, a), 1);
	assert_memory_equal(a[0].ip, wanted, 16);
	assert_int_equal(a[0].prefix_len, 64);
	/* the same again is nothing new */
	hear(&usual);
	assert_int_equal(n_changed, 2);
	assert_int_equal(n_rs, 1);
	assert_int_equal(n_ns, 1);
}

static void routers_are_asked_for_until_there_is_one(void **state)
{
	for (unsigned i = 0; i < 5; i++)
		step();
	assert_int_equal(n_rs, 6);
	assert_true(now <=
		    1000 + 3 * AUTOCONF_ASK_MS + 4 * AUTOCONF_ASK_AGAIN_MS);
	hear(&usual);
	step(); /* its address is fine */
	assert_int_equal(n_rs, 6);
	while (autoconf_get_router(autoconf))
		step(); /* it was not heard of again */
	assert_int_equal(n_rs, 7);
}

static void what_cannot_be_is_left_alone(void **state)
{
	uint8_t room[256];
	struct advert a = usual;
	size_t len;

	a.hop_limit = 254;
	hear(&a);
	len = build(&usual, room, sizeof(room));
	room[70] ^= 1; /* the sum is wrong */
	autoconf_receive(autoconf, room, len, now);
	for (size_t n = 0; n < len; n++) {
		build(&usual, room, sizeof(room));
		autoconf_receive(autoconf, room, n, now);
	}
	a = usual;
	a.prefix.subnet = 0;
	len = build(&a, room, sizeof(room));
	assert_null(autoconf_get_router(autoconf));
	assert_int_equal(n_ns, 0);
	assert_true(autoconf_counters(autoconf)->bad >= 2);
	/* not for autonomous configuration, not of 64 bits, more preferred than
	   valid, link-local */
	a = usual;
	a.prefix.flags = 0x80;
	hear(&a);
	a.prefix.flags = 0xc0;
	a.prefix.len = 63;
	hear(&a);
	a.prefix = usual.prefix;
	a.prefix.preferred = a.prefix.valid + 1;
	hear(&a);
	assert_int_equal(n_ns, 0);
}

static void a_duplicate_is_not_used(void **state)
{
	static const uint8_t ip[16] = { 0x20, 1,    0x0d, 0xb8, 0,    1, 0, 0,
					0,    0x56, 0,	  0xff, 0xfe, 0, 0, 1 };
	uint8_t frame[NEIGHBOR_FRAME_MAX];
	size_t len;

	hear(&usual);
	len = neighbor_announce(ROUTER_MAC, ip, 16, frame);
	assert_false(autoconf_receive(autoconf, frame, len, now));
	assert_int_equal(n_duplicates, 1);
	now += AUTOCONF_PROBE_MS;
	autoconf_run(autoconf, now);
	assert_int_equal(subnets(), 0);
	/* looked for anew with the link, and somebody else looks, too */
	autoconf_restart(autoconf, now);
	len = neighbor_probe(ROUTER_MAC, ip, 16, frame);
	assert_false(autoconf_receive(autoconf, frame, len, now));
	assert_int_equal(n_duplicates, 2);
	autoconf_restart(autoconf, now);
	now += AUTOCONF_PROBE_MS;
	autoconf_run(autoconf, now);
	assert_int_equal(subnets(), 1);
}

static void a_deprecated_prefix_gives_way(void **state)
{
	struct advert a = usual;

	hear(&a);
	a.prefix.subnet = 2;
	hear(&a);
	now += AUTOCONF_PROBE_MS;
	autoconf_run(autoconf, now);
	assert_int_equal(subnets(), 12);
	a.prefix = usual.prefix;
	a.prefix.preferred = 0;
	hear(&a);
	assert_int_equal(subnets(), 2);
	a.prefix.subnet = 2;
	hear(&a);
	assert_int_equal(subnets(), 12); /* none is better */
}

/* RFC 4862 5.5.3 (e): not shortened to less than two hours at once. */
static void nobody_takes_an_address_away_at_once(void **state)
{
	struct advert a = usual;

	hear(&a);
	now += AUTOCONF_PROBE_MS;
	autoconf_run(autoconf, now);
	a.prefix.valid = a.prefix.preferred = 0;
	hear(&a);
	now += 7100 * 1000ull;
	autoconf_run(autoconf, now);
	assert_int_equal(subnets(), 1);
	now += 200 * 1000ull;
	autoconf_run(autoconf, now);
	assert_int_equal(subnets(), 0);
}

static void the_preferred_router_is_used(void **state)
{
	struct advert a = usual;

	hear(&a);
	a.router = 2;
	hear(&a);
	assert_int_equal(autoconf_get_router(autoconf)[15], 1);
	a.router = 3;
	a.flags = 1 << 3; /* high */
	hear(&a);
	assert_int_equal(autoconf_get_router(autoconf)[15], 3);
	a.lifetime = 0;
	hear(&a);
	assert_int_equal(autoconf_get_router(autoconf)[15], 1);
	for (a.router = 4; a.router < 100; a.router++) {
		a.lifetime = 1800;
		a.flags = 0;
		hear(&a);
	}
	assert_int_equal(autoconf_get_router(autoconf)[15], 1);
	assert_true(autoconf_counters(autoconf)->refused > 90);
}

static void there_is_room_for_few_prefixes(void **state)
{
	struct advert a = usual;

	for (unsigned i = 1; i < 200; i++) {
		a.prefix.subnet = i;
		hear(&a);
	}
	now += AUTOCONF_PROBE_MS;
	autoconf_run(autoconf, now);
	assert_int_equal(subnets(), 1234);
	assert_int_equal(n_ns, AUTOCONF_PREFIXES_MAX);
}

static void the_mtu_is_taken(void **state)
{
	struct advert a = usual;

	a.mtu = 1279;
	hear(&a);
	assert_int_equal(autoconf_get_mtu(autoconf), 0);
	a.mtu = 1400;
	hear(&a);
	assert_int_equal(autoconf_get_mtu(autoconf), 1400);
	a.mtu = 70000;
	hear(&a);
	assert_int_equal(autoconf_get_mtu(autoconf), 1400);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_address_is_made_and_looked_for),
		TEST(routers_are_asked_for_until_there_is_one),
		TEST(what_cannot_be_is_left_alone),
		TEST(a_duplicate_is_not_used),
		TEST(a_deprecated_prefix_gives_way),
		TEST(nobody_takes_an_address_away_at_once),
		TEST(the_preferred_router_is_used),
		TEST(there_is_room_for_few_prefixes),
		TEST(the_mtu_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
