/*
 * Whole sessions: the input is what two clients send, by turns, to a server
 * with a database in memory. A line of the input is a message of the first
 * client, or, when it begins with '!', of the second. Each input finds a fresh
 * server.
 */
#include <event2/event.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "ovsdb-lite/server.h"

#define INPUT_LIMIT 60000
#define N_CLIENTS   2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Small names, so that the input hits them: a root table, one below, weak. */
static const char schema_text[] =
	"{\"name\":\"d\",\"version\":\"1.0.0\",\"tables\":{"
	"\"r\":{\"isRoot\":true,\"columns\":{"
	"\"i\":{\"type\":\"integer\"},\"s\":{\"type\":\"string\"},"
	"\"b\":{\"type\":\"boolean\"},\"f\":{\"type\":\"real\"},"
	"\"u\":{\"type\":{\"key\":\"uuid\",\"min\":0}},"
	"\"l\":{\"type\":{\"key\":\"integer\",\"min\":0,\"max\":3}},"
	"\"m\":{\"type\":{\"key\":\"string\",\"value\":\"integer\",\"min\":0,"
	"\"max\":\"unlimited\"}},"
	"\"c\":{\"type\":{\"key\":{\"type\":\"uuid\",\"refTable\":\"c\"},"
	"\"min\":0,\"max\":\"unlimited\"}}},"
	"\"indexes\":[[\"i\",\"s\"]]},"
	"\"c\":{\"maxRows\":4,\"columns\":{\"n\":{\"type\":\"integer\"},"
	"\"w\":{\"type\":{\"key\":{\"type\":\"uuid\",\"refTable\":\"r\","
	"\"refType\":\"weak\"},\"min\":0,\"max\":\"unlimited\"}}}}}}";

static struct ovsdb_db *new_db(void)
{
	json_t *json = json_loads(schema_text, 0, NULL);
	struct ovsdb_schema *schema;

	if (ovsdb_schema_from_json(&schema, json))
		abort();
	json_decref(json);
	return ovsdb_db_create(schema, NULL);
}

static void drain(int fd)
{
	char buf[65536];

	while (read(fd, buf, sizeof(buf)) > 0)
		;
}

static void play(struct event_base *base, const int clients[], const char *text,
		 size_t size)
{
	const char *end = text + size, *line, *next;

	for (line = text; line < end; line = next + 1) {
		int who = 0;

		next = memchr(line, '\n', end - line);
		if (!next)
			next = end;
		if (line < next && *line == '!') {
			who = 1;
			line++;
		}
		if (send(clients[who], line, next - line, MSG_NOSIGNAL) < 0)
			continue; /* the server had enough of this one */
		event_base_loop(base, EVLOOP_NONBLOCK);
		drain(clients[0]);
		drain(clients[1]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct event_base *base;
	struct ovsdb_server *server;
	int clients[N_CLIENTS];

	if (size > INPUT_LIMIT)
		return 0;
	signal(SIGPIPE, SIG_IGN);
	log_set("off", NULL);
	base = event_base_new();
	server = ovsdb_server_create(base);
	ovsdb_server_add_db(server, new_db(), NULL);
	for (int i = 0; i < N_CLIENTS; i++) {
		int fds[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds))
			abort();
		clients[i] = fds[0];
		ovsdb_server_accept(server, fds[1]);
	}
	play(base, clients, (const char *)data, size);
	close(clients[0]);
	event_base_loop(base, EVLOOP_NONBLOCK);
	/* The other one still has its session, and the server its locks. */
	ovsdb_server_destroy(server);
	close(clients[1]);
	event_base_free(base);
	return 0;
}
