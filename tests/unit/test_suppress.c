/* ARP and neighbor suppression: the table, and which questions get an answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>

#include "packet/csum.h"
#include "packet/parse.h"
#include "packet/vlan.h"
#include "tunnel/suppress.h"

#define ASKER 0x020000000001ull
#define KNOWN 0x020000000009ull

static const uint8_t asker4[] = { 10, 0, 0, 1 }, known4[] = { 10, 0, 0, 9 };
static const uint8_t asker6[16] = { 0xfd, [15] = 1 },
		     known6[16] = { 0xfd, [15] = 9 };

struct question {
	uint8_t data[256];
	uint32_t len;
};

static void put_mac(uint8_t *at, uint64_t mac)
{
	store_be16(at, mac >> 32);
	store_be32(at + 2, mac);
}

static uint8_t *begin(struct question *q, uint64_t dst, uint16_t vid,
		      uint16_t type)
{
	uint8_t *at = q->data + 12;

	memset(q, 0, sizeof(*q));
	put_mac(q->data, dst);
	put_mac(q->data + 6, ASKER);
	if (vid) {
		store_be16(at, ETH_TYPE_VLAN);
		store_be16(at + 2, vid);
		at += 4;
	}
	store_be16(at, type);
	return at + 2;
}

/* Where the ARP packet is. */
static uint8_t *ask_arp(struct question *q, uint16_t vid, const uint8_t *from,
			const uint8_t *target)
{
	uint8_t *arp = begin(q, MAC_BROADCAST, vid, ETH_TYPE_ARP);

	store_be16(arp, 1);
	store_be16(arp + 2, ETH_TYPE_IPV4);
	arp[4] = 6;
	arp[5] = 4;
	store_be16(arp + 6, 1);
	put_mac(arp + 8, ASKER);
	memcpy(arp + 14, from, 4);
	memcpy(arp + 24, target, 4);
	q->len = arp + 28 - q->data;
	return arp;
}

static void finish_ns(struct question *q, uint8_t *ip)
{
	uint32_t len = q->data + q->len - (ip + 40);

	store_be16(ip + 4, len);
	memset(ip + 42, 0, 2);
	csum_store(ip + 42, csum_combine(csum_pseudo6(ip, 58, len),
					 csum_add(0, ip + 40, len)));
}

/* Where the IPv6 header is; with a source option. */
static uint8_t *ask_nd(struct question *q, uint16_t vid, const uint8_t *from,
		       const uint8_t *target)
{
	static const uint8_t group[16] = { 0xff, 2, [11] = 1, 0xff };
	uint8_t *ip = begin(q, 0x3333ff000009, vid, ETH_TYPE_IPV6);

	ip[0] = 0x60;
	ip[6] = 58;
	ip[7] = 255;
	memcpy(ip + 8, from, 16);
	memcpy(ip + 24, group, 16);
	memcpy(ip + 37, target + 13, 3);
	ip[40] = 135;
	memcpy(ip + 48, target, 16);
	ip[64] = 1;
	ip[65] = 1;
	put_mac(ip + 66, ASKER);
	q->len = ip + 72 - q->data;
	finish_ns(q, ip);
	return ip;
}

static uint8_t room[SUPPRESS_FRAME_MAX];

static unsigned ask(const struct suppress_table *t, uint16_t vid,
		    const struct question *q)
{
	/* In memory of exactly its length, so that a sanitizer sees overruns.
	 */
	uint8_t *copy = xmalloc(q->len);
	struct packet p;
	unsigned len;

	memcpy(copy, q->data, q->len);
	packet_init(&p, copy, q->len);
	packet_pull_first(&p);
	memset(room, 0xee, sizeof(room));
	len = suppress_answer(t, vid, &p, room);
	free(copy);
	return len;
}

static struct suppress_table *make(void)
{
	struct suppress_table *t = suppress_create(100, 1);

	assert_int_equal(suppress_set(t, 10, known4, 4, KNOWN), 0);
	assert_int_equal(suppress_set(t, 10, known6, 16, KNOWN), 0);
	return t;
}

/* RFC 826 */
static void answers_arp(void **state)
{
	struct suppress_table *t = make();
	struct question q;

	for (uint16_t tag = 0; tag <= 10; tag += 10) {
		ask_arp(&q, tag, asker4, known4);
		assert_int_equal(ask(t, 10, &q), 42);
		assert_true(load_mac(room) == ASKER);
		assert_true(load_mac(room + 6) == KNOWN);
		assert_int_equal(load_be16(room + 12), ETH_TYPE_ARP);
		assert_int_equal(load_be16(room + 14), 1);
		assert_int_equal(load_be16(room + 16), ETH_TYPE_IPV4);
		assert_int_equal(load_be16(room + 18), 0x0604);
		assert_int_equal(load_be16(room + 20), 2);
		assert_true(load_mac(room + 22) == KNOWN);
		assert_memory_equal(room + 28, known4, 4);
		assert_true(load_mac(room + 32) == ASKER);
		assert_memory_equal(room + 38, asker4, 4);
	}
	assert_int_equal(ask(t, 11, &q), 0);
	assert_int_equal(ask(t, 0, &q), 0);
	suppress_destroy(t);
}

/* RFC 4861 7.2.4, 4.4 */
static void answers_nd(void **state)
{
	struct suppress_table *t = make();
	const uint8_t *ip = room + 14;
	struct question q;

	for (uint16_t tag = 0; tag <= 10; tag += 10) {
		ask_nd(&q, tag, asker6, known6);
		assert_int_equal(ask(t, 10, &q), 14 + 40 + 32);
		assert_true(load_mac(room) == ASKER);
		assert_true(load_mac(room + 6) == KNOWN);
		assert_int_equal(load_be16(room + 12), ETH_TYPE_IPV6);
		assert_int_equal(load_be16(ip + 4), 32);
		assert_int_equal(load_be16(ip + 6), 58 << 8 | 255);
		assert_memory_equal(ip + 8, known6, 16);
		assert_memory_equal(ip + 24, asker6, 16);
		assert_int_equal(load_be16(ip + 40), 136 << 8);
		assert_int_equal(load_be32(ip + 44), 0x60000000);
		assert_memory_equal(ip + 48, known6, 16);
		assert_int_equal(load_be16(ip + 64), 0x0201);
		assert_true(load_mac(ip + 66) == KNOWN);
		assert_int_equal(
			csum_fold(csum_combine(csum_pseudo6(ip, 58, 32),
					       csum_add(0, ip + 40, 32))),
			0xffff);
	}
	/* A router says that it is one. */
	assert_int_equal(
		suppress_set(t, 10, known6, 16, KNOWN | SUPPRESS_ROUTER), 0);
	assert_int_equal(ask(t, 10, &q), 14 + 40 + 32);
	assert_int_equal(load_be32(ip + 44), 0xe0000000);
	assert_true(load_mac(ip + 66) == KNOWN);
	suppress_destroy(t);
}

static void leaves_other_arp_alone(void **state)
{
	static const uint8_t nobody[4];
	struct suppress_table *t = make();
	struct question q;
	uint8_t *arp;

	/* A probe, an announcement, a station's own address. */
	ask_arp(&q, 0, nobody, known4);
	assert_int_equal(ask(t, 10, &q), 0);
	ask_arp(&q, 0, known4, known4);
	assert_int_equal(ask(t, 10, &q), 0);
	assert_int_equal(suppress_set(t, 10, known4, 4, ASKER), 0);
	ask_arp(&q, 0, asker4, known4);
	assert_int_equal(ask(t, 10, &q), 0);
	assert_int_equal(suppress_set(t, 10, known4, 4, KNOWN), 0);
	/* A reply; another hardware; a sender that is not who sends. */
	arp = ask_arp(&q, 0, asker4, known4);
	store_be16(arp + 6, 2);
	assert_int_equal(ask(t, 10, &q), 0);
	arp = ask_arp(&q, 0, asker4, known4);
	store_be16(arp, 6);
	assert_int_equal(ask(t, 10, &q), 0);
	arp = ask_arp(&q, 0, asker4, known4);
	arp[13] = 0x77;
	assert_int_equal(ask(t, 10, &q), 0);
	/* Nobody that is known; not any more. */
	ask_arp(&q, 0, known4, asker4);
	assert_int_equal(ask(t, 10, &q), 0);
	assert_int_equal(suppress_set(t, 10, known4, 4, 0), 0);
	ask_arp(&q, 0, asker4, known4);
	assert_int_equal(ask(t, 10, &q), 0);
	suppress_destroy(t);
}

static void leaves_other_nd_alone(void **state)
{
	static const uint8_t nowhere[16];
	struct suppress_table *t = make();
	struct question q;
	uint8_t *ip;

	/* Duplicate address detection (RFC 4862 5.4.2). */
	ask_nd(&q, 0, nowhere, known6);
	assert_int_equal(ask(t, 10, &q), 0);
	ask_nd(&q, 0, known6, known6);
	assert_int_equal(ask(t, 10, &q), 0);
	/* It has been forwarded; its checksum is wrong; it is another. */
	ip = ask_nd(&q, 0, asker6, known6);
	ip[7] = 254;
	assert_int_equal(ask(t, 10, &q), 0);
	ip = ask_nd(&q, 0, asker6, known6);
	ip[42] ^= 1;
	assert_int_equal(ask(t, 10, &q), 0);
	for (unsigned type = 0; type < 256; type++) {
		ip = ask_nd(&q, 0, asker6, known6);
		ip[40] = type;
		finish_ns(&q, ip);
		assert_int_equal(ask(t, 10, &q) != 0, type == 135);
	}
	/* Options: of no length, too long, another's address, signed. */
	for (unsigned i = 0; i < 4; i++) {
		static const uint8_t option[4][2] = {
			{ 14, 0 }, { 14, 2 }, { 1, 1 }, { 12, 1 }
		};

		ip = ask_nd(&q, 0, asker6, known6);
		memcpy(ip + 64, option[i], 2);
		ip[71] ^= i == 2;
		finish_ns(&q, ip);
		assert_int_equal(ask(t, 10, &q), 0);
	}
	/* A nonce is fine (RFC 7527), and none at all. */
	ip = ask_nd(&q, 0, asker6, known6);
	ip[64] = 14;
	finish_ns(&q, ip);
	assert_true(ask(t, 10, &q));
	ip = ask_nd(&q, 0, asker6, known6);
	q.len -= 8;
	finish_ns(&q, ip);
	assert_true(ask(t, 10, &q));
	suppress_destroy(t);
}

/* Whatever the cut, and whatever the byte. */
static void broken_questions(void **state)
{
	struct suppress_table *t = make();
	struct question whole, q;

	for (unsigned kind = 0; kind < 2; kind++) {
		if (kind)
			ask_nd(&whole, 10, asker6, known6);
		else
			ask_arp(&whole, 10, asker4, known4);
		for (uint32_t len = 14; len < whole.len; len++) {
			q = whole;
			q.len = len;
			assert_int_equal(ask(t, 10, &q), 0);
		}
		for (uint32_t at = 0; at < whole.len; at++)
			for (unsigned bit = 0; bit < 8; bit++) {
				q = whole;
				q.data[at] ^= 1 << bit;
				(void)ask(t, 10, &q);
			}
	}
	suppress_destroy(t);
}

static uint8_t *address(unsigned i, unsigned len, uint8_t ip[16])
{
	memset(ip, 0, 16);
	store_be32(ip, 0x0a000000);
	store_be32(ip + len - 4, 0x0a000000 + i);
	return ip;
}

static uint64_t mac_of(unsigned i)
{
	return 0x020000100000ull + i;
}

/* What an answer says, 0: there is none. */
static uint64_t look(const struct suppress_table *t, uint16_t vid, unsigned i)
{
	struct question q;
	uint8_t ip[16];

	if (i % 2) {
		ask_nd(&q, 0, asker6, address(i, 16, ip));
		return ask(t, vid, &q) ? load_mac(room + 14 + 66) : 0;
	}
	ask_arp(&q, 0, asker4, address(i, 4, ip));
	return ask(t, vid, &q) ? load_mac(room + 22) : 0;
}

static int put(struct suppress_table *t, uint16_t vid, unsigned i, uint64_t mac)
{
	unsigned len = i % 2 ? 16 : 4;
	uint8_t ip[16];

	return suppress_set(t, vid, address(i, len, ip), len, mac);
}

/* Up to its size, by several seeds; and what goes makes room. */
static void holds_as_many_as_it_may(void **state)
{
	for (uint64_t seed = 0; seed < 4; seed++) {
		const unsigned max = 5000;
		struct suppress_table *t = suppress_create(max, seed);

		for (unsigned i = 0; i < max; i++)
			assert_int_equal(put(t, i % 3, i, mac_of(i)), 0);
		assert_int_equal(suppress_count(t), max);
		assert_int_equal(put(t, 0, max, mac_of(max)), -ENOSPC);
		assert_int_equal(put(t, 0, 0, mac_of(7)), 0);
		assert_int_equal(put(t, 0, 0, mac_of(0)), 0);
		for (unsigned i = 0; i < max; i++) {
			assert_true(look(t, i % 3, i) == mac_of(i));
			assert_true(look(t, i % 3 + 1, i) == 0);
		}
		for (unsigned i = 0; i < max; i += 3)
			assert_int_equal(put(t, i % 3, i, 0), 0);
		assert_int_equal(put(t, 0, 0, 0), 0);
		assert_int_equal(suppress_count(t), max - (max + 2) / 3);
		for (unsigned i = 0; i < max; i++)
			assert_true(look(t, i % 3, i) ==
				    (i % 3 ? mac_of(i) : 0));
		for (unsigned i = 0; i < max; i += 3)
			assert_int_equal(put(t, 4, i, mac_of(i)), 0);
		assert_int_equal(suppress_count(t), max);
		suppress_destroy(t);
	}
}

struct race {
	struct suppress_table *t;
	_Atomic bool stop;
	_Atomic unsigned n, wrong;
};

/* Sees the right MAC, or none. */
static void *reader(void *race_)
{
	struct race *race = race_;
	struct packet p[64];
	struct question q[64];
	uint8_t answer[SUPPRESS_FRAME_MAX], ip[16];

	for (unsigned i = 0; i < 64; i++) {
		ask_arp(&q[i], 0, asker4, address(2 * i, 4, ip));
		packet_init(&p[i], q[i].data, q[i].len);
		packet_pull_first(&p[i]);
	}
	while (!atomic_load(&race->stop)) {
		for (unsigned i = 0; i < 64; i++) {
			uint64_t mac;

			if (!suppress_answer(race->t, 0, &p[i], answer))
				continue;
			mac = load_mac(answer + 22);
			if (mac != mac_of(2 * i) && mac != mac_of(2 * i + 1))
				atomic_fetch_add(&race->wrong, 1);
		}
		atomic_fetch_add(&race->n, 1);
	}
	return NULL;
}

static void readers_and_a_writer(void **state)
{
	struct race race = { .t = suppress_create(64, 1) };
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, reader, &race), 0);
	for (unsigned round = 0; round < 3000 || !atomic_load(&race.n); round++)
		for (unsigned i = 0; i < 64; i++) {
			uint64_t mac =
				round % 3 ? mac_of(2 * i + round % 2) : 0;

			(void)put(race.t, 0, 2 * i, mac);
		}
	atomic_store(&race.stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(race.wrong, 0);
	suppress_destroy(race.t);
}

static uint64_t resident_kb(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long pages = 0;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%*u %lu", &pages), 1);
	fclose(file);
	return pages * sysconf(_SC_PAGESIZE) / 1024;
}

/* As many as there are VXLAN ports, with few entries each. */
static void memory_is_for_entries(void **state)
{
	struct suppress_table *tables[200];
	uint64_t before = resident_kb();

	for (unsigned i = 0; i < ARRAY_SIZE(tables); i++) {
		tables[i] = suppress_create(65536, i);
		assert_int_equal(put(tables[i], 0, 1, mac_of(1)), 0);
	}
	assert_true(resident_kb() < before + 100000);
	for (unsigned i = 0; i < ARRAY_SIZE(tables); i++)
		suppress_destroy(tables[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_arp),
		cmocka_unit_test(answers_nd),
		cmocka_unit_test(leaves_other_arp_alone),
		cmocka_unit_test(leaves_other_nd_alone),
		cmocka_unit_test(broken_questions),
		cmocka_unit_test(holds_as_many_as_it_may),
		cmocka_unit_test(readers_and_a_writer),
		cmocka_unit_test(memory_is_for_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
