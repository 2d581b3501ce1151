/*
 * "db:DB,TABLE,COLUMN" remotes: the column has remotes as strings, or
 * references to rows (of table Manager, in the Open_vSwitch database) whose
 * column "target" is one, and "inactivity_probe" and "max_backoff", in ms, say
 * how to keep it; "is_connected" and "status" are written there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ovsdb-lite/remote.h"

LOG_MODULE(ovsdb);

/* A row's value of a column, or NULL when the table has none such. */
static const struct ovsdb_datum *get(const struct ovsdb_row *row,
				     const char *name,
				     enum ovsdb_atomic_type type)
{
	const struct ovsdb_column *c =
		ovsdb_table_schema_column(ovsdb_table_schema(row->table), name);

	return c && c->type.key.type == type ? &row->columns[c->index] : NULL;
}

static unsigned int get_ms(const struct ovsdb_row *row, const char *name,
			   unsigned int min, unsigned int otherwise)
{
	const struct ovsdb_datum *d = get(row, name, OVSDB_TYPE_INTEGER);

	if (!d || !d->n || d->keys[0].integer < min ||
	    d->keys[0].integer > INT32_MAX)
		return otherwise;
	return d->keys[0].integer;
}

/* Has a remote that the column names; one that is new is made. */
static void want(struct remote *owner, const char *target,
		 const struct remote_options *options)
{
	struct remote *r = remote_find(owner->server, target, owner);
	char *why = NULL;

	if (!r) {
		if (remote_add(owner->server, target, owner, options, &why))
			log_warn("%s: %s", owner->name, why);
		free(why);
		r = remote_find(owner->server, target, owner);
	}
	if (!r)
		return;
	r->wanted = true;
	r->options = *options;
}

static void want_row(struct remote *owner, const struct ovsdb_row *row)
{
	const struct ovsdb_datum *target =
		get(row, "target", OVSDB_TYPE_STRING);
	struct remote_options options = remote_options(owner->server);

	if (!target)
		return;
	options.probe_ms = get_ms(row, "inactivity_probe", 0, options.probe_ms);
	options.max_backoff_ms =
		get_ms(row, "max_backoff", REMOTE_MIN_BACKOFF_MS,
		       options.max_backoff_ms);
	for (unsigned int i = 0; i < target->n; i++)
		want(owner, ovsdb_atom_string(&target->keys[i]), &options);
}

/* The table that a column's references go to, or NULL. */
static const char *ref_table(const struct ovsdb_column *c)
{
	return c->type.key.type == OVSDB_TYPE_UUID
		       ? c->type.key.uuid.ref_table_name
		       : NULL;
}

static void want_value(struct remote *owner, struct ovsdb_db *db,
		       const struct ovsdb_column *c,
		       const struct ovsdb_datum *d)
{
	struct remote_options options = remote_options(owner->server);
	const struct ovsdb_row *row;

	for (unsigned int i = 0; i < d->n; i++) {
		if (!ref_table(c)) {
			want(owner, ovsdb_atom_string(&d->keys[i]), &options);
			continue;
		}
		row = ovsdb_table_find(ovsdb_db_table(db, ref_table(c)),
				       &d->keys[i].uuid);
		if (row)
			want_row(owner, row);
	}
}

/*
 * The column that the remote means, with its database and table; false when the
 * database is not served (any more), or its schema lacks it, with a message.
 */
static bool find_column(const struct remote *remote, struct ovsdb_db **db,
			struct ovsdb_table **table,
			const struct ovsdb_column **column, char **errp)
{
	*db = ovsdb_server_db(remote->server, remote->db);
	if (!*db) {
		set_error(errp, -ENOENT, "\"%s\": no database named %s",
			  remote->name, remote->db);
		return false;
	}
	*table = ovsdb_db_table(*db, remote->table);
	if (!*table) {
		set_error(errp, -ENOENT, "\"%s\": no table named %s",
			  remote->name, remote->table);
		return false;
	}
	*column = ovsdb_table_schema_column(ovsdb_table_schema(*table),
					    remote->column);
	if (!*column) {
		set_error(errp, -ENOENT,
			  "\"%s\": table \"%s\" has no "
			  "column \"%s\"",
			  remote->name, remote->table, remote->column);
		return false;
	}
	if (!ovsdb_type_is_map(&(*column)->type) &&
	    ((*column)->type.key.type == OVSDB_TYPE_STRING ||
	     ref_table(*column)))
		return true;
	set_error(errp, -EINVAL,
		  "\"%s\": the column's type must be string "
		  "or a reference to rows",
		  remote->name);
	return false;
}

static void refresh(struct remote *owner)
{
	const struct ovsdb_row *row = NULL;
	const struct ovsdb_column *c;
	struct remote *r, *next;
	struct ovsdb_table *table;
	struct ovsdb_db *db;

	for (r = owner->server->remotes; r; r = r->next)
		if (r->owner == owner)
			r->wanted = false;
	if (find_column(owner, &db, &table, &c, NULL))
		while ((row = ovsdb_table_next(table, row)))
			want_value(owner, db, c, &row->columns[c->index]);
	for (r = owner->server->remotes; r; r = next) {
		next = r->next;
		if (r->owner == owner && !r->wanted)
			remote_destroy(r);
	}
}

/* Splits "db:DB,TABLE,COLUMN"; the three are in one allocation, db's. */
static bool split(struct remote *remote)
{
	char *comma;

	remote->db = xstrdup(remote->name + 3);
	comma = strchr(remote->db, ',');
	if (!comma)
		return false;
	*comma = '\0';
	remote->table = comma + 1;
	comma = strchr(comma + 1, ',');
	if (!comma)
		return false;
	*comma = '\0';
	remote->column = comma + 1;
	return !strchr(remote->column, ',');
}

int remote_db_start(struct remote *remote, char **errp)
{
	const struct ovsdb_column *c;
	struct ovsdb_table *table;
	struct ovsdb_db *db;

	if (!split(remote))
		return set_error(errp, -EINVAL,
				 "\"%s\": invalid syntax; use "
				 "db:DB,TABLE,COLUMN",
				 remote->name);
	if (!find_column(remote, &db, &table, &c, errp))
		return -EINVAL;
	refresh(remote);
	return 0;
}

void remote_db_changed(struct ovsdb_server *server, const char *name)
{
	struct remote *r, *next;

	for (r = server->remotes; r; r = next) {
		/* What this takes away is never a "db:" remote itself. */
		if (r->kind == REMOTE_DB && !strcmp(r->db, name))
			refresh(r);
		next = r->next;
	}
}

/* --- status ----------------------------------------------------------------
 */

static json_t *status_json(const struct remote *r)
{
	json_t *pairs = json_array();
	char text[16];

	if (r->kind == REMOTE_ACTIVE) {
		json_array_append_new(
			pairs, json_pack("[s, s]", "state",
					 r->session ? "ACTIVE" : "BACKOFF"));
	} else {
		snprintf(text, sizeof(text), "%u", r->n_sessions);
		json_array_append_new(
			pairs, json_pack("[s, s]", "n_connections", text));
		snprintf(text, sizeof(text), "%u", r->port);
		if (r->port)
			json_array_append_new(
				pairs, json_pack("[s, s]", "bound_port", text));
	}
	return json_pack("[s, o]", "map", pairs);
}

/* The operation that writes a row's status, or NULL: it has no such columns. */
static json_t *status_op(const struct ovsdb_row *row, const struct remote *r)
{
	const struct ovsdb_table_schema *ts = ovsdb_table_schema(row->table);
	json_t *values = json_object();
	char uuid[UUID_LEN + 1];

	if (ovsdb_table_schema_column(ts, "is_connected"))
		json_object_set_new(values, "is_connected",
				    json_boolean(r->n_sessions));
	if (ovsdb_table_schema_column(ts, "status"))
		json_object_set_new(values, "status", status_json(r));
	if (!json_object_size(values)) {
		json_decref(values);
		return NULL;
	}
	return json_pack("{s:s, s:s, s:[[s,s,[s,s]]], s:o}", "op", "update",
			 "table", ts->name, "where", "_uuid", "==", "uuid",
			 uuid_format(&row->uuid, uuid), "row", values);
}

static void add_status(struct remote *owner, const struct ovsdb_row *row,
		       json_t *ops)
{
	const struct ovsdb_datum *d = get(row, "target", OVSDB_TYPE_STRING);
	const struct remote *r;
	json_t *op;

	if (!d || !d->n)
		return;
	r = remote_find(owner->server, ovsdb_atom_string(&d->keys[0]), owner);
	op = r ? status_op(row, r) : NULL;
	if (op)
		json_array_append_new(ops, op);
}

static void write_status(struct remote *owner)
{
	struct ovsdb_session session = { .has_lock = NULL };
	const struct ovsdb_row *row = NULL;
	const struct ovsdb_column *c;
	struct ovsdb_table *table;
	json_t *ops, *error = NULL;
	struct ovsdb_db *db;
	uint32_t timeout_ms;
	bool waiting;

	if (!find_column(owner, &db, &table, &c, NULL) || !ref_table(c))
		return;
	table = ovsdb_db_table(db, ref_table(c));
	ops = json_pack("[s]", owner->db);
	while ((row = ovsdb_table_next(table, row)))
		add_status(owner, row, ops);
	if (json_array_size(ops) > 1)
		json_decref(ovsdb_db_transact(db, &session, ops, 0, &waiting,
					      &timeout_ms, &error));
	json_decref(error);
	json_decref(ops);
}

void remote_db_write_status(struct ovsdb_server *server)
{
	for (struct remote *r = server->remotes; r; r = r->next)
		if (r->kind == REMOTE_DB)
			write_status(r);
}
