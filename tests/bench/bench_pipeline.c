/*
 * Bursts of 64-byte frames through the pipeline over null ports, for counting
 * instructions (tests/bench/instructions runs it under callgrind) and for a
 * first look at speed. The cases of bonds have two members, if nothing else is
 * said; what they cost is the difference from "plain..." with the same frames
 *to one port.
 *
 *	bench_pipeline CASE BURSTS [BURST_SIZE]
 *
 * prints the packets forwarded and, as a rough guide, the time for each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bond/bond_table.h"
#include "forward/pipeline.h"
#include "packet/parse.h"
#include "port/null.h"

#define STATIONS  64
#define FRAME_LEN 64
#define PORTS	  4 /* of the bridge, if there is no bond */
#define PORTS_MAX 6
#define BURST	  32
#define MEMBERS	  2

enum frames {
	EMPTY, /* nothing behind the type */
	UDP4,
	UDP6,
	UDP_TCP4, /* by turns */
};

struct bench {
	struct fwd_snapshot *snapshot;
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
		if (i >= (c->bond ? 2 : PORTS))
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

/* Sender s speaks to receiver s; receivers live on ports 1 and up. */
static void make_frames(struct bench *b, const struct bench_case *c)
{
	for (unsigned s = 0; s < STATIONS; s++) {
		uint8_t *f = b->frames[s];
		uint64_t to = 0x02000000b000 + s, from = 0x02000000a000 + s;

		store_be16(f, to >> 32);
		store_be32(f + 2, to);
		store_be16(f + 6, from >> 32);
		store_be32(f + 8, from);
		if (c->tag) {
			store_be16(f + 12, ETH_TYPE_VLAN);
			store_be16(f + 14, c->tag);
		}
		fill_frame(f + (c->tag ? 16 : 12), c, s);
		if (c->known)
			fdb_add_static(b->bridge->fdb, fdb_make_key(to, 10),
				       2 + s % c->outputs);
		b->replay[s] = (struct iovec){ f, FRAME_LEN };
	}
	null_set_replay(b->port[0], b->replay, STATIONS);
}

static void run(struct bench *b, struct pipeline *pipeline, unsigned bursts,
		unsigned size)
{
	struct packet *packets = xcalloc_aligned(size, sizeof(*packets));
	struct port_rxq *rxq = b->port[0]->rxqs[0];
	const struct port_class *class = b->port[0]->class;

	while (bursts--) {
		unsigned n = class->receive(rxq, packets, size, 1);

		pipeline_run(pipeline, b->fwd[0], packets, n);
		class->done(rxq);
	}
	free(packets);
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
	struct fdb_config fdb = { FDB_SIZE_DEFAULT, FDB_AGE_DEFAULT, 1 };
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
	open_ports(b, c);
	make_frames(b, c);
	struct pipeline *pipeline = pipeline_create(1);

	/* The senders are learned before anything is counted. */
	for (unsigned s = 0; s < STATIONS; s++)
		fdb_learn(b->bridge->fdb, fdb_make_key(0x02000000a000 + s, 10),
			  1);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	run(b, pipeline, bursts, size);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	printf("%s: %llu packets in, %llu out, %.1f ns each\n", c->name,
	       (unsigned long long)bursts * size,
	       (unsigned long long)packets_sent(b),
	       ((t1.tv_sec - t0.tv_sec) * 1e9 + (t1.tv_nsec - t0.tv_nsec)) /
		       ((double)bursts * size));

	pipeline_destroy(pipeline);
	fdb_destroy(b->bridge->fdb);
	fwd_snapshot_destroy(b->snapshot);
	for (unsigned i = 0; i < PORTS_MAX; i++)
		port_close(b->port[i]);
	free(b);
	return 0;
}
