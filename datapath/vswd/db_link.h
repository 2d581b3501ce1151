/*
 * Between the database and the switch: a client of the OVSDB server, the lock
 * that keeps two daemons from serving one database, and the one piece of work
 * that follows any change: read, reconcile, publish, tell.
 *
 * What the daemon writes after a change of the configuration is one
 * transaction: ofport, error, status and cur_cfg together, as soon as the
 * workers have the snapshot. Control thread.
 */
#ifndef VSWD_DB_LINK_H
#define VSWD_DB_LINK_H

#include <event2/event.h>

#include "base/util.h"

struct db_link;
struct vswitch;

/*
 * own: the database is this daemon's, which makes the row of table
 * Open_vSwitch. worked is called after each piece of work, and once when the
 * database cannot be served for now (not reached, or another daemon has it).
 */
struct db_link *db_link_create(struct event_base *base, struct vswitch *vs,
			       const char *remote, bool own,
			       void (*worked)(struct db_link *, void *aux),
			       void *aux);
void db_link_destroy(struct db_link *link); /* accepts NULL */

/* The switch has changed by itself: tells the database soon. */
void db_link_schedule(struct db_link *link);

#endif
