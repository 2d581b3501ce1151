/*
 * The MAC of each IP address on a link, as workers look it up: a hash table
 * that one thread writes and all read without a lock. Who is where is decided
 * by gateway/neighbor_cache.h; this is its mirror.
 */
#ifndef ROUTER_NEIGHBOR_TABLE_H
#define ROUTER_NEIGHBOR_TABLE_H

#include "base/util.h"

struct neighbor_table;

/* Control thread. max: entries; seed: random, so that nobody finds collisions.
 */
struct neighbor_table *neighbor_table_create(unsigned max, uint64_t seed);
/* When no worker uses it. Accepts NULL. */
void neighbor_table_destroy(struct neighbor_table *table);

/* ip: 4 or 16 bytes, network order. mac 0: it is not known any more. */
void neighbor_table_set(struct neighbor_table *table, const uint8_t *ip,
			unsigned ip_len, uint64_t mac);
/* Control thread: entries that workers have used since the last call. */
void neighbor_table_take_used(struct neighbor_table *table,
			      void (*cb)(const uint8_t *ip, unsigned ip_len,
					 void *arg),
			      void *arg);

/*
 * Any thread: the MAC, 0: not known. Notes that it was used. IPv4: host byte
 * order.
 */
uint64_t neighbor_table_find4(struct neighbor_table *table, uint32_t ip);
/*
 * Any thread: what a caller remembers of find4() or find6() is right as long as
 * this, taken before, is the same, and counts as a use until the next take.
 */
uint32_t neighbor_table_version(const struct neighbor_table *table);
uint64_t neighbor_table_find6(struct neighbor_table *table,
			      const uint8_t ip[16]);

#endif
