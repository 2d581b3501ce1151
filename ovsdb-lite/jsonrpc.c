/*
 * JSON-RPC over a bufferevent: see jsonrpc.h; connections are made in
 * jsonrpc_open.c.
 *
 * What arrives is scanned for the end of a message (json_scan.h) as it comes;
 * a message that one read brought whole is parsed where it lies, one in pieces
 * is put together in `partial` first. Each byte is so scanned once and copied
 * at most once.
 *
 * A connection ends in one of two ways. Its owner calls jsonrpc_close(): it is
 * freed at once, or, inside one of its own callbacks, when that returns. Or
 * something goes wrong: `why` is set, nothing more is sent or handed out, and
 * the event loop calls closed() and frees it, so that whoever was sending never
 * sees it vanish.
 */
#include "ovsdb-lite/jsonrpc_private.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "ovsdb-lite/tls.h"

LOG_MODULE(jsonrpc);

#define READ_SIZE (256u << 10) /* most bytes taken in one turn of the loop */

static const struct json_scan_limits limits = {
	.bytes = JSONRPC_MAX_MESSAGE,
	.depth = JSONRPC_MAX_DEPTH,
	.values = JSONRPC_MAX_VALUES,
};

static void output_changed(struct evbuffer *out,
			   const struct evbuffer_cb_info *info, void *aux)
{
	struct jsonrpc *rpc = aux;

	jsonrpc_hold(rpc, info->n_added);
	jsonrpc_let_go(rpc, info->n_deleted);
}

static void destroy(struct jsonrpc *rpc)
{
	event_free(rpc->later);
	if (rpc->bev) {
		evbuffer_remove_cb(bufferevent_get_output(rpc->bev),
				   output_changed, rpc);
		bufferevent_free(rpc->bev);
	}
	jsonrpc_let_go(rpc, rpc->held);
	free(rpc->partial);
	free(rpc->name);
	free(rpc->why);
	free(rpc);
}

static void leave(struct jsonrpc *rpc)
{
	if (--rpc->busy == 0 && rpc->closed)
		destroy(rpc);
}

static bool usable(const struct jsonrpc *rpc)
{
	return !rpc->closed && !rpc->why;
}

void jsonrpc_close(struct jsonrpc *rpc)
{
	if (!rpc)
		return;
	rpc->closed = true;
	rpc->busy++;
	leave(rpc);
}

void jsonrpc_fail(struct jsonrpc *rpc, const char *why)
{
	if (!usable(rpc))
		return;
	rpc->why = xstrdup(why);
	bufferevent_disable(rpc->bev, EV_READ | EV_WRITE);
	event_active(rpc->later, 0, 0);
}

/*
 * What was said before the connection failed may still be of use: a peer that
 * has shut its side down awaits its replies. As much as goes at once.
 */
static void last_words(struct jsonrpc *rpc)
{
	struct evbuffer *out = bufferevent_get_output(rpc->bev);
	int fd = bufferevent_getfd(rpc->bev);

	if (rpc->tls || fd < 0)
		return;
	evbuffer_unfreeze(out, 1);
	while (evbuffer_get_length(out) && evbuffer_write(out, fd) > 0)
		;
}

static void later_cb(evutil_socket_t fd, short what, void *aux)
{
	struct jsonrpc *rpc = aux;

	rpc->busy++;
	if (rpc->up_pending && usable(rpc)) {
		rpc->up_pending = false;
		if (rpc->ops->connected)
			rpc->ops->connected(rpc, rpc->aux);
	}
	if (rpc->why && !rpc->closed) {
		rpc->closed = true;
		last_words(rpc);
		if (rpc->ops->closed)
			rpc->ops->closed(rpc, rpc->why, rpc->aux);
	}
	leave(rpc);
}

/* Hands out one message; false when it is of no known kind. */
static bool dispatch(struct jsonrpc *rpc, json_t *msg)
{
	json_t *method = json_object_get(msg, "method");
	json_t *params = json_object_get(msg, "params");
	json_t *id = json_object_get(msg, "id");
	json_t *result = json_object_get(msg, "result");
	json_t *error = json_object_get(msg, "error");
	bool has_id = id && !json_is_null(id);
	const struct jsonrpc_ops *ops = rpc->ops;

	if (method) {
		if (!json_is_string(method) || !json_is_array(params) ||
		    result || error)
			return false;
		if (has_id && ops->request)
			ops->request(rpc, json_string_value(method), params, id,
				     rpc->aux);
		else if (!has_id && ops->notification)
			ops->notification(rpc, json_string_value(method),
					  params, rpc->aux);
		else
			return false;
		return true;
	}
	if (!has_id || params || (!result && !error) || !ops->reply)
		return false;
	/* Exactly one of them says something. */
	if (error && !json_is_null(error) && result && !json_is_null(result))
		return false;
	ops->reply(rpc, id, result ? result : json_null(),
		   error ? error : json_null(), rpc->aux);
	return true;
}

static void parse_message(struct jsonrpc *rpc, const char *data, size_t n)
{
	json_error_t error;
	json_t *msg = json_loadb(data, n, JSON_DISABLE_EOF_CHECK, &error);
	char *why;

	if (!msg) {
		why = xasprintf("malformed message: %s at byte %d", error.text,
				error.position);
		jsonrpc_fail(rpc, why);
		free(why);
		return;
	}
	if (!dispatch(rpc, msg))
		jsonrpc_fail(rpc, "malformed message: it is no JSON-RPC "
				  "request, notification or reply");
	json_decref(msg);
}

static void append_partial(struct jsonrpc *rpc, const char *data, size_t n)
{
	size_t need = rpc->n_partial + n;

	if (!n)
		return;
	if (need > rpc->allocated) {
		jsonrpc_let_go(rpc, rpc->allocated);
		rpc->allocated = MAX(need, 2 * rpc->allocated);
		jsonrpc_hold(rpc, rpc->allocated);
		rpc->partial = xrealloc(rpc->partial, rpc->allocated);
	}
	memcpy(rpc->partial + rpc->n_partial, data, n);
	rpc->n_partial = need;
	if (!jsonrpc_may_hold(rpc))
		jsonrpc_fail(rpc, "all connections hold too much unfinished "
				  "business, this one more than its share");
}

static void drop_partial(struct jsonrpc *rpc)
{
	jsonrpc_let_go(rpc, rpc->allocated);
	free(rpc->partial);
	rpc->partial = NULL;
	rpc->n_partial = rpc->allocated = 0;
}

/* Takes n bytes as they arrived. */
static void feed(struct jsonrpc *rpc, const char *data, size_t n)
{
	enum json_scan_status status;
	size_t start, end;

	rpc->received += n;
	while (n && usable(rpc)) {
		status = json_scan(&rpc->scan, &limits, data, n, &start, &end);
		if (status == JSON_SCAN_COMPLETE && !rpc->n_partial) {
			parse_message(rpc, data + start, end - start);
		} else if (status <= JSON_SCAN_COMPLETE) {
			append_partial(rpc, data + start, end - start);
		} else {
			jsonrpc_fail(rpc, json_scan_strerror(status));
			return;
		}
		if (status == JSON_SCAN_COMPLETE && rpc->n_partial &&
		    usable(rpc)) {
			parse_message(rpc, rpc->partial, rpc->n_partial);
			drop_partial(rpc);
		}
		data += end;
		n -= end;
	}
}

static void read_cb(struct bufferevent *bev, void *aux)
{
	struct jsonrpc *rpc = aux;
	struct evbuffer *in = bufferevent_get_input(bev);
	struct evbuffer_iovec iov;

	rpc->busy++;
	while (usable(rpc) && evbuffer_peek(in, -1, NULL, &iov, 1) > 0) {
		feed(rpc, iov.iov_base, iov.iov_len);
		evbuffer_drain(in, iov.iov_len);
	}
	leave(rpc);
}

static void established(struct jsonrpc *rpc)
{
	char *why = NULL;

	if (rpc->tls && tls_established(rpc->tls, rpc->bev, &why)) {
		jsonrpc_fail(rpc, why);
		free(why);
	} else if (rpc->is_client && rpc->ops->connected) {
		rpc->ops->connected(rpc, rpc->aux);
	}
}

static void event_cb(struct bufferevent *bev, short what, void *aux)
{
	struct jsonrpc *rpc = aux;
	int error = EVUTIL_SOCKET_ERROR();
	char text[256];

	rpc->busy++;
	if (what & BEV_EVENT_CONNECTED) {
		if (usable(rpc))
			established(rpc);
	} else if (what & BEV_EVENT_EOF) {
		rpc->peer_closed = usable(rpc);
		jsonrpc_fail(rpc, "the peer closed the connection");
	} else {
		if (rpc->tls && tls_get_error(bev, text, sizeof(text))) {
			jsonrpc_fail(rpc, text);
		} else {
			jsonrpc_fail(rpc, error ? strerror(error)
						: "the connection broke");
		}
	}
	leave(rpc);
}

struct jsonrpc *jsonrpc_create(struct event_base *base, struct bufferevent *bev,
			       char *name, const struct jsonrpc_ops *ops,
			       void *aux)
{
	struct jsonrpc *rpc = xcalloc(1, sizeof(*rpc));

	rpc->ops = ops;
	rpc->aux = aux;
	rpc->bev = bev;
	rpc->name = name;
	rpc->later = event_new(base, -1, 0, later_cb, rpc);
	bufferevent_set_max_single_read(bev, READ_SIZE);
	bufferevent_setcb(bev, read_cb, NULL, event_cb, rpc);
	evbuffer_add_cb(bufferevent_get_output(bev), output_changed, rpc);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
	return rpc;
}

/* Whether there is room for one more message; fails the connection if not. */
static bool may_send(struct jsonrpc *rpc)
{
	struct evbuffer *out;

	if (!usable(rpc))
		return false;
	out = bufferevent_get_output(rpc->bev);
	if (evbuffer_get_length(out) <= JSONRPC_MAX_BACKLOG &&
	    jsonrpc_may_hold(rpc))
		return true;
	jsonrpc_fail(rpc, "the peer does not read what it is sent");
	return false;
}

static void free_text(const void *data, size_t n, void *aux)
{
	free(aux);
}

/* Takes over the message's reference. */
static void send_message(struct jsonrpc *rpc, json_t *msg)
{
	char *text = may_send(rpc) ? json_dumps(msg, JSON_COMPACT) : NULL;

	json_decref(msg);
	if (text)
		evbuffer_add_reference(bufferevent_get_output(rpc->bev), text,
				       strlen(text), free_text, text);
}

void jsonrpc_send_request(struct jsonrpc *rpc, const char *method,
			  json_t *params, json_t *id)
{
	send_message(rpc, json_pack("{s:o, s:s, s:o}", "id", id, "method",
				    method, "params", params));
}

void jsonrpc_send_notification(struct jsonrpc *rpc, const char *method,
			       json_t *params)
{
	jsonrpc_send_request(rpc, method, params, json_null());
}

void jsonrpc_send_reply(struct jsonrpc *rpc, json_t *id, json_t *result,
			json_t *error)
{
	send_message(rpc, json_pack("{s:o, s:o, s:o}", "id", id, "result",
				    result, "error", error));
}

void jsonrpc_send_text(struct jsonrpc *rpc, const char *method,
		       const char *head, const char *const body[], size_t n)
{
	struct evbuffer *out;

	if (!may_send(rpc))
		return;
	out = bufferevent_get_output(rpc->bev);
	evbuffer_add_printf(out, "{\"id\":null,\"method\":\"%s\",\"params\":[",
			    method);
	evbuffer_add(out, head, strlen(head));
	for (size_t i = 0; i < n; i++) {
		evbuffer_add(out, ",", 1);
		evbuffer_add(out, body[i], strlen(body[i]));
	}
	evbuffer_add(out, "]}", 2);
}

const char *jsonrpc_name(const struct jsonrpc *rpc)
{
	return rpc->name;
}

uint64_t jsonrpc_received(const struct jsonrpc *rpc)
{
	return rpc->received;
}

bool jsonrpc_is_local(const struct jsonrpc *rpc)
{
	return rpc->is_local;
}

enum log_level jsonrpc_log_level(const struct jsonrpc *rpc)
{
	bool failed = rpc->why && !rpc->peer_closed;

	return rpc->is_local && !failed ? LOG_LEVEL_DBG : LOG_LEVEL_INFO;
}

/* Writes the buffer out, each wait for the peer up to timeout_ms. */
static int write_out(int fd, struct evbuffer *out, int timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };

	while (evbuffer_get_length(out)) {
		if (evbuffer_write(out, fd) >= 0)
			continue;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (poll(&pfd, 1, timeout_ms) == 0)
			return -ETIMEDOUT;
	}
	return 0;
}

int jsonrpc_take_fd(struct jsonrpc *rpc, int timeout_ms)
{
	int fd = usable(rpc) && !rpc->tls ? bufferevent_getfd(rpc->bev) : -1;
	struct evbuffer *out = evbuffer_new();
	int error;

	/* Out of the bufferevent, which keeps others from draining its output.
	 */
	evbuffer_unfreeze(bufferevent_get_output(rpc->bev), 1);
	evbuffer_add_buffer(out, bufferevent_get_output(rpc->bev));
	if (fd >= 0) {
		error = write_out(fd, out, timeout_ms);
		fd = error ? error : fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (fd == -1)
			fd = -errno;
	} else {
		fd = -ENOTCONN;
	}
	evbuffer_free(out);
	jsonrpc_close(rpc);
	return fd;
}
