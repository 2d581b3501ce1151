/*
 * Headers of VXLAN around and off frames, alone: what tunnel.h does with a
 * burst, and what vxlan.h does with one packet where it is not plain.
 *
 *	bench_vxlan                  nanoseconds per packet, as a line of JSON
 *	bench_vxlan CASE BURSTS SIZE for callgrind
 *
 * Cases, of 64-byte frames by tunnel_encap() and tunnel_decap(): encap4,
 * encap6, decap4, decap6; shared4 (flooded), flows4 (each of another flow),
 * tag-encap4 and tag-decap4 (a port of many VLANs). By vxlan.h, in
 *bench_encap() and bench_decap(): encap4-one and so on. tso4, train4: 40 TCP
 *segments at once.
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

/* A large TCP frame, and the train that it becomes. */
#define LARGE_MSS 1400u
#define LARGE_N	  40u
#define LARGE_LEN (54 + LARGE_N * LARGE_MSS)
static uint8_t large[LARGE_LEN], train[PACKET_LEN_MAX];
static struct packet_offload train_offload;
static uint32_t train_len;

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

/* As the pipeline hands them in. */
static void look_at(uint8_t *at, size_t stride, uint32_t len, unsigned n)
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

static struct tunnel_sent send_large(void)
{
	static struct packet p;
	static struct packet *one[1] = { &p };
	struct tunnel_sent sent;

	packet_init(&p, large, sizeof(large));
	packet_pull(&p, PACKET_PULL_MAX);
	p.offload = (struct packet_offload){ .csum_needed = true,
					     .gso = PACKET_GSO_TCP4,
					     .gso_size = LARGE_MSS,
					     .csum_start = 34,
					     .csum_offset = 16 };
	tunnel_encap(tunnel, 0, one, 1, false, scratch, &sent);
	if (sent.n_outer != 1)
		abort();
	return sent;
}

static void large_encap(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		send_large();
}

static void large_decap(unsigned n)
{
	static struct packet p;
	static struct packet *one[1] = { &p };
	struct tunnel_received r;

	for (unsigned i = 0; i < n; i++) {
		packet_init(&p, train, train_len);
		p.offload = train_offload;
		tunnel_decap(demux, one, 1, false, scratch, &r);
		if (r.n_runs != 1 || r.runs[0].n != 1)
			abort();
	}
}

static void prepare_large(void)
{
	struct tunnel_sent sent;

	memcpy(large, frames[0], 34);
	store_be16(large + 16, LARGE_LEN - 14);
	large[20] = 0x40;
	large[23] = IPPROTO_TCP;
	csum_ipv4_header(large + 14, 20);
	large[34 + 12] = 0x50;
	large[34 + 13] = 0x10;
	sent = send_large();
	train_len = packet_read(sent.outer[0], 0, train, sizeof(train));
	train_offload = sent.outer[0]->offload;
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
	if (!tagged && version == 4)
		prepare_large();
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

static double measure(void (*run)(unsigned n), unsigned bursts, unsigned size)
{
	double ns[WINDOWS];

	for (unsigned w = 0; w < WINDOWS; w++) {
		double start = now_ns();

		for (unsigned i = 0; i < bursts; i++)
			run(size);
		ns[w] = (now_ns() - start) / bursts / size;
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
	{ "tso4", 4, false, false, false, large_encap },
	{ "train4", 4, false, false, false, large_decap },
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
		bool is_large = cases[i].run == large_encap ||
				cases[i].run == large_decap;

		begin_case(i);
		printf("%c\"%s_ns\":%.1f", i ? ',' : '{', cases[i].name,
		       is_large ? measure(cases[i].run, WINDOW_N / 40, 1)
				: measure(cases[i].run, WINDOW_N, BURST));
		finish_tunnel();
	}
	printf("}\n");
	return 0;
}
