/*
 * Discovery (LLDP, CDP) at the ports of the running switch: which ports take
 * part, what is said of each, and the clock. discovery/agent.h does the rest.
 *
 * Control thread.
 */
#ifndef VSWD_DISCOVERY_H
#define VSWD_DISCOVERY_H

#include "discovery/agent.h"
#include "vswd/switch.h"

/* With the switch, after its frames; stop when its last port has gone. */
void vswitch_start_discovery(struct vswitch *vs);
void vswitch_stop_discovery(struct vswitch *vs);

/* Not a bridge's own port or a patch port, which can never take part. */
bool vdiscovery_is_possible(const struct vport *v);
/*
 * Before a snapshot is built: takes over what has changed about the vports that
 * are marked dirty. Sets vs->changed when one is to punt other frames.
 */
void vdiscovery_update(struct vswitch *vs);
/* Its port is about to be closed: the neighbours are told. */
void vdiscovery_forget(struct vport *v);

/*
 * discovery_local.c: what a port says of itself, with the host's addresses.
 * False: it has no address to say it from.
 */
struct ifaddrs;
bool vdiscovery_describe(const struct vport *v, const struct ifaddrs *addresses,
			 struct discovery_info *info, uint64_t *source);

#endif
