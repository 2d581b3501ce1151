/*
 * Network cards: configuration, link, control queue (net.h). No filters are
 * offered: it is the switch's business what a port gets.
 */
#include "vmm/virtio/net.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>
#include <string.h>

enum { CONTROL_SIZE = 64 };

void net_init(struct net *net, const struct net_kind *kind,
	      const struct virtio_ops *ops, struct event_base *loop,
	      const struct guest_memory *memory,
	      const struct virtio_net_config *config, uint64_t offered,
	      uint16_t queue_size)
{
	struct virtio_device *device = &net->own.device;
	uint64_t own = NET_OWN_FEATURES;
	uint16_t sizes[VIRTIO_MAX_QUEUES];
	unsigned int n = 2 * config->pairs;

	for (unsigned int i = 0; i < n; i++)
		sizes[i] = queue_size;
	sizes[n] = CONTROL_SIZE;
	virtio_device_init(device, ops, memory, n + 1, sizes);
	if (!config->mtu)
		own &= ~NET_BIT(VIRTIO_NET_F_MTU);
	if (config->pairs == 1)
		own &= ~NET_BIT(VIRTIO_NET_F_MQ);
	if (config->packed)
		own |= NET_BIT(VIRTIO_F_RING_PACKED);
	device->type = VIRTIO_ID_NET;
	device->offered = offered | own;
	device->config_size = offsetof(struct virtio_net_space, speed);
	net->own.loop = loop;
	device->config = &net->config;
	net->kind = kind;
	memcpy(net->config.mac, config->mac, sizeof(net->config.mac));
	net->config.mtu = config->mtu;
	net->config.max_virtqueue_pairs = config->pairs;
	net->pairs = config->pairs;
	net->pairs_used = 1;
	net->link = true;
}

unsigned int net_data_queues(const struct net *net)
{
	return virtio_has(&net->own.device, VIRTIO_NET_F_MQ) ? 2 * net->pairs
							     : 2;
}

bool net_is_open(const struct net *net, unsigned int pair)
{
	return net->link && pair < net->pairs_used;
}

/* --- link --- */

static void set_status(struct net *net, uint16_t status)
{
	if (net->config.status == status)
		return;
	net->config.status = status;
	virtio_config_changed(&net->own.device);
}

/* By the guest, which knows all of its addresses, or for it. */
static void announce(struct net *net)
{
	const struct virtio_device *device = &net->own.device;

	net->to_announce = false;
	if (virtio_has(device, VIRTIO_NET_F_GUEST_ANNOUNCE) &&
	    device->queues[net_data_queues(net)].enabled)
		set_status(net, net->config.status | VIRTIO_NET_S_ANNOUNCE);
	else
		net->kind->announce(net, net->config.mac);
}

static void update_link(struct net *net)
{
	bool up = net->link && net->carrier;

	set_status(net, (net->config.status & ~VIRTIO_NET_S_LINK_UP) |
				(up ? VIRTIO_NET_S_LINK_UP : 0));
	if (up && net->to_announce)
		announce(net);
}

void net_set_carrier(struct net *net, bool carrier)
{
	net->carrier = carrier;
	update_link(net);
}

void virtio_net_set_link(struct virtio_device *device, bool up)
{
	struct net *net = net_of(device);

	pthread_mutex_lock(&device->lock);
	net->link = up;
	net->kind->changed(net);
	update_link(net);
	pthread_mutex_unlock(&device->lock);
}

bool virtio_net_link(struct virtio_device *device)
{
	bool up;

	pthread_mutex_lock(&device->lock);
	up = net_of(device)->config.status & VIRTIO_NET_S_LINK_UP;
	pthread_mutex_unlock(&device->lock);
	return up;
}

void virtio_net_announce(struct virtio_device *device)
{
	struct net *net = net_of(device);

	pthread_mutex_lock(&device->lock);
	net->to_announce = true;
	update_link(net);
	pthread_mutex_unlock(&device->lock);
}

void net_deactivated(struct net *net)
{
	if (net->own.device.wanted_status)
		return;
	net->config.status &= ~VIRTIO_NET_S_ANNOUNCE;
	net->pairs_used = 1;
}

/* --- control queue (virtio 1.2, 5.1.6.5) --- */

/* Class and command in one, as they lie in a buffer. */
enum {
	END_ANNOUNCEMENT =
		VIRTIO_NET_CTRL_ANNOUNCE << 8 | VIRTIO_NET_CTRL_ANNOUNCE_ACK,
	SET_PAIRS = VIRTIO_NET_CTRL_MQ << 8 | VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET,
};

static bool set_pairs(struct net *net, unsigned int n)
{
	if (n < 1 || n > net->pairs)
		return false;
	net->pairs_used = n;
	net->kind->changed(net);
	return true;
}

static bool carry_out(struct net *net, const struct virtqueue_chain *chain)
{
	const struct virtio_device *device = &net->own.device;
	uint8_t bytes[8] = { 0 }, *data = bytes + 2;
	size_t n = virtqueue_read(chain, 0, bytes, sizeof(bytes));

	switch (bytes[0] << 8 | bytes[1]) {
	case END_ANNOUNCEMENT:
		if (!virtio_has(device, VIRTIO_NET_F_GUEST_ANNOUNCE))
			return false;
		net->config.status &= ~VIRTIO_NET_S_ANNOUNCE;
		return true;
	case SET_PAIRS:
		return virtio_has(device, VIRTIO_NET_F_MQ) && n >= 4 &&
		       set_pairs(net, data[0] | data[1] << 8);
	default:
		return false;
	}
}

static ssize_t handle_command(struct virtio_queue *queue,
			      const struct virtqueue_chain *chain)
{
	bool done = carry_out(net_of(queue->device), chain);
	uint8_t ack = done ? VIRTIO_NET_OK : VIRTIO_NET_ERR;

	return virtqueue_write(chain, 0, &ack, sizeof(ack));
}

void net_run_control(struct virtio_queue *queue)
{
	virtio_own_drain(queue, handle_command);
}

/* --- saving --- */

json_t *net_save(struct virtio_device *device)
{
	struct net *net = net_of(device);

	return json_pack("{s:i, s:b}", "pairs", (int)net->pairs_used, "link",
			 (int)net->link);
}

int net_restore(struct virtio_device *device, const json_t *state, char **errp)
{
	struct net *net = net_of(device);
	int pairs, link;

	if (json_unpack((json_t *)state, "{s:i, s:b}", "pairs", &pairs, "link",
			&link) ||
	    pairs < 1 || pairs > (int)net->pairs)
		return set_error(errp, -EINVAL,
				 "the saved state of a network card does not "
				 "fit it: it needs link and 1 to %u pairs",
				 net->pairs);
	net->pairs_used = pairs;
	net->link = link;
	update_link(net);
	return 0;
}
