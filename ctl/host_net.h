/*
 * What the host's own network says against a segment. It is this machine's and
 * this network namespace's, which are vswd's if the database is a socket here.
 */
#ifndef CTL_HOST_NET_H
#define CTL_HOST_NET_H

#include "base/net_text.h"

bool host_net_has_device(const char *name);

/*
 * NULL, or why machines cannot be bridged to a device, in one line that says
 * what to do; freed by the caller. sys: "/sys". With `force` the host may lose
 * what it has through the device.
 */
char *host_net_device_doubt(const char *sys, const char *name, bool force);

/*
 * A route of the host, but for those of device `own`, that overlaps a network:
 * "NETWORK/LENGTH by DEVICE", freed by the caller; NULL: there is none. proc:
 * "/proc".
 */
char *host_net_route_overlap(const char *proc, const struct net_prefix *net,
			     const char *own);

#endif
