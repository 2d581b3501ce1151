/* Sockets between host and guest (vmm/virtio/vsock*.c). */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/virtio_vsock.h>

#include "scratch.h"
#include "vmm_device_fixture.h"

#define PACKED VMM_FEATURE(VIRTIO_F_RING_PACKED)

enum { RX, TX, EVENT, CID = 42, GUEST_PORT = 1000 };

static struct device_fixture f;
static char directory[SCRATCH_SIZE];
static int home, server; /* "vsock_80" there */
static struct virtio_vsock_hdr got;
static uint8_t payload[70000];

/* --- the host's side ------------------------------------------------------ */

static struct sockaddr_un address(const char *name)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	snprintf(to.sun_path, sizeof to.sun_path, "%s/%s", directory, name);
	return to;
}

static int listen_at(const char *name)
{
	struct sockaddr_un to = address(name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof to), 0);
	assert_int_equal(listen(fd, 100), 0);
	return fd;
}

static int connect_to(const char *name)
{
	struct sockaddr_un to = address(name);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

static void expect_bytes(int fd, const char *bytes)
{
	char text[64] = { 0 };

	device_run(&f);
	assert_int_equal(recv(fd, text, sizeof text - 1, MSG_DONTWAIT),
			 strlen(bytes));
	assert_string_equal(text, bytes);
}

static void expect_end(int fd)
{
	char byte;

	device_run(&f);
	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
}

/* --- the guest's ---------------------------------------------------------- */

/* Sends a packet to this port of the host. */
static void say(enum virtio_vsock_op op, uint32_t guest_port,
		uint32_t host_port, uint32_t flags, const char *bytes)
{
	uint8_t packet[sizeof got + 100];
	struct virtio_vsock_hdr header = {
		.src_cid = CID,
		.dst_cid = 2,
		.src_port = guest_port,
		.dst_port = host_port,
		.len = bytes ? strlen(bytes) : 0,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.op = op,
		.flags = flags,
		.buf_alloc = 10,
		.fwd_cnt = 0,
	};

	memcpy(packet, &header, sizeof header);
	memcpy(packet + sizeof header, bytes ? bytes : "", header.len);
	device_send(&f, TX, packet, sizeof header + header.len);
}

/* The next packet from the host. Buffers are used in the order of offering,
 * at addresses that follow one another. */
static uint64_t next_rx;

static bool hear(void)
{
	uint32_t length;

	while (device_is_used(&f, TX, &length))
		;
	if (!device_is_used(&f, RX, &length))
		return false;
	memcpy(&got, vmm_driver_at(&f.driver, next_rx), sizeof got);
	assert_int_equal(length, sizeof got + got.len);
	memcpy(payload, vmm_driver_at(&f.driver, next_rx + sizeof got),
	       got.len);
	next_rx = device_offer(&f, RX, sizeof got + 4096);
	assert_int_equal(got.src_cid, 2);
	assert_int_equal(got.dst_cid, CID);
	assert_int_equal(got.type, VIRTIO_VSOCK_TYPE_STREAM);
	return true;
}

static void expect(enum virtio_vsock_op op, uint32_t port)
{
	assert_true(hear());
	assert_int_equal(got.op, op);
	assert_int_equal(got.dst_port, port);
}

/* One buffer at a time, so that its address is known. */
static void start(void **state)
{
	uint64_t with = *state ? PACKED : 0;

	device_fixture_start(&f,
			     virtio_vsock_create(f.loop, &f.memory, CID,
						 listen_at("vsock.sock"),
						 dup(home), NULL),
			     with);
	next_rx = device_offer(&f, RX, sizeof got + 4096);
}

static int setup(void **state)
{
	device_fixture_init(&f);
	scratch_make(directory);
	home = open(directory, O_PATH | O_DIRECTORY);
	server = listen_at("vsock_80");
	return 0;
}

static int teardown(void **state)
{
	device_fixture_uninit(&f);
	unlinkat(home, "vsock.sock", 0);
	unlinkat(home, "vsock_80", 0);
	rmdir(directory);
	close(home);
	close(server);
	assert_int_equal(chdir("/"), 0);
	return 0;
}

/* A connection that the host begins: returns the program's end. */
static int host_connects(uint32_t *host_port)
{
	int fd = connect_to("vsock.sock");
	char answer[40];

	assert_int_equal(write(fd, "CONNECT 1000\n", 13), 13);
	device_run(&f);
	expect(VIRTIO_VSOCK_OP_REQUEST, GUEST_PORT);
	*host_port = got.src_port;
	assert_int_equal(got.buf_alloc, 65536);
	say(VIRTIO_VSOCK_OP_RESPONSE, GUEST_PORT, *host_port, 0, NULL);
	snprintf(answer, sizeof answer, "OK %u\n", *host_port);
	expect_bytes(fd, answer);
	return fd;
}

/* And that the guest begins, with port 80. */
static int guest_connects(uint32_t port)
{
	int fd;

	say(VIRTIO_VSOCK_OP_REQUEST, port, 80, 0, NULL);
	expect(VIRTIO_VSOCK_OP_RESPONSE, port);
	assert_int_equal(got.src_port, 80);
	fd = accept(server, NULL, NULL);
	assert_true(fd >= 0);
	return fd;
}

/* --- tests ---------------------------------------------------------------- */

static void host_begins(void **state)
{
	struct virtio_vsock_hdr update = {
		.src_cid = CID,
		.dst_cid = 2,
		.src_port = GUEST_PORT,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.op = VIRTIO_VSOCK_OP_CREDIT_UPDATE,
		.buf_alloc = 10,
		.fwd_cnt = 10,
	};
	uint32_t port;
	int fd;

	start(state);
	fd = host_connects(&port);
	assert_int_equal(write(fd, "hello, guest", 12), 12);
	/* No more than it has room for, until it says so. */
	expect(VIRTIO_VSOCK_OP_RW, GUEST_PORT);
	assert_int_equal(got.len, 10);
	assert_memory_equal(payload, "hello, gue", 10);
	assert_false(hear());
	say(VIRTIO_VSOCK_OP_RW, GUEST_PORT, port, 0, "hello, host");
	expect_bytes(fd, "hello, host");
	assert_false(hear());
	/* It has read 10 bytes. */
	update.dst_port = port;
	device_send(&f, TX, &update, sizeof update);
	expect(VIRTIO_VSOCK_OP_RW, GUEST_PORT);
	assert_int_equal(got.len, 2);
	assert_memory_equal(payload, "st", 2);
	assert_int_equal(got.fwd_cnt, 11);
	/* The host's end, then the guest's. */
	shutdown(fd, SHUT_WR);
	expect(VIRTIO_VSOCK_OP_SHUTDOWN, GUEST_PORT);
	assert_int_equal(got.flags, VIRTIO_VSOCK_SHUTDOWN_SEND);
	say(VIRTIO_VSOCK_OP_RW, GUEST_PORT, port, 0, "bye");
	expect_bytes(fd, "bye");
	say(VIRTIO_VSOCK_OP_SHUTDOWN, GUEST_PORT, port, 3, NULL);
	expect(VIRTIO_VSOCK_OP_RST, GUEST_PORT);
	expect_end(fd);
	close(fd);
	/* Nothing is left of it. */
	say(VIRTIO_VSOCK_OP_RW, GUEST_PORT, port, 0, "?");
	expect(VIRTIO_VSOCK_OP_RST, GUEST_PORT);
	assert_false(hear());
}

static void guest_begins(void **state)
{
	int fd;

	start(state);
	fd = guest_connects(5);
	say(VIRTIO_VSOCK_OP_RW, 5, 80, 0, "GET /");
	expect_bytes(fd, "GET /");
	say(VIRTIO_VSOCK_OP_CREDIT_REQUEST, 5, 80, 0, NULL);
	expect(VIRTIO_VSOCK_OP_CREDIT_UPDATE, 5);
	assert_int_equal(got.fwd_cnt, 5);
	/* Half closed: the answer still comes. */
	say(VIRTIO_VSOCK_OP_SHUTDOWN, 5, 80, VIRTIO_VSOCK_SHUTDOWN_SEND, NULL);
	expect_end(fd);
	assert_int_equal(write(fd, "200", 3), 3);
	close(fd);
	expect(VIRTIO_VSOCK_OP_RW, 5);
	assert_memory_equal(payload, "200", 3);
	expect(VIRTIO_VSOCK_OP_SHUTDOWN, 5);
	expect(VIRTIO_VSOCK_OP_RST, 5);
	assert_false(hear());
	/* A port where nobody listens; a connection that is there already. */
	say(VIRTIO_VSOCK_OP_REQUEST, 6, 81, 0, NULL);
	expect(VIRTIO_VSOCK_OP_RST, 6);
	fd = guest_connects(7);
	say(VIRTIO_VSOCK_OP_REQUEST, 7, 80, 0, NULL);
	expect(VIRTIO_VSOCK_OP_RST, 7);
	expect_end(fd);
	close(fd);
	/* The guest resets. */
	fd = guest_connects(8);
	say(VIRTIO_VSOCK_OP_RST, 8, 80, 0, NULL);
	expect_end(fd);
	close(fd);
	assert_false(hear());
	/* The program dies with bytes of the guest unread. */
	fd = guest_connects(9);
	say(VIRTIO_VSOCK_OP_RW, 9, 80, 0, "x");
	close(fd);
	expect(VIRTIO_VSOCK_OP_RST, 9);
	assert_false(hear());
}

static void bad_greetings(void **state)
{
	static const char *const greetings[] = {
		"HELLO\n",
		"CONNECT x\n",
		"CONNECT -1\n",
		"CONNECT 4294967296\n",
		"CONNECT 1 \n",
		"\n",
		"CONNECT 00000000000000000000000001\n",
	};
	uint32_t port;
	int fd;

	start(state);
	for (size_t i = 0; i < ARRAY_SIZE(greetings); i++) {
		char byte;

		fd = connect_to("vsock.sock");
		assert_true(write(fd, greetings[i], strlen(greetings[i])) > 0);
		device_run(&f);
		assert_true(recv(fd, &byte, 1, MSG_DONTWAIT) <= 0);
		assert_int_not_equal(errno, EAGAIN);
		errno = 0;
		close(fd);
		assert_false(hear());
	}
	/* The guest refuses; the program leaves before it answers. */
	fd = connect_to("vsock.sock");
	assert_int_equal(write(fd, "CONNECT 7\n", 10), 10);
	expect(VIRTIO_VSOCK_OP_REQUEST, 7);
	say(VIRTIO_VSOCK_OP_RST, 7, got.src_port, 0, NULL);
	expect_end(fd);
	close(fd);
	fd = connect_to("vsock.sock");
	assert_int_equal(write(fd, "CONNECT 7\n", 10), 10);
	expect(VIRTIO_VSOCK_OP_REQUEST, 7);
	close(fd);
	say(VIRTIO_VSOCK_OP_RESPONSE, 7, got.src_port, 0, NULL);
	expect(VIRTIO_VSOCK_OP_RST, 7);
	/* In pieces, with what follows. */
	fd = connect_to("vsock.sock");
	assert_int_equal(write(fd, "CONN", 4), 4);
	device_run(&f);
	assert_int_equal(write(fd, "ECT 7\nearly", 11), 11);
	expect(VIRTIO_VSOCK_OP_REQUEST, 7);
	port = got.src_port;
	say(VIRTIO_VSOCK_OP_RESPONSE, 7, port, 0, NULL);
	expect(VIRTIO_VSOCK_OP_RW, 7);
	assert_memory_equal(payload, "early", 5);
	close(fd);
}

/* More than the credit that it has. */
static void greedy_guest(void **state)
{
	struct virtio_vsock_hdr header = {
		.src_cid = CID,
		.dst_cid = 2,
		.src_port = 5,
		.dst_port = 80,
		.len = 32768,
		.type = 1,
		.op = VIRTIO_VSOCK_OP_RW,
	};
	static uint8_t packet[sizeof header + 32768];
	int fd, n;

	start(state);
	fd = guest_connects(5);
	memcpy(packet, &header, sizeof header);
	/* The socket takes some of it, then 64 KiB are kept, then no more. */
	for (n = 0; n < 64; n++) {
		device_send(&f, TX, packet, sizeof packet);
		if (hear() && got.op == VIRTIO_VSOCK_OP_RST)
			break;
	}
	assert_in_range(n, 2, 40);
	close(fd);
	/* One that keeps to its credit loses nothing. */
	fd = guest_connects(5);
	for (n = 0; n < 32; n++) {
		memset(packet + sizeof header, n, 32768);
		device_send(&f, TX, packet, sizeof packet);
		for (size_t read_bytes = 0; read_bytes < 32768;) {
			ssize_t part = recv(fd, payload, 32768 - read_bytes,
					    MSG_DONTWAIT);

			assert_true(part > 0);
			assert_int_equal(payload[part - 1], n);
			read_bytes += part;
			device_run(&f);
		}
		expect(VIRTIO_VSOCK_OP_CREDIT_UPDATE, 5);
		assert_int_equal(got.fwd_cnt, (n + 1) * 32768);
	}
	close(fd);
}

static void bad_packets(void **state)
{
	struct virtio_vsock_hdr header = {
		.src_cid = CID,
		.dst_cid = 3,
		.src_port = 5,
		.dst_port = 80,
		.type = 1,
		.op = VIRTIO_VSOCK_OP_REQUEST,
	};

	start(state);
	device_send(&f, TX, &header, sizeof header); /* to nobody we know */
	expect(VIRTIO_VSOCK_OP_RST, 5);
	header.dst_cid = 2;
	header.type = 2;
	device_send(&f, TX, &header, sizeof header);
	expect(VIRTIO_VSOCK_OP_RST, 5);
	header.type = 1;
	header.op = 77;
	device_send(&f, TX, &header, sizeof header);
	expect(VIRTIO_VSOCK_OP_RST, 5);
	header.op = VIRTIO_VSOCK_OP_REQUEST;
	header.src_cid = 7; /* who it is not */
	device_send(&f, TX, &header, sizeof header);
	assert_false(hear());
	header.src_cid = CID;
	header.len = 1;
	device_send(&f, TX, &header, sizeof header);
	assert_false(hear());
	assert_false(f.device->queues[TX].broken);
	device_send(&f, TX, &header, sizeof header - 1);
	assert_true(f.device->queues[TX].broken);
	assert_true(f.device->status & VIRTIO_CONFIG_S_NEEDS_RESET);
}

/* Without buffers for answers its packets stay where they are. */
static void no_buffers(void **state)
{
	uint32_t length;
	unsigned int used = 0, heard = 0;

	start(state);
	/* The one that it has is used by the first answer. */
	for (uint32_t i = 0; i < 100; i++)
		say(VIRTIO_VSOCK_OP_RW, i, 999, 0, NULL);
	while (device_is_used(&f, TX, &length))
		used++;
	assert_in_range(used, 30, 40);
	while (hear())
		heard++;
	assert_int_equal(heard, 100);
}

static void too_many(void **state)
{
	int fds[70], n = 0;
	uint32_t port;

	start(state);
	for (uint32_t i = 0; i < 64; i++)
		fds[n++] = guest_connects(i);
	say(VIRTIO_VSOCK_OP_REQUEST, 64, 80, 0, NULL);
	expect(VIRTIO_VSOCK_OP_RST, 64);
	/* The host is not kept out by that. */
	fds[n++] = host_connects(&port);
	say(VIRTIO_VSOCK_OP_RST, 0, 80, 0, NULL);
	fds[n++] = guest_connects(64);
	while (n--)
		close(fds[n]);
}

/* More programs than there is room for: the rest wait for their turn. */
static void host_queue(void **state)
{
	int fds[65];

	start(state);
	for (int i = 0; i < 65; i++) {
		fds[i] = connect_to("vsock.sock");
		device_run(&f);
	}
	assert_int_equal(write(fds[64], "CONNECT 7\n", 10), 10);
	assert_false(hear());
	close(fds[3]);
	expect(VIRTIO_VSOCK_OP_REQUEST, 7);
	for (int i = 0; i < 65; i++)
		if (i != 3)
			close(fds[i]);
}

static void restored(void **state)
{
	uint64_t addr;
	uint32_t length;
	int fd;

	start(state);
	fd = guest_connects(5);
	vmm_driver_reset(&f.driver);
	expect_end(fd);
	close(fd);
	assert_int_equal(f.device->ops->restore(f.device, NULL, NULL), 0);
	assert_true(vmm_driver_start(&f.driver));
	device_run(&f);
	addr = device_offer(&f, EVENT, 4);
	memset(vmm_driver_at(&f.driver, addr), 0xff, 4);
	assert_true(device_is_used(&f, EVENT, &length));
	assert_int_equal(length, 4);
	/* Once. */
	device_offer(&f, EVENT, 4);
	assert_false(device_is_used(&f, EVENT, &length));
	next_rx = device_offer(&f, RX, sizeof got + 4096);
	say(VIRTIO_VSOCK_OP_RW, 5, 80, 0, "x");
	expect(VIRTIO_VSOCK_OP_RST, 5);
}

int main(void)
{
	int failed = 0;

	for (int packed = 0; packed < 2; packed++) {
		void *with = packed ? &failed : NULL;
		const struct CMUnitTest tests[] = {
			{ "host_begins", host_begins, setup, teardown, with },
			{ "guest_begins", guest_begins, setup, teardown, with },
			{ "bad_greetings", bad_greetings, setup, teardown,
			  with },
			{ "greedy_guest", greedy_guest, setup, teardown, with },
			{ "bad_packets", bad_packets, setup, teardown, with },
			{ "no_buffers", no_buffers, setup, teardown, with },
			{ "too_many", too_many, setup, teardown, with },
			{ "host_queue", host_queue, setup, teardown, with },
			{ "restored", restored, setup, teardown, with },
		};

		failed += cmocka_run_group_tests(tests, NULL, NULL);
	}
	return failed;
}
