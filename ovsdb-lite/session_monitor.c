/*
 * A session's requests about its monitors (RFC 7047 sections 4.1.5 to 4.1.7 and
 * ovsdb-server(7)); the monitors themselves are monitor.c.
 */
#include "ovsdb-lite/session_private.h"

static struct monitor *find_monitor(const struct session *session,
				    const json_t *id)
{
	struct monitor *m = session->monitors;

	while (m && !json_equal(m->id, id))
		m = m->next;
	return m;
}

static json_t *check_monitor(struct session *session,
			     enum monitor_version version, json_t *params)
{
	size_t n = json_array_size(params);
	json_t *since = json_array_get(params, 3);

	if (n != (version == MONITOR_V3 ? 4 : 3) ||
	    !json_is_object(json_array_get(params, 2)) ||
	    (version == MONITOR_V3 && !json_is_string(since)))
		return ovsdb_syntax_error(params, NULL, "invalid parameters");
	if (find_monitor(session, json_array_get(params, 1)))
		return ovsdb_syntax_error(json_array_get(params, 1), NULL,
					  "duplicate monitor ID");
	if (session->n_monitors >= SESSION_MAX_MONITORS)
		return ovsdb_error("resources exhausted",
				   "the session has %d monitors already",
				   SESSION_MAX_MONITORS);
	return NULL;
}

static void monitor(struct session *session, const char *method, json_t *params,
		    json_t *id, enum monitor_version version)
{
	struct server_db *db = session_params_db(session, method, params, id);
	json_t *error, *initial = NULL;

	if (!db)
		return;
	error = check_monitor(session, version, params);
	if (!error)
		monitor_create(session, db, version, json_array_get(params, 1),
			       json_array_get(params, 2), &initial, &error);
	if (error)
		session_refuse(session, id, error);
	else if (version == MONITOR_V3)
		/* No history is kept, so every client begins from nothing. */
		session_reply(session, id,
			      json_pack("[b, s, o]", 0, ZERO_UUID, initial));
	else
		session_reply(session, id, initial);
}

void session_monitor(struct session *session, const char *method,
		     json_t *params, json_t *id)
{
	monitor(session, method, params, id, MONITOR_V1);
}

void session_monitor_cond(struct session *session, const char *method,
			  json_t *params, json_t *id)
{
	monitor(session, method, params, id, MONITOR_V2);
}

void session_monitor_cond_since(struct session *session, const char *method,
				json_t *params, json_t *id)
{
	monitor(session, method, params, id, MONITOR_V3);
}

void session_monitor_cond_change(struct session *session, const char *method,
				 json_t *params, json_t *id)
{
	json_t *old_id = json_array_get(params, 0);
	json_t *new_id = json_array_get(params, 1);
	json_t *updates = json_array_get(params, 2), *error;
	struct monitor *m, *other;

	if (json_array_size(params) != 3 || !json_is_object(updates)) {
		error = ovsdb_syntax_error(params, NULL, "invalid parameters");
		session_refuse(session, id, error);
		return;
	}
	m = find_monitor(session, old_id);
	other = find_monitor(session, new_id);
	if (!m)
		error = ovsdb_syntax_error(old_id, NULL,
					   "unknown monitor session");
	else if (other && other != m)
		error = ovsdb_syntax_error(new_id, NULL,
					   "duplicate monitor ID");
	else
		error = monitor_change(m, new_id, updates);
	if (error)
		session_refuse(session, id, error);
	else
		session_reply(session, id, json_object());
}

void session_monitor_cancel(struct session *session, const char *method,
			    json_t *params, json_t *id)
{
	struct monitor *m;

	if (json_array_size(params) != 1) {
		session_refuse(session, id, json_string("invalid parameters"));
		return;
	}
	m = find_monitor(session, json_array_get(params, 0));
	if (!m) {
		session_refuse(session, id, json_string("unknown monitor"));
		return;
	}
	monitor_destroy(m);
	session_reply(session, id, json_object());
}

void session_drop_db(struct session *session, struct server_db *db)
{
	struct monitor *m, *next;
	bool had = false;

	for (m = session->monitors; m; m = next) {
		next = m->next;
		if (m->db != db)
			continue;
		had = true;
		if (session->db_change_aware)
			jsonrpc_send_notification(session->rpc,
						  "monitor_canceled",
						  json_pack("[O]", m->id));
		monitor_destroy(m);
	}
	if (had && !session->db_change_aware)
		jsonrpc_fail(session->rpc, "its database was removed");
}
