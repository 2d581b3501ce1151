/* Named locks: see lock.h. They are few, so lists do. */
#include "ovsdb-lite/lock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct lock {
	char *name;
	struct ovsdb_lock_waiter *queue; /* the first one has it */
	struct lock *next;
};

struct ovsdb_lock_waiter {
	struct lock *lock;
	struct ovsdb_lock_owner *owner;
	struct ovsdb_lock_waiter *next;	      /* in the lock's queue */
	struct ovsdb_lock_waiter *owner_next; /* of the same owner */
};

struct ovsdb_locks {
	struct lock *all;
};

struct ovsdb_locks *ovsdb_locks_create(void)
{
	return xcalloc(1, sizeof(struct ovsdb_locks));
}

void ovsdb_locks_destroy(struct ovsdb_locks *locks)
{
	free(locks);
}

static struct ovsdb_lock_waiter *find_waiter(
	const struct ovsdb_lock_owner *owner, const char *name)
{
	struct ovsdb_lock_waiter *w = owner->waiters;

	while (w && strcmp(w->lock->name, name))
		w = w->owner_next;
	return w;
}

static struct lock *get_lock(struct ovsdb_locks *locks, const char *name)
{
	struct lock *lock;

	for (lock = locks->all; lock; lock = lock->next)
		if (!strcmp(lock->name, name))
			return lock;
	lock = xcalloc(1, sizeof(*lock));
	lock->name = xstrdup(name);
	lock->next = locks->all;
	locks->all = lock;
	return lock;
}

static void drop_lock(struct ovsdb_locks *locks, struct lock *lock)
{
	struct lock **p;

	for (p = &locks->all; *p != lock; p = &(*p)->next)
		;
	*p = lock->next;
	free(lock->name);
	free(lock);
}

int ovsdb_lock(struct ovsdb_locks *locks, struct ovsdb_lock_owner *owner,
	       const char *name, bool steal, bool *held)
{
	struct ovsdb_lock_waiter *w, **p, *robbed;
	struct lock *lock;

	if (find_waiter(owner, name))
		return -EALREADY;
	if (owner->n_waiters >= OVSDB_MAX_LOCKS)
		return -ENOSPC;
	lock = get_lock(locks, name);
	robbed = steal ? lock->queue : NULL;
	w = xcalloc(1, sizeof(*w));
	w->lock = lock;
	w->owner = owner;
	w->owner_next = owner->waiters;
	owner->waiters = w;
	owner->n_waiters++;
	for (p = &lock->queue; *p && !steal; p = &(*p)->next)
		;
	w->next = *p;
	*p = w;
	*held = lock->queue == w;
	if (robbed)
		robbed->owner->notify(robbed->owner, name, false);
	return 0;
}

static void remove_waiter(struct ovsdb_locks *locks,
			  struct ovsdb_lock_waiter *w)
{
	struct lock *lock = w->lock;
	bool had = lock->queue == w;
	struct ovsdb_lock_waiter **p;

	for (p = &lock->queue; *p != w; p = &(*p)->next)
		;
	*p = w->next;
	for (p = &w->owner->waiters; *p != w; p = &(*p)->owner_next)
		;
	*p = w->owner_next;
	w->owner->n_waiters--;
	free(w);
	if (!lock->queue)
		drop_lock(locks, lock);
	else if (had)
		lock->queue->owner->notify(lock->queue->owner, lock->name,
					   true);
}

int ovsdb_unlock(struct ovsdb_locks *locks, struct ovsdb_lock_owner *owner,
		 const char *name)
{
	struct ovsdb_lock_waiter *w = find_waiter(owner, name);

	if (!w)
		return -ENOENT;
	remove_waiter(locks, w);
	return 0;
}

void ovsdb_unlock_all(struct ovsdb_locks *locks, struct ovsdb_lock_owner *owner)
{
	struct ovsdb_lock_waiter *w, *next;

	for (w = owner->waiters; w; w = next) {
		next = w->owner_next;
		remove_waiter(locks, w);
	}
}

bool ovsdb_lock_held(const struct ovsdb_lock_owner *owner, const char *name)
{
	struct ovsdb_lock_waiter *w = find_waiter(owner, name);

	return w && w->lock->queue == w;
}
