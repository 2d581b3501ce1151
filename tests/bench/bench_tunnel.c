/*
 * Bursts of 64-byte frames through a VXLAN tunnel over null ports, for counting
 * instructions (tests/bench/instructions runs it under callgrind): the whole
 * way from a machine's port by the overlay's bridge, the headers and the
 * underlay's bridge to a port, and back. Of "udp" the underlay is a port that
 * sends and receives outer frames itself, as sockets do. "plain" has the same
 * frames from port to port of one bridge; what a tunnel costs is the difference
 * from that.
 *
 *	bench_tunnel CASE BURSTS [BURST_SIZE]
 *
 * prints the packets forwarded and, as a rough guide, the time for each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/ticks.h"
#include "forward/pipeline.h"
#include "packet/csum.h"
#include "packet/parse.h"
#include "port/null.h"
#include "tunnel/tunnel.h"

#define STATIONS      64
#define FRAME_LEN     64
#define OUTER_LEN_MAX (FRAME_LEN + VXLAN_OUTER_MAX)
#define BURST	      32
#define VNI	      100
#define VLAN	      10

#define LOCAL_MAC  0x02000000c000ull
#define HOP_MAC	   0x02000000c001ull
#define NEAR(s)	   (0x02000000a000ull + (s)) /* stations here */
#define FAR(s)	   (0x02000000b000ull + (s)) /* behind the remote */
#define REMOTE_NUM 9

struct bench_case {
	const char *name, *what;
	uint8_t version; /* 0: no tunnel */
	bool inbound, udp;
	bool mapped; /* the VNI by VLAN; machines are in access ports */
	bool single; /* all frames for one station, ... */
	bool flow;   /* and of one flow */
};

/* The designated form leaves out what is 0. */
#define CASE(NAME, WHAT, ...)                                                  \
	{                                                                      \
		.name = (NAME), .what = (WHAT), __VA_ARGS__                    \
	}
#define OUT .version = 4
#define IN  .version = 4, .inbound = true

static const struct bench_case cases[] = {
	CASE("plain", "from port to port", ),
	CASE("plain-one", "the same, to one station", .single = true),
	CASE("plain-flow", "one flow", .flow = true),
	CASE("out", "into a tunnel", OUT),
	CASE("out-one", "the same, to one station", OUT, .single = true),
	CASE("out-flow", "one flow", OUT, .flow = true),
	CASE("out-map", "the same, the VNI by VLAN", OUT, .mapped = true),
	CASE("out-6", "the same, IPv6", .version = 6),
	CASE("out-udp", "the same, by a port of its own", OUT, .udp = true),
	CASE("in", "out of a tunnel", IN),
	CASE("in-one", "the same, to one station", IN, .single = true),
	CASE("in-flow", "one flow", IN, .flow = true),
	CASE("in-map", "the same, the VNI by VLAN", IN, .mapped = true),
	CASE("in-6", "the same, IPv6", .version = 6, .inbound = true),
	CASE("in-udp", "the same, by a port of its own", IN, .udp = true),
};

struct bench {
	const struct bench_case *c;
	struct fwd_snapshot *snapshot;
	struct fwd_bridge *overlay, *outer;
	/* a machine's, another's, uplink's, station's, VXLAN, remote's */
	struct port *port[6];
	struct fwd_port *machine, *other, *uplink, *station;
	struct tunnel_scratch *scratch; /* the remote's */
	uint8_t frames[STATIONS][OUTER_LEN_MAX];
	struct iovec replay[STATIONS];
};

static const struct bench_case *find_case(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (!strcmp(cases[i].name, name))
			return &cases[i];
	fprintf(stderr, "bench_tunnel: no case \"%s\"; cases are:\n", name);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		fprintf(stderr, "  %-10s %s\n", cases[i].name, cases[i].what);
	exit(1);
}

static void put_mac(uint8_t *at, uint64_t mac)
{
	store_be16(at, mac >> 32);
	store_be32(at + 2, mac);
}

static void put_ip(uint8_t version, unsigned host, uint8_t ip[16])
{
	memset(ip, 0, 16);
	if (version == 4)
		store_be32(ip, 0xc0000200 | host);
	else
		store_be32(ip, 0xfd000000);
	if (version == 6)
		ip[15] = host;
}

/* From host `from` to host `to` of the underlay. */
static struct tunnel *make_tunnel(const struct bench_case *c, unsigned from,
				  unsigned to)
{
	struct tunnel_remote remote = { .resolved = true, .mtu = 1450 };
	struct tunnel_config config = {
		.vni = c->mapped ? VTEP_NO_VNI : VNI,
		.remotes = &remote,
		.n_remotes = 1,
		.seed = 1,
	};
	struct vtep_map *map = vtep_map_new();
	struct tunnel *tunnel;
	char *error = NULL;

	if (vtep_map_add(map, VLAN, VNI, &error))
		exit(1);
	config.map = map;
	remote.outer = (struct vxlan_outer_config){
		.dst_mac = from == 1 ? HOP_MAC : LOCAL_MAC,
		.src_mac = from == 1 ? LOCAL_MAC : HOP_MAC,
		.ip_version = c->version,
		.dont_fragment = true,
		.ttl = 64,
	};
	put_ip(c->version, from, remote.outer.src_ip);
	put_ip(c->version, to, remote.outer.dst_ip);
	if (tunnel_create(&config, &tunnel, &error)) {
		fprintf(stderr, "bench_tunnel: %s\n", error);
		exit(1);
	}
	vtep_map_free(map);
	return tunnel;
}

static struct tunnel_demux *make_demux(const struct bench_case *c)
{
	struct tunnel_network network = { .vni = VNI,
					  .vid = c->mapped ? VLAN : 0 };
	struct tunnel_peer peer = { 0 };
	uint8_t local[1][16];
	struct tunnel_demux_config config = {
		.ip_version = c->version,
		.locals = (const uint8_t(*)[16])local,
		.n_locals = 1,
		.local_mac = c->udp ? 0 : LOCAL_MAC,
		.rules = { .zero_csum6 = true },
		.vid_beside = true,
		.networks = &network,
		.n_networks = 1,
		.peers = &peer,
		.n_peers = 1,
	};

	put_ip(c->version, 1, local[0]);
	put_ip(c->version, 2, peer.ip);
	return tunnel_demux_create(&config);
}

static void open_ports(struct bench *b)
{
	for (unsigned i = 0; i < ARRAY_SIZE(b->port); i++) {
		char name[8];
		struct port_config config = { .name = name,
					      .type = "null",
					      .n_threads = 2,
					      .n_rxqs = 1 };
		char *error = NULL;

		snprintf(name, sizeof(name), "null%u", i);
		if (port_open(&config, &b->port[i], &error)) {
			fprintf(stderr, "bench_tunnel: %s\n", error);
			exit(1);
		}
	}
}

/* Where stations are: those far away at `far`. */
static void learn_stations(struct bench *b, uint16_t far)
{
	for (unsigned s = 0; s < STATIONS; s++) {
		fdb_add_static(b->overlay->fdb, fdb_make_key(FAR(s), VLAN),
			       far);
		fdb_add_static(b->overlay->fdb, fdb_make_key(NEAR(s), VLAN), 1);
	}
}

static void build(struct bench *b)
{
	static const struct vlan_config access = { .mode = VLAN_ACCESS },
					inside = { .mode = VLAN_ACCESS,
						   .tag = VLAN },
					trunk = { .mode = VLAN_TRUNK };
	struct fdb_config fdb = { .max_entries = FDB_SIZE_DEFAULT,
				  .age_s = FDB_AGE_DEFAULT,
				  .seed = 1 };
	const struct bench_case *c = b->c;
	struct fwd_snapshot *s = fwd_snapshot_create(1);
	struct fwd_underlay *u;
	struct fwd_tunnel *t;
	struct fwd_port *vx;

	b->snapshot = s;
	b->overlay = fwd_snapshot_add_bridge(s, "br0", fdb_create(&fdb));
	b->outer = fwd_snapshot_add_bridge(s, "br1", fdb_create(&fdb));
	b->machine = fwd_bridge_add_port(b->overlay, b->port[0], 1, &inside);
	b->other = fwd_bridge_add_port(b->overlay, b->port[1], 2, &inside);
	b->uplink = fwd_bridge_add_port(b->outer, b->port[2], 1, &access);
	b->station = fwd_bridge_add_port(b->outer, b->port[3], 2, &access);
	learn_stations(b, c->version ? REMOTE_NUM : 2);
	if (!c->version)
		return;
	fdb_add_static(b->outer->fdb, fdb_make_key(HOP_MAC, 0), 1);
	fdb_add_static(b->outer->fdb, fdb_make_key(LOCAL_MAC, 0), 2);
	vx = fwd_bridge_add_port(b->overlay, b->port[4], 3,
				 c->mapped ? &trunk : &inside);
	u = fwd_snapshot_add_underlay(s, b->station, make_demux(c), !c->udp);
	t = fwd_port_make_tunnel(s, vx, u, make_tunnel(c, 1, 2), 1, false);
	t->split_horizon = true;
	fwd_tunnel_add_remote(t, 0, b->port[5], REMOTE_NUM);
}

/* An UDP packet of a flow of its own. */
static void fill_frame(uint8_t *f, uint64_t dst, uint64_t src, unsigned s)
{
	memset(f, 0, FRAME_LEN);
	put_mac(f, dst);
	put_mac(f + 6, src);
	store_be16(f + 12, ETH_TYPE_IPV4);
	store_be16(f + 14, 0x4500);
	store_be16(f + 16, FRAME_LEN - 14);
	store_be16(f + 22, 64 << 8 | 17);
	store_be32(f + 26, 0x0a000000 + s);
	store_be32(f + 30, 0x0a000101);
	csum_ipv4_header(f + 14, 20);
	store_be16(f + 34, 40000 + s);
	store_be16(f + 36, 53);
	store_be16(f + 38, FRAME_LEN - 34);
}

/* As the remote VTEP sends it; returns its length. */
static uint32_t wrap(struct tunnel *remote, bool mapped,
		     struct tunnel_scratch *scratch, uint8_t *f)
{
	struct packet p, *list[] = { &p };
	uint8_t inner[FRAME_LEN];
	struct tunnel_sent sent;

	memcpy(inner, f, FRAME_LEN);
	packet_init(&p, inner, FRAME_LEN);
	packet_pull_first(&p);
	if (mapped && !packet_vlan_push(&p, ETH_TYPE_VLAN, VLAN))
		exit(1);
	tunnel_encap(remote, 0, list, 1, false, scratch, &sent);
	if (sent.n_outer != 1)
		exit(1);
	return packet_read(sent.outer[0], 0, f, OUTER_LEN_MAX);
}

static void make_frames(struct bench *b)
{
	const struct bench_case *c = b->c;
	struct tunnel *remote = c->inbound ? make_tunnel(c, 2, 1) : NULL;

	for (unsigned i = 0; i < STATIONS; i++) {
		unsigned s = c->flow ? 0 : i, d = c->single ? 0 : s;
		uint32_t len = FRAME_LEN;

		fill_frame(b->frames[i], c->inbound ? NEAR(d) : FAR(d),
			   c->inbound ? FAR(s) : NEAR(s), s);
		if (c->inbound)
			len = wrap(remote, c->mapped, b->scratch, b->frames[i]);
		b->replay[i] = (struct iovec){ b->frames[i], len };
	}
	tunnel_free(remote);
}

static void run(struct bench *b, unsigned bursts, unsigned size)
{
	const struct fwd_port *in = !b->c->inbound ? b->machine
				    : b->c->udp	   ? b->station
						   : b->uplink;
	struct packet *packets = xcalloc_aligned(size, sizeof(*packets));
	struct pipeline *pipeline = pipeline_create(1);
	struct port_rxq *rxq = in->port->rxqs[0];

	null_set_replay(in->port, b->replay, STATIONS);
	while (bursts--) {
		unsigned n = in->port->class->receive(rxq, packets, size, 1);

		pipeline_run(pipeline, in, packets, n);
		in->port->class->done(rxq);
	}
	pipeline_destroy(pipeline);
	free(packets);
}

static uint64_t packets_out(const struct bench *b)
{
	const struct fwd_port *out = b->c->inbound    ? b->machine
				     : !b->c->version ? b->other
				     : b->c->udp      ? b->station
						      : b->uplink;
	struct port_counters total;

	port_get_counters(out->port, &total);
	return total.tx_packets;
}

int main(int argc, char *argv[])
{
	unsigned bursts, size = BURST;
	struct timespec t0, t1;
	struct bench *b;

	if (argc < 3) {
		fprintf(stderr, "usage: bench_tunnel CASE BURSTS [SIZE]\n");
		return 1;
	}
	b = xcalloc(1, sizeof(*b));
	b->c = find_case(argv[1]);
	bursts = strtoul(argv[2], NULL, 0);
	if (argc > 3)
		size = MIN(MAX(strtoul(argv[3], NULL, 0), 1), PACKET_BURST_MAX);
	ticks_init();
	b->scratch = tunnel_scratch_create();
	open_ports(b);
	build(b);
	make_frames(b);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	run(b, bursts, size);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	printf("%s: %llu packets in, %llu out, %.1f ns each\n", b->c->name,
	       (unsigned long long)bursts * size,
	       (unsigned long long)packets_out(b),
	       ((t1.tv_sec - t0.tv_sec) * 1e9 + (t1.tv_nsec - t0.tv_nsec)) /
		       ((double)bursts * size));
	fdb_destroy(b->overlay->fdb);
	fdb_destroy(b->outer->fdb);
	fwd_snapshot_destroy(b->snapshot);
	for (unsigned i = 0; i < ARRAY_SIZE(b->port); i++)
		port_close(b->port[i]);
	tunnel_scratch_destroy(b->scratch);
	free(b);
	return 0;
}
