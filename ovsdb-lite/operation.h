/* The operations of a transaction (RFC 7047 section 5.2). */
#ifndef OVSDB_LITE_OPERATION_H
#define OVSDB_LITE_OPERATION_H

#include "ovsdb-lite/parse.h"
#include "ovsdb-lite/txn.h"

/* What the operations of one transaction share. */
struct execution {
	struct ovsdb_db *db;
	const struct ovsdb_session *session; /* or NULL: no locks, may write */
	struct txn *txn;
	struct ovsdb_symbols *symbols;
	uint32_t elapsed_ms; /* how long the transaction has waited */
	bool waiting;	     /* set by a "wait" that is to be tried again */
	uint32_t timeout_ms; /* and its timeout */
};

/*
 * Carries out one operation: reads its members from the parser and puts its
 * result's into `result`. An RFC error object or NULL.
 */
typedef json_t *operation_fn(struct execution *x, struct parser *parser,
			     json_t *result);

struct operation {
	const char *name;
	bool writes;
	operation_fn *fn;
};

/* NULL when there is none of this name. */
const struct operation *operation_find(const char *name);

#endif
