/*
 * What a transaction must leave true, checked at its end (RFC 7047 sections
 * 3.2 and 4.1.3). Only rows that it touched are looked at:
 *
 * - Strong references are counted in the row referred to. Only elements that
 *   came or went change a count, so adding one port to a bridge of a thousand
 *   changes one.
 * - A row of a table that is no root is deleted when its count falls to zero,
 *   and with it its own references.
 * - Weak references to rows that are not there are taken out. Whose they are
 *   is known from the links of each row (struct weak_link).
 * - Then no table has too many rows, and no two rows one key of an index.
 */
#include "ovsdb-lite/txn.h"

#include <stdlib.h>
#include <string.h>

#include "ovsdb-lite/refs.h"

#define BITS_PER_LONG (8 * sizeof(unsigned long))

/* --- what changed ------------------------------------------------------ */

static bool find_changes(struct ovsdb_entry *entry)
{
	const struct ovsdb_table_schema *schema = entry->table->schema;
	size_t n = schema->n_columns;
	bool any = false;

	free(entry->changed);
	entry->changed = NULL;
	if (entry->row == entry->old)
		return false;
	entry->changed =
		xcalloc(DIV_ROUND_UP(n, BITS_PER_LONG), sizeof(unsigned long));
	for (size_t i = 0; i < n; i++) {
		if (entry->old && entry->row &&
		    ovsdb_datum_equals(&entry->old->columns[i],
				       &entry->row->columns[i],
				       &schema->columns[i].type))
			continue;
		entry->changed[i / BITS_PER_LONG] |= 1ul << i % BITS_PER_LONG;
		any = true;
	}
	if (any)
		return true;
	/* Written, but with what was there: the same version stays. */
	free(entry->changed);
	entry->changed = NULL;
	row_destroy(entry->row);
	entry->row = entry->old;
	return false;
}

bool txn_find_changes(struct txn *txn)
{
	bool any = false;

	for (size_t i = 0; i < txn->n; i++)
		any |= find_changes(txn->entries[i]);
	return any;
}

/* --- tables and indexes ------------------------------------------------ */

static json_t *check_max_rows(const struct txn *txn)
{
	for (size_t i = 0; i < txn->n; i++) {
		const struct ovsdb_table *table = txn->entries[i]->table;

		if (txn->entries[i]->old || !txn->entries[i]->row)
			continue;
		if (table->n_rows > table->schema->max_rows)
			return ovsdb_error("constraint violation",
					   "table %s would have %zu rows, but "
					   "at most %u are allowed",
					   table->schema->name, table->n_rows,
					   table->schema->max_rows);
	}
	return NULL;
}

static json_t *duplicate_error(const struct ovsdb_entry *entry,
			       const struct ovsdb_entry *other, size_t index)
{
	const struct ovsdb_index *idx = &entry->table->schema->indexes[index];
	char a[UUID_LEN + 1], b[UUID_LEN + 1];
	char *key = xstrdup("");
	json_t *error;

	for (size_t i = 0; i < idx->n_columns; i++) {
		const struct ovsdb_column *column = idx->columns[i];
		char *value = ovsdb_datum_to_string(
			&entry->row->columns[column->index], &column->type);
		char *longer = xasprintf("%s%s%s=%s", key, i ? ", " : "",
					 column->name, value);

		free(value);
		free(key);
		key = longer;
	}
	error = ovsdb_error("constraint violation",
			    "two rows of table %s, %s and %s, would have the "
			    "same %s, which is to be unique",
			    entry->table->schema->name,
			    uuid_format(&other->uuid, a),
			    uuid_format(&entry->uuid, b), key);
	free(key);
	return error;
}

static json_t *check_indexes(const struct txn *txn)
{
	for (size_t i = 0; i < txn->n; i++) {
		const struct ovsdb_entry *entry = txn->entries[i];

		if (!entry->row || entry->row == entry->old)
			continue;
		for (size_t j = 0; j < entry->table->schema->n_indexes; j++) {
			const struct ovsdb_entry *other =
				index_find_duplicate(entry, j);

			if (other)
				return duplicate_error(entry, other, j);
		}
	}
	return NULL;
}

json_t *txn_check(struct txn *txn)
{
	json_t *error = refs_count_strong(txn);

	if (error)
		return error;
	refs_collect_garbage(txn);
	error = refs_check_deleted(txn);
	if (!error)
		error = check_max_rows(txn);
	if (!error)
		error = refs_drop_dangling(txn);
	if (!error)
		error = check_indexes(txn);
	return error;
}
