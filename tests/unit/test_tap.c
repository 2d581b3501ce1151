/*
 * The tap kinds, and the drop at a device's ingress in the way of older
 * kernels, in a network namespace of the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include "host.h"
#include "port/ingress_block.h"
#include "port/netdev.h"

static struct packet packets[64];
static uint8_t frame[HOST_FRAME_MAX];
static struct host_frame seen;

static void give_back(struct port *port)
{
	for (unsigned i = 0; i < port->n_rxqs; i++)
		port->class->done(port->rxqs[i]);
}

static void check_life(const char *type)
{
	struct port_config config = { .name = "t0",
				      .type = type,
				      .n_threads = 2,
				      .n_rxqs = 1,
				      .mtu_request = 4000,
				      .mac = 0x0200000000aa };
	struct port_status status;
	struct port *port, *other;
	char *error = NULL;

	assert_int_equal(port_open(&config, &port, &error), 0);
	port_get_status(port, &status);
	assert_true(status.present && !status.admin_up && !status.link_up);
	assert_int_equal(status.mtu, 4000);
	assert_int_equal(port->mtu, 4000);
	assert_true(status.mac == 0x0200000000aa);
	assert_string_equal(status.driver, "tun");
	assert_false(port->tx_enabled);

	assert_int_equal(port_open(&config, &other, &error), -EEXIST);
	assert_non_null(strstr(error, "ip link del t0"));

	config.mtu_request = 1400;
	assert_int_equal(port->class->reconfigure(port, &config, &error), 0);
	assert_int_equal(port->mtu, 1400);
	config.mtu_request = 10;
	assert_int_equal(port->class->reconfigure(port, &config, &error),
			 -EINVAL);
	assert_non_null(strstr(error, "t0: cannot set the MTU to 10"));
	assert_int_equal(port->mtu, 1400);

	host_run("ip link set t0 up");
	port_get_status(port, &status);
	assert_true(status.admin_up && status.link_up && port->tx_enabled);
	port_close(port);
	assert_int_equal(if_nametoindex("t0"), 0);
	free(error);
}

static void test_life(void **state)
{
	check_life("tap");
	check_life("internal");
}

static void test_names(void **state)
{
	static const char *const names[] = { "", "a%d", "a/b",
					     "sixteen-letters-" };
	struct port *port;
	char *error = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct port_config config = { .name = names[i],
					      .type = "tap",
					      .n_threads = 1,
					      .n_rxqs = 1 };

		assert_int_equal(port_open(&config, &port, &error), -EINVAL);
	}
	free(error);
}

/* Another process removes the device under us. */
static void test_removed(void **state)
{
	struct port *port = host_open("tap", "t0", 1);
	struct packet p, *pointer = &p;
	struct port_status status;
	struct pollfd pfd = { port->rxqs[0]->fd, POLLIN, 0 };
	uint64_t bytes = 0;

	host_run("ip link del t0");
	port_get_status(port, &status);
	assert_false(status.present || port->tx_enabled);
	assert_int_equal(port->class->receive(port->rxqs[0], packets, 64, 0),
			 0);
	assert_int_equal(poll(&pfd, 1, 0), 0);
	host_make_udp(frame, 60, 0);
	packet_init(&p, frame, 60);
	assert_int_equal(
		port->class->send(port->txqs[0], &pointer, 1, 0, &bytes), 0);
	assert_int_equal(host_drops(port, DROP_TX_DOWN), 1);
	port_close(port);
}

/* The device is given to a container, and works there. */
static void test_moved(void **state)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), wire, away;
	struct port *port = host_open("internal", "t0", 1);
	struct packet p, *pointer = &p;
	struct port_status status;
	uint64_t bytes = 0;

	assert_false(unshare(CLONE_NEWNET));
	away = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_true(home >= 0 && away >= 0);
	assert_false(setns(home, CLONE_NEWNET));
	host_run("ip link set t0 netns /proc/%d/fd/%d", getpid(), away);
	port_get_status(port, &status);
	assert_true(status.present && port->tx_enabled);
	assert_int_equal(status.ifindex, 0);
	host_make_udp(frame, 60, 3);
	packet_init(&p, frame, 60);
	assert_int_equal(
		port->class->send(port->txqs[0], &pointer, 1, 0, &bytes), 0);
	assert_int_equal(host_drops(port, DROP_TX_DOWN), 1);

	assert_false(setns(away, CLONE_NEWNET));
	host_run("ip link set t0 up");
	wire = host_wire("t0");
	assert_false(setns(home, CLONE_NEWNET));
	port_get_status(port, &status);
	assert_int_equal(
		port->class->send(port->txqs[0], &pointer, 1, 0, &bytes), 1);
	do {
		assert_true(host_receive(wire, &seen));
	} while (seen.len != 60);
	assert_memory_equal(seen.data, frame, 60);

	/* With whatever MTU it has there. */
	assert_false(setns(away, CLONE_NEWNET));
	host_run("ip link set t0 mtu 9000");
	assert_false(setns(home, CLONE_NEWNET));
	host_make_udp(frame, 9014, 4);
	packet_init(&p, frame, 9014);
	assert_true(packet_pull(&p, PACKET_PULL));
	port_send(port, &pointer, 1, 0);
	do {
		assert_true(host_receive(wire, &seen));
	} while (seen.len != 9014);
	assert_int_equal(status.mtu, 0);
	close(wire);
	close(home);
	close(away);
	port_close(port);
}

static void test_frames(void **state)
{
	struct port *port = host_open("tap", "t0", 1);
	struct packet *pointer = &packets[0];
	struct port_status status;
	uint8_t vnet[10];
	size_t len = 30054;
	int wire;

	host_run("ip link set t0 up");
	port_get_status(port, &status);
	wire = host_wire("t0");
	host_make_tso(frame, len, 1448, vnet);
	host_send(wire, vnet, frame, len);
	assert_int_equal(host_port_receive(port, packets, 64), 1);
	assert_int_equal(packets[0].len, len);
	assert_int_equal(packets[0].offload.gso, PACKET_GSO_TCP4);
	assert_int_equal(packets[0].offload.gso_size, 1448);
	assert_int_equal(packets[0].offload.csum_start, 34);
	port_send(port, &pointer, 1, 1);
	assert_true(host_receive(wire, &seen));
	assert_int_equal(seen.len, len);
	assert_int_equal(seen.vnet[1], 1);
	assert_memory_equal(seen.vnet + 4, vnet + 4, 6);
	assert_memory_equal(seen.data, frame, len);
	give_back(port);
	close(wire);
	port_close(port);
}

/* What the host sends and we do not take in time is counted. */
static void test_overflow(void **state)
{
	struct port *port = host_open("internal", "t0", 1);
	unsigned n_sent = 3000, received = 0, n;
	struct port_status status;
	int wire;

	host_run("ip link set t0 txqueuelen 100 up");
	port_get_status(port, &status);
	wire = host_wire("t0");
	for (uint32_t i = 0; i < n_sent; i++) {
		host_make_udp(frame, 60, i);
		host_send(wire, NULL, frame, 60);
	}
	while ((n = port->class->receive(port->rxqs[0], packets, 64, 0))) {
		received += n;
		give_back(port);
	}
	assert_true(received < n_sent);
	assert_int_equal(host_drops(port, DROP_RX_OVERFLOW), n_sent - received);
	close(wire);
	port_close(port);
}

static void test_two_queues(void **state)
{
	struct port *port = host_open("tap", "t0", 2);
	unsigned received = 0, n_sent = 200;
	bool came[200] = { 0 };
	int wire;

	host_run("ip link set t0 up");
	wire = host_wire("t0");
	for (uint32_t i = 0; i < n_sent; i++) {
		host_make_udp(frame, 60, i);
		host_send(wire, NULL, frame, 60);
	}
	while (received < n_sent) {
		unsigned n = host_port_receive(port, packets, 64);

		assert_true(n > 0);
		for (unsigned i = 0; i < n; i++) {
			uint32_t number = host_udp_number(&packets[i]);

			assert_true(number < n_sent && !came[number]);
			came[number] = true;
		}
		received += n;
		give_back(port);
	}
	close(wire);
	port_close(port);
}

static bool host_answers(int wire)
{
	uint8_t arp[42];

	for (int tries = 0; tries < 5; tries++) {
		host_drain(wire);
		host_make_arp(arp);
		host_send(wire, NULL, arp, sizeof(arp));
		while (host_receive(wire, &seen))
			if (seen.data[12] == 8 && seen.data[13] == 6 &&
			    seen.data[21] == 2)
				return true;
	}
	return false;
}

/*
 * The filter drops what comes in. What shows that it did: the frame that comes
 * next at the wire is one that is sent after the question, past the host.
 */
static void check_silent(int wire, int va)
{
	uint8_t arp[42];

	host_drain(wire);
	host_make_arp(arp);
	host_send(wire, NULL, arp, sizeof(arp));
	assert_true(host_receive(va, &seen));
	assert_int_equal(seen.len, 42);
	host_make_udp(frame, 60, 0);
	host_send(va, NULL, frame, 60);
	assert_true(host_receive(wire, &seen));
	assert_int_equal(seen.data[13], 0);
}

static void test_block_by_filter(void **state)
{
	struct ingress_block block, again;
	int va, vb, ifindex;

	if (!host_privileged())
		skip();
	host_run("ip link add va type veth peer name vb");
	host_run("ip link set va up; ip link set vb up");
	host_run("ip addr add 10.9.0.1/24 dev va");
	ifindex = if_nametoindex("va");
	va = host_wire("va");
	vb = host_wire("vb");
	assert_true(host_answers(vb));
	host_drain(va);
	assert_int_equal(
		ingress_block_attach(&block, ifindex, INGRESS_BLOCK_FILTER), 0);
	assert_true(block.filter && block.point.made_clsact &&
		    block.link_fd < 0);
	host_run("tc filter show dev va ingress | grep -q vsw");
	check_silent(vb, va);

	/* As after a kill: what is left there is taken over, and goes. */
	assert_int_equal(
		ingress_block_attach(&again, ifindex, INGRESS_BLOCK_FILTER), 0);
	check_silent(vb, va);
	ingress_block_detach(&again);
	assert_true(host_answers(vb));
	host_run("! tc filter show dev va ingress | grep -q vsw");
	ingress_block_detach(&block);
	host_run("! tc qdisc show dev va | grep -q clsact");

	/* The usual way does without a qdisc where the kernel can. */
	assert_int_equal(
		ingress_block_attach(&block, ifindex, INGRESS_BLOCK_ANY), 0);
	assert_true(block.link_fd >= 0 || block.filter);
	host_drain(va);
	check_silent(vb, va);
	ingress_block_detach(&block);
	assert_true(host_answers(vb));
	ingress_block_detach(&block);
	assert_int_equal(
		ingress_block_attach(&block, 1000000, INGRESS_BLOCK_ANY),
		-ENODEV);
	close(va);
	close(vb);
	host_run("ip link del va");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_removed),
		cmocka_unit_test(test_moved),
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_two_queues),
		cmocka_unit_test(test_block_by_filter),
	};

	host_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
