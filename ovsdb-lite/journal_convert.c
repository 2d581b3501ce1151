/*
 * Opening a database that a program with another schema wrote: its content is
 * converted, and the old file kept beside it.
 */
#include "ovsdb-lite/journal.h"

#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "ovsdb-lite/journal_private.h"
#include "ovsdb-lite/log_file.h"

LOG_MODULE(journal);

/* --- content ----------------------------------------------------------- */

/* Does the column's new type allow the value? */
static bool allowed(const struct ovsdb_column *column, const json_t *value)
{
	struct ovsdb_datum datum;
	json_t *error =
		ovsdb_datum_from_json(&datum, &column->type, value, NULL);
	char *text;

	ovsdb_datum_destroy(&datum, &column->type);
	if (!error)
		return true;
	text = ovsdb_error_to_string(error);
	log_warn("conversion: a value of column %s does not fit: %s",
		 column->name, text);
	free(text);
	return false;
}

static json_t *convert_row(const struct ovsdb_row *row,
			   const struct ovsdb_table_schema *new,
			   size_t *n_dropped)
{
	const struct ovsdb_table_schema *old = ovsdb_table_schema(row->table);
	json_t *json = json_object();

	for (size_t i = 0; i < old->n_columns; i++) {
		const struct ovsdb_column *from = &old->columns[i];
		const struct ovsdb_column *to =
			ovsdb_table_schema_column(new, from->name);
		json_t *value;

		if (!to ||
		    ovsdb_datum_is_default(&row->columns[i], &from->type))
			continue;
		value = ovsdb_datum_to_json(&row->columns[i], &from->type);
		if (allowed(to, value))
			json_object_set(json, to->name, value);
		else
			++*n_dropped;
		json_decref(value);
	}
	return json;
}

static json_t *convert_table(const struct ovsdb_table *table,
			     const struct ovsdb_table_schema *new,
			     size_t *n_dropped)
{
	const struct ovsdb_row *row = NULL;
	json_t *json = json_object();
	char buf[UUID_LEN + 1];

	while ((row = ovsdb_table_next(table, row)))
		json_object_set_new(json, uuid_format(&row->uuid, buf),
				    convert_row(row, new, n_dropped));
	return json;
}

json_t *journal_convert(const struct ovsdb_db *db,
			const struct ovsdb_schema *schema, size_t *n_dropped)
{
	const struct ovsdb_schema *old = ovsdb_db_schema(db);
	json_t *record = json_object();

	*n_dropped = 0;

	for (size_t i = 0; i < old->n_tables; i++) {
		const char *name = old->tables[i].name;
		const struct ovsdb_table *table = ovsdb_db_table(db, name);
		const struct ovsdb_table_schema *new =
			ovsdb_schema_table(schema, name);

		if (new)
			json_object_set_new(
				record, name,
				convert_table(table, new, n_dropped));
		else if (ovsdb_table_count(table))
			log_warn("conversion: table %s went away with %zu rows",
				 name, ovsdb_table_count(table));
	}
	json_object_set_new(record, "_comment",
			    json_string("converted to a new schema"));
	return record;
}

/* --- schemas ----------------------------------------------------------- */

static bool same_tables(const struct ovsdb_schema *a,
			const struct ovsdb_schema *b)
{
	if (a->n_tables != b->n_tables)
		return false;
	for (size_t i = 0; i < a->n_tables; i++) {
		json_t *x = ovsdb_table_schema_to_json(&a->tables[i], false);
		json_t *y = ovsdb_table_schema_to_json(&b->tables[i], false);
		bool same = !strcmp(a->tables[i].name, b->tables[i].name) &&
			    json_equal(x, y);

		json_decref(x);
		json_decref(y);
		if (!same)
			return false;
	}
	return true;
}

static int compare_versions(const char *a, const char *b)
{
	unsigned int x[3] = { 0 }, y[3] = { 0 };

	if (a)
		sscanf(a, "%u.%u.%u", &x[0], &x[1], &x[2]);
	if (b)
		sscanf(b, "%u.%u.%u", &y[0], &y[1], &y[2]);
	for (int i = 0; i < 3; i++)
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	return 0;
}

/* --- the file ---------------------------------------------------------- */

/* Gives the old file a second name. */
static int back_up(const char *path, const struct ovsdb_schema *old,
		   char **errp)
{
	char *name = xasprintf("%s.backup%s-%s", path,
			       old->version ? old->version : "",
			       old->cksum ? old->cksum : "");
	int error = 0;

	for (char *p = strrchr(name, '/') ? strrchr(name, '/') + 1 : name; *p;
	     p++)
		if (*p == ' ' || *p == '/')
			*p = '-';
	unlink(name);
	if (link(path, name))
		error = set_error(errp, -errno,
				  "%s: the backup before a conversion cannot "
				  "be made: %s",
				  name, strerror(errno));
	else
		log_info("%s: kept as %s before the conversion", path, name);
	free(name);
	return error;
}

/* The converted content must itself be whole: *db is made of it. */
static int make_db(const char *name, const json_t *record,
		   const struct ovsdb_schema *schema, struct ovsdb_db **db,
		   char **errp)
{
	char *why = NULL;
	int error;

	*db = ovsdb_db_create(ovsdb_schema_clone(schema), NULL);
	error = ovsdb_db_replay(*db, record, &why);
	if (!error)
		error = ovsdb_db_check(*db, &why);
	if (error) {
		ovsdb_db_destroy(*db);
		*db = NULL;
		set_error(errp, error,
			  "%s: cannot be converted to the present schema: %s",
			  name, why);
	}
	free(why);
	return error;
}

int ovsdb_journal_convert(struct ovsdb_journal *journal,
			  const struct ovsdb_db *old,
			  const struct ovsdb_schema *schema,
			  struct ovsdb_db **new, char **errp)
{
	size_t n_dropped;
	json_t *record = journal_convert(old, schema, &n_dropped);
	int error;

	*new = NULL;
	if (n_dropped)
		error = set_error(
			errp, -EINVAL,
			"%s: %zu values do not fit into the new "
			"schema, the log has them; nothing was changed",
			schema->name, n_dropped);
	else
		error = make_db(schema->name, record, schema, new, errp);
	if (!error && journal)
		error = journal_replace(journal, *new, record, errp);
	if (error) {
		ovsdb_db_destroy(*new);
		*new = NULL;
	}
	json_decref(record);
	return error;
}

static int convert_file(struct ovsdb_journal *journal, struct ovsdb_db **db,
			const struct ovsdb_schema *schema, char **errp)
{
	const char *path = ovsdb_journal_path(journal);
	size_t n_dropped;
	json_t *record = journal_convert(*db, schema, &n_dropped);
	json_t *json = ovsdb_schema_to_json(schema);
	struct ovsdb_db *new;
	uint64_t size;
	int error;

	error = make_db(path, record, schema, &new, errp);
	ovsdb_db_destroy(new);
	if (!error)
		error = back_up(path, ovsdb_db_schema(*db), errp);
	if (!error) {
		error = log_write_file(path, true, json, record, &size, errp);
		if (error >= 0)
			error = close(error);
	}
	json_decref(record);
	json_decref(json);
	ovsdb_db_destroy(*db);
	*db = NULL;
	if (error)
		return error;
	return journal_load(journal, db, errp);
}

static int load_as(struct ovsdb_journal *journal, struct ovsdb_db **db,
		   const struct ovsdb_schema *schema, char **errp)
{
	const struct ovsdb_schema *old;
	int error, cmp;

	error = journal_load(journal, db, errp);
	if (error)
		return error;
	old = ovsdb_db_schema(*db);
	cmp = compare_versions(old->version, schema->version);
	if (strcmp(old->name, schema->name)) {
		error = set_error(
			errp, -EINVAL, "%s: is a database of %s, not of %s",
			ovsdb_journal_path(journal), old->name, schema->name);
		ovsdb_db_destroy(*db);
		*db = NULL;
		return error;
	}
	if (cmp > 0)
		log_info("%s: its schema %s is newer than %s and is kept",
			 ovsdb_journal_path(journal), old->version,
			 schema->version ? schema->version : "(none)");
	if (cmp > 0 || (!cmp && same_tables(old, schema)))
		return 0;
	return convert_file(journal, db, schema, errp);
}

int ovsdb_journal_open_as(struct ovsdb_journal **journal, struct ovsdb_db **db,
			  const char *path, const struct ovsdb_schema *schema,
			  char **errp)
{
	int error = 0;

	*db = NULL;
	*journal = journal_lock(path, errp, &error);
	if (!*journal)
		return error;
	if (access(path, F_OK))
		error = ovsdb_journal_create(path, schema, errp);
	if (!error)
		error = load_as(*journal, db, schema, errp);
	if (error) {
		ovsdb_journal_close(*journal);
		*journal = NULL;
	}
	return error;
}
