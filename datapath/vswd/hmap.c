#include "vswd/hmap.h"

#include <stdlib.h>

#define N_BUCKETS_MIN 16

void hmap_destroy(struct hmap *map)
{
	free(map->buckets);
	map->buckets = NULL;
	map->n_buckets = 0;
	map->n = 0;
}

static void link_node(struct hmap *map, struct hmap_node *node)
{
	struct hmap_node **bucket =
		&map->buckets[node->hash & (map->n_buckets - 1)];

	node->next = *bucket;
	*bucket = node;
}

static void grow(struct hmap *map)
{
	struct hmap_node **old = map->buckets, *node, *next;
	uint32_t n_old = map->n_buckets;

	map->n_buckets = n_old ? 2 * n_old : N_BUCKETS_MIN;
	map->buckets = xcalloc(map->n_buckets, sizeof(*map->buckets));
	for (uint32_t i = 0; i < n_old; i++) {
		for (node = old[i]; node; node = next) {
			next = node->next;
			link_node(map, node);
		}
	}
	free(old);
}

void hmap_insert(struct hmap *map, struct hmap_node *node, uint32_t hash)
{
	if (map->n >= map->n_buckets)
		grow(map);
	node->hash = hash;
	link_node(map, node);
	map->n++;
}

void hmap_remove(struct hmap *map, struct hmap_node *node)
{
	struct hmap_node **p = &map->buckets[node->hash & (map->n_buckets - 1)];

	while (*p != node)
		p = &(*p)->next;
	*p = node->next;
	map->n--;
}

static struct hmap_node *skip_to(struct hmap_node *node, uint32_t hash)
{
	while (node && node->hash != hash)
		node = node->next;
	return node;
}

struct hmap_node *hmap_first_with(const struct hmap *map, uint32_t hash)
{
	if (!map->n_buckets)
		return NULL;
	return skip_to(map->buckets[hash & (map->n_buckets - 1)], hash);
}

struct hmap_node *hmap_next_with(const struct hmap_node *node)
{
	return skip_to(node->next, node->hash);
}

struct hmap_node *hmap_next(const struct hmap *map,
			    const struct hmap_node *node)
{
	uint32_t i = 0;

	if (node && node->next)
		return node->next;
	if (node)
		i = (node->hash & (map->n_buckets - 1)) + 1;
	for (; i < map->n_buckets; i++)
		if (map->buckets[i])
			return map->buckets[i];
	return NULL;
}

/* FNV-1a, mixed: names are short, and their last bytes differ most. */
uint32_t hmap_hash_string(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 16777619u;
	return h ^ h >> 15;
}
