/* The tables of a client's replica: see replica.h. */
#include "ovsdb-lite/replica.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ovsdb-lite/hmap.h"

LOG_MODULE(ovsdb_client);

struct row {
	struct ovsdb_client_row pub;
	struct hmap_node node;
	struct row *prev, *following; /* of the table, in order of arrival */
	unsigned int dump;	      /* the last one that had it */
	struct ovsdb_datum data[];    /* of the columns asked for */
};

struct table {
	const struct ovsdb_table_schema *schema;
	bool wanted;
	bool loud; /* has a column that is not quiet: its rows are spoken of */
	/* By the schema's column index: place in a row's data, or -1. */
	int *place;
	bool *quiet; /* by column index, too */
	unsigned int n_data;
	struct hmap rows;
	struct row *first, *last;
};

struct replica {
	struct ovsdb_schema *schema;
	struct table *tables; /* by the schema's index */
	unsigned int dump;    /* counts dumps; rows of an older one go away */
	bool dump_changed;
	uint64_t version; /* the last one that a row got */
};

/* --- tables and rows -------------------------------------------------------
 */

static struct row *find_row(const struct table *t, const struct uuid *uuid)
{
	uint32_t hash = uuid_hash(uuid);
	struct hmap_node *node = hmap_first(&t->rows, hash);

	for (; node; node = hmap_same(node->next, hash)) {
		struct row *row = CONTAINER_OF(node, struct row, node);

		if (uuid_equals(&row->pub.uuid, uuid))
			return row;
	}
	return NULL;
}

/* A new row of default values. */
static struct row *insert_row(struct table *t, const struct uuid *uuid)
{
	const struct ovsdb_table_schema *ts = t->schema;
	struct row *row =
		xcalloc(1, sizeof(*row) + t->n_data * sizeof(row->data[0]));

	row->pub.uuid = *uuid;
	row->pub.table = ts;
	row->pub.columns = xcalloc(ts->n_columns, sizeof(*row->pub.columns));
	for (size_t i = 0; i < ts->n_columns; i++) {
		if (t->place[i] < 0)
			continue;
		row->pub.columns[i] = &row->data[t->place[i]];
		ovsdb_datum_init_default(row->pub.columns[i],
					 &ts->columns[i].type);
	}
	hmap_insert(&t->rows, &row->node, uuid_hash(uuid));
	row->prev = t->last;
	*(t->last ? &t->last->following : &t->first) = row;
	t->last = row;
	return row;
}

static void delete_row(struct table *t, struct row *row)
{
	hmap_remove(&t->rows, &row->node);
	*(row->prev ? &row->prev->following : &t->first) = row->following;
	*(row->following ? &row->following->prev : &t->last) = row->prev;
	for (size_t i = 0; i < t->schema->n_columns; i++)
		if (row->pub.columns[i])
			ovsdb_datum_destroy(row->pub.columns[i],
					    &t->schema->columns[i].type);
	free(row->pub.columns);
	free(row);
}

static void want_columns(struct table *t, const struct replica_wish *wish)
{
	const struct ovsdb_column *c;

	t->wanted = true;
	for (char **name = wish->columns; *name; name++) {
		c = ovsdb_table_schema_column(t->schema, *name);
		if (!c)
			log_info("the server's table %s has no column %s",
				 wish->table, *name);
		else if (t->place[c->index] < 0)
			t->place[c->index] = t->n_data++;
		if (c)
			t->quiet[c->index] = wish->quiet;
		t->loud |= !wish->quiet;
	}
}

struct replica *replica_create(struct ovsdb_schema *schema,
			       const struct replica_wish *wishes)
{
	struct replica *r = xcalloc(1, sizeof(*r));
	const struct ovsdb_table_schema *ts;

	r->schema = schema;
	r->tables = xcalloc(schema->n_tables, sizeof(*r->tables));
	for (size_t i = 0; i < schema->n_tables; i++) {
		struct table *t = &r->tables[i];

		t->schema = &schema->tables[i];
		hmap_init(&t->rows);
		t->place = xcalloc(t->schema->n_columns, sizeof(*t->place));
		t->quiet = xcalloc(t->schema->n_columns, sizeof(*t->quiet));
		memset(t->place, 0xff,
		       t->schema->n_columns * sizeof(*t->place));
	}
	for (; wishes; wishes = wishes->next) {
		ts = ovsdb_schema_table(schema, wishes->table);
		if (ts)
			want_columns(&r->tables[ts->index], wishes);
		else
			log_info("the server's database %s has no table %s",
				 schema->name, wishes->table);
	}
	return r;
}

void replica_destroy(struct replica *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->schema->n_tables; i++) {
		struct table *t = &r->tables[i];

		while (t->first)
			delete_row(t, t->first);
		hmap_destroy(&t->rows);
		free(t->place);
		free(t->quiet);
	}
	free(r->tables);
	ovsdb_schema_destroy(r->schema);
	free(r);
}

const struct ovsdb_schema *replica_schema(const struct replica *r)
{
	return r->schema;
}

json_t *replica_requests(const struct replica *r)
{
	json_t *requests = json_object();

	for (size_t i = 0; i < r->schema->n_tables; i++) {
		const struct table *t = &r->tables[i];
		json_t *columns;

		if (!t->wanted)
			continue;
		columns = json_array();
		for (size_t c = 0; c < t->schema->n_columns; c++)
			if (t->place[c] >= 0)
				json_array_append_new(
					columns,
					json_string(
						t->schema->columns[c].name));
		json_object_set_new(requests, t->schema->name,
				    json_pack("[{s:o}]", "columns", columns));
	}
	return requests;
}

/* --- updates ---------------------------------------------------------------
 */

static int bad(char **errp, const struct table *t, const char *what)
{
	return set_error(errp, -EINVAL,
			 "the server sent an update of table %s "
			 "with %s",
			 t->schema->name, what);
}

/* As above, for a value; drops the error's reference. */
static int bad_value(char **errp, const struct ovsdb_column *c, json_t *error)
{
	char *text = ovsdb_error_to_string(error);
	int rc = set_error(errp, -EINVAL,
			   "the server sent a wrong value of "
			   "column %s: %s",
			   c->name, text);

	free(text);
	return rc;
}

/* Gives a column a new value; takes it over. */
static void set_column(const struct table *t, struct row *row,
		       const struct ovsdb_column *c, struct ovsdb_datum *value,
		       bool *changed)
{
	struct ovsdb_datum *d = row->pub.columns[c->index];

	if (!ovsdb_datum_equals(d, value, &c->type)) {
		ovsdb_datum_swap(d, value);
		*changed |= !t->quiet[c->index];
	}
	ovsdb_datum_destroy(value, &c->type);
}

/* Puts the values of a <row> in; `only`, if any, has the columns to look at. */
static int set_columns(const struct table *t, struct row *row,
		       const json_t *values, const json_t *only, bool *changed,
		       char **errp)
{
	const struct ovsdb_column *c;
	struct ovsdb_datum value;
	const char *name;
	json_t *json, *error;

	json_object_foreach((json_t *)values, name, json) {
		c = ovsdb_table_schema_column(t->schema, name);
		/* _uuid and _version, for one, are not kept. */
		if (!c || t->place[c->index] < 0 ||
		    (only && !json_object_get(only, name)))
			continue;
		error = ovsdb_datum_from_json(&value, &c->type, json, NULL);
		if (error)
			return bad_value(errp, c, error);
		set_column(t, row, c, &value, changed);
	}
	return 0;
}

/* Columns that the <row> leaves out have their default. */
static void set_defaults(const struct table *t, struct row *row,
			 const json_t *values, bool *changed)
{
	struct ovsdb_datum value;

	for (size_t i = 0; i < t->schema->n_columns; i++) {
		const struct ovsdb_column *c = &t->schema->columns[i];

		if (t->place[i] < 0 || json_object_get(values, c->name))
			continue;
		ovsdb_datum_init_default(&value, &c->type);
		set_column(t, row, c, &value, changed);
	}
}

static int apply_diffs(const struct table *t, struct row *row,
		       const json_t *diffs, bool *changed, char **errp)
{
	const struct ovsdb_column *c;
	struct ovsdb_datum diff;
	const char *name;
	json_t *json, *error;

	json_object_foreach((json_t *)diffs, name, json) {
		c = ovsdb_table_schema_column(t->schema, name);
		if (!c || t->place[c->index] < 0)
			continue;
		error = ovsdb_datum_diff_from_json(&diff, &c->type, json);
		if (!error) {
			error = ovsdb_datum_apply_diff(
				row->pub.columns[c->index], &diff, &c->type);
			ovsdb_datum_destroy(&diff, &c->type);
		}
		if (error)
			return bad_value(errp, c, error);
		*changed |= !t->quiet[c->index];
	}
	return 0;
}

/* A row that is there as a whole: new, or in a dump perhaps known. */
static int put_row(struct replica *r, struct table *t, struct row *row,
		   const struct uuid *uuid, const json_t *values, bool *changed,
		   char **errp)
{
	if (!json_is_object(values))
		return bad(errp, t, "a row that is no object");
	if (!row) {
		row = insert_row(t, uuid);
		*changed |= t->loud;
	} else {
		set_defaults(t, row, values, changed);
	}
	row->dump = r->dump;
	return set_columns(t, row, values, NULL, changed, errp);
}

/* A <row-update>: {"old":, "new":}. */
static int apply1(struct replica *r, struct table *t, const struct uuid *uuid,
		  const json_t *update, bool *changed, char **errp)
{
	json_t *old = json_object_get(update, "old");
	json_t *new = json_object_get(update, "new");
	struct row *row = find_row(t, uuid);

	if (!old && new)
		return put_row(r, t, row, uuid, new, changed, errp);
	if (!row)
		return bad(errp, t, "a change of a row that is not there");
	if (!new) {
		delete_row(t, row);
		*changed |= t->loud;
		return 0;
	}
	return set_columns(t, row, new, old, changed, errp);
}

/* A <row-update2>: one of initial, insert, delete, modify. */
static int apply2(struct replica *r, struct table *t, const struct uuid *uuid,
		  const json_t *update, bool *changed, char **errp)
{
	json_t *value = json_object_get(update, "initial");
	struct row *row = find_row(t, uuid);

	if (!value)
		value = json_object_get(update, "insert");
	if (value)
		return put_row(r, t, row, uuid, value, changed, errp);
	if (!row)
		return bad(errp, t, "a change of a row that is not there");
	value = json_object_get(update, "modify");
	if (value)
		return apply_diffs(t, row, value, changed, errp);
	if (!json_object_get(update, "delete"))
		return bad(errp, t, "a row that is not known what became of");
	delete_row(t, row);
	*changed |= t->loud;
	return 0;
}

static int apply_table(struct replica *r, int version, struct table *t,
		       const json_t *rows, bool *changed, char **errp)
{
	struct uuid uuid;
	const char *text;
	json_t *update;
	struct row *row;
	int error;

	json_object_foreach((json_t *)rows, text, update) {
		if (!uuid_from_string(&uuid, text))
			return bad(errp, t, "a wrong UUID");
		error = version == 1
				? apply1(r, t, &uuid, update, changed, errp)
				: apply2(r, t, &uuid, update, changed, errp);
		row = find_row(t, &uuid);
		if (row)
			row->pub.version = ++r->version;
		if (error)
			return error;
	}
	return 0;
}

int replica_apply(struct replica *r, int version, const json_t *updates,
		  bool *changed, char **errp)
{
	const struct ovsdb_table_schema *ts;
	bool any = false;
	const char *name;
	json_t *rows;
	int error = 0;

	json_object_foreach((json_t *)updates, name, rows) {
		ts = ovsdb_schema_table(r->schema, name);
		if (!ts || !r->tables[ts->index].wanted)
			error = set_error(errp, -EINVAL,
					  "the server sent an "
					  "update of table %s, which was not "
					  "asked for",
					  name);
		else
			error = apply_table(r, version, &r->tables[ts->index],
					    rows, &any, errp);
		if (error)
			break;
	}
	*changed |= any;
	r->dump_changed |= any;
	return error;
}

void replica_begin_dump(struct replica *r)
{
	r->dump++;
	r->dump_changed = false;
}

bool replica_end_dump(struct replica *r)
{
	struct row *row, *next;

	for (size_t i = 0; i < r->schema->n_tables; i++)
		for (row = r->tables[i].first; row; row = next) {
			next = row->following;
			if (row->dump == r->dump)
				continue;
			delete_row(&r->tables[i], row);
			r->dump_changed = true;
		}
	return r->dump_changed;
}

/* --- reading ---------------------------------------------------------------
 */

static const struct table *get_table(const struct replica *r, const char *name)
{
	const struct ovsdb_table_schema *ts =
		ovsdb_schema_table(r->schema, name);

	return ts ? &r->tables[ts->index] : NULL;
}

const struct ovsdb_client_row *replica_next(const struct replica *r,
					    const char *table,
					    const struct ovsdb_client_row *row)
{
	const struct table *t;
	const struct row *next;

	if (row) {
		next = CONTAINER_OF(row, const struct row, pub)->following;
	} else {
		t = get_table(r, table);
		next = t ? t->first : NULL;
	}
	return next ? &next->pub : NULL;
}

const struct ovsdb_client_row *replica_find(const struct replica *r,
					    const char *table,
					    const struct uuid *uuid)
{
	const struct table *t = get_table(r, table);
	struct row *row = t ? find_row(t, uuid) : NULL;

	return row ? &row->pub : NULL;
}
