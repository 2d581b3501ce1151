/*
 * Worker threads: each serves the receive queues that the snapshot gives it,
 * polls those that are busy, and sleeps in epoll when none is.
 *
 * All functions are the control thread's.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "forward/snapshot.h"

#define WORKERS_MAX (PORT_THREADS_MAX - 1)

/* Packets taken from a queue in one turn; PACKET_BURST_MAX at most. */
#ifndef WORKER_BURST_DEFAULT
#define WORKER_BURST_DEFAULT 64
#endif

struct worker_pool;

/* Cores minus one, at least one. */
unsigned worker_default_count(void);

/* Starts n workers (1 to WORKERS_MAX) with nothing to do. */
struct worker_pool *worker_pool_create(unsigned n, char **errp);
/* Stops them all; the last snapshot stays the caller's. */
void worker_pool_destroy(struct worker_pool *pool);
unsigned worker_pool_count(const struct worker_pool *pool);

/*
 * How long a worker goes on polling what is empty, at most; window.h tells how
 * much of it is used. 0: never.
 */
void worker_pool_set_poll_idle(struct worker_pool *pool, unsigned poll_idle_us);

/* 1 to PACKET_BURST_MAX packets. */
void worker_pool_set_burst(struct worker_pool *pool, unsigned burst);

/*
 * Puts workers on cores, by index; those that are not named run wherever the
 * process may. A core that cannot be had is logged, and the worker runs where
 * it did.
 */
void worker_pool_set_cores(struct worker_pool *pool,
			   const struct number_pairs *cores);

/*
 * Publishes a snapshot (NULL: none) and returns when every worker works by it,
 * also one that was asleep: the change is in force, and the snapshot before
 * it, and what only that one had (ports, FDBs, captures), may be freed.
 *
 * A worker looks for a new snapshot between two rounds over its queues, by one
 * load; so no lock stands between the packets and the control thread.
 */
void worker_pool_publish(struct worker_pool *pool,
			 struct fwd_snapshot *snapshot);

/* What a worker did since it was started or cleared. */
struct worker_stats {
	uint64_t packets, bursts;
	uint64_t elapsed, busy, asleep; /* ticks (base/ticks.h) */
	uint64_t idle_polls, sleeps;
	int core;   /* that it ran on last; -1: not known */
	bool bound; /* to that core */
};
void worker_pool_get_stats(const struct worker_pool *pool, unsigned worker,
			   struct worker_stats *stats);
/* The same for a queue of the snapshot; `elapsed` since its worker has it. */
struct worker_queue_stats {
	uint64_t packets, bursts, elapsed, busy;
};
void worker_get_queue_stats(const struct fwd_queue *queue,
			    struct worker_queue_stats *stats);
/* What is shown of workers and queues begins now. */
void worker_pool_clear_stats(struct worker_pool *pool);

/* What worker_pool_balance() found. */
struct worker_balance {
	double before, after; /* variance of the workers' loads, in percent^2 */
	unsigned n_moved;     /* queues */
};

/*
 * Measures how much of a worker's time each queue of the snapshot took since
 * the last call. With `improve`, and when moving queues would make the variance
 * of the workers' loads smaller by a quarter or more, gives queues other
 * workers, which the next snapshot shows; true then.
 */
bool worker_pool_balance(struct worker_pool *pool, bool improve,
			 struct worker_balance *balance);

#endif
