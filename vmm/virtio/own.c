/* What the devices share whose back end is ours. */
#include "vmm/virtio/own.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

void virtio_own_init(struct virtio_own *own, const struct virtio_own_kind *kind,
		     struct event_base *loop, const struct guest_memory *memory,
		     void *config)
{
	struct virtio_device *device = &own->device;

	virtio_device_init(device, &kind->ops, memory, kind->n_queues,
			   kind->queue_sizes);
	device->type = kind->type;
	device->config = config;
	device->config_size = kind->config_size;
	device->offered = VIRTIO_OWN_FEATURES | kind->features;
	own->loop = loop;
	own->kicked = kind->kicked;
}

static void on_kick(int fd, short what, void *aux)
{
	struct virtio_queue *queue = aux;
	struct virtio_own *own = virtio_own_of(queue->device);
	uint64_t n;

	pthread_mutex_lock(&own->device.lock);
	if (read(fd, &n, sizeof n) == sizeof n)
		own->device.n_kicks += n;
	if (own->running && queue->enabled)
		own->kicked(queue);
	pthread_mutex_unlock(&own->device.lock);
}

void virtio_own_kick(struct virtio_queue *queue)
{
	/* It can fail only when the eventfd's counter is full of kicks. */
	(void)eventfd_write(queue->kick_fd, 1);
}

int virtio_own_start_queue(struct virtio_queue *queue)
{
	struct virtio_own *own = virtio_own_of(queue->device);
	struct event **kicks = &own->kicks[queue->index];

	own->running = true;
	if (!queue->enabled)
		return 0;
	virtqueue_start(queue);
	if (!*kicks)
		*kicks = event_new(own->loop, queue->kick_fd,
				   EV_READ | EV_PERSIST, on_kick, queue);
	if (!*kicks || event_add(*kicks, NULL) < 0)
		return -ENOMEM;
	virtio_own_kick(queue);
	return 0;
}

int virtio_own_start(struct virtio_device *device)
{
	int error = 0;

	for (unsigned int i = 0; i < device->n_queues && !error; i++)
		error = virtio_own_start_queue(&device->queues[i]);
	return error;
}

void virtio_own_stop(struct virtio_device *device)
{
	struct virtio_own *own = virtio_own_of(device);

	own->running = false;
	for (unsigned int i = 0; i < device->n_queues; i++)
		if (own->kicks[i])
			event_del_noblock(own->kicks[i]);
}

void virtio_own_uninit(struct virtio_own *own)
{
	for (unsigned int i = 0; i < own->device.n_queues; i++)
		if (own->kicks[i])
			event_free(own->kicks[i]);
	virtio_device_uninit(&own->device);
}

void virtio_own_destroy(struct virtio_device *device)
{
	virtio_own_uninit(virtio_own_of(device));
	free(device);
}

void virtio_own_drain(struct virtio_queue *queue,
		      ssize_t (*handle)(struct virtio_queue *queue,
					const struct virtqueue_chain *chain))
{
	unsigned int budget = queue->size;
	struct virtqueue_chain chain;
	ssize_t written = 0;

	if (!virtio_own_of(queue->device)->running)
		return;
	virtqueue_disable_kicks(queue);
	do {
		while (budget && virtqueue_pop(queue, &chain)) {
			written = handle(queue, &chain);
			if (queue->broken)
				return;
			if (written < 0) {
				virtqueue_unpop(queue, &chain);
				break;
			}
			virtqueue_push(queue, &chain, written);
			budget--;
		}
	} while (budget && written >= 0 && virtqueue_enable_kicks(queue));
	virtqueue_notify(queue);
	if (!budget)
		virtio_own_kick(queue);
}

unsigned int iov_cut(struct iovec *to, const struct iovec *from, unsigned int n,
		     size_t skip, size_t length)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < n && length; i++) {
		size_t head = MIN(skip, from[i].iov_len);
		size_t len = MIN(from[i].iov_len - head, length);

		skip -= head;
		length -= len;
		if (len)
			to[kept++] =
				(struct iovec){ (char *)from[i].iov_base + head,
						len };
	}
	return kept;
}

int evbuffer_send(struct evbuffer *buffer, int fd)
{
	struct evbuffer_iovec pieces[16];

	while (evbuffer_get_length(buffer)) {
		int n = evbuffer_peek(buffer, -1, NULL, pieces,
				      ARRAY_SIZE(pieces));
		struct msghdr message = {
			.msg_iov = pieces,
			.msg_iovlen = MIN(n, (int)ARRAY_SIZE(pieces)),
		};
		ssize_t sent =
			sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (sent < 0)
			return -errno;
		evbuffer_drain(buffer, sent);
	}
	return 0;
}
