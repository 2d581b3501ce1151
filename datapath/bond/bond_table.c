/*
 * From a burst of packets to the members that they leave by.
 *
 * Load is measured by samples: of one in 8 of the larger bursts, at random, one
 * packet, at random, is counted for all of them; smaller bursts are all
 * counted. So the bytes of a bucket are right in the mean whatever the traffic,
 * and a member's within a percent where there is so much of it that it matters;
 * and counting costs next to nothing.
 */
#include "bond/bond_hash.h"

/* Bursts, one of how many; smaller ones than so many packets are all counted.
 */
#define SAMPLE_ONE_IN  8
#define SAMPLE_N_LEAST 16

unsigned bond_table_bucket(const struct bond_table *table,
			   const struct packet *p, uint16_t in)
{
	switch (table->hash) {
	case BOND_HASH_NONE:
		return 0;
	case BOND_HASH_PORT:
		/* Numbers in a row: none has more ports than another. */
		return (in + table->basis) % BOND_BUCKETS;
	default:
		return bond_hash_packet(table->hash, table->basis, p);
	}
}

/* --- load -------------------------------------------------------------- */

static uint32_t next_random(struct bond_load *load)
{
	uint32_t x = load->random ? load->random : 1;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	load->random = x;
	return x;
}

/* Whether a larger burst is one that counts. */
static inline bool is_sample(struct bond_load *load)
{
	if (likely(load->gap--))
		return false;
	load->gap = next_random(load) % (2 * SAMPLE_ONE_IN - 1);
	return true;
}

static struct bond_load *load_of(const struct bond_table *table,
				 unsigned thread)
{
	return table->loads && thread < table->n_loads ? table->loads[thread]
						       : NULL;
}

static void count_bytes(struct bond_load *load, unsigned bucket, uint64_t bytes)
{
	counter_add(&load->bytes[bucket], bytes);
}

/* One packet of a larger burst stands for SAMPLE_ONE_IN such bursts. */
static __attribute__((noinline)) void count_sample(
	const struct bond_table *table, struct packet *const packets[],
	unsigned n, uint16_t in, struct bond_load *load)
{
	const struct packet *p = packets[next_random(load) % n];

	count_bytes(load, bond_table_bucket(table, p, in),
		    (uint64_t)p->len * n * SAMPLE_ONE_IN);
}

static __attribute__((noinline)) void count_all(const struct bond_table *table,
						struct packet *const packets[],
						unsigned n, uint16_t in,
						struct bond_load *load)
{
	for (unsigned i = 0; i < n; i++)
		count_bytes(load, bond_table_bucket(table, packets[i], in),
			    packets[i]->len);
}

/* --- members ----------------------------------------------------------- */

static bool has_avx2;

static __attribute__((constructor)) void look_at_processor(void)
{
	has_avx2 = bond_hash_has_avx2();
}

/* No packet needs to be looked at. */
static unsigned share_to_one(const struct bond_table *table,
			     struct packet *const packets[], unsigned n,
			     struct bond_rows *rows)
{
	rows->shares[0] = (struct bond_share){ packets, n, table->members[0] };
	return 1;
}

/* The row of a member's packets; a new one if it has none yet. */
static unsigned find_row(struct bond_table *table, uint8_t member)
{
	unsigned row = 0;

	if (member >= BOND_MEMBERS_MAX)
		member = BOND_NO_MEMBER;
	while (row < table->n_rows && table->members[row] != member)
		row++;
	if (row == table->n_rows)
		table->members[table->n_rows++] = member;
	return row;
}

static void find_rows(struct bond_table *table)
{
	table->n_rows = 0;
	memset(table->second, 0, sizeof(table->second));
	for (unsigned i = 0; i < BOND_BUCKETS; i++) {
		unsigned row = find_row(table, table->member[i]);

		table->row[i] = row;
		if (row == 1)
			table->second[i % 8] |= 0x80000000u >> i / 8;
	}
}

void bond_table_finish(struct bond_table *table)
{
	table->quick = NULL;
	for (unsigned i = 0; i < ARRAY_SIZE(table->factor_lanes); i++)
		table->factor_lanes[i] = bond_factor(table->basis);
	find_rows(table);
	if (table->n_rows == 1)
		table->quick = share_to_one;
	else if (table->n_rows == 2 && has_avx2)
		table->quick = bond_hash_find_two_avx2(table->hash);
}

static void note_buckets(const struct bond_table *table,
			 struct packet *const packets[], unsigned n,
			 struct bond_rows *rows)
{
	unsigned i = 0;

	if (likely(has_avx2))
		i = bond_hash_note_avx2(table, packets, n, rows);
	for (; i < n; i++)
		rows->buckets[i] =
			bond_hash_packet(table->hash, table->basis, packets[i]);
}

/* Among any number of members; and counts, if load is not NULL. */
static __attribute__((noinline)) unsigned share_any(
	const struct bond_table *table, struct packet *const packets[],
	unsigned n, struct bond_rows *rows, struct bond_load *load)
{
	struct packet **ends[BOND_MEMBERS_MAX + 1];
	unsigned n_shares = 0;

	note_buckets(table, packets, n, rows);
	for (unsigned i = 0; i < table->n_rows; i++)
		ends[i] = rows->packets[i];
	for (unsigned i = 0; i < n; i++)
		*ends[table->row[rows->buckets[i]]]++ = packets[i];
	for (unsigned i = 0; i < table->n_rows; i++) {
		struct packet **row = rows->packets[i];
		unsigned some = ends[i] - row;

		rows->shares[n_shares] =
			(struct bond_share){ row, some, table->members[i] };
		n_shares += some != 0;
	}
	for (unsigned i = 0; load && i < n; i++)
		count_bytes(load, rows->buckets[i], packets[i]->len);
	return n_shares;
}

static inline unsigned share_by_hash(const struct bond_table *table,
				     struct packet *const packets[], unsigned n,
				     struct bond_rows *rows)
{
	if (likely(table->quick))
		return table->quick(table, packets, n, rows);
	return share_any(table, packets, n, rows, NULL);
}

static __attribute__((noinline)) unsigned sample_and_share(
	const struct bond_table *table, struct packet *const packets[],
	unsigned n, struct bond_rows *rows, struct bond_load *load)
{
	count_sample(table, packets, n, 0, load);
	return share_by_hash(table, packets, n, rows);
}

/* All packets go the same way. */
static __attribute__((noinline)) unsigned share_whole(
	const struct bond_table *table, struct packet *const packets[],
	unsigned n, struct bond_rows *rows, uint16_t in, unsigned thread)
{
	struct bond_load *load;

	rows->shares[0] = (struct bond_share){ packets, n, table->active };
	if (table->hash == BOND_HASH_NONE)
		return 1;
	rows->shares[0].member =
		table->member[bond_table_bucket(table, NULL, in)];
	load = load_of(table, thread);
	if (!load)
		return 1;
	if (n < SAMPLE_N_LEAST)
		count_all(table, packets, n, in, load);
	else if (unlikely(is_sample(load)))
		count_sample(table, packets, n, in, load);
	return 1;
}

unsigned bond_table_share(const struct bond_table *table,
			  struct packet *const packets[], unsigned n,
			  struct bond_rows *rows, uint16_t in, unsigned thread)
{
	struct bond_load *load;

	if (table->hash == BOND_HASH_NONE || table->hash == BOND_HASH_PORT)
		return share_whole(table, packets, n, rows, in, thread);
	load = load_of(table, thread);
	if (load) {
		if (n < SAMPLE_N_LEAST)
			return share_any(table, packets, n, rows, load);
		if (unlikely(is_sample(load)))
			return sample_and_share(table, packets, n, rows, load);
	}
	return share_by_hash(table, packets, n, rows);
}
