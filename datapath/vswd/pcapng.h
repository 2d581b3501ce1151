/*
 * Writing pcapng (draft-ietf-opsawg-pcapng): one section in the machine's byte
 * order, Ethernet interfaces, times in nanoseconds. Each function appends one
 * whole block to a buffer. Any thread.
 */
#ifndef VSWD_PCAPNG_H
#define VSWD_PCAPNG_H

#include <event2/buffer.h>

#include "base/util.h"

enum pcapng_direction {
	PCAPNG_UNKNOWN,
	PCAPNG_INBOUND,
	PCAPNG_OUTBOUND,
};

struct pcapng_packet {
	uint32_t interface; /* from 0, in the order of their blocks */
	uint64_t time_ns;   /* since 1970 */
	const void *data;
	uint32_t captured_len;
	uint32_t len; /* on the wire */
	enum pcapng_direction direction;
	const char *comment; /* UTF-8; NULL: none */
};

/* Section Header Block: the stream begins with it. */
void pcapng_section(struct evbuffer *out, const char *application);
/* Interface Description Block. filter may be NULL. */
void pcapng_interface(struct evbuffer *out, const char *name,
		      const char *filter, uint32_t snaplen);
/* Enhanced Packet Block. */
void pcapng_packet(struct evbuffer *out, const struct pcapng_packet *packet);
/* Interface Statistics Block: packets received, and of them lost. */
void pcapng_statistics(struct evbuffer *out, uint32_t interface,
		       uint64_t time_ns, uint64_t received, uint64_t lost);

#endif
