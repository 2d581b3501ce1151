/*
 * The transaction: first "wait" operations that hold what was read, then the
 * rows' changes, then next_cfg and a comment for the database's log.
 */
#include "ctl/transact.h"

#include <string.h>

#include "ctl/rpc.h"
#include "ctl/value.h"
#include "ctl/view.h"

#define DATABASE    "Open_vSwitch"
#define NAME_PREFIX "row"
#define NAME_LEN    (sizeof(NAME_PREFIX) + UUID_LEN)

/* The "uuid-name" of a row to be: an <id>, so no dashes. */
static char *row_name(const char *uuid, char name[NAME_LEN])
{
	snprintf(name, NAME_LEN, NAME_PREFIX "%s", uuid);
	for (char *p = name; *p; p++)
		if (*p == '-')
			*p = '_';
	return name;
}

/* The rows that other values must name: inserted, without a given UUID. */
static json_t *collect_named(struct view *view)
{
	json_t *named = json_object();
	char name[NAME_LEN];

	for (struct view_row *row = view_first(view); row; row = row->next)
		if (row->inserted && !row->named && !row->deleted)
			json_object_set_new(
				named, row->uuid,
				json_string(row_name(row->uuid, name)));
	return named;
}

/* A copy of a value with references to rows to be as ["named-uuid", name]. */
static json_t *with_names(const json_t *value, const json_t *named)
{
	const char *tag = json_string_value(json_array_get(value, 0));
	json_t *copy, *e, *name;
	size_t i;

	if (!json_is_array(value))
		return json_deep_copy(value);
	if (tag && !strcmp(tag, "uuid") && json_array_size(value) == 2) {
		name = json_object_get(
			named, json_string_value(json_array_get(value, 1)));
		return name ? json_pack("[s, O]", "named-uuid", name)
			    : json_deep_copy(value);
	}
	copy = json_array();
	json_array_foreach(value, i, e) {
		json_array_append_new(copy, with_names(e, named));
	}
	return copy;
}

static json_t *columns_with_names(const json_t *columns, const json_t *named)
{
	json_t *copy = json_object(), *value;
	const char *column;

	json_object_foreach((json_t *)columns, column, value) {
		json_object_set_new(copy, column, with_names(value, named));
	}
	return copy;
}

static json_t *operation(const char *op, const struct view_row *row)
{
	return json_pack("{s:s, s:s, s:o}", "op", op, "table", row->table,
			 "where",
			 view_where("_uuid", "==", value_uuid(row->uuid)));
}

static json_t *wait_operation(json_t *op, json_t *columns, json_t *rows,
			      const char *until)
{
	json_object_set_new(op, "timeout", json_integer(0));
	json_object_set_new(op, "columns", columns);
	json_object_set_new(op, "rows", rows);
	json_object_set_new(op, "until", json_string(until));
	return op;
}

/* The row must still be there, and its verified columns as they were. */
static void add_waits(json_t *ops, const struct view_row *row)
{
	json_t *columns = json_array(), *value;
	const char *column;

	json_object_foreach(row->verify, column, value) {
		json_array_append_new(columns, json_string(column));
	}
	json_array_append_new(
		ops,
		json_array_size(columns)
			? wait_operation(operation("wait", row), columns,
					 json_pack("[O]", row->verify), "==")
			: wait_operation(operation("wait", row), columns,
					 json_array(), "!="));
}

static void add_insert(json_t *ops, const struct view_row *row,
		       const json_t *named)
{
	json_t *op = json_pack("{s:s, s:s, s:o}", "op", "insert", "table",
			       row->table, "row",
			       columns_with_names(row->set, named));
	char name[NAME_LEN];

	if (row->named)
		json_object_set_new(op, "uuid", json_string(row->uuid));
	else
		json_object_set_new(op, "uuid-name",
				    json_string(row_name(row->uuid, name)));
	json_array_append_new(ops, op);
}

static void add_change(json_t *ops, const struct view_row *row,
		       const json_t *named)
{
	json_t *op, *mutations, *m;
	size_t i;

	if (json_object_size(row->set)) {
		op = operation("update", row);
		json_object_set_new(op, "row",
				    columns_with_names(row->set, named));
		json_array_append_new(ops, op);
	}
	if (!json_array_size(row->mutated))
		return;
	mutations = json_array();
	json_array_foreach(row->mutated, i, m) {
		json_array_append_new(mutations, with_names(m, named));
	}
	op = operation("mutate", row);
	json_object_set_new(op, "mutations", mutations);
	json_array_append_new(ops, op);
}

static bool changed(const struct view_row *row)
{
	return json_object_size(row->set) || json_array_size(row->mutated);
}

json_t *transact_operations(struct ctl *ctl)
{
	json_t *waits = json_array(), *ops = json_array();
	json_t *named = collect_named(ctl->view);

	for (struct view_row *row = view_first(ctl->view); row;
	     row = row->next) {
		if (row->inserted) {
			if (!row->deleted)
				add_insert(ops, row, named);
			if (!strcmp(row->table, DATABASE))
				json_array_append_new(
					waits,
					wait_operation(
						json_pack("{s:s, s:s, s:[]}",
							  "op", "wait", "table",
							  DATABASE, "where"),
						json_array(), json_array(),
						"=="));
			continue;
		}
		if (row->erased)
			json_array_append_new(ops, operation("delete", row));
		else if (!row->deleted && changed(row))
			add_change(ops, row, named);
		if (json_object_size(row->verify) ||
		    (!row->deleted && changed(row)))
			add_waits(waits, row);
	}
	json_decref(named);
	if (!json_array_size(ops)) {
		json_decref(waits);
		json_decref(ops);
		return NULL;
	}
	json_array_extend(waits, ops);
	json_decref(ops);
	return waits;
}

/* Raises next_cfg and reads it back. */
static void add_next_cfg(struct ctl *ctl, json_t *ops)
{
	struct view_row *root = view_root(ctl->view);
	json_t *mutate, *select;
	json_t *named = collect_named(ctl->view);
	json_t *by_uuid = view_where("_uuid", "==", value_uuid(root->uuid));
	json_t *where = with_names(by_uuid, named);

	mutate = json_pack("{s:s, s:s, s:O, s:[[s, s, i]]}", "op", "mutate",
			   "table", DATABASE, "where", where, "mutations",
			   "next_cfg", "+=", 1);
	select = json_pack("{s:s, s:s, s:o, s:[s]}", "op", "select", "table",
			   DATABASE, "where", where, "columns", "next_cfg");
	json_array_append_new(ops, mutate);
	json_array_append_new(ops, select);
	json_decref(by_uuid);
	json_decref(named);
}

static json_int_t read_cfg(const json_t *reply)
{
	const json_t *table = json_object_get(reply, DATABASE), *row;
	const char *uuid;

	json_object_foreach((json_t *)table, uuid, row) {
		const json_t *new = json_object_get(row, "new");

		return json_integer_value(json_object_get(new, "cur_cfg"));
	}
	return 0;
}

static int send_monitor(struct ctl *ctl)
{
	return rpc_send(ctl->rpc, "monitor",
			json_pack("[s, s, {s:{s:[s]}}]", DATABASE,
				  "vsw-ctl cur_cfg", DATABASE, "columns",
				  "cur_cfg"));
}

static enum commit_status judge(const json_t *result, json_t *error)
{
	json_t *r;
	size_t i;

	if (!result)
		ctl_fatal("the database refused the transaction: %s",
			  json_is_string(error)
				  ? json_string_value(error)
				  : json_dumps(error,
					       JSON_COMPACT | JSON_ENCODE_ANY));
	json_array_foreach(result, i, r) {
		const char *e = json_string_value(json_object_get(r, "error"));
		const char *details =
			json_string_value(json_object_get(r, "details"));

		if (e && !strcmp(e, "timed out"))
			return COMMIT_AGAIN;
		if (e)
			ctl_fatal("nothing was changed, the database refuses: "
				  "%s%s%s%s",
				  e, details ? " (" : "",
				  details ? details : "", details ? ")" : "");
	}
	return COMMIT_DONE;
}

/* Gives the inserted rows the UUIDs of the reply; n is the first result's. */
static void take_uuids(struct ctl *ctl, const json_t *ops, const json_t *result)
{
	struct view_row *row = view_first(ctl->view);
	const json_t *op;
	size_t i;

	json_array_foreach((json_t *)ops, i, op) {
		const char *kind = json_string_value(json_object_get(op, "op"));
		const char *uuid = json_string_value(json_array_get(
			json_object_get(json_array_get(result, i), "uuid"), 1));

		if (!kind || strcmp(kind, "insert"))
			continue;
		while (row && (!row->inserted || row->deleted))
			row = row->next;
		if (!row)
			return;
		if (uuid)
			snprintf(row->uuid, sizeof(row->uuid), "%s", uuid);
		row = row->next;
	}
}

static void read_next_cfg(const json_t *result, struct reload *reload)
{
	json_t *r;
	size_t i;

	json_array_foreach(result, i, r) {
		json_t *row = json_array_get(json_object_get(r, "rows"), 0);

		if (json_object_get(row, "next_cfg"))
			reload->next_cfg = json_integer_value(
				json_object_get(row, "next_cfg"));
	}
}

static bool only_init(const json_t *ops)
{
	const char *op = json_string_value(
		json_object_get(json_array_get(ops, 1), "op"));
	const char *table = json_string_value(
		json_object_get(json_array_get(ops, 1), "table"));

	return json_array_size(ops) == 2 && op && !strcmp(op, "insert") &&
	       table && !strcmp(table, DATABASE);
}

enum commit_status transact_commit(struct ctl *ctl, struct reload *reload)
{
	json_t *ops = transact_operations(ctl), *params, *result, *error;
	enum commit_status status;
	int monitor = 0, transact;

	if (!ops)
		return COMMIT_UNCHANGED;
	/* Setting up the database alone is nothing for vswd to carry out. */
	if (only_init(ops))
		reload = NULL;
	if (reload)
		add_next_cfg(ctl, ops);
	json_array_append_new(ops, json_pack("{s:s, s:s}", "op", "comment",
					     "comment", ctl->comment));
	if (reload && !reload->monitored)
		monitor = send_monitor(ctl);
	params = json_pack("[s]", DATABASE);
	json_array_extend(params, ops);
	transact = rpc_send(ctl->rpc, "transact", params);
	if (monitor) {
		result = rpc_wait(ctl->rpc, monitor, &error);
		reload->monitored = result != NULL;
		reload->cur_cfg = read_cfg(result);
		json_decref(result);
		json_decref(error);
	}
	result = rpc_wait(ctl->rpc, transact, &error);
	status = judge(result, error);
	if (status == COMMIT_DONE) {
		take_uuids(ctl, ops, result);
		if (reload)
			read_next_cfg(result, reload);
	}
	json_decref(result);
	json_decref(ops);
	return status;
}
