/*
 * Any bytes as the operations of transactions, one transaction a line, on a
 * small database with every kind of column, reference and index. After each the
 * database must be whole: a database made from its snapshot is accepted and has
 * the same rows.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ovsdb-lite/db.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char schema_text[] =
	"{\"name\":\"T\",\"tables\":{\"A\":{\"isRoot\":true,\"indexes\":[["
	"\"s\"],[\"i\",\"b\"]],\"columns\":{\"s\":{\"type\":\"string\"},\"i\":{"
	"\"type\":\"integer\"},\"r\":{\"type\":\"real\"},\"b\":{\"type\":"
	"\"boolean\"},\"o\":{\"type\":{\"key\":\"integer\",\"min\":0}},\"is\":{"
	"\"type\":{\"key\":{\"type\":\"integer\",\"maxInteger\":10},\"min\":0,"
	"\"max\":4}},\"m\":{\"type\":{\"key\":\"string\",\"value\":\"string\","
	"\"min\":0,\"max\":\"unlimited\"}},\"st\":{\"type\":{\"key\":{\"type\":"
	"\"uuid\",\"refTable\":\"B\"},\"min\":0,\"max\":\"unlimited\"}},"
	"\"wk\":{\"type\":{\"key\":{\"type\":\"uuid\",\"refTable\":\"B\","
	"\"refType\":\"weak\"},\"min\":0,\"max\":\"unlimited\"}},\"sw\":{"
	"\"type\":{\"key\":{\"type\":\"uuid\",\"refTable\":\"B\"},\"value\":{"
	"\"type\":\"uuid\",\"refTable\":\"C\",\"refType\":\"weak\"},\"min\":0,"
	"\"max\":\"unlimited\"}}}},\"B\":{\"columns\":{\"n\":{\"type\":{\"key\":"
	"{\"type\":\"uuid\",\"refTable\":\"B\"},\"min\":0}},\"w\":{\"type\":{"
	"\"key\":{\"type\":\"uuid\",\"refTable\":\"B\",\"refType\":\"weak\"},"
	"\"min\":0}}}},\"C\":{\"isRoot\":true,\"maxRows\":3,\"columns\":{\"a\":{"
	"\"type\":{\"key\":{\"type\":\"uuid\",\"refTable\":\"A\",\"refType\":"
	"\"weak\"},\"min\":0,\"max\":2}}}}}}";

static struct ovsdb_db *make_db(void)
{
	json_t *json = json_loads(schema_text, 0, NULL);
	struct ovsdb_schema *schema;

	if (!json || ovsdb_schema_from_json(&schema, json))
		abort();
	json_decref(json);
	return ovsdb_db_create(schema, NULL);
}

static json_t *content(const struct ovsdb_db *db)
{
	json_t *json = ovsdb_db_snapshot(db);

	json_object_del(json, "_date");
	return json;
}

static void check_whole(const struct ovsdb_db *db)
{
	struct ovsdb_db *copy = make_db();
	json_t *before = content(db), *after;

	if (ovsdb_db_replay(copy, before, NULL) || ovsdb_db_check(copy, NULL))
		abort();
	after = content(copy);
	if (!json_equal(before, after))
		abort();
	json_decref(before);
	json_decref(after);
	ovsdb_db_destroy(copy);
}

static void transact(struct ovsdb_db *db, const char *line, size_t n)
{
	json_t *params = json_loadb(line, n, 0, NULL), *result, *error;
	uint32_t timeout_ms;
	bool waiting;

	if (!params)
		return;
	if (json_is_array(params))
		json_array_insert_new(params, 0, json_string("T"));
	result = ovsdb_db_transact(db, NULL, params, 0, &waiting, &timeout_ms,
				   &error);
	if ((result != NULL) + (error != NULL) + waiting != 1)
		abort();
	if (result && json_array_size(result) + 1 < json_array_size(params))
		abort();
	json_decref(result);
	json_decref(error);
	json_decref(params);
	check_whole(db);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data, *end = p + size;
	struct ovsdb_db *db = make_db();

	while (p < end) {
		const char *line = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((line ? line : end) - p);

		transact(db, p, n);
		p += n + 1;
	}
	ovsdb_db_destroy(db);
	return 0;
}
