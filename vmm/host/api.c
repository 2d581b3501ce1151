/* The API socket's server: see api.h. */
#include "vmm/host/api.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ovsdb-lite/json_scan.h"
#include "ovsdb-lite/stream.h"
#include "vmm/host/last_words.h"

enum {
	MAX_CLIENTS = 32,
	MAX_REQUESTS = 16, /* of a client, without a reply: others wait */
	MAX_BACKLOG = 1024 * 1024,
};

static const struct json_scan_limits limits = { .bytes = 64 * 1024,
						.depth = 8,
						.values = 1024 };

struct client {
	struct api *api;
	struct bufferevent *bev;
	struct json_scan scan;
	bool wants_events;
	struct api_request *requests;
	unsigned int n_requests;
	struct client *next;
};

struct api_request {
	struct client *client; /* NULL: it went away */
	json_t *id;
	struct api_request *next;
};

struct api {
	struct event_base *base;
	struct stream_listener *listener;
	api_command *command;
	void *aux;
	struct client *clients;
	unsigned int n_clients;
};

static void client_destroy(struct client *client)
{
	struct client **p;

	for (p = &client->api->clients; *p != client; p = &(*p)->next)
		;
	*p = client->next;
	client->api->n_clients--;
	for (struct api_request *r = client->requests; r; r = r->next)
		r->client = NULL;
	last_words(client->bev);
	free(client);
}

/* What is more than the limit is for a client that does not read: it is
 * disconnected by the caller's loop. */
static void send_json(struct client *client, const json_t *json)
{
	struct evbuffer *out = bufferevent_get_output(client->bev);
	char *text = json_dumps(json, JSON_COMPACT);

	if (text && evbuffer_get_length(out) < MAX_BACKLOG)
		evbuffer_add_printf(out, "%s\n", text);
	else
		bufferevent_trigger_event(client->bev, BEV_EVENT_ERROR,
					  BEV_TRIG_DEFER_CALLBACKS);
	free(text);
}

/* There is room for a request that waits, or nothing left to wait for. */
static void go_on(struct client *client)
{
	bool ended = !(bufferevent_get_enabled(client->bev) & EV_READ);

	if (client->n_requests == MAX_REQUESTS - 1)
		bufferevent_trigger(client->bev, EV_READ,
				    BEV_TRIG_IGNORE_WATERMARKS |
					    BEV_TRIG_DEFER_CALLBACKS);
	if (ended && !client->n_requests)
		bufferevent_trigger_event(client->bev, BEV_EVENT_EOF,
					  BEV_TRIG_DEFER_CALLBACKS);
}

void api_reply(struct api_request *request, json_t *result, const char *error)
{
	struct client *client = request->client;
	struct api_request **p;
	json_t *reply;

	if (client) {
		for (p = &client->requests; *p != request; p = &(*p)->next)
			;
		*p = request->next;
		client->n_requests--;
		reply = json_pack("{s:O?}", "id", request->id);
		if (error)
			json_object_set_new(reply, "error", json_string(error));
		else
			json_object_set_new(reply, "result",
					    result ? json_incref(result)
						   : json_object());
		send_json(client, reply);
		json_decref(reply);
		go_on(client);
	}
	json_decref(result);
	json_decref(request->id);
	free(request);
}

void api_event(struct api *api, const json_t *event)
{
	for (struct client *c = api ? api->clients : NULL; c; c = c->next)
		if (c->wants_events)
			send_json(c, event);
}

static void handle(struct client *client, const json_t *message)
{
	const char *command =
		json_string_value(json_object_get(message, "cmd"));
	struct api_request *request = xcalloc(1, sizeof(*request));

	request->client = client;
	request->id = json_incref(json_object_get(message, "id"));
	request->next = client->requests;
	client->requests = request;
	client->n_requests++;
	if (!command) {
		api_reply(request, NULL, "a request needs \"cmd\", a string");
	} else if (!strcmp(command, "events")) {
		client->wants_events = true;
		api_reply(request, NULL, NULL);
	} else {
		client->api->command(request, command, message,
				     client->api->aux);
	}
}

/* Takes one request out of the input: 1, 0 when there is none yet, or -1. */
static int take_request(struct client *client, struct evbuffer *in)
{
	size_t n = evbuffer_get_length(in), scanned = client->scan.bytes, start,
	       end;
	const char *data = (const char *)evbuffer_pullup(in, -1);
	enum json_scan_status status;
	json_t *message;

	if (n == scanned)
		return 0;
	status = json_scan(&client->scan, &limits, data + scanned, n - scanned,
			   &start, &end);
	if (status == JSON_SCAN_MORE) {
		/* white space before the object is no part of it */
		evbuffer_drain(in, n - client->scan.bytes);
		return 0;
	}
	if (status != JSON_SCAN_COMPLETE)
		return -1;
	start = scanned ? 0 : start;
	message = json_loadb(data + start, scanned + end - start,
			     JSON_REJECT_DUPLICATES, NULL);
	evbuffer_drain(in, scanned + end);
	if (!message)
		return -1;
	handle(client, message);
	json_decref(message);
	return 1;
}

static void on_input(struct bufferevent *bev, void *aux)
{
	struct client *client = aux;
	int taken;

	do
		taken = client->n_requests < MAX_REQUESTS
				? take_request(client,
					       bufferevent_get_input(bev))
				: 0;
	while (taken > 0);
	if (taken)
		client_destroy(client);
}

static void on_end(struct bufferevent *bev, short what, void *aux)
{
	struct client *client = aux;

	/* who asks nothing more still gets its answers */
	if (!(what & BEV_EVENT_EOF) || !client->n_requests)
		client_destroy(client);
}

static void accepted(int fd, void *aux)
{
	struct api *api = aux;
	struct client *client;

	if (api->n_clients == MAX_CLIENTS) {
		close(fd);
		return;
	}
	client = xcalloc(1, sizeof(*client));
	client->api = api;
	client->bev =
		bufferevent_socket_new(api->base, fd, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(client->bev, on_input, NULL, on_end, client);
	bufferevent_setwatermark(client->bev, EV_READ, 0, 2 * limits.bytes);
	bufferevent_enable(client->bev, EV_READ | EV_WRITE);
	client->next = api->clients;
	api->clients = client;
	api->n_clients++;
}

struct api *api_create(struct event_base *base, const char *path,
		       api_command *command, void *aux, char **errp)
{
	int fd = stream_listen_unix(path, errp);
	struct api *api;

	if (fd < 0)
		return NULL;
	if (geteuid())
		chmod(path, 0600);
	api = xcalloc(1, sizeof(*api));
	api->base = base;
	api->command = command;
	api->aux = aux;
	api->listener = stream_listener_create(base, fd, accepted, api);
	return api;
}

void api_destroy(struct api *api)
{
	if (!api)
		return;
	for (struct client *c = api->clients, *next; c; c = next) {
		next = c->next;
		client_destroy(c);
	}
	stream_listener_destroy(api->listener);
	free(api);
}
