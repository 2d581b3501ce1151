/*
 * A hash table whose links lie in the objects it holds. The caller hashes and
 * compares; a bucket is a list. One thread.
 *
 *	for (node = hmap_first_with(&map, hash); node;
 *	     node = hmap_next_with(node)) ...
 */
#ifndef VSWD_HMAP_H
#define VSWD_HMAP_H

#include "base/util.h"

struct hmap_node {
	struct hmap_node *next;
	uint32_t hash;
};

/* All zero is an empty table. */
struct hmap {
	struct hmap_node **buckets;
	uint32_t n_buckets; /* a power of two, or 0 */
	uint32_t n;
};

/* The nodes stay their owners'. */
void hmap_destroy(struct hmap *map);
void hmap_insert(struct hmap *map, struct hmap_node *node, uint32_t hash);
/* The node must be in the table. */
void hmap_remove(struct hmap *map, struct hmap_node *node);

/* A node with this hash, NULL when there is none. */
struct hmap_node *hmap_first_with(const struct hmap *map, uint32_t hash);
struct hmap_node *hmap_next_with(const struct hmap_node *node);

/*
 * Iterates over all in no order: NULL starts, NULL ends. The node that was
 * returned last may be removed once its successor has been asked for.
 */
struct hmap_node *hmap_next(const struct hmap *map,
			    const struct hmap_node *node);

uint32_t hmap_hash_string(const char *s);

#endif
