/* SipHash-2-4; see keyed_hash.h. */
#include "gateway/keyed_hash.h"

#include <string.h>
#include <endian.h>

static uint64_t rotate(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static void rounds(uint64_t v[4], unsigned n)
{
	while (n--) {
		v[0] += v[1];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[0] = rotate(v[0], 32);
		v[2] += v[3];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[2] = rotate(v[2], 32);
	}
}

uint64_t keyed_hash(const struct hash_key *key, const void *data, size_t len)
{
	const uint8_t *at = data;
	uint64_t v[4] = { key->k0 ^ 0x736f6d6570736575,
			  key->k1 ^ 0x646f72616e646f6d,
			  key->k0 ^ 0x6c7967656e657261,
			  key->k1 ^ 0x7465646279746573 };
	uint64_t word, last = (uint64_t)len << 56;

	for (; len >= 8; len -= 8, at += 8) {
		memcpy(&word, at, 8);
		word = le64toh(word);
		v[3] ^= word;
		rounds(v, 2);
		v[0] ^= word;
	}
	for (size_t i = 0; i < len; i++)
		last |= (uint64_t)at[i] << (8 * i);
	v[3] ^= last;
	rounds(v, 2);
	v[0] ^= last;
	v[2] ^= 0xff;
	rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
