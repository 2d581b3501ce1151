/* Security of a port: from its configuration to a snapshot. Control thread. */
#ifndef VSWD_PORT_SECURITY_H
#define VSWD_PORT_SECURITY_H

#include "forward/snapshot.h"
#include "vswd/config_security.h"

/*
 * A port of a snapshot under construction gets its guard, and knows whose
 * frames it gets. leased: what DHCP has leased to it (struct allowed), or NULL.
 */
void port_security_attach(struct fwd_port *port, const struct cfg_security *s,
			  const struct allowed_ips *_Atomic *leased);

#endif
