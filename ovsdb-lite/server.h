/*
 * The OVSDB server: several databases, the sessions of clients on them, and the
 * remotes that clients come from.
 *
 * Files: session.c a client's requests, trigger.c transactions that wait,
 * monitor*.c update notifications, lock.c named locks, remote*.c where it
 * listens, server_info.c the database about the databases.
 *
 * A server belongs to the thread that runs its event_base (the database
 * thread): every function here is called there, and never from inside a
 * database's commit.
 */
#ifndef OVSDB_LITE_SERVER_H
#define OVSDB_LITE_SERVER_H

#include <event2/event.h>

#include "base/util.h"
#include "ovsdb-lite/db.h"

/* More sessions than this are refused. */
#define OVSDB_MAX_SESSIONS 4096
/* A peer that says nothing for this long is asked whether it lives. */
#define OVSDB_PROBE_INTERVAL_MS 5000

struct ovsdb_server;
struct tls;

struct ovsdb_server *ovsdb_server_create(struct event_base *base);
/* Closes all sessions, remotes and databases; accepts NULL. */
void ovsdb_server_destroy(struct ovsdb_server *server);

/* Opens a database file. 0, or -errno with a message (see journal.h). */
int ovsdb_server_open(struct ovsdb_server *server, const char *path,
		      char **errp);
/*
 * The same; a file that is missing is made with this schema, and one of another
 * version is converted to it.
 */
int ovsdb_server_open_as(struct ovsdb_server *server, const char *path,
			 const struct ovsdb_schema *schema, char **errp);
/*
 * Serves a database that has no file; takes it over. -EEXIST with a message,
 * and the database destroyed, when there is one of its name.
 */
int ovsdb_server_add_db(struct ovsdb_server *server, struct ovsdb_db *db,
			char **errp);
/* Ends the sessions' monitors on it. -ENOENT when it is not served. */
int ovsdb_server_remove_db(struct ovsdb_server *server, const char *name,
			   char **errp);
/*
 * Gives a database, which is served, another schema of its name (see
 * ovsdb_journal_convert). Ends the sessions' monitors on it. 0, or -errno with
 * a message and nothing changed.
 */
int ovsdb_server_convert(struct ovsdb_server *server, const char *name,
			 const struct ovsdb_schema *schema, char **errp);
/* NULL when it is not served; borrowed. */
struct ovsdb_db *ovsdb_server_db(const struct ovsdb_server *server,
				 const char *name);
/* The name with index i, in order of names; NULL after the last. */
const char *ovsdb_server_db_name(const struct ovsdb_server *server, size_t i);
/* Compacts the file of one database, or of all with NULL. */
int ovsdb_server_compact(struct ovsdb_server *server, const char *name,
			 char **errp);

/*
 * Where clients come from: "punix:FILE", "ptcp:[PORT][:ADDRESS]", "pssl:...",
 * "unix:FILE", "tcp:HOST:PORT", "ssl:HOST:PORT", or "db:DB,TABLE,COLUMN": those
 * that this column has, a string, or a reference to rows with a column
 * "target". A passive remote listens when this returns. 0, or -errno with a
 * message.
 */
int ovsdb_server_add_remote(struct ovsdb_server *server, const char *remote,
			    char **errp);
int ovsdb_server_remove_remote(struct ovsdb_server *server, const char *remote,
			       char **errp);
/* One line each, sorted; the caller frees it. */
char *ovsdb_server_list_remotes(const struct ovsdb_server *server);
/* TLS for "pssl:" remotes; borrowed. Set it before they are added. */
void ovsdb_server_set_tls(struct ovsdb_server *server, struct tls *tls);

/* A session on a connected socket that is handed in (for tests). */
void ovsdb_server_accept(struct ovsdb_server *server, int fd);
/* Drops all sessions; clients connect again. */
void ovsdb_server_reconnect(struct ovsdb_server *server);
/* 0: peers are not probed. For sessions to come. */
void ovsdb_server_set_probe_interval(struct ovsdb_server *server,
				     unsigned int ms);
size_t ovsdb_server_n_sessions(const struct ovsdb_server *server);
/* Counts of what takes memory, one line for a person; the caller frees it. */
char *ovsdb_server_memory(const struct ovsdb_server *server);

#endif
