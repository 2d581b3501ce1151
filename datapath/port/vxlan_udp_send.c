/*
 * Sending on a port of type "vxlan-udp". A burst is sorted by the socket that
 * each packet's source port chooses, and is one system call a socket. What
 * follows each other there to the same place in packets of one length is sent
 * as one train (UDP_SEGMENT), for which the kernel does most of its work once.
 * Order is kept within a flow, which always has the same socket.
 *
 * Any number of threads at once: all memory is on their stacks.
 */
#include <errno.h>
#include <linux/udp.h>

#include "packet/csum.h"
#include "packet/parse.h"
#include "port/vxlan_udp.h"

#define BURST_MAX 256  /* packets that are sorted at once */
#define MESSAGES  64   /* of a system call */
#define PIECES	  1024 /* of all messages; the kernel's limit for one */
/* The least that a kernel with UDP_SEGMENT takes at once. */
#define TRAIN_MAX 64
/* Of a train's payload together: an IP packet, whatever its headers. */
#define TRAIN_BYTES_MAX 65000
#define REFUSED_TRIES	4

/* Where a datagram goes, and how: equal for all of a train. */
struct way {
	uint8_t ip[16];
	uint16_t port; /* network byte order */
	uint8_t tos, ttl;
};

/* A packet of the burst, and what its headers say. */
struct datagram {
	struct packet *packet;
	struct way way;
	uint32_t len; /* of the payload */
	uint16_t gso_size;
	int16_t next; /* of the same socket; -1: none */
};

/* A message and what it is made of. */
struct message {
	const struct way *way;
	uint32_t len;	/* payload */
	uint32_t bytes; /* as counted: frames */
	uint16_t size;	/* of a datagram, but for the last */
	uint16_t n;	/* packets */
	uint16_t first_piece, n_pieces;
	bool gso;    /* one packet, of several datagrams */
	bool closed; /* takes no more */
};

union control {
	struct cmsghdr align;
	uint8_t bytes[2 * CMSG_SPACE(sizeof(int)) +
		      CMSG_SPACE(sizeof(uint16_t))];
};

struct sender {
	struct vxlan_udp *u;
	unsigned thread;
	uint64_t bytes;
	unsigned sent;
	const struct vxlan_udp_source *source; /* of the messages */
	unsigned n_messages, n_pieces;
	int16_t first[VXLAN_UDP_SOURCES], last[VXLAN_UDP_SOURCES];
	struct datagram datagrams[BURST_MAX];
	struct message messages[MESSAGES];
	struct mmsghdr msgs[MESSAGES];
	union vxlan_address to[MESSAGES];
	union control control[MESSAGES];
	struct iovec pieces[PIECES];
};

static void drop(struct sender *s, enum drop_reason reason, unsigned n)
{
	port_drop(&s->u->up, s->thread, reason, n);
}

/* --- reading headers -------------------------------------------------------
 */

/*
 * What the headers in front say. False: they are not those of a datagram of the
 * port's IP version, or are not private.
 */
static bool parse(const struct vxlan_udp *u, struct packet *p,
		  struct datagram *d)
{
	unsigned headers = vxlan_udp_headers(u->options.version);
	const uint8_t *ip = p->header + ETH_HEADER_LEN;

	if (unlikely(p->header_len < headers) && !packet_pull(p, headers))
		return false;
	memset(&d->way, 0, sizeof(d->way));
	if (u->options.version == 4) {
		if (load_be16(ip - 2) != ETH_TYPE_IPV4 || ip[0] != 0x45 ||
		    ip[9] != IPPROTO_UDP)
			return false;
		d->way.tos = ip[1];
		d->way.ttl = ip[8];
		memcpy(d->way.ip, ip + 16, 4);
	} else {
		if (load_be16(ip - 2) != ETH_TYPE_IPV6 || ip[0] >> 4 != 6 ||
		    ip[6] != IPPROTO_UDP)
			return false;
		d->way.tos = load_be16(ip) >> 4;
		d->way.ttl = ip[7];
		memcpy(d->way.ip, ip + 24, 16);
	}
	memcpy(&d->way.port, p->header + headers - 6, 2);
	d->packet = p;
	d->len = p->len - headers;
	d->gso_size = p->offload.gso ? p->offload.gso_size : 0;
	return true;
}

/* The outer checksum is the kernel's to make, an inner one is not. */
static bool finish_csum(const struct vxlan_udp *u, struct packet *p)
{
	unsigned udp = vxlan_udp_headers(u->options.version) - 8;

	if (likely(!p->offload.csum_needed) || p->offload.csum_start == udp)
		return true;
	return !p->offload.gso && packet_finish_csum(p);
}

/* Into the list of the socket that its source port chooses. */
static void sort(struct sender *s, unsigned i)
{
	const struct packet *p = s->datagrams[i].packet;
	unsigned headers = vxlan_udp_headers(s->u->options.version);
	uint16_t port = load_be16(p->header + headers - 8);
	unsigned source = (port ^ port >> 8) % VXLAN_UDP_SOURCES;

	s->datagrams[i].next = -1;
	if (s->first[source] < 0)
		s->first[source] = i;
	else
		s->datagrams[s->last[source]].next = i;
	s->last[source] = i;
}

/* --- making messages -------------------------------------------------------
 */

/* The pieces of a packet's payload. 0: there is no room for so many. */
static unsigned add_pieces(struct sender *s, const struct datagram *d)
{
	unsigned skip = vxlan_udp_headers(s->u->options.version);
	struct iovec *iov = &s->pieces[s->n_pieces];
	unsigned n = packet_iov(d->packet, iov, PIECES - s->n_pieces);

	if (!n)
		return 0;
	iov->iov_base = (uint8_t *)iov->iov_base + skip;
	iov->iov_len -= skip;
	s->n_pieces += n;
	return n;
}

static bool is_train(const struct message *m)
{
	return m->gso || m->n > 1;
}

static bool fits(const struct sender *s, const struct message *m,
		 const struct datagram *d)
{
	return !m->closed && !d->gso_size && d->len <= m->size &&
	       m->n < TRAIN_MAX && m->len + d->len <= TRAIN_BYTES_MAX &&
	       d->len && s->u->can_segment &&
	       !memcmp(m->way, &d->way, sizeof(d->way));
}

static bool join(struct sender *s, const struct datagram *d)
{
	struct message *m;
	unsigned n;

	if (!s->n_messages)
		return false;
	m = &s->messages[s->n_messages - 1];
	if (!fits(s, m, d))
		return false;
	n = add_pieces(s, d);
	if (!n)
		return false;
	m->n++;
	m->n_pieces += n;
	m->len += d->len;
	m->bytes += d->packet->len;
	m->closed = d->len < m->size; /* it is the last */
	return true;
}

static bool begin(struct sender *s, const struct datagram *d)
{
	struct message *m = &s->messages[s->n_messages];
	unsigned first = s->n_pieces, n;

	if (s->n_messages == MESSAGES)
		return false;
	n = add_pieces(s, d);
	if (!n)
		return false;
	*m = (struct message){
		.way = &d->way,
		.len = d->len,
		.bytes = d->packet->len,
		.size = d->gso_size ? d->gso_size : d->len,
		.n = 1,
		.first_piece = first,
		.n_pieces = n,
		.gso = d->gso_size && d->gso_size < d->len,
		.closed = d->gso_size,
	};
	s->n_messages++;
	return true;
}

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
static void tell(const struct vxlan_udp *u, const struct way *way,
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

static void address(const struct vxlan_udp *u, const struct way *way,
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

static void finish(struct sender *s, unsigned i)
{
	const struct message *m = &s->messages[i];
	struct msghdr *hdr = &s->msgs[i].msg_hdr;

	*hdr = (struct msghdr){
		.msg_iov = &s->pieces[m->first_piece],
		.msg_iovlen = m->n_pieces,
		.msg_control = &s->control[i],
	};
	address(s->u, m->way, &s->to[i], hdr);
	tell(s->u, m->way, hdr);
	if (is_train(m))
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
static void count_cut(struct sender *s, const struct message *m, unsigned sent,
		      uint64_t bytes, int error)
{
	if (!m->gso) {
		s->sent += sent;
		s->bytes += bytes;
		if (sent < m->n)
			drop(s, reason_of(error), m->n - sent);
	} else if (!error) {
		s->sent++;
		s->bytes += m->bytes;
	} else {
		drop(s, reason_of(error), 1);
	}
}

/*
 * A train that the kernel does not take as one (a datagram too long for the
 * path, IPsec): each datagram alone. The last may fit where others do not.
 */
static void send_apart(struct sender *s, unsigned i)
{
	const struct message *m = &s->messages[i];
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

/* Of the message that the kernel refused; whether to go on with the next. */
static void send_failed(struct sender *s, unsigned i, int error)
{
	const struct message *m = &s->messages[i];

	if (is_train(m) &&
	    (error == EINVAL || error == EIO || error == EMSGSIZE))
		send_apart(s, i);
	else
		drop(s, reason_of(error), m->n);
}

static void count_sent(struct sender *s, unsigned from, unsigned n)
{
	for (unsigned i = from; i < from + n; i++) {
		s->sent += s->messages[i].n;
		s->bytes += s->messages[i].bytes;
	}
}

/* Messages from .. to - 1, all by one socket. */
static void send_run(struct sender *s, int fd, unsigned from, unsigned to)
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
				drop(s, DROP_TX_FULL, s->messages[from].n);
		} else if (!is_of_another(errno) || ++tries == REFUSED_TRIES) {
			send_failed(s, from++, errno);
			tries = 0;
		}
	}
}

static int socket_of(const struct sender *s, unsigned i)
{
	return is_train(&s->messages[i]) ? s->source->train_fd : s->source->fd;
}

static void flush(struct sender *s)
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

/* All packets that a socket has. */
static void send_list(struct sender *s, unsigned source)
{
	s->source = &s->u->sources[source];
	for (int i = s->first[source]; i >= 0; i = s->datagrams[i].next) {
		const struct datagram *d = &s->datagrams[i];

		if (join(s, d) || begin(s, d))
			continue;
		flush(s);
		if (!begin(s, d))
			drop(s, DROP_TX_OFFLOAD, 1);
	}
	flush(s);
}

static void send_some(struct sender *s, struct packet *const packets[],
		      unsigned n)
{
	unsigned n_datagrams = 0;

	memset(s->first, 0xff, sizeof(s->first));
	for (unsigned i = 0; i < n; i++) {
		if (!finish_csum(s->u, packets[i]))
			drop(s, DROP_TX_OFFLOAD, 1);
		else if (!parse(s->u, packets[i], &s->datagrams[n_datagrams]))
			drop(s, DROP_TX_ERROR, 1);
		else
			sort(s, n_datagrams++);
	}
	for (unsigned i = 0; i < VXLAN_UDP_SOURCES; i++)
		if (s->first[i] >= 0)
			send_list(s, i);
}

unsigned vxlan_udp_send(struct port_txq *txq, struct packet *const packets[],
			unsigned n, unsigned thread, uint64_t *sent_bytes)
{
	struct sender s;

	s.u = CONTAINER_OF(txq->port, struct vxlan_udp, up);
	s.thread = thread;
	s.bytes = 0;
	s.sent = 0;
	s.n_messages = s.n_pieces = 0;
	for (unsigned i = 0; i < n; i += BURST_MAX)
		send_some(&s, packets + i, MIN(n - i, BURST_MAX));
	*sent_bytes += s.bytes;
	return s.sent;
}
