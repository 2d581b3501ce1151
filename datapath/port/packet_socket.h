/*
 * A packet socket on one device of the host, with a virtio-net header in front
 * of each frame in both directions (packet(7), PACKET_VNET_HDR).
 *
 * Opening and closing: control thread. Receiving: one thread at a time.
 * Sending: any thread at any time, the kernel takes sends concurrently.
 */
#ifndef PORT_PACKET_SOCKET_H
#define PORT_PACKET_SOCKET_H

#include "port/packet_ring.h"
#include "port/port.h"

struct packet_socket {
	int fd;
	/*
	 * For sending large segments. It never bypasses the queueing
	 * discipline: past that one, the kernel drops what the device cannot
	 * segment itself, instead of doing it.
	 */
	int segments_fd;
	struct packet_ring ring;
};

/*
 * Opens n sockets on a device that share its frames between them by flow, and
 * makes the device promiscuous for as long as they live. Nothing comes in until
 * each has been let in. 0 or -errno with a message.
 */
int packet_sockets_open(struct packet_socket *sockets, unsigned n,
			const char *name, int ifindex, char **errp);
/*
 * Lets in all frames, or those that the BPF program (of type socket filter)
 * takes; -1: none. 0 or -errno; then all is as it was. Control thread.
 */
int packet_socket_let_in(const struct packet_socket *socket, int filter_fd);
void packet_socket_close(struct packet_socket *socket);

/* What did not fit and was dropped since the last call. */
uint32_t packet_socket_take_drops(struct packet_socket *socket);

/*
 * Whether to send past the device's queueing discipline all but large segments.
 * Control thread.
 */
void packet_socket_set_bypass(struct packet_socket *socket, bool bypass);

/* These are port_class.receive and .send for one socket. */
unsigned packet_socket_receive(struct packet_socket *socket, struct port *port,
			       struct packet *packets, unsigned max,
			       unsigned thread);
void packet_socket_done(struct packet_socket *socket);
/*
 * Before a sleep on fd: takes off an error of the socket (its device went down
 * or away), which would keep fd ready and which only a system call sees.
 */
void packet_socket_arm(struct packet_socket *socket);
unsigned packet_socket_send(struct packet_socket *socket, struct port *port,
			    struct packet *const packets[], unsigned n,
			    unsigned thread, uint64_t *sent_bytes);

#endif
