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

/* Where there is nothing, waits for the socket. */
static ssize_t console_get(struct virtio_queue *queue,
			   const struct virtqueue_chain *chain)
{
	struct console *console = (struct console *)queue->device;
	struct msghdr message = { .msg_iov = (struct iovec *)chain->in,
				  .msg_iovlen = chain->n_in };
	ssize_t n;

	if (!chain->in_length)
		return 0;
	n = recvmsg(console->fd, &message, MSG_DONTWAIT);
	/* At the socket's end nobody will ever type again. */
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		event_add(console->readable, NULL);
	return n > 0 ? n : -EAGAIN;
}

static void console_on_socket(int fd, short what, void *aux)
{
	struct console *console = aux;

	pthread_mutex_lock(&console->own.device.lock);
	if (console->own.running && what & EV_READ)
		virtio_own_drain(&console->own.device.queues[QUEUE_INPUT],
				 console_get);
	if (console->own.running && what & EV_WRITE)
		console_flush(console);
	pthread_mutex_unlock(&console->own.device.lock);
}

static void console_kicked(struct virtio_queue *queue)
{
	struct console *console = (struct console *)queue->device;

	if (queue->index == QUEUE_INPUT) {
		virtio_own_drain(queue, console_get);
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

static const struct virtio_own_kind console_kind = {
	.ops = {
		.name = "console",
		.activate = virtio_own_start,
		.deactivate = console_deactivate,
		.destroy = console_destroy,
	},
	.type = VIRTIO_ID_CONSOLE,
	.config_size = sizeof(struct virtio_console_config),
	.n_queues = N_QUEUES,
	.queue_sizes = { 64, 64 },
	.kicked = console_kicked,
};

struct virtio_device *virtio_console_create(struct event_base *loop,
					    const struct guest_memory *memory,
					    int fd, char **errp)
{
	struct console *console = xcalloc(1, sizeof *console);

	virtio_own_init(&console->own, &console_kind, loop, memory,
			&console->config);
	console->fd = fd;
	console->kept = evbuffer_new();
	console->readable =
		event_new(loop, fd, EV_READ, console_on_socket, console);
	console->writable =
		event_new(loop, fd, EV_WRITE, console_on_socket, console);
	return &console->own.device;
}
