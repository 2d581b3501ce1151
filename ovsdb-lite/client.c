/*
 * The client's connection: see client.h. The replica itself is replica.c,
 * the transactions under way are client_txn.c.
 *
 * A connection goes through these states: connecting, asking for the schema,
 * asking for the content, up. Any error on the way closes it, and the next try
 * comes after a pause that doubles up to a limit. Of several remotes, the next
 * one is tried each time.
 */
#include "ovsdb-lite/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ovsdb-lite/client_txn.h"
#include "ovsdb-lite/jsonrpc.h"
#include "ovsdb-lite/replica.h"

LOG_MODULE(ovsdb_client);

#define MIN_BACKOFF_MS	  100
#define MAX_BACKOFF_MS	  8000
#define MAX_BACKOFF_LOCAL 1000 /* a Unix socket: nobody is bothered */
#define PROBE_MS	  5000

enum state { STATE_DOWN, STATE_SCHEMA, STATE_MONITOR, STATE_UP };

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

struct ovsdb_client {
	struct event_base *base;
	char *remotes; /* as given: one or more, with commas between */
	const char *next_remote;
	char *remote; /* the present one */
	char *database;
	const struct ovsdb_client_ops *ops;
	void *aux;
	struct replica_wish *wishes;

	enum state state;
	struct jsonrpc *rpc; /* NULL: waiting to try again */
	struct event *reconnect;
	unsigned int backoff_ms;
	bool told_down; /* connection(false) was called since it was up */
	struct event *probe;
	uint64_t received;
	bool probing;

	size_t monitor; /* index of monitors: the best the server has */
	char *last_id;	/* the transaction that the replica is at */
	struct replica *replica;
	bool complete; /* it has had its first dump */

	char *lock;
	bool lock_held;

	struct client_txns txns;
};

static bool is_unknown_method(const json_t *error)
{
	const char *s = json_string_value(error);

	if (!s)
		s = json_string_value(json_object_get(error, "error"));
	return s && !strcmp(s, "unknown method");
}

/* --- up and down -----------------------------------------------------------
 */

static void set_lock_held(struct ovsdb_client *c, bool held)
{
	if (held == c->lock_held)
		return;
	c->lock_held = held;
	if (c->ops->lock)
		c->ops->lock(c, held, c->aux);
}

static void went_down(struct ovsdb_client *c, const char *why)
{
	struct timeval tv;

	c->rpc = NULL;
	c->state = STATE_DOWN;
	event_del(c->probe);
	tv.tv_sec = c->backoff_ms / 1000;
	tv.tv_usec = c->backoff_ms % 1000 * 1000;
	event_add(c->reconnect, &tv);
	c->backoff_ms = MIN(2 * c->backoff_ms, strncmp(c->remote, "unix:", 5)
						       ? MAX_BACKOFF_MS
						       : MAX_BACKOFF_LOCAL);
	client_txns_fail(&c->txns, c,
			 "the connection to the database was lost");
	set_lock_held(c, false);
	if (c->told_down)
		return;
	c->told_down = true;
	log_info("%s: %s; trying again", c->remote, why);
	if (c->ops->connection)
		c->ops->connection(c, false, why, c->aux);
}

static void came_up(struct ovsdb_client *c)
{
	c->state = STATE_UP;
	c->told_down = false;
	c->backoff_ms = MIN_BACKOFF_MS;
	log_info("%s: up, database %s", c->remote, c->database);
	if (c->ops->connection)
		c->ops->connection(c, true, "", c->aux);
}

static void tell_changed(struct ovsdb_client *c)
{
	if (c->ops->changed)
		c->ops->changed(c, c->aux);
}

/* --- the way up ------------------------------------------------------------
 */

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
	c->last_id = xstrdup(id ? id : "00000000-0000-0000-0000-000000000000");
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
		set_last_id(c, NULL);
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
		set_last_id(c, NULL);
		jsonrpc_fail(c->rpc, why ? why : "malformed monitor reply");
		free(why);
		return;
	}
	if (whole)
		changed = replica_end_dump(c->replica);
	c->complete = true;
	came_up(c);
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
		set_last_id(c, NULL);
		jsonrpc_fail(c->rpc, why ? why : "malformed update");
		free(why);
		return;
	}
	if (changed)
		tell_changed(c);
}

/* --- messages --------------------------------------------------------------
 */

static void reply_cb(struct jsonrpc *rpc, json_t *id, json_t *result,
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
	if (!strcmp(what, ID_MONITOR) && is_unknown_method(error) &&
	    c->monitor + 1 < ARRAY_SIZE(monitors)) {
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
		set_lock_held(c,
			      json_is_true(json_object_get(result, "locked")));
	}
}

static void notification_cb(struct jsonrpc *rpc, const char *method,
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
		set_lock_held(c, !strcmp(method, "locked"));
}

static void request_cb(struct jsonrpc *rpc, const char *method, json_t *params,
		       json_t *id, void *aux)
{
	if (!strcmp(method, "echo"))
		jsonrpc_send_reply(rpc, json_incref(id), json_incref(params),
				   json_null());
	else
		jsonrpc_send_reply(rpc, json_incref(id), json_null(),
				   json_string("unknown method"));
}

static void send_lock(struct ovsdb_client *c)
{
	ask(c, "lock", json_pack("[s]", c->lock), ID_LOCK);
}

static void connected_cb(struct jsonrpc *rpc, void *aux)
{
	const struct timeval tv = { PROBE_MS / 1000, PROBE_MS % 1000 * 1000 };
	struct ovsdb_client *c = aux;

	c->state = STATE_SCHEMA;
	c->received = 0;
	c->probing = false;
	event_add(c->probe, &tv);
	ask(c, "get_schema", json_pack("[s]", c->database), ID_SCHEMA);
	ask(c, "set_db_change_aware", json_pack("[b]", 1), ID_AWARE);
	if (c->lock)
		send_lock(c);
}

static void closed_cb(struct jsonrpc *rpc, const char *why, void *aux)
{
	went_down(aux, why);
}

static const struct jsonrpc_ops ops = {
	.request = request_cb,
	.notification = notification_cb,
	.reply = reply_cb,
	.connected = connected_cb,
	.closed = closed_cb,
};

/* A server that says nothing is asked, and left when it does not answer. */
static void probe_cb(evutil_socket_t fd, short what, void *aux)
{
	struct ovsdb_client *c = aux;
	uint64_t received = jsonrpc_received(c->rpc);

	if (received != c->received || jsonrpc_is_local(c->rpc)) {
		c->received = received;
		c->probing = false;
	} else if (!c->probing) {
		c->probing = true;
		ask(c, "echo", json_array(), ID_ECHO);
	} else {
		jsonrpc_fail(c->rpc, "the server did not answer a probe");
	}
}

/* The next one of the remotes, into c->remote. */
static void choose_remote(struct ovsdb_client *c)
{
	size_t n;

	if (!*c->next_remote)
		c->next_remote = c->remotes;
	n = strcspn(c->next_remote, ",");
	free(c->remote);
	c->remote = xasprintf("%.*s", (int)n, c->next_remote);
	c->next_remote += n;
	if (*c->next_remote == ',')
		c->next_remote++;
}

static void connect_cb(evutil_socket_t fd, short what, void *aux)
{
	struct ovsdb_client *c = aux;
	char *why = NULL;

	choose_remote(c);
	/* Whether this server has the best method is to be found out anew. */
	c->monitor = 0;
	c->rpc = jsonrpc_connect(c->base, c->remote, &ops, c, &why);
	if (!c->rpc)
		went_down(c, why);
	free(why);
}

/* --- the user's side -------------------------------------------------------
 */

struct ovsdb_client *ovsdb_client_create(struct event_base *base,
					 const char *remote,
					 const char *database,
					 const struct ovsdb_client_ops *c_ops,
					 void *aux)
{
	struct ovsdb_client *c = xcalloc(1, sizeof(*c));

	c->base = base;
	c->remotes = xstrdup(remote);
	c->next_remote = c->remotes;
	c->remote = xstrdup("");
	c->database = xstrdup(database);
	c->ops = c_ops;
	c->aux = aux;
	c->backoff_ms = MIN_BACKOFF_MS;
	set_last_id(c, NULL);
	c->reconnect = event_new(base, -1, 0, connect_cb, c);
	c->probe = event_new(base, -1, EV_PERSIST, probe_cb, c);
	event_active(c->reconnect, 0, 0);
	return c;
}

static void free_wish(struct replica_wish *wish)
{
	for (char **name = wish->columns; *name; name++)
		free(*name);
	free(wish->columns);
	free(wish->table);
	free(wish);
}

void ovsdb_client_destroy(struct ovsdb_client *c)
{
	struct replica_wish *wish;

	if (!c)
		return;
	jsonrpc_close(c->rpc);
	c->rpc = NULL;
	c->state = STATE_DOWN;
	client_txns_fail(&c->txns, c, "the client ends");
	event_free(c->reconnect);
	event_free(c->probe);
	replica_destroy(c->replica);
	while ((wish = c->wishes)) {
		c->wishes = wish->next;
		free_wish(wish);
	}
	free(c->last_id);
	free(c->lock);
	free(c->remotes);
	free(c->remote);
	free(c->database);
	free(c);
}

void ovsdb_client_monitor(struct ovsdb_client *c, const char *table,
			  const char *const columns[])
{
	struct replica_wish *wish = xcalloc(1, sizeof(*wish));
	size_t n = 0;

	while (columns[n])
		n++;
	wish->table = xstrdup(table);
	wish->columns = xcalloc(n + 1, sizeof(*wish->columns));
	for (size_t i = 0; i < n; i++)
		wish->columns[i] = xstrdup(columns[i]);
	wish->next = c->wishes;
	c->wishes = wish;
}

void ovsdb_client_set_lock(struct ovsdb_client *c, const char *lock)
{
	free(c->lock);
	c->lock = xstrdup(lock);
	if (c->state != STATE_DOWN)
		send_lock(c);
}

const struct ovsdb_schema *ovsdb_client_schema(const struct ovsdb_client *c)
{
	return c->replica ? replica_schema(c->replica) : NULL;
}

const struct ovsdb_client_row *ovsdb_client_next(
	const struct ovsdb_client *c, const char *table,
	const struct ovsdb_client_row *row)
{
	return c->replica ? replica_next(c->replica, table, row) : NULL;
}

const struct ovsdb_client_row *ovsdb_client_find(const struct ovsdb_client *c,
						 const char *table,
						 const struct uuid *uuid)
{
	return c->replica ? replica_find(c->replica, table, uuid) : NULL;
}

const struct ovsdb_datum *ovsdb_client_column(const struct ovsdb_client_row *r,
					      const char *column)
{
	const struct ovsdb_column *c =
		ovsdb_table_schema_column(r->table, column);

	return c ? r->columns[c->index] : NULL;
}

int ovsdb_client_transact(struct ovsdb_client *c, json_t *operations,
			  ovsdb_client_done *done, void *aux)
{
	json_int_t id;

	if (c->state != STATE_UP) {
		json_decref(operations);
		return -ENOTCONN;
	}
	id = client_txns_add(&c->txns, done, aux);
	json_array_insert_new(operations, 0, json_string(c->database));
	jsonrpc_send_request(c->rpc, "transact", operations, json_integer(id));
	return 0;
}
