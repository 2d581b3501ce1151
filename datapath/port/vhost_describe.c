/* What a vhost-user port shows of itself: to the database, and to commands. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "port/vhost_port.h"
#include "port/vhost_user.h"

void vhost_port_status(struct port *port, struct port_status *status)
{
	struct vhost_port *vp = vhost_port(port);

	status->present = true;
	status->admin_up = true;
	status->link_up = vp->link_up;
	status->link_resets = vp->link_resets;
}

struct describing {
	void (*add)(void *arg, const char *key, const char *value);
	void *arg;
};

static void add_text(const struct describing *d, const char *key,
		     const char *fmt, ...) PRINTF_LIKE(3, 4);

static void add_text(const struct describing *d, const char *key,
		     const char *fmt, ...)
{
	va_list args;
	char *text = NULL;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) >= 0)
		d->add(d->arg, key, text);
	va_end(args);
	free(text);
}

static void describe_rings(const struct vhost_port *vp,
			   const struct describing *d)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 2 * vp->options.n_pairs; i++) {
		struct virtqueue *vq = vhost_session_queue(vp->session, i);
		struct virtqueue_info info;
		char key[32];

		virtqueue_get_info(vq, &info);
		if (!info.started)
			continue;
		n++;
		snprintf(key, sizeof(key), "vring_%u_size", i);
		add_text(d, key, "%u", info.size);
		if (!virtqueue_broken(vq))
			continue;
		snprintf(key, sizeof(key), "vring_%u_broken", i);
		add_text(d, key, "%s", virtqueue_broken(vq));
	}
	add_text(d, "num_of_vrings", "%u", n);
}

/* The keys are Open vSwitch's, where it has them. */
void vhost_port_describe(struct port *port,
			 void (*add)(void *arg, const char *key,
				     const char *value),
			 void *arg)
{
	const struct vhost_port *vp = vhost_port(port);
	const struct describing d = { add, arg };
	struct vhost_session_info info;

	add_text(&d, "mode", "%s", vp->options.client ? "client" : "server");
	add_text(&d, "socket", "%s", vp->options.path);
	add_text(&d, "status", "%s",
		 vp->fd >= 0 ? "connected" : "disconnected");
	if (vp->trouble)
		add_text(&d, "last_error", "%s", vp->trouble);
	if (vp->fd < 0)
		return;
	vhost_session_get_info(vp->session, &info);
	add_text(&d, "features", "0x%016llx",
		 (unsigned long long)info.features);
	add_text(&d, "userspace-tso", "%s",
		 info.tx_offloads & PORT_TX_TSO4 ? "enabled" : "disabled");
	add_text(&d, "n_rxq", "%u", info.n_pairs);
	add_text(&d, "n_txq", "%u", info.n_pairs);
	describe_rings(vp, &d);
}

bool vhost_user_get_info(struct port *port, struct vhost_user_info *info)
{
	const struct vhost_port *vp;

	if (port->class->describe != vhost_port_describe)
		return false;
	vp = vhost_port(port);
	*info = (struct vhost_user_info){
		.client = vp->options.client,
		.connected = vp->fd >= 0,
		.path = vp->options.path,
		.peer_pid = vp->peer_pid,
		.trouble = vp->trouble,
		.connections = vp->connections,
		.session = vp->session,
		.n_pairs = vp->options.n_pairs,
	};
	return true;
}
