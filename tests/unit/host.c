/* A test's own host (host.h). */
#include "host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 5000

static bool privileged;

bool host_privileged(void)
{
	return privileged;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd >= 0) {
		if (write(fd, text, strlen(text)) < 0)
			perror(path);
		close(fd);
	}
}

void host_enter(void)
{
	char map[32];

	privileged = !unshare(CLONE_NEWNET);
	if (!privileged) {
		snprintf(map, sizeof(map), "0 %d 1", geteuid());
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET)) {
			perror("a network namespace cannot be made");
			exit(1);
		}
		write_file("/proc/self/uid_map", map);
	}
	write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	write_file("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
}

void host_run(const char *fmt, ...)
{
	char command[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	if (system(command))
		fail_msg("failed: %s", command);
}

int host_wire(const char *device)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = __builtin_bswap16(ETH_P_ALL),
		.sll_ifindex = if_nametoindex(device),
	};
	int one = 1, size = 16 << 20;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0 && address.sll_ifindex);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	assert_false(
		setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one,
			   sizeof(one)) ||
		setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) ||
		setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one,
			   sizeof(one)) ||
		bind(fd, (struct sockaddr *)&address, sizeof(address)));
	return fd;
}

void host_send(int wire, const void *vnet, const void *frame, size_t len)
{
	static const uint8_t zeros[10];
	struct iovec iov[] = { { (void *)(vnet ? vnet : zeros), 10 },
			       { (void *)frame, len } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	assert_int_equal(sendmsg(wire, &msg, 0), len + 10);
}

static bool receive_now(int wire, struct host_frame *f)
{
	union {
		struct cmsghdr cmsg;
		char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} control;
	struct iovec iov[] = { { f->vnet, 10 }, { f->data, HOST_FRAME_MAX } };
	struct msghdr msg = { .msg_iov = iov,
			      .msg_iovlen = 2,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	struct tpacket_auxdata aux;
	ssize_t n = recvmsg(wire, &msg, MSG_DONTWAIT);

	if (n < 0)
		return false;
	assert_non_null(CMSG_FIRSTHDR(&msg));
	memcpy(&aux, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(aux));
	f->len = n - 10;
	f->tagged = aux.tp_status & TP_STATUS_VLAN_VALID;
	f->tci = aux.tp_vlan_tci;
	return true;
}

bool host_receive(int wire, struct host_frame *f)
{
	struct pollfd pfd = { wire, POLLIN, 0 };

	while (!receive_now(wire, f))
		if (poll(&pfd, 1, WAIT_MS) <= 0)
			return false;
	return true;
}

void host_drain(int wire)
{
	static struct host_frame f;

	while (receive_now(wire, &f))
		;
}

static uint16_t ip_checksum(const uint8_t *h)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < 20; i += 2)
		sum += load_be16(h + i);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

static void make_ip(uint8_t *f, size_t len, uint8_t protocol)
{
	memset(f, 0, len);
	memcpy(f, "\x02\0\0\0\0\x0b\x02\0\0\0\0\x0a\x08\0\x45", 15);
	store_be16(f + 16, len - 14);
	f[22] = 64;
	f[23] = protocol;
	store_be32(f + 26, 0x0a090002);
	store_be32(f + 30, 0x0a090009);
	store_be16(f + 24, ip_checksum(f + 14));
}

void host_make_udp(uint8_t *f, size_t len, uint32_t number)
{
	make_ip(f, len, 17);
	/* Another port, so another flow. */
	store_be16(f + 34, 1024 + number % 1024);
	store_be16(f + 36, 4000);
	store_be16(f + 38, len - 34);
	store_be32(f + 42, number);
}

uint32_t host_udp_number(const struct packet *p)
{
	uint8_t number[4];

	assert_int_equal(packet_read(p, 42, number, 4), 4);
	return load_be32(number);
}

void host_make_tso(uint8_t *f, size_t len, uint16_t mss, uint8_t *vnet)
{
	uint16_t values[] = { 54, mss, 34, 16 };

	make_ip(f, len, 6);
	store_be16(f + 34, 1234);
	store_be16(f + 36, 5001);
	f[46] = 5 << 4;
	f[47] = 0x10;
	for (size_t i = 54; i < len; i++)
		f[i] = i * 7 + (i >> 8);
	vnet[0] = 1; /* NEEDS_CSUM */
	vnet[1] = 1; /* GSO_TCPV4 */
	memcpy(vnet + 2, values, 8);
}

void host_make_arp(uint8_t f[42])
{
	memcpy(f,
	       "\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\x0a\x08\x06"
	       "\0\x01\x08\0\x06\x04\0\x01"
	       "\x02\0\0\0\0\x0a\x0a\x09\0\x02\0\0\0\0\0\0\x0a\x09\0\x01",
	       42);
}

struct port *host_open(const char *type, const char *name, unsigned n_rxqs)
{
	struct port_config config = {
		.name = name, .type = type, .n_threads = 2, .n_rxqs = n_rxqs
	};
	struct port *port;
	char *error = NULL;

	if (port_open(&config, &port, &error))
		fail_msg("%s", error);
	return port;
}

unsigned host_port_receive(struct port *port, struct packet *packets,
			   unsigned max)
{
	struct pollfd fds[PORT_THREADS_MAX];

	for (;;) {
		for (unsigned i = 0; i < port->n_rxqs; i++) {
			struct port_rxq *rxq = port->rxqs[i];
			unsigned n = port->class->receive(rxq, packets, max, 0);

			if (n)
				return n;
			if (port->class->arm)
				port->class->arm(rxq);
			fds[i] = (struct pollfd){ rxq->fd, POLLIN, 0 };
		}
		if (poll(fds, port->n_rxqs, WAIT_MS) <= 0)
			return 0;
	}
}

uint64_t host_drops(struct port *port, enum drop_reason reason)
{
	struct port_counters c;

	port_get_counters(port, &c);
	return c.drops[reason];
}
