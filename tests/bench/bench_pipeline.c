/*
 * Bursts of 64-byte frames through the pipeline over null ports, for counting
 * instructions (tests/bench/instructions runs it under callgrind) and for a
 * first look at speed.
 *
 *	bench_pipeline CASE BURSTS [BURST_SIZE]
 *
 * prints the packets forwarded and, as a rough guide, the time for each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "forward/pipeline.h"
#include "port/null.h"

#define STATIONS  64
#define FRAME_LEN 64
#define PORTS	  4
#define BURST	  32

struct bench {
	struct fwd_snapshot *snapshot;
	struct fwd_bridge *bridge;
	struct port *port[PORTS];
	struct fwd_port *fwd[PORTS];
	uint8_t frames[STATIONS][FRAME_LEN];
	struct iovec replay[STATIONS];
};

struct bench_case {
	const char *name, *what;
	struct vlan_config in, out;
	uint16_t tag;	  /* of the frames; 0: none */
	unsigned outputs; /* ports that the receivers are spread over */
	bool known;	  /* the receivers have been learned */
};

static const struct bench_case cases[] = {
	{ "unicast",
	  "access to access, learned addresses, one output",
	  { .mode = VLAN_ACCESS, .tag = 10 },
	  { .mode = VLAN_ACCESS, .tag = 10 },
	  0,
	  1,
	  true },
	{ "trunk",
	  "trunk to trunk, learned addresses, one output",
	  { .mode = VLAN_TRUNK },
	  { .mode = VLAN_TRUNK },
	  10,
	  1,
	  true },
	{ "retag",
	  "trunk to access: the tag is taken off",
	  { .mode = VLAN_TRUNK },
	  { .mode = VLAN_ACCESS, .tag = 10 },
	  10,
	  1,
	  true },
	{ "spread",
	  "access to access, receivers on three outputs",
	  { .mode = VLAN_ACCESS, .tag = 10 },
	  { .mode = VLAN_ACCESS, .tag = 10 },
	  0,
	  3,
	  true },
	{ "flood",
	  "access to three access ports, unknown receivers",
	  { .mode = VLAN_ACCESS, .tag = 10 },
	  { .mode = VLAN_ACCESS, .tag = 10 },
	  0,
	  3,
	  false },
};

static const struct bench_case *find_case(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (!strcmp(cases[i].name, name))
			return &cases[i];
	fprintf(stderr, "bench_pipeline: no case \"%s\"; cases are:\n", name);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		fprintf(stderr, "  %-8s %s\n", cases[i].name, cases[i].what);
	exit(1);
}

static void open_ports(struct bench *b, const struct bench_case *c)
{
	for (unsigned i = 0; i < PORTS; i++) {
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
		b->fwd[i] = fwd_bridge_add_port(b->bridge, b->port[i], i + 1,
						i ? &c->out : &c->in);
	}
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
		store_be16(f + 12, c->tag ? ETH_TYPE_VLAN : 0x0800);
		store_be16(f + 14, c->tag);
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

	for (unsigned i = 0; i < PORTS; i++) {
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
	for (unsigned i = 0; i < PORTS; i++)
		port_close(b->port[i]);
	free(b);
	return 0;
}
