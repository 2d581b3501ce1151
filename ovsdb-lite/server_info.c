/*
 * The database "_Server": one row of its table Database for each database that
 * is served, itself among them, so that a client learns of databases that come
 * and go (ovsdb-server(5)). It is an ordinary database, in memory, that clients
 * may only read.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ovsdb-lite/server_private.h"

LOG_MODULE(ovsdb);

/* Names, types and constraints are those that clients know. */
static const char schema_text[] =
	"{\"name\":\"_Server\",\"version\":\"1.2.0\",\"tables\":{"
	"\"Database\":{\"columns\":{"
	"\"name\":{\"type\":\"string\"},"
	"\"model\":{\"type\":{\"key\":{\"type\":\"string\",\"enum\":"
	"[\"set\",[\"standalone\",\"clustered\",\"relay\"]]}}},"
	"\"connected\":{\"type\":\"boolean\"},"
	"\"leader\":{\"type\":\"boolean\"},"
	"\"schema\":{\"type\":{\"key\":\"string\",\"min\":0}},"
	"\"cid\":{\"type\":{\"key\":\"uuid\",\"min\":0}},"
	"\"sid\":{\"type\":{\"key\":\"uuid\",\"min\":0}},"
	"\"index\":{\"type\":{\"key\":\"integer\",\"min\":0}}}}}}";

struct server_info {
	struct ovsdb_server *server;
	struct ovsdb_db *db;
};

struct server_info *server_info_create(struct ovsdb_server *server)
{
	struct server_info *info = xcalloc(1, sizeof(*info));
	json_t *json = json_loads(schema_text, 0, NULL);
	struct ovsdb_schema *schema;
	json_t *error = ovsdb_schema_from_json(&schema, json);

	json_decref(json);
	if (error) { /* the text above is wrong */
		log_emer("_Server: %s", ovsdb_error_to_string(error));
		abort();
	}
	info->server = server;
	info->db = ovsdb_db_create(schema, NULL);
	server_attach_db(server, info->db, NULL, true, NULL);
	server_info_update(info);
	return info;
}

void server_info_destroy(struct server_info *info)
{
	free(info); /* the database is the server's */
}

/* The caller frees it. */
static char *schema_of(const struct server_db *db)
{
	json_t *schema = ovsdb_schema_to_json(ovsdb_db_schema(db->db));
	char *text = json_dumps(schema, JSON_COMPACT);

	json_decref(schema);
	return text;
}

/* Changes nothing, and tells nobody, when the schema is what it was. */
static json_t *update_op(const struct server_db *db)
{
	char *text = schema_of(db);
	json_t *op = json_pack("{s:s, s:s, s:[[s,s,s]], s:{s:s}}", "op",
			       "update", "table", "Database", "where", "name",
			       "==", db->name, "row", "schema", text);

	free(text);
	return op;
}

static json_t *insert_op(const struct server_db *db)
{
	char *text = schema_of(db);
	json_t *op = json_pack("{s:s, s:s, s:{s:s, s:s, s:b, s:b, s:s}}", "op",
			       "insert", "table", "Database", "row", "name",
			       db->name, "model", "standalone", "connected", 1,
			       "leader", 1, "schema", text);

	free(text);
	return op;
}

/* The row's value of the string column "name". */
static const char *row_name(const struct ovsdb_row *row,
			    const struct ovsdb_table_schema *ts)
{
	const struct ovsdb_column *c = ovsdb_table_schema_column(ts, "name");

	return ovsdb_atom_string(&row->columns[c->index].keys[0]);
}

/* Whether the table has a row of this name. */
static bool has_row(const struct ovsdb_table *table, const char *name)
{
	const struct ovsdb_row *row = NULL;

	while ((row = ovsdb_table_next(table, row)))
		if (!strcmp(row_name(row, ovsdb_table_schema(table)), name))
			return true;
	return false;
}

void server_info_update(struct server_info *info)
{
	struct ovsdb_table *table = ovsdb_db_table(info->db, "Database");
	json_t *ops = json_pack("[s]", "_Server"), *error = NULL;
	struct ovsdb_session session = { .has_lock = NULL };
	const struct ovsdb_row *row = NULL;
	uint32_t timeout_ms;
	bool waiting;

	while ((row = ovsdb_table_next(table, row))) {
		const char *name = row_name(row, ovsdb_table_schema(table));

		if (!server_find_db(info->server, name))
			json_array_append_new(
				ops, json_pack("{s:s, s:s, s:[[s,s,s]]}", "op",
					       "delete", "table", "Database",
					       "where", "name", "==", name));
	}
	for (struct server_db *db = info->server->dbs; db; db = db->next)
		json_array_append_new(ops, has_row(table, db->name)
						   ? update_op(db)
						   : insert_op(db));
	json_decref(ovsdb_db_transact(info->db, &session, ops, 0, &waiting,
				      &timeout_ms, &error));
	json_decref(error);
	json_decref(ops);
}
