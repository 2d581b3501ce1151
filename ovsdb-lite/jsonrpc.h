/*
 * JSON-RPC 1.0 over a byte stream (RFC 7047 section 4): concatenated JSON
 * objects without framing, both ways, over a Unix, TCP or TLS socket. Server
 * sessions, the client library and the control socket all stand on this.
 *
 * A connection belongs to the thread that runs its event_base.
 */
#ifndef OVSDB_LITE_JSONRPC_H
#define OVSDB_LITE_JSONRPC_H

#include <event2/event.h>
#include <jansson.h>

#include "base/util.h"

/* What a stranger may make us hold: beyond these the connection is closed. */
#define JSONRPC_MAX_MESSAGE (64u << 20) /* bytes of one incoming message */
#define JSONRPC_MAX_DEPTH   512	        /* nested arrays and objects */
#define JSONRPC_MAX_BACKLOG (64u << 20) /* bytes that the peer did not read */

struct jsonrpc;

struct jsonrpc_ops {
	/*
	 * One message: exactly one of the kinds of RFC 7047 section 4. A request
	 * has method, params and a non-null id; a notification a null id; a reply
	 * has id, result, error. Borrowed: incref what is kept. The callback may
	 * call jsonrpc_close on its own connection.
	 */
	void (*request)(struct jsonrpc *, const char *method, json_t *params,
			json_t *id, void *aux);
	void (*notification)(struct jsonrpc *, const char *method,
			     json_t *params, void *aux);
	void (*reply)(struct jsonrpc *, json_t *id, json_t *result,
		      json_t *error, void *aux);
	/* The connection is up (clients only). */
	void (*connected)(struct jsonrpc *, void *aux);
	/* It is gone: why is a phrase for a person. Freed after this call. */
	void (*closed)(struct jsonrpc *, const char *why, void *aux);
};

/*
 * Connects to "unix:PATH", "tcp:HOST:PORT" or "ssl:HOST:PORT". Returns NULL
 * with a message when it fails at once, e.g. when no daemon listens.
 */
struct jsonrpc *jsonrpc_connect(struct event_base *base, const char *remote,
				const struct jsonrpc_ops *ops, void *aux,
				char **errp);
/* Takes an accepted socket. */
struct jsonrpc *jsonrpc_accept(struct event_base *base, int fd,
			       const struct jsonrpc_ops *ops, void *aux);
/* Safe in a callback; no further callback comes, not even closed(). */
void jsonrpc_close(struct jsonrpc *rpc);

/* These take over the references given. result or error is JSON null. */
void jsonrpc_send_request(struct jsonrpc *rpc, const char *method,
			  json_t *params, json_t *id);
void jsonrpc_send_notification(struct jsonrpc *rpc, const char *method,
			       json_t *params);
void jsonrpc_send_reply(struct jsonrpc *rpc, json_t *id, json_t *result,
			json_t *error);

#endif
