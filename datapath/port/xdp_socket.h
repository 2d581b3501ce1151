/*
 * An AF_XDP socket on one queue of a device, with frame memory of its own
 * (kernel Documentation/networking/af_xdp.rst), by libxdp.
 *
 * Received frames are lent from where the kernel, or the device, put them;
 * frames to send are copied in once. Opening and closing: control thread.
 * Receiving: one thread at a time. Sending: one thread at a time.
 */
#ifndef PORT_XDP_SOCKET_H
#define PORT_XDP_SOCKET_H

#include <xdp/xsk.h>

#include "port/port.h"

#define XDP_FRAME_SIZE	  4096
#define XDP_RING_SIZE	  1024			       /* frames each way */
#define XDP_FRAME_ROOM	  (XDP_FRAME_SIZE - 256 - 320) /* as the kernel has it */
#define XDP_SOCKET_FRAMES (2 * XDP_RING_SIZE)

struct xdp_socket {
	int fd;
	bool zero_copy;
	uint8_t *area;
	struct xsk_umem *umem;
	struct xsk_socket *xsk;
	/* receiving */
	struct xsk_ring_prod fill;
	struct xsk_ring_cons rx;
	unsigned n_lent;
	uint64_t lent[PACKET_BURST_MAX];
	/* sending */
	struct xsk_ring_prod tx CACHE_ALIGNED;
	struct xsk_ring_cons done;
	unsigned n_free;
	uint64_t free[XDP_RING_SIZE];
};

/*
 * native: in the driver, without a copy where the driver can; must_zero_copy:
 * fails where it cannot. 0 or -errno.
 */
int xdp_socket_open(struct xdp_socket *s, const char *device, unsigned queue,
		    bool native, bool must_zero_copy);
/* Also of one whose opening failed, and of one that is all zero. */
void xdp_socket_close(struct xdp_socket *s);

/* What the kernel dropped for want of room. */
uint64_t xdp_socket_get_drops(const struct xdp_socket *s);

/* These are port_class.receive, .done and .send for one socket. */
unsigned xdp_socket_receive(struct xdp_socket *s, struct packet *packets,
			    unsigned max);
void xdp_socket_done(struct xdp_socket *s);
unsigned xdp_socket_send(struct xdp_socket *s, struct port *port,
			 struct packet *const packets[], unsigned n,
			 unsigned thread, uint64_t *sent_bytes);

#endif
