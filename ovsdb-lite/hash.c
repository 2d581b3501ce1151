/* Seeded hashing. */
#include "ovsdb-lite/hash.h"

#include <string.h>
#include <sys/random.h>

static uint64_t seed = 0x2545f4914f6cdd1dull;

__attribute__((constructor)) static void choose_seed(void)
{
	uint64_t random;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) == sizeof(random))
		seed = random | 1;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint32_t hash_add(uint32_t hash, uint64_t word)
{
	uint64_t h = mix(seed ^ hash, word ^ 0x9e3779b97f4a7c15ull);

	return (uint32_t)(h ^ h >> 32);
}

uint32_t hash_bytes(const void *bytes, size_t n, uint32_t basis)
{
	const unsigned char *p = bytes;
	uint64_t h = seed ^ basis ^ (uint64_t)n << 32, word;

	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&word, p, 8);
		h = mix(h ^ word, seed ^ 0xa0761d6478bd642full);
	}
	word = 0;
	if (n)
		memcpy(&word, p, n);
	h = mix(h ^ word, seed ^ 0xe7037ed1a0b428dbull);
	return (uint32_t)(h ^ h >> 32);
}
