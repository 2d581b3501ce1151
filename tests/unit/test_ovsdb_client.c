/*
 * The client library against a server in the same process, over a Unix socket
 * in a directory of the test's own: content, updates, transactions, locks,
 * restarts of the server, and servers that lack newer methods or say nonsense.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "ovsdb-lite/client.h"
#include "ovsdb-lite/jsonrpc.h"
#include "ovsdb-lite/server.h"
#include "ovsdb-lite/stream.h"

static const char schema_text[] =
	"{\"name\":\"T\",\"version\":\"1.0.0\",\"tables\":{\"Host\":{"
	"\"columns\":{\"name\":{\"type\":\"string\"},"
	"\"n\":{\"type\":\"integer\"},"
	"\"hidden\":{\"type\":\"integer\"},"
	"\"tags\":{\"type\":{\"key\":\"integer\",\"min\":0,"
	"\"max\":\"unlimited\"}},"
	"\"config\":{\"type\":{\"key\":\"string\",\"value\":\"string\","
	"\"min\":0,\"max\":\"unlimited\"}}},\"isRoot\":true}}}";

struct fixture {
	char dir[40], remote[60], listen[80];
	struct event_base *base;
	struct ovsdb_server *server;
	struct ovsdb_client *client;
	int changes, ups, downs;
	bool locked;
	/* Of the last transaction. */
	bool done;
	char *error;
	json_t *result;
};

static void changed(struct ovsdb_client *c, void *aux)
{
	((struct fixture *)aux)->changes++;
}

static void connection(struct ovsdb_client *c, bool up, const char *why,
		       void *aux)
{
	struct fixture *f = aux;

	*(up ? &f->ups : &f->downs) += 1;
}

static void lock(struct ovsdb_client *c, bool held, void *aux)
{
	((struct fixture *)aux)->locked = held;
}

static const struct ovsdb_client_ops ops = { changed, connection, lock };

static struct ovsdb_db *new_db(void)
{
	json_t *json = json_loads(schema_text, 0, NULL);
	struct ovsdb_schema *schema;

	assert_null(ovsdb_schema_from_json(&schema, json));
	json_decref(json);
	return ovsdb_db_create(schema, NULL);
}

static void start_server(struct fixture *f)
{
	f->server = ovsdb_server_create(f->base);
	assert_int_equal(ovsdb_server_add_db(f->server, new_db(), NULL), 0);
	assert_int_equal(ovsdb_server_add_remote(f->server, f->listen, NULL),
			 0);
}

static struct fixture *new_fixture(void)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	signal(SIGPIPE, SIG_IGN);
	strcpy(f->dir, "/tmp/vsw-client-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->remote, sizeof(f->remote), "unix:%s/s", f->dir);
	snprintf(f->listen, sizeof(f->listen), "p%s", f->remote);
	f->base = event_base_new();
	return f;
}

static void start_client(struct fixture *f)
{
	static const char *const columns[] = { "name",	 "n",	    "tags",
					       "config", "no_such", NULL };

	f->client = ovsdb_client_create(f->base, f->remote, "T", &ops, f);
	ovsdb_client_monitor(f->client, "Host", columns);
	ovsdb_client_monitor(f->client, "NoTable", columns);
}

/* The limit is only for a test that would hang. */
#define RUN_UNTIL(f, condition)                                                \
	do {                                                                   \
		for (int i__ = 0; !(condition); i__++) {                       \
			const struct timeval tv__ = { 0, 10000 };              \
			assert_true(i__ < 3000);                               \
			event_base_loopexit((f)->base, &tv__);                 \
			event_base_loop((f)->base, EVLOOP_ONCE);               \
		}                                                              \
	} while (0)

static int setup(void **state)
{
	struct fixture *f = new_fixture();

	start_server(f);
	start_client(f);
	RUN_UNTIL(f, f->changes);
	*state = f;
	return 0;
}

static void finish(struct fixture *f)
{
	ovsdb_client_destroy(f->client);
	ovsdb_server_destroy(f->server);
	event_base_free(f->base);
	json_decref(f->result);
	free(f->error);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
}

static int teardown(void **state)
{
	finish(*state);
	return 0;
}

static void done(struct ovsdb_client *c, json_t *result, const char *error,
		 void *aux)
{
	struct fixture *f = aux;

	f->done = true;
	json_decref(f->result);
	f->result = json_incref(result);
	free(f->error);
	f->error = error ? xstrdup(error) : NULL;
}

static void transact(struct fixture *f, const char *operations)
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

static const struct ovsdb_client_row *first(struct fixture *f)
{
	return ovsdb_client_next(f->client, "Host", NULL);
}

static size_t count(struct fixture *f)
{
	const struct ovsdb_client_row *row = NULL;
	size_t n = 0;

	while ((row = ovsdb_client_next(f->client, "Host", row)))
		n++;
	return n;
}

static int64_t get_n(const struct ovsdb_client_row *row)
{
	return ovsdb_client_column(row, "n")->keys[0].integer;
}

static void test_updates(void **state)
{
	struct fixture *f = *state;
	const struct ovsdb_client_row *row;
	const struct ovsdb_datum *d;

	assert_int_equal(f->ups, 1);
	assert_int_equal(f->changes, 1); /* the first, of an empty table */
	assert_int_equal(count(f), 0);

	/* The replica has it when done() is called. */
	transact(f, INSERT("{\"name\":\"a\",\"tags\":[\"set\",[3,1,2]],"
			   "\"config\":[\"map\",[[\"k\",\"v\"]]]}"));
	assert_null(f->error);
	assert_int_equal(f->changes, 2);
	row = first(f);
	assert_non_null(row);
	assert_string_equal(
		ovsdb_atom_string(&ovsdb_client_column(row, "name")->keys[0]),
		"a");
	assert_int_equal(get_n(row), 0);
	assert_int_equal(ovsdb_client_column(row, "tags")->n, 3);
	assert_null(ovsdb_client_column(row, "hidden"));
	assert_null(ovsdb_client_column(row, "no_such"));
	assert_ptr_equal(ovsdb_client_find(f->client, "Host", &row->uuid), row);

	transact(f, UPDATE("{\"n\":7,\"tags\":[\"set\",[1,4]],\"config\":"
			   "[\"map\",[[\"k\",\"w\"],[\"l\",\"x\"]]]}"));
	assert_int_equal(f->changes, 3);
	row = first(f);
	assert_int_equal(get_n(row), 7);
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
	assert_int_equal(count(f), 0);
}

static void test_one_call_per_transaction(void **state)
{
	struct fixture *f = *state;

	transact(f, "[{\"op\":\"insert\",\"table\":\"Host\",\"row\":{}},"
		    "{\"op\":\"insert\",\"table\":\"Host\",\"row\":{}},"
		    "{\"op\":\"insert\",\"table\":\"Host\",\"row\":{}}]");
	assert_int_equal(f->changes, 2);
	assert_int_equal(count(f), 3);
}

static void test_failed_transactions(void **state)
{
	struct fixture *f = *state;

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
	struct fixture *f = *state;
	const struct ovsdb_client_row *row;

	transact(f, INSERT("{\"name\":\"a\"}"));
	ovsdb_server_destroy(f->server);
	f->server = NULL;
	RUN_UNTIL(f, f->downs == 1);
	/* The replica stays; nothing can be asked for. */
	row = first(f);
	assert_non_null(row);
	assert_int_equal(
		ovsdb_client_transact(f->client, json_array(), done, f),
		-ENOTCONN);
	/* The new one is empty: that is a change. */
	start_server(f);
	RUN_UNTIL(f, f->ups == 2);
	assert_int_equal(f->changes, 3);
	assert_int_equal(count(f), 0);
}

static void test_reconnect_without_change(void **state)
{
	struct fixture *f = *state;
	const struct ovsdb_client_row *row;

	transact(f, INSERT("{\"name\":\"a\",\"n\":3}"));
	row = first(f);
	ovsdb_server_reconnect(f->server);
	RUN_UNTIL(f, f->ups == 2);
	/* Nothing did change: the rows are the same, nobody is told. */
	assert_int_equal(f->changes, 2);
	assert_ptr_equal(first(f), row);
	transact(f, UPDATE("{\"n\":4}"));
	assert_int_equal(f->changes, 3);
	assert_int_equal(get_n(first(f)), 4);
}

static void test_lost_in_flight(void **state)
{
	struct fixture *f = *state;
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
	struct fixture *f = *state, other = { .base = f->base };

	ovsdb_client_set_lock(f->client, "l");
	RUN_UNTIL(f, f->locked);
	other.client =
		ovsdb_client_create(f->base, f->remote, "T", &ops, &other);
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
	struct fixture *f = new_fixture();

	start_client(f);
	RUN_UNTIL(f, f->downs == 1);
	start_server(f);
	RUN_UNTIL(f, f->ups == 1);
	assert_int_equal(f->downs, 1);
	finish(f);
}

/* A thousand rows, then one of them: it is found by its UUID. */
static void test_many_rows(void **state)
{
	struct fixture *f = *state;
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
	assert_int_equal(count(f), 1000);
	transact(f, "[{\"op\":\"delete\",\"table\":\"Host\",\"where\":"
		    "[[\"n\",\"<\",999]]}]");
	assert_int_equal(count(f), 1);
	assert_int_equal(get_n(first(f)), 999);
}

/* --- a server that is a script ----------------------------------------------
 */

/* Answers by a list of "method" -> text of the reply's result or error. */
struct answer {
	const char *method, *result, *error;
	const char *then; /* a notification's params, sent after it */
	const char *notification;
	const char *id; /* a wrong one of the reply */
};

struct script {
	struct fixture *f;
	const struct answer *answers;
	struct jsonrpc *rpc;
	int connections;
};

static json_t *load(const char *text)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);

	assert_non_null(json);
	return json;
}

static void script_request(struct jsonrpc *rpc, const char *method,
			   json_t *params, json_t *id, void *aux)
{
	struct script *s = aux;
	const struct answer *a = s->answers;

	while (a->method && strcmp(a->method, method))
		a++;
	if (!a->method) {
		jsonrpc_send_reply(rpc, json_incref(id), json_null(),
				   json_string("unknown method"));
		return;
	}
	jsonrpc_send_reply(rpc, a->id ? json_string(a->id) : json_incref(id),
			   load(a->result ? a->result : "null"),
			   load(a->error ? a->error : "null"));
	if (a->then)
		jsonrpc_send_notification(rpc, a->notification, load(a->then));
}

static void script_closed(struct jsonrpc *rpc, const char *why, void *aux)
{
	((struct script *)aux)->rpc = NULL;
}

static const struct jsonrpc_ops script_ops = {
	.request = script_request,
	.closed = script_closed,
};

static void script_accept(int fd, void *aux)
{
	struct script *s = aux;

	s->connections++;
	jsonrpc_close(s->rpc);
	s->rpc = jsonrpc_accept(s->f->base, fd, &script_ops, s);
}

static void run_script(const struct answer *answers,
		       bool (*until)(struct script *),
		       void (*verify)(struct script *))
{
	struct fixture *f = new_fixture();
	struct script s = { .f = f, .answers = answers };
	struct stream_listener *listener = stream_listener_create(
		f->base, stream_listen_unix(f->remote + 5, NULL), script_accept,
		&s);

	start_client(f);
	RUN_UNTIL(f, until(&s));
	if (verify)
		verify(&s);
	ovsdb_client_destroy(f->client);
	f->client = NULL;
	jsonrpc_close(s.rpc);
	stream_listener_destroy(listener);
	unlink(f->remote + 5);
	finish(f);
}

#define ROW  "\"11111111-1111-1111-1111-111111111111\""
#define ROW2 "\"22222222-2222-2222-2222-222222222222\""

static bool n_is_9(struct script *s)
{
	return first(s->f) && get_n(first(s->f)) == 9;
}

static void verify_one_row(struct script *s)
{
	assert_int_equal(count(s->f), 1);
	assert_int_equal(s->f->ups, 1);
	assert_int_equal(s->connections, 1);
}

static void test_old_server(void **state)
{
	const struct answer answers[] = {
		{ .method = "get_schema", .result = schema_text },
		{ .method = "monitor",
		  .result = "{\"Host\":{" ROW
			    ":{\"new\":{\"n\":5,\"name\":\"a\"}}," ROW2
			    ":{\"new\":{}}}}",
		  .notification = "update",
		  .then = "[\"replica\",{\"Host\":{" ROW
			  ":{\"old\":{\"n\":5},\"new\":{\"n\":9,\"name\":"
			  "\"a\"}}," ROW2 ":{\"old\":{}}}}]" },
		{ .method = NULL },
	};

	run_script(answers, n_is_9, verify_one_row);
}

static void test_server_without_since(void **state)
{
	const struct answer answers[] = {
		{ .method = "get_schema", .result = schema_text },
		{ .method = "monitor_cond",
		  .result = "{\"Host\":{" ROW ":{\"initial\":{\"n\":5}}}}",
		  .notification = "update2",
		  .then = "[\"replica\",{\"Host\":{" ROW
			  ":{\"modify\":{\"n\":9}}}}]" },
		{ .method = NULL },
	};

	run_script(answers, n_is_9, verify_one_row);
}

/* A clustered server goes on from where we were: only what is new comes. */
static void test_since(void **state)
{
	const struct answer answers[] = {
		{ .method = "get_schema", .result = schema_text },
		{ .method = "monitor_cond_since",
		  .result = "[true," ROW ",{\"Host\":{" ROW
			    ":{\"insert\":{\"n\":9}}}}]" },
		{ .method = NULL },
	};

	run_script(answers, n_is_9, verify_one_row);
}

static bool thrice_connected(struct script *s)
{
	return s->connections >= 3;
}

/* Whatever a server says: the connection ends and is made anew. */
static void test_nonsense(void **state)
{
	static const char *const updates[] = {
		"5",
		"{\"Host\":5,\"NoTable\":{}}",
		"{\"NoTable\":{" ROW ":{\"initial\":{}}}}",
		"{\"Host\":{\"no-uuid\":{\"initial\":{}}}}",
		"{\"Host\":{" ROW ":{}}}",
		"{\"Host\":{" ROW ":{\"initial\":5}}}",
		"{\"Host\":{" ROW ":{\"initial\":{\"n\":\"x\"}}}}",
		"{\"Host\":{" ROW ":{\"modify\":{\"n\":1}}}}",
		"{\"Host\":{" ROW ":{\"delete\":null}}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(updates); i++) {
		const struct answer answers[] = {
			{ .method = "get_schema", .result = schema_text },
			{ .method = "monitor_cond", .result = updates[i] },
			{ .method = NULL },
		};

		run_script(answers, thrice_connected, NULL);
	}
}

/* Replies to what has not been asked yet, in place of the one due. */
static void test_wrong_replies(void **state)
{
	static const struct answer wrong[] = {
		{ .id = "monitor", .error = "\"unknown method\"" },
		{ .id = "monitor", .error = "\"no\"" },
		{ .id = "lock", .error = "\"no\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct answer answers[] = { wrong[i], { .method = NULL } };

		answers[0].method = "get_schema";
		run_script(answers, thrice_connected, NULL);
	}
}

static void test_bad_schemas(void **state)
{
	static const char *const schemas[] = {
		"5", "{}", "{\"name\":\"T\",\"tables\":{\"x\":5}}"
	};

	for (size_t i = 0; i < ARRAY_SIZE(schemas); i++) {
		const struct answer answers[] = {
			{ .method = "get_schema", .result = schemas[i] },
			{ .method = NULL },
		};

		run_script(answers, thrice_connected, NULL);
	}
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
		cmocka_unit_test(test_old_server),
		cmocka_unit_test(test_server_without_since),
		cmocka_unit_test(test_since),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_wrong_replies),
		cmocka_unit_test(test_bad_schemas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
