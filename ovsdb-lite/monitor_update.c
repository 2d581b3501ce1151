/*
 * What a commit means to a monitor, as JSON: <table-updates> with old and new
 * values (RFC 7047 section 4.1.6), or <table-updates2> with differences
 * (ovsdb-server(7) section 4.1.14), where a row that comes under the monitor's
 * condition is inserted and one that leaves it is deleted.
 */
#include <stdlib.h>

#include "ovsdb-lite/monitor_spec.h"

static json_t *uuid_json(const struct uuid *uuid)
{
	char text[UUID_LEN + 1];

	return json_pack("[s, s]", "uuid", uuid_format(uuid, text));
}

static const char *column_name(const struct monitor_column *c)
{
	return c->kind == COLUMN_UUID	   ? "_uuid"
	       : c->kind == COLUMN_VERSION ? "_version"
					   : c->column->name;
}

static json_t *column_json(const struct monitor_column *c,
			   const struct ovsdb_row *row)
{
	if (c->kind == COLUMN_UUID)
		return uuid_json(&row->uuid);
	if (c->kind == COLUMN_VERSION)
		return uuid_json(&row->version);
	return ovsdb_datum_to_json(&row->columns[c->column->index],
				   &c->column->type);
}

static bool bit_is_set(const unsigned long *bits, unsigned int i)
{
	const unsigned int n = 8 * sizeof(*bits);

	return bits[i / n] >> i % n & 1;
}

static bool column_changed(const struct monitor_column *c,
			   const struct ovsdb_change *change)
{
	if (c->kind == COLUMN_UUID)
		return false;
	return c->kind == COLUMN_VERSION ||
	       bit_is_set(change->changed, c->column->index);
}

/* A row's columns of interest for this kind of change. */
static json_t *row_json(const struct monitor_table *t,
			const struct ovsdb_row *row, unsigned int select,
			bool omit_defaults)
{
	json_t *json = json_object();

	for (size_t i = 0; i < t->n_columns; i++) {
		const struct monitor_column *c = &t->columns[i];

		if (!(c->select & select))
			continue;
		if (omit_defaults && c->kind == COLUMN_REAL &&
		    ovsdb_datum_is_default(&row->columns[c->column->index],
					   &c->column->type))
			continue;
		json_object_set_new_nocheck(json, column_name(c),
					    column_json(c, row));
	}
	return json;
}

/* The old values of those columns that changed; NULL when none did. */
static json_t *changed_json(const struct monitor_table *t,
			    const struct ovsdb_change *change)
{
	json_t *json = NULL;

	for (size_t i = 0; i < t->n_columns; i++) {
		const struct monitor_column *c = &t->columns[i];

		if (!(c->select & SELECT_MODIFY) || !column_changed(c, change))
			continue;
		if (!json)
			json = json_object();
		json_object_set_new_nocheck(json, column_name(c),
					    column_json(c, change->old));
	}
	return json;
}

/* A <row-update>, or NULL. */
static json_t *row_update1(const struct monitor_table *t,
			   const struct ovsdb_change *change,
			   unsigned int insert)
{
	json_t *old;

	if (!change->old)
		return t->select & insert ? json_pack("{s:o}", "new",
						      row_json(t, change->new,
							       insert, false))
					  : NULL;
	if (!change->new)
		return t->select & SELECT_DELETE
			       ? json_pack("{s:o}", "old",
					   row_json(t, change->old,
						    SELECT_DELETE, false))
			       : NULL;
	old = changed_json(t, change);
	if (!old)
		return NULL;
	return json_pack("{s:o, s:o}", "old", old, "new",
			 row_json(t, change->new, SELECT_MODIFY, false));
}

/* The differences of one column; false when there are none. */
static bool add_diff(json_t *json, const struct monitor_column *c,
		     const struct ovsdb_change *change)
{
	struct ovsdb_datum diff;
	unsigned int i;

	if (c->kind == COLUMN_VERSION) {
		json_object_set_new_nocheck(json, "_version",
					    uuid_json(&change->new->version));
		return true;
	}
	i = c->column->index;
	if (!ovsdb_datum_diff(&diff, &change->old->columns[i],
			      &change->new->columns[i], &c->column->type))
		return false;
	json_object_set_new_nocheck(
		json, c->column->name,
		ovsdb_datum_to_json(&diff, &c->column->type));
	ovsdb_datum_destroy(&diff, &c->column->type);
	return true;
}

static json_t *modify_json(const struct monitor_table *t,
			   const struct ovsdb_change *change)
{
	json_t *json = json_object();
	bool any = false;

	for (size_t i = 0; i < t->n_columns; i++) {
		const struct monitor_column *c = &t->columns[i];

		if (c->select & SELECT_MODIFY && column_changed(c, change))
			any |= add_diff(json, c, change);
	}
	if (any)
		return json_pack("{s:o}", "modify", json);
	json_decref(json);
	return NULL;
}

static bool matches(const struct monitor_table *t, const struct ovsdb_row *row)
{
	return row && ovsdb_condition_any(t->condition, row);
}

/* A <row-update2>, or NULL. */
static json_t *row_update2(const struct monitor_table *t,
			   const struct ovsdb_change *change, bool was, bool is,
			   unsigned int insert)
{
	if (was && is)
		return t->select & SELECT_MODIFY ? modify_json(t, change)
						 : NULL;
	if (is && t->select & insert)
		return json_pack("{s:o}",
				 insert == SELECT_INITIAL ? "initial"
							  : "insert",
				 row_json(t, change->new, insert, true));
	if (was && t->select & SELECT_DELETE)
		return json_pack("{s:n}", "delete");
	return NULL;
}

/* Puts a row's update into *updates; takes its reference. */
static void add_update(json_t **updates, const struct monitor_table *t,
		       const struct uuid *uuid, json_t *update)
{
	char text[UUID_LEN + 1];
	json_t *table;

	if (!update)
		return;
	if (!*updates)
		*updates = json_object();
	table = json_object_get(*updates, t->schema->name);
	if (!table) {
		table = json_object();
		json_object_set_new_nocheck(*updates, t->schema->name, table);
	}
	json_object_set_new_nocheck(table, uuid_format(uuid, text), update);
}

json_t *monitor_initial(const struct monitor_spec *spec)
{
	json_t *updates = json_object(), *update;

	for (size_t i = 0; i < spec->n_tables; i++) {
		const struct monitor_table *t = &spec->tables[i];
		struct ovsdb_change change = { .table = t->table };

		if (!(t->select & SELECT_INITIAL))
			continue;
		while ((change.new = ovsdb_table_next(t->table, change.new))) {
			if (spec->version == MONITOR_V1)
				update =
					row_update1(t, &change, SELECT_INITIAL);
			else
				update = row_update2(t, &change, false,
						     matches(t, change.new),
						     SELECT_INITIAL);
			add_update(&updates, t, &change.new->uuid, update);
		}
	}
	return updates;
}

static const struct monitor_table *find_table(const struct monitor_spec *spec,
					      const struct ovsdb_table *table)
{
	for (size_t i = 0; i < spec->n_tables; i++)
		if (spec->tables[i].table == table)
			return &spec->tables[i];
	return NULL;
}

json_t *monitor_changes(const struct monitor_spec *spec,
			const struct ovsdb_change *changes, size_t n)
{
	const struct monitor_table *t = NULL;
	json_t *updates = NULL, *update;

	for (size_t i = 0; i < n; i++) {
		const struct ovsdb_change *c = &changes[i];

		if (!t || t->table != c->table)
			t = find_table(spec, c->table);
		if (!t)
			continue;
		if (spec->version == MONITOR_V1)
			update = row_update1(t, c, SELECT_INSERT);
		else
			update = row_update2(t, c, matches(t, c->old),
					     matches(t, c->new), SELECT_INSERT);
		add_update(&updates, t, c->old ? &c->old->uuid : &c->new->uuid,
			   update);
	}
	return updates;
}

json_t *monitor_transition(const struct monitor_spec *old,
			   const struct monitor_spec *new)
{
	json_t *updates = NULL;

	for (size_t i = 0; i < new->n_tables; i++) {
		const struct monitor_table *after = &new->tables[i];
		const struct monitor_table *before =
			find_table(old, after->table);
		const struct ovsdb_row *row = NULL;

		while ((row = ovsdb_table_next(after->table, row))) {
			struct ovsdb_change change = { .table = after->table,
						       .old = row,
						       .new = row };
			bool was = before && matches(before, row);
			bool is = matches(after, row);

			if (was != is)
				add_update(&updates, after, &row->uuid,
					   row_update2(after, &change, was, is,
						       SELECT_INSERT));
		}
	}
	return updates;
}
