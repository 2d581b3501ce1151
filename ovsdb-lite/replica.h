/*
 * A client's replica of a database: the tables and columns it asked for, kept
 * up to date by a server's updates (client.h). An update costs what it brings,
 * not what the tables hold.
 *
 * A replica belongs to its client's thread. What it is fed comes from a server,
 * which may be wrong: then an error is returned, and the connection should be
 * made anew.
 */
#ifndef OVSDB_LITE_REPLICA_H
#define OVSDB_LITE_REPLICA_H

#include "ovsdb-lite/client.h"

struct replica;

/* What to replicate of one table: a list of its user. */
struct replica_wish {
	char *table;
	char **columns; /* NULL-terminated */
	bool quiet;	/* a change of these alone is none to speak of */
	struct replica_wish *next;
};

/*
 * Takes over the schema. A table or column of the wishes that it lacks is left
 * out, with a log message.
 */
struct replica *replica_create(struct ovsdb_schema *schema,
			       const struct replica_wish *wishes);
void replica_destroy(struct replica *replica); /* accepts NULL */
const struct ovsdb_schema *replica_schema(const struct replica *replica);

/* The <monitor-requests> for it; new reference. */
json_t *replica_requests(const struct replica *replica);

/*
 * Around the updates that are a database's whole content: rows that they lack
 * are removed at the end. Returns whether anything changed since the beginning.
 */
void replica_begin_dump(struct replica *replica);
bool replica_end_dump(struct replica *replica);

/*
 * Applies <table-updates> (version 1) or <table-updates2> (2). *changed is set
 * when a row did, left alone when none did. 0 or -EINVAL with a message.
 */
int replica_apply(struct replica *replica, int version, const json_t *updates,
		  bool *changed, char **errp);

/* As their namesakes of client.h. */
const struct ovsdb_client_row *replica_next(const struct replica *replica,
					    const char *table,
					    const struct ovsdb_client_row *row);
const struct ovsdb_client_row *replica_find(const struct replica *replica,
					    const char *table,
					    const struct uuid *uuid);

#endif
