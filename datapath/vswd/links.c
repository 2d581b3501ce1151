#include "vswd/links.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "port/netdev.h"

LOG_MODULE(links);

#define ROOM	     (1 << 20) /* for a thousand devices made at once */
#define READS_A_TURN 64

struct links {
	struct mnl_socket *socket;
	struct event *readable;
	void (*fn)(const char *name, void *aux);
	void *aux;
};

static int message_cb(const struct nlmsghdr *nlh, void *aux)
{
	struct links *links = aux;
	struct netdev_info info;

	if (nlh->nlmsg_type != RTM_NEWLINK && nlh->nlmsg_type != RTM_DELLINK)
		return MNL_CB_OK;
	if (netdev_parse(nlh, &info) && info.name[0])
		links->fn(info.name, links->aux);
	return MNL_CB_OK;
}

/* False when there is nothing more for now. */
static bool read_some(struct links *links)
{
	char buffer[16384] __attribute__((aligned(8)));
	ssize_t n = mnl_socket_recvfrom(links->socket, buffer, sizeof(buffer));

	if (n > 0) {
		mnl_cb_run(buffer, n, 0, 0, message_cb, links);
		return true;
	}
	if (n < 0 && errno == ENOBUFS) {
		log_info_limited("netlink messages were lost; all devices are "
				 "looked at");
		links->fn(NULL, links->aux);
		return true;
	}
	return false;
}

static void readable_cb(evutil_socket_t fd, short what, void *aux)
{
	for (int i = 0; i < READS_A_TURN; i++)
		if (!read_some(aux))
			return;
}

struct links *links_create(struct event_base *base,
			   void (*fn)(const char *name, void *aux), void *aux,
			   char **errp)
{
	struct links *links = xcalloc(1, sizeof(*links));
	int room = ROOM, fd;

	links->fn = fn;
	links->aux = aux;
	links->socket =
		mnl_socket_open2(NETLINK_ROUTE, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (!links->socket || mnl_socket_bind(links->socket, RTMGRP_LINK,
					      MNL_SOCKET_AUTOPID) < 0) {
		set_error(errp, -errno, "cannot listen to netlink: %s",
			  strerror(errno));
		links_destroy(links);
		return NULL;
	}
	fd = mnl_socket_get_fd(links->socket);
	/* More than the system's limit needs a privilege: ask for both. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	links->readable =
		event_new(base, fd, EV_READ | EV_PERSIST, readable_cb, links);
	event_add(links->readable, NULL);
	return links;
}

void links_destroy(struct links *links)
{
	if (!links)
		return;
	if (links->readable)
		event_free(links->readable);
	if (links->socket)
		mnl_socket_close(links->socket);
	free(links);
}
