/*
 * Taps that a killed daemon has left are removed, and nobody else's; in a
 * network namespace of the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <net/if.h>
#include <unistd.h>

#include "base/tun.h"
#include "fastpath/left_tap.h"
#include "host.h"

static int make(const char *name, bool several)
{
	int fd;

	assert_int_equal(tun_attach(name, several, &fd), 0);
	assert_int_equal(tun_set_persistent(fd, true), 0);
	return fd;
}

static void check_removed(bool several)
{
	unsigned ifindex;

	close(make("lt0", several));
	ifindex = if_nametoindex("lt0");
	assert_int_not_equal(ifindex, 0);
	assert_int_equal(left_tap_remove(ifindex), 0);
	assert_int_equal(if_nametoindex("lt0"), 0);
	assert_int_equal(left_tap_remove(ifindex), -ENODEV);
}

static void test_removed(void **state)
{
	check_removed(false);
	check_removed(true);
}

/* What somebody is attached to stays; with several queues, as long as he is. */
static void test_held(void **state)
{
	int fd = make("lt1", false);

	assert_int_equal(left_tap_remove(if_nametoindex("lt1")), -EBUSY);
	close(fd);
	assert_int_not_equal(if_nametoindex("lt1"), 0);
	assert_int_equal(left_tap_remove(if_nametoindex("lt1")), 0);

	fd = make("lt2", true);
	assert_int_equal(left_tap_remove(if_nametoindex("lt2")), -EBUSY);
	assert_int_not_equal(if_nametoindex("lt2"), 0);
	close(fd);
	assert_int_equal(if_nametoindex("lt2"), 0);
}

static void test_others(void **state)
{
	host_run("ip link add lv0 type veth peer name lv1");
	assert_int_equal(left_tap_remove(if_nametoindex("lv0")), -EINVAL);
	assert_int_not_equal(if_nametoindex("lv0"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_removed),
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_others),
	};

	host_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
