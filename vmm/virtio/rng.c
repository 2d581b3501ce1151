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

static const struct virtio_own_kind rng_kind = {
	.ops = {
		.name = "rng",
		.activate = virtio_own_start,
		.deactivate = virtio_own_stop,
		.destroy = virtio_own_destroy,
	},
	.type = VIRTIO_ID_RNG,
	.n_queues = 1,
	.queue_sizes = { 64 },
	.kicked = rng_kicked,
};

struct virtio_device *virtio_rng_create(struct event_base *loop,
					const struct guest_memory *memory,
					char **errp)
{
	struct virtio_own *own = xcalloc(1, sizeof *own);

	virtio_own_init(own, &rng_kind, loop, memory, NULL);
	return &own->device;
}
