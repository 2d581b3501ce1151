/* One transaction out of all that the commands have changed. */
#ifndef CTL_TRANSACT_H
#define CTL_TRANSACT_H

#include "ctl/ctl.h"

enum commit_status {
	COMMIT_UNCHANGED, /* there was nothing to change */
	COMMIT_DONE,
	COMMIT_AGAIN /* somebody else changed what we had read */
};

/* What follows the configuration's number, once it was asked for. */
struct reload {
	bool monitored;	     /* cur_cfg's updates are on their way */
	json_int_t cur_cfg;  /* as last heard */
	json_int_t next_cfg; /* what this invocation waits for */
};

/*
 * Sends the transaction. With reload (not NULL) it also raises next_cfg and
 * asks, in the same round trip, for the updates of cur_cfg. Inserted rows get
 * the UUIDs that the database gave them. An error of the database's ends the
 * program: then nothing has changed.
 */
enum commit_status transact_commit(struct ctl *ctl, struct reload *reload);

/* The operations alone (new reference); NULL when nothing would change. */
json_t *transact_operations(struct ctl *ctl);

#endif
