/* A client's transactions that await their reply (client.h). */
#ifndef OVSDB_LITE_CLIENT_TXN_H
#define OVSDB_LITE_CLIENT_TXN_H

#include "ovsdb-lite/client.h"

struct client_txn;

/* All zero at first. */
struct client_txns {
	json_int_t next_id;
	struct client_txn *first, *last; /* replies come in this order */
};

/* Returns the id of the request to be sent. */
json_int_t client_txns_add(struct client_txns *txns, ovsdb_client_done *done,
			   void *aux);
/* A reply came: tells the one of this id, if there is one. */
void client_txns_reply(struct client_txns *txns, struct ovsdb_client *client,
		       json_int_t id, json_t *result, json_t *error);
/* Tells all that they failed. */
void client_txns_fail(struct client_txns *txns, struct ovsdb_client *client,
		      const char *why);

/* An "error" of a reply as text; the caller frees it. */
char *client_error_text(const json_t *error);

#endif
