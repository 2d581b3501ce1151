/*
 * Giving messages to the kernel (vxlan_udp_send.h): one system call for those
 * in a row that have the same socket, what it refused apart from the others.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/udp.h>

#include "base/log.h"
#include "port/vxlan_udp_send.h"

LOG_MODULE(vxlan);

#define REFUSED_TRIES 4

static void put(struct msghdr *hdr, int level, int type, const void *data,
		size_t len)
{
	struct cmsghdr *c = (struct cmsghdr *)((uint8_t *)hdr->msg_control +
					       hdr->msg_controllen);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	hdr->msg_controllen += CMSG_SPACE(len);
}

/* What differs from the socket's own settings. */
static void tell(const struct vxlan_udp *u, const struct vxlan_udp_way *way,
		 struct msghdr *hdr)
{
	bool is4 = u->options.version == 4;
	int level = is4 ? IPPROTO_IP : IPPROTO_IPV6;
	int tos = way->tos, ttl = way->ttl;

	if (tos)
		put(hdr, level, is4 ? IP_TOS : IPV6_TCLASS, &tos, sizeof(tos));
	if (ttl && ttl != VXLAN_UDP_TTL)
		put(hdr, level, is4 ? IP_TTL : IPV6_HOPLIMIT, &ttl,
		    sizeof(ttl));
}

static void address(const struct vxlan_udp *u, const struct vxlan_udp_way *way,
		    union vxlan_address *to, struct msghdr *hdr)
{
	hdr->msg_name = to;
	if (u->options.version == 4) {
		to->v4 = (struct sockaddr_in){ .sin_family = AF_INET,
					       .sin_port = way->port };
		memcpy(&to->v4.sin_addr, way->ip, 4);
		hdr->msg_namelen = sizeof(to->v4);
	} else {
		to->v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6,
						.sin6_port = way->port };
		memcpy(&to->v6.sin6_addr, way->ip, 16);
		hdr->msg_namelen = sizeof(to->v6);
	}
}

static void finish(struct vxlan_udp_sender *s, unsigned i)
{
	const struct vxlan_udp_message *m = &s->messages[i];
	struct msghdr *hdr = &s->msgs[i].msg_hdr;

	*hdr = (struct msghdr){
		.msg_iov = &s->pieces[m->first_piece],
		.msg_iovlen = m->n_pieces,
		.msg_control = &s->control[i],
	};
	address(s->u, m->way, &s->to[i], hdr);
	tell(s->u, m->way, hdr);
	if (vxlan_udp_is_train(m))
		put(hdr, IPPROTO_UDP, UDP_SEGMENT, &m->size, sizeof(m->size));
}

/* --- sending ---------------------------------------------------------------
 */

/* The reason for what the kernel said of a datagram. */
static enum drop_reason reason_of(int error)
{
	switch (error) {
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		return DROP_TX_FULL;
	case ENETDOWN:
	case ENODEV:
	case ENXIO:
		return DROP_TX_DOWN;
	case EMSGSIZE:
		return DROP_TX_TOO_BIG;
	default:
		return DROP_TX_ERROR;
	}
}

/*
 * A socket may be told by a failing call of what an earlier datagram met (ICMP,
 * RFC 1122 4.1.3.3); it is no failure of this one's.
 */
static bool is_of_another(int error)
{
	return error == EINTR || error == ECONNREFUSED;
}

static int send_one(int fd, const struct msghdr *hdr)
{
	for (unsigned tries = 0; tries < REFUSED_TRIES; tries++) {
		if (sendmsg(fd, hdr, MSG_DONTWAIT) >= 0)
			return 0;
		if (!is_of_another(errno))
			break;
	}
	return errno;
}

/* Sends the next len bytes of hdr's pieces alone, and leaves the rest in it. */
static int send_cut(int fd, struct msghdr *hdr, uint32_t len)
{
	struct msghdr one = *hdr;
	struct iovec *last = hdr->msg_iov;
	uint32_t left = len;
	size_t rest;
	int error;

	while (left > last->iov_len)
		left -= last++->iov_len;
	rest = last->iov_len - left;
	last->iov_len = left;
	one.msg_iovlen = last - hdr->msg_iov + 1;
	error = send_one(fd, &one);
	last->iov_base = (uint8_t *)last->iov_base + left;
	last->iov_len = rest;
	hdr->msg_iovlen -= last - hdr->msg_iov;
	hdr->msg_iov = last;
	return error;
}

/* One packet of several datagrams was sent when all of these were. */
static void count_cut(struct vxlan_udp_sender *s,
		      const struct vxlan_udp_message *m, unsigned sent,
		      uint64_t bytes, int error)
{
	if (!m->gso) {
		s->sent += sent;
		s->bytes += bytes;
		if (sent < m->n)
			vxlan_udp_drop(s, reason_of(error), m->n - sent);
	} else if (!error) {
		s->sent += m->n;
		s->bytes += m->bytes;
	} else {
		vxlan_udp_drop(s, reason_of(error), m->n);
	}
}

/*
 * A train that the kernel does not take as one (a datagram too long for the
 * path, IPsec): each datagram alone. The last may fit where others do not.
 */
static void send_apart(struct vxlan_udp_sender *s, unsigned i)
{
	const struct vxlan_udp_message *m = &s->messages[i];
	unsigned headers = vxlan_udp_headers(s->u->options.version);
	struct msghdr *hdr = &s->msgs[i].msg_hdr;
	unsigned sent = 0;
	uint64_t bytes = 0;
	int error = 0;

	hdr->msg_controllen = 0;
	tell(s->u, m->way, hdr);
	for (uint32_t left = m->len, len; left; left -= len) {
		int e;

		len = MIN(left, (uint32_t)m->size);
		e = send_cut(s->source->fd, hdr, len);
		if (!e) {
			sent++;
			bytes += headers + len;
			continue;
		}
		error = e;
		if (m->gso || e == EAGAIN)
			break; /* what is left is lost as well */
	}
	count_cut(s, m, sent, bytes, error);
}

/* drops.md sends people to the log. */
static void say_error(const struct vxlan_udp_sender *s,
		      const struct vxlan_udp_message *m, int error)
{
	char text[INET6_ADDRSTRLEN];
	int family = s->u->options.version == 4 ? AF_INET : AF_INET6;

	if (reason_of(error) == DROP_TX_ERROR)
		log_warn_limited(
			"%s: cannot send to %s: %s", s->u->up.name,
			inet_ntop(family, m->way->ip, text, sizeof(text)),
			strerror(error));
}

/* Of the message that the kernel refused; whether to go on with the next. */
static void send_failed(struct vxlan_udp_sender *s, unsigned i, int error)
{
	const struct vxlan_udp_message *m = &s->messages[i];

	if (vxlan_udp_is_train(m) &&
	    (error == EINVAL || error == EIO || error == EMSGSIZE)) {
		send_apart(s, i);
		return;
	}
	say_error(s, m, error);
	vxlan_udp_drop(s, reason_of(error), m->n);
}

static void count_sent(struct vxlan_udp_sender *s, unsigned from, unsigned n)
{
	for (unsigned i = from; i < from + n; i++) {
		s->sent += s->messages[i].n;
		s->bytes += s->messages[i].bytes;
	}
}

/* Messages from .. to - 1, all by one socket. */
static void send_run(struct vxlan_udp_sender *s, int fd, unsigned from,
		     unsigned to)
{
	unsigned tries = 0;

	while (from < to) {
		int n = sendmmsg(fd, s->msgs + from, to - from, MSG_DONTWAIT);

		if (n > 0) {
			count_sent(s, from, n);
			from += n;
			tries = 0;
		} else if (errno == EAGAIN) {
			for (; from < to; from++)
				vxlan_udp_drop(s, DROP_TX_FULL,
					       s->messages[from].n);
		} else if (!is_of_another(errno) || ++tries == REFUSED_TRIES) {
			send_failed(s, from++, errno);
			tries = 0;
		}
	}
}

static int socket_of(const struct vxlan_udp_sender *s, unsigned i)
{
	return vxlan_udp_is_train(&s->messages[i]) ? s->source->train_fd
						   : s->source->fd;
}

void vxlan_udp_flush(struct vxlan_udp_sender *s)
{
	unsigned from = 0;

	for (unsigned i = 0; i < s->n_messages; i++)
		finish(s, i);
	for (unsigned i = 1; i <= s->n_messages; i++) {
		int fd = socket_of(s, from);

		if (i < s->n_messages && socket_of(s, i) == fd)
			continue;
		send_run(s, fd, from, i);
		from = i;
	}
	s->n_messages = s->n_pieces = 0;
}
