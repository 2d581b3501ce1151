/*
 * The console device (virtio 1.2, 5.3), one port, on a stream socket.
 *
 * Input waits in the socket until the guest has room. Output that the socket
 * does not take at once is kept, and when that is too much, dropped: a kernel
 * waits for its console with everything else stopped.
 */
#include "vmm/virtio/devices.h"

#include <errno.h>
#include <linux/virtio_console.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/virtio/own.h"

LOG_MODULE(console);

enum { QUEUE_INPUT, QUEUE_OUTPUT, N_QUEUES };
enum { CONSOLE_MAX_KEPT = 256 << 10 };

struct console {
	struct virtio_own own;
	struct virtio_console_config config;
	int fd;
	struct evbuffer *kept;
	struct event *readable, *writable; /* neither persists */
};

static ssize_t console_put(struct virtio_queue *queue,
			   const struct virtqueue_chain *chain)
{
	struct console *console = (struct console *)queue->device;
	size_t length = 0;

	if (evbuffer_get_length(console->kept) > CONSOLE_MAX_KEPT / 2)
		evbuffer_send(console->kept, console->fd);
	for (unsigned int i = 0; i < chain->n_out; i++) {
		size_t kept = evbuffer_get_length(console->kept);
		size_t n = MIN(chain->out[i].iov_len, CONSOLE_MAX_KEPT - kept);

		evbuffer_add(console->kept, chain->out[i].iov_base, n);
		length += n;
	}
	if (length < chain->out_length)
		log_warn_limited("output is lost: nobody reads it");
	return 0;
}

/* Sends what is kept, and waits for room if there is more. */
static void console_flush(struct console *console)
{
	if (evbuffer_send(console->kept, console->fd) < 0)
		evbuffer_drain(console->kept,
			       evbuffer_get_length(console->kept));
	if (evbuffer_get_length(console->kept))
		event_add(console->writable, NULL);
}

/* Fills buffers for input. Waits for kicks when there is none, else for the
 * socket. */
static void console_get(struct console *console)
{
	struct virtio_queue *queue = &console->own.device.queues[QUEUE_INPUT];
	struct virtqueue_chain chain;
	struct msghdr message = { .msg_iov = chain.in };
	unsigned int budget = queue->size;
	ssize_t n = 0;

	virtqueue_disable_kicks(queue);
	while (budget && n >= 0) {
		if (!virtqueue_pop(queue, &chain)) {
			if (virtqueue_enable_kicks(queue))
				continue;
			break;
		}
		budget--;
		message.msg_iovlen = chain.n_in;
		n = chain.in_length
			    ? recvmsg(console->fd, &message, MSG_DONTWAIT)
			    : 0;
		if (n > 0 || !chain.in_length) {
			virtqueue_push(queue, &chain, n);
			continue;
		}
		virtqueue_unpop(queue, &chain);
		/* At the socket's end nobody will ever type again. */
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			event_add(console->readable, NULL);
		break;
	}
	virtqueue_notify(queue);
	if (!budget)
		virtio_own_kick(queue);
}

static void console_on_socket(int fd, short what, void *aux)
{
	struct console *console = aux;

	pthread_mutex_lock(&console->own.device.lock);
	if (console->own.running && what & EV_READ)
		console_get(console);
	if (console->own.running && what & EV_WRITE)
		console_flush(console);
	pthread_mutex_unlock(&console->own.device.lock);
}

static void console_kicked(struct virtio_queue *queue)
{
	struct console *console = (struct console *)queue->device;

	if (queue->index == QUEUE_INPUT) {
		console_get(console);
		return;
	}
	virtio_own_drain(queue, console_put);
	console_flush(console);
}

static void console_deactivate(struct virtio_device *device)
{
	struct console *console = (struct console *)device;

	virtio_own_stop(device);
	event_del_noblock(console->readable);
	event_del_noblock(console->writable);
}

static void console_destroy(struct virtio_device *device)
{
	struct console *console = (struct console *)device;

	event_free(console->readable);
	event_free(console->writable);
	evbuffer_free(console->kept);
	virtio_own_uninit(&console->own);
	close(console->fd);
	free(console);
}

static const struct virtio_ops console_ops = {
	.name = "console",
	.config_read = virtio_own_config_read,
	.activate = virtio_own_start,
	.deactivate = console_deactivate,
	.destroy = console_destroy,
};

struct virtio_device *virtio_console_create(struct event_base *loop,
					    const struct guest_memory *memory,
					    int fd, char **errp)
{
	static const uint16_t sizes[N_QUEUES] = { 64, 64 };
	struct console *console = xcalloc(1, sizeof *console);
	struct virtio_device *device = &console->own.device;

	virtio_device_init(device, &console_ops, memory, N_QUEUES, sizes);
	device->type = VIRTIO_ID_CONSOLE;
	device->config_size = sizeof console->config;
	device->offered = VIRTIO_OWN_FEATURES;
	console->own.config = &console->config;
	console->own.loop = loop;
	console->own.kicked = console_kicked;
	console->fd = fd;
	console->kept = evbuffer_new();
	console->readable =
		event_new(loop, fd, EV_READ, console_on_socket, console);
	console->writable =
		event_new(loop, fd, EV_WRITE, console_on_socket, console);
	return device;
}
