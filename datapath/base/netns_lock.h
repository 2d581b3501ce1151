/*
 * A lock by name that other processes of this switch see, in the network
 * namespace of the caller. It is an abstract unix socket, so that nothing is
 * left of it when its process ends.
 */
#ifndef BASE_NETNS_LOCK_H
#define BASE_NETNS_LOCK_H

#include <sys/types.h>

#include "base/util.h"

/*
 * A descriptor that holds the lock until it is closed; -EBUSY when a process of
 * ours has it, which *holder then names (0: unknown); -ENAMETOOLONG; or -errno.
 * A lock that a stranger holds does not count: -EPERM.
 */
int netns_lock(const char *name, pid_t *holder) MUST_CHECK;

#endif
