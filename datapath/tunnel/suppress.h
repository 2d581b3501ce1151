/*
 * ARP and neighbor suppression: whose MAC an IP address behind an overlay is,
 * so that the switch answers a question itself and does not flood it.
 *
 * The control thread writes, workers read without a lock. Keyed by VLAN and
 * address; of a VXLAN port whose VNI is fixed the VLAN is 0. Bounded; a full
 * table refuses, and floods as without it.
 */
#ifndef TUNNEL_SUPPRESS_H
#define TUNNEL_SUPPRESS_H

#include "packet/packet.h"

struct suppress_table;

struct suppress_table *suppress_create(unsigned max, uint64_t seed);
void suppress_destroy(struct suppress_table *table); /* accepts NULL */

/*
 * Beside a MAC: the station is an IPv6 router, and is told to be one, or hosts
 * would not take it for theirs any more (RFC 4861 7.2.5).
 */
#define SUPPRESS_ROUTER (1ull << 48)

/* Control thread. len: 4 or 16; mac 0: not known any more. -ENOSPC. */
int suppress_set(struct suppress_table *table, uint16_t vid, const uint8_t *ip,
		 unsigned len, uint64_t mac);
unsigned suppress_count(const struct suppress_table *table);

/*
 * Workers. When the frame (private header, with its tag if any) asks for an
 * address that is known: writes the answer, an untagged frame, to room and
 * returns its length; 0: it asks nothing that is known here. Not answered:
 * probes for duplicates (RFC 5227, RFC 4862 5.4), gratuitous ARP, solicitations
 * that are broken or signed (RFC 3971).
 */
#define SUPPRESS_FRAME_MAX 128
unsigned suppress_answer(const struct suppress_table *table, uint16_t vid,
			 struct packet *packet,
			 uint8_t room[SUPPRESS_FRAME_MAX]);

#endif
