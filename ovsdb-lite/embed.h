/*
 * A server in a thread of its own (the database thread) inside another program,
 * which then is a client like any other, by the socket (client.h).
 */
#ifndef OVSDB_LITE_EMBED_H
#define OVSDB_LITE_EMBED_H

#include "base/util.h"

struct ovsdb_embed;
struct tls;

struct ovsdb_embed_options {
	/*
	 * The database's file, of the Open_vSwitch schema that this program
	 * carries: made when missing, converted when of another version. NULL:
	 * in memory only.
	 */
	const char *path;
	const char *socket; /* where it listens, e.g. "/run/vsw/db.sock" */
	/*
	 * More remotes, beside those that the database's own managers name (see
	 * ovsdb_server_add_remote()), NULL-terminated or NULL.
	 */
	const char *const *remotes;
	struct tls *tls; /* for "pssl:" and "ssl:" remotes, or NULL; borrowed */
};

/*
 * Opens the database, listens, and starts the thread, which has all signals
 * blocked: when this returns, clients can connect. NULL with a message when any
 * of it failed.
 */
struct ovsdb_embed *ovsdb_embed_start(const struct ovsdb_embed_options *options,
				      char **errp);
/* Ends the thread, the sessions and the sockets; accepts NULL. */
void ovsdb_embed_stop(struct ovsdb_embed *embed);

#endif
