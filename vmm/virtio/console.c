/*
 * The console device (virtio 1.2, 5.3), one port, on a stream socket.
 *
 * Input waits in the socket until the guest has room. Output that the socket
 * does not take at once is dropped: a kernel waits for its console with
 * everything else stopped.
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

struct console {
	struct virtio_own own;
	struct virtio_console_config config;
	int fd;
	struct event *readable; /* does not persist */
};

static ssize_t console_put(struct virtio_queue *queue,
			   const struct virtqueue_chain *chain)
{
	struct console *console = (struct console *)queue->device;
	struct msghdr message = { .msg_iov = (struct iovec *)chain->out,
				  .msg_iovlen = chain->n_out };
	ssize_t n = sendmsg(console->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < (ssize_t)chain->out_length)
		log_warn_limited("output is lost: nobody reads it");
	return 0;
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
	virtio_own_drain(&console->own.device.queues[QUEUE_INPUT], console_get);
	pthread_mutex_unlock(&console->own.device.lock);
}

static void console_kicked(struct virtio_queue *queue)
{
	virtio_own_drain(queue, queue->index == QUEUE_INPUT ? console_get
							    : console_put);
}

static void console_deactivate(struct virtio_device *device)
{
	struct console *console = (struct console *)device;

	virtio_own_stop(device);
	event_del_noblock(console->readable);
}

static void console_destroy(struct virtio_device *device)
{
	struct console *console = (struct console *)device;

	event_free(console->readable);
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
	console->readable =
		event_new(loop, fd, EV_READ, console_on_socket, console);
	return &console->own.device;
}
