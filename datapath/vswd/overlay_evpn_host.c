/*
 * The netlink socket of all EVPN networks of a switch
 * (overlay_evpn_internal.h): what the kernel tells goes to the network whose
 * device, or whose request, it is of; what networks ask for is sent some at a
 * time, so that the control thread does other things as well.
 *
 * Requests' sequence numbers have the network's slot in their upper bits, and
 * in the others the lower ones of the mirror's own number. The kernel does one
 * dump of a socket at a time, so a network that wants one waits for the other.
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

#define DATAGRAM_BYTES	 65536
#define RECEIVE_BYTES	 (16 << 20)
#define REQUESTS_A_TURN	 128
#define DATAGRAMS_A_TURN 256
#define ANSWER_S	 5
#define SEQ_BITS	 20
#define SEQ_MASK	 ((1u << SEQ_BITS) - 1)

struct evpn_host {
	struct vswitch *vs;
	unsigned refs;
	struct mnl_socket *events; /* and requests of mirrors; NULL: no */
	struct mnl_socket *sync;   /* NULL: no */
	struct event *readable, *work;
	char *error;
	uint32_t group;
	struct evpn_network *networks[EVPN_NETWORKS_MAX];
	unsigned n_networks, turn;
	struct evpn_network *dumping;
	uint32_t dump_seq;	/* on the wire */
	struct hmap by_ifindex; /* struct evpn_link */
	struct evpn_frr *frrs;
	uint64_t bad, overruns;
	uint8_t datagram[DATAGRAM_BYTES] __attribute__((aligned(8)));
};

uint64_t evpn_clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}

/* --- what others ask -------------------------------------------------------
 */

const char *evpn_host_error(const struct evpn_host *host)
{
	return host->error;
}

uint32_t evpn_host_group(const struct evpn_host *host)
{
	return host->group;
}

struct event_base *evpn_host_base(const struct evpn_host *host)
{
	return host->vs->base;
}

struct evpn_frr **evpn_host_frrs(struct evpn_host *host)
{
	return &host->frrs;
}

static void work_in(struct evpn_host *h, uint64_t ms)
{
	const struct timeval at = { ms / 1000, ms % 1000 * 1000 };

	event_add(h->work, &at);
}

void evpn_host_wake(struct evpn_network *n)
{
	n->due_ms = 0;
	work_in(n->host, 0);
}

void evpn_host_wake_all(struct evpn_host *h)
{
	for (unsigned i = 0; i < EVPN_NETWORKS_MAX; i++)
		if (h->networks[i])
			h->networks[i]->due_ms = 0;
	work_in(h, 0);
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
	h->n_networks++;
	evpn_host_wake(n);
	return 0;
}

void evpn_host_remove(struct evpn_network *n)
{
	struct evpn_host *h = n->host;

	if (h->dumping == n)
		h->dumping = NULL;
	h->networks[n->slot] = NULL;
	h->n_networks--;
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
	struct evpn_event *link;
	int error; /* 1: not yet */
};

static void take_answer(const struct evpn_event *e, void *arg)
{
	struct answer *answer = arg;

	if (e->type == EVPN_LINK && answer->link)
		*answer->link = *e;
	else if (e->type == EVPN_ERROR || e->type == EVPN_DONE)
		answer->error = e->error;
}

int evpn_host_ask(struct evpn_host *h, struct evpn_request *r,
		  struct evpn_event *link)
{
	struct answer answer = { link, 1 };
	ssize_t n;

	if (!h->sync)
		return -ENOTCONN;
	if (mnl_socket_sendto(h->sync, r->bytes, r->len) < 0)
		return -errno;
	while (answer.error == 1) {
		n = mnl_socket_recvfrom(h->sync, h->datagram,
					sizeof(h->datagram));
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (evpn_parse(h->datagram, n, take_answer, &answer, NULL))
			return -EBADMSG;
	}
	return answer.error;
}

/* --- what the kernel tells -------------------------------------------------
 */

static void overrun(struct evpn_host *h)
{
	h->overruns++;
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

	if (e->seq >> SEQ_BITS >= EVPN_NETWORKS_MAX)
		return;
	n = h->networks[e->seq >> SEQ_BITS];
	if (!n || !n->mirror)
		return;
	own.seq = (n->last_seq & ~SEQ_MASK) | (e->seq & SEQ_MASK);
	if (own.seq > n->last_seq)
		own.seq -= SEQ_MASK + 1;
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
		struct sockaddr_nl from;
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, h->datagram, sizeof(h->datagram),
				     MSG_DONTWAIT | MSG_TRUNC,
				     (struct sockaddr *)&from, &len);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			if (errno != EINTR)
				overrun(h);
			continue;
		}
		/* Of the kernel, not of another process. */
		if (len < sizeof(from) || from.nl_pid)
			continue;
		if ((size_t)n > sizeof(h->datagram) ||
		    evpn_parse(h->datagram, n, on_event, h, &h->bad))
			overrun(h);
	}
}

/* --- what networks ask for -------------------------------------------------
 */

static bool is_dump(const struct evpn_request *r)
{
	struct nlmsghdr nlh;

	memcpy(&nlh, r->bytes, sizeof(nlh));
	return (nlh.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
}

/* Each message of it gets its number on the wire, which is returned. */
static uint32_t number(struct evpn_network *n, struct evpn_request *r)
{
	struct nlmsghdr nlh;
	uint32_t seq = 0;

	for (size_t at = 0; at + sizeof(nlh) <= r->len;
	     at += NLMSG_ALIGN(nlh.nlmsg_len)) {
		memcpy(&nlh, r->bytes + at, sizeof(nlh));
		n->last_seq = nlh.nlmsg_seq;
		seq = (uint32_t)n->slot << SEQ_BITS |
		      (nlh.nlmsg_seq & SEQ_MASK);
		nlh.nlmsg_seq = seq;
		memcpy(r->bytes + at, &nlh, sizeof(nlh));
	}
	return seq;
}

static bool send_request(struct evpn_network *n, struct evpn_request *r)
{
	struct evpn_host *h = n->host;
	uint32_t seq = number(n, r);

	if (mnl_socket_sendto(h->events, r->bytes, r->len) < 0) {
		log_warn_limited("VNI %u: a request to the kernel failed: %m",
				 n->vni);
		evpn_mirror_overrun(n->mirror);
		return false;
	}
	if (is_dump(r)) {
		h->dumping = n;
		h->dump_seq = seq;
	}
	return true;
}

/* Returns how many requests were sent. */
static unsigned send_some(struct evpn_network *n, unsigned room, uint64_t now)
{
	struct evpn_host *h = n->host;
	struct evpn_request r;
	unsigned sent = 0;

	if (h->dumping && h->dumping != n && !evpn_mirror_synced(n->mirror)) {
		n->due_ms = UINT64_MAX; /* the other's end wakes it */
		return 0;
	}
	while (sent < room && evpn_mirror_next_request(n->mirror, &r, now)) {
		sent++;
		if (send_request(n, &r))
			continue;
		n->due_ms = now + EVPN_RETRY_MS;
		return sent;
	}
	n->due_ms = sent == room ? now : evpn_mirror_run(n->mirror, now);
	return sent;
}

/* FRR's presence, as the mirror must know it. */
static void follow_frr(struct evpn_network *n, uint64_t now)
{
	bool gone = evpn_frr_state(n->evpn->frr) == EVPN_FRR_GONE;
	uint32_t ends = evpn_frr_zebra_ends(n->evpn->frr);

	/* What the first dump has found is held like all else. */
	if (n->fresh && evpn_mirror_synced(n->mirror)) {
		n->fresh = false;
		if (n->told_gone)
			evpn_mirror_frr_back(n->mirror, now);
		n->told_gone = false;
		if (evpn_frr_zebra_gone(n->evpn->frr))
			n->flush_ms = now + EVPN_RETRY_MS;
	}
	if (gone && !n->told_gone)
		evpn_mirror_frr_gone(n->mirror, now);
	else if (!gone && n->told_gone)
		evpn_mirror_frr_back(n->mirror, now);
	if (gone != n->told_gone)
		overlay_evpn_error_changed(n->evpn);
	n->told_gone = gone;
	if (n->zebra_ends != ends) {
		n->zebra_ends = ends;
		n->flush_ms = now + EVPN_RETRY_MS;
	}
}

/* What a zebra has left that was killed, nobody would ever remove. */
static bool flush(struct evpn_network *n, uint64_t now)
{
	if (n->flush_ms > now || !evpn_mirror_synced(n->mirror))
		return false;
	n->flush_ms = UINT64_MAX;
	if (!evpn_mirror_has_installed(n->mirror))
		return false;
	log_info("VNI %u: the devices are made anew, without what zebra has "
		 "left there",
		 n->vni);
	return true;
}

static bool make_devices(struct evpn_network *n, bool adopt, uint64_t now)
{
	char *before = n->error;
	bool made;

	n->error = NULL;
	made = evpn_devices_make(n, adopt);
	if ((before || n->error) &&
	    (!before || !n->error || strcmp(before, n->error)))
		overlay_evpn_error_changed(n->evpn);
	free(before);
	n->make_ms = made ? UINT64_MAX : now + 5 * EVPN_RETRY_MS;
	if (made)
		evpn_network_ready(n, now);
	return made;
}

/* When to come back; *madep: devices were made, which takes its time. */
static uint64_t serve(struct evpn_network *n, unsigned *room, bool *madep,
		      uint64_t now)
{
	if (n->make_ms <= now) {
		if (*madep)
			return now;
		*madep = true;
		make_devices(n, !n->mirror, now);
	}
	if (!n->mirror)
		return n->make_ms;
	if (n->due_ms > now && n->flush_ms > now)
		return MIN(MIN(n->make_ms, n->due_ms), n->flush_ms);
	follow_frr(n, now);
	if (!*madep && flush(n, now)) {
		*madep = true;
		make_devices(n, false, now);
	}
	*room -= send_some(n, *room, now);
	if (n->flush_ms <= now)
		return MIN(n->due_ms, now + 100);
	return MIN(MIN(n->make_ms, n->due_ms), n->flush_ms);
}

static void work_cb(evutil_socket_t fd, short what, void *arg)
{
	struct evpn_host *h = arg;
	uint64_t now = evpn_clock_ms(), next = UINT64_MAX;
	unsigned room = REQUESTS_A_TURN, first = h->turn;
	bool made = false;

	for (unsigned i = 0; i < EVPN_NETWORKS_MAX; i++) {
		unsigned slot = (first + i) % EVPN_NETWORKS_MAX;

		if (!h->networks[slot])
			continue;
		if (!room) {
			next = now;
			break;
		}
		h->turn = slot + 1;
		next = MIN(next, serve(h->networks[slot], &room, &made, now));
	}
	if (next != UINT64_MAX)
		work_in(h, next > now ? next - now : 0);
}

/* --- life ------------------------------------------------------------------
 */

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
