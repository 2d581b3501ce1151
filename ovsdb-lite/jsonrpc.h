/*
 * JSON-RPC 1.0 over a byte stream (RFC 7047 section 4): concatenated JSON
 * objects without framing, both ways, over a Unix, TCP or TLS socket. Server
 * sessions, the client library and the control socket all stand on this.
 *
 * A connection belongs to the thread that runs its event_base. The process must
 * ignore SIGPIPE, or that thread block it.
 */
#ifndef OVSDB_LITE_JSONRPC_H
#define OVSDB_LITE_JSONRPC_H

#include <event2/event.h>
#include <jansson.h>

#include "base/log.h"
#include "base/util.h"

/* What a stranger may make us hold: beyond these the connection is closed. */
#define JSONRPC_MAX_MESSAGE (64u << 20) /* bytes of one incoming message */
#define JSONRPC_MAX_DEPTH   512		/* nested arrays and objects */
#define JSONRPC_MAX_VALUES  (4u << 20)	/* values in one incoming message */
#define JSONRPC_MAX_BACKLOG (64u << 20) /* bytes that the peer did not read */
/*
 * And all the process's peers together, of unread bytes and of messages that
 * are not whole: when over it, those are closed first that have more than a
 * fair share and make it more.
 */
#define JSONRPC_MAX_HELD   (256u << 20)
#define JSONRPC_FAIR_SHARE (64u << 10)

struct jsonrpc;
struct tls;

struct jsonrpc_ops {
	/*
	 * One message: exactly one of the kinds of RFC 7047 section 4. A
	 * request has method, params and a non-null id; a notification a null
	 * id; a reply has id, result, error. Borrowed: incref what is kept. The
	 * callback may call jsonrpc_close on its own connection. A kind without
	 * a callback closes the connection, as a malformed message does.
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
 * Connects to "unix:PATH", "tcp:HOST:PORT" or "ssl:HOST:PORT" (by
 * the process's TLS files, see tls.h). Returns NULL with a message when it
 * fails at once, e.g. when no daemon listens.
 */
struct jsonrpc *jsonrpc_connect(struct event_base *base, const char *remote,
				const struct jsonrpc_ops *ops, void *aux,
				char **errp);
/* Takes an accepted socket. */
struct jsonrpc *jsonrpc_accept(struct event_base *base, int fd,
			       const struct jsonrpc_ops *ops, void *aux);
/* The same with TLS. NULL with a message (the socket closed) on failure. */
struct jsonrpc *jsonrpc_accept_tls(struct event_base *base, int fd,
				   struct tls *tls,
				   const struct jsonrpc_ops *ops, void *aux,
				   char **errp);
/* Safe in a callback; no further callback comes, not even closed(). */
void jsonrpc_close(struct jsonrpc *rpc);
/*
 * As if the peer had done something wrong: closed() comes with this reason, but
 * only from the event loop, so this is safe wherever sending is.
 */
void jsonrpc_fail(struct jsonrpc *rpc, const char *why);

/*
 * These take over the references given. result or error is JSON null. Nothing
 * blocks; beyond JSONRPC_MAX_BACKLOG unread bytes the connection fails as by
 * jsonrpc_fail().
 */
void jsonrpc_send_request(struct jsonrpc *rpc, const char *method,
			  json_t *params, json_t *id);
void jsonrpc_send_notification(struct jsonrpc *rpc, const char *method,
			       json_t *params);
void jsonrpc_send_reply(struct jsonrpc *rpc, json_t *id, json_t *result,
			json_t *error);
/*
 * A notification whose params are given as text, copied: one serialization can
 * so serve many connections. The params are [head, body[0], body[1]...].
 */
void jsonrpc_send_text(struct jsonrpc *rpc, const char *method,
		       const char *head, const char *const body[], size_t n);

/* The peer's name for logs; lives as long as the connection. */
const char *jsonrpc_name(const struct jsonrpc *rpc);
/* Bytes received and handed out so far: it grows while the peer lives. */
uint64_t jsonrpc_received(const struct jsonrpc *rpc);
/* Whether a kernel on the same machine tells at once when the peer is gone. */
bool jsonrpc_is_local(const struct jsonrpc *rpc);
/*
 * At which level its coming and going is logged: that of a command on a Unix
 * socket is for debugging only, unless the connection failed.
 */
enum log_level jsonrpc_log_level(const struct jsonrpc *rpc);

/*
 * Writes out what is still to be sent, waiting up to timeout_ms for the peer,
 * and takes the socket out of the connection, which is closed as by
 * jsonrpc_close(). Returns the non-blocking descriptor, or -errno. Not for TLS.
 */
int jsonrpc_take_fd(struct jsonrpc *rpc, int timeout_ms);

#endif
