/*
 * A disk that a vhost-user-blk back end serves (virtio 1.2, 5.2): Debian's
 * qemu-storage-daemon. Requests never come here; only the configuration does,
 * as it was when the machine was started. Its writeback switch is not offered:
 * a guest then flushes, as it should.
 */
#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "base/log.h"
#include "vmm/vhost/front_end.h"
#include "vmm/virtio/devices.h"

LOG_MODULE(vhost);

enum {
	QUEUE_SIZE = 256,
	MAX_QUEUES = 16,
	CONFIG_SIZE =
		offsetof(struct virtio_blk_config, write_zeroes_may_unmap) + 4,
};

#define BIT(feature) (1ull << (feature))
#define FEATURES                                                               \
	(BIT(VIRTIO_BLK_F_SIZE_MAX) | BIT(VIRTIO_BLK_F_SEG_MAX) |              \
	 BIT(VIRTIO_BLK_F_GEOMETRY) | BIT(VIRTIO_BLK_F_RO) |                   \
	 BIT(VIRTIO_BLK_F_BLK_SIZE) | BIT(VIRTIO_BLK_F_FLUSH) |                \
	 BIT(VIRTIO_BLK_F_TOPOLOGY) | BIT(VIRTIO_BLK_F_MQ) |                   \
	 BIT(VIRTIO_BLK_F_DISCARD) | BIT(VIRTIO_BLK_F_WRITE_ZEROES) |          \
	 BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VIRTIO_RING_F_EVENT_IDX) |     \
	 BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_RING_PACKED))

struct blk {
	struct virtio_device device; /* first */
	struct virtio_blk_config config;
	struct vhost_front_end *back_end;
};

static struct blk *blk_of(struct virtio_device *device)
{
	return (struct blk *)device;
}

static void disconnected(struct virtio_device *device)
{
	log_err("blk: the disk's back end has gone, the guest's disk fails "
		"until the machine is started again");
	pthread_mutex_lock(&device->lock);
	virtio_device_broken(device);
	pthread_mutex_unlock(&device->lock);
}

static const struct vhost_front_end_ops back_end_ops = {
	.disconnected = disconnected,
};

static int activate(struct virtio_device *device)
{
	struct vhost_front_end *back_end = blk_of(device)->back_end;

	vhost_front_end_start(back_end, device->n_queues);
	return vhost_front_end_is_connected(back_end) ? 0 : -EIO;
}

static void deactivate(struct virtio_device *device)
{
	vhost_front_end_stop(blk_of(device)->back_end);
}

static void call_changed(struct virtio_device *device,
			 struct virtio_queue *queue)
{
	vhost_front_end_call_changed(blk_of(device)->back_end);
}

static void destroy(struct virtio_device *device)
{
	vhost_front_end_destroy(blk_of(device)->back_end);
	virtio_device_uninit(device);
	free(device);
}

static const struct virtio_ops ops = {
	.name = "blk",
	.activate = activate,
	.deactivate = deactivate,
	.call_changed = call_changed,
	.destroy = destroy,
};

/* What the back end has decides on what the guest is offered. */
static int set_up(struct blk *blk, int socket, char **errp)
{
	struct virtio_device *device = &blk->device;
	uint16_t n = 1, sizes[MAX_QUEUES];
	int error = vhost_front_end_connect(blk->back_end, socket, errp);

	error = error
			?: vhost_front_end_get_config(blk->back_end,
						      &blk->config, CONFIG_SIZE,
						      errp);
	if (error)
		return error;
	device->offered =
		FEATURES & vhost_front_end_offer(blk->back_end)->features;
	if (device->offered & BIT(VIRTIO_BLK_F_MQ))
		n = MIN(blk->config.num_queues,
			vhost_front_end_offer(blk->back_end)->queues);
	n = MAX(1, MIN(n, MAX_QUEUES));
	for (unsigned int i = 0; i < n; i++)
		sizes[i] = QUEUE_SIZE;
	virtio_device_uninit(device);
	virtio_device_init(device, &ops, device->memory, n, sizes);
	blk->config.num_queues = n;
	return 0;
}

struct virtio_device *virtio_blk_vhost_create(struct event_base *loop,
					      const struct guest_memory *memory,
					      int socket, char **errp)
{
	struct blk *blk = xcalloc(1, sizeof(*blk));
	struct virtio_device *device = &blk->device;

	virtio_device_init(device, &ops, memory, 0, NULL);
	device->type = VIRTIO_ID_BLOCK;
	device->config = &blk->config;
	device->config_size = CONFIG_SIZE;
	blk->back_end =
		vhost_front_end_create(loop, device, 0, 0, &back_end_ops);
	if (set_up(blk, socket, errp)) {
		destroy(device);
		return NULL;
	}
	return device;
}
