/*
 * For the files that carry out a session's requests (session.c,
 * session_monitor.c).
 */
#ifndef OVSDB_LITE_SESSION_PRIVATE_H
#define OVSDB_LITE_SESSION_PRIVATE_H

#include "ovsdb-lite/session.h"

/* A request's method: replies, now or later. Borrows params and id. */
typedef void session_method(struct session *session, const char *method,
			    json_t *params, json_t *id);

session_method session_monitor;
session_method session_monitor_cond;
session_method session_monitor_cond_since;
session_method session_monitor_cond_change;
session_method session_monitor_cancel;

/* Both borrow the id, and take over the result or error. */
void session_reply(struct session *session, json_t *id, json_t *result);
void session_refuse(struct session *session, json_t *id, json_t *error);

/*
 * The database that the params begin with, or NULL after a reply when there is
 * none.
 */
struct server_db *session_params_db(struct session *session, const char *method,
				    json_t *params, json_t *id);

#endif
