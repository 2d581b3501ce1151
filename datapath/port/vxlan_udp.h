/*
 * The parts of ports of type "vxlan-udp" (vxlan_port.h); for those only:
 *
 *	vxlan_udp.c	    the port, its life
 *	vxlan_udp_options.c what the configuration says
 *	vxlan_udp_sockets.c sockets, as the control thread makes them
 *	vxlan_udp_receive.c datagrams into frames
 *	vxlan_udp_send.c    frames into messages for the kernel
 *	vxlan_udp_flush.c   giving them to it
 */
#ifndef PORT_VXLAN_UDP_H
#define PORT_VXLAN_UDP_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/net_text.h"
#include "port/rx_arena.h"
#include "port/vxlan_port.h"

/*
 * Sockets to send by, each with a source port of its own. More spread the flows
 * better over links and queues on the way (RFC 7348 section 5), and make the
 * system calls of a burst more.
 */
#define VXLAN_UDP_SOURCES     8
#define VXLAN_UDP_GROUPS_MAX  32 /* joined by one port */
#define VXLAN_UDP_QUEUES_MAX  (PORT_THREADS_MAX - 1)
#define VXLAN_UDP_TTL	      64 /* the sockets'; others are told with each */
#define VXLAN_UDP_HEADERS_MAX (ETH_HEADER_LEN + 40 + 8)

/* Headers of an outer frame up to the payload. */
static inline unsigned vxlan_udp_headers(unsigned version)
{
	return ETH_HEADER_LEN + (version == 4 ? 20 : 40) + 8;
}

union vxlan_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct vxlan_udp_options {
	unsigned version;      /* 4 or 6 */
	struct net_addr local; /* version 0: any */
	uint16_t dst_port;
	bool df, csum;
	unsigned n_groups;
	struct net_addr groups[VXLAN_UDP_GROUPS_MAX];
	char group_dev[IFNAMSIZ]; /* "": the kernel chooses */
};

/* A receive queue: a socket, and what recvmmsg() is given. One worker. */
struct vxlan_udp_queue {
	struct port_rxq rxq;
	int fd;
	uint8_t *arena;	    /* which the messages point into; NULL: none */
	unsigned used;	    /* messages that the kernel has written to */
	unsigned batch;	    /* messages of one call */
	uint32_t drops;	    /* control thread's: as the kernel said last */
	struct net_addr to; /* bound to; version 0: any, datagrams tell */
	uint8_t headers[VXLAN_UDP_HEADERS_MAX]; /* of a frame; to be edited */
	struct mmsghdr msgs[RX_ARENA_SLOTS];
	struct iovec iov[RX_ARENA_SLOTS];
	union vxlan_address from[RX_ARENA_SLOTS];
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
			      2 * CMSG_SPACE(sizeof(int))];
	} control[RX_ARENA_SLOTS];
};

struct vxlan_udp_source {
	int fd;	      /* single datagrams */
	int train_fd; /* trains: the same, or the port's twin with checksums */
	uint16_t port;
};

struct vxlan_udp {
	struct port up;
	struct vxlan_udp_options options;
	bool can_segment; /* the kernel has UDP_SEGMENT */
	uint64_t rx_overflows;
	struct vxlan_udp_source sources[VXLAN_UDP_SOURCES];
	unsigned n_queues;
	struct vxlan_udp_queue *queues; /* then those of groups, one each */
	struct port_rxq *rxqs[VXLAN_UDP_QUEUES_MAX + VXLAN_UDP_GROUPS_MAX];
	struct port_txq txqs[PORT_THREADS_MAX], *txq_pointers[PORT_THREADS_MAX];
};

/* Returns the length for bind() and the like. port in host byte order. */
socklen_t vxlan_address_make(union vxlan_address *address,
			     const struct net_addr *ip, uint16_t port);

/* 0 or -EINVAL with a message. */
int vxlan_udp_options_read(struct vxlan_udp_options *options,
			   const struct port_config *config, char **errp);
bool vxlan_udp_options_same(const struct vxlan_udp_options *a,
			    const struct vxlan_udp_options *b);

/*
 * Opens all sockets, n_rxqs queues and one for each group. 0 or -errno with a
 * message; what was opened is vxlan_udp_sockets_close()'s in any case. Not yet
 * opened: -1.
 */
int vxlan_udp_sockets_open(struct vxlan_udp *u, char **errp);
void vxlan_udp_sockets_close(struct vxlan_udp *u);

/* Before the first receive. */
void vxlan_udp_queue_init(const struct vxlan_udp *u, struct vxlan_udp_queue *q);
/* port_class.receive and .send. */
unsigned vxlan_udp_receive(struct port_rxq *rxq, struct packet *packets,
			   unsigned max, unsigned thread);
unsigned vxlan_udp_send(struct port_txq *txq, struct packet *const packets[],
			unsigned n, unsigned thread, uint64_t *sent_bytes);

#endif
