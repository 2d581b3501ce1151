/*
 * Sessions of the server, word for word: two clients, A and B, send messages by
 * turns, and after each all that both received is compared. UUIDs are replaced
 * by U1, U2... in the order of their appearance, and the texts of errors that
 * are for persons are left out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/util.h"
#include "ovsdb-lite/server.h"
#include "ovsdb-lite/stream.h"

#define MAX_UUIDS 16

static const char schema_text[] =
	"{\"name\":\"d\",\"version\":\"1.0.0\",\"tables\":{\"t\":{"
	"\"isRoot\":true,\"columns\":{"
	"\"i\":{\"type\":\"integer\"},"
	"\"o\":{\"type\":{\"key\":\"string\",\"min\":0}},"
	"\"s\":{\"type\":{\"key\":\"integer\",\"min\":0,\"max\":\"unlimited\"}"
	"},"
	"\"m\":{\"type\":{\"key\":\"string\",\"value\":\"integer\",\"min\":0,"
	"\"max\":\"unlimited\"}}}}}}";

struct fixture {
	struct event_base *base;
	struct ovsdb_server *server;
	int clients[2];
	char uuids[MAX_UUIDS][UUID_LEN + 1];
	int n_uuids;
};

/* What A (or with '!' in front, B) sends, and then "A:..." and "B:...". */
struct step {
	const char *send, *expect;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	json_t *json = json_loads(schema_text, 0, NULL);
	struct ovsdb_schema *schema;

	signal(SIGPIPE, SIG_IGN);
	assert_null(ovsdb_schema_from_json(&schema, json));
	json_decref(json);
	f->base = event_base_new();
	f->server = ovsdb_server_create(f->base);
	ovsdb_server_set_probe_interval(f->server, 0);
	assert_int_equal(ovsdb_server_add_db(f->server,
					     ovsdb_db_create(schema, NULL),
					     NULL),
			 0);
	for (int i = 0; i < 2; i++) {
		int fds[2];

		assert_int_equal(socketpair(AF_UNIX,
					    SOCK_STREAM | SOCK_NONBLOCK, 0,
					    fds),
				 0);
		f->clients[i] = fds[0];
		ovsdb_server_accept(f->server, fds[1]);
	}
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	ovsdb_server_destroy(f->server);
	close(f->clients[0]);
	close(f->clients[1]);
	event_base_free(f->base);
	free(f);
	return 0;
}

/* Lets the server work until there is nothing more to do at once. */
static void work(struct fixture *f)
{
	for (int i = 0; i < 10; i++)
		event_base_loop(f->base, EVLOOP_NONBLOCK);
}

static int uuid_number(struct fixture *f, const char *uuid)
{
	int i;

	for (i = 0; i < f->n_uuids; i++)
		if (!strcmp(f->uuids[i], uuid))
			return i + 1;
	assert_true(i < MAX_UUIDS);
	strcpy(f->uuids[f->n_uuids++], uuid);
	return f->n_uuids;
}

/* The length of the string member `name` that text begins with, or 0. */
static size_t member_length(const char *text, const char *name)
{
	size_t n = strlen(name);

	if (strncmp(text, name, n))
		return 0;
	while (text[n] && text[n] != '"')
		n += 1 + (text[n] == '\\');
	return n + 1;
}

/* Copies text to out, UUIDs replaced, details left out. */
static void normalize(struct fixture *f, const char *text, char *out)
{
	struct uuid uuid;
	char word[UUID_LEN + 1];
	size_t skip;

	while (*text) {
		skip = member_length(text, ",\"details\":\"");
		if (!skip)
			skip = member_length(text, ",\"syntax\":\"");
		text += skip;
		if (skip)
			continue;
		snprintf(word, sizeof(word), "%.*s", UUID_LEN, text);
		if (strlen(word) == UUID_LEN && uuid_from_string(&uuid, word) &&
		    !uuid_is_zero(&uuid)) {
			out += sprintf(out, "U%d", uuid_number(f, word));
			text += UUID_LEN;
		} else {
			*out++ = *text++;
		}
	}
	*out = '\0';
}

static void receive(struct fixture *f, int who, char *out)
{
	char text[8192];
	ssize_t n = read(f->clients[who], text, sizeof(text) - 1);

	*out = '\0';
	if (n < 0)
		return;
	text[n] = '\0';
	out += sprintf(out, "%c:", 'A' + who);
	normalize(f, n ? text : "closed", out);
}

static void run(struct fixture *f, const struct step *steps, size_t n)
{
	char got[2 * 8192];

	for (size_t i = 0; i < n; i++) {
		const char *text = steps[i].send;
		int who = *text == '!';

		text += who;
		assert_int_equal(write(f->clients[who], text, strlen(text)),
				 strlen(text));
		work(f);
		receive(f, 0, got);
		receive(f, 1, got + strlen(got));
		assert_string_equal(got, steps[i].expect);
	}
}

#define RUN(state, ...)                                                        \
	do {                                                                   \
		const struct step steps__[] = { __VA_ARGS__ };                 \
		run(*(state), steps__, ARRAY_SIZE(steps__));                   \
	} while (0)

#define REQUEST(id, method, params)                                            \
	"{\"id\":" #id ",\"method\":\"" method "\",\"params\":[" params "]}"
#define TRANSACT(id, ops)	 REQUEST(id, "transact", "\"d\"," ops)
#define TRANSACT_SERVER(id, ops) REQUEST(id, "transact", "\"_Server\"," ops)
#define OK(id, result)		 "{\"id\":" #id ",\"result\":" result ",\"error\":null}"
#define FAIL(id, error)		 "{\"id\":" #id ",\"result\":null,\"error\":" error "}"
#define NOTE(method, params)                                                   \
	"{\"id\":null,\"method\":\"" method "\",\"params\":[" params "]}"
#define INSERT(row) "{\"op\":\"insert\",\"table\":\"t\",\"row\":" row "}"
#define UPDATE(row)                                                            \
	"{\"op\":\"update\",\"table\":\"t\",\"where\":[],\"row\":" row "}"
#define WAIT(i, timeout)                                                       \
	"{\"op\":\"wait\",\"table\":\"t\",\"where\":[],\"columns\":[\"i\"],"   \
	"\"until\":\"==\",\"rows\":[{\"i\":" #i "}]" timeout "}"
#define COUNT1 "[{\"count\":1}]"
#define ZERO   "\"00000000-0000-0000-0000-000000000000\""

static void test_simple_methods(void **state)
{
	RUN(state,
	    { REQUEST(1, "list_dbs", ""), "A:" OK(1, "[\"_Server\",\"d\"]") },
	    { REQUEST(2, "echo", "1,{\"a\":[]}"),
	      "A:" OK(2, "[1,{\"a\":[]}]") },
	    { REQUEST("x", "no_such", ""),
	      "A:" FAIL("x", "\"unknown method\"") },
	    { REQUEST(3, "set_db_change_aware", "true"), "A:" OK(3, "{}") },
	    { REQUEST(4, "get_server_id", ""), "A:" OK(4, "\"U1\"") },
	    { REQUEST(5, "monitor_cancel", "7"),
	      "A:" FAIL(5, "\"unknown monitor\"") },
	    /* An unknown notification is no error. */
	    { NOTE("no_such", ""), "" }, );
}

static void test_monitor(void **state)
{
	RUN(state,
	    { REQUEST(1, "monitor",
		      "\"d\",\"id\",{\"t\":[{\"columns\":[\"i\"]},{"
		      "\"columns\":[\"s\"],\"select\":{\"modify\":false}}]}"),
	      "A:" OK(1, "{}") },
	    /* The update comes before the reply. */
	    { TRANSACT(2, INSERT("{\"i\":1}")),
	      "A:" NOTE("update", "\"id\",{\"t\":{\"U1\":{\"new\":{\"i\":1,"
				  "\"s\":[\"set\",[]]}}}}")
		      OK(2, "[{\"uuid\":[\"uuid\",\"U1\"]}]") },
	    /* By another client: only the update. */
	    { "!" TRANSACT(1, UPDATE("{\"i\":2}")),
	      "A:" NOTE("update", "\"id\",{\"t\":{\"U1\":{\"old\":{\"i\":1},"
				  "\"new\":{\"i\":2}}}}") "B:" OK(1, COUNT1) },
	    { "!" TRANSACT(2, UPDATE("{\"s\":3}")), "B:" OK(2, COUNT1) },
	    { "!" TRANSACT(3, UPDATE("{\"m\":[\"map\",[[\"a\",1]]]}")),
	      "B:" OK(3, COUNT1) },
	    { "!" TRANSACT(4,
			   "{\"op\":\"delete\",\"table\":\"t\",\"where\":[]}"),
	      "A:" NOTE("update", "\"id\",{\"t\":{\"U1\":{\"old\":{\"i\":2,"
				  "\"s\":3}}}}") "B:" OK(4, COUNT1) },
	    { REQUEST(3, "monitor_cancel", "\"id\""), "A:" OK(3, "{}") },
	    { "!" TRANSACT(5, INSERT("{}")),
	      "B:" OK(5, "[{\"uuid\":[\"uuid\",\"U2\"]}]") }, );
}

static void test_monitor_initial(void **state)
{
	RUN(state,
	    { TRANSACT(1, INSERT("{\"i\":1}")),
	      "A:" OK(1, "[{\"uuid\":[\"uuid\",\"U1\"]}]") },
	    { REQUEST(2, "monitor", "\"d\",1,{\"t\":{\"columns\":[\"i\"]}}"),
	      "A:" OK(2, "{\"t\":{\"U1\":{\"new\":{\"i\":1}}}}") },
	    { REQUEST(3, "monitor",
		      "\"d\",2,{\"t\":{\"columns\":[\"i\"],\"select\":{"
		      "\"initial\":false}}}"),
	      "A:" OK(3, "{}") },
	    { REQUEST(4, "monitor_cond",
		      "\"d\",3,{\"t\":{\"columns\":[\"i\",\"s\"]}}"),
	      "A:" OK(4, "{\"t\":{\"U1\":{\"initial\":{\"i\":1}}}}") },
	    { REQUEST(5, "monitor_cond_since",
		      "\"d\",4,{\"t\":{\"columns\":[\"i\"]}}," ZERO),
	      "A:" OK(5, "[false," ZERO
			 ",{\"t\":{\"U1\":{\"initial\":{\"i\":1}}}}]") },
	    { REQUEST(6, "monitor", "\"d\",4,{}"),
	      "A:" FAIL(6, "{\"error\":\"syntax error\"}") }, );
}

/* Differences, and rows that come under the condition and leave it. */
static void test_monitor_cond(void **state)
{
	RUN(state,
	    { REQUEST(1, "monitor_cond",
		      "\"d\",1,{\"t\":{\"columns\":[\"i\",\"o\",\"s\",\"m\"],"
		      "\"where\":[[\"i\",\"==\",1],[\"i\",\"==\",2]]}}"),
	      "A:" OK(1, "{}") },
	    { "!" TRANSACT(1, INSERT("{\"s\":[\"set\",[1,2]]}")),
	      "B:" OK(1, "[{\"uuid\":[\"uuid\",\"U1\"]}]") },
	    { "!" TRANSACT(2, UPDATE("{\"i\":1}")),
	      "A:" NOTE("update2",
			"1,{\"t\":{\"U1\":{\"insert\":{\"i\":1,\"s\":[\"set\","
			"[1,2]]}}}}") "B:" OK(2, COUNT1) },
	    { "!" TRANSACT(3,
			   UPDATE("{\"i\":2,\"o\":\"x\",\"s\":[\"set\",[2,3]],"
				  "\"m\":[\"map\",[[\"a\",1],[\"b\",2]]]}")),
	      "A:" NOTE("update2",
			"1,{\"t\":{\"U1\":{\"modify\":{\"i\":2,\"o\":\"x\","
			"\"s\":[\"set\",[1,3]],\"m\":[\"map\",[[\"a\",1],"
			"[\"b\",2]]]}}}}") "B:" OK(3, COUNT1) },
	    { "!" TRANSACT(4, UPDATE("{\"o\":[\"set\",[]],\"m\":[\"map\",[["
				     "\"b\",9],[\"c\",3]]]}")),
	      "A:" NOTE(
		      "update2",
		      "1,{\"t\":{\"U1\":{\"modify\":{\"o\":[\"set\",[]],"
		      "\"m\":[\"map\",[[\"a\",1],[\"b\",9],[\"c\",3]]]}}}}") "B:" OK(4,
										     COUNT1) },
	    { "!" TRANSACT(5, UPDATE("{\"i\":3}")),
	      "A:" NOTE(
		      "update2",
		      "1,{\"t\":{\"U1\":{\"delete\":null}}}") "B:" OK(5,
								      COUNT1) },
	    { "!" TRANSACT(6, UPDATE("{\"i\":4}")), "B:" OK(6, COUNT1) }, );
}

static void test_monitor_cond_change(void **state)
{
	RUN(state,
	    { TRANSACT(1, INSERT("{\"i\":1}") "," INSERT("{\"i\":2}")),
	      "A:" OK(1, "[{\"uuid\":[\"uuid\",\"U1\"]},{\"uuid\":[\"uuid\","
			 "\"U2\"]}]") },
	    { REQUEST(2, "monitor_cond_since",
		      "\"d\",1,{\"t\":[{\"columns\":[\"i\"],\"where\":[[\"i\","
		      "\"==\",1]]}]}," ZERO),
	      "A:" OK(2, "[false," ZERO
			 ",{\"t\":{\"U1\":{\"initial\":{\"i\":1}}}}]") },
	    { REQUEST(3, "monitor_cond_change",
		      "1,2,{\"t\":[{\"where\":[[\"i\",\">\",0]]}]}"),
	      "A:" NOTE("update3",
			"2," ZERO ",{\"t\":{\"U2\":{\"insert\":{\"i\":2}}}}")
		      OK(3, "{}") },
	    /* The same again brings nothing. */
	    { REQUEST(4, "monitor_cond_change",
		      "2,2,{\"t\":[{\"where\":[[\"i\",\"<\",9]]}]}"),
	      "A:" OK(4, "{}") },
	    { REQUEST(5, "monitor_cond_change",
		      "2,2,{\"t\":[{\"where\":[[\"i\",\"==\",1]]}]}"),
	      "A:" NOTE("update3",
			"2," ZERO ",{\"t\":{\"U2\":{\"delete\":null}}}")
		      OK(5, "{}") },
	    { REQUEST(6, "monitor_cond_change",
		      "2,2,{\"t\":[{\"where\":[[\"no\",\"==\",1]]}]}"),
	      "A:" FAIL(6, "{\"error\":\"unknown column\"}") },
	    /* It is as it was. */
	    { TRANSACT(7, "{\"op\":\"delete\",\"table\":\"t\",\"where\":[]}"),
	      "A:" NOTE("update3",
			"2," ZERO ",{\"t\":{\"U1\":{\"delete\":null}}}")
		      OK(7, "[{\"count\":2}]") }, );
}

/* Two who ask for the same get the same; one who changes leaves the other. */
static void test_shared_monitors(void **state)
{
#define SAME "\"d\",1,{\"t\":{\"columns\":[\"i\"]}}"
	RUN(state, { REQUEST(1, "monitor_cond", SAME), "A:" OK(1, "{}") },
	    { "!" REQUEST(1, "monitor_cond", SAME), "B:" OK(1, "{}") },
	    { TRANSACT(2, INSERT("{\"i\":1}")),
	      "A:" NOTE("update2", "1,{\"t\":{\"U1\":{\"insert\":{\"i\":1}}}}")
		      OK(2, "[{\"uuid\":[\"uuid\",\"U1\"]}]") "B:" NOTE(
			      "update2",
			      "1,{\"t\":{\"U1\":{\"insert\":{\"i\":1}}}}") },
	    { "!" REQUEST(2, "monitor_cond_change",
			  "1,1,{\"t\":[{\"where\":[false]}]}"),
	      "B:" NOTE("update2", "1,{\"t\":{\"U1\":{\"delete\":null}}}")
		      OK(2, "{}") },
	    { TRANSACT(3, UPDATE("{\"i\":5}")),
	      "A:" NOTE("update2", "1,{\"t\":{\"U1\":{\"modify\":{\"i\":5}}}}")
		      OK(3, COUNT1) }, );
}

static void test_waiting(void **state)
{
	RUN(state, { TRANSACT(1, WAIT(5, "")), "" },
	    { TRANSACT(1, WAIT(5, "")),
	      "A:" FAIL(1, "{\"error\":\"syntax error\"}") },
	    { "!" TRANSACT(1, INSERT("{\"i\":4}")),
	      "B:" OK(1, "[{\"uuid\":[\"uuid\",\"U1\"]}]") },
	    { "!" TRANSACT(2, UPDATE("{\"i\":5}")),
	      "A:" OK(1, "[{}]") "B:" OK(2, COUNT1) },
	    /* Cancelled, by its id only. */
	    { TRANSACT(2, WAIT(6, "")), "" }, { NOTE("cancel", "3"), "" },
	    { NOTE("cancel", "2"), "A:" FAIL(2, "\"canceled\"") },
	    { NOTE("cancel", "2"), "" },
	    { "!" TRANSACT(3, UPDATE("{\"i\":6}")), "B:" OK(3, COUNT1) },
	    { TRANSACT(3, WAIT(9, ",\"timeout\":0")),
	      "A:" OK(3, "[{\"error\":\"timed out\"}]") }, );
}

static void test_locks(void **state)
{
	RUN(state,
	    { REQUEST(1, "lock", "\"l\""), "A:" OK(1, "{\"locked\":true}") },
	    { "!" REQUEST(1, "lock", "\"l\""),
	      "B:" OK(1, "{\"locked\":false}") },
	    { "!" TRANSACT(2, "{\"op\":\"assert\",\"lock\":\"k\"}"
			      ",{\"op\":\"comment\",\"comment\":\"c\"}"),
	      "B:" OK(2, "[{\"error\":\"not owner\"},null]") },
	    { REQUEST(2, "unlock", "\"l\""),
	      "A:" OK(2, "{}") "B:" NOTE("locked", "\"l\"") },
	    { "!" TRANSACT(3, "{\"op\":\"assert\",\"lock\":\"l\"}"),
	      "B:" OK(3, "[{}]") },
	    { REQUEST(3, "steal", "\"l\""),
	      "A:" OK(3, "{\"locked\":true}") "B:" NOTE("stolen", "\"l\"") }, );
}

/* One session ends for what it said; the other has its lock then. */
static void test_bad_peer(void **state)
{
	RUN(state,
	    { REQUEST(1, "lock", "\"l\""), "A:" OK(1, "{\"locked\":true}") },
	    { "!" REQUEST(1, "lock", "\"l\""),
	      "B:" OK(1, "{\"locked\":false}") },
	    { "]", "A:closed"
		   "B:" NOTE("locked", "\"l\"") }, );
}

static void test_unasked_reply(void **state)
{
	RUN(state, { "{\"id\":\"echo\",\"result\":[],\"error\":null}", "" },
	    { OK(9, "[]"), "A:closed" }, );
}

static void test_server_database(void **state)
{
	struct fixture *f = *state;

	RUN(state,
	    { REQUEST(1, "monitor_cond",
		      "\"_Server\",1,{\"Database\":{\"columns\":[\"model\","
		      "\"connected\"],\"where\":[[\"name\",\"==\",\"d\"]]}}"),
	      "A:" OK(1, "{\"Database\":{\"U1\":{\"initial\":{\"model\":"
			 "\"standalone\",\"connected\":true}}}}") },
	    { TRANSACT_SERVER(2, "{\"op\":\"delete\",\"table\":\"Database\","
				 "\"where\":[]}"),
	      "A:" OK(2, "[{\"error\":\"not allowed\"}]") }, );
	assert_int_equal(ovsdb_server_remove_db(f->server, "d", NULL), 0);
	RUN(state,
	    { REQUEST(3, "echo", ""),
	      "A:" NOTE("update2",
			"1,{\"Database\":{\"U1\":{\"delete\":null}}}")
		      OK(3, "[]") }, );
}

/* A TCP connection to ourselves: the server's end and the other. */
static void tcp_pair(int fds[2])
{
	int listener = stream_listen_tcp("0:127.0.0.1", NULL);
	char *where = xasprintf("127.0.0.1:%u", stream_local_port(listener));

	fds[0] = stream_connect_tcp(where, NULL);
	assert_true(fds[0] >= 0);
	while ((fds[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) < 0)
		;
	close(listener);
	free(where);
}

/* A peer that is silent is asked, and if it is another machine's, dropped. */
static void test_probes(void **state)
{
	struct fixture *f = *state;
	int local[2], remote[2];
	char buf[200] = "";

	ovsdb_server_set_probe_interval(f->server, 10);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, local), 0);
	tcp_pair(remote);
	ovsdb_server_accept(f->server, local[1]);
	ovsdb_server_accept(f->server, remote[1]);
	assert_int_equal(ovsdb_server_n_sessions(f->server), 4);
	while (ovsdb_server_n_sessions(f->server) == 4)
		event_base_loop(f->base, EVLOOP_ONCE);
	assert_int_equal(ovsdb_server_n_sessions(f->server), 3);
	assert_true(read(remote[0], buf, sizeof(buf) - 1) > 0);
	assert_string_equal(buf, "{\"id\":\"echo\",\"method\":\"echo\","
				 "\"params\":[]}");
	assert_true(read(local[0], buf, sizeof(buf) - 1) > 0);
	close(local[0]);
	close(remote[0]);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SERVER(test_simple_methods),
		WITH_SERVER(test_monitor),
		WITH_SERVER(test_monitor_initial),
		WITH_SERVER(test_monitor_cond),
		WITH_SERVER(test_monitor_cond_change),
		WITH_SERVER(test_shared_monitors),
		WITH_SERVER(test_waiting),
		WITH_SERVER(test_locks),
		WITH_SERVER(test_bad_peer),
		WITH_SERVER(test_unasked_reply),
		WITH_SERVER(test_server_database),
		WITH_SERVER(test_probes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
