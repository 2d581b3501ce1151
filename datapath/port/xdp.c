/*
 * The afxdp kind: a device of the host by AF_XDP sockets, one a queue of the
 * device. Interface type "afxdp", or the device kind with options:xdp-mode,
 * whose values are Open vSwitch's.
 *
 * It is for physical cards: the driver hands frames over without a socket
 * buffer, and where it can, without a copy. What the host's stack would know
 * beside a frame does not come along: no large (GSO) frames, no unfinished
 * checksums, and no tag that the card has taken out.
 */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "port/classes.h"
#include "port/netdev_port.h"
#include "port/xdp_program.h"
#include "port/xdp_socket.h"

LOG_MODULE(xdp);

#define QUEUES_MAX    (PORT_THREADS_MAX - 1)
#define BUSY_TRIES    50
#define BUSY_PAUSE_US 2000
#define MTU_MAX	      (XDP_FRAME_ROOM - ETH_HEADER_LEN - 2 * VLAN_TAG_LEN)

enum xdp_mode {
	XDP_BEST_EFFORT,
	XDP_NATIVE_ZERO_COPY,
	XDP_NATIVE,
	XDP_GENERIC,
	N_XDP_MODES
};

static const char *const mode_names[] = {
	[XDP_BEST_EFFORT] = "best-effort",
	[XDP_NATIVE_ZERO_COPY] = "native-with-zerocopy",
	[XDP_NATIVE] = "native",
	[XDP_GENERIC] = "generic",
};

struct xdp_queue {
	struct port_rxq rxq;
	struct xdp_socket socket;
};

struct xdp {
	struct port up;
	int ifindex;
	int lock_fd;
	int promiscuous_fd;
	enum xdp_mode wanted, mode;
	struct xdp_program program;
	uint32_t first_carrier_changes;
	struct xdp_queue *queues[QUEUES_MAX];
	struct port_rxq *rxqs[QUEUES_MAX];
	struct port_txq txqs[QUEUES_MAX], *txq_pointers[QUEUES_MAX];
};

static struct xdp *xdp_of(const struct port *port)
{
	return CONTAINER_OF(port, struct xdp, up);
}

/* --- opening ----------------------------------------------------------- */

static int read_mode(const struct port_config *config, enum xdp_mode *mode,
		     char **errp)
{
	const char *text = port_config_option(config, "xdp-mode");

	*mode = XDP_BEST_EFFORT;
	if (!text)
		return 0;
	for (unsigned i = 0; i < N_XDP_MODES; i++) {
		if (!strcmp(text, mode_names[i])) {
			*mode = i;
			return 0;
		}
	}
	return set_error(errp, -EINVAL,
			 "%s: options:xdp-mode is \"%s\"; it must be "
			 "best-effort, native-with-zerocopy, native or generic",
			 config->name, text);
}

/* Queues that the device receives in: all of them need a socket. */
static unsigned count_queues(const char *name)
{
	struct ethtool_channels channels = { .cmd = ETHTOOL_GCHANNELS };
	struct ifreq request = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	unsigned n = 1;

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	request.ifr_data = (char *)&channels;
	if (fd >= 0 && !ioctl(fd, SIOCETHTOOL, &request))
		n = channels.combined_count + channels.rx_count;
	if (fd >= 0)
		close(fd);
	return MAX(n, 1u);
}

static int be_promiscuous(struct xdp *x)
{
	const struct packet_mreq request = {
		.mr_ifindex = x->ifindex,
		.mr_type = PACKET_MR_PROMISC,
	};

	/* Of no protocol: it receives nothing. */
	x->promiscuous_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (x->promiscuous_fd < 0 ||
	    setsockopt(x->promiscuous_fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP,
		       &request, sizeof(request)) < 0)
		return -errno;
	return 0;
}

static void close_queues(struct xdp *x)
{
	xdp_program_detach(&x->program);
	for (unsigned i = 0; i < x->up.n_rxqs; i++)
		if (x->queues[i])
			xdp_socket_close(&x->queues[i]->socket);
}

static int try_queues(struct xdp *x, enum xdp_mode mode)
{
	bool native = mode != XDP_GENERIC;
	int error = xdp_program_attach(&x->program, x->ifindex, x->up.n_rxqs,
				       native);

	for (unsigned i = 0; i < x->up.n_rxqs && !error; i++) {
		struct xdp_socket *s = &x->queues[i]->socket;

		error = xdp_socket_open(s, x->up.name, i, native,
					mode == XDP_NATIVE_ZERO_COPY);
		if (!error)
			error = xdp_program_set_socket(&x->program, i, s->fd);
	}
	if (error)
		close_queues(x);
	else
		x->mode = mode;
	return error;
}

/* The kernel lets go of sockets that were closed a little later. */
static int open_queues(struct xdp *x, enum xdp_mode mode)
{
	int error = try_queues(x, mode);

	for (unsigned i = 0; i < BUSY_TRIES && error == -EBUSY; i++) {
		usleep(BUSY_PAUSE_US);
		error = try_queues(x, mode);
	}
	return error;
}

static int open_as_wanted(struct xdp *x, char **errp)
{
	enum xdp_mode mode = x->wanted;
	int error;

	if (mode == XDP_BEST_EFFORT) {
		error = open_queues(x, XDP_NATIVE);
		if (!error)
			return 0;
		mode = XDP_GENERIC;
	}
	error = open_queues(x, mode);
	if (!error)
		return 0;
	return set_error(errp, error,
			 "%s: cannot be used by AF_XDP in mode %s: %s; "
			 "xdp-mode generic takes any device, and without "
			 "xdp-mode a packet socket is used",
			 x->up.name, mode_names[mode], strerror(-error));
}

static void set_up_queues(struct xdp *x, unsigned n)
{
	struct port *port = &x->up;

	port->n_rxqs = port->n_txqs = n;
	for (unsigned i = 0; i < n; i++) {
		x->queues[i] = xcalloc_aligned(1, sizeof(*x->queues[i]));
		x->queues[i]->rxq.port = port;
		x->queues[i]->rxq.index = i;
		x->rxqs[i] = &x->queues[i]->rxq;
		x->txqs[i].port = port;
		x->txqs[i].index = i;
		x->txq_pointers[i] = &x->txqs[i];
	}
	port->rxqs = x->rxqs;
	port->txqs = x->txq_pointers;
	port->tx_shared = n < port->n_threads;
}

static bool follow(struct xdp *x, struct netdev_info *info)
{
	bool present =
		!netdev_get(x->up.name, info) && info->ifindex == x->ifindex;

	netdev_port_follow(&x->up, present, info);
	return present;
}

static void xdp_close(struct port *port)
{
	struct xdp *x = xdp_of(port);

	close_queues(x);
	for (unsigned i = 0; i < port->n_rxqs; i++)
		free(x->queues[i]);
	if (x->promiscuous_fd >= 0)
		close(x->promiscuous_fd);
	if (x->lock_fd >= 0)
		close(x->lock_fd);
	port_fini(port);
	free(x);
}

static int check_mtu(const struct port_config *config,
		     const struct netdev_info *info, char **errp)
{
	uint32_t mtu = config->mtu_request ? config->mtu_request : info->mtu;

	if (mtu <= MTU_MAX)
		return 0;
	return set_error(errp, -EINVAL,
			 "%s: its MTU is %u; AF_XDP takes up to %d, so set a "
			 "smaller one (mtu_request) or leave out xdp-mode",
			 config->name, mtu, (int)MTU_MAX);
}

static int start(struct xdp *x, const struct port_config *config,
		 const struct netdev_info *info, char **errp)
{
	unsigned n = count_queues(config->name);
	char *why = NULL;
	int error = check_mtu(config, info, errp);

	if (error)
		return error;
	if (n > QUEUES_MAX)
		return set_error(errp, -EINVAL,
				 "%s: it has %u queues; AF_XDP here takes up "
				 "to %d (ethtool -L %s combined %d)",
				 config->name, n, QUEUES_MAX, config->name,
				 QUEUES_MAX);
	error = netdev_port_claim(info, &x->lock_fd, errp);
	if (error)
		return error;
	if (netdev_port_apply(info, config, &why))
		log_warn("%s", why);
	free(why);
	set_up_queues(x, n);
	error = open_as_wanted(x, errp);
	for (unsigned i = 0; i < n && !error; i++)
		x->queues[i]->rxq.fd = x->queues[i]->socket.fd;
	if (!error && be_promiscuous(x))
		log_warn("%s: cannot be made promiscuous: %s", x->up.name,
			 strerror(errno));
	return error;
}

static int xdp_open(const struct port_config *config, struct port **portp,
		    char **errp)
{
	struct netdev_info info;
	enum xdp_mode mode;
	struct xdp *x;
	int error = read_mode(config, &mode, errp);

	if (error)
		return error;
	error = netdev_get(config->name, &info);
	if (error)
		return netdev_open_error(config->name, error, errp);
	x = xcalloc_aligned(1, sizeof(*x));
	port_init(&x->up, &port_class_afxdp, config);
	x->ifindex = info.ifindex;
	x->lock_fd = x->promiscuous_fd = -1;
	x->program = XDP_PROGRAM_NONE;
	x->wanted = mode;
	x->up.no_fastpath = xstrdup("AF_XDP takes its frames before");
	x->first_carrier_changes = info.carrier_changes;
	error = start(x, config, &info, errp);
	if (error) {
		xdp_close(&x->up);
		return error;
	}
	follow(x, &info);
	log_info("%s: AF_XDP, %s%s", x->up.name, mode_names[x->mode],
		 x->queues[0]->socket.zero_copy ? ", zero-copy" : "");
	*portp = &x->up;
	return 0;
}

/* --- changes and status ------------------------------------------------ */

static int xdp_reconfigure(struct port *port, const struct port_config *config,
			   char **errp)
{
	struct xdp *x = xdp_of(port);
	struct netdev_info info;
	enum xdp_mode mode;
	int error = read_mode(config, &mode, errp);

	if (error)
		return error;
	if (mode != x->wanted || config->n_threads != port->n_threads ||
	    !port_config_uses_xdp(config))
		return -EOPNOTSUPP;
	if (!follow(x, &info))
		return netdev_open_error(port->name, -ENODEV, errp);
	error = check_mtu(config, &info, errp);
	if (!error)
		error = netdev_port_apply(&info, config, errp);
	follow(x, &info);
	return error;
}

static void xdp_status(struct port *port, struct port_status *status)
{
	struct xdp *x = xdp_of(port);
	struct netdev_info info;

	status->present = follow(x, &info);
	if (status->present)
		netdev_port_status(&info, x->first_carrier_changes, status);
}

static void xdp_describe(struct port *port,
			 void (*add)(void *arg, const char *key,
				     const char *value),
			 void *arg)
{
	struct xdp *x = xdp_of(port);

	add(arg, "xdp-mode",
	    x->queues[0]->socket.zero_copy ? mode_names[XDP_NATIVE_ZERO_COPY]
					   : mode_names[x->mode]);
}

static void xdp_counters(struct port *port, struct port_counters *total)
{
	struct xdp *x = xdp_of(port);

	for (unsigned i = 0; i < port->n_rxqs; i++)
		counter_add(&total->drops[DROP_RX_OVERFLOW],
			    xdp_socket_get_drops(&x->queues[i]->socket));
}

/* --- frames ------------------------------------------------------------ */

static unsigned xdp_receive(struct port_rxq *rxq, struct packet *packets,
			    unsigned max, unsigned thread)
{
	struct xdp_queue *q = CONTAINER_OF(rxq, struct xdp_queue, rxq);

	return xdp_socket_receive(&q->socket, packets, max);
}

static void xdp_done(struct port_rxq *rxq)
{
	xdp_socket_done(&CONTAINER_OF(rxq, struct xdp_queue, rxq)->socket);
}

static unsigned xdp_send(struct port_txq *txq, struct packet *const packets[],
			 unsigned n, unsigned thread, uint64_t *sent_bytes)
{
	struct xdp *x = xdp_of(txq->port);

	return xdp_socket_send(&x->queues[txq->index]->socket, txq->port,
			       packets, n, thread, sent_bytes);
}

const struct port_class port_class_afxdp = {
	.type = "afxdp",
	.polls_in_memory = true,
	.open = xdp_open,
	.close = xdp_close,
	.reconfigure = xdp_reconfigure,
	.status = xdp_status,
	.describe = xdp_describe,
	.device_counters = xdp_counters,
	.receive = xdp_receive,
	.done = xdp_done,
	.send = xdp_send,
};
