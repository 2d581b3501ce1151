/*
 * The hashes of bond_table.h, one packet at a time, and eight at a time where
 * the processor can. For bond_table.c and bond_hash*.c.
 *
 * A hash takes 32-bit words of the header as they lie there. Each is multiplied
 * in, and the bytes are turned around, so that the next multiplication
 * spreads what this one has gathered at the top; the bucket is the last
 * product's highest byte. Addresses of IP are folded first, as a multiplication
 * costs more than a shuffle: each word with its bytes in another order, so that
 * the ends of all of them, which differ, come to lie beside each other.
 *
 *	SLB	source address; VLAN
 *	L4	IP addresses; ports, and the protocol; but those of a fragment
 *		are left out, since later ones have none
 *	IP	IP addresses
 *
 * The basis changes what the first word is multiplied by, and nothing else.
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

/* Orders of a word's bytes. */
static inline uint32_t bond_turn(uint32_t word)
{
	return __builtin_bswap32(word);
}

static inline uint32_t bond_swap_halves(uint32_t word)
{
	return word << 16 | word >> 16;
}

static inline uint32_t bond_swap_pairs(uint32_t word)
{
	return bond_turn(bond_swap_halves(word));
}

/*
 * What the first word is multiplied by: odd, so that nothing of it is lost; the
 * usual factor if basis is 0.
 */
static inline uint32_t bond_factor(uint32_t basis)
{
	return BOND_MIX_WORD ^ bond_turn(basis * BOND_MIX_WORD) << 1;
}

/* With the first word. */
static inline uint32_t bond_mix_first(uint32_t basis, uint32_t word)
{
	return bond_turn(word * bond_factor(basis));
}

/* With the only word: the bucket. */
static inline unsigned bond_mix_only(uint32_t basis, uint32_t word)
{
	return word * bond_factor(basis) >> 24;
}

/* With the last word: the bucket. */
static inline unsigned bond_mix_last(uint32_t h, uint32_t word)
{
	return (h ^ word) * BOND_MIX_WORD >> 24;
}

/* The bucket of one packet; hash is SLB, L4 or IP. */
unsigned bond_hash_packet(enum bond_hash hash, uint32_t basis,
			  const struct packet *p);

/*
 * AVX2's way, eight packets at a time; only where bond_hash_has_avx2(). The
 * packets are bond_table_share()'s.
 */
bool bond_hash_has_avx2(void);
/* The buckets of the first packets, into rows->buckets; returns of how many. */
unsigned bond_hash_note_avx2(const struct bond_table *table,
			     struct packet *const packets[], unsigned n,
			     struct bond_rows *rows);
/* What shares out among the two members of a table; NULL: there is nothing. */
bond_share_fn *bond_hash_find_two_avx2(enum bond_hash hash);

#endif
