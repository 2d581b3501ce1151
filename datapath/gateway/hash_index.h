/*
 * An index over records that are allocated elsewhere: chains by hash. The
 * number of buckets is fixed, as every table of the gateway has a limit.
 * One thread.
 */
#ifndef GATEWAY_HASH_INDEX_H
#define GATEWAY_HASH_INDEX_H

#include <stdlib.h>

#include "base/util.h"

struct hash_node {
	struct hash_node *next;
	uint64_t hash;
};

struct hash_index {
	struct hash_node **buckets;
	uint32_t mask;
};

/* For about n records. */
static inline void hash_index_init(struct hash_index *index, uint32_t n)
{
	uint32_t size = round_up_pow2(MAX(n, 8u));

	index->buckets = xcalloc(size, sizeof(*index->buckets));
	index->mask = size - 1;
}

static inline void hash_index_fini(struct hash_index *index)
{
	free(index->buckets);
}

static inline void hash_index_add(struct hash_index *index,
				  struct hash_node *node, uint64_t hash)
{
	struct hash_node **bucket = &index->buckets[hash & index->mask];

	node->hash = hash;
	node->next = *bucket;
	*bucket = node;
}

static inline void hash_index_remove(struct hash_index *index,
				     struct hash_node *node)
{
	struct hash_node **at = &index->buckets[node->hash & index->mask];

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
}

/* The records of that hash: the first, and the one after; NULL: no more. */
static inline struct hash_node *hash_index_same(struct hash_node *node,
						uint64_t hash)
{
	while (node && node->hash != hash)
		node = node->next;
	return node;
}

static inline struct hash_node *hash_index_find(const struct hash_index *index,
						uint64_t hash)
{
	return hash_index_same(index->buckets[hash & index->mask], hash);
}

#endif
