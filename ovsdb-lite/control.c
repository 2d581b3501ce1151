/*
 * The server of the control socket: see control.h. Connections are JSON-RPC
 * ones (jsonrpc.h); commands are few and kept in a sorted list.
 */
#include "ovsdb-lite/control.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "ovsdb-lite/jsonrpc.h"
#include "ovsdb-lite/stream.h"

LOG_MODULE(control);

#define MAX_CONNECTIONS 256
#define MAX_OUTSTANDING 64 /* requests of one connection without a reply */
#define MAX_ARGS	1024
#define TAKE_TIMEOUT_MS 1000

struct command {
	char *name, *usage;
	int min_args, max_args;
	control_command *fn;
	void *aux;
	struct command *next;
};

struct connection {
	struct control_server *server;
	struct jsonrpc *rpc;
	bool wants_json; /* by set-options, for all its requests */
	struct control_request *requests;
	unsigned int n_requests;
	struct connection *next;
};

struct control_request {
	struct connection *conn; /* NULL: it went away */
	json_t *id;
	char *name;
	json_t *params; /* what argv points into, from its second on */
	const char **argv;
	bool wants_json;
	struct control_request *next;
};

struct control_server {
	struct event_base *base;
	struct stream_listener *listener;
	char *path;
	struct command *commands;
	struct connection *connections;
	unsigned int n_connections;
};

static void request_unlink(struct control_request *request)
{
	struct control_request **p;

	if (!request->conn)
		return;
	for (p = &request->conn->requests; *p != request; p = &(*p)->next)
		;
	*p = request->next;
	request->conn->n_requests--;
	request->conn = NULL;
}

static void request_destroy(struct control_request *request)
{
	request_unlink(request);
	json_decref(request->id);
	json_decref(request->params);
	free(request->argv);
	free(request->name);
	free(request);
}

/* Sends the reply, unless nobody waits for it any more; takes both. */
static void finish(struct control_request *request, json_t *result,
		   json_t *error)
{
	if (request->conn) {
		jsonrpc_send_reply(request->conn->rpc, json_incref(request->id),
				   result, error);
	} else {
		json_decref(result);
		json_decref(error);
	}
	request_destroy(request);
}

/* Output may quote a stranger's bytes: what is not UTF-8 becomes '?'. */
static json_t *text_to_json(const char *text)
{
	json_t *json = json_string(text);
	char *copy;

	if (json)
		return json;
	copy = xstrdup(text);
	for (char *p = copy; *p; p++)
		if (*p & 0x80)
			*p = '?';
	json = json_string(copy);
	free(copy);
	return json;
}

void control_reply(struct control_request *request, const char *text)
{
	finish(request, text_to_json(text ? text : ""), json_null());
}

void control_reply_error(struct control_request *request, const char *text)
{
	char *line = xasprintf("%s\n", text);

	finish(request, json_null(), text_to_json(line));
	free(line);
}

bool control_wants_json(const struct control_request *request)
{
	return request->wants_json;
}

static void connection_destroy(struct connection *conn)
{
	struct connection **p;

	for (p = &conn->server->connections; *p != conn; p = &(*p)->next)
		;
	*p = conn->next;
	conn->server->n_connections--;
	while (conn->requests)
		request_unlink(conn->requests);
	jsonrpc_close(conn->rpc);
	free(conn);
}

int control_reply_and_take_socket(struct control_request *request,
				  const char *text)
{
	struct connection *conn = request->conn;
	int fd;

	if (!conn) {
		request_destroy(request);
		return -ENOTCONN;
	}
	jsonrpc_send_reply(conn->rpc, json_incref(request->id),
			   text_to_json(text), json_null());
	request_destroy(request);
	fd = jsonrpc_take_fd(conn->rpc, TAKE_TIMEOUT_MS);
	conn->rpc = NULL;
	connection_destroy(conn);
	return fd;
}

static const struct command *find_command(const struct control_server *server,
					  const char *name)
{
	const struct command *c = server->commands;

	while (c && strcmp(c->name, name))
		c = c->next;
	return c;
}

/*
 * Fills in argv from the name and params; options are taken out. A message
 * when params are not right.
 */
static const char *collect_args(struct control_request *request, int *argc)
{
	size_t n = json_array_size(request->params);
	json_t *param;
	const char *s;
	size_t i;

	if (n > MAX_ARGS)
		return "too many arguments";
	request->argv = xcalloc(n + 2, sizeof(*request->argv));
	request->argv[0] = request->name;
	*argc = 1;
	json_array_foreach(request->params, i, param) {
		s = json_string_value(param);
		if (!s)
			return "the arguments must be strings";
		if (!strcmp(s, "--format=json"))
			request->wants_json = true;
		else if (!strcmp(s, "--format=text"))
			request->wants_json = false;
		else
			request->argv[(*argc)++] = s;
	}
	return NULL;
}

static void run(struct control_server *server, struct control_request *request)
{
	const char *method = request->name;
	const struct command *c = find_command(server, method);
	const char *problem;
	char *why = NULL;
	int argc = 0;

	problem = collect_args(request, &argc);
	if (problem)
		why = xstrdup(problem);
	else if (!c)
		why = xasprintf("\"%s\" is not a valid command (use "
				"\"list-commands\" to see a list of valid "
				"commands)",
				method);
	else if (argc - 1 < c->min_args)
		why = xasprintf("\"%s\" command requires at least %d arguments",
				method, c->min_args);
	else if (c->max_args >= 0 && argc - 1 > c->max_args)
		why = xasprintf("\"%s\" command takes at most %d arguments",
				method, c->max_args);
	if (!why) {
		c->fn(request, argc, request->argv, c->aux);
		return;
	}
	control_reply_error(request, why);
	free(why);
}

static void request_cb(struct jsonrpc *rpc, const char *method, json_t *params,
		       json_t *id, void *aux)
{
	struct connection *conn = aux;
	struct control_request *request;

	if (conn->n_requests >= MAX_OUTSTANDING) {
		jsonrpc_fail(rpc, "too many commands at once");
		return;
	}
	request = xcalloc(1, sizeof(*request));
	request->conn = conn;
	request->wants_json = conn->wants_json;
	request->id = json_incref(id);
	request->name = xstrdup(method);
	request->params = json_incref(params);
	request->next = conn->requests;
	conn->requests = request;
	conn->n_requests++;
	run(conn->server, request);
}

static void closed_cb(struct jsonrpc *rpc, const char *why, void *aux)
{
	struct connection *conn = aux;

	log_dbg("%s: %s", jsonrpc_name(rpc), why);
	conn->rpc = NULL;
	connection_destroy(conn);
}

static const struct jsonrpc_ops ops = {
	.request = request_cb,
	.closed = closed_cb,
};

static void accepted(int fd, void *aux)
{
	struct control_server *server = aux;
	struct connection *conn;

	if (server->n_connections >= MAX_CONNECTIONS) {
		log_warn_limited("%s: too many connections; one was refused",
				 server->path);
		close(fd);
		return;
	}
	conn = xcalloc(1, sizeof(*conn));
	conn->server = server;
	conn->rpc = jsonrpc_accept(server->base, fd, &ops, conn);
	conn->next = server->connections;
	server->connections = conn;
	server->n_connections++;
	log_dbg("%s: %s connected", server->path, jsonrpc_name(conn->rpc));
}

void control_register(struct control_server *server, const char *name,
		      const char *usage, int min_args, int max_args,
		      control_command *fn, void *aux)
{
	struct command *c = xcalloc(1, sizeof(*c)), **p;

	c->name = xstrdup(name);
	c->usage = xstrdup(usage ? usage : "");
	c->min_args = min_args;
	c->max_args = max_args;
	c->fn = fn;
	c->aux = aux;
	for (p = &server->commands; *p && strcmp((*p)->name, name) < 0;
	     p = &(*p)->next)
		;
	c->next = *p;
	*p = c;
}

/* --- the commands that every program has -----------------------------------
 */

/* Takes over the reference. */
static void reply_json(struct control_request *request, json_t *json)
{
	char *dump = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
	char *line = xasprintf("%s\n", dump);

	control_reply(request, line);
	free(line);
	free(dump);
	json_decref(json);
}

static json_t *commands_to_json(const struct control_server *server)
{
	json_t *list = json_array();

	for (const struct command *c = server->commands; c; c = c->next)
		json_array_append_new(list,
				      json_pack("{s:s, s:s}", "name", c->name,
						"usage", c->usage));
	return list;
}

static void cmd_list_commands(struct control_request *request, int argc,
			      const char *const argv[], void *aux)
{
	struct control_server *server = aux;
	char *text, *longer;

	if (request->wants_json) {
		reply_json(request, commands_to_json(server));
		return;
	}
	text = xstrdup("The available commands are:\n");
	for (const struct command *c = server->commands; c; c = c->next) {
		longer = xasprintf("%s  %-23s %s\n", text, c->name, c->usage);
		free(text);
		text = longer;
	}
	control_reply(request, text);
	free(text);
}

static void cmd_version(struct control_request *request, int argc,
			const char *const argv[], void *aux)
{
	char *text = xasprintf("%s (vsw) %s\n", program_invocation_short_name,
			       VSW_VERSION);

	if (request->wants_json) {
		reply_json(request, json_pack("{s:s}", "version", VSW_VERSION));
	} else {
		control_reply(request, text);
	}
	free(text);
}

static void cmd_log_set(struct control_request *request, int argc,
			const char *const argv[], void *aux)
{
	char *why = NULL;

	/* Without a word: everything on, as ovs-appctl users know it. */
	if (argc == 1)
		log_set("dbg", NULL);
	for (int i = 1; i < argc; i++) {
		if (log_set(argv[i], &why)) {
			control_reply_error(request, why);
			free(why);
			return;
		}
	}
	control_reply(request, "");
}

static void add_module(const char *name, const char *const levels[], void *list)
{
	json_array_append_new(list,
			      json_pack("{s:s, s:s, s:s, s:s}", "module", name,
					"console", levels[LOG_TO_CONSOLE],
					"syslog", levels[LOG_TO_SYSLOG], "file",
					levels[LOG_TO_FILE]));
}

static void cmd_log_list(struct control_request *request, int argc,
			 const char *const argv[], void *aux)
{
	char *text;

	if (request->wants_json) {
		json_t *list = json_array();

		log_for_each_module(add_module, list);
		reply_json(request, list);
		return;
	}
	text = log_list();
	control_reply(request, text);
	free(text);
}

static void cmd_log_reopen(struct control_request *request, int argc,
			   const char *const argv[], void *aux)
{
	char *why = NULL;

	if (log_set_file(NULL, &why))
		control_reply_error(request,
				    why ? why : "reopening the log failed");
	else
		control_reply(request, "");
	free(why);
}

/* ovs-appctl of newer versions sends "--format json" by this. */
static void cmd_set_options(struct control_request *request, int argc,
			    const char *const argv[], void *aux)
{
	struct connection *conn = request->conn;

	conn->wants_json = request->wants_json;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--format") || i + 1 == argc) {
			control_reply_error(request, "use --format text|json");
			return;
		}
		conn->wants_json = !strcmp(argv[++i], "json");
	}
	control_reply(request, "");
}

struct control_server *control_server_create(struct event_base *base,
					     const char *path, char **errp)
{
	struct control_server *server;
	int fd = stream_listen_unix(path, errp);

	if (fd < 0)
		return NULL;
	server = xcalloc(1, sizeof(*server));
	server->base = base;
	server->path = xstrdup(path);
	server->listener = stream_listener_create(base, fd, accepted, server);
	control_register(server, "list-commands", "", 0, 0, cmd_list_commands,
			 server);
	control_register(server, "version", "", 0, 0, cmd_version, NULL);
	control_register(server, "vlog/set",
			 "{spec | PATTERN:destination:pattern}", 0, -1,
			 cmd_log_set, NULL);
	control_register(server, "vlog/list", "", 0, 0, cmd_log_list, NULL);
	control_register(server, "log/list", "", 0, 0, cmd_log_list, NULL);
	control_register(server, "vlog/reopen", "", 0, 0, cmd_log_reopen, NULL);
	control_register(server, "set-options", "[--format text|json]", 0, -1,
			 cmd_set_options, NULL);
	return server;
}

void control_server_destroy(struct control_server *server)
{
	struct connection *conn, *next;
	struct command *c;

	if (!server)
		return;
	for (conn = server->connections; conn; conn = next) {
		next = conn->next;
		connection_destroy(conn);
	}
	stream_listener_destroy(server->listener);
	unlink(server->path);
	while ((c = server->commands)) {
		server->commands = c->next;
		free(c->name);
		free(c->usage);
		free(c);
	}
	free(server->path);
	free(server);
}
