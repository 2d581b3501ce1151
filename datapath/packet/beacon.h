/*
 * Beacons: frames by which the members of a bond find out whether they reach
 * each other, and the ethertype that tells them from other frames.
 *
 *	6	destination: broadcast
 *	6	source: the member that sends it
 *	2	ethertype, IEEE 802 local experimental 1
 *	4	"vswb"
 *	1	version, 1
 *	1	0
 *	8	the bond's identity: a random number, new with each start
 *	6	the member's MAC address again
 *	4	sequence number of the member's, from 1
 *	24	zeros, so that the frame is as long as Ethernet wants
 */
#ifndef PACKET_BEACON_H
#define PACKET_BEACON_H

#include "packet/packet.h"

#define BEACON_ETHERTYPE 0x88b5
#define BEACON_FRAME_LEN 62

struct beacon {
	uint64_t identity;
	uint64_t mac;
	uint32_t sequence;
};

/* Writes BEACON_FRAME_LEN bytes. */
void beacon_write(const struct beacon *beacon, uint8_t *frame);
/* False when the frame is no beacon of this version; any bytes. */
bool beacon_parse(const void *frame, size_t n, struct beacon *beacon);

#endif
