/*
 * DHCP snooping of ports (dhcp_snoop.h): what workers see of DHCP at a port
 * whose allowed-ips say "dhcp" comes here, and what was leased goes to the
 * port's guard, at once. Leases are kept in a file of the run directory over a
 * restart of the daemon: a machine that goes on knows nothing of it.
 *
 * Control thread.
 */
#ifndef VSWD_PORT_SNOOP_H
#define VSWD_PORT_SNOOP_H

#include "forward/punt.h"
#include "policy/allowed.h"
#include "vswd/dhcp_snoop.h"
#include "vswd/switch.h"

struct port_snoop; /* of one port; kept in its struct port_policy */

/*
 * The leases of the port of that name, for inspect_rules.allowed.leased; *snoop
 * is made when there is none yet, with what is remembered of the port.
 */
const struct allowed_ips *_Atomic *port_snoop_leased(struct vswitch *vs,
						     const char *name,
						     struct port_snoop **snoop);
/* When no worker uses it any more. Accepts NULL. */
void port_snoop_free(struct port_snoop *snoop);

/* A port of a snapshot under construction, once it has its policies. */
void port_snoop_attach(struct vswitch *vs, struct vport *v,
		       struct fwd_port *port);
/* A record of PUNT_DHCP. */
void port_snoop_receive(struct vport *v, const struct punt_record *record);
/* NULL: it is not snooped. */
const struct dhcp_snoop *port_snoop_of(const struct vport *v);

/* Once a second: leases end, and are written to the file. */
void port_snoops_tick(struct vswitch *vs);
/*
 * The switch is about to close its ports: what they have been leased is for the
 * next start. And when they and the workers are gone.
 */
void port_snoops_stop(struct vswitch *vs);
void port_snoops_free(struct vswitch *vs);

#endif
