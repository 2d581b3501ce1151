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

void vsock_transmit(struct vsock *vsock)
{
	struct virtio_queue *queue = &vsock->own.device.queues[QUEUE_RX];
	unsigned int budget = queue->size;
	struct virtio_vsock_hdr header;
	struct virtqueue_chain chain;

	if (!vsock->own.running || !queue->enabled)
		return;
	virtqueue_disable_kicks(queue);
	while (budget && (vsock->n_resets || !TAILQ_EMPTY(&vsock->ready))) {
		if (!virtqueue_pop(queue, &chain)) {
			if (virtqueue_enable_kicks(queue))
				continue;
			break;
		}
		if (chain.in_length <= sizeof header) {
			virtqueue_break(queue, "a buffer without room");
			break;
		}
		if (vsock->n_resets)
			header = vsock->resets[--vsock->n_resets];
		else if (!vsock_stream_fill(TAILQ_FIRST(&vsock->ready), &chain,
					    &header)) {
			virtqueue_unpop(queue, &chain);
			continue;
		}
		header.src_cid = VSOCK_HOST;
		header.dst_cid = vsock->cid;
		header.type = VIRTIO_VSOCK_TYPE_STREAM;
		virtqueue_write(&chain, 0, &header, sizeof header);
		virtqueue_push(queue, &chain, sizeof header + header.len);
		budget--;
	}
	virtqueue_notify(queue);
	if (!budget)
		virtio_own_kick(queue);
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
	struct vsock_stream *stream;
	int fd = -1;

	if (vsock_stream_room(vsock, VSOCK_BY_GUEST))
		fd = vsock_connect(vsock, header->dst_port);
	if (fd < 0)
		return false;
	stream = vsock_stream_open(vsock, VSOCK_BY_GUEST, fd);
	stream->host_port = header->dst_port;
	stream->guest_port = header->src_port;
	stream->peer_buffer = header->buf_alloc;
	stream->peer_forwarded = header->fwd_cnt;
	vsock_stream_accepted(stream);
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
	int connected;

	pthread_mutex_lock(&vsock->own.device.lock);
	/* Without room the next one waits for the end of another. */
	if (vsock->own.running && vsock_stream_room(vsock, VSOCK_BY_HOST)) {
		connected =
			accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (connected >= 0)
			vsock_stream_open(vsock, VSOCK_BY_HOST, connected);
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

static json_t *vsock_save(struct virtio_device *device)
{
	return json_pack("{s:I}", "cid",
			 (json_int_t)((struct vsock *)device)->cid);
}

/* Whatever was connected is so no more. */
static int vsock_restore(struct virtio_device *device, const json_t *state,
			 char **errp)
{
	((struct vsock *)device)->lost = true;
	return 0;
}

static const struct virtio_ops vsock_ops = {
	.name = "vsock",
	.config_read = virtio_own_config_read,
	.activate = vsock_activate,
	.deactivate = vsock_deactivate,
	.destroy = vsock_destroy,
	.save = vsock_save,
	.restore = vsock_restore,
};

struct virtio_device *virtio_vsock_create(struct event_base *loop,
					  const struct guest_memory *memory,
					  uint32_t cid, int listener,
					  int directory_fd, char **errp)
{
	static const uint16_t sizes[N_QUEUES] = { 128, 128, 8 };
	struct vsock *vsock = xcalloc(1, sizeof *vsock);
	struct virtio_device *device = &vsock->own.device;

	virtio_device_init(device, &vsock_ops, memory, N_QUEUES, sizes);
	device->type = VIRTIO_ID_VSOCK;
	device->config_size = sizeof vsock->config;
	device->offered = VIRTIO_OWN_FEATURES;
	vsock->config.guest_cid = cid;
	vsock->own.config = &vsock->config;
	vsock->own.loop = loop;
	vsock->own.kicked = vsock_kicked;
	vsock->cid = cid;
	vsock->listener = listener;
	vsock->directory = vm_sandbox_directory(directory_fd);
	TAILQ_INIT(&vsock->ready);
	if (listener >= 0)
		vsock->accept = event_new(loop, listener, EV_READ,
					  vsock_on_accept, vsock);
	return device;
}
