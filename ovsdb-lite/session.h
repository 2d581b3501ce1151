/*
 * A session: one client's connection to the server, its requests, monitors,
 * locks and waiting transactions. For the server's own files.
 */
#ifndef OVSDB_LITE_SESSION_H
#define OVSDB_LITE_SESSION_H

#include "ovsdb-lite/monitor.h"
#include "ovsdb-lite/server_private.h"

/* A client may wait for no more at once, lest it fill the memory. */
#define SESSION_MAX_TRIGGERS 1024
#define SESSION_MAX_MONITORS 1024

struct session {
	struct ovsdb_session asserts; /* what transactions ask: first member */
	struct ovsdb_server *server;
	struct jsonrpc *rpc;
	struct remote *remote; /* it came by this one; NULL: handed in */
	struct ovsdb_lock_owner locks;
	struct monitor *monitors;
	unsigned int n_monitors;
	unsigned int n_triggers;
	bool db_change_aware;

	struct event *probe;
	unsigned int probe_ms;
	uint64_t received; /* bytes when the probe's timer last ran */
	bool probing;	   /* asked, and no byte since */
	struct session *next;
};

/*
 * A session on a connection made or accepted with session_ops and no user data
 * yet: it takes the connection over.
 */
struct session *session_create(struct ovsdb_server *server,
			       struct remote *remote);
extern const struct jsonrpc_ops session_ops;
/* Gives it its connection, whose callbacks' aux must be the session. */
void session_start(struct session *session, struct jsonrpc *rpc,
		   unsigned int probe_ms);
/* Ends it at once; from the event loop only, never from within a commit. */
void session_destroy(struct session *session);

/* An error reply; takes over the references. */
void session_reply_error(struct session *session, json_t *id, json_t *error);

/* The database goes away: monitors end, or the session if it knows no better.
 */
void session_drop_db(struct session *session, struct server_db *db);

#endif
