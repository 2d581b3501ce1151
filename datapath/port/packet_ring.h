/*
 * The receive ring of a packet socket, shared with the kernel (packet(7),
 * PACKET_RX_RING, TPACKET_V2). The kernel copies a frame into the next slot
 * while it handles the sender's frame, on the sender's core; receiving here is
 * reading memory, without a system call.
 *
 * Slots are short, so that a small ring has many. Of a longer frame, a GSO
 * frame above all, the slot has the beginning, and the whole waits in the
 * socket's queue (PACKET_COPY_THRESH): slots and queue are in the same order,
 * and a longer frame is received by a system call when its slot's turn comes.
 *
 * The memory is the kernel's and stays, so all rings of the process together
 * have a limit. When it is used up there is no ring, and the socket is read by
 * system calls only.
 *
 * One thread receives.
 */
#ifndef PORT_PACKET_RING_H
#define PORT_PACKET_RING_H

#include "port/port.h"

struct packet_ring {
	int fd; /* the socket's, not owned */
	uint8_t *map;
	size_t map_bytes;
	unsigned n_slots;
	unsigned next; /* the next to receive */
	unsigned lent; /* slots before it that are not given back */
};

/*
 * Gives a socket that is not bound yet, and has PACKET_VNET_HDR set, a ring of
 * `bytes` or less, and maps it. Control thread. 0; -ENOSPC when all rings
 * together are as large as they may be; or -errno. Without a ring, map is NULL.
 */
int packet_ring_open(struct packet_ring *ring, int fd, size_t bytes) MUST_CHECK;
/* Before the socket is closed; may be called without a ring. */
void packet_ring_close(struct packet_ring *ring);

/* Worker; these are port_class.receive and .done. */
unsigned packet_ring_receive(struct packet_ring *ring, struct port *port,
			     struct packet *packets, unsigned max,
			     unsigned thread);
void packet_ring_done(struct packet_ring *ring);

#endif
