/* One worker thread. Internal to worker/. */
#ifndef WORKER_THREAD_H
#define WORKER_THREAD_H

#include <pthread.h>

#include "worker/worker.h"

/* A receive queue that this worker serves. */
struct served_queue {
	uint64_t id; /* fwd_rxq.id; 0: this place is free */
	struct port_rxq *rxq;
	const struct fwd_port *in;
	int fd;
	bool active; /* is polled in every round */
	bool seen;   /* while a new snapshot is taken over */
	uint8_t empty_polls;
};

/* Written by the worker alone, read by the control thread. */
struct worker_counters {
	_Atomic uint64_t packets, bursts, busy_ns, idle_polls, sleeps;
} CACHE_ALIGNED;

struct worker {
	unsigned index; /* from 0; its thread number is one more */
	pthread_t thread;
	struct worker_pool *pool;
	struct pipeline *pipeline;
	struct packet *burst;
	int epoll_fd, wake_fd;
	_Atomic bool stop;
	_Atomic uint64_t taken; /* generation that it works by; for publish */
	/* The rest is the thread's own. */
	uint64_t generation; /* of the snapshot it works by */
	struct served_queue *queues;
	unsigned n_queues; /* places, used or free */
	unsigned *active;  /* places of the active ones */
	unsigned n_active;
	uint64_t busy_since_ns; /* not counted yet; 0: idle */
	struct worker_counters counters;
};

struct worker_pool {
	unsigned n;
	struct worker *workers;
	struct fwd_snapshot *snapshot; /* of the generation below */
	bool only_letting_go; /* of queues; taking more comes in the next */
	_Atomic uint64_t generation; /* counts publications */
	int taken_fd;		     /* a worker has taken one over */
	_Atomic unsigned poll_idle_us;
};

void *worker_main(void *worker);

#endif
