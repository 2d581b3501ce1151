/*
 * vhost-user ports (Interface types "dpdkvhostuser", "dpdkvhostuserclient" as
 * Open vSwitch has them, and "vhostuser", "vhostuserclient", the same): a
 * virtual machine's network card, whose rings lie in memory that its monitor
 * shares with us over a Unix socket.
 *
 * vhost_socket.c finds the front end, vhost_front_end.c talks with it,
 * vhost_queue.c moves the frames, vhost_describe.c tells of all this. Here such
 * a port is opened, changed and closed.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "port/classes.h"
#include "port/vhost_port.h"

static void make_queues(struct vhost_port *vp)
{
	unsigned n = vp->options.n_pairs;

	vp->rxqs = xcalloc_aligned(n, sizeof(*vp->rxqs));
	vp->rxq_pointers = xcalloc(n, sizeof(*vp->rxq_pointers));
	vp->to_guest = xcalloc(n, sizeof(*vp->to_guest));
	for (unsigned i = 0; i < n; i++) {
		struct vhost_rxq *q = &vp->rxqs[i];

		q->up.port = &vp->up;
		q->up.index = i;
		q->up.fd = -1;
		q->up.idle = true;
		q->vq = vhost_session_queue(vp->session, 2 * i + 1);
		vp->rxq_pointers[i] = &q->up;
		vp->to_guest[i] = vhost_session_queue(vp->session, 2 * i);
	}
	vp->up.rxqs = vp->rxq_pointers;
	vp->up.n_rxqs = n;
	for (unsigned i = 0; i < PORT_THREADS_MAX; i++) {
		vp->txqs[i].port = &vp->up;
		vp->txqs[i].index = i;
		vp->txq_pointers[i] = &vp->txqs[i];
	}
	vp->up.txqs = vp->txq_pointers;
	vp->up.n_txqs = PORT_THREADS_MAX;
}

static void close_port(struct port *port)
{
	struct vhost_port *vp = vhost_port(port);

	vhost_port_unwatch(vp);
	vhost_socket_destroy(vp->socket);
	if (vp->readable)
		event_free(vp->readable);
	vhost_message_clear(&vp->reader.message);
	if (vp->fd >= 0)
		close(vp->fd);
	if (vp->session)
		vhost_session_destroy(vp->session);
	vhost_options_free(&vp->options);
	free(vp->trouble);
	free(vp->to_guest);
	free(vp->rxq_pointers);
	free(vp->rxqs);
	port_fini(port);
	free(vp);
}

static int open_socket(struct vhost_port *vp, char **errp)
{
	const struct vhost_socket_config config = {
		.events = vp->events,
		.name = vp->up.name,
		.options = &vp->options,
		.connected = vhost_port_connected,
		.arg = vp,
	};
	int error = 0;

	vp->socket = vhost_socket_create(&config, &error, errp);
	return error;
}

static int open_as(const struct port_class *class, bool client,
		   const struct port_config *config, struct port **portp,
		   char **errp)
{
	struct vhost_port *vp = xcalloc_aligned(1, sizeof(*vp));
	int error;

	port_init(&vp->up, class, config);
	vp->up.tx_enabled = false;
	vp->fd = -1;
	vp->mtu_request = config->mtu_request;
	vp->events = config->events;
	vp->changed = config->changed;
	vp->changed_arg = config->changed_arg;
	error = vhost_options_read(&vp->options, config, client, errp);
	if (!error && !vp->events)
		error = set_error(errp, -EINVAL,
				  "%s: a %s port needs an event loop",
				  config->name, config->type);
	if (!error) {
		vhost_port_make_session(vp, config->state_dir);
		make_queues(vp);
		error = open_socket(vp, errp);
	}
	if (error) {
		close_port(&vp->up);
		return error;
	}
	vhost_port_watch(vp);
	*portp = &vp->up;
	return 0;
}

/* What the front end need not know of; the rest takes another connection. */
static int reconfigure(struct port *port, const struct port_config *config,
		       char **errp)
{
	struct vhost_port *vp = vhost_port(port);
	struct vhost_options new;
	int error;

	error = vhost_options_read(&new, config, vp->options.client, errp);
	if (!error) {
		vp->options.mode = new.mode;
		vp->options.owner = new.owner;
		vp->options.group = new.group;
		if (!vhost_options_equal(&vp->options, &new))
			error = -EOPNOTSUPP;
	}
	vhost_options_free(&new);
	if (error)
		return error;
	if (vp->mtu_request != config->mtu_request) {
		vp->mtu_request = config->mtu_request;
		vp->has_changed = true;
		vhost_port_follow(vp);
	}
	return vhost_socket_set_access(vp->socket, errp);
}

static void settled(struct port *port)
{
	vhost_session_settled(vhost_port(port)->session);
}

#define VHOST_CLASS(KIND, CLIENT)                                              \
	static int open_##KIND(const struct port_config *config,               \
			       struct port **portp, char **errp)               \
	{                                                                      \
		return open_as(&port_class_##KIND, CLIENT, config, portp,      \
			       errp);                                          \
	}                                                                      \
	const struct port_class port_class_##KIND = {                          \
		.type = #KIND,                                                 \
		.polls_in_memory = true,                                       \
		.any_threads = true,                                           \
		.open = open_##KIND,                                           \
		.close = close_port,                                           \
		.reconfigure = reconfigure,                                    \
		.status = vhost_port_status,                                   \
		.describe = vhost_port_describe,                               \
		.settled = settled,                                            \
		.receive = vhost_port_receive,                                 \
		.done = vhost_port_done,                                       \
		.arm = vhost_port_arm,                                         \
		.send = vhost_port_send,                                       \
		.warm = vhost_port_warm,                                       \
	}

VHOST_CLASS(vhostuser, false);
VHOST_CLASS(vhostuserclient, true);
VHOST_CLASS(dpdkvhostuser, false);
VHOST_CLASS(dpdkvhostuserclient, true);
