/*
 * Transactions as records of the ovsdb(5) file:
 *
 *	{"_date": ms, "_comment": text, "_is_diff": true,
 *	 TABLE: {UUID: null | {COLUMN: value, ...}, ...}, ...}
 *
 * We write what changed of a row that was there as a difference, so that one
 * port more on a bridge of a thousand is a record of one UUID. As in
 * ovsdb-server, a column whose old value is its default is written in full.
 * A difference may have more elements than the column may; ovsdb-tool refuses
 * that, so such a record has full values instead.
 */
#include "ovsdb-lite/txn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BITS_PER_LONG (8 * sizeof(unsigned long))

/* --- writing ----------------------------------------------------------- */

struct writer {
	bool diffs;    /* full values otherwise */
	bool too_long; /* a difference was longer than its column may be */
};

static json_t *column_to_record(struct writer *writer,
				const struct ovsdb_entry *entry,
				const struct ovsdb_column *column)
{
	const struct ovsdb_datum *new = &entry->row->columns[column->index];
	const struct ovsdb_type *type = &column->type;
	const struct ovsdb_datum *old;
	struct ovsdb_datum diff;
	json_t *json;

	if (!entry->old)
		return ovsdb_datum_is_default(new, type)
			       ? NULL
			       : ovsdb_datum_to_json(new, type);
	old = &entry->old->columns[column->index];
	if (!writer->diffs || ovsdb_datum_is_default(old, type))
		return ovsdb_datum_to_json(new, type);
	ovsdb_datum_diff(&diff, old, new, type);
	writer->too_long |= diff.n > type->max;
	json = ovsdb_datum_to_json(&diff, type);
	ovsdb_datum_destroy(&diff, type);
	return json;
}

/* NULL when no column of the file changed. */
static json_t *row_to_record(struct writer *writer,
			     const struct ovsdb_entry *entry)
{
	const struct ovsdb_table_schema *schema = entry->table->schema;
	json_t *json;

	if (!entry->row)
		return json_null();
	json = json_object();
	for (size_t i = 0; i < schema->n_columns; i++) {
		const struct ovsdb_column *column = &schema->columns[i];
		json_t *value;

		if (column->ephemeral ||
		    !(entry->changed[i / BITS_PER_LONG] >> i % BITS_PER_LONG &
		      1))
			continue;
		value = column_to_record(writer, entry, column);
		if (value)
			json_object_set_new_nocheck(json, column->name, value);
	}
	if (entry->old && !json_object_size(json)) {
		json_decref(json);
		return NULL;
	}
	return json;
}

static void put_row(json_t *record, const struct ovsdb_table_schema *schema,
		    const struct uuid *uuid, json_t *row)
{
	json_t *table = json_object_get(record, schema->name);
	char buf[UUID_LEN + 1];

	if (!table) {
		table = json_object();
		json_object_set_new_nocheck(record, schema->name, table);
	}
	json_object_set_new_nocheck(table, uuid_format(uuid, buf), row);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static json_t *rows_to_record(struct writer *writer, const struct txn *txn)
{
	json_t *record = json_object();

	for (size_t i = 0; i < txn->n; i++) {
		const struct ovsdb_entry *entry = txn->entries[i];
		json_t *row =
			entry->changed ? row_to_record(writer, entry) : NULL;

		if (row)
			put_row(record, entry->table->schema, &entry->uuid,
				row);
	}
	return record;
}

json_t *txn_to_record(const struct txn *txn)
{
	struct writer writer = { .diffs = true };
	json_t *record = rows_to_record(&writer, txn);

	if (writer.too_long) {
		writer.diffs = false;
		json_decref(record);
		record = rows_to_record(&writer, txn);
	}
	if (!json_object_size(record)) {
		json_decref(record);
		return NULL;
	}
	json_object_set_new(record, "_date", json_integer(now_ms()));
	if (writer.diffs)
		json_object_set_new(record, "_is_diff", json_true());
	if (txn->comment)
		json_object_set_new(record, "_comment",
				    json_string(txn->comment));
	return record;
}

static json_t *row_to_snapshot(const struct ovsdb_row *row)
{
	const struct ovsdb_table_schema *schema = row->table->schema;
	json_t *json = json_object();

	for (size_t i = 0; i < schema->n_columns; i++) {
		const struct ovsdb_column *column = &schema->columns[i];

		if (!column->ephemeral &&
		    !ovsdb_datum_is_default(&row->columns[i], &column->type))
			json_object_set_new_nocheck(
				json, column->name,
				ovsdb_datum_to_json(&row->columns[i],
						    &column->type));
	}
	return json;
}

json_t *ovsdb_db_snapshot(const struct ovsdb_db *db)
{
	json_t *record = json_object();

	for (size_t i = 0; i < db->schema->n_tables; i++) {
		const struct ovsdb_table *table = &db->tables[i];
		const struct ovsdb_row *row = NULL;

		while ((row = ovsdb_table_next(table, row)))
			put_row(record, table->schema, &row->uuid,
				row_to_snapshot(row));
	}
	json_object_set_new(record, "_date", json_integer(now_ms()));
	json_object_set_new(record, "_comment",
			    json_string("compacting database online"));
	return record;
}

/* --- reading ----------------------------------------------------------- */

/* Takes the RFC error and makes a message of it. */
static int bad_record(char **errp, const struct ovsdb_table *table,
		      const char *uuid, json_t *error)
{
	char *text = ovsdb_error_to_string(error);

	set_error(errp, -EBADMSG, "table %s, row %s: %s", table->schema->name,
		  uuid, text);
	free(text);
	return -EBADMSG;
}

static json_t *replay_column(struct ovsdb_row *row,
			     const struct ovsdb_column *column,
			     const json_t *json, bool is_diff)
{
	struct ovsdb_datum *old = &row->columns[column->index];
	struct ovsdb_datum value;
	json_t *error;

	if (is_diff && !ovsdb_datum_is_default(old, &column->type)) {
		error = ovsdb_datum_diff_from_json(&value, &column->type, json);
		if (!error)
			error = ovsdb_datum_apply_diff(old, &value,
						       &column->type);
		if (!error)
			error = ovsdb_datum_check(old, &column->type);
	} else {
		error = ovsdb_datum_from_json(&value, &column->type, json,
					      NULL);
		if (!error)
			ovsdb_datum_swap(old, &value);
	}
	ovsdb_datum_destroy(&value, &column->type);
	return error;
}

static json_t *replay_columns(struct ovsdb_row *row, const json_t *json,
			      bool is_diff)
{
	const char *name;
	json_t *value;

	if (!json_is_object(json))
		return ovsdb_syntax_error(json, NULL,
					  "a row is an object or null");
	json_object_foreach((json_t *)json, name, value) {
		const struct ovsdb_column *column =
			ovsdb_table_schema_column(row->table->schema, name);
		json_t *error;

		if (!column)
			return ovsdb_error("unknown column", "%s", name);
		error = replay_column(row, column, value, is_diff);
		if (error)
			return error;
	}
	return NULL;
}

static int replay_row(struct txn *txn, struct ovsdb_table *table,
		      const char *name, const json_t *json, bool is_diff,
		      char **errp)
{
	struct ovsdb_entry *entry;
	struct uuid uuid;
	json_t *error;

	if (!uuid_from_string(&uuid, name))
		return set_error(errp, -EBADMSG, "table %s: \"%s\" is no UUID",
				 table->schema->name, name);
	entry = table_find_entry(table, &uuid);
	if (json_is_null(json)) {
		if (!entry || !entry->row)
			return set_error(
				errp, -EBADMSG,
				"table %s: deleted row %s is not there",
				table->schema->name, name);
		txn_delete(txn, entry);
		return 0;
	}
	if (!entry) {
		entry = txn_insert(txn, table, &uuid)->entry;
		is_diff = false;
	} else if (!entry->row) {
		/* Deleted by an earlier record, and back. */
		entry->row = row_create(entry, table->defaults);
		table->n_rows++;
		is_diff = false;
	}
	error = replay_columns(txn_modify(txn, entry), json, is_diff);
	if (error)
		return bad_record(errp, table, name, error);
	entry_reindex(entry);
	return 0;
}

int ovsdb_db_replay(struct ovsdb_db *db, const json_t *record, char **errp)
{
	bool is_diff = json_is_true(json_object_get(record, "_is_diff"));
	const char *name, *uuid;
	json_t *rows, *row;

	if (!json_is_object(record))
		return set_error(errp, -EBADMSG, "a record is an object");
	if (!db->loading) {
		db->loading = xcalloc(1, sizeof(*db->loading));
		txn_begin(db->loading, db);
	}
	json_object_foreach((json_t *)record, name, rows) {
		struct ovsdb_table *table = ovsdb_db_table(db, name);

		if (name[0] == '_')
			continue; /* _date, _comment, _is_diff */
		if (!table)
			return set_error(errp, -EBADMSG, "no table \"%s\"",
					 name);
		if (!json_is_object(rows))
			return set_error(errp, -EBADMSG,
					 "table %s: an object is needed", name);
		json_object_foreach(rows, uuid, row) {
			int error = replay_row(db->loading, table, uuid, row,
					       is_diff, errp);

			if (error)
				return error;
		}
	}
	return 0;
}

int ovsdb_db_check(struct ovsdb_db *db, char **errp)
{
	json_t *error;
	char *text;

	if (!db->loading)
		return 0;
	error = txn_commit_loaded(db->loading);
	free(db->loading);
	db->loading = NULL;
	if (!error)
		return 0;
	text = ovsdb_error_to_string(error);
	set_error(errp, -EBADMSG, "%s", text);
	free(text);
	return -EBADMSG;
}
