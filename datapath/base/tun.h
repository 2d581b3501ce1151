/*
 * Queues of taps: /dev/net/tun, which makes the device that is asked for or
 * attaches to one that is there and nobody's.
 */
#ifndef BASE_TUN_H
#define BASE_TUN_H

#include "base/util.h"

/*
 * A queue of the tap of that name (shorter than IFNAMSIZ), not blocking, whose
 * frames have a virtio-net header in front. The first queue makes the device,
 * which is gone with the last one; a device that is persistent is attached to.
 * `several`: one that may have more than one queue; a device is made for that,
 * or is not. Others than this user may attach to it with CAP_NET_ADMIN only.
 *
 * 0, or -errno: -EBUSY when the device has one queue and that is somebody's,
 * -EINVAL when there is a device of that name that is no tap, or one made for
 * the other number of queues.
 */
int tun_attach(const char *name, bool several, int *fdp);

/* Whether the device of that queue outlives it. 0 or -errno. */
int tun_set_persistent(int fd, bool persistent);

/* The device of that queue is in the network namespace that we are in. */
bool tun_is_here(int fd);

#endif
