/*
 * Reading, checking and writing of messages (message.h).
 *
 * Descriptors arrive with the first byte that was sent beside them, so each
 * read looks for them. They belong to the message from then on, and whatever
 * goes wrong closes them.
 */
#include "vhost/message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "vhost/foreign_fd.h"
#include "vhost/protocol.h"

/* --- what each request looks like --- */

#define U64    sizeof(uint64_t), sizeof(uint64_t)
#define STATE  STRUCT(vring_state)
#define REGION STRUCT(one_region)
#define STRUCT(name)                                                           \
	sizeof(struct vhost_user_##name), sizeof(struct vhost_user_##name)
#define NONE	 0, 0
#define INFLIGHT 20, sizeof(struct vhost_user_inflight)
#define RULE(name, sizes, min, max)                                            \
	[VHOST_USER_##name] = { #name, sizes, min, max }

static const struct rule {
	const char *name;
	uint16_t size_min, size_max;
	uint8_t fds_min, fds_max;
} rules[] = {
	RULE(GET_FEATURES, NONE, 0, 0),
	RULE(SET_FEATURES, U64, 0, 0),
	RULE(SET_OWNER, NONE, 0, 0),
	[VHOST_USER_RESET_OWNER] = { "RESET_OWNER", 0, 8, 0, 0 },
	[VHOST_USER_SET_MEM_TABLE] = { "SET_MEM_TABLE", 8,
				       sizeof(struct vhost_user_table), 0,
				       VHOST_USER_TABLE_REGIONS },
	/* A log that is not shared has an address and no descriptor. */
	[VHOST_USER_SET_LOG_BASE] = { "SET_LOG_BASE", 8,
				      sizeof(struct vhost_user_log), 0, 1 },
	[VHOST_USER_SET_LOG_FD] = { "SET_LOG_FD", 0, 8, 1, 1 },
	RULE(SET_VRING_NUM, STATE, 0, 0),
	RULE(SET_VRING_ADDR, STRUCT(vring_addr), 0, 0),
	RULE(SET_VRING_BASE, STATE, 0, 0),
	RULE(GET_VRING_BASE, STATE, 0, 0),
	RULE(SET_VRING_KICK, U64, 0, 1),
	RULE(SET_VRING_CALL, U64, 0, 1),
	RULE(SET_VRING_ERR, U64, 0, 1),
	RULE(GET_PROTOCOL_FEATURES, NONE, 0, 0),
	RULE(SET_PROTOCOL_FEATURES, U64, 0, 0),
	RULE(GET_QUEUE_NUM, NONE, 0, 0),
	RULE(SET_VRING_ENABLE, STATE, 0, 0),
	RULE(SEND_RARP, U64, 0, 0),
	RULE(NET_SET_MTU, U64, 0, 0),
	RULE(SET_BACKEND_REQ_FD, NONE, 1, 1),
	[VHOST_USER_IOTLB_MSG] = { "IOTLB_MSG", 26, 32, 0, 0 },
	[VHOST_USER_GET_CONFIG] = { "GET_CONFIG", 12,
				    sizeof(struct vhost_user_config), 0, 0 },
	[VHOST_USER_SET_CONFIG] = { "SET_CONFIG", 12,
				    sizeof(struct vhost_user_config), 0, 0 },
	RULE(GET_INFLIGHT_FD, INFLIGHT, 0, 0),
	RULE(SET_INFLIGHT_FD, INFLIGHT, 1, 1),
	RULE(RESET_DEVICE, NONE, 0, 0),
	RULE(GET_MAX_MEM_SLOTS, NONE, 0, 0),
	RULE(ADD_MEM_REG, REGION, 1, 1),
	/* Some send the descriptor again. */
	RULE(REM_MEM_REG, REGION, 0, 1),
	RULE(SET_STATUS, U64, 0, 0),
	RULE(GET_STATUS, NONE, 0, 0),
};

_Static_assert(ARRAY_SIZE(rules) == N_VHOST_USER_REQUESTS, "one for each");
_Static_assert(sizeof(struct vhost_user_table) <= VHOST_MESSAGE_PAYLOAD_MAX &&
		       sizeof(struct vhost_user_config) <=
			       VHOST_MESSAGE_PAYLOAD_MAX,
	       "any payload fits");
_Static_assert(VHOST_USER_TABLE_REGIONS <= VHOST_MESSAGE_FDS_MAX, "fits");

static const struct rule *rule_of(uint32_t request)
{
	return request < ARRAY_SIZE(rules) && rules[request].name
		       ? &rules[request]
		       : NULL;
}

const char *vhost_request_name(uint32_t request)
{
	const struct rule *rule = rule_of(request);

	return rule ? rule->name : "an unknown request";
}

/* What the header alone shows. */
static int check_header(const struct vhost_message *m, char **errp)
{
	const struct rule *rule = rule_of(m->request);

	if (!rule)
		return set_error(errp, -EPROTO,
				 "the front end sent request %u, which is not "
				 "one that the switch offers",
				 m->request);
	if ((m->flags & VHOST_USER_VERSION_MASK) != VHOST_USER_VERSION ||
	    m->flags & VHOST_USER_REPLY)
		return set_error(errp, -EPROTO,
				 "the front end sent %s with flags %#x, which "
				 "are not those of a request of version 1",
				 rule->name, m->flags);
	if (m->size < rule->size_min || m->size > rule->size_max)
		return set_error(errp, -EPROTO,
				 "the front end sent %s with %u bytes of "
				 "payload; it has %u to %u",
				 rule->name, m->size, rule->size_min,
				 rule->size_max);
	return 0;
}

/* Where the payload says how many descriptors there are: that number. */
static unsigned fds_told(const struct vhost_message *m)
{
	struct vhost_user_table table;
	uint64_t value;

	switch (m->request) {
	case VHOST_USER_SET_MEM_TABLE:
		memcpy(&table, m->payload, 8);
		return m->size == 8 + (uint64_t)table.n *
						       sizeof(table.regions[0])
			       ? table.n
			       : UINT32_MAX;
	case VHOST_USER_SET_VRING_KICK:
	case VHOST_USER_SET_VRING_CALL:
	case VHOST_USER_SET_VRING_ERR:
		memcpy(&value, m->payload, sizeof(value));
		return value & VHOST_USER_VRING_NOFD ? 0 : 1;
	case VHOST_USER_SET_LOG_BASE:
		return m->size == sizeof(struct vhost_user_log) ? 1 : 0;
	default:
		return m->n_fds;
	}
}

int vhost_message_check(const struct vhost_message *m, char **errp)
{
	const struct rule *rule = rule_of(m->request);
	int error = check_header(m, errp);

	if (error)
		return error;
	if (m->n_fds < rule->fds_min || m->n_fds > rule->fds_max)
		return set_error(errp, -EPROTO,
				 "the front end sent %s with %u descriptors; "
				 "it has %u to %u",
				 rule->name, m->n_fds, rule->fds_min,
				 rule->fds_max);
	if (m->n_fds != fds_told(m))
		return set_error(errp, -EPROTO,
				 "the front end sent %s with %u descriptors, "
				 "which is not what its payload says",
				 rule->name, m->n_fds);
	return 0;
}

/* --- reading --- */

union control {
	struct cmsghdr aligned;
	char bytes[CMSG_SPACE(VHOST_MESSAGE_FDS_MAX * sizeof(int))];
};

/*
 * What front ends may have open here, all together: the kernel gives the lowest
 * number that is free, so a number near the limit means that there are as many.
 * The rest is for the switch: sockets, devices, the next front end.
 */
static bool is_beyond_share(int fd)
{
	struct rlimit limit;

	return !getrlimit(RLIMIT_NOFILE, &limit) &&
	       (rlim_t)fd >= limit.rlim_cur - limit.rlim_cur / 8;
}

/* Takes all descriptors over. False: there are more than there can be. */
static bool take_fds(struct vhost_message *m, struct msghdr *from)
{
	bool fit = true;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(from); c;
	     c = CMSG_NXTHDR(from, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (m->n_fds < VHOST_MESSAGE_FDS_MAX &&
			    !is_beyond_share(fd)) {
				m->fds[m->n_fds++] = fd;
			} else {
				foreign_fd_close(fd);
				fit = false;
			}
		}
	}
	return fit;
}

/* Up to n bytes. How many there were, 0: none at the moment, or -errno. */
static ssize_t receive(struct vhost_message_reader *r, int socket, void *to,
		       size_t n, char **errp)
{
	struct iovec iov = { .iov_base = to, .iov_len = n };
	union control control;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t got;

	do {
		got = recvmsg(socket, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (got < 0)
		return set_error(errp, -errno, "cannot read a message: %s",
				 strerror(errno));
	if (!take_fds(&r->message, &msg) || msg.msg_flags & MSG_CTRUNC)
		return set_error(errp, -EPROTO,
				 "descriptors beside a message were lost: the "
				 "front end sent more than %d, or all front "
				 "ends together have as many open as they may",
				 VHOST_MESSAGE_FDS_MAX);
	if (!got && r->have)
		return set_error(errp, -EPROTO,
				 "the front end left in the middle of a "
				 "message");
	if (!got)
		return set_error(errp, -ECONNRESET, "the front end left");
	return got;
}

/* 1: whole, 0: more has to come. */
static int read_on(struct vhost_message_reader *r, int socket, char **errp)
{
	struct vhost_message *m = &r->message;
	uint8_t *header = (uint8_t *)m;

	for (;;) {
		bool in_header = r->have < VHOST_USER_HEADER_LEN;
		uint32_t at =
			in_header ? r->have : r->have - VHOST_USER_HEADER_LEN;
		uint32_t end = in_header ? VHOST_USER_HEADER_LEN : m->size;
		ssize_t got;

		if (at == end)
			return 1;
		got = receive(r, socket, (in_header ? header : m->payload) + at,
			      end - at, errp);
		if (got <= 0)
			return got;
		r->have += got;
		if (r->have == VHOST_USER_HEADER_LEN) {
			int error = check_header(m, errp);

			if (error)
				return error;
		}
	}
}

_Static_assert(offsetof(struct vhost_message, size) ==
		       VHOST_USER_HEADER_LEN - sizeof(uint32_t),
	       "the header as it is sent");

int vhost_message_read(struct vhost_message_reader *reader, int socket,
		       char **errp)
{
	int result;

	if (!reader->have)
		vhost_message_clear(&reader->message);
	result = read_on(reader, socket, errp);
	if (!result)
		return 0;
	reader->have = 0;
	if (result > 0)
		result = vhost_message_check(&reader->message, errp);
	if (result < 0)
		vhost_message_clear(&reader->message);
	return result < 0 ? result : 1;
}

/* --- writing, descriptors --- */

int vhost_message_write(const struct vhost_message *m, int socket)
{
	struct iovec iov[2] = {
		{ (void *)m, VHOST_USER_HEADER_LEN },
		{ (void *)m->payload, m->size },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	size_t fds_len = m->n_fds * sizeof(int);
	union control control = { 0 };
	ssize_t sent;

	if (m->n_fds) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(fds_len);
		control.aligned.cmsg_level = SOL_SOCKET;
		control.aligned.cmsg_type = SCM_RIGHTS;
		control.aligned.cmsg_len = CMSG_LEN(fds_len);
		memcpy(CMSG_DATA(&control.aligned), m->fds, fds_len);
	}
	do {
		sent = sendmsg(socket, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return -errno;
	/* It has not read its replies for so long that no more fit. */
	return (size_t)sent == VHOST_USER_HEADER_LEN + m->size ? 0 : -EAGAIN;
}

void vhost_message_clear(struct vhost_message *m)
{
	for (unsigned i = 0; i < m->n_fds; i++)
		foreign_fd_close(m->fds[i]);
	m->request = 0;
	m->flags = 0;
	m->size = 0;
	m->n_fds = 0;
}

int vhost_message_take_fd(struct vhost_message *m, unsigned i)
{
	int fd;

	if (i >= m->n_fds)
		return -1;
	fd = m->fds[i];
	m->fds[i] = -1;
	return fd;
}
