/* The pool: starting, stopping, and handing out snapshots. */
#include "worker/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/ticks.h"
#include "forward/pipeline.h"
#include "shape/shaper_home.h"
#include "worker/thread.h"

LOG_MODULE(worker);

/*
 * A look at epoll takes a quarter of a microsecond: a hundredth of the longer
 * time, which a packet at a descriptor may have to wait while others are
 * polled in memory.
 */
#define LOOK_MIN_US 4
#define LOOK_MAX_US 25

unsigned worker_default_count(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n <= 2 ? 1 : MIN(n - 1, WORKERS_MAX);
}

static void wake(struct worker *w)
{
	uint64_t one = 1;

	/* EAGAIN: it has been woken and did not run yet. */
	if (write(w->wake_fd, &one, sizeof(one)) < 0)
		return;
}

static void worker_fini(struct worker *w)
{
	if (w->epoll_fd >= 0)
		close(w->epoll_fd);
	if (w->wake_fd >= 0)
		close(w->wake_fd);
	shaper_home_destroy(w->home);
	pipeline_destroy(w->pipeline);
	free(w->burst);
	free(w->queues);
	free(w->active);
}

static int worker_init(struct worker *w, struct worker_pool *pool,
		       unsigned index)
{
	struct epoll_event event = { .events = EPOLLIN,
				     .data.u32 = UINT32_MAX };

	w->index = index;
	w->pool = pool;
	w->core = -1;
	w->cleared_at = ticks_now();
	w->pipeline = pipeline_create(index + 1);
	w->burst = xcalloc_aligned(PACKET_BURST_MAX, sizeof(struct packet));
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	w->home = shaper_home_create(w->wake_fd);
	if (w->epoll_fd < 0 || w->wake_fd < 0 ||
	    epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->wake_fd, &event) < 0)
		return -errno;
	return 0;
}

/*
 * Signals are the control thread's, except that of a guest's memory which is
 * gone (vhost/memory.h): whoever touches that memory gets it.
 */
static int start_thread(struct worker *w)
{
	char name[16];
	sigset_t all, old;
	int error;

	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&w->thread, NULL, worker_main, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!error) {
		snprintf(name, sizeof(name), "vswd-worker%u", w->index);
		pthread_setname_np(w->thread, name);
	}
	return -error;
}

static void stop_workers(struct worker_pool *pool, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		atomic_store(&pool->workers[i].stop, true);
		wake(&pool->workers[i]);
	}
	for (unsigned i = 0; i < n; i++)
		pthread_join(pool->workers[i].thread, NULL);
}

static void pool_free(struct worker_pool *pool)
{
	for (unsigned i = 0; i < pool->n; i++)
		worker_fini(&pool->workers[i]);
	if (pool->taken_fd >= 0)
		close(pool->taken_fd);
	free(pool->workers);
	free(pool);
}

struct worker_pool *worker_pool_create(unsigned n, char **errp)
{
	struct worker_pool *pool = xcalloc(1, sizeof(*pool));
	int error;

	ticks_init();
	pool->n = MIN(MAX(n, 1), WORKERS_MAX);
	pool->burst = WORKER_BURST_DEFAULT;
	pool->look_min = ticks_from_us(LOOK_MIN_US);
	pool->look_max = ticks_from_us(LOOK_MAX_US);
	pool->balanced_at = ticks_now();
	if (sched_getaffinity(0, sizeof(pool->cores), &pool->cores))
		CPU_ZERO(&pool->cores);
	pool->workers = xcalloc_aligned(pool->n, sizeof(*pool->workers));
	for (unsigned i = 0; i < pool->n; i++)
		pool->workers[i].epoll_fd = pool->workers[i].wake_fd = -1;
	pool->taken_fd = eventfd(0, EFD_CLOEXEC);
	error = pool->taken_fd < 0 ? -errno : 0;
	for (unsigned i = 0; i < pool->n && !error; i++) {
		error = worker_init(&pool->workers[i], pool, i);
		if (!error)
			error = start_thread(&pool->workers[i]);
		if (error)
			stop_workers(pool, i);
	}
	if (!error)
		return pool;
	set_error(errp, error, "cannot start %u worker threads: %s", pool->n,
		  strerror(-error));
	pool_free(pool);
	return NULL;
}

void worker_pool_destroy(struct worker_pool *pool)
{
	if (!pool)
		return;
	stop_workers(pool, pool->n);
	pool_free(pool);
}

unsigned worker_pool_count(const struct worker_pool *pool)
{
	return pool->n;
}

void worker_pool_set_poll_idle(struct worker_pool *pool, unsigned poll_idle_us)
{
	atomic_store(&pool->poll_limit, ticks_from_us(poll_idle_us));
}

void worker_pool_set_burst(struct worker_pool *pool, unsigned burst)
{
	atomic_store(&pool->burst, MIN(MAX(burst, 1u), PACKET_BURST_MAX));
}

static int bind_worker(struct worker *w, int core)
{
	cpu_set_t one;

	if (core < 0)
		return -pthread_setaffinity_np(
			w->thread, sizeof(w->pool->cores), &w->pool->cores);
	CPU_ZERO(&one);
	CPU_SET(core, &one);
	return -pthread_setaffinity_np(w->thread, sizeof(one), &one);
}

void worker_pool_set_cores(struct worker_pool *pool,
			   const struct number_pairs *cores)
{
	for (unsigned i = 0; i < pool->n; i++) {
		struct worker *w = &pool->workers[i];
		int core = number_pairs_get(cores, i), error;

		if (core == w->core)
			continue;
		error = core < CPU_SETSIZE ? bind_worker(w, core) : -EINVAL;
		if (error)
			log_warn("worker %u cannot run on core %d: %s; it runs "
				 "where it did",
				 i, core, strerror(-error));
		else
			w->core = core;
	}
}

/* Waits for a worker that has not yet taken over the generation. */
static void wait_for_worker(struct worker_pool *pool, struct worker *w,
			    uint64_t generation)
{
	uint64_t count;

	while (atomic_load_explicit(&w->taken, memory_order_acquire) !=
	       generation)
		if (read(pool->taken_fd, &count, sizeof(count)) < 0 &&
		    errno != EINTR)
			return; /* cannot be: the descriptor is ours */
}

/*
 * Whether a queue goes from one worker to another, be it with another
 * descriptor. Both are sorted by id.
 */
static bool queues_move(const struct fwd_snapshot *from,
			const struct fwd_snapshot *to)
{
	unsigned f = 0;

	if (!from || !to)
		return false;
	for (unsigned t = 0; t < to->n_rxqs; t++) {
		uint64_t key = fwd_rxq_key(&to->rxqs[t]);

		while (f < from->n_rxqs && fwd_rxq_key(&from->rxqs[f]) < key)
			f++;
		if (f < from->n_rxqs && fwd_rxq_key(&from->rxqs[f]) == key &&
		    from->rxqs[f].worker != to->rxqs[t].worker)
			return true;
	}
	return false;
}

/* Has every worker look at the snapshot, and waits until each has. */
static void make_known(struct worker_pool *pool)
{
	uint64_t generation = atomic_load(&pool->generation) + 1;

	atomic_store_explicit(&pool->generation, generation,
			      memory_order_release);
	for (unsigned i = 0; i < pool->n; i++)
		wake(&pool->workers[i]);
	for (unsigned i = 0; i < pool->n; i++)
		wait_for_worker(pool, &pool->workers[i], generation);
}

void worker_pool_publish(struct worker_pool *pool,
			 struct fwd_snapshot *snapshot)
{
	bool moves = queues_move(pool->snapshot, snapshot);

	worker_pool_adopt_shapers(pool, snapshot);
	pool->snapshot = snapshot;
	/* A queue's old worker lets go of it before the new one begins. */
	if (moves) {
		pool->only_letting_go = true;
		make_known(pool);
		pool->only_letting_go = false;
	}
	make_known(pool);
}
