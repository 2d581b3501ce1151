/* What an underlay of sockets takes for the host's own addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include "vswd/overlay.h"

static struct sockaddr_in has4 = { .sin_family = AF_INET };
static struct sockaddr_in6 has6 = { .sin6_family = AF_INET6 };
static struct ifaddrs third = { .ifa_addr = (struct sockaddr *)&has6 };
static struct ifaddrs second = { .ifa_next = &third }; /* no address */
static struct ifaddrs first = { .ifa_next = &second,
				.ifa_addr = (struct sockaddr *)&has4 };
static unsigned n_asked;
static bool fails;

/* Instead of the C library's. */
int getifaddrs(struct ifaddrs **all)
{
	n_asked++;
	*all = &first;
	errno = ENOBUFS;
	return fails ? -1 : 0;
}

void freeifaddrs(struct ifaddrs *all)
{
	assert_ptr_equal(all, &first);
}

static const struct ip_address ip4 = { 4, { 192, 0, 2, 1 } };
static const struct ip_address other4 = { 4, { 192, 0, 2, 2 } };
static const struct ip_address ip6 = { 16, { 0x20, 1, 0xd, 0xb8, [15] = 1 } };

static void host_is_asked_once_a_second(void **state)
{
	const struct cfg_overlay none = { 0 }, local = { .local = other4 };
	struct vswitch *vs = xcalloc(1, sizeof(*vs));
	struct underlay *u = xcalloc(1, sizeof(*u));

	memcpy(&has4.sin_addr, ip4.bytes, 4);
	memcpy(&has6.sin6_addr, ip6.bytes, 16);
	u->vs = vs;
	vs->underlays = u;
	for (unsigned i = 0; i < 100; i++) {
		assert_true(underlay_is_self(u, &none, &ip4));
		assert_true(underlay_is_self(u, &none, &ip6));
		assert_false(underlay_is_self(u, &none, &other4));
	}
	assert_int_equal(n_asked, 1);
	/* Others a second later; what was known stays when asking fails. */
	vs->now_s++;
	memcpy(&has4.sin_addr, other4.bytes, 4);
	assert_false(underlay_is_self(u, &none, &ip4));
	assert_true(underlay_is_self(u, &none, &other4));
	vs->now_s++;
	fails = true;
	assert_true(underlay_is_self(u, &none, &other4));
	assert_int_equal(n_asked, 3);
	/* Set by hand: nobody is asked. */
	vs->now_s++;
	assert_true(underlay_is_self(u, &local, &other4));
	assert_false(underlay_is_self(u, &local, &ip4));
	assert_int_equal(n_asked, 3);
	underlays_reconcile(vs);
	assert_null(vs->underlays);
	free(vs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_is_asked_once_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
