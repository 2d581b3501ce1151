/*
 * Requests to the kernel and whose answers count (vswd/overlay_evpn_host.c):
 * the loopback device is asked for, of the real kernel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vswd/overlay_evpn_internal.h"

#define NO_TEST 77

static struct evpn_host *make(void)
{
	struct evpn_host *h = xcalloc(1, sizeof(*h));

	h->sync = mnl_socket_open(NETLINK_ROUTE);
	assert_non_null(h->sync);
	assert_int_equal(mnl_socket_bind(h->sync, 0, MNL_SOCKET_AUTOPID), 0);
	return h;
}

static void destroy(struct evpn_host *h)
{
	mnl_socket_close(h->sync);
	free(h);
}

static bool finds_loopback(struct evpn_host *h)
{
	struct evpn_request r;
	struct evpn_event link = { 0 };

	evpn_get_link(&r, 1, "lo");
	return !evpn_host_ask(h, &r, &link) && !strcmp(link.link.name, "lo") &&
	       link.link.ifindex == (int)if_nametoindex("lo");
}

/* As after a timeout: the answer to the request before is there first. */
static void late_answers(void **state)
{
	struct evpn_host *h = make();
	struct evpn_request r;

	for (unsigned i = 0; i < 3; i++) {
		evpn_get_link(&r, i, "no-such-device");
		assert_true(mnl_socket_sendto(h->sync, r.bytes, r.len) > 0);
	}
	h->last_ask = 2;
	assert_true(finds_loopback(h));
	assert_true(finds_loopback(h));
	evpn_get_link(&r, 1, "no-such-device");
	assert_int_equal(evpn_host_ask(h, &r, NULL), -ENODEV);
	assert_true(finds_loopback(h));
	destroy(h);
}

/* The next request fails, says somebody who is not the kernel. */
static void forge(const struct evpn_host *h)
{
	struct mnl_socket *other = mnl_socket_open(NETLINK_ROUTE);
	const struct sockaddr_nl to = {
		.nl_family = AF_NETLINK,
		.nl_pid = mnl_socket_get_portid(h->sync),
	};
	struct {
		struct nlmsghdr nlh;
		struct nlmsgerr body;
	} m = { .nlh = { .nlmsg_len = sizeof(m),
			 .nlmsg_type = NLMSG_ERROR,
			 .nlmsg_seq = h->last_ask + 1 },
		.body = { .error = -EPERM } };

	/* Its own namespace, where it may send to others. */
	if (!other ||
	    sendto(mnl_socket_get_fd(other), &m, sizeof(m), 0,
		   (const struct sockaddr *)&to, sizeof(to)) != sizeof(m))
		_exit(NO_TEST);
	mnl_socket_close(other);
}

static void in_namespace(void)
{
	struct evpn_host *h;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		_exit(NO_TEST);
	h = make();
	forge(h);
	_exit(finds_loopback(h) ? 0 : 1);
}

static void answers_of_others(void **state)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		in_namespace();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NO_TEST)
		skip();
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(late_answers),
		cmocka_unit_test(answers_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
