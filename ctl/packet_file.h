/* One packet of a capture file: pcap or pcapng, whose bytes may be anything. */
#ifndef CTL_PACKET_FILE_H
#define CTL_PACKET_FILE_H

#include "base/util.h"

#define PACKET_FILE_BYTES_MAX (65535 + 64)

/*
 * The n-th packet (from 1) of the file's n_bytes; *frame is the caller's to
 * free. 0; -ENOENT: there are fewer; -EPROTO: it is no such file, or not of
 * Ethernet; -EMSGSIZE: the packet was cut when it was captured, or is too long.
 * With a message.
 */
int packet_file_get(const uint8_t *bytes, size_t n_bytes, uint32_t n,
		    uint8_t **frame, uint32_t *len, char **errp);

#endif
