/*
 * Where clients come from: sockets that listen (passive remotes), servers of
 * others that we connect to (active), and "db:" remotes, columns of a database
 * that name more of both. For the server's own files.
 */
#ifndef OVSDB_LITE_REMOTE_H
#define OVSDB_LITE_REMOTE_H

#include "ovsdb-lite/server_private.h"
#include "ovsdb-lite/session.h"
#include "ovsdb-lite/stream.h"

#define REMOTE_MIN_BACKOFF_MS 1000
#define REMOTE_MAX_BACKOFF_MS 8000

enum remote_kind { REMOTE_PASSIVE, REMOTE_ACTIVE, REMOTE_DB };

/* How its connections are kept; a Manager row may say otherwise. */
struct remote_options {
	unsigned int probe_ms; /* 0: not probed */
	unsigned int max_backoff_ms;
};

struct remote {
	struct ovsdb_server *server;
	char *name;
	enum remote_kind kind;
	struct remote_options options;
	struct remote *owner; /* the "db:" remote that it comes from, or NULL */
	bool wanted;	      /* while the owner looks through its column */
	unsigned int n_sessions;

	/* Passive. */
	struct stream_listener *listener;
	char *unix_path; /* to unlink, or NULL */
	uint16_t port;	 /* TCP's, or 0 */
	bool tls;
	/* Active. */
	struct session *session; /* NULL while it backs off */
	struct event *reconnect;
	unsigned int backoff_ms;
	/* "db:" */
	char *db; /* and in the same allocation: */
	const char *table, *column;

	struct remote *next;
};

/* remote.c */
int remote_add(struct ovsdb_server *server, const char *name,
	       struct remote *owner, const struct remote_options *options,
	       char **errp);
struct remote *remote_find(const struct ovsdb_server *server, const char *name,
			   const struct remote *owner);
void remote_destroy(struct remote *remote);
void remote_destroy_all(struct ovsdb_server *server);
/* The session is gone: an active remote connects again after a while. */
void remote_session_closed(struct remote *remote, struct session *session);
/* The defaults of the server. */
struct remote_options remote_options(const struct ovsdb_server *server);

/* remote_db.c */
/* Parses the name of a "db:" remote and brings what it names into being. */
int remote_db_start(struct remote *remote, char **errp);
/* A commit on a database, which may have come or gone: what "db:" remotes say
 * may have changed. */
void remote_db_changed(struct ovsdb_server *server, const char *db);
/* Writes is_connected and status of the rows that remotes come from. */
void remote_db_write_status(struct ovsdb_server *server);

#endif
