/*
 * Sends 64-byte UDP frames (60 and the FCS) from one device as fast as it can,
 * by a packet socket past the queueing discipline, and prints how many a second
 * they were. What arrived is in the counters of the device at the other end.
 *
 *	bench_blast [-t SECONDS] [-l LENGTH] [-f FLOWS] [-d DESTINATIONS]
 *		    [-s SOURCES] [-r RATE] DEVICE DST_MAC
 *
 * DESTINATIONS are as many addresses from DST_MAC on, at random; SOURCES as
 * many from 02:00:00:00:00:01 on, one after the other; RATE is frames a second.
 */
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

#define BATCH	  64
#define SLOW	  8 /* frames at a time when there is a rate */
#define FRAME_MAX 1514

static uint8_t frames[BATCH][FRAME_MAX];
static struct iovec iov[BATCH];
static struct mmsghdr msgs[BATCH];

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
		sum += load_be16(h + i);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

static uint32_t draw(uint32_t below)
{
	static uint64_t state = 0x9e3779b97f4a7c15;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 32) * below >> 32;
}

/* The address of a station so many behind the first. */
static void set_mac(uint8_t *field, const uint8_t *first, uint32_t behind)
{
	memcpy(field, first, 2);
	store_be32(field + 2, load_be32(first + 2) + behind);
}

static void make_frame(uint8_t *f, unsigned i, unsigned length,
		       const uint8_t *dst)
{
	memcpy(f, dst, 6);
	memcpy(f + 6, "\x02\0\0\0\0\x01", 6);
	store_be16(f + 12, ETH_P_IP);
	f[14] = 0x45;
	store_be16(f + 16, length - 14);
	f[22] = 64;
	f[23] = 17;
	store_be32(f + 26, 0x0a000001);
	store_be32(f + 30, 0x0a000002);
	store_be16(f + 24, ip_checksum(f + 14));
	store_be16(f + 34, 1024 + i);
	store_be16(f + 36, 9);
	store_be16(f + 38, length - 34);
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

static void wait_for(double when)
{
	double rest = when - now_s();

	if (rest > 0)
		usleep(rest * 1e6);
}

int main(int argc, char **argv)
{
	static const uint8_t src[6] = { 2, 0, 0, 0, 0, 1 };
	unsigned length = 60, flows = 1, n_dst = 1, n_src = 1, batch = BATCH;
	double seconds = 2, rate = 0, start, end;
	uint64_t sent = 0;
	unsigned mac[6];
	uint8_t dst[6];
	int option, fd;

	while ((option = getopt(argc, argv, "t:l:f:d:s:r:")) != -1) {
		if (option == 't')
			seconds = atof(optarg);
		else if (option == 'd')
			n_dst = MAX(atoi(optarg), 1);
		else if (option == 's')
			n_src = MAX(atoi(optarg), 1);
		else if (option == 'r')
			rate = atof(optarg);
		else if (option == 'l')
			length = MIN(MAX(atoi(optarg), 60), FRAME_MAX);
		else if (option == 'f')
			flows = MIN(MAX(atoi(optarg), 1), BATCH);
		else
			return 2;
	}
	if (argc - optind != 2 ||
	    sscanf(argv[optind + 1], "%x:%x:%x:%x:%x:%x", &mac[0], &mac[1],
		   &mac[2], &mac[3], &mac[4], &mac[5]) != 6) {
		fprintf(stderr, "usage: bench_blast [-t SECONDS] [-l LENGTH] "
				"[-f FLOWS] [-d DESTINATIONS] [-s SOURCES] "
				"[-r RATE] DEVICE DST_MAC\n");
		return 2;
	}
	for (int i = 0; i < 6; i++)
		dst[i] = mac[i];
	for (unsigned i = 0; i < BATCH; i++) {
		make_frame(frames[i], i % flows, length, dst);
		iov[i] = (struct iovec){ frames[i], length };
		msgs[i].msg_hdr =
			(struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
	}
	fd = open_socket(argv[optind]);
	if (rate > 0)
		batch = SLOW;
	start = now_s();
	do {
		int n;

		for (unsigned i = 0; n_dst > 1 && i < batch; i++)
			set_mac(frames[i], dst, draw(n_dst));
		for (unsigned i = 0; n_src > 1 && i < batch; i++)
			set_mac(frames[i] + 6, src, (sent + i) % n_src);
		n = sendmmsg(fd, msgs, batch, 0);
		sent += n > 0 ? n : 0;
		if (rate > 0)
			wait_for(start + sent / rate);
		end = now_s();
	} while (end - start < seconds);
	printf("%.0f\n", sent / (end - start));
	close(fd);
	return 0;
}
