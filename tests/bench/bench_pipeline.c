/*
 * Bursts of 64-byte frames through the pipeline over null ports, for counting
 * instructions (tests/bench/instructions runs it under callgrind) and for a
 * first look at speed. The cases of bonds have two members, if nothing else is
 * said; what they cost is the difference from "plain..." with the same frames
 * to one port. Of "nat..." the two bridges are joined by a gateway, and the
 * flows are translated; they are established.
 *
 *	bench_pipeline CASE BURSTS [BURST_SIZE]
 *
 * prints the packets forwarded and, as a rough guide, the time for each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/ticks.h"
#include "bond/bond_table.h"
#include "forward/pipeline.h"
#include "forward/policies.h"
#include "nat/nat.h"
#include "packet/csum.h"
#include "packet/parse.h"
#include "policy/acl.h"
#include "policy/guard.h"
#include "port/null.h"
#include "router/neighbor_table.h"
#include "router/router.h"
#include "shape/policer.h"

#define STATIONS  64
#define FRAME_LEN 64
#define PORTS	  4 /* of the bridge, if there is no bond */
#define PORTS_MAX 6
#define BURST	  32
#define SENDER	  0x02000000a000
#define MEMBERS	  2

enum frames {
	EMPTY, /* nothing behind the type */
	UDP4,
	UDP6,
	UDP_TCP4, /* by turns */
};

/* The segment 10.0.0.0/16, and the outside 198.51.100.0/24. */
#define GATEWAY_INSIDE	0x02000000c000
#define GATEWAY_OUTSIDE 0x02000000c001
#define NEXT_HOP	0x02000000c002
#define INSIDE_IP	0x0a000001
#define OUTSIDE_IP	0xc6336401
#define NEXT_HOP_IP	0xc63364fe
#define REMOTE_IP	0xcb007109

/* Two bridges with a gateway between them. */
struct gateway {
	struct fwd_bridge *outside; /* bench.bridge is the inside */
	struct port *ports[2];	    /* the gateway's */
	struct fwd_port *fwd[2];    /* a machine's, by which packets come */
	struct nat *nat;
	struct neighbor_table *neighbors[2];
	uint16_t mapped[STATIONS]; /* outside ports */
};

struct bench {
	struct fwd_snapshot *snapshot;
	struct gateway gateway;
	struct acl *acl;	 /* or NULL */
	struct policer *policer; /* or NULL */
	struct fwd_bridge *bridge;
	struct port *port[PORTS_MAX];
	struct fwd_port *fwd[PORTS_MAX];
	uint8_t frames[STATIONS][FRAME_LEN];
	struct iovec replay[STATIONS];
};

struct bench_case {
	const char *name, *what;
	struct vlan_config in, out;
	uint16_t tag;	  /* of the frames; 0: none */
	unsigned outputs; /* ports that the receivers are spread over */
	bool known;	  /* the receivers have been learned */
	enum frames frames;
	bool bond; /* the output */
	enum bond_hash hash;
	unsigned members; /* 0: MEMBERS */
	bool nat;	  /* through a gateway, ... */
	bool inbound;	  /* ... from outside */
	bool tcp;
	bool solo;	   /* one sender, ... */
	bool flow;	   /* ... to one receiver */
	bool guard;	   /* MAC and IP of the sender are guarded */
	bool policed;	   /* far below its rate */
	bool marked;	   /* PCP and DSCP */
	unsigned acl;	   /* rules of an access list */
	bool random_flows; /* from and to anywhere within its rules */
};

/* The designated form leaves out what is 0. */
#define ACCESS_10 .mode = VLAN_ACCESS, .tag = 10
#define TRUNK	  .mode = VLAN_TRUNK
#define CASE(NAME, WHAT, IN, OUT, ...)                                         \
	{                                                                      \
		.name = (NAME), .what = (WHAT), .in = { IN }, .out = { OUT },  \
		__VA_ARGS__                                                    \
	}
/* Receivers that are known, on one port. */
#define TO_ONE .outputs = 1, .known = true
/* From access port to access port, and with tag 10 from trunk to trunk. */
#define FLAT(NAME, WHAT, ...)                                                  \
	CASE(NAME, WHAT, ARG(ACCESS_10), ARG(ACCESS_10), TO_ONE, __VA_ARGS__)
#define TAGGED(NAME, WHAT, ...)                                                \
	CASE(NAME, WHAT, TRUNK, TRUNK, TO_ONE, .tag = 10, __VA_ARGS__)
#define ARG(...)   __VA_ARGS__
#define BOND(HASH) .bond = true, .hash = BOND_HASH_##HASH

static const struct bench_case cases[] = {
	FLAT("unicast", "access to access, learned addresses, one output", ),
	TAGGED("trunk", "trunk to trunk, learned addresses, one output", ),
	CASE("retag", "trunk to access: the tag is taken off", TRUNK,
	     ARG(ACCESS_10), TO_ONE, .tag = 10),
	CASE("spread", "access to access, receivers on three outputs",
	     ARG(ACCESS_10), ARG(ACCESS_10), .outputs = 3, .known = true),
	CASE("flood", "access to three access ports, unknown receivers",
	     ARG(ACCESS_10), ARG(ACCESS_10), .outputs = 3),
	FLAT("plain", "IPv4 UDP to one port", .frames = UDP4),
	FLAT("bond-backup", "to the active member of a bond", .frames = UDP4,
	     BOND(NONE)),
	FLAT("bond-port", "to a bond, by port of arrival", .frames = UDP4,
	     BOND(PORT)),
	FLAT("bond-slb", "to a bond, by sender", .frames = UDP4, BOND(SLB)),
	FLAT("bond-ip", "to a bond, by IP addresses", .frames = UDP4, BOND(IP)),
	FLAT("bond-l4", "to a bond, by flow", .frames = UDP4, BOND(L4)),
	FLAT("bond-l4-mixed", "the same, UDP and TCP", .frames = UDP_TCP4,
	     BOND(L4)),
	FLAT("bond-l4-3", "the same, to three members", .frames = UDP4,
	     BOND(L4), .members = 3),
	FLAT("bond-l4-4", "the same, to four members", .frames = UDP4, BOND(L4),
	     .members = 4),
	FLAT("bond-l4-6", "to two members, IPv6 UDP", .frames = UDP6, BOND(L4)),
	TAGGED("plain-tag", "IPv4 UDP to one port", .frames = UDP4),
	TAGGED("bond-slb-tag", "to a bond, by sender and VLAN", .frames = UDP4,
	       BOND(SLB)),
	TAGGED("bond-l4-tag", "to a bond, by flow", .frames = UDP4, BOND(L4)),
	FLAT("solo", "of one station to many", .frames = UDP4, .solo = true),
	FLAT("solo-guard", "the same, its MAC and IP guarded", .frames = UDP4,
	     .solo = true, .guard = true),
	FLAT("solo-flow", "of one station to another", .frames = UDP4,
	     .solo = true, .flow = true),
	FLAT("solo-flow-guard", "the same, its MAC and IP guarded",
	     .frames = UDP4, .solo = true, .flow = true, .guard = true),
	FLAT("solo-6-guard", "of one station to many by IPv6, guarded",
	     .frames = UDP6, .solo = true, .guard = true),
	FLAT("solo-policed", "of one station to many, policed", .frames = UDP4,
	     .solo = true, .policed = true),
	TAGGED("solo-tag-marked", "tagged, PCP and DSCP set", .frames = UDP4,
	       .solo = true, .marked = true),
	TAGGED("solo-tag", "of one station to many, tagged", .frames = UDP4,
	       .solo = true),
	TAGGED("solo-tag-guard", "the same, its MAC and IP guarded",
	       .frames = UDP4, .solo = true, .guard = true),
	FLAT("acl-1", "an access list of one rule", .frames = UDP4, .acl = 1),
	FLAT("acl-1000", "of 1,000 rules", .frames = UDP4, .acl = 1000),
	FLAT("acl-1-random", "one rule, flows at random", .frames = UDP4,
	     .acl = 1, .random_flows = true),
	FLAT("acl-1000-random", "1,000 rules, flows at random", .frames = UDP4,
	     .acl = 1000, .random_flows = true),
	FLAT("acl-1-6", "one rule, IPv6", .frames = UDP6, .acl = 1,
	     .random_flows = true),
	FLAT("acl-1000-6", "1,000 rules, IPv6", .frames = UDP6, .acl = 1000,
	     .random_flows = true),
	CASE("gw-nat-out", "UDP through a gateway with NAT", TRUNK, TRUNK,
	     .nat = true),
	CASE("gw-nat-in", "the answers", TRUNK, TRUNK, .nat = true,
	     .inbound = true),
	CASE("gw-nat-tcp-out", "TCP through a gateway with NAT", TRUNK, TRUNK,
	     .nat = true, .tcp = true),
	CASE("gw-nat-tcp-in", "the answers", TRUNK, TRUNK, .nat = true,
	     .inbound = true, .tcp = true),
};

static const struct bench_case *find_case(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (!strcmp(cases[i].name, name))
			return &cases[i];
	fprintf(stderr, "bench_pipeline: no case \"%s\"; cases are:\n", name);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		fprintf(stderr, "  %-14s %s\n", cases[i].name, cases[i].what);
	exit(1);
}

/* Ports 2 and up become members of the bond that port 1 is. */
static void make_bond(struct bench *b, const struct bench_case *c)
{
	static struct bond_load load, *loads[2] = { NULL, &load };
	struct bond_table *table = xcalloc(1, sizeof(*table));
	unsigned members = c->members ? c->members : MEMBERS;

	table->hash = c->hash;
	for (unsigned i = 0; i < BOND_BUCKETS; i++)
		table->member[i] = i % members;
	bond_table_finish(table);
	table->loads = loads;
	table->n_loads = 2;
	fwd_port_make_bond(b->fwd[1], table);
	for (unsigned i = 0; i < members; i++)
		fwd_bond_add_member(b->fwd[1], b->port[2 + i], 0);
}

static void open_ports(struct bench *b, const struct bench_case *c)
{
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		char name[8];
		struct port_config config = { .name = name,
					      .type = "null",
					      .n_threads = 2,
					      .n_rxqs = 1 };
		char *error = NULL;

		snprintf(name, sizeof(name), "null%u", i);
		if (port_open(&config, &b->port[i], &error)) {
			fprintf(stderr, "bench_pipeline: %s\n", error);
			exit(1);
		}
		if (i >= (c->nat ? 1 : c->bond ? 2 : PORTS))
			continue;
		b->fwd[i] = fwd_bridge_add_port(b->bridge, b->port[i], i + 1,
						i ? &c->out : &c->in);
	}
	if (c->bond)
		make_bond(b, c);
}

/* What follows the addresses and the tag; each sender is a flow. */
static void fill_frame(uint8_t *at, const struct bench_case *c, unsigned s)
{
	uint8_t proto = c->frames == UDP_TCP4 && s % 2 ? 6 : 17;

	store_be16(at, c->frames == UDP6 ? ETH_TYPE_IPV6 : ETH_TYPE_IPV4);
	at += 2;
	if (c->frames == EMPTY)
		return;
	if (c->frames == UDP6) {
		store_be16(at, 0x6000);
		store_be16(at + 4, 10);
		store_be16(at + 6, proto << 8 | 64);
		store_be16(at + 8, 0xfd00);
		store_be16(at + 22, s);
		store_be16(at + 24, 0xfd00);
		at += 38;
	} else {
		store_be16(at, 0x4500);
		store_be16(at + 2, 46);
		store_be16(at + 8, 64 << 8 | proto);
		store_be32(at + 12, 0x0a000000 + s);
		store_be32(at + 16, 0x0a000101);
		at += 20;
	}
	store_be16(at, 40000 + s);
	store_be16(at + 2, 53);
}

/* Port 0 is the first sender's. */
static void guard_port(struct bench *b)
{
	uint64_t mac = SENDER;
	struct allowed_ip4 ip4 = { 0x0a000000, UINT32_MAX };
	struct allowed_ip6 ip6 = { .mask = { UINT64_MAX, UINT64_MAX } };
	const struct inspect_rules rules = {
		.allowed = { .guards_macs = true,
			     .guards_ips = true,
			     .n_macs = 1,
			     .macs = &mac,
			     .ips = { 1, 1, &ip4, &ip6 } },
		.dhcp_guard = true,
		.router_guard = true,
	};

	store_be16(ip6.address, 0xfd00);
	fwd_port_ingress(b->fwd[0])->guard = guard_create(&rules, false);
}

static void police_port(struct bench *b)
{
	const struct policer_config config = { .rate_kbps = 1000000000,
					       .burst_kb = 1000000000,
					       .rate_kpps = 1000000,
					       .burst_kpkts = 1000000 };

	b->policer = policer_create(&config);
	fwd_port_ingress(b->fwd[0])->policer = b->policer;
}

static void mark_port(struct bench *b)
{
	struct fwd_ingress *ingress = fwd_port_ingress(b->fwd[0]);

	ingress->marks = true;
	ingress->mark_pcp = 5;
	ingress->mark_dscp = 46;
}

static uint32_t next_number(void)
{
	static uint32_t x = 1;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x >> 8;
}

/*
 * Rules of networks, protocols and ports, as a company's: each network is in
 * some, each service in many. None is of the sender's flow.
 */
static void make_acl(struct bench *b, const struct bench_case *c)
{
	struct acl_rule *rules = xcalloc(c->acl, sizeof(*rules));
	char text[160];

	for (unsigned i = 0; i < c->acl; i++) {
		char *why;

		if (c->frames == UDP6)
			snprintf(text, sizeof(text),
				 "deny src=fd00:0:%x::/48 dst=fd00:%x::/32 "
				 "proto=%s dport=%u",
				 1 + i % 200, 1 + i / 5 % 50,
				 i % 3 ? "tcp" : "udp", 1000 + i % 20);
		else
			snprintf(text, sizeof(text),
				 "deny src=10.%u.%u.0/24 dst=10.200.%u.0/24 "
				 "proto=%s dport=%u",
				 1 + i / 100, i % 100, i / 5 % 50,
				 i % 3 ? "tcp" : "udp", 1000 + i % 20);
		rules[i].order = i + 1;
		why = acl_rule_parse(&rules[i], text);
		if (why) {
			fprintf(stderr, "bench_pipeline: %s: %s\n", text, why);
			exit(1);
		}
	}
	b->acl = acl_create(rules, c->acl, true, 2, NULL);
	fwd_port_ingress(b->fwd[0])->acl = b->acl;
	free(rules);
}

/* Addresses and a port that rules have, seldom those of one rule. */
static void randomize(uint8_t *ip, const struct bench_case *c)
{
	if (c->frames == UDP6) {
		store_be16(ip + 12, 1 + next_number() % 200);
		store_be16(ip + 26, 1 + next_number() % 50);
		store_be16(ip + 42, 1000 + next_number() % 20);
		return;
	}
	ip[13] = 1 + next_number() % 10;
	ip[14] = next_number() % 100;
	ip[17] = 200;
	ip[18] = next_number() % 50;
	store_be16(ip + 22, 1000 + next_number() % 20);
}

/* Sender s speaks to receiver s; receivers live on ports 1 and up. */
static void make_frames(struct bench *b, const struct bench_case *c)
{
	for (unsigned s = 0; s < STATIONS; s++) {
		uint8_t *f = b->frames[s];
		uint64_t to = 0x02000000b000 + (c->flow ? 0 : s);
		uint64_t from = SENDER + (c->solo ? 0 : s);

		store_be16(f, to >> 32);
		store_be32(f + 2, to);
		store_be16(f + 6, from >> 32);
		store_be32(f + 8, from);
		if (c->tag) {
			store_be16(f + 12, ETH_TYPE_VLAN);
			store_be16(f + 14, c->tag);
		}
		fill_frame(f + (c->tag ? 16 : 12), c, c->solo ? 0 : s);
		if (c->random_flows)
			randomize(f + (c->tag ? 18 : 14), c);
		if (c->known)
			fdb_add_static(b->bridge->fdb, fdb_make_key(to, 10),
				       2 + s % c->outputs);
		b->replay[s] = (struct iovec){ f, FRAME_LEN };
	}
	null_set_replay(b->port[0], b->replay, STATIONS);
}

static void run(struct bench *b, struct pipeline *pipeline, unsigned from,
		unsigned bursts, unsigned size)
{
	struct packet *packets = xcalloc_aligned(size, sizeof(*packets));
	struct port_rxq *rxq = b->port[from]->rxqs[0];
	const struct port_class *class = b->port[from]->class;

	while (bursts--) {
		unsigned n = class->receive(rxq, packets, size, 1);

		pipeline_run(pipeline, b->fwd[from], packets, n);
		class->done(rxq);
	}
	free(packets);
}

/* --- through a gateway ---------------------------------------------------- */

static void put_mac(uint8_t *at, uint64_t mac)
{
	store_be16(at, mac >> 32);
	store_be32(at + 2, mac);
}

static void fill_flow(uint8_t *f, const struct bench_case *c, uint32_t src,
		      uint16_t sport, uint32_t dst, uint16_t dport,
		      uint8_t flags)
{
	unsigned proto = c->tcp ? 6 : 17;

	memset(f + 12, 0, FRAME_LEN - 12);
	store_be16(f + 12, ETH_TYPE_IPV4);
	store_be16(f + 14, 0x4500);
	store_be16(f + 16, FRAME_LEN - 14);
	f[20] = 0x40;
	store_be16(f + 22, 64 << 8 | proto);
	store_be32(f + 26, src);
	store_be32(f + 30, dst);
	csum_ipv4_header(f + 14, 20);
	store_be16(f + 34, sport);
	store_be16(f + 36, dport);
	if (c->tcp)
		store_be16(f + 46, 0x5000 | flags);
	else
		store_be16(f + 38, FRAME_LEN - 34);
	csum_store(f + (c->tcp ? 50 : 40),
		   csum_add(csum_pseudo4(f + 14, proto, FRAME_LEN - 34), f + 34,
			    FRAME_LEN - 34));
}

static void make_flows(struct bench *b, const struct bench_case *c,
		       bool inbound, uint8_t flags)
{
	for (unsigned s = 0; s < STATIONS; s++) {
		uint8_t *f = b->frames[s];

		put_mac(f, inbound ? GATEWAY_OUTSIDE : GATEWAY_INSIDE);
		put_mac(f + 6, inbound ? NEXT_HOP : 0x02000000a000 + s);
		if (inbound)
			fill_flow(f, c, REMOTE_IP, 53, OUTSIDE_IP,
				  b->gateway.mapped[s], flags);
		else
			fill_flow(f, c, INSIDE_IP + 1 + s, 40000 + s, REMOTE_IP,
				  53, flags);
		b->replay[s] = (struct iovec){ f, FRAME_LEN };
	}
	null_set_replay(b->port[inbound], b->replay, STATIONS);
}

static bool note_mapped(struct packet *p, unsigned thread, void *b_)
{
	struct bench *b = b_;
	uint16_t dport = load_be16(p->header + 36);
	static unsigned at;

	if (dport == 53)
		b->gateway.mapped[at++ % STATIONS] = load_be16(p->header + 34);
	return true;
}

static void make_nat(struct gateway *gw)
{
	struct nat_addr outside = { .version = 4, .ip = { 198, 51, 100, 1 } };
	struct nat_options options;
	struct nat_config config;

	nat_config_init(&config);
	config.seed = 1;
	nat_options_init(&options);
	/* Answers alone keep a flow, however long this takes. */
	options.refresh_inbound = true;
	if (nat_create(&config, &gw->nat, NULL) ||
	    nat_set_options(gw->nat, &options, NULL) ||
	    nat_set_outside(gw->nat, &outside, 1, NULL))
		exit(1);
}

static struct router *make_router(struct gateway *gw)
{
	static const struct router_ip4 ip4[] = { { INSIDE_IP, 16 },
						 { OUTSIDE_IP, 24 } };
	struct router_config config = { .way_out = ROUTER_OUTSIDE };
	uint8_t ip[4];

	make_nat(gw);
	config.nat = gw->nat;
	for (unsigned i = 0; i < 2; i++) {
		gw->neighbors[i] = neighbor_table_create(1024, i);
		config.links[i] = (struct router_link){
			.up = true,
			.mac = i ? GATEWAY_OUTSIDE : GATEWAY_INSIDE,
			.mtu = 1500,
			.n_ip4 = 1,
			.ip4 = &ip4[i],
			.gateway4 = i ? NEXT_HOP_IP : 0,
			.neighbors = gw->neighbors[i],
		};
	}
	store_be32(ip, NEXT_HOP_IP);
	neighbor_table_set(gw->neighbors[1], ip, 4, NEXT_HOP);
	for (unsigned s = 0; s < STATIONS; s++) {
		store_be32(ip, INSIDE_IP + 1 + s);
		neighbor_table_set(gw->neighbors[0], ip, 4, 0x02000000a000 + s);
	}
	return router_create(&config);
}

/* Port 0 is inside, and port 1 outside. */
static void open_gateway(struct bench *b)
{
	static const struct vlan_config access = { .mode = VLAN_ACCESS };
	struct port_config config = { .type = "null", .n_threads = 2 };
	struct gateway *gw = &b->gateway;
	struct fdb_config fdb = { .max_entries = FDB_SIZE_DEFAULT,
				  .age_s = FDB_AGE_DEFAULT,
				  .seed = 1 };
	struct fwd_gateway *g;

	gw->outside =
		fwd_snapshot_add_bridge(b->snapshot, "br1", fdb_create(&fdb));
	b->fwd[1] = fwd_bridge_add_port(gw->outside, b->port[1], 1, &access);
	g = fwd_snapshot_add_gateway(b->snapshot, make_router(gw));
	for (unsigned i = 0; i < 2; i++) {
		struct fwd_bridge *br = i ? gw->outside : b->bridge;

		config.name = i ? "out" : "gw";
		if (port_open(&config, &gw->ports[i], NULL))
			exit(1);
		gw->fwd[i] = fwd_bridge_add_port(br, gw->ports[i], 9, &access);
		fwd_port_set_gateway(gw->fwd[i], g, i);
		fdb_add_static(
			br->fdb,
			fdb_make_key(i ? GATEWAY_OUTSIDE : GATEWAY_INSIDE, 0),
			9);
	}
	fdb_learn(gw->outside->fdb, fdb_make_key(NEXT_HOP, 0), 1);
	for (unsigned s = 0; s < STATIONS; s++)
		fdb_learn(b->bridge->fdb, fdb_make_key(0x02000000a000 + s, 0),
			  1);
}

/* Flows are opened, in turn, before anything is measured. */
static void open_flows(struct bench *b, const struct bench_case *c)
{
	struct pipeline *pipeline = pipeline_create(1);

	null_set_sink(b->port[1], note_mapped, b);
	make_flows(b, c, false, 0x02);
	run(b, pipeline, 0, 1, STATIONS);
	if (c->tcp) {
		make_flows(b, c, true, 0x12);
		run(b, pipeline, 1, 1, STATIONS);
	}
	null_set_sink(b->port[1], NULL, NULL);
	make_flows(b, c, c->inbound, 0x10);
	pipeline_destroy(pipeline);
}

static void close_gateway(struct gateway *gw)
{
	for (unsigned i = 0; i < 2; i++) {
		port_close(gw->ports[i]);
		neighbor_table_destroy(gw->neighbors[i]);
	}
	nat_destroy(gw->nat);
}

static uint64_t packets_sent(const struct bench *b)
{
	uint64_t sent = 0;

	for (unsigned i = 0; i < PORTS_MAX; i++) {
		struct port_counters total;

		port_get_counters(b->port[i], &total);
		sent += total.tx_packets;
	}
	return sent;
}

int main(int argc, char *argv[])
{
	struct fdb_config fdb = { .max_entries = FDB_SIZE_DEFAULT,
				  .age_s = FDB_AGE_DEFAULT,
				  .seed = 1 };
	const struct bench_case *c;
	struct timespec t0, t1;
	unsigned bursts, size;
	struct bench *b;

	if (argc < 3) {
		fprintf(stderr, "usage: bench_pipeline CASE BURSTS [SIZE]\n");
		return 1;
	}
	c = find_case(argv[1]);
	bursts = strtoul(argv[2], NULL, 0);
	size = argc > 3 ? strtoul(argv[3], NULL, 0) : BURST;
	size = MIN(MAX(size, 1), PACKET_BURST_MAX);

	b = xcalloc(1, sizeof(*b));
	b->snapshot = fwd_snapshot_create(1);
	b->bridge =
		fwd_snapshot_add_bridge(b->snapshot, "br0", fdb_create(&fdb));
	ticks_init();
	open_ports(b, c);
	if (c->guard)
		guard_port(b);
	if (c->policed)
		police_port(b);
	if (c->marked)
		mark_port(b);
	if (c->acl)
		make_acl(b, c);
	if (c->nat) {
		open_gateway(b);
		open_flows(b, c);
	} else {
		make_frames(b, c);
	}
	struct pipeline *pipeline = pipeline_create(1);

	/* The senders are learned before anything is counted. */
	for (unsigned s = 0; s < STATIONS; s++)
		fdb_learn(b->bridge->fdb, fdb_make_key(0x02000000a000 + s, 10),
			  1);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	run(b, pipeline, c->inbound, bursts, size);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	printf("%s: %llu packets in, %llu out, %.1f ns each\n", c->name,
	       (unsigned long long)bursts * size,
	       (unsigned long long)packets_sent(b),
	       ((t1.tv_sec - t0.tv_sec) * 1e9 + (t1.tv_nsec - t0.tv_nsec)) /
		       ((double)bursts * size));

	pipeline_destroy(pipeline);
	fdb_destroy(b->bridge->fdb);
	if (c->nat)
		fdb_destroy(b->gateway.outside->fdb);
	fwd_snapshot_destroy(b->snapshot);
	acl_destroy(b->acl);
	policer_destroy(b->policer);
	for (unsigned i = 0; i < PORTS_MAX; i++)
		port_close(b->port[i]);
	if (c->nat)
		close_gateway(&b->gateway);
	free(b);
	return 0;
}
