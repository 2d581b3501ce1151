/* AF_XDP sockets (xdp_socket.h). */
#include "port/xdp_socket.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "packet/cursor.h"

#define AREA_SIZE ((size_t)XDP_SOCKET_FRAMES * XDP_FRAME_SIZE)
/* In copy mode the kernel takes 32 frames a call. */
#define SEND_TRIES (2 * PACKET_BURST_MAX / 32)

/* --- opening ----------------------------------------------------------- */

static int make_umem(struct xdp_socket *s)
{
	const struct xsk_umem_config config = {
		.fill_size = XDP_RING_SIZE,
		.comp_size = XDP_RING_SIZE,
		.frame_size = XDP_FRAME_SIZE,
	};

	s->area = mmap(NULL, AREA_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->area == MAP_FAILED) {
		s->area = NULL;
		return -errno;
	}
	return xsk_umem__create(&s->umem, s->area, AREA_SIZE, &s->fill,
				&s->done, &config);
}

/* Half of the frames wait to be received into, half to be sent. */
static void hand_out_frames(struct xdp_socket *s)
{
	uint32_t at = 0;

	xsk_ring_prod__reserve(&s->fill, XDP_RING_SIZE, &at);
	for (unsigned i = 0; i < XDP_RING_SIZE; i++) {
		*xsk_ring_prod__fill_addr(&s->fill, at + i) =
			(uint64_t)i * XDP_FRAME_SIZE;
		s->free[i] = (uint64_t)(XDP_RING_SIZE + i) * XDP_FRAME_SIZE;
	}
	xsk_ring_prod__submit(&s->fill, XDP_RING_SIZE);
	s->n_free = XDP_RING_SIZE;
}

static bool copies_nothing(int fd)
{
	struct xdp_options options = { 0 };
	socklen_t length = sizeof(options);

	return !getsockopt(fd, SOL_XDP, XDP_OPTIONS, &options, &length) &&
	       options.flags & XDP_OPTIONS_ZEROCOPY;
}

int xdp_socket_open(struct xdp_socket *s, const char *device, unsigned queue,
		    bool native, bool must_zero_copy)
{
	const struct xsk_socket_config config = {
		.rx_size = XDP_RING_SIZE,
		.tx_size = XDP_RING_SIZE,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.xdp_flags = native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE,
		.bind_flags =
			XDP_USE_NEED_WAKEUP | (must_zero_copy ? XDP_ZEROCOPY
					       : native	      ? 0
							      : XDP_COPY),
	};
	int error;

	memset(s, 0, sizeof(*s));
	error = make_umem(s);
	if (error)
		return error;
	error = xsk_socket__create(&s->xsk, device, queue, s->umem, &s->rx,
				   &s->tx, &config);
	if (error)
		return error;
	s->fd = xsk_socket__fd(s->xsk);
	s->zero_copy = copies_nothing(s->fd);
	hand_out_frames(s);
	return 0;
}

void xdp_socket_close(struct xdp_socket *s)
{
	if (s->xsk)
		xsk_socket__delete(s->xsk);
	if (s->umem)
		xsk_umem__delete(s->umem);
	if (s->area)
		munmap(s->area, AREA_SIZE);
	memset(s, 0, sizeof(*s));
}

uint64_t xdp_socket_get_drops(const struct xdp_socket *s)
{
	struct xdp_statistics statistics = { 0 };
	socklen_t length = sizeof(statistics);

	if (getsockopt(s->fd, SOL_XDP, XDP_STATISTICS, &statistics, &length))
		return 0;
	/*
	 * Not rx_fill_ring_empty_descs: what that costs in frames is in
	 * rx_dropped, and a driver may look often without losing one.
	 */
	return statistics.rx_dropped + statistics.rx_ring_full;
}

/* --- receiving --------------------------------------------------------- */

unsigned xdp_socket_receive(struct xdp_socket *s, struct packet *packets,
			    unsigned max)
{
	uint32_t at = 0;
	unsigned n =
		xsk_ring_cons__peek(&s->rx, MIN(max, PACKET_BURST_MAX), &at);

	if (!n) {
		/* A device that waits for memory says so here. */
		if (xsk_ring_prod__needs_wakeup(&s->fill))
			recvfrom(s->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
		return 0;
	}
	for (unsigned i = 0; i < n; i++) {
		const struct xdp_desc *desc =
			xsk_ring_cons__rx_desc(&s->rx, at + i);

		s->lent[i] = desc->addr;
		__builtin_prefetch(s->area + desc->addr);
		packet_init(&packets[i], s->area + desc->addr, desc->len);
	}
	xsk_ring_cons__release(&s->rx, n);
	s->n_lent = n;
	return n;
}

void xdp_socket_done(struct xdp_socket *s)
{
	uint32_t at = 0;

	/* There is room: no more frames than the ring holds are ours. */
	if (xsk_ring_prod__reserve(&s->fill, s->n_lent, &at) != s->n_lent)
		return;
	for (unsigned i = 0; i < s->n_lent; i++)
		*xsk_ring_prod__fill_addr(&s->fill, at + i) = s->lent[i];
	xsk_ring_prod__submit(&s->fill, s->n_lent);
	s->n_lent = 0;
}

/* --- sending ----------------------------------------------------------- */

/* Takes back the frames that have left. */
static void reap(struct xdp_socket *s)
{
	uint32_t at = 0;
	unsigned n =
		xsk_ring_cons__peek(&s->done, XDP_RING_SIZE - s->n_free, &at);

	for (unsigned i = 0; i < n; i++)
		s->free[s->n_free++] =
			*xsk_ring_cons__comp_addr(&s->done, at + i);
	xsk_ring_cons__release(&s->done, n);
}

static void copy(uint8_t *to, const struct packet *p)
{
	const uint8_t *data;
	struct cursor c;
	uint32_t n;

	cursor_init(&c, p);
	while ((n = cursor_take(&c, UINT32_MAX, &data))) {
		memcpy(to, data, n);
		to += n;
	}
}

/* Until the kernel has taken all, or does not take more. */
static void wake(struct xdp_socket *s)
{
	for (unsigned i = 0; i < SEND_TRIES; i++)
		if (sendto(s->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0 ||
		    (errno != EAGAIN && errno != EBUSY))
			break;
}

unsigned xdp_socket_send(struct xdp_socket *s, struct port *port,
			 struct packet *const packets[], unsigned n,
			 unsigned thread, uint64_t *sent_bytes)
{
	unsigned sent = 0;

	reap(s);
	for (unsigned i = 0; i < n; i++) {
		const struct packet *p = packets[i];
		struct xdp_desc *desc;
		uint32_t at;

		if (p->len > XDP_FRAME_ROOM) {
			port_drop(port, thread, DROP_TX_TOO_BIG, 1);
			continue;
		}
		if (!s->n_free || xsk_ring_prod__reserve(&s->tx, 1, &at) != 1) {
			port_drop(port, thread, DROP_TX_FULL, 1);
			continue;
		}
		desc = xsk_ring_prod__tx_desc(&s->tx, at);
		desc->addr = s->free[--s->n_free];
		desc->len = p->len;
		desc->options = 0;
		copy(s->area + desc->addr, p);
		*sent_bytes += p->len;
		sent++;
	}
	xsk_ring_prod__submit(&s->tx, sent);
	if (sent && xsk_ring_prod__needs_wakeup(&s->tx))
		wake(s);
	return sent;
}
