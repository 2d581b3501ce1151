/*
 * The socket device (virtio 1.2, 5.10): stream sockets between host and guest.
 * This file has the rings, the packets that belong to no connection, and how
 * connections begin; vsock_stream.c has what becomes of them.
 *
 * When the guest gives no buffers for answers we stop reading its packets, so
 * that it cannot make us keep more than a few.
 */
#include "vmm/virtio/devices.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmm/host/sandbox.h"
#include "vmm/virtio/vsock_stream.h"

enum { QUEUE_RX, QUEUE_TX, QUEUE_EVENT, N_QUEUES };

/* The next packet for the guest, if there is one. */
static ssize_t vsock_send(struct virtio_queue *queue,
			  const struct virtqueue_chain *chain)
{
	struct vsock *vsock = (struct vsock *)queue->device;
	struct virtio_vsock_hdr header;

	if (chain->in_length <= sizeof header) {
		virtqueue_break(queue, "a buffer without room");
		return 0;
	}
	if (vsock->n_resets)
		header = vsock->resets[--vsock->n_resets];
	else if (!vsock_streams_fill(vsock, chain, &header))
		return -EAGAIN;
	header.src_cid = VSOCK_HOST;
	header.dst_cid = vsock->cid;
	header.type = VIRTIO_VSOCK_TYPE_STREAM;
	virtqueue_write(chain, 0, &header, sizeof header);
	return sizeof header + header.len;
}

void vsock_transmit(struct vsock *vsock)
{
	virtio_own_drain(&vsock->own.device.queues[QUEUE_RX], vsock_send);
	if (vsock->stalled && vsock->n_resets < VSOCK_MAX_RESETS) {
		vsock->stalled = false;
		virtio_own_kick(&vsock->own.device.queues[QUEUE_TX]);
	}
}

/* The socket "vsock_PORT" of the VM's directory, or -1. The working directory
 * is nobody's else: the process opens no paths. */
static int vsock_connect(const struct vsock *vsock, uint32_t port)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "vsock_%u", port);
	if (fd >= 0 && !fchdir(vsock->directory) &&
	    !connect(fd, (struct sockaddr *)&address, sizeof address))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* The guest wants a connection. Returns whether it gets one. */
static bool vsock_request(struct vsock *vsock,
			  const struct virtio_vsock_hdr *header)
{
	struct vsock_stream *stream = vsock_stream_free(vsock, VSOCK_BY_GUEST);
	int fd = stream ? vsock_connect(vsock, header->dst_port) : -1;

	if (fd < 0)
		return false;
	vsock_stream_open(stream, fd, header);
	return true;
}

/* A packet from the guest. */
static ssize_t vsock_receive(struct virtio_queue *queue,
			     const struct virtqueue_chain *chain)
{
	struct vsock *vsock = (struct vsock *)queue->device;
	struct vsock_stream *stream = NULL;
	struct virtio_vsock_hdr h;
	bool ours;

	if (vsock->n_resets == VSOCK_MAX_RESETS) {
		vsock->stalled = true;
		return -EAGAIN;
	}
	if (virtqueue_read(chain, 0, &h, sizeof h) != sizeof h) {
		virtqueue_break(queue, "a packet without header");
		return 0;
	}
	if (h.src_cid != vsock->cid || h.len > chain->out_length - sizeof h)
		return 0;
	ours = h.dst_cid == VSOCK_HOST && h.type == VIRTIO_VSOCK_TYPE_STREAM;
	if (ours)
		stream = vsock_stream_find(vsock, h.dst_port, h.src_port);
	if (stream) {
		vsock_stream_packet(stream, &h, chain);
		return 0;
	}
	if (h.op == VIRTIO_VSOCK_OP_RST ||
	    (ours && h.op == VIRTIO_VSOCK_OP_REQUEST &&
	     vsock_request(vsock, &h)))
		return 0;
	vsock->resets[vsock->n_resets++] =
		(struct virtio_vsock_hdr){ .src_port = h.dst_port,
					   .dst_port = h.src_port,
					   .op = VIRTIO_VSOCK_OP_RST };
	return 0;
}

/* All connections are gone (5.10.6.7): once the guest has a buffer for it. */
static void vsock_tell_lost(struct vsock *vsock)
{
	struct virtio_queue *queue = &vsock->own.device.queues[QUEUE_EVENT];
	struct virtio_vsock_event event = {
		VIRTIO_VSOCK_EVENT_TRANSPORT_RESET
	};
	struct virtqueue_chain chain;

	if (!vsock->lost || !virtqueue_pop(queue, &chain))
		return;
	vsock->lost = false;
	virtqueue_push(queue, &chain,
		       virtqueue_write(&chain, 0, &event, sizeof event));
	virtqueue_notify(queue);
}

static void vsock_kicked(struct virtio_queue *queue)
{
	struct vsock *vsock = (struct vsock *)queue->device;

	if (queue->index == QUEUE_EVENT)
		vsock_tell_lost(vsock);
	if (queue->index == QUEUE_TX)
		virtio_own_drain(queue, vsock_receive);
	vsock_transmit(vsock);
}

static void vsock_on_accept(int fd, short what, void *aux)
{
	struct vsock *vsock = aux;
	struct vsock_stream *stream;
	int connected;

	pthread_mutex_lock(&vsock->own.device.lock);
	stream = vsock_stream_free(vsock, VSOCK_BY_HOST);
	/* Without room the next one waits for the end of another. */
	if (vsock->own.running && stream) {
		connected =
			accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (connected >= 0)
			vsock_stream_open(stream, connected, NULL);
		if (connected >= 0 || (errno != EMFILE && errno != ENFILE))
			event_add(vsock->accept, NULL);
	}
	pthread_mutex_unlock(&vsock->own.device.lock);
}

static int vsock_activate(struct virtio_device *device)
{
	struct vsock *vsock = (struct vsock *)device;

	if (vsock->accept)
		event_add(vsock->accept, NULL);
	return virtio_own_start(device);
}

static void vsock_deactivate(struct virtio_device *device)
{
	struct vsock *vsock = (struct vsock *)device;

	virtio_own_stop(device);
	if (vsock->accept)
		event_del_noblock(vsock->accept);
	vsock->lost |= vsock_streams_close(vsock);
	vsock->n_resets = 0;
	vsock->stalled = false;
}

static void vsock_destroy(struct virtio_device *device)
{
	struct vsock *vsock = (struct vsock *)device;

	if (vsock->accept)
		event_free(vsock->accept);
	vsock_streams_free(vsock);
	virtio_own_uninit(&vsock->own);
	if (vsock->listener >= 0)
		close(vsock->listener);
	if (vsock->directory >= 0)
		close(vsock->directory);
	free(vsock);
}

/* Whatever was connected is so no more. */
static int vsock_restore(struct virtio_device *device, const json_t *state,
			 char **errp)
{
	((struct vsock *)device)->lost = true;
	return 0;
}

static const struct virtio_own_kind vsock_kind = {
	.ops = {
		.name = "vsock",
		.activate = vsock_activate,
		.deactivate = vsock_deactivate,
		.destroy = vsock_destroy,
		.restore = vsock_restore,
	},
	.type = VIRTIO_ID_VSOCK,
	.config_size = sizeof(struct virtio_vsock_config),
	.n_queues = N_QUEUES,
	.queue_sizes = { 128, 128, 8 },
	.kicked = vsock_kicked,
};

struct virtio_device *virtio_vsock_create(struct event_base *loop,
					  const struct guest_memory *memory,
					  uint32_t cid, int listener,
					  int directory_fd, char **errp)
{
	struct vsock *vsock = xcalloc(1, sizeof *vsock);

	virtio_own_init(&vsock->own, &vsock_kind, loop, memory, &vsock->config);
	vsock->config.guest_cid = cid;
	vsock->cid = cid;
	vsock->listener = listener;
	vsock->directory = vm_sandbox_directory(directory_fd);
	if (listener >= 0)
		vsock->accept = event_new(loop, listener, EV_READ,
					  vsock_on_accept, vsock);
	return &vsock->own.device;
}
