/*
 * One device belongs to one switch: a lock on a device that other processes of
 * this switch see, in the device's own network namespace (base/netns_lock.h).
 * Control thread.
 */
#ifndef PORT_DEVICE_LOCK_H
#define PORT_DEVICE_LOCK_H

#include <sys/types.h>

#include "base/util.h"

/* As netns_lock(). */
int device_lock(int ifindex, pid_t *holder) MUST_CHECK;

#endif
