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
	BOND_HASH_L4,	/* MACs, VLAN, IP addresses, protocol, ports */
	BOND_HASH_IP,	/* IP addresses; MACs where there are none */
	BOND_HASH_PORT, /* the port of the bridge that it came from */
};

/* Bytes sent by bucket; one thread writes its own, relaxed. */
struct bond_load {
	_Atomic uint64_t bytes[BOND_BUCKETS];
} CACHE_ALIGNED;

struct bond_table {
	enum bond_hash hash;
	uint32_t basis;		      /* other_config:bond-hash-basis */
	uint8_t active;		      /* member, or BOND_NO_MEMBER */
	uint8_t member[BOND_BUCKETS]; /* of each bucket */
	/* By thread, n_loads of them; they outlive the table. 0: not counted.
	 */
	struct bond_load *const *loads;
	unsigned n_loads;
};

/*
 * The bucket of a packet with its tag as it leaves the switch. in: the number
 * of the port that it came from. Headers are pulled.
 */
unsigned bond_table_bucket(const struct bond_table *table,
			   const struct packet *p, uint16_t in);
/* The same for bond/hash: source address and VLAN alone. */
unsigned bond_hash_slb(uint64_t mac, uint16_t vid, uint32_t basis);

/*
 * Any thread that forwards. Chooses for n packets (up to PACKET_BURST_MAX) that
 * all came from one port, and counts their load: members[i] is a member's
 * index or BOND_NO_MEMBER. Returns true when all have the same.
 */
bool bond_table_choose(const struct bond_table *table,
		       struct packet *const packets[], unsigned n, uint16_t in,
		       unsigned thread, uint8_t members[]);

#endif
