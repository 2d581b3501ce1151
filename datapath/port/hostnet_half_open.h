/*
 * Connections to the name service that a machine has begun, and not completed.
 * Of others a socket is opened at once, and counted (hostnet_sessions.h); of
 * these only when they are complete. libslirp keeps each for 75 seconds, with
 * buffers, in one list: some thousands of them, from whatever addresses, and it
 * has time for nothing else. So there are few, and the oldest gives way. A
 * port's own thread.
 */
#ifndef PORT_HOSTNET_HALF_OPEN_H
#define PORT_HOSTNET_HALF_OPEN_H

#include "port/hostnet_frame.h"

#define HOSTNET_HALF_OPEN_MAX 64

struct hostnet_half_open {
	unsigned next; /* the oldest */
	struct {
		uint32_t ip; /* 0: free */
		uint32_t seq;
		uint16_t port;
	} of[HOSTNET_HALF_OPEN_MAX];
};

/*
 * A packet that was let pass, before libslirp gets it. If one has to give way
 * for it, the length of the reset in `reset`, which libslirp is to get first;
 * else 0.
 */
uint32_t hostnet_half_open_add(struct hostnet_half_open *half_open,
			       const struct hostnet_net *net,
			       const uint8_t *frame,
			       const struct hostnet_packet *packet,
			       uint8_t reset[HOSTNET_RESET_MAX]);
/* The packet has completed a connection. */
void hostnet_half_open_remove(struct hostnet_half_open *half_open,
			      const struct hostnet_packet *packet);

#endif
