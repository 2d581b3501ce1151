/*
 * A client's session: dispatches its requests (session.h). Each method of RFC
 * 7047 section 4.1 and of ovsdb-server(7) is one function in the table below;
 * those about monitors are in session_monitor.c. What has a life of its own is
 * in trigger.c and monitor.c.
 *
 * Error tags and the shape of errors are those that clients were written
 * against: an unknown method is answered with a bare string.
 */
#include "ovsdb-lite/session_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ovsdb-lite/remote.h"

LOG_MODULE(ovsdb);

void session_reply(struct session *session, json_t *id, json_t *result)
{
	jsonrpc_send_reply(session->rpc, json_incref(id), result, json_null());
}

void session_reply_error(struct session *session, json_t *id, json_t *error)
{
	jsonrpc_send_reply(session->rpc, id, json_null(), error);
}

void session_refuse(struct session *session, json_t *id, json_t *error)
{
	session_reply_error(session, json_incref(id), error);
}

struct server_db *session_params_db(struct session *session, const char *method,
				    json_t *params, json_t *id)
{
	const char *name = json_string_value(json_array_get(params, 0));
	struct server_db *db;

	if (!name) {
		session_refuse(
			session, id,
			ovsdb_syntax_error(params, NULL,
					   "%s request params must begin "
					   "with <db-name>",
					   method));
		return NULL;
	}
	db = server_find_db(session->server, name);
	if (!db)
		session_refuse(
			session, id,
			ovsdb_syntax_error(params, "unknown database",
					   "%s request specifies unknown "
					   "database %s",
					   method, name));
	return db;
}

static void do_list_dbs(struct session *session, const char *method,
			json_t *params, json_t *id)
{
	json_t *names = json_array();

	for (struct server_db *db = session->server->dbs; db; db = db->next)
		json_array_append_new(names, json_string(db->name));
	session_reply(session, id, names);
}

static void do_get_schema(struct session *session, const char *method,
			  json_t *params, json_t *id)
{
	struct server_db *db = session_params_db(session, method, params, id);

	if (db)
		session_reply(session, id,
			      ovsdb_schema_to_json(ovsdb_db_schema(db->db)));
}

static void do_get_server_id(struct session *session, const char *method,
			     json_t *params, json_t *id)
{
	session_reply(session, id, json_string(session->server->id));
}

static void do_set_db_change_aware(struct session *session, const char *method,
				   json_t *params, json_t *id)
{
	json_t *aware = json_array_get(params, 0);

	if (json_array_size(params) != 1 || !json_is_boolean(aware)) {
		session_refuse(session, id,
			       ovsdb_syntax_error(params, NULL,
						  "%s: true or false parameter "
						  "expected",
						  method));
		return;
	}
	session->db_change_aware = json_is_true(aware);
	session_reply(session, id, json_object());
}

static void do_echo(struct session *session, const char *method, json_t *params,
		    json_t *id)
{
	session_reply(session, id, json_incref(params));
}

static void do_transact(struct session *session, const char *method,
			json_t *params, json_t *id)
{
	struct server_db *db = session_params_db(session, method, params, id);

	if (!db)
		return;
	if (trigger_is_waiting(session, id)) {
		session_refuse(session, id,
			       ovsdb_syntax_error(params, NULL,
						  "%s: duplicate request ID",
						  method));
		return;
	}
	trigger_transact(session, db, params, id);
}

static void do_convert(struct session *session, const char *method,
		       json_t *params, json_t *id)
{
	struct server_db *db = session_params_db(session, method, params, id);
	struct ovsdb_schema *schema;
	char *why = NULL;
	json_t *error;
	int rc;

	if (!db)
		return;
	error = ovsdb_schema_from_json(&schema, json_array_get(params, 1));
	if (error) {
		session_refuse(session, id, error);
		return;
	}
	rc = ovsdb_server_convert(session->server, db->name, schema, &why);
	ovsdb_schema_destroy(schema);
	if (rc)
		session_refuse(session, id,
			       ovsdb_error("constraint violation", "%s", why));
	else
		session_reply(session, id, json_object());
	free(why);
}

/* --- locks -----------------------------------------------------------------
 */

static const char *lock_name(struct session *session, const char *method,
			     json_t *params, json_t *id)
{
	const char *name = json_string_value(json_array_get(params, 0));

	if (json_array_size(params) == 1 && name && ovsdb_is_id(name))
		return name;
	session_refuse(session, id,
		       ovsdb_syntax_error(params, NULL,
					  "%s request params must be <id>",
					  method));
	return NULL;
}

static void lock(struct session *session, const char *method, json_t *params,
		 json_t *id, bool steal)
{
	const char *name = lock_name(session, method, params, id);
	bool held;
	int error;

	if (!name)
		return;
	error = ovsdb_lock(session->server->locks, &session->locks, name, steal,
			   &held);
	if (!error)
		session_reply(session, id, json_pack("{s:b}", "locked", held));
	else if (error == -EALREADY)
		session_refuse(
			session, id,
			ovsdb_syntax_error(params, NULL,
					   "must issue \"unlock\" before "
					   "new \"%s\"",
					   method));
	else
		session_refuse(session, id,
			       ovsdb_error("resources exhausted",
					   "the session has %d locks already",
					   OVSDB_MAX_LOCKS));
}

static void do_lock(struct session *session, const char *method, json_t *params,
		    json_t *id)
{
	lock(session, method, params, id, false);
}

static void do_steal(struct session *session, const char *method,
		     json_t *params, json_t *id)
{
	lock(session, method, params, id, true);
}

static void do_unlock(struct session *session, const char *method,
		      json_t *params, json_t *id)
{
	const char *name = lock_name(session, method, params, id);

	if (!name)
		return;
	if (ovsdb_unlock(session->server->locks, &session->locks, name))
		session_refuse(session, id,
			       ovsdb_syntax_error(params, NULL,
						  "unlock: \"unlock\" without "
						  "\"lock\" or \"steal\""));
	else
		session_reply(session, id, json_object());
}

static void lock_notify(struct ovsdb_lock_owner *owner, const char *name,
			bool gained)
{
	struct session *session = CONTAINER_OF(owner, struct session, locks);

	jsonrpc_send_notification(session->rpc, gained ? "locked" : "stolen",
				  json_pack("[s]", name));
}

static bool has_lock(const struct ovsdb_session *asserts, const char *name)
{
	const struct session *session =
		CONTAINER_OF(asserts, struct session, asserts);

	return ovsdb_lock_held(&session->locks, name);
}

/* --- dispatch --------------------------------------------------------------
 */

static const struct {
	const char *name;
	session_method *fn;
} methods[] = {
	{ "transact", do_transact },
	{ "echo", do_echo },
	{ "monitor", session_monitor },
	{ "monitor_cond", session_monitor_cond },
	{ "monitor_cond_since", session_monitor_cond_since },
	{ "monitor_cond_change", session_monitor_cond_change },
	{ "monitor_cancel", session_monitor_cancel },
	{ "lock", do_lock },
	{ "steal", do_steal },
	{ "unlock", do_unlock },
	{ "list_dbs", do_list_dbs },
	{ "get_schema", do_get_schema },
	{ "get_server_id", do_get_server_id },
	{ "set_db_change_aware", do_set_db_change_aware },
	{ "convert", do_convert },
};

static void request_cb(struct jsonrpc *rpc, const char *method, json_t *params,
		       json_t *id, void *aux)
{
	struct session *session = aux;

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (!strcmp(methods[i].name, method)) {
			methods[i].fn(session, method, params, id);
			return;
		}
	/* Clients compare this string; an object made some of them hang. */
	session_refuse(session, id, json_string("unknown method"));
}

/* Only "cancel" is known; the RFC has others ignored. */
static void notification_cb(struct jsonrpc *rpc, const char *method,
			    json_t *params, void *aux)
{
	struct session *session = aux;

	if (!strcmp(method, "cancel") && json_array_size(params) == 1)
		trigger_cancel(session, json_array_get(params, 0));
}

/* The only request that we send is the probe's echo. */
static void reply_cb(struct jsonrpc *rpc, json_t *id, json_t *result,
		     json_t *error, void *aux)
{
	const char *s = json_string_value(id);

	if (!s || strcmp(s, "echo"))
		jsonrpc_fail(rpc, "it replied to a request that was never "
				  "made");
}

static void closed_cb(struct jsonrpc *rpc, const char *why, void *aux)
{
	struct session *session = aux;

	log_limited(jsonrpc_log_level(rpc), "%s: session ended: %s",
		    jsonrpc_name(rpc), why);
	session->received = jsonrpc_received(rpc);
	session->rpc = NULL;
	session_destroy(session);
}

const struct jsonrpc_ops session_ops = {
	.request = request_cb,
	.notification = notification_cb,
	.reply = reply_cb,
	.closed = closed_cb,
};

/*
 * A peer on this machine is not dropped for being slow (it may be stopped by a
 * debugger): the kernel tells when it is gone.
 */
static void probe_cb(evutil_socket_t fd, short what, void *aux)
{
	struct session *session = aux;
	uint64_t received = jsonrpc_received(session->rpc);

	if (received != session->received) {
		session->received = received;
		session->probing = false;
	} else if (!session->probing) {
		session->probing = true;
		jsonrpc_send_request(session->rpc, "echo", json_array(),
				     json_string("echo"));
	} else if (!jsonrpc_is_local(session->rpc)) {
		jsonrpc_fail(session->rpc, "it did not answer a probe");
	}
}

struct session *session_create(struct ovsdb_server *server,
			       struct remote *remote)
{
	struct session *session = xcalloc(1, sizeof(*session));

	session->asserts.has_lock = has_lock;
	session->server = server;
	session->remote = remote;
	session->locks.notify = lock_notify;
	session->next = server->sessions;
	server->sessions = session;
	server->n_sessions++;
	return session;
}

void session_start(struct session *session, struct jsonrpc *rpc,
		   unsigned int probe_ms)
{
	struct timeval tv = { probe_ms / 1000, probe_ms % 1000 * 1000 };

	session->rpc = rpc;
	session->probe_ms = probe_ms;
	if (probe_ms) {
		session->probe = event_new(session->server->base, -1,
					   EV_PERSIST, probe_cb, session);
		event_add(session->probe, &tv);
	}
}

void session_destroy(struct session *session)
{
	struct ovsdb_server *server = session->server;
	struct session **p;

	for (p = &server->sessions; *p != session; p = &(*p)->next)
		;
	*p = session->next;
	server->n_sessions--;
	trigger_drop_session(session);
	while (session->monitors)
		monitor_destroy(session->monitors);
	ovsdb_unlock_all(server->locks, &session->locks);
	if (session->remote)
		remote_session_closed(session->remote, session);
	if (session->probe)
		event_free(session->probe);
	jsonrpc_close(session->rpc);
	free(session);
}
