/*
 * The two halves of sending on a port of type "vxlan-udp": vxlan_udp_send.c
 * makes messages of packets, vxlan_udp_flush.c gives them to the kernel.
 */
#ifndef PORT_VXLAN_UDP_SEND_H
#define PORT_VXLAN_UDP_SEND_H

#include "port/vxlan_udp.h"

#define VXLAN_UDP_BURST_MAX 256 /* packets that are sorted at once */
#define VXLAN_UDP_MESSAGES  64	/* of a system call */
/* Of all messages; the kernel's limit for one. */
#define VXLAN_UDP_PIECES 1024

/* Where a datagram goes, and how: equal for all of a train. */
struct vxlan_udp_way {
	uint8_t ip[16];
	uint16_t port; /* network byte order */
	uint8_t tos, ttl;
};

/* A packet of the burst, and what its headers say. */
struct vxlan_udp_datagram {
	struct packet *packet;
	struct vxlan_udp_way way;
	uint32_t len; /* of the payload */
	uint16_t gso_size;
	int16_t next; /* of the same socket; -1: none */
};

/* A message and what it is made of. */
struct vxlan_udp_message {
	const struct vxlan_udp_way *way;
	uint32_t len;	/* payload */
	uint32_t bytes; /* as counted: frames */
	uint16_t size;	/* of a datagram, but for the last */
	uint16_t n;	/* packets; 0: what is left of the one before */
	uint16_t first_piece, n_pieces;
	bool gso;    /* one packet, of several datagrams */
	bool closed; /* takes no more */
};

union vxlan_udp_control {
	struct cmsghdr align;
	uint8_t bytes[2 * CMSG_SPACE(sizeof(int)) +
		      CMSG_SPACE(sizeof(uint16_t))];
};

struct vxlan_udp_sender {
	struct vxlan_udp *u;
	unsigned thread;
	uint64_t bytes;
	unsigned sent;
	const struct vxlan_udp_source *source; /* of the messages */
	unsigned n_messages, n_pieces;
	int16_t first[VXLAN_UDP_SOURCES], last[VXLAN_UDP_SOURCES];
	struct vxlan_udp_datagram datagrams[VXLAN_UDP_BURST_MAX];
	struct vxlan_udp_message messages[VXLAN_UDP_MESSAGES];
	struct mmsghdr msgs[VXLAN_UDP_MESSAGES];
	union vxlan_address to[VXLAN_UDP_MESSAGES];
	union vxlan_udp_control control[VXLAN_UDP_MESSAGES];
	struct iovec pieces[VXLAN_UDP_PIECES];
};

static inline bool vxlan_udp_is_train(const struct vxlan_udp_message *m)
{
	return m->gso || m->n > 1;
}

static inline void vxlan_udp_drop(struct vxlan_udp_sender *s,
				  enum drop_reason reason, unsigned n)
{
	port_drop(&s->u->up, s->thread, reason, n);
}

/*
 * Sends all messages, which are s->source's, and counts them; there are none
 * afterwards.
 */
void vxlan_udp_flush(struct vxlan_udp_sender *s);

#endif
