/*
 * "transact" (RFC 7047 section 4.1.3): the operations one by one, then the
 * commit; and what of it the reply says.
 */
#include "ovsdb-lite/db.h"

#include <stdlib.h>
#include <string.h>

#include "ovsdb-lite/operation.h"

static json_t *run_operation(struct execution *x, const json_t *json,
			     json_t *result)
{
	const struct operation *operation;
	struct parser parser;
	json_t *name;

	parser_init(&parser, json, "operation");
	name = parser_member(&parser, "op", PARSE_STRING);
	if (!name)
		return parser_finish(&parser, false);
	operation = operation_find(json_string_value(name));
	if (!operation)
		return ovsdb_syntax_error(json, NULL,
					  "there is no operation \"%s\"",
					  json_string_value(name));
	if (operation->writes && x->session && x->session->read_only)
		return ovsdb_error("not allowed",
				   "%s: this session may only read",
				   operation->name);
	/* What fn returns is an error object, never the parser it was lent. */
	/* cppcheck-suppress returnDanglingLifetime */
	return operation->fn(x, &parser, result);
}

/* Returns the error, which is also in results, borrowed; or NULL. */
static json_t *run_operations(struct execution *x, const json_t *params,
			      json_t *results)
{
	size_t n = json_array_size(params);

	for (size_t i = 1; i < n; i++) {
		json_t *result = json_object();
		json_t *error =
			run_operation(x, json_array_get(params, i), result);

		if (!error) {
			json_array_append_new(results, result);
			continue;
		}
		json_decref(result);
		json_array_append_new(results, error);
		return error;
	}
	return NULL;
}

static json_t *check_params(const struct ovsdb_db *db, const json_t *params)
{
	const char *name = json_string_value(json_array_get(params, 0));

	if (!json_is_array(params))
		return ovsdb_syntax_error(params, NULL, "an array is needed");
	if (!name || strcmp(name, db->schema->name))
		return ovsdb_syntax_error(params, NULL,
					  "the first parameter is the "
					  "database's name, %s",
					  db->schema->name);
	return NULL;
}

json_t *ovsdb_db_transact(struct ovsdb_db *db,
			  const struct ovsdb_session *session,
			  const json_t *params, uint32_t elapsed_ms,
			  bool *waiting, uint32_t *timeout_ms, json_t **error)
{
	struct execution x = { .db = db,
			       .session = session,
			       .elapsed_ms = elapsed_ms,
			       .timeout_ms = UINT32_MAX };
	json_t *results, *failed;
	struct txn txn;

	*waiting = false;
	*timeout_ms = UINT32_MAX;
	*error = check_params(db, params);
	if (*error)
		return NULL;
	if (db->loading) {
		*error = ovsdb_error("internal error",
				     "the database is not checked yet");
		return NULL;
	}
	txn_begin(&txn, db);
	x.txn = &txn;
	x.symbols = ovsdb_symbols_create();
	results = json_array();
	failed = run_operations(&x, params, results);
	if (failed) {
		txn_abort(&txn);
	} else {
		failed = txn_commit(&txn);
		if (failed)
			json_array_append_new(results, failed);
	}
	ovsdb_symbols_destroy(x.symbols);
	if (x.waiting) {
		json_decref(results);
		*waiting = true;
		*timeout_ms = x.timeout_ms;
		return NULL;
	}
	while (json_array_size(results) + 1 < json_array_size(params))
		json_array_append_new(results, json_null());
	return results;
}
