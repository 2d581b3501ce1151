#include "port/host_routes.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ANSWER_BYTES 32768

struct list {
	struct host_route *routes;
	size_t n, room;
};

struct attrs {
	const struct nlattr *dst, *oif;
};

static int take_attr(const struct nlattr *attr, void *arg)
{
	struct attrs *attrs = arg;

	if (mnl_attr_get_type(attr) == RTA_DST)
		attrs->dst = attr;
	else if (mnl_attr_get_type(attr) == RTA_OIF)
		attrs->oif = attr;
	return MNL_CB_OK;
}

/* Loopback, link-local and multicast addresses are no network's. */
static bool is_every_links(const struct host_route *route)
{
	static const uint8_t loopback[16] = { [15] = 1 };
	const uint8_t *ip = route->ip;

	if (route->version == 4)
		return ip[0] == 127 || ip[0] >= 224;
	return ip[0] == 0xff || (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80) ||
	       !memcmp(ip, loopback, 16);
}

static void add(struct list *list, const struct host_route *route)
{
	if (list->n == list->room) {
		list->room = list->room ? 2 * list->room : 32;
		list->routes = xrealloc(list->routes,
					list->room * sizeof(*list->routes));
	}
	list->routes[list->n++] = *route;
}

static int take_route(const struct nlmsghdr *nlh, void *arg)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct host_route route = { .prefix_len = rtm->rtm_dst_len };
	struct attrs attrs = { NULL, NULL };
	uint32_t oif = 0;

	if (nlh->nlmsg_type != RTM_NEWROUTE ||
	    (rtm->rtm_family != AF_INET && rtm->rtm_family != AF_INET6) ||
	    (rtm->rtm_type != RTN_UNICAST && rtm->rtm_type != RTN_LOCAL) ||
	    rtm->rtm_flags & RTM_F_CLONED)
		return MNL_CB_OK;
	route.version = rtm->rtm_family == AF_INET ? 4 : 6;
	mnl_attr_parse(nlh, sizeof(*rtm), take_attr, &attrs);
	if (attrs.dst)
		memcpy(route.ip, mnl_attr_get_payload(attrs.dst),
		       MIN(mnl_attr_get_payload_len(attrs.dst), 16));
	if (attrs.oif)
		memcpy(&oif, mnl_attr_get_payload(attrs.oif),
		       MIN(mnl_attr_get_payload_len(attrs.oif), sizeof(oif)));
	if (oif && !if_indextoname(oif, route.device))
		route.device[0] = '\0';
	if (!is_every_links(&route))
		add(arg, &route);
	return MNL_CB_OK;
}

static int dump(struct mnl_socket *nl, uint8_t family, struct list *list)
{
	union {
		struct nlmsghdr nlh;
		char room[ANSWER_BYTES];
	} buf;
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(&buf);
	struct rtmsg *rtm;
	ssize_t n;
	int r = MNL_CB_OK;

	nlh->nlmsg_type = RTM_GETROUTE;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = family;
	rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	rtm->rtm_family = family;
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	while (r == MNL_CB_OK) {
		n = mnl_socket_recvfrom(nl, &buf, sizeof(buf));
		if (n < 0)
			return -errno;
		r = mnl_cb_run(&buf, n, family, mnl_socket_get_portid(nl),
			       take_route, list);
	}
	return r < 0 ? -errno : 0;
}

int host_routes_read(struct host_route **routes, size_t *n)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	struct list list = { 0 };
	int error = 0;

	*routes = NULL;
	*n = 0;
	if (!nl)
		return -errno;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
		error = -errno;
	if (!error)
		error = dump(nl, AF_INET, &list);
	/* A host without IPv6 answers the same with IPv4's, or not at all. */
	if (!error)
		dump(nl, AF_INET6, &list);
	mnl_socket_close(nl);
	if (error) {
		free(list.routes);
		return error;
	}
	*routes = list.routes;
	*n = list.n;
	return 0;
}
