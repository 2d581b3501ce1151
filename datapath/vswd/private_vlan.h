/*
 * Ports that are set apart from others (protected ports, private VLANs,
 * isolated segments), and those that leave a bond by members of their own, as
 * parts of a snapshot. Control thread.
 */
#ifndef VSWD_PRIVATE_VLAN_H
#define VSWD_PRIVATE_VLAN_H

#include "vswd/switch.h"

/* Before any port of the bridge is added. */
void private_vlan_begin(const struct bridge *b, struct fwd_bridge *fb);
/*
 * A port, or a bond, that was just added; v: the port, or a member of the bond.
 */
void private_vlan_attach(const struct bridge *b, struct fwd_port *port,
			 const struct cfg_port *config, const struct vport *v);
/*
 * Why what the port's configuration says of it cannot be with what its bridge's
 * says; NULL: it can.
 */
const char *private_vlan_fault(const struct vport *v);

/* The VLAN by which the FDB knows addresses of this one. */
int private_vlan_fid(const struct bridge *b, int vlan);

/* teaming.c: when all ports of the bridge are added. */
void teaming_attach(const struct bridge *b);
/* A bond of the bridge has other settings, or is gone: so may their faults be.
 */
void teaming_bond_changed(const struct bridge *b);
/* Why the port's teaming order counts for nothing with some bond, or NULL. */
const char *teaming_fault(const struct vport *v);

#endif
