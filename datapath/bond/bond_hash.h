/*
 * The hashes of bond_table.h, one packet at a time, and eight at a time where
 * the processor can. For bond_table.c and bond_hash*.c.
 *
 * A hash takes 32-bit words of the header as they lie there. Each is multiplied
 * in, and the bytes are turned around, so that the next multiplication
 * spreads what this one has gathered at the top. Three instructions a word, for
 * one packet or for eight; the bucket is the last product's highest byte.
 *
 *	SLB	source address; VLAN
 *	L4	IP addresses; ports, and the protocol; but those of a fragment
 *		are left out, since later ones have none
 *	IP	IP addresses
 *
 * What has no IP addresses has both MAC addresses and its VLAN in their place.
 */
#ifndef BOND_BOND_HASH_H
#define BOND_BOND_HASH_H

#include <endian.h>

#include "bond/bond_table.h"

#define BOND_MIX_WORD 0x9e3779b1u

static inline uint32_t bond_mix(uint32_t h, uint32_t word)
{
	return __builtin_bswap32((h ^ word) * BOND_MIX_WORD);
}

/* With the last word. */
static inline unsigned bond_mix_last(uint32_t h, uint32_t word)
{
	return (h ^ word) * BOND_MIX_WORD >> 24;
}

/* The bucket of one packet; hash is SLB, L4 or IP. */
unsigned bond_hash_packet(enum bond_hash hash, uint32_t basis,
			  const struct packet *p);

static inline unsigned bond_row_of(uint8_t member)
{
	return MIN(member, BOND_MEMBERS_MAX);
}

/*
 * Shares out the first of n packets, eight at a time, by AVX2; returns how
 * many: those that are left are fewer than eight. rows->ends are the ends of
 * the rows so far, of two members the first two. buckets: where the packets'
 * are noted, or NULL.
 */
bool bond_hash_has_avx2(void);
unsigned bond_hash_share_avx2(const struct bond_table *table,
			      struct packet *const packets[], unsigned n,
			      struct bond_rows *rows, uint8_t buckets[]);

#endif
