/*
 * The client's connection: see client.h. What is said over it is
 * client_sync.c, the replica itself replica.c, the transactions under way
 * client_txn.c.
 *
 * A connection goes through these states: connecting, asking for the schema,
 * asking for the content, up. Any error on the way closes it, and the next try
 * comes after a pause that doubles up to a limit. Of several remotes, the next
 * one is tried each time.
 */
#include "ovsdb-lite/client_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

LOG_MODULE(ovsdb_client);

#define MIN_BACKOFF_MS	  100
#define MAX_BACKOFF_MS	  8000
#define MAX_BACKOFF_LOCAL 1000 /* a Unix socket: nobody is bothered */
#define PROBE_MS	  5000

/* --- up and down -----------------------------------------------------------
 */

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
	client_set_lock_held(c, false);
	if (c->told_down)
		return;
	c->told_down = true;
	log_info("%s: %s; trying again", c->remote, why);
	if (c->ops->connection)
		c->ops->connection(c, false, why, c->aux);
}

void client_came_up(struct ovsdb_client *c)
{
	c->state = STATE_UP;
	c->told_down = false;
	c->backoff_ms = MIN_BACKOFF_MS;
	log_info("%s: up, database %s", c->remote, c->database);
	if (c->ops->connection)
		c->ops->connection(c, true, "", c->aux);
}

static void connected_cb(struct jsonrpc *rpc, void *aux)
{
	const struct timeval tv = { PROBE_MS / 1000, PROBE_MS % 1000 * 1000 };
	struct ovsdb_client *c = aux;

	c->received = 0;
	c->probing = false;
	event_add(c->probe, &tv);
	client_sync_start(c);
}

static void closed_cb(struct jsonrpc *rpc, const char *why, void *aux)
{
	went_down(aux, why);
}

static const struct jsonrpc_ops ops = {
	.request = client_sync_request,
	.notification = client_sync_notification,
	.reply = client_sync_reply,
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
		client_send_echo(c);
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
	client_sync_forget(c);
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
		client_send_lock(c);
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
