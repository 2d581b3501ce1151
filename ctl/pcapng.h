/*
 * A reader of pcapng (the IETF draft "PCAP Next Generation Capture File
 * Format") as it comes in pieces: what is needed to show packets, everything
 * else is skipped. Its input may be anything.
 */
#ifndef CTL_PCAPNG_H
#define CTL_PCAPNG_H

#include "base/util.h"

#define PCAPNG_MAX_BLOCK  (1u << 20) /* bytes; longer ones are an error */
#define PCAPNG_MAX_IFACES 65536u
#define PCAPNG_TEXT	  64 /* of a name or comment, with its NUL; cut */

enum pcapng_direction { PCAPNG_UNKNOWN, PCAPNG_INBOUND, PCAPNG_OUTBOUND };

struct pcapng_packet {
	const char *iface; /* the interface's name; "?" when it has none */
	uint64_t time_ns;  /* since 1970 */
	enum pcapng_direction direction;
	const char *comment; /* "" when there is none */
	const uint8_t *data; /* captured bytes, an Ethernet frame */
	uint32_t captured;
	uint32_t length; /* of the frame on the wire */
};

struct pcapng_reader;

struct pcapng_reader *pcapng_reader_create(void);
void pcapng_reader_destroy(struct pcapng_reader *reader);
/* Packets that were not captured for want of room, as told at the end. */
uint64_t pcapng_lost(const struct pcapng_reader *reader);

/*
 * Takes n bytes, calling `packet` for each packet that is complete with them
 * and `block` (may be NULL) with each complete block of any kind, in order,
 * before its packet. What they get lives until they return. Either ends the
 * reading by returning false. Returns 0, or -EPROTO with a message when the
 * bytes are no pcapng (nothing more may be fed then).
 */
typedef bool pcapng_packet_fn(const struct pcapng_packet *packet, void *aux);
typedef bool pcapng_block_fn(const uint8_t *block, size_t n, bool is_packet,
			     void *aux);
int pcapng_feed(struct pcapng_reader *reader, const void *data, size_t n,
		pcapng_packet_fn *packet, pcapng_block_fn *block, void *aux,
		char **errp);

#endif
