/*
 * Network cards: configuration, link, control queue (net.h). Filters are best
 * effort (virtio 1.2, 5.1.6.5): commands for them are checked and answered, but
 * it is the switch's business what a port gets.
 */
#include "vmm/virtio/net.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>
#include <netinet/ether.h>
#include <string.h>

enum { CONTROL_SIZE = 64, VLANS = 4095 };

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
	memcpy(net->mac, config->mac, sizeof(net->mac));
	memcpy(net->config.mac, config->mac, sizeof(net->mac));
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
	if (carrier && net->to_announce)
		announce(net);
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
	memcpy(net->config.mac, net->mac, sizeof(net->mac));
	net->config.status &= ~VIRTIO_NET_S_ANNOUNCE;
	net->pairs_used = 1;
}

/* --- control queue (virtio 1.2, 5.1.6.5) --- */

#define COMMAND(class, command)                                                \
	(VIRTIO_NET_CTRL_##class << 8 | VIRTIO_NET_CTRL_##command)

enum {
	SET_MAC_TABLE = COMMAND(MAC, MAC_TABLE_SET),
	SET_MAC = COMMAND(MAC, MAC_ADDR_SET),
	END_ANNOUNCEMENT = COMMAND(ANNOUNCE, ANNOUNCE_ACK),
	SET_PAIRS = COMMAND(MQ, MQ_VQ_PAIRS_SET),
	ADD_VLAN = COMMAND(VLAN, VLAN_ADD),
	DEL_VLAN = COMMAND(VLAN, VLAN_DEL),
};

/* Commands, the feature that each needs, and the least length of its data. */
static const struct {
	uint16_t first, last;
	uint8_t feature, length;
} commands[] = {
	{ COMMAND(RX, RX_PROMISC), COMMAND(RX, RX_ALLMULTI),
	  VIRTIO_NET_F_CTRL_RX, 1 },
	{ COMMAND(RX, RX_ALLUNI), COMMAND(RX, RX_NOBCAST),
	  VIRTIO_NET_F_CTRL_RX_EXTRA, 1 },
	{ SET_MAC_TABLE, SET_MAC_TABLE, VIRTIO_NET_F_CTRL_RX, 8 },
	{ SET_MAC, SET_MAC, VIRTIO_NET_F_CTRL_MAC_ADDR, 6 },
	{ ADD_VLAN, DEL_VLAN, VIRTIO_NET_F_CTRL_VLAN, 2 },
	{ END_ANNOUNCEMENT, END_ANNOUNCEMENT, VIRTIO_NET_F_GUEST_ANNOUNCE, 0 },
	{ SET_PAIRS, SET_PAIRS, VIRTIO_NET_F_MQ, 2 },
};

static bool is_allowed(const struct virtio_device *device, uint16_t command,
		       size_t length)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (command >= commands[i].first && command <= commands[i].last)
			return virtio_has(device, commands[i].feature) &&
			       length >= commands[i].length;
	return false;
}

/* Two tables, each a number of addresses and these. */
static bool is_mac_table(const struct virtqueue_chain *chain)
{
	uint64_t at = 2;
	uint32_t n;

	for (unsigned int i = 0; i < 2; i++) {
		if (virtqueue_read(chain, at, &n, sizeof(n)) != sizeof(n))
			return false;
		at += sizeof(n) + n * 6ull;
	}
	return at <= chain->out_length;
}

static bool set_mac(struct net *net, const uint8_t mac[6])
{
	static const uint8_t none[6];

	if (mac[0] & 1 || !memcmp(mac, none, sizeof(none)))
		return false;
	memcpy(net->config.mac, mac, sizeof(net->config.mac));
	return true;
}

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
	uint8_t bytes[8] = { 0 }, *data = bytes + 2;
	size_t n = virtqueue_read(chain, 0, bytes, sizeof(bytes));
	uint16_t command = bytes[0] << 8 | bytes[1], number;

	if (n < 2 ||
	    !is_allowed(&net->own.device, command, chain->out_length - 2))
		return false;
	memcpy(&number, data, sizeof(number));
	switch (command) {
	case SET_MAC_TABLE:
		return is_mac_table(chain);
	case SET_MAC:
		return set_mac(net, data);
	case ADD_VLAN:
	case DEL_VLAN:
		return number < VLANS;
	case END_ANNOUNCEMENT:
		net->config.status &= ~VIRTIO_NET_S_ANNOUNCE;
		return true;
	case SET_PAIRS:
		return set_pairs(net, number);
	default: /* filters */
		return true;
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
	char mac[18];

	ether_ntoa_r((struct ether_addr *)net->config.mac, mac);
	return json_pack("{s:s, s:i, s:b}", "mac", mac, "pairs",
			 (int)net->pairs_used, "link", (int)net->link);
}

int net_restore(struct virtio_device *device, const json_t *state, char **errp)
{
	struct net *net = net_of(device);
	struct ether_addr mac;
	const char *text;
	int pairs, link;

	if (json_unpack((json_t *)state, "{s:s, s:i, s:b}", "mac", &text,
			"pairs", &pairs, "link", &link) ||
	    !ether_aton_r(text, &mac) || pairs < 1 || pairs > (int)net->pairs)
		return set_error(errp, -EINVAL,
				 "the saved state of a network card does not "
				 "fit it: it needs mac, link and 1 to %u pairs",
				 net->pairs);
	memcpy(net->config.mac, &mac, sizeof(mac));
	net->pairs_used = pairs;
	net->link = link;
	update_link(net);
	return 0;
}
