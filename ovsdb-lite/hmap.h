/*
 * A hash table of nodes that lie in their elements. The caller brings the hash
 * and compares the keys. Not moved in memory once it is initialized.
 */
#ifndef OVSDB_LITE_HMAP_H
#define OVSDB_LITE_HMAP_H

#include <stdlib.h>

#include "base/util.h"

struct hmap_node {
	struct hmap_node *next;
	uint32_t hash;
};

struct hmap {
	struct hmap_node **buckets;
	struct hmap_node *one; /* the bucket of a table that has one only */
	uint32_t mask;
	size_t n;
};

static inline void hmap_init(struct hmap *map)
{
	*map = (struct hmap){ .buckets = &map->one };
}

/* Frees the buckets; the nodes are the caller's. */
static inline void hmap_destroy(struct hmap *map)
{
	if (map->buckets != &map->one)
		free(map->buckets);
}

static inline void hmap_grow(struct hmap *map)
{
	uint32_t mask = map->mask * 2 + 1;
	struct hmap_node **buckets = (struct hmap_node **)xcalloc(
		(size_t)mask + 1, sizeof(*buckets));

	for (uint32_t i = 0; i <= map->mask; i++) {
		struct hmap_node *node, *next;

		for (node = map->buckets[i]; node; node = next) {
			next = node->next;
			node->next = buckets[node->hash & mask];
			buckets[node->hash & mask] = node;
		}
	}
	hmap_destroy(map);
	map->buckets = buckets;
	map->mask = mask;
}

static inline void hmap_insert(struct hmap *map, struct hmap_node *node,
			       uint32_t hash)
{
	struct hmap_node **bucket;

	if (map->n > map->mask && map->mask < UINT32_MAX)
		hmap_grow(map);
	bucket = &map->buckets[hash & map->mask];
	node->hash = hash;
	node->next = *bucket;
	*bucket = node;
	map->n++;
}

/* The node must be in the table. */
static inline void hmap_remove(struct hmap *map, struct hmap_node *node)
{
	struct hmap_node **p = &map->buckets[node->hash & map->mask];

	while (*p != node)
		p = &(*p)->next;
	*p = node->next;
	map->n--;
}

/* The first node of this hash, then the next of the same: NULL ends. */
static inline struct hmap_node *hmap_same(struct hmap_node *node, uint32_t hash)
{
	while (node && node->hash != hash)
		node = node->next;
	return node;
}

static inline struct hmap_node *hmap_first(const struct hmap *map,
					   uint32_t hash)
{
	return hmap_same(map->buckets[hash & map->mask], hash);
}

/* All nodes in no order: NULL starts, NULL ends. */
static inline struct hmap_node *hmap_next(const struct hmap *map,
					  const struct hmap_node *node)
{
	uint32_t i = 0;

	if (node) {
		if (node->next)
			return node->next;
		i = (node->hash & map->mask) + 1;
		if (!i || i > map->mask)
			return NULL;
	}
	for (; i <= map->mask; i++) {
		if (map->buckets[i])
			return map->buckets[i];
		if (i == UINT32_MAX)
			break;
	}
	return NULL;
}

#endif
