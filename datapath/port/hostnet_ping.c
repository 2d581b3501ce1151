/*
 * Pings, which libslirp does for IPv4 only, and with a socket for each request:
 * here there is one for each machine's ping (its identifier), by the kernel's
 * sockets for that purpose, which every user may have where
 * net.ipv4.ping_group_range says so, or else by raw ones, which takes
 * CAP_NET_RAW. Errors on the way come back, too, so that a machine can trace.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "packet/csum.h"
#include "packet/parse.h"
#include "port/hostnet_internal.h"

/* After headers that use names of these. */
#include <linux/errqueue.h>
#include <linux/icmp.h>

LOG_MODULE(hostnet);

#define L3	     ETH_HEADER_LEN
#define IP4_LEN	     20
#define IP6_LEN	     40
#define ICMP_LEN     8
#define IDLE_MS	     30000
#define HOPS	     64
#define TURN_MAX     16 /* answers from one socket before the others' turn */
#define TYPE_ANSWER4 0
#define TYPE_ANSWER6 129

struct ping {
	int fd;
	bool raw;
	uint8_t version;
	uint8_t machine[16];
	uint16_t id, outer_id; /* the machine's; of a raw socket, ours */
	uint64_t used_ms;
	int watch; /* see hostnet_watch() */
};

struct hostnet_pings {
	struct hostnet *h;
	struct ping *pings;
	unsigned n, size;
	uint64_t now_ms;
	bool complained;
	uint8_t frame[ETH_HEADER_LEN + HOSTNET_IP_MAX];
};

struct hostnet_pings *hostnet_pings_create(struct hostnet *h)
{
	struct hostnet_pings *pings = xcalloc(1, sizeof(*pings));

	pings->h = h;
	return pings;
}

static void close_ping(struct hostnet_pings *pings, unsigned i)
{
	hostnet_sessions_remove(pings->h->sessions, pings->pings[i].fd);
	close(pings->pings[i].fd);
	pings->pings[i] = pings->pings[--pings->n];
}

void hostnet_pings_destroy(struct hostnet_pings *pings)
{
	if (!pings)
		return;
	while (pings->n)
		close_ping(pings, pings->n - 1);
	free(pings->pings);
	free(pings);
}

/* --- requests ------------------------------------------------------------- */

static void complain(struct hostnet_pings *pings, int error)
{
	if (pings->complained)
		return;
	pings->complained = true;
	log_warn("%s: pings fail, as the kernel gives no socket for them (%s): "
		 "sysctl -w net.ipv4.ping_group_range=\"0 2147483647\", or "
		 "start vswd with CAP_NET_RAW",
		 pings->h->up.name, strerror(error));
}

/* A raw socket sees what comes for all: only answers, please. */
static void filter_raw(int fd, unsigned version)
{
	struct icmp_filter only = { .data = ~(1u << TYPE_ANSWER4) };
	struct icmp6_filter only6;

	ICMP6_FILTER_SETBLOCKALL(&only6);
	ICMP6_FILTER_SETPASS(TYPE_ANSWER6, &only6);
	if (version == 4
		    ? setsockopt(fd, SOL_RAW, ICMP_FILTER, &only, sizeof(only))
		    : setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &only6,
				 sizeof(only6)))
		log_warn_limited("cannot filter pings: %m");
}

static int open_socket(unsigned version, bool *raw)
{
	int family = version == 4 ? AF_INET : AF_INET6;
	int proto = version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	int flags = SOCK_NONBLOCK | SOCK_CLOEXEC, on = 1;
	int fd = socket(family, SOCK_DGRAM | flags, proto);

	*raw = false;
	if (fd < 0 &&
	    (errno == EACCES || errno == EPERM || errno == EPROTONOSUPPORT)) {
		fd = socket(family, SOCK_RAW | flags, proto);
		*raw = true;
	}
	if (fd < 0)
		return -errno;
	if (*raw)
		filter_raw(fd, version);
	if (version == 4)
		setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
	else
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
	return fd;
}

static struct ping *open_ping(struct hostnet_pings *pings,
			      const struct hostnet_packet *p)
{
	bool raw;
	int fd = open_socket(p->version, &raw);
	struct ping *ping;

	if (fd < 0) {
		complain(pings, -fd);
		return NULL;
	}
	if (pings->n == pings->size) {
		pings->size = MAX(2 * pings->size, 16u);
		pings->pings = xrealloc(pings->pings,
					pings->size * sizeof(*pings->pings));
	}
	ping = &pings->pings[pings->n++];
	memset(ping, 0, sizeof(*ping));
	ping->fd = fd;
	ping->raw = raw;
	ping->version = p->version;
	memcpy(ping->machine, p->src, sizeof(ping->machine));
	ping->id = p->src_port;
	/* Unlike that of any other socket of ours. */
	ping->outer_id = (uint16_t)(pings->h->memory.seed + fd);
	ping->watch = -1;
	hostnet_sessions_add(pings->h->sessions, fd, p);
	return ping;
}

static struct ping *find_ping(struct hostnet_pings *pings,
			      const struct hostnet_packet *p)
{
	for (unsigned i = 0; i < pings->n; i++) {
		struct ping *ping = &pings->pings[i];

		if (ping->id == p->src_port && ping->version == p->version &&
		    !memcmp(ping->machine, p->src, sizeof(ping->machine)))
			return ping;
	}
	return NULL;
}

static socklen_t address_of(const struct hostnet_packet *p,
			    struct sockaddr_storage *to)
{
	struct sockaddr_in *ip4 = (void *)to;
	struct sockaddr_in6 *ip6 = (void *)to;

	memset(to, 0, sizeof(*to));
	if (p->version == 4) {
		ip4->sin_family = AF_INET;
		memcpy(&ip4->sin_addr, p->dst, 4);
		return sizeof(*ip4);
	}
	ip6->sin6_family = AF_INET6;
	memcpy(&ip6->sin6_addr, p->dst, 16);
	return sizeof(*ip6);
}

static void set_hops(int fd, const uint8_t *frame,
		     const struct hostnet_packet *p)
{
	int hops = frame[L3 + (p->version == 4 ? 8 : 7)];

	if (p->version == 4)
		setsockopt(fd, IPPROTO_IP, IP_TTL, &hops, sizeof(hops));
	else
		setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops,
			   sizeof(hops));
}

void hostnet_pings_send(struct hostnet_pings *pings, const uint8_t *frame,
			const struct hostnet_packet *p)
{
	struct ping *ping = find_ping(pings, p);
	uint32_t n = p->end - p->l4;
	struct sockaddr_storage to;
	socklen_t to_len = address_of(p, &to);

	if (!ping)
		ping = open_ping(pings, p);
	if (!ping) {
		hostnet_drop(pings->h, DROP_TX_ERROR);
		return;
	}
	ping->used_ms = pings->now_ms;
	memcpy(pings->frame, frame + p->l4, n);
	memset(pings->frame + 2, 0, 2);
	store_be16(pings->frame + 4, ping->outer_id);
	if (p->version == 4)
		csum_store(pings->frame + 2, csum_add(0, pings->frame, n));
	set_hops(ping->fd, frame, p);
	if (sendto(ping->fd, pings->frame, n, MSG_DONTWAIT,
		   (struct sockaddr *)&to, to_len) < 0)
		hostnet_drop(pings->h, DROP_TX_ERROR);
}

/* --- answers -------------------------------------------------------------- */

/* Room for n bytes of ICMP behind an IP header from `from` to the machine. */
static uint8_t *put_ip(struct hostnet_pings *pings, const struct ping *ping,
		       const uint8_t *from, uint32_t n)
{
	uint8_t *ip = pings->frame + L3;

	memset(pings->frame, 0, L3 + (ping->version == 4 ? IP4_LEN : IP6_LEN));
	if (ping->version == 4) {
		store_be16(pings->frame + 12, ETH_TYPE_IPV4);
		ip[0] = 0x45;
		store_be16(ip + 2, IP4_LEN + n);
		ip[8] = HOPS;
		ip[9] = IPPROTO_ICMP;
		memcpy(ip + 12, from, 4);
		memcpy(ip + 16, ping->machine, 4);
		csum_ipv4_header(ip, IP4_LEN);
		return ip + IP4_LEN;
	}
	store_be16(pings->frame + 12, ETH_TYPE_IPV6);
	ip[0] = 0x60;
	store_be16(ip + 4, n);
	ip[6] = IPPROTO_ICMPV6;
	ip[7] = HOPS;
	memcpy(ip + 8, from, 16);
	memcpy(ip + 24, ping->machine, 16);
	return ip + IP6_LEN;
}

static void deliver(struct hostnet_pings *pings, const struct ping *ping,
		    uint8_t *icmp, uint32_t n)
{
	uint64_t sum = 0;

	memset(icmp + 2, 0, 2);
	if (ping->version == 6)
		sum = csum_pseudo6(pings->frame + L3, IPPROTO_ICMPV6, n);
	csum_store(icmp + 2, csum_add(sum, icmp, n));
	hostnet_deliver(pings->h, pings->frame, icmp + n - pings->frame);
}

static const uint8_t *ip_of(const struct sockaddr_storage *from)
{
	if (from->ss_family == AF_INET)
		return (void *)&((struct sockaddr_in *)from)->sin_addr;
	return (void *)&((struct sockaddr_in6 *)from)->sin6_addr;
}

/* n bytes of ICMP lie at their place in the frame. */
static void answer(struct hostnet_pings *pings, const struct ping *ping,
		   const struct sockaddr_storage *from, uint8_t *icmp,
		   uint32_t n)
{
	uint8_t type = ping->version == 4 ? TYPE_ANSWER4 : TYPE_ANSWER6;

	if (n < ICMP_LEN || icmp[0] != type ||
	    (ping->raw && load_be16(icmp + 4) != ping->outer_id))
		return;
	store_be16(icmp + 4, ping->id);
	put_ip(pings, ping, ip_of(from), n);
	deliver(pings, ping, icmp, n);
}

/* False: there is nothing more. */
static bool receive(struct hostnet_pings *pings, const struct ping *ping)
{
	struct sockaddr_storage from = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(from);
	uint32_t header_len = ping->version == 4 ? IP4_LEN : IP6_LEN;
	uint8_t *icmp = pings->frame + L3 + header_len, *ip;
	uint32_t skip = 0;
	ssize_t n;

	n = recvfrom(ping->fd, icmp, HOSTNET_IP_MAX - header_len, MSG_DONTWAIT,
		     (struct sockaddr *)&from, &len);
	if (n <= 0)
		return false;
	ip = icmp;
	if (ping->raw && ping->version == 4)
		skip = (ip[0] & 15) * 4;
	if (skip + ICMP_LEN > n)
		return true;
	memmove(icmp, ip + skip, n - skip);
	answer(pings, ping, &from, icmp, n - skip);
	return true;
}

/* --- errors on the way ---------------------------------------------------- */

/* What was sent, as the machine knows it: its header and 8 bytes. */
static uint32_t put_original(const struct ping *ping, const uint8_t *to,
			     const uint8_t *sent, uint8_t *at)
{
	if (ping->version == 4) {
		memset(at, 0, IP4_LEN);
		at[0] = 0x45;
		store_be16(at + 2, IP4_LEN + ICMP_LEN);
		at[8] = 1;
		at[9] = IPPROTO_ICMP;
		memcpy(at + 12, ping->machine, 4);
		memcpy(at + 16, to, 4);
		csum_ipv4_header(at, IP4_LEN);
		at += IP4_LEN;
	} else {
		memset(at, 0, IP6_LEN);
		at[0] = 0x60;
		store_be16(at + 4, ICMP_LEN);
		at[6] = IPPROTO_ICMPV6;
		at[7] = 1;
		memcpy(at + 8, ping->machine, 16);
		memcpy(at + 24, to, 16);
		at += IP6_LEN;
	}
	memcpy(at, sent, ICMP_LEN);
	store_be16(at + 4, ping->id);
	return (ping->version == 4 ? IP4_LEN : IP6_LEN) + ICMP_LEN;
}

static void forward_error(struct hostnet_pings *pings, const struct ping *ping,
			  const struct sock_extended_err *e,
			  const struct sockaddr_storage *to,
			  const uint8_t *sent)
{
	const struct sockaddr_storage *offender = (void *)SO_EE_OFFENDER(e);
	uint32_t n =
		ICMP_LEN + ICMP_LEN + (ping->version == 4 ? IP4_LEN : IP6_LEN);
	uint8_t *icmp = put_ip(pings, ping, ip_of(offender), n);

	memset(icmp, 0, ICMP_LEN);
	icmp[0] = e->ee_type;
	icmp[1] = e->ee_code;
	put_original(ping, ip_of(to), sent, icmp + ICMP_LEN);
	deliver(pings, ping, icmp, n);
}

static const struct sock_extended_err *error_of(struct msghdr *message)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		const struct sock_extended_err *e = (void *)CMSG_DATA(c);

		if ((c->cmsg_level == IPPROTO_IP &&
		     c->cmsg_type == IP_RECVERR &&
		     e->ee_origin == SO_EE_ORIGIN_ICMP) ||
		    (c->cmsg_level == IPPROTO_IPV6 &&
		     c->cmsg_type == IPV6_RECVERR &&
		     e->ee_origin == SO_EE_ORIGIN_ICMP6))
			return e;
	}
	return NULL;
}

static bool receive_error(struct hostnet_pings *pings, const struct ping *ping)
{
	uint8_t sent[64], control[512];
	struct iovec iov = { .iov_base = sent, .iov_len = sizeof(sent) };
	struct sockaddr_storage to = { 0 };
	struct msghdr message = {
		.msg_name = &to,
		.msg_namelen = sizeof(to),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(ping->fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT);
	const struct sock_extended_err *e;

	if (n < 0)
		return false;
	e = error_of(&message);
	if (e && n >= ICMP_LEN && to.ss_family)
		forward_error(pings, ping, e, &to, sent);
	return true;
}

/* --- waiting -------------------------------------------------------------- */

void hostnet_pings_fill(struct hostnet_pings *pings, uint64_t now_ms)
{
	pings->now_ms = now_ms;
	for (unsigned i = pings->n; i-- > 0;)
		if (now_ms - pings->pings[i].used_ms > IDLE_MS)
			close_ping(pings, i);
	for (unsigned i = 0; i < pings->n; i++)
		pings->pings[i].watch =
			hostnet_watch(pings->h, pings->pings[i].fd, POLLIN);
}

void hostnet_pings_poll(struct hostnet_pings *pings)
{
	for (unsigned i = 0; i < pings->n; i++) {
		const struct ping *ping = &pings->pings[i];
		short events = ping->watch < 0
				       ? 0
				       : pings->h->fds[ping->watch].revents;

		for (unsigned k = 0; events & POLLERR && k < TURN_MAX; k++)
			if (!receive_error(pings, ping))
				break;
		for (unsigned k = 0; events & POLLIN && k < TURN_MAX; k++)
			if (!receive(pings, ping))
				break;
	}
}
