/*
 * A vhost-user front end: messages with descriptors come in over a socket, go
 * to a session, and it leaves. Whatever it said, no descriptor and no mapping
 * is left behind.
 *
 * The input is a sequence of messages: how[2], request, flags, size (a byte
 * each), then the payload. how[0]: the number of descriptors beside it; how[1]:
 * their kinds, two bits each, and whether the message comes in two parts.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz_input.h"
#include "base/log.h"
#include "vhost/mapping.h"
#include "vhost/protocol.h"
#include "vhost/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY, EVENT, PIPE, SMALL, N_KINDS };
static int kinds[N_KINDS];
static _Atomic uint64_t drops[N_DROP_REASONS];
static struct packet packets[PACKET_BURST_MAX];

static void prepare(void)
{
	int pipes[2];

	if (kinds[EVENT])
		return;
	log_set("ANY:off", NULL);
	vhost_memory_guard();
	kinds[MEMORY] = memfd_create("memory", MFD_CLOEXEC);
	kinds[EVENT] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	MUST(!pipe2(pipes, O_CLOEXEC | O_NONBLOCK));
	kinds[PIPE] = pipes[1];
	kinds[SMALL] = memfd_create("small", MFD_CLOEXEC);
	MUST(!ftruncate(kinds[MEMORY], 1 << 20));
	MUST(!ftruncate(kinds[SMALL], 100));
}

/* The lowest number that is free: those above are when nothing has leaked. */
static int lowest_fd(void)
{
	int fd = dup(kinds[EVENT]);

	close(fd);
	return fd;
}

static void send_part(int socket, const void *bytes, size_t len, unsigned n_fds,
		      unsigned what)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(16 * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { (void *)bytes, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fds[16];

	for (unsigned i = 0; i < n_fds; i++)
		fds[i] = kinds[(what >> 2 * (i % 3)) & 3];
	if (n_fds) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, n_fds * sizeof(int));
	}
	MUST(sendmsg(socket, &msg, MSG_DONTWAIT) == (ssize_t)len);
}

static void send_one(int socket, const uint8_t **data, size_t *size)
{
	struct {
		uint32_t request, flags, size;
		uint8_t payload[256];
	} m = { 0 };
	uint8_t how[5];
	size_t len, part;

	fuzz_take(data, size, how, sizeof(how));
	m.request = how[2];
	m.flags = how[3];
	m.size = how[4] == 255 ? UINT32_MAX : how[4];
	fuzz_take(data, size, m.payload, how[4]);
	len = VHOST_USER_HEADER_LEN + how[4];
	part = how[1] & 0x80 ? 1 + how[1] % len : len;
	part = MIN(part, len);
	send_part(socket, &m, part, how[0] & 15, how[1]);
	if (part < len)
		send_part(socket, (uint8_t *)&m + part, len - part, 0, 0);
}

/* As its workers would. */
static void use_queues(struct vhost_session *session)
{
	for (unsigned i = 1; i < 4; i += 2) {
		struct virtqueue *vq = vhost_session_queue(session, i);

		if (virtqueue_receive(vq, packets, PACKET_BURST_MAX, drops))
			virtqueue_done(vq);
		MUST((vhost_session_kick_fd(session, i) >= 0) <=
		     virtqueue_is_started(vq));
	}
}

static void converse(struct vhost_session *session, int pair[2],
		     const uint8_t *data, size_t size)
{
	static struct vhost_message_reader reader;
	static struct vhost_message reply;
	bool has_reply = false;
	int got = 0;

	memset(&reader, 0, sizeof(reader));
	while (size && got >= 0) {
		send_one(pair[0], &data, &size);
		while (got >= 0 &&
		       (got = vhost_message_read(&reader, pair[1], NULL)) > 0) {
			if (vhost_session_handle(session, &reader.message,
						 &reply, &has_reply, NULL))
				got = -EPROTO;
			MUST(!has_reply || reply.flags == 5);
			vhost_message_clear(&reply);
			use_queues(session);
		}
	}
	vhost_message_clear(&reader.message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct vhost_session_config config = { .name = "fuzz",
						     .n_pairs = 2 };
	struct vhost_session *session;
	int pair[2], lowest;

	prepare();
	lowest = lowest_fd();
	session = vhost_session_create(&config);
	MUST(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
	converse(session, pair, data, size);
	close(pair[0]);
	close(pair[1]);
	vhost_session_reset(session);
	MUST(!vhost_mapping_count());
	vhost_session_settled(session);
	MUST(lowest_fd() == lowest);
	vhost_session_destroy(session);
	return 0;
}
