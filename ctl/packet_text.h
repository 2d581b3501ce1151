/* One line about an Ethernet frame, for a person. */
#ifndef CTL_PACKET_TEXT_H
#define CTL_PACKET_TEXT_H

#include <stdio.h>

#include "base/util.h"

/*
 * Prints VLAN tags, addresses, protocol and the main facts of ARP, IPv4, IPv6,
 * ICMP, TCP and UDP; without a newline. data may hold anything and be cut
 * short; length is the frame's on the wire.
 */
void packet_text(const uint8_t *data, size_t captured, size_t length,
		 FILE *stream);

#endif
