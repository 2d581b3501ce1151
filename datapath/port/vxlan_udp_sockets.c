/*
 * The sockets of a port of type "vxlan-udp": one to receive for each queue,
 * which share the datagrams between them by flow, one for each group, and some
 * to send by. Control thread.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/udp.h>
#include <stdio.h>
#include <unistd.h>

#include "port/vxlan_udp.h"

/* A limit, no allocation: about 10,000 small datagrams, or 128 trains. */
#define SOCKET_BUFFER_BYTES (8 << 20)

#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) ? -errno
								    : 0;
}

socklen_t vxlan_address_make(union vxlan_address *address,
			     const struct net_addr *ip, uint16_t port)
{
	memset(address, 0, sizeof(*address));
	if (ip->version == 6) {
		address->v6.sin6_family = AF_INET6;
		address->v6.sin6_port = htons(port);
		memcpy(&address->v6.sin6_addr, ip->bytes, 16);
		return sizeof(address->v6);
	}
	address->v4.sin_family = AF_INET;
	address->v4.sin_port = htons(port);
	memcpy(&address->v4.sin_addr, ip->bytes, 4);
	return sizeof(address->v4);
}

/* As much as the system allows when we may not force it. */
static void set_buffers(int fd)
{
	if (set(fd, SOL_SOCKET, SO_RCVBUFFORCE, SOCKET_BUFFER_BYTES))
		set(fd, SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER_BYTES);
	if (set(fd, SOL_SOCKET, SO_SNDBUFFORCE, SOCKET_BUFFER_BYTES))
		set(fd, SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER_BYTES);
}

static int open_one(const struct vxlan_udp *u)
{
	int family = u->options.version == 4 ? AF_INET : AF_INET6;
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	set_buffers(fd);
	if (family == AF_INET6)
		set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	return fd;
}

static int bind_to(int fd, const union vxlan_address *address, socklen_t len)
{
	return bind(fd, &address->any, len) ? -errno : 0;
}

/* --- receiving -------------------------------------------------------------
 */

/* Where datagrams came to, which TOS they have, and several of a flow at once.
 */
static int set_receive(const struct vxlan_udp *u, int fd)
{
	bool any = !u->options.local.version;
	int error;

	/* Without it, each datagram comes by itself. */
	set(fd, IPPROTO_UDP, UDP_GRO, 1);
	if (u->options.version == 4) {
		error = set(fd, IPPROTO_IP, IP_RECVTOS, 1);
		if (!error && any)
			error = set(fd, IPPROTO_IP, IP_PKTINFO, 1);
		/* Groups that others of this host have joined are theirs. */
		if (!error)
			error = set(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
		return error;
	}
	set(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0);
	error = set(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
	if (!error && any)
		error = set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	if (!error && !u->options.csum) /* RFC 6935 */
		error = set(fd, IPPROTO_UDP, UDP_NO_CHECK6_RX, 1);
	return error;
}

/*
 * SO_REUSEPORT lets all sockets of a user share a port. Whoever has it already
 * is no part of us, though: so the first one does without until it is bound.
 */
static int bind_queue(struct vxlan_udp *u, unsigned i)
{
	int fd = u->queues[i].fd, error = 0;
	union vxlan_address address;
	struct net_addr ip = u->options.local;
	socklen_t len;

	ip.version = u->options.version; /* any: zeros */
	len = vxlan_address_make(&address, &ip, u->options.dst_port);
	if (i)
		error = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!error)
		error = bind_to(fd, &address, len);
	if (!error && !i)
		error = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	return error;
}

static int bind_error(const struct vxlan_udp *u, int error, char **errp)
{
	const struct vxlan_udp_options *o = &u->options;
	struct net_addr ip = o->local;
	char text[NET_TEXT_MAX], where[NET_TEXT_MAX + 32];

	ip.version = o->version;
	snprintf(where, sizeof(where), "UDP port %u of %s", o->dst_port,
		 o->local.version ? net_addr_text(&ip, text) : "all addresses");
	switch (error) {
	case -EADDRINUSE:
		return set_error(
			errp, error,
			"%s: %s is in use: by a VXLAN device of the kernel (ip "
			"-d link show type vxlan), or a program (ss -lunp "
			"'sport = %u'); end it, or choose another dst_port",
			u->up.name, where, o->dst_port);
	case -EADDRNOTAVAIL:
		return set_error(errp, error,
				 "%s: cannot listen at %s: this host does not "
				 "have the address (ip address); add it, or "
				 "correct local_ip",
				 u->up.name, where);
	case -EACCES:
		return set_error(errp, error,
				 "%s: cannot listen at %s: ports below 1024 "
				 "need CAP_NET_BIND_SERVICE",
				 u->up.name, where);
	default:
		return set_error(errp, error, "%s: cannot listen at %s: %s",
				 u->up.name, where, strerror(-error));
	}
}

static int open_queue(struct vxlan_udp *u, unsigned i, char **errp)
{
	struct vxlan_udp_queue *q = &u->queues[i];
	int error;

	q->fd = open_one(u);
	error = q->fd < 0 ? q->fd : set_receive(u, q->fd);
	if (error)
		return set_error(errp, error, "%s: cannot make a socket: %s",
				 u->up.name, strerror(-error));
	error = bind_queue(u, i);
	if (error)
		return bind_error(u, error, errp);
	q->to = u->options.local;
	return 0;
}

/* --- groups ----------------------------------------------------------------
 */

static int join(int fd, const struct net_addr *group, int ifindex,
		const struct net_addr *local)
{
	struct ip_mreqn m4 = { .imr_ifindex = ifindex };
	struct ipv6_mreq m6 = { .ipv6mr_interface = ifindex };

	if (group->version == 6) {
		memcpy(&m6.ipv6mr_multiaddr, group->bytes, 16);
		return setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &m6,
				  sizeof(m6))
			       ? -errno
			       : 0;
	}
	memcpy(&m4.imr_multiaddr, group->bytes, 4);
	if (!ifindex && local->version == 4)
		memcpy(&m4.imr_address, local->bytes, 4);
	return setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m4, sizeof(m4))
		       ? -errno
		       : 0;
}

/*
 * A group has a socket of its own, bound to its address: queues that share a
 * port would each be given each datagram, and a socket that is bound to one of
 * the host's addresses is given none.
 */
static int open_group(struct vxlan_udp *u, unsigned i, int ifindex, char **errp)
{
	struct vxlan_udp_queue *q =
		&u->queues[u->n_queues - u->options.n_groups + i];
	const struct net_addr *group = &u->options.groups[i];
	union vxlan_address address;
	char text[NET_TEXT_MAX];
	socklen_t len;
	int error;

	q->to = *group;
	len = vxlan_address_make(&address, group, u->options.dst_port);
	if (group->version == 6 && group->bytes[1] == 0x02) /* of a link */
		address.v6.sin6_scope_id = ifindex;
	q->fd = open_one(u);
	error = q->fd < 0 ? q->fd : set_receive(u, q->fd);
	if (!error)
		error = set(q->fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!error)
		error = bind_to(q->fd, &address, len);
	if (!error)
		error = join(q->fd, group, ifindex, &u->options.local);
	if (!error)
		return 0;
	return set_error(errp, error, "%s: cannot join the group %s%s%s: %s%s",
			 u->up.name, net_addr_text(group, text),
			 ifindex ? " on " : "", u->options.group_dev,
			 strerror(-error),
			 error == -ENODEV ? "; there is no route to it: name "
					    "the device by group-dev"
			 : error == -ENOBUFS
				 ? "; net.ipv4.igmp_max_memberships limits it"
				 : "");
}

static int find_group_dev(const struct vxlan_udp *u, int *ifindex, char **errp)
{
	*ifindex = 0;
	if (!u->options.group_dev[0])
		return 0;
	*ifindex = if_nametoindex(u->options.group_dev);
	if (*ifindex)
		return 0;
	return set_error(errp, -ENODEV,
			 "%s: there is no network device %s, which group-dev "
			 "names",
			 u->up.name, u->options.group_dev);
}

/* --- sending ---------------------------------------------------------------
 */

/* Nothing comes in: answers go to the other port. */
static int keep_out(int fd)
{
	struct sock_filter nothing = { BPF_RET | BPF_K, 0, 0, 0 };
	struct sock_fprog program = { 1, &nothing };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
			  sizeof(program))
		       ? -errno
		       : 0;
}

static int set_send4(const struct vxlan_udp *u, int fd, int ifindex)
{
	struct ip_mreqn device = { .imr_ifindex = ifindex };
	int error = set(fd, IPPROTO_IP, IP_MTU_DISCOVER,
			u->options.df ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT);

	if (!error)
		error = set(fd, IPPROTO_IP, IP_TTL, VXLAN_UDP_TTL);
	if (!error)
		error = set(fd, IPPROTO_IP, IP_MULTICAST_TTL, VXLAN_UDP_TTL);
	if (!error)
		error = set(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 0);
	if (u->options.local.version)
		memcpy(&device.imr_address, u->options.local.bytes, 4);
	if (!error && (ifindex || u->options.local.version) &&
	    setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &device,
		       sizeof(device)))
		error = -errno;
	return error;
}

static int set_send6(const struct vxlan_udp *u, int fd, int ifindex)
{
	int error = set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER,
			u->options.df ? IPV6_PMTUDISC_DO : IPV6_PMTUDISC_DONT);

	if (!error)
		error = set(fd, IPPROTO_IPV6, IPV6_DONTFRAG, u->options.df);
	if (!error)
		error = set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, VXLAN_UDP_TTL);
	if (!error)
		error = set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS,
			    VXLAN_UDP_TTL);
	if (!error)
		error = set(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0);
	if (!error && ifindex)
		error = set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, ifindex);
	return error;
}

static int set_no_csum(const struct vxlan_udp *u, int fd)
{
	return u->options.version == 4
		       ? set(fd, SOL_SOCKET, SO_NO_CHECK, 1)
		       : set(fd, IPPROTO_UDP, UDP_NO_CHECK6_TX, 1);
}

/* A socket to send by, from UDP port *port; 0: any, which is then told. */
static int open_sender(const struct vxlan_udp *u, int ifindex, uint16_t *port,
		       int *fdp)
{
	struct net_addr ip = u->options.local;
	union vxlan_address address;
	socklen_t len;
	int fd = open_one(u), error;

	*fdp = fd;
	if (fd < 0)
		return fd;
	ip.version = u->options.version;
	len = vxlan_address_make(&address, &ip, *port);
	error = keep_out(fd);
	if (!error)
		error = u->options.version == 4 ? set_send4(u, fd, ifindex)
						: set_send6(u, fd, ifindex);
	/* The port that the kernel chooses is to be nobody else's. */
	if (!error && *port)
		error = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!error)
		error = bind_to(fd, &address, len);
	if (!error && !*port)
		error = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!error && getsockname(fd, &address.any, &len))
		error = -errno;
	if (!error)
		*port = ntohs(u->options.version == 4 ? address.v4.sin_port
						      : address.v6.sin6_port);
	return error;
}

/*
 * The kernel segments for sockets with checksums only. Where there are to be
 * none, trains have a socket of the same port beside the other.
 */
static int open_source(struct vxlan_udp *u, struct vxlan_udp_source *s,
		       int ifindex, char **errp)
{
	bool twins = !u->options.csum && u->can_segment;
	int error = open_sender(u, ifindex, &s->port, &s->fd);

	if (!error && !u->options.csum)
		error = set_no_csum(u, s->fd);
	if (!error && twins)
		error = open_sender(u, ifindex, &s->port, &s->train_fd);
	if (!twins)
		s->train_fd = s->fd;
	if (!error)
		return 0;
	return set_error(errp, error, "%s: cannot make a socket to send by: %s",
			 u->up.name, strerror(-error));
}

static bool kernel_segments(const struct vxlan_udp_queue *q)
{
	return !set(q->fd, IPPROTO_UDP, UDP_SEGMENT, 0);
}

int vxlan_udp_sockets_open(struct vxlan_udp *u, char **errp)
{
	unsigned n_rxqs = u->n_queues - u->options.n_groups;
	int ifindex, error = find_group_dev(u, &ifindex, errp);

	for (unsigned i = 0; i < n_rxqs && !error; i++)
		error = open_queue(u, i, errp);
	for (unsigned i = 0; i < u->options.n_groups && !error; i++)
		error = open_group(u, i, ifindex, errp);
	if (!error)
		u->can_segment = kernel_segments(&u->queues[0]);
	for (unsigned i = 0; i < VXLAN_UDP_SOURCES && !error; i++)
		error = open_source(u, &u->sources[i], ifindex, errp);
	return error;
}

void vxlan_udp_sockets_close(struct vxlan_udp *u)
{
	for (unsigned i = 0; i < u->n_queues; i++)
		if (u->queues[i].fd >= 0)
			close(u->queues[i].fd);
	for (unsigned i = 0; i < VXLAN_UDP_SOURCES; i++) {
		struct vxlan_udp_source *s = &u->sources[i];

		if (s->train_fd >= 0 && s->train_fd != s->fd)
			close(s->train_fd);
		if (s->fd >= 0)
			close(s->fd);
	}
}
