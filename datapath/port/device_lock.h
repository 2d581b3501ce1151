/*
 * One device belongs to one switch: a lock on a device that other processes of
 * this switch see, in the device's own network namespace. It is an abstract
 * unix socket, so that nothing is left of it when its process ends.
 * Control thread.
 */
#ifndef PORT_DEVICE_LOCK_H
#define PORT_DEVICE_LOCK_H

#include <sys/types.h>

#include "base/util.h"

/*
 * A descriptor that holds the lock until it is closed; -EBUSY when a process of
 * ours has it, which *holder then names (0: unknown); or -errno. A lock that a
 * stranger holds does not count: -EPERM.
 */
int device_lock(int ifindex, pid_t *holder) MUST_CHECK;

#endif
