/*
 * A bounded ring of frames from one thread to one other, between workers and
 * the thread of a port to the host's sockets. A frame lies in one piece and
 * where it was written, so that the reader may lend several out before it gives
 * them back. Neither side ever waits.
 */
#ifndef PORT_HOSTNET_RING_H
#define PORT_HOSTNET_RING_H

#include "packet/packet.h"

struct hostnet_ring;

struct hostnet_record {
	uint32_t len;  /* of the frame behind it */
	uint32_t room; /* all that it takes in the ring */
	struct packet_offload offload;
	uint8_t frame[] __attribute__((aligned(32)));
};

/* size: rounded up to a power of two. Any thread; never NULL. */
struct hostnet_ring *hostnet_ring_create(uint32_t size);
void hostnet_ring_destroy(struct hostnet_ring *ring); /* accepts NULL */

/* The writer. Room for len bytes, or NULL: there is none. */
struct hostnet_record *hostnet_ring_reserve(struct hostnet_ring *ring,
					    uint32_t len);
/* Shows the reader what was reserved last. */
void hostnet_ring_commit(struct hostnet_ring *ring);
/* Bytes that are free for sure; frames may find less in one piece. */
uint32_t hostnet_ring_room(struct hostnet_ring *ring);

/* The reader. The next frame that was not taken yet, or NULL. */
struct hostnet_record *hostnet_ring_take(struct hostnet_ring *ring);
/* Gives back all that was taken. */
void hostnet_ring_release(struct hostnet_ring *ring);
/* Whether there is nothing to take. */
bool hostnet_ring_empty(struct hostnet_ring *ring);

#endif
