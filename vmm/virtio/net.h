/*
 * What both kinds of network cards share (virtio 1.2, 5.1): configuration,
 * link, control queue. Their data queues are net_vhost.c's and net_tap.c's.
 * The device's lock is held by all callers of net_*().
 */
#ifndef VMM_VIRTIO_NET_H
#define VMM_VIRTIO_NET_H

#include "vmm/virtio/devices.h"
#include "vmm/virtio/own.h"

/* The kernel's header has a structure of this name, too: what a guest reads. */
#define virtio_net_config virtio_net_space
#include <linux/virtio_net.h>
#undef virtio_net_config

/* virtio 1.2, 5.1.3; not in the kernel's header of Debian 12. */
enum {
	NET_F_GUEST_USO4 = 54,
	NET_F_GUEST_USO6 = 55,
	NET_F_HOST_USO = 56,
};

#define NET_BIT(feature) (1ull << (feature))
/* What needs nothing of whoever moves the frames. */
#define NET_OWN_FEATURES                                                       \
	(NET_BIT(VIRTIO_NET_F_MAC) | NET_BIT(VIRTIO_NET_F_MTU) |               \
	 NET_BIT(VIRTIO_NET_F_STATUS) | NET_BIT(VIRTIO_NET_F_MQ) |             \
	 NET_BIT(VIRTIO_NET_F_CTRL_VQ) | NET_BIT(VIRTIO_NET_F_CTRL_MAC_ADDR) | \
	 NET_BIT(VIRTIO_NET_F_GUEST_ANNOUNCE))
/* Offloads of checksums and segmentation, and how buffers are used. */
#define NET_FRAME_FEATURES                                                     \
	(NET_BIT(VIRTIO_NET_F_CSUM) | NET_BIT(VIRTIO_NET_F_GUEST_CSUM) |       \
	 NET_BIT(VIRTIO_NET_F_GUEST_TSO4) | NET_BIT(VIRTIO_NET_F_GUEST_TSO6) | \
	 NET_BIT(VIRTIO_NET_F_GUEST_ECN) | NET_BIT(VIRTIO_NET_F_GUEST_UFO) |   \
	 NET_BIT(VIRTIO_NET_F_HOST_TSO4) | NET_BIT(VIRTIO_NET_F_HOST_TSO6) |   \
	 NET_BIT(VIRTIO_NET_F_HOST_ECN) | NET_BIT(VIRTIO_NET_F_HOST_UFO) |     \
	 NET_BIT(VIRTIO_NET_F_MRG_RXBUF) |                                     \
	 NET_BIT(VIRTIO_RING_F_INDIRECT_DESC) |                                \
	 NET_BIT(VIRTIO_RING_F_EVENT_IDX) | NET_BIT(VIRTIO_F_VERSION_1))
#define NET_USO_FEATURES                                                       \
	(NET_BIT(NET_F_GUEST_USO4) | NET_BIT(NET_F_GUEST_USO6) |               \
	 NET_BIT(NET_F_HOST_USO))

struct net;

struct net_kind {
	/* The link, or how many pairs the guest uses, has changed. */
	void (*changed)(struct net *net);
	/* Tells the network where `address` is. */
	void (*announce)(struct net *net, const uint8_t address[6]);
};

struct net {
	struct virtio_own own; /* first */
	const struct net_kind *kind;
	struct virtio_net_space config; /* as the guest reads it */
	unsigned int pairs, pairs_used;
	bool link;	  /* the user's will */
	bool carrier;	  /* the back end is there */
	bool to_announce; /* when it is */
};

static inline struct net *net_of(struct virtio_device *device)
{
	return (struct net *)device;
}

/* `offered`: of NET_OWN_FEATURES, those that apply are added. */
void net_init(struct net *net, const struct net_kind *kind,
	      const struct virtio_ops *ops, struct event_base *loop,
	      const struct guest_memory *memory,
	      const struct virtio_net_config *config, uint64_t offered,
	      uint16_t queue_size);
/* How many data queues there are with what was negotiated; the control queue
 * follows them. */
unsigned int net_data_queues(const struct net *net);
/* Whether frames of this pair pass. */
bool net_is_open(const struct net *net, unsigned int pair);
void net_set_carrier(struct net *net, bool carrier);
/* Handles the control queue's commands. I/O of the loop's thread. */
void net_run_control(struct virtio_queue *queue);
/* At the end of deactivate(): when the guest asked for a reset, what it had
 * set is as at the beginning. */
void net_deactivated(struct net *net);
json_t *net_save(struct virtio_device *device);
int net_restore(struct virtio_device *device, const json_t *state, char **errp);

#endif
