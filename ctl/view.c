/*
 * The view: a hash of rows by UUID, a queue of selects, and per row what the
 * commands have changed. A select is remembered by its text, so that asking
 * twice costs nothing.
 */
#include "ctl/view.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/rpc.h"
#include "ctl/value.h"
#include "ctl/view_private.h"

#define N_BUCKETS 4096 /* a power of two */
#define DATABASE  "Open_vSwitch"

struct view {
	struct rpc *rpc;
	struct view_row *buckets[N_BUCKETS];
	struct view_row *first, **last;
	json_t *selected; /* a select's text to the UUIDs it found */
	json_t *queue;	  /* selects that wait to be sent */
	struct view_row *root;
};

struct view *view_create(struct rpc *rpc)
{
	struct view *view = xcalloc(1, sizeof(*view));

	view->rpc = rpc;
	view->last = &view->first;
	view->selected = json_object();
	view->queue = json_array();
	return view;
}

void view_reset(struct view *view)
{
	struct view_row *row, *next;

	for (row = view->first; row; row = next) {
		next = row->next;
		json_decref(row->base);
		json_decref(row->set);
		json_decref(row->mutated);
		json_decref(row->folded);
		json_decref(row->verify);
		free(row);
	}
	memset(view->buckets, 0, sizeof(view->buckets));
	view->first = NULL;
	view->last = &view->first;
	view->root = NULL;
	json_object_clear(view->selected);
	json_array_clear(view->queue);
}

void view_destroy(struct view *view)
{
	if (!view)
		return;
	view_reset(view);
	json_decref(view->selected);
	json_decref(view->queue);
	free(view);
}

/* --- rows ----------------------------------------------------------------- */

static struct view_row **bucket(struct view *view, const char *uuid)
{
	struct uuid u;

	uuid_from_string(&u, uuid);
	return &view->buckets[uuid_hash(&u) & (N_BUCKETS - 1)];
}

struct view_row *view_lookup(struct view *view, const char *uuid)
{
	struct view_row *row = *bucket(view, uuid);

	while (row && strcmp(row->uuid, uuid))
		row = row->hash_next;
	return row;
}

struct view_row *view_add_row(struct view *view, const char *table,
			      const char *uuid)
{
	struct view_row *row = xcalloc(1, sizeof(*row));
	struct view_row **head = bucket(view, uuid);

	row->view = view;
	row->table = table;
	snprintf(row->uuid, sizeof(row->uuid), "%s", uuid);
	row->base = json_object();
	row->set = json_object();
	row->mutated = json_array();
	row->folded = json_object();
	row->verify = json_object();
	row->hash_next = *head;
	*head = row;
	*view->last = row;
	view->last = &row->next;
	return row;
}

struct view_row *view_first(struct view *view)
{
	return view->first;
}

struct view_row *view_next(struct view *view, const char *table,
			   struct view_row *row)
{
	row = row ? row->next : view->first;
	while (row && (row->deleted || strcmp(row->table, table)))
		row = row->next;
	return row;
}

/* --- fetching ------------------------------------------------------------- */

json_t *view_where(const char *column, const char *function, json_t *value)
{
	return json_pack("[[s, s, o]]", column, function, value);
}

static json_t *select_operation(const char *table, json_t *where,
				const char *const columns[])
{
	json_t *op = json_pack("{s:s, s:s, s:o}", "op", "select", "table",
			       table, "where", where);

	if (columns) {
		json_t *list = json_pack("[s]", "_uuid");

		for (; *columns; columns++)
			json_array_append_new(list, json_string(*columns));
		json_object_set_new(op, "columns", list);
	}
	return op;
}

/* Queues it if it is new. Returns its key in view->selected; free it. */
static char *want(struct view *view, const char *table, json_t *where,
		  const char *const columns[])
{
	json_t *op = select_operation(table, where, columns), *queued;
	char *key = json_dumps(op, JSON_COMPACT);
	size_t i;

	if (json_object_get(view->selected, key))
		goto out;
	json_array_foreach(view->queue, i, queued) {
		if (json_equal(json_array_get(queued, 1), op))
			goto out;
	}
	json_array_append_new(
		view->queue,
		json_pack("[s, O, I]", key, op, (json_int_t)(intptr_t)table));
out:
	json_decref(op);
	return key;
}

static void merge_row(struct view *view, const char *table, json_t *columns,
		      bool complete, json_t *uuids)
{
	const char *uuid = json_string_value(
		json_array_get(json_object_get(columns, "_uuid"), 1));
	struct view_row *row;
	struct uuid check;

	if (!uuid || !uuid_from_string(&check, uuid))
		ctl_fatal("the database sent a row of %s without a UUID",
			  table);
	row = view_lookup(view, uuid);
	if (!row) {
		row = view_add_row(view, table, uuid);
		json_decref(row->base);
		row->base = json_incref(columns);
	} else {
		/* What was seen first stays: one invocation, one state. */
		json_object_update_missing(row->base, columns);
	}
	row->complete |= complete;
	json_array_append_new(uuids, json_string(uuid));
}

static void take_rows(struct view *view, const json_t *queued,
		      const json_t *result)
{
	const char *key = json_string_value(json_array_get(queued, 0));
	const json_t *op = json_array_get(queued, 1);
	const char *table = (const char *)(intptr_t)json_integer_value(
		json_array_get(queued, 2));
	const char *error = json_string_value(json_object_get(result, "error"));
	json_t *uuids = json_array(), *row;
	size_t i;

	if (error || !result) {
		const char *details =
			json_string_value(json_object_get(result, "details"));

		ctl_fatal("reading table %s failed: %s", table,
			  details ? details
			  : error ? error
				  : "no answer");
	}
	json_array_foreach(json_object_get(result, "rows"), i, row) {
		merge_row(view, table, row, !json_object_get(op, "columns"),
			  uuids);
	}
	json_object_set_new(view->selected, key, uuids);
}

void view_flush(struct view *view)
{
	json_t *params = json_pack("[s]", DATABASE), *queue, *result, *q;
	char *error = NULL;
	size_t i;

	if (!view->root) {
		free(want(view, DATABASE, json_array(),
			  (const char *const[]){ NULL }));
	}
	if (!json_array_size(view->queue)) {
		json_decref(params);
		return;
	}
	queue = view->queue;
	view->queue = json_array();
	json_array_foreach(queue, i, q) {
		json_array_append(params, json_array_get(q, 1));
	}
	result = rpc_call(view->rpc, "transact", params, &error);
	if (!result)
		ctl_fatal_error(error);
	json_array_foreach(queue, i, q) {
		take_rows(view, q, json_array_get(result, i));
	}
	json_decref(result);
	json_decref(queue);
}

void view_want(struct view *view, const char *table, json_t *where,
	       const char *const columns[])
{
	free(want(view, table, where, columns));
}

/* Returns the UUIDs found; borrowed. */
static const json_t *fetch(struct view *view, const char *table, json_t *where,
			   const char *const columns[])
{
	char *key = want(view, table, where, columns);
	const json_t *uuids;

	if (!json_object_get(view->selected, key))
		view_flush(view);
	uuids = json_object_get(view->selected, key);
	free(key);
	return uuids;
}

void view_fetch(struct view *view, const char *table, json_t *where,
		const char *const columns[])
{
	fetch(view, table, where, columns);
}

struct view_row *view_by_uuid(struct view *view, const char *table,
			      const char *uuid, const char *const columns[])
{
	struct view_row *row = view_lookup(view, uuid);

	if (!row) {
		fetch(view, table, view_where("_uuid", "==", value_uuid(uuid)),
		      columns);
		row = view_lookup(view, uuid);
	}
	return row && !row->deleted && !strcmp(row->table, table) ? row : NULL;
}

static struct view_row *known_by_name(struct view *view, const char *table,
				      const char *column, const char *name,
				      bool inserted)
{
	struct view_row *row = NULL;

	while ((row = view_next(view, table, row))) {
		const char *s = json_string_value(view_peek(row, column));

		if (s && !strcmp(s, name) && (row->inserted || !inserted))
			return row;
	}
	return NULL;
}

struct view_row *view_by_name(struct view *view, const char *table,
			      const char *column, const char *name,
			      const char *const columns[])
{
	struct view_row *row = known_by_name(view, table, column, name, true);

	if (row)
		return row;
	fetch(view, table, view_where(column, "==", json_string(name)),
	      columns);
	return known_by_name(view, table, column, name, false);
}

/* 1 or 0: the pending changes add or take the reference; -1: neither. */
static int pending_reference(const struct view_row *row, const char *column,
			     const char *uuid)
{
	const json_t *v = json_object_get(row->set, column);
	json_t *mutation;
	int answer = -1;
	size_t i;

	if (v)
		return value_refers(v, uuid);
	json_array_foreach(row->mutated, i, mutation) {
		const char *of = json_string_value(json_array_get(mutation, 0));
		const char *mutator =
			json_string_value(json_array_get(mutation, 1));

		if (!strcmp(of, column) &&
		    value_refers(json_array_get(mutation, 2), uuid))
			answer = !strcmp(mutator, "insert");
	}
	return answer;
}

struct view_row *view_referrer(struct view *view, const char *table,
			       const char *column, const char *uuid,
			       const char *const columns[])
{
	struct view_row *row = NULL, *target = view_lookup(view, uuid);
	const json_t *found, *u;
	size_t i;

	while ((row = view_next(view, table, row)))
		if (pending_reference(row, column, uuid) == 1)
			return row;
	if (target && target->inserted)
		return NULL;
	found = fetch(view, table,
		      view_where(column, "includes", value_uuid(uuid)),
		      columns);
	json_array_foreach(found, i, u) {
		row = view_lookup(view, json_string_value(u));
		if (row && !row->deleted &&
		    pending_reference(row, column, uuid))
			return row;
	}
	return NULL;
}

struct view_row *view_root(struct view *view)
{
	if (view->root)
		return view->root;
	fetch(view, DATABASE, json_array(), (const char *const[]){ NULL });
	view->root = view_next(view, DATABASE, NULL);
	if (!view->root)
		view->root = view_insert(view, DATABASE);
	return view->root;
}
