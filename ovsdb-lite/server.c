/* The server's databases and sessions: see server.h. */
#include "ovsdb-lite/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "ovsdb-lite/remote.h"

LOG_MODULE(ovsdb);

struct server_db *server_find_db(const struct ovsdb_server *server,
				 const char *name)
{
	struct server_db *db = server->dbs;

	while (db && strcmp(db->name, name))
		db = db->next;
	return db;
}

static void after_commit_cb(evutil_socket_t fd, short what, void *aux)
{
	struct ovsdb_server *server = aux;
	struct server_db *db;

	for (db = server->dbs; db; db = db->next) {
		db->retry = db->committed;
		db->committed = false;
	}
	trigger_retry(server);
	for (db = server->dbs; db; db = db->next)
		if (db->retry)
			remote_db_changed(server, db->name);
}

static void status_cb(evutil_socket_t fd, short what, void *aux)
{
	remote_db_write_status(aux);
}

static void commit_cb(struct ovsdb_listener *listener, struct ovsdb_db *odb,
		      const struct ovsdb_change *changes, size_t n)
{
	struct server_db *db =
		CONTAINER_OF(listener, struct server_db, listener);

	monitor_commit(db, changes, n);
	db->committed = true;
	event_active(db->server->after_commit, 0, 0);
}

struct ovsdb_server *ovsdb_server_create(struct event_base *base)
{
	struct ovsdb_server *server = xcalloc(1, sizeof(*server));
	struct uuid id;

	server->base = base;
	server->locks = ovsdb_locks_create();
	server->probe_ms = OVSDB_PROBE_INTERVAL_MS;
	server->after_commit = event_new(base, -1, 0, after_commit_cb, server);
	server->status = event_new(base, -1, 0, status_cb, server);
	uuid_generate(&id);
	uuid_format(&id, server->id);
	server->info = server_info_create(server);
	return server;
}

/* Nobody waits for it, watches it or has it any more. */
static void drop_content(struct server_db *db)
{
	trigger_drop_db(db);
	for (struct session *s = db->server->sessions; s; s = s->next)
		session_drop_db(s, db);
	ovsdb_db_remove_listener(db->db, &db->listener);
	ovsdb_db_destroy(db->db);
}

static void db_destroy(struct server_db *db)
{
	struct ovsdb_server *server = db->server;
	struct server_db **p;

	for (p = &server->dbs; *p != db; p = &(*p)->next)
		;
	*p = db->next;
	drop_content(db);
	ovsdb_journal_close(db->journal);
	free(db);
}

void ovsdb_server_destroy(struct ovsdb_server *server)
{
	if (!server)
		return;
	remote_destroy_all(server);
	while (server->sessions)
		session_destroy(server->sessions);
	while (server->dbs)
		db_destroy(server->dbs);
	server_info_destroy(server->info);
	ovsdb_locks_destroy(server->locks);
	event_free(server->after_commit);
	event_free(server->status);
	free(server);
}

int server_attach_db(struct ovsdb_server *server, struct ovsdb_db *odb,
		     struct ovsdb_journal *journal, bool internal, char **errp)
{
	const char *name = ovsdb_db_schema(odb)->name;
	struct server_db *db, **p;
	int error;

	if (server_find_db(server, name)) {
		error = set_error(errp, -EEXIST,
				  "%s: a database of this name "
				  "is served already",
				  name);
		ovsdb_db_destroy(odb);
		ovsdb_journal_close(journal);
		return error;
	}
	db = xcalloc(1, sizeof(*db));
	db->server = server;
	db->db = odb;
	db->name = name;
	db->journal = journal;
	db->internal = internal;
	db->listener.commit = commit_cb;
	ovsdb_db_add_listener(odb, &db->listener);
	for (p = &server->dbs; *p && strcmp((*p)->name, name) < 0;
	     p = &(*p)->next)
		;
	db->next = *p;
	*p = db;
	if (internal)
		return 0;
	server_info_update(server->info);
	remote_db_changed(server, name);
	return 0;
}

int ovsdb_server_open(struct ovsdb_server *server, const char *path,
		      char **errp)
{
	struct ovsdb_journal *journal;
	struct ovsdb_db *db;
	int error = ovsdb_journal_open(&journal, &db, path, errp);

	if (error)
		return error;
	return server_attach_db(server, db, journal, false, errp);
}

int ovsdb_server_open_as(struct ovsdb_server *server, const char *path,
			 const struct ovsdb_schema *schema, char **errp)
{
	struct ovsdb_journal *journal;
	struct ovsdb_db *db;
	int error = ovsdb_journal_open_as(&journal, &db, path, schema, errp);

	if (error)
		return error;
	return server_attach_db(server, db, journal, false, errp);
}

int ovsdb_server_add_db(struct ovsdb_server *server, struct ovsdb_db *db,
			char **errp)
{
	return server_attach_db(server, db, NULL, false, errp);
}

int ovsdb_server_remove_db(struct ovsdb_server *server, const char *name,
			   char **errp)
{
	struct server_db *db = server_find_db(server, name);

	if (!db)
		return set_error(errp, -ENOENT, "Failed to find the database.");
	if (db->internal)
		return set_error(errp, -EPERM,
				 "Cannot remove reserved "
				 "database.");
	db_destroy(db);
	server_info_update(server->info);
	remote_db_changed(server, name);
	return 0;
}

int ovsdb_server_convert(struct ovsdb_server *server, const char *name,
			 const struct ovsdb_schema *schema, char **errp)
{
	struct server_db *db = server_find_db(server, name);
	struct ovsdb_db *new;
	int error;

	if (!db || db->internal)
		return set_error(errp, -EPERM,
				 "%s: no database that can be converted", name);
	if (strcmp(name, schema->name))
		return set_error(errp, -EINVAL,
				 "the schema is that of %s, not of %s",
				 schema->name, name);
	error = ovsdb_journal_convert(db->journal, db->db, schema, &new, errp);
	if (error)
		return error;
	log_info("%s: converted from schema %s to %s", name,
		 ovsdb_db_schema(db->db)->version,
		 schema->version ? schema->version : "without a version");
	drop_content(db);
	db->db = new;
	db->name = ovsdb_db_schema(new)->name;
	ovsdb_db_add_listener(new, &db->listener);
	server_info_update(server->info);
	remote_db_changed(server, db->name);
	return 0;
}

struct ovsdb_db *ovsdb_server_db(const struct ovsdb_server *server,
				 const char *name)
{
	struct server_db *db = server_find_db(server, name);

	return db ? db->db : NULL;
}

const char *ovsdb_server_db_name(const struct ovsdb_server *server, size_t i)
{
	struct server_db *db = server->dbs;

	while (db && i--)
		db = db->next;
	return db ? db->name : NULL;
}

int ovsdb_server_compact(struct ovsdb_server *server, const char *name,
			 char **errp)
{
	struct server_db *db;
	bool found = !name;
	int error;

	for (db = server->dbs; db; db = db->next) {
		if (name && strcmp(name, db->name))
			continue;
		found = true;
		if (!db->journal)
			continue;
		log_info("%s: compacting by request", db->name);
		error = ovsdb_journal_compact(db->journal, errp);
		if (error)
			return error;
	}
	if (!found)
		return set_error(errp, -ENOENT, "no database by that name");
	return 0;
}

void ovsdb_server_set_tls(struct ovsdb_server *server, struct tls *tls)
{
	server->tls = tls;
}

void ovsdb_server_accept(struct ovsdb_server *server, int fd)
{
	struct session *s = session_create(server, NULL);

	session_start(s, jsonrpc_accept(server->base, fd, &session_ops, s),
		      server->probe_ms);
}

void ovsdb_server_reconnect(struct ovsdb_server *server)
{
	for (struct session *s = server->sessions; s; s = s->next)
		jsonrpc_fail(s->rpc, "all sessions were asked to reconnect");
}

void ovsdb_server_set_probe_interval(struct ovsdb_server *server,
				     unsigned int ms)
{
	server->probe_ms = ms;
}

size_t ovsdb_server_n_sessions(const struct ovsdb_server *server)
{
	return server->n_sessions;
}

char *ovsdb_server_memory(const struct ovsdb_server *server)
{
	size_t cells = 0, monitors = 0, triggers = 0;
	const struct server_db *db;
	const struct session *s;

	for (db = server->dbs; db; db = db->next) {
		const struct ovsdb_schema *schema = ovsdb_db_schema(db->db);

		for (size_t i = 0; i < schema->n_tables; i++) {
			const struct ovsdb_table_schema *ts =
				&schema->tables[i];
			size_t rows = ovsdb_table_count(
				ovsdb_db_table(db->db, ts->name));

			cells += rows * (ts->n_columns + 2);
		}
	}
	for (s = server->sessions; s; s = s->next) {
		monitors += s->n_monitors;
		triggers += s->n_triggers;
	}
	return xasprintf("cells:%zu monitors:%zu sessions:%zu triggers:%zu\n",
			 cells, monitors, server->n_sessions, triggers);
}
