/* One worker thread. Internal to worker/. */
#ifndef WORKER_THREAD_H
#define WORKER_THREAD_H

#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>

#include "worker/worker.h"

/*
 * How long to go on polling what is empty: adapts to how long it lately took
 * until something came, window.h.
 */
struct poll_window {
	uint64_t ticks;
};

/* A receive queue that this worker serves. */
struct served_queue {
	uint64_t id; /* fwd_rxq.id; 0: this place is free */
	struct port_rxq *rxq;
	const struct port_class *class;
	const struct fwd_port *in;
	struct fwd_queue_counters *counters;
	int fd;		/* what epoll watches; -1: nothing, poll always */
	bool active;	/* is polled in every round */
	bool in_memory; /* port_class.polls_in_memory */
	bool was_empty; /* since the last packets */
	bool seen;	/* while a new snapshot is taken over */
	uint8_t empty_polls;
	struct poll_window window;
	uint64_t last; /* ticks when it was done with the last packets */
};

/* Written by the worker alone, read by the control thread. */
struct worker_counters {
	_Atomic uint64_t packets, bursts;
	_Atomic uint64_t busy, asleep; /* ticks */
	_Atomic uint64_t idle_polls, sleeps;
	_Atomic int tid; /* of the thread */
} CACHE_ALIGNED;

struct shaper_home; /* shape/shaper_home.h */

struct worker {
	unsigned index; /* from 0; its thread number is one more */
	pthread_t thread;
	struct worker_pool *pool;
	struct pipeline *pipeline;
	struct packet *burst;
	struct shaper_home *home; /* of shapers that it serves */
	int epoll_fd, wake_fd;
	_Atomic bool stop;
	_Atomic uint64_t taken; /* generation that it works by; for publish */
	/* The control thread's. */
	int core; /* -1: any */
	struct worker_stats cleared;
	uint64_t cleared_at; /* ticks */
	/* The rest is the thread's own. */
	uint64_t generation CACHE_ALIGNED; /* of the snapshot it works by */
	struct served_queue *queues;
	unsigned n_queues; /* places, used or free */
	unsigned *active;  /* places of the active ones */
	unsigned n_active;
	unsigned n_in_memory; /* of the active ones */
	unsigned n_resting;   /* watched and not active */
	bool shapes;	      /* its home has shapers */
	uint64_t now;	      /* ticks, when it looked last */
	uint64_t last;	      /* ticks when it was done with the last packets */
	struct poll_window window;	   /* of all of it, before it sleeps */
	bool was_idle;			   /* since the last packets */
	uint64_t looked_at, look_interval; /* at epoll; ticks */
	unsigned rounds, packets;	   /* since then */
	unsigned silent;		   /* rounds since the last packets */
	struct worker_counters counters;
};

struct worker_pool {
	unsigned n;
	struct worker *workers;
	struct fwd_snapshot *snapshot; /* of the generation below */
	bool only_letting_go; /* of queues; taking more comes in the next */
	_Atomic uint64_t generation; /* counts publications */
	int taken_fd;		     /* a worker has taken one over */
	_Atomic uint64_t poll_limit; /* ticks; of every poll_window */
	_Atomic unsigned burst;	     /* packets taken from a queue in a turn */
	uint64_t look_min, look_max; /* of worker.look_interval */
	cpu_set_t cores; /* that the process was given; the control thread's */
	uint64_t balanced_at; /* ticks; of the last look at the load */
};

void *worker_main(void *worker);

/* queues.c: works by this snapshot (NULL: none) from now on. */
void worker_take_over(struct worker *w, const struct fwd_snapshot *snapshot,
		      bool only_letting_go);
/* queues.c: the queue is polled in every round; false: it was already. */
bool worker_activate(struct worker *w, unsigned place);

/* shaping.c: a snapshot's shapers that have no worker get one. */
void worker_pool_adopt_shapers(struct worker_pool *pool,
			       const struct fwd_snapshot *snapshot);
/* shaping.c: serves the shapers of this snapshot that are its own. */
void worker_take_over_shapers(struct worker *w,
			      const struct fwd_snapshot *snapshot);
/* shaping.c: sends what shapers let go now; how many packets. */
unsigned worker_shape(struct worker *w);
/* shaping.c: whether that would do anything now. */
bool worker_shaping_is_due(const struct worker *w);
/*
 * shaping.c: epoll_wait() that ends when a shaper's time has come. Returns what
 * that does.
 */
int worker_sleep(struct worker *w, struct epoll_event *events, int max);

#endif
