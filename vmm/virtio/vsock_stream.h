/*
 * Connections of the socket device: one stream socket of the host each, and the
 * credit that either side gives the other (virtio 1.2, 5.10.6.3).
 *
 * Towards the guest nothing is kept: what the host wrote waits in its socket
 * until the guest has a buffer and credit for it. From the guest at most
 * VSOCK_BUFFER bytes are kept, which is the credit that it gets. All with the
 * device's lock, and in the I/O thread but for vsock_streams_close().
 */
#ifndef VMM_VIRTIO_VSOCK_STREAM_H
#define VMM_VIRTIO_VSOCK_STREAM_H

#include <event2/event_struct.h>
#include <linux/virtio_vsock.h>

#include "vmm/virtio/own.h"

enum {
	VSOCK_BUFFER = 64 << 10,
	VSOCK_MAX_STREAMS = 64, /* that one side began */
	VSOCK_MAX_RESETS = 32,
	VSOCK_GREETING_MAX = 19, /* "CONNECT 4294967295\n" */
	VSOCK_TIMEOUT_S = 10,	 /* for a connection to come about */
	VSOCK_HOST = 2,		 /* the host's address */
};

enum vsock_side { VSOCK_BY_GUEST, VSOCK_BY_HOST, VSOCK_SIDES };

enum vsock_state {
	VSOCK_FREE,
	VSOCK_GREETING,	 /* the host's program has yet to say CONNECT */
	VSOCK_REQUESTED, /* the guest has yet to answer */
	VSOCK_OPEN,
	VSOCK_DYING, /* without socket; the guest has yet to be told */
};

/* Its place is never freed before the device, as a callback may wait for the
 * lock. */
struct vsock_stream {
	struct vsock *vsock;
	enum vsock_state state;
	uint32_t host_port, guest_port;
	int fd;
	struct event readable, writable, timer; /* none persists */
	char greeting[VSOCK_GREETING_MAX + 1];
	unsigned int greeting_length;

	struct evbuffer *kept; /* from the guest; NULL before the first use */
	uint32_t received;     /* bytes in all; modulo 2^32, as the next */
	uint32_t told;	       /* of those that went on, as the guest knows */
	uint32_t sent, peer_forwarded, peer_buffer;
	bool has_input;		/* the socket may have bytes for the guest */
	bool end_sent;		/* of the host's bytes */
	uint32_t peer_shutdown; /* VIRTIO_VSOCK_SHUTDOWN_* */
	uint32_t pending;	/* what the guest is to be sent: 1 << op */
};

struct vsock {
	struct virtio_own own;
	struct virtio_vsock_config config;
	uint32_t cid, next_port;
	int listener, directory;
	struct event *accept; /* does not persist */
	struct vsock_stream streams[VSOCK_SIDES * VSOCK_MAX_STREAMS];
	unsigned int turn; /* whose it is to send */
	/* Answers to packets that belong to no connection. */
	struct virtio_vsock_hdr resets[VSOCK_MAX_RESETS];
	unsigned int n_resets;
	bool stalled; /* until there is room for such an answer */
	bool lost;    /* connections: the guest is to be told */
};

/* A free place for a connection that this side begins, or NULL. */
struct vsock_stream *vsock_stream_free(struct vsock *vsock,
				       enum vsock_side side);
/* Takes `fd` over, for a request of the guest (which is accepted) or, with
 * NULL, for a program that has yet to say where it wants to. */
void vsock_stream_open(struct vsock_stream *stream, int fd,
		       const struct virtio_vsock_hdr *request);
struct vsock_stream *vsock_stream_find(struct vsock *vsock, uint32_t host_port,
				       uint32_t guest_port);
/* A packet of the guest for it, its payload at
 * sizeof(*header) of the chain and all there. */
void vsock_stream_packet(struct vsock_stream *stream,
			 const struct virtio_vsock_hdr *header,
			 const struct virtqueue_chain *chain);
/*
 * The next packet for the guest: header, and payload into the chain behind it.
 * False when there is nothing to send. Connections take turns.
 */
bool vsock_streams_fill(struct vsock *vsock,
			const struct virtqueue_chain *chain,
			struct virtio_vsock_hdr *header);
/* Ends them all, and says whether there was any that the guest knows. */
bool vsock_streams_close(struct vsock *vsock);
void vsock_streams_free(struct vsock *vsock);

/* vsock.c: sends what is ready, as far as the guest has buffers. */
void vsock_transmit(struct vsock *vsock);

#endif
