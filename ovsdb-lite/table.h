/*
 * Inside the database: tables, and the entry that stands for a row through all
 * its versions: it has the row's place in the hash tables and its references.
 *
 * Readers see the current view: during a transaction, what that has done so
 * far. The indexes follow the current view too, so that in the middle of a
 * transaction two rows may have one key; integrity.c looks at the end.
 */
#ifndef OVSDB_LITE_TABLE_H
#define OVSDB_LITE_TABLE_H

#include "ovsdb-lite/db.h"
#include "ovsdb-lite/hmap.h"

struct ovsdb_table {
	const struct ovsdb_table_schema *schema;
	struct ovsdb_db *db;
	struct hmap entries;  /* by UUID; also those a transaction deleted */
	size_t n_rows;	      /* of the current view */
	struct hmap *indexes; /* one for each of the schema's */
	struct ovsdb_datum *defaults; /* what an insert begins with */
	bool has_weak;		      /* a column has weak references */
	bool has_strong;
};

/* A weak reference that is committed: src's column names dst, count times. */
struct weak_link {
	struct hmap_node node; /* in the database's weak_links */
	struct ovsdb_entry *src, *dst;
	const struct ovsdb_column *column;
	unsigned int count;
	struct weak_link *prev, *next; /* in dst->weak_in */
};

struct index_node {
	struct hmap_node node; /* in table->indexes[i] */
	struct ovsdb_entry *entry;
	bool inserted;
};

struct ovsdb_entry {
	struct hmap_node by_uuid;
	struct uuid uuid;
	struct ovsdb_table *table;
	struct ovsdb_row *row; /* current view; NULL: deleted just now */
	size_t n_refs;	       /* strong references from other rows */
	struct weak_link *weak_in;

	/* In a transaction only. row == old: not modified. */
	bool in_txn, weak_done;
	struct ovsdb_row *old; /* committed; NULL: inserted just now */
	size_t old_refs;
	unsigned long *changed; /* bit a column; NULL: nothing changed */

	struct index_node index[]; /* one for each index of the table */
};

struct ovsdb_db {
	struct ovsdb_schema *schema;
	struct ovsdb_storage *storage;
	struct ovsdb_table *tables; /* by the schema's index */
	struct ovsdb_listener *listeners;
	struct hmap weak_links; /* by (src, dst, column) */
	struct txn *loading;	/* while records are replayed */
};

void ovsdb_table_init(struct ovsdb_table *table, struct ovsdb_db *db,
		      const struct ovsdb_table_schema *schema);
void ovsdb_table_destroy(struct ovsdb_table *table);

/* NULL when there is none; its row may be NULL. */
struct ovsdb_entry *table_find_entry(const struct ovsdb_table *table,
				     const struct uuid *uuid);
/* A new entry without a row. */
struct ovsdb_entry *table_add_entry(struct ovsdb_table *table,
				    const struct uuid *uuid);
/* The entry's row must be gone from the indexes: entry->row NULL, reindexed. */
void table_drop_entry(struct ovsdb_entry *entry);

/* Brings the indexes up to entry->row, after any change of its columns. */
void entry_reindex(struct ovsdb_entry *entry);

/* A version with the columns of src cloned. */
struct ovsdb_row *row_create(struct ovsdb_entry *entry,
			     const struct ovsdb_datum *src);
void row_destroy(struct ovsdb_row *row); /* accepts NULL */

/* Hash of an index's columns; columns[] is a row's. */
uint32_t index_hash(const struct ovsdb_index *index,
		    const struct ovsdb_datum *columns);
/* Another entry of the current view with the same key, or NULL. */
struct ovsdb_entry *index_find_duplicate(const struct ovsdb_entry *entry,
					 size_t index);

/* The table that a base type refers to. */
struct ovsdb_table *db_ref_table(const struct ovsdb_db *db,
				 const struct ovsdb_base_type *base);

#endif
