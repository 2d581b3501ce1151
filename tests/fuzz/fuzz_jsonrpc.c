/*
 * The framing of JSON-RPC: a stranger's bytes, cut into pieces where the input
 * says, into the scanner and on into a connection. The pieces must not matter:
 * the scanner is run over the whole as well and has to find the same ends.
 */
#include <event2/event.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ovsdb-lite/json_scan.h"
#include "ovsdb-lite/jsonrpc.h"

#define INPUT_LIMIT 60000 /* less than a socket holds */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct json_scan_limits limits = { 4096, 32, 512 };

struct found {
	size_t objects, bytes;
	enum json_scan_status status;
};

/* Scans all, `step` bytes at a time. */
static struct found scan_all(const char *data, size_t size, size_t step)
{
	struct json_scan scan = { 0 };
	struct found found = { 0 };
	size_t at = 0, start, end;

	while (at < size) {
		size_t n = MIN(step, size - at);

		found.status =
			json_scan(&scan, &limits, data + at, n, &start, &end);
		if (start > end || end > n)
			abort();
		if (found.status > JSON_SCAN_COMPLETE)
			break;
		if (found.status == JSON_SCAN_COMPLETE) {
			found.objects++;
			found.bytes = at + end;
		}
		at += end;
	}
	return found;
}

static void request(struct jsonrpc *rpc, const char *method, json_t *params,
		    json_t *id, void *aux)
{
	jsonrpc_send_reply(rpc, json_incref(id), json_incref(params),
			   json_null());
}

static void notification(struct jsonrpc *rpc, const char *method,
			 json_t *params, void *aux)
{
	/* Closing in a callback must be safe at any message. */
	if (!strcmp(method, "close")) {
		*(struct jsonrpc **)aux = NULL;
		jsonrpc_close(rpc);
	}
}

static void reply(struct jsonrpc *rpc, json_t *id, json_t *result,
		  json_t *error, void *aux)
{
	if (!id || !result || !error)
		abort();
}

static void closed(struct jsonrpc *rpc, const char *why, void *aux)
{
	*(struct jsonrpc **)aux = NULL;
}

static const struct jsonrpc_ops ops = { request, notification, reply, NULL,
					closed };

static void feed_connection(const uint8_t *data, size_t size, size_t step)
{
	static struct event_base *base;
	struct jsonrpc *rpc;
	int fds[2];

	if (!base)
		base = event_base_new();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds))
		abort();
	rpc = jsonrpc_accept(base, fds[0], &ops, &rpc);
	for (size_t at = 0; at < size && rpc; at += step) {
		size_t n = MIN(step, size - at);

		if (send(fds[1], data + at, n, MSG_NOSIGNAL) != (ssize_t)n)
			break;
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	close(fds[1]);
	event_base_loop(base, EVLOOP_NONBLOCK);
	jsonrpc_close(rpc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct found whole, pieces;
	size_t step;

	if (size < 2 || size > INPUT_LIMIT)
		return 0;
	signal(SIGPIPE, SIG_IGN);
	step = 1 + data[0];
	data++;
	size--;
	whole = scan_all((const char *)data, size, size);
	pieces = scan_all((const char *)data, size, step);
	if (whole.objects != pieces.objects || whole.bytes != pieces.bytes)
		abort();
	feed_connection(data, size, MAX(step, size / 16));
	return 0;
}
