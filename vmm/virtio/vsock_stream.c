/* Connections of the socket device. */
#include "vmm/virtio/vsock_stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Of the guest's bytes, how many went on to the host's program. */
static uint32_t forwarded(const struct vsock_stream *stream)
{
	return stream->received - (uint32_t)evbuffer_get_length(stream->kept);
}

/* How much the guest will take; none when its numbers make no sense. */
static uint32_t credit(const struct vsock_stream *stream)
{
	uint32_t in_flight = stream->sent - stream->peer_forwarded;

	return in_flight < stream->peer_buffer ? stream->peer_buffer - in_flight
					       : 0;
}

static bool has_output(const struct vsock_stream *stream)
{
	return stream->pending ||
	       (stream->state == VSOCK_OPEN && stream->has_input &&
		!(stream->peer_shutdown & VIRTIO_VSOCK_SHUTDOWN_RCV) &&
		credit(stream));
}

static void send_op(struct vsock_stream *stream, enum virtio_vsock_op op)
{
	stream->pending |= 1u << op;
}

static void close_socket(struct vsock_stream *stream)
{
	event_del_noblock(&stream->readable);
	event_del_noblock(&stream->writable);
	event_del_noblock(&stream->timer);
	if (stream->fd >= 0)
		close(stream->fd);
	stream->fd = -1;
	evbuffer_drain(stream->kept, evbuffer_get_length(stream->kept));
	stream->pending = 0;
}

static void end(struct vsock_stream *stream)
{
	struct vsock *vsock = stream->vsock;

	close_socket(stream);
	stream->state = VSOCK_FREE;
	/* There is room for one more. */
	if (vsock->accept && vsock->own.running)
		event_add(vsock->accept, NULL);
}

static void reset(struct vsock_stream *stream)
{
	close_socket(stream);
	stream->state = VSOCK_DYING;
	send_op(stream, VIRTIO_VSOCK_OP_RST);
}

/* Goes on with closing, as far as it is its time. */
static void advance_shutdown(struct vsock_stream *stream)
{
	uint32_t peer = stream->peer_shutdown;

	if (stream->state != VSOCK_OPEN ||
	    !(peer & VIRTIO_VSOCK_SHUTDOWN_SEND) ||
	    evbuffer_get_length(stream->kept))
		return;
	shutdown(stream->fd, SHUT_WR);
	if (stream->end_sent || peer & VIRTIO_VSOCK_SHUTDOWN_RCV)
		reset(stream);
}

/* Gives the host's program what is kept for it. */
static void flush(struct vsock_stream *stream)
{
	if (evbuffer_send(stream->kept, stream->fd) < 0) {
		reset(stream);
		return;
	}
	if (evbuffer_get_length(stream->kept))
		event_add(&stream->writable, NULL);
	if (forwarded(stream) - stream->told >= VSOCK_BUFFER / 2)
		send_op(stream, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	advance_shutdown(stream);
}

/* "CONNECT PORT\n", byte by byte: what follows is the guest's. */
static void read_greeting(struct vsock_stream *stream)
{
	char *line = stream->greeting, *at, *end_of_port;
	unsigned long long port;
	ssize_t n;

	do {
		at = &line[stream->greeting_length];
		n = recv(stream->fd, at, 1, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			event_add(&stream->readable, NULL);
			return;
		}
		if (n <= 0 || ++stream->greeting_length == VSOCK_GREETING_MAX)
			break;
	} while (*at != '\n');
	port = strtoull(line + 8, &end_of_port, 10);
	if (strncmp(line, "CONNECT ", 8) || line[8] < '0' || line[8] > '9' ||
	    port > UINT32_MAX || *end_of_port != '\n') {
		end(stream);
		return;
	}
	do
		stream->host_port = stream->vsock->next_port++ | 1u << 30;
	while (vsock_stream_find(stream->vsock, stream->host_port, port));
	stream->guest_port = port;
	stream->state = VSOCK_REQUESTED;
	send_op(stream, VIRTIO_VSOCK_OP_REQUEST);
}

static void on_socket(int fd, short what, void *aux)
{
	struct vsock_stream *stream = aux;
	struct vsock *vsock = stream->vsock;

	pthread_mutex_lock(&vsock->own.device.lock);
	if (stream->state == VSOCK_GREETING && what & EV_READ) {
		read_greeting(stream);
	} else if (stream->state == VSOCK_OPEN && what & EV_READ) {
		stream->has_input = true;
	} else if (stream->state == VSOCK_OPEN && what & EV_WRITE) {
		flush(stream);
	} else if (stream->state == VSOCK_GREETING) {
		end(stream);
	} else if (stream->state == VSOCK_REQUESTED && what & EV_TIMEOUT) {
		if (stream->pending)
			end(stream); /* the guest never saw it */
		else
			reset(stream);
	}
	vsock_transmit(vsock);
	pthread_mutex_unlock(&vsock->own.device.lock);
}

struct vsock_stream *vsock_stream_free(struct vsock *vsock,
				       enum vsock_side side)
{
	struct vsock_stream *first = &vsock->streams[side * VSOCK_MAX_STREAMS];

	for (unsigned int i = 0; i < VSOCK_MAX_STREAMS; i++)
		if (first[i].state == VSOCK_FREE) {
			first[i].vsock = vsock;
			return &first[i];
		}
	return NULL;
}

void vsock_stream_open(struct vsock_stream *stream, int fd,
		       const struct virtio_vsock_hdr *request)
{
	struct event_base *loop = stream->vsock->own.loop;
	struct timeval timeout = { .tv_sec = VSOCK_TIMEOUT_S };

	*stream = (struct vsock_stream){
		.vsock = stream->vsock,
		.state = request ? VSOCK_OPEN : VSOCK_GREETING,
		.fd = fd,
		.kept = stream->kept ? stream->kept : evbuffer_new(),
	};
	event_assign(&stream->readable, loop, fd, EV_READ, on_socket, stream);
	event_assign(&stream->writable, loop, fd, EV_WRITE, on_socket, stream);
	event_assign(&stream->timer, loop, -1, 0, on_socket, stream);
	event_add(&stream->readable, NULL);
	if (!request) {
		event_add(&stream->timer, &timeout);
		return;
	}
	stream->host_port = request->dst_port;
	stream->guest_port = request->src_port;
	stream->peer_buffer = request->buf_alloc;
	stream->peer_forwarded = request->fwd_cnt;
	send_op(stream, VIRTIO_VSOCK_OP_RESPONSE);
}

struct vsock_stream *vsock_stream_find(struct vsock *vsock, uint32_t host_port,
				       uint32_t guest_port)
{
	for (size_t i = 0; i < ARRAY_SIZE(vsock->streams); i++) {
		struct vsock_stream *stream = &vsock->streams[i];

		if (stream->state >= VSOCK_REQUESTED &&
		    stream->host_port == host_port &&
		    stream->guest_port == guest_port)
			return stream;
	}
	return NULL;
}

/* The guest took a connection of the host. */
static void responded(struct vsock_stream *stream)
{
	char answer[32];
	int length =
		snprintf(answer, sizeof answer, "OK %u\n", stream->host_port);

	event_del(&stream->timer);
	stream->state = VSOCK_OPEN;
	/* Into an empty buffer: all of it, or the program has gone. */
	if (send(stream->fd, answer, length, MSG_DONTWAIT | MSG_NOSIGNAL) !=
	    length)
		reset(stream);
	else
		event_add(&stream->readable, NULL);
}

static void take_payload(struct vsock_stream *stream, uint32_t length,
			 const struct virtqueue_chain *chain)
{
	struct iovec pieces[VIRTQUEUE_MAX_SEGMENTS];
	unsigned int n;

	if (stream->peer_shutdown & VIRTIO_VSOCK_SHUTDOWN_SEND ||
	    length > VSOCK_BUFFER - evbuffer_get_length(stream->kept)) {
		reset(stream);
		return;
	}
	n = iov_cut(pieces, chain->out, chain->n_out,
		    sizeof(struct virtio_vsock_hdr), length);
	for (unsigned int i = 0; i < n; i++)
		evbuffer_add(stream->kept, pieces[i].iov_base,
			     pieces[i].iov_len);
	stream->received += length;
	flush(stream);
}

void vsock_stream_packet(struct vsock_stream *stream,
			 const struct virtio_vsock_hdr *header,
			 const struct virtqueue_chain *chain)
{
	bool open = stream->state == VSOCK_OPEN;

	stream->peer_buffer = header->buf_alloc;
	stream->peer_forwarded = header->fwd_cnt;
	if (header->op == VIRTIO_VSOCK_OP_RST) {
		end(stream);
	} else if (header->op == VIRTIO_VSOCK_OP_RESPONSE &&
		   stream->state == VSOCK_REQUESTED && !stream->pending) {
		responded(stream);
	} else if (header->op == VIRTIO_VSOCK_OP_RW && open) {
		take_payload(stream, header->len, chain);
	} else if (header->op == VIRTIO_VSOCK_OP_SHUTDOWN && open) {
		stream->peer_shutdown |= header->flags;
		if (header->flags & VIRTIO_VSOCK_SHUTDOWN_RCV)
			shutdown(stream->fd, SHUT_RD);
		advance_shutdown(stream);
	} else if (header->op == VIRTIO_VSOCK_OP_CREDIT_REQUEST && open) {
		send_op(stream, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	} else if (header->op != VIRTIO_VSOCK_OP_CREDIT_UPDATE || !open) {
		reset(stream);
	}
}

/* From the socket to the guest: bytes, 0 for something to send instead, or
 * -EAGAIN. */
static ssize_t fill_payload(struct vsock_stream *stream,
			    const struct virtqueue_chain *chain)
{
	struct iovec pieces[VIRTQUEUE_MAX_SEGMENTS];
	struct msghdr message = { .msg_iov = pieces };
	ssize_t n;

	message.msg_iovlen = iov_cut(
		pieces, chain->in, chain->n_in, sizeof(struct virtio_vsock_hdr),
		MIN(credit(stream), (uint32_t)VSOCK_BUFFER));
	n = recvmsg(stream->fd, &message, MSG_DONTWAIT);
	if (n > 0) {
		stream->sent += n;
		return n;
	}
	if (n < 0 && errno == EINTR)
		return 0;
	stream->has_input = false;
	if (n < 0 && errno == EAGAIN) {
		event_add(&stream->readable, NULL);
		return -EAGAIN;
	}
	if (n < 0)
		reset(stream);
	else
		send_op(stream, VIRTIO_VSOCK_OP_SHUTDOWN);
	return 0;
}

static bool fill(struct vsock_stream *stream,
		 const struct virtqueue_chain *chain,
		 struct virtio_vsock_hdr *header)
{
	enum virtio_vsock_op op = VIRTIO_VSOCK_OP_RW;
	ssize_t length = 0;

	while (!length && !stream->pending && has_output(stream))
		length = fill_payload(stream, chain);
	if (length <= 0 && !stream->pending)
		return false;
	if (length <= 0) {
		op = __builtin_ctz(stream->pending);
		stream->pending &= ~(1u << op);
		length = 0;
	}
	*header = (struct virtio_vsock_hdr){
		.src_port = stream->host_port,
		.dst_port = stream->guest_port,
		.len = length,
		.op = op,
		.flags = op == VIRTIO_VSOCK_OP_SHUTDOWN
				 ? VIRTIO_VSOCK_SHUTDOWN_SEND
				 : 0,
		.buf_alloc = VSOCK_BUFFER,
		.fwd_cnt = forwarded(stream),
	};
	stream->told = header->fwd_cnt;
	if (op == VIRTIO_VSOCK_OP_RST) {
		end(stream);
	} else if (op == VIRTIO_VSOCK_OP_SHUTDOWN) {
		stream->end_sent = true;
		advance_shutdown(stream);
	}
	return true;
}

bool vsock_streams_fill(struct vsock *vsock,
			const struct virtqueue_chain *chain,
			struct virtio_vsock_hdr *header)
{
	for (size_t i = 0; i < ARRAY_SIZE(vsock->streams); i++) {
		vsock->turn = (vsock->turn + 1) % ARRAY_SIZE(vsock->streams);
		if (fill(&vsock->streams[vsock->turn], chain, header))
			return true;
	}
	return false;
}

bool vsock_streams_close(struct vsock *vsock)
{
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(vsock->streams); i++) {
		struct vsock_stream *stream = &vsock->streams[i];

		any |= stream->state > VSOCK_GREETING;
		if (stream->state != VSOCK_FREE)
			end(stream);
	}
	return any;
}

void vsock_streams_free(struct vsock *vsock)
{
	for (size_t i = 0; i < ARRAY_SIZE(vsock->streams); i++) {
		struct vsock_stream *stream = &vsock->streams[i];

		if (!stream->kept)
			continue;
		event_del(&stream->readable);
		event_del(&stream->writable);
		event_del(&stream->timer);
		evbuffer_free(stream->kept);
	}
}
