/*
 * Memory for packets that wait: buffers of one size, which any thread takes
 * and gives back without waiting for another. A packet takes as many as it
 * needs, as a chain; what is known of it stands in front of its first bytes.
 *
 * Memory is used once it was needed, and the buffers given back last are taken
 * first: queues that stay short stay in the cache.
 */
#ifndef SHAPE_BUFFERS_H
#define SHAPE_BUFFERS_H

#include <stdatomic.h>

#include "packet/packet.h"

#define BUFFER_SIZE 2048
#define BUFFER_NONE UINT32_MAX

/* Of a packet in buffers. */
struct waiting {
	uint64_t since_ns;
	uint32_t len;
	uint32_t wire_bytes;
	uint32_t hash;	     /* of its flow */
	uint32_t next;	     /* that waits behind it; the queue's */
	uint32_t via;	     /* the sender's words */
	uint16_t header_len; /* private bytes it had */
	uint16_t n_buffers;
	uint8_t depth; /* the sender's */
	uint8_t pcp, dscp;
	bool ecn; /* its sender takes marks for drops (RFC 3168) */
	struct packet_offload offload;
};

/* Bytes of the frame in the first buffer. */
#define BUFFER_FIRST (BUFFER_SIZE - 64)

_Static_assert(sizeof(struct waiting) <= 64, "in front of the bytes");

/* Buffers of the longest packet. */
#define BUFFERS_PER_PACKET                                                     \
	(1 + DIV_ROUND_UP(PACKET_LEN_MAX - BUFFER_FIRST, BUFFER_SIZE))

struct buffers;

/* Control thread. n: to 2^20. Never NULL. */
struct buffers *buffers_create(uint32_t n);
/* Nobody uses them any more. Accepts NULL. */
void buffers_destroy(struct buffers *b);

/*
 * Any thread. A copy of the frame as it would be sent now: its first buffer, of
 * whose `waiting` len, header_len, n_buffers and offload are set; BUFFER_NONE
 * when there is no room, or the packet's memory is shorter than the packet.
 */
uint32_t buffers_put(struct buffers *b, const struct packet *p);
/* Any thread. All buffers of the packet. */
void buffers_free(struct buffers *b, uint32_t first);
struct waiting *buffers_waiting(const struct buffers *b, uint32_t first);

/*
 * The packet as a view of its buffers, which stay in use; pulled. segments:
 * room for as many as it has buffers.
 */
void buffers_view(const struct buffers *b, uint32_t first, struct packet *p,
		  struct packet_segment *segments);

/* Buffers in use, about. Any thread. */
uint32_t buffers_used(const struct buffers *b);

#endif
