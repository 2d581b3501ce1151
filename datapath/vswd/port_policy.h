/*
 * Policies of a port (or a bond): from its configuration to what a snapshot
 * imposes on its packets (forward/policies.h), and what of that outlives
 * snapshots. Control thread.
 */
#ifndef VSWD_PORT_POLICY_H
#define VSWD_PORT_POLICY_H

#include "vswd/switch.h"

/*
 * What goes on when another snapshot comes: buckets, queues, counters. Each is
 * made when the configuration asks for it first.
 */
struct port_policy {
	struct policer *policer;  /* of the interface */
	struct port_snoop *snoop; /* DHCP's leases (port_snoop.h), or NULL */
	struct storm *storm;
	struct port_policy *next; /* replaced ones that workers may still use */
};

/*
 * A port of a snapshot under construction gets what its configuration says.
 * *policy is made when there is something to keep.
 */
void port_policy_attach(struct vswitch *vs, struct fwd_port *port,
			const struct cfg_port *config,
			struct port_policy **policy);
/* A bond's member: what is its interface's own. After its bond. */
void port_policy_attach_member(struct vswitch *vs, struct fwd_port *member,
			       const struct cfg_interface *interface,
			       struct port_policy **policy);
/* When no worker uses it any more. Accepts NULL. */
void port_policy_free(struct port_policy *policy);

#endif
