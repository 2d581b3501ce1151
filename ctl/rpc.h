/*
 * A JSON-RPC connection to the database as a command-line program wants it:
 * each call blocks until its answer is there. Requests may be sent ahead, so
 * that several share one round trip. A lost connection ends the program with a
 * message.
 */
#ifndef CTL_RPC_H
#define CTL_RPC_H

#include <jansson.h>

#include "ctl/options.h"

struct rpc;

/*
 * Connects to options->db (with --retry again and again). Returns NULL with a
 * message for a person when that fails.
 */
struct rpc *rpc_open(const struct ctl_options *options, char **errp);
void rpc_close(struct rpc *rpc); /* accepts NULL */

/*
 * Queues a request, which leaves with the next wait; takes over params. Returns
 * its id.
 */
int rpc_send(struct rpc *rpc, const char *method, json_t *params);
/*
 * Waits for the reply to a request, each of which must be waited for. Returns
 * its result; or NULL with its error in *error. Both are new references.
 */
json_t *rpc_wait(struct rpc *rpc, int id, json_t **error);
/*
 * Waits for an "update" notification and returns its params (a new reference),
 * or NULL when timeout_ms (-1: none) is over.
 */
json_t *rpc_wait_update(struct rpc *rpc, int timeout_ms);

/* Both in one, for an error of the server's as text. NULL with a message. */
json_t *rpc_call(struct rpc *rpc, const char *method, json_t *params,
		 char **errp);

#endif
