/* Names of rows that are not there yet. */
#include "ovsdb-lite/datum.h"

#include <stdlib.h>
#include <string.h>

#include "ovsdb-lite/hash.h"
#include "ovsdb-lite/hmap.h"

struct entry {
	struct hmap_node node;
	struct ovsdb_symbol symbol;
};

struct ovsdb_symbols {
	struct hmap by_name;
	struct entry **entries; /* in the order of making */
	size_t n, allocated;
};

struct ovsdb_symbols *ovsdb_symbols_create(void)
{
	struct ovsdb_symbols *symbols = xcalloc(1, sizeof(*symbols));

	hmap_init(&symbols->by_name);
	return symbols;
}

void ovsdb_symbols_destroy(struct ovsdb_symbols *symbols)
{
	if (!symbols)
		return;
	for (size_t i = 0; i < symbols->n; i++) {
		free(symbols->entries[i]->symbol.name);
		free(symbols->entries[i]);
	}
	free(symbols->entries);
	hmap_destroy(&symbols->by_name);
	free(symbols);
}

static uint32_t name_hash(const char *name)
{
	return hash_bytes(name, strlen(name), 0);
}

struct ovsdb_symbol *ovsdb_symbols_find(const struct ovsdb_symbols *symbols,
					const char *name)
{
	uint32_t hash = name_hash(name);
	struct hmap_node *node;

	for (node = hmap_first(&symbols->by_name, hash); node;
	     node = hmap_same(node->next, hash)) {
		struct entry *entry = CONTAINER_OF(node, struct entry, node);

		if (!strcmp(entry->symbol.name, name))
			return &entry->symbol;
	}
	return NULL;
}

struct ovsdb_symbol *ovsdb_symbols_get(struct ovsdb_symbols *symbols,
				       const char *name)
{
	struct ovsdb_symbol *symbol = ovsdb_symbols_find(symbols, name);
	struct entry *entry;

	if (symbol)
		return symbol;
	if (symbols->n == symbols->allocated) {
		symbols->allocated = symbols->allocated * 2 + 8;
		symbols->entries =
			xrealloc(symbols->entries,
				 symbols->allocated * sizeof(struct entry *));
	}
	entry = xcalloc(1, sizeof(*entry));
	entry->symbol.name = xstrdup(name);
	uuid_generate(&entry->symbol.uuid);
	symbols->entries[symbols->n++] = entry;
	hmap_insert(&symbols->by_name, &entry->node, name_hash(name));
	return &entry->symbol;
}

struct ovsdb_symbol *ovsdb_symbols_at(const struct ovsdb_symbols *symbols,
				      size_t i)
{
	return i < symbols->n ? &symbols->entries[i]->symbol : NULL;
}
