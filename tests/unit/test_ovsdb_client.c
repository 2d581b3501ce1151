/*
 * The client library against a server in the same process: content, updates,
 * transactions, locks, restarts of the server.
 */
#include "tests/unit/client_fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct ovsdb_db *new_db(void)
{
	json_t *json = json_loads(client_fixture_schema, 0, NULL);
	struct ovsdb_schema *schema;

	assert_null(ovsdb_schema_from_json(&schema, json));
	json_decref(json);
	return ovsdb_db_create(schema, NULL);
}

static void start_server(struct client_fixture *f)
{
	f->server = ovsdb_server_create(f->base);
	assert_int_equal(ovsdb_server_add_db(f->server, new_db(), NULL), 0);
	assert_int_equal(ovsdb_server_add_remote(f->server, f->listen, NULL),
			 0);
}

static int setup(void **state)
{
	struct client_fixture *f = client_fixture_new();

	start_server(f);
	client_fixture_connect(f);
	RUN_UNTIL(f, f->changes);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	client_fixture_finish(*state);
	return 0;
}

static void done(struct ovsdb_client *c, json_t *result, const char *error,
		 void *aux)
{
	struct client_fixture *f = aux;

	f->done = true;
	json_decref(f->result);
	f->result = json_incref(result);
	free(f->error);
	f->error = error ? xstrdup(error) : NULL;
}

static void transact(struct client_fixture *f, const char *operations)
{
	json_t *json = json_loads(operations, 0, NULL);

	assert_non_null(json);
	f->done = false;
	assert_int_equal(ovsdb_client_transact(f->client, json, done, f), 0);
	RUN_UNTIL(f, f->done);
}

#define INSERT(row) "[{\"op\":\"insert\",\"table\":\"Host\",\"row\":" row "}]"
#define UPDATE(row)                                                            \
	"[{\"op\":\"update\",\"table\":\"Host\",\"where\":[],\"row\":" row "}]"

static void test_updates(void **state)
{
	struct client_fixture *f = *state;
	const struct ovsdb_client_row *row;
	const struct ovsdb_datum *d;

	assert_int_equal(f->ups, 1);
	assert_int_equal(f->changes, 1); /* the first, of an empty table */
	assert_int_equal(client_fixture_count(f), 0);

	/* The replica has it when done() is called. */
	transact(f, INSERT("{\"name\":\"a\",\"tags\":[\"set\",[3,1,2]],"
			   "\"config\":[\"map\",[[\"k\",\"v\"]]]}"));
	assert_null(f->error);
	assert_int_equal(f->changes, 2);
	row = client_fixture_first(f);
	assert_non_null(row);
	assert_string_equal(
		ovsdb_atom_string(&ovsdb_client_column(row, "name")->keys[0]),
		"a");
	assert_int_equal(client_fixture_n(row), 0);
	assert_int_equal(ovsdb_client_column(row, "tags")->n, 3);
	assert_null(ovsdb_client_column(row, "hidden"));
	assert_null(ovsdb_client_column(row, "no_such"));
	assert_ptr_equal(ovsdb_client_find(f->client, "Host", &row->uuid), row);

	transact(f, UPDATE("{\"n\":7,\"tags\":[\"set\",[1,4]],\"config\":"
			   "[\"map\",[[\"k\",\"w\"],[\"l\",\"x\"]]]}"));
	assert_int_equal(f->changes, 3);
	row = client_fixture_first(f);
	assert_int_equal(client_fixture_n(row), 7);
	d = ovsdb_client_column(row, "tags");
	assert_int_equal(d->n, 2);
	assert_int_equal(d->keys[0].integer, 1);
	assert_int_equal(d->keys[1].integer, 4);
	d = ovsdb_client_column(row, "config");
	assert_string_equal(ovsdb_datum_get_string(d, "k"), "w");
	assert_string_equal(ovsdb_datum_get_string(d, "l"), "x");

	/* What is not replicated is not heard of. */
	transact(f, UPDATE("{\"hidden\":1}"));
	assert_int_equal(f->changes, 3);

	transact(f, "[{\"op\":\"delete\",\"table\":\"Host\",\"where\":[]}]");
	assert_int_equal(f->changes, 4);
	assert_int_equal(client_fixture_count(f), 0);
}

static void test_one_call_per_transaction(void **state)
{
	struct client_fixture *f = *state;

	transact(f, "[{\"op\":\"insert\",\"table\":\"Host\",\"row\":{}},"
		    "{\"op\":\"insert\",\"table\":\"Host\",\"row\":{}},"
		    "{\"op\":\"insert\",\"table\":\"Host\",\"row\":{}}]");
	assert_int_equal(f->changes, 2);
	assert_int_equal(client_fixture_count(f), 3);
}

static void test_failed_transactions(void **state)
{
	struct client_fixture *f = *state;

	transact(f, INSERT("{\"name\":5}"));
	assert_null(f->result);
	assert_non_null(f->error);
	transact(f, "[{\"op\":\"abort\"}]");
	assert_non_null(strstr(f->error, "aborted"));
	transact(f, "[{\"op\":\"select\",\"table\":\"No\",\"where\":[]}]");
	assert_non_null(f->error);
	assert_int_equal(f->changes, 1);
	transact(f, "[]");
	assert_null(f->error);
	assert_int_equal(json_array_size(f->result), 0);
}

static void test_restart(void **state)
{
	struct client_fixture *f = *state;
	const struct ovsdb_client_row *row;

	transact(f, INSERT("{\"name\":\"a\"}"));
	ovsdb_server_destroy(f->server);
	f->server = NULL;
	RUN_UNTIL(f, f->downs == 1);
	/* The replica stays; nothing can be asked for. */
	row = client_fixture_first(f);
	assert_non_null(row);
	assert_int_equal(
		ovsdb_client_transact(f->client, json_array(), done, f),
		-ENOTCONN);
	/* The new one is empty: that is a change. */
	start_server(f);
	RUN_UNTIL(f, f->ups == 2);
	assert_int_equal(f->changes, 3);
	assert_int_equal(client_fixture_count(f), 0);
}

static void test_reconnect_without_change(void **state)
{
	struct client_fixture *f = *state;
	const struct ovsdb_client_row *row;

	transact(f, INSERT("{\"name\":\"a\",\"n\":3}"));
	row = client_fixture_first(f);
	ovsdb_server_reconnect(f->server);
	RUN_UNTIL(f, f->ups == 2);
	/* Nothing did change: the rows are the same, nobody is told. */
	assert_int_equal(f->changes, 2);
	assert_ptr_equal(client_fixture_first(f), row);
	transact(f, UPDATE("{\"n\":4}"));
	assert_int_equal(f->changes, 3);
	assert_int_equal(client_fixture_n(client_fixture_first(f)), 4);
}

static void test_lost_in_flight(void **state)
{
	struct client_fixture *f = *state;
	json_t *wait = json_loads("[{\"op\":\"wait\",\"table\":\"Host\","
				  "\"where\":[],\"columns\":[\"n\"],"
				  "\"until\":\"==\",\"rows\":[{\"n\":1}]}]",
				  0, NULL);

	f->done = false;
	assert_int_equal(ovsdb_client_transact(f->client, wait, done, f), 0);
	RUN_UNTIL(f, ovsdb_server_n_sessions(f->server) == 1);
	ovsdb_server_reconnect(f->server);
	RUN_UNTIL(f, f->done);
	assert_null(f->result);
	assert_non_null(strstr(f->error, "lost"));
	RUN_UNTIL(f, f->ups == 2);
}

static void test_locks(void **state)
{
	struct client_fixture *f = *state, other = { .base = f->base };

	ovsdb_client_set_lock(f->client, "l");
	RUN_UNTIL(f, f->locked);
	other.client = ovsdb_client_create(f->base, f->remote, "T",
					   &client_fixture_ops, &other);
	ovsdb_client_set_lock(other.client, "l");
	RUN_UNTIL(f, other.ups);
	assert_false(other.locked);
	ovsdb_client_destroy(f->client);
	f->client = NULL;
	RUN_UNTIL(f, other.locked);
	ovsdb_client_destroy(other.client);
}

static void test_nobody_listens(void **state)
{
	struct client_fixture *f = client_fixture_new();

	client_fixture_connect(f);
	RUN_UNTIL(f, f->downs == 1);
	start_server(f);
	RUN_UNTIL(f, f->ups == 1);
	assert_int_equal(f->downs, 1);
	client_fixture_finish(f);
}

/* A thousand rows, then one of them: it is found by its UUID. */
static void test_many_rows(void **state)
{
	struct client_fixture *f = *state;
	json_t *operations = json_array();

	for (int i = 0; i < 1000; i++)
		json_array_append_new(operations,
				      json_pack("{s:s, s:s, s:{s:i}}", "op",
						"insert", "table", "Host",
						"row", "n", i));
	f->done = false;
	ovsdb_client_transact(f->client, operations, done, f);
	RUN_UNTIL(f, f->done);
	assert_null(f->error);
	assert_int_equal(client_fixture_count(f), 1000);
	transact(f, "[{\"op\":\"delete\",\"table\":\"Host\",\"where\":"
		    "[[\"n\",\"<\",999]]}]");
	assert_int_equal(client_fixture_count(f), 1);
	assert_int_equal(client_fixture_n(client_fixture_first(f)), 999);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SERVER(test_updates),
		WITH_SERVER(test_one_call_per_transaction),
		WITH_SERVER(test_failed_transactions),
		WITH_SERVER(test_restart),
		WITH_SERVER(test_reconnect_without_change),
		WITH_SERVER(test_lost_in_flight),
		WITH_SERVER(test_locks),
		WITH_SERVER(test_many_rows),
		cmocka_unit_test(test_nobody_listens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
