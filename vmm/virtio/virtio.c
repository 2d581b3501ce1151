/* What all virtio devices have in common (virtio.h). */
#include "vmm/virtio/virtio.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "base/log.h"

LOG_MODULE(virtio);

void virtio_device_init(struct virtio_device *device,
			const struct virtio_ops *ops,
			const struct guest_memory *memory,
			unsigned int n_queues, const uint16_t *queue_sizes)
{
	device->ops = ops;
	device->memory = memory;
	device->n_queues = n_queues;
	pthread_mutex_init(&device->lock, NULL);
	for (unsigned int i = 0; i < n_queues; i++)
		device->queues[i] = (struct virtio_queue){
			.device = device,
			.index = i,
			.size = queue_sizes[i],
			.max_size = queue_sizes[i],
			.vector = VIRTIO_NO_VECTOR,
			.kick_fd = -1,
			.call_fd = -1,
		};
}

void virtio_device_uninit(struct virtio_device *device)
{
	pthread_mutex_destroy(&device->lock);
}

/* virtio 1.2, 2.7 and 2.8. */
void *virtio_queue_area(const struct virtio_queue *queue, enum virtio_area area)
{
	bool packed = virtio_has(queue->device, VIRTIO_F_RING_PACKED);
	bool event = virtio_has(queue->device, VIRTIO_RING_F_EVENT_IDX);
	uint64_t addr = area == VIRTIO_AREA_DESC    ? queue->desc
			: area == VIRTIO_AREA_AVAIL ? queue->avail
						    : queue->used;
	uint64_t length = 4, align = 4;

	if (area == VIRTIO_AREA_DESC) {
		align = 16;
		length = queue->size * 16ull;
	} else if (!packed) {
		align = area == VIRTIO_AREA_AVAIL ? 2 : 4;
		length += queue->size * (align == 2 ? 2ull : 8ull) + 2 * event;
	}
	return addr % align
		       ? NULL
		       : guest_memory_at(queue->device->memory, addr, length);
}

static bool rings_are_valid(const struct virtio_queue *queue)
{
	return queue->size && queue->size <= queue->max_size &&
	       (virtio_has(queue->device, VIRTIO_F_RING_PACKED) ||
		!(queue->size & (queue->size - 1))) &&
	       virtio_queue_area(queue, VIRTIO_AREA_DESC) &&
	       virtio_queue_area(queue, VIRTIO_AREA_AVAIL) &&
	       virtio_queue_area(queue, VIRTIO_AREA_USED);
}

static int activate(struct virtio_device *device)
{
	if (!device->negotiated)
		return -EPROTO;
	for (unsigned int i = 0; i < device->n_queues; i++) {
		struct virtio_queue *queue = &device->queues[i];

		/* One that is not in use is never touched. */
		queue->broken = !queue->enabled;
		if (queue->enabled && !rings_are_valid(queue)) {
			log_warn_limited("%s: the guest placed queue %u where "
					 "no ring can be",
					 device->ops->name, i);
			return -EINVAL;
		}
	}
	return device->ops->activate(device);
}

/* As before the driver touched it, but for what the transport made. */
static void reset(struct virtio_device *device)
{
	for (unsigned int i = 0; i < device->n_queues; i++) {
		struct virtio_queue *queue = &device->queues[i];

		queue->size = queue->max_size;
		queue->vector = VIRTIO_NO_VECTOR;
		queue->call_fd = -1;
		queue->enabled = queue->broken = false;
		queue->desc = queue->avail = queue->used = 0;
		queue->base = 0;
	}
	device->negotiated = 0;
	device->status = 0;
}

bool virtio_device_negotiate(struct virtio_device *device, uint64_t features)
{
	uint64_t version_1 = 1ull << VIRTIO_F_VERSION_1;

	/* What is at work has its rings by the features that they are of. */
	if (device->active || features & ~device->offered ||
	    !(features & version_1))
		return false;
	device->negotiated = features;
	/* The wrap counters of a packed ring start at 1. */
	for (unsigned int i = 0; i < device->n_queues; i++)
		device->queues[i].base =
			virtio_has(device, VIRTIO_F_RING_PACKED) ? 0x80008000
								 : 0;
	return true;
}

void virtio_device_want(struct virtio_device *device, uint8_t status)
{
	/* A reset that is under way ends first. */
	if (device->unsettled && !device->wanted_status)
		return;
	device->wanted_status = status;
	if (!status) {
		if (!device->active && !device->unsettled) {
			reset(device);
			return;
		}
	} else {
		bool ready = status & VIRTIO_CONFIG_S_DRIVER_OK &&
			     !(device->status & VIRTIO_CONFIG_S_DRIVER_OK);

		device->status |= status; /* only a reset clears bits */
		if (!ready)
			return;
	}
	device->unsettled = true;
	device->wake(device);
}

void virtio_device_settle(struct virtio_device *device)
{
	pthread_mutex_lock(&device->lock);
	if (!device->unsettled)
		goto out;
	device->unsettled = false;
	if (!device->wanted_status) {
		virtio_device_stop(device);
		reset(device);
	} else if (!device->active &&
		   device->status & VIRTIO_CONFIG_S_DRIVER_OK) {
		if (activate(device))
			virtio_device_broken(device);
		else
			device->active = true;
	}
out:
	pthread_mutex_unlock(&device->lock);
}

void virtio_device_stop(struct virtio_device *device)
{
	if (device->active)
		device->ops->deactivate(device);
	device->active = false;
}

void virtio_device_broken(struct virtio_device *device)
{
	device->n_broken++;
	device->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	virtio_config_changed(device);
}

void virtio_config_changed(struct virtio_device *device)
{
	device->config_generation++;
	if (device->config_changed)
		device->config_changed(device);
}
