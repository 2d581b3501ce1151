/*
 * What a station says of its own addresses: the sender of an ARP packet
 * (RFC 826, RFC 5227), of a neighbour solicitation or of a neighbour
 * advertisement (RFC 4861). And the other way round: frames that tell the
 * network where a station is now.
 */
#ifndef PACKET_NEIGHBOR_H
#define PACKET_NEIGHBOR_H

#include <stddef.h>

#include "packet/packet.h"

struct neighbor {
	uint64_t mac;
	uint8_t ip[16];
	uint8_t ip_len;	 /* 4 or 16 */
	bool gratuitous; /* it asks nobody: it announces itself */
};

/*
 * Decodes n bytes of a frame, the Ethernet header (and up to 2 tags) first.
 * False when it says nothing of a sender's address, or something that cannot
 * be (addresses that are zero, multicast, or not the frame's source).
 */
bool neighbor_parse(const void *frame, size_t n, struct neighbor *neighbor);

/* Room for any of the frames below; they are untagged. */
#define NEIGHBOR_FRAME_MAX 128
/*
 * A gratuitous ARP request (4 bytes of ip), an unsolicited neighbour
 * advertisement (16), or without an address (ip NULL) a RARP request as virtual
 * switches use to announce a station. Returns the length.
 */
size_t neighbor_announce(uint64_t mac, const uint8_t *ip, unsigned ip_len,
			 uint8_t frame[NEIGHBOR_FRAME_MAX]);
/*
 * Does anybody have the address, which is not used yet? An ARP probe (RFC 5227
 * 2.1.1), or for 16 bytes a solicitation from nowhere (RFC 4862 5.4.2).
 */
size_t neighbor_probe(uint64_t mac, const uint8_t *ip, unsigned ip_len,
		      uint8_t frame[NEIGHBOR_FRAME_MAX]);

#endif
