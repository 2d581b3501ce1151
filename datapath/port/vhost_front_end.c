/*
 * A vhost-user port's front end: its messages are read and answered, and what
 * they change becomes the port's: which receive queues are served, how many
 * are sent to, MTU, offloads, link.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/ticks.h"
#include "port/vhost_port.h"
#include "port/vhost_user.h"

LOG_MODULE(vhost);

/*
 * Messages of one front end before other events have their turn: so many, or
 * so much time, since some take the whole of a memory table or all queues.
 */
#define MESSAGES_AT_ONCE 32
#define TURN_US		 1000
#define WATCH_INTERVAL_S 1

/* All ports of the kinds, and the timer that looks after them. */
static struct vhost_port *all;
static struct event *watch_timer;

/* --- what a session changes ------------------------------------------------
 */

static void queue_changed(void *arg, unsigned index)
{
	struct vhost_port *vp = arg;
	struct port_rxq *rxq = &vp->rxqs[index / 2].up;

	rxq->fd = vhost_session_kick_fd(vp->session, index);
	rxq->idle = rxq->fd < 0;
	rxq->epoch++;
	vp->has_changed = true;
}

static void session_changed(void *arg)
{
	struct vhost_port *vp = arg;

	vp->has_changed = true;
}

/*
 * The worker that serves the queue sends it; it is woken by a new snapshot, in
 * which the queue is another. Its kick descriptor is the front end's, too: a
 * write to that might block.
 */
static void announce(void *arg, uint64_t mac)
{
	struct vhost_port *vp = arg;

	if (!mac || mac_is_multicast(mac))
		return;
	atomic_store(&vp->rxqs[0].announce, mac);
	if (vp->rxqs[0].up.idle)
		return; /* it comes with the queue's start */
	vp->rxqs[0].up.epoch++;
	vp->has_changed = true;
}

static void follow_link(struct vhost_port *vp, bool up)
{
	if (up == vp->link_up)
		return;
	vp->link_up = up;
	vp->link_resets++;
}

/* Without a request, the MTU is the guest's; it is never more than either. */
static uint32_t mtu_now(const struct vhost_port *vp, uint16_t told)
{
	uint32_t mtu = vp->mtu_request;

	if (told && (!mtu || told < mtu))
		mtu = told;
	return mtu ? mtu : PORT_MTU_DEFAULT;
}

void vhost_port_follow(struct vhost_port *vp)
{
	struct vhost_session_info info;
	bool up;

	if (!vp->has_changed)
		return;
	vp->has_changed = false;
	vhost_session_get_info(vp->session, &info);
	up = vp->fd >= 0 && info.link_up && info.n_pairs;
	atomic_store_explicit(&vp->up.tx_offloads, info.tx_offloads,
			      memory_order_relaxed);
	atomic_store_explicit(&vp->up.mtu, mtu_now(vp, info.mtu),
			      memory_order_relaxed);
	atomic_store_explicit(&vp->n_to_guest, up ? info.n_pairs : 0,
			      memory_order_release);
	atomic_store_explicit(&vp->up.tx_enabled, up, memory_order_relaxed);
	follow_link(vp, up);
	if (vp->changed)
		vp->changed(&vp->up, vp->changed_arg);
}

/* The caller's to free; NULL: none. */
static char *ring_file_of(const char *state_dir, const char *port)
{
	if (!state_dir || strchr(port, '/'))
		return NULL;
	return xasprintf("%s/vhost/%s.rings", state_dir, port);
}

void vhost_user_forget(const char *state_dir, const char *port)
{
	char *path = ring_file_of(state_dir, port);

	if (path && unlink(path) && errno != ENOENT)
		log_warn("%s: cannot remove %s: %s", port, path,
			 strerror(errno));
	free(path);
}

void vhost_port_make_session(struct vhost_port *vp, const char *state_dir)
{
	char *ring_file = ring_file_of(state_dir, vp->up.name);
	const struct vhost_session_config config = {
		.name = vp->up.name,
		.n_pairs = vp->options.n_pairs,
		.mtu = MIN(vp->up.mtu, (uint32_t)UINT16_MAX),
		.features_off = vp->options.features_off,
		.ring_file = ring_file,
		.queue_changed = queue_changed,
		.changed = session_changed,
		.announce = announce,
		.arg = vp,
	};

	vp->session = vhost_session_create(&config);
	free(ring_file);
}

/* --- the connection --------------------------------------------------------
 */

/* Takes over why; NULL: it ended in peace. */
static void disconnect(struct vhost_port *vp, char *why)
{
	if (why)
		log_warn_limited("%s: the front end is given up: %s",
				 vp->up.name, why);
	else
		log_info_limited("%s: the front end has disconnected",
				 vp->up.name);
	free(vp->trouble);
	vp->trouble = why;
	event_free(vp->readable);
	vp->readable = NULL;
	vhost_message_clear(&vp->reader.message);
	memset(&vp->reader, 0, sizeof(vp->reader));
	close(vp->fd);
	vp->fd = -1;
	vp->peer_pid = 0;
	vp->n_broken = 0;
	vhost_session_reset(vp->session);
	atomic_store(&vp->rxqs[0].announce, 0);
	vp->has_changed = true;
	vhost_socket_ended(vp->socket);
}

static int handle_message(struct vhost_port *vp, char **errp)
{
	struct vhost_message reply = { 0 };
	bool has_reply = false;
	int error;

	log_dbg("%s: %s", vp->up.name,
		vhost_request_name(vp->reader.message.request));
	error = vhost_session_handle(vp->session, &vp->reader.message, &reply,
				     &has_reply, errp);
	vhost_message_clear(&vp->reader.message);
	vp->reader.have = 0;
	/* What is acknowledged is in force: frames may be on their way. */
	vhost_port_follow(vp);
	if (!error && has_reply) {
		error = vhost_message_write(&reply, vp->fd);
		if (error)
			set_error(errp, error, "it takes no replies: %s",
				  strerror(-error));
	}
	vhost_message_clear(&reply);
	return error;
}

static void readable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct vhost_port *vp = arg;
	uint64_t end = ticks_now() + ticks_from_us(TURN_US);
	char *why = NULL;
	int r = 1;

	for (unsigned i = 0; i < MESSAGES_AT_ONCE && r > 0; i++) {
		if (i && ticks_now() >= end)
			break;
		r = vhost_message_read(&vp->reader, fd, &why);
		if (r > 0 && handle_message(vp, &why))
			r = -EPROTO;
	}
	if (r == -ECONNRESET) {
		free(why);
		why = NULL;
	} else if (r < 0 && !why) {
		why = xstrdup(strerror(-r));
	}
	if (r < 0)
		disconnect(vp, why);
	vhost_port_follow(vp);
}

static int peer_pid(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		return 0;
	return peer.pid;
}

void vhost_port_connected(void *arg, int fd)
{
	struct vhost_port *vp = arg;

	vp->fd = fd;
	vp->peer_pid = peer_pid(fd);
	vp->connections++;
	free(vp->trouble);
	vp->trouble = NULL;
	vp->readable = event_new(vp->events, fd, EV_READ | EV_PERSIST,
				 readable_cb, vp);
	event_add(vp->readable, NULL);
	log_info_limited("%s: front end connected (process %d)", vp->up.name,
			 vp->peer_pid);
	vp->has_changed = true;
	vhost_port_follow(vp);
}

/*
 * A worker has found it broken, and said so in the log: the queue rests until
 * it is started anew.
 */
static void look_for_broken_rings(struct vhost_port *vp)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 2 * vp->options.n_pairs; i++)
		n += virtqueue_broken(vhost_session_queue(vp->session, i)) !=
		     NULL;
	vp->has_changed |= n != vp->n_broken;
	vp->n_broken = n;
}

/*
 * What workers meet: memory that a front end took away, whose frames would be
 * zeros, and rings that break the rules. One timer for all ports, which costs
 * nothing to speak of while all is well.
 */
static void watch_cb(evutil_socket_t fd, short what, void *arg)
{
	for (struct vhost_port *vp = all; vp; vp = vp->next) {
		if (vp->fd < 0)
			continue;
		if (vhost_session_is_damaged(vp->session))
			disconnect(vp, xstrdup("memory that it shared is gone "
					       "(its file was cut short)"));
		else
			look_for_broken_rings(vp);
		vhost_port_follow(vp);
	}
}

void vhost_port_watch(struct vhost_port *vp)
{
	const struct timeval interval = { .tv_sec = WATCH_INTERVAL_S };

	vp->next = all;
	all = vp;
	if (watch_timer)
		return;
	watch_timer = event_new(vp->events, -1, EV_PERSIST, watch_cb, NULL);
	event_add(watch_timer, &interval);
}

void vhost_port_unwatch(struct vhost_port *vp)
{
	struct vhost_port **p = &all;

	while (*p && *p != vp)
		p = &(*p)->next;
	if (*p)
		*p = vp->next;
	if (all || !watch_timer)
		return;
	event_free(watch_timer);
	watch_timer = NULL;
}
