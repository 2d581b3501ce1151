/* Joins a driver's queue to the device's, as a vhost-user session would. */
#include "virtio_driver.h"

#include <stdio.h>
#include <stdlib.h>

void driver_setup(const struct driver_queue *q, struct virtqueue_setup *setup)
{
	const struct guest_memory *m = q->memory;

	*setup = (struct virtqueue_setup){
		.size = q->config.size,
		.features = q->config.features,
		.from_guest = q->config.from_guest,
		.desc = guest_seen_at(m, q->desc_at),
		.driver = guest_seen_at(m, q->driver_at),
		.device = guest_seen_at(m, q->device_at),
		.used_guest = q->packed ? q->desc_at : q->device_at,
		.base = q->config.base,
	};
}

void driver_join(struct driver_queue *q, struct virtqueue *vq)
{
	struct virtqueue_setup setup;
	char *error = NULL;

	driver_setup(q, &setup);
	virtqueue_take(vq);
	virtqueue_set_memory(vq, q->memory->view);
	virtqueue_set_log(vq, NULL);
	virtqueue_set_kick(vq, q->kick);
	virtqueue_set_call(vq, q->call);
	virtqueue_set_error(vq, -1);
	if (virtqueue_start(vq, &setup, &error)) {
		fprintf(stderr, "virtio_driver: %s\n", error);
		abort();
	}
	virtqueue_enable(vq, true);
	virtqueue_release(vq);
}
