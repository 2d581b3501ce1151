/* What the files of the shaper share. */
#ifndef SHAPE_SHAPER_INTERNAL_H
#define SHAPE_SHAPER_INTERNAL_H

#include <stdatomic.h>

#include "base/mpsc_ring.h"
#include "shape/buffers.h"
#include "shape/codel.h"
#include "shape/rate.h"
#include "shape/shaper_home.h"

/* RFC 8290 5.2.2: fewer than Linux has by default, as there are many queues. */
#define FLOWS	  256
#define FLOW_NONE UINT16_MAX

/* Packets of one hash; in a list of flows when there are any. */
struct flow {
	uint32_t first, last; /* packets; BUFFER_NONE */
	uint32_t backlog;     /* bytes on the wire */
	int32_t deficit;
	uint16_t next; /* flow of its list */
	bool listed;
	struct codel codel;
};

struct flow_list {
	uint16_t first, last;
};

/* Written by the home, read by the control thread; relaxed. */
struct queue_counters {
	_Atomic uint64_t packets, bytes, codel, marked, full;
	_Atomic uint64_t delay_ns, delay_max_ns;
	_Atomic uint32_t backlog_packets, backlog_bytes;
};

struct shaper_queue {
	struct shaper_queue_config config;
	struct rate min, max;
	struct codel_params codel;
	uint64_t turn; /* what it has had, by weight; the least is next */
	uint64_t weight;
	struct flow_list fresh, old; /* RFC 8290 4.2 */
	struct queue_counters counters;
	struct flow flows[FLOWS];
};

/* One set of settings, and the queues that it makes. Its home's. */
struct shaper_tree {
	struct shaper_config config;
	struct rate average, peak;
	uint32_t limit; /* buffers in use */
	uint64_t busy;	/* bit a queue that has packets */
	/* What has held packets since it was looked at last: a bit a queue's
	 * maximum, and the port. */
	uint64_t held;
	bool port_held;
	uint8_t by_field[64]; /* queue by PCP or DSCP */
	uint64_t patience_ns; /* how late the home may be for its own good */
	struct shaper_queue *queues; /* config.n_queues */
};

struct shaper {
	struct buffers *buffers;
	uint32_t n_buffers;
	struct mpsc_ring *arrivals; /* first buffers of packets */
	uint64_t seed;
	_Atomic uint32_t cut_bytes; /* larger packets are cut; 0: none */
	_Atomic uint64_t refused;
	struct shaper_home *home;
	uint32_t slot;		    /* there */
	struct shaper_tree *wanted; /* in force with the next snapshot */
	struct shaper_tree *former; /* until then, perhaps */
	struct shaper_tree *tree CACHE_ALIGNED; /* the home's */
};

/* shaper_tree.c */
struct shaper_tree *shaper_tree_create(const struct shaper_config *config,
				       uint32_t n_buffers);
void shaper_tree_free(struct shaper_tree *t); /* accepts NULL */
uint32_t shaper_buffers_for(const struct shaper_config *config);
uint32_t shaper_cut_bytes(const struct shaper_config *config);
/* Home: takes over wanted settings, with what waits. */
void shaper_renew(struct shaper *s);
/* Home: from the ring into queues. Returns how many found no room there. */
unsigned shaper_arrive(struct shaper *s);
/*
 * Home: fills the batch with what may leave now; its buffers are to be freed
 * by shaper_batch_free(). Returns when there is more, UINT64_MAX: not before
 * something arrives.
 */
uint64_t shaper_leave(struct shaper *s, struct shaper_batch *batch,
		      uint64_t now_ns);
/* The same of everything, in no time, as dropped; false: that was all. */
bool shaper_empty(struct shaper *s, struct shaper_batch *batch);
void shaper_batch_free(struct shaper *s, struct shaper_batch *batch);
/* shaper_home.c: control thread; the home forgets the shaper. */
void shaper_home_release(struct shaper_home *h, struct shaper *s);

/* shaper_queue.c: the flows of one queue. */
void shaper_queue_init(struct shaper_queue *q,
		       const struct shaper_queue_config *config,
		       uint64_t port_bps);
void shaper_queue_put(struct shaper_queue *q, struct shaper *s, uint32_t first);
/*
 * The next packet; BUFFER_NONE: none. *dropped: it is CoDel's. *marked: it is
 * to leave with a mark.
 */
uint32_t shaper_queue_take(struct shaper_queue *q, struct shaper *s,
			   uint64_t now_ns, bool *dropped, bool *marked);
/* Frees packets of the flow that has most; returns how many. */
unsigned shaper_queue_shed(struct shaper_queue *q, struct shaper *s);
/* The first packet of any flow, without more ado. */
uint32_t shaper_queue_pop(struct shaper_queue *q, struct shaper *s);

static inline bool shaper_queue_is_empty(const struct shaper_queue *q)
{
	return q->fresh.first == FLOW_NONE && q->old.first == FLOW_NONE;
}

static inline void queue_count(_Atomic uint64_t *c, uint64_t n)
{
	atomic_store_explicit(c,
			      atomic_load_explicit(c, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

#endif
