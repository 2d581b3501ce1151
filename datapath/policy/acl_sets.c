/* What a list is compiled into: sets of rules, tries of prefixes, pages. */
#include <stdlib.h>

#include "policy/acl_internal.h"

/* --- sets ---------------------------------------------------------------- */

static uint64_t hash_row(const uint64_t row[], unsigned words)
{
	uint64_t hash = words;

	for (unsigned i = 0; i < words; i++)
		hash = (hash ^ row[i]) * 0x9e3779b97f4a7c15 ^ hash >> 29;
	return hash ^ hash >> 32;
}

static void put(struct acl_sets *sets, uint64_t hash, uint16_t class)
{
	unsigned at = hash & (sets->n_buckets - 1);

	while (sets->buckets[at])
		at = (at + 1) & (sets->n_buckets - 1);
	sets->buckets[at] = class + 1;
}

static void grow_sets(struct acl_sets *sets)
{
	size_t size = sets->words * sizeof(uint64_t);
	uint64_t *rows;

	sets->room = sets->room ? sets->room * 2 : 64;
	/* AVX2 reads them; a row is 32 bytes at least. */
	rows = xcalloc_aligned(sets->room, size);
	if (sets->n)
		memcpy(rows, sets->rows, sets->n * size);
	free(sets->rows);
	sets->rows = rows;
	free(sets->buckets);
	sets->n_buckets = sets->room * 2;
	sets->buckets = xcalloc(sets->n_buckets, sizeof(*sets->buckets));
	for (unsigned i = 0; i < sets->n; i++)
		put(sets, hash_row(rows + (size_t)i * sets->words, sets->words),
		    i);
}

uint16_t acl_sets_add(struct acl_sets *sets, const uint64_t row[])
{
	size_t size = sets->words * sizeof(uint64_t);
	uint64_t hash = hash_row(row, sets->words);
	unsigned at;

	if (sets->n == sets->room)
		grow_sets(sets);
	for (at = hash & (sets->n_buckets - 1); sets->buckets[at];
	     at = (at + 1) & (sets->n_buckets - 1)) {
		uint16_t class = sets->buckets[at] - 1;

		if (!memcmp(sets->rows + (size_t) class * sets->words, row,
			    size))
			return class;
	}
	memcpy(sets->rows + (size_t)sets->n * sets->words, row, size);
	sets->buckets[at] = sets->n + 1;
	return sets->n++;
}

/* --- tries --------------------------------------------------------------- */

static uint16_t add_node(struct acl_trie *trie, const uint8_t prefix[16],
			 unsigned at, uint16_t class)
{
	static const uint8_t ones[16] = { 255, 255, 255, 255, 255, 255,
					  255, 255, 255, 255, 255, 255,
					  255, 255, 255, 255 };
	struct acl_node *node;

	if (trie->n == trie->room) {
		trie->room = trie->room ? trie->room * 2 : 16;
		trie->nodes = xrealloc(trie->nodes, trie->room * sizeof(*node));
	}
	node = &trie->nodes[trie->n];
	memset(node, 0, sizeof(*node));
	memcpy(node->prefix, prefix, at);
	memcpy(node->mask, ones, at);
	node->at = at;
	node->miss = class;
	for (unsigned i = 0; i < 256; i++)
		node->entries[i] = class;
	return ACL_NODE | trie->n++;
}

/* The first of the bytes before `to` in which they differ, or `to`. */
static unsigned first_difference(const struct acl_node *node,
				 const uint8_t prefix[16], unsigned to)
{
	const uint8_t *other = (const uint8_t *)node->prefix;
	unsigned i = 0;

	while (i < to && other[i] == prefix[i])
		i++;
	return i;
}

void acl_trie_insert(struct acl_trie *trie, uint16_t *root,
		     const uint8_t prefix[16], unsigned len, uint16_t class)
{
	unsigned last = (len - 1) / 8; /* the byte in which it ends */
	/* Where the slot is: trie->nodes may move. NULL node: the root. */
	unsigned parent = ACL_NODE, child, slot = 0;
	uint16_t entry = *root;

	if (!len) {
		*root = class;
		return;
	}
	for (;;) {
		const struct acl_node *node = NULL;
		unsigned at = last;

		if (entry & ACL_NODE) {
			node = &trie->nodes[entry & ~ACL_NODE];
			at = first_difference(node, prefix, node->at);
		}
		/* A new node above what is there, or where nothing is. */
		if (!node || at < node->at) {
			uint8_t byte = 0;
			uint16_t miss = entry;

			if (node) {
				byte = ((const uint8_t *)node->prefix)[at];
				miss = node->miss;
			}
			child = add_node(trie, prefix, at, miss);
			if (node)
				trie->nodes[child & ~ACL_NODE].entries[byte] =
					entry;
			if (parent == ACL_NODE)
				*root = child;
			else
				trie->nodes[parent].entries[slot] = child;
			entry = child;
			continue;
		}
		if (at == last)
			break;
		parent = entry & ~ACL_NODE;
		slot = prefix[at];
		entry = trie->nodes[parent].entries[slot];
	}
	for (unsigned i = 0; i < 1u << (8 * (last + 1) - len); i++)
		trie->nodes[entry & ~ACL_NODE].entries[prefix[last] + i] =
			class;
}

uint16_t acl_trie_find(const struct acl_node *nodes, uint16_t root,
		       const uint8_t address[16])
{
	uint64_t a[2];

	memcpy(a, address, sizeof(a));
	while (root & ACL_NODE) {
		const struct acl_node *node = &nodes[root & ~ACL_NODE];

		if (((a[0] ^ node->prefix[0]) & node->mask[0]) |
		    ((a[1] ^ node->prefix[1]) & node->mask[1]))
			return node->miss;
		root = node->entries[address[node->at]];
	}
	return root;
}

/* --- pages --------------------------------------------------------------- */

void acl_pages_make(struct acl_pages *pages, struct acl_map *map,
		    const uint16_t classes[65536])
{
	for (unsigned i = 0; i < 256; i++, classes += 256) {
		unsigned k = 0;

		while (k < pages->n && memcmp(pages->pages[k], classes,
					      sizeof(pages->pages[k])) != 0)
			k++;
		if (k == pages->room) {
			pages->room = pages->room ? pages->room * 2 : 8;
			pages->pages =
				xrealloc(pages->pages,
					 pages->room * sizeof(*pages->pages));
		}
		if (k == pages->n)
			memcpy(pages->pages[pages->n++], classes,
			       sizeof(pages->pages[k]));
		map->pages[i] = k;
	}
}
