/* Tables, entries, versions of rows, indexes. */
#include "ovsdb-lite/table.h"

#include <stdlib.h>
#include <string.h>

void ovsdb_table_init(struct ovsdb_table *table, struct ovsdb_db *db,
		      const struct ovsdb_table_schema *schema)
{
	*table = (struct ovsdb_table){ .schema = schema, .db = db };
	hmap_init(&table->entries);
	table->indexes = xcalloc(schema->n_indexes, sizeof(struct hmap));
	for (size_t i = 0; i < schema->n_indexes; i++)
		hmap_init(&table->indexes[i]);
	table->defaults = xcalloc(schema->n_columns, sizeof(*table->defaults));
	for (size_t i = 0; i < schema->n_columns; i++) {
		const struct ovsdb_type *type = &schema->columns[i].type;

		ovsdb_datum_init_default(&table->defaults[i], type);
		table->has_weak |= ovsdb_base_type_is_weak_ref(&type->key) ||
				   ovsdb_base_type_is_weak_ref(&type->value);
		table->has_strong |=
			ovsdb_base_type_is_strong_ref(&type->key) ||
			ovsdb_base_type_is_strong_ref(&type->value);
	}
}

static void entry_free(struct ovsdb_entry *entry)
{
	struct weak_link *link, *next;

	for (link = entry->weak_in; link; link = next) {
		next = link->next;
		free(link);
	}
	free(entry->changed);
	free(entry);
}

void ovsdb_table_destroy(struct ovsdb_table *table)
{
	struct hmap_node *node, *next;

	for (node = hmap_next(&table->entries, NULL); node; node = next) {
		struct ovsdb_entry *entry =
			CONTAINER_OF(node, struct ovsdb_entry, by_uuid);

		next = hmap_next(&table->entries, node);
		row_destroy(entry->row);
		entry_free(entry);
	}
	hmap_destroy(&table->entries);
	for (size_t i = 0; i < table->schema->n_indexes; i++)
		hmap_destroy(&table->indexes[i]);
	for (size_t i = 0; i < table->schema->n_columns; i++)
		ovsdb_datum_destroy(&table->defaults[i],
				    &table->schema->columns[i].type);
	free(table->indexes);
	free(table->defaults);
}

struct ovsdb_entry *table_find_entry(const struct ovsdb_table *table,
				     const struct uuid *uuid)
{
	uint32_t hash = uuid_hash(uuid);
	struct hmap_node *node;

	for (node = hmap_first(&table->entries, hash); node;
	     node = hmap_same(node->next, hash)) {
		struct ovsdb_entry *entry =
			CONTAINER_OF(node, struct ovsdb_entry, by_uuid);

		if (uuid_equals(&entry->uuid, uuid))
			return entry;
	}
	return NULL;
}

struct ovsdb_entry *table_add_entry(struct ovsdb_table *table,
				    const struct uuid *uuid)
{
	size_t n = table->schema->n_indexes;
	struct ovsdb_entry *entry;

	entry = xcalloc(1, sizeof(*entry) + n * sizeof(entry->index[0]));
	entry->uuid = *uuid;
	entry->table = table;
	for (size_t i = 0; i < n; i++)
		entry->index[i].entry = entry;
	hmap_insert(&table->entries, &entry->by_uuid, uuid_hash(uuid));
	return entry;
}

void table_drop_entry(struct ovsdb_entry *entry)
{
	hmap_remove(&entry->table->entries, &entry->by_uuid);
	entry_free(entry);
}

struct ovsdb_row *row_create(struct ovsdb_entry *entry,
			     const struct ovsdb_datum *src)
{
	size_t n = entry->table->schema->n_columns;
	struct ovsdb_row *row;

	row = xmalloc(sizeof(*row) + n * sizeof(struct ovsdb_datum));
	row->uuid = entry->uuid;
	uuid_generate(&row->version);
	row->table = entry->table;
	row->entry = entry;
	row->columns = (struct ovsdb_datum *)(row + 1);
	for (size_t i = 0; i < n; i++)
		ovsdb_datum_clone(&row->columns[i], &src[i]);
	return row;
}

void row_destroy(struct ovsdb_row *row)
{
	const struct ovsdb_table_schema *schema;

	if (!row)
		return;
	schema = row->table->schema;
	for (size_t i = 0; i < schema->n_columns; i++)
		ovsdb_datum_destroy(&row->columns[i], &schema->columns[i].type);
	free(row);
}

/* --- indexes ----------------------------------------------------------- */

uint32_t index_hash(const struct ovsdb_index *index,
		    const struct ovsdb_datum *columns)
{
	uint32_t hash = 0;

	for (size_t i = 0; i < index->n_columns; i++)
		hash = ovsdb_datum_hash(&columns[index->columns[i]->index],
					&index->columns[i]->type, hash);
	return hash;
}

void entry_reindex(struct ovsdb_entry *entry)
{
	struct ovsdb_table *table = entry->table;

	for (size_t i = 0; i < table->schema->n_indexes; i++) {
		struct index_node *node = &entry->index[i];
		uint32_t hash = 0;

		if (entry->row)
			hash = index_hash(&table->schema->indexes[i],
					  entry->row->columns);
		if (node->inserted) {
			if (entry->row && node->node.hash == hash)
				continue;
			hmap_remove(&table->indexes[i], &node->node);
		}
		node->inserted = entry->row != NULL;
		if (node->inserted)
			hmap_insert(&table->indexes[i], &node->node, hash);
	}
}

static bool same_key(const struct ovsdb_index *index, const struct ovsdb_row *a,
		     const struct ovsdb_row *b)
{
	for (size_t i = 0; i < index->n_columns; i++) {
		const struct ovsdb_column *column = index->columns[i];

		if (!ovsdb_datum_equals(&a->columns[column->index],
					&b->columns[column->index],
					&column->type))
			return false;
	}
	return true;
}

struct ovsdb_entry *index_find_duplicate(const struct ovsdb_entry *entry,
					 size_t i)
{
	const struct ovsdb_table *table = entry->table;
	uint32_t hash = entry->index[i].node.hash;
	struct hmap_node *node;

	for (node = hmap_first(&table->indexes[i], hash); node;
	     node = hmap_same(node->next, hash)) {
		struct ovsdb_entry *other =
			CONTAINER_OF(node, struct index_node, node)->entry;

		if (other != entry && same_key(&table->schema->indexes[i],
					       entry->row, other->row))
			return other;
	}
	return NULL;
}

struct ovsdb_table *db_ref_table(const struct ovsdb_db *db,
				 const struct ovsdb_base_type *base)
{
	return &db->tables[base->uuid.ref_table->index];
}
