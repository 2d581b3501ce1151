/* The watch over the host's devices (link_monitor.h). */
#include "port/link_monitor.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"

LOG_MODULE(link_monitor);

#define DATAGRAM_BYTES	    32768
#define SOCKET_BUFFER_BYTES (4 << 20)
/* Datagrams a run, so that a storm of them does not stop the thread. */
#define DATAGRAMS_A_RUN 256

struct link {
	struct netdev_info info;
	unsigned generation; /* of the dump that it was last seen in */
};

struct link_monitor {
	struct mnl_socket *nl;
	link_callback *callback;
	void *arg;
	struct link *links; /* by ifindex, rising */
	size_t n_links, n_room;
	unsigned generation;
	bool dumping; /* an answer to a dump is on its way */
	bool stale;   /* messages were lost: dump when that one has ended */
};

/* Where the link is, or would be. */
static size_t place_of(const struct link_monitor *m, int ifindex)
{
	size_t low = 0, high = m->n_links;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (m->links[middle].info.ifindex < ifindex)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const struct link_monitor *m, size_t at, int ifindex)
{
	return at < m->n_links && m->links[at].info.ifindex == ifindex;
}

static void insert(struct link_monitor *m, size_t at,
		   const struct netdev_info *info)
{
	if (m->n_links == m->n_room) {
		m->n_room = m->n_room ? 2 * m->n_room : 16;
		m->links = xrealloc(m->links, m->n_room * sizeof(*m->links));
	}
	memmove(&m->links[at + 1], &m->links[at],
		(m->n_links - at) * sizeof(*m->links));
	m->links[at] = (struct link){ *info, m->generation };
	m->n_links++;
	m->callback(LINK_NEW, info, m->arg);
}

static void delete_at(struct link_monitor *m, size_t at)
{
	struct netdev_info gone = m->links[at].info;

	m->n_links--;
	memmove(&m->links[at], &m->links[at + 1],
		(m->n_links - at) * sizeof(*m->links));
	m->callback(LINK_DELETED, &gone, m->arg);
}

static bool same(const struct netdev_info *a, const struct netdev_info *b)
{
	return !strcmp(a->name, b->name) && !strcmp(a->kind, b->kind) &&
	       !strcmp(a->qdisc, b->qdisc) && a->ifindex == b->ifindex &&
	       a->master == b->master && a->flags == b->flags &&
	       a->arp_type == b->arp_type && a->carrier == b->carrier &&
	       a->mtu == b->mtu && a->carrier_changes == b->carrier_changes &&
	       a->mac == b->mac;
}

static void take_new(struct link_monitor *m, const struct netdev_info *info)
{
	size_t at = place_of(m, info->ifindex);
	struct link *link;

	if (!is_at(m, at, info->ifindex)) {
		insert(m, at, info);
		return;
	}
	link = &m->links[at];
	link->generation = m->generation;
	if (strcmp(link->info.name, info->name)) {
		delete_at(m, at);
		insert(m, at, info);
	} else if (!same(&link->info, info)) {
		link->info = *info;
		m->callback(LINK_CHANGED, info, m->arg);
	}
}

static int take_message(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *ifm = mnl_nlmsg_get_payload(nlh);
	struct link_monitor *m = arg;
	struct netdev_info info;
	size_t at;

	/* Bridges tell of their members in messages of the same types. */
	if ((nlh->nlmsg_type != RTM_NEWLINK &&
	     nlh->nlmsg_type != RTM_DELLINK) ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifm) ||
	    ifm->ifi_family != AF_UNSPEC || !netdev_parse(nlh, &info))
		return MNL_CB_OK;
	if (nlh->nlmsg_type == RTM_NEWLINK) {
		take_new(m, &info);
		return MNL_CB_OK;
	}
	at = place_of(m, info.ifindex);
	if (is_at(m, at, info.ifindex))
		delete_at(m, at);
	return MNL_CB_OK;
}

/* What the dump that has just ended did not have is gone. */
static void end_dump(struct link_monitor *m)
{
	size_t at = 0;

	while (at < m->n_links) {
		if (m->links[at].generation != m->generation)
			delete_at(m, at);
		else
			at++;
	}
}

void link_monitor_begin_dump(struct link_monitor *m)
{
	m->generation++;
}

/* mnl_cb_run() takes a length of 2^31 and more for one that fits. */
static bool lengths_fit(const uint8_t *at, size_t left)
{
	while (left >= sizeof(struct nlmsghdr)) {
		const struct nlmsghdr *nlh = (const void *)at;

		if (nlh->nlmsg_len < sizeof(*nlh) || nlh->nlmsg_len > left)
			return false;
		if (MNL_ALIGN(nlh->nlmsg_len) >= left)
			break;
		at += MNL_ALIGN(nlh->nlmsg_len);
		left -= MNL_ALIGN(nlh->nlmsg_len);
	}
	return true;
}

int link_monitor_take(struct link_monitor *m, const void *messages,
		      size_t length)
{
	int rc;

	if (!lengths_fit(messages, length))
		return -EBADMSG;
	rc = mnl_cb_run(messages, length, 0, 0, take_message, m);
	if (rc < 0)
		return -errno;
	if (rc == MNL_CB_STOP) {
		end_dump(m);
		return 1;
	}
	return 0;
}

static int request_dump(struct link_monitor *m)
{
	char room[256];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(room);
	struct ifinfomsg *ifm;

	nlh->nlmsg_type = RTM_GETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = m->generation + 1;
	ifm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifm));
	ifm->ifi_family = AF_UNSPEC;
	if (mnl_socket_sendto(m->nl, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	link_monitor_begin_dump(m);
	m->dumping = true;
	m->stale = false;
	return 0;
}

static int open_socket(struct link_monitor *m)
{
	int size = SOCKET_BUFFER_BYTES, fd;

	m->nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!m->nl)
		return -errno;
	fd = mnl_socket_get_fd(m->nl);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (mnl_socket_bind(m->nl, RTMGRP_LINK, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	return request_dump(m);
}

struct link_monitor *link_monitor_create_deaf(link_callback *callback,
					      void *arg)
{
	struct link_monitor *m = xcalloc(1, sizeof(*m));

	m->callback = callback;
	m->arg = arg;
	return m;
}

int link_monitor_create(link_callback *callback, void *arg,
			struct link_monitor **monitorp, char **errp)
{
	struct link_monitor *m = link_monitor_create_deaf(callback, arg);
	int error = open_socket(m);

	if (error) {
		link_monitor_destroy(m);
		return set_error(errp, error,
				 "cannot watch the network devices of the "
				 "host: netlink socket: %s",
				 strerror(-error));
	}
	*monitorp = m;
	return 0;
}

void link_monitor_destroy(struct link_monitor *m)
{
	if (!m)
		return;
	if (m->nl)
		mnl_socket_close(m->nl);
	free(m->links);
	free(m);
}

int link_monitor_fd(const struct link_monitor *m)
{
	return mnl_socket_get_fd(m->nl);
}

/* False when there is nothing more to receive. */
static bool receive_one(struct link_monitor *m)
{
	char buffer[DATAGRAM_BYTES] __attribute__((aligned(8)));
	ssize_t n = mnl_socket_recvfrom(m->nl, buffer, sizeof(buffer));
	int rc;

	if (n < 0) {
		/* ENOBUFS: the kernel had more to tell than we had room. */
		m->stale |= errno == ENOBUFS;
		return errno != EAGAIN;
	}
	rc = link_monitor_take(m, buffer, n);
	if (rc)
		m->dumping = false;
	if (rc < 0) {
		/* EINTR: devices changed under the dump. */
		log_dbg("dump of the devices failed: %s", strerror(-rc));
		m->stale = true;
	}
	return true;
}

void link_monitor_run(struct link_monitor *m)
{
	unsigned n = 0;

	while (n++ < DATAGRAMS_A_RUN && receive_one(m))
		;
	if (m->stale && !m->dumping && request_dump(m))
		log_warn_limited("cannot ask for the devices of the host: %s",
				 strerror(errno));
}

const struct netdev_info *link_monitor_find(const struct link_monitor *m,
					    const char *name)
{
	for (size_t i = 0; i < m->n_links; i++)
		if (!strcmp(m->links[i].info.name, name))
			return &m->links[i].info;
	return NULL;
}
