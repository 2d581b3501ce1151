/*
 * The generator of the vhost-user benchmark, its parts' common ground. One
 * thread, so nothing here is locked. Ports come in pairs: frames are sent on
 * the first port of a pair and expected on the second.
 */
#ifndef VHOST_GEN_H
#define VHOST_GEN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#define MAX_PAIRS  (RTE_MAX_ETHPORTS / 2)
#define MAX_BURST  256
#define STAMP_UDP  48 /* where the stamp is in a frame of each kind */
#define STAMP_TCP  64
#define FRAME_MIN  64
#define FRAME_MAX  (45 * 1448 + 66) /* TSO: 45 segments of 1,448 bytes */
#define WINDOW_MS  50
#define WAIT_SHARE 0.03 /* a window with more waiting for a core is void */

/* Written into each frame, at STAMP_*, in the machine's byte order. */
struct stamp {
	uint64_t number; /* of the frame in its pair's run, from 0 */
	uint64_t tsc;	 /* when it was given to the driver; 0: not taken */
};

/* The first bytes of a frame between two stations; as long as both copies. */
struct header {
	uint8_t bytes[64];
};

/* What a run does: the words of a command. */
struct job {
	unsigned size;	 /* bytes of a frame, no FCS */
	unsigned macs;	 /* station pairs a port pair */
	unsigned burst;	 /* frames given to the driver at once */
	unsigned pairs;	 /* of ports that take part */
	unsigned n;	 /* windows, or frames of the latency mode */
	unsigned warm;	 /* windows before the first that counts */
	unsigned gap_us; /* latency mode: rest between frames */
	double pps;	 /* paced; 0: as fast as it goes */
	bool touch;	 /* writes header and stamp for each frame */
	bool check;	 /* compares each frame received, all of it */
	bool stamp;	 /* takes the latency of each frame */
	bool tso;	 /* TCP, to be segmented into 1,448 bytes each */
};

/* A pair of ports and the run's state of it. */
struct pair {
	uint16_t tx, rx;
	struct rte_mbuf *pending[MAX_BURST]; /* not accepted yet */
	unsigned head, tail;
	unsigned station; /* of the next frame */
	const struct header *headers;
	uint64_t number;   /* of the next frame */
	uint64_t expected; /* lowest number not seen */
	uint64_t sent, received, bytes;
};

struct gen {
	unsigned n_pairs;
	struct pair pairs[MAX_PAIRS];
	struct rte_mempool *tx_pool;
	struct header *headers; /* of all pairs; NULL: none made */
	uint8_t *payload;	/* what follows the stamp in each frame */
	double tsc_hz;
	uint64_t wrong, reordered, truncated;
};

static inline unsigned stamp_offset(const struct job *job)
{
	return job->tso ? STAMP_TCP : STAMP_UDP;
}

/* --- vhost_gen_frames.c -------------------------------------------------- */

/* Makes the headers and what all frames of the transmit pool have alike. */
void frames_make(struct gen *gen, const struct job *job);

/*
 * Makes the switch learn all destinations behind their sinks, each with one
 * frame. Returns how many frames came through.
 */
uint64_t frames_teach(struct gen *gen, const struct job *job);

/* Counts a frame that is not the one sent, in gen->wrong and the like. */
void frame_check(struct gen *gen, struct pair *pair, const struct job *job,
		 struct rte_mbuf *m);

/* --- vhost_gen_watch.c --------------------------------------------------- */

/* Watches how long threads wait for their cores, by their schedstat files. */
void watch_open(const char *paths);
/* Whether one of them waited for more than WAIT_SHARE of this time. */
bool watch_waited(double seconds);

/* --- vhost_gen_modes.c --------------------------------------------------- */

/* Each prints one line of JSON. */
void mode_throughput(struct gen *gen, const struct job *job);
void mode_latency(struct gen *gen, const struct job *job);

/* Takes all that waits on the ports, until they are quiet for some ms. */
void drain(struct gen *gen, unsigned quiet_ms);

/* Gives one burst to the driver and returns how many it took. */
unsigned send_burst(struct gen *gen, struct pair *pair, const struct job *job,
		    unsigned burst);

/* Gives buffers back to their pools. */
void release(struct rte_mbuf **mbufs, unsigned n);

#endif
