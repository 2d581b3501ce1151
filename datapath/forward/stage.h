/*
 * What the steps of the pipeline hand to each other: the burst's packets that
 * are still on their way, each with what was decided of it so far. Internal to
 * forward/.
 */
#ifndef FORWARD_STAGE_H
#define FORWARD_STAGE_H

#include "forward/capture.h"
#include "forward/snapshot.h"

/* Bridges that a packet may cross by patch ports. */
#define PATCH_DEPTH_MAX 8

/* A VLAN tag in the header as a number: 0 is none. */
#define TAG(tci) ((uint32_t)(tci) | 0x10000)

struct item {
	struct packet *packet;
	fdb_key src, dst;
	uint32_t tag;  /* that of the bridge's VLAN in the header now: TAG() */
	uint16_t vid;  /* the VLAN it belongs to */
	uint16_t tpid; /* of a tag that will be pushed */
	uint16_t prio; /* PCP and DEI, in their places of a TCI */
	uint16_t next; /* in its output's queue */
	const struct fwd_port *out; /* NULL: flood */
};

/* Packets that wait to leave by one port, a list of items. */
struct out_queue {
	const struct fwd_port *port; /* NULL: unused */
	uint16_t first, last;
};

#define N_OUT_QUEUES 256

/* One bridge's turn; a patch port leads to the next. */
struct stage {
	const struct fwd_port *in;
	unsigned n_items;
	struct item items[PACKET_BURST_MAX];
	struct packet *sending[PACKET_BURST_MAX];
	/* A port's queue is found by its slot; one that is taken is sent first.
	 */
	struct out_queue queues[N_OUT_QUEUES];
	uint8_t busy_queues[N_OUT_QUEUES];
	unsigned n_busy;
};

struct pipeline {
	unsigned thread;
	unsigned depth;
	struct stage *stages[PATCH_DEPTH_MAX];
	/* Views of packets that crossed a patch port, one burst a level. */
	struct packet *crossed[PATCH_DEPTH_MAX];
};

/* The steps, in order; each takes what the one before left in stage->items. */
void ingress_burst(struct pipeline *pl, struct stage *s, struct packet *packets,
		   unsigned n);
void learn_burst(struct stage *s);
void lookup_burst(struct pipeline *pl, struct stage *s);
void output_burst(struct pipeline *pl, struct stage *s);

/* Into the next bridge; packets of `from` that go out by a patch port. */
void pipeline_cross(struct pipeline *pl, const struct fwd_port *out,
		    struct packet *const packets[], unsigned n);

/* The end of a packet at the port it came in by. */
static inline void drop(const struct pipeline *pl, const struct fwd_port *in,
			const struct packet *p, enum drop_reason reason)
{
	port_drop(in->port, pl->thread, reason, 1);
	if (unlikely(in->capture))
		capture_drop(in->capture, p, CAPTURE_IN, reason);
}

#endif
