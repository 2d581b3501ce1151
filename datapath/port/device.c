/*
 * The device kind (Interface type "" or "system"): a network device that the
 * host has, a NIC, one end of a veth pair, a tap that a VMM holds. Frames come
 * and go by packet sockets, one a receive queue; the device is promiscuous and
 * its frames are kept from the host's own stack as long as the port is open.
 *
 * What the host itself sends on the device is none of ours.
 *
 * The device may go away at any time. The sockets then receive nothing and
 * refuse to send; status() says that it is not present, and the port is to be
 * closed, and opened anew when netlink shows a device of that name.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "packet/offload.h"
#include "port/classes.h"
#include "port/ingress_block.h"
#include "port/netdev_port.h"
#include "port/packet_socket.h"

LOG_MODULE(device);

#define QUEUES_MAX (PORT_THREADS_MAX - 1)

struct device_queue {
	struct port_rxq rxq;
	struct packet_socket socket;
};

struct device {
	struct port up;
	int ifindex;
	int lock_fd;
	struct ingress_block block;
	bool bypass; /* the queueing discipline, there being none */
	uint64_t rx_overflows;
	uint32_t first_carrier_changes;
	struct device_queue queues[QUEUES_MAX];
	struct port_rxq *rxqs[QUEUES_MAX];
	struct port_txq txqs[PORT_THREADS_MAX], *txq_pointers[PORT_THREADS_MAX];
};

static struct device *device_of(const struct port *port)
{
	return CONTAINER_OF(port, struct device, up);
}

static struct device_queue *queue_of(const struct port_rxq *rxq)
{
	return CONTAINER_OF(rxq, struct device_queue, rxq);
}

static void block_host(struct device *d)
{
	int error =
		ingress_block_attach(&d->block, d->ifindex, INGRESS_BLOCK_ANY);

	if (error)
		log_warn("%s: the host's own stack sees the frames that this "
			 "port receives, and may answer them: cannot attach "
			 "the drop at ingress: %s",
			 d->up.name, strerror(-error));
}

/*
 * A device without a queueing discipline (a veth end, most virtual ones) is
 * sent to directly, which is cheaper; where there is one, it is asked to queue.
 */
static void follow_qdisc(struct device *d, const struct netdev_info *info)
{
	bool bypass = !strcmp(info->qdisc, "noqueue");

	if (bypass == d->bypass)
		return;
	d->bypass = bypass;
	for (unsigned i = 0; i < d->up.n_rxqs; i++)
		packet_socket_set_bypass(&d->queues[i].socket, bypass);
}

/* Takes over what the device is like now; false when it is not ours (now). */
static bool follow(struct device *d, struct netdev_info *info)
{
	bool present =
		!netdev_get(d->up.name, info) && info->ifindex == d->ifindex;

	if (present)
		follow_qdisc(d, info);
	netdev_port_follow(&d->up, present, info);
	return present;
}

static void set_up_queues(struct device *d)
{
	struct port *port = &d->up;

	for (unsigned i = 0; i < port->n_rxqs; i++) {
		struct device_queue *q = &d->queues[i];

		q->rxq.port = port;
		q->rxq.index = i;
		q->rxq.fd = q->socket.fd;
		d->rxqs[i] = &q->rxq;
	}
	port->rxqs = d->rxqs;
	for (unsigned i = 0; i < port->n_threads; i++) {
		d->txqs[i].port = port;
		d->txqs[i].index = i;
		d->txq_pointers[i] = &d->txqs[i];
	}
	port->txqs = d->txq_pointers;
	port->n_txqs = port->n_threads;
	port->tx_offloads = OFFLOAD_ALL;
}

static int open_sockets(struct device *d, char **errp)
{
	struct packet_socket sockets[QUEUES_MAX];
	int error = packet_sockets_open(sockets, d->up.n_rxqs, d->up.name,
					d->ifindex, errp);

	for (unsigned i = 0; i < d->up.n_rxqs && !error; i++)
		d->queues[i].socket = sockets[i];
	return error;
}

static void device_close(struct port *port)
{
	struct device *d = device_of(port);

	for (unsigned i = 0; i < port->n_rxqs; i++)
		packet_socket_close(&d->queues[i].socket);
	ingress_block_detach(&d->block);
	if (d->lock_fd >= 0)
		close(d->lock_fd);
	port_fini(port);
	free(d);
}

static int device_open(const struct port_config *config, struct port **portp,
		       char **errp)
{
	struct netdev_info info;
	int error = netdev_get(config->name, &info);
	char *why = NULL;
	struct device *d;

	if (port_config_uses_xdp(config))
		return port_class_afxdp.open(config, portp, errp);
	if (error)
		return netdev_open_error(config->name, error, errp);
	d = xcalloc_aligned(1, sizeof(*d));
	port_init(&d->up, &port_class_device, config);
	d->ifindex = info.ifindex;
	d->block = INGRESS_BLOCK_NONE;
	d->first_carrier_changes = info.carrier_changes;
	d->lock_fd = -1;
	error = netdev_port_claim(&info, &d->lock_fd, errp);
	if (!error) {
		block_host(d);
		d->up.n_rxqs = netdev_port_n_rxqs(config, QUEUES_MAX);
		error = open_sockets(d, errp);
	}
	if (error) {
		d->up.n_rxqs = 0;
		device_close(&d->up);
		return error;
	}
	set_up_queues(d);
	if (netdev_port_apply(&info, config, &why))
		log_warn("%s", why);
	free(why);
	follow(d, &info);
	*portp = &d->up;
	return 0;
}

static int device_reconfigure(struct port *port,
			      const struct port_config *config, char **errp)
{
	struct device *d = device_of(port);
	struct netdev_info info;
	int error;

	if (port_config_uses_xdp(config) ||
	    netdev_port_n_rxqs(config, QUEUES_MAX) != port->n_rxqs ||
	    config->n_threads != port->n_threads)
		return -EOPNOTSUPP;
	if (!follow(d, &info))
		return netdev_open_error(port->name, -ENODEV, errp);
	error = netdev_port_apply(&info, config, errp);
	follow(d, &info);
	return error;
}

static void device_status(struct port *port, struct port_status *status)
{
	struct device *d = device_of(port);
	struct netdev_info info;

	status->present = follow(d, &info);
	if (status->present)
		netdev_port_status(&info, d->first_carrier_changes, status);
}

static void device_counters(struct port *port, struct port_counters *total)
{
	struct device *d = device_of(port);

	for (unsigned i = 0; i < port->n_rxqs; i++)
		d->rx_overflows +=
			packet_socket_take_drops(&d->queues[i].socket);
	counter_add(&total->drops[DROP_RX_OVERFLOW], d->rx_overflows);
}

static unsigned device_receive(struct port_rxq *rxq, struct packet *packets,
			       unsigned max, unsigned thread)
{
	struct device_queue *q = queue_of(rxq);

	return packet_socket_receive(&q->socket, rxq->port, packets, max,
				     thread);
}

static void device_done(struct port_rxq *rxq)
{
	struct device_queue *q = queue_of(rxq);

	packet_socket_done(&q->socket);
}

static bool device_arm(struct port_rxq *rxq)
{
	struct device_queue *q = queue_of(rxq);

	packet_socket_arm(&q->socket);
	return true;
}

static unsigned device_send(struct port_txq *txq,
			    struct packet *const packets[], unsigned n,
			    unsigned thread, uint64_t *sent_bytes)
{
	struct device *d = device_of(txq->port);
	struct device_queue *q = &d->queues[txq->index % d->up.n_rxqs];

	return packet_socket_send(&q->socket, txq->port, packets, n, thread,
				  sent_bytes);
}

const struct port_class port_class_device = {
	.type = "",
	.open = device_open,
	.close = device_close,
	.reconfigure = device_reconfigure,
	.status = device_status,
	.device_counters = device_counters,
	.receive = device_receive,
	.done = device_done,
	.arm = device_arm,
	.send = device_send,
};
