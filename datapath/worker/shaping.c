/*
 * A worker as the home of shapers (shape/shaper_home.h): it sends what they let
 * go between two rounds over its queues, and does not sleep longer than until
 * the next is due. A shaper has one home as long as the pool lives.
 */
#include <errno.h>
#include <time.h>

#include "base/log.h"
#include "base/ticks.h"
#include "forward/pipeline.h"
#include "shape/shaper_home.h"
#include "worker/thread.h"

LOG_MODULE(worker);

#define NS_PER_S  1000000000ull
#define NS_PER_MS 1000000ull

static struct worker *idlest(struct worker_pool *pool)
{
	struct worker *best = &pool->workers[0];

	for (unsigned i = 1; i < pool->n; i++)
		if (shaper_home_count(pool->workers[i].home) <
		    shaper_home_count(best->home))
			best = &pool->workers[i];
	return best;
}

void worker_pool_adopt_shapers(struct worker_pool *pool,
			       const struct fwd_snapshot *snapshot)
{
	for (unsigned i = 0; snapshot && i < snapshot->n_shaped; i++) {
		struct shaper *s = fwd_port_shaper(snapshot->shaped[i]);

		if (shaper_has_home(s) ||
		    shaper_home_adopt(idlest(pool)->home, s))
			continue;
		log_err("%s: %u shaped ports are served by each worker "
			"already; nothing leaves by this one; "
			"other_config:n-workers makes more",
			snapshot->shaped[i]->port->name, SHAPERS_MAX);
	}
}

static void let_go(void *worker, const void *out,
		   const struct shaper_batch *batch)
{
	struct worker *w = worker;

	pipeline_shaped(w->pipeline, out, batch);
}

void worker_take_over_shapers(struct worker *w,
			      const struct fwd_snapshot *snapshot)
{
	shaper_home_begin(w->home);
	for (unsigned i = 0; snapshot && i < snapshot->n_shaped; i++) {
		const struct fwd_port *out = snapshot->shaped[i];

		if (shaper_is_at(fwd_port_shaper(out), w->home))
			shaper_home_serve(w->home, fwd_port_shaper(out), out);
	}
	shaper_home_end(w->home, let_go, w);
	w->shapes = shaper_home_serves(w->home);
}

bool worker_shaping_is_due(const struct worker *w)
{
	return w->shapes && shaper_home_is_due(w->home, ticks_to_ns(w->now));
}

unsigned worker_shape(struct worker *w)
{
	uint64_t start;
	unsigned n;

	w->now = ticks_now();
	if (!shaper_home_is_due(w->home, ticks_to_ns(w->now)))
		return 0;
	start = w->now;
	n = shaper_home_run(w->home, ticks_to_ns(w->now), let_go, w);
	w->now = ticks_now();
	counter_add(&w->counters.busy, w->now - start);
	return n;
}

static int wait(const struct worker *w, struct epoll_event *events, int max,
		uint64_t ns)
{
	const struct timespec ts = { .tv_sec = ns / NS_PER_S,
				     .tv_nsec = ns % NS_PER_S };
	int n;

	if (ns == UINT64_MAX || !ns)
		return epoll_wait(w->epoll_fd, events, max, ns ? -1 : 0);
	n = epoll_pwait2(w->epoll_fd, events, max, &ts, NULL);
	if (n >= 0 || errno != ENOSYS)
		return n;
	/* A kernel before 5.11. */
	return epoll_wait(w->epoll_fd, events, max,
			  MIN(ns / NS_PER_MS + 1, 1000u));
}

int worker_sleep(struct worker *w, struct epoll_event *events, int max)
{
	int n;

	if (likely(!w->shapes))
		return epoll_wait(w->epoll_fd, events, max, -1);
	n = wait(w, events, max,
		 shaper_home_sleep(w->home, ticks_to_ns(w->now)));
	shaper_home_awake(w->home);
	return n;
}
