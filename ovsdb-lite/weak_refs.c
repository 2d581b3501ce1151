/*
 * Weak references: taken out of a row when the row that they name goes, or was
 * never there. The links from a row to those that name it are of what is
 * committed; what came with a transaction is looked up one by one.
 */
#include "ovsdb-lite/refs.h"

#include <stdlib.h>

#include "ovsdb-lite/hash.h"

/* --- weak references --------------------------------------------------- */

static bool dangles(const struct txn *txn, const struct ovsdb_base_type *base,
		    const union ovsdb_atom *atom)
{
	const struct ovsdb_entry *entry;

	if (!ovsdb_base_type_is_weak_ref(base))
		return false;
	entry = table_find_entry(db_ref_table(txn->db, base), &atom->uuid);
	return !entry || !entry->row;
}

/* Takes the element with datum's key i out of the entry's row. */
static void take_out(struct txn *txn, struct ovsdb_entry *entry,
		     const struct ovsdb_column *column,
		     const union ovsdb_atom *key)
{
	struct ovsdb_row *row = txn_modify(txn, entry);
	struct ovsdb_datum *datum = &row->columns[column->index];
	int at = ovsdb_datum_find_key(datum, key, column->type.key.type);

	if (at < 0)
		return;
	json_decref(refs_count_element(txn, entry, column, datum,
				       (unsigned int)at, -1));
	ovsdb_datum_remove_at(datum, (unsigned int)at, &column->type);
}

static json_t *drop_dangling(struct txn *txn, struct ovsdb_entry *entry,
			     const struct ovsdb_column *column,
			     const struct ovsdb_datum *datum, unsigned int i,
			     int delta)
{
	if (delta < 0)
		return NULL;
	if (dangles(txn, &column->type.key, &datum->keys[i]) ||
	    (datum->values &&
	     dangles(txn, &column->type.value, &datum->values[i])))
		take_out(txn, entry, column, &datum->keys[i]);
	return NULL;
}

/* The references that came with this transaction to no row. */
static void drop_new_dangling(struct txn *txn, struct ovsdb_entry *entry)
{
	struct ovsdb_row *before;

	if (!entry->row || entry->row == entry->old || !entry->table->has_weak)
		return;
	before = row_create(entry, entry->row->columns);
	json_decref(
		refs_walk(txn, entry, entry->old, before, true, drop_dangling));
	row_destroy(before);
	entry_reindex(entry);
}

/* The references that others had to a row which is gone now. */
static void drop_links_to(struct txn *txn, struct ovsdb_entry *entry)
{
	for (struct weak_link *link = entry->weak_in; link; link = link->next) {
		const struct ovsdb_type *type = &link->column->type;
		const struct ovsdb_datum *column;
		struct ovsdb_datum before;

		if (!link->src->row)
			continue;
		column = &link->src->row->columns[link->column->index];
		ovsdb_datum_clone(&before, column);
		if (ovsdb_base_type_is_weak_ref(&type->key) &&
		    link->column->type.key.uuid.ref_table ==
			    entry->table->schema) {
			union ovsdb_atom key = { .uuid = entry->uuid };

			take_out(txn, link->src, link->column, &key);
		}
		for (unsigned int i = 0; before.values && i < before.n; i++)
			if (dangles(txn, &type->value, &before.values[i]))
				take_out(txn, link->src, link->column,
					 &before.keys[i]);
		ovsdb_datum_destroy(&before, type);
		entry_reindex(link->src);
	}
}

static json_t *check_not_empty(const struct txn *txn)
{
	for (size_t i = 0; i < txn->n; i++) {
		const struct ovsdb_entry *entry = txn->entries[i];
		const struct ovsdb_table *table = entry->table;
		char buf[UUID_LEN + 1];

		if (!entry->row || entry->row == entry->old || !table->has_weak)
			continue;
		for (size_t j = 0; j < table->schema->n_columns; j++) {
			const struct ovsdb_column *c =
				&table->schema->columns[j];

			if (entry->row->columns[j].n < c->type.min)
				return ovsdb_error(
					"constraint violation",
					"column %s of %s row %s may not be "
					"empty, but no row is left that it "
					"weakly refers to",
					c->name, table->schema->name,
					uuid_format(&entry->uuid, buf));
		}
	}
	return NULL;
}

json_t *refs_drop_dangling(struct txn *txn)
{
	size_t n_deleted;

	/* Again if what was taken out held the last reference to a row. */
	do {
		n_deleted = txn->n_deleted;
		for (size_t i = 0; i < txn->n; i++)
			drop_new_dangling(txn, txn->entries[i]);
		for (size_t i = 0; i < txn->n; i++) {
			struct ovsdb_entry *entry = txn->entries[i];

			if (entry->row || entry->weak_done)
				continue;
			entry->weak_done = true;
			drop_links_to(txn, entry);
		}
		refs_collect_garbage(txn);
	} while (txn->n_deleted != n_deleted);
	return check_not_empty(txn);
}

static uint32_t link_hash(const struct ovsdb_entry *src,
			  const struct ovsdb_entry *dst,
			  const struct ovsdb_column *column)
{
	return hash_add(hash_add(column->index, (uintptr_t)src),
			(uintptr_t)dst);
}

static struct weak_link *find_link(const struct ovsdb_db *db,
				   const struct ovsdb_entry *src,
				   const struct ovsdb_entry *dst,
				   const struct ovsdb_column *column)
{
	uint32_t hash = link_hash(src, dst, column);
	struct hmap_node *node;

	for (node = hmap_first(&db->weak_links, hash); node;
	     node = hmap_same(node->next, hash)) {
		struct weak_link *link =
			CONTAINER_OF(node, struct weak_link, node);

		if (link->src == src && link->dst == dst &&
		    link->column == column)
			return link;
	}
	return NULL;
}

static void add_link(struct ovsdb_db *db, struct ovsdb_entry *src,
		     struct ovsdb_entry *dst, const struct ovsdb_column *column)
{
	struct weak_link *link = xcalloc(1, sizeof(*link));

	link->src = src;
	link->dst = dst;
	link->column = column;
	link->count = 1;
	link->next = dst->weak_in;
	if (link->next)
		link->next->prev = link;
	dst->weak_in = link;
	hmap_insert(&db->weak_links, &link->node, link_hash(src, dst, column));
}

static void remove_link(struct ovsdb_db *db, struct weak_link *link)
{
	hmap_remove(&db->weak_links, &link->node);
	if (link->next)
		link->next->prev = link->prev;
	if (link->prev)
		link->prev->next = link->next;
	else
		link->dst->weak_in = link->next;
	free(link);
}

static void count_link(struct txn *txn, struct ovsdb_entry *src,
		       const struct ovsdb_column *column,
		       const struct ovsdb_base_type *base,
		       const union ovsdb_atom *atom, int delta)
{
	struct ovsdb_entry *dst;
	struct weak_link *link;

	if (!ovsdb_base_type_is_weak_ref(base))
		return;
	dst = table_find_entry(db_ref_table(txn->db, base), &atom->uuid);
	if (!dst)
		return;
	link = find_link(txn->db, src, dst, column);
	if (delta > 0 && !link)
		add_link(txn->db, src, dst, column);
	else if (delta > 0)
		link->count++;
	else if (link && !--link->count)
		remove_link(txn->db, link);
}

static json_t *link_element(struct txn *txn, struct ovsdb_entry *entry,
			    const struct ovsdb_column *column,
			    const struct ovsdb_datum *datum, unsigned int i,
			    int delta)
{
	count_link(txn, entry, column, &column->type.key, &datum->keys[i],
		   delta);
	if (datum->values)
		count_link(txn, entry, column, &column->type.value,
			   &datum->values[i], delta);
	return NULL;
}

void txn_link_weak_refs(struct txn *txn)
{
	for (size_t i = 0; i < txn->n; i++) {
		struct ovsdb_entry *entry = txn->entries[i];

		if (entry->row != entry->old)
			json_decref(refs_walk(txn, entry, entry->old,
					      entry->row, true, link_element));
	}
}
