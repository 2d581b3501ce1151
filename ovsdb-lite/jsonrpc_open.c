/*
 * How JSON-RPC connections come into being: accepted and made, with or without
 * TLS (jsonrpc.h).
 */
#include "ovsdb-lite/jsonrpc_private.h"

#include <event2/bufferevent.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ovsdb-lite/stream.h"
#include "ovsdb-lite/tls.h"

static bool fd_is_local(int fd)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);

	return getsockname(fd, (struct sockaddr *)&ss, &len) == 0 &&
	       ss.ss_family == AF_UNIX;
}

struct jsonrpc *jsonrpc_accept(struct event_base *base, int fd,
			       const struct jsonrpc_ops *ops, void *aux)
{
	struct bufferevent *bev =
		bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	struct jsonrpc *rpc =
		jsonrpc_create(base, bev, stream_peer_name(fd), ops, aux);

	rpc->is_local = fd_is_local(fd);
	return rpc;
}

static struct bufferevent *tls_bufferevent(struct event_base *base, int fd,
					   struct tls *tls, bool accepting,
					   char **errp)
{
	struct bufferevent *bev =
		tls ? tls_open(tls, base, fd, accepting) : NULL;

	if (!bev) {
		set_error(errp, -EINVAL,
			  "TLS is not set up: --private-key, "
			  "--certificate and --ca-cert are needed");
		close(fd);
	}
	return bev;
}

struct jsonrpc *jsonrpc_accept_tls(struct event_base *base, int fd,
				   struct tls *tls,
				   const struct jsonrpc_ops *ops, void *aux,
				   char **errp)
{
	char *name = stream_peer_name(fd);
	struct bufferevent *bev = tls_bufferevent(base, fd, tls, true, errp);
	struct jsonrpc *rpc;

	if (!bev) {
		free(name);
		return NULL;
	}
	rpc = jsonrpc_create(base, bev, name, ops, aux);
	rpc->tls = tls;
	return rpc;
}

static struct jsonrpc *connect_tcp(struct event_base *base, const char *remote,
				   int fd, const struct jsonrpc_ops *ops,
				   void *aux, char **errp)
{
	struct tls *tls = !strncmp(remote, "ssl:", 4) ? tls_default() : NULL;
	struct bufferevent *bev;
	struct jsonrpc *rpc;

	if (!strncmp(remote, "ssl:", 4))
		bev = tls_bufferevent(base, fd, tls, false, errp);
	else
		bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!bev)
		return NULL;
	rpc = jsonrpc_create(base, bev, xstrdup(remote), ops, aux);
	rpc->tls = tls;
	/* No address: it waits for the connection that the socket has begun. */
	if (!tls)
		bufferevent_socket_connect(bev, NULL, 0);
	return rpc;
}

struct jsonrpc *jsonrpc_connect(struct event_base *base, const char *remote,
				const struct jsonrpc_ops *ops, void *aux,
				char **errp)
{
	struct jsonrpc *rpc = NULL;
	int fd;

	if (!strncmp(remote, "unix:", 5)) {
		fd = stream_connect_unix(remote + 5, errp);
		if (fd < 0)
			return NULL;
		rpc = jsonrpc_create(
			base,
			bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE),
			xstrdup(remote), ops, aux);
		rpc->is_local = true;
		rpc->up_pending = true;
		event_active(rpc->later, 0, 0);
	} else if (!strncmp(remote, "tcp:", 4) || !strncmp(remote, "ssl:", 4)) {
		fd = stream_connect_tcp(remote + 4, errp);
		if (fd >= 0)
			rpc = connect_tcp(base, remote, fd, ops, aux, errp);
	} else {
		set_error(errp, -EINVAL,
			  "%s: not a remote; use unix:FILE, "
			  "tcp:HOST:PORT or ssl:HOST:PORT",
			  remote);
	}
	if (rpc)
		rpc->is_client = true;
	return rpc;
}
