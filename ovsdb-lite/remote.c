/* Passive and active remotes: see remote.h. */
#include "ovsdb-lite/remote.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

LOG_MODULE(ovsdb);

struct remote_options remote_options(const struct ovsdb_server *server)
{
	return (struct remote_options){
		.probe_ms = server->probe_ms,
		.max_backoff_ms = REMOTE_MAX_BACKOFF_MS,
	};
}

static void sessions_changed(struct remote *remote)
{
	if (remote->owner)
		event_active(remote->server->status, 0, 0);
}

/* --- passive ---------------------------------------------------------------
 */

static void accepted(int fd, void *aux)
{
	struct remote *remote = aux;
	struct ovsdb_server *server = remote->server;
	struct session *session;
	struct jsonrpc *rpc;
	char *why = NULL;

	if (server->n_sessions >= OVSDB_MAX_SESSIONS) {
		log_warn_limited("%s: there are %d sessions already; a client "
				 "was refused",
				 remote->name, OVSDB_MAX_SESSIONS);
		close(fd);
		return;
	}
	session = session_create(server, remote);
	remote->n_sessions++;
	if (remote->tls)
		rpc = jsonrpc_accept_tls(server->base, fd, server->tls,
					 &session_ops, session, &why);
	else
		rpc = jsonrpc_accept(server->base, fd, &session_ops, session);
	if (!rpc) {
		log_warn_limited("%s: %s", remote->name, why);
		free(why);
		session_destroy(session);
		return;
	}
	session_start(session, rpc, remote->options.probe_ms);
	log_limited(jsonrpc_log_level(rpc), "%s: session with %s", remote->name,
		    jsonrpc_name(rpc));
	sessions_changed(remote);
}

static int listen_at(struct remote *remote, char **errp)
{
	const char *name = remote->name;
	int fd;

	if (!strncmp(name, "punix:", 6)) {
		fd = stream_listen_unix(name + 6, errp);
		if (fd >= 0)
			remote->unix_path = xstrdup(name + 6);
	} else if (!strncmp(name, "pssl:", 5) && !remote->server->tls) {
		fd = set_error(errp, -EINVAL,
			       "%s: TLS needs --private-key, "
			       "--certificate and --ca-cert",
			       name);
	} else {
		fd = stream_listen_tcp(name + 5, errp);
		remote->tls = !strncmp(name, "pssl:", 5);
	}
	if (fd < 0)
		return fd;
	remote->port = stream_local_port(fd);
	remote->listener = stream_listener_create(remote->server->base, fd,
						  accepted, remote);
	log_info("%s: listening", name);
	return 0;
}

/* --- active ----------------------------------------------------------------
 */

static void back_off(struct remote *remote)
{
	struct timeval tv = { remote->backoff_ms / 1000,
			      remote->backoff_ms % 1000 * 1000 };

	event_add(remote->reconnect, &tv);
	remote->backoff_ms =
		MIN(2 * remote->backoff_ms, remote->options.max_backoff_ms);
}

static void connect_cb(evutil_socket_t fd, short what, void *aux)
{
	struct remote *remote = aux;
	struct session *session = session_create(remote->server, remote);
	struct jsonrpc *rpc;
	char *why = NULL;

	remote->session = session;
	remote->n_sessions++;
	rpc = jsonrpc_connect(remote->server->base, remote->name, &session_ops,
			      session, &why);
	if (!rpc) {
		log_info("%s", why);
		free(why);
		session_destroy(session); /* which backs off */
		return;
	}
	session_start(session, rpc, remote->options.probe_ms);
	sessions_changed(remote);
}

void remote_session_closed(struct remote *remote, struct session *session)
{
	remote->n_sessions--;
	sessions_changed(remote);
	if (remote->session != session)
		return;
	remote->session = NULL;
	/* A connection that worked makes it begin anew. */
	if (session->rpc ? jsonrpc_received(session->rpc) : session->received)
		remote->backoff_ms = REMOTE_MIN_BACKOFF_MS;
	back_off(remote);
}

/* --- all -------------------------------------------------------------------
 */

static const struct {
	const char *prefix;
	enum remote_kind kind;
} kinds[] = {
	{ "punix:", REMOTE_PASSIVE }, { "ptcp:", REMOTE_PASSIVE },
	{ "pssl:", REMOTE_PASSIVE },  { "unix:", REMOTE_ACTIVE },
	{ "tcp:", REMOTE_ACTIVE },    { "ssl:", REMOTE_ACTIVE },
	{ "db:", REMOTE_DB },
};

static int find_kind(const char *name, enum remote_kind *kind, char **errp)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strncmp(kinds[i].prefix, name, strlen(kinds[i].prefix))) {
			*kind = kinds[i].kind;
			return 0;
		}
	return set_error(errp, -EINVAL,
			 "%s: not a remote; use punix:FILE, "
			 "ptcp:[PORT][:ADDRESS], pssl:[PORT][:ADDRESS], "
			 "unix:FILE, tcp:HOST:PORT, ssl:HOST:PORT or "
			 "db:DB,TABLE,COLUMN",
			 name);
}

struct remote *remote_find(const struct ovsdb_server *server, const char *name,
			   const struct remote *owner)
{
	struct remote *r = server->remotes;

	while (r && (r->owner != owner || strcmp(r->name, name)))
		r = r->next;
	return r;
}

static void insert(struct remote *remote)
{
	struct remote **p = &remote->server->remotes;

	while (*p && strcmp((*p)->name, remote->name) < 0)
		p = &(*p)->next;
	remote->next = *p;
	*p = remote;
}

int remote_add(struct ovsdb_server *server, const char *name,
	       struct remote *owner, const struct remote_options *options,
	       char **errp)
{
	enum remote_kind kind = REMOTE_PASSIVE;
	struct remote *remote;
	int error;

	error = find_kind(name, &kind, errp);
	if (error)
		return error;
	if (owner && kind == REMOTE_DB)
		return set_error(errp, -EINVAL,
				 "%s: a remote in a database "
				 "cannot refer to a database",
				 name);
	if (remote_find(server, name, owner))
		return 0;
	remote = xcalloc(1, sizeof(*remote));
	remote->server = server;
	remote->name = xstrdup(name);
	remote->kind = kind;
	remote->owner = owner;
	remote->options = *options;
	remote->backoff_ms =
		MIN(REMOTE_MIN_BACKOFF_MS, options->max_backoff_ms);
	insert(remote);
	if (kind == REMOTE_PASSIVE) {
		error = listen_at(remote, errp);
	} else if (kind == REMOTE_DB) {
		error = remote_db_start(remote, errp);
	} else {
		remote->reconnect =
			event_new(server->base, -1, 0, connect_cb, remote);
		event_active(remote->reconnect, 0, 0);
	}
	if (error)
		remote_destroy(remote);
	return error;
}

static void drop_sessions(struct remote *remote)
{
	struct session *s, *next;

	for (s = remote->server->sessions; s; s = next) {
		next = s->next;
		if (s->remote != remote)
			continue;
		s->remote = NULL;
		session_destroy(s);
	}
}

/* Ends it alone, not those that come from it. */
static void end_one(struct remote *remote)
{
	struct remote **p;

	for (p = &remote->server->remotes; *p && *p != remote; p = &(*p)->next)
		;
	if (*p)
		*p = remote->next;
	drop_sessions(remote);
	stream_listener_destroy(remote->listener);
	if (remote->unix_path)
		unlink(remote->unix_path);
	if (remote->reconnect)
		event_free(remote->reconnect);
	free(remote->unix_path);
	free(remote->db);
	free(remote->name);
	free(remote);
}

void remote_destroy(struct remote *remote)
{
	struct remote *r, *next;

	for (r = remote->server->remotes; r; r = next) {
		next = r->next;
		if (r->owner == remote)
			end_one(r);
	}
	end_one(remote);
}

void remote_destroy_all(struct ovsdb_server *server)
{
	struct remote *r, *next;

	for (r = server->remotes; r; r = next) {
		next = r->next;
		end_one(r);
	}
}

int ovsdb_server_add_remote(struct ovsdb_server *server, const char *remote,
			    char **errp)
{
	struct remote_options options = remote_options(server);

	return remote_add(server, remote, NULL, &options, errp);
}

int ovsdb_server_remove_remote(struct ovsdb_server *server, const char *remote,
			       char **errp)
{
	struct remote *r = remote_find(server, remote, NULL);

	if (!r)
		return set_error(errp, -ENOENT, "no such remote");
	log_info("%s: removed", remote);
	remote_destroy(r);
	return 0;
}

char *ovsdb_server_list_remotes(const struct ovsdb_server *server)
{
	char *text = xstrdup(""), *longer;

	for (const struct remote *r = server->remotes; r; r = r->next) {
		if (r->owner)
			continue;
		longer = xasprintf("%s%s\n", text, r->name);
		free(text);
		text = longer;
	}
	return text;
}
