/*
 * Headers of VXLAN around and off a 64-byte frame, alone.
 *
 *	bench_vxlan                  nanoseconds per packet, as a line of JSON
 *	bench_vxlan CASE BURSTS SIZE for callgrind, of bench_encap or
 *bench_decap: encap4, encap6, decap4 or decap6
 *
 * encap is the hash of the flow and the headers, decap all checks; checksums
 * as they are by default, zero. Times are medians of windows.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "packet/parse.h"
#include "tunnel/vxlan.h"

#define BURST	  32
#define FRAME_LEN 64
#define WINDOWS	  15
#define WINDOW_N  20000 /* bursts */

static uint8_t frames[BURST][FRAME_LEN];
static uint8_t wire[BURST][FRAME_LEN + VXLAN_OUTER_MAX];
static struct packet inner[BURST], outer[BURST];
static struct packet_segment segments[BURST][4];
static struct vxlan_outer headers;
static uint32_t wire_len;

void bench_encap(unsigned n);
void bench_decap(unsigned n);

static void make_frame(uint8_t *f, unsigned i)
{
	f[5] = 1;
	f[11] = 2;
	store_be16(f + 12, ETH_TYPE_IPV4);
	f[14] = 0x45;
	store_be16(f + 16, FRAME_LEN - 14);
	f[22] = 64;
	f[23] = IPPROTO_UDP;
	store_be32(f + 26, 0x0a000001);
	store_be32(f + 30, 0x0a000002);
	csum_ipv4_header(f + 14, 20);
	store_be16(f + 34, 1000 + i);
	store_be16(f + 36, 53);
	store_be16(f + 38, FRAME_LEN - 34);
}

__attribute__((noinline)) void bench_encap(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct vxlan_room room = { .segments = segments[i], .max = 4 };
		struct vxlan_flow flow;

		packet_init(&inner[i], frames[i], FRAME_LEN);
		vxlan_flow_of(&inner[i], 1, &flow);
		if (vxlan_encap(&headers, &flow, 5, &inner[i], &room,
				&outer[i]))
			abort();
	}
}

__attribute__((noinline)) void bench_decap(unsigned n)
{
	static const struct vxlan_decap_rules rules = { .zero_csum6 = true };

	for (unsigned i = 0; i < n; i++) {
		struct vxlan_room room = { .segments = segments[i], .max = 4 };
		struct vxlan_info info;

		packet_init(&outer[i], wire[i], wire_len);
		if (vxlan_decap(&rules, &outer[i], &room, &inner[i], &info))
			abort();
	}
}

static void prepare(int version)
{
	struct vxlan_outer_config config = { .ip_version = version,
					     .dont_fragment = true,
					     .ttl = 64 };
	char *error = NULL;

	if (vxlan_outer_init(&headers, &config, &error)) {
		fprintf(stderr, "%s\n", error);
		exit(1);
	}
	for (unsigned i = 0; i < BURST; i++)
		make_frame(frames[i], i);
	bench_encap(BURST);
	wire_len = outer[0].len;
	for (unsigned i = 0; i < BURST; i++)
		packet_read(&outer[i], 0, wire[i], wire_len);
}

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double measure(void (*run)(unsigned n))
{
	double ns[WINDOWS];

	for (unsigned w = 0; w < WINDOWS; w++) {
		double start = now_ns();

		for (unsigned i = 0; i < WINDOW_N; i++)
			run(BURST);
		ns[w] = (now_ns() - start) / WINDOW_N / BURST;
	}
	qsort(ns, WINDOWS, sizeof(ns[0]), compare);
	return ns[WINDOWS / 2];
}

static int run_case(const char *name, unsigned bursts, unsigned size)
{
	bool in = !strncmp(name, "decap", 5);

	if ((!in && strncmp(name, "encap", 5)) || !size || size > BURST ||
	    (strcmp(name + 5, "4") && strcmp(name + 5, "6"))) {
		fprintf(stderr, "usage: bench_vxlan [CASE BURSTS SIZE], SIZE "
				"1 to 32\n");
		return 2;
	}
	prepare(name[5] - '0');
	while (bursts--)
		(in ? bench_decap : bench_encap)(size);
	return 0;
}

int main(int argc, char **argv)
{
	double encap[2], decap[2];

	if (argc > 3)
		return run_case(argv[1], strtoul(argv[2], NULL, 10),
				strtoul(argv[3], NULL, 10));
	for (int i = 0; i < 2; i++) {
		prepare(i ? 6 : 4);
		encap[i] = measure(bench_encap);
		decap[i] = measure(bench_decap);
	}
	printf("{\"encap4_ns\":%.1f,\"decap4_ns\":%.1f,\"encap6_ns\":%.1f,"
	       "\"decap6_ns\":%.1f}\n",
	       encap[0], decap[0], encap[1], decap[1]);
	return 0;
}
