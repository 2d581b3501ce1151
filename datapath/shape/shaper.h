/*
 * A shaper: holds what leaves by a port, and lets it go at a rate.
 *
 * Packets are kept as copies, in queues. A queue has a rate that it gets in any
 * case, one that it does not exceed, and a priority by which it gets what
 * others leave (as Linux's HTB). In each queue flows take turns, and each is
 * kept short by CoDel (RFC 8290, 8289). The whole has an average rate, saves up
 * a burst of it, and spends that at a peak rate.
 *
 *	any thread	shaper_put(), shaper_wake()
 *	its home	everything of shaper_home.h: one worker takes packets
 *			out, when it is time
 *	control		the rest
 *
 * Threads that put do not wait for each other, nor for the home. What is put
 * is charged with its bytes on the wire (wire_bytes.h).
 */
#ifndef SHAPE_SHAPER_H
#define SHAPE_SHAPER_H

#include "packet/packet.h"

#define SHAPER_QUEUES_MAX 64
#define SHAPER_DSCP_KEPT  0xff

/* By which field of a packet its queue is chosen. */
enum shaper_select { SHAPER_BY_NOTHING, SHAPER_BY_PCP, SHAPER_BY_DSCP };

struct shaper_queue_config {
	uint32_t id;	      /* QoS:queues */
	uint64_t min_bps;     /* 0: nothing is its own */
	uint64_t max_bps;     /* 0: as much as the port */
	uint64_t burst_bytes; /* of both rates; 0: what suits them */
	uint32_t priority;    /* lower ones first */
	uint64_t match;	      /* bit by value of the field: is for this queue */
	uint8_t dscp;	      /* that packets leave with; or SHAPER_DSCP_KEPT */
};

/* The first queue is of all packets that are for no other. */
struct shaper_config {
	uint64_t average_bps; /* 0: no limit */
	uint64_t peak_bps;    /* 0: none */
	uint64_t burst_bytes; /* 0: what suits the average */
	enum shaper_select select;
	unsigned n_queues; /* 1 and more */
	struct shaper_queue_config queues[SHAPER_QUEUES_MAX];
};

struct shaper;

/* Control thread. config: copied; rates to RATE_BPS_MAX. Never NULL. */
struct shaper *shaper_create(const struct shaper_config *config);
/*
 * Control thread, when no snapshot has it: nobody puts and no home serves it.
 * Returns how many packets were left in it. Accepts NULL.
 */
unsigned shaper_destroy(struct shaper *s);
/*
 * Control thread: other settings, in force when the home takes over the next
 * snapshot; what waits then is kept. That is to happen before the next call.
 * False: memory for packets is to be another, so it takes another shaper.
 */
bool shaper_configure(struct shaper *s, const struct shaper_config *config);

/*
 * Any thread. Keeps a copy of a packet in the shape in which it is to leave;
 * it was pulled. A large packet that would keep others waiting is cut into its
 * segments. via, depth: the caller's, given back with the packet. Returns how
 * many frames found no room.
 */
unsigned shaper_put(struct shaper *s, const struct packet *p, uint32_t via,
		    uint8_t depth, uint64_t now_ns);
/* Any thread, after a burst of those: its home is to see them. */
void shaper_wake(struct shaper *s);

/* Of a queue; any thread that sees to it that it stays. */
struct shaper_stats {
	uint32_t id;
	uint64_t packets, bytes; /* that left; bytes on the wire */
	uint64_t codel;		 /* drops */
	uint64_t marked;	 /* CoDel's, of packets that take marks */
	uint64_t full;		 /* drops */
	uint32_t backlog_packets, backlog_bytes;
	uint64_t delay_ns;     /* lately, on average */
	uint64_t delay_max_ns; /* since it was made */
};

/* Control thread. Returns how many queues there are; at most max are filled. */
unsigned shaper_get_stats(const struct shaper *s, struct shaper_stats *stats,
			  unsigned max);
/* Frames that found no room in it at all, and are in no queue's statistics. */
uint64_t shaper_refused(const struct shaper *s);

#endif
