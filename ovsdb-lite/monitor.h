/*
 * Monitors: what clients want to hear of, and the update notifications of each
 * commit (RFC 7047 sections 4.1.5 to 4.1.7 and 4.1.12, and the extensions of
 * ovsdb-server(7): monitor_cond, monitor_cond_since, monitor_cond_change).
 *
 * Monitors that ask for the same share one struct monitor_spec: the update of a
 * commit is worked out and written as text once for all of them.
 *
 * For the server's own files; database thread.
 */
#ifndef OVSDB_LITE_MONITOR_H
#define OVSDB_LITE_MONITOR_H

#include <jansson.h>

#include "ovsdb-lite/db.h"

struct monitor_spec;
struct server_db;
struct session;

enum monitor_version {
	MONITOR_V1 = 1, /* monitor: "update" with old and new */
	MONITOR_V2,	/* monitor_cond: "update2" with differences */
	MONITOR_V3, /* monitor_cond_since: "update3", with a transaction id */
};

/* One monitor of one session. */
struct monitor {
	struct session *session;
	struct server_db *db;
	struct monitor_spec *spec;
	json_t *id;		   /* the client's, any JSON */
	char *id_text;		   /* the same, as sent */
	struct monitor *next;	   /* of the session */
	struct monitor *spec_next; /* of the same spec */
};

/*
 * Makes a monitor and its first reply: the present content, *initial. requests
 * is the RFC's <monitor-requests>. Returns NULL with an error object when they
 * are not right.
 */
struct monitor *monitor_create(struct session *session, struct server_db *db,
			       enum monitor_version version, json_t *id,
			       const json_t *requests, json_t **initial,
			       json_t **error);
/* Takes it out of its session as well. */
void monitor_destroy(struct monitor *monitor);

/*
 * monitor_cond_change: sends what the new conditions bring in or take out, and
 * gives the monitor new_id. updates is {TABLE: [{"where": [...]}]}. An error
 * object, with nothing changed, or NULL.
 */
json_t *monitor_change(struct monitor *monitor, json_t *new_id,
		       const json_t *updates);

/* Sends each monitor of db its update: one notification for one commit. */
void monitor_commit(struct server_db *db, const struct ovsdb_change *changes,
		    size_t n);

#endif
