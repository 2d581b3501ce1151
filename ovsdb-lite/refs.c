/*
 * Strong references: how many there are to a row, and the collection of rows
 * that have none left. Only elements that came or went are looked at.
 */
#include "ovsdb-lite/refs.h"

#include <stdlib.h>

/* --- walking differences ----------------------------------------------- */

static int compare_at(const struct ovsdb_datum *a, unsigned int i,
		      const struct ovsdb_datum *b, unsigned int j,
		      enum ovsdb_atomic_type type)
{
	if (i >= a->n)
		return 1;
	if (j >= b->n)
		return -1;
	return ovsdb_atom_compare(&a->keys[i], &b->keys[j], type);
}

static json_t *walk(struct txn *txn, struct ovsdb_entry *entry,
		    const struct ovsdb_column *column,
		    const struct ovsdb_datum *old,
		    const struct ovsdb_datum *new, refs_element_fn *fn)
{
	const struct ovsdb_type *type = &column->type;
	unsigned int i = 0, j = 0;
	json_t *error = NULL;

	if (old->keys == new->keys && old->values == new->values)
		return NULL;
	while (!error && (i < old->n || j < new->n)) {
		int cmp = compare_at(old, i, new, j, type->key.type);
		bool same = !cmp &&
			    (!ovsdb_type_is_map(type) ||
			     ovsdb_atom_equals(&old->values[i], &new->values[j],
					       type->value.type));

		if (cmp <= 0 && !same)
			error = fn(txn, entry, column, old, i, -1);
		if (cmp >= 0 && !same && !error)
			error = fn(txn, entry, column, new, j, 1);
		i += cmp <= 0;
		j += cmp >= 0;
	}
	return error;
}

/* All columns with references (weak or strong) between two versions. */
json_t *refs_walk(struct txn *txn, struct ovsdb_entry *entry,
		  const struct ovsdb_row *old, const struct ovsdb_row *new,
		  bool weak, refs_element_fn *fn)
{
	static const struct ovsdb_datum empty;
	const struct ovsdb_table *table = entry->table;
	json_t *error = NULL;

	if (weak ? !table->has_weak : !table->has_strong)
		return NULL;
	for (size_t i = 0; !error && i < table->schema->n_columns; i++) {
		const struct ovsdb_column *c = &table->schema->columns[i];

		if (weak ? ovsdb_base_type_is_weak_ref(&c->type.key) ||
				    ovsdb_base_type_is_weak_ref(&c->type.value)
			 : ovsdb_base_type_is_strong_ref(&c->type.key) ||
				    ovsdb_base_type_is_strong_ref(
					    &c->type.value))
			error = walk(txn, entry, c,
				     old ? &old->columns[i] : &empty,
				     new ? &new->columns[i] : &empty, fn);
	}
	return error;
}

/* --- strong references ------------------------------------------------- */

static void may_be_orphan(struct txn *txn, struct ovsdb_entry *entry)
{
	if (entry->table->schema->is_root || entry->n_refs)
		return;
	if (txn->n_orphans == txn->allocated_orphans) {
		txn->allocated_orphans = txn->allocated_orphans * 2 + 16;
		txn->orphans = (struct ovsdb_entry **)xrealloc(
			txn->orphans,
			txn->allocated_orphans * sizeof(struct ovsdb_entry *));
	}
	txn->orphans[txn->n_orphans++] = entry;
}

static json_t *count_ref(struct txn *txn, struct ovsdb_entry *entry,
			 const struct ovsdb_column *column,
			 const struct ovsdb_base_type *base,
			 const struct uuid *uuid, int delta)
{
	struct ovsdb_table *table = db_ref_table(txn->db, base);
	char src[UUID_LEN + 1], dst[UUID_LEN + 1];
	struct ovsdb_entry *target;

	if (table == entry->table && uuid_equals(uuid, &entry->uuid))
		return NULL; /* a row does not keep itself alive */
	target = table_find_entry(table, uuid);
	if (!target || (delta > 0 && !target->row))
		return delta < 0
			       ? NULL
			       : ovsdb_error("referential integrity violation",
					     "column %s of %s row %s refers to "
					     "%s row %s, which does not exist",
					     column->name,
					     entry->table->schema->name,
					     uuid_format(&entry->uuid, src),
					     table->schema->name,
					     uuid_format(uuid, dst));
	txn_touch(txn, target);
	target->n_refs += (size_t)delta;
	may_be_orphan(txn, target);
	return NULL;
}

json_t *refs_count_element(struct txn *txn, struct ovsdb_entry *entry,
			   const struct ovsdb_column *column,
			   const struct ovsdb_datum *datum, unsigned int i,
			   int delta)
{
	const struct ovsdb_type *type = &column->type;
	json_t *error = NULL;

	if (ovsdb_base_type_is_strong_ref(&type->key))
		error = count_ref(txn, entry, column, &type->key,
				  &datum->keys[i].uuid, delta);
	if (!error && ovsdb_base_type_is_strong_ref(&type->value))
		error = count_ref(txn, entry, column, &type->value,
				  &datum->values[i].uuid, delta);
	return error;
}

json_t *refs_count_strong(struct txn *txn)
{
	size_t n = txn->n; /* those that are touched only come after */

	for (size_t i = 0; i < n; i++) {
		struct ovsdb_entry *entry = txn->entries[i];
		json_t *error;

		if (entry->row == entry->old)
			continue;
		error = refs_walk(txn, entry, entry->old, entry->row, false,
				  refs_count_element);
		if (error)
			return error;
		if (entry->row)
			may_be_orphan(txn, entry);
	}
	return NULL;
}

void refs_collect_garbage(struct txn *txn)
{
	while (txn->n_orphans) {
		struct ovsdb_entry *entry = txn->orphans[--txn->n_orphans];

		if (!entry->row || entry->n_refs)
			continue;
		/* Going cannot fail; the row must still be there for it. */
		json_decref(refs_walk(txn, entry, entry->row, NULL, false,
				      refs_count_element));
		txn_delete(txn, entry);
	}
}

json_t *refs_check_deleted(const struct txn *txn)
{
	for (size_t i = 0; i < txn->n; i++) {
		const struct ovsdb_entry *entry = txn->entries[i];
		char buf[UUID_LEN + 1];

		if (!entry->row && entry->n_refs)
			return ovsdb_error("referential integrity violation",
					   "%s row %s cannot be deleted: %zu "
					   "other rows refer to it",
					   entry->table->schema->name,
					   uuid_format(&entry->uuid, buf),
					   entry->n_refs);
	}
	return NULL;
}
