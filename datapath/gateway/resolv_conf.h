/* The text of /etc/resolv.conf (resolv.conf(5)): which servers to ask. */
#ifndef GATEWAY_RESOLV_CONF_H
#define GATEWAY_RESOLV_CONF_H

#include "gateway/client.h"

#define RESOLV_SERVERS_MAX 8 /* more are not asked */

struct resolver {
	struct ip_address ip;
	uint16_t port;
	char scope[16]; /* the device of a link-local address, or "" */
};

/*
 * The name servers of the text, in their order, without those that come twice
 * and those that are no addresses. Returns how many.
 */
unsigned resolv_conf_parse(const char *text, size_t len,
			   struct resolver servers[RESOLV_SERVERS_MAX]);

#endif
