/*
 * What the parts of the client share: client.c has the connection and the
 * user's side, client_sync.c what is said over it to keep the replica up to
 * date and to hold the lock.
 */
#ifndef OVSDB_LITE_CLIENT_PRIVATE_H
#define OVSDB_LITE_CLIENT_PRIVATE_H

#include "ovsdb-lite/client.h"
#include "ovsdb-lite/client_txn.h"
#include "ovsdb-lite/jsonrpc.h"
#include "ovsdb-lite/replica.h"

enum client_state { STATE_DOWN, STATE_SCHEMA, STATE_MONITOR, STATE_UP };

struct ovsdb_client {
	struct event_base *base;
	char *remotes; /* as given: one or more, with commas between */
	const char *next_remote;
	char *remote; /* the present one */
	char *database;
	const struct ovsdb_client_ops *ops;
	void *aux;
	struct replica_wish *wishes;

	enum client_state state;
	struct jsonrpc *rpc; /* NULL: waiting to try again */
	struct event *reconnect;
	unsigned int backoff_ms;
	bool told_down; /* connection(false) was called since it was up */
	struct event *probe;
	uint64_t received;
	bool probing;

	size_t monitor; /* the best way the server has (client_sync.c) */
	char *last_id;	/* the transaction that the replica is at */
	struct replica *replica;
	bool complete; /* it has had its first dump */

	char *lock;
	bool lock_held;

	struct client_txns txns;
};

/* client.c: the first whole content of a connection has come. */
void client_came_up(struct ovsdb_client *client);

/*
 * client_sync.c: what is asked on a new connection: the schema first, which
 * leads to the content. Then what to do with each message that comes; these
 * are members of jsonrpc_ops.
 */
void client_sync_start(struct ovsdb_client *client);
void client_sync_request(struct jsonrpc *rpc, const char *method,
			 json_t *params, json_t *id, void *client);
void client_sync_notification(struct jsonrpc *rpc, const char *method,
			      json_t *params, void *client);
void client_sync_reply(struct jsonrpc *rpc, json_t *id, json_t *result,
		       json_t *error, void *client);
/* What is asked for next is the whole content. */
void client_sync_forget(struct ovsdb_client *client);
void client_send_lock(struct ovsdb_client *client);
void client_send_echo(struct ovsdb_client *client);
/* Tells the user when it is news. */
void client_set_lock_held(struct ovsdb_client *client, bool held);

#endif
