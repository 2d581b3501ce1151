/*
 * The netlink socket of all EVPN networks of a switch
 * (overlay_evpn_internal.h): what the kernel tells goes to the network whose
 * device, or whose request, it is of. Requests' sequence numbers have the
 * network's slot in their upper bits, and in the others the lower ones of the
 * mirror's own number.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "vswd/overlay_evpn_internal.h"

LOG_MODULE(evpn);

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

#define RECEIVE_BYTES	 (16 << 20)
#define DATAGRAMS_A_TURN 256
#define ANSWER_S	 5

uint64_t evpn_clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}

/* --- networks and their devices --------------------------------------------
 */

void evpn_host_work_in(struct evpn_host *h, uint64_t ms)
{
	const struct timeval at = { ms / 1000, ms % 1000 * 1000 };

	event_add(h->work, &at);
}

void evpn_host_wake(struct evpn_network *n)
{
	n->due_ms = 0;
	evpn_host_work_in(n->host, 0);
}

void evpn_host_wake_all(struct evpn_host *h)
{
	for (unsigned i = 0; i < EVPN_NETWORKS_MAX; i++)
		if (h->networks[i])
			h->networks[i]->due_ms = 0;
	evpn_host_work_in(h, 0);
}

int evpn_host_add(struct evpn_host *h, struct evpn_network *n)
{
	unsigned slot = 0;

	for (unsigned i = 0; i < EVPN_NETWORKS_MAX; i++)
		if (h->networks[i] && h->networks[i]->vni == n->vni)
			return -EEXIST;
	while (slot < EVPN_NETWORKS_MAX && h->networks[slot])
		slot++;
	if (slot == EVPN_NETWORKS_MAX)
		return -ENOSPC;
	n->slot = slot;
	n->host = h;
	h->networks[slot] = n;
	evpn_host_wake(n);
	return 0;
}

void evpn_host_remove(struct evpn_network *n)
{
	struct evpn_host *h = n->host;

	h->networks[n->slot] = NULL;
	if (h->dumping != n)
		return;
	/* Others wait for its end. */
	h->dumping = NULL;
	evpn_host_wake_all(h);
}

void evpn_host_add_link(struct evpn_host *h, struct evpn_link *link)
{
	hmap_insert(&h->by_ifindex, &link->node, link->ifindex);
}

void evpn_host_remove_link(struct evpn_host *h, struct evpn_link *link)
{
	hmap_remove(&h->by_ifindex, &link->node);
}

static struct evpn_link *find_link(const struct evpn_host *h, int ifindex)
{
	struct hmap_node *node =
		h->by_ifindex.buckets[(uint32_t)ifindex & h->by_ifindex.mask];

	for (; node; node = node->next) {
		struct evpn_link *link =
			CONTAINER_OF(node, struct evpn_link, node);

		if (link->ifindex == ifindex)
			return link;
	}
	return NULL;
}

/* --- one request and its answer --------------------------------------------
 */

struct answer {
	uint32_t seq; /* of the request that it is of */
	struct evpn_event *link;
	int error; /* 1: not yet */
};

static void take_answer(const struct evpn_event *e, void *arg)
{
	struct answer *answer = arg;

	/* An answer that came too late for its own request is of no other. */
	if (e->seq != answer->seq)
		return;
	if (e->type == EVPN_LINK && answer->link)
		*answer->link = *e;
	else if (e->type == EVPN_ERROR || e->type == EVPN_DONE)
		answer->error = e->error;
}

/*
 * A datagram of the kernel, not of another process; its length, 0: it is none,
 * or -errno.
 */
static ssize_t receive(struct evpn_host *h, int fd, int flags)
{
	struct sockaddr_nl from = { 0 };
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(fd, h->datagram, sizeof(h->datagram),
			     flags | MSG_TRUNC, (struct sockaddr *)&from, &len);

	if (n < 0)
		return -errno;
	return len < sizeof(from) || from.nl_pid ? 0 : n;
}

static int await(struct evpn_host *h, struct answer *answer)
{
	while (answer->error == 1) {
		ssize_t n = receive(h, mnl_socket_get_fd(h->sync), 0);

		if (n < 0)
			return n == -EAGAIN ? -ETIMEDOUT : n;
		if ((size_t)n > sizeof(h->datagram) ||
		    evpn_parse(h->datagram, n, take_answer, answer, NULL))
			return -EBADMSG;
	}
	return answer->error;
}

int evpn_host_ask(struct evpn_host *h, struct evpn_request *r,
		  struct evpn_event *link)
{
	struct nlmsghdr *nlh = (void *)r->bytes;
	struct answer answer = { .link = link, .error = 1 };

	if (!h->sync)
		return -ENOTCONN;
	answer.seq = nlh->nlmsg_seq = ++h->last_ask;
	if (mnl_socket_sendto(h->sync, r->bytes, r->len) < 0)
		return -errno;
	return await(h, &answer);
}

/* --- what the kernel tells -------------------------------------------------
 */

static void overrun(struct evpn_host *h)
{
	h->dumping = NULL;
	for (unsigned i = 0; i < EVPN_NETWORKS_MAX; i++)
		if (h->networks[i] && h->networks[i]->mirror)
			evpn_mirror_overrun(h->networks[i]->mirror);
	evpn_host_wake_all(h);
}

static void take_answer_of(struct evpn_host *h, const struct evpn_event *e)
{
	struct evpn_network *n;
	struct evpn_event own = *e;

	if (e->seq >> EVPN_SEQ_BITS >= EVPN_NETWORKS_MAX)
		return;
	n = h->networks[e->seq >> EVPN_SEQ_BITS];
	if (!n || !n->mirror)
		return;
	own.seq = (n->last_seq & ~EVPN_SEQ_MASK) | (e->seq & EVPN_SEQ_MASK);
	if (own.seq > n->last_seq)
		own.seq -= EVPN_SEQ_MASK + 1;
	evpn_mirror_event(n->mirror, &own, evpn_clock_ms());
	if (h->dumping == n && e->seq == h->dump_seq) {
		h->dumping = NULL;
		evpn_host_wake_all(h);
	}
	evpn_host_wake(n);
}

static void take_link_gone(struct evpn_network *n, const struct evpn_link *link)
{
	if (n->make_ms != UINT64_MAX)
		return;
	log_warn("VNI %u: device %s is gone; it is made anew", n->vni,
		 link->name);
	n->make_ms = evpn_clock_ms() + EVPN_RETRY_MS;
	evpn_host_wake(n);
}

static void on_event(const struct evpn_event *e, void *arg)
{
	struct evpn_host *h = arg;
	struct evpn_link *link;

	switch (e->type) {
	case EVPN_ERROR:
	case EVPN_DONE:
		take_answer_of(h, e);
		return;
	case EVPN_OVERRUN:
		overrun(h);
		return;
	case EVPN_FDB:
	case EVPN_FDB_GONE:
		link = find_link(h, e->fdb.ifindex);
		break;
	case EVPN_NEIGHBOR:
	case EVPN_NEIGHBOR_GONE:
		link = find_link(h, e->neighbor.ifindex);
		break;
	case EVPN_LINK_GONE:
		link = find_link(h, e->link.ifindex);
		if (link)
			take_link_gone(link->network, link);
		return;
	default:
		return;
	}
	if (!link || !link->network->mirror)
		return;
	evpn_mirror_event(link->network->mirror, e, evpn_clock_ms());
	evpn_host_wake(link->network);
}

static void readable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct evpn_host *h = arg;

	for (unsigned i = 0; i < DATAGRAMS_A_TURN; i++) {
		ssize_t n = receive(h, fd, MSG_DONTWAIT);

		if (n == -EAGAIN)
			return;
		if (n < 0 && n != -EINTR)
			overrun(h);
		if (n <= 0)
			continue;
		if ((size_t)n > sizeof(h->datagram) ||
		    evpn_parse(h->datagram, n, on_event, h, NULL))
			overrun(h);
	}
}

/* --- life ------------------------------------------------------------------
 */

static void work_cb(evutil_socket_t fd, short what, void *arg)
{
	evpn_serve(arg);
}

/* Other switches of the host have other run directories. */
static uint32_t group_of(const char *run_dir)
{
	uint32_t hash = 2166136261u;

	for (; run_dir && *run_dir; run_dir++)
		hash = (hash ^ (uint8_t)*run_dir) * 16777619u;
	return 0x76000000u | (hash & 0xffffff);
}

static void set_option(struct mnl_socket *nl, int level, int option, int value)
{
	setsockopt(mnl_socket_get_fd(nl), level, option, &value, sizeof(value));
}

static struct mnl_socket *open_socket(unsigned groups, int flags)
{
	struct mnl_socket *nl =
		mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | flags);

	if (!nl)
		return NULL;
	if (mnl_socket_bind(nl, groups, MNL_SOCKET_AUTOPID)) {
		int error = errno;

		mnl_socket_close(nl);
		errno = error;
		return NULL;
	}
	/* Kernels that do not know it dump more than was asked for. */
	set_option(nl, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
	return nl;
}

static int receive_bytes(const struct vswitch *vs)
{
	for (size_t i = 0; i < vs->n_settings; i++)
		if (!strcmp(vs->settings[i].key, "evpn-receive-buffer"))
			return MAX(atoi(vs->settings[i].value), 1);
	return RECEIVE_BYTES;
}

static void open_sockets(struct evpn_host *h)
{
	const struct timeval patience = { .tv_sec = ANSWER_S };
	int bytes = receive_bytes(h->vs);

	h->events = open_socket(RTMGRP_NEIGH | RTMGRP_LINK, SOCK_NONBLOCK);
	h->sync = open_socket(0, 0);
	if (!h->events || !h->sync) {
		h->error = xasprintf("no netlink socket for EVPN: %s",
				     strerror(errno));
		log_err("%s", h->error);
		return;
	}
	setsockopt(mnl_socket_get_fd(h->sync), SOL_SOCKET, SO_RCVTIMEO,
		   &patience, sizeof(patience));
	set_option(h->events, SOL_SOCKET, SO_RCVBUF, bytes);
	/* Beyond the host's limit, where that is allowed. */
	set_option(h->events, SOL_SOCKET, SO_RCVBUFFORCE, bytes);
	h->readable = event_new(h->vs->base, mnl_socket_get_fd(h->events),
				EV_READ | EV_PERSIST, readable_cb, h);
	event_add(h->readable, NULL);
}

struct evpn_host *evpn_host_get(struct vswitch *vs)
{
	struct evpn_host *h = vs->evpn;

	if (!h) {
		h = xcalloc(1, sizeof(*h));
		h->vs = vs;
		h->group = group_of(vs->run_dir);
		hmap_init(&h->by_ifindex);
		h->work = event_new(vs->base, -1, 0, work_cb, h);
		open_sockets(h);
		vs->evpn = h;
	}
	h->refs++;
	return h;
}

void evpn_host_put(struct evpn_host *h)
{
	if (--h->refs)
		return;
	h->vs->evpn = NULL;
	evpn_devices_sweep(h, true);
	if (h->readable)
		event_free(h->readable);
	event_free(h->work);
	if (h->events)
		mnl_socket_close(h->events);
	if (h->sync)
		mnl_socket_close(h->sync);
	hmap_destroy(&h->by_ifindex);
	free(h->error);
	free(h);
}
