/*
 * Which member of a bond a packet leaves by. A table is made by bond.h for each
 * change, is immutable, and goes with a forwarding snapshot; only the load that
 * it counts lives longer.
 *
 * A balancing bond hashes each packet to one of 256 buckets, and each bucket
 * belongs to a member: so a flow stays with its member, and rebalancing moves
 * buckets.
 */
#ifndef BOND_BOND_TABLE_H
#define BOND_BOND_TABLE_H

#include <stdatomic.h>

#include "packet/packet.h"
#include "port/port.h"

#define BOND_BUCKETS	 256
#define BOND_MEMBERS_MAX 32
#define BOND_NO_MEMBER	 0xff

enum bond_hash {
	BOND_HASH_NONE, /* all by the active member */
	BOND_HASH_SLB,	/* source MAC and VLAN */
	BOND_HASH_L4,	/* IP addresses, protocol, ports, */
	BOND_HASH_IP,	/* IP addresses; */
			/* both: MACs and VLAN where there are none */
	BOND_HASH_PORT, /* the port of the bridge that it came from */
};

/*
 * Bytes sent by bucket, by samples (bond_table.c): right in the mean. One
 * thread writes its own, relaxed. Begins as zeros.
 */
struct bond_load {
	_Atomic uint64_t bytes[BOND_BUCKETS];
	uint32_t random, gap; /* the thread's: what is sampled next */
} CACHE_ALIGNED;

struct bond_table;
struct bond_rows;

/* What bond_table_share() does, but for counting. */
typedef unsigned bond_share_fn(const struct bond_table *table,
			       struct packet *const packets[], unsigned n,
			       struct bond_rows *rows);

struct bond_table {
	enum bond_hash hash;
	uint32_t basis;		      /* other_config:bond-hash-basis */
	uint8_t active;		      /* member, or BOND_NO_MEMBER */
	uint8_t member[BOND_BUCKETS]; /* of each bucket */
	/*
	 * bond_table_finish()'s. Members that have buckets have a row each;
	 * of each bucket, its member's; of each row, the member.
	 */
	uint8_t row[BOND_BUCKETS];
	uint8_t members[BOND_MEMBERS_MAX + 1];
	uint8_t n_rows;
	bond_share_fn *quick; /* NULL: there is none for so many rows */
	/* Whether bucket b has row 1: in word b % 8, bit 31 - b / 8. */
	uint32_t second[8];
	uint32_t factor_lanes[8]; /* eight times what the basis leads to */
	/* By thread, n_loads of them; they outlive the table. 0: not counted.
	 */
	struct bond_load *const *loads;
	unsigned n_loads;
};

/* When all else is filled in, and before anything is shared out by it. */
void bond_table_finish(struct bond_table *table);

/*
 * The bucket of a packet with its tag as it leaves the switch. in: the number
 * of the port that it came from. Headers are pulled.
 */
unsigned bond_table_bucket(const struct bond_table *table,
			   const struct packet *p, uint16_t in);
/* The same for bond/hash: source address and VLAN alone. */
unsigned bond_hash_slb(uint64_t mac, uint16_t vid, uint32_t basis);

/* Packets that leave by one member, in the order in which they came. */
struct bond_share {
	struct packet *const *packets;
	unsigned n;	/* not 0 */
	uint8_t member; /* or BOND_NO_MEMBER: by none */
};

/* Scratch memory of one thread. */
#define BOND_ROW_MAX (PACKET_BURST_MAX + 8)
struct bond_rows {
	struct packet *packets[BOND_MEMBERS_MAX + 1][BOND_ROW_MAX];
	struct bond_share shares[BOND_MEMBERS_MAX + 1];
	uint8_t buckets[PACKET_BURST_MAX];
	/* bond_hash_avx2.c's */
	unsigned done; /* packets */
	struct packet **ends[2];
	uint32_t lanes[8] CACHE_ALIGNED;
	uint32_t misfits[8];
};

/*
 * Any thread that forwards. Shares out n packets (1 to PACKET_BURST_MAX, of one
 * array, pulled) that all came from one port, and counts their load. Returns
 * how many members get some: rows->shares says which and what.
 */
unsigned bond_table_share(const struct bond_table *table,
			  struct packet *const packets[], unsigned n,
			  struct bond_rows *rows, uint16_t in, unsigned thread);

#endif
