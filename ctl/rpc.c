/*
 * A blocking face for ovsdb-lite's JSON-RPC: each wait turns the event loop
 * until what it waits for has come in.
 */
#include "ctl/rpc.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/ctl.h"
#include "ctl/tls_module.h"
#include "ovsdb-lite/jsonrpc.h"
#include "ovsdb-lite/tls.h"

#define RETRY_MS 200

struct rpc {
	struct event_base *base;
	struct jsonrpc *conn; /* NULL when it is gone */
	struct tls *tls;
	bool up;
	char *why_closed;
	int last_id;
	/* What came and was not yet handed out: one read may bring several. */
	json_t *replies; /* [id, result, error] */
	json_t *updates; /* params */
};

static void on_request(struct jsonrpc *conn, const char *method, json_t *params,
		       json_t *id, void *aux)
{
	if (!strcmp(method, "echo"))
		jsonrpc_send_reply(conn, json_incref(id), json_incref(params),
				   json_null());
	else
		jsonrpc_send_reply(conn, json_incref(id), json_null(),
				   json_string("unknown method"));
}

static void on_notification(struct jsonrpc *conn, const char *method,
			    json_t *params, void *aux)
{
	struct rpc *rpc = aux;

	if (!strcmp(method, "update"))
		json_array_append(rpc->updates, params);
}

static void on_reply(struct jsonrpc *conn, json_t *id, json_t *result,
		     json_t *error, void *aux)
{
	struct rpc *rpc = aux;

	json_array_append_new(rpc->replies,
			      json_pack("[O, O, O]", id, result, error));
}

static void on_connected(struct jsonrpc *conn, void *aux)
{
	((struct rpc *)aux)->up = true;
}

static void on_closed(struct jsonrpc *conn, const char *why, void *aux)
{
	struct rpc *rpc = aux;

	rpc->conn = NULL;
	free(rpc->why_closed);
	rpc->why_closed = xstrdup(why);
}

static const struct jsonrpc_ops ops = {
	.request = on_request,
	.notification = on_notification,
	.reply = on_reply,
	.connected = on_connected,
	.closed = on_closed,
};

static int set_up_tls(struct rpc *rpc, const struct ctl_options *o, char **errp)
{
	const struct tls_files files = {
		.private_key = (char *)o->private_key,
		.certificate = (char *)o->certificate,
		.ca_cert = (char *)o->ca_cert,
		.bootstrap = o->bootstrap,
		.peer_ca_cert = (char *)o->peer_ca_cert,
	};

	if (strncmp(o->db, "ssl:", 4))
		return 0;
	if (!o->private_key || !o->certificate || !o->ca_cert)
		return set_error(errp, -EINVAL,
				 "%s: --private-key, --certificate and "
				 "--ca-cert are needed for an ssl: database",
				 o->db);
	if (tls_module_load(errp))
		return -EINVAL;
	rpc->tls = tls_create(&files, errp);
	if (!rpc->tls)
		return -EINVAL;
	tls_set_default(rpc->tls);
	return 0;
}

static int try_connect(struct rpc *rpc, const char *remote, char **errp)
{
	rpc->conn = jsonrpc_connect(rpc->base, remote, &ops, rpc, errp);
	if (!rpc->conn)
		return -ENOTCONN;
	while (!rpc->up && rpc->conn)
		event_base_loop(rpc->base, EVLOOP_ONCE);
	if (!rpc->conn)
		return set_error(errp, -ENOTCONN, "%s", rpc->why_closed);
	return 0;
}

/* Says what to do about a database that does not answer. */
static void explain(const struct ctl_options *o, char **errp)
{
	/* The system's reason comes last, after ": ". */
	char *colon = *errp, *next, *why;

	while ((next = strstr(colon, ": ")))
		colon = next + 2;
	why = xstrdup(colon);

	if (strncmp(o->db, "unix:", 5))
		set_error(errp, 0, "cannot connect to %s (%s); check --db",
			  o->db, why);
	else if (!strcmp(why, strerror(ENOENT)) ||
		 !strcmp(why, strerror(ECONNREFUSED)))
		set_error(errp, 0,
			  "%s is not running: cannot connect to %s (%s); start "
			  "it with \"vswd\" or give --run-dir/--db",
			  o->db_given ? "the database" : "vswd", o->db, why);
	else
		set_error(errp, 0, "cannot connect to %s (%s)", o->db, why);
	free(why);
}

struct rpc *rpc_open(const struct ctl_options *options, char **errp)
{
	const struct timespec pause = { .tv_nsec = RETRY_MS * 1000000L };
	struct rpc *rpc = xcalloc(1, sizeof(*rpc));
	int error;

	rpc->base = event_base_new();
	rpc->replies = json_array();
	rpc->updates = json_array();
	if (set_up_tls(rpc, options, errp)) {
		rpc_close(rpc);
		return NULL;
	}
	while ((error = try_connect(rpc, options->db, errp))) {
		if (!options->retry)
			break;
		nanosleep(&pause, NULL);
	}
	if (error) {
		explain(options, errp);
		rpc_close(rpc);
		return NULL;
	}
	return rpc;
}

void rpc_close(struct rpc *rpc)
{
	if (!rpc)
		return;
	if (rpc->conn)
		jsonrpc_close(rpc->conn);
	event_base_free(rpc->base);
	if (rpc->tls) {
		tls_set_default(NULL);
		tls_destroy(rpc->tls);
	}
	json_decref(rpc->updates);
	json_decref(rpc->replies);
	free(rpc->why_closed);
	free(rpc);
}

static void check_alive(const struct rpc *rpc)
{
	if (!rpc->conn)
		ctl_fatal("the connection to the database was lost: %s",
			  rpc->why_closed);
}

int rpc_send(struct rpc *rpc, const char *method, json_t *params)
{
	check_alive(rpc);
	rpc->last_id++;
	jsonrpc_send_request(rpc->conn, method, params,
			     json_integer(rpc->last_id));
	return rpc->last_id;
}

/* Takes the reply to a request out of those that came; NULL: not yet. */
static json_t *take_reply(struct rpc *rpc, int id)
{
	json_t *reply = NULL, *r;
	size_t i;

	json_array_foreach(rpc->replies, i, r) {
		if (json_integer_value(json_array_get(r, 0)) != id)
			continue;
		reply = json_incref(r);
		json_array_remove(rpc->replies, i);
		break;
	}
	return reply;
}

json_t *rpc_wait(struct rpc *rpc, int id, json_t **error)
{
	json_t *reply, *result = NULL;

	while (!(reply = take_reply(rpc, id))) {
		check_alive(rpc);
		event_base_loop(rpc->base, EVLOOP_ONCE);
	}
	*error = NULL;
	if (json_is_null(json_array_get(reply, 2)))
		result = json_incref(json_array_get(reply, 1));
	else
		*error = json_incref(json_array_get(reply, 2));
	json_decref(reply);
	return result;
}

static void timed_out(evutil_socket_t fd, short what, void *aux)
{
	*(bool *)aux = true;
}

json_t *rpc_wait_update(struct rpc *rpc, int timeout_ms)
{
	const struct timeval tv = { .tv_sec = timeout_ms / 1000,
				    .tv_usec = timeout_ms % 1000 * 1000 };
	bool over = false;
	struct event *timer = evtimer_new(rpc->base, timed_out, &over);
	json_t *params = NULL;

	if (timeout_ms >= 0)
		evtimer_add(timer, &tv);
	while (!json_array_size(rpc->updates) && !over) {
		check_alive(rpc);
		event_base_loop(rpc->base, EVLOOP_ONCE);
	}
	event_free(timer);
	if (json_array_size(rpc->updates)) {
		params = json_incref(json_array_get(rpc->updates, 0));
		json_array_remove(rpc->updates, 0);
	}
	return params;
}

json_t *rpc_call(struct rpc *rpc, const char *method, json_t *params,
		 char **errp)
{
	json_t *error, *result;
	char *text;

	result = rpc_wait(rpc, rpc_send(rpc, method, params), &error);
	if (result)
		return result;
	text = json_is_string(error)
		       ? xstrdup(json_string_value(error))
		       : json_dumps(error, JSON_ENCODE_ANY | JSON_COMPACT);
	set_error(errp, -EIO, "%s", text);
	free(text);
	json_decref(error);
	return NULL;
}
