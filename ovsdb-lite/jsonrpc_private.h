/* A connection's inside, for jsonrpc*.c only. */
#ifndef OVSDB_LITE_JSONRPC_PRIVATE_H
#define OVSDB_LITE_JSONRPC_PRIVATE_H

#include "ovsdb-lite/json_scan.h"
#include "ovsdb-lite/jsonrpc.h"

struct jsonrpc {
	const struct jsonrpc_ops *ops;
	void *aux;
	struct bufferevent *bev;
	struct event *later; /* runs what must not run where it came up */
	struct tls *tls;
	char *name;
	char *why;	 /* it failed; closed() is to be called */
	bool up_pending; /* connected() is to be called */
	bool is_client;
	bool is_local;
	bool peer_closed;  /* the ordinary end */
	bool closed;	   /* freed when the outermost callback returns */
	unsigned int busy; /* callbacks of ours on the stack */
	uint64_t received;

	struct json_scan scan;
	size_t held;   /* our part of all that is held, see jsonrpc_hold() */
	char *partial; /* the beginning of a message whose end is to come */
	size_t n_partial, allocated;
};

/*
 * A connection over bev, which it takes over, as it does the name. TLS, being a
 * client and being local are the caller's to set.
 */
struct jsonrpc *jsonrpc_create(struct event_base *base, struct bufferevent *bev,
			       char *name, const struct jsonrpc_ops *ops,
			       void *aux);

/*
 * jsonrpc_held.c: counts bytes that are kept for a peer. False when the process
 * holds too much, and this connection more than its share.
 */
void jsonrpc_hold(struct jsonrpc *rpc, size_t bytes);
void jsonrpc_let_go(struct jsonrpc *rpc, size_t bytes);
bool jsonrpc_may_hold(const struct jsonrpc *rpc);

#endif
