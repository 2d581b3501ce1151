/*
 * Which bucket a frame has and which member it leaves by: the quick ways agree
 * with the plain one, flows stay together, buckets are used evenly, and what is
 * counted is what was sent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <netinet/in.h>

#include "bond/bond_table.h"
#include "packet/parse.h"
#include "tests/unit/frames.h"

#define N 256

/* --- frames ------------------------------------------------------------ */

struct flow {
	uint64_t src, dst;
	unsigned n_tags;
	uint16_t vid;
	int version; /* 0: not IP */
	unsigned ip_extra;
	uint8_t proto;
	uint32_t src_ip, dst_ip;
	uint16_t src_port, dst_port;
	uint16_t fragment; /* IPv4: flags and offset; IPv6: offset, more */
	bool has_fragment_header;
};

static uint8_t *put_tags(uint8_t *at, const struct flow *f)
{
	for (unsigned i = 0; i < f->n_tags; i++, at += 4) {
		store_be16(at, i + 1 < f->n_tags ? 0x88a8 : 0x8100);
		store_be16(at + 2, 0xe000 | (f->vid + i));
	}
	return at;
}

static uint8_t *put_ip4(uint8_t *at, const struct flow *f)
{
	store_be16(at, ETH_TYPE_IPV4);
	at += 2;
	at[0] = 0x40 | (5 + f->ip_extra / 4);
	store_be16(at + 6, f->fragment);
	at[8] = 64;
	at[9] = f->proto;
	store_be32(at + 12, f->src_ip);
	store_be32(at + 16, f->dst_ip);
	return at + 20 + f->ip_extra;
}

static uint8_t *put_ip6(uint8_t *at, const struct flow *f)
{
	store_be16(at, ETH_TYPE_IPV6);
	at += 2;
	at[0] = 0x60;
	at[6] = f->proto;
	store_be32(at + 8, 0xfd000000);
	store_be32(at + 20, f->src_ip);
	store_be32(at + 24, 0xfd000000);
	store_be32(at + 36, f->dst_ip);
	if (!f->has_fragment_header)
		return at + 40;
	at[6] = IPPROTO_FRAGMENT;
	at[40] = f->proto;
	store_be16(at + 42, f->fragment);
	return at + 48;
}

/* A frame of 128 bytes. */
static void build(uint8_t frame[128], const struct flow *f)
{
	uint8_t *at = frame + 12;

	memset(frame, 0, 128);
	store_be16(frame, f->dst >> 32);
	store_be32(frame + 2, f->dst);
	store_be16(frame + 6, f->src >> 32);
	store_be32(frame + 8, f->src);
	at = put_tags(at, f);
	if (!f->version) {
		store_be16(at, 0x0806);
		return;
	}
	at = f->version == 4 ? put_ip4(at, f) : put_ip6(at, f);
	store_be16(at, f->src_port);
	store_be16(at + 2, f->dst_port);
}

static const struct flow usual = {
	.src = 0x020000000001,
	.dst = 0x020000000002,
	.version = 4,
	.proto = IPPROTO_UDP,
	.src_ip = 0x0a000001,
	.dst_ip = 0x0a000002,
	.src_port = 1000,
	.dst_port = 53,
};

static struct bond_table table_of(enum bond_hash hash, unsigned n_members)
{
	struct bond_table t = { .hash = hash, .basis = 7 };

	for (unsigned i = 0; i < BOND_BUCKETS; i++)
		t.member[i] = i % n_members;
	bond_table_finish(&t);
	return t;
}

static unsigned bucket_of(enum bond_hash hash, const struct flow *f)
{
	struct bond_table t = table_of(hash, 2);
	uint8_t frame[128];
	struct packet p;

	build(frame, f);
	packet_init(&p, frame, sizeof(frame));
	packet_pull(&p, PACKET_PULL);
	return bond_table_bucket(&t, &p, 1);
}

/* The bucket of `usual` with some fields changed. */
#define BUCKET(hash, ...)                                                      \
	({                                                                     \
		struct flow f_ = usual;                                        \
		struct flow *f = &f_;                                          \
		__VA_ARGS__;                                                   \
		bucket_of(hash, f);                                            \
	})
#define L4(...)	 BUCKET(BOND_HASH_L4, __VA_ARGS__)
#define IP(...)	 BUCKET(BOND_HASH_IP, __VA_ARGS__)
#define SLB(...) BUCKET(BOND_HASH_SLB, __VA_ARGS__)

/* --- what counts -------------------------------------------------------- */

/* Of 64 values, changing something leaves few buckets as they were. */
#define assert_counts(hash, field)                                             \
	do {                                                                   \
		unsigned same_ = 0;                                            \
		for (unsigned i_ = 1; i_ <= 64; i_++)                          \
			same_ += BUCKET(hash, f->field += i_) == BUCKET(hash); \
		assert_true(same_ < 8);                                        \
	} while (0)
#define assert_does_not_count(hash, field)                                     \
	for (unsigned i_ = 1; i_ <= 64; i_++)                                  \
	assert_int_equal(BUCKET(hash, f->field += i_), BUCKET(hash))

static void each_hash_has_its_fields(void **state)
{
	(void)state;
	assert_counts(BOND_HASH_L4, src_ip);
	assert_counts(BOND_HASH_L4, dst_ip);
	assert_counts(BOND_HASH_L4, src_port);
	assert_counts(BOND_HASH_L4, dst_port);
	assert_int_not_equal(L4(f->proto = IPPROTO_TCP), L4());
	assert_does_not_count(BOND_HASH_L4, src);

	assert_counts(BOND_HASH_IP, src_ip);
	assert_counts(BOND_HASH_IP, dst_ip);
	assert_does_not_count(BOND_HASH_IP, src_port);

	assert_counts(BOND_HASH_SLB, src);
	assert_does_not_count(BOND_HASH_SLB, dst);
	assert_does_not_count(BOND_HASH_SLB, src_ip);
	assert_does_not_count(BOND_HASH_SLB, src_port);
}

static void a_vlan_counts_without_its_priority(void **state)
{
	unsigned differ = 0;

	(void)state;
	for (uint16_t vid = 1; vid < 65; vid++) {
		unsigned bucket = SLB(f->n_tags = 1, f->vid = vid);

		assert_int_equal(bucket, bond_hash_slb(usual.src, vid, 7));
		differ += bucket != SLB();
	}
	assert_true(differ > 56);
	assert_int_equal(SLB(), bond_hash_slb(usual.src, 0, 7));
	/* A priority tag is no VLAN. */
	assert_int_equal(SLB(f->n_tags = 1, f->vid = 0), SLB());
	/* A flow's members do not depend on its VLAN. */
	assert_int_equal(L4(f->n_tags = 1, f->vid = 5), L4());
	assert_int_equal(L4(f->n_tags = 2, f->vid = 5), L4());
}

static void without_ip_the_addresses_count(void **state)
{
	unsigned differ = 0;

	(void)state;
	for (unsigned i = 1; i <= 64; i++) {
		differ += L4(f->version = 0, f->dst += i) != L4(f->version = 0);
		differ += IP(f->version = 0, f->src += i) != IP(f->version = 0);
		differ += IP(f->version = 0, f->n_tags = 1, f->vid = i) !=
			  IP(f->version = 0);
	}
	assert_true(differ > 3 * 56);
}

static void fragments_go_where_the_first_went(void **state)
{
	const uint16_t more = 0x2000;
	unsigned first, apart = 0;

	(void)state;
	for (uint16_t port = 1; port < 65; port++) {
		first = L4(f->src_port = port, f->fragment = more);
		assert_int_equal(
			first, L4(f->src_port = 99, f->fragment = more | 185));
		assert_int_equal(first,
				 L4(f->proto = IPPROTO_TCP, f->fragment = 370));
		apart += first != L4(f->src_port = port);
		/* IPv6 */
		first = L4(f->version = 6, f->has_fragment_header = true,
			   f->src_port = port, f->fragment = 1);
		assert_int_equal(
			first, L4(f->version = 6, f->has_fragment_header = true,
				  f->src_port = 7, f->fragment = 1480));
	}
	assert_true(apart > 48);
}

static void options_change_nothing(void **state)
{
	(void)state;
	assert_int_equal(L4(f->ip_extra = 8), L4());
	assert_int_equal(L4(f->ip_extra = 8, f->n_tags = 1), L4());
}

static void ports_of_a_bridge_take_turns(void **state)
{
	struct bond_table t = table_of(BOND_HASH_PORT, 2);
	unsigned used[2] = { 0 };

	(void)state;
	for (uint16_t in = 1; in <= 10; in++)
		used[t.member[bond_table_bucket(&t, NULL, in)]]++;
	assert_int_equal(used[0], 5);
	assert_int_equal(used[1], 5);
}

/* --- evenness ----------------------------------------------------------- */

/* Most that any bucket has of 25,600 frames, which are 100 for each. */
#define assert_even(hash, ...)                                                 \
	do {                                                                   \
		unsigned n_[BOND_BUCKETS] = { 0 }, most_ = 0;                  \
		for (unsigned i = 0; i < 25600; i++) {                         \
			unsigned b_ = BUCKET(hash, __VA_ARGS__);               \
			n_[b_]++;                                              \
			most_ = MAX(most_, n_[b_]);                            \
		}                                                              \
		assert_in_range(most_, 100, 200);                              \
	} while (0)

static void buckets_are_used_evenly(void **state)
{
	(void)state;
	assert_even(BOND_HASH_SLB, f->src += i);
	assert_even(BOND_HASH_SLB, f->src += (uint64_t)i << 16);
	assert_even(BOND_HASH_SLB, f->src += i & 63, f->n_tags = 1,
		    f->vid = 1 + i / 64);
	assert_even(BOND_HASH_IP, f->src_ip += i);
	assert_even(BOND_HASH_IP, f->src_ip += i, f->dst_ip += i);
	assert_even(BOND_HASH_IP, f->version = 6, f->src_ip += i);
	assert_even(BOND_HASH_L4, f->src_port += i);
	assert_even(BOND_HASH_L4, f->src_port += i, f->dst_port += i);
	assert_even(BOND_HASH_L4, f->src_ip += i & 255, f->src_port += i / 256);
	assert_even(BOND_HASH_L4, f->version = 6, f->src_ip += i);
	assert_even(BOND_HASH_L4, f->version = 6, f->src_port += i);
}

static void the_basis_deals_anew(void **state)
{
	unsigned same = 0;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++)
		same += bond_hash_slb(0x020000000000 + i, 0, 1) ==
			bond_hash_slb(0x020000000000 + i, 0, 2);
	assert_true(same < 50);
}

/* --- the quick ways ------------------------------------------------------ */

static struct packet packets[N];
static struct packet *pointers[N];
static uint8_t frames[N][128];
static struct bond_rows rows;

static uint32_t pick(uint32_t *seed, uint32_t n)
{
	return next_random(seed) % n;
}

/* Mostly usual frames, of all kinds; some are cut short or scrambled. */
static void random_frame(uint32_t *seed, unsigned i, int version)
{
	struct flow f = usual;
	uint32_t len = 128;

	f.src += pick(seed, 1000);
	f.src_ip += pick(seed, 1000);
	f.dst_ip += pick(seed, 1000);
	f.src_port += pick(seed, 1000);
	f.version = pick(seed, 8) ? version : (int)pick(seed, 3) * 3;
	f.n_tags = pick(seed, 8) ? (unsigned)version / 5 : pick(seed, 4);
	f.vid = pick(seed, 100);
	f.proto =
		(const uint8_t[]){ 17, 6, 6, 17, 17, 6, 1, 132 }[pick(seed, 8)];
	if (!pick(seed, 10))
		f.fragment = pick(seed, 3) * 0x2000 + pick(seed, 2) * 64;
	f.has_fragment_header = f.fragment;
	if (!pick(seed, 10))
		f.ip_extra = 4 * pick(seed, 4);
	build(frames[i], &f);
	if (!pick(seed, 10))
		frames[i][12 + pick(seed, 12)] = pick(seed, 256);
	if (!pick(seed, 10))
		len = 18 + pick(seed, 56); /* tags are whole */
	/* What lies behind a header is never what the frame before left. */
	memset(&packets[i], (int)pick(seed, 256), sizeof(packets[i]));
	packet_init(&packets[i], frames[i], len);
	packet_pull(&packets[i], PACKET_PULL);
	if (!pick(seed, 16))
		assert_true(packet_vlan_push(&packets[i], 0x8100, 9));
	pointers[i] = &packets[i];
}

/* Every packet is in its member's share, once, and in order. */
static void check_shares(const struct bond_table *t, unsigned n,
			 unsigned n_shares)
{
	unsigned at[BOND_MEMBERS_MAX + 2] = { 0 }, total = 0;

	for (unsigned i = 0; i < n_shares; i++) {
		assert_true(rows.shares[i].n > 0);
		total += rows.shares[i].n;
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(rows.shares[i].member,
					     rows.shares[k].member);
	}
	assert_int_equal(total, n);
	for (unsigned i = 0; i < n; i++) {
		uint8_t m = t->member[bond_table_bucket(t, pointers[i], 1)];
		unsigned s = 0;

		while (s < n_shares && rows.shares[s].member != m)
			s++;
		assert_true(s < n_shares);
		assert_true(at[s] < rows.shares[s].n);
		assert_ptr_equal(rows.shares[s].packets[at[s]++], pointers[i]);
	}
}

static void bursts_are_shared_as_one_by_one(void **state)
{
	static const enum bond_hash hashes[] = { BOND_HASH_SLB, BOND_HASH_L4,
						 BOND_HASH_IP };
	static const unsigned members[] = { 1, 2, 3, 32 };
	uint32_t seed = 1;

	(void)state;
	for (unsigned round = 0; round < 3000; round++) {
		struct bond_table t =
			table_of(hashes[round % 3], members[pick(&seed, 4)]);
		unsigned n = 1 + pick(&seed, round % 10 ? 40 : N);
		int version = pick(&seed, 2) ? 4 : 6;

		t.basis = next_random(&seed);
		if (!pick(&seed, 4)) { /* some of no member */
			t.member[pick(&seed, BOND_BUCKETS)] = BOND_NO_MEMBER;
			bond_table_finish(&t);
		}
		for (unsigned i = 0; i < n; i++)
			random_frame(&seed, i, version);
		check_shares(&t, n,
			     bond_table_share(&t, pointers, n, 1, 0, &rows));
	}
}

static void one_member_needs_no_rows(void **state)
{
	struct bond_table t = { .hash = BOND_HASH_NONE, .active = 3 };
	uint32_t seed = 1;

	(void)state;
	random_frame(&seed, 0, 4);
	random_frame(&seed, 1, 4);
	assert_int_equal(bond_table_share(&t, pointers, 2, 1, 0, &rows), 1);
	assert_ptr_equal(rows.shares[0].packets, pointers);
	assert_int_equal(rows.shares[0].n, 2);
	assert_int_equal(rows.shares[0].member, 3);
	t = table_of(BOND_HASH_PORT, 2);
	assert_int_equal(bond_table_share(&t, pointers, 2, 1, 0, &rows), 1);
	assert_ptr_equal(rows.shares[0].packets, pointers);
}

/* --- load --------------------------------------------------------------- */

static uint64_t counted(const struct bond_load *load)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < BOND_BUCKETS; i++)
		sum += atomic_load(&load->bytes[i]);
	return sum;
}

/* Sends bursts of n frames; returns the bytes that were sent in all. */
static uint64_t send_bursts(struct bond_table *t, unsigned n, unsigned bursts)
{
	uint64_t sent = 0;
	uint32_t seed = 5;

	for (unsigned i = 0; i < n; i++) {
		struct flow f = usual;

		f.src_port += i;
		f.src += i;
		build(frames[i], &f);
		packet_init(&packets[i], frames[i], 64 + i);
		packet_pull(&packets[i], PACKET_PULL);
		pointers[i] = &packets[i];
	}
	for (unsigned b = 0; b < bursts; b++) {
		unsigned some = n - pick(&seed, n / 4 + 1);

		bond_table_share(t, pointers, some, 1, 1, &rows);
		for (unsigned i = 0; i < some; i++)
			sent += packets[i].len;
	}
	return sent;
}

static void load_is_what_was_sent(void **state)
{
	static const enum bond_hash hashes[] = { BOND_HASH_SLB, BOND_HASH_L4,
						 BOND_HASH_PORT };

	(void)state;
	for (unsigned h = 0; h < 3; h++) {
		struct bond_load *load = xcalloc_aligned(2, sizeof(*load));
		struct bond_load *loads[] = { &load[0], &load[1] };
		struct bond_table t = table_of(hashes[h], 2);
		uint64_t sent, before;

		t.loads = loads;
		t.n_loads = 2;
		sent = send_bursts(&t, 8, 100); /* small ones: exactly */
		assert_int_equal(counted(&load[1]), sent);
		assert_int_equal(counted(&load[0]), 0);
		before = counted(&load[1]);
		sent = send_bursts(&t, 64, 20000); /* large ones: in the mean */
		assert_in_range(counted(&load[1]) - before, sent - sent / 20,
				sent + sent / 20);
		t.n_loads = 1; /* a thread without a place is not counted */
		before = counted(&load[1]);
		send_bursts(&t, 8, 10);
		assert_int_equal(counted(&load[1]), before);
		free(load);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_hash_has_its_fields),
		cmocka_unit_test(a_vlan_counts_without_its_priority),
		cmocka_unit_test(without_ip_the_addresses_count),
		cmocka_unit_test(fragments_go_where_the_first_went),
		cmocka_unit_test(options_change_nothing),
		cmocka_unit_test(ports_of_a_bridge_take_turns),
		cmocka_unit_test(buckets_are_used_evenly),
		cmocka_unit_test(the_basis_deals_anew),
		cmocka_unit_test(bursts_are_shared_as_one_by_one),
		cmocka_unit_test(one_member_needs_no_rows),
		cmocka_unit_test(load_is_what_was_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
