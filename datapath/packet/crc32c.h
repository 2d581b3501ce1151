/* The CRC of SCTP (RFC 9260, appendix A), for the rare frame that needs it. */
#ifndef PACKET_CRC32C_H
#define PACKET_CRC32C_H

#include "packet/packet.h"

/* Goes on with crc; begin with ~0 and complement the result. */
uint32_t crc32c_add(uint32_t crc, const void *data, size_t len);

/*
 * Writes the checksum of the SCTP packet that begins at offset `start` and ends
 * with the frame. False when the header cannot be made private.
 */
bool packet_finish_crc32c(struct packet *p, uint32_t start) MUST_CHECK;

#endif
