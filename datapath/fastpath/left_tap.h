/*
 * Taps that a killed daemon has left: devices that it made persistent, so that
 * the programs at them go on.
 */
#ifndef FASTPATH_LEFT_TAP_H
#define FASTPATH_LEFT_TAP_H

#include "base/util.h"

/*
 * Removes the tap of that number, with its programs and addresses. Control
 * thread. 0, or -errno: -ENODEV when this network namespace has no such device,
 * -EINVAL when it is no tap, -EBUSY when a process is attached to it; of
 * several queues, it goes with that process then.
 */
int left_tap_remove(int ifindex);

#endif
