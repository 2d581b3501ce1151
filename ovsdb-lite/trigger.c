/*
 * Transactions, and those of them that wait: a "wait" operation that is not
 * fulfilled keeps its transaction here until a commit fulfils it, its time is
 * over, the client cancels it or goes away.
 */
#include <stdlib.h>
#include <time.h>

#include "ovsdb-lite/session.h"

struct trigger {
	struct session *session;
	struct server_db *db;
	json_t *id;
	json_t *params;
	int64_t created_ms;
	struct event *timer;
	struct trigger *next;
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ll + ts.tv_nsec / 1000000;
}

static void trigger_destroy(struct trigger *t)
{
	struct trigger **p;

	for (p = &t->session->server->triggers; *p != t; p = &(*p)->next)
		;
	*p = t->next;
	t->session->n_triggers--;
	event_free(t->timer);
	json_decref(t->id);
	json_decref(t->params);
	free(t);
}

/*
 * Carries it out and replies. False when it waits, up to *timeout_ms from its
 * beginning.
 */
static bool run(struct session *session, struct server_db *db,
		const json_t *params, json_t *id, uint32_t elapsed_ms,
		uint32_t *timeout_ms)
{
	json_t *result, *error = NULL;
	bool waiting = false;

	session->asserts.read_only = db->internal;
	result = ovsdb_db_transact(db->db, &session->asserts, params,
				   elapsed_ms, &waiting, timeout_ms, &error);
	if (waiting)
		return false;
	if (result)
		jsonrpc_send_reply(session->rpc, json_incref(id), result,
				   json_null());
	else
		session_reply_error(session, json_incref(id), error);
	return true;
}

static void set_timer(struct trigger *t, uint32_t timeout_ms)
{
	int64_t left = t->created_ms + timeout_ms - now_ms();
	struct timeval tv;

	if (timeout_ms == UINT32_MAX) {
		event_del(t->timer);
		return;
	}
	left = MAX(left, 1);
	tv.tv_sec = left / 1000;
	tv.tv_usec = left % 1000 * 1000;
	event_add(t->timer, &tv);
}

static void retry(struct trigger *t)
{
	uint32_t elapsed = MIN(now_ms() - t->created_ms, UINT32_MAX - 1);
	uint32_t timeout_ms = UINT32_MAX;

	if (run(t->session, t->db, t->params, t->id, elapsed, &timeout_ms))
		trigger_destroy(t);
	else
		set_timer(t, timeout_ms);
}

static void timer_cb(evutil_socket_t fd, short what, void *aux)
{
	retry(aux);
}

void trigger_transact(struct session *session, struct server_db *db,
		      json_t *params, json_t *id)
{
	uint32_t timeout_ms = UINT32_MAX;
	struct trigger *t, **p;

	if (run(session, db, params, id, 0, &timeout_ms))
		return;
	if (session->n_triggers >= SESSION_MAX_TRIGGERS) {
		session_reply_error(session, json_incref(id),
				    ovsdb_error("resources exhausted",
						"%d transactions wait already",
						SESSION_MAX_TRIGGERS));
		return;
	}
	t = xcalloc(1, sizeof(*t));
	t->session = session;
	t->db = db;
	t->id = json_incref(id);
	t->params = json_incref(params);
	t->created_ms = now_ms();
	t->timer = event_new(session->server->base, -1, 0, timer_cb, t);
	for (p = &session->server->triggers; *p; p = &(*p)->next)
		;
	*p = t;
	session->n_triggers++;
	set_timer(t, timeout_ms);
}

void trigger_retry(struct ovsdb_server *server)
{
	struct trigger *t, *next;

	/*
	 * Carrying one out destroys it alone; if it commits, that asks for
	 * another round.
	 */
	for (t = server->triggers; t; t = next) {
		next = t->next;
		if (t->db->retry)
			retry(t);
	}
}

static struct trigger *find(const struct session *session, const json_t *id)
{
	struct trigger *t =
		session->n_triggers ? session->server->triggers : NULL;

	while (t && (t->session != session || !json_equal(t->id, id)))
		t = t->next;
	return t;
}

bool trigger_is_waiting(const struct session *session, const json_t *id)
{
	return find(session, id) != NULL;
}

bool trigger_cancel(struct session *session, const json_t *id)
{
	struct trigger *t = find(session, id);

	if (!t)
		return false;
	session_reply_error(session, json_incref(t->id),
			    json_string("canceled"));
	trigger_destroy(t);
	return true;
}

void trigger_drop_session(struct session *session)
{
	struct trigger *t, *next;

	for (t = session->server->triggers; t; t = next) {
		next = t->next;
		if (t->session == session)
			trigger_destroy(t);
	}
}

void trigger_drop_db(struct server_db *db)
{
	struct trigger *t, *next;

	for (t = db->server->triggers; t; t = next) {
		next = t->next;
		if (t->db != db)
			continue;
		session_reply_error(t->session, json_incref(t->id),
				    ovsdb_error("canceled",
						"database %s was removed",
						db->name));
		trigger_destroy(t);
	}
}
