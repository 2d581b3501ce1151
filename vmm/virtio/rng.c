/* The entropy device (virtio 1.2, 5.4): the kernel's random bytes. */
#include "vmm/virtio/devices.h"

#include <sys/random.h>

#include "vmm/virtio/own.h"

/* A request is answered with this much at most: the guest asks again. */
enum { RNG_MOST = 4096 };

static ssize_t rng_fill(struct virtio_queue *queue,
			const struct virtqueue_chain *chain)
{
	uint8_t bytes[RNG_MOST];
	ssize_t n = getrandom(bytes, MIN(chain->in_length, sizeof bytes), 0);

	return n > 0 ? (ssize_t)virtqueue_write(chain, 0, bytes, n) : 0;
}

static void rng_kicked(struct virtio_queue *queue)
{
	virtio_own_drain(queue, rng_fill);
}

static const struct virtio_ops rng_ops = {
	.name = "rng",
	.config_read = virtio_own_config_read,
	.activate = virtio_own_start,
	.deactivate = virtio_own_stop,
	.destroy = virtio_own_destroy,
};

struct virtio_device *virtio_rng_create(struct event_base *loop,
					const struct guest_memory *memory,
					char **errp)
{
	static const uint16_t sizes[] = { 64 };
	struct virtio_own *own = xcalloc(1, sizeof *own);

	virtio_device_init(&own->device, &rng_ops, memory, 1, sizes);
	own->device.type = VIRTIO_ID_RNG;
	own->device.offered = VIRTIO_OWN_FEATURES;
	own->loop = loop;
	own->kicked = rng_kicked;
	return &own->device;
}
