#include "base/rtnetlink.h"

#include <errno.h>
#include <sys/socket.h>

#define ANSWER_BYTES 32768 /* a link's description with its VFs */

static int talk(struct mnl_socket *nl, struct nlmsghdr *nlh, mnl_cb_t take,
		void *arg)
{
	char answer[ANSWER_BYTES];
	ssize_t n;
	int rc;

	nlh->nlmsg_seq = 1;
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	n = mnl_socket_recvfrom(nl, answer, sizeof(answer));
	if (n < 0)
		return -errno;
	rc = mnl_cb_run(answer, n, 1, mnl_socket_get_portid(nl), take, arg);
	return rc < 0 ? -errno : 0;
}

int rtnetlink_request(struct nlmsghdr *nlh, mnl_cb_t take, void *arg)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int error;

	if (!nl)
		return -errno;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
		error = -errno;
	else
		error = talk(nl, nlh, take, arg);
	mnl_socket_close(nl);
	return error;
}
