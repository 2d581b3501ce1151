/*
 * The connection to a vhost-user back end (front_end.h): how it comes, what it
 * is asked then, and how it ends. An error anywhere closes the socket at once;
 * its owner hears of it from the loop, where nothing is under way.
 */
#include "vmm/vhost/front_end_internal.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

LOG_MODULE(vhost);

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void free_event(struct event **event)
{
	if (*event)
		event_free(*event);
	*event = NULL;
}

static void disconnect(struct vhost_front_end *f)
{
	vhost_rings_recover(f);
	free_event(&f->socket_event);
	close_fd(&f->socket);
}

void vhost_front_end_fail(struct vhost_front_end *f, const char *why)
{
	if (f->socket < 0)
		return;
	disconnect(f);
	log_warn_limited("%s: the vhost-user back end has gone: %s",
			 f->device->ops->name, why);
	event_active(f->lost_event, EV_TIMEOUT, 1);
}

/* --- requests --- */

/* What comes next is the answer to `request`. */
static int receive_answer(struct vhost_front_end *f, uint32_t request,
			  struct vhost_message *m, uint32_t size_min, int *fd,
			  char **errp)
{
	const struct vhost_header *header = &m->header;
	int got, error = vhost_message_receive(f->socket, m, &got, errp);

	if (!error && (header->request != request ||
		       (header->flags & VHOST_VERSION_MASK) != VHOST_VERSION ||
		       !(header->flags & VHOST_REPLY) ||
		       header->size < size_min || (got >= 0 && !fd)))
		error = set_error(errp, -EPROTO,
				  "its answer to request %u is none: request "
				  "%u, flags %#x, %u bytes",
				  request, header->request, header->flags,
				  header->size);
	if (fd && !error)
		*fd = got;
	else
		close_fd(&got);
	return error;
}

int vhost_front_end_ask(struct vhost_front_end *f,
			struct vhost_message *message, uint32_t reply_min,
			int *fd, char **errp)
{
	uint32_t request = message->header.request;
	int error = vhost_message_send(f->socket, message, NULL, 0, errp);

	return error
		       ?: receive_answer(f, request, message, reply_min, fd,
					 errp);
}

int vhost_front_end_send(struct vhost_front_end *f, enum vhost_request request,
			 const void *payload, uint32_t size, const int *fds,
			 unsigned int n_fds, char **errp)
{
	struct vhost_message m = vhost_message_of(request, size);
	bool ack = vhost_front_end_has(f, VHOST_PROTOCOL_REPLY_ACK);
	int error;

	if (size)
		memcpy(&m.payload, payload, size);
	if (ack)
		m.header.flags |= VHOST_NEED_REPLY;
	error = vhost_message_send(f->socket, &m, fds, n_fds, errp);
	if (error || !ack)
		return error;
	error = receive_answer(f, request, &m, sizeof(m.payload.u64), NULL,
			       errp);
	if (!error && m.payload.u64)
		error = set_error(errp, -EREMOTEIO, "it refused request %u",
				  request);
	return error;
}

int vhost_front_end_tell(struct vhost_front_end *f, enum vhost_request request,
			 uint64_t value, char **errp)
{
	return vhost_front_end_send(f, request, &value, sizeof(value), NULL, 0,
				    errp);
}

static int ask_u64(struct vhost_front_end *f, enum vhost_request request,
		   uint64_t *value, char **errp)
{
	struct vhost_message m = vhost_message_of(request, 0);
	int error = vhost_front_end_ask(f, &m, sizeof(*value), NULL, errp);

	*value = m.payload.u64;
	return error;
}

int vhost_front_end_get_config(struct vhost_front_end *f, void *data,
			       uint32_t length, char **errp)
{
	struct vhost_message m = vhost_message_of(VHOST_GET_CONFIG, 0);
	struct vhost_config *config = &m.payload.config;
	uint32_t size = offsetof(struct vhost_config, bytes) + length;
	int error;

	if (!vhost_front_end_has(f, VHOST_PROTOCOL_CONFIG))
		return set_error(errp, -ENOTSUP,
				 "it does not tell the configuration");
	config->size = length;
	m.header.size = size;
	error = vhost_front_end_ask(f, &m, size, NULL, errp);
	if (error)
		return error;
	if (config->offset || config->size != length)
		return set_error(errp, -EPROTO,
				 "it told %u bytes of configuration at %u, not "
				 "%u at 0",
				 config->size, config->offset, length);
	memcpy(data, config->bytes, length);
	return 0;
}

/* --- connecting --- */

static int negotiate(struct vhost_front_end *f, char **errp)
{
	const uint64_t wanted =
		1ull << VHOST_PROTOCOL_MQ | 1ull << VHOST_PROTOCOL_RARP |
		1ull << VHOST_PROTOCOL_REPLY_ACK |
		1ull << VHOST_PROTOCOL_NET_MTU | 1ull << VHOST_PROTOCOL_CONFIG |
		1ull << VHOST_PROTOCOL_INFLIGHT;
	uint64_t n = 1, offered;
	int error;

	f->offer.protocol = 0;
	error = ask_u64(f, VHOST_GET_FEATURES, &f->offer.features, errp);
	if (!error && f->offer.features >> VHOST_F_PROTOCOL_FEATURES & 1) {
		error = ask_u64(f, VHOST_GET_PROTOCOL_FEATURES, &offered, errp);
		error = error
				?: vhost_front_end_tell(
					   f, VHOST_SET_PROTOCOL_FEATURES,
					   offered & wanted, errp);
		if (!error)
			f->offer.protocol = offered & wanted;
	}
	error = error
			?: vhost_front_end_send(f, VHOST_SET_OWNER, NULL, 0,
						NULL, 0, errp);
	if (!error && vhost_front_end_has(f, VHOST_PROTOCOL_MQ))
		error = ask_u64(f, VHOST_GET_QUEUE_NUM, &n, errp);
	f->offer.queues = MIN(n, 256);
	return error;
}

static int check_offer(const struct vhost_front_end *f, char **errp)
{
	uint64_t offered =
		f->wanted ? f->device->negotiated : f->device->offered;
	uint64_t missing = (offered | 1ull << VIRTIO_F_VERSION_1) &
			   ~f->offer.features & ~f->own_features;

	if (missing)
		return set_error(errp, -ENOTSUP,
				 "it lacks the features %#jx that the guest "
				 "was offered",
				 (uintmax_t)missing);
	if (f->offer.queues < f->queues)
		return set_error(errp, -ENOTSUP,
				 "it has %u queues (queue pairs) and %u are "
				 "needed: raise its number, or lower ours",
				 f->offer.queues, f->queues);
	return 0;
}

static void on_socket(int fd, short events, void *aux);

static int take_socket(struct vhost_front_end *f, int fd, char **errp)
{
	int error;

	f->socket = fd;
	error = negotiate(f, errp);
	error = error ?: check_offer(f, errp);
	if (!error && f->wanted)
		error = vhost_rings_run(f, true, errp);
	if (error) {
		disconnect(f);
		return error;
	}
	f->socket_event =
		event_new(f->loop, fd, EV_READ | EV_PERSIST, on_socket, f);
	event_add(f->socket_event, NULL);
	if (f->listen_event)
		event_del(f->listen_event);
	return 0;
}

int vhost_front_end_connect(struct vhost_front_end *f, int fd, char **errp)
{
	char *why = NULL;
	int error = -EISCONN;

	pthread_mutex_lock(&f->device->lock);
	if (f->socket < 0 && !event_pending(f->lost_event, EV_TIMEOUT, NULL))
		error = take_socket(f, fd, &why);
	else
		close(fd);
	pthread_mutex_unlock(&f->device->lock);
	if (error)
		set_error(errp, error, "%s: vhost-user back end refused: %s",
			  f->device->ops->name, why ?: "there is one already");
	else if (f->ops->connected)
		f->ops->connected(f->device);
	free(why);
	return error;
}

static void on_listener(int listener, short events, void *aux)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct vhost_front_end *f = aux;
	char *why = NULL;

	if (fd < 0 &&
	    (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
		return;
	if (fd < 0)
		log_warn_limited("%s: cannot accept a vhost-user back end: %s",
				 f->device->ops->name, strerror(errno));
	else if (vhost_front_end_connect(f, fd, &why))
		log_warn_limited("%s", why);
	free(why);
}

void vhost_front_end_listen(struct vhost_front_end *f, int listener)
{
	f->listener = listener;
	f->listen_event = event_new(f->loop, listener, EV_READ | EV_PERSIST,
				    on_listener, f);
	event_add(f->listen_event, NULL);
}

/* --- the end of a connection --- */

/* Nothing comes on the socket but answers, which are waited for. */
static void on_socket(int fd, short events, void *aux)
{
	struct vhost_front_end *f = aux;
	uint8_t byte;
	ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	pthread_mutex_lock(&f->device->lock);
	vhost_front_end_fail(f, n > 0	? "it speaks without being asked"
				: n < 0 ? strerror(errno)
					: "it closed the connection");
	pthread_mutex_unlock(&f->device->lock);
}

static void on_lost(int fd, short events, void *aux)
{
	struct vhost_front_end *f = aux;

	if (f->listen_event)
		event_add(f->listen_event, NULL);
	f->ops->disconnected(f->device);
}

static void on_call_changed(int fd, short events, void *aux)
{
	struct vhost_front_end *f = aux;

	pthread_mutex_lock(&f->device->lock);
	vhost_rings_send_calls(f);
	pthread_mutex_unlock(&f->device->lock);
}

void vhost_front_end_call_changed(struct vhost_front_end *f)
{
	event_active(f->call_event, EV_TIMEOUT, 1);
}

/* --- life --- */

struct vhost_front_end *vhost_front_end_create(
	struct event_base *loop, struct virtio_device *device,
	uint64_t own_features, unsigned int queues,
	const struct vhost_front_end_ops *ops)
{
	struct vhost_front_end *f = xcalloc(1, sizeof(*f));

	f->loop = loop;
	f->device = device;
	f->own_features = own_features;
	f->queues = queues;
	f->ops = ops;
	f->socket = f->listener = f->inflight.fd = -1;
	f->n_enabled = VIRTIO_MAX_QUEUES;
	f->lost_event = event_new(loop, -1, EV_TIMEOUT, on_lost, f);
	f->call_event = event_new(loop, -1, EV_TIMEOUT, on_call_changed, f);
	return f;
}

void vhost_front_end_destroy(struct vhost_front_end *f)
{
	if (!f)
		return;
	disconnect(f);
	free_event(&f->lost_event);
	free_event(&f->call_event);
	free_event(&f->listen_event);
	close_fd(&f->listener);
	vhost_inflight_drop(f);
	free(f);
}

bool vhost_front_end_is_connected(const struct vhost_front_end *f)
{
	return f->socket >= 0;
}

const struct vhost_offer *vhost_front_end_offer(const struct vhost_front_end *f)
{
	return &f->offer;
}
