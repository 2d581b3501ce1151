/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012): a hash whose collisions nobody
 * finds who does not know the key, for tables whose keys strangers choose.
 */
#ifndef GATEWAY_KEYED_HASH_H
#define GATEWAY_KEYED_HASH_H

#include "base/util.h"

struct hash_key {
	uint64_t k0, k1; /* random, chosen at start */
};

uint64_t keyed_hash(const struct hash_key *key, const void *data, size_t len);

#endif
