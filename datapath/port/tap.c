/*
 * The tap kinds (Interface type "tap" and "internal"): a network device of the
 * host that we make, with ourselves at the other end of its wire. It exists as
 * long as the port is open, and is gone when the process is, however that ends:
 * unless it takes part in the kernel's fast path (tap_fastpath.h), which is to
 * go on then. A later process attaches to what was left so.
 *
 * "internal" is the host's own port on a bridge; it differs in nothing else.
 * As Open vSwitch does, the device is left down: whoever gives it an address
 * sets it up. It may be put into another network namespace, and works there.
 *
 * Every frame has a virtio-net header in front, so that large GSO frames pass
 * whole (tun: TUN_F_*, IFF_VNET_HDR). A device with several queues spreads what
 * the host sends over them by flow. What we send may be written to any of them
 * at any time by any thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/tun.h"
#include "packet/offload.h"
#include "port/classes.h"
#include "port/netdev_port.h"
#include "port/rx_arena.h"
#include "port/tap_fastpath.h"

LOG_MODULE(tap);

/* Of Linux 6.2. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#define QUEUES_MAX (PORT_THREADS_MAX - 1)
#define PIECES_MAX 1024 /* of one frame; the kernel's limit */

struct tap {
	struct port up;
	int ifindex;
	struct netdev_lock lock;
	uint32_t first_carrier_changes;
	uint64_t first_dropped; /* of a device that was left */
	struct tap_fastpath fastpath;
	uint64_t rx_overflows;		    /* as the device said last, */
	uint64_t rx_packets_asked;	    /* when so many had been received */
	struct port_rxq queues[QUEUES_MAX]; /* fd: the queue of the tap */
	struct port_rxq *rxqs[QUEUES_MAX];
	struct port_txq txqs[PORT_THREADS_MAX], *txq_pointers[PORT_THREADS_MAX];
};

static struct tap *tap_of(const struct port *port)
{
	return CONTAINER_OF(port, struct tap, up);
}

/*
 * Opens one queue; the first makes the device. To one that someone made
 * persistent it would attach, so whoever calls has looked before.
 */
static int open_queue(const char *name, bool several, int *fdp)
{
	int header = VNET_HDR_LEN;
	int error = tun_attach(name, several, fdp);

	if (error || !ioctl(*fdp, TUNSETVNETHDRSZ, &header))
		return error;
	error = -errno;
	close(*fdp);
	return error;
}

/* What the host may leave to us; older kernels know less. */
static int set_offloads(int fd)
{
	const unsigned tso =
		TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;

	if (!ioctl(fd, TUNSETOFFLOAD, tso | TUN_F_USO4 | TUN_F_USO6))
		return OFFLOAD_ALL;
	if (!ioctl(fd, TUNSETOFFLOAD, tso))
		return OFFLOAD_ALL & ~OFFLOAD_USO;
	return -errno;
}

/* *left: a device of that name is there, and we are to attach to it: locked. */
static int check_name(const struct port_config *config, bool *left,
		      struct netdev_lock *lock, char **errp)
{
	const char *name = config->name;
	struct netdev_info info;
	int error;

	*left = false;
	*lock = NETDEV_LOCK_NONE;
	if (!name[0] || strlen(name) >= IFNAMSIZ || strchr(name, '%') ||
	    strchr(name, '/'))
		return set_error(errp, -EINVAL,
				 "\"%s\" cannot be the name of a network "
				 "device: 1 to %d characters, no / and no %%",
				 name, IFNAMSIZ - 1);
	error = netdev_get(name, &info);
	if (error == -ENODEV)
		return 0;
	if (error)
		return netdev_open_error(name, error, errp);
	*left = tap_fastpath_is_left(config);
	if (*left)
		return netdev_lock(&info, lock, errp);
	if (tap_fastpath_remove_left(config, &info))
		return 0;
	return set_error(errp, -EEXIST,
			 "could not create network device %s (File exists): "
			 "the host has a device of that name; remove it (ip "
			 "link del %s) or choose another name",
			 name, name);
}

static int create_error(const char *name, int error, char **errp)
{
	const char *help = "";

	if (error == -EPERM || error == -EACCES)
		help = ": CAP_NET_ADMIN is needed";
	else if (error == -ENOENT)
		help = ": /dev/net/tun is missing (modprobe tun)";
	else if (error == -EBUSY)
		help = ": another process uses it";
	return set_error(errp, error,
			 "could not create network device %s (%s)%s", name,
			 strerror(-error), help);
}

static void close_queues(struct tap *t)
{
	for (unsigned i = 0; i < t->up.n_rxqs; i++)
		close(t->queues[i].fd);
	t->up.n_rxqs = 0;
}

/*
 * One that was left is for one queue or for several, as it was made; to be used
 * as it is rather than to lose its addresses.
 */
static int open_first_queue(struct tap *t, bool left, bool *several)
{
	int *fd = &t->queues[0].fd;
	int error = open_queue(t->up.name, *several, fd);

	if (error != -EINVAL || !left)
		return error;
	*several = !*several;
	return open_queue(t->up.name, *several, fd);
}

/* Opens n queues; the port's n_rxqs counts those that are open. */
static int open_queues(struct tap *t, unsigned n, bool left)
{
	bool several = n > 1;
	int error, offloads;

	error = open_first_queue(t, left, &several);
	for (unsigned i = 0; !error; i++) {
		t->queues[i].port = &t->up;
		t->queues[i].index = i;
		t->rxqs[i] = &t->queues[i];
		t->up.n_rxqs = i + 1;
		if (i + 1 == (several ? n : 1))
			break;
		error = open_queue(t->up.name, true, &t->queues[i + 1].fd);
	}
	if (error)
		return error;
	offloads = set_offloads(t->queues[0].fd);
	if (offloads < 0)
		return offloads;
	t->up.tx_offloads = offloads;
	return 0;
}

/*
 * Of a device that someone else has removed, a queue's descriptor is ready for
 * ever. Something that is never ready takes its number until the port is
 * closed.
 */
static void park(struct tap *t)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	for (unsigned i = 0; i < t->up.n_rxqs && fd >= 0; i++)
		dup3(fd, t->queues[i].fd, O_CLOEXEC);
	if (fd >= 0)
		close(fd);
}

enum whereabouts {
	TAP_GONE,
	TAP_HERE,
	/*
	 * In another network namespace, where someone has put it to give it to
	 * a container. It works on; we see neither whether it is up nor what
	 * MTU it has there, so frames of any length pass.
	 */
	TAP_ELSEWHERE,
};

/* Asks the device itself, then the kernel; info is filled if it is here. */
static enum whereabouts find(struct tap *t, struct netdev_info *info)
{
	struct ifreq ifr = { 0 };

	if (ioctl(t->queues[0].fd, TUNGETIFF, &ifr))
		return TAP_GONE;
	/* By the name that it has now; the number alone may be another's. */
	if (netdev_get(ifr.ifr_name, info))
		return TAP_ELSEWHERE;
	if (info->ifindex == t->ifindex)
		return TAP_HERE;
	/* It was away, and got another number there. */
	if (!tun_is_here(t->queues[0].fd))
		return TAP_ELSEWHERE;
	t->ifindex = info->ifindex;
	return TAP_HERE;
}

static enum whereabouts follow(struct tap *t, struct netdev_info *info)
{
	enum whereabouts where = find(t, info);

	netdev_lock_follow(&t->lock, where == TAP_HERE ? info : NULL);
	if (where == TAP_ELSEWHERE) {
		/* When it is down, the write says so. */
		atomic_store_explicit(&t->up.tx_enabled, true,
				      memory_order_relaxed);
		atomic_store_explicit(&t->up.mtu, UINT16_MAX,
				      memory_order_relaxed);
	} else {
		netdev_port_follow(&t->up, where == TAP_HERE, info);
	}
	tap_fastpath_follow(&t->fastpath, &t->up, t->queues[0].fd,
			    where == TAP_HERE ? info->ifindex : 0);
	if (where == TAP_GONE)
		park(t);
	return where;
}

static void tap_close(struct port *port)
{
	struct tap *t = tap_of(port);

	tap_fastpath_close(&t->fastpath, port, t->queues[0].fd);
	close_queues(t);
	netdev_unlock(&t->lock);
	port_fini(port);
	free(t);
}

static void set_up_senders(struct tap *t)
{
	struct port *port = &t->up;

	for (unsigned i = 0; i < PORT_THREADS_MAX; i++) {
		t->txqs[i].port = port;
		t->txqs[i].index = i;
		t->txq_pointers[i] = &t->txqs[i];
	}
	port->rxqs = t->rxqs;
	port->txqs = t->txq_pointers;
	port->n_txqs = PORT_THREADS_MAX;
}

static int open_as(const struct port_class *class,
		   const struct port_config *config, struct port **portp,
		   char **errp)
{
	unsigned n = netdev_port_n_rxqs(config, QUEUES_MAX);
	struct netdev_info info;
	struct netdev_lock lock;
	bool left;
	int error = check_name(config, &left, &lock, errp);
	char *why = NULL;
	struct tap *t;

	if (error)
		return error;
	t = xcalloc_aligned(1, sizeof(*t));
	port_init(&t->up, class, config);
	set_up_senders(t);
	t->lock = lock;
	tap_fastpath_configure(&t->fastpath, config);
	error = open_queues(t, n, left);
	if (!error)
		error = netdev_get(config->name, &info);
	if (error) {
		tap_close(&t->up);
		return create_error(config->name, error, errp);
	}
	t->ifindex = info.ifindex;
	t->first_carrier_changes = info.carrier_changes;
	t->first_dropped = info.tx_dropped;
	t->rx_packets_asked = UINT64_MAX;
	if (netdev_port_apply(&info, config, &why))
		log_warn("%s", why);
	free(why);
	follow(t, &info);
	*portp = &t->up;
	return 0;
}

static int tap_open(const struct port_config *config, struct port **portp,
		    char **errp)
{
	return open_as(&port_class_tap, config, portp, errp);
}

static int internal_open(const struct port_config *config, struct port **portp,
			 char **errp)
{
	return open_as(&port_class_internal, config, portp, errp);
}

static int tap_reconfigure(struct port *port, const struct port_config *config,
			   char **errp)
{
	struct tap *t = tap_of(port);
	struct netdev_info info;
	int error;

	tap_fastpath_configure(&t->fastpath, config);
	switch (follow(t, &info)) {
	case TAP_GONE:
		return netdev_open_error(port->name, -ENODEV, errp);
	case TAP_ELSEWHERE:
		return 0;
	case TAP_HERE:
		break;
	}
	error = netdev_port_apply(&info, config, errp);
	follow(t, &info);
	return error;
}

static void tap_status(struct port *port, struct port_status *status)
{
	struct tap *t = tap_of(port);
	struct netdev_info info;

	switch (follow(t, &info)) {
	case TAP_HERE:
		netdev_port_status(&info, t->first_carrier_changes, status);
		break;
	case TAP_ELSEWHERE:
		status->present = status->admin_up = status->link_up = true;
		status->mtu = 0;
		break;
	case TAP_GONE:
		break;
	}
}

static void tap_settled(struct port *port)
{
	struct tap *t = tap_of(port);

	tap_fastpath_settled(&t->fastpath, port, t->queues[0].fd);
}

/*
 * What the host sent while the queue to us was full, the device counts as
 * dropped. Frames that we receive later come after every such one: where there
 * were none, there is nothing to ask.
 */
static void tap_counters(struct port *port, struct port_counters *total)
{
	struct tap *t = tap_of(port);
	struct netdev_info info;

	if (t->rx_packets_asked != total->rx_packets &&
	    find(t, &info) == TAP_HERE) {
		t->rx_packets_asked = total->rx_packets;
		t->rx_overflows = info.tx_dropped - t->first_dropped;
	}
	counter_add(&total->drops[DROP_RX_OVERFLOW], t->rx_overflows);
	tap_fastpath_counters(&t->fastpath, port, total);
}

/* One frame of n bytes with its header; false: dropped and counted. */
static bool take_frame(struct port *port, struct packet *p, uint8_t *frame,
		       ssize_t n, unsigned thread)
{
	if (n < VNET_HDR_LEN || n > VNET_HDR_LEN + PACKET_LEN_MAX) {
		port_drop(port, thread, DROP_TRUNCATED, 1);
		return false;
	}
	packet_init(p, frame, n - VNET_HDR_LEN);
	if (offload_receive(p, frame - VNET_HDR_LEN,
			    OFFLOAD_ALL | OFFLOAD_TRUSTED))
		return true;
	port_drop(port, thread, DROP_BAD_OFFLOAD, 1);
	return false;
}

static unsigned tap_receive(struct port_rxq *rxq, struct packet *packets,
			    unsigned max, unsigned thread)
{
	uint8_t *arena = rx_arena();
	size_t bytes = 0;
	unsigned n = 0;

	max = MIN(max, RX_ARENA_SLOTS);
	for (unsigned i = 0; i < max && bytes < RX_ARENA_BURST_BYTES; i++) {
		uint8_t *frame = rx_arena_frame(arena, i);
		ssize_t got = read(rxq->fd, frame - VNET_HDR_LEN,
				   VNET_HDR_LEN + RX_ARENA_ROOM);

		if (got < 0)
			break;
		bytes += got;
		n += take_frame(rxq->port, &packets[n], frame, got, thread);
	}
	return n;
}

static void tap_done(struct port_rxq *rxq)
{
}

static enum drop_reason reason_of(int error)
{
	switch (error) {
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		return DROP_TX_FULL;
	case EIO: /* the device is down */
	case ENODEV:
	case EBADFD:   /* or gone */
	case ENOTCONN: /* and parked */
		return DROP_TX_DOWN;
	default:
		return DROP_TX_ERROR;
	}
}

static bool send_one(struct port *port, int fd, const struct packet *p,
		     unsigned thread)
{
	struct iovec iov[PIECES_MAX];
	uint8_t vnet[VNET_HDR_LEN];
	unsigned n = packet_iov(p, iov + 1, PIECES_MAX - 1);
	enum drop_reason reason;

	if (!n || !offload_send(p, vnet)) {
		reason = DROP_TX_OFFLOAD;
	} else {
		iov[0].iov_base = vnet;
		iov[0].iov_len = sizeof(vnet);
		if (writev(fd, iov, n + 1) >= 0)
			return true;
		reason = reason_of(errno);
	}
	port_drop(port, thread, reason, 1);
	return false;
}

static unsigned tap_send(struct port_txq *txq, struct packet *const packets[],
			 unsigned n, unsigned thread, uint64_t *sent_bytes)
{
	struct tap *t = tap_of(txq->port);
	int fd = t->rxqs[txq->index % t->up.n_rxqs]->fd;
	unsigned sent = 0;

	for (unsigned i = 0; i < n; i++) {
		if (!send_one(&t->up, fd, packets[i], thread))
			continue;
		sent++;
		*sent_bytes += packets[i]->len;
	}
	return sent;
}

#define TAP_CLASS(TYPE, OPEN)                                                  \
	{                                                                      \
		.type = TYPE, .open = OPEN, .close = tap_close,                \
		.any_threads = true, .reconfigure = tap_reconfigure,           \
		.status = tap_status, .settled = tap_settled,                  \
		.device_counters = tap_counters, .receive = tap_receive,       \
		.done = tap_done, .send = tap_send,                            \
	}

const struct port_class port_class_tap = TAP_CLASS("tap", tap_open);
const struct port_class port_class_internal =
	TAP_CLASS("internal", internal_open);
