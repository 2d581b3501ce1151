/* ChaCha8 as a generator: see random.h. */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "nat/random.h"

static uint32_t rotate(uint32_t v, unsigned n)
{
	return v << n | v >> (32 - n);
}

static void quarter(uint32_t *x, unsigned a, unsigned b, unsigned c, unsigned d)
{
	x[a] += x[b];
	x[d] = rotate(x[d] ^ x[a], 16);
	x[c] += x[d];
	x[b] = rotate(x[b] ^ x[c], 12);
	x[a] += x[b];
	x[d] = rotate(x[d] ^ x[a], 8);
	x[c] += x[d];
	x[b] = rotate(x[b] ^ x[c], 7);
}

uint32_t nat_random_refill(struct nat_random *r)
{
	uint32_t *x = r->block;

	memcpy(x, r->state, sizeof(r->block));
	for (int i = 0; i < 4; i++) {
		quarter(x, 0, 4, 8, 12);
		quarter(x, 1, 5, 9, 13);
		quarter(x, 2, 6, 10, 14);
		quarter(x, 3, 7, 11, 15);
		quarter(x, 0, 5, 10, 15);
		quarter(x, 1, 6, 11, 12);
		quarter(x, 2, 7, 8, 13);
		quarter(x, 3, 4, 9, 14);
	}
	for (int i = 0; i < 16; i++)
		x[i] += r->state[i];
	if (!++r->state[12])
		r->state[13]++;
	r->left = 15;
	return x[15];
}

int nat_random_init(struct nat_random *r, uint64_t seed)
{
	static const uint32_t constants[4] = { 0x61707865, 0x3320646e,
					       0x79622d32, 0x6b206574 };

	memset(r, 0, sizeof(*r));
	memcpy(r->state, constants, sizeof(constants));
	if (seed) {
		memcpy(r->state + 4, &seed, sizeof(seed));
		return 0;
	}
	return getrandom(r->state + 4, 32, 0) == 32 ? 0 : -EIO;
}
