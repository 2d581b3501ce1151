/*
 * The client's talk with its server: the schema, the monitor that keeps the
 * replica up to date, the lock, and echoes. Replies to transactions go on to
 * client_txn.c.
 *
 * Of the ways to monitor, the best is tried first on each connection; a server
 * that does not know it is asked for the next. With monitor_cond_since, the
 * content after a reconnection is only what is new since the last transaction
 * that the replica has seen.
 */
#include "ovsdb-lite/client_private.h"

#include <stdlib.h>
#include <string.h>

/* The ways to monitor, best first; the number is in the update's name. */
static const struct {
	const char *method, *update;
	int updates; /* version of <table-updates> */
} monitors[] = {
	{ "monitor_cond_since", "update3", 2 },
	{ "monitor_cond", "update2", 2 },
	{ "monitor", "update", 1 },
};

/* The ids of our requests; transactions have numbers. */
#define ID_SCHEMA  "schema"
#define ID_MONITOR "monitor"
#define ID_LOCK	   "lock"
#define ID_AWARE   "aware"
#define ID_ECHO	   "echo"

/* What stands for the transaction before all. */
#define NO_TRANSACTION "00000000-0000-0000-0000-000000000000"

static bool is_unknown_method(const json_t *error)
{
	const char *s = json_string_value(error);

	if (!s)
		s = json_string_value(json_object_get(error, "error"));
	return s && !strcmp(s, "unknown method");
}

static void tell_changed(struct ovsdb_client *c)
{
	if (c->ops->changed)
		c->ops->changed(c, c->aux);
}

static void ask(struct ovsdb_client *c, const char *method, json_t *params,
		const char *id)
{
	jsonrpc_send_request(c->rpc, method, params, json_string(id));
}

static void send_monitor(struct ovsdb_client *c)
{
	json_t *params = json_pack("[s, s, o]", c->database, "replica",
				   replica_requests(c->replica));

	if (c->monitor == 0)
		json_array_append_new(params, json_string(c->last_id));
	c->state = STATE_MONITOR;
	ask(c, monitors[c->monitor].method, params, ID_MONITOR);
}

static void set_last_id(struct ovsdb_client *c, const char *id)
{
	free(c->last_id);
	c->last_id = xstrdup(id ? id : NO_TRANSACTION);
}

void client_sync_forget(struct ovsdb_client *c)
{
	set_last_id(c, NO_TRANSACTION);
}

static void got_schema(struct ovsdb_client *c, json_t *json)
{
	struct ovsdb_schema *schema;
	json_t *error;
	char *why;

	if (!c->replica ||
	    !json_equal(replica_schema(c->replica)->json, json)) {
		error = ovsdb_schema_from_json(&schema, json);
		if (error) {
			why = ovsdb_error_to_string(error);
			jsonrpc_fail(c->rpc, why);
			free(why);
			return;
		}
		replica_destroy(c->replica);
		c->replica = replica_create(schema, c->wishes);
		c->complete = false;
		client_sync_forget(c);
	}
	send_monitor(c);
}

/* The reply to our monitor request: the content, or what is new of it. */
static void got_content(struct ovsdb_client *c, json_t *result)
{
	bool whole = true, changed = false, first = !c->complete;
	json_t *updates = result;
	char *why = NULL;

	if (c->monitor == 0) {
		whole = !json_is_true(json_array_get(result, 0));
		set_last_id(c, json_string_value(json_array_get(result, 1)));
		updates = json_array_get(result, 2);
	}
	if (whole)
		replica_begin_dump(c->replica);
	if (!json_is_object(updates) ||
	    replica_apply(c->replica, monitors[c->monitor].updates, updates,
			  &changed, &why)) {
		/* What it has now is of no state that ever was. */
		client_sync_forget(c);
		jsonrpc_fail(c->rpc, why ? why : "malformed monitor reply");
		free(why);
		return;
	}
	if (whole)
		changed = replica_end_dump(c->replica);
	c->complete = true;
	client_came_up(c);
	if (changed || first)
		tell_changed(c);
}

static void got_update(struct ovsdb_client *c, json_t *params)
{
	bool changed = false;
	json_t *updates;
	char *why = NULL;

	if (c->monitor == 0) {
		set_last_id(c, json_string_value(json_array_get(params, 1)));
		updates = json_array_get(params, 2);
	} else {
		updates = json_array_get(params, 1);
	}
	if (!json_is_object(updates) ||
	    replica_apply(c->replica, monitors[c->monitor].updates, updates,
			  &changed, &why)) {
		client_sync_forget(c);
		jsonrpc_fail(c->rpc, why ? why : "malformed update");
		free(why);
		return;
	}
	if (changed)
		tell_changed(c);
}

/* --- the lock, echoes ------------------------------------------------------
 */

void client_set_lock_held(struct ovsdb_client *c, bool held)
{
	if (held == c->lock_held)
		return;
	c->lock_held = held;
	if (c->ops->lock)
		c->ops->lock(c, held, c->aux);
}

void client_send_lock(struct ovsdb_client *c)
{
	ask(c, "lock", json_pack("[s]", c->lock), ID_LOCK);
}

void client_send_echo(struct ovsdb_client *c)
{
	ask(c, "echo", json_array(), ID_ECHO);
}

/* --- messages --------------------------------------------------------------
 */

void client_sync_reply(struct jsonrpc *rpc, json_t *id, json_t *result,
		       json_t *error, void *aux)
{
	struct ovsdb_client *c = aux;
	const char *what = json_string_value(id);
	char *why;

	if (json_is_integer(id)) {
		client_txns_reply(&c->txns, c, json_integer_value(id), result,
				  error);
		return;
	}
	if (!what || !strcmp(what, ID_ECHO) || !strcmp(what, ID_AWARE))
		return;
	if (!strcmp(what, ID_MONITOR) && c->state == STATE_MONITOR &&
	    is_unknown_method(error) && c->monitor + 1 < ARRAY_SIZE(monitors)) {
		c->monitor++;
		send_monitor(c);
	} else if (!json_is_null(error)) {
		why = client_error_text(error);
		jsonrpc_fail(rpc, why);
		free(why);
	} else if (!strcmp(what, ID_SCHEMA) && c->state == STATE_SCHEMA) {
		got_schema(c, result);
	} else if (!strcmp(what, ID_MONITOR) && c->state == STATE_MONITOR) {
		got_content(c, result);
	} else if (!strcmp(what, ID_LOCK)) {
		client_set_lock_held(
			c, json_is_true(json_object_get(result, "locked")));
	}
}

void client_sync_notification(struct jsonrpc *rpc, const char *method,
			      json_t *params, void *aux)
{
	struct ovsdb_client *c = aux;
	const char *name = json_string_value(json_array_get(params, 0));

	if (c->state == STATE_UP &&
	    !strcmp(method, monitors[c->monitor].update))
		got_update(c, params);
	else if (!strcmp(method, "monitor_canceled"))
		jsonrpc_fail(rpc, "the server has given the database up");
	else if (c->lock && name && !strcmp(name, c->lock) &&
		 (!strcmp(method, "locked") || !strcmp(method, "stolen")))
		client_set_lock_held(c, !strcmp(method, "locked"));
}

void client_sync_request(struct jsonrpc *rpc, const char *method,
			 json_t *params, json_t *id, void *aux)
{
	if (!strcmp(method, "echo"))
		jsonrpc_send_reply(rpc, json_incref(id), json_incref(params),
				   json_null());
	else
		jsonrpc_send_reply(rpc, json_incref(id), json_null(),
				   json_string("unknown method"));
}

void client_sync_start(struct ovsdb_client *c)
{
	c->state = STATE_SCHEMA;
	/* Whether this server has the best way is to be found out anew. */
	c->monitor = 0;
	ask(c, "get_schema", json_pack("[s]", c->database), ID_SCHEMA);
	ask(c, "set_db_change_aware", json_pack("[b]", 1), ID_AWARE);
	if (c->lock)
		client_send_lock(c);
}
