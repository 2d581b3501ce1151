/*
 * Sends 64-byte UDP frames (60 and the FCS) of many flows, one frame a flow in
 * turn, from one device as fast as it can. What arrived is in the counters of
 * the device at the other end.
 *
 *	bench_flows [-t SECONDS | -p PASSES] [-n FLOWS] DEVICE DST_MAC SRC DST
 *
 * Flow i comes from port 1024 + i % 256 of address SRC + i / 256 % 64, and goes
 * to port 10000 + i / 16384 of DST. SECONDS go over all flows again and again,
 * PASSES so many times. Prints how many frames a second it sent.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "packet/packet.h"

#define BATCH	   64
#define FRAME_LEN  60
#define FLOW_PORTS 256
#define FLOW_HOSTS 64

struct blast {
	int fd;
	unsigned n_flows, next;
	uint32_t src, dst;
	uint64_t sent;
	uint8_t frames[BATCH][FRAME_LEN];
	struct iovec iov[BATCH];
	struct mmsghdr msgs[BATCH];
};

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static uint16_t ip_checksum(const uint8_t *h)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < 20; i += 2)
		if (i != 10)
			sum += load_be16(h + i);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

static void make_frames(struct blast *b, const uint8_t *dst_mac)
{
	for (unsigned i = 0; i < BATCH; i++) {
		uint8_t *f = b->frames[i];

		memcpy(f, dst_mac, 6);
		memcpy(f + 6, "\x02\0\0\0\0\x01", 6);
		store_be16(f + 12, ETH_P_IP);
		f[14] = 0x45;
		store_be16(f + 16, FRAME_LEN - 14);
		f[22] = 64;
		f[23] = 17;
		store_be32(f + 30, b->dst);
		store_be16(f + 38, FRAME_LEN - 34);
		b->iov[i] = (struct iovec){ f, FRAME_LEN };
		b->msgs[i].msg_hdr = (struct msghdr){ .msg_iov = &b->iov[i],
						      .msg_iovlen = 1 };
	}
}

static void set_flow(const struct blast *b, uint8_t *f, unsigned flow)
{
	store_be32(f + 26, b->src + flow / FLOW_PORTS % FLOW_HOSTS);
	store_be16(f + 24, ip_checksum(f + 14));
	store_be16(f + 34, 1024 + flow % FLOW_PORTS);
	store_be16(f + 36, 10000 + flow / (FLOW_PORTS * FLOW_HOSTS));
}

/* Up to BATCH frames, not beyond the last flow. */
static void send_batch(struct blast *b)
{
	unsigned n = MIN(BATCH, b->n_flows - b->next);
	int sent;

	for (unsigned i = 0; i < n; i++)
		set_flow(b, b->frames[i], b->next + i);
	sent = sendmmsg(b->fd, b->msgs, n, 0);
	if (sent <= 0)
		return;
	b->sent += sent;
	b->next += sent;
	if (b->next == b->n_flows)
		b->next = 0;
}

static int open_socket(const char *device)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET };
	int fd = socket(AF_PACKET, SOCK_RAW, 0), one = 1;

	address.sll_ifindex = if_nametoindex(device);
	if (fd < 0 || !address.sll_ifindex ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one,
		       sizeof(one))) {
		fprintf(stderr, "%s: %s\n", device, strerror(errno));
		exit(1);
	}
	return fd;
}

static int usage(void)
{
	fprintf(stderr, "usage: bench_flows [-t SECONDS | -p PASSES] "
			"[-n FLOWS] DEVICE DST_MAC SRC DST\n");
	return 2;
}

int main(int argc, char **argv)
{
	static struct blast b = { .n_flows = 1 };
	double seconds = 2, start, end;
	uint64_t most = UINT64_MAX;
	unsigned mac[6];
	uint8_t dst_mac[6];
	struct in_addr src, dst;
	int option;

	while ((option = getopt(argc, argv, "t:p:n:")) != -1) {
		if (option == 't')
			seconds = atof(optarg);
		else if (option == 'p')
			most = strtoull(optarg, NULL, 10);
		else if (option == 'n')
			b.n_flows = MAX(atoi(optarg), 1);
		else
			return usage();
	}
	if (argc - optind != 4 ||
	    sscanf(argv[optind + 1], "%x:%x:%x:%x:%x:%x", &mac[0], &mac[1],
		   &mac[2], &mac[3], &mac[4], &mac[5]) != 6 ||
	    inet_pton(AF_INET, argv[optind + 2], &src) != 1 ||
	    inet_pton(AF_INET, argv[optind + 3], &dst) != 1)
		return usage();
	for (int i = 0; i < 6; i++)
		dst_mac[i] = mac[i];
	b.src = ntohl(src.s_addr);
	b.dst = ntohl(dst.s_addr);
	if (most != UINT64_MAX) {
		most *= b.n_flows;
		seconds = 3600;
	}
	make_frames(&b, dst_mac);
	b.fd = open_socket(argv[optind]);
	start = now_s();
	do {
		send_batch(&b);
		end = now_s();
	} while (end - start < seconds && b.sent < most);
	printf("%.0f\n", b.sent / (end - start));
	close(b.fd);
	return 0;
}
