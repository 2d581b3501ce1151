/*
 * What the host's own network says against a segment. It is this machine's and
 * this network namespace's, which need not be vswd's: ask host_net_is_of()
 * first.
 */
#ifndef CTL_HOST_NET_H
#define CTL_HOST_NET_H

#include "base/net_text.h"

/*
 * Whether the process that listens on a Unix socket is seen to be in this
 * network namespace. False also where that cannot be found out.
 */
bool host_net_is_of(const char *socket_path);

bool host_net_has_device(const char *name);

/*
 * NULL, or why machines cannot be bridged to a device, in one line that says
 * what to do; freed by the caller. sys: "/sys". With `force` the host may lose
 * what it has through the device.
 */
char *host_net_device_doubt(const char *sys, const char *name, bool force);

/* NULL, or why vswd cannot make a device of this name; as above. */
char *host_net_name_doubt(const char *sys, const char *name);

/*
 * A route of the host, but for those of device `own`, that overlaps a network:
 * "NETWORK/LENGTH by DEVICE", freed by the caller; NULL: there is none. proc:
 * "/proc".
 */
char *host_net_route_overlap(const char *proc, const struct net_prefix *net,
			     const char *own);

#endif
