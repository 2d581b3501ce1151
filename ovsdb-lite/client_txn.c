/* A client's transactions under way: see client_txn.h. */
#include "ovsdb-lite/client_txn.h"

#include <stdlib.h>

struct client_txn {
	json_int_t id;
	ovsdb_client_done *done;
	void *aux;
	struct client_txn *next;
};

char *client_error_text(const json_t *error)
{
	const char *s = json_string_value(error);
	const char *tag = json_string_value(json_object_get(error, "error"));
	const char *details =
		json_string_value(json_object_get(error, "details"));

	if (tag && details)
		return xasprintf("%s: %s", tag, details);
	return xstrdup(tag ? tag : s ? s : "unknown error");
}

json_int_t client_txns_add(struct client_txns *txns, ovsdb_client_done *done,
			   void *aux)
{
	struct client_txn *t = xcalloc(1, sizeof(*t));

	t->id = txns->next_id++;
	t->done = done;
	t->aux = aux;
	*(txns->first ? &txns->last->next : &txns->first) = t;
	txns->last = t;
	return t->id;
}

/* The transaction of this id, out of the list, or NULL. */
static struct client_txn *take(struct client_txns *txns, json_int_t id)
{
	struct client_txn *t = txns->first, *before = NULL;

	while (t && t->id != id) {
		before = t;
		t = t->next;
	}
	if (!t)
		return NULL;
	*(before ? &before->next : &txns->first) = t->next;
	if (txns->last == t)
		txns->last = before;
	return t;
}

/* The first error in a transaction's result, as text, or NULL. */
static char *result_error(const json_t *result)
{
	json_t *element, *error;
	size_t i;

	if (!json_is_array(result))
		return xstrdup("the reply is malformed");
	json_array_foreach((json_t *)result, i, element) {
		error = json_object_get(element, "error");
		if (error && !json_is_null(error))
			return client_error_text(element);
	}
	return NULL;
}

void client_txns_reply(struct client_txns *txns, struct ovsdb_client *client,
		       json_int_t id, json_t *result, json_t *error)
{
	struct client_txn *t = take(txns, id);
	char *why;

	if (!t)
		return;
	why = json_is_null(error) ? result_error(result)
				  : client_error_text(error);
	if (t->done)
		t->done(client, why ? NULL : result, why, t->aux);
	free(why);
	free(t);
}

void client_txns_fail(struct client_txns *txns, struct ovsdb_client *client,
		      const char *why)
{
	struct client_txn *t, *next;

	t = txns->first;
	txns->first = txns->last = NULL;
	for (; t; t = next) {
		next = t->next;
		if (t->done)
			t->done(client, NULL, why, t->aux);
		free(t);
	}
}
