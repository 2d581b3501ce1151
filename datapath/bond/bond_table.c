/*
 * From a burst of packets to the members that they leave by.
 *
 * Load is measured by samples: of the larger bursts one in 16 is counted,
 * at random and 16 times, smaller ones are all counted. So the bytes of a
 * bucket are right in the mean whatever the traffic, and within a percent where
 * there is so much of it that it matters; and counting costs next to nothing.
 */
#include "bond/bond_hash.h"

/* Bursts, one of how many; smaller ones than so many packets are all counted.
 */
#define SAMPLE_ONE_IN  16
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

/* Bursts until the next one that is counted: 16 in the mean. */
static unsigned next_gap(struct bond_load *load)
{
	uint32_t x = load->random ? load->random : 1;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	load->random = x;
	return 1 + x % (2 * SAMPLE_ONE_IN - 1);
}

/* How often a burst of n packets counts. */
static inline unsigned weight_of(struct bond_load *load, unsigned n)
{
	if (!load)
		return 0;
	if (n < SAMPLE_N_LEAST)
		return 1;
	if (load->gap && --load->gap)
		return 0;
	load->gap = next_gap(load);
	return SAMPLE_ONE_IN;
}

static struct bond_load *load_of(const struct bond_table *table,
				 unsigned thread)
{
	return table->loads && thread < table->n_loads ? table->loads[thread]
						       : NULL;
}

static void count_bytes(struct bond_load *load, unsigned bucket, uint64_t bytes,
			unsigned weight)
{
	counter_add(&load->bytes[bucket], bytes * weight);
}

static __attribute__((noinline)) void count_all(struct bond_load *load,
						struct packet *const packets[],
						unsigned n, unsigned bucket,
						unsigned weight)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++)
		bytes += packets[i]->len;
	count_bytes(load, bucket, bytes, weight);
}

/* --- members ----------------------------------------------------------- */

static bool has_avx2;

static __attribute__((constructor)) void look_at_processor(void)
{
	has_avx2 = bond_hash_has_avx2();
}

void bond_table_finish(struct bond_table *table)
{
	uint8_t *two = table->two;
	unsigned n = 1;

	two[0] = two[1] = table->member[0];
	for (unsigned i = 0; i < BOND_BUCKETS; i++) {
		uint8_t m = table->member[i];

		if (n == 1 && m != two[0])
			two[n++] = m;
		else if (m != two[0] && m != two[1])
			n = 3;
		table->which[i] = m == two[0] ? 0 : 0x80;
	}
	table->has_two = n == 2;
}

/* All packets go the same way. */
static unsigned share_whole(const struct bond_table *table,
			    struct packet *const packets[], unsigned n,
			    uint16_t in, unsigned thread,
			    struct bond_rows *rows)
{
	struct bond_load *load;
	unsigned bucket, weight;

	rows->shares[0] = (struct bond_share){ packets, n, table->active };
	if (table->hash == BOND_HASH_NONE)
		return 1;
	bucket = bond_table_bucket(table, NULL, in);
	rows->shares[0].member = table->member[bucket];
	load = load_of(table, thread);
	weight = weight_of(load, n);
	if (weight)
		count_all(load, packets, n, bucket, weight);
	return 1;
}

/* Where a bucket's packets go. */
static inline unsigned row_of(const struct bond_table *table, unsigned bucket)
{
	if (table->has_two)
		return table->which[bucket] >> 7;
	return bond_row_of(table->member[bucket]);
}

/* Those that are not done by eights, or all. */
static void share_one_by_one(const struct bond_table *table,
			     struct packet *const packets[], unsigned n,
			     struct bond_rows *rows, uint8_t buckets[],
			     unsigned i)
{
	for (; i < n; i++) {
		unsigned bucket =
			bond_hash_packet(table->hash, table->basis, packets[i]);

		*rows->ends[row_of(table, bucket)]++ = packets[i];
		if (buckets)
			buckets[i] = bucket;
	}
}

static inline void share_rows(const struct bond_table *table,
			      struct packet *const packets[], unsigned n,
			      struct bond_rows *rows, uint8_t buckets[])
{
	unsigned done = 0;

	if (likely(has_avx2))
		done = bond_hash_share_avx2(table, packets, n, rows, buckets);
	if (unlikely(done < n))
		share_one_by_one(table, packets, n, rows, buckets, done);
}

static __attribute__((noinline)) void share_counted(
	const struct bond_table *table, struct packet *const packets[],
	unsigned n, struct bond_rows *rows, struct bond_load *load,
	unsigned weight)
{
	share_rows(table, packets, n, rows, rows->buckets);
	for (unsigned i = 0; i < n; i++)
		count_bytes(load, rows->buckets[i], packets[i]->len, weight);
}

/* Adds the row to the shares if there is anything in it. */
static inline unsigned take_row(struct bond_rows *rows, unsigned n_shares,
				unsigned row, uint8_t member)
{
	struct packet **packets = rows->packets[row];
	unsigned n = rows->ends[row] - packets;

	rows->shares[n_shares] = (struct bond_share){ packets, n, member };
	return n_shares + (n != 0);
}

static void share_by_hash(const struct bond_table *table,
			  struct packet *const packets[], unsigned n,
			  unsigned thread, struct bond_rows *rows)
{
	struct bond_load *load = load_of(table, thread);
	unsigned weight = weight_of(load, n);

	if (unlikely(weight))
		share_counted(table, packets, n, rows, load, weight);
	else
		share_rows(table, packets, n, rows, NULL);
}

static __attribute__((noinline)) unsigned share_among_many(
	const struct bond_table *table, struct packet *const packets[],
	unsigned n, unsigned thread, struct bond_rows *rows)
{
	unsigned n_shares = 0;

	for (unsigned i = 0; i <= BOND_MEMBERS_MAX; i++)
		rows->ends[i] = rows->packets[i];
	share_by_hash(table, packets, n, thread, rows);
	for (unsigned i = 0; i < BOND_MEMBERS_MAX; i++)
		n_shares = take_row(rows, n_shares, i, i);
	return take_row(rows, n_shares, BOND_MEMBERS_MAX, BOND_NO_MEMBER);
}

unsigned bond_table_share(const struct bond_table *table,
			  struct packet *const packets[], unsigned n,
			  uint16_t in, unsigned thread, struct bond_rows *rows)
{
	if (table->hash == BOND_HASH_NONE || table->hash == BOND_HASH_PORT)
		return share_whole(table, packets, n, in, thread, rows);
	if (unlikely(!table->has_two))
		return share_among_many(table, packets, n, thread, rows);
	rows->ends[0] = rows->packets[0];
	rows->ends[1] = rows->packets[1];
	share_by_hash(table, packets, n, thread, rows);
	n = take_row(rows, 0, 0, table->two[0]);
	return take_row(rows, n, 1, table->two[1]);
}
