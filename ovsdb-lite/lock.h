/*
 * Named locks of sessions (RFC 7047 sections 4.1.8 to 4.1.10): a lock belongs
 * to the first in its queue. They hold nothing back by themselves; a
 * transaction asks for one with "assert".
 *
 * Belongs to the database thread.
 */
#ifndef OVSDB_LITE_LOCK_H
#define OVSDB_LITE_LOCK_H

#include "base/util.h"

/* Locks that one owner may wait for or have; beyond that it gets -ENOSPC. */
#define OVSDB_MAX_LOCKS 1024

struct ovsdb_locks;
struct ovsdb_lock_waiter;

/* One who locks: a session. Zeroed but for notify; release all before it goes.
 */
struct ovsdb_lock_owner {
	/* The lock was gained after waiting, or stolen by another. */
	void (*notify)(struct ovsdb_lock_owner *, const char *name,
		       bool gained);
	struct ovsdb_lock_waiter *waiters;
	unsigned int n_waiters;
};

struct ovsdb_locks *ovsdb_locks_create(void);
/* All owners must have released theirs. */
void ovsdb_locks_destroy(struct ovsdb_locks *locks);

/*
 * Queues owner for the lock: at the end, or at the head with `steal`, whose
 * holder then hears of it and waits behind. *held is whether owner has it now.
 * Returns 0, -EALREADY when owner is in the queue, or -ENOSPC.
 */
int ovsdb_lock(struct ovsdb_locks *locks, struct ovsdb_lock_owner *owner,
	       const char *name, bool steal, bool *held);
/* Leaves the queue; the next one hears of it. 0, or -ENOENT: not in it. */
int ovsdb_unlock(struct ovsdb_locks *locks, struct ovsdb_lock_owner *owner,
		 const char *name);
void ovsdb_unlock_all(struct ovsdb_locks *locks,
		      struct ovsdb_lock_owner *owner);
bool ovsdb_lock_held(const struct ovsdb_lock_owner *owner, const char *name);

#endif
