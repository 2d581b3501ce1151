/*
 * What datagrams cost by two ports of type "vxlan-udp" over the loopback
 * device, with nothing else: one thread sends a burst and receives what came.
 *
 *	bench_vxlan_udp [-t SECONDS] [-b BURST] [-l BYTES] [-g SIZE] [-f FLOWS]
 *			[-6] [-c]
 *
 * BYTES of payload; SIZE: packets are trains, of datagrams of that size; FLOWS
 * that the packets of a burst alternate between; -c: UDP checksums. Prints
 * datagrams and bits a second, processor time a datagram, and how long sending
 *was of that.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "port/port.h"

#define TO_PORT 47890

static unsigned version = 4, burst = 64, flows = 1;
static uint32_t len = 114, gso_size; /* a frame of 106 bytes: 64 of IP more */
static const char *csum = "false";

static double seconds_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static struct port *open_port(const char *local, const char *dst_port)
{
	const struct port_option options[] = { { "local_ip", local },
					       { "dst_port", dst_port },
					       { "csum", csum } };
	const struct port_config config = { .name = "bench",
					    .type = "vxlan-udp",
					    .options = options,
					    .n_options = ARRAY_SIZE(options),
					    .n_threads = 2,
					    .n_rxqs = 1 };
	char *error = NULL;
	struct port *port;

	if (port_open(&config, &port, &error)) {
		fprintf(stderr, "%s\n", error);
		exit(1);
	}
	return port;
}

static void make(struct packet *p, const uint8_t *payload, unsigned flow)
{
	uint8_t *h = p->room + PACKET_HEADROOM, *ip = h + 14, *udp;

	packet_init(p, payload, len);
	store_be16(ip - 2, version == 4 ? 0x0800 : 0x86dd);
	if (version == 4) {
		ip[0] = 0x45;
		ip[1] = 0;
		ip[8] = 64;
		ip[9] = 17;
		inet_pton(AF_INET, "127.0.0.1", ip + 16);
		udp = ip + 20;
	} else {
		store_be32(ip, 0x60000000);
		ip[6] = 17;
		ip[7] = 64;
		inet_pton(AF_INET6, "::1", ip + 24);
		udp = ip + 40;
	}
	store_be16(udp, 50000 + flow);
	store_be16(udp + 2, TO_PORT);
	/* As the pipeline has it: up to VXLAN's header it is private. */
	memcpy(udp + 8, payload, 8);
	p->header_len = udp + 16 - h;
	p->pulled = 8;
	p->len = udp + 8 - h + len;
	p->offload.gso = gso_size ? PACKET_GSO_UDP : 0;
	p->offload.gso_size = gso_size;
	p->offload.csum_start = udp - h;
	p->offload.csum_offset = 6;
}

static uint64_t receive(struct port *port, uint64_t *bytes, uint64_t *frames)
{
	static struct packet packets[PACKET_BURST_MAX];
	unsigned headers = version == 4 ? 42 : 62, n;
	uint64_t datagrams = 0;

	while ((n = port->class->receive(port->rxqs[0], packets, 64, 0))) {
		for (unsigned i = 0; i < n; i++) {
			uint32_t size = packets[i].offload.gso_size;
			uint32_t got = packets[i].len - headers;

			datagrams += size ? DIV_ROUND_UP(got, size) : 1;
			*bytes += got;
		}
		*frames += n;
		port->class->done(port->rxqs[0]);
	}
	return datagrams;
}

static void run(struct port *rx, struct port *tx, double seconds)
{
	static struct packet packets[PACKET_BURST_MAX];
	static uint8_t payload[65536];
	struct packet *pointers[PACKET_BURST_MAX];
	double cpu, wall = seconds_of(CLOCK_MONOTONIC), send = 0;
	uint64_t datagrams = 0, bytes = 0, frames = 0;

	for (unsigned i = 0; i < burst; i++) {
		make(&packets[i], payload, i % flows);
		pointers[i] = &packets[i];
	}
	cpu = seconds_of(CLOCK_THREAD_CPUTIME_ID);
	while (seconds_of(CLOCK_MONOTONIC) - wall < seconds) {
		double before = seconds_of(CLOCK_MONOTONIC);

		port_send(tx, pointers, burst, 1);
		send += seconds_of(CLOCK_MONOTONIC) - before;
		datagrams += receive(rx, &bytes, &frames);
	}
	wall = seconds_of(CLOCK_MONOTONIC) - wall;
	cpu = seconds_of(CLOCK_THREAD_CPUTIME_ID) - cpu;
	printf("%.3f M datagrams/s, %.2f Gbit/s, %.1f ns each (%.1f to send), "
	       "%.1f datagrams a received frame\n",
	       datagrams / wall / 1e6, bytes * 8 / wall / 1e9,
	       cpu / datagrams * 1e9, send / datagrams * 1e9,
	       (double)datagrams / frames);
}

int main(int argc, char **argv)
{
	double seconds = 2;
	struct port *rx, *tx;
	int option;

	while ((option = getopt(argc, argv, "t:b:l:g:f:6c")) != -1) {
		switch (option) {
		case 't':
			seconds = atof(optarg);
			break;
		case 'b':
			burst = MIN(atoi(optarg), PACKET_BURST_MAX);
			break;
		case 'l':
			len = MIN(atoi(optarg), 65000);
			break;
		case 'g':
			gso_size = atoi(optarg);
			break;
		case 'f':
			flows = MAX(atoi(optarg), 1);
			break;
		case '6':
			version = 6;
			break;
		case 'c':
			csum = "true";
			break;
		default:
			return 2;
		}
	}
	rx = open_port(version == 4 ? "127.0.0.1" : "::1", "47890");
	tx = open_port(version == 4 ? "127.0.0.2" : "::1", "47891");
	run(rx, tx, seconds);
	port_close(rx);
	port_close(tx);
	return 0;
}
