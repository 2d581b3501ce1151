/*
 * Headers of VXLAN around and off a 64-byte frame, alone: what tunnel.h does
 * with a burst, and what vxlan.h does with one packet where it is not plain.
 *
 *	bench_vxlan                  nanoseconds per packet, as a line of JSON
 *	bench_vxlan CASE BURSTS SIZE for callgrind, of tunnel_encap,
 *tunnel_decap, bench_encap or bench_decap: encap4, encap6, decap4, decap6
 *(frames of an access port), shared4 (flooded), flows4 (each
 *	                             frame of another flow), tag-encap4,
 *tag-decap4 (a port of many VLANs); encap4-one and so on
 *
 * encap is the hash of the flow and the headers, decap all checks; checksums
 * as they are by default, zero. Times are medians of windows.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "packet/parse.h"
#include "packet/vlan.h"
#include "tunnel/tunnel.h"

#define BURST	  32
#define FRAME_LEN 64
#define WINDOWS	  15
#define WINDOW_N  20000 /* bursts */

static uint8_t frames[BURST][FRAME_LEN + VLAN_TAG_LEN];
static uint8_t wire[BURST][FRAME_LEN + VXLAN_OUTER_MAX];
static struct packet inner[BURST], outer[BURST];
static struct packet_segment segments[BURST][4];
static struct vxlan_outer headers;
static uint32_t wire_len, frame_len;
static struct packet *list[BURST];
static struct tunnel *tunnel;
static struct tunnel_demux *demux;
static struct tunnel_scratch *scratch;
static bool tagged, is_shared, many_flows;

void bench_encap(unsigned n);
void bench_decap(unsigned n);

static void make_frame(uint8_t *f, unsigned i)
{
	memset(f, 0, FRAME_LEN);
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
	store_be16(f + 34, 1000 + (many_flows ? i : 0));
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

/* As the pipeline hands them in: looked at. */
__attribute__((noinline)) static void look_at(uint8_t *at, size_t stride,
					      uint32_t len, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		packet_init(&outer[i], at + i * stride, len);
		packet_pull_first(&outer[i]);
	}
}

static void burst_encap(unsigned n)
{
	struct tunnel_sent sent;

	look_at(frames[0], sizeof(frames[0]), frame_len, n);
	tunnel_encap(tunnel, 0, list, n, is_shared, scratch, &sent);
	if (sent.n_outer != n)
		abort();
}

static void burst_decap(unsigned n)
{
	struct tunnel_received r;

	for (unsigned i = 0; i < n; i++)
		packet_init(&outer[i], wire[i], wire_len);
	tunnel_decap(demux, list, n, false, scratch, &r);
	if (r.n_runs != 1 || r.runs[0].n != n)
		abort();
}

static void prepare_tunnel(const struct vxlan_outer_config *outer_config)
{
	struct tunnel_remote remote = { .outer = *outer_config,
					.resolved = true };
	struct vtep_map *map = vtep_map_new();
	struct tunnel_config config = { .vni = tagged ? VTEP_NO_VNI : 5,
					.map = map,
					.remotes = &remote,
					.n_remotes = 1,
					.seed = 1 };
	struct tunnel_network network = { .vni = 5, .vid = tagged };
	struct tunnel_peer peer = { .remote = 0 };
	uint8_t local[16] = { 0 };
	struct tunnel_demux_config in = { .ip_version =
						  outer_config->ip_version,
					  .locals = &local,
					  .n_locals = 1,
					  .rules = { .zero_csum6 = true },
					  .networks = &network,
					  .n_networks = 1,
					  .peers = &peer,
					  .n_peers = 1 };

	memcpy(peer.ip, outer_config->src_ip, 16);
	memcpy(local, outer_config->dst_ip, 16);
	if (vtep_map_add(map, 1, 5, NULL) ||
	    tunnel_create(&config, &tunnel, NULL))
		abort();
	demux = tunnel_demux_create(&in);
	scratch = tunnel_scratch_create();
	for (unsigned i = 0; i < BURST; i++)
		list[i] = &outer[i];
	vtep_map_free(map);
}

static void finish_tunnel(void)
{
	tunnel_free(tunnel);
	tunnel_demux_free(demux);
	tunnel_scratch_destroy(scratch);
}

/* Frames with the tag of VLAN 1. */
static void put_tags(void)
{
	for (unsigned i = 0; i < BURST; i++) {
		memmove(frames[i] + 16, frames[i] + 12, FRAME_LEN - 12);
		store_be32(frames[i] + 12, ETH_TYPE_VLAN << 16 | 1);
	}
	frame_len += VLAN_TAG_LEN;
}

static void prepare(int version)
{
	struct vxlan_outer_config config = { .ip_version = version,
					     .dont_fragment = true,
					     .src_ip = { 10, 0, 0, 1 },
					     .dst_ip = { 10, 0, 0, 2 },
					     .ttl = 64 };
	char *error = NULL;

	frame_len = FRAME_LEN;

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
	if (tagged)
		put_tags();
	prepare_tunnel(&config);
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

static const struct {
	const char *name;
	int version;
	bool tagged, shared, flows;
	void (*run)(unsigned n);
} cases[] = {
	{ "encap4", 4, false, false, false, burst_encap },
	{ "encap6", 6, false, false, false, burst_encap },
	{ "shared4", 4, false, true, false, burst_encap },
	{ "flows4", 4, false, false, true, burst_encap },
	{ "tag-encap4", 4, true, false, false, burst_encap },
	{ "decap4", 4, false, false, false, burst_decap },
	{ "decap6", 6, false, false, false, burst_decap },
	{ "tag-decap4", 4, true, false, false, burst_decap },
	{ "encap4-one", 4, false, false, false, bench_encap },
	{ "encap6-one", 6, false, false, false, bench_encap },
	{ "decap4-one", 4, false, false, false, bench_decap },
	{ "decap6-one", 6, false, false, false, bench_decap },
};

static void begin_case(unsigned i)
{
	tagged = cases[i].tagged;
	is_shared = cases[i].shared;
	many_flows = cases[i].flows;
	prepare(cases[i].version);
}

static int run_case(const char *name, unsigned bursts, unsigned size)
{
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		if (!strcmp(cases[i].name, name))
			break;
	if (i == ARRAY_SIZE(cases) || !size || size > BURST) {
		fprintf(stderr, "usage: bench_vxlan [CASE BURSTS SIZE], SIZE "
				"1 to 32\n");
		return 2;
	}
	begin_case(i);
	while (bursts--)
		cases[i].run(size);
	finish_tunnel();
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 3)
		return run_case(argv[1], strtoul(argv[2], NULL, 10),
				strtoul(argv[3], NULL, 10));
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		begin_case(i);
		printf("%c\"%s_ns\":%.1f", i ? ',' : '{', cases[i].name,
		       measure(cases[i].run));
		finish_tunnel();
	}
	printf("}\n");
	return 0;
}
