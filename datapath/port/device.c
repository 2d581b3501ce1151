/*
 * The device kind (Interface type "" or "system"): a network device that the
 * host has, a NIC, one end of a veth pair, a tap that a VMM holds. Frames come
 * and go by packet sockets, one a receive queue; the device is promiscuous and
 * its frames are kept from the host's own stack as long as the port is open.
 *
 * With the kernel's fast path, a program does that, and forwards what it can by
 * itself; the sockets then have a filter and get the rest (fastpath/program.c
 * has what happens when, so that each frame goes one way). Where it cannot be
 * had, all frames come by the sockets.
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
#include "fastpath/attach.h"
#include "fastpath/fastpath.h"
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
	struct fastpath *fastpath; /* as it was configured; NULL: not wanted */
	/* Its part while that is not wanted any more; or NULL. */
	struct fastpath_port *resting;
	bool shut;	  /* nothing comes in by the sockets yet */
	bool is_filtered; /* the fast path's program says what does */
	bool bypass;	  /* the queueing discipline, there being none */
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

/* Without a drop in front of them, and without permission to see whose. */
static void warn_of_programs(const struct device *d)
{
	struct attach_point point = { .ifindex = d->ifindex,
				      .hook = ATTACH_INGRESS,
				      .way = ATTACH_TCX };
	uint32_t id;

	if (attach_list(&point, &id, 1))
		log_warn("%s: BPF program %u at its ingress sees all frames, "
			 "too. If a killed vswd has left it, those between "
			 "known stations arrive twice until \"vswd "
			 "--clean-up\" removes it, as root",
			 d->up.name, id);
}

static void block_host(struct device *d)
{
	int error =
		ingress_block_attach(&d->block, d->ifindex, INGRESS_BLOCK_ANY);

	if (!error)
		return;
	log_warn("%s: the host's own stack sees the frames that this port "
		 "receives, and may answer them: cannot attach the drop at "
		 "ingress: %s",
		 d->up.name, strerror(-error));
	warn_of_programs(d);
}

/* --- the kernel's fast path ------------------------------------------------
 */

/*
 * Sockets make the device promiscuous, which ends with them, while the program
 * is to go on. What has no address filter needs nothing.
 */
static void stay_promiscuous(struct device *d, const struct netdev_info *info)
{
	int error;

	if (!strcmp(info->kind, "veth") || !strcmp(info->kind, "tun") ||
	    info->flags & IFF_PROMISC)
		return;
	error = fastpath_port_stay_promiscuous(d->up.fastpath);
	if (error)
		log_warn("%s: cannot be made promiscuous for good, so that "
			 "little is forwarded while no vswd runs: %s",
			 d->up.name, strerror(-error));
}

/* Before the sockets: none of them may get what the program forwards. */
static void open_fastpath(struct device *d, const struct netdev_info *info)
{
	if (d->fastpath)
		d->up.fastpath =
			fastpath_port_open(d->fastpath, d->ifindex, d->up.name,
					   FASTPATH_DEVICE, &d->up.no_fastpath);
	if (d->up.fastpath)
		stay_promiscuous(d, info);
	else
		block_host(d);
}

static int let_in(struct device *d)
{
	int filter_fd = d->up.fastpath ? fastpath_filter_fd(d->fastpath) : -1;
	int error = 0;

	for (unsigned i = 0; i < d->up.n_rxqs && !error; i++)
		error = packet_socket_let_in(&d->queues[i].socket, filter_fd);
	d->shut = error != 0;
	d->is_filtered = filter_fd >= 0;
	return error;
}

static void close_fastpath(struct device *d)
{
	fastpath_port_close(d->up.fastpath);
	fastpath_port_close(d->resting);
	d->up.fastpath = d->resting = NULL;
}

/*
 * The sockets are shut. A filter of clsact takes the program's place, so that
 * one has to go before, and the host may see a frame.
 */
static void do_without_fastpath(struct device *d, int error)
{
	log_warn("%s: does without the kernel's fast path: %s", d->up.name,
		 strerror(-error));
	d->up.no_fastpath = xasprintf("the kernel's program cannot be put in "
				      "place of an older one: %s",
				      strerror(-error));
	close_fastpath(d);
	block_host(d);
	error = let_in(d);
	if (error)
		log_err("%s: receives nothing: %s", d->up.name,
			strerror(-error));
}

/*
 * Attaching and removing a program at a device takes some 10 ms, in which all
 * else waits. So a port that had a part keeps it until it is closed, while none
 * is wanted: no publication names it, and its program drops what comes. Only
 * the sockets' filter goes, when no program forwards any more, and comes back
 * before one does.
 *
 * One that has none gets it with its sockets at work: the program first, which
 * drops, as the block behind it does, then the filter, which takes all; nothing
 * is forwarded until a publication, which waits for every frame that has passed
 * the sockets before, when it puts the bridge's FDB in force.
 */
static void join_fastpath(struct device *d)
{
	struct fastpath_port *part = d->resting;
	int error;

	free(d->up.no_fastpath);
	d->up.no_fastpath = NULL;
	if (!part)
		part = fastpath_port_open(d->fastpath, d->ifindex, d->up.name,
					  FASTPATH_DEVICE, &d->up.no_fastpath);
	d->resting = NULL;
	d->up.fastpath = part;
	if (!part)
		return;
	error = let_in(d);
	if (!error)
		return;
	d->up.no_fastpath = xasprintf("its packet sockets take no filter: %s",
				      strerror(-error));
	d->shut = false; /* those without it take all, too */
	d->resting = part;
	d->up.fastpath = NULL;
}

static void leave_fastpath(struct device *d)
{
	free(d->up.no_fastpath);
	d->up.no_fastpath = NULL;
	if (d->up.fastpath)
		d->resting = d->up.fastpath;
	d->up.fastpath = NULL;
}

/* fastpath: NULL when it is not wanted. */
static void switch_fastpath(struct device *d, struct fastpath *fastpath)
{
	if (fastpath == d->fastpath)
		return;
	d->fastpath = fastpath;
	if (fastpath)
		join_fastpath(d);
	else
		leave_fastpath(d);
}

/*
 * A filter of clsact that blocks the device has the place of the program's, and
 * an old program that forwards is taken over before sockets are open.
 */
static bool switches_in_place(const struct device *d)
{
	return !d->shut && !d->block.filter;
}

static void device_settled(struct port *port)
{
	struct device *d = device_of(port);
	int error;

	if (d->resting && d->is_filtered)
		let_in(d);
	if (!d->shut || !port->fastpath)
		return;
	error = fastpath_port_settle(port->fastpath);
	if (!error)
		error = let_in(d);
	if (error)
		do_without_fastpath(d, error);
}

/* --- opening and closing ---------------------------------------------------
 */

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
	if (d->up.fastpath)
		fastpath_port_follow(d->up.fastpath, d->up.mtu,
				     d->up.tx_enabled);
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

static void close_sockets(struct device *d)
{
	for (unsigned i = 0; i < d->up.n_rxqs; i++)
		packet_socket_close(&d->queues[i].socket);
	d->up.n_rxqs = 0;
}

static int open_sockets(struct device *d, unsigned n, char **errp)
{
	struct packet_socket sockets[QUEUES_MAX];
	int error =
		packet_sockets_open(sockets, n, d->up.name, d->ifindex, errp);

	if (error)
		return error;
	d->up.n_rxqs = n;
	for (unsigned i = 0; i < n; i++)
		d->queues[i].socket = sockets[i];
	d->shut = d->up.fastpath && fastpath_port_is_old(d->up.fastpath);
	error = d->shut ? 0 : let_in(d);
	if (error)
		set_error(errp, error,
			  "could not let packet sockets receive on network "
			  "device %s (%s)",
			  d->up.name, strerror(-error));
	return error;
}

static void device_close(struct port *port)
{
	struct device *d = device_of(port);

	close_sockets(d);
	close_fastpath(d);
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
	d->fastpath = config->fastpath;
	d->first_carrier_changes = info.carrier_changes;
	d->lock_fd = -1;
	error = netdev_port_claim(&info, &d->lock_fd, errp);
	if (!error) {
		open_fastpath(d, &info);
		error = open_sockets(d, netdev_port_n_rxqs(config, QUEUES_MAX),
				     errp);
	}
	if (error) {
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
	    config->n_threads != port->n_threads ||
	    (config->fastpath != d->fastpath && !switches_in_place(d)))
		return -EOPNOTSUPP;
	switch_fastpath(d, config->fastpath);
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

/* What the kernel forwarded by itself is the port's, too. */
static void add_forwarded(const struct fastpath_port *part,
			  struct port_counters *total)
{
	struct fp_counters c;

	fastpath_port_counters(part, &c);
	netdev_port_add_forwarded(&c, total);
}

static void device_counters(struct port *port, struct port_counters *total)
{
	struct device *d = device_of(port);

	for (unsigned i = 0; i < port->n_rxqs; i++)
		d->rx_overflows +=
			packet_socket_take_drops(&d->queues[i].socket);
	counter_add(&total->drops[DROP_RX_OVERFLOW], d->rx_overflows);
	if (port->fastpath || d->resting)
		add_forwarded(port->fastpath ? port->fastpath : d->resting,
			      total);
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
	.settled = device_settled,
	.device_counters = device_counters,
	.receive = device_receive,
	.done = device_done,
	.arm = device_arm,
	.send = device_send,
};
