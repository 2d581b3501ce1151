/*
 * Marks that a switch puts on frames: the priority in their VLAN tag (IEEE
 * 802.1Q clause 6.9.4) and the DSCP in their IP header (RFC 2474).
 */
#ifndef SHAPE_MARKING_H
#define SHAPE_MARKING_H

#include "packet/packet.h"

/*
 * Writes the DSCP into the private header of an IPv4 or IPv6 packet, and the
 * IPv4 checksum with it (RFC 1624); ECN stays as it is. What is not IP, or has
 * its header beyond what is private, stays as it is. A worker; pulled.
 */
void marking_set_dscp(struct packet *p, uint8_t dscp);
/* The same of ECN (RFC 3168): congestion experienced. */
void marking_set_congested(struct packet *p);
/*
 * The DSCP of an IPv4 or IPv6 packet, or -1 of any other. The same.
 */
int marking_get_dscp(const struct packet *p);

#endif
