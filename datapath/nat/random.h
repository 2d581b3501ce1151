/*
 * Numbers that nobody can foresee, for ports (RFC 6056): ChaCha with 8 rounds
 * (RFC 8439's layout), keyed once; no system call on the packet's way.
 */
#ifndef NAT_RANDOM_H
#define NAT_RANDOM_H

#include "base/util.h"

struct nat_random {
	uint32_t state[16];
	uint32_t block[16];
	unsigned left;
};

/* seed 0: from the system; otherwise repeatable, for tests. Returns -errno. */
int nat_random_init(struct nat_random *random, uint64_t seed);
uint32_t nat_random_refill(struct nat_random *random);

static inline uint32_t nat_random32(struct nat_random *random)
{
	if (unlikely(!random->left))
		return nat_random_refill(random);
	return random->block[--random->left];
}

static inline uint64_t nat_random64(struct nat_random *random)
{
	uint64_t high = nat_random32(random);

	return high << 32 | nat_random32(random);
}

/* Below n. */
static inline uint32_t nat_random_below(struct nat_random *random, uint32_t n)
{
	return (uint64_t)nat_random32(random) * n >> 32;
}

#endif
