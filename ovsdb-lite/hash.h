/*
 * Hashing of what clients send: seeded anew in each process, so that nobody can
 * choose values that fall into one bucket. Any thread.
 */
#ifndef OVSDB_LITE_HASH_H
#define OVSDB_LITE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint32_t hash_bytes(const void *bytes, size_t n, uint32_t basis);

/* Mixes one word into a hash. */
uint32_t hash_add(uint32_t hash, uint64_t word);

#endif
