/*
 * Which bucket a frame has: what counts and what does not, flows stay together,
 * and buckets are used evenly.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/bond_frames.h"

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

/* Of IP addresses alone: whatever else the packet is. */
static void an_ip_hash_takes_addresses_alone(void **state)
{
	static const uint8_t protos[] = { 1, 2, 6, 17, 47, 50, 58, 132 };
	const uint16_t more = 0x2000;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(protos); i++) {
		uint8_t proto = protos[i];

		assert_int_equal(IP(f->proto = proto), IP());
		assert_int_equal(IP(f->proto = proto, f->fragment = more),
				 IP());
		assert_int_equal(IP(f->proto = proto, f->fragment = 185), IP());
		assert_int_equal(IP(f->proto = proto, f->n_tags = 1), IP());
	}
	assert_int_equal(IP(f->ip_extra = 8), IP());
	assert_int_equal(IP(f->version = 6, f->proto = 58), IP(f->version = 6));
	assert_int_equal(IP(f->version = 6, f->has_fragment_header = true,
			    f->fragment = 1480),
			 IP(f->version = 6));
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
	assert_even(BOND_HASH_IP, f->src_ip += i & 255,
		    f->dst_ip += i / 256 << 8);
	assert_even(BOND_HASH_IP, f->version = 6, f->src_ip += i,
		    f->dst_ip += i);
	assert_even(BOND_HASH_L4, f->src_ip += i, f->dst_ip += i);
	assert_even(BOND_HASH_L4, f->src_ip += i & 255, f->src_port += i / 256,
		    f->dst_port += i & 255);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_hash_has_its_fields),
		cmocka_unit_test(a_vlan_counts_without_its_priority),
		cmocka_unit_test(without_ip_the_addresses_count),
		cmocka_unit_test(fragments_go_where_the_first_went),
		cmocka_unit_test(an_ip_hash_takes_addresses_alone),
		cmocka_unit_test(options_change_nothing),
		cmocka_unit_test(ports_of_a_bridge_take_turns),
		cmocka_unit_test(buckets_are_used_evenly),
		cmocka_unit_test(the_basis_deals_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
