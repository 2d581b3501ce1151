/*
 * Which member a burst's packets leave by: the quick ways agree with the plain
 * one, wherever packets lie and whatever is among them, and what is counted is
 * what was sent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "tests/unit/bond_frames.h"

#define N 256

/* The thread sanitizer ends programs that map memory where it keeps its own. */
#if defined(__SANITIZE_THREAD__)
#define PLACES_ARE_FREE 0
#elif defined(__has_feature)
#define PLACES_ARE_FREE !__has_feature(thread_sanitizer)
#else
#define PLACES_ARE_FREE 1
#endif

/* --- the quick ways ------------------------------------------------------ */

static struct packet own_packets[N], *packets = own_packets;
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
	static const unsigned members[] = { 1, 2, 2, 3, 4, 32 };
	uint32_t seed = 1;

	(void)state;
	for (unsigned round = 0; round < 3000; round++) {
		struct bond_table t =
			table_of(hashes[round % 3], members[pick(&seed, 6)]);
		unsigned n = 1 + pick(&seed, round % 10 ? 40 : N);
		int version = pick(&seed, 2) ? 4 : 6;

		t.basis = next_random(&seed);
		if (!pick(&seed, 4)) { /* some of no member */
			t.member[pick(&seed, BOND_BUCKETS)] = BOND_NO_MEMBER;
		}
		bond_table_finish(&t);
		for (unsigned i = 0; i < n; i++)
			random_frame(&seed, i, version);
		check_shares(&t, n,
			     bond_table_share(&t, pointers, n, &rows, 1, 0));
	}
}

/* Some of a burst leave by other ports: what is left lies apart. */
static void some_of_an_array_are_shared_as_all(void **state)
{
	uint32_t seed = 2;

	(void)state;
	for (unsigned round = 0; round < 1000; round++) {
		struct bond_table t =
			table_of(round % 2 ? BOND_HASH_L4 : BOND_HASH_SLB,
				 2 + round % 3);
		unsigned n = 0;

		for (unsigned i = 0; i < 64; i++) {
			random_frame(&seed, i, round % 4 < 2 ? 4 : 6);
			if (pick(&seed, 3))
				pointers[n++] = &packets[i];
		}
		check_shares(&t, n,
			     bond_table_share(&t, pointers, n, &rows, 1, 0));
	}
}

/* A misfit at each place of a group, and bursts of each length. */
static void a_misfit_may_be_anywhere(void **state)
{
	static const enum bond_hash hashes[] = { BOND_HASH_L4, BOND_HASH_IP };
	uint32_t seed = 3;

	(void)state;
	for (unsigned round = 0; round < 2 * 40 * 40; round++) {
		struct bond_table t = table_of(hashes[round % 2], 2);
		unsigned n = 1 + round / 2 % 40, odd = round / 80;

		for (unsigned i = 0; i < n; i++) {
			struct flow f = usual;

			f.src_ip += i;
			f.version = i == odd ? 0 : 4;
			build(frames[i], &f);
			packet_init(&packets[i], frames[i], 128);
			packet_pull(&packets[i], PACKET_PULL);
			pointers[i] = &packets[i];
		}
		t.basis = next_random(&seed);
		bond_table_finish(&t);
		check_shares(&t, n,
			     bond_table_share(&t, pointers, n, &rows, 1, 0));
	}
}

/* Where low halves of addresses change their sign, and where they wrap. */
static void packets_may_lie_anywhere(void **state)
{
	static const uint64_t places[] = { 0x123480000000, 0x123500000000 };
	const size_t size = 0x40000;
	uint32_t seed = 4;

	(void)state;
	if (!PLACES_ARE_FREE)
		skip();
	for (unsigned i = 0; i < 2 * 3; i++) {
		uint64_t from = places[i % 2] - size / 2;
		void *at = mmap(
			(void *)(uintptr_t)from, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
			0);
		struct bond_table t = table_of(BOND_HASH_L4, 2 + i / 2);

		if (at == MAP_FAILED)
			skip(); /* somebody else is there */
		packets = (struct packet *)(uintptr_t)(from + size / 2 -
						       96 * sizeof(*packets));
		for (unsigned k = 0; k < N; k++)
			random_frame(&seed, k, 4);
		check_shares(&t, N,
			     bond_table_share(&t, pointers, N, &rows, 1, 0));
		packets = own_packets;
		munmap(at, size);
	}
}

static void one_member_needs_no_rows(void **state)
{
	struct bond_table t = { .hash = BOND_HASH_NONE, .active = 3 };
	uint32_t seed = 1;

	(void)state;
	random_frame(&seed, 0, 4);
	random_frame(&seed, 1, 4);
	assert_int_equal(bond_table_share(&t, pointers, 2, &rows, 1, 0), 1);
	assert_ptr_equal(rows.shares[0].packets, pointers);
	assert_int_equal(rows.shares[0].n, 2);
	assert_int_equal(rows.shares[0].member, 3);
	t = table_of(BOND_HASH_L4, 1); /* nothing is hashed */
	assert_int_equal(bond_table_share(&t, pointers, 2, &rows, 1, 0), 1);
	assert_ptr_equal(rows.shares[0].packets, pointers);
	t = table_of(BOND_HASH_PORT, 2);
	assert_int_equal(bond_table_share(&t, pointers, 2, &rows, 1, 0), 1);
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

		bond_table_share(t, pointers, some, &rows, 1, 1);
		for (unsigned i = 0; i < some; i++)
			sent += packets[i].len;
	}
	return sent;
}

static void load_is_what_was_sent(void **state)
{
	static const enum bond_hash hashes[] = { BOND_HASH_SLB, BOND_HASH_L4,
						 BOND_HASH_IP, BOND_HASH_PORT };

	(void)state;
	for (unsigned h = 0; h < ARRAY_SIZE(hashes); h++) {
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
		cmocka_unit_test(bursts_are_shared_as_one_by_one),
		cmocka_unit_test(some_of_an_array_are_shared_as_all),
		cmocka_unit_test(a_misfit_may_be_anywhere),
		cmocka_unit_test(packets_may_lie_anywhere),
		cmocka_unit_test(one_member_needs_no_rows),
		cmocka_unit_test(load_is_what_was_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
