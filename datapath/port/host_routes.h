/*
 * The host's routes, as the kernel has them now, of all tables but those that
 * a link always has (broadcast, multicast, link-local, the loopback's).
 */
#ifndef PORT_HOST_ROUTES_H
#define PORT_HOST_ROUTES_H

#include <net/if.h>

#include "base/util.h"

struct host_route {
	uint8_t version; /* 4 or 6 */
	uint8_t prefix_len;
	uint8_t ip[16];
	char device[IF_NAMESIZE]; /* "": several, or none */
};

/*
 * Routes that packets take, those to the host's own addresses included; the
 * array is the caller's. 0, or -errno of the kernel's answer. Any thread.
 */
int host_routes_read(struct host_route **routes, size_t *n);

#endif
