/*
 * What a station on an uplink's bridge (a segment's outside, an overlay's
 * underlay) asks of that bridge.
 */
#ifndef VSWD_UPLINK_BRIDGE_H
#define VSWD_UPLINK_BRIDGE_H

#include "vswd/switch.h"

/* The smallest MTU of its ports that lead somewhere; 0: there is none. */
uint32_t bridge_ports_mtu(const struct bridge *b);
/*
 * The same of its uplinks: of the devices of hardware among its ports, where
 * there are some. A machine's port does not say what the network takes.
 */
uint32_t bridge_uplinks_mtu(const struct bridge *b);
/* How many of its ports have a link. */
unsigned bridge_count_links(const struct bridge *b);

#endif
