/*
 * A network card whose frames a vhost-user back end moves: vswd, mostly. The
 * control queue is ours. What the guest is offered is fixed when the card is
 * made: by the back end that is connected then, or by what vswd is known to
 * offer; from then on the back end may come and go.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "base/log.h"
#include "vmm/vhost/front_end.h"
#include "vmm/virtio/net.h"

LOG_MODULE(vhost);

enum { QUEUE_SIZE = 1024 };

struct net_vhost {
	struct net net; /* first */
	struct vhost_front_end *back_end;
	void (*lost)(void *aux); /* NULL: the next one comes by itself */
	void *aux;
};

static struct net_vhost *vhost_of(struct virtio_device *device)
{
	return (struct net_vhost *)device;
}

static void changed(struct net *net)
{
	vhost_front_end_enable(vhost_of(&net->own.device)->back_end,
			       net->link ? 2 * net->pairs_used : 0);
}

static void tell(struct net_vhost *v, enum vhost_protocol_feature feature,
		 enum vhost_request request, uint64_t value)
{
	char *why = NULL;

	if (!vhost_front_end_is_connected(v->back_end) ||
	    !(vhost_front_end_offer(v->back_end)->protocol >> feature & 1))
		return;
	if (vhost_front_end_tell(v->back_end, request, value, &why))
		log_warn("net: %s", why);
	free(why);
}

static void announce(struct net *net, const uint8_t address[6])
{
	uint64_t value = 0;

	memcpy(&value, address, 6);
	tell(vhost_of(&net->own.device), VHOST_PROTOCOL_RARP, VHOST_SEND_RARP,
	     value);
}

static const struct net_kind kind = { .changed = changed,
				      .announce = announce };

/* --- the back end comes and goes --- */

static void connected(struct virtio_device *device)
{
	struct net_vhost *v = vhost_of(device);

	pthread_mutex_lock(&device->lock);
	if (v->net.config.mtu)
		tell(v, VHOST_PROTOCOL_NET_MTU, VHOST_NET_SET_MTU,
		     v->net.config.mtu);
	net_set_carrier(&v->net, true);
	pthread_mutex_unlock(&device->lock);
}

static void disconnected(struct virtio_device *device)
{
	struct net_vhost *v = vhost_of(device);

	pthread_mutex_lock(&device->lock);
	net_set_carrier(&v->net, false);
	pthread_mutex_unlock(&device->lock);
	if (v->lost)
		v->lost(v->aux);
}

static const struct vhost_front_end_ops back_end_ops = {
	.connected = connected,
	.disconnected = disconnected,
};

/* --- the device --- */

static int activate(struct virtio_device *device)
{
	struct net *net = net_of(device);
	unsigned int n = net_data_queues(net);

	changed(net);
	vhost_front_end_start(vhost_of(&net->own.device)->back_end, n);
	return virtio_own_start_queue(&device->queues[n]);
}

static void deactivate(struct virtio_device *device)
{
	struct net *net = net_of(device);

	virtio_own_stop(device);
	vhost_front_end_stop(vhost_of(&net->own.device)->back_end);
	net_deactivated(net);
}

static void call_changed(struct virtio_device *device,
			 struct virtio_queue *queue)
{
	vhost_front_end_call_changed(vhost_of(device)->back_end);
}

static void destroy(struct virtio_device *device)
{
	struct net_vhost *v = vhost_of(device);

	vhost_front_end_destroy(v->back_end);
	virtio_own_uninit(&v->net.own);
	free(v);
}

static const struct virtio_ops ops = {
	.name = "net",
	.activate = activate,
	.deactivate = deactivate,
	.call_changed = call_changed,
	.destroy = destroy,
	.save = net_save,
	.restore = net_restore,
};

int virtio_net_connected(struct virtio_device *device, int fd, char **errp)
{
	return vhost_front_end_connect(vhost_of(device)->back_end, fd, errp);
}

void virtio_net_listen(struct virtio_device *device, int listener)
{
	struct net_vhost *v = vhost_of(device);

	v->lost = NULL;
	vhost_front_end_listen(v->back_end, listener);
}

/* As the first back end has it, which is there: less may be offered. */
static int connect_first(struct net_vhost *v, int fd, char **errp)
{
	struct virtio_device *device = &v->net.own.device;
	uint64_t wanted = device->offered;
	int error;

	device->offered = 0;
	error = virtio_net_connected(device, fd, errp);
	device->offered =
		wanted & (vhost_front_end_offer(v->back_end)->features |
			  NET_OWN_FEATURES);
	return error;
}

struct virtio_device *virtio_net_vhost_create(
	struct event_base *loop, const struct guest_memory *memory,
	const struct virtio_net_config *config, int socket, int listener,
	void (*lost)(void *aux), void *aux, char **errp)
{
	struct net_vhost *v = xcalloc(1, sizeof(*v));
	struct virtio_device *device = &v->net.own.device;

	net_init(&v->net, &kind, &ops, loop, memory, config,
		 NET_FRAME_FEATURES | NET_USO_FEATURES |
			 NET_BIT(VIRTIO_F_IN_ORDER),
		 QUEUE_SIZE);
	v->net.own.kicked = net_run_control;
	v->back_end = vhost_front_end_create(loop, device, NET_OWN_FEATURES,
					     config->pairs, &back_end_ops);
	v->lost = lost;
	v->aux = aux;
	if (listener >= 0)
		virtio_net_listen(device, listener);
	if (socket >= 0 && connect_first(v, socket, errp)) {
		destroy(device);
		return NULL;
	}
	return device;
}
