/*
 * The client library against servers that lack newer methods or say nonsense:
 * a server here is a list of answers.
 */
#include "tests/unit/client_fixture.h"

#include <string.h>
#include <unistd.h>

#include "ovsdb-lite/jsonrpc.h"
#include "ovsdb-lite/stream.h"

/* Answers by a list of "method" -> text of the reply's result or error. */
struct answer {
	const char *method, *result, *error;
	const char *then; /* a notification's params, sent after it */
	const char *notification;
	const char *id; /* a wrong one of the reply */
};

struct script {
	struct client_fixture *f;
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
	struct client_fixture *f = client_fixture_new();
	struct script s = { .f = f, .answers = answers };
	struct stream_listener *listener = stream_listener_create(
		f->base, stream_listen_unix(f->remote + 5, NULL), script_accept,
		&s);

	client_fixture_connect(f);
	RUN_UNTIL(f, until(&s));
	if (verify)
		verify(&s);
	ovsdb_client_destroy(f->client);
	f->client = NULL;
	jsonrpc_close(s.rpc);
	stream_listener_destroy(listener);
	unlink(f->remote + 5);
	client_fixture_finish(f);
}

#define ROW  "\"11111111-1111-1111-1111-111111111111\""
#define ROW2 "\"22222222-2222-2222-2222-222222222222\""

static bool n_is_9(struct script *s)
{
	return client_fixture_first(s->f) &&
	       client_fixture_n(client_fixture_first(s->f)) == 9;
}

static void verify_one_row(struct script *s)
{
	assert_int_equal(client_fixture_count(s->f), 1);
	assert_int_equal(s->f->ups, 1);
	assert_int_equal(s->connections, 1);
}

static void test_old_server(void **state)
{
	const struct answer answers[] = {
		{ .method = "get_schema", .result = client_fixture_schema },
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
		{ .method = "get_schema", .result = client_fixture_schema },
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
		{ .method = "get_schema", .result = client_fixture_schema },
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
			{ .method = "get_schema",
			  .result = client_fixture_schema },
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_old_server),
		cmocka_unit_test(test_server_without_since),
		cmocka_unit_test(test_since),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_wrong_replies),
		cmocka_unit_test(test_bad_schemas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
