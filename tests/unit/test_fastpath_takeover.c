/*
 * What a killed daemon leaves in the kernel, and how the next one takes it over
 * (fastpath/takeover.h, program.c, port/device.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "fastpath/fastpath.skel.h"
#include "fastpath/fastpath_internal.h"
#include "takeover_fixture.h"

static bool possible;
static int vb, vd;

static int set_up(void **state)
{
	if (!possible)
		return 0;
	host_run("ip link add va type veth peer name vb");
	host_run("ip link add vc type veth peer name vd");
	host_run("for d in va vb vc vd; do ip link set $d up; done");
	vb = host_wire("vb");
	vd = host_wire("vd");
	return 0;
}

static int tear_down(void **state)
{
	if (!possible)
		return 0;
	close(vb);
	close(vd);
	host_run("ip link del va 2>/dev/null; ip link del vc 2>/dev/null; :");
	return 0;
}

static void count_heard(const struct fastpath_heard *h, void *aux)
{
	const char *device = h->mac == STATION_A ? "va" : "vc";

	assert_true(h->mac == STATION_A || h->mac == STATION_B);
	assert_int_equal(h->ifindex, if_nametoindex(device));
	assert_int_equal(h->fid, 0);
	assert_false(h->is_static);
	++*(unsigned *)aux;
}

static unsigned n_heard(const struct fast_daemon *d)
{
	unsigned n = 0;

	fastpath_for_each_heard(d->fp, count_heard, &n);
	return n;
}

static uint64_t rx_packets(struct port *port)
{
	struct port_counters c;

	port_get_counters(port, &c);
	return c.rx_packets;
}

/* --- one daemon after the other --------------------------------------------
 */

static void test_life(void **state)
{
	struct fast_daemon d;

	if (!possible)
		skip();
	assert_int_equal(fast_daemon_start(&d, takeover_dir), 0);
	assert_int_equal(n_heard(&d), 0);
	assert_int_equal(takeover_programs("va"), 1);
	/* Not published: all is userspace's. */
	takeover_send(vb, 1);
	assert_int_equal(takeover_received(d.ports[0]), 1);
	assert_int_equal(fast_daemon_publish(&d), 0);
	fast_daemon_settle(&d);
	takeover_send(vb, 2);
	takeover_expect(vd, 2);
	takeover_send_unknown(vb, 3);
	assert_int_equal(takeover_received(d.ports[0]), 3);
	assert_int_equal(rx_packets(d.ports[0]), 1);
	fast_daemon_stop(&d);
	assert_int_equal(takeover_programs("va"), 0);
	assert_int_equal(takeover_programs("vc"), 0);
}

static void test_killed(void **state)
{
	struct fast_daemon d;
	pid_t child;

	if (!possible)
		skip();
	child = fast_daemon_child(takeover_dir, NULL);
	takeover_send(vb, 1);
	takeover_expect(vd, 1);
	fast_daemon_kill(child);
	takeover_send(vb, 2);
	takeover_expect(vd, 2);

	assert_int_equal(fast_daemon_start(&d, takeover_dir), 0);
	assert_int_equal(n_heard(&d), 2);
	assert_true(fastpath_port_is_old(d.ports[0]->fastpath));
	assert_true(fastpath_port_is_old(d.ports[1]->fastpath));
	takeover_send(vb, 3);
	takeover_expect(vd, 3);
	takeover_send_unknown(vb, 4); /* the sockets are shut */
	assert_int_equal(fast_daemon_publish(&d), 0);
	takeover_send(vb, 5);
	takeover_expect(vd, 5);
	assert_int_equal(rx_packets(d.ports[0]), 0);
	fast_daemon_settle(&d);
	fastpath_drop_leftovers(d.fp);
	assert_false(fastpath_port_is_old(d.ports[0]->fastpath));
	takeover_send(vb, 6);
	takeover_expect(vd, 6);
	assert_int_equal(rx_packets(d.ports[0]), 1);
	takeover_send_unknown(vb, 7);
	assert_int_equal(takeover_received(d.ports[0]), 7);
	assert_int_equal(takeover_programs("va"), 1);
	fast_daemon_stop(&d);
	assert_int_equal(takeover_programs("va"), 0);
}

/* The same on a kernel before 6.6; the qdisc goes with the last of them. */
static void test_filters(void **state)
{
	takeover_only_filters = true;
	test_killed(state);
	host_run("! tc qdisc show dev va | grep -q clsact");
	takeover_only_filters = false;
}

/* A second one is killed when it has taken over one port of two. */
static void settle_first(struct fast_daemon *d)
{
	d->ports[0]->class->settled(d->ports[0]);
}

static void test_killed_taking_over(void **state)
{
	struct fast_daemon d;

	if (!possible)
		skip();
	fast_daemon_kill(fast_daemon_child(takeover_dir, NULL));
	fast_daemon_kill(fast_daemon_child(takeover_dir, settle_first));
	takeover_send(vb, 1);
	takeover_expect(vd, 1);
	assert_int_equal(fast_daemon_start(&d, takeover_dir), 0);
	/* Each knows of its own device's station. */
	assert_int_equal(n_heard(&d), 2);
	assert_int_equal(fast_daemon_publish(&d), 0);
	fast_daemon_settle(&d);
	fastpath_drop_leftovers(d.fp);
	takeover_send(vb, 2);
	takeover_expect(vd, 2);
	assert_int_equal(rx_packets(d.ports[0]), 1);
	fast_daemon_stop(&d);
}

static void test_kept(void **state)
{
	struct fast_daemon d;
	char *error = NULL;

	if (!possible)
		skip();
	assert_int_equal(fast_daemon_start(&d, takeover_dir), 0);
	assert_int_equal(fast_daemon_publish(&d), 0);
	fast_daemon_settle(&d);
	fastpath_keep(d.fp);
	fast_daemon_stop(&d);
	takeover_send(vb, 1);
	takeover_expect(vd, 1);
	assert_int_equal(fastpath_clean_up(takeover_dir, &error), 2);
	assert_int_equal(takeover_programs("va"), 0);
	assert_int_equal(fastpath_clean_up(takeover_dir, &error), 0);
	assert_null(error);
}

/* --- whose it is -----------------------------------------------------------
 */

static void write_owner(struct fast_daemon *d, uint32_t version)
{
	int fd = bpf_map__fd(d->fp->bpf->maps.fp_owner);
	struct fp_owner owner;
	uint32_t key = 0;

	if (bpf_map_lookup_elem(fd, &key, &owner))
		_exit(1);
	owner.version = version;
	if (bpf_map_update_elem(fd, &key, &owner, BPF_ANY))
		_exit(1);
}

static void make_older(struct fast_daemon *d)
{
	write_owner(d, FP_LAYOUT_VERSION - 1);
}

static void test_other_version(void **state)
{
	struct fast_daemon d;

	if (!possible)
		skip();
	fast_daemon_kill(fast_daemon_child(takeover_dir, make_older));
	assert_int_equal(fast_daemon_start(&d, takeover_dir), 0);
	assert_int_equal(n_heard(&d), 0);
	assert_false(fastpath_port_is_old(d.ports[0]->fastpath));
	assert_int_equal(takeover_programs("va"), 1);
	takeover_send(vb, 1);
	assert_int_equal(takeover_received(d.ports[0]), 1);
	fast_daemon_stop(&d);
	assert_int_equal(takeover_programs("vc"), 0);
}

static void test_another_switch(void **state)
{
	char other[SCRATCH_SIZE + 8];
	struct fast_daemon d;

	if (!possible)
		skip();
	snprintf(other, sizeof(other), "%s/other", takeover_dir);
	assert_int_equal(mkdir(other, 0700), 0);
	fast_daemon_kill(fast_daemon_child(other, NULL));
	assert_int_equal(takeover_programs("va"), 1);
	assert_int_equal(fast_daemon_start(&d, takeover_dir), 0);
	assert_int_equal(n_heard(&d), 0);
	assert_int_equal(takeover_programs("va"), 1);
	takeover_send(vb, 1);
	assert_int_equal(takeover_received(d.ports[0]), 1);
	fast_daemon_stop(&d);
	assert_int_equal(takeover_programs("va"), 0);
	assert_int_equal(rmdir(other), 0);
}

static void test_still_running(void **state)
{
	char *why = NULL;
	pid_t child;

	if (!possible)
		skip();
	child = fast_daemon_child(takeover_dir, NULL);
	assert_null(fastpath_create(takeover_dir, &why));
	assert_non_null(strstr(why, "another vswd runs in"));
	free(why);
	takeover_send(vb, 1);
	takeover_expect(vd, 1);
	fast_daemon_kill(child);
	assert_int_equal(fastpath_clean_up(takeover_dir, &why), 2);
}

/* --- devices that are no ports any more, vanish, or move -------------------
 */

static void test_dropped(void **state)
{
	struct fastpath *fp;
	char *why = NULL;

	if (!possible)
		skip();
	fast_daemon_kill(fast_daemon_child(takeover_dir, NULL));
	host_run("ip link del vc");
	assert_int_equal(takeover_programs("va"), 1);
	fp = fastpath_create(takeover_dir, &why);
	assert_non_null(fp);
	fastpath_drop_leftovers(fp);
	assert_int_equal(takeover_programs("va"), 0);
	fastpath_destroy(fp);
}

static void test_vanished(void **state)
{
	struct fast_daemon d;

	if (!possible)
		skip();
	assert_int_equal(fast_daemon_start(&d, takeover_dir), 0);
	assert_int_equal(fast_daemon_publish(&d), 0);
	host_run("ip link del vc");
	takeover_send(vb, 1); /* to where nobody is */
	takeover_send_unknown(vb, 2);
	assert_int_equal(takeover_received(d.ports[0]), 2);
	fast_daemon_stop(&d);
	assert_int_equal(takeover_programs("va"), 0);
}

/* Another namespace, where va gets 10.9.0.1. */
static pid_t start_container(void)
{
	pid_t child = fork();

	if (child)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (unshare(CLONE_NEWNET) || kill(getpid(), SIGSTOP) ||
	    system("ip addr add 10.9.0.1/24 dev va; ip link set va up"))
		_exit(1);
	kill(getpid(), SIGSTOP);
	_exit(0);
}

static void wait_stopped(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, WUNTRACED), child);
	assert_true(WIFSTOPPED(status));
}

/* The program that goes along does nothing there. */
static void test_moved(void **state)
{
	static struct host_frame seen;
	struct fast_daemon d;
	uint8_t arp[42];
	pid_t child;

	if (!possible)
		skip();
	assert_int_equal(fast_daemon_start(&d, takeover_dir), 0);
	assert_int_equal(fast_daemon_publish(&d), 0);
	child = start_container();
	wait_stopped(child);
	host_run("ip link set va netns %d", (int)child);
	fast_daemon_stop(&d);
	kill(child, SIGCONT);
	wait_stopped(child);
	host_drain(vb);
	host_make_arp(arp);
	host_send(vb, NULL, arp, sizeof(arp));
	do
		assert_true(host_receive(vb, &seen));
	while (seen.data[12] != 8 || seen.data[13] != 6 || seen.data[21] != 2);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static bool is_promiscuous(const char *device)
{
	char command[96];

	snprintf(command, sizeof(command), "ip link show %s | grep -q PROMISC",
		 device);
	return !system(command);
}

/* Of a kind that may have an address filter, as far as we can tell. */
static void make_others(void)
{
	host_run("ip link del va; ip link del vc");
	host_run("ip link add va type ifb; ip link add vc type ifb");
	host_run("ip link set va up; ip link set vc promisc on up");
}

static void test_promiscuous(void **state)
{
	struct fast_daemon d;

	if (!possible)
		skip();
	make_others();
	fast_daemon_kill(fast_daemon_child(takeover_dir, NULL));
	assert_true(is_promiscuous("va"));
	assert_int_equal(fast_daemon_start(&d, takeover_dir), 0);
	assert_int_equal(fast_daemon_publish(&d), 0);
	fast_daemon_settle(&d);
	assert_true(is_promiscuous("va"));
	fast_daemon_stop(&d);
	assert_false(is_promiscuous("va"));
	assert_true(is_promiscuous("vc"));
}

/* --- under load ------------------------------------------------------------
 */

struct traffic {
	pthread_t thread;
	atomic_bool stop;
	uint32_t sent;
	uint32_t wrong; /* not the one that was to come, or none */
};

static void *run_traffic(void *arg)
{
	static struct host_frame seen;
	struct traffic *t = arg;

	while (!atomic_load(&t->stop) && !t->wrong) {
		takeover_send(vb, t->sent);
		t->wrong = !host_receive(vd, &seen) ||
			   load_be32(seen.data + 42) != t->sent;
		t->sent++;
	}
	return NULL;
}

static void restart_under_load(pid_t *child)
{
	struct traffic t = { .sent = 0 };

	assert_false(pthread_create(&t.thread, NULL, run_traffic, &t));
	for (int i = 0; i < 3; i++) {
		fast_daemon_kill(*child);
		*child = fast_daemon_child(takeover_dir, NULL);
	}
	atomic_store(&t.stop, true);
	pthread_join(t.thread, NULL);
	assert_int_equal(t.wrong, 0);
	assert_in_range(t.sent, 100, UINT32_MAX);
}

static void test_load(void **state)
{
	char *error = NULL;
	pid_t child;

	if (!possible)
		skip();
	child = fast_daemon_child(takeover_dir, NULL);
	restart_under_load(&child);
	fast_daemon_kill(child);
	assert_int_equal(fastpath_clean_up(takeover_dir, &error), 2);
}

static bool try(void)
{
	char *why = NULL;
	struct fastpath *fp = fastpath_create(takeover_dir, &why);

	if (!fp)
		print_message("no fast path here: %s\n", why);
	fastpath_destroy(fp);
	free(why);
	return fp != NULL;
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_life),	   TEST(test_killed),
		TEST(test_filters),	   TEST(test_killed_taking_over),
		TEST(test_kept),	   TEST(test_other_version),
		TEST(test_another_switch), TEST(test_still_running),
		TEST(test_dropped),	   TEST(test_vanished),
		TEST(test_moved),	   TEST(test_promiscuous),
		TEST(test_load),
	};
	int failed;

	host_enter();
	scratch_make(takeover_dir);
	possible = host_privileged() && try();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(takeover_dir);
	return failed;
}
