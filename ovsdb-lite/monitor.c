/* Monitors of sessions and the specs that they share: see monitor.h. */
#include "ovsdb-lite/monitor.h"

#include <stdlib.h>
#include <string.h>

#include "ovsdb-lite/monitor_spec.h"
#include "ovsdb-lite/session.h"

static const char *const update_methods[] = {
	[MONITOR_V1] = "update",
	[MONITOR_V2] = "update2",
	[MONITOR_V3] = "update3",
};

static void spec_destroy(struct monitor_spec *spec)
{
	monitor_tables_destroy(spec);
	json_decref(spec->requests);
	free(spec->key);
	free(spec);
}

/*
 * The spec of these requests, shared with whoever asked for the same. It
 * belongs to its members: the caller makes one of it, or spec_put()s it.
 */
static struct monitor_spec *spec_get(struct server_db *db,
				     enum monitor_version version,
				     const json_t *requests, json_t **error)
{
	char *text = json_dumps(requests, JSON_COMPACT | JSON_SORT_KEYS);
	char *key = xasprintf("%d %s", version, text);
	struct monitor_spec *spec;

	free(text);
	for (spec = db->specs; spec; spec = spec->next)
		if (!strcmp(spec->key, key)) {
			free(key);
			return spec;
		}
	spec = xcalloc(1, sizeof(*spec));
	spec->db = db;
	spec->version = version;
	spec->key = key;
	spec->requests = json_deep_copy(requests);
	*error = monitor_parse(spec, db->db, spec->requests);
	if (*error) {
		spec_destroy(spec);
		return NULL;
	}
	spec->next = db->specs;
	db->specs = spec;
	return spec;
}

static void spec_put(struct monitor_spec *spec)
{
	struct monitor_spec **p;

	if (spec->members)
		return;
	for (p = &spec->db->specs; *p != spec; p = &(*p)->next)
		;
	*p = spec->next;
	spec_destroy(spec);
}

static void join(struct monitor *m, struct monitor_spec *spec)
{
	m->spec = spec;
	m->spec_next = spec->members;
	spec->members = m;
}

static void leave(struct monitor *m)
{
	struct monitor **p;

	for (p = &m->spec->members; *p != m; p = &(*p)->spec_next)
		;
	*p = m->spec_next;
	spec_put(m->spec);
	m->spec = NULL;
}

static void set_id(struct monitor *m, json_t *id)
{
	json_incref(id);
	json_decref(m->id);
	free(m->id_text);
	m->id = id;
	m->id_text = json_dumps(id, JSON_COMPACT | JSON_ENCODE_ANY);
}

struct monitor *monitor_create(struct session *session, struct server_db *db,
			       enum monitor_version version, json_t *id,
			       const json_t *requests, json_t **initial,
			       json_t **error)
{
	struct monitor_spec *spec = spec_get(db, version, requests, error);
	struct monitor *m;

	if (!spec)
		return NULL;
	m = xcalloc(1, sizeof(*m));
	m->session = session;
	m->db = db;
	set_id(m, id);
	m->next = session->monitors;
	session->monitors = m;
	session->n_monitors++;
	join(m, spec);
	*initial = monitor_initial(spec);
	return m;
}

void monitor_destroy(struct monitor *m)
{
	struct monitor **p;

	for (p = &m->session->monitors; *p != m; p = &(*p)->next)
		;
	*p = m->next;
	m->session->n_monitors--;
	leave(m);
	json_decref(m->id);
	free(m->id_text);
	free(m);
}

static void send_update(const struct monitor *m, const char *text)
{
	const char *body[] = { text, text };
	size_t n = 1;

	if (m->spec->version == MONITOR_V3) {
		body[0] = "\"" ZERO_UUID "\"";
		n = 2;
	}
	jsonrpc_send_text(m->session->rpc, update_methods[m->spec->version],
			  m->id_text, body, n);
}

void monitor_commit(struct server_db *db, const struct ovsdb_change *changes,
		    size_t n)
{
	for (struct monitor_spec *spec = db->specs; spec; spec = spec->next) {
		json_t *updates = monitor_changes(spec, changes, n);
		char *text;

		if (!updates)
			continue;
		text = json_dumps(updates, JSON_COMPACT);
		json_decref(updates);
		for (struct monitor *m = spec->members; m; m = m->spec_next)
			send_update(m, text);
		free(text);
	}
}

/* Replaces the conditions of one table's requests by `where`. */
static json_t *replace_where(json_t *requests, const char *table,
			     const json_t *changes)
{
	json_t *of_table = json_object_get(requests, table);
	json_t *where = json_array(), *change, *request, *more;
	size_t i;

	if (!json_is_array(changes) || !of_table) {
		json_decref(where);
		return of_table ? ovsdb_syntax_error(
					  NULL, NULL,
					  "table %s no monitor-cond-change "
					  "JSON array",
					  table)
				: ovsdb_syntax_error(NULL, NULL,
						     "no table named %s in "
						     "the monitor",
						     table);
	}
	json_array_foreach((json_t *)changes, i, change) {
		more = json_object_get(change, "where");
		if (json_object_size(change) != (more ? 1 : 0) ||
		    !json_is_object(change) || (more && !json_is_array(more))) {
			json_decref(where);
			return ovsdb_syntax_error(change, NULL,
						  "{\"where\": [...]} "
						  "expected");
		}
		json_array_extend(where, more);
	}
	/* Any of its requests may carry them: they are put together. */
	if (json_is_array(of_table)) {
		json_array_foreach(of_table, i, request)
			json_object_del(request, "where");
		of_table = json_array_get(of_table, 0);
	}
	if (of_table)
		json_object_set_new(of_table, "where", where);
	else
		json_decref(where);
	return NULL;
}

json_t *monitor_change(struct monitor *m, json_t *new_id, const json_t *updates)
{
	json_t *requests, *changes, *error = NULL, *update = NULL;
	struct monitor_spec *spec = NULL;
	const char *table;
	char *text;

	if (m->spec->version == MONITOR_V1)
		return ovsdb_syntax_error(m->id, NULL,
					  "this monitor was not made by "
					  "monitor_cond");
	requests = json_deep_copy(m->spec->requests);
	json_object_foreach((json_t *)updates, table, changes) {
		error = replace_where(requests, table, changes);
		if (error)
			break;
	}
	if (!error)
		spec = spec_get(m->db, m->spec->version, requests, &error);
	json_decref(requests);
	if (error)
		return error;
	if (spec != m->spec) {
		update = monitor_transition(m->spec, spec);
		leave(m);
		join(m, spec);
	}
	set_id(m, new_id);
	if (update) {
		text = json_dumps(update, JSON_COMPACT);
		send_update(m, text);
		free(text);
		json_decref(update);
	}
	return NULL;
}
