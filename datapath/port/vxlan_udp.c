/*
 * The port of type "vxlan-udp" (vxlan_port.h): UDP sockets of the host that
 * carry VXLAN, as whole frames to the switch. It takes no capability, but for a
 * receive buffer beyond net.core.rmem_max (CAP_NET_ADMIN) and ports below 1024
 * (CAP_NET_BIND_SERVICE).
 */
#include <errno.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <stdlib.h>

#include "port/classes.h"
#include "port/netdev_port.h"
#include "port/vxlan_udp.h"

static struct vxlan_udp *udp_of(struct port *port)
{
	return CONTAINER_OF(port, struct vxlan_udp, up);
}

static void vxlan_udp_close(struct port *port)
{
	struct vxlan_udp *u = udp_of(port);

	vxlan_udp_sockets_close(u);
	free(u->queues);
	port_fini(port);
	free(u);
}

static void set_up_queues(struct vxlan_udp *u)
{
	struct port *port = &u->up;

	for (unsigned i = 0; i < u->n_queues; i++) {
		struct vxlan_udp_queue *q = &u->queues[i];

		q->rxq.port = port;
		q->rxq.index = i;
		q->rxq.fd = q->fd;
		vxlan_udp_queue_init(u, q);
		u->rxqs[i] = &q->rxq;
	}
	port->rxqs = u->rxqs;
	port->n_rxqs = u->n_queues;
	for (unsigned i = 0; i < PORT_THREADS_MAX; i++) {
		u->txqs[i].port = port;
		u->txqs[i].index = i;
		u->txq_pointers[i] = &u->txqs[i];
	}
	port->txqs = u->txq_pointers;
	port->n_txqs = PORT_THREADS_MAX;
	/* The kernel finishes checksums, whether asked to or not. */
	port->tx_offloads = PORT_TX_CSUM | (u->can_segment ? PORT_TX_USO : 0);
}

static struct vxlan_udp *create(const struct port_config *config,
				const struct vxlan_udp_options *options)
{
	struct vxlan_udp *u = xcalloc_aligned(1, sizeof(*u));

	port_init(&u->up, &port_class_vxlan_udp, config);
	u->up.mtu = UINT16_MAX; /* the kernel knows the path's */
	u->options = *options;
	u->n_queues = netdev_port_n_rxqs(config, VXLAN_UDP_QUEUES_MAX) +
		      options->n_groups;
	u->queues = xcalloc_aligned(u->n_queues, sizeof(*u->queues));
	for (unsigned i = 0; i < u->n_queues; i++)
		u->queues[i].fd = -1;
	for (unsigned i = 0; i < VXLAN_UDP_SOURCES; i++)
		u->sources[i] = (struct vxlan_udp_source){ -1, -1, 0 };
	return u;
}

static int vxlan_udp_open(const struct port_config *config, struct port **portp,
			  char **errp)
{
	struct vxlan_udp_options options;
	int error = vxlan_udp_options_read(&options, config, errp);
	struct vxlan_udp *u;

	if (error)
		return error;
	u = create(config, &options);
	error = vxlan_udp_sockets_open(u, errp);
	if (error) {
		vxlan_udp_close(&u->up);
		return error;
	}
	set_up_queues(u);
	*portp = &u->up;
	return 0;
}

static int vxlan_udp_reconfigure(struct port *port,
				 const struct port_config *config, char **errp)
{
	struct vxlan_udp_options options;
	int error = vxlan_udp_options_read(&options, config, errp);

	if (error)
		return error;
	return vxlan_udp_options_same(&options, &udp_of(port)->options)
		       ? 0
		       : -EOPNOTSUPP;
}

/* The kernel counts in 32 bits; also datagrams with a wrong checksum. */
static void vxlan_udp_counters(struct port *port, struct port_counters *total)
{
	struct vxlan_udp *u = udp_of(port);

	for (unsigned i = 0; i < u->n_queues; i++) {
		struct vxlan_udp_queue *q = &u->queues[i];
		uint32_t info[SK_MEMINFO_VARS] = { 0 };
		socklen_t len = sizeof(info);

		if (getsockopt(q->fd, SOL_SOCKET, SO_MEMINFO, info, &len) ||
		    len <= SK_MEMINFO_DROPS * sizeof(info[0]))
			continue;
		u->rx_overflows += info[SK_MEMINFO_DROPS] - q->drops;
		q->drops = info[SK_MEMINFO_DROPS];
	}
	counter_add(&total->drops[DROP_RX_OVERFLOW], u->rx_overflows);
}

static void vxlan_udp_describe(struct port *port,
			       void (*add)(void *arg, const char *key,
					   const char *value),
			       void *arg)
{
	struct vxlan_udp *u = udp_of(port);
	int bytes = 0;
	socklen_t len = sizeof(bytes);
	char text[16];

	getsockopt(u->queues[0].fd, SOL_SOCKET, SO_RCVBUF, &bytes, &len);
	snprintf(text, sizeof(text), "%d", bytes);
	add(arg, "udp-receive-buffer", text);
	add(arg, "udp-segmentation", u->can_segment ? "true" : "false");
}

/* Datagrams lie in the thread's arena. */
static void vxlan_udp_done(struct port_rxq *rxq)
{
}

const struct port_class port_class_vxlan_udp = {
	.type = "vxlan-udp",
	.any_threads = true,
	.made_up = true,
	.open = vxlan_udp_open,
	.close = vxlan_udp_close,
	.reconfigure = vxlan_udp_reconfigure,
	.describe = vxlan_udp_describe,
	.device_counters = vxlan_udp_counters,
	.receive = vxlan_udp_receive,
	.done = vxlan_udp_done,
	.send = vxlan_udp_send,
};
