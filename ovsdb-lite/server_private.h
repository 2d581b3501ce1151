/* What the server's own files share; no other file includes this. */
#ifndef OVSDB_LITE_SERVER_PRIVATE_H
#define OVSDB_LITE_SERVER_PRIVATE_H

#include "ovsdb-lite/journal.h"
#include "ovsdb-lite/jsonrpc.h"
#include "ovsdb-lite/lock.h"
#include "ovsdb-lite/server.h"

#define ZERO_UUID "00000000-0000-0000-0000-000000000000"

struct monitor_spec;
struct remote;
struct server_info;
struct session;
struct trigger;

/* A database that is served. */
struct server_db {
	struct ovsdb_server *server;
	struct ovsdb_db *db;
	const char *name;	       /* the schema's */
	struct ovsdb_journal *journal; /* NULL: in memory only */
	bool internal;		       /* "_Server": clients cannot write it */
	bool committed; /* since waiting transactions were last tried */
	bool retry;	/* they are being tried */
	struct ovsdb_listener listener;
	struct monitor_spec *specs; /* distinct monitors, see monitor.c */
	struct server_db *next;	    /* in order of names */
};

struct ovsdb_server {
	struct event_base *base;
	struct server_db *dbs;
	struct server_info *info;
	struct ovsdb_locks *locks;
	struct session *sessions;
	size_t n_sessions;
	struct trigger *triggers; /* transactions that wait, oldest first */
	struct event *after_commit;
	struct remote *remotes; /* in order of names */
	struct event *status;	/* connections of remotes came or went */
	struct tls *tls;
	unsigned int probe_ms;
	char id[UUID_LEN + 1]; /* get_server_id: random for each run */
};

/* server.c */
struct server_db *server_find_db(const struct ovsdb_server *server,
				 const char *name);
/* Adds a database; *added may be NULL. Takes over both, as add_db() does. */
int server_attach_db(struct ovsdb_server *server, struct ovsdb_db *db,
		     struct ovsdb_journal *journal, bool internal, char **errp);

/* server_info.c: the database "_Server" about the databases. */
struct server_info *server_info_create(struct ovsdb_server *server);
void server_info_destroy(struct server_info *info);
/* Brings its rows up to date, after a database came or went. */
void server_info_update(struct server_info *info);

/* trigger.c: transactions and those of them that wait. */
/* Runs a "transact" and replies, now or when it no longer waits. */
void trigger_transact(struct session *session, struct server_db *db,
		      json_t *params, json_t *id);
/* Tries those again whose database has changed. */
void trigger_retry(struct ovsdb_server *server);
/* "cancel": false when no request of this id waits. */
bool trigger_cancel(struct session *session, const json_t *id);
bool trigger_is_waiting(const struct session *session, const json_t *id);
void trigger_drop_session(struct session *session);
/* The database goes away: its transactions get an error. */
void trigger_drop_db(struct server_db *db);

#endif
