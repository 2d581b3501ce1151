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

struct worker_pool;

/* Cores minus one, at least one. */
unsigned worker_default_count(void);

/* Starts n workers (1 to WORKERS_MAX) with nothing to do. */
struct worker_pool *worker_pool_create(unsigned n, char **errp);
/* Stops them all; the last snapshot stays the caller's. */
void worker_pool_destroy(struct worker_pool *pool);
unsigned worker_pool_count(const struct worker_pool *pool);

/* Before the workers give up the processor: how long they poll idle queues. */
void worker_pool_set_poll_idle(struct worker_pool *pool, unsigned poll_idle_us);

/*
 * Publishes a snapshot (NULL: none) and returns when every worker works by it,
 * also one that was asleep: the change is in force, and the snapshot before
 * it, and what only that one had (ports, FDBs, captures), may be freed.
 *
 * A worker looks for a new snapshot between two rounds over its queues, by
 * one load; so no
 * lock stands between the packets and the control thread.
 */
void worker_pool_publish(struct worker_pool *pool,
			 struct fwd_snapshot *snapshot);

struct worker_stats {
	uint64_t packets, bursts;
	uint64_t busy_ns, idle_polls, sleeps;
};
void worker_pool_get_stats(const struct worker_pool *pool, unsigned worker,
			   struct worker_stats *stats);

#endif
