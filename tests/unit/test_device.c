/*
 * The device kind over real veth pairs: va is the port, vb the other end; vc is
 * a second port with vd at its other end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"
#include "packet/offload.h"
#include "packet/vlan.h"
#include "port/netdev.h"
#include "port/packet_ring.h"

static struct packet packets[64];
static uint8_t frame[HOST_FRAME_MAX];
static struct host_frame seen;

static int set_up(void **state)
{
	host_run("ip link add va type veth peer name vb");
	host_run("ip link add vc type veth peer name vd");
	host_run("for d in va vb vc vd; do ip link set $d mtu 9000 up; done");
	return 0;
}

static int tear_down(void **state)
{
	host_run("ip link del va 2>/dev/null; ip link del vc 2>/dev/null; :");
	return 0;
}

/* Sends out what a port received, and gives it back. */
static void forward(struct port *from, struct port *to, unsigned n)
{
	struct packet *pointers[ARRAY_SIZE(packets)];

	for (unsigned i = 0; i < n; i++)
		pointers[i] = &packets[i];
	port_send(to, pointers, n, 0);
	for (unsigned i = 0; i < from->n_rxqs; i++)
		from->class->done(from->rxqs[i]);
}

static void test_missing(void **state)
{
	struct port_config config = {
		.name = "eth9", .type = "", .n_threads = 1, .n_rxqs = 1
	};
	struct port *port;
	char *error = NULL;

	assert_int_equal(port_open(&config, &port, &error), -ENODEV);
	assert_string_equal(error, "could not open network device eth9 (No "
				   "such device)");
	free(error);
}

static void expect_refusal(const char *name, int expected, const char *text)
{
	struct port_config config = {
		.name = name, .type = "", .n_threads = 1, .n_rxqs = 1
	};
	struct port *port;
	char *error = NULL;

	assert_int_equal(port_open(&config, &port, &error), expected);
	if (!strstr(error, text))
		fail_msg("\"%s\" is not in: %s", text, error);
	free(error);
}

static void test_refused(void **state)
{
	struct port *port = host_open("", "va", 1);
	char holder[64];

	snprintf(holder, sizeof(holder), "(process %d)", getpid());
	expect_refusal("va", -EBUSY, holder);
	port_close(port);
	port_close(host_open("", "va", 1));
	expect_refusal("lo", -EINVAL, "not an Ethernet device");
	host_run("ip link add kb type bridge; ip link set va master kb");
	expect_refusal("va", -EBUSY, "ip link set va nomaster");
	host_run("ip link del kb");
}

static void check_tso(void)
{
	struct port *a = host_open("", "va", 1), *c = host_open("", "vc", 1);
	int vb = host_wire("vb"), vd = host_wire("vd");
	uint8_t vnet[10];
	size_t len = 30054;

	host_make_tso(frame, len, 1448, vnet);
	host_send(vb, vnet, frame, len);
	assert_int_equal(host_port_receive(a, packets, 64), 1);
	assert_int_equal(packets[0].len, len);
	assert_int_equal(packets[0].offload.gso, PACKET_GSO_TCP4);
	assert_int_equal(packets[0].offload.gso_size, 1448);
	assert_true(packets[0].offload.csum_needed);
	assert_int_equal(packets[0].offload.csum_start, 34);
	forward(a, c, 1);
	assert_true(host_receive(vd, &seen));
	assert_int_equal(seen.len, len);
	assert_int_equal(seen.vnet[0] & 1, 1);
	assert_int_equal(seen.vnet[1], 1);
	assert_memory_equal(seen.vnet + 4, vnet + 4, 6);
	assert_memory_equal(seen.data, frame, len);
	close(vb);
	close(vd);
	port_close(a);
	port_close(c);
}

/* A tag comes beside the frame; two in the frame go out as two. */
static void check_vlan(size_t len)
{
	struct port *a = host_open("", "va", 1), *c = host_open("", "vc", 1);
	int vb = host_wire("vb"), vd = host_wire("vd");

	host_make_udp(frame, len, 5);
	memmove(frame + 16, frame + 12, len - 12);
	store_be16(frame + 12, ETH_TYPE_VLAN);
	store_be16(frame + 14, 0x6064);
	host_send(vb, NULL, frame, len + 4);
	assert_int_equal(host_port_receive(a, packets, 64), 1);
	assert_true(packets[0].vlan_beside);
	assert_int_equal(packets[0].vlan_beside_tpid, ETH_TYPE_VLAN);
	assert_int_equal(packets[0].vlan_beside_tci, 0x6064);
	assert_int_equal(packets[0].len, len);
	/* The pull puts the tag into the frame; another goes on top. */
	assert_true(packet_pull(&packets[0], 14));
	assert_true(packet_vlan_push(&packets[0], ETH_TYPE_SVLAN, 0x2007));
	forward(a, c, 1);
	assert_true(host_receive(vd, &seen));
	assert_true(seen.tagged);
	assert_int_equal(seen.tci, 0x2007);
	assert_int_equal(seen.len, len + 4);
	assert_memory_equal(seen.data, frame, len + 4);
	close(vb);
	close(vd);
	port_close(a);
	port_close(c);
}

/* On top of the MTU, packet sockets send one C-tag and no more. */
static void check_too_big(void)
{
	static const struct {
		size_t len;
		uint16_t tpid;
		bool sent;
	} cases[] = { { 9014, ETH_TYPE_SVLAN, true },
		      { 9018, ETH_TYPE_SVLAN, false },
		      { 9018, ETH_TYPE_VLAN, true },
		      { 9022, ETH_TYPE_VLAN, false } };
	struct port *a = host_open("", "va", 1);
	struct packet p, *pointer = &p;
	uint64_t bytes = 0;

	host_make_udp(frame, 9022, 0);
	memcpy(frame + 14, "\0\x05\x81\0\0\x06\x08", 7);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		store_be16(frame + 12, cases[i].tpid);
		packet_init(&p, frame, cases[i].len);
		assert_int_equal(
			a->class->send(a->txqs[0], &pointer, 1, 0, &bytes),
			cases[i].sent);
	}
	assert_int_equal(host_drops(a, DROP_TX_TOO_BIG), 2);
	port_close(a);
}

/* Frames that fit a slot of the ring and such that do not, in their order. */
static void check_order(void)
{
	struct port *a = host_open("", "va", 1);
	uint32_t n_sent = 200, expected = 0;
	int vb = host_wire("vb");

	for (uint32_t i = 0; i < n_sent; i++) {
		size_t len = i % 3 ? 60 : 60 + i * 7;

		host_make_udp(frame, len, i);
		host_send(vb, NULL, frame, len);
	}
	while (expected < n_sent) {
		unsigned n = host_port_receive(a, packets, 64);

		assert_true(n > 0);
		for (unsigned i = 0; i < n; i++) {
			uint32_t len = expected % 3 ? 60 : 60 + expected * 7;

			assert_int_equal(host_udp_number(&packets[i]),
					 expected++);
			assert_int_equal(packets[i].len, len);
		}
		a->class->done(a->rxqs[0]);
	}
	close(vb);
	port_close(a);
}

static void test_frames(void **state)
{
	check_tso();
	check_vlan(100);
	check_vlan(1514);
	check_vlan(9006);
	check_too_big();
	check_order();
}

/* The same when there is no memory left for rings. */
static void test_frames_without_ring(void **state)
{
	static struct packet_ring rings[1024];
	static int fds[1024];
	unsigned n = 0;
	int one = 1, error;

	do {
		assert_true(n < ARRAY_SIZE(rings));
		fds[n] = socket(AF_PACKET, SOCK_RAW, 0);
		assert_true(fds[n] >= 0);
		assert_false(
			setsockopt(fds[n], SOL_PACKET, 15, &one, sizeof(one)));
		error = packet_ring_open(&rings[n], fds[n], 256 << 10);
		assert_true(!error || error == -ENOSPC);
		n++;
	} while (!error);
	test_frames(state);
	while (n--) {
		packet_ring_close(&rings[n]);
		close(fds[n]);
	}
}

/* No frame is lost without a count. */
static void test_overflow(void **state)
{
	struct port *a = host_open("", "va", 1);
	uint32_t n_sent = 20000, n_received = 0;
	int vb = host_wire("vb");
	uint64_t dropped;

	host_make_udp(frame, 60, 0);
	for (uint32_t i = 0; i < n_sent; i++)
		host_send(vb, NULL, frame, 60);
	/* The kernel may still be at the last of them. */
	do {
		unsigned n = a->class->receive(a->rxqs[0], packets, 64, 0);

		n_received += n;
		a->class->done(a->rxqs[0]);
		dropped = host_drops(a, DROP_RX_OVERFLOW);
	} while (n_received + dropped < n_sent);
	assert_int_equal(n_received + dropped, n_sent);
	assert_true(dropped > 0);
	assert_int_equal(host_drops(a, DROP_RX_OVERFLOW), dropped);
	close(vb);
	port_close(a);
}

/* Two queues: each frame comes once, and a flow stays in its queue. */
static void test_two_queues(void **state)
{
	struct port *a = host_open("", "va", 2);
	unsigned n_received[2] = { 0 }, n_sent = 400;
	bool came[400] = { 0 };
	int vb = host_wire("vb");

	for (uint32_t i = 0; i < n_sent; i++) {
		host_make_udp(frame, 60, i);
		host_send(vb, NULL, frame, 60);
	}
	while (n_received[0] + n_received[1] < n_sent) {
		unsigned n = host_port_receive(a, packets, 64);

		assert_true(n > 0);
		for (unsigned i = 0; i < n; i++) {
			uint32_t number = host_udp_number(&packets[i]);

			assert_true(number < n_sent && !came[number]);
			came[number] = true;
		}
		n_received[0] += n;
		a->class->done(a->rxqs[0]);
		a->class->done(a->rxqs[1]);
	}
	close(vb);
	port_close(a);
}

static void test_mtu_and_down(void **state)
{
	struct port *a = host_open("", "va", 1);
	struct packet p, *pointer = &p;
	struct port_status status;
	struct pollfd pfd = { a->rxqs[0]->fd, POLLIN, 0 };
	uint64_t bytes = 0;

	port_get_status(a, &status);
	assert_true(status.present && status.admin_up && status.link_up);
	assert_int_equal(status.mtu, 9000);
	assert_string_equal(status.driver, "veth");
	host_run("ip link set va mtu 4000");
	port_get_status(a, &status);
	assert_int_equal(a->mtu, 4000);

	host_run("ip link set va down");
	port_get_status(a, &status);
	assert_false(status.admin_up || status.link_up || a->tx_enabled);
	/* Going down is an error of the socket: it must not keep fd ready. */
	assert_int_equal(a->class->receive(a->rxqs[0], packets, 64, 0), 0);
	assert_true(a->class->arm(a->rxqs[0]));
	assert_int_equal(poll(&pfd, 1, 0), 0);
	host_make_udp(frame, 60, 0);
	packet_init(&p, frame, 60);
	assert_int_equal(a->class->send(a->txqs[0], &pointer, 1, 0, &bytes), 0);
	assert_int_equal(host_drops(a, DROP_TX_DOWN), 1);

	host_run("ip link set va up");
	port_get_status(a, &status);
	assert_true(a->tx_enabled);
	assert_int_equal(a->class->send(a->txqs[0], &pointer, 1, 0, &bytes), 1);
	assert_int_equal(bytes, 60);
	port_close(a);
}

static void test_removed(void **state)
{
	struct port *a = host_open("", "va", 1);
	struct packet p, *pointer = &p;
	struct port_status status;
	struct pollfd pfd = { a->rxqs[0]->fd, POLLIN, 0 };
	uint64_t bytes = 0;
	int vb;

	host_run("ip link del va; ip link add va type veth peer name vb");
	host_run("ip link set va up; ip link set vb up");
	port_get_status(a, &status);
	assert_false(status.present || a->tx_enabled);
	assert_int_equal(a->class->receive(a->rxqs[0], packets, 64, 0), 0);
	assert_true(a->class->arm(a->rxqs[0]));
	assert_int_equal(poll(&pfd, 1, 0), 0);
	host_make_udp(frame, 60, 77);
	packet_init(&p, frame, 60);
	assert_int_equal(a->class->send(a->txqs[0], &pointer, 1, 0, &bytes), 0);
	assert_int_equal(host_drops(a, DROP_TX_DOWN), 1);
	port_close(a);

	a = host_open("", "va", 1);
	vb = host_wire("vb");
	host_send(vb, NULL, frame, 60);
	assert_int_equal(host_port_receive(a, packets, 64), 1);
	assert_int_equal(host_udp_number(&packets[0]), 77);
	close(vb);
	port_close(a);
}

static void ask_arp(int vb)
{
	uint8_t arp[42];

	host_drain(vb);
	host_make_arp(arp);
	host_send(vb, NULL, arp, sizeof(arp));
}

/* The host answers at the end of a wire, sooner or later. */
static bool host_answers(int vb)
{
	for (int tries = 0; tries < 5; tries++) {
		ask_arp(vb);
		while (host_receive(vb, &seen))
			if (seen.data[12] == 8 && seen.data[13] == 6 &&
			    seen.data[21] == 2)
				return true;
	}
	return false;
}

/*
 * The host's answer would be at the wire before a frame that the port sends
 * after it has received the question.
 */
static void check_silent(struct port *a, int vb)
{
	struct packet p, *pointer = &p;
	uint64_t bytes = 0;

	ask_arp(vb);
	assert_int_equal(host_port_receive(a, packets, 64), 1);
	assert_int_equal(packets[0].len, 42);
	a->class->done(a->rxqs[0]);
	host_make_udp(frame, 60, 0);
	packet_init(&p, frame, 60);
	assert_int_equal(a->class->send(a->txqs[0], &pointer, 1, 0, &bytes), 1);
	assert_true(host_receive(vb, &seen));
	assert_int_equal(seen.data[12], 8);
	assert_int_equal(seen.data[13], 0);
}

static void test_host_is_kept_out(void **state)
{
	int vb = host_wire("vb"), ready[2], status;
	struct port *a;
	pid_t child;
	char byte;

	/* A program for the kernel needs the privilege of the whole system. */
	if (!host_privileged())
		skip();
	host_run("ip addr add 10.9.0.1/24 dev va");
	assert_true(host_answers(vb));
	a = host_open("", "va", 1);
	check_silent(a, vb);
	port_close(a);
	assert_true(host_answers(vb));

	/* A process that is killed leaves the device as it found it. */
	assert_false(pipe(ready));
	child = fork();
	if (!child) {
		a = host_open("", "va", 1);
		check_silent(a, vb);
		if (write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(host_answers(vb));
	port_close(host_open("", "va", 1));
	close(ready[0]);
	close(vb);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_missing),	  T(test_refused),
		T(test_frames),		  T(test_frames_without_ring),
		T(test_overflow),	  T(test_two_queues),
		T(test_mtu_and_down),	  T(test_removed),
		T(test_host_is_kept_out),
	};

	host_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
