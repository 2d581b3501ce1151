/*
 * Sending on packet sockets (packet_socket.h): as many frames a system call as
 * there are, each straight from the memory where the port of arrival has it.
 */
#include "port/packet_socket.h"

#include <errno.h>
#include <sys/socket.h>

#include "packet/offload.h"

#define BATCH	 64   /* frames a system call */
#define IOV_MAX_ 1024 /* pieces of all of them; the kernel's limit for one */

struct batch {
	int fd; /* the socket that all of it goes to */
	unsigned n, n_iov;
	struct mmsghdr msgs[BATCH];
	uint8_t vnet[BATCH][VNET_HDR_LEN];
	struct iovec iov[IOV_MAX_];
};

/*
 * Adds a frame for a socket. -ENOSPC: there is no room left, or the others are
 * for another socket; -EINVAL: can't be sent.
 */
static int add(struct batch *b, const struct packet *p, int fd)
{
	struct iovec *iov = &b->iov[b->n_iov];
	unsigned n;

	if (b->n == BATCH || b->n_iov + 2 > IOV_MAX_ || (b->n && fd != b->fd))
		return -ENOSPC;
	b->fd = fd;
	n = packet_iov(p, iov + 1, IOV_MAX_ - b->n_iov - 1);
	if (!n)
		return b->n ? -ENOSPC : -EINVAL;
	if (!offload_send(p, b->vnet[b->n]))
		return -EINVAL;
	iov->iov_base = b->vnet[b->n];
	iov->iov_len = VNET_HDR_LEN;
	b->msgs[b->n].msg_hdr =
		(struct msghdr){ .msg_iov = iov, .msg_iovlen = n + 1 };
	b->n_iov += n + 1;
	b->n++;
	return 0;
}

/* The reason for what sendmmsg() said of a frame. */
static enum drop_reason reason_of(int error)
{
	switch (error) {
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		return DROP_TX_FULL;
	case ENETDOWN:
	case ENODEV:
	case ENXIO:
		return DROP_TX_DOWN;
	case EMSGSIZE:
		return DROP_TX_TOO_BIG;
	default:
		return DROP_TX_ERROR;
	}
}

static unsigned flush(struct port *port, struct batch *b, unsigned thread,
		      uint64_t *bytes)
{
	unsigned done = 0, sent = 0;

	while (done < b->n) {
		int n = sendmmsg(b->fd, b->msgs + done, b->n - done,
				 MSG_DONTWAIT);

		if (n > 0) {
			for (int i = 0; i < n; i++)
				*bytes += b->msgs[done + i].msg_len -
					  VNET_HDR_LEN;
			done += n;
			sent += n;
		} else if (errno == EAGAIN) {
			port_drop(port, thread, DROP_TX_FULL, b->n - done);
			break;
		} else if (errno != EINTR) {
			port_drop(port, thread, reason_of(errno), 1);
			done++;
		}
	}
	b->n = b->n_iov = 0;
	return sent;
}

unsigned packet_socket_send(struct packet_socket *s, struct port *port,
			    struct packet *const packets[], unsigned n,
			    unsigned thread, uint64_t *sent_bytes)
{
	unsigned sent = 0;
	struct batch b;

	b.n = b.n_iov = 0;
	for (unsigned i = 0; i < n; i++) {
		const struct packet *p = packets[i];
		int fd = p->offload.gso ? s->segments_fd : s->fd;
		int error = add(&b, p, fd);

		if (error == -ENOSPC) {
			sent += flush(port, &b, thread, sent_bytes);
			error = add(&b, p, fd);
		}
		if (error)
			port_drop(port, thread, DROP_TX_OFFLOAD, 1);
	}
	return sent + flush(port, &b, thread, sent_bytes);
}
