/* What the host's devices and routes say against a segment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/host_net.h"
#include "scratch.h"

static char dir[SCRATCH_SIZE];

static void make_dir(const char *name)
{
	char *path = xasprintf("%s/%s", dir, name);

	assert_int_equal(mkdir(path, 0700), 0);
	free(path);
}

static void make_file(const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", dir, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	free(path);
}

static int setup(void **state)
{
	char *path;

	scratch_make(dir);
	make_dir("class");
	make_dir("class/net");
	make_dir("class/net/wlan0");
	make_dir("class/net/wlan0/wireless");
	make_dir("class/net/wlan1");
	make_dir("class/net/wlan1/phy80211");
	make_dir("class/net/eth7");
	make_dir("class/net/tap7");
	make_file("class/net/tap7/tun_flags", "0x5002\n");
	make_dir("class/net/eth8");
	path = xasprintf("%s/class/net/eth8/master", dir);
	assert_int_equal(symlink("../../devices/virtual/net/virbr0", path), 0);
	free(path);
	make_dir("net");
	make_file("net/route",
		  "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\t"
		  "Mask\t\tMTU\tWindow\tIRTT\n"
		  "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
		  "tun0\t00000000\t010200C0\t0003\t0\t0\t0\t00000080\t0\t0\t0\n"
		  "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
		  "quiet\t00001E0A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t"
		  "0\n");
	make_file("net/ipv6_route",
		  "fd200000000000000000000000000000 40 "
		  "00000000000000000000000000000000 00 "
		  "00000000000000000000000000000000 00000100 00000001 "
		  "00000000 00000001     eth0\n"
		  "00000000000000000000000000000000 00 "
		  "00000000000000000000000000000000 00 "
		  "00000000000000000000000000000000 ffffffff 00000001 "
		  "00000000 00200200       lo\n");
	return 0;
}

static int teardown(void **state)
{
	char *command = xasprintf("rm -rf %s", dir);
	int status = system(command);

	free(command);
	return status;
}

static void doubted(const char *device, bool force, const char *words)
{
	char *why = host_net_device_doubt(dir, device, force);

	if (words && (!why || !strstr(why, words) || strchr(why, '\n')))
		fail_msg("%s: %s", device, why ? why : "no doubt");
	if (!words && why)
		fail_msg("%s: %s", device, why);
	free(why);
}

static void test_devices(void **state)
{
	doubted("eth7", false, NULL);
	doubted("gone0", false, NULL); /* vswd says so, when it opens it */
	doubted("wlan0", false, "Wi-Fi");
	doubted("wlan1", true, "type nat"); /* nothing makes it work */
	doubted("eth8", true, "virbr0");
	doubted("lo", false, "127.0.0.1");
	doubted("lo", true, NULL);
	doubted("../eth7", false, "name");
	doubted("a-name-that-is-too-long", false, "name");
}

static void test_names(void **state)
{
	char *why = host_net_name_doubt(dir, "eth7");

	assert_non_null(strstr(why, "device eth7"));
	free(why);
	assert_null(host_net_name_doubt(dir, "quiet"));
	assert_null(host_net_name_doubt(dir, "tap7"));
}

static void overlaps(const char *network, const char *own, const char *route)
{
	struct net_prefix net;
	char *found;

	assert_true(net_prefix_parse(&net, network, 0));
	found = host_net_route_overlap(dir, &net, own);
	if (route ? !found || strcmp(found, route) : found != NULL)
		fail_msg("%s: %s", network, found ? found : "no route");
	free(found);
}

static void test_routes(void **state)
{
	overlaps("10.20.0.0/24", "lab", NULL);
	overlaps("192.0.2.0/25", "lab", "192.0.2.0/24 by eth0");
	overlaps("192.0.0.0/16", "lab", "192.0.2.0/24 by eth0");
	overlaps("10.30.0.0/24", "lab", "10.30.0.0/24 by quiet");
	overlaps("10.30.0.0/24", "quiet", NULL); /* its own */
	overlaps("fd20::/64", "lab", "fd20::/64 by eth0");
	overlaps("fd21::/64", "lab", NULL);
}

static void test_whose_network(void **state)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s/db.sock", dir);
	assert_false(host_net_is_of(at.sun_path));
	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_true(host_net_is_of(at.sun_path));
	close(fd);
	assert_false(host_net_is_of(at.sun_path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_whose_network),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
