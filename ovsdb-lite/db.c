/* A database: its tables and its listeners. */
#include "ovsdb-lite/db.h"

#include <stdlib.h>
#include <string.h>

#include "ovsdb-lite/txn.h"

struct ovsdb_db *ovsdb_db_create(struct ovsdb_schema *schema,
				 struct ovsdb_storage *storage)
{
	struct ovsdb_db *db = xcalloc(1, sizeof(*db));

	db->schema = schema;
	db->storage = storage;
	hmap_init(&db->weak_links);
	db->tables = xcalloc(schema->n_tables, sizeof(*db->tables));
	for (size_t i = 0; i < schema->n_tables; i++)
		ovsdb_table_init(&db->tables[i], db, &schema->tables[i]);
	return db;
}

void ovsdb_db_destroy(struct ovsdb_db *db)
{
	if (!db)
		return;
	if (db->loading) {
		txn_abort(db->loading);
		free(db->loading);
	}
	for (size_t i = 0; i < db->schema->n_tables; i++)
		ovsdb_table_destroy(&db->tables[i]);
	free(db->tables);
	hmap_destroy(&db->weak_links);
	ovsdb_schema_destroy(db->schema);
	free(db);
}

const struct ovsdb_schema *ovsdb_db_schema(const struct ovsdb_db *db)
{
	return db->schema;
}

void ovsdb_db_set_storage(struct ovsdb_db *db, struct ovsdb_storage *storage)
{
	db->storage = storage;
}

void ovsdb_db_add_listener(struct ovsdb_db *db, struct ovsdb_listener *l)
{
	struct ovsdb_listener **p = &db->listeners;

	/* At the end: they hear of a commit in the order they came. */
	while (*p)
		p = &(*p)->next;
	l->next = NULL;
	*p = l;
}

void ovsdb_db_remove_listener(struct ovsdb_db *db, struct ovsdb_listener *l)
{
	struct ovsdb_listener **p;

	for (p = &db->listeners; *p; p = &(*p)->next) {
		if (*p == l) {
			*p = l->next;
			return;
		}
	}
}

struct ovsdb_table *ovsdb_db_table(const struct ovsdb_db *db, const char *name)
{
	const struct ovsdb_table_schema *schema =
		ovsdb_schema_table(db->schema, name);

	return schema ? &db->tables[schema->index] : NULL;
}

const struct ovsdb_table_schema *ovsdb_table_schema(
	const struct ovsdb_table *table)
{
	return table->schema;
}

size_t ovsdb_table_count(const struct ovsdb_table *table)
{
	return table->n_rows;
}

const struct ovsdb_row *ovsdb_table_next(const struct ovsdb_table *table,
					 const struct ovsdb_row *row)
{
	struct hmap_node *node = row ? &row->entry->by_uuid : NULL;

	while ((node = hmap_next(&table->entries, node))) {
		struct ovsdb_entry *entry =
			CONTAINER_OF(node, struct ovsdb_entry, by_uuid);

		if (entry->row)
			return entry->row;
	}
	return NULL;
}

const struct ovsdb_row *ovsdb_table_find(const struct ovsdb_table *table,
					 const struct uuid *uuid)
{
	struct ovsdb_entry *entry = table_find_entry(table, uuid);

	return entry ? entry->row : NULL;
}
